/* world.c - the data that a candidate's settings ask for: the incumbent's, or others when a lever changed the tokenizer or gave more text.
 *
 * Whatever was changed, the items stay the same text in the same sets. With another tokenizer an item's first token (of the incumbent's),
 * which nobody predicts, is encoded by itself, and then the rest: so both predict the same text but for what a first token that falls apart
 * leaves. Bits per byte are then comparable; losses per token are not. A world is made once and kept for the run.
 * Limit: an item is what its tokens stand for, so a tokenizer that changes the text it reads is judged on changed text. */
#include "improve/run.h"

static const char *const KEYS[] = { "data.tokenizer", "data.vocab", "data.words", "data.extra" };
enum { OF_TOKENIZER = 3 }; /* so many of the keys make another tokenizer */

static const char *key_of(hn_arena *a, const hn_settings *s, int n) {
    hn_buf b = { 0 };
    for (int i = 0; i < n; i++) {
        const char *v = hn_settings_value(a, s, KEYS[i]);
        hn_buf_fmt(a, &b, "%s\n", v ? v : "");
    }
    return hn_buf_str(a, &b);
}

typedef HN_VEC(uint8_t) marks;
/* One item's text, cut behind its first token and wherever what is to be learned begins or ends, as tokens of t. */
static bool encode_item(hn_arena *a, const hn_dataset *from, const hn_tokens *items, const hn_span *s, const hn_encoder *e, hn_ids *out,
                        marks *learn) {
    hn_buf text = { 0 };
    for (int64_t i = s->start; i < s->start + s->n; i++) {
        int32_t id = hn_token_at(items, i);
        bool learned = hn_token_learned(items, i), last = i == s->start + s->n - 1;
        hn_decode(from->tok, a, &id, 1, &text);
        if (i != s->start && !last && hn_token_learned(items, i + 1) == learned) continue;
        if (text.n && !hn_encoder_put(e, a, text.v, text.n, out)) return false;
        text.n = 0;
        while (items->learn && learn->n < out->n) hn_push(a, learn, learned);
    }
    return true;
}

static bool encode_items(hn_arena *a, const hn_dataset *from, const hn_tokens *items, const hn_tokenizer *t, hn_tokens *out) {
    hn_arena *scratch = hn_arena_new(a);
    hn_encoder e = hn_encoder_new(scratch, t);
    hn_ids ids = { 0 };
    marks learn = { 0 };
    *out = (hn_tokens){ .width = 4, .vocab = t->vocab, .bytes = items->bytes, .n_spans = items->n_spans,
                        .spans = hn_new_n(a, hn_span, items->n_spans + 1), .hash = items->hash, .tokenizer_hash = hn_tokenizer_hash(scratch, t) };
    for (int64_t i = 0; i < items->n_spans; i++) {
        int64_t before = ids.n;
        if (!encode_item(a, from, items, &items->spans[i], &e, &ids, &learn)) return false;
        out->spans[i] = (hn_span){ before, ids.n - before, items->spans[i].bytes, items->spans[i].doc };
    }
    out->ids = ids.v, out->n = ids.n;
    out->learn = items->learn ? learn.v : NULL;
    hn_arena_free(scratch);
    return true;
}

static const hn_world *make(hn_runner *r, const hn_settings *s, const char *key) {
    hn_world *w = hn_new(r->a, hn_world);
    bool same = !strcmp(key_of(r->a, s, OF_TOKENIZER), key_of(r->a, r->base, OF_TOKENIZER));
    *w = (hn_world){ .key = key, .next = r->worlds };
    if (!hn_dataset_load(r->a, hn_settings_get(s, "data"), r->context, r->seed, same ? r->data.tok : NULL, &w->data)) return NULL;
    for (int k = 0; k < r->n_sets; k++) {
        w->set[k] = r->set[k].tokens;
        if (!same && !encode_items(r->a, &r->data, &r->set[k].tokens, w->data.tok, &w->set[k])) return NULL;
    }
    w->data.valid = (hn_tokens){ .width = w->data.valid.width, .vocab = w->data.valid.vocab };
    return r->worlds = w;
}

const hn_world *hn_world_of(hn_runner *r, const hn_settings *s) {
    const char *key = key_of(r->a, s, HN_LEN(KEYS));
    for (const hn_world *w = r->worlds; w; w = w->next)
        if (!strcmp(w->key, key)) return w;
    if (strcmp(key, key_of(r->a, r->base, HN_LEN(KEYS)))) return make(r, s, key);
    hn_world *w = hn_new(r->a, hn_world);
    *w = (hn_world){ .key = key, .data = r->data, .next = r->worlds };
    for (int k = 0; k < r->n_sets; k++) w->set[k] = r->set[k].tokens;
    return r->worlds = w;
}
