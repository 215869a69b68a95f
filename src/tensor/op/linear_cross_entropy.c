/* linear_cross_entropy.c - loss = Σ weight_i·l_i / denominator over the rows whose target counts, z_i = h_i·wᵀ (V),
 * l_i = lse(z_i) − (1 − s)·z_i[target_i] − s·mean(z_i) with the smoothing s: the cross entropy to (1 − s)·onehot + s/V, as in
 * torch.nn.functional.cross_entropy. Label smoothing: Szegedy et al. 2016, arXiv:1512.00567.
 * The reference holds the logits of one row; backward makes them again from h, w and the kept log-sum-exp. Where the loss is promised
 * to be the root of backward, a kernel may make the gradients in forward, as Liger-Kernel does (Hsu et al. 2024, arXiv:2410.10989).
 *
 * dz = (softmax(z) − (1 − s)·onehot − s/V)·weight·dloss/denominator · dh += dz·w · dw += dzᵀ·h. No target at all: loss 0, no
 * gradient. The weights get none: they say what counts, and are not learned. */
#include "tensor/op/op.h"

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *h = c->in[0], *w = c->in[1], *y = c->in[2], *weights = c->in[3];
    const hn_linear_cross_entropy_attr *at = c->attr;
    if (!h || h->dtype != HONE_F32 || h->dims < 1 || !hn_is_real(w, 2) || w->shape[1] != hn_cols(h) || w->shape[0] < 1)
        return HN_MISFIT(c, "linear_cross_entropy: h is (%s) but w is (%s)", h ? HN_SHAPE(c, h) : "", w ? HN_SHAPE(c, w) : "");
    if (w->dtype != HONE_F32 && c->training)
        return HN_MISFIT(c, "linear_cross_entropy: w is %s, which is for reading only", hone_dtype_name(w->dtype));
    if (!y || y->dtype != HONE_I32 || hn_count(y) * hn_cols(h) != hn_count(h))
        return HN_MISFIT(c, "linear_cross_entropy: h is (%s) but targets are %s (%s)", HN_SHAPE(c, h), y ? hone_dtype_name(y->dtype) : "",
                         y ? HN_SHAPE(c, y) : "");
    if (weights && (weights->dtype != HONE_F32 || hn_count(weights) != hn_count(y)))
        return HN_MISFIT(c, "linear_cross_entropy: targets are (%s) but weights are %s (%s)", HN_SHAPE(c, y),
                         hone_dtype_name(weights->dtype), HN_SHAPE(c, weights));
    if (!(at->denominator >= 0) || isinf(at->denominator)) return HN_MISFIT(c, "linear_cross_entropy: denominator %g", at->denominator);
    if (!(at->smoothing >= 0 && at->smoothing <= 1))
        return HN_MISFIT(c, "linear_cross_entropy: smoothing %g is not in [0,1]", (double)at->smoothing);
    *c->out = (hone_tensor){.dtype = HONE_F32, .dims = 1, .shape = {1}};
    *c->aux[0] = (hone_tensor){.dtype = HONE_F32, .dims = 1, .shape = {hn_count(y)}};
    *c->aux[1] = (hone_tensor){.dtype = HONE_F32, .dims = 2, .shape = {hn_count(y), hn_cols(h)}};
    c->n_aux = at->is_root ? 2 : 1;
    return true;
}

double hn_cross_entropy_weight(const hn_call *c, int64_t r) {
    return hn_ids(c->in[2])[r] == ((const hn_linear_cross_entropy_attr *)c->attr)->ignore ? 0 : hn_row_weight(c->in[3], r);
}

double hn_cross_entropy_denominator(const hn_call *c) {
    double d = ((const hn_linear_cross_entropy_attr *)c->attr)->denominator;
    if (d > 0) return d;
    for (int64_t r = 0; r < hn_count(c->in[2]); r++) d += hn_cross_entropy_weight(c, r);
    return d != 0 ? d : 1;
}

bool hn_cross_entropy_targets(const hn_call *c) {
    const int32_t *y = hn_ids(c->in[2]), ignore = ((const hn_linear_cross_entropy_attr *)c->attr)->ignore;
    int64_t V = c->in[1]->shape[0], n = hn_count(c->in[2]), low = ignore == -1 ? -1 : 0;
    for (int64_t i = 0; i < n; i++)
        if (y[i] != ignore && (y[i] < 0 || y[i] >= V)) return hn_id_fail(c, "linear_cross_entropy: target", y, i, low, V);
    return true;
}

bool hn_cross_entropy_root(const hn_call *c) {
    if (!((const hn_linear_cross_entropy_attr *)c->attr)->is_root || *c->out->grad == 1) return true;
    return hn_tape_fail(c->t, HONE_E_INTERNAL,
                        &(hn_why){.what = "linear_cross_entropy: the loss was promised to be the root of backward and is not",
                                  .wanted = "a gradient of 1",
                                  .found = hn_fmt(c->a, "%g", (double)*c->out->grad),
                                  .hint = "scale by `denominator` and `weights`, or leave is_root out"});
}

static int64_t scratch_bytes(const hn_call *c, bool backward) { return (c->in[1]->shape[0] + hn_cols(c->in[0])) * (int64_t)sizeof(double); }

static void logits(const hn_call *c, int64_t r, double *z) {
    const hone_tensor *w = c->in[1];
    for (int64_t v = 0; v < w->shape[0]; v++) {
        z[v] = 0;
        for (int64_t k = 0; k < w->shape[1]; k++) z[v] += (double)hn_row_of(c->in[0], r)[k] * hn_real(w, v * w->ld + k);
    }
}

static void forward(hn_call *c) {
    const hn_linear_cross_entropy_attr *at = c->attr;
    const int32_t *y = hn_ids(c->in[2]);
    int64_t R = hn_count(c->in[2]), V = c->in[1]->shape[0];
    double *z = c->scratch, total = 0;
    if (!hn_cross_entropy_targets(c)) return;
    for (int64_t r = 0; r < R; r++) {
        double sum = 0, all = 0, loss = 0, lse = 0;
        int64_t top = -1;
        if (y[r] != at->ignore) {
            logits(c, r, z);
            for (int64_t v = 0; v < V; v++)
                if (top < 0 || z[v] > z[top] || isnan(z[v])) top = v;
            for (int64_t v = 0; v < V; v++) sum += exp(z[v] - z[top]), all += z[v];
            lse = z[top] + log(sum);
            loss = lse - (1 - (double)at->smoothing) * z[y[r]] - (at->smoothing > 0 ? at->smoothing * all / (double)V : 0);
        }
        if (c->aux[0]) ((float *)c->aux[0]->data)[r] = (float)lse;
        if (at->per_token) at->per_token[r] = (float)loss;
        if (at->best) at->best[r] = isnan(lse) ? -1 : (int32_t)top;
        if (y[r] != at->ignore) total += hn_cross_entropy_weight(c, r) * loss;
    }
    *(float *)c->out->data = (float)(total / hn_cross_entropy_denominator(c));
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    const hone_tensor *h = c->in[0], *w = c->in[1];
    const hn_linear_cross_entropy_attr *at = c->attr;
    const int32_t *y = hn_ids(c->in[2]);
    int64_t R = hn_count(c->in[2]), V = w->shape[0], C = w->shape[1];
    if (!hn_cross_entropy_root(c)) return;
    double *z = c->scratch, *dh = z + V, g = *c->out->grad / hn_cross_entropy_denominator(c), s = at->smoothing;
    for (int64_t r = 0; r < R; r++) {
        if (y[r] == at->ignore) continue;
        double gr = g * hn_cross_entropy_weight(c, r);
        logits(c, r, z);
        memset(dh, 0, (size_t)C * sizeof *dh);
        for (int64_t v = 0; v < V; v++) {
            double dz = gr * (exp(z[v] - ((const float *)c->aux[0]->data)[r]) - (1 - s) * (v == y[r]) - s / (double)V);
            for (int64_t k = 0; k < C; k++) dh[k] += dz * hn_row_of(w, v)[k];
            for (int64_t k = 0; k < C && dx[1]; k++) hn_row_of(dx[1], v)[k] += (float)(dz * hn_row_of(h, r)[k]);
        }
        for (int64_t k = 0; k < C && dx[0]; k++) hn_row_of(dx[0], r)[k] += (float)dh[k];
    }
}

static hn_cost cost(const hn_call *c) {
    return (hn_cost){2.0 * (double)hn_count(c->in[0]) * (double)c->in[1]->shape[0], hn_bytes_moved(c)};
}

hone_tensor *hone_linear_cross_entropy(hone_tape *t, hone_tensor *h, hone_tensor *w, hone_tensor *targets,
                                       const hone_cross_entropy_opts *o) {
    hn_linear_cross_entropy_attr at = {.ignore = o && o->ignore ? *o->ignore : -1};
    if (o) at.denominator = o->denominator, at.per_token = o->per_token, at.best = o->best, at.smoothing = o->smoothing, at.is_root = o->is_root;
    return hn_apply(t, &hn_op_linear_cross_entropy, &at, (hone_tensor *[]){h, w, targets, o ? o->weights : NULL});
}

static const hn_linear_cross_entropy_attr mean = {.ignore = -1}, given = {.denominator = 37, .ignore = -1},
                                          smooth = {.smoothing = 0.1f, .ignore = -1}, uniform = {.smoothing = 1, .ignore = 2};
static const hn_op_case cases[] = {
    {"no rows", {HN_DIMS(0, 5), HN_DIMS(3, 5), HN_DIMS(0)}, {2, 2, 1}, &mean, {0, 0, 3}},
    {"one class", {HN_DIMS(2, 3), HN_DIMS(1, 3), HN_DIMS(2)}, {2, 2, 1}, &mean, {0, 0, 1}},
    {"odd", {HN_DIMS(3, 5, 7), HN_DIMS(13, 7), HN_DIMS(3, 5)}, {3, 2, 2}, &mean, {0, 0, 13}},
    {"some ignored, given denominator", {HN_DIMS(4, 5, 9), HN_DIMS(6, 9), HN_DIMS(4, 5)}, {3, 2, 2}, &given, {0, 0, -6}},
    {"columns, some ignored", {HN_DIMS(11, 16), HN_DIMS(35, 16), HN_DIMS(11)}, {2, 2, 1}, &mean, {0, 0, -35}, .views = true},
    {"more rows and classes than a tile", {HN_DIMS(137, 8), HN_DIMS(301, 8), HN_DIMS(137)}, {2, 2, 1}, &mean, {0, 0, -301}},
    {"smoothed", {HN_DIMS(7, 5), HN_DIMS(13, 5), HN_DIMS(7)}, {2, 2, 1}, &smooth, {0, 0, -13}},
    {"smoothed away, a class ignored", {HN_DIMS(2, 5, 9), HN_DIMS(6, 9), HN_DIMS(2, 5)}, {3, 2, 2}, &uniform, {0, 0, 6}},
    {"weighted", {HN_DIMS(9, 4), HN_DIMS(5, 4), HN_DIMS(9), HN_DIMS(9)}, {2, 2, 1, 1}, &given, {0, 0, -5}},
    {"smoothed, weighted columns, more classes than a tile", {HN_DIMS(4, 5, 6), HN_DIMS(601, 6), HN_DIMS(4, 5), HN_DIMS(4, 5)},
     {3, 2, 2, 2}, &smooth, {0, 0, -601}, .views = true},
};
const hn_op hn_op_linear_cross_entropy = {
    .item = {"linear_cross_entropy", "head product, softmax and cross entropy without the whole logits", NULL, NULL, 0,
             sizeof(hn_linear_cross_entropy_attr)},
    .saves = HN_SAVE_IN0 | HN_SAVE_IN1 | HN_SAVE_IN2 | HN_SAVE_IN3 | HN_SAVE_AUX,
    .n_in = 4,
    .constant = HN_SAVE_IN3,
    .exact = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch_bytes = scratch_bytes,
    HN_CASES(cases),
};
