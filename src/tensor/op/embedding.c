/* embedding.c - y[b,t] = w[ids[b,t]] + p[pos0+t], w and p of 16 bits too where nothing is recorded. Backward adds each dy row into the row it came from. Keeps ids. */
#include "tensor/op/op.h"

static int64_t pos0(const hn_call *c) { return ((const hn_embedding_attr *)c->attr)->pos0; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *ids = c->in[0], *w = c->in[1], *p = c->in[2];
    if (!ids || ids->dtype != HONE_I32 || ids->dims >= HONE_MAX_DIMS)
        return HN_MISFIT(c, "embedding: ids must be i32 of 1 to %d dimensions", HONE_MAX_DIMS - 1);
    if (!hn_is_real(w, 2) || (p && !hn_is_real(p, 2))) return HN_MISFIT(c, "embedding: w and p must be f32, bf16 or f16 of two dimensions");
    if (c->training && (w->dtype != HONE_F32 || (p && p->dtype != HONE_F32)))
        return HN_MISFIT(c, "embedding: tables of 16 bits are for reading only");
    if (p && p->shape[1] != w->shape[1]) return HN_MISFIT(c, "embedding: w is (%s) but p is (%s)", HN_SHAPE(c, w), HN_SHAPE(c, p));
    if (p && pos0(c) + hn_cols(ids) > p->shape[0])
        return hn_tape_fail(c->t, HONE_E_SHAPE,
                            &(hn_why){.what = hn_fmt(c->a, "embedding: %lld tokens from position %lld but there are %lld positions",
                                                     (long long)hn_cols(ids), (long long)pos0(c), (long long)p->shape[0]),
                                      .hint = "the text is longer than the model's context"});
    c->out->dtype = HONE_F32;
    c->out->dims = ids->dims + 1;
    for (int i = 0; i < ids->dims; i++) c->out->shape[i] = ids->shape[i];
    c->out->shape[ids->dims] = w->shape[1];
    return true;
}

static void forward(hn_call *c) {
    const hone_tensor *w = c->in[1], *p = c->in[2];
    int64_t n = hn_count(c->in[0]), T = hn_cols(c->in[0]), C = w->shape[1];
    const int32_t *ids = hn_ids(c->in[0]);
    if (!hn_ids_in_range(c, "embedding", ids, n, 0, w->shape[0])) return;
    for (int64_t i = 0; i < n; i++) {
        float *y = hn_row_of(c->out, i);
        for (int64_t k = 0; k < C; k++) y[k] = hn_real(w, ids[i] * w->ld + k) + (p ? hn_real(p, (pos0(c) + i % T) * p->ld + k) : 0);
    }
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    int64_t n = hn_count(c->in[0]), T = hn_cols(c->in[0]), C = c->in[1]->shape[1];
    const int32_t *ids = hn_ids(c->in[0]);
    for (int64_t i = 0; i < n; i++) {
        const float *dy = c->out->grad + i * c->out->ld;
        for (int64_t k = 0; k < C && dx[1]; k++) hn_row_of(dx[1], ids[i])[k] += dy[k];
        for (int64_t k = 0; k < C && dx[2]; k++) hn_row_of(dx[2], pos0(c) + i % T)[k] += dy[k];
    }
}

static hn_cost cost(const hn_call *c) { return (hn_cost){0, 12.0 * (double)hn_count(c->out)}; }

hone_tensor *hone_embedding(hone_tape *t, hone_tensor *ids, hone_tensor *w, hone_tensor *p) {
    return hn_apply(t, &hn_op_embedding, &(hn_embedding_attr){hn_tape_position(t)}, (hone_tensor *[]){ids, w, p});
}

static const hn_embedding_attr start = {0}, later = {3};
static const hn_op_case cases[] = {
    {"no rows", {HN_DIMS(0, 4), HN_DIMS(3, 5)}, {2, 2}, &start, {3}},
    {"no tokens", {HN_DIMS(2, 0), HN_DIMS(3, 5), HN_DIMS(4, 5)}, {2, 2, 2}, &start, {3}},
    {"one", {HN_DIMS(1, 1), HN_DIMS(1, 1), HN_DIMS(1, 1)}, {2, 2, 2}, &start, {1}},
    {"odd, ids that repeat", {HN_DIMS(3, 7), HN_DIMS(5, 19), HN_DIMS(9, 19)}, {2, 2, 2}, &start, {5}},
    {"later positions", {HN_DIMS(2, 4), HN_DIMS(11, 33), HN_DIMS(7, 33)}, {2, 2, 2}, &later, {11}},
    {"without positions", {HN_DIMS(6), HN_DIMS(11, 8)}, {1, 2}, &start, {11}},
};
const hn_op hn_op_embedding = {
    .item = {"embedding", "rows of a table by id, plus positions", NULL, NULL, 0, sizeof(hn_embedding_attr)},
    .saves = HN_SAVE_IN0,
    .n_in = 3,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
