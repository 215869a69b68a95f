/* layernorm.c - y = x̂·w + b, x̂ = (x − mean)·r, r = 1/√(var + eps), over the last dimension. Ba et al. 2016, arXiv:1607.06450.
 *
 * g = dy·w · dx += r·(g − mean(g) − x̂·mean(g·x̂)) · dw += Σ dy·x̂ · db += Σ dy. Keeps x, w, mean and r. */
#include "tensor/op/op.h"

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0], *w = c->in[1], *b = c->in[2];
    if (!x || x->dtype != HONE_F32 || x->dims < 1 || hn_cols(x) < 1)
        return HN_MISFIT(c, "layernorm: x must be f32 with at least one column");
    if (!hn_is_f32(w, 1) || w->shape[0] != hn_cols(x))
        return HN_MISFIT(c, "layernorm: x is (%s) but w is (%s)", HN_SHAPE(c, x), w ? HN_SHAPE(c, w) : "");
    if (b && (!hn_is_f32(b, 1) || b->shape[0] != hn_cols(x)))
        return HN_MISFIT(c, "layernorm: x is (%s) but b is (%s)", HN_SHAPE(c, x), HN_SHAPE(c, b));
    hn_same_shape(c->out, x);
    c->n_aux = 2;
    for (int i = 0; i < 2; i++) {
        c->aux[i]->dtype = HONE_F32;
        c->aux[i]->dims = 1;
        c->aux[i]->shape[0] = hn_rows(x);
    }
    return true;
}

static void forward(hn_call *c) {
    const hone_tensor *x = c->in[0];
    const float *w = c->in[1]->data, *b = c->in[2] ? c->in[2]->data : NULL;
    int64_t C = hn_cols(x);
    double eps = ((const hn_layernorm_attr *)c->attr)->eps;
    for (int64_t r = 0; r < hn_rows(x); r++) {
        const float *xr = hn_row_of(x, r);
        double mean = 0, var = 0;
        for (int64_t i = 0; i < C; i++) mean += xr[i];
        mean /= (double)C;
        for (int64_t i = 0; i < C; i++) var += (xr[i] - mean) * (xr[i] - mean);
        double rstd = 1 / sqrt(var / (double)C + eps);
        for (int64_t i = 0; i < C; i++) hn_row_of(c->out, r)[i] = (float)((xr[i] - mean) * rstd * w[i] + (b ? b[i] : 0));
        if (c->aux[0]) {
            ((float *)c->aux[0]->data)[r] = (float)mean;
            ((float *)c->aux[1]->data)[r] = (float)rstd;
        }
    }
}

static int64_t scratch_bytes(const hn_call *c, bool backward) { return backward ? 2 * hn_cols(c->in[0]) * (int64_t)sizeof(double) : 0; }

static void backward(hn_call *c, hone_tensor *const dx[]) {
    const hone_tensor *x = c->in[0];
    const float *w = c->in[1]->data, *mean = c->aux[0]->data, *rstd = c->aux[1]->data;
    int64_t C = hn_cols(x);
    double *dw = c->scratch, *db = dw + C;
    memset(dw, 0, (size_t)(2 * C) * sizeof *dw);
    for (int64_t r = 0; r < hn_rows(x); r++) {
        const float *dy = c->out->grad + r * c->out->ld, *xr = hn_row_of(x, r);
        double g = 0, gx = 0;
        for (int64_t i = 0; i < C; i++) {
            double xhat = ((double)xr[i] - mean[r]) * rstd[r];
            dw[i] += dy[i] * xhat;
            db[i] += dy[i];
            g += (double)dy[i] * w[i];
            gx += (double)dy[i] * w[i] * xhat;
        }
        for (int64_t i = 0; i < C && dx[0]; i++) {
            double xhat = ((double)xr[i] - mean[r]) * rstd[r];
            hn_row_of(dx[0], r)[i] += (float)(rstd[r] * ((double)dy[i] * w[i] - g / (double)C - xhat * gx / (double)C));
        }
    }
    for (int64_t i = 0; i < C && dx[1]; i++) ((float *)dx[1]->data)[i] += (float)dw[i];
    for (int64_t i = 0; i < C && dx[2]; i++) ((float *)dx[2]->data)[i] += (float)db[i];
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_layernorm(hone_tape *t, hone_tensor *x, hone_tensor *w, hone_tensor *b, float eps) {
    return hn_apply(t, &hn_op_layernorm, &(hn_layernorm_attr){eps}, (hone_tensor *[]){x, w, b});
}

static const hn_layernorm_attr usual = {1e-5f};
static const hn_op_case cases[] = {
    {"no rows", {HN_DIMS(0, 5), HN_DIMS(5), HN_DIMS(5)}, {2, 1, 1}, &usual},
    {"one column", {HN_DIMS(3, 1), HN_DIMS(1), HN_DIMS(1)}, {2, 1, 1}, &usual},
    {"odd", {HN_DIMS(3, 5, 7), HN_DIMS(7), HN_DIMS(7)}, {3, 1, 1}, &usual},
    {"no bias", {HN_DIMS(4, 33), HN_DIMS(33)}, {2, 1}, &usual},
    {"columns", {HN_DIMS(19, 35), HN_DIMS(35), HN_DIMS(35)}, {2, 1, 1}, &usual, .views = true},
    {"many rows", {HN_DIMS(131, 16), HN_DIMS(16), HN_DIMS(16)}, {2, 1, 1}, &usual},
};
const hn_op hn_op_layernorm = {
    .item = {"layernorm", "mean 0 and variance 1 over the last dimension, then scale and shift", "arXiv:1607.06450", NULL, 0,
             sizeof(hn_layernorm_attr)},
    .saves = HN_SAVE_IN0 | HN_SAVE_IN1 | HN_SAVE_AUX,
    .remade_from = HN_SAVE_IN0,
    .n_in = 3,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch_bytes = scratch_bytes,
    HN_CASES(cases),
};
