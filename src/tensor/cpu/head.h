/* head.h - what the heads share: products with a vocabulary by blocks of rows, and row routines per instruction set.
 *
 * No head holds tokens × vocabulary: logits live in scratch for a block of rows at a time (64 MiB at most, unless sixteen rows take
 * more), are turned into their own gradient in place, and are made again in backward. Blocks go by size, in order, and each tile of
 * a gradient has one owner: the same bits for any number of threads. */
#ifndef HN_CPU_HEAD_H
#define HN_CPU_HEAD_H
#include "tensor/cpu/cpu.h"

enum { HN_HEAD_ROWS = 128, HN_HEAD_TILE = 512, HN_HEAD_FLOATS = 1 << 24, HN_HEAD_BLOCK = 4096 };

typedef struct hn_head {
    const hone_tensor *h, *w; /* (…,C), (V,C) */
    int64_t R, V, C, ld;      /* ld: of a block of logits */
} hn_head;
static inline hn_head hn_head_of(const hone_tensor *h, const hone_tensor *w) {
    return (hn_head){ .h = h, .w = w, .R = hn_rows(h), .V = w->shape[0], .C = w->shape[1], .ld = hn_pad_ld(w->shape[0]) };
}
/* Rows of a block when `blocks` of them (R,V) are held at once. */
int64_t hn_head_rows(const hn_head *x, int blocks);
/* z (rows,V) = h·wᵀ for the rows from r0 on. */
void hn_head_logits(const hn_call *c, const hn_head *x, int64_t r0, int64_t rows, float *z);
/* dh += dz·w and dw += dzᵀ·h for the rows from r0 on; each may be NULL. A fresh dh is overwritten; dw must be zeroed by the caller. */
void hn_head_grads(const hn_call *c, const hn_head *x, int64_t r0, int64_t rows, const float *dz, const hone_tensor *dh,
                   const hone_tensor *dw);

/* Rows of logits z; scale is 1/temperature. Sums in float per vector lane over 1024 elements, then in double. */
typedef struct hn_head_vec {
    double (*log_sum_exp)(const float *z, int64_t n, float scale);
    double (*entropy)(const float *z, int64_t n, float scale, float lse); /* −Σ p·ln p, ln p = scale·z − lse */
    /* dz = gain·p + along·p·ln p; dz may be z */
    void (*entropy_grad)(float *dz, const float *z, int64_t n, float scale, float lse, float gain, float along);
    /* The divergence of student s from teacher t by beta (op/linear_kl.c), and in *k what its gradient needs. */
    double (*divergence)(const float *s, const float *t, int64_t n, float scale, const float lse[2], float beta, double *k);
    void (*divergence_grad)(float *ds, const float *s, const float *t, int64_t n, float scale, const float lse[2], float beta, float k,
                            float g); /* times g; ds may be s */
} hn_head_vec;
const hn_head_vec *hn_head_vec_now(void);
#endif
