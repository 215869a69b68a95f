/* kernels.h - matrix products that other layers may use. */
#ifndef HN_KERNELS_H
#define HN_KERNELS_H
#include "base/base.h"

/* C (m,n) = op(A)·op(B) + beta·C, row-major, by oneDNN on the calling thread alone. ta: A is stored (k,m); tb: B is stored (n,k). */
void hn_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb, float beta,
             float *c, int64_t ldc);
/* hn_pool_run for tasks that call hn_gemm many times: signals, which each product must hold back, are held once. */
void hn_products_run(hn_pool *pool, int64_t tasks, void (*fn)(void *arg, int64_t task, int worker), void *arg);

static inline int64_t hn_round(int64_t n) { return (n + 15) / 16 * 16; } /* floats to a cache line */
/* Row lengths that are multiples of 512 bytes map to few sets of the first cache; oneDNN then falls to 40-80 % where it walks down
 * columns (AᵀB: rows of both; AB: rows of B). A copy with an odd number of cache lines per row brings 95 % back. Zen 3, 128x128x768
 * AᵀB: row lengths 1024 31 GF/s, 512 54, 384 75, 128 79, padded 95; 128x128x512 AB: 1024 47, 512 66, 768 88, 384 95, padded 98.
 * With AVX-512 (Zen 4) it pays only where a product walks down w's columns or along rows that lie half a page apart. */
bool hn_gemm_wants_padding(void);
static inline int64_t hn_pad_ld(int64_t n) { return hn_round(n) + (hn_round(n) / 16 % 2 ? 0 : 16); }
#endif
