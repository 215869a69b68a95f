/* transpose.c - two dimensions swapped, by copying. dx += dy swapped back. Keeps nothing. A product takes its operands turned as they
 * are: hone_matmul. */
#include "tensor/op/box.h"

static const hn_transpose_attr *attr(const hn_call *c) { return c->attr; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0];
    if (!x || x->dtype != HONE_F32) return HN_MISFIT(c, "transpose: x must be f32");
    int i = hn_dim_of(x, attr(c)->i), j = hn_dim_of(x, attr(c)->j);
    if (i < 0 || j < 0) return hn_no_dim(c, x, i < 0 ? attr(c)->i : attr(c)->j);
    hn_same_shape(c->out, x);
    c->out->shape[i] = x->shape[j];
    c->out->shape[j] = x->shape[i];
    return true;
}

hn_box hn_transpose_box(const hn_call *c, int k) {
    int64_t n[HONE_MAX_DIMS];
    hn_padded(c->out, n);
    hn_box b = hn_box_new(c->in[0], c->out, n);
    int i = hn_box_dim(c->out, hn_dim_of(c->out, attr(c)->i)), j = hn_box_dim(c->out, hn_dim_of(c->out, attr(c)->j));
    int64_t step = b.in[i];
    b.in[i] = b.in[j];
    b.in[j] = step;
    return b;
}
static void forward(hn_call *c) { hn_box_forward(c, hn_transpose_box); }
static void backward(hn_call *c, hone_tensor *const dx[]) { hn_box_backward(c, dx, hn_transpose_box); }
static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_transpose(hone_tape *t, hone_tensor *x, int i, int j) {
    return hn_apply(t, &hn_op_transpose, &(hn_transpose_attr){i, j}, (hone_tensor *[]){x});
}

static const hn_transpose_attr two = {0, 1}, heads = {1, 2}, far = {0, -1}, same = {1, 1};
static const hn_op_case cases[] = {
    {"nothing", {HN_DIMS(0, 3)}, {2}, &two},
    {"one", {HN_DIMS(1, 1)}, {2}, &two},
    {"odd", {HN_DIMS(5, 7)}, {2}, &two},
    {"heads", {HN_DIMS(2, 5, 3, 7)}, {4}, &heads},
    {"first and last", {HN_DIMS(35, 3, 41)}, {3}, &far},
    {"columns", {HN_DIMS(3, 19, 37)}, {3}, &heads, .views = true},
    {"itself", {HN_DIMS(3, 4)}, {2}, &same},
};
const hn_op hn_op_transpose = {
    .item = {"transpose", "two dimensions swapped", NULL, NULL, 0, sizeof(hn_transpose_attr)},
    .n_in = 1,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
