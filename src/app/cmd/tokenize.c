/* tokenize - text on stdin to ids, or ids back to text. */
#include "app/app.h"
#include <ctype.h>

typedef struct flags {
    bool decode, special, lines;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, decode, .doc = "stdin holds ids; write the text that they stand for"),
    HN_PARAM(flags, special, .doc = "put the beginning-of-text token first, where the tokenizer has one"),
    HN_PARAM(flags, lines, .doc = "each line of stdin by itself"),
};

static bool encode(hn_cmd_call *c, const hn_tokenizer *t, const hn_encoder *e, const uint8_t *p, int64_t n) {
    const flags *f = c->flags;
    hn_arena *a = hn_arena_new(c->a);
    hn_ids ids = { 0 };
    if (f->special && t->bos >= 0) hn_push(a, &ids, t->bos);
    bool ok = hn_encoder_put(e, a, p, n, &ids);
    if (ok && c->json) {
        json_t *list = json_array();
        for (int64_t i = 0; i < ids.n; i++) json_array_append_new(list, json_integer(ids.v[i]));
        hn_out_json(a, hn_json_own(a, json_pack("{so}", "ids", list)));
    } else if (ok) {
        for (int64_t i = 0; i < ids.n; i++) hn_out("%s%d", i ? " " : "", ids.v[i]);
        hn_out("\n");
    }
    hn_arena_free(a);
    return ok;
}

/* Ids in decimal, between them blanks, commas or brackets: our own output, plain or JSON lists. */
static bool decode(hn_cmd_call *c, const hn_tokenizer *t, const uint8_t *p, int64_t n, int64_t offset) {
    const flags *f = c->flags;
    hn_arena *a = hn_arena_new(c->a);
    hn_ids ids = { 0 };
    for (int64_t i = 0; i < n;) {
        if (isspace(p[i]) || strchr(",[]", p[i])) {
            i++;
            continue;
        }
        int64_t id = 0, start = i;
        while (i < n && isdigit(p[i]) && id < t->vocab) id = id * 10 + (p[i++] - '0');
        if (i == start || id >= t->vocab) {
            bool ok = HN_FAIL(c->a, HONE_E_DATA, .what = "not an id of this tokenizer",
                              .where = hn_fmt(a, "stdin: offset %lld", (long long)(offset + start)),
                              .wanted = hn_fmt(a, "0 … %lld", (long long)t->vocab - 1),
                              .found = i == start ? hn_fmt(a, "byte 0x%02x", p[i]) : hn_fmt(a, "%lld or more", (long long)id));
            hn_arena_free(a);
            return ok;
        }
        hn_push(a, &ids, (int32_t)id);
    }
    hn_buf text = { 0 };
    hn_decode(t, a, ids.v, ids.n, &text);
    if (c->json) hn_out_json(a, hn_json_own(a, json_pack("{ss#}", "text", text.n ? text.v : "", (int)HN_MIN(text.n, INT32_MAX))));
    else {
        hn_out_bytes(text.v, text.n);
        if (f->lines) hn_out("\n");
    }
    hn_arena_free(a);
    return true;
}

extern const hn_cmd hn_cmd_tokenize;
static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    if (c->n_args != 1)
        return hn_usage(c, &hn_cmd_tokenize, c->n_args ? "tokenize takes one model or tokenizer" : "which model or tokenizer?");
    hn_tokenizer *t = hn_tokenizer_load(c->a, c->args[0]);
    hn_bytes in;
    if (!t || !hn_read_stdin(c->a, &in)) return false;
    hn_encoder e = hn_encoder_new(c->a, t);
    for (int64_t at = 0; at < in.n || (at == 0 && !f->lines);) {
        const uint8_t *end = f->lines ? memchr(in.p + at, '\n', (size_t)(in.n - at)) : NULL;
        int64_t n = end ? end - in.p - at : in.n - at;
        if (!(f->decode ? decode(c, t, in.p + at, n, at) : encode(c, t, &e, in.p + at, n))) return false;
        if (hn_out_broken() || hn_stopped(c->a->job)) break;
        at += n + 1;
    }
    return true;
}

const hn_cmd hn_cmd_tokenize = {
    HN_ITEM("tokenize", "turn text into token ids, or ids into text", NULL, flags, params),
    .usage = "MODEL|tokenizer.json [--decode] [--lines]",
    .inline_work = true,
    .run = run,
    .about =
        "Reads stdin. Writes the ids with a blank between; with --lines a line of ids for each line of text, else one line for all of it.",
    .examples = "  echo 'To be' | hone tokenize runs/a/best\n  hone tokenize runs/a/best < a.txt | hone tokenize runs/a/best --decode"
};
