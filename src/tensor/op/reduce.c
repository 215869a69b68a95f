/* reduce.c - the sum, mean or largest along one dimension.
 *
 * sum: dx += dy · mean: dx += dy/n · max: dx += dy at the first of the largest. Max keeps where those were, the others nothing. */
#include "tensor/op/box.h"

static const hn_reduce_attr *attr(const hn_call *c) { return c->attr; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0];
    if (!x || x->dtype != HONE_F32) return HN_MISFIT(c, "reduce: x must be f32");
    int d = hn_dim_of(x, attr(c)->dim);
    if (d < 0) return hn_no_dim(c, x, attr(c)->dim);
    if (attr(c)->how != HONE_REDUCE_SUM && attr(c)->how != HONE_REDUCE_MEAN && attr(c)->how != HONE_REDUCE_MAX)
        return HN_MISFIT(c, "reduce: there is no way %d", (int)attr(c)->how);
    if (attr(c)->how != HONE_REDUCE_SUM && x->shape[d] == 0)
        return HN_MISFIT(c, "reduce: x is (%s): nothing along dimension %d to take the %s of", HN_SHAPE(c, x), d,
                         attr(c)->how == HONE_REDUCE_MEAN ? "mean" : "largest");
    c->out->dtype = HONE_F32;
    c->out->dims = 0;
    for (int i = 0; i < x->dims; i++)
        if (i != d || attr(c)->keep || x->dims == 1) c->out->shape[c->out->dims++] = i == d ? 1 : x->shape[i];
    if (attr(c)->how == HONE_REDUCE_MAX) {
        hn_same_shape(c->aux[0], c->out);
        c->aux[0]->dtype = HONE_I32;
        c->n_aux = 1;
    }
    return true;
}

/* Sizes of x with the dimension as 1, and the elements from one of its indices to the next. */
static int64_t along(const hn_call *c, int64_t own[HONE_MAX_DIMS], int64_t step[HONE_MAX_DIMS], int64_t *n) {
    int d = HONE_MAX_DIMS - c->in[0]->dims + hn_dim_of(c->in[0], attr(c)->dim);
    hn_padded(c->in[0], own);
    hn_steps(c->in[0], step);
    *n = own[d];
    own[d] = 1;
    return step[d];
}

static void forward(hn_call *c) {
    int64_t own[HONE_MAX_DIMS], step[HONE_MAX_DIMS], n, by = along(c, own, step, &n), at = 0;
    HN_EACH_INDEX (i, own) {
        const float *x = (const float *)c->in[0]->data + hn_dot4(i, step);
        double sum = 0;
        int64_t best = 0;
        for (int64_t k = 0; k < n; k++) {
            sum += x[k * by];
            if (x[k * by] > x[best * by] || (isnan(x[k * by]) && !isnan(x[best * by]))) best = k;
        }
        if (c->n_aux && c->aux[0]) ((int32_t *)c->aux[0]->data)[at] = (int32_t)best;
        ((float *)c->out->data)[at++] =
            attr(c)->how == HONE_REDUCE_MAX ? x[best * by] : (float)(attr(c)->how == HONE_REDUCE_MEAN ? sum / (double)n : sum);
    }
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    int64_t own[HONE_MAX_DIMS], step[HONE_MAX_DIMS], n, by = along(c, own, step, &n), at = 0;
    if (!dx[0]) return;
    HN_EACH_INDEX (i, own) {
        float *d = (float *)dx[0]->data + hn_dot4(i, step), dy = c->out->grad[at];
        if (attr(c)->how == HONE_REDUCE_MAX) d[((const int32_t *)c->aux[0]->data)[at] * by] += dy;
        else
            for (int64_t k = 0; k < n; k++) d[k * by] += attr(c)->how == HONE_REDUCE_MEAN ? (float)(dy / (double)n) : dy;
        at++;
    }
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_reduce(hone_tape *t, hone_tensor *x, hone_reduction how, int dim, bool keep) {
    return hn_apply(t, &hn_op_reduce, &(hn_reduce_attr){how, dim, keep}, (hone_tensor *[]){x});
}

static const hn_reduce_attr sum = {HONE_REDUCE_SUM, -1, false}, rows = {HONE_REDUCE_SUM, 0, true}, mean = {HONE_REDUCE_MEAN, 1, false},
                            last_mean = {HONE_REDUCE_MEAN, -1, true}, most = {HONE_REDUCE_MAX, -1, false},
                            top = {HONE_REDUCE_MAX, 0, false};
static const hn_op_case cases[] = {
    {"sum of nothing", {HN_DIMS(3, 0)}, {2}, &sum},
    {"no rows", {HN_DIMS(0, 3)}, {2}, &last_mean},
    {"sum of numbers", {HN_DIMS(77)}, {1}, &sum},
    {"sum of columns", {HN_DIMS(3, 5, 37)}, {3}, &sum, .views = true},
    {"sum of rows", {HN_DIMS(131, 150)}, {2}, &rows},
    {"mean in the middle", {HN_DIMS(3, 5, 7)}, {3}, &mean},
    {"mean in the middle of four", {HN_DIMS(2, 5, 3, 9)}, {4}, &mean, .views = true},
    {"mean of columns", {HN_DIMS(4, 19)}, {2}, &last_mean},
    {"max of columns", {HN_DIMS(5, 19)}, {2}, &most, .views = true},
    {"max of rows", {HN_DIMS(7, 5)}, {2}, &top},
};
const hn_op hn_op_reduce = {
    .item = {"reduce", "sum, mean or largest along one dimension", NULL, NULL, 0, sizeof(hn_reduce_attr)},
    .saves = HN_SAVE_AUX,
    .n_in = 1,
    .exact = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
