/* scale.c - a number times a tensor. */
#include "tensor/cpu/elementwise.h"

typedef struct {
    const hn_vec *v;
    const hn_call *c;
    hone_tensor *dx;
    float s;
} job;
static void forward_span(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    j->v->scale(hn_at(j->c->out, r, i), hn_at(j->c->in[0], r, i), j->s, n);
}
static void backward_span(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    if (j->dx->fresh) j->v->scale(hn_at(j->dx, r, i), hn_dy_at(j->c, r, i), j->s, n);
    else hn_elementwise_now()->axpy(hn_at(j->dx, r, i), j->s, hn_dy_at(j->c, r, i), n);
}
static void run(hn_call *c, hone_tensor *dx) {
    job j = { hn_vec_now(), c, dx, ((const hn_scale_attr *)c->attr)->s };
    hn_cpu_spans(c, hn_rows(c->out), hn_cols(c->out), hn_gapless(c->in[0]), 10, dx ? backward_span : forward_span, &j);
}
static void forward(hn_call *c) { run(c, NULL); }
static void backward(hn_call *c, hone_tensor *const dx[]) {
    if (dx[0]) run(c, dx[0]);
}
extern const hn_kernel hn_cpu_scale;
const hn_kernel hn_cpu_scale = { &hn_op_scale, forward, backward, NULL, .overwrites = true };
