/* box.h - operators that only move numbers: each input is a box of numbers that lands as a box in the result.
 *
 * A box is six nested loops with a step for each in the input and in the result. Forward copies, backward adds along the same box; so
 * such an operator has to say its shape and its boxes, no more. Limit: f32. */
#ifndef HN_TENSOR_OP_BOX_H
#define HN_TENSOR_OP_BOX_H
#include "tensor/op/broadcast.h"

enum { HN_BOX_DIMS = 6 };
typedef struct hn_box {
    int64_t n[HN_BOX_DIMS], in[HN_BOX_DIMS], out[HN_BOX_DIMS]; /* size; elements from one to the next in the input and in the result */
    int64_t in_at, out_at;                                     /* where it starts */
} hn_box;
typedef hn_box hn_box_of(const hn_call *c, int k); /* the box of in[k] */
hn_box_of hn_slice_box, hn_concat_box, hn_transpose_box, hn_pad_box, hn_patches_box;

/* The box that holds n[] (padded dimensions) of both x and out from their starts on. */
static inline hn_box hn_box_new(const hone_tensor *x, const hone_tensor *out, const int64_t n[HONE_MAX_DIMS]) {
    hn_box b = {.n = {1, 1, n[0], n[1], n[2], n[3]}};
    hn_steps(x, b.in + 2);
    hn_steps(out, b.out + 2);
    return b;
}
/* Position of dimension d of x in a box made so. */
static inline int hn_box_dim(const hone_tensor *x, int d) { return HN_BOX_DIMS - x->dims + d; }

/* to (+)= from over the box, plainly. */
static inline void hn_box_move(const hn_box *b, float *to, const int64_t *to_step, const float *from, const int64_t *from_step, bool add) {
    int64_t i[HN_BOX_DIMS] = {0}, count = 1;
    for (int d = 0; d < HN_BOX_DIMS; d++) count *= b->n[d];
    for (; count > 0; count--) {
        int64_t t = 0, f = 0;
        for (int d = 0; d < HN_BOX_DIMS; d++) t += i[d] * to_step[d], f += i[d] * from_step[d];
        to[t] = add ? to[t] + from[f] : from[f];
        for (int d = HN_BOX_DIMS - 1; d >= 0 && ++i[d] == b->n[d]; d--) i[d] = 0;
    }
}
static inline void hn_box_forward(hn_call *c, hn_box_of *of) {
    for (int k = 0; k < c->n_in; k++) {
        if (!c->in[k]) continue;
        hn_box b = of(c, k);
        hn_box_move(&b, (float *)c->out->data + b.out_at, b.out, (const float *)c->in[k]->data + b.in_at, b.in, false);
    }
}
static inline void hn_box_backward(hn_call *c, hone_tensor *const dx[], hn_box_of *of) {
    for (int k = 0; k < c->n_in; k++) {
        if (!dx[k]) continue;
        hn_box b = of(c, k);
        hn_box_move(&b, (float *)dx[k]->data + b.in_at, b.in, c->out->grad + b.out_at, b.out, true);
    }
}
/* A dimension counted from the end where negative; −1 when there is none such. */
static inline int hn_dim_of(const hone_tensor *x, int dim) {
    int d = dim < 0 ? dim + x->dims : dim;
    return d >= 0 && d < x->dims ? d : -1;
}
static inline bool hn_no_dim(hn_call *c, const hone_tensor *x, int dim) {
    return HN_MISFIT(c, "%s: x is (%s) and has no dimension %d", c->op->item.name, HN_SHAPE(c, x), dim);
}
#endif
