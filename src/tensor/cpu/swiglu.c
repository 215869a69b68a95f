/* swiglu.c - the gate in one pass each way: two reads and a write forward, three and two backward. */
#include "tensor/cpu/elementwise.h"

typedef struct {
    const hn_elementwise *e;
    const hn_vec *v;
    const hn_call *c;
    hone_tensor *da, *db;
} job;
static void forward_span(void *arg, int64_t r, int64_t from, int64_t count) {
    job *j = arg;
    float wide[2][HN_SOME], to[HN_SOME];
    for (int64_t i = from, n; i < from + count; i += n) {
        n = HN_MIN(HN_SOME, from + count - i);
        const float *a = hn_wide(j->v, j->c->in[0], r, i, n, wide[0]), *b = hn_wide(j->v, j->c->in[1], r, i, n, wide[1]);
        j->e->swiglu(hn_wide_out(j->c->out, r, i, to), a, b, n);
        hn_wide_done(j->v, j->c->out, r, i, n, to);
    }
}
static void backward_span(void *arg, int64_t r, int64_t from, int64_t count) {
    job *j = arg;
    float wide[2][HN_SOME];
    for (int64_t i = from, n; i < from + count; i += n) {
        n = HN_MIN(HN_SOME, from + count - i);
        const float *a = hn_wide(j->v, j->c->in[0], r, i, n, wide[0]), *b = hn_wide(j->v, j->c->in[1], r, i, n, wide[1]);
        j->e->swiglu_grad(j->da ? hn_at(j->da, r, i) : NULL, j->db ? hn_at(j->db, r, i) : NULL, hn_dy_at(j->c, r, i), a, b, n,
                          j->da && !j->da->fresh, j->db && !j->db->fresh);
    }
}
static void run(hn_call *c, hone_tensor *da, hone_tensor *db) {
    job j = { hn_elementwise_now(), hn_vec_now(), c, da, db };
    hn_cpu_spans(c, hn_rows(c->out), hn_cols(c->out), hn_gapless(c->in[0]) && hn_gapless(c->in[1]), 100,
                 da || db ? backward_span : forward_span, &j);
}
static void forward(hn_call *c) { run(c, NULL, NULL); }
static void backward(hn_call *c, hone_tensor *const dx[]) {
    if (dx[0] || dx[1]) run(c, dx[0], dx[1]);
}
static unsigned bf16(const hn_call *c) { return HN_SAVE_IN0 | HN_SAVE_IN1 | HN_SAVE_OUT; }
extern const hn_kernel hn_cpu_swiglu;
const hn_kernel hn_cpu_swiglu = { &hn_op_swiglu, forward, backward, NULL, .overwrites = true, .bf16 = bf16 };
