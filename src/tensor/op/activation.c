/* activation.c - y = act(x), element by element: the same functions that linear can apply to its result.
 *
 * gelu: x·Φ(x), exact or in the tanh form (arXiv:1606.08415) · relu: max(x,0) · relu2: its square (arXiv:2109.08668) ·
 * silu: x·σ(x) (arXiv:1702.03118) · tanh · sigmoid. dx += dy·act'(x). Keeps x. */
#include "tensor/op/op.h"

static hone_act act(const hn_call *c) { return ((const hn_activation_attr *)c->attr)->act; }

static bool shape(hn_call *c, hn_arena *a) {
    if (!c->in[0] || c->in[0]->dtype != HONE_F32) return HN_MISFIT(c, "activation: x must be f32");
    if ((int)act(c) < 0 || act(c) >= HONE_ACT_COUNT) return HN_MISFIT(c, "activation: there is no function %d", (int)act(c));
    hn_same_shape(c->out, c->in[0]);
    return true;
}

static void forward(hn_call *c) {
    for (int64_t r = 0; r < hn_rows(c->out); r++)
        for (int64_t i = 0; i < hn_cols(c->out); i++) hn_row_of(c->out, r)[i] = (float)hn_act_f(hn_row_of(c->in[0], r)[i], act(c));
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    for (int64_t r = 0; r < hn_rows(c->out) && dx[0]; r++)
        for (int64_t i = 0; i < hn_cols(c->out); i++)
            hn_row_of(dx[0], r)[i] += (float)(c->out->grad[r * c->out->ld + i] * hn_act_df(hn_row_of(c->in[0], r)[i], act(c)));
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_activation(hone_tape *t, hone_tensor *x, hone_act f) {
    return f == HONE_ACT_NONE ? x : hn_apply(t, &hn_op_activation, &(hn_activation_attr){f}, (hone_tensor *[]){x});
}
hone_tensor *hone_gelu(hone_tape *t, hone_tensor *x, bool tanh_form) {
    return hone_activation(t, x, tanh_form ? HONE_ACT_GELU_TANH : HONE_ACT_GELU);
}

static const hn_activation_attr gelu = {HONE_ACT_GELU}, gelu_tanh = {HONE_ACT_GELU_TANH}, relu = {HONE_ACT_RELU},
                                relu2 = {HONE_ACT_RELU2}, silu = {HONE_ACT_SILU}, tanh_ = {HONE_ACT_TANH}, sigmoid = {HONE_ACT_SIGMOID};
static const hn_op_case cases[] = {
    {"nothing", {HN_DIMS(0)}, {1}, &gelu},
    {"one", {HN_DIMS(1)}, {1}, &gelu_tanh},
    {"gelu", {HN_DIMS(3, 5, 7)}, {3}, &gelu},
    {"tanh gelu", {HN_DIMS(3, 5, 7)}, {3}, &gelu_tanh},
    {"tanh gelu, columns", {HN_DIMS(6, 37)}, {2}, &gelu_tanh, .views = true},
    {"relu, columns", {HN_DIMS(5, 19)}, {2}, &relu, .views = true},
    {"relu2", {HN_DIMS(5, 19)}, {2}, &relu2},
    {"silu", {HN_DIMS(2, 2, 3, 7)}, {4}, &silu},
    {"tanh", {HN_DIMS(77)}, {1}, &tanh_},
    {"sigmoid, columns", {HN_DIMS(3, 33)}, {2}, &sigmoid, .views = true},
};
const hn_op hn_op_activation = {
    .item = {"activation", "gelu, relu, relu2, silu, tanh or sigmoid of each element", "arXiv:1606.08415", NULL, 0,
             sizeof(hn_activation_attr)},
    .saves = HN_SAVE_IN0,
    .remade_from = HN_SAVE_IN0,
    .n_in = 1,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
