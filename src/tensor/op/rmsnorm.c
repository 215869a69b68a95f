/* rmsnorm.c - y = x̂·w, x̂ = x·r, r = 1/√(mean(x²) + eps). Zhang & Sennrich 2019, arXiv:1910.07467.
 *
 * A group is as many columns as w has: all of them, or one head's, where each head is normalised by itself (the query and key norms
 * of some models). g = dy·w · dx += r·(g − x̂·mean(g·x̂)) · dw += Σ dy·x̂. Keeps x, w and r. A residual is added by hone_add before:
 * the sum is the next block's residual too, so it has to be a tensor of its own. */
#include "tensor/op/op.h"

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0], *w = c->in[1];
    if (!x || x->dtype != HONE_F32 || x->dims < 1 || hn_cols(x) < 1) return HN_MISFIT(c, "rmsnorm: x must be f32 with at least one column");
    if (!hn_is_f32(w, 1) || w->shape[0] < 1 || hn_cols(x) % w->shape[0])
        return HN_MISFIT(c, "rmsnorm: x is (%s) but w is (%s)", HN_SHAPE(c, x), w ? HN_SHAPE(c, w) : "");
    hn_same_shape(c->out, x);
    *c->aux[0] = (hone_tensor){ .dtype = HONE_F32, .dims = 1, .shape = { hn_rows(x) * (hn_cols(x) / w->shape[0]) } };
    c->n_aux = 1;
    return true;
}

static void forward(hn_call *c) {
    const hone_tensor *x = c->in[0];
    const float *w = c->in[1]->data;
    int64_t D = hn_cols(c->in[1]), groups = hn_cols(x) / D;
    double eps = ((const hn_rmsnorm_attr *)c->attr)->eps;
    for (int64_t r = 0; r < hn_rows(x) * groups; r++) {
        const float *xr = hn_row_of(x, r / groups) + r % groups * D;
        float *y = hn_row_of(c->out, r / groups) + r % groups * D;
        double squares = 0;
        for (int64_t i = 0; i < D; i++) squares += (double)xr[i] * xr[i];
        double rms = 1 / sqrt(squares / (double)D + eps);
        for (int64_t i = 0; i < D; i++) y[i] = (float)(xr[i] * rms * w[i]);
        if (c->aux[0]) ((float *)c->aux[0]->data)[r] = (float)rms;
    }
}

static int64_t scratch_bytes(const hn_call *c, bool backward) { return backward ? hn_cols(c->in[1]) * (int64_t)sizeof(double) : 0; }

static void backward(hn_call *c, hone_tensor *const dx[]) {
    const hone_tensor *x = c->in[0];
    const float *w = c->in[1]->data, *rms = c->aux[0]->data;
    int64_t D = hn_cols(c->in[1]), groups = hn_cols(x) / D;
    double *dw = c->scratch;
    memset(dw, 0, (size_t)D * sizeof *dw);
    for (int64_t r = 0; r < hn_rows(x) * groups; r++) {
        int64_t at = r % groups * D;
        const float *dy = c->out->grad + r / groups * c->out->ld + at, *xr = hn_row_of(x, r / groups) + at;
        double gx = 0;
        for (int64_t i = 0; i < D; i++) {
            dw[i] += dy[i] * (double)xr[i] * rms[r];
            gx += (double)dy[i] * w[i] * xr[i] * rms[r];
        }
        for (int64_t i = 0; i < D && dx[0]; i++)
            hn_row_of(dx[0], r / groups)[at + i] += (float)(rms[r] * ((double)dy[i] * w[i] - (double)xr[i] * rms[r] * gx / (double)D));
    }
    for (int64_t i = 0; i < D && dx[1]; i++) ((float *)dx[1]->data)[i] += (float)dw[i];
}

static hn_cost cost(const hn_call *c) { return (hn_cost){ 0, hn_bytes_moved(c) }; }

hone_tensor *hone_rmsnorm(hone_tape *t, hone_tensor *x, hone_tensor *w, float eps) {
    return hn_apply(t, &hn_op_rmsnorm, &(hn_rmsnorm_attr){ eps }, (hone_tensor *[]){ x, w });
}

static const hn_rmsnorm_attr usual = { 1e-5f };
static const hn_op_case cases[] = {
    { "no rows", { HN_DIMS(0, 5), HN_DIMS(5) }, { 2, 1 }, &usual },
    { "one column", { HN_DIMS(3, 1), HN_DIMS(1) }, { 2, 1 }, &usual },
    { "odd", { HN_DIMS(3, 5, 7), HN_DIMS(7) }, { 3, 1 }, &usual },
    { "columns", { HN_DIMS(19, 35), HN_DIMS(35) }, { 2, 1 }, &usual, .views = true },
    { "many rows", { HN_DIMS(131, 16), HN_DIMS(16) }, { 2, 1 }, &usual },
    { "heads, columns", { HN_DIMS(2, 9, 54), HN_DIMS(18) }, { 3, 1 }, &usual, .views = true },
};
const hn_op hn_op_rmsnorm = {
    .item = { "rmsnorm", "root mean square 1 over the last dimension, then scale", "arXiv:1910.07467", NULL, 0, sizeof(hn_rmsnorm_attr) },
    .saves = HN_SAVE_IN0 | HN_SAVE_IN1 | HN_SAVE_AUX,
    .remade_from = HN_SAVE_IN0,
    .n_in = 2,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch_bytes = scratch_bytes,
    HN_CASES(cases),
};
