/* few.h - products of at most HN_FEW_ROWS rows, bound by the reading of w (isa/few.c), and numbers of 16 bits made wide or narrow. */
#ifndef HN_FEW_H
#define HN_FEW_H
#include "tensor/tensor.h"

/* Where oneDNN's packing of w costs more than its product: AVX2, 2 cores, GPT-2 124M. */
enum { HN_FEW_ROWS = 16 };

/* y (rows,n) = x (rows,k) · w, w (n,k) or, transposed, (k,n), of f32, bf16 or f16; lengths of rows in numbers */
typedef struct hn_few {
    float *y;
    const float *x;
    const void *w;
    hone_dtype type;
    int64_t ldy, ldx, ldw, rows, k;
    bool transposed;
} hn_few;
typedef struct hn_few_table {
    void (*product)(const hn_few *f, int64_t n0, int64_t n);                  /* columns n0 … n0 + n of y */
    void (*widen)(float *y, const void *w, hone_dtype type, int64_t n);       /* exact */
    void (*to_bf16)(uint16_t *y, const float *x, int64_t n);                  /* to the nearest, ties to even; NaN stays NaN */
} hn_few_table;
HN_BY_ISA(hn_few_table, hn_few)
static inline const hn_few_table *hn_few_now(void) { return hn_few_of(hn_cpu_isa()); }
static inline const void *hn_few_at(const void *w, hone_dtype type, int64_t i) {
    return (const uint8_t *)w + i * (type == HONE_F32 ? 4 : 2);
}
#endif
