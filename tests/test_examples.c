/* test_examples.c - the examples run, and every public header compiles as C and as C++ by itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "model/model.h"

/* First line of what a command prints, and its exit status. */
static int shell(const char *command, char *out, int n) {
    FILE *f = popen(command, "r");
    assert_non_null(f);
    size_t got = fread(out, 1, (size_t)n - 1, f);
    out[got] = 0;
    while (fgetc(f) != EOF) {
    }
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void the_example_continues_a_prompt(void **state) {
    (void)state;
    char exe[4096] = "", out[512], dir[] = "/tmp/hone-example-XXXXXX";
    assert_true(readlink("/proc/self/exe", exe, sizeof exe - 1) > 0);
    *strrchr(exe, '/') = 0;
    assert_non_null(mkdtemp(dir));
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    const hn_arch *arch = (const hn_arch *)hn_kind_find(&hn_kind_arch, "gpt2");
    void *params = hn_alloc(a, 1, arch->item.size, 16);
    hn_params_defaults(a, arch->item.params, arch->item.n_params, params);
    hone_model *m = hn_model_new(a, arch, params, 256, false);
    assert_true(m && (m->tok = hn_tokenizer_train(a, "byte", NULL, NULL)));
    hn_model_init(m, 1);
    assert_true(hn_model_save(a, m, hn_fmt(a, "%s/model", dir)));
    const char *program = hn_fmt(a, "%s/../examples/generate", exe);
    assert_int_equal(shell(hn_fmt(a, "%s %s/model 'To be' 20 2>&1 >/dev/null", program, dir), out, sizeof out), 0);
    assert_non_null(strstr(out, "20 tokens, "));
    assert_int_equal(shell(hn_fmt(a, "%s %s/model 'To be' 20 2>/dev/null", program, dir), out, sizeof out), 0);
    assert_true(strlen(out) >= 20);
    assert_int_equal(shell(hn_fmt(a, "%s %s/other x 2>&1", program, dir), out, sizeof out), 3);
    assert_non_null(strstr(out, "no such file or folder"));
    assert_int_equal(shell(hn_fmt(a, "%s 2>&1", program), out, sizeof out), 2);
    assert_true(hn_remove_tree(a, dir));
    hone_close(job);
}

static void public_headers_stand_alone(void **state) {
    (void)state;
    char out[4096], command[1024];
    static const char *const compilers[] = {"cc -x c -std=c11 -pedantic", "c++ -x c++ -std=c++11"};
    glob_t g;
    assert_int_equal(glob("include/hone/*.h", 0, NULL, &g), 0);
    assert_true(g.gl_pathc >= 3);
    for (int c = 0; c < 2; c++) {
        snprintf(command, sizeof command, "%.3s --version >/dev/null 2>&1", compilers[c]);
        if (shell(command, out, sizeof out)) {
            print_message("no %.3s here: headers not tried with it\n", compilers[c]);
            continue;
        }
        for (size_t i = 0; i < g.gl_pathc; i++) {
            snprintf(command, sizeof command, "echo '#include \"%s\"' | %s -Wall -Wextra -Werror -Iinclude -I. -fsyntax-only - 2>&1",
                     g.gl_pathv[i], compilers[c]);
            if (shell(command, out, sizeof out)) fail_msg("%s with %s:\n%s", g.gl_pathv[i], compilers[c], out);
        }
    }
    globfree(&g);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_example_continues_a_prompt), cmocka_unit_test(public_headers_stand_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
