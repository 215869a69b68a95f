/* linear_cross_entropy.c - loss = Σ (lse(z_i) − z_i[target_i]) / denominator, z_i = h_i·wᵀ (V), over the rows whose target is not −1.
 * The reference holds the logits of one row; backward makes them again from h, w and the kept log-sum-exp.
 *
 * dz = (softmax(z) − onehot)·dloss/denominator · dh += dz·w · dw += dzᵀ·h. No target at all: loss 0, no gradient. */
#include "tensor/op/op.h"

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *h = c->in[0], *w = c->in[1], *y = c->in[2];
    double d = ((const hn_linear_cross_entropy_attr *)c->attr)->denominator;
    if (!h || h->dtype != HONE_F32 || h->dims < 1 || !hn_is_f32(w, 2) || w->shape[1] != hn_cols(h) || w->shape[0] < 1)
        return HN_MISFIT(c, "linear_cross_entropy: h is (%s) but w is (%s)", h ? HN_SHAPE(c, h) : "", w ? HN_SHAPE(c, w) : "");
    if (!y || y->dtype != HONE_I32 || hn_count(y) * hn_cols(h) != hn_count(h))
        return HN_MISFIT(c, "linear_cross_entropy: h is (%s) but targets are %s (%s)", HN_SHAPE(c, h), y ? hone_dtype_name(y->dtype) : "",
                         y ? HN_SHAPE(c, y) : "");
    if (!(d >= 0) || isinf(d)) return HN_MISFIT(c, "linear_cross_entropy: denominator %g", d);
    *c->out = (hone_tensor){.dtype = HONE_F32, .dims = 1, .shape = {1}};
    *c->aux[0] = (hone_tensor){.dtype = HONE_F32, .dims = 1, .shape = {hn_count(y)}};
    c->n_aux = 1;
    return true;
}

static double denominator(const hn_call *c) {
    double d = ((const hn_linear_cross_entropy_attr *)c->attr)->denominator;
    if (d > 0) return d;
    for (int64_t i = 0; i < hn_count(c->in[2]); i++) d += hn_ids(c->in[2])[i] >= 0;
    return d > 0 ? d : 1;
}

static int64_t scratch_bytes(const hn_call *c, bool backward) { return (c->in[1]->shape[0] + hn_cols(c->in[0])) * (int64_t)sizeof(double); }

static void logits(const hn_call *c, int64_t r, double *z) {
    const hone_tensor *w = c->in[1];
    for (int64_t v = 0; v < w->shape[0]; v++) {
        z[v] = 0;
        for (int64_t k = 0; k < w->shape[1]; k++) z[v] += (double)hn_row_of(c->in[0], r)[k] * hn_row_of(w, v)[k];
    }
}

static void forward(hn_call *c) {
    const int32_t *y = hn_ids(c->in[2]);
    int64_t R = hn_count(c->in[2]), V = c->in[1]->shape[0];
    float *per_token = ((const hn_linear_cross_entropy_attr *)c->attr)->per_token;
    double *z = c->scratch, total = 0;
    if (!hn_ids_in_range(c, "linear_cross_entropy: target", y, R, -1, V)) return;
    for (int64_t r = 0; r < R; r++) {
        double max = -INFINITY, sum = 0, loss = 0, lse = 0;
        if (y[r] >= 0) {
            logits(c, r, z);
            for (int64_t v = 0; v < V; v++) max = fmax(max, z[v]);
            for (int64_t v = 0; v < V; v++) sum += exp(z[v] - max);
            lse = max + log(sum);
            loss = lse - z[y[r]];
        }
        if (c->aux[0]) ((float *)c->aux[0]->data)[r] = (float)lse;
        if (per_token) per_token[r] = (float)loss;
        total += loss;
    }
    *(float *)c->out->data = (float)(total / denominator(c));
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    const hone_tensor *h = c->in[0], *w = c->in[1];
    const int32_t *y = hn_ids(c->in[2]);
    int64_t R = hn_count(c->in[2]), V = w->shape[0], C = w->shape[1];
    double *z = c->scratch, *dh = z + V, g = *c->out->grad / denominator(c);
    for (int64_t r = 0; r < R; r++) {
        if (y[r] < 0) continue;
        logits(c, r, z);
        memset(dh, 0, (size_t)C * sizeof *dh);
        for (int64_t v = 0; v < V; v++) {
            double dz = g * (exp(z[v] - ((const float *)c->aux[0]->data)[r]) - (v == y[r]));
            for (int64_t k = 0; k < C; k++) dh[k] += dz * hn_row_of(w, v)[k];
            for (int64_t k = 0; k < C && dx[1]; k++) hn_row_of(dx[1], v)[k] += (float)(dz * hn_row_of(h, r)[k]);
        }
        for (int64_t k = 0; k < C && dx[0]; k++) hn_row_of(dx[0], r)[k] += (float)dh[k];
    }
}

static hn_cost cost(const hn_call *c) {
    return (hn_cost){2.0 * (double)hn_count(c->in[0]) * (double)c->in[1]->shape[0], hn_bytes_moved(c)};
}

hone_tensor *hone_linear_cross_entropy(hone_tape *t, hone_tensor *h, hone_tensor *w, hone_tensor *targets, double denom, float *per_token) {
    return hn_apply(t, &hn_op_linear_cross_entropy, &(hn_linear_cross_entropy_attr){denom, per_token}, (hone_tensor *[]){h, w, targets});
}

static const hn_linear_cross_entropy_attr mean = {0}, given = {.denominator = 37};
static const hn_op_case cases[] = {
    {"no rows", {HN_DIMS(0, 5), HN_DIMS(3, 5), HN_DIMS(0)}, {2, 2, 1}, &mean, {0, 0, 3}},
    {"one class", {HN_DIMS(2, 3), HN_DIMS(1, 3), HN_DIMS(2)}, {2, 2, 1}, &mean, {0, 0, 1}},
    {"odd", {HN_DIMS(3, 5, 7), HN_DIMS(13, 7), HN_DIMS(3, 5)}, {3, 2, 2}, &mean, {0, 0, 13}},
    {"some ignored, given denominator", {HN_DIMS(4, 5, 9), HN_DIMS(6, 9), HN_DIMS(4, 5)}, {3, 2, 2}, &given, {0, 0, -6}},
    {"columns, some ignored", {HN_DIMS(11, 16), HN_DIMS(35, 16), HN_DIMS(11)}, {2, 2, 1}, &mean, {0, 0, -35}, .views = true},
    {"more rows and classes than a tile", {HN_DIMS(137, 8), HN_DIMS(301, 8), HN_DIMS(137)}, {2, 2, 1}, &mean, {0, 0, -301}},
};
const hn_op hn_op_linear_cross_entropy = {
    .item = {"linear_cross_entropy", "head product, softmax and cross entropy without the whole logits", NULL, NULL, 0,
             sizeof(hn_linear_cross_entropy_attr)},
    .saves = HN_SAVE_IN0 | HN_SAVE_IN1 | HN_SAVE_IN2 | HN_SAVE_AUX,
    .n_in = 3,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch_bytes = scratch_bytes,
    HN_CASES(cases),
};
