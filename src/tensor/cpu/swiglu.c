/* swiglu.c - the gate in one pass each way: two reads and a write forward, three and two backward. */
#include "tensor/cpu/elementwise.h"

typedef struct {
    const hn_elementwise *v;
    const hn_call *c;
    hone_tensor *da, *db;
} job;
static void forward_span(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    j->v->swiglu(hn_at(j->c->out, r, i), hn_at(j->c->in[0], r, i), hn_at(j->c->in[1], r, i), n);
}
static void backward_span(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    j->v->swiglu_grad(j->da ? hn_at(j->da, r, i) : NULL, j->db ? hn_at(j->db, r, i) : NULL, hn_dy_at(j->c, r, i),
                      hn_at(j->c->in[0], r, i), hn_at(j->c->in[1], r, i), n, j->da && !j->da->fresh, j->db && !j->db->fresh);
}
static void run(hn_call *c, hone_tensor *da, hone_tensor *db) {
    job j = { hn_elementwise_now(), c, da, db };
    hn_cpu_spans(c, hn_rows(c->out), hn_cols(c->out), hn_gapless(c->in[0]) && hn_gapless(c->in[1]), 100,
                 da || db ? backward_span : forward_span, &j);
}
static void forward(hn_call *c) { run(c, NULL, NULL); }
static void backward(hn_call *c, hone_tensor *const dx[]) {
    if (dx[0] || dx[1]) run(c, dx[0], dx[1]);
}
extern const hn_kernel hn_cpu_swiglu;
const hn_kernel hn_cpu_swiglu = { &hn_op_swiglu, forward, backward, NULL, .overwrites = true };
