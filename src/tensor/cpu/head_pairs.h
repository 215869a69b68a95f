/* head_pairs.h - a head's products in pairs of bf16: what head.c needs of them. */
#ifndef HN_HEAD_PAIRS_H
#define HN_HEAD_PAIRS_H
#include "tensor/cpu/head.h"

/* Rows of bf16, counted in floats; an odd number has a zero behind it. */
static inline int64_t hn_head_row_floats(int64_t n) { return hn_pad_ld(hn_pairs_cells(n)); }
static inline int64_t hn_head_tile_floats(const hn_head *x) { return hn_head_row_floats(HN_MIN(HN_HEAD_TILE, x->V)); }
/* Row i of the block's gradients in a tile of classes. */
static inline hn_bf16 *hn_head_dz16(const hn_head *x, int64_t tile, int64_t i) {
    return (hn_bf16 *)(void *)(x->dz + (tile * x->rows + i) * hn_head_tile_floats(x));
}
static inline void hn_head_narrow(hn_bf16 *to, const float *from, int64_t n) {
    hn_vec_now()->narrow(to, from, n);
    if (n % 2) to[n] = 0;
}

int64_t hn_head_pairs_cut(hn_head *x, const hn_call *c, hn_head_use use, float *s); /* but the rooms */
void hn_head_pairs_block(const hn_call *c, const hn_head *x);                       /* the block's rows, rounded */
/* A tile's w packed into `to`, and the logits of rows i0 … i0 + m of the block from there. */
static inline int64_t hn_head_pairs_room(const hn_head *x) {
    return hn_pairs_packed(x->p, HN_MIN(HN_HEAD_TILE, x->V), hn_pairs_ld(x->C));
}
void hn_head_pairs_pack_w(const hn_head *x, int64_t v0, int64_t n, uint32_t *to);
void hn_head_pairs_logits(const hn_head *x, int64_t i0, int64_t m, int64_t n, const uint32_t *w, float *z, int64_t ld);
/* Rows i0 … i0 + m of a tile's gradients, packed for dw; i0 is even. */
void hn_head_pairs_pack_dz(const hn_head *x, int64_t i0, int64_t m, int64_t v0, int64_t n);
void hn_head_pairs_mend(const hn_head *x, int64_t i, int64_t v, float to);
void hn_head_pairs_grads(const hn_call *c, const hn_head *x, const hone_tensor *dh, const hone_tensor *dw);
#endif
