/* softmax.c - rows of probabilities or their logarithms; a row belongs to one task. */
#include "tensor/cpu/elementwise.h"

typedef struct {
    const hn_elementwise *v;
    const hn_call *c;
    hone_tensor *dx;
    bool log;
} job;
static void forward_row(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    j->v->softmax(hn_at(j->c->out, r, i), hn_at(j->c->in[0], r, i), n, j->log);
}
static void backward_row(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    j->v->softmax_grad(hn_at(j->dx, r, i), hn_at(j->c->out, r, i), hn_dy_at(j->c, r, i), n, j->log, !j->dx->fresh);
}
static void run(hn_call *c, hone_tensor *dx) {
    job j = { hn_elementwise_now(), c, dx, ((const hn_softmax_attr *)c->attr)->log };
    hn_cpu_rows(c, hn_rows(c->out), hn_cols(c->out), 100, dx ? backward_row : forward_row, &j);
}
static void forward(hn_call *c) { run(c, NULL); }
static void backward(hn_call *c, hone_tensor *const dx[]) {
    if (dx[0]) run(c, dx[0]);
}
extern const hn_kernel hn_cpu_softmax;
const hn_kernel hn_cpu_softmax = { &hn_op_softmax, forward, backward, NULL, .overwrites = true };
