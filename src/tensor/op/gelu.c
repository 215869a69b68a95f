/* gelu.c - y = x·Φ(x), exact or in the tanh form. Hendrycks & Gimpel 2016, arXiv:1606.08415. dx += dy·gelu'(x). Keeps x. */
#include "tensor/op/op.h"

static hone_act form(const hn_call *c) { return ((const hn_gelu_attr *)c->attr)->tanh_form ? HONE_ACT_GELU_TANH : HONE_ACT_GELU; }

static bool shape(hn_call *c, hn_arena *a) {
    if (!c->in[0] || c->in[0]->dtype != HONE_F32) return HN_MISFIT(c, "gelu: x must be f32");
    hn_same_shape(c->out, c->in[0]);
    return true;
}

static void forward(hn_call *c) {
    for (int64_t r = 0; r < hn_rows(c->out); r++)
        for (int64_t i = 0; i < hn_cols(c->out); i++) hn_row_of(c->out, r)[i] = (float)hn_act_f(hn_row_of(c->in[0], r)[i], form(c));
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    for (int64_t r = 0; r < hn_rows(c->out) && dx[0]; r++)
        for (int64_t i = 0; i < hn_cols(c->out); i++)
            hn_row_of(dx[0], r)[i] += (float)(c->out->grad[r * c->out->ld + i] * hn_act_df(hn_row_of(c->in[0], r)[i], form(c)));
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_gelu(hone_tape *t, hone_tensor *x, bool tanh_form) {
    return hn_apply(t, &hn_op_gelu, &(hn_gelu_attr){tanh_form}, (hone_tensor *[]){x});
}

static const hn_gelu_attr exact = {false}, tanh_form = {true};
static const hn_op_case cases[] = {
    {"nothing", {HN_DIMS(0)}, {1}, &exact},
    {"one", {HN_DIMS(1)}, {1}, &tanh_form},
    {"odd", {HN_DIMS(3, 5, 7)}, {3}, &exact},
    {"odd, tanh", {HN_DIMS(3, 5, 7)}, {3}, &tanh_form},
    {"columns, tanh", {HN_DIMS(6, 37)}, {2}, &tanh_form, .views = true},
};
const hn_op hn_op_gelu = {
    .item = {"gelu", "x times the normal distribution function of x", "arXiv:1606.08415", NULL, 0, sizeof(hn_gelu_attr)},
    .saves = HN_SAVE_IN0,
    .n_in = 1,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
