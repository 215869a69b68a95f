/* floor.h - the matrix products of a training step, alone: what no engine on oneDNN's kernels can go below. */
#ifndef HN_BENCH_FLOOR_H
#define HN_BENCH_FLOOR_H
#include "tensor/bf16.h"
#include "tensor/tensor.h"

/* ---- gemm.c: one product, C (m,n) = op(A)·op(B), in the fastest of several ways ---- */
typedef struct bench_gemm {
    int64_t m, n, k;
    bool ta, tb;                /* A is stored (k,m); B is stored (n,k) */
    bool bf16, b_wide;          /* A is bf16; so is B, or it is f32 and rounded as it is packed */
    const float *a, *b;
    float *c;
    int64_t lda, ldb, ldc;
} bench_gemm;
typedef struct bench_gemms bench_gemms;
bench_gemms *bench_gemms_new(hn_arena *a);
int bench_gemm_choose(bench_gemms *all, const bench_gemm *g);   /* tries every way, once for each shape; its number */
void bench_gemm_run(bench_gemms *all, const bench_gemm *g, int chosen);

/* ---- packed.c: the same by oneDNN's matmul primitive, B packed in the layout it likes best ---- */
typedef struct bench_packed bench_packed;
bench_packed *bench_packed_new(hn_arena *a, const bench_gemm *g, int64_t tile_m, int64_t tile_n);  /* NULL: oneDNN has none */
void bench_packed_run(bench_packed *p, const bench_gemm *g);    /* packing included */

/* One of bf16 as its operands lie (lda, ldb, ldc, ta, tb), into f32, by the calling thread, which is worker `me`. */
bench_packed *bench_strided_new(hn_arena *a, const bench_gemm *g);
void bench_strided_run(bench_packed *p, int me, const hn_bf16 *a, const hn_bf16 *b, float *c);

/* ---- floor.c ---- */
typedef struct bench_floor bench_floor;
bench_floor *bench_floor_new(hn_arena *a, bool bf16);           /* in products of bf16 */
void bench_floor_see(bench_floor *f, const hn_call *c, bool backward);  /* notes the products of a call that ran */
void bench_floor_ready(bench_floor *f);                         /* all seen: buffers, and the fastest way for each */
double bench_floor_run(bench_floor *f);                         /* seconds of one step's products */
double bench_floor_flops(const bench_floor *f);
#endif
