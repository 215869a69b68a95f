/* slice.c - indices [start, start+n) of one dimension, copied. Backward adds dy where it came from. Keeps nothing.
 * The last dimension needs no copy: hone_slice makes a view of it (columns.c). */
#include "tensor/op/box.h"

static const hn_slice_attr *attr(const hn_call *c) { return c->attr; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0];
    if (!x || x->dtype != HONE_F32) return HN_MISFIT(c, "slice: x must be f32");
    int d = hn_dim_of(x, attr(c)->dim);
    int64_t start = attr(c)->start, n = attr(c)->n;
    if (d < 0) return hn_no_dim(c, x, attr(c)->dim);
    if (start < 0 || n < 0 || start > x->shape[d] || n > x->shape[d] - start)
        return HN_MISFIT(c, "slice: x is (%s) but %lld to %lld of dimension %d were asked for", HN_SHAPE(c, x), (long long)start,
                         (long long)(start + n), d);
    hn_same_shape(c->out, x);
    c->out->shape[d] = n;
    return true;
}

hn_box hn_slice_box(const hn_call *c, int k) {
    int64_t n[HONE_MAX_DIMS];
    hn_padded(c->out, n);
    hn_box b = hn_box_new(c->in[0], c->out, n);
    b.in_at = attr(c)->start * b.in[hn_box_dim(c->in[0], hn_dim_of(c->in[0], attr(c)->dim))];
    return b;
}
static void forward(hn_call *c) { hn_box_forward(c, hn_slice_box); }
static void backward(hn_call *c, hone_tensor *const dx[]) { hn_box_backward(c, dx, hn_slice_box); }
static hn_cost cost(const hn_call *c) { return (hn_cost){0, 8.0 * (double)hn_count(c->out)}; }

hone_tensor *hone_slice(hone_tape *t, hone_tensor *x, int dim, int64_t start, int64_t n) {
    if (x && (dim == -1 || dim == x->dims - 1)) return hone_columns(t, x, start, n);
    return hn_apply(t, &hn_op_slice, &(hn_slice_attr){dim, start, n}, (hone_tensor *[]){x});
}

static const hn_slice_attr none = {0, 1, 0}, first = {0, 0, 2}, middle = {1, 1, 2}, third = {2, 3, 4}, from_end = {-2, 2, 3};
static const hn_op_case cases[] = {
    {"none", {HN_DIMS(2, 3)}, {2}, &none},
    {"rows", {HN_DIMS(5, 3)}, {2}, &first},
    {"in the middle", {HN_DIMS(3, 4, 7)}, {3}, &middle},
    {"third of four", {HN_DIMS(2, 3, 8, 5)}, {4}, &third},
    {"of columns", {HN_DIMS(3, 6, 19)}, {3}, &from_end, .views = true},
};
const hn_op hn_op_slice = {
    .item = {"slice", "some indices of one dimension", NULL, NULL, 0, sizeof(hn_slice_attr)},
    .n_in = 1,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
