/* linear_log_probs.c - y[i] = (ln p_i[target_i], H_i): log-probability of a chosen token and entropy of its row, with
 * p_i = softmax(z_i/T), z_i = h_i·wᵀ (V), H = −Σ p·ln p. What policy gradients need of a head: ratio, KL estimate, entropy bonus.
 * A row whose target is −1 is not looked at: both are 0, no gradient.
 *
 * dz = (dy₀·(onehot − p) − dy₁·p·(ln p + H))/T · dh += dz·w · dw += dzᵀ·h. aux keeps log-sum-exp and entropy of each row. */
#include "tensor/op/op.h"

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *h = c->in[0], *w = c->in[1], *y = c->in[2];
    float T = ((const hn_linear_log_probs_attr *)c->attr)->temperature;
    if (!h || h->dtype != HONE_F32 || h->dims < 1 || !hn_is_f32(w, 2) || w->shape[1] != hn_cols(h) || w->shape[0] < 1)
        return HN_MISFIT(c, "linear_log_probs: h is (%s) but w is (%s)", h ? HN_SHAPE(c, h) : "", w ? HN_SHAPE(c, w) : "");
    if (!y || y->dtype != HONE_I32 || y->dims >= HONE_MAX_DIMS || hn_count(y) != hn_rows(h))
        return HN_MISFIT(c, "linear_log_probs: h is (%s) but targets are %s (%s)", HN_SHAPE(c, h), y ? hone_dtype_name(y->dtype) : "",
                         y ? HN_SHAPE(c, y) : "");
    if (!(T > 0) || isinf(T)) return HN_MISFIT(c, "linear_log_probs: temperature %g", (double)T);
    hn_same_shape(c->out, y);
    c->out->dtype = HONE_F32;
    c->out->shape[c->out->dims++] = 2;
    *c->aux[0] = (hone_tensor){.dtype = HONE_F32, .dims = 2, .shape = {hn_count(y), 2}};
    c->n_aux = 1;
    return true;
}

static int64_t scratch_bytes(const hn_call *c, bool backward) { return (c->in[1]->shape[0] + hn_cols(c->in[0])) * (int64_t)sizeof(double); }

/* l becomes the log-probabilities of row r; returns the log-sum-exp. */
static double log_probs(const hn_call *c, int64_t r, double *l) {
    const hone_tensor *w = c->in[1];
    double T = ((const hn_linear_log_probs_attr *)c->attr)->temperature, max = -INFINITY, sum = 0;
    for (int64_t v = 0; v < w->shape[0]; v++) {
        l[v] = 0;
        for (int64_t k = 0; k < w->shape[1]; k++) l[v] += (double)hn_row_of(c->in[0], r)[k] * hn_row_of(w, v)[k] / T;
        max = fmax(max, l[v]);
    }
    for (int64_t v = 0; v < w->shape[0]; v++) sum += exp(l[v] - max);
    for (int64_t v = 0; v < w->shape[0]; v++) l[v] -= max + log(sum);
    return max + log(sum);
}

static void forward(hn_call *c) {
    const int32_t *y = hn_ids(c->in[2]);
    int64_t R = hn_count(c->in[2]), V = c->in[1]->shape[0];
    double *l = c->scratch;
    if (!hn_ids_in_range(c, "linear_log_probs: target", y, R, -1, V)) return;
    for (int64_t r = 0; r < R; r++) {
        double lse = 0, entropy = 0;
        if (y[r] >= 0) {
            lse = log_probs(c, r, l);
            for (int64_t v = 0; v < V; v++) entropy -= exp(l[v]) * l[v];
        }
        float *out = (float *)c->out->data + 2 * r, *aux = c->aux[0] ? (float *)c->aux[0]->data + 2 * r : NULL;
        out[0] = y[r] < 0 ? 0 : (float)l[y[r]];
        out[1] = (float)entropy;
        if (aux) aux[0] = (float)lse, aux[1] = (float)entropy;
    }
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    const hone_tensor *h = c->in[0], *w = c->in[1];
    const int32_t *y = hn_ids(c->in[2]);
    int64_t R = hn_count(c->in[2]), V = w->shape[0], C = w->shape[1];
    double *l = c->scratch, *dh = l + V, T = ((const hn_linear_log_probs_attr *)c->attr)->temperature;
    for (int64_t r = 0; r < R; r++) {
        if (y[r] < 0) continue;
        double g0 = c->out->grad[2 * r], g1 = c->out->grad[2 * r + 1], entropy = ((const float *)c->aux[0]->data)[2 * r + 1];
        (void)log_probs(c, r, l);
        memset(dh, 0, (size_t)C * sizeof *dh);
        for (int64_t v = 0; v < V; v++) {
            double dz = (g0 * ((v == y[r]) - exp(l[v])) - g1 * exp(l[v]) * (l[v] + entropy)) / T;
            for (int64_t k = 0; k < C; k++) dh[k] += dz * hn_row_of(w, v)[k];
            for (int64_t k = 0; k < C && dx[1]; k++) hn_row_of(dx[1], v)[k] += (float)(dz * hn_row_of(h, r)[k]);
        }
        for (int64_t k = 0; k < C && dx[0]; k++) hn_row_of(dx[0], r)[k] += (float)dh[k];
    }
}

static hn_cost cost(const hn_call *c) {
    return (hn_cost){2.0 * (double)hn_count(c->in[0]) * (double)c->in[1]->shape[0], hn_bytes_moved(c)};
}

hone_tensor *hone_linear_log_probs(hone_tape *t, hone_tensor *h, hone_tensor *w, hone_tensor *targets, float temperature) {
    hn_linear_log_probs_attr at = {temperature != 0 ? temperature : 1};
    return hn_apply(t, &hn_op_linear_log_probs, &at, (hone_tensor *[]){h, w, targets});
}

static const hn_linear_log_probs_attr one = {1}, cool = {0.7f};
static const hn_op_case cases[] = {
    {"no rows", {HN_DIMS(0, 5), HN_DIMS(3, 5), HN_DIMS(0)}, {2, 2, 1}, &one, {0, 0, 3}},
    {"one class", {HN_DIMS(2, 3), HN_DIMS(1, 3), HN_DIMS(2)}, {2, 2, 1}, &one, {0, 0, 1}},
    {"odd", {HN_DIMS(3, 5, 7), HN_DIMS(13, 7), HN_DIMS(3, 5)}, {3, 2, 2}, &one, {0, 0, 13}},
    {"cool, columns, some ignored", {HN_DIMS(11, 6), HN_DIMS(35, 6), HN_DIMS(11)}, {2, 2, 1}, &cool, {0, 0, -35}, .views = true},
    {"more rows and classes than a tile", {HN_DIMS(137, 8), HN_DIMS(523, 8), HN_DIMS(137)}, {2, 2, 1}, &one, {0, 0, -523}},
};
const hn_op hn_op_linear_log_probs = {
    .item = {"linear_log_probs", "log-probability of chosen tokens and entropy of each row without the whole logits", NULL, NULL, 0,
             sizeof(hn_linear_log_probs_attr)},
    .saves = HN_SAVE_IN0 | HN_SAVE_IN1 | HN_SAVE_IN2 | HN_SAVE_AUX,
    .n_in = 3,
    .exact = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch_bytes = scratch_bytes,
    HN_CASES(cases),
};
