/* dropout.c - zeroes each element with probability p, scales the others by 1/(1−p). Srivastava et al. 2014.
 * The mask is not kept: backward draws the same numbers again from (seed, step, node, element). */
#include "tensor/op/op.h"

static bool shape(hn_call *c, hn_arena *a) {
    float p = ((const hn_dropout_attr *)c->attr)->p;
    if (!c->in[0] || c->in[0]->dtype != HONE_F32) return HN_MISFIT(c, "dropout: x must be f32");
    if (!(p >= 0 && p < 1)) return HN_MISFIT(c, "dropout: p %g is not in [0,1)", p);
    hn_same_shape(c->out, c->in[0]);
    return true;
}

/* to[i] = or += from[i]·mask[i] */
static void masked(const hn_call *c, const hone_tensor *to, const float *from, int64_t ld, bool add) {
    float p = ((const hn_dropout_attr *)c->attr)->p, keep = (float)(1 / (1 - (double)p));
    int64_t cols = hn_cols(to), n = hn_count(to);
    uint32_t word[4], below = hn_drop_below(p);
    for (int64_t i = 0; i < n; i++) {
        if (i % 4 == 0) hn_drop_words(c, i / 4, word);
        float v = word[i % 4] < below ? 0 : from[i / cols * ld + i % cols] * keep, *y = hn_row_of(to, i / cols) + i % cols;
        *y = add ? *y + v : v;
    }
}

static void forward(hn_call *c) { masked(c, c->out, c->in[0]->data, c->in[0]->ld, false); }
static void backward(hn_call *c, hone_tensor *const dx[]) {
    if (dx[0]) masked(c, dx[0], c->out->grad, c->out->ld, true);
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_dropout(hone_tape *t, hone_tensor *x, float p) {
    if (p == 0 || hn_tape_mode(t) != HONE_TRAIN) return x;
    return hn_apply(t, &hn_op_dropout, &(hn_dropout_attr){p}, (hone_tensor *[]){x});
}

static const hn_dropout_attr tenth = {0.1f}, most = {0.75f};
static const hn_op_case cases[] = {
    {"nothing", {HN_DIMS(2, 0)}, {2}, &tenth},
    {"one", {HN_DIMS(1)}, {1}, &tenth},
    {"odd", {HN_DIMS(3, 5, 7)}, {3}, &tenth},
    {"columns", {HN_DIMS(9, 37)}, {2}, &most, .views = true},
};
const hn_op hn_op_dropout = {
    .item = {"dropout", "zeroes elements at random in training", "JMLR 15:1929", NULL, 0, sizeof(hn_dropout_attr)},
    .n_in = 1,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
