/* add.c - x + y, same shapes. dx += dz, dy += dz. Keeps nothing. Where x has no gradient yet, it is given dz's memory as it is. */
#include "tensor/op/op.h"

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0], *y = c->in[1];
    if (!x || !y || x->dtype != HONE_F32 || y->dtype != HONE_F32) return HN_MISFIT(c, "add: x and y must be f32");
    bool same = x->dims == y->dims;
    for (int i = 0; same && i < x->dims; i++) same = x->shape[i] == y->shape[i];
    if (!same) return HN_MISFIT(c, "add: x is (%s) but y is (%s)", HN_SHAPE(c, x), HN_SHAPE(c, y));
    hn_same_shape(c->out, x);
    return true;
}

static void forward(hn_call *c) {
    for (int64_t r = 0; r < hn_rows(c->out); r++)
        for (int64_t i = 0; i < hn_cols(c->out); i++) hn_row_of(c->out, r)[i] = hn_row_of(c->in[0], r)[i] + hn_row_of(c->in[1], r)[i];
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    for (int k = 0; k < 2; k++)
        for (int64_t r = 0; r < hn_rows(c->out) && dx[k]; r++)
            for (int64_t i = 0; i < hn_cols(c->out); i++) hn_row_of(dx[k], r)[i] += c->out->grad[r * c->out->ld + i];
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_add(hone_tape *t, hone_tensor *x, hone_tensor *y) { return hn_apply(t, &hn_op_add, NULL, (hone_tensor *[]){x, y}); }

static const hn_op_case cases[] = {
    {"nothing", {HN_DIMS(0, 3), HN_DIMS(0, 3)}, {2, 2}},
    {"one", {HN_DIMS(1), HN_DIMS(1)}, {1, 1}},
    {"odd", {HN_DIMS(3, 5, 7), HN_DIMS(3, 5, 7)}, {3, 3}},
    {"columns", {HN_DIMS(9, 37), HN_DIMS(9, 37)}, {2, 2}, .views = true},
};
const hn_op hn_op_add = {
    HN_ITEM0("add", "sum of two tensors of the same shape", NULL),
    .n_in = 2,
    .passes_grad = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
