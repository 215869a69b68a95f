/* vec.h - a vector of floats as wide as the instruction set, and the few functions kernels need on it.
 *
 * Only files of isa/ include this: each is compiled once per instruction set. `plain` uses GNU vectors of four floats and no
 * intrinsics, so it runs on any processor. A NaN passes through every function here: comparisons keep the second operand.
 * Errors against double, over all floats in the range: v_exp 1 ulp (2 at most), flushed to 0 below -87.3;
 * v_normal_cdf 4e-7 relative near 0, below it growing as x² · 6e-8. */
#ifndef HN_VEC_H
#define HN_VEC_H
#include "tensor/bf16.h"
#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined(__AVX512F__)
#include <immintrin.h>
enum { VW = 16 };
typedef __m512 vf;
static inline vf v_set(float x) { return _mm512_set1_ps(x); }
static inline vf v_fma(vf a, vf b, vf c) { return _mm512_fmadd_ps(a, b, c); }   /* a·b + c */
static inline vf v_fnma(vf a, vf b, vf c) { return _mm512_fnmadd_ps(a, b, c); } /* c - a·b */
static inline vf v_max(vf a, vf b) { return _mm512_max_ps(a, b); }
static inline vf v_min(vf a, vf b) { return _mm512_min_ps(a, b); }
static inline vf v_loadu(const float *p) { return _mm512_loadu_ps(p); }
static inline void v_storeu(float *p, vf v) { _mm512_storeu_ps(p, v); }
static inline vf v_loadn(const float *p, int64_t n) { return _mm512_maskz_loadu_ps((__mmask16)((1u << n) - 1), p); }
static inline void v_storen(float *p, vf v, int64_t n) { _mm512_mask_storeu_ps(p, (__mmask16)((1u << n) - 1), v); }
static inline vf v_keepn(vf v, vf other, int64_t n) { return _mm512_mask_blend_ps((__mmask16)((1u << n) - 1), other, v); }
static inline vf v_where_lt(vf a, vf b, vf x, vf y) { return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), y, x); }
static inline vf v_round(vf x) { return _mm512_roundscale_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
typedef uint64_t vu __attribute__((vector_size(64)));
static inline vu v_mul32(vu a, vu b) { return (vu)_mm512_mul_epu32((__m512i)a, (__m512i)b); } /* of the low halves */
static inline vf v_ldexp(vf x, vf n) {
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), _mm512_slli_epi32(_mm512_cvtps_epi32(n), 23)));
}
static inline vf v_bf16(const uint16_t *p) { /* VW numbers of 16 bits, widened */
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}
static inline vf v_f16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
static inline vf v_widen(const hn_bf16 *p) {
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p)), 16));
}
#ifdef __AVX512BF16__
static inline void v_narrow(hn_bf16 *p, vf v) { _mm256_storeu_si256((__m256i *)p, (__m256i)_mm512_cvtneps_pbh(v)); }
#else
static inline void v_narrow(hn_bf16 *p, vf v) {
    __m512i u = _mm512_castps_si512(v), one = _mm512_set1_epi32(1), high = _mm512_srli_epi32(u, 16);
    __m512i r = _mm512_srli_epi32(_mm512_add_epi32(u, _mm512_add_epi32(_mm512_set1_epi32(0x7fff), _mm512_and_si512(high, one))), 16);
    r = _mm512_mask_or_epi32(r, _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q), high, _mm512_set1_epi32(0x40));
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(r));
}
#endif
#elif defined(__AVX2__)
#include <immintrin.h>
enum { VW = 8 };
typedef __m256 vf;
static inline vf v_set(float x) { return _mm256_set1_ps(x); }
static inline vf v_fma(vf a, vf b, vf c) { return _mm256_fmadd_ps(a, b, c); }
static inline vf v_fnma(vf a, vf b, vf c) { return _mm256_fnmadd_ps(a, b, c); }
static inline vf v_max(vf a, vf b) { return _mm256_max_ps(a, b); }
static inline vf v_min(vf a, vf b) { return _mm256_min_ps(a, b); }
static inline vf v_loadu(const float *p) { return _mm256_loadu_ps(p); }
static inline void v_storeu(float *p, vf v) { _mm256_storeu_ps(p, v); }
static inline __m256i v_mask(int64_t n) {
    static const int32_t m[16] = { -1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0 };
    return _mm256_loadu_si256((const __m256i *)(m + 8 - n));
}
static inline vf v_loadn(const float *p, int64_t n) { return _mm256_maskload_ps(p, v_mask(n)); }
static inline void v_storen(float *p, vf v, int64_t n) { _mm256_maskstore_ps(p, v_mask(n), v); }
static inline vf v_keepn(vf v, vf other, int64_t n) { return _mm256_blendv_ps(other, v, _mm256_castsi256_ps(v_mask(n))); }
static inline vf v_where_lt(vf a, vf b, vf x, vf y) { return _mm256_blendv_ps(y, x, _mm256_cmp_ps(a, b, _CMP_LT_OQ)); }
static inline vf v_round(vf x) { return _mm256_round_ps(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
typedef uint64_t vu __attribute__((vector_size(32)));
static inline vu v_mul32(vu a, vu b) { return (vu)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
static inline vf v_ldexp(vf x, vf n) {
    return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x), _mm256_slli_epi32(_mm256_cvtps_epi32(n), 23)));
}
static inline vf v_bf16(const uint16_t *p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}
static inline vf v_f16(const uint16_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); } /* F16C is older than AVX2 */
static inline vf v_widen(const hn_bf16 *p) {
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)), 16));
}
static inline void v_narrow(hn_bf16 *p, vf v) {
    __m256i u = _mm256_castps_si256(v), high = _mm256_srli_epi32(u, 16), odd = _mm256_and_si256(high, _mm256_set1_epi32(1));
    __m256i r = _mm256_srli_epi32(_mm256_add_epi32(u, _mm256_add_epi32(_mm256_set1_epi32(0x7fff), odd)), 16);
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(v, v, _CMP_UNORD_Q));
    r = _mm256_blendv_epi8(r, _mm256_or_si256(high, _mm256_set1_epi32(0x40)), nan);
    r = _mm256_permute4x64_epi64(_mm256_packus_epi32(r, r), 0x08);
    _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(r));
}
#else
enum { VW = 4 };
typedef float vf __attribute__((vector_size(16)));
typedef int32_t vi __attribute__((vector_size(16)));
typedef uint32_t vu32 __attribute__((vector_size(16)));
typedef uint64_t vu __attribute__((vector_size(16)));
static inline vu v_mul32(vu a, vu b) { return (a & 0xffffffffu) * (b & 0xffffffffu); }
static inline vf v_set(float x) { return (vf){ x, x, x, x }; }
static inline vf v_fma(vf a, vf b, vf c) { return a * b + c; }
static inline vf v_fnma(vf a, vf b, vf c) { return c - a * b; }
static inline vf v_pick(vi m, vf x, vf y) { return (vf)((m & (vi)x) | (~m & (vi)y)); }
static inline vf v_max(vf a, vf b) { return v_pick((vi)(a > b), a, b); }
static inline vf v_min(vf a, vf b) { return v_pick((vi)(a < b), a, b); }
static inline vf v_loadu(const float *p) {
    vf v;
    memcpy(&v, p, sizeof v);
    return v;
}
static inline void v_storeu(float *p, vf v) { memcpy(p, &v, sizeof v); }
static inline vf v_loadn(const float *p, int64_t n) {
    vf v = { 0, 0, 0, 0 };
    for (int64_t i = 0; i < n; i++) v[i] = p[i];
    return v;
}
static inline void v_storen(float *p, vf v, int64_t n) {
    for (int64_t i = 0; i < n; i++) p[i] = v[i];
}
static inline vf v_keepn(vf v, vf other, int64_t n) {
    for (int64_t i = n; i < VW; i++) v[i] = other[i];
    return v;
}
static inline vf v_where_lt(vf a, vf b, vf x, vf y) { return v_pick((vi)(a < b), x, y); }
static inline vf v_round(vf x) {
    vf big = v_set(12582912.0f);
    return (x + big) - big;
} /* |x| < 2^22 */
static inline vf v_ldexp(vf x, vf n) {
    vi k = (vi)(n + v_set(12582912.0f)) - (vi)v_set(12582912.0f);
    return (vf)((vi)x + (k << 23));
}
static inline vf v_bf16(const uint16_t *p) { return (vf)((vu32){ p[0], p[1], p[2], p[3] } << 16); }
/* The exponent is moved by a product, which makes subnormal numbers normal; those of the largest are infinity and NaN. */
static inline vf v_f16(const uint16_t *p) {
    vu32 h = { p[0], p[1], p[2], p[3] }, m = (h & 0x7fff) << 13;
    return (vf)((vu32)((vf)m * v_set(0x1p112f)) | (0x7f800000 & (vu32)(m >= 0x0f800000)) | (h & 0x8000) << 16);
}
static inline vf v_widen(const hn_bf16 *p) { return (vf){ hn_widen(p[0]), hn_widen(p[1]), hn_widen(p[2]), hn_widen(p[3]) }; }
static inline void v_narrow(hn_bf16 *p, vf v) {
    for (int i = 0; i < VW; i++) p[i] = hn_narrow(v[i]);
}
#endif

/* k elements: a whole vector, or the tail of a row (the rest reads as 0 and is not written). */
static inline vf v_ld(const float *p, int64_t k) { return k >= VW ? v_loadu(p) : v_loadn(p, k); }
static inline void v_st(float *p, vf v, int64_t k) {
    if (k >= VW) v_storeu(p, v);
    else v_storen(p, v, k);
}
static inline vf v_keep(vf v, vf other, int64_t k) { return k >= VW ? v : v_keepn(v, other, k); }
#define V_EACH(i, n) for (int64_t i = 0, left_ = (n); left_ > 0; i += VW, left_ -= VW)
#define V_LEFT left_
/* By fours while they last, then what is left one vector at a time. */
#define V_FOURS(i, n) for (; i + 4 * VW <= (n); i += 4 * VW)
#define V_REST(i, n) for (int64_t left_ = (n) - i; left_ > 0; i += VW, left_ -= VW)

/* Halves are added until one number is left, the same on every instruction set of a width. */
#if defined(__AVX2__)
static inline float v_sum(vf v) {
#if defined(__AVX512F__)
    __m256 w = _mm512_castps512_ps256(v) + _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v), 1));
#else
    __m256 w = v;
#endif
    __m128 q = _mm256_castps256_ps128(w) + _mm256_extractf128_ps(w, 1), d = q + _mm_movehl_ps(q, q);
    return d[0] + d[1];
}
#else
static inline float v_sum(vf v) { return (v[0] + v[2]) + (v[1] + v[3]); }
#endif
static inline float v_top(vf v) {
    float t[VW];
    memcpy(t, &v, sizeof v);
    for (int h = VW / 2; h; h /= 2)
        for (int i = 0; i < h; i++) t[i] = t[i] > t[i + h] || t[i] != t[i] ? t[i] : t[i + h];
    return t[0];
}

static inline vf v_add(vf a, vf b) { return a + b; }
static inline vf v_sub(vf a, vf b) { return a - b; }
static inline vf v_mul(vf a, vf b) { return a * b; }
static inline vf v_div(vf a, vf b) { return a / b; }

/* Four vectors, and an operation on each before the next. The functions below are long chains of operations that wait for one another, and
 * what waits fills the processor's queues: four chains by turns wait less (Zen 5, a vector of 16: exact gelu 5.0 ns one after another, 4.2
 * by fours; exp 2.4 and 2.0). The same bits. */
typedef struct {
    vf a, b, c, d;
} vf4;
#define V4(...) static inline vf4 __VA_ARGS__
V4(v4_set(float x)) { return (vf4){ v_set(x), v_set(x), v_set(x), v_set(x) }; }
V4(v4_loadu(const float *p)) { return (vf4){ v_loadu(p), v_loadu(p + VW), v_loadu(p + 2 * VW), v_loadu(p + 3 * VW) }; }
static inline void v4_storeu(float *p, vf4 x) {
    v_storeu(p, x.a), v_storeu(p + VW, x.b), v_storeu(p + 2 * VW, x.c), v_storeu(p + 3 * VW, x.d);
}
#define V4_OF_1(f) V4(v4_##f(vf4 x)) { return (vf4){ v_##f(x.a), v_##f(x.b), v_##f(x.c), v_##f(x.d) }; }
#define V4_OF_2(f) V4(v4_##f(vf4 x, vf4 y)) { return (vf4){ v_##f(x.a, y.a), v_##f(x.b, y.b), v_##f(x.c, y.c), v_##f(x.d, y.d) }; }
#define V4_OF_3(f)                                                                                                                         \
    V4(v4_##f(vf4 x, vf4 y, vf4 z)) { return (vf4){ v_##f(x.a, y.a, z.a), v_##f(x.b, y.b, z.b), v_##f(x.c, y.c, z.c), v_##f(x.d, y.d, z.d) }; }
V4_OF_1(round)
V4_OF_2(add) V4_OF_2(sub) V4_OF_2(mul) V4_OF_2(div) V4_OF_2(max) V4_OF_2(min) V4_OF_2(ldexp)
V4_OF_3(fma) V4_OF_3(fnma)
V4(v4_where_lt(vf4 a, vf4 b, vf4 x, vf4 y)) {
    return (vf4){ v_where_lt(a.a, b.a, x.a, y.a), v_where_lt(a.b, b.b, x.b, y.b), v_where_lt(a.c, b.c, x.c, y.c), v_where_lt(a.d, b.d, x.d, y.d) };
}

#define V_T vf
#define V_(f) v_##f
#include "tensor/cpu/vec_math.h"
#undef V_T
#undef V_
#define V_T vf4
#define V_(f) v4_##f
#include "tensor/cpu/vec_math.h"
#undef V_T
#undef V_

/* ln(1 + e) for 0 ≤ e ≤ 1: 2·artanh(s), s = e/(2 + e) ≤ 1/3, by its series: relative error 3e-8 by truncation, nothing cancels. */
static inline vf v_log1p(vf e) {
    vf s = e / (v_set(2.0f) + e), q = s * s, p = v_fma(q, v_set(1 / 13.0f), v_set(1 / 11.0f));
    p = v_fma(q, v_fma(q, v_fma(q, p, v_set(1 / 9.0f)), v_set(1 / 7.0f)), v_set(0.2f));
    return (s + s) * v_fma(q, v_fma(q, p, v_set(1 / 3.0f)), v_set(1.0f));
}
#endif
