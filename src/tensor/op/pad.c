/* pad.c - a number put `before` and `after` times at the ends of one dimension. dx += dy where x lies. Keeps nothing. */
#include "tensor/op/box.h"

static const hn_pad_attr *attr(const hn_call *c) { return c->attr; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0];
    if (!x || x->dtype != HONE_F32) return HN_MISFIT(c, "pad: x must be f32");
    int d = hn_dim_of(x, attr(c)->dim);
    int64_t before = attr(c)->before, after = attr(c)->after;
    if (d < 0) return hn_no_dim(c, x, attr(c)->dim);
    if (before < 0 || after < 0 || before > INT32_MAX || after > INT32_MAX)
        return HN_MISFIT(c, "pad: %lld before and %lld after are not sizes", (long long)before, (long long)after);
    hn_same_shape(c->out, x);
    c->out->shape[d] += before + after;
    return true;
}

hn_box hn_pad_box(const hn_call *c, int k) {
    int64_t n[HONE_MAX_DIMS];
    hn_padded(c->in[0], n);
    hn_box b = hn_box_new(c->in[0], c->out, n);
    b.out_at = attr(c)->before * b.out[hn_box_dim(c->out, hn_dim_of(c->out, attr(c)->dim))];
    return b;
}
static void forward(hn_call *c) {
    for (int64_t i = 0; i < hn_count(c->out); i++) ((float *)c->out->data)[i] = attr(c)->value;
    hn_box_forward(c, hn_pad_box);
}
static void backward(hn_call *c, hone_tensor *const dx[]) { hn_box_backward(c, dx, hn_pad_box); }
static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_pad(hone_tape *t, hone_tensor *x, int dim, int64_t before, int64_t after, float value) {
    return hn_apply(t, &hn_op_pad, &(hn_pad_attr){dim, before, after, value}, (hone_tensor *[]){x});
}

static const hn_pad_attr none = {0, 0, 0, 9}, ends = {-1, 2, 1, -0.5f}, middle = {1, 0, 3, 0}, first = {0, 1, 0, 7};
static const hn_op_case cases[] = {
    {"not at all", {HN_DIMS(2, 3)}, {2}, &none},
    {"of nothing", {HN_DIMS(2, 0)}, {2}, &ends},
    {"numbers", {HN_DIMS(5)}, {1}, &ends},
    {"in the middle", {HN_DIMS(3, 4, 7)}, {3}, &middle},
    {"a row before", {HN_DIMS(3, 5)}, {2}, &first},
    {"columns", {HN_DIMS(2, 3, 19)}, {3}, &ends, .views = true},
};
const hn_op hn_op_pad = {
    .item = {"pad", "a number at the ends of one dimension", NULL, NULL, 0, sizeof(hn_pad_attr)},
    .n_in = 1,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
