/* swiglu.c - y = silu(a)·b: the gate of Shazeer 2020, arXiv:2002.05202. a and b are often the two halves of one product's columns.
 *
 * s = σ(a) · da += dy·b·s·(1 + a·(1 − s)) · db += dy·a·s. Keeps a and b. */
#include "tensor/op/op.h"

static bool shape(hn_call *c, hn_arena *arena) {
    const hone_tensor *a = c->in[0], *b = c->in[1];
    if (!a || !b || a->dtype != HONE_F32 || b->dtype != HONE_F32) return HN_MISFIT(c, "swiglu: a and b must be f32");
    if (!hn_shape_alike(a, b)) return HN_MISFIT(c, "swiglu: a is (%s) but b is (%s)", HN_SHAPE(c, a), HN_SHAPE(c, b));
    hn_same_shape(c->out, a);
    return true;
}

static void forward(hn_call *c) {
    for (int64_t r = 0; r < hn_rows(c->out); r++)
        for (int64_t i = 0; i < hn_cols(c->out); i++)
            hn_row_of(c->out, r)[i] = (float)(hn_act_f(hn_row_of(c->in[0], r)[i], HONE_ACT_SILU) * hn_row_of(c->in[1], r)[i]);
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    for (int64_t r = 0; r < hn_rows(c->out); r++)
        for (int64_t i = 0; i < hn_cols(c->out); i++) {
            double dy = c->out->grad[r * c->out->ld + i], a = hn_row_of(c->in[0], r)[i], b = hn_row_of(c->in[1], r)[i];
            if (dx[0]) hn_row_of(dx[0], r)[i] += (float)(dy * b * hn_act_df(a, HONE_ACT_SILU));
            if (dx[1]) hn_row_of(dx[1], r)[i] += (float)(dy * hn_act_f(a, HONE_ACT_SILU));
        }
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_swiglu(hone_tape *t, hone_tensor *a, hone_tensor *b) {
    return hn_apply(t, &hn_op_swiglu, NULL, (hone_tensor *[]){a, b});
}

static const hn_op_case cases[] = {
    {"nothing", {HN_DIMS(2, 0), HN_DIMS(2, 0)}, {2, 2}},
    {"one", {HN_DIMS(1), HN_DIMS(1)}, {1, 1}},
    {"odd", {HN_DIMS(3, 5, 7), HN_DIMS(3, 5, 7)}, {3, 3}},
    {"columns", {HN_DIMS(6, 37), HN_DIMS(6, 37)}, {2, 2}, .views = true},
    {"large", {HN_DIMS(37, 301), HN_DIMS(37, 301)}, {2, 2}},
};
const hn_op hn_op_swiglu = {
    HN_ITEM0("swiglu", "silu(a)·b: a gated activation", "arXiv:2002.05202"),
    .saves = HN_SAVE_IN0 | HN_SAVE_IN1,
    .remade_from = HN_SAVE_IN0 | HN_SAVE_IN1,
    .n_in = 2,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
