/* frozen_head.c - the cross-entropy's forward with dh beside it where the head gets no gradient, as under an adapter: logits are never
 * whole, nor kept for a second look.
 *
 * As attention does with its values (Dao 2023, arXiv:2307.08691): dh of a row is Σ p_v·w_v less its target's w, so a task of ROWS rows
 * goes through its classes tile by tile with a running maximum and sum, adds exp(z − maximum)·w to a row of its own and shrinks that when
 * the maximum grows. Classes are split by size where there are few rows; the splits' rows are joined in order. */
#include "tensor/cpu/frozen_head.h"
#include "tensor/op/op.h"

enum { ROWS = 128, TILE = 512, SPLIT = 4096, TASKS = 32 };

typedef struct {
    hn_call *c;
    const hn_vec *v;
    const hone_tensor *h, *w;
    const int32_t *y;
    const hn_linear_cross_entropy_attr *at;
    int64_t R, V, C, blocks, splits, split, ld; /* split: classes of one; ld: of a tile */
    float *max, *sum, *target, *sums, *tiles;   /* (splits,R) twice; (R); (splits,R,C): Σ exp(z − max)·w; of each worker */
    int32_t *best;                              /* (splits,R) or NULL */
    double *loss, g;                            /* (R) */
} job;

bool hn_frozen_head(const hn_call *c) {
    const hone_tensor *h = c->in[0], *w = c->in[1];
    const hn_linear_cross_entropy_attr *at = c->attr;
    return c->aux[1] && h->wants_grad && !w->wants_grad && w->dtype == HONE_F32 && at->smoothing == 0;
}
static job job_new(hn_call *c) {
    job j = { .c = c, .v = hn_vec_now(), .h = c->in[0], .w = c->in[1], .y = hn_ids(c->in[2]), .at = c->attr, .R = hn_count(c->in[2]),
              .V = c->in[1]->shape[0], .C = c->in[1]->shape[1] };
    j.blocks = hn_cdiv(j.R, ROWS);
    j.splits = HN_MAX(1, HN_MIN(hn_cdiv(j.V, SPLIT), hn_cdiv(TASKS, HN_MAX(1, j.blocks))));
    j.split = hn_cdiv(hn_cdiv(j.V, j.splits), TILE) * TILE;
    j.splits = hn_cdiv(j.V, j.split);
    j.ld = HN_MIN(TILE, hn_pad_ld(j.V));
    return j;
}
/* With s NULL it only counts. */
static int64_t cut(job *j, float *s) {
    float *start = s;
    int64_t n = 0, at;
#define TAKE(count) (at = n, n += hn_round(count), start ? start + at : NULL)
    j->max = TAKE(j->splits * j->R), j->sum = TAKE(j->splits * j->R), j->target = TAKE(j->R);
    j->sums = TAKE(j->splits * j->R * j->C);
    j->tiles = TAKE(hn_pool_threads(j->c->pool) * ROWS * j->ld);
    if (j->at->best) j->best = (int32_t *)(void *)TAKE(j->splits * j->R);
    j->loss = (double *)(void *)TAKE(2 * j->R);
#undef TAKE
    return n * (int64_t)sizeof(float);
}
int64_t hn_frozen_head_bytes(const hn_call *c) {
    job j = job_new((hn_call *)c);
    return cut(&j, NULL);
}

static int32_t place_of(const float *z, float x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (z[i] == x) return (int32_t)i;
    return -1; /* x is NaN */
}
/* One row's logits of a tile become exp(z − maximum); its numbers and its row of sums follow. */
static void see(const job *j, float *z, float *sums, int64_t r, int64_t at, int64_t v0, int64_t n, bool first) {
    float top = j->v->top(z, n), to = first ? top : fmaxf(j->max[at], top), shrink = first ? 0 : expf(j->max[at] - to);
    if (j->best && (first || to > j->max[at])) j->best[at] = (int32_t)v0 + place_of(z, to, n);
    if (j->y[r] >= v0 && j->y[r] < v0 + n) j->target[r] = z[j->y[r] - v0];
    if (!first && shrink != 1) j->v->scale(sums, sums, shrink, j->C);
    j->sum[at] = (first ? 0 : j->sum[at] * shrink) + j->v->exp_shift(z, z, 1, to, n);
    j->max[at] = to;
}
static void rows_task(void *arg, int64_t task, int worker) {
    const job *j = arg;
    int64_t split = task / j->blocks, r0 = task % j->blocks * ROWS, m = HN_MIN(ROWS, j->R - r0), start = split * j->split;
    float *z = j->tiles + worker * ROWS * j->ld, *sums = j->sums + (split * j->R + r0) * j->C;
    for (int64_t v0 = start, end = HN_MIN(start + j->split, j->V); v0 < end; v0 += TILE) {
        int64_t n = HN_MIN(TILE, end - v0);
        bool first = v0 == start;
        hn_gemm(false, true, m, n, j->C, hn_row_of(j->h, r0), j->h->ld, hn_row_of(j->w, v0), j->w->ld, 0, z, j->ld);
        for (int64_t i = 0; i < m; i++) {
            if (j->y[r0 + i] == j->at->ignore) memset(z + i * j->ld, 0, (size_t)n * sizeof *z);
            else see(j, z + i * j->ld, sums + i * j->C, r0 + i, split * j->R + r0 + i, v0, n, first);
        }
        hn_gemm(false, false, m, j->C, n, z, j->ld, hn_row_of(j->w, v0), j->w->ld, first ? 0 : 1, sums, j->C);
    }
}
/* A row's splits joined: its numbers, and dh = g·(Σ p·w − w of the target). */
static void end_row(const job *j, int64_t r) {
    float *dh = hn_row_of(j->c->aux[1], r);
    const float *w = hn_row_of(j->w, HN_MAX(j->y[r], 0));
    int64_t top = r;
    double all = 0, lse = 0;
    bool counts = j->y[r] != j->at->ignore;
    for (int64_t at = r; counts && at < j->splits * j->R; at += j->R)
        if (j->max[at] > j->max[top] || isnan(j->max[at])) top = at;
    for (int64_t at = r; counts && at < j->splits * j->R; at += j->R) all += j->sum[at] * exp((double)j->max[at] - j->max[top]);
    if (counts) lse = j->max[top] + log(all);
    if (j->c->aux[0]) ((float *)j->c->aux[0]->data)[r] = (float)lse;
    j->loss[r] = counts ? lse - j->target[r] : 0;
    if (j->at->per_token) j->at->per_token[r] = (float)j->loss[r];
    if (j->at->best) j->at->best[r] = !counts || isnan(lse) ? -1 : j->best[top];
    float g = (float)(j->g * hn_cross_entropy_weight(j->c, r));
    if (g == 0) {
        memset(dh, 0, (size_t)j->C * sizeof *dh);
        return;
    }
    for (int64_t s = 0; s < j->splits; s++) {
        float *part = j->sums + (s * j->R + r) * j->C;
        j->v->scale(part, part, (float)(exp((double)j->max[s * j->R + r] - j->max[top]) / all), j->C);
        if (s) j->v->add(dh, dh, part, j->C);
        else memcpy(dh, part, (size_t)j->C * sizeof *dh);
    }
    for (int64_t k = 0; k < j->C; k++) dh[k] = g * (dh[k] - w[k]);
}
static void end_rows(void *arg, int64_t task, int worker) {
    const job *j = arg;
    for (int64_t r = task * ROWS; r < HN_MIN(j->R, (task + 1) * ROWS); r++) end_row(j, r);
}
void hn_frozen_head_forward(hn_call *c) {
    job j = job_new(c);
    double total = 0, denominator = hn_cross_entropy_denominator(c);
    (void)cut(&j, c->scratch);
    j.g = 1 / denominator;
    hn_cpu_run(c, 4.0 * (double)j.R * (double)j.V * (double)(j.C + 16), j.blocks * j.splits, rows_task, &j);
    hn_cpu_run(c, 10.0 * (double)(j.R * j.C * j.splits), j.blocks, end_rows, &j);
    for (int64_t r = 0; r < j.R; r++) total += hn_cross_entropy_weight(c, r) * j.loss[r];
    *(float *)c->out->data = (float)(total / denominator);
}
