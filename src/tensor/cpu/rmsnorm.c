/* rmsnorm.c - rows (or heads of rows) by the vector routines; dw is summed over fixed chunks of rows with a buffer each, added in order. */
#include "tensor/cpu/cpu.h"
#include "tensor/op/op.h"

typedef struct {
    hn_call *c;
    const hn_vec *v;
    int64_t rows, D, groups, step;
    const float *w;
    float *rms, *dw; /* dw: (chunks, D rounded) or NULL */
    hone_tensor *dx;
} job;
static job job_new(hn_call *c) {
    int64_t D = hn_cols(c->in[1]);
    return (job){ .c = c,
                  .v = hn_vec_now(),
                  .rows = hn_rows(c->out),
                  .D = D,
                  .groups = hn_cols(c->out) / D,
                  .w = c->in[1]->data,
                  .rms = c->aux[0] ? c->aux[0]->data : NULL };
}
static void forward_rows(void *arg, int64_t task, int worker) {
    job *j = arg;
    float eps = ((const hn_rmsnorm_attr *)j->c->attr)->eps, wide[HN_PIECE], to[HN_PIECE];
    int64_t n = j->groups * j->D;
    for (int64_t r = task * j->step, end = HN_MIN(r + j->step, j->rows); r < end; r++) {
        const float *x = hn_wide(j->v, j->c->in[0], r, 0, n, wide);
        float *y = hn_wide_out(j->c->out, r, 0, to);
        for (int64_t g = 0; g < j->groups; g++)
            j->v->rmsnorm(y + g * j->D, x + g * j->D, j->w, j->D, eps, j->rms ? j->rms + r * j->groups + g : NULL);
        hn_wide_done(j->v, j->c->out, r, 0, n, to);
    }
}
static void forward(hn_call *c) {
    job j = job_new(c);
    j.step = hn_cdiv(8192, j.D * j.groups);
    hn_cpu_run(c, 20.0 * (double)hn_count(c->out), hn_cdiv(j.rows, j.step), forward_rows, &j);
}
static void backward_rows(void *arg, int64_t task, int worker) {
    job *j = arg;
    float *dw = j->dw ? j->dw + task * hn_round(j->D) : NULL;
    float wide[HN_PIECE];
    if (dw) memset(dw, 0, (size_t)j->D * sizeof *dw);
    for (int64_t r = task * j->step, end = HN_MIN(r + j->step, j->rows); r < end; r++) {
        const float *x = hn_wide(j->v, j->c->in[0], r, 0, j->groups * j->D, wide);
        for (int64_t g = 0, at = 0; g < j->groups; g++, at += j->D)
            j->v->rmsnorm_grad(j->dx ? hn_row_of(j->dx, r) + at : NULL, dw, j->c->out->grad + r * j->c->out->ld + at, x + at, j->w, j->D,
                               j->rms[r * j->groups + g], !(j->dx && j->dx->fresh));
    }
}
static int64_t scratch_bytes(const hn_call *c, bool back) {
    int64_t rows = hn_rows(c->out);
    return back ? hn_cdiv(rows, hn_chunk_rows(rows)) * hn_round(hn_cols(c->in[1])) * (int64_t)sizeof(float) : 0;
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    j.step = hn_chunk_rows(j.rows);
    int64_t chunks = hn_cdiv(j.rows, j.step);
    j.dx = dx[0];
    if (dx[1]) j.dw = c->scratch;
    if (dx[1] && dx[1]->fresh) hn_zero_rows(dx[1]);
    hn_cpu_run(c, 40.0 * (double)hn_count(c->out), chunks, backward_rows, &j);
    for (int64_t i = 0; i < chunks && dx[1]; i++) j.v->add(dx[1]->data, dx[1]->data, j.dw + i * hn_round(j.D), j.D);
}
extern const hn_kernel hn_cpu_rmsnorm;
const hn_kernel hn_cpu_rmsnorm = { &hn_op_rmsnorm, forward, backward, scratch_bytes, .overwrites = true, .bf16 = hn_rows_bf16 };
