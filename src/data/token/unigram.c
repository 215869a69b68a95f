/* unigram.c - the most probable cut of a text into pieces that each have a probability (Kudo 2018, arXiv:1804.10959).
 *
 * Viterbi over the positions of a word: the best way to each byte is the best way to an earlier one and a piece between. A character
 * that no piece begins with is unknown at the lowest score less ten; unknown ones in a row become one token, or the tokens of
 * their bytes where the file has them. Loaded only. */
#include "data/token/part/part.h"
#include <math.h>

typedef struct { uint64_t key; int32_t node; } edge;               /* (parent, byte) + 1 → node */
typedef struct {
    hn_pipeline pipe;
    double *score, unknown;
    edge *edges;
    uint64_t mask;
    int32_t *token;                  /* by node: id + 1 */
    int32_t n_nodes;
    int32_t byte[256];
    bool fallback;
} unigram;
typedef struct { double score; int64_t from; int32_t id; } best;

static edge *find(const unigram *own, int32_t node, uint8_t byte) {
    uint64_t key = ((uint64_t)(uint32_t)node << 8 | byte) + 1;
    for (uint64_t i = (key * UINT64_C(0x9E3779B97F4A7C15)) >> 20 & own->mask;; i = (i + 1) & own->mask)
        if (own->edges[i].key == key || !own->edges[i].key) return &own->edges[i];
}

static void insert(unigram *own, const char *key, int32_t id) {
    int32_t node = 0;
    for (const uint8_t *p = (const uint8_t *)key; *p; p++) {
        edge *e = find(own, node, *p);
        if (!e->key) *e = (edge){ ((uint64_t)(uint32_t)node << 8 | *p) + 1, ++own->n_nodes };
        node = e->node;
    }
    if (node && !own->token[node]) own->token[node] = id + 1;
}

static void put_unknown(hn_work *w, const unigram *own, const uint8_t *p, int64_t n) {
    bool bytes = own->fallback;
    for (int64_t i = 0; bytes && i < n; i++) bytes = own->byte[p[i]] >= 0;
    for (int64_t i = 0; bytes && i < n; i++) hn_work_put(w, own->byte[p[i]]);
    if (!bytes) hn_work_put(w, w->t->unk);
}

static bool word(hn_work *w, const uint8_t *p, int64_t n) {
    const unigram *own = w->pipe->model;
    hn_arena *a = hn_arena_new(w->scratch);
    best *to = hn_new_n(a, best, n + 1);
    for (int64_t i = 1; i <= n; i++) to[i].from = -1;
    for (int64_t at = 0, used; at < n; at += used) {
        uint32_t cp;
        bool single = false;
        used = hn_utf8_next(p + at, n - at, &cp);
        int32_t node = 0;
        for (int64_t end = at + 1; end <= n && (node = find(own, node, p[end - 1])->node); end++) {
            int32_t id = own->token[node] - 1;
            if (id < 0) continue;
            double score = to[at].score + own->score[id];
            if (to[end].from < 0 || score > to[end].score) to[end] = (best){ score, at, id };
            single |= end == at + used;
        }
        double score = to[at].score + own->unknown;
        if (!single && (to[at + used].from < 0 || score > to[at + used].score)) to[at + used] = (best){ score, at, w->t->unk };
    }
    int64_t *cut = hn_new_n(a, int64_t, n + 1), cuts = 0;
    for (int64_t i = n; i > 0; i = to[i].from) cut[cuts++] = i;
    for (int64_t at = 0; cuts; ) {
        int64_t end = cut[--cuts];
        bool unk = to[end].id == w->t->unk;
        while (unk && cuts && to[cut[cuts - 1]].id == w->t->unk) end = cut[--cuts];
        if (unk && w->t->unk < 0) {
            hn_arena_free(a);
            return HN_FAIL(w->out_arena, HONE_E_DATA, .what = "a character is not in the tokenizer's vocabulary, which has no unknown token",
                           .found = hn_fmt(w->out_arena, "\"%.*s\"", (int)HN_MIN(end - at, 40), p + at));
        }
        if (unk) put_unknown(w, own, p + at, end - at);
        else hn_work_put(w, to[end].id);
        at = end;
    }
    hn_arena_free(a);
    return true;
}

static void *begin(hn_arena *a, const hn_tokenizer *t) { return hn_work_new(a, t, &((const unigram *)t->own)->pipe); }

static bool encode(const hn_tokenizer *t, hn_arena *a, void *work, const uint8_t *p, int64_t n, hn_ids *out) {
    return hn_pipeline_encode(work, a, p, n, out);
}

static bool load_scores(hn_arena *a, unigram *own, const json_t *model, const hn_vocab *vocab, const char *where) {
    const json_t *list = json_object_get(model, "vocab");
    int64_t bytes = 0, size = 16;
    if (!json_is_array(list)) return HN_FAIL(a, HONE_E_MODEL, .what = "model.vocab of a Unigram model is no list", .where = where);
    own->score = hn_new_n(a, double, vocab->base);
    own->unknown = INFINITY;
    for (int64_t id = 0; id < vocab->base; id++) {
        const json_t *v = json_array_get(json_array_get(list, (size_t)id), 1);
        if (!json_is_number(v))
            return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "model.vocab[%lld] has no score", (long long)id), .where = where);
        own->score[id] = json_number_value(v);
        own->unknown = HN_MIN(own->unknown, own->score[id]);
        bytes += (int64_t)strlen(vocab->key[id]);
    }
    own->unknown -= 10;
    while (size < 2 * bytes + 2) size *= 2;
    own->edges = hn_new_n(a, edge, size);
    own->mask = (uint64_t)size - 1;
    own->token = hn_new_n(a, int32_t, bytes + 1);
    memset(own->byte, -1, sizeof own->byte);
    for (int64_t id = 0; id < vocab->base; id++) {
        int byte = hn_byte_token(vocab->key[id]);
        if (byte >= 0) own->byte[byte] = (int32_t)id;
        insert(own, vocab->key[id], (int32_t)id);
    }
    return true;
}

static bool load(hn_arena *a, hn_tokenizer *t, json_t *root, const char *where) {
    if (strcmp(hn_tokenizer_part(root, "model"), "Unigram") != 0) return false;
    const json_t *model = json_object_get(root, "model"), *unk = json_object_get(model, "unk_id");
    unigram *own = hn_new(a, unigram);
    hn_vocab vocab;
    t->own = own;
    if (!hn_pipeline_load(a, t, root, where, &vocab, &own->pipe)) return false;
    if (own->pipe.words.bytes)
        return HN_FAIL(a, HONE_E_MODEL, .what = "a Unigram model behind a ByteLevel pre-tokenizer is not known here", .where = where);
    if (json_is_integer(unk) && (json_integer_value(unk) < 0 || json_integer_value(unk) >= vocab.base))
        return HN_FAIL(a, HONE_E_MODEL, .what = "model.unk_id is outside of the vocabulary", .where = where,
                       .found = hn_fmt(a, "%lld", (long long)json_integer_value(unk)));
    t->unk = json_is_integer(unk) ? (int32_t)json_integer_value(unk) : -1;
    own->fallback = json_is_true(json_object_get(model, "byte_fallback"));
    own->pipe.word = word;
    own->pipe.model = own;
    return load_scores(a, own, model, &vocab, where);
}

static json_t *save(hn_arena *a, const hn_tokenizer *t) { return ((const unigram *)t->own)->pipe.root; }

const hn_token_item hn_token_unigram = { HN_ITEM0("unigram", "the most probable pieces, as SentencePiece has them; loaded only",
                                                  "Kudo 2018, arXiv:1804.10959"),
                                         .begin = begin, .encode = encode, .load = load, .save = save };
