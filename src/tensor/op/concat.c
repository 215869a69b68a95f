/* concat.c - tensors one after the other along one dimension. Each dx += its part of dy. Keeps nothing.
 * One call takes HN_MAX_IN of them; hone_concat joins more in rounds. */
#include "tensor/op/box.h"

static int dim(const hn_call *c) { return ((const hn_concat_attr *)c->attr)->dim; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0];
    if (!x || x->dtype != HONE_F32) return HN_MISFIT(c, "concat: the first tensor must be f32");
    int d = hn_dim_of(x, dim(c));
    if (d < 0) return hn_no_dim(c, x, dim(c));
    hn_same_shape(c->out, x);
    for (int k = 1; k < c->n_in; k++) {
        const hone_tensor *y = c->in[k];
        if (!y) continue;
        bool fits = hn_is_f32(y, x->dims);
        for (int i = 0; fits && i < x->dims; i++) fits = i == d || y->shape[i] == x->shape[i];
        if (!fits)
            return HN_MISFIT(c, "concat along dimension %d: the first is (%s) but number %d is %s (%s)", d, HN_SHAPE(c, x), k,
                             hone_dtype_name(y->dtype), HN_SHAPE(c, y));
        c->out->shape[d] += y->shape[d];
    }
    return true;
}

hn_box hn_concat_box(const hn_call *c, int k) {
    int64_t n[HONE_MAX_DIMS], before = 0;
    int d = hn_dim_of(c->out, dim(c));
    for (int i = 0; i < k; i++) before += c->in[i] ? c->in[i]->shape[d] : 0;
    hn_padded(c->in[k], n);
    hn_box b = hn_box_new(c->in[k], c->out, n);
    b.out_at = before * b.out[hn_box_dim(c->out, d)];
    return b;
}
static void forward(hn_call *c) { hn_box_forward(c, hn_concat_box); }
static void backward(hn_call *c, hone_tensor *const dx[]) { hn_box_backward(c, dx, hn_concat_box); }
static hn_cost cost(const hn_call *c) { return (hn_cost){0, 8.0 * (double)hn_count(c->out)}; }

hone_tensor *hone_concat(hone_tape *t, hone_tensor *const x[], int n, int along) {
    hone_tensor *in[HN_MAX_IN] = {0};
    int k = 0;
    for (int i = 0; i < n; i++) {
        in[k++] = x[i];
        if (k == HN_MAX_IN && i + 1 < n) {
            in[0] = hn_apply(t, &hn_op_concat, &(hn_concat_attr){along}, in);
            for (k = 1; k < HN_MAX_IN; k++) in[k] = NULL;
            k = 1;
        }
    }
    return hn_apply(t, &hn_op_concat, &(hn_concat_attr){along}, in);
}

static const hn_concat_attr rows = {0}, middle = {1}, last = {-1};
static const hn_op_case cases[] = {
    {"one", {HN_DIMS(3)}, {1}, &rows},
    {"nothing", {HN_DIMS(0, 3), HN_DIMS(0, 3)}, {2, 2}, &rows},
    {"numbers", {HN_DIMS(3), HN_DIMS(4)}, {1, 1}, &last},
    {"rows", {HN_DIMS(2, 5), HN_DIMS(3, 5), HN_DIMS(1, 5)}, {2, 2, 2}, &rows},
    {"in the middle", {HN_DIMS(3, 2, 7), HN_DIMS(3, 4, 7)}, {3, 3}, &middle},
    {"columns", {HN_DIMS(3, 19), HN_DIMS(3, 1), HN_DIMS(3, 0), HN_DIMS(3, 5), HN_DIMS(3, 2)}, {2, 2, 2, 2, 2}, &last, .views = true},
};
const hn_op hn_op_concat = {
    .item = {"concat", "tensors joined along one dimension", NULL, NULL, 0, sizeof(hn_concat_attr)},
    .n_in = HN_MAX_IN,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
