/* reshape.c - the same numbers in the same order under other sizes: a view. It shares storage and gradient with what it was made of.
 * A column view has gaps between its rows, which other rows cannot have: hone_reshape copies it first unless the rows stay. */
#include "tensor/op/box.h"

static const hn_reshape_attr *attr(const hn_call *c) { return c->attr; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0];
    int64_t known = 1;
    int open = -1;
    if (!x) return HN_MISFIT(c, "reshape: x is missing");
    if (attr(c)->dims < 1 || attr(c)->dims > HONE_MAX_DIMS)
        return HN_MISFIT(c, "reshape: %d dimensions, not 1 to %d", attr(c)->dims, HONE_MAX_DIMS);
    c->out->dtype = x->dtype;
    c->out->dims = attr(c)->dims;
    for (int i = 0; i < c->out->dims; i++) {
        int64_t n = c->out->shape[i] = attr(c)->shape[i];
        bool second = n == -1 && open >= 0;
        if (n < -1 || second || (n >= 0 && !hn_mul(known, n, &known)))
            return HN_MISFIT(c, "reshape: (%s) is no shape; one size may be -1", HN_SHAPE(c, c->out));
        if (n == -1) open = i;
    }
    if (open >= 0 && known && hn_count(x) % known == 0) c->out->shape[open] = hn_count(x) / known;
    if ((open >= 0 && c->out->shape[open] < 0) || hn_count(c->out) != hn_count(x))
        return HN_MISFIT(c, "reshape: x is (%s), which is not (%s)", HN_SHAPE(c, x), HN_SHAPE(c, c->out));
    bool rows_stay = hn_cols(c->out) == hn_cols(x);
    if (!rows_stay && x->ld != hn_cols(x) && hn_rows(x) > 1)
        return HN_MISFIT(c, "reshape: x (%s) has gaps between its rows", HN_SHAPE(c, x));
    c->out->ld = rows_stay ? x->ld : hn_cols(c->out);
    return true;
}
static void nothing(hn_call *c) {}
static void nothing_back(hn_call *c, hone_tensor *const dx[]) {}

hone_tensor *hone_reshape(hone_tape *t, hone_tensor *x, int dims, const int64_t *sizes) {
    hn_reshape_attr at = {.dims = dims};
    for (int i = 0; i < HN_MIN(dims, HONE_MAX_DIMS); i++) at.shape[i] = sizes[i];
    bool gaps = x && x->dims > 1 && x->ld != hn_cols(x) && hn_rows(x) > 1;
    if (gaps && dims > 0 && dims <= HONE_MAX_DIMS && sizes[dims - 1] != hn_cols(x))
        x = hn_apply(t, &hn_op_slice, &(hn_slice_attr){0, 0, x->shape[0]}, (hone_tensor *[]){x});
    return hn_apply(t, &hn_op_reshape, &at, (hone_tensor *[]){x});
}

static const hn_reshape_attr flat = {1, {-1}}, split = {3, {2, -1, 7}}, none = {2, {0, 5}}, four = {4, {3, 1, 2, 5}};
static const hn_op_case cases[] = {
    {"nothing", {HN_DIMS(3, 0)}, {2}, &none},
    {"flat", {HN_DIMS(2, 3, 5)}, {3}, &flat},
    {"rows apart", {HN_DIMS(6, 7)}, {2}, &split},
    {"rows of columns", {HN_DIMS(2, 3, 7)}, {3}, &split, .views = true},
    {"four", {HN_DIMS(30)}, {1}, &four},
};
const hn_op hn_op_reshape = {
    .item = {"reshape", "other sizes for the same numbers, as a view", NULL, NULL, 0, sizeof(hn_reshape_attr)},
    .n_in = 1,
    .view = true,
    .shape = shape,
    .forward = nothing,
    .backward = nothing_back,
    HN_CASES(cases),
};
