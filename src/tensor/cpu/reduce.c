/* reduce.c - sums, means and largest numbers along a dimension. Along rows: a row is one vector sum. Across rows: a task owns 128
 * columns and adds 64 rows at a time in float, then those to the total, in the order of the rows. */
#include "tensor/cpu/elementwise.h"
#include "tensor/op/box.h"

enum { PART = 64 };
typedef struct {
    const hn_call *c;
    const hn_vec *v;
    const hn_elementwise *e;
    hone_reduction how;
    int64_t n, inner; /* x is (outer, n, inner rows); inner 0: along the rows themselves */
    float by;
    int32_t *best;
    hone_tensor *dx;
} job;

static job job_new(const hn_call *c) {
    const hone_tensor *x = c->in[0];
    const hn_reduce_attr *at = c->attr;
    int d = hn_dim_of(x, at->dim);
    job j = { .c = c, .v = hn_vec_now(), .e = hn_elementwise_now(), .how = at->how, .n = x->shape[d], .inner = d < x->dims - 1 };
    for (int i = d + 1; i < x->dims - 1; i++) j.inner *= x->shape[i];
    j.by = at->how == HONE_REDUCE_MEAN ? (float)(1 / (double)j.n) : 1;
    j.best = c->n_aux && c->aux[0] ? c->aux[0]->data : NULL;
    return j;
}
/* The first of the rows of x that end in row r of the result. */
static int64_t first_row(const job *j, int64_t r) { return r / j->inner * j->inner * j->n + r % j->inner; }

/* Number r of the result: along row r of x. */
static void row_number(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    const float *x = hn_at(j->c->in[0], r, 0);
    float *y = (float *)j->c->out->data + r;
    if (j->how == HONE_REDUCE_MAX) {
        int64_t best = 0;
        *y = j->v->top(x, n);
        while (best < n - 1 && x[best] != *y && !isnan(x[best])) best++;
        if (j->best) j->best[r] = (int32_t)best;
    } else *y = j->by * j->e->sum(x, n);
}
static void largest(const job *j, int64_t r, int64_t i, int64_t n) {
    const float *x = hn_at(j->c->in[0], first_row(j, r), i);
    float *y = hn_at(j->c->out, r, i);
    int32_t *best = j->best ? j->best + r * j->c->out->ld + i : NULL;
    int64_t by = j->inner * j->c->in[0]->ld;
    memcpy(y, x, (size_t)n * sizeof *y);
    if (best) memset(best, 0, (size_t)n * sizeof *best);
    for (int64_t k = 1; k < j->n; k++)
        for (int64_t c = 0; c < n; c++) {
            float v = x[k * by + c];
            if (!(v > y[c]) && !(isnan(v) && !isnan(y[c]))) continue;
            y[c] = v;
            if (best) best[c] = (int32_t)k;
        }
}
static void row_strip(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    if (j->how == HONE_REDUCE_MAX) {
        largest(j, r, i, n);
        return;
    }
    const float *x = hn_at(j->c->in[0], j->n ? first_row(j, r) : 0, i);
    float *y = hn_at(j->c->out, r, i), part[HN_STRIP];
    int64_t by = j->inner * j->c->in[0]->ld;
    memset(y, 0, (size_t)n * sizeof *y);
    for (int64_t at = 0; at < j->n; at += PART) {
        memcpy(part, x + at * by, (size_t)n * sizeof *part);
        for (int64_t k = at + 1; k < HN_MIN(j->n, at + PART); k++) j->v->add(part, part, x + k * by, n);
        j->v->add(y, y, part, n);
    }
    if (j->by != 1) j->v->scale(y, y, j->by, n);
}
static void forward(hn_call *c) {
    job j = job_new(c);
    if (j.inner || !j.n) hn_cpu_strips(c, hn_rows(c->out), hn_cols(c->out), j.n, 10, row_strip, &j);
    else hn_cpu_rows(c, hn_rows(c->in[0]), j.n, 10, row_number, &j);
}

static void back_span(void *arg, int64_t r, int64_t i, int64_t n) { /* r: a row of x */
    job *j = arg;
    if (!j->inner) j->e->shift(hn_at(j->dx, r, i), hn_at(j->dx, r, i), j->by * j->c->out->grad[r], n);
    else
        j->e->axpy(hn_at(j->dx, r, i), j->by, hn_dy_at(j->c, r / (j->inner * j->n) * j->inner + r % j->inner, i), n);
}
static void back_largest(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    for (int64_t c = i; c < i + n; c++) {
        int64_t at = r * j->c->out->ld + c;
        if (j->inner) *hn_at(j->dx, first_row(j, r) + j->best[at] * j->inner, c) += j->c->out->grad[at];
        else *hn_at(j->dx, at, j->best[at]) += j->c->out->grad[at];
    }
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    j.dx = dx[0];
    if (!j.dx) return;
    if (j.how == HONE_REDUCE_MAX) hn_cpu_spans(c, hn_rows(c->out), hn_cols(c->out), false, 10, back_largest, &j);
    else hn_cpu_spans(c, hn_rows(c->in[0]), hn_cols(c->in[0]), false, 10, back_span, &j);
}
extern const hn_kernel hn_cpu_reduce;
const hn_kernel hn_cpu_reduce = { &hn_op_reduce, forward, backward, NULL };
