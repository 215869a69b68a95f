/* linear_kl.c - loss = Σ weight_i·T²·D_i / denominator: how far the student's rows h_i·wᵀ are from the teacher's th_i·twᵀ, both logits
 * divided by the temperature T. With p the teacher's probabilities, q the student's and m = β·p + (1 − β)·q,
 *     β = 0: D = KL(p‖q), forward · β = 1: D = KL(q‖p), reverse · between: D = β·KL(p‖m) + (1 − β)·KL(q‖m), generalised
 * Jensen-Shannon. The names and β as in GKD (Agarwal et al. 2023, arXiv:2306.13649, eq. 1); D/β → KL(p‖q) for β → 0.
 * The factor T² keeps the size of the gradient when T changes (Hinton et al. 2015, arXiv:1503.02531, §2); GKD and TRL leave it out, and
 * so does `unscaled`. A row of weight 0 is not looked at.
 *
 * Only the student learns: the teacher and the weights get no gradient. With s the student's logits over T, aux holds its log-sum-exp,
 * the teacher's, and the k of a row:
 *     β = 0: ds = q − p · β = 1: ds = q·(ln q − ln p − k), k = KL(q‖p) · between: ds = (1 − β)·q·(ln q − ln m − k), k = KL(q‖m)
 * dz = ds/T · dh += dz·w · dw += dzᵀ·h. */
#include "tensor/op/op.h"

static bool pair(hn_call *c, const char *who, const hone_tensor *h, const hone_tensor *w) {
    if (!h || h->dtype != HONE_F32 || h->dims < 1 || !hn_is_f32(w, 2) || w->shape[1] != hn_cols(h) || w->shape[0] < 1)
        return HN_MISFIT(c, "linear_kl: the %s's h is (%s) but w is (%s)", who, h ? HN_SHAPE(c, h) : "", w ? HN_SHAPE(c, w) : "");
    return true;
}
static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *h = c->in[0], *w = c->in[1], *th = c->in[2], *tw = c->in[3], *weights = c->in[4];
    const hn_linear_kl_attr *at = c->attr;
    if (!pair(c, "student", h, w) || !pair(c, "teacher", th, tw)) return false;
    if (hn_rows(h) != hn_rows(th))
        return HN_MISFIT(c, "linear_kl: the student's h is (%s) but the teacher's (%s)", HN_SHAPE(c, h), HN_SHAPE(c, th));
    if (w->shape[0] != tw->shape[0])
        return HN_MISFIT(c, "linear_kl: the student's w is (%s) but the teacher's (%s): not one vocabulary", HN_SHAPE(c, w),
                         HN_SHAPE(c, tw));
    if (weights && (weights->dtype != HONE_F32 || hn_count(weights) != hn_rows(h)))
        return HN_MISFIT(c, "linear_kl: h is (%s) but weights are %s (%s)", HN_SHAPE(c, h), hone_dtype_name(weights->dtype),
                         HN_SHAPE(c, weights));
    if (!(at->beta >= 0 && at->beta <= 1)) return HN_MISFIT(c, "linear_kl: beta %g is not in [0,1]", (double)at->beta);
    if (!(at->temperature > 0) || isinf(at->temperature)) return HN_MISFIT(c, "linear_kl: temperature %g", (double)at->temperature);
    if (!(at->denominator >= 0) || isinf(at->denominator)) return HN_MISFIT(c, "linear_kl: denominator %g", at->denominator);
    *c->out = (hone_tensor){.dtype = HONE_F32, .dims = 1, .shape = {1}};
    *c->aux[0] = (hone_tensor){.dtype = HONE_F32, .dims = 2, .shape = {hn_rows(h), 3}};
    c->n_aux = 1;
    return true;
}

double hn_linear_kl_scale(const hn_call *c) {
    const hn_linear_kl_attr *at = c->attr;
    double d = at->denominator, T = at->temperature;
    for (int64_t r = 0; r < hn_rows(c->in[0]) && !(at->denominator > 0); r++) d += hn_row_weight(c->in[4], r);
    return (at->unscaled ? 1 : T * T) / (d != 0 ? d : 1);
}

static int64_t scratch_bytes(const hn_call *c, bool backward) {
    return (2 * c->in[1]->shape[0] + hn_cols(c->in[0])) * (int64_t)sizeof(double);
}

/* z becomes the logarithms of its probabilities. */
static double log_softmax(double *z, int64_t n) {
    double max = -INFINITY, sum = 0;
    for (int64_t v = 0; v < n; v++) max = fmax(max, z[v]);
    for (int64_t v = 0; v < n; v++) sum += exp(z[v] - max);
    double lse = max + log(sum);
    for (int64_t v = 0; v < n; v++) z[v] -= lse;
    return lse;
}
static void logits(const hone_tensor *h, const hone_tensor *w, int64_t r, double T, double *z) {
    for (int64_t v = 0; v < w->shape[0]; v++) {
        z[v] = 0;
        for (int64_t k = 0; k < w->shape[1]; k++) z[v] += (double)hn_row_of(h, r)[k] * hn_row_of(w, v)[k] / T;
    }
}
/* ln of the mixture */
static double mixed(double lp, double lq, double beta) {
    double top = fmax(lp, lq);
    return top + log(beta * exp(lp - top) + (1 - beta) * exp(lq - top));
}

static void forward(hn_call *c) {
    const hn_linear_kl_attr *at = c->attr;
    int64_t R = hn_rows(c->in[0]), V = c->in[1]->shape[0];
    double *lq = c->scratch, *lp = lq + V, total = 0, beta = at->beta;
    for (int64_t r = 0; r < R; r++) {
        double weight = hn_row_weight(c->in[4], r), lse[2] = {0, 0}, kp = 0, kq = 0, D;
        if (weight != 0) {
            logits(c->in[0], c->in[1], r, at->temperature, lq);
            logits(c->in[2], c->in[3], r, at->temperature, lp);
            lse[0] = log_softmax(lq, V), lse[1] = log_softmax(lp, V);
        }
        for (int64_t v = 0; v < V && weight != 0; v++) {
            double lm = beta > 0 && beta < 1 ? mixed(lp[v], lq[v], beta) : 0;
            if (beta < 1) kp += exp(lp[v]) * (lp[v] - (beta > 0 ? lm : lq[v]));
            if (beta > 0) kq += exp(lq[v]) * (lq[v] - (beta < 1 ? lm : lp[v]));
        }
        D = (1 - beta) * (beta > 0 ? kq : 0) + beta * (beta < 1 ? kp : 0);
        if (beta <= 0) D = kp;
        if (beta >= 1) D = kq;
        if (c->aux[0]) {
            float *aux = (float *)c->aux[0]->data + 3 * r;
            aux[0] = (float)lse[0], aux[1] = (float)lse[1], aux[2] = (float)kq;
        }
        if (at->per_token) at->per_token[r] = (float)(D * (at->unscaled ? 1 : (double)at->temperature * at->temperature));
        total += weight * D;
    }
    *(float *)c->out->data = (float)(total * hn_linear_kl_scale(c));
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    const hone_tensor *h = c->in[0], *w = c->in[1];
    const hn_linear_kl_attr *at = c->attr;
    int64_t R = hn_rows(h), V = w->shape[0], C = w->shape[1];
    double *lq = c->scratch, *lp = lq + V, *dh = lp + V, beta = at->beta, g = *c->out->grad * hn_linear_kl_scale(c) / at->temperature;
    for (int64_t r = 0; r < R; r++) {
        double weight = hn_row_weight(c->in[4], r), k = ((const float *)c->aux[0]->data)[3 * r + 2];
        if (weight == 0) continue;
        logits(h, w, r, at->temperature, lq);
        logits(c->in[2], c->in[3], r, at->temperature, lp);
        (void)log_softmax(lq, V), (void)log_softmax(lp, V);
        memset(dh, 0, (size_t)C * sizeof *dh);
        for (int64_t v = 0; v < V; v++) {
            double ds = beta <= 0   ? exp(lq[v]) - exp(lp[v])
                        : beta >= 1 ? exp(lq[v]) * (lq[v] - lp[v] - k)
                                    : (1 - beta) * exp(lq[v]) * (lq[v] - mixed(lp[v], lq[v], beta) - k);
            double dz = g * weight * ds;
            for (int64_t i = 0; i < C; i++) dh[i] += dz * hn_row_of(w, v)[i];
            for (int64_t i = 0; i < C && dx[1]; i++) hn_row_of(dx[1], v)[i] += (float)(dz * hn_row_of(h, r)[i]);
        }
        for (int64_t i = 0; i < C && dx[0]; i++) hn_row_of(dx[0], r)[i] += (float)dh[i];
    }
}

/* The teacher's product has no gradient, but is made again with the student's: counted as if it had one. */
static hn_cost cost(const hn_call *c) {
    return (hn_cost){2.0 * (double)(hn_count(c->in[0]) + hn_count(c->in[2])) * (double)c->in[1]->shape[0], hn_bytes_moved(c)};
}

hone_tensor *hone_linear_kl(hone_tape *t, hone_tensor *h, hone_tensor *w, hone_tensor *teacher_h, hone_tensor *teacher_w,
                            const hone_kl_opts *o) {
    hn_linear_kl_attr at = {.temperature = o && o->temperature != 0 ? o->temperature : 1};
    if (o) at.denominator = o->denominator, at.per_token = o->per_token, at.beta = o->beta, at.unscaled = o->unscaled;
    return hn_apply(t, &hn_op_linear_kl, &at, (hone_tensor *[]){h, w, teacher_h, teacher_w, o ? o->weights : NULL});
}

static const hn_linear_kl_attr toward = {.temperature = 1}, hot = {.temperature = 2, .denominator = 9},
                               reverse = {.temperature = 0.9f, .beta = 1, .unscaled = true}, half = {.temperature = 1, .beta = 0.5f},
                               most = {.temperature = 1.5f, .beta = 0.9f, .denominator = 11};
static const hn_op_case cases[] = {
    {"no rows", {HN_DIMS(0, 5), HN_DIMS(3, 5), HN_DIMS(0, 4), HN_DIMS(3, 4)}, {2, 2, 2, 2}, &half},
    {"one class", {HN_DIMS(2, 3), HN_DIMS(1, 3), HN_DIMS(2, 1), HN_DIMS(1, 1)}, {2, 2, 2, 2}, &half},
    {"forward, odd", {HN_DIMS(3, 5, 7), HN_DIMS(13, 7), HN_DIMS(3, 5, 4), HN_DIMS(13, 4)}, {3, 2, 3, 2}, &toward},
    {"forward, hot, weighted", {HN_DIMS(9, 4), HN_DIMS(6, 4), HN_DIMS(9, 5), HN_DIMS(6, 5), HN_DIMS(9)}, {2, 2, 2, 2, 1}, &hot},
    {"reverse, columns", {HN_DIMS(5, 6), HN_DIMS(35, 6), HN_DIMS(5, 6), HN_DIMS(35, 6)}, {2, 2, 2, 2}, &reverse, .views = true},
    {"half way", {HN_DIMS(2, 3, 5), HN_DIMS(17, 5), HN_DIMS(2, 3, 3), HN_DIMS(17, 3)}, {3, 2, 3, 2}, &half},
    {"nearly reverse, weighted, more rows and classes than a tile",
     {HN_DIMS(137, 5), HN_DIMS(523, 5), HN_DIMS(137, 3), HN_DIMS(523, 3), HN_DIMS(137)}, {2, 2, 2, 2, 1}, &most},
};
const hn_op hn_op_linear_kl = {
    .item = {"linear_kl", "divergence of a student's head from a teacher's without the whole logits", "arXiv:2306.13649", NULL, 0,
             sizeof(hn_linear_kl_attr)},
    .saves = HN_SAVE_IN0 | HN_SAVE_IN1 | HN_SAVE_IN2 | HN_SAVE_IN3 | HN_SAVE_IN4 | HN_SAVE_AUX,
    .n_in = 5,
    .constant = HN_SAVE_IN2 | HN_SAVE_IN3 | HN_SAVE_IN4,
    .exact = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch_bytes = scratch_bytes,
    HN_CASES(cases),
};
