/* learn_pipeline.c - which words a text has and how often, as a normalizer and pre-tokenizer make them: for tokenizers that see other words
 * than the text's own.
 *
 * The parts are those of a tokenizer.json that is being made; the words are those that its model will be given. In the order of
 * their first occurrence, by one thread. */
#include "data/token/part/part.h"

typedef struct { hn_map *index; hn_counted *out; } counting;

static bool count(hn_work *w, const uint8_t *p, int64_t n) {
    counting *c = w->model;
    int64_t i;
    if (hn_map_get(c->index, p, n, &i)) return c->out->v[i].count++, true;
    hn_map_put(c->index, p, n, c->out->n);
    hn_push(w->a, c->out, (hn_counted_word){ .n = n, .count = 1 });
    return true;
}

static bool add(hn_work *w, hn_arena *a, hn_bytes text) {
    enum { PORTION = 1 << 20 };
    hn_ids ids = { 0 };
    for (int64_t at = 0, n; at < text.n; at += n, ids.n = 0) {
        n = text.n - at;
        if (n > 2 * PORTION) n = hn_pipeline_cut(w->pipe, text.p + at, n, PORTION);
        if (!hn_pipeline_encode(w, a, text.p + at, n, &ids)) return false;
    }
    return true;
}

bool hn_count_pipeline(hn_arena *a, const json_t *root, const hn_corpus *text, const hn_split *s, hn_counted *out) {
    hn_pipeline *pipe = hn_new(a, hn_pipeline);
    const char *where = "the tokenizer that is trained";
    counting c = { hn_map_new(a), out };
    *out = (hn_counted){ 0 };
    if (!hn_changes_load(a, json_object_get(root, "normalizer"), where, &pipe->changes) ||
        !hn_words_load(a, json_object_get(root, "pre_tokenizer"), where, &pipe->words) ||
        !hn_added_load(a, json_object_get(root, "added_tokens"), where, &pipe->list))
        return false;
    pipe->raw = hn_added_new(a, &pipe->list, false);
    pipe->word = count;
    hn_pipeline_borders(pipe);
    hn_work *w = hn_work_new(a, NULL, pipe);
    w->model = &c;
    hn_arena *ids = hn_arena_new(a);
    bool ok = true;
    for (int64_t i = 0; ok && s && i < s->n; i++)
        if (!s->v[i].held_out) ok = add(w, ids, (hn_bytes){ text->text.p + s->v[i].start, s->v[i].bytes });
    for (int64_t i = 0; ok && !s && i < text->n_docs; i++) ok = add(w, ids, (hn_bytes){ text->text.p + text->docs[i].start, text->docs[i].bytes });
    hn_arena_free(ids);
    for (int64_t i = 0; ok && i < out->n; i++) {
        hn_bytes key;
        int64_t value;
        (void)hn_map_at(c.index, i, &key, &value);
        out->v[i].p = key.p;
    }
    return ok;
}

json_t *hn_special_tokens(hn_arena *a, const char *const *text, int64_t n) {
    json_t *out = hn_json_own(a, json_array());
    for (int64_t i = 0; i < n; i++)
        json_array_append_new(out, hn_added_json(i, text[i], true));
    return out;
}
