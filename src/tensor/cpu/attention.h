/* attention.h - what both directions of attention share: the job, which keys a query sees, and which tiles nobody looks at.
 *
 * What query t sees is the interval [first, end) of keys, less those of other documents. Both ends grow with t, so a block of queries
 * looks at one interval of keys too; in it, a tile whose documents cannot meet those of the queries is passed over. */
#ifndef HN_CPU_ATTENTION_H
#define HN_CPU_ATTENTION_H
#include "tensor/cpu/cpu.h"
#include "tensor/op/op.h"

enum { QB = 64, KB = 128, LD = KB + 16 /* a tile's row: see hn_pad_ld */, FEW = 4 };

typedef struct {
    hn_call *c;
    const hn_vec *v;
    const hone_attention_opts *o;
    int64_t pos0, B, T, S, H, KV, group, D, quads, q_blocks, worker_floats;
    const int32_t *lengths, *documents; /* (B), (B,S), or NULL */
    float *lse;                         /* (B,H,T) or NULL */
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
static inline void drop(const job *j, float *y, const float *x, int64_t row, int64_t s0, int64_t n) {
    j->v->drop(y, x, j->c, row * j->quads + s0 / 4, n, j->o->dropout, false);
}
void hn_cpu_attention_back(hn_call *c, hone_tensor *const dx[]);
int64_t hn_cpu_attention_back_bytes(const hn_call *c);
#endif
