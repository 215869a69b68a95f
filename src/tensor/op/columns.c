/* columns.c - columns [start, start+n) of the last dimension: a view. It shares storage and gradient with what it was cut from, so
 * there is nothing to compute either way. */
#include "tensor/op/op.h"

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0];
    const hn_columns_attr *at = c->attr;
    if (!x || x->dims < 1) return HN_MISFIT(c, "columns: x must have a dimension");
    if (at->start < 0 || at->n < 0 || at->start > hn_cols(x) || at->n > hn_cols(x) - at->start)
        return HN_MISFIT(c, "columns: x is (%s) but columns %lld to %lld were asked for", HN_SHAPE(c, x), (long long)at->start,
                         (long long)at->start + at->n);
    hn_same_shape(c->out, x);
    c->out->shape[x->dims - 1] = at->n;
    c->out->ld = x->ld;
    c->out->base_offset = at->start;
    return true;
}

static void nothing(hn_call *c) {}
static void nothing_back(hn_call *c, hone_tensor *const dx[]) {}

hone_tensor *hone_columns(hone_tape *t, hone_tensor *x, int64_t start, int64_t n) {
    return hn_apply(t, &hn_op_columns, &(hn_columns_attr){start, n}, (hone_tensor *[]){x});
}

static const hn_columns_attr none = {0, 0}, first = {0, 2}, inner = {3, 3};
static const hn_op_case cases[] = {
    {"none", {HN_DIMS(2, 3)}, {2}, &none},
    {"first", {HN_DIMS(5)}, {1}, &first},
    {"inner", {HN_DIMS(2, 3, 7)}, {3}, &inner},
    {"of columns", {HN_DIMS(4, 6)}, {2}, &inner, .views = true},
};
const hn_op hn_op_columns = {
    .item = {"columns", "some columns, as a view", NULL, NULL, 0, sizeof(hn_columns_attr)},
    .n_in = 1,
    .view = true,
    .shape = shape,
    .forward = nothing,
    .backward = nothing_back,
    HN_CASES(cases),
};
