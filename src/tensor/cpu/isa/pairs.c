/* pairs.c - products of pairs of bf16 numbers; nothing where the instruction set has none. The arrangement is that of Goto and van de Geijn
 * 2008 (doi:10.1145/1356052.1356053): a panel of b, DEEP cells of it, stays in the first cache and meets all rows of a; the results of
 * ROWS rows by two vectors stay in registers over those cells.
 *
 * Zen 4, one thread, 168 x 384 x 768, of 236 GF/s: 8 rows by 2 vectors 228, 6 by 4 227, 14 by 2 227; DEEP 64 219, 512 226. */
#include "tensor/cpu/pairs.h"
#include "tensor/cpu/vec.h"

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define TABLE PASTE(hn_pairs_, HN_ISA)
extern const hn_pairs TABLE;

#ifdef __AVX512BF16__
enum { ROWS = 8, WIDTH = 2 * VW, DEEP = 256 };
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 16")

/* ---- packing ---- */

/* Up to VW numbers of f32; the rest is 0. */
INLINE vf some(const float *x, int64_t n) { return n >= VW ? v_loadu(x) : n > 0 ? v_loadn(x, n) : v_set(0); }
INLINE __m256i some16(const uint16_t *x, int64_t n) {
    if (n >= VW) return _mm256_loadu_si256((const __m256i *)x);
    return n > 0 ? _mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), x) : _mm256_setzero_si256();
}
/* VW cells along the depth, of which n numbers are there. */
INLINE __m512i cells_along(const hone_dtype type, const void *x, int64_t i, int64_t n) {
    if (type == HONE_F32) {
        const float *f = (const float *)x + i;
        return (__m512i)_mm512_cvtne2ps_pbh(some(f + VW, n - VW), some(f, n));
    }
    const uint16_t *h = (const uint16_t *)x + i;
    return _mm512_inserti64x4(_mm512_castsi256_si512(some16(h, n)), some16(h + VW, n - VW), 1);
}
/* A cell of VW columns: numbers of one depth and of the next (NULL: zeros). */
INLINE __m512i cells_across(const hone_dtype type, const void *x, const void *next, int64_t i, int64_t n) {
    const __m512i by_turns = _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6, 21, 5, 20, 4, 19,
                                              3, 18, 2, 17, 1, 16, 0);
    __m512i both;
    if (type == HONE_F32) both = (__m512i)_mm512_cvtne2ps_pbh(some((const float *)next + i, next ? n : 0), some((const float *)x + i, n));
    else
        both = _mm512_inserti64x4(_mm512_castsi256_si512(some16((const uint16_t *)x + i, n)), some16((const uint16_t *)next + i, next ? n : 0),
                                  1);
    return _mm512_permutexvar_epi16(by_turns, both);
}
INLINE void pack_across(const hone_dtype type, uint32_t *to, int64_t stride, const uint8_t *from, int64_t bytes, int64_t cols,
                        int64_t depth) {
    for (int64_t k = 0; k < depth; k += 2, to += WIDTH, from += 2 * bytes) {
        const uint8_t *next = k + 1 < depth ? from + bytes : NULL;
        uint32_t *p = to;
        for (int64_t j = 0; j < cols; j += WIDTH, p += stride) {
            _mm512_storeu_si512(p, cells_across(type, from, next, j, cols - j));
            _mm512_storeu_si512(p + VW, cells_across(type, from, next, j + VW, cols - j - VW));
        }
    }
}
/* Number j of vector i becomes number i of vector j. */
INLINE void turn(vf r[VW]) {
    __m512 a[VW], b[VW];
    for (int i = 0; i < VW; i += 2) a[i] = _mm512_unpacklo_ps(r[i], r[i + 1]), a[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    for (int i = 0; i < VW; i += 4)
        for (int k = 0; k < 2; k++) { /* b[i + c]: within each lane of 128 bits column c of the four rows */
            __m512d x = _mm512_castps_pd(a[i + k]), y = _mm512_castps_pd(a[i + 2 + k]);
            b[i + 2 * k] = _mm512_castpd_ps(_mm512_unpacklo_pd(x, y)), b[i + 2 * k + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(x, y));
        }
    for (int c = 0; c < 4; c++) {
        __m512 l = _mm512_shuffle_f32x4(b[c], b[4 + c], 0x88), h = _mm512_shuffle_f32x4(b[c], b[4 + c], 0xdd);
        __m512 l2 = _mm512_shuffle_f32x4(b[8 + c], b[12 + c], 0x88), h2 = _mm512_shuffle_f32x4(b[8 + c], b[12 + c], 0xdd);
        r[c] = _mm512_shuffle_f32x4(l, l2, 0x88), r[8 + c] = _mm512_shuffle_f32x4(l, l2, 0xdd);
        r[4 + c] = _mm512_shuffle_f32x4(h, h2, 0x88), r[12 + c] = _mm512_shuffle_f32x4(h, h2, 0xdd);
    }
}
/* VW columns by VW cells at a time, turned. */
INLINE void pack_along(const hone_dtype type, uint32_t *to, int64_t stride, const uint8_t *from, int64_t bytes, int64_t cols, int64_t depth) {
    int64_t cells = (depth + 1) / 2;
    for (int64_t j = 0; j < (cols + WIDTH - 1) / WIDTH * WIDTH; j += VW) {
        uint32_t *p = to + j / WIDTH * stride + j % WIDTH;
        for (int64_t q = 0; q < cells; q += VW) {
            vf r[VW];
            UNROLL for (int i = 0; i < VW; i++)
                r[i] = j + i < cols ? (vf)cells_along(type, from + (j + i) * bytes, 2 * q, depth - 2 * q) : v_set(0);
            turn(r);
            UNROLL for (int i = 0; i < VW; i++)
                if (q + i < cells) _mm512_storeu_si512(p + (q + i) * WIDTH, (__m512i)r[i]);
        }
    }
}
static void pack(uint32_t *to, int64_t stride, const void *from, hone_dtype type, int64_t ld, bool along, int64_t cols, int64_t depth) {
    if (type == HONE_F32) {
        if (along) pack_along(HONE_F32, to, stride, from, 4 * ld, cols, depth);
        else pack_across(HONE_F32, to, stride, from, 4 * ld, cols, depth);
    } else if (along) pack_along(HONE_BF16, to, stride, from, 2 * ld, cols, depth);
    else pack_across(HONE_BF16, to, stride, from, 2 * ld, cols, depth);
}

/* ---- products ---- */

/* R rows by V vectors of a panel, over q cells; `left` columns of c are there. */
INLINE void block(float *c, int64_t ldc, const uint8_t *a, int64_t row, int64_t cell, const uint32_t *b, int64_t q, int64_t left, bool add,
                  const int R, const int V) {
    vf s[ROWS][2];
    UNROLL for (int r = 0; r < R; r++) s[r][0] = s[r][1] = v_set(0);
    for (int64_t k = 0; k < q; k++, a += cell, b += WIDTH) {
        __m512bh b0 = (__m512bh)_mm512_loadu_si512(b), b1 = b0;
        if (V > 1) b1 = (__m512bh)_mm512_loadu_si512(b + VW);
        UNROLL for (int r = 0; r < R; r++) {
            int32_t x;
            memcpy(&x, a + r * row, sizeof x);
            __m512bh both = (__m512bh)_mm512_set1_epi32(x);
            s[r][0] = _mm512_dpbf16_ps(s[r][0], both, b0);
            if (V > 1) s[r][1] = _mm512_dpbf16_ps(s[r][1], both, b1);
        }
    }
    if (left >= V * VW) {
        UNROLL for (int r = 0; r < R; r++)
            UNROLL for (int v = 0; v < V; v++) {
                float *to = c + r * ldc + v * VW;
                if (add) s[r][v] = s[r][v] + v_loadu(to);
                v_storeu(to, s[r][v]);
            }
        return;
    }
    for (int r = 0; r < R; r++)
        for (int v = 0; v < V && left > v * VW; v++) {
            float *to = c + r * ldc + v * VW;
            if (add) s[r][v] = s[r][v] + v_ld(to, left - v * VW);
            v_st(to, s[r][v], left - v * VW);
        }
}
INLINE void rows_by(float *c, int64_t ldc, int64_t m, const uint8_t *a, int64_t row, int64_t cell, const uint32_t *b, int64_t q, int64_t left,
                    bool add, const int V) {
#define R(n) block(c, ldc, a, row, cell, b, q, left, add, n, V)
    for (; m >= ROWS; m -= ROWS, c += ROWS * ldc, a += ROWS * row) R(ROWS);
    switch (m) {
    case 7: R(7); break;
    case 6: R(6); break;
    case 5: R(5); break;
    case 4: R(4); break;
    case 3: R(3); break;
    case 2: R(2); break;
    case 1: R(1); break;
    default: break;
    }
#undef R
}
static void rows_of(float *c, int64_t ldc, int64_t m, const uint8_t *a, int64_t row, int64_t cell, const uint32_t *b, int64_t q, int64_t left,
                    bool add) {
    if (left > VW) rows_by(c, ldc, m, a, row, cell, b, q, left, add, 2);
    else rows_by(c, ldc, m, a, row, cell, b, q, left, add, 1);
}
static void product(float *c, int64_t ldc, int64_t m, int64_t n, int64_t cells, const hn_pairs_left *a, const uint32_t *b, int64_t stride,
                    bool add) {
    for (int64_t k = 0; k < cells; k += DEEP) {
        int64_t q = cells - k < DEEP ? cells - k : DEEP;
        const uint8_t *ak = (const uint8_t *)a->at + k * a->cell;
        for (int64_t j = 0; j < n; j += WIDTH) {
            const uint32_t *bj = b + j / WIDTH * stride + k * WIDTH;
            if (!a->panel) rows_of(c + j, ldc, m, ak, a->row, a->cell, bj, q, n - j, add || k);
            else
                for (int64_t i = 0; i < m; i += WIDTH)
                    rows_of(c + i * ldc + j, ldc, m - i < WIDTH ? m - i : WIDTH, ak + i / WIDTH * a->panel, 4, a->cell, bj, q, n - j, add || k);
        }
    }
    if (!cells && !add)
        for (int64_t i = 0; i < m; i++) memset(c + i * ldc, 0, (size_t)n * sizeof *c);
}
const hn_pairs TABLE = { WIDTH, pack, product };
#else
const hn_pairs TABLE = { 0 };
#endif
