/* gguf.c - the vocabulary in the metadata of a GGUF file, made into a tokenizer.json.
 *
 * GGUF v2 and v3, little endian: "GGUF", version, counts of tensors and of keys, then keys with typed values. Only keys that begin
 * with "tokenizer." are looked at; every length is checked against the file. Models `gpt2` (byte pairs with merges) and `llama`
 * (SentencePiece BPE: spm.c). */
#include "data/token/part/part.h"

enum { U8, I8, U16, I16, U32, I32, F32, BOOL, STRING, ARRAY, U64, I64, F64, TYPES };
typedef struct { hn_arena *a; const char *where; const uint8_t *p; int64_t n, at; } cursor;
typedef struct { uint32_t type; uint64_t n; int64_t at; } array;
typedef struct { hn_bytes model, pre; array tokens, scores, types, merges; bool no_prefix; } found;

static bool cut_short(cursor *c) {
    return HN_FAIL(c->a, HONE_E_MODEL, .what = "the file ends inside of its metadata", .where = hn_fmt(c->a, "%s: offset %lld", c->where, (long long)c->at),
                   .hint = "the file was not copied whole");
}

static bool number(cursor *c, void *out, int64_t bytes) {
    if (bytes > c->n - c->at) return cut_short(c);
    memcpy(out, c->p + c->at, (size_t)bytes);
    c->at += bytes;
    return true;
}

static bool string(cursor *c, hn_bytes *out) {
    uint64_t n = 0;
    if (!number(c, &n, 8)) return false;
    if (n > (uint64_t)(c->n - c->at)) return cut_short(c);
    *out = (hn_bytes){ c->p + c->at, (int64_t)n };
    c->at += (int64_t)n;
    return true;
}

static int64_t width(uint32_t type) {
    static const int64_t of[TYPES] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
    return type < TYPES ? of[type] : 0;
}

static bool skip(cursor *c, uint32_t type) {
    hn_bytes s;
    if (type == STRING) return string(c, &s);
    int64_t n = width(type);
    if (!n)
        return HN_FAIL(c->a, HONE_E_MODEL, .what = hn_fmt(c->a, "a value of unknown type %u", type),
                       .where = hn_fmt(c->a, "%s: offset %lld", c->where, (long long)c->at));
    if (n > c->n - c->at) return cut_short(c);
    c->at += n;
    return true;
}

static bool list(cursor *c, array *out) {
    if (!number(c, &out->type, 4) || !number(c, &out->n, 8)) return false;
    out->at = c->at;
    if (width(out->type)) {
        if (out->n > (uint64_t)(c->n - c->at) / (uint64_t)width(out->type)) return cut_short(c);
        c->at += (int64_t)out->n * width(out->type);
        return true;
    }
    for (uint64_t i = 0; i < out->n; i++)
        if (!skip(c, out->type)) return false;
    return true;
}

static bool is(hn_bytes s, const char *text) { return s.n == (int64_t)strlen(text) && (!s.n || !memcmp(s.p, text, (size_t)s.n)); }

static bool pairs(cursor *c, uint64_t n, found *f) {
    for (uint64_t i = 0; i < n; i++) {
        hn_bytes key;
        uint32_t type = 0;
        array other;
        if (!string(c, &key) || !number(c, &type, 4)) return false;
        if (type == ARRAY) {
            array *to = is(key, "tokenizer.ggml.tokens") ? &f->tokens : is(key, "tokenizer.ggml.scores") ? &f->scores
                      : is(key, "tokenizer.ggml.token_type") ? &f->types : is(key, "tokenizer.ggml.merges") ? &f->merges : &other;
            if (!list(c, to)) return false;
        } else if (type == STRING && is(key, "tokenizer.ggml.model")) {
            if (!string(c, &f->model)) return false;
        } else if (type == STRING && is(key, "tokenizer.ggml.pre")) {
            if (!string(c, &f->pre)) return false;
        } else if (type == BOOL && is(key, "tokenizer.ggml.add_space_prefix")) {
            uint8_t yes = 0;
            if (!number(c, &yes, 1)) return false;
            f->no_prefix = !yes;
        } else if (!skip(c, type)) return false;
    }
    return true;
}

/* ---- the tokenizer.json ---- */
static json_t *words_of(hn_arena *a, hn_bytes pre, const char *where) {
    static const struct { const char *pre, *words; } known[] = { { "gpt-2", "gpt2" }, { "gpt2", "gpt2" }, { "default", "gpt2" }, { "", "gpt2" },
                                                                 { "llama-bpe", "llama3" }, { "llama3", "llama3" }, { "qwen2", "qwen2" } };
    for (int64_t i = 0; i < HN_LEN(known); i++)
        if (is(pre, known[i].pre))
            return hn_json_own(a, json_pack("{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, {s:s, s:b, s:b, s:b}]}", "type", "Sequence", "pretokenizers", "type",
                                            "Split", "pattern", "Regex", hn_pattern_named(known[i].words), "behavior", "Isolated", "invert", 0,
                                            "type", "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex", 0));
    (void)HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "pre-tokenizer \"%.*s\" is not known here", (int)HN_MIN(pre.n, 40), pre.p), .where = where,
                  .wanted = "gpt-2, llama-bpe or qwen2", .hint = "the model's tokenizer.json says more; use it");
    return NULL;
}

static json_t *build(hn_arena *a, cursor *c, const found *f) {
    int64_t n = (int64_t)f->tokens.n;
    bool spm = is(f->model, "llama");
    hn_bytes *token = hn_new_n(a, hn_bytes, n);
    int32_t *type = hn_new_n(a, int32_t, n);
    float *score = hn_new_n(a, float, n);
    json_t *vocab = hn_json_own(a, json_object()), *added = hn_json_own(a, json_array()), *merges = hn_json_own(a, json_array());
    if (f->types.n) memcpy(type, c->p + f->types.at, (size_t)n * 4);
    if (f->scores.n) memcpy(score, c->p + f->scores.at, (size_t)n * 4);
    c->at = f->tokens.at;
    for (int64_t i = 0; i < n; i++) {
        if (!string(c, &token[i])) return NULL;
        if (spm) continue;
        char *key = hn_strndup(a, (const char *)token[i].p, token[i].n);
        if (!hn_utf8_valid(token[i].p, token[i].n, NULL) || (int64_t)strlen(key) != token[i].n || json_object_get(vocab, key))
            return (void)HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "token %lld is no text, or is there twice", (long long)i), .where = c->where), NULL;
        json_object_set_new(vocab, key, json_integer(i));
        if (type[i] == 3 || type[i] == 4)
            json_array_append_new(added, hn_added_json(i, key, type[i] == 3));
    }
    if (spm)
        return hn_spm_json(a, c->where, &(hn_spm){ .piece = token, .type = type, .score = score, .n = n, .no_prefix = f->no_prefix, .bytes = true, .unk = -1 });
    json_t *pre = words_of(a, f->pre, c->where);
    c->at = f->merges.at;
    for (uint64_t i = 0; pre && i < f->merges.n; i++) {
        hn_bytes s;
        if (!string(c, &s)) return NULL;
        json_t *v = json_stringn((const char *)s.p, (size_t)s.n);
        if (!v) return (void)HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "merge %lld is no text", (long long)i), .where = c->where), NULL;
        json_array_append_new(merges, v);
    }
    return pre ? hn_json_own(a, json_pack("{s:O, s:n, s:O, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:O, s:O}}", "added_tokens", added, "normalizer", "pre_tokenizer", pre,
                                          "decoder", "type", "ByteLevel", "add_prefix_space", 1, "trim_offsets", 1, "use_regex", 1, "model", "type", "BPE", "vocab", vocab, "merges", merges))
               : NULL;
}

json_t *hn_gguf_tokenizer(hn_arena *a, const char *where, hn_bytes file) {
    cursor c = { a, where, file.p, file.n, 4 };
    found f = { 0 };
    uint32_t version = 0;
    uint64_t tensors, n = 0;
    if (file.n < 4 || memcmp(file.p, "GGUF", 4) != 0) return (void)HN_FAIL(a, HONE_E_MODEL, .what = "this is no GGUF file", .where = where), NULL;
    if (!number(&c, &version, 4)) return NULL;
    if (version < 2 || version > 3)
        return (void)HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "GGUF version %u is not known here", version), .where = where, .wanted = "2 or 3"), NULL;
    if (!number(&c, &tensors, 8) || !number(&c, &n, 8) || !pairs(&c, n, &f)) return NULL;
    bool fits = f.tokens.type == STRING && f.tokens.n && (!f.types.n || (f.types.type == I32 && f.types.n == f.tokens.n)) &&
                (!f.scores.n || (f.scores.type == F32 && f.scores.n == f.tokens.n)) && (!f.merges.n || f.merges.type == STRING);
    if (!fits || (!is(f.model, "llama") && !is(f.model, "gpt2")))
        return (void)HN_FAIL(a, HONE_E_MODEL, .what = "no tokenizer here reads this file", .where = where,
                             .wanted = "tokenizer.ggml.model gpt2 or llama, with tokens, types, scores and merges that fit each other",
                             .found = hn_fmt(a, "model \"%.*s\", %llu tokens", (int)HN_MIN(f.model.n, 40), f.model.p ? (const char *)f.model.p : "",
                                             (unsigned long long)f.tokens.n)), NULL;
    return build(a, &c, &f);
}
