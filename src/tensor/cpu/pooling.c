/* pooling.c - a task owns 128 columns of a sequence and adds its tokens in order, 64 at a time in float. */
#include "tensor/cpu/elementwise.h"
#include "tensor/op/pooling.h"

enum { PART = 64 };
typedef struct {
    const hn_call *c;
    const hn_vec *v;
    const hn_elementwise *e;
    hone_tensor *dx;
} job;
static void forward_strip(void *arg, int64_t b, int64_t i, int64_t n) {
    job *j = arg;
    hn_pooled p = hn_pooling_of(j->c, b);
    float *y = hn_at(j->c->out, b, i), part[HN_STRIP];
    int64_t T = j->c->in[0]->shape[1], held = 0;
    memset(y, 0, (size_t)n * sizeof *y);
    memset(part, 0, sizeof part);
    for (int64_t t = p.first; t <= p.last; t++) {
        if (!hn_pooling_has(j->c, b, t)) continue;
        j->v->add(part, part, hn_at(j->c->in[0], b * T + t, i), n);
        if (++held % PART && t < p.last) continue;
        j->v->add(y, y, part, n);
        memset(part, 0, sizeof part);
    }
    j->v->scale(y, y, (float)(1 / (double)p.n), n);
}
static void backward_strip(void *arg, int64_t b, int64_t i, int64_t n) {
    job *j = arg;
    hn_pooled p = hn_pooling_of(j->c, b);
    int64_t T = j->c->in[0]->shape[1];
    for (int64_t t = p.first; t <= p.last; t++)
        if (hn_pooling_has(j->c, b, t)) j->e->axpy(hn_at(j->dx, b * T + t, i), (float)(1 / (double)p.n), hn_dy_at(j->c, b, i), n);
}
static void run(hn_call *c, hone_tensor *dx) {
    job j = { c, hn_vec_now(), hn_elementwise_now(), dx };
    hn_cpu_strips(c, hn_rows(c->out), hn_cols(c->out), c->in[0]->shape[1], 10, dx ? backward_strip : forward_strip, &j);
}
static void forward(hn_call *c) {
    if (hn_pooling_tokens(c)) run(c, NULL);
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    if (dx[0]) run(c, dx[0]);
}
extern const hn_kernel hn_cpu_pooling;
const hn_kernel hn_cpu_pooling = { &hn_op_pooling, forward, backward, NULL };
