/* layernorm.c - rows by the vector routines; dw and db are summed over fixed chunks of rows with a buffer each, added in order. */
#include "tensor/cpu/cpu.h"
#include "tensor/op/op.h"

typedef struct {
    hn_call *c;
    const hn_vec *v;
    int64_t rows, cols, step;
    const float *w, *b;
    float *mean, *rstd, *dw, *db; /* dw, db: (chunks, cols rounded) or NULL */
    hone_tensor *dx;
} job;
static job job_new(hn_call *c) {
    return (job){ .c = c,
                  .v = hn_vec_now(),
                  .rows = hn_rows(c->out),
                  .cols = hn_cols(c->out),
                  .w = c->in[1]->data,
                  .b = c->in[2] ? c->in[2]->data : NULL,
                  .mean = c->aux[0] ? c->aux[0]->data : NULL,
                  .rstd = c->aux[1] ? c->aux[1]->data : NULL };
}
static void forward_rows(void *arg, int64_t task, int worker) {
    job *j = arg;
    float eps = ((const hn_layernorm_attr *)j->c->attr)->eps, wide[HN_PIECE], to[HN_PIECE];
    const hone_tensor *x = j->c->in[0], *y = j->c->out;
    for (int64_t r = task * j->step, end = HN_MIN(r + j->step, j->rows); r < end; r++) {
        j->v->layernorm(hn_wide_out(y, r, 0, to), hn_wide(j->v, x, r, 0, j->cols, wide), j->w, j->b, j->cols, eps,
                        j->mean ? j->mean + r : NULL, j->rstd ? j->rstd + r : NULL);
        hn_wide_done(j->v, y, r, 0, j->cols, to);
    }
}
static void forward(hn_call *c) {
    job j = job_new(c);
    j.step = hn_cdiv(8192, j.cols);
    hn_cpu_run(c, 30.0 * (double)hn_count(c->out), hn_cdiv(j.rows, j.step), forward_rows, &j);
}
static void backward_rows(void *arg, int64_t task, int worker) {
    job *j = arg;
    float *dw = j->dw ? j->dw + task * hn_round(j->cols) : NULL, *db = j->db ? j->db + task * hn_round(j->cols) : NULL;
    float wide[HN_PIECE];
    if (dw) memset(dw, 0, (size_t)j->cols * sizeof *dw);
    if (db) memset(db, 0, (size_t)j->cols * sizeof *db);
    for (int64_t r = task * j->step, end = HN_MIN(r + j->step, j->rows); r < end; r++)
        j->v->layernorm_grad(j->dx ? hn_row_of(j->dx, r) : NULL, dw, db, j->c->out->grad + r * j->c->out->ld,
                             hn_wide(j->v, j->c->in[0], r, 0, j->cols, wide), j->w, j->cols, j->mean[r], j->rstd[r]);
}
static int64_t scratch_bytes(const hn_call *c, bool back) {
    int64_t rows = hn_rows(c->out);
    return back ? 2 * hn_cdiv(rows, hn_chunk_rows(rows)) * hn_round(hn_cols(c->out)) * (int64_t)sizeof(float) : 0;
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    j.step = hn_chunk_rows(j.rows);
    int64_t chunks = hn_cdiv(j.rows, j.step);
    float *s = c->scratch;
    j.dx = dx[0];
    if (dx[1]) j.dw = s;
    if (dx[2]) j.db = s + chunks * hn_round(j.cols);
    hn_cpu_run(c, 60.0 * (double)hn_count(c->out), chunks, backward_rows, &j);
    for (int64_t i = 0; i < chunks; i++) {
        if (dx[1]) j.v->add(dx[1]->data, dx[1]->data, j.dw + i * hn_round(j.cols), j.cols);
        if (dx[2]) j.v->add(dx[2]->data, dx[2]->data, j.db + i * hn_round(j.cols), j.cols);
    }
}
extern const hn_kernel hn_cpu_layernorm;
const hn_kernel hn_cpu_layernorm = { &hn_op_layernorm, forward, backward, scratch_bytes, .bf16 = hn_rows_bf16 };
