/* softmax.c - p = exp(x − m)/Σ exp(x − m) over the last dimension, m its largest; or log p = x − m − ln Σ exp(x − m).
 *
 * softmax: dx += p·(dy − Σ dy·p) · log-softmax: dx += dy − p·Σ dy. Keeps its result alone. */
#include "tensor/op/op.h"

static bool is_log(const hn_call *c) { return ((const hn_softmax_attr *)c->attr)->log; }

static bool shape(hn_call *c, hn_arena *a) {
    if (!c->in[0] || c->in[0]->dtype != HONE_F32 || c->in[0]->dims < 1) return HN_MISFIT(c, "softmax: x must be f32");
    hn_same_shape(c->out, c->in[0]);
    return true;
}

static void forward(hn_call *c) {
    int64_t C = hn_cols(c->out);
    for (int64_t r = 0; r < hn_rows(c->out); r++) {
        const float *x = hn_row_of(c->in[0], r);
        float *y = hn_row_of(c->out, r);
        double top = -INFINITY, sum = 0;
        for (int64_t i = 0; i < C; i++) top = isnan(x[i]) || x[i] > top ? x[i] : top;
        for (int64_t i = 0; i < C; i++) sum += exp(x[i] - top);
        for (int64_t i = 0; i < C; i++) y[i] = (float)(is_log(c) ? x[i] - top - log(sum) : exp(x[i] - top) / sum);
    }
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    int64_t C = hn_cols(c->out);
    for (int64_t r = 0; r < hn_rows(c->out) && dx[0]; r++) {
        const float *y = hn_row_of(c->out, r), *dy = c->out->grad + r * c->out->ld;
        double sum = 0;
        for (int64_t i = 0; i < C; i++) sum += is_log(c) ? dy[i] : (double)dy[i] * y[i];
        for (int64_t i = 0; i < C; i++) hn_row_of(dx[0], r)[i] += (float)(is_log(c) ? dy[i] - exp(y[i]) * sum : y[i] * (dy[i] - sum));
    }
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_softmax(hone_tape *t, hone_tensor *x) {
    return hn_apply(t, &hn_op_softmax, &(hn_softmax_attr){false}, (hone_tensor *[]){x});
}
hone_tensor *hone_log_softmax(hone_tape *t, hone_tensor *x) {
    return hn_apply(t, &hn_op_softmax, &(hn_softmax_attr){true}, (hone_tensor *[]){x});
}

static const hn_softmax_attr plain = {false}, logs = {true};
static const hn_op_case cases[] = {
    {"no rows", {HN_DIMS(0, 5)}, {2}, &plain},
    {"no columns", {HN_DIMS(3, 0)}, {2}, &logs},
    {"one column", {HN_DIMS(3, 1)}, {2}, &plain},
    {"odd", {HN_DIMS(3, 5, 7)}, {3}, &plain},
    {"odd, log", {HN_DIMS(3, 5, 7)}, {3}, &logs},
    {"columns", {HN_DIMS(9, 37)}, {2}, &plain, .views = true},
    {"columns, log", {HN_DIMS(9, 37)}, {2}, &logs, .views = true},
    {"wide", {HN_DIMS(7, 1027)}, {2}, &plain},
    {"wide, log", {HN_DIMS(7, 1027)}, {2}, &logs},
};
const hn_op hn_op_softmax = {
    .item = {"softmax", "probabilities over the last dimension, or their logarithms", NULL, NULL, 0, sizeof(hn_softmax_attr)},
    .saves = HN_SAVE_OUT,
    .n_in = 1,
    .exact = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
