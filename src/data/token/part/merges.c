/* merges.c - joining pairs of ids by rank: the encoding half of byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909).
 *
 * The pair of lowest rank joins first, of equal ones the leftmost, until no pair of the word has a rank. Short words (nearly all)
 * are scanned anew after each joining, which is quadratic but without any bookkeeping; longer ones keep their pairs in a heap over
 * a linked list, so a word of a million bytes costs n log n. */
#include "data/token/part/part.h"

enum { SHORT = 64, NONE = INT32_MAX };

typedef struct slot { uint64_t key; int32_t rank, id; } slot;       /* key: left and right, plus one; 0: empty */
struct hn_merges { slot *slot; uint64_t mask; int shift; };

static uint64_t key_of(int32_t left, int32_t right) { return ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) + 1; }

static slot *find(const hn_merges *m, int32_t left, int32_t right) {
    uint64_t key = key_of(left, right);
    for (uint64_t i = key * UINT64_C(0x9E3779B97F4A7C15) >> m->shift;; i = (i + 1) & m->mask)
        if (m->slot[i].key == key || !m->slot[i].key) return &m->slot[i];
}

hn_merges *hn_merges_new(hn_arena *a, int64_t n) {
    hn_merges *m = hn_new(a, hn_merges);
    int bits = 4;
    while ((INT64_C(1) << bits) < 2 * n) bits++;
    m->shift = 64 - bits;
    m->mask = (UINT64_C(1) << bits) - 1;
    m->slot = hn_new_n(a, slot, INT64_C(1) << bits);
    return m;
}

void hn_merges_put(hn_merges *m, int32_t left, int32_t right, int32_t rank, int32_t id) {
    *find(m, left, right) = (slot){ key_of(left, right), rank, id };
}

static int32_t rank_of(const hn_merges *m, int32_t left, int32_t right) {
    const slot *s = find(m, left, right);
    return s->key ? s->rank : NONE;
}

/* rank[i]: of ids[i] with ids[i + 1]. */
static int64_t apply_short(const hn_merges *m, int32_t *ids, int64_t n) {
    int32_t rank[SHORT];
    for (int64_t i = 0; i + 1 < n; i++) rank[i] = rank_of(m, ids[i], ids[i + 1]);
    while (n > 1) {
        int64_t at = 0;
        for (int64_t i = 1; i + 1 < n; i++)
            if (rank[i] < rank[at]) at = i;
        if (rank[at] == NONE) break;
        ids[at] = find(m, ids[at], ids[at + 1])->id;
        n--;
        for (int64_t i = at + 1; i < n; i++) ids[i] = ids[i + 1];
        for (int64_t i = at + 1; i + 1 < n; i++) rank[i] = rank[i + 1];
        if (at + 1 < n) rank[at] = rank_of(m, ids[at], ids[at + 1]);
        if (at) rank[at - 1] = rank_of(m, ids[at - 1], ids[at]);
    }
    return n;
}

/* ---- long words ---- */
typedef struct { int32_t rank; int32_t at; } candidate;
typedef struct { const hn_merges *m; int32_t *ids, *next, *previous; candidate *heap; int64_t n_heap; hn_joined *cuts; } joining;

static bool before(candidate x, candidate y) { return x.rank < y.rank || (x.rank == y.rank && x.at < y.at); }

static void offer(joining *j, int32_t at) {
    int32_t left = j->ids[at], right = j->ids[j->next[at]];
    const slot *s = find(j->m, left, right);
    if (!s->key) return;
    if (j->cuts) j->cuts[s->id] = (hn_joined){ left, right };
    candidate c = { s->rank, at };
    int64_t i = j->n_heap++;
    for (; i && before(c, j->heap[(i - 1) / 2]); i = (i - 1) / 2) j->heap[i] = j->heap[(i - 1) / 2];
    j->heap[i] = c;
}

static candidate take(joining *j) {
    candidate top = j->heap[0], c = j->heap[--j->n_heap];
    int64_t i = 0;
    for (int64_t k; (k = 2 * i + 1) < j->n_heap; i = k) {
        if (k + 1 < j->n_heap && before(j->heap[k + 1], j->heap[k])) k++;
        if (!before(j->heap[k], c)) break;
        j->heap[i] = j->heap[k];
    }
    j->heap[i] = c;
    return top;
}

/* Each joining offers two pairs and ends one id, so the heap never holds more than 3n. A candidate that the word has moved on
 * from is known by its rank: where the pair that stands there now has the same one, it was offered with it too. */
static int64_t apply_long(const hn_merges *m, hn_arena *scratch, int32_t *ids, int64_t n, hn_joined *cuts) {
    joining j = { m, ids, hn_new_n(scratch, int32_t, n), hn_new_n(scratch, int32_t, n), hn_new_n(scratch, candidate, 3 * n), 0, cuts };
    for (int32_t i = 0; i < n; i++) {
        j.next[i] = i + 1 < n ? i + 1 : -1;
        j.previous[i] = i - 1;
    }
    for (int32_t i = 0; i + 1 < n; i++) offer(&j, i);
    while (j.n_heap) {
        candidate c = take(&j);
        int32_t right = ids[c.at] >= 0 ? j.next[c.at] : -1;
        if (right < 0) continue;
        const slot *s = find(m, ids[c.at], ids[right]);
        if (!s->key || s->rank != c.rank) continue;
        ids[c.at] = s->id;
        ids[right] = -1;
        j.next[c.at] = j.next[right];
        if (j.next[right] >= 0) j.previous[j.next[right]] = c.at;
        if (j.previous[c.at] >= 0) offer(&j, j.previous[c.at]);       /* SentencePiece's order: the last cut of a piece counts */
        if (j.next[c.at] >= 0) offer(&j, c.at);
    }
    int64_t left = 0;
    for (int64_t i = 0; i < n; i++)
        if (ids[i] >= 0) ids[left++] = ids[i];
    return left;
}

int64_t hn_merges_apply(const hn_merges *m, hn_arena *scratch, int32_t *ids, int64_t n, hn_joined *cuts) {
    return n <= SHORT && !cuts ? apply_short(m, ids, n) : apply_long(m, scratch, ids, n, cuts);
}
