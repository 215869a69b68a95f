/* generate - continue a prompt; the text streams to stdout as it comes. */
#include "app/app.h"
#include <stdio.h>

typedef struct flags {
    const char *prompt;
    int64_t max_tokens;
    double temperature;
    int64_t top_k;
    double top_p, min_p;
    hn_strs stop;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, prompt, .doc = "text to continue; -: read it from stdin"),
    HN_PARAM(flags, max_tokens, .def = "256", .min = 1, .max = 1e9, .doc = "stop after so many tokens"),
    HN_PARAM(flags, temperature, .def = "1", .min = 0, .max = 100, .doc = "0: always the likeliest token; above 1: bolder"),
    HN_PARAM(flags, top_k, .def = "0", .min = 0, .max = 1e9, .doc = "choose among the k likeliest tokens; 0: off"),
    HN_PARAM(flags, top_p, .def = "0", .min = 0, .max = 1,
             .doc = "choose among the likeliest tokens that make up this probability; 0: off"),
    HN_PARAM(flags, min_p, .def = "0", .min = 0, .max = 1, .doc = "leave out tokens less likely than this share of the likeliest; 0: off"),
    HN_PARAM(flags, stop, .doc = "text that ends the answer; may be given several times"),
};

static bool on_piece(void *user, const char *piece, int64_t bytes) {
    (void)user;
    hn_out_bytes(piece, bytes);
    fflush(stdout);
    return !hn_out_broken();
}

extern const hn_cmd hn_cmd_generate;
static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    if (c->n_args < 1 || c->n_args > 2)
        return hn_usage(c, &hn_cmd_generate, c->n_args ? "generate takes one model and one prompt" : "which model?");
    const char *prompt = c->n_args == 2 && !*f->prompt ? c->args[1] : f->prompt;
    if (!strcmp(prompt, "-")) {
        hn_bytes in;
        if (!hn_read_stdin(c->a, &in)) return false;
        if (memchr(in.p, 0, (size_t)in.n)) return HN_FAIL(c->a, HONE_E_DATA, .what = "the prompt holds a zero byte", .where = "stdin");
        prompt = (const char *)in.p;
    }
    int64_t bad;
    if (!hn_utf8_valid((const uint8_t *)prompt, (int64_t)strlen(prompt), &bad))
        return HN_FAIL(c->a, HONE_E_DATA, .what = "the prompt is not valid UTF-8", .where = hn_fmt(c->a, "offset %lld", (long long)bad));
    hone_model *m = hn_model_read(c->a, c->args[0]);
    if (!m) return false;
    if (!*prompt && m->tok && m->tok->bos < 0) /* of a model that begins texts by a token, nothing is a prompt, too */
        return hn_usage(c, &hn_cmd_generate, "what is to be continued? --prompt TEXT, or --prompt - for what stands on stdin");
    hone_sampling s = { .max_tokens = f->max_tokens,
                        .temperature = f->temperature,
                        .top_k = f->top_k,
                        .top_p = f->top_p,
                        .min_p = f->min_p,
                        .seed = c->seed,
                        .stop = f->stop.v,
                        .n_stop = f->stop.n };
    hone_generation g;
    if (!hone_generate(c->a->job, m, prompt, &s, c->json ? NULL : on_piece, NULL, &g)) return hn_out_broken();
    if (!c->json) {
        if (!g.text_bytes || g.text[g.text_bytes - 1] != '\n') hn_out("\n");
        return true;
    }
    hn_out_json(c->a,
                hn_json_own(c->a, json_pack("{ss% sI so ss}", "text", g.text, (size_t)g.text_bytes, "tokens", (json_int_t)g.tokens,
                                            "tokens_per_second", hn_json_real(g.tokens_per_second), "finish_reason", g.finish_reason)));
    return true;
}

const hn_cmd hn_cmd_generate = { HN_ITEM("generate", "continue a text", NULL, flags, params), .usage = "MODEL --prompt TEXT", .run = run,
                                 .about = "The answer streams to stdout. The same --seed gives the same answer.",
                                 .examples = "  hone generate runs/a/best --prompt 'ROMEO:' --max-tokens 200\n"
                                             "  hone generate runs/a/best --prompt - --temperature 0 --json < prompt.txt" };
