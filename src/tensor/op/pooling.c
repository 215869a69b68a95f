/* pooling.c - one vector (B,C) for each sequence of x (B,T,C): the mean, first (CLS) or last of its tokens.
 *
 * Which tokens are there: all of them; the first `length` of each sequence where in[1] is (B); those whose mask is not 0 where it is
 * (B,T), wherever they stand. A sequence without tokens has no vector: an error. Backward gives dy (or its part) to the tokens that
 * were taken. Keeps in[1]. */
#include "tensor/op/pooling.h"

static hone_pool_kind kind(const hn_call *c) { return ((const hn_pooling_attr *)c->attr)->kind; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0], *which = c->in[1];
    if (!hn_is_f32(x, 3)) return HN_MISFIT(c, "pooling: x must be f32 of (B,T,C)");
    bool fits = !which || (which->dtype == HONE_I32 && which->dims <= 2);
    for (int d = 0; fits && which && d < which->dims; d++) fits = which->shape[d] == x->shape[d];
    if (!fits)
        return HN_MISFIT(c, "pooling: x is (%s) but lengths or mask are %s (%s)", HN_SHAPE(c, x), hone_dtype_name(which->dtype),
                         HN_SHAPE(c, which));
    if (kind(c) != HONE_POOL_MEAN && kind(c) != HONE_POOL_FIRST && kind(c) != HONE_POOL_LAST)
        return HN_MISFIT(c, "pooling: there is no kind %d", (int)kind(c));
    c->out->dtype = HONE_F32;
    c->out->dims = 2;
    c->out->shape[0] = x->shape[0];
    c->out->shape[1] = x->shape[2];
    return true;
}

bool hn_pooling_tokens(const hn_call *c) {
    const hone_tensor *x = c->in[0], *which = c->in[1];
    int64_t T = x->shape[1];
    for (int64_t b = 0; b < x->shape[0]; b++) {
        if (which && which->dims == 1 && hn_ids(which)[b] > T)
            return HN_MISFIT(c, "pooling: sequence %lld is %d long, but x is (%s)", (long long)b, hn_ids(which)[b], HN_SHAPE(c, x));
        if (!hn_pooling_of(c, b).n) return HN_MISFIT(c, "pooling: sequence %lld has no tokens", (long long)b);
    }
    return true;
}

static void forward(hn_call *c) {
    int64_t T = c->in[0]->shape[1];
    if (!hn_pooling_tokens(c)) return;
    for (int64_t b = 0; b < c->out->shape[0]; b++) {
        hn_pooled p = hn_pooling_of(c, b);
        for (int64_t i = 0; i < hn_cols(c->out); i++) {
            double sum = 0;
            for (int64_t t = p.first; t <= p.last; t++)
                if (hn_pooling_has(c, b, t)) sum += hn_row_of(c->in[0], b * T + t)[i];
            hn_row_of(c->out, b)[i] = (float)(sum / (double)p.n);
        }
    }
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    int64_t T = c->in[0]->shape[1];
    for (int64_t b = 0; b < c->out->shape[0] && dx[0]; b++) {
        hn_pooled p = hn_pooling_of(c, b);
        for (int64_t t = p.first; t <= p.last; t++)
            for (int64_t i = 0; i < hn_cols(c->out) && hn_pooling_has(c, b, t); i++)
                hn_row_of(dx[0], b * T + t)[i] += (float)(c->out->grad[b * c->out->ld + i] / (double)p.n);
    }
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, hn_bytes_moved(c)}; }

hone_tensor *hone_pooling(hone_tape *t, hone_tensor *x, hone_tensor *which, hone_pool_kind how) {
    return hn_apply(t, &hn_op_pooling, &(hn_pooling_attr){how}, (hone_tensor *[]){x, which});
}

static const hn_pooling_attr mean = {HONE_POOL_MEAN}, first = {HONE_POOL_FIRST}, last = {HONE_POOL_LAST};
static const hn_op_case cases[] = {
    {"no sequences", {HN_DIMS(0, 3, 4)}, {3}, &mean},
    {"one", {HN_DIMS(1, 1, 1)}, {3}, &last},
    {"mean of all", {HN_DIMS(3, 5, 7)}, {3}, &mean},
    {"mean, masked", {HN_DIMS(3, 17, 150), HN_DIMS(3, 17)}, {3, 2}, &mean, {0, 2}, .views = true},
    {"first, masked", {HN_DIMS(3, 9, 7), HN_DIMS(3, 9)}, {3, 2}, &first, {0, 2}},
    {"last, masked", {HN_DIMS(3, 9, 7), HN_DIMS(3, 9)}, {3, 2}, &last, {0, 2}},
    {"last of all", {HN_DIMS(2, 5, 19)}, {3}, &last, .views = true},
};
const hn_op hn_op_pooling = {
    .item = {"pooling", "the mean, first or last token of each sequence", NULL, NULL, 0, sizeof(hn_pooling_attr)},
    .saves = HN_SAVE_IN1,
    .n_in = 2,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
