/* vocab.c - which text each id stands for: model.vocab, as an object of texts and ids or a list of texts with scores, and the
 * added tokens among or behind them. Ids may leave holes, but not so large that a small file asks for much memory. */
#include "data/token/part/part.h"

typedef struct { hn_arena *a; const char *where; int64_t most; hn_vocab *out; } filling;

static bool put(filling *f, const char *key, const json_t *id, bool again) {
    int64_t i = json_is_integer(id) ? (int64_t)json_integer_value(id) : -1;
    if (i < 0 || i > f->most)
        return HN_FAIL(f->a, HONE_E_MODEL, .what = hn_fmt(f->a, "vocabulary entry \"%.40s\" has no usable id", key), .where = f->where,
                       .wanted = hn_fmt(f->a, "a whole number from 0 to %lld", (long long)f->most),
                       .found = json_is_integer(id) ? hn_fmt(f->a, "%lld", (long long)i) : "something else");
    if (f->out->key[i] && !(again && !strcmp(f->out->key[i], key)))
        return HN_FAIL(f->a, HONE_E_MODEL, .what = hn_fmt(f->a, "two vocabulary entries have the id %lld", (long long)i), .where = f->where,
                       .found = hn_fmt(f->a, "\"%.40s\" and \"%.40s\"", f->out->key[i], key));
    f->out->key[i] = key;
    f->out->n = HN_MAX(f->out->n, i + 1);
    return true;
}

static bool from_list(filling *f, const json_t *vocab) {
    for (int64_t i = 0; i < f->out->entries; i++) {
        const char *key = json_string_value(json_array_get(json_array_get(vocab, (size_t)i), 0));
        if (!key)
            return HN_FAIL(f->a, HONE_E_MODEL, .what = hn_fmt(f->a, "model.vocab[%lld] is no entry", (long long)i), .where = f->where,
                           .wanted = "a list of a text and a number");
        f->out->key[i] = key;
    }
    f->out->n = f->out->entries;
    return true;
}

bool hn_vocab_load(hn_arena *a, const json_t *root, const char *where, const hn_added_list *added, hn_vocab *out) {
    json_t *vocab = json_object_get(json_object_get(root, "model"), "vocab"), *id;
    *out = (hn_vocab){ .entries = (int64_t)(json_is_array(vocab) ? json_array_size(vocab) : json_object_size(vocab)) };
    if (!out->entries)
        return HN_FAIL(a, HONE_E_MODEL, .what = "the tokenizer has no vocabulary", .where = where,
                       .wanted = "model.vocab as an object of texts and ids, or a list of texts and scores");
    filling f = { a, where, 4 * (out->entries + added->n) + 65535, out };
    out->key = hn_new_n(a, const char *, f.most + 1);
    const char *key;
    if (json_is_array(vocab)) {
        if (!from_list(&f, vocab)) return false;
    } else {
        json_object_foreach(vocab, key, id)
            if (!put(&f, key, id, false)) return false;
    }
    out->base = out->n;
    for (int64_t i = 0; i < added->n; i++) {
        const hn_added_token *t = &added->v[i];
        json_t *number = hn_json_own(a, json_integer(t->id));
        if (!put(&f, (const char *)t->text.p, number, true)) return false;
    }
    return true;
}
