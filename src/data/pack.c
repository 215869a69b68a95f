/* pack.c - many short texts in one row of T, none of which sees the others.
 *
 * A span of n tokens asks for n − 1 places: it reads all but its last token and predicts all but its first. Longer ones than T are cut
 * into windows of T places first. Pieces go into rows by best fit, longest first: each into the fullest row that still has room, which
 * leaves few places empty (the bound of best-fit decreasing is 11/9 of the least number of rows; Johnson 1974; Ding et al. 2024,
 * arXiv:2404.10830). Of equal length, a seeded shuffle says who is first, so that other seeds make other neighbours.
 * In a row, document k are the places of piece k, positions begin at 0 in each; places left over are a document of their own whose
 * targets are −1. */
#include "data/data.h"
#include <stdlib.h>

typedef struct piece { int64_t start, n; int64_t tie; } piece;   /* n places: tokens start … start + n */
struct hn_packed {
    const hn_tokens *t;
    int64_t B, T, rows;
    int64_t *first;              /* (rows+1) of piece[], the pieces of a row */
    piece *piece;
    hn_shuffle order;
};

static int longest_first(const void *x, const void *y) {
    const piece *p = x, *q = y;
    if (p->n != q->n) return p->n > q->n ? -1 : 1;
    return p->tie < q->tie ? -1 : p->tie > q->tie;
}

typedef HN_VEC(piece) pieces;

static void cut(hn_arena *a, const hn_tokens *t, int64_t T, uint64_t seed, pieces *out) {
    for (int64_t i = 0; i < t->n_spans; i++)
        for (int64_t at = 0, left = t->spans[i].n - 1; at < left; at += T)
            hn_push(a, out, (piece){ t->spans[i].start + at, HN_MIN(left - at, T), 0 });
    hn_shuffle s = hn_shuffle_new(out->n, seed);
    for (int64_t i = 0; i < out->n; i++) out->v[i].tie = hn_shuffle_at(&s, 0, i);
    qsort(out->v, (size_t)out->n, sizeof *out->v, longest_first);
}

/* Rows by the room that they have left: chains of rows, and a bit for each room that some row has. */
typedef struct rooms { int64_t *head, *next; uint64_t *any; int64_t words; } rooms;

static void rooms_put(rooms *r, int64_t room, int64_t row) {
    r->next[row] = r->head[room];
    r->head[room] = row;
    r->any[room / 64] |= UINT64_C(1) << room % 64;
}
/* A row with the least room of at least n; −1: there is none. */
static int64_t rooms_take(rooms *r, int64_t n, int64_t *room) {
    uint64_t bits = r->any[n / 64] & ~UINT64_C(0) << n % 64;
    int64_t w = n / 64;
    while (!bits && ++w < r->words) bits = r->any[w];
    if (!bits) return -1;
    *room = w * 64 + __builtin_ctzll(bits);
    int64_t row = r->head[*room];
    if ((r->head[*room] = r->next[row]) < 0) r->any[*room / 64] &= ~(UINT64_C(1) << *room % 64);
    return row;
}

static int64_t fit(hn_arena *scratch, const pieces *v, int64_t T, int64_t *row_of) {
    rooms r = { .head = hn_new_n(scratch, int64_t, T + 1), .next = hn_new_n(scratch, int64_t, v->n + 1), .words = T / 64 + 1 };
    r.any = hn_new_n(scratch, uint64_t, r.words);
    for (int64_t i = 0; i <= T; i++) r.head[i] = -1;
    int64_t rows = 0;
    for (int64_t i = 0; i < v->n; i++) {
        int64_t room = T, row = rooms_take(&r, v->v[i].n, &room);
        if (row < 0) row = rows++, room = T;
        rooms_put(&r, room - v->v[i].n, row);
        row_of[i] = row;
    }
    return rows;
}

hn_packed *hn_packed_new(hn_arena *a, const hn_tokens *t, int64_t B, int64_t T, uint64_t seed) {
    HN_ASSERT(B > 0 && T > 0);
    hn_arena *scratch = hn_arena_new(a);
    pieces v = { 0 };
    cut(scratch, t, T, seed, &v);
    if (!v.n) {
        (void)!HN_FAIL(a, HONE_E_DATA, .what = "the text is too short for a single row", .wanted = "a piece of at least 2 tokens",
                       .found = hn_fmt(a, "%lld tokens in %lld pieces", (long long)t->n, (long long)t->n_spans));
        return NULL;
    }
    hn_packed *p = hn_new(a, hn_packed);
    int64_t *row_of = hn_new_n(scratch, int64_t, v.n);
    *p = (hn_packed){ .t = t, .B = B, .T = T, .rows = fit(scratch, &v, T, row_of) };
    p->first = hn_new_n(a, int64_t, p->rows + 1);
    p->piece = hn_new_n(a, piece, v.n);
    for (int64_t i = 0; i < v.n; i++) p->first[row_of[i] + 1]++;
    for (int64_t i = 0; i < p->rows; i++) p->first[i + 1] += p->first[i];
    int64_t *at = hn_new_n(scratch, int64_t, p->rows);
    for (int64_t i = 0; i < v.n; i++) p->piece[p->first[row_of[i]] + at[row_of[i]]++] = v.v[i];
    p->order = hn_shuffle_new(p->rows, seed);
    hn_arena_free(scratch);
    return p;
}

int64_t hn_packed_rows(const hn_packed *p) { return p->rows; }

void hn_packed_get(hn_packed *p, int64_t i, int32_t *x, int32_t *y, int32_t *documents, int32_t *positions) {
    for (int64_t b = 0; b < p->B; b++) {
        int64_t g = i * p->B + b, row = hn_shuffle_at(&p->order, g / p->rows, g % p->rows), k = 0, end = p->first[row + 1];
        int32_t document = 0;
        for (int64_t j = p->first[row]; j < end; j++, document++)
            for (int64_t n = 0, from = p->piece[j].start; n < p->piece[j].n; n++, k++) {
                x[k] = hn_token_at(p->t, from + n);
                y[k] = hn_token_learned(p->t, from + n + 1) ? hn_token_at(p->t, from + n + 1) : -1;
                documents[k] = document;
                positions[k] = (int32_t)n;
            }
        for (int64_t n = 0; k < p->T; k++, n++) x[k] = 0, y[k] = -1, documents[k] = document, positions[k] = (int32_t)n;
        x += p->T, y += p->T, documents += p->T, positions += p->T;
    }
}
