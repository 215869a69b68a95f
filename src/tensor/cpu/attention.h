/* attention.h - what both directions of attention share: the job, which keys a query sees, and which tiles nobody looks at.
 *
 * What query t sees is the interval [first, end) of keys, less those of other documents. Both ends grow with t, so a block of queries
 * looks at one interval of keys too; in it, a tile whose documents cannot meet those of the queries is passed over.
 *
 * bf16 activations, where the CPU multiplies pairs of bf16 numbers (pairs.h): the products of both directions do that, on k and v packed
 * once a call, tile by tile of keys; p, ds and dy are rounded to bf16 for them. Scores, softmax and all sums stay f32. */
#ifndef HN_CPU_ATTENTION_H
#define HN_CPU_ATTENTION_H
#include "tensor/cpu/cpu.h"
#include "tensor/cpu/pairs.h"
#include "tensor/op/op.h"

enum { QB = 64, KB = 128, LD = KB + 16 /* a tile's row: see hn_pad_ld */, FEW = 4 };

typedef struct {
    hn_call *c;
    const hn_vec *v;
    const hone_attention_opts *o;
    int64_t pos0, B, T, S, H, KV, group, D, quads, q_blocks, worker_floats;
    const int32_t *lengths, *documents; /* (B), (B,S), or NULL */
    float *lse;                         /* (B,H,T) or NULL */
    /* in pairs of bf16; p is NULL where it does not */
    const hn_pairs *p;
    int64_t key_tiles;
    uint32_t *k_along, *v_along, *k_across, *v_across; /* (B,KV,key tiles): keys as columns, D deep; D columns, KB keys deep. NULL: unused */
    float *rooms; /* of each worker */
    /* backward */
    hone_tensor *const *dx;
    int64_t chunk, chunks; /* keys of a task */
    float *part;           /* (chunks−1,B,H,T,D): dq from all chunks but the first */
} job;

static inline job job_new(hn_call *c) {
    const hone_tensor *q = c->in[0], *k = c->in[1];
    const hn_attention_attr *at = c->attr;
    job j = { .c = c,
              .v = hn_vec_now(),
              .o = &at->o,
              .pos0 = at->pos0,
              .B = q->shape[0],
              .T = q->shape[1],
              .S = k->shape[1],
              .H = at->o.heads,
              .lengths = c->in[3] ? hn_ids(c->in[3]) : NULL,
              .documents = c->in[4] ? hn_ids(c->in[4]) : NULL,
              .lse = c->aux[0] ? c->aux[0]->data : NULL };
    j.KV = at->o.kv_heads ? at->o.kv_heads : j.H;
    j.group = j.H / j.KV;
    j.D = q->shape[2] / j.H;
    j.quads = hn_cdiv(j.S, 4);
    j.q_blocks = hn_cdiv(j.T, QB);
    j.key_tiles = hn_cdiv(j.S, KB);
    j.p = q->dtype == HONE_BF16 ? hn_pairs_now() : NULL;
    return j;
}

static inline int64_t first_key(const job *j, int64_t t) { return j->o->window ? HN_MAX(0, j->pos0 + t - j->o->window + 1) : 0; }
static inline int64_t end_key(const job *j, int64_t b, int64_t t) {
    int64_t at = j->pos0 + t, end = j->o->causal ? at + 1 : j->o->window ? at + j->o->window : j->S;
    return HN_MAX(0, HN_MIN(end, j->lengths ? j->lengths[b] : j->S));
}
/* Of the n keys from s0 on, query t may see [*from, *to). */
static inline void seen(const job *j, int64_t b, int64_t t, int64_t s0, int64_t n, int64_t *from, int64_t *to) {
    *from = HN_MIN(n, HN_MAX(0, first_key(j, t) - s0));
    *to = HN_MAX(*from, HN_MIN(n, end_key(j, b, t) - s0));
}

typedef enum { TILE_FREE, TILE_MIXED, TILE_FOREIGN } tile_kind; /* all of one document, some of it, nothing in common */
static inline void range_of(const int32_t *v, int64_t n, int32_t *lo, int32_t *hi) {
    *lo = *hi = v[0];
    for (int64_t i = 1; i < n; i++) *lo = HN_MIN(*lo, v[i]), *hi = HN_MAX(*hi, v[i]);
}
static inline tile_kind tile_of(const job *j, int64_t b, int64_t t0, int64_t m, int64_t s0, int64_t n) {
    int32_t qlo, qhi, klo, khi;
    if (!j->documents) return TILE_FREE;
    range_of(j->documents + b * j->S + j->pos0 + t0, m, &qlo, &qhi);
    range_of(j->documents + b * j->S + s0, n, &klo, &khi);
    if (qhi < klo || khi < qlo) return TILE_FOREIGN;
    return qlo == qhi && klo == khi ? TILE_FREE : TILE_MIXED;
}
/* p[s] of the keys s0+from … s0+to of other documents becomes `value`. */
static inline void hide(const job *j, float *p, int64_t b, int64_t t, int64_t s0, int64_t from, int64_t to, float value) {
    const int32_t *key = j->documents + b * j->S + s0;
    int32_t own = j->documents[b * j->S + j->pos0 + t];
    for (int64_t s = from; s < to; s++) p[s] = key[s] == own ? p[s] : value;
}

static inline float *q_row(const job *j, const hone_tensor *x, int64_t b, int64_t t, int64_t h) {
    return hn_row_of(x, b * j->T + t) + h * j->D;
}
/* Of k and v; h is a head of theirs. */
static inline float *kv_row(const job *j, const hone_tensor *x, int64_t b, int64_t s, int64_t h) {
    return hn_row_of(x, b * j->S + s) + h * j->D;
}
/* The same where they are bf16. */
static inline hn_bf16 *q16_row(const job *j, const hone_tensor *x, int64_t b, int64_t t, int64_t h) {
    return (hn_bf16 *)x->data + (b * j->T + t) * x->ld + h * j->D;
}
static inline const hn_bf16 *kv16_row(const job *j, const hone_tensor *x, int64_t b, int64_t s, int64_t h) {
    return (const hn_bf16 *)x->data + (b * j->S + s) * x->ld + h * j->D;
}
static inline void drop(const job *j, float *y, const float *x, int64_t row, int64_t s0, int64_t n) {
    j->v->drop(y, x, j->c, row * j->quads + s0 / 4, n, j->o->dropout, false);
}

/* In pairs (attention_pairs.c). Cells of a tile's packed keys; rows of bf16 in a worker's room, of a tile's keys. */
enum { ROW16 = KB / 2 + 16 };
static inline int64_t along_cells(const job *j) { return hn_pairs_packed(j->p, KB, hn_pairs_cells(j->D)); }
static inline int64_t across_cells(const job *j) { return hn_pairs_packed(j->p, j->D, KB / 2); }
static inline int64_t key_tile(const job *j, int64_t b, int64_t kh, int64_t s0) { return (b * j->KV + kh) * j->key_tiles + s0 / KB; }
static inline hn_pairs_left rows_of16(const hn_bf16 *x, int64_t ld) { return (hn_pairs_left){ x, ld * (int64_t)sizeof *x, 4, 0 }; }
static inline hn_bf16 *row16(float *room, int64_t i) { return (hn_bf16 *)(void *)(room + i * ROW16); }
static inline void narrow_row(const job *j, hn_bf16 *to, const float *from, int64_t n) /* with a zero behind an odd number */
{
    j->v->narrow(to, from, n);
    if (n % 2) to[n] = 0;
}
int64_t attention_packed_floats(const job *j, bool back);
void attention_pack(job *j, float **scratch, bool back);
/* to (m,n) = a (m rows, D deep)·kᵀ of the tile's n keys; to (m,D) = or += a (m rows, n deep)·k. `packed` is one of job's four. */
static inline void by_keys(const job *j, float *to, int64_t m, int64_t n, hn_pairs_left a, const uint32_t *packed, int64_t tile) {
    int64_t cells = hn_pairs_cells(j->D);
    j->p->product(to, LD, m, n, cells, &a, packed + tile * along_cells(j), j->p->width * cells, false);
}
static inline void over_keys(const job *j, float *to, int64_t ld, int64_t m, int64_t n, float *rows, const uint32_t *packed, int64_t tile,
                             bool add) {
    hn_pairs_left a = { rows, ROW16 * 4, 4, 0 };
    j->p->product(to, ld, m, j->D, hn_pairs_cells(n), &a, packed + tile * across_cells(j), j->p->width * (KB / 2), add);
}
void hn_cpu_attention_back(hn_call *c, hone_tensor *const dx[]);
int64_t hn_cpu_attention_back_bytes(const hn_call *c);
#endif
