/* pointwise_loss.c - loss (1) = Σ w·f(x, y) / denominator for numbers x and their targets y, d = x − y:
 *
 * mse: d² · smooth L1: d²/(2β) where |d| < β, else |d| − β/2 (Girshick 2015, arXiv:1504.08083; β 0: |d|) · bce: cross entropy of a
 * yes-or-no question whose logit is x and whose answer is y in [0,1]: max(x,0) − x·y + ln(1 + exp(−|x|)), finite for any x.
 * g = f'(x): 2d · d/β within [−1,1] · σ(x) − y. dx += g·w/denominator; dy += −g·…, of bce −x·…. Keeps x, y, w and the denominator. */
#include "tensor/op/op.h"

static const hn_pointwise_loss_attr *attr(const hn_call *c) { return c->attr; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0], *y = c->in[1], *w = c->in[2];
    hone_pointwise_kind kind = attr(c)->kind;
    if (!x || !y || x->dtype != HONE_F32 || y->dtype != HONE_F32) return HN_MISFIT(c, "pointwise_loss: x and y must be f32");
    if (!hn_shape_alike(x, y)) return HN_MISFIT(c, "pointwise_loss: x is (%s) but y is (%s)", HN_SHAPE(c, x), HN_SHAPE(c, y));
    if (w && (w->dtype != HONE_F32 || !hn_shape_alike(x, w)))
        return HN_MISFIT(c, "pointwise_loss: x is (%s) but weights are (%s)", HN_SHAPE(c, x), HN_SHAPE(c, w));
    if (kind != HONE_LOSS_MSE && kind != HONE_LOSS_SMOOTH_L1 && kind != HONE_LOSS_BCE)
        return HN_MISFIT(c, "pointwise_loss: there is no kind %d", (int)kind);
    if (kind == HONE_LOSS_SMOOTH_L1 && !(attr(c)->beta >= 0)) return HN_MISFIT(c, "pointwise_loss: beta %g is negative", attr(c)->beta);
    if (!hn_count(x) && attr(c)->denominator == 0)
        return HN_MISFIT(c, "pointwise_loss: x is (%s): no numbers to take the mean of", HN_SHAPE(c, x));
    c->out->dtype = c->aux[0]->dtype = HONE_F32;
    c->out->dims = c->aux[0]->dims = 1;
    c->out->shape[0] = c->aux[0]->shape[0] = 1;
    c->n_aux = 1;
    return true;
}

static double loss_of(const hn_pointwise_loss_attr *how, double x, double y) {
    double d = x - y, far = fabs(d);
    if (how->kind == HONE_LOSS_MSE) return d * d;
    if (how->kind == HONE_LOSS_BCE) return fmax(x, 0) - x * y + log1p(exp(-fabs(x)));
    return far < how->beta ? d * d / (2 * how->beta) : far - how->beta / 2;
}
static double slope_of(const hn_pointwise_loss_attr *how, double x, double y) {
    double d = x - y;
    if (how->kind == HONE_LOSS_MSE) return 2 * d;
    if (how->kind == HONE_LOSS_BCE) return 1 / (1 + exp(-x)) - y;
    return fabs(d) < how->beta ? d / how->beta : (d > 0) - (d < 0);
}
static float at(const hone_tensor *x, int64_t i) { return hn_row_of(x, i / hn_cols(x))[i % hn_cols(x)]; }

bool hn_pointwise_finish(const hn_call *c, double sum, double weights) {
    double by = attr(c)->denominator;
    if (by == 0 && weights == 0) return HN_MISFIT(c, "pointwise_loss: all weights are 0");
    if (by == 0) by = weights;
    *(float *)c->out->data = (float)(sum / by);
    if (c->aux[0]) *(float *)c->aux[0]->data = (float)by;
    return true;
}
static void forward(hn_call *c) {
    double sum = 0, weights = 0;
    for (int64_t i = 0; i < hn_count(c->in[0]); i++) {
        double w = c->in[2] ? at(c->in[2], i) : 1;
        sum += w * loss_of(attr(c), at(c->in[0], i), at(c->in[1], i));
        weights += w;
    }
    (void)hn_pointwise_finish(c, sum, weights);
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    double scale = *c->out->grad / (double)*(const float *)c->aux[0]->data;
    for (int64_t i = 0; i < hn_count(c->in[0]); i++) {
        int64_t r = i / hn_cols(c->in[0]), k = i % hn_cols(c->in[0]);
        double x = at(c->in[0], i), y = at(c->in[1], i), w = scale * (c->in[2] ? at(c->in[2], i) : 1), g = slope_of(attr(c), x, y);
        if (dx[0]) hn_row_of(dx[0], r)[k] += (float)(w * g);
        if (dx[1]) hn_row_of(dx[1], r)[k] += (float)(w * (attr(c)->kind == HONE_LOSS_BCE ? -x : -g));
    }
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_pointwise_loss(hone_tape *t, hone_tensor *x, hone_tensor *y, const hone_pointwise_opts *o) {
    hn_pointwise_loss_attr how = o ? (hn_pointwise_loss_attr){o->kind, o->beta, o->denominator} : (hn_pointwise_loss_attr){0};
    return hn_apply(t, &hn_op_pointwise_loss, &how, (hone_tensor *[]){x, y, o ? o->weights : NULL});
}

static const hn_pointwise_loss_attr mse = {HONE_LOSS_MSE, 0, 0}, mse_by_ten = {HONE_LOSS_MSE, 0, 10},
                                    smooth = {HONE_LOSS_SMOOTH_L1, 0.7f, 0}, smooth_by_ten = {HONE_LOSS_SMOOTH_L1, 0.7f, 10},
                                    bce = {HONE_LOSS_BCE, 0, 0}, bce_by_ten = {HONE_LOSS_BCE, 0, 10};
static const hn_op_case cases[] = {
    {"no numbers", {HN_DIMS(0, 3), HN_DIMS(0, 3)}, {2, 2}, &bce_by_ten},
    {"mse of one", {HN_DIMS(1), HN_DIMS(1)}, {1, 1}, &mse},
    {"mse", {HN_DIMS(3, 5, 7), HN_DIMS(3, 5, 7)}, {3, 3}, &mse},
    {"mse, columns", {HN_DIMS(3, 5, 17), HN_DIMS(3, 5, 17), HN_DIMS(3, 5, 17)}, {3, 3, 3}, &mse_by_ten, .views = true},
    {"smooth l1", {HN_DIMS(50), HN_DIMS(50)}, {1, 1}, &smooth},
    {"smooth l1, columns", {HN_DIMS(5, 17), HN_DIMS(5, 17), HN_DIMS(5, 17)}, {2, 2, 2}, &smooth_by_ten, .views = true},
    {"bce", {HN_DIMS(131, 70), HN_DIMS(131, 70)}, {2, 2}, &bce},
    {"bce, weighted", {HN_DIMS(5, 17), HN_DIMS(5, 17), HN_DIMS(5, 17)}, {2, 2, 2}, &bce_by_ten, .views = true},
};
const hn_op hn_op_pointwise_loss = {
    .item = {"pointwise_loss", "squared error, smooth L1 or binary cross entropy of numbers and targets", "arXiv:1504.08083", NULL, 0,
             sizeof(hn_pointwise_loss_attr)},
    .saves = HN_SAVE_IN0 | HN_SAVE_IN1 | HN_SAVE_IN2 | HN_SAVE_AUX,
    .constant = HN_SAVE_IN2,
    .n_in = 3,
    .exact = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
