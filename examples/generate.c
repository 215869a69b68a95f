/* generate.c - continue a prompt with a model folder, text shown as it comes.
 *     cc generate.c $(pkg-config --cflags --libs hone) -o generate && ./generate runs/first/best "the " 100 */
#include <hone/model.h>
#include <stdio.h>
#include <stdlib.h>

static bool show(void *user, const char *piece, int64_t bytes) {
    (void)user;
    return fwrite(piece, 1, (size_t)bytes, stdout) == (size_t)bytes && !fflush(stdout);
}

int main(int argc, char **argv) {
    if (argc < 3) {
        fprintf(stderr, "usage: generate MODEL PROMPT [TOKENS]\n");
        return 2;
    }
    hone_job *job = hone_open(NULL);
    if (!job) return 1;
    hone_sampling sampling = {.max_tokens = argc > 3 ? atoi(argv[3]) : 200, .temperature = 0.8, .top_k = 40, .seed = 1};
    hone_generation g;
    hone_model *model = hone_model_load(job, argv[1]);
    bool ok = model && hone_generate(job, model, argv[2], &sampling, show, NULL, &g);
    if (ok) fprintf(stderr, "\n%lld tokens, %.0f a second\n", (long long)g.tokens, g.tokens_per_second);
    else fprintf(stderr, "generate: %s\n", hone_error_message(job));
    int status = hone_code_exit_status(hone_error_code(job));
    hone_close(job);
    return status;
}
