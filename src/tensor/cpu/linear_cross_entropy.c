/* linear_cross_entropy.c - the head's product, softmax and loss by tiles, the logits never whole.
 *
 * Forward: a task is 128 rows × 4096 classes, walked by tiles of 512 classes; each leaves a maximum and a sum per row, joined in
 * order; where asked, the maximum's place and the sum of the logits too. Backward: by blocks of rows (head.h), first
 * dz = (p − onehot)·g by tiles, then dh += dz·w and dw += dzᵀ·h: with the forward's, four products.
 * Where the loss is the root, g is known and forward does it all in three: by blocks of rows, each tile leaves exp(z − shift), shift being
 * the multiple of 64 nearest to the tile's maximum, which is nearly always one number for all tiles of a row. So what makes these dz, once
 * the block's log-sum-exps are there, is one factor for the row (head.h) and one number, the target's, that is set anew; tiles of another
 * shift are scaled first. With label smoothing they are scaled all, and with one tile at once. dw goes into the weight's own gradient, dh
 * waits for backward; a frozen head goes without a second look at all (frozen_head.c). A head that is no weight itself (computed, a view)
 * takes the other way. A head of 16 bits, which is only read, is widened a tile at a time.
 * In pairs of bf16 (head.h) forward goes by tiles of 512 classes, each with all rows, and the exponentials are kept in bf16 as dz is. */
#include "tensor/cpu/few.h"
#include "tensor/cpu/frozen_head.h"
#include "tensor/cpu/head.h"
#include "tensor/op/op.h"

enum { ROWS = HN_HEAD_ROWS, TILE = HN_HEAD_TILE, SPLIT = 4096, FEW = 32 };

typedef struct {
    hn_call *c;
    const hn_vec *v;
    const hone_tensor *h, *w;
    const int32_t *y;
    int64_t R, V, C, splits;
    const hn_linear_cross_entropy_attr *at;
    float *max, *sum, *target; /* max, sum: (R,splits); target (R) */
    float *wide;               /* (workers, TILE·C) of a head of 16 bits */
    double *loss;              /* (R) */
    float *all;                /* (R,splits) sum of the logits; NULL: not smoothed */
    int32_t *best;             /* (R,splits) where the maximum is; NULL: not asked for */
    double g;
    hn_head x;
    const float *lse;
    int64_t first, end; /* rows that each_row_end goes through */
    bool leads; /* forward makes the gradients */
    bool keeps; /* … by hn_head_tiles_kept */
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
    j.x = hn_head_of(j.h, j.w);
    j.splits = j.leads || j.x.p ? j.x.tiles_v : hn_cdiv(j.V, SPLIT);
    j.keeps = j.leads && j.splits > 1 && !(j.at->smoothing > 0);
    return j;
}
static int64_t wide_floats(const job *j) { return hn_round(HN_MIN(TILE, j->V) * hn_pad_ld(j->C)); }
static int64_t head_cut(job *j, bool back, float *s) {
    if (back || j->leads) return hn_head_cut(&j->x, j->c, HN_HEAD_GRADS, hn_head_rows(&j->x, 1), s);
    return hn_head_cut(&j->x, j->c, HN_HEAD_SEEN, j->R, s);
}
/* Pairs have a way of their own. */
static bool frozen(const job *j) { return !j->x.p && hn_frozen_head(j->c); }
static int64_t scratch_bytes(const hn_call *c, bool back) {
    job j = job_new((hn_call *)c);
    if (frozen(&j)) return back ? 0 : hn_frozen_head_bytes(c);
    int64_t each = 2 + (j.at->smoothing > 0) + (j.at->best != NULL), n = back && j.leads ? 0 : head_cut(&j, back, NULL);
    if (!back) n += each * hn_round(j.R * j.splits) + hn_round(j.R) + hn_round(2 * j.R);
    if (!back && j.w->dtype != HONE_F32) n += hn_pool_threads(c->pool) * wide_floats(&j);
    return n * (int64_t)sizeof(float);
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
/* What sums of exponentials are relative to, from a maximum. */
static float shift_of(const job *j, float max) { return j->keeps ? 64 * rintf(max / 64) : max; }
/* A tile of logits into its rows' numbers at `split`; `leave`: exp(z − shift) stays in z, or in t->kept. */
static void see_tile(const job *j, const hn_head_tile *t, int64_t split, bool first, bool leave) {
    for (int64_t i = 0; i < t->m; i++) {
        int32_t y = j->y[t->r0 + i];
        if (y == j->at->ignore) continue;
        int64_t at = (t->r0 + i) * j->splits + split;
        float *max = j->max + at, *sum = j->sum + at, *zi = t->z + i * t->ld;
        float top = j->v->top(zi, t->n), to = first ? top : fmaxf(*max, top);
        if (j->best && (first || to > *max)) j->best[at] = (int32_t)t->v0 + place_of(zi, to, t->n);
        if (j->all) j->all[at] = (first ? 0 : j->all[at]) + row_sum(zi, t->n);
        if (y >= t->v0 && y < t->v0 + t->n) j->target[t->r0 + i] = zi[y - t->v0];
        float shift = shift_of(j, to), exps;
        if (leave && t->kept) exps = j->v->exp_narrow(t->kept + i * t->ld_kept, zi, shift, t->n);
        else exps = j->v->exp_shift(leave ? zi : NULL, zi, 1, shift, t->n);
        *sum = (first ? 0 : *sum * expf(*max - to)) + exps;
        *max = to;
    }
}
static void logits_of(const job *j, const hn_head_tile *t, float *wide) {
    const float *w = wide ? wide : hn_row_of(j->w, t->v0);
    int64_t ldw = wide ? hn_pad_ld(j->C) : j->w->ld;
    for (int64_t i = 0; i < t->n && wide; i++)
        hn_few_now()->widen(wide + i * ldw, hn_few_at(j->w->data, j->w->dtype, (t->v0 + i) * j->w->ld), j->w->dtype, j->C);
    hn_gemm(false, true, t->m, t->n, j->C, hn_row_of(j->h, t->r0), j->h->ld, w, ldw, 0, t->z, t->ld);
}
static void forward_task(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t tiles = hn_cdiv(j->R, ROWS), split = task / tiles, start = split * SPLIT, end = HN_MIN(start + SPLIT, j->V);
    hn_head_tile t = { .z = j->x.rooms + worker * j->x.room, .ld = HN_MIN(TILE, hn_round(j->V)), .r0 = task % tiles * ROWS };
    t.m = HN_MIN(ROWS, j->R - t.r0);
    for (t.v0 = start; t.v0 < end; t.v0 += TILE) {
        t.n = HN_MIN(TILE, end - t.v0);
        logits_of(j, &t, j->wide ? j->wide + worker * wide_floats(j) : NULL);
        see_tile(j, &t, split, t.v0 == start, false);
    }
}
static void see_only(void *arg, const hn_head_tile *t) { see_tile(arg, t, t->v0 / TILE, true, false); }
static void keep_tile(void *arg, const hn_head_tile *t) {
    const job *j = arg;
    see_tile(j, t, t->v0 / TILE, true, true);
    for (int64_t i = 0; i < t->m; i++) {
        hn_bf16 *kept = t->kept ? t->kept + i * t->ld_kept : NULL;
        if (hn_cross_entropy_weight(j->c, t->r0 + i) == 0)
            memset(kept ? (void *)kept : t->z + i * t->ld, 0, (size_t)t->n * (kept ? sizeof *kept : sizeof *t->z));
        if (kept && t->n % 2) kept[t->n] = 0;
    }
}
/* One row's splits joined: its log-sum-exp, where its maximum is, the mean of its logits. */
static double join(const job *j, int64_t r, int32_t *best, double *mean) {
    const float *max = j->max + r * j->splits, *sum = j->sum + r * j->splits;
    int64_t top = 0;
    double to, exps = 0, all = 0;
    for (int64_t i = 1; i < j->splits; i++)
        if (max[i] > max[top] || isnan(max[i])) top = i;
    to = shift_of(j, max[top]);
    for (int64_t i = 0; i < j->splits; i++) {
        double from = shift_of(j, max[i]);
        exps += from == to ? sum[i] : sum[i] * exp(from - to);
    }
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

/* What makes the exponentials kept for a row its gradient. A row that weighs nothing holds zeros. */
static void make_gradients(const job *j, int64_t r) {
    int64_t i = r - j->x.r0;
    const float *max = j->max + r * j->splits;
    float g = (float)(j->g * hn_cross_entropy_weight(j->c, r)), shift;
    j->x.by[i] = 0;
    if (g == 0) return;
    shift = shift_of(j, max[0]);
    for (int64_t s = 1; s < j->splits; s++) shift = fmaxf(shift, shift_of(j, max[s]));
    for (int64_t s = 0; s < j->splits; s++) {
        float less = shift_of(j, max[s]) - shift;
        for (int64_t k = 0; k < TILE && s * TILE + k < j->V && less < 0; k++)
            hn_head_mend(&j->x, i, s * TILE + k, hn_head_kept(&j->x, i, s * TILE + k) * expf(less));
    }
    j->x.by[i] = g * expf(shift - j->lse[r]);
    hn_head_mend(&j->x, i, j->y[r], expf(j->lse[r] - shift) * expm1f(j->target[r] - j->lse[r])); /* p − 1, exact near 0 */
}
static void end_rows(void *arg, int64_t task, int worker) {
    const job *j = arg;
    for (int64_t r = j->first + task * FEW; r < HN_MIN(j->end, j->first + (task + 1) * FEW); r++) {
        row_end(j, r);
        if (j->keeps) make_gradients(j, r);
    }
}
static void each_row_end(job *j, int64_t first, int64_t end) {
    j->first = first, j->end = end;
    hn_cpu_run(j->c, 500.0 * (double)((end - first) * j->splits), hn_cdiv(end - first, FEW), end_rows, j);
}

/* ---- forward that leaves the gradients ---- */

static void lead_scale(void *arg, const hn_head_tile *t) {
    const job *j = arg;
    float rest = j->at->smoothing / (float)j->V;
    for (int64_t i = 0; i < t->m; i++) {
        int64_t r = t->r0 + i;
        float *z = t->z + i * t->ld, g = (float)(j->g * hn_cross_entropy_weight(j->c, r));
        if (g == 0) {
            memset(z, 0, (size_t)t->n * sizeof *z);
            continue;
        }
        j->v->scale(z, z, g * expf(j->max[r * j->splits + t->v0 / TILE] - j->lse[r]), t->n);
        for (int64_t k = 0; k < t->n && rest > 0; k++) z[k] -= g * rest;
        if (j->y[r] >= t->v0 && j->y[r] < t->v0 + t->n) z[j->y[r] - t->v0] -= g * (1 - j->at->smoothing);
    }
}
static void lead_see(void *arg, const hn_head_tile *t) {
    const job *j = arg;
    see_tile(j, t, t->v0 / TILE, true, true);
    if (j->splits > 1) return;
    for (int64_t i = 0; i < t->m; i++) row_end(j, t->r0 + i);
    lead_scale(arg, t);
}
static void lead(job *j) {
    hn_call *c = j->c;
    hone_tensor dh = *c->aux[1], dw = *j->w;
    dh.fresh = true;
    dw.data = j->w->grad;
    bool wants_w = j->w->wants_grad && j->w->grad;
    j->g = 1 / hn_cross_entropy_denominator(c);
    j->lse = c->aux[0]->data;
    for (int64_t r0 = 0; r0 < j->R; r0 += j->x.block) {
        if (j->keeps) {
            hn_head_tiles_kept(c, &j->x, r0, keep_tile, j);
            (void)hn_head_by(&j->x);
        } else hn_head_tiles(c, &j->x, NULL, r0, j->splits == 1, lead_see, j);
        if (j->splits > 1) each_row_end(j, r0, r0 + j->x.rows);
        if (j->splits > 1 && !j->keeps) hn_head_tiles_again(c, &j->x, lead_scale, j);
        hn_head_grads(c, &j->x, j->h->wants_grad ? &dh : NULL, wants_w ? &dw : NULL);
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
    (void)head_cut(&j, false, s);
    if (j.leads) lead(&j);
    else if (j.x.p) hn_head_tiles(c, &j.x, NULL, 0, false, see_only, &j);
    else hn_cpu_run(c, 2.0 * (double)j.R * (double)j.V * (double)(j.C + 16), hn_cdiv(j.R, ROWS) * j.splits, forward_task, &j);
    if (!j.leads) each_row_end(&j, 0, j.R);
    for (int64_t r = 0; r < j.R; r++) total += hn_cross_entropy_weight(c, r) * j.loss[r];
    *(float *)c->out->data = (float)(total / hn_cross_entropy_denominator(c));
}

/* ---- backward ---- */

static void turn(void *arg, const hn_head_tile *t) {
    const job *j = arg;
    for (int64_t i = 0; i < t->m; i++) {
        int64_t r = t->r0 + i;
        float *z = t->z + i * t->ld, g = (float)(j->g * hn_cross_entropy_weight(j->c, r)), rest = j->at->smoothing / (float)j->V;
        if (g == 0) {
            memset(z, 0, (size_t)t->n * sizeof *z);
            continue;
        }
        j->v->exp_shift(z, z, 1, j->lse[r], t->n);
        for (int64_t k = 0; k < t->n && rest > 0; k++) z[k] -= rest;
        if (j->y[r] >= t->v0 && j->y[r] < t->v0 + t->n) z[j->y[r] - t->v0] -= 1 - j->at->smoothing;
        j->v->scale(z, z, g, t->n);
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
    j.g = *c->out->grad / hn_cross_entropy_denominator(c);
    j.lse = c->aux[0]->data;
    (void)head_cut(&j, true, c->scratch);
    hn_head_backward(c, &j.x, NULL, turn, &j, dx[0], dx[1]);
}
extern const hn_kernel hn_cpu_linear_cross_entropy;
const hn_kernel hn_cpu_linear_cross_entropy = { &hn_op_linear_cross_entropy, forward, backward, scratch_bytes, .overwrites = true };
