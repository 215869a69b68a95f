/* linear_cross_entropy.c - the head's product, softmax and loss by tiles, the logits never whole.
 *
 * Forward: a task is 128 rows × 4096 classes, walked by tiles of 512 classes; each leaves a maximum and a sum per row, joined in
 * order. Backward: for blocks of rows whose logits take at most 64 MiB (and at most 4096 rows), first dz = (p − onehot)·g by
 * tiles, then dh += dz·w and dw += dzᵀ·h, each tile of a gradient with one owner, blocks of rows in order. */
#include "tensor/cpu/cpu.h"
#include "tensor/op/op.h"

enum { ROWS = 128, TILE = 512, SPLIT = 4096, BLOCK_FLOATS = 1 << 24, BLOCK_ROWS = 4096 };

typedef struct {
    hn_call *c;
    const hn_vec *v;
    const hone_tensor *h, *w;
    const int32_t *y;
    int64_t R, V, C, splits;
    float *max, *sum, *target, *tiles; /* max, sum: (R,splits); target (R); tiles: (workers, ROWS·TILE) */
    /* backward */
    float *dz, g;
    int64_t r0, rows, tiles_v, dh_tiles, dw_side, dw_tiles_c;
    const float *lse;
    hone_tensor *dh, *dw;
} job;

static job job_new(hn_call *c) {
    job j = { .c = c,
              .v = hn_vec_now(),
              .h = c->in[0],
              .w = c->in[1],
              .y = c->in[2]->data,
              .R = hn_count(c->in[2]),
              .V = c->in[1]->shape[0],
              .C = c->in[1]->shape[1] };
    j.splits = hn_cdiv(j.V, SPLIT);
    j.tiles_v = hn_cdiv(j.V, TILE);
    return j;
}
static int64_t block_rows(const job *j) {
    return HN_MIN(hn_cdiv(j->R, ROWS) * ROWS, HN_MAX(ROWS, HN_MIN(BLOCK_ROWS, BLOCK_FLOATS / j->V / ROWS * ROWS)));
}
static double denominator(const hn_call *c) {
    double d = ((const hn_linear_cross_entropy_attr *)c->attr)->denominator;
    if (d > 0) return d;
    for (int64_t i = 0; i < hn_count(c->in[2]); i++) d += hn_ids(c->in[2])[i] >= 0;
    return d > 0 ? d : 1;
}
static int64_t scratch_bytes(const hn_call *c, bool back) {
    job j = job_new((hn_call *)c);
    int64_t n = back ? hn_round(block_rows(&j) * hn_pad_ld(j.V))
                     : 2 * hn_round(j.R * j.splits) + hn_round(j.R) + hn_pool_threads(c->pool) * ROWS * HN_MIN(TILE, hn_round(j.V));
    return n * (int64_t)sizeof(float);
}

static void forward_task(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t split = task % j->splits, r0 = task / j->splits * ROWS, m = HN_MIN(ROWS, j->R - r0), ld = HN_MIN(TILE, hn_round(j->V));
    float *z = j->tiles + worker * ROWS * ld;
    for (int64_t v0 = split * SPLIT, end = HN_MIN(v0 + SPLIT, j->V); v0 < end; v0 += TILE) {
        int64_t n = HN_MIN(TILE, end - v0);
        hn_gemm(false, true, m, n, j->C, hn_row_of(j->h, r0), j->h->ld, hn_row_of(j->w, v0), j->w->ld, 0, z, ld);
        for (int64_t i = 0; i < m; i++) {
            int32_t y = j->y[r0 + i];
            if (y < 0) continue;
            float *max = j->max + (r0 + i) * j->splits + split, *sum = j->sum + (r0 + i) * j->splits + split;
            bool first = v0 == split * SPLIT;
            float top = j->v->top(z + i * ld, n), to = first ? top : fmaxf(*max, top);
            *sum = (first ? 0 : *sum * expf(*max - to)) + j->v->exp_shift(NULL, z + i * ld, 1, to, n);
            *max = to;
            if (y >= v0 && y < v0 + n) j->target[r0 + i] = z[i * ld + y - v0];
        }
    }
}
static void forward(hn_call *c) {
    job j = job_new(c);
    if (!hn_ids_in_range(c, "linear_cross_entropy: target", j.y, j.R, -1, j.V)) return;
    float *s = c->scratch, *per_token = ((const hn_linear_cross_entropy_attr *)c->attr)->per_token;
    j.max = hn_take(&s, j.R * j.splits);
    j.sum = hn_take(&s, j.R * j.splits);
    j.target = hn_take(&s, j.R);
    j.tiles = s;
    hn_cpu_run(c, 2.0 * (double)j.R * (double)j.V * (double)(j.C + 16), hn_cdiv(j.R, ROWS) * j.splits, forward_task, &j);
    double total = 0;
    for (int64_t r = 0; r < j.R; r++) {
        double lse = 0, loss = 0;
        if (j.y[r] >= 0) {
            const float *max = j.max + r * j.splits, *sum = j.sum + r * j.splits;
            float to = max[0];
            for (int64_t i = 1; i < j.splits; i++) to = fmaxf(to, max[i]);
            double all = 0;
            for (int64_t i = 0; i < j.splits; i++) all += j.splits == 1 ? sum[i] : sum[i] * exp((double)max[i] - to);
            lse = to + log(all);
            loss = lse - j.target[r];
        }
        if (c->aux[0]) ((float *)c->aux[0]->data)[r] = (float)lse;
        if (per_token) per_token[r] = (float)loss;
        total += loss;
    }
    *(float *)c->out->data = (float)(total / denominator(c));
}

static void dz_tile(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t v0 = task % j->tiles_v * TILE, i0 = task / j->tiles_v * ROWS, m = HN_MIN(ROWS, j->rows - i0), n = HN_MIN(TILE, j->V - v0);
    int64_t ld = hn_pad_ld(j->V);
    float *z = j->dz + i0 * ld + v0;
    hn_gemm(false, true, m, n, j->C, hn_row_of(j->h, j->r0 + i0), j->h->ld, hn_row_of(j->w, v0), j->w->ld, 0, z, ld);
    for (int64_t i = 0; i < m; i++) {
        float *zi = z + i * ld;
        int64_t r = j->r0 + i0 + i;
        if (j->y[r] < 0) {
            memset(zi, 0, (size_t)n * sizeof *zi);
            continue;
        }
        j->v->exp_shift(zi, zi, 1, j->lse[r], n);
        if (j->y[r] >= v0 && j->y[r] < v0 + n) zi[j->y[r] - v0] -= 1;
        j->v->scale(zi, zi, j->g, n);
    }
}
static void grad_tile(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t ld = hn_pad_ld(j->V);
    if (task < j->dh_tiles) {
        int64_t per_row = hn_cdiv(j->C, TILE), i0 = task / per_row * ROWS, k0 = task % per_row * TILE;
        hn_gemm(false, false, HN_MIN(ROWS, j->rows - i0), HN_MIN(TILE, j->C - k0), j->V, j->dz + i0 * ld, ld, (float *)j->w->data + k0,
                j->w->ld, j->dh->fresh ? 0 : 1, hn_row_of(j->dh, j->r0 + i0) + k0, j->dh->ld);
        return;
    }
    task -= j->dh_tiles;
    int64_t v0 = task / j->dw_tiles_c * j->dw_side, k0 = task % j->dw_tiles_c * j->dw_side;
    hn_gemm(true, false, HN_MIN(j->dw_side, j->V - v0), HN_MIN(j->dw_side, j->C - k0), j->rows, j->dz + v0, ld, hn_row_of(j->h, j->r0) + k0,
            j->h->ld, 1, hn_row_of(j->dw, v0) + k0, j->dw->ld);
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    j.dz = c->scratch;
    j.g = (float)(*c->out->grad / denominator(c));
    j.lse = c->aux[0]->data;
    j.dh = dx[0], j.dw = dx[1];
    if (j.dw && j.dw->fresh) hn_zero_rows(j.dw);
    j.dw_side = j.V * j.C <= 65536 ? 64 : 128;
    j.dw_tiles_c = hn_cdiv(j.C, j.dw_side);
    double flops = 2.0 * (double)j.V * (double)(j.C + 16);
    for (int64_t step = block_rows(&j); j.r0 < j.R; j.r0 += step) {
        j.rows = HN_MIN(step, j.R - j.r0);
        int64_t row_tiles = hn_cdiv(j.rows, ROWS);
        hn_cpu_run(c, flops * (double)j.rows, row_tiles * j.tiles_v, dz_tile, &j);
        j.dh_tiles = j.dh ? row_tiles * hn_cdiv(j.C, TILE) : 0;
        hn_cpu_run(c, 2 * flops * (double)j.rows, j.dh_tiles + (j.dw ? hn_cdiv(j.V, j.dw_side) * j.dw_tiles_c : 0), grad_tile, &j);
    }
}
extern const hn_kernel hn_cpu_linear_cross_entropy;
const hn_kernel hn_cpu_linear_cross_entropy = { &hn_op_linear_cross_entropy, forward, backward, scratch_bytes, .overwrites = true };
