/* scatter_add.c - rows of x (…,C) added to the rows of a new tensor (n,C): y[ids[i]] += x[i], from zero, in the order of i.
 * dx[i] += dy[ids[i]]. Keeps ids. The other way about: gather.c. */
#include "tensor/op/op.h"

static int64_t rows(const hn_call *c) { return ((const hn_scatter_add_attr *)c->attr)->rows; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0], *ids = c->in[1];
    if (!x || x->dtype != HONE_F32 || !ids || ids->dtype != HONE_I32) return HN_MISFIT(c, "scatter_add: x must be f32 and ids i32");
    bool fits = x->dims == ids->dims + 1;
    for (int d = 0; fits && d < ids->dims; d++) fits = x->shape[d] == ids->shape[d];
    if (!fits) return HN_MISFIT(c, "scatter_add: x is (%s) but ids are (%s)", HN_SHAPE(c, x), HN_SHAPE(c, ids));
    if (rows(c) < 0) return HN_MISFIT(c, "scatter_add: %lld rows", (long long)rows(c));
    c->out->dtype = HONE_F32;
    c->out->dims = 2;
    c->out->shape[0] = rows(c);
    c->out->shape[1] = hn_cols(x);
    return true;
}

static void forward(hn_call *c) {
    const hone_tensor *x = c->in[0];
    const int32_t *ids = hn_ids(c->in[1]);
    if (!hn_indices_in_range(c, "scatter_add", ids, hn_count(c->in[1]), rows(c))) return;
    memset(c->out->data, 0, (size_t)hn_count(c->out) * sizeof(float));
    for (int64_t i = 0; i < hn_count(c->in[1]); i++)
        for (int64_t k = 0; k < hn_cols(x); k++) hn_row_of(c->out, ids[i])[k] += hn_row_of(x, i)[k];
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    const int32_t *ids = hn_ids(c->in[1]);
    for (int64_t i = 0; i < hn_count(c->in[1]) && dx[0]; i++)
        for (int64_t k = 0; k < hn_cols(c->out); k++) hn_row_of(dx[0], i)[k] += c->out->grad[ids[i] * c->out->ld + k];
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_scatter_add(hone_tape *t, hone_tensor *x, hone_tensor *ids, int64_t n) {
    return hn_apply(t, &hn_op_scatter_add, &(hn_scatter_add_attr){n}, (hone_tensor *[]){x, ids});
}

static const hn_scatter_add_attr one = {1}, five = {5}, eleven = {11};
static const hn_op_case cases[] = {
    {"no rows", {HN_DIMS(0, 5), HN_DIMS(0)}, {2, 1}, &five, {0, 5}},
    {"one", {HN_DIMS(1, 1), HN_DIMS(1)}, {2, 1}, &one, {0, 1}},
    {"repeated", {HN_DIMS(3, 7, 19), HN_DIMS(3, 7)}, {3, 2}, &five, {0, 5}},
    {"columns", {HN_DIMS(9, 150), HN_DIMS(9)}, {2, 1}, &eleven, {0, 11}, .views = true},
};
const hn_op hn_op_scatter_add = {
    .item = {"scatter_add", "rows added up by index", NULL, NULL, 0, sizeof(hn_scatter_add_attr)},
    .saves = HN_SAVE_IN1,
    .n_in = 2,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
