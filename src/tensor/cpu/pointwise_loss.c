/* pointwise_loss.c - a sum for each piece of 8192 numbers, added up in double in their order; gradients in one pass. */
#include "tensor/cpu/elementwise.h"
#include "tensor/op/op.h"

typedef struct {
    const hn_elementwise *e;
    const hn_call *c;
    const hn_pointwise_loss_attr *how;
    bool flat;
    int64_t rows, cols, pieces; /* of the numbers, and of each row */
    double *part;               /* sum and weights of each piece */
    float scale;
    hone_tensor *const *dx;
} job;

static job job_new(const hn_call *c) {
    const hone_tensor *x = c->in[0];
    job j = { .e = hn_elementwise_now(), .c = c, .how = c->attr, .flat = true, .rows = hn_rows(x), .cols = hn_cols(x) };
    for (int k = 0; k < 3; k++) j.flat &= !c->in[k] || hn_gapless(c->in[k]);
    j.pieces = hn_cdiv(j.flat ? hn_count(x) : j.cols, HN_SPAN);
    return j;
}
static int64_t n_parts(const job *j) { return j->flat ? j->pieces : j->rows * j->pieces; }
static int64_t scratch_bytes(const hn_call *c, bool back) {
    job j = job_new(c);
    return back ? 0 : 2 * n_parts(&j) * (int64_t)sizeof(double);
}
static const float *in_at(const job *j, int k, int64_t r, int64_t i) { return j->c->in[k] ? hn_at(j->c->in[k], r, i) : NULL; }

static void forward_span(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    double *to = j->part + 2 * (r * j->pieces + i / HN_SPAN);
    const float *w = in_at(j, 2, r, i);
    to[0] = j->e->loss(in_at(j, 0, r, i), in_at(j, 1, r, i), w, n, j->how->kind, j->how->beta);
    to[1] = w ? j->e->sum(w, n) : (double)n;
}
static void forward(hn_call *c) {
    job j = job_new(c);
    double sum = 0, weights = 0;
    j.part = c->scratch;
    hn_cpu_spans(c, j.rows, j.cols, j.flat, 100, forward_span, &j);
    for (int64_t i = 0; i < n_parts(&j); i++) sum += j.part[2 * i], weights += j.part[2 * i + 1];
    (void)hn_pointwise_finish(c, sum, weights);
}

static void backward_span(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    float *to[2];
    for (int k = 0; k < 2; k++) to[k] = j->dx[k] ? hn_at(j->dx[k], r, i) : NULL;
    j->e->loss_grad(to[0], to[1], in_at(j, 0, r, i), in_at(j, 1, r, i), in_at(j, 2, r, i), n, j->how->kind, j->how->beta, j->scale);
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    j.dx = dx;
    j.scale = *c->out->grad / *(const float *)c->aux[0]->data;
    if (dx[0] || dx[1]) hn_cpu_spans(c, j.rows, j.cols, j.flat, 100, backward_span, &j);
}
extern const hn_kernel hn_cpu_pointwise_loss;
const hn_kernel hn_cpu_pointwise_loss = { &hn_op_pointwise_loss, forward, backward, scratch_bytes };
