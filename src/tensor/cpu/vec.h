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

/* eˣ = 2ⁿ·eʳ, |r| ≤ ln2/2, eʳ by the polynomial of Cephes' expf. */
static inline vf v_exp(vf x) {
    vf y = v_min(v_set(88.3762626647949f), v_max(v_set(-87.3365478515625f), x));
    vf n = v_round(y * v_set(1.44269504088896341f));
    vf r = v_fnma(n, v_set(-2.12194440e-4f), v_fnma(n, v_set(0.693359375f), y));
    vf p = v_fma(v_set(1.9875691500e-4f), r, v_set(1.3981999507e-3f));
    p = v_fma(p, r, v_set(8.3334519073e-3f));
    p = v_fma(p, r, v_set(4.1665795894e-2f));
    p = v_fma(p, r, v_set(1.6666665459e-1f));
    p = v_fma(p, r, v_set(5.0000001201e-1f));
    p = v_fma(p, r * r, r) + v_set(1.0f);
    return v_where_lt(x, v_set(-87.3365478515625f), v_set(0.0f), v_ldexp(p, n));
}

/* gelu in the tanh form is x·σ(2u), u = √(2/π)(x + 0.044715x³): no cancellation anywhere. */
static inline vf v_gelu_tanh_exp(vf x) /* exp(−2u), finite */
{
    return v_exp(x * v_fma(x * x, v_set(-2 * 0.7978845608f * 0.044715f), v_set(-2 * 0.7978845608f)));
}
static inline vf v_gelu_tanh(vf x) { return x / (v_set(1.0f) + v_gelu_tanh_exp(x)); }
static inline vf v_gelu_tanh_grad(vf x) {
    vf e = v_gelu_tanh_exp(x), s = v_set(1.0f) / (v_set(1.0f) + e); /* 1 − σ = e·σ without cancellation */
    vf du = v_fma(x * x, v_set(6 * 0.7978845608f * 0.044715f), v_set(2 * 0.7978845608f));
    return v_fma(x * s * (e * s), du, s);
}
/* Φ(x); *e = exp(−x²/2). Φ(−a) = *e·P(a)/Q(a) for a ≥ 0: P/Q is fitted to exp(a²/2)·Φ(−a) on 0 … 13.3 for the least relative error,
 * 5e-9, by reweighted least squares. Further out *e is 0. Both tails keep their relative accuracy, and the exponential serves gelu's
 * derivative, Φ + x·φ, as well. */
static inline vf v_normal_cdf(vf x, vf *e) {
    static const float P[] = { 0.00402020012f, 0.039984239f, 0.181306958f, 0.435686588f, 0.5f },
                       Q[] = { 0.0100770041f, 0.100233005f, 0.464380858f, 1.19448504f, 1.66925809f, 1.0f };
    vf zero = v_set(0.0f), a = v_min(v_set(13.5f), v_max(zero - x, x)), p = v_set(P[0]), q = v_fma(v_set(Q[0]), a, v_set(Q[1]));
    for (int i = 1; i < 5; i++) p = v_fma(p, a, v_set(P[i])), q = v_fma(q, a, v_set(Q[i + 1]));
    *e = v_exp(v_set(-0.5f) * a * a);
    vf tail = *e * p / q;
    return v_where_lt(x, zero, tail, v_set(1.0f) - tail);
}
static inline vf v_gelu(vf x) {
    vf e;
    return x * v_normal_cdf(x, &e);
}
static inline vf v_gelu_grad(vf x) {
    vf e, cdf = v_normal_cdf(x, &e);
    return v_fma(x * v_set(0.3989422804f), e, cdf);
}

/* σ(x) = 1/(1 + e⁻ˣ); e = e⁻ˣ stays finite. silu'(x) = σ(1 + x(1 − σ)), 1 − σ = e·σ without cancellation. */
static inline vf v_sigmoid(vf x) { return v_set(1.0f) / (v_set(1.0f) + v_exp(v_set(0.0f) - x)); }
static inline vf v_sigmoid_grad(vf x) {
    vf e = v_exp(v_set(0.0f) - x), s = v_set(1.0f) / (v_set(1.0f) + e);
    return s * (e * s);
}
static inline vf v_silu_grad(vf x) {
    vf e = v_exp(v_set(0.0f) - x), s = v_set(1.0f) / (v_set(1.0f) + e);
    return v_fma(x * s, e * s, s);
}
/* ln(1 + e) for 0 ≤ e ≤ 1: 2·artanh(s), s = e/(2 + e) ≤ 1/3, by its series: relative error 3e-8 by truncation, nothing cancels. */
static inline vf v_log1p(vf e) {
    vf s = e / (v_set(2.0f) + e), q = s * s, p = v_fma(q, v_set(1 / 13.0f), v_set(1 / 11.0f));
    p = v_fma(q, v_fma(q, v_fma(q, p, v_set(1 / 9.0f)), v_set(1 / 7.0f)), v_set(0.2f));
    return (s + s) * v_fma(q, v_fma(q, p, v_set(1 / 3.0f)), v_set(1.0f));
}
/* tanh: odd, (1 − e)/(1 + e) with e = exp(−2|x|); near 0, where that cancels, its series. */
static inline vf v_tanh(vf x) {
    vf zero = v_set(0.0f), one = v_set(1.0f), a = v_max(zero - x, x), q = x * x;
    vf e = v_exp(v_set(-2.0f) * a), t = (one - e) / (one + e);
    vf p = v_fma(q, v_fma(q, v_fma(q, v_set(-0.05396825397f), v_set(0.13333333333f)), v_set(-0.33333333333f)), one);
    return v_where_lt(a, v_set(0.15f), x * p, v_where_lt(x, zero, zero - t, t));
}
#endif
