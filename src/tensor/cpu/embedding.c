/* embedding.c - gathers rows; backward is cut by blocks of 64 columns, each walking all ids in order, so that equal ids add in order. */
#include "tensor/cpu/cpu.h"
#include "tensor/cpu/few.h"
#include "tensor/op/op.h"

enum { ROWS = 64, COLS = 64 };
typedef struct {
    hn_call *c;
    const hn_vec *v;
    const int32_t *ids;
    int64_t n, T, C, pos0;
    hone_tensor *dw, *dp;
} job;

static job job_new(hn_call *c) {
    return (job){ c,
                  hn_vec_now(),
                  c->in[0]->data,
                  hn_count(c->in[0]),
                  hn_cols(c->in[0]),
                  hn_cols(c->out),
                  ((const hn_embedding_attr *)c->attr)->pos0,
                  NULL,
                  NULL };
}
static void add_wide(const job *j, float *y, const hone_tensor *p, int64_t row) {
    float wide[COLS];
    for (int64_t k = 0; k < j->C; k += COLS) {
        int64_t n = HN_MIN(COLS, j->C - k);
        hn_few_now()->widen(wide, hn_few_at(p->data, p->dtype, row * p->ld + k), p->dtype, n);
        j->v->add(y + k, y + k, wide, n);
    }
}
static void gather(void *arg, int64_t task, int worker) {
    job *j = arg;
    float to[HN_PIECE];
    for (int64_t i = task * ROWS, end = HN_MIN(i + ROWS, j->n); i < end; i++) {
        const hone_tensor *w = j->c->in[1], *p = j->c->in[2];
        float *y = hn_wide_out(j->c->out, i, 0, to);
        hn_few_now()->widen(y, hn_few_at(w->data, w->dtype, j->ids[i] * w->ld), w->dtype, j->C);
        if (p && p->dtype == HONE_F32) j->v->add(y, y, hn_row_of(p, j->pos0 + i % j->T), j->C);
        else if (p) add_wide(j, y, p, j->pos0 + i % j->T);
        hn_wide_done(j->v, j->c->out, i, 0, j->C, to);
    }
}
static void forward(hn_call *c) {
    job j = job_new(c);
    if (!hn_ids_in_range(c, "embedding", j.ids, j.n, 0, c->in[1]->shape[0])) return;
    hn_cpu_run(c, 10.0 * (double)(j.n * j.C), hn_cdiv(j.n, ROWS), gather, &j);
}
static void scatter(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t k = task * COLS, n = HN_MIN(COLS, j->C - k);
    for (int64_t i = 0; i < j->n; i++) {
        const float *dy = j->c->out->grad + i * j->c->out->ld + k;
        float *w = j->dw ? hn_row_of(j->dw, j->ids[i]) + k : NULL, *p = j->dp ? hn_row_of(j->dp, j->pos0 + i % j->T) + k : NULL;
        if (w) j->v->add(w, w, dy, n);
        if (p) j->v->add(p, p, dy, n);
    }
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    j.dw = dx[1], j.dp = dx[2];
    if (j.dw || j.dp) hn_cpu_run(c, 20.0 * (double)(j.n * j.C), hn_cdiv(j.C, COLS), scatter, &j);
}
static unsigned bf16(const hn_call *c) { return hn_cols(c->out) <= HN_PIECE ? HN_SAVE_OUT : 0; }
extern const hn_kernel hn_cpu_embedding;
const hn_kernel hn_cpu_embedding = { &hn_op_embedding, forward, backward, NULL, .bf16 = bf16 };
