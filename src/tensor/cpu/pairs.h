/* pairs.h - products of bf16 numbers in f32 sums, by the instruction that multiplies and adds two pairs at once (AVX512-BF16's VDPBF16PS),
 * from operands packed for it (isa/pairs.c).
 *
 * A *cell* is two numbers that follow one another in the depth: four bytes. A *panel* is `width` columns of an operand, cell by cell:
 * width × cells; the last is filled up with zeros, and so is an odd depth. Long panels lie an odd number of cells apart (hn_pairs_ld):
 * packing writes a few cells of each panel in turn, which at a power of two would all fall into the same sets of the caches (Zen 5, rows
 * of 1536 packed 4096 deep: 1.9 ns a vector of 16, and 0.64 so). A packed operand serves all tiles of a product, and packing is where f32
 * numbers are rounded to bf16: to the nearest, of two equally near the even one. */
#ifndef HN_PAIRS_H
#define HN_PAIRS_H
#include "tensor/cpu/cpu.h"

/* The left operand: rows of bf16 as they lie in memory, of an even number each, or panels. */
typedef struct hn_pairs_left {
    const void *at;
    int64_t row, cell; /* bytes to the next row, to the next cell; of panels only the latter counts */
    int64_t panel;     /* bytes to the next panel; 0: rows */
} hn_pairs_left;

typedef struct hn_pairs {
    int64_t width;
    /* A matrix of depth × cols numbers of f32 or bf16 into panels `stride` cells apart. along: the depth is contiguous and columns are ld
     * numbers apart; otherwise the other way round. */
    void (*pack)(uint32_t *to, int64_t stride, const void *from, hone_dtype type, int64_t ld, bool along, int64_t cols, int64_t depth);
    /* c (m,n) = a·b, or added to it; b: panels `stride` cells apart. Sums over 256 cells in registers, those in order. */
    void (*product)(float *c, int64_t ldc, int64_t m, int64_t n, int64_t cells, const hn_pairs_left *a, const uint32_t *b, int64_t stride,
                    bool add);
} hn_pairs;
HN_BY_ISA(hn_pairs, hn_pairs)
/* NULL where the instruction set has no such products. */
static inline const hn_pairs *hn_pairs_now(void) { return hn_pairs_of(hn_cpu_isa())->product ? hn_pairs_of(hn_cpu_isa()) : NULL; }

static inline int64_t hn_pairs_cells(int64_t depth) { return hn_cdiv(depth, 2); }
static inline int64_t hn_pairs_ld(int64_t depth) { return hn_pairs_cells(depth) < 32 ? hn_pairs_cells(depth) : hn_pairs_cells(depth) | 1; }
/* Cells of a packed operand whose panels are ld · width apart, and where in it column n, a multiple of the width, has its cell q. */
static inline int64_t hn_pairs_packed(const hn_pairs *p, int64_t cols, int64_t ld) { return hn_round(hn_cdiv(cols, p->width) * p->width * ld); }
static inline int64_t hn_pairs_at(const hn_pairs *p, int64_t ld, int64_t n, int64_t q) { return n * ld + q * p->width; }
/* The left operand in panels from column `n` and cell `q` on. */
static inline hn_pairs_left hn_pairs_panels(const hn_pairs *p, const uint32_t *packed, int64_t ld, int64_t n, int64_t q) {
    return (hn_pairs_left){ packed + hn_pairs_at(p, ld, n, q), 0, p->width * 4, p->width * ld * 4 };
}
#endif
