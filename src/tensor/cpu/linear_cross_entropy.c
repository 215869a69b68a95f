/* linear_cross_entropy.c - the head's product, softmax and loss by tiles, the logits never whole.
 *
 * Forward: a task is 128 rows × 4096 classes, walked by tiles of 512 classes; each leaves a maximum and a sum per row, joined in
 * order; where asked, the maximum's place and the sum of the logits too. Backward: by blocks of rows (head.h), first
 * dz = (p − onehot)·g by tiles, then dh += dz·w and dw += dzᵀ·h: with the forward's, four products.
 * Where the loss is the root, g is known and forward does it all in three: by blocks of rows, each tile leaves exp(z − its maximum) in
 * place, and once the block's log-sum-exps are there a factor per row and tile makes that dz. dw goes into the weight's own gradient,
 * dh waits for backward; a frozen head goes without the second look (frozen_head.c). A head that is no weight itself (computed, a view) takes the other way. A head of 16 bits, which is only read,
 * is widened a tile at a time.
 * bf16 activations, where the CPU multiplies bf16 (pairs.h): those three products do, w rounded a tile at a time as it is packed, the
 * exponentials and dz kept in bf16; logits, sums and losses stay f32. */
#include "tensor/cpu/few.h"
#include "tensor/cpu/frozen_head.h"
#include "tensor/cpu/head.h"
#include "tensor/cpu/pairs.h"
#include "tensor/op/op.h"

enum { ROWS = HN_HEAD_ROWS, TILE = HN_HEAD_TILE, SPLIT = 4096, DH_DEPTH = 4096, DW_SIDE = 256 };

typedef struct {
    hn_call *c;
    const hn_vec *v;
    const hone_tensor *h, *w;
    const int32_t *y;
    int64_t R, V, C, splits;
    const hn_linear_cross_entropy_attr *at;
    float *max, *sum, *target, *tiles; /* max, sum: (R,splits); target (R); tiles: (workers, ROWS·TILE) */
    float *wide;                       /* (workers, TILE·C) of a head of 16 bits */
    double *loss;                      /* (R) */
    float *all;                        /* (R,splits) sum of the logits; NULL: not smoothed */
    int32_t *best;                     /* (R,splits) where the maximum is; NULL: not asked for */
    /* backward */
    float *dz;
    double g;
    hn_head x;
    int64_t r0, rows, tiles_v;
    const float *lse;
    bool leads; /* forward makes the gradients */
    /* in pairs of bf16: p is NULL where it does not */
    const hn_pairs *p;
    float *h16, *dz16;                            /* rows of bf16: of the call, and of the block, tile by tile of classes */
    uint32_t *packed_dz, *packed_h, *packed_w;    /* the block's depth, V and C columns; DH_DEPTH deep, C columns */
    float *rooms;                                 /* of each worker: a tile of logits, a packed tile of w */
    int64_t room, deep, deep_n;
    const hone_tensor *dh, *dw;
} job;

static job job_new(hn_call *c) {
    job j = { .c = c,
              .v = hn_vec_now(),
              .h = c->in[0],
              .w = c->in[1],
              .y = c->in[2]->data,
              .at = c->attr,
              .R = hn_count(c->in[2]),
              .V = c->in[1]->shape[0],
              .C = c->in[1]->shape[1] };
    j.leads = c->aux[1] && (!j.w->wants_grad || (j.w->is_weight && !j.w->base));
    j.tiles_v = hn_cdiv(j.V, TILE);
    j.p = j.leads && j.h->rounded && j.w->dtype == HONE_F32 ? hn_pairs_now() : NULL;
    j.splits = j.leads ? j.tiles_v : hn_cdiv(j.V, SPLIT);
    j.x = hn_head_of(j.h, j.w);
    return j;
}
static int64_t wide_floats(const job *j) { return hn_round(HN_MIN(TILE, j->V) * hn_pad_ld(j->C)); }
static int64_t pairs_cut(job *j, float *s);
/* Pairs have a way of their own. */
static bool frozen(const job *j) { return !j->p && hn_frozen_head(j->c); }
static int64_t scratch_bytes(const hn_call *c, bool back) {
    job j = job_new((hn_call *)c);
    if (frozen(&j)) return back ? 0 : hn_frozen_head_bytes(c);
    int64_t block = hn_head_rows(&j.x, 1) * j.x.ld, tiles = hn_pool_threads(c->pool) * ROWS * HN_MIN(TILE, hn_round(j.V));
    int64_t each = 2 + (j.at->smoothing > 0) + (j.at->best != NULL);
    int64_t n = each * hn_round(j.R * j.splits) + hn_round(j.R) + hn_round(2 * j.R) + (j.p ? pairs_cut(&j, NULL) : j.leads ? block : tiles);
    if (j.w->dtype != HONE_F32) n += hn_pool_threads(c->pool) * wide_floats(&j);
    return (back ? j.leads ? 0 : block : n) * (int64_t)sizeof(float);
}

/* In sixteen lanes, so that the compiler can keep them in vectors; in the same order for every instruction set. */
static float row_sum(const float *z, int64_t n) {
    float s[16] = { 0 }, sum = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int k = 0; k < 16; k++) s[k] += z[i + k];
    for (; i < n; i++) s[i % 16] += z[i];
    for (int k = 0; k < 16; k++) sum += s[k];
    return sum;
}
static int32_t place_of(const float *z, float x, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (z[i] == x) return (int32_t)i;
    return -1; /* x is NaN */
}
/* A tile of logits z of rows from r0 and classes from v0, into the rows' numbers at `split`; `leave`: z becomes exp(z − maximum). */
static void see_tile(const job *j, float *z, int64_t ld, int64_t r0, int64_t m, int64_t v0, int64_t n, int64_t split, bool first, bool leave) {
    for (int64_t i = 0; i < m; i++) {
        int32_t y = j->y[r0 + i];
        if (y == j->at->ignore) continue;
        int64_t at = (r0 + i) * j->splits + split;
        float *max = j->max + at, *sum = j->sum + at, *zi = z + i * ld;
        float top = j->v->top(zi, n), to = first ? top : fmaxf(*max, top);
        if (j->best && (first || to > *max)) j->best[at] = (int32_t)v0 + place_of(zi, to, n);
        if (j->all) j->all[at] = (first ? 0 : j->all[at]) + row_sum(zi, n);
        if (y >= v0 && y < v0 + n) j->target[r0 + i] = zi[y - v0];
        *sum = (first ? 0 : *sum * expf(*max - to)) + j->v->exp_shift(leave ? zi : NULL, zi, 1, to, n);
        *max = to;
    }
}
static void logits_of(const job *j, float *z, int64_t ld, int64_t r0, int64_t m, int64_t v0, int64_t n) {
    hn_gemm(false, true, m, n, j->C, hn_row_of(j->h, r0), j->h->ld, hn_row_of(j->w, v0), j->w->ld, 0, z, ld);
}
static void wide_logits_of(const job *j, float *z, int64_t ld, int64_t r0, int64_t m, int64_t v0, int64_t n, float *wide) {
    int64_t ldw = hn_pad_ld(j->C);
    for (int64_t i = 0; i < n; i++)
        hn_few_now()->widen(wide + i * ldw, hn_few_at(j->w->data, j->w->dtype, (v0 + i) * j->w->ld), j->w->dtype, j->C);
    hn_gemm(false, true, m, n, j->C, hn_row_of(j->h, r0), j->h->ld, wide, ldw, 0, z, ld);
}
static void forward_task(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t split = task % j->splits, r0 = task / j->splits * ROWS, m = HN_MIN(ROWS, j->R - r0), ld = HN_MIN(TILE, hn_round(j->V));
    float *z = j->tiles + worker * ROWS * ld;
    for (int64_t v0 = split * SPLIT, end = HN_MIN(v0 + SPLIT, j->V); v0 < end; v0 += TILE) {
        int64_t n = HN_MIN(TILE, end - v0);
        if (j->w->dtype == HONE_F32) logits_of(j, z, ld, r0, m, v0, n);
        else wide_logits_of(j, z, ld, r0, m, v0, n, j->wide + worker * wide_floats(j));
        see_tile(j, z, ld, r0, m, v0, n, split, v0 == split * SPLIT, false);
    }
}
/* One row's splits joined: its log-sum-exp, where its maximum is, the mean of its logits. */
static double join(const job *j, int64_t r, int32_t *best, double *mean) {
    const float *max = j->max + r * j->splits, *sum = j->sum + r * j->splits;
    int64_t top = 0;
    double to = max[0], exps = 0, all = 0;
    for (int64_t i = 1; i < j->splits; i++)
        if (max[i] > max[top] || isnan(max[i])) to = max[top = i];
    for (int64_t i = 0; i < j->splits; i++) exps += j->splits == 1 ? sum[i] : sum[i] * exp(max[i] - to);
    for (int64_t i = 0; i < j->splits && j->all; i++) all += j->all[r * j->splits + i];
    double lse = to + log(exps);
    if (j->best) *best = isnan(lse) ? -1 : j->best[r * j->splits + top];
    *mean = all / (double)j->V;
    return lse;
}
/* What row r comes to, from its splits. */
static void row_end(const job *j, int64_t r) {
    hn_call *c = j->c;
    double lse = 0, loss = 0, mean = 0, smoothing = j->at->smoothing;
    int32_t best = -1;
    if (j->y[r] != j->at->ignore) {
        lse = join(j, r, &best, &mean);
        loss = lse - (1 - smoothing) * j->target[r] - smoothing * mean;
    }
    if (c->aux[0]) ((float *)c->aux[0]->data)[r] = (float)lse;
    if (j->at->per_token) j->at->per_token[r] = (float)loss;
    if (j->at->best) j->at->best[r] = best;
    j->loss[r] = loss;
}

/* ---- forward that leaves the gradients ---- */

static void lead_scale(const job *j, int64_t i0, int64_t m, int64_t v0, int64_t n) {
    float rest = j->at->smoothing / (float)j->V;
    for (int64_t i = 0; i < m; i++) {
        int64_t r = j->r0 + i0 + i;
        float *z = j->dz + (i0 + i) * j->x.ld + v0, g = (float)(j->g * hn_cross_entropy_weight(j->c, r));
        if (g == 0) {
            memset(z, 0, (size_t)n * sizeof *z);
            continue;
        }
        j->v->scale(z, z, g * expf(j->max[r * j->splits + v0 / TILE] - j->lse[r]), n);
        for (int64_t k = 0; k < n && rest > 0; k++) z[k] -= g * rest;
        if (j->y[r] >= v0 && j->y[r] < v0 + n) z[j->y[r] - v0] -= g * (1 - j->at->smoothing);
    }
}
static void lead_tile(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t v0 = task % j->tiles_v * TILE, i0 = task / j->tiles_v * ROWS, m = HN_MIN(ROWS, j->rows - i0), n = HN_MIN(TILE, j->V - v0);
    float *z = j->dz + i0 * j->x.ld + v0;
    logits_of(j, z, j->x.ld, j->r0 + i0, m, v0, n);
    see_tile(j, z, j->x.ld, j->r0 + i0, m, v0, n, v0 / TILE, true, true);
    if (j->tiles_v > 1) return;
    for (int64_t i = 0; i < m; i++) row_end(j, j->r0 + i0 + i);
    lead_scale(j, i0, m, v0, n);
}
static void lead_scale_tile(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t v0 = task % j->tiles_v * TILE, i0 = task / j->tiles_v * ROWS;
    lead_scale(j, i0, HN_MIN(ROWS, j->rows - i0), v0, HN_MIN(TILE, j->V - v0));
}

/* In pairs of bf16. */
static int64_t row_floats(int64_t n) { return hn_pad_ld(hn_pairs_cells(n)); } /* of bf16 */
static int64_t tile_floats(const job *j) { return row_floats(HN_MIN(TILE, j->V)); }
static int64_t pairs_cut(job *j, float *s) {
    float *start = s;
    int64_t n = 0, at, rows = hn_head_rows(&j->x, 1), cells = hn_pairs_cells(rows);
    j->room = ROWS * HN_MIN(TILE, hn_round(j->V)) + hn_pairs_packed(j->p, HN_MIN(TILE, j->V), hn_pairs_cells(j->C));
#define TAKE(count) (at = n, n += hn_round(count), start ? start + at : NULL)
    j->rooms = TAKE(hn_pool_threads(j->c->pool) * j->room);
    j->h16 = TAKE(j->R * row_floats(j->C));
    j->dz16 = TAKE(j->tiles_v * rows * tile_floats(j));
    if (j->w->wants_grad) {
        j->packed_dz = (uint32_t *)(void *)TAKE(hn_pairs_packed(j->p, j->V, cells));
        j->packed_h = (uint32_t *)(void *)TAKE(hn_pairs_packed(j->p, j->C, cells));
    }
    j->packed_w = (uint32_t *)(void *)TAKE(hn_pairs_packed(j->p, j->C, hn_pairs_cells(HN_MIN(DH_DEPTH, j->V))));
#undef TAKE
    return n;
}
static hn_bf16 *h_row(const job *j, int64_t r) { return (hn_bf16 *)(void *)(j->h16 + r * row_floats(j->C)); }
static hn_bf16 *dz_row(const job *j, int64_t tile, int64_t i) { return (hn_bf16 *)(void *)(j->dz16 + (tile * j->rows + i) * tile_floats(j)); }
static void narrow_row(const job *j, hn_bf16 *to, const float *from, int64_t n) {
    j->v->narrow(to, from, n);
    if (n % 2) to[n] = 0;
}
static void narrow_h(void *arg, int64_t task, int worker) {
    job *j = arg;
    for (int64_t r = task * ROWS; r < HN_MIN(j->R, (task + 1) * ROWS); r++) narrow_row(j, h_row(j, r), hn_row_of(j->h, r), j->C);
}
/* A tile of classes with all rows of the block: exp(z − the tile's maximum) of each row. */
static void pairs_tile(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t v0 = task * TILE, n = HN_MIN(TILE, j->V - v0), ld = HN_MIN(TILE, hn_round(j->V)), cells = hn_pairs_cells(j->C);
    float *z = j->rooms + worker * j->room;
    uint32_t *w = (uint32_t *)(void *)(z + ROWS * ld);
    j->p->pack(w, j->p->width * cells, hn_row_of(j->w, v0), HONE_F32, j->w->ld, true, n, j->C);
    for (int64_t i0 = 0; i0 < j->rows; i0 += ROWS) {
        int64_t m = HN_MIN(ROWS, j->rows - i0);
        hn_pairs_left h = { h_row(j, j->r0 + i0), row_floats(j->C) * 4, 4, 0 };
        j->p->product(z, ld, m, n, cells, &h, w, j->p->width * cells, false);
        see_tile(j, z, ld, j->r0 + i0, m, v0, n, task, true, true);
        for (int64_t i = 0; i < m; i++) narrow_row(j, dz_row(j, task, i0 + i), z + i * ld, n);
    }
}
/* That made dz, and packed for dw. */
static void pairs_scale(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t v0 = task * TILE, n = HN_MIN(TILE, j->V - v0), cells = hn_pairs_cells(j->rows);
    float *z = j->rooms + worker * j->room, rest = j->at->smoothing / (float)j->V;
    for (int64_t i = 0; i < j->rows; i++) {
        int64_t r = j->r0 + i;
        hn_bf16 *to = dz_row(j, task, i);
        float g = (float)(j->g * hn_cross_entropy_weight(j->c, r));
        if (g == 0) {
            memset(to, 0, (size_t)n * sizeof *to);
            continue;
        }
        j->v->widen(z, to, n);
        j->v->scale(z, z, g * expf(j->max[r * j->splits + task] - j->lse[r]), n);
        for (int64_t k = 0; k < n && rest > 0; k++) z[k] -= g * rest;
        if (j->y[r] >= v0 && j->y[r] < v0 + n) z[j->y[r] - v0] -= g * (1 - j->at->smoothing);
        j->v->narrow(to, z, n);
    }
    if (j->dw)
        j->p->pack(j->packed_dz + hn_pairs_at(j->p, cells, v0, 0), j->p->width * cells, dz_row(j, task, 0), HONE_BF16,
                   2 * tile_floats(j), false, n, j->rows);
}
static void pairs_pack_h(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t k0 = task * TILE, cells = hn_pairs_cells(j->rows);
    j->p->pack(j->packed_h + hn_pairs_at(j->p, cells, k0, 0), j->p->width * cells, h_row(j, j->r0) + k0, HONE_BF16,
               2 * row_floats(j->C), false, HN_MIN(TILE, j->C - k0), j->rows);
}
static void pairs_dw_tile(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t across = hn_cdiv(j->C, DW_SIDE), v0 = task / across * DW_SIDE, k0 = task % across * DW_SIDE, cells = hn_pairs_cells(j->rows);
    hn_pairs_left dz = hn_pairs_panels(j->p, j->packed_dz, cells, v0, 0);
    j->p->product(hn_row_of(j->dw, v0) + k0, j->dw->ld, HN_MIN(DW_SIDE, j->V - v0), HN_MIN(DW_SIDE, j->C - k0), cells, &dz,
                  j->packed_h + hn_pairs_at(j->p, cells, k0, 0), j->p->width * cells, true);
}
/* dh over classes deep … deep + deep_n. */
static void pairs_pack_w(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t v = task * TILE, cells = hn_pairs_cells(j->deep_n);
    j->p->pack(j->packed_w + hn_pairs_at(j->p, cells, 0, hn_pairs_cells(v)), j->p->width * cells, hn_row_of(j->w, j->deep + v), HONE_F32,
               j->w->ld, false, j->C, HN_MIN(TILE, j->deep_n - v));
}
static void pairs_dh_tile(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t across = hn_cdiv(j->C, TILE), i0 = task / across * ROWS, k0 = task % across * TILE, cells = hn_pairs_cells(j->deep_n);
    for (int64_t v = 0; v < j->deep_n; v += TILE) {
        hn_pairs_left dz = { dz_row(j, (j->deep + v) / TILE, i0), tile_floats(j) * 4, 4, 0 };
        j->p->product(hn_row_of(j->dh, j->r0 + i0) + k0, j->dh->ld, HN_MIN(ROWS, j->rows - i0), HN_MIN(TILE, j->C - k0),
                      hn_pairs_cells(HN_MIN(TILE, j->deep_n - v)), &dz, j->packed_w + hn_pairs_at(j->p, cells, k0, hn_pairs_cells(v)),
                      j->p->width * cells, j->deep + v > 0);
    }
}
static void lead_in_pairs(job *j) {
    hn_call *c = j->c;
    double all = (double)j->rows * (double)j->V, flops = all * (double)j->C;
    if (!j->r0) hn_cpu_run(c, 10.0 * (double)(j->R * j->C), hn_cdiv(j->R, ROWS), narrow_h, j);
    hn_cpu_run(c, flops, j->tiles_v, pairs_tile, j);
    for (int64_t r = j->r0; r < j->r0 + j->rows; r++) row_end(j, r);
    hn_cpu_run(c, 8 * all, j->tiles_v, pairs_scale, j);
    if (j->dw) {
        hn_cpu_run(c, 10.0 * (double)(j->rows * j->C), hn_cdiv(j->C, TILE), pairs_pack_h, j);
        hn_cpu_run(c, flops, hn_cdiv(j->V, DW_SIDE) * hn_cdiv(j->C, DW_SIDE), pairs_dw_tile, j);
    }
    for (j->deep = 0; j->dh && j->deep < j->V; j->deep += DH_DEPTH) {
        j->deep_n = HN_MIN(DH_DEPTH, j->V - j->deep);
        hn_cpu_run(c, 10.0 * (double)(j->deep_n * j->C), hn_cdiv(j->deep_n, TILE), pairs_pack_w, j);
        hn_cpu_run(c, flops * (double)j->deep_n / (double)j->V, hn_cdiv(j->rows, ROWS) * hn_cdiv(j->C, TILE), pairs_dh_tile, j);
    }
}

static void lead(job *j) {
    hn_call *c = j->c;
    hone_tensor dh = *c->aux[1], dw = *j->w;
    dh.fresh = true;
    dw.data = j->w->grad;
    bool wants_w = j->w->wants_grad && j->w->grad;
    j->g = 1 / hn_cross_entropy_denominator(c);
    j->lse = c->aux[0]->data;
    j->dh = j->h->wants_grad ? &dh : NULL, j->dw = wants_w ? &dw : NULL;
    for (int64_t step = hn_head_rows(&j->x, 1); j->r0 < j->R; j->r0 += step) {
        j->rows = HN_MIN(step, j->R - j->r0);
        if (j->p) {
            lead_in_pairs(j);
            continue;
        }
        int64_t tiles = hn_cdiv(j->rows, ROWS) * j->tiles_v;
        double all = (double)j->rows * (double)j->V;
        hn_cpu_run(c, 2.0 * all * (double)(j->C + 16), tiles, lead_tile, j);
        if (j->tiles_v > 1) {
            for (int64_t r = j->r0; r < j->r0 + j->rows; r++) row_end(j, r);
            hn_cpu_run(c, 8 * all, tiles, lead_scale_tile, j);
        }
        hn_head_grads(c, &j->x, j->r0, j->rows, j->dz, j->dh, j->dw);
    }
}

static void forward(hn_call *c) {
    job j = job_new(c);
    double total = 0;
    if (!hn_cross_entropy_targets(c)) return;
    if (frozen(&j)) {
        hn_frozen_head_forward(c);
        return;
    }
    float *s = c->scratch;
    j.max = hn_take(&s, j.R * j.splits);
    j.sum = hn_take(&s, j.R * j.splits);
    j.target = hn_take(&s, j.R);
    j.loss = (double *)(void *)hn_take(&s, 2 * j.R);
    if (j.at->smoothing > 0) j.all = hn_take(&s, j.R * j.splits);
    if (j.at->best) j.best = (int32_t *)(void *)hn_take(&s, j.R * j.splits);
    if (j.w->dtype != HONE_F32) j.wide = hn_take(&s, hn_pool_threads(c->pool) * wide_floats(&j));
    if (j.p) (void)pairs_cut(&j, s);
    else j.tiles = j.dz = s;
    if (j.leads) lead(&j);
    else {
        hn_cpu_run(c, 2.0 * (double)j.R * (double)j.V * (double)(j.C + 16), hn_cdiv(j.R, ROWS) * j.splits, forward_task, &j);
        for (int64_t r = 0; r < j.R; r++) row_end(&j, r);
    }
    for (int64_t r = 0; r < j.R; r++) total += hn_cross_entropy_weight(c, r) * j.loss[r];
    *(float *)c->out->data = (float)(total / hn_cross_entropy_denominator(c));
}

/* ---- backward ---- */

static void dz_tile(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t v0 = task % j->tiles_v * TILE, i0 = task / j->tiles_v * ROWS, m = HN_MIN(ROWS, j->rows - i0), n = HN_MIN(TILE, j->V - v0);
    int64_t ld = j->x.ld;
    float *z = j->dz + i0 * ld + v0;
    logits_of(j, z, ld, j->r0 + i0, m, v0, n);
    for (int64_t i = 0; i < m; i++) {
        float *zi = z + i * ld;
        int64_t r = j->r0 + i0 + i;
        float g = (float)(j->g * hn_cross_entropy_weight(j->c, r)), rest = j->at->smoothing / (float)j->V;
        if (g == 0) {
            memset(zi, 0, (size_t)n * sizeof *zi);
            continue;
        }
        j->v->exp_shift(zi, zi, 1, j->lse[r], n);
        for (int64_t k = 0; k < n && rest > 0; k++) zi[k] -= rest;
        if (j->y[r] >= v0 && j->y[r] < v0 + n) zi[j->y[r] - v0] -= 1 - j->at->smoothing;
        j->v->scale(zi, zi, g, n);
    }
}
static void take_dh(hn_call *c, hone_tensor *dh) {
    const hone_tensor *from = c->aux[1];
    const hn_vec *v = hn_vec_now();
    for (int64_t r = 0, C = hn_cols(dh); r < from->shape[0]; r++)
        if (dh->fresh) memcpy(hn_row_of(dh, r), hn_row_of(from, r), (size_t)C * sizeof(float));
        else v->add(hn_row_of(dh, r), hn_row_of(dh, r), hn_row_of(from, r), C);
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    if (!hn_cross_entropy_root(c)) return;
    if (j.leads) {
        if (dx[0]) take_dh(c, dx[0]);
        return;
    }
    j.dz = c->scratch;
    j.g = *c->out->grad / hn_cross_entropy_denominator(c);
    j.lse = c->aux[0]->data;
    if (dx[1] && dx[1]->fresh) hn_zero_rows(dx[1]);
    double flops = 2.0 * (double)j.V * (double)(j.C + 16);
    for (int64_t step = hn_head_rows(&j.x, 1); j.r0 < j.R; j.r0 += step) {
        j.rows = HN_MIN(step, j.R - j.r0);
        hn_cpu_run(c, flops * (double)j.rows, hn_cdiv(j.rows, ROWS) * j.tiles_v, dz_tile, &j);
        hn_head_grads(c, &j.x, j.r0, j.rows, j.dz, dx[0], dx[1]);
    }
}
extern const hn_kernel hn_cpu_linear_cross_entropy;
const hn_kernel hn_cpu_linear_cross_entropy = { &hn_op_linear_cross_entropy, forward, backward, scratch_bytes, .overwrites = true };
