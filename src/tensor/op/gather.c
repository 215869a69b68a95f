/* gather.c - rows of x (V,C) by index: y[i] = x[ids[i]]. dx[ids[i]] += dy[i], in the order of i. Keeps ids. The other way about:
 * scatter_add.c. */
#include "tensor/op/op.h"

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0], *ids = c->in[1];
    if (!hn_is_f32(x, 2)) return HN_MISFIT(c, "gather: x must be f32 of two dimensions");
    if (!ids || ids->dtype != HONE_I32 || ids->dims >= HONE_MAX_DIMS)
        return HN_MISFIT(c, "gather: ids must be i32 of 1 to %d dimensions", HONE_MAX_DIMS - 1);
    hn_same_shape(c->out, ids);
    c->out->dtype = HONE_F32;
    c->out->shape[c->out->dims++] = hn_cols(x);
    return true;
}

static void forward(hn_call *c) {
    const hone_tensor *x = c->in[0];
    const int32_t *ids = hn_ids(c->in[1]);
    if (!hn_indices_in_range(c, "gather", ids, hn_count(c->in[1]), hn_rows(x))) return;
    for (int64_t i = 0; i < hn_count(c->in[1]); i++)
        for (int64_t k = 0; k < hn_cols(x); k++) hn_row_of(c->out, i)[k] = hn_row_of(x, ids[i])[k];
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    const int32_t *ids = hn_ids(c->in[1]);
    for (int64_t i = 0; i < hn_count(c->in[1]) && dx[0]; i++)
        for (int64_t k = 0; k < hn_cols(c->out); k++) hn_row_of(dx[0], ids[i])[k] += c->out->grad[i * c->out->ld + k];
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, 8.0 * (double)hn_count(c->out)}; }

hone_tensor *hone_gather(hone_tape *t, hone_tensor *x, hone_tensor *ids) {
    return hn_apply(t, &hn_op_gather, NULL, (hone_tensor *[]){x, ids});
}

static const hn_op_case cases[] = {
    {"no rows", {HN_DIMS(3, 5), HN_DIMS(0)}, {2, 1}, NULL, {0, 3}},
    {"one", {HN_DIMS(1, 1), HN_DIMS(1)}, {2, 1}, NULL, {0, 1}},
    {"repeated", {HN_DIMS(5, 19), HN_DIMS(3, 7)}, {2, 2}, NULL, {0, 5}},
    {"columns", {HN_DIMS(11, 150), HN_DIMS(9)}, {2, 1}, NULL, {0, 11}, .views = true},
};
const hn_op hn_op_gather = {
    HN_ITEM0("gather", "rows by index", NULL),
    .saves = HN_SAVE_IN1,
    .n_in = 2,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
