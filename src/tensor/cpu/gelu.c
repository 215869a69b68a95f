/* gelu.c - both forms and their derivative by the vector routines, in tasks of about 8192 numbers. */
#include "tensor/cpu/cpu.h"

typedef struct {
    const hn_vec *v;
    float *y;
    const float *x, *dy;
    int64_t ldy, ldx, lddy, rows, cols, step;
    hone_act act;
} job;
static void rows_of(void *arg, int64_t task, int worker) {
    job *j = arg;
    for (int64_t r = task * j->step, end = HN_MIN(r + j->step, j->rows); r < end; r++)
        if (j->dy) j->v->act_grad(j->y + r * j->ldy, j->dy + r * j->lddy, j->x + r * j->ldx, j->cols, j->act, true);
        else j->v->bias_act(j->y + r * j->ldy, NULL, j->x + r * j->ldx, NULL, j->cols, j->act);
}
static void run(hn_call *c, float *y, int64_t ldy, const float *dy, int64_t lddy) {
    hone_act act = ((const hn_gelu_attr *)c->attr)->tanh_form ? HONE_ACT_GELU_TANH : HONE_ACT_GELU;
    job j = { hn_vec_now(), y, c->in[0]->data, dy, ldy, c->in[0]->ld, lddy, hn_rows(c->out), hn_cols(c->out), 0, act };
    if (!j.cols) return;
    j.step = hn_cdiv(8192, j.cols);
    hn_cpu_run(c, 100.0 * (double)hn_count(c->out), hn_cdiv(j.rows, j.step), rows_of, &j);
}
static void forward(hn_call *c) { run(c, c->out->data, c->out->ld, NULL, 0); }
static void backward(hn_call *c, hone_tensor *const dx[]) {
    if (dx[0]) run(c, dx[0]->data, dx[0]->ld, c->out->grad, c->out->ld);
}
extern const hn_kernel hn_cpu_gelu;
const hn_kernel hn_cpu_gelu = { &hn_op_gelu, forward, backward, NULL };
