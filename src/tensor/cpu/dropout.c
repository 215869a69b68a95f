/* dropout.c - draws the mask again in backward; tasks of 16384 numbers. Column views, whose rows are not one run of elements, are
 * left to the reference. */
#include "tensor/cpu/cpu.h"

enum { STEP = 16384 };
typedef struct {
    const hn_vec *v;
    const hn_call *c;
    float *y;
    const float *x;
    int64_t n;
    float p;
    bool more;
} job;
static void span(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t at = task * STEP;
    j->v->drop(j->y + at, j->x + at, j->c, at / 4, HN_MIN(STEP, j->n - at), j->p, j->more);
}
static void run(hn_call *c, float *y, const float *x, bool more) {
    job j = { hn_vec_now(), c, y, x, hn_count(c->out), ((const hn_dropout_attr *)c->attr)->p, more };
    hn_cpu_run(c, 100.0 * (double)j.n, hn_cdiv(j.n, STEP), span, &j);
}
static void forward(hn_call *c) {
    if (c->in[0]->ld != hn_cols(c->out)) c->op->forward(c);
    else run(c, c->out->data, c->in[0]->data, false);
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    if (!dx[0]) return;
    if (dx[0]->ld != hn_cols(c->out)) c->op->backward(c, dx);
    else run(c, dx[0]->data, c->out->grad, true);
}
extern const hn_kernel hn_cpu_dropout;
const hn_kernel hn_cpu_dropout = { &hn_op_dropout, forward, backward, NULL };
