/* scale.c - y = s·x for a number s. dx += s·dy. Keeps nothing. */
#include "tensor/op/op.h"

static float factor(const hn_call *c) { return ((const hn_scale_attr *)c->attr)->s; }

static bool shape(hn_call *c, hn_arena *a) {
    if (!c->in[0] || c->in[0]->dtype != HONE_F32) return HN_MISFIT(c, "scale: x must be f32");
    hn_same_shape(c->out, c->in[0]);
    return true;
}

static void forward(hn_call *c) {
    for (int64_t r = 0; r < hn_rows(c->out); r++)
        for (int64_t i = 0; i < hn_cols(c->out); i++) hn_row_of(c->out, r)[i] = factor(c) * hn_row_of(c->in[0], r)[i];
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    for (int64_t r = 0; r < hn_rows(c->out) && dx[0]; r++)
        for (int64_t i = 0; i < hn_cols(c->out); i++) hn_row_of(dx[0], r)[i] += factor(c) * c->out->grad[r * c->out->ld + i];
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_scale(hone_tape *t, hone_tensor *x, float s) {
    return hn_apply(t, &hn_op_scale, &(hn_scale_attr){s}, (hone_tensor *[]){x});
}

static const hn_scale_attr third = {-1 / 3.0f};
static const hn_op_case cases[] = {
    {"nothing", {HN_DIMS(3, 0)}, {2}, &third},
    {"one", {HN_DIMS(1)}, {1}, &third},
    {"odd", {HN_DIMS(3, 5, 7)}, {3}, &third},
    {"columns", {HN_DIMS(9, 37)}, {2}, &third, .views = true},
};
const hn_op hn_op_scale = {
    .item = {"scale", "a number times a tensor", NULL, NULL, 0, sizeof(hn_scale_attr)},
    .n_in = 1,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
