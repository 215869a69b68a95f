/* unigram.c - the most probable cut of a text into pieces that each have a probability (Kudo 2018, arXiv:1804.10959).
 *
 * Viterbi over the positions of a word: the best way to each byte is the best way to an earlier one and a piece between. A character
 * that no piece begins with is unknown at the lowest score less ten; unknown ones in a row become one token, or the tokens of
 * their bytes where the file has them. Trained by part/learn_unigram.c.
 * SentencePiece's own files (pipe.spm): sums are rounded to single precision at each step, and begin anew beyond RESET; pieces that the user
 * defined bear a bonus, and pieces that are no text are in no way. That is version 0.2.3; earlier ones never begin anew, and their bonus
 * is another one.
 * Where pieces have visible blanks in front alone, every way goes through the places where blanks begin: there the text is cut, and what
 * was met before comes from a table (part/known.c). The sum of scores so far is carried on, by the same additions as over the whole
 * text; so a cut that is nearly as good as another, which rounding decides, is decided as it is there: with what was met before stands
 * up to which sum (a power of two) the best one is ahead of the others by more than rounding. */
#include "data/token/part/part.h"
#include <math.h>

enum { LONGEST = INT32_MAX / 8, MARK_BYTES = 3, REACH = 64, FARTHEST = 26, RESET = 100000 };
static const uint8_t mark[MARK_BYTES] = { 0xE2, 0x96, 0x81 };

typedef struct {
    hn_pipeline pipe;
    double *score, unknown, most;    /* most: no word from the table has a larger sum */
    const hn_trie *trie;
    int32_t byte[256];
    bool fallback, apart, single;    /* single: sums in single precision */
} unigram;
typedef struct { double score; int32_t from, id; } best;
typedef struct {
    HN_VEC(best) to;
    HN_VEC(int32_t) cut;
    double gap;                      /* by how much the nearest way was behind */
    bool unknown;                    /* the last way has unknown signs: its ids do not tell its sum */
} working;

/* Unknown signs that spell an entry all the same, "<unk>" itself above all, are that entry. */
static void put_unknown(hn_work *w, const unigram *own, const uint8_t *p, int64_t n) {
    bool bytes = own->fallback, spells = bytes && !own->single;
    int32_t at = 0;
    for (int64_t i = 0; spells && i < n && at >= 0; i++) at = hn_trie_step(own->trie->node, at, p[i]);
    if (spells && at > 0 && own->trie->node[at].value >= 0) return hn_work_put(w, own->trie->node[at].value);
    for (int64_t i = 0; bytes && i < n; i++) bytes = own->byte[p[i]] >= 0;
    for (int64_t i = 0; bytes && i < n; i++) hn_work_put(w, own->byte[p[i]]);
    if (!bytes) hn_work_put(w, w->t->unk);
}

static inline void reach(const unigram *own, working *k, int64_t end, double score, int64_t from, int32_t id) {
    best *b = &k->to.v[end];
    if (own->single) score = (float)score;
    if (b->from >= 0) k->gap = HN_MIN(k->gap, fabs(score - b->score));
    if (b->from < 0 || score > b->score) *b = (best){ score, (int32_t)from, id };
}

/* How far the way that was just found holds: below the sum 2^n; 0: only where nothing stands before or behind it. Two ways of at most
 * HN_KNOWN_TEXT additions each are rounded by half a last digit of the sum at each, when the way was found and when it is used again:
 * in single precision, of which a last digit is below 2^-23 of the sum, 2 × 2 × 23 × 2^-24; the bound is twice that, 2^-17. In double
 * precision a gap of 1e-3 is enough for all sums below 2^FARTHEST. */
static bool within(const unigram *own, double sum, int32_t far) {
    double bound = (double)(INT64_C(1) << far);
    return fabs(sum) + own->most < (own->single ? HN_MIN(bound, RESET) : bound);
}
static int32_t holds(const unigram *own, const working *k, double sum) {
    int32_t n = 0;
    if (k->unknown) return 0;
    if (!own->single) return k->gap >= 1e-3 && within(own, sum, FARTHEST) ? FARTHEST : 0;
    for (double gap = k->gap * (1 << 16); n < FARTHEST && gap > 1; gap /= 2) n++;
    return within(own, sum, n) ? n : 0;
}

static void begin_anew(best *to, int64_t at, int64_t farthest) {
    double sum = to[at].score;
    for (int64_t i = at; i <= farthest; i++)
        if (i == at || to[i].from >= 0) to[i].score = (float)(to[i].score - sum);
}

/* The best way through p[0, n), `sum` behind; *sum becomes the sum at its end. */
static void find_way(const unigram *own, working *k, int32_t unk, const uint8_t *p, int64_t n, double *sum) {
    const hn_trie_node *node = own->trie->node;
    best *to = k->to.v;
    k->gap = INFINITY;
    to[0].score = *sum;
    for (int64_t i = 1; i <= n; i++) to[i].from = -1;
    for (int64_t at = 0, farthest = 0, used; at < n; at += used) {
        uint32_t cp;
        bool single = false;
        used = p[at] < 0x80 ? 1 : hn_utf8_next(p + at, n - at, &cp);
        if (own->single && fabs(to[at].score) > RESET) begin_anew(to, at, farthest);
        double before = to[at].score;
        int32_t place = 0;
        for (int64_t end = at + 1; end <= n && (place = hn_trie_step(node, place, p[end - 1])) > 0; end++) {
            int32_t id = node[place].value;
            if (id < 0) continue;
            reach(own, k, end, before + own->score[id], at, id);
            farthest = HN_MAX(farthest, end);
            single |= end == at + used;
        }
        if (!single) {
            reach(own, k, at + used, before + own->unknown, at, unk);
            farthest = HN_MAX(farthest, at + used);
        }
    }
    *sum = to[n].score;
    k->cut.n = 0;
    for (int32_t i = (int32_t)n; i > 0; i = to[i].from) k->cut.v[k->cut.n++] = i;
}

static bool spell(hn_work *w, const uint8_t *p, int64_t n, double *sum) {
    const unigram *own = w->pipe->model;
    working *k = w->model;
    if (n > LONGEST)
        return HN_FAIL(w->out_arena, HONE_E_DATA, .what = "a word is too long for the tokenizer", .found = hn_fmt(w->out_arena, "%lld bytes", (long long)n),
                       .wanted = hn_fmt(w->out_arena, "at most %d", LONGEST), .hint = "cut the text into documents");
    k->to.n = k->cut.n = 0;
    k->unknown = false;
    hn_vec_grow(w->a, &k->to, n + 1);
    hn_vec_grow(w->a, &k->cut, n + 1);
    find_way(own, k, w->t->unk, p, n, sum);
    const best *to = k->to.v;
    const int32_t *cut = k->cut.v;
    for (int64_t at = 0, cuts = k->cut.n; cuts;) {
        int64_t end = cut[--cuts];
        bool unk = to[end].id == w->t->unk;
        k->unknown |= unk;
        while (unk && cuts && to[cut[cuts - 1]].id == w->t->unk) end = cut[--cuts];
        if (unk && w->t->unk < 0)
            return HN_FAIL(w->out_arena, HONE_E_DATA, .what = "a character is not in the tokenizer's vocabulary, which has no unknown token",
                           .found = hn_fmt(w->out_arena, "\"%.*s\"", (int)HN_MIN(end - at, 40), p + at));
        if (unk) put_unknown(w, own, p + at, end - at);
        else hn_work_put(w, to[end].id);
        at = end;
    }
    return true;
}

/* A stretch that ways begin and end with. alone: nothing stands before or behind it, so the sum does not matter. Beside the number of
 * ids stands, REACH times, how far they hold. */
static bool stretch(hn_work *w, const uint8_t *p, int64_t n, bool alone, double *sum) {
    const unigram *own = w->pipe->model;
    if (own->single && fabs(*sum) > RESET) *sum = 0;
    if (n > HN_KNOWN_TEXT) return spell(w, p, n, sum);
    uint64_t key[3];
    bool hit;
    hn_known *k = hn_known_find(w->known, p, n, key, &hit);
    if (hit && (alone || (k->n >= REACH && within(own, *sum, k->n / REACH)))) {
        int32_t m = k->n % REACH;
        hn_vec_grow(w->out_arena, w->out, HN_KNOWN_IDS);
        memcpy(w->out->v + w->out->n, k->id, sizeof k->id);
        w->out->n += m;
        for (int32_t i = 0; !alone && i < m; i++) {
            double then = *sum + own->score[k->id[i]];
            *sum = own->single ? (double)(float)then : then;
        }
        return true;
    }
    int64_t before = w->out->n;
    double sum_before = *sum;
    if (!spell(w, p, n, sum)) return false;
    int32_t far = holds(own, w->model, sum_before);
    int64_t made = w->out->n - before;
    if ((alone || far) && made <= HN_KNOWN_IDS) {
        hn_known_put(k, key, w->out->v + before, made);
        k->n += REACH * far;
    }
    return true;
}

static bool is_mark(const uint8_t *p, int64_t n) { return n >= MARK_BYTES && !memcmp(p, mark, MARK_BYTES); }

/* Where the blanks that stand at p are over and others begin; n: nowhere. */
static int64_t next_mark(const uint8_t *p, int64_t n) {
    int64_t i = 0;
    while (is_mark(p + i, n - i)) i += MARK_BYTES;
    const uint8_t *q = n > i ? memmem(p + i, (size_t)(n - i), mark, MARK_BYTES) : NULL;
    return q ? q - p : n;
}

static bool word(hn_work *w, const uint8_t *p, int64_t n) {
    double sum = 0;
    bool apart = ((const unigram *)w->pipe->model)->apart;
    for (int64_t at = 0, k; at < n; at += k) {
        k = apart ? next_mark(p + at, n - at) : n;
        if (!stretch(w, p + at, k, k == n, &sum)) return false;
    }
    return true;
}

static void *begin(hn_arena *a, const hn_tokenizer *t) {
    hn_work *w = hn_work_new(a, t, &((const unigram *)t->own)->pipe);
    w->model = hn_new(a, working);
    w->known = hn_known_new(a);
    return w;
}

static int64_t cut(const hn_tokenizer *t, const uint8_t *p, int64_t n, int64_t from) { return hn_pipeline_cut(&((const unigram *)t->own)->pipe, p, n, from); }

static bool encode(const hn_tokenizer *t, hn_arena *a, void *work, const uint8_t *p, int64_t n, hn_ids *out) {
    return hn_pipeline_encode(work, a, p, n, out);
}

/* A score as the package `tokenizers` reads it: digits as a whole number, by a power of ten. That may be one rounding away from the
 * number that stands in the file, and of cuts into the same pieces in another order rounding decides. */
static double as_read(hn_arena *a, double x) {
    static const double ten[] = { 1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22 };
    const char *s = hn_num(a, fabs(x));
    uint64_t digits = 0;
    int power = 0;
    bool point = false;
    for (; (*s >= '0' && *s <= '9') || *s == '.'; s++) {
        if (*s == '.') point = true;
        else digits = digits * 10 + (uint64_t)(*s - '0'), power -= point;
    }
    if (*s || power <= -HN_LEN(ten)) return x;
    double y = (double)digits / ten[-power];
    return fabs(y - fabs(x)) > 1e-14 * fabs(x) ? x : copysign(y, x);
}

/* What SentencePiece makes of a score: pieces of the user's are worth more than any that they could be cut into. */
enum { NO_TEXT = 1, USERS };
static void as_sentencepiece(hn_arena *scratch, unigram *own, const hn_vocab *vocab, int32_t unk, hn_bytes *key) {
    const json_t *unused = json_object_get(own->pipe.spm, "unused"), *v;
    uint8_t *kind = hn_new_n(scratch, uint8_t, vocab->base);
    float least = INFINITY;
    size_t k;
    json_array_foreach(unused, k, v)
        if (json_integer_value(v) >= 0 && json_integer_value(v) < vocab->base) kind[json_integer_value(v)] = NO_TEXT;
    for (int64_t i = 0; i < own->pipe.list.n; i++)
        if (own->pipe.list.v[i].id < vocab->base) kind[own->pipe.list.v[i].id] = own->pipe.list.v[i].special ? NO_TEXT : USERS;
    if (unk >= 0) kind[unk] = NO_TEXT;
    for (int byte = 0; own->fallback && byte < 256; byte++)
        if (own->byte[byte] >= 0) kind[own->byte[byte]] = NO_TEXT;
    for (int64_t id = 0; id < vocab->base; id++)
        if (!kind[id]) least = HN_MIN(least, (float)own->score[id]);
    for (int64_t id = 0; id < vocab->base; id++) {
        if (kind[id] == USERS) own->score[id] = (float)(0.1 * (double)(key[id].n - 1));
        if (kind[id] == NO_TEXT) key[id].n = 0;
    }
    own->unknown = least - 10;
}

static bool load_scores(hn_arena *a, unigram *own, const json_t *model, const hn_vocab *vocab, int32_t unk, const char *where) {
    const json_t *list = json_object_get(model, "vocab");
    if (!json_is_array(list)) return HN_FAIL(a, HONE_E_MODEL, .what = "model.vocab of a Unigram model is no list", .where = where);
    hn_arena *scratch = hn_arena_new(a);
    hn_bytes *key = hn_new_n(scratch, hn_bytes, vocab->base);
    int32_t *ids = hn_new_n(scratch, int32_t, vocab->base);
    bool has_mark = false, in_front = true;
    own->score = hn_new_n(a, double, vocab->base);
    own->unknown = INFINITY;
    memset(own->byte, -1, sizeof own->byte);
    for (int64_t id = 0; id < vocab->base; id++) {
        const json_t *v = json_array_get(json_array_get(list, (size_t)id), 1);
        if (!json_is_number(v))
            return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "model.vocab[%lld] has no score", (long long)id), .where = where);
        int64_t n = (int64_t)strlen(vocab->key[id]);
        int byte = hn_byte_token(vocab->key[id]);
        if (byte >= 0) own->byte[byte] = (int32_t)id;
        key[id] = (hn_bytes){ (const uint8_t *)vocab->key[id], n };
        ids[id] = (int32_t)id;
        has_mark |= n == MARK_BYTES && is_mark(key[id].p, n) && id != unk;
        in_front &= next_mark(key[id].p, n) == n;
        own->score[id] = own->single ? json_number_value(v) : as_read(scratch, json_number_value(v));
        own->unknown = HN_MIN(own->unknown, own->score[id]);
    }
    own->unknown -= 10;
    if (own->single) as_sentencepiece(scratch, own, vocab, unk, key);
    own->most = fabs(own->unknown);
    for (int64_t id = 0; id < vocab->base; id++) own->most = HN_MAX(own->most, fabs(own->score[id]));
    own->most *= HN_KNOWN_TEXT;
    own->apart = has_mark && in_front;
    own->trie = hn_trie_new(a, key, ids, vocab->base);
    hn_arena_free(scratch);
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
    own->single = own->pipe.spm != NULL;
    own->fallback = json_is_true(json_object_get(model, "byte_fallback"));
    own->pipe.word = word;
    own->pipe.model = own;
    return load_scores(a, own, model, &vocab, t->unk, where);
}

static json_t *save(hn_arena *a, const hn_tokenizer *t) { return ((const unigram *)t->own)->pipe.root; }

static bool train(hn_arena *a, hn_tokenizer *t, const hn_token_params *p, const hn_corpus *c, const hn_split *s) {
    json_t *root = hn_learn_unigram(a, p->vocab, c, s);
    return root && load(a, t, root, "the trained tokenizer");
}

const hn_token_item hn_token_unigram = { HN_ITEM0("unigram", "the most probable pieces, as SentencePiece has them; any text",
                                                  "Kudo 2018, arXiv:1804.10959"),
                                         .train = train, .begin = begin, .encode = encode, .cut = cut, .load = load, .save = save };
