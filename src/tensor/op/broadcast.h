/* broadcast.h - numpy's rule for two tensors: shapes are aligned at their last dimensions and a size of 1 stretches. */
#ifndef HN_TENSOR_OP_BROADCAST_H
#define HN_TENSOR_OP_BROADCAST_H
#include "tensor/op/op.h"

typedef struct hn_stretch {
    int64_t n[HONE_MAX_DIMS];       /* of the result, padded with leading ones */
    int64_t step[2][HONE_MAX_DIMS]; /* elements from one index of in[k] to the next; 0 where it is stretched */
} hn_stretch;

/* Sizes of x, padded in front with ones. */
static inline void hn_padded(const hone_tensor *x, int64_t n[HONE_MAX_DIMS]) {
    int gap = HONE_MAX_DIMS - x->dims;
    for (int d = 0; d < HONE_MAX_DIMS; d++) n[d] = d < gap ? 1 : x->shape[d - gap];
}
/* Elements between neighbours along each (padded) dimension. */
static inline void hn_steps(const hone_tensor *x, int64_t step[HONE_MAX_DIMS]) {
    int64_t n[HONE_MAX_DIMS];
    hn_padded(x, n);
    step[HONE_MAX_DIMS - 1] = 1;
    step[HONE_MAX_DIMS - 2] = x->ld;
    for (int d = HONE_MAX_DIMS - 3; d >= 0; d--) step[d] = step[d + 1] * n[d + 1];
}
static inline hn_stretch hn_stretch_of(const hn_call *c) {
    hn_stretch s;
    hn_padded(c->out, s.n);
    for (int k = 0; k < 2; k++) {
        int64_t n[HONE_MAX_DIMS];
        hn_padded(c->in[k], n);
        hn_steps(c->in[k], s.step[k]);
        for (int d = 0; d < HONE_MAX_DIMS; d++)
            if (n[d] == 1) s.step[k][d] = 0;
    }
    return s;
}
/* Splits the result's indices for the gradient of in[k]: those it has itself, and those that are summed for each of them. */
static inline void hn_stretched(const hn_call *c, int k, int64_t own[HONE_MAX_DIMS], int64_t over[HONE_MAX_DIMS]) {
    int64_t n[HONE_MAX_DIMS];
    hn_padded(c->out, n);
    hn_padded(c->in[k], own);
    for (int d = 0; d < HONE_MAX_DIMS; d++) over[d] = own[d] == n[d] ? 1 : n[d];
}

/* for (each index i[4] below n[4], the last the fastest) */
#define HN_EACH_INDEX(i, n)                                                                                                                \
    for (int64_t i[HONE_MAX_DIMS] = {0}; i[0] < (n)[0] && (n)[1] > 0 && (n)[2] > 0 && (n)[3] > 0; hn_next_index(i, n))
static inline void hn_next_index(int64_t i[HONE_MAX_DIMS], const int64_t n[HONE_MAX_DIMS]) {
    for (int d = HONE_MAX_DIMS - 1; ++i[d] == n[d] && d > 0; d--) i[d] = 0;
}
static inline int64_t hn_dot4(const int64_t i[HONE_MAX_DIMS], const int64_t step[HONE_MAX_DIMS]) {
    return i[0] * step[0] + i[1] * step[1] + i[2] * step[2] + i[3] * step[3];
}

/* What add and mul are both tested on. */
#define HN_BROADCAST_CASES                                                                                                                 \
    {"one", {HN_DIMS(1), HN_DIMS(1)}, {1, 1}}, {"odd", {HN_DIMS(3, 5, 7), HN_DIMS(3, 5, 7)}, {3, 3}},                                      \
        {"columns", {HN_DIMS(9, 37), HN_DIMS(9, 37)}, {2, 2}, .views = true},                                                              \
        {"a row for all", {HN_DIMS(3, 70, 5), HN_DIMS(5)}, {3, 1}}, {"x stretched", {HN_DIMS(9), HN_DIMS(2, 3, 9)}, {1, 3}},               \
        {"a number per row", {HN_DIMS(6, 37), HN_DIMS(6, 1)}, {2, 2}, .views = true}, {"a number", {HN_DIMS(7, 19), HN_DIMS(1)}, {2, 1}},  \
        {"both stretched", {HN_DIMS(5, 1, 6), HN_DIMS(3, 1)}, {3, 2}, .views = true},                                                      \
        {"in the middle", {HN_DIMS(2, 3, 4, 5), HN_DIMS(2, 1, 4, 1)}, {4, 4}}, {"wide", {HN_DIMS(131, 300), HN_DIMS(300)}, {2, 1}}

/* Fills out's shape, or refuses in the operator's name. */
static inline bool hn_broadcast(hn_call *c) {
    const char *who = c->op->item.name;
    const hone_tensor *x = c->in[0], *y = c->in[1];
    int64_t n[2][HONE_MAX_DIMS];
    if (!x || !y || x->dtype != HONE_F32 || y->dtype != HONE_F32) return HN_MISFIT(c, "%s: x and y must be f32", who);
    hn_padded(x, n[0]), hn_padded(y, n[1]);
    c->out->dtype = HONE_F32;
    c->out->dims = HN_MAX(x->dims, y->dims);
    for (int d = 0, gap = HONE_MAX_DIMS - c->out->dims; d < c->out->dims; d++) {
        int64_t a = n[0][gap + d], b = n[1][gap + d];
        if (a != b && a != 1 && b != 1) return HN_MISFIT(c, "%s: x is (%s) but y is (%s)", who, HN_SHAPE(c, x), HN_SHAPE(c, y));
        c->out->shape[d] = a == 1 ? b : a;
    }
    return true;
}
#endif
