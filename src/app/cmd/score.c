/* score - the log-probability of every token of a text: the number that others can check us by. */
#include "app/app.h"
#include <math.h>

typedef struct flags {
    const char *text, *file;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, text, .doc = "text to score"),
    HN_PARAM(flags, file, .doc = "file to score; -: stdin"),
};
static const int64_t max_file = (int64_t)1 << 30;

extern const hn_cmd hn_cmd_score;
static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    if (c->n_args != 1) return hn_usage(c, &hn_cmd_score, c->n_args ? "score takes one model" : "which model?");
    if (!*f->text == !*f->file)
        return hn_usage(c, &hn_cmd_score, *f->text ? "--text and --file exclude each other" : "--text or --file is needed");
    hn_bytes in = { (const uint8_t *)f->text, (int64_t)strlen(f->text) };
    if (*f->file && !(strcmp(f->file, "-") ? hn_file_read(c->a, f->file, max_file, &in) : hn_read_stdin(c->a, &in))) return false;
    int64_t bad;
    if (!in.n) return HN_FAIL(c->a, HONE_E_DATA, .what = "there is nothing to score", .where = *f->file ? f->file : "--text");
    if (!hn_utf8_valid(in.p, in.n, &bad))
        return HN_FAIL(c->a, HONE_E_DATA, .what = "the text is not valid UTF-8",
                       .where = hn_fmt(c->a, "%s: offset %lld", *f->file ? f->file : "--text", (long long)bad));
    hone_model *m = hn_model_read(c->a, c->args[0]);
    hone_score s;
    if (!m || !hone_score_text(c->a->job, m, (const char *)in.p, in.n, &s)) return false;
    if (c->json) {
        json_t *ids = json_array(), *logs = json_array();
        for (int64_t i = 0; i < s.n; i++) {
            json_array_append_new(ids, json_integer(s.ids[i]));
            json_array_append_new(logs, hn_json_real(s.logprobs[i]));
        }
        hn_out_json(c->a, hn_json_own(c->a, json_pack("{so so so so}", "tokens", ids, "logprobs", logs, "sum", hn_json_real(s.sum),
                                                      "bits_per_byte", hn_json_real(s.bits_per_byte))));
        return true;
    }
    for (int64_t i = 0; i < s.n; i++) {
        hn_buf piece = { 0 };
        if (m->tok) hn_decode(m->tok, c->a, &s.ids[i], 1, &piece);
        const char *shown = hn_json_text(c->a, hn_json_own(c->a, json_string(hn_buf_str(c->a, &piece))), false);
        if (isnan(s.logprobs[i])) hn_out("%8d          -  %s\n", s.ids[i], shown);
        else hn_out("%8d %10.5f  %s\n", s.ids[i], s.logprobs[i], shown);
    }
    hn_out("sum %.6f nats over %lld tokens, %.5f bits per byte\n", s.sum, (long long)s.n, s.bits_per_byte);
    return true;
}

const hn_cmd hn_cmd_score = { HN_ITEM("score", "log-probability (natural log) of every token of a text", NULL, flags, params),
                              .usage = "MODEL --text TEXT | --file FILE", .run = run,
                              .about = "The first token has no score unless the model has a beginning-of-text token. A text longer than "
                                       "the context is read in windows that overlap by half.",
                              .examples =
                                  "  hone score runs/a/best --text 'To be, or not to be'\n  hone score runs/a/best --file a.txt --json" };
