/* activation.c - the activation functions and their derivatives by the vector routines. */
#include "tensor/cpu/elementwise.h"

typedef struct {
    const hn_vec *v;
    const hn_call *c;
    hone_tensor *dx;
    hone_act act;
} job;
static void forward_span(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    j->v->bias_act(hn_at(j->c->out, r, i), NULL, hn_at(j->c->in[0], r, i), NULL, n, j->act);
}
static void backward_span(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    j->v->act_grad(hn_at(j->dx, r, i), hn_dy_at(j->c, r, i), hn_at(j->c->in[0], r, i), n, j->act, !j->dx->fresh);
}
static void run(hn_call *c, hone_tensor *dx) {
    job j = { hn_vec_now(), c, dx, ((const hn_activation_attr *)c->attr)->act };
    hn_cpu_spans(c, hn_rows(c->out), hn_cols(c->out), hn_gapless(c->in[0]), 100, dx ? backward_span : forward_span, &j);
}
static void forward(hn_call *c) { run(c, NULL); }
static void backward(hn_call *c, hone_tensor *const dx[]) {
    if (dx[0]) run(c, dx[0]);
}
extern const hn_kernel hn_cpu_activation;
const hn_kernel hn_cpu_activation = { &hn_op_activation, forward, backward, NULL, .overwrites = true };
