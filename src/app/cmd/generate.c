/* generate - continue a prompt; the text streams to stdout as it comes. Of a file of prompts, several answers are written side by side. */
#include "app/app.h"
#include "eval/task.h"
#include <math.h>
#include <stdio.h>

typedef struct flags {
    const char *prompt, *prompts;
    int64_t max_tokens;
    double temperature;
    int64_t top_k;
    double top_p, min_p;
    hn_strs stop;
    const char *cache;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, prompt, .doc = "text to continue; -: read it from stdin"),
    HN_PARAM(flags, prompts, .doc = "a file of texts to continue: JSONL or CSV with a field prompt, or a text a line; an answer a line, as JSON"),
    HN_PARAM(flags, max_tokens, .def = "256", .min = 1, .max = 1e9, .doc = "stop after so many tokens"),
    HN_PARAM(flags, temperature, .def = "1", .min = 0, .max = 100, .doc = "0: always the likeliest token; above 1: bolder"),
    HN_PARAM(flags, top_k, .def = "0", .min = 0, .max = 1e9, .doc = "choose among the k likeliest tokens; 0: off"),
    HN_PARAM(flags, top_p, .def = "0", .min = 0, .max = 1,
             .doc = "choose among the likeliest tokens that make up this probability; 0: off"),
    HN_PARAM(flags, min_p, .def = "0", .min = 0, .max = 1, .doc = "leave out tokens less likely than this share of the likeliest; 0: off"),
    HN_PARAM(flags, stop, .doc = "text that ends the answer; may be given several times"),
    HN_PARAM(flags, cache, .def = "f32", .choices = "f32|bf16", .doc = "what keys and values of the text so far are kept as; bf16: half the memory"),
};

static bool on_piece(void *user, const char *piece, int64_t bytes) {
    (void)user;
    hn_out_bytes(piece, bytes);
    fflush(stdout);
    return !hn_out_broken();
}

/* ---- a file of prompts ---- */
typedef struct {
    hn_cmd_call *c;
    const char **prompt;
    hone_generation *g;
    bool *done;
    int64_t n, told, count;
    double began, last;
} batch;

static bool prompts_of(hn_arena *a, const char *path, batch *b) {
    static const char *const column = "prompt";
    size_t n = strlen(path);
    hn_sheet rows;
    bool lines = n > 4 && !strcmp(path + n - 4, ".txt");
    hn_bytes text;
    HN_VEC(const char *) v = { 0 };
    if (lines) { /* a text a line, whatever stands in it */
        if (!hn_file_read(a, path, (int64_t)1 << 30, &text)) return false;
        const char *p = (const char *)text.p, *end = p + text.n;
        for (const char *nl; p < end; p = nl + 1) {
            nl = memchr(p, '\n', (size_t)(end - p));
            if (!nl) nl = end;
            hn_push(a, &v, hn_strndup(a, p, nl - p));
        }
    } else {
        if (!hn_sheet_read(a, path, NULL, &rows)) return false;
        for (int64_t i = 0; i < rows.n; i++) {
            const char *s = json_string_value(json_object_get(rows.v[i].fields, column));
            if (!s)
                return HN_FAIL(a, HONE_E_DATA, .what = "the row has no text in its field 'prompt'", .where = hn_fmt(a, "%s:%lld", path, (long long)rows.v[i].line),
                               .wanted = "{\"prompt\": \"a text to continue\"}");
            hn_push(a, &v, s);
        }
    }
    for (int64_t i = 0, bad; i < v.n; i++)
        if (!hn_utf8_valid((const uint8_t *)v.v[i], (int64_t)strlen(v.v[i]), &bad))
            return HN_FAIL(a, HONE_E_DATA, .what = "a prompt is not valid UTF-8", .where = hn_fmt(a, "%s: prompt %lld, offset %lld", path, (long long)i + 1, (long long)bad));
    if (!v.n) return HN_FAIL(a, HONE_E_DATA, .what = "the file holds no prompt", .where = path);
    b->prompt = v.v;
    b->n = v.n;
    return true;
}

/* Answers come in any order and are told in the file's. */
static bool on_done(void *user, int64_t i, const hone_generation *g) {
    batch *b = user;
    hn_arena *a = hn_arena_new(b->c->a);
    b->done[i] = true;
    b->count++;
    for (; b->told < b->n && b->done[b->told]; b->told++) {
        const hone_generation *x = &b->g[b->told];
        hn_out_json(a, hn_json_own(a, json_pack("{ss ss% sI ss}", "prompt", b->prompt[b->told], "text", x->text, (size_t)x->text_bytes, "tokens",
                                                (json_int_t)x->tokens, "finish_reason", x->finish_reason)));
    }
    fflush(stdout);
    hn_arena_free(a);
    if (hn_now() - b->last < 0.5) return !hn_out_broken();
    b->last = hn_now();
    hn_progress(b->c->a, "generate", b->count, b->n, (double)b->count / (b->last - b->began), "answers", NAN);
    return !hn_out_broken();
}

static bool run_many(hn_cmd_call *c, hone_model *m, const hone_sampling *s, batch *b) {
    hone_sampling *each = hn_new_n(c->a, hone_sampling, b->n);
    for (int64_t i = 0; i < b->n; i++) {
        each[i] = *s;
        each[i].seed = hn_hash(&i, (int64_t)sizeof i, s->seed);
    }
    b->c = c;
    b->g = hn_new_n(c->a, hone_generation, b->n);
    b->done = hn_new_n(c->a, bool, b->n);
    b->began = b->last = hn_now();
    return hone_generate_many(c->a->job, m, b->n, b->prompt, each, on_done, b, b->g) || hn_out_broken();
}

extern const hn_cmd hn_cmd_generate;
static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    batch many = { 0 };
    if (c->n_args < 1 || c->n_args > 2)
        return hn_usage(c, &hn_cmd_generate, c->n_args ? "generate takes one model and one prompt" : "which model?");
    const char *prompt = c->n_args == 2 && !*f->prompt ? c->args[1] : f->prompt;
    if (*f->prompts && *prompt) return hn_usage(c, &hn_cmd_generate, "--prompts and a prompt: one of them");
    if (*f->prompts && !prompts_of(c->a, f->prompts, &many)) return false;
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
    if (!many.n && !*prompt && m->tok && m->tok->bos < 0) /* of a model that begins texts by a token, nothing is a prompt, too */
        return hn_usage(c, &hn_cmd_generate, "what is to be continued? --prompt TEXT, or --prompt - for what stands on stdin");
    hone_sampling s = { .max_tokens = f->max_tokens,
                        .temperature = f->temperature,
                        .top_k = f->top_k,
                        .top_p = f->top_p,
                        .min_p = f->min_p,
                        .seed = c->seed,
                        .stop = f->stop.v,
                        .n_stop = f->stop.n,
                        .narrow_cache = !strcmp(f->cache, "bf16") };
    if (many.n) return run_many(c, m, &s, &many);
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

const hn_cmd hn_cmd_generate = { HN_ITEM("generate", "continue a text", NULL, flags, params), .usage = "MODEL --prompt TEXT | --prompts FILE", .run = run,
                                 .about = "The answer streams to stdout. The same --seed gives the same answer.",
                                 .examples = "  hone generate runs/a/best --prompt 'ROMEO:' --max-tokens 200\n"
                                             "  hone generate runs/a/best --prompt - --temperature 0 --json < prompt.txt\n"
                                             "  hone generate runs/a/best --prompts questions.jsonl --temperature 0 > answers.jsonl" };
