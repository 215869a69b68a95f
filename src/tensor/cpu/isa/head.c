/* head.c - what the heads do with a row of logits: log-sum-exp, entropy, divergences and their gradients.
 * Compiled once per instruction set; the table at the end is what the kernels call. */
#include "tensor/cpu/head.h"
#include "tensor/cpu/vec.h"

enum { CHUNK = 1024 };
typedef int32_t whole __attribute__((vector_size(4 * VW)));

/* ln x for x in [2⁻¹²⁶, ∞): mantissa in [√½, √2), the polynomial of Cephes' logf; 1 ulp of the result or 6e-8, whichever is more. */
static inline vf v_log(vf x) {
    whole bits = (whole)x, e = ((bits - 0x3f3504f3) >> 23);
    vf m = (vf)(bits - (e << 23)) - v_set(1), k = (vf)__builtin_convertvector(e, float __attribute__((vector_size(4 * VW)))), s = m * m;
    vf p = v_fma(v_set(7.0376836292e-2f), m, v_set(-1.1514610310e-1f));
    p = v_fma(p, m, v_set(1.1676998740e-1f));
    p = v_fma(p, m, v_set(-1.2420140846e-1f));
    p = v_fma(p, m, v_set(1.4249322787e-1f));
    p = v_fma(p, m, v_set(-1.6668057665e-1f));
    p = v_fma(p, m, v_set(2.0000714765e-1f));
    p = v_fma(p, m, v_set(-2.4999993993e-1f));
    p = v_fma(p, m, v_set(3.3333331174e-1f));
    p = v_fma(k, v_set(-2.12194440e-4f), p * m * s);
    return v_fma(k, v_set(0.693359375f), v_fma(v_set(-0.5f), s, p) + m);
}

static double log_sum_exp(const float *z, int64_t n, float scale) {
    vf top = v_set(-INFINITY), vs = v_set(scale);
    V_EACH (i, n) top = v_max(top, v_keep(v_ld(z + i, V_LEFT), v_set(-INFINITY), V_LEFT));
    float max = scale * v_top(top);
    double sum = 0;
    for (int64_t at = 0; at < n; at += CHUNK) {
        vf s = v_set(0), shift = v_set(-max);
        int64_t m = n - at < CHUNK ? n - at : CHUNK;
        V_EACH (i, m) s = s + v_keep(v_exp(v_fma(vs, v_ld(z + at + i, V_LEFT), shift)), v_set(0), V_LEFT);
        sum += v_sum(s);
    }
    return max + log(sum);
}

static double entropy(const float *z, int64_t n, float scale, float lse) {
    vf vs = v_set(scale), shift = v_set(-lse);
    double sum = 0;
    for (int64_t at = 0; at < n; at += CHUNK) {
        vf s = v_set(0);
        int64_t m = n - at < CHUNK ? n - at : CHUNK;
        V_EACH (i, m) {
            vf l = v_fma(vs, v_ld(z + at + i, V_LEFT), shift);
            s = v_fma(v_keep(v_exp(l), v_set(0), V_LEFT), l, s);
        }
        sum -= v_sum(s);
    }
    return sum;
}
static void entropy_grad(float *dz, const float *z, int64_t n, float scale, float lse, float gain, float along) {
    vf vs = v_set(scale), shift = v_set(-lse), vg = v_set(gain), va = v_set(along);
    V_EACH (i, n) {
        vf l = v_fma(vs, v_ld(z + i, V_LEFT), shift);
        v_st(dz + i, v_exp(l) * v_fma(va, l, vg), V_LEFT);
    }
}

/* ln(m/q) and ln(m/p), m = beta·p + (1−beta)·q, from d = ln(p/q): the larger of the two is taken out, so nothing overflows. */
typedef struct mixed {
    vf over_q, over_p;
} mixed;
static inline mixed mix(vf d, float beta) {
    vf zero = v_set(0), x = v_exp(v_min(d, zero - d)), b = v_set(beta), c = v_set(1 - beta);
    vf of_p = v_log(v_fma(c, x, b)), of_q = v_log(v_fma(b, x, c));
    return (mixed){ v_where_lt(d, zero, of_q, of_p + d), v_where_lt(d, zero, of_q - d, of_p) };
}
static double divergence(const float *s, const float *t, int64_t n, float scale, const float lse[2], float beta, double *k) {
    vf vs = v_set(scale), ls = v_set(-lse[0]), lt = v_set(-lse[1]);
    double sum_q = 0, sum_p = 0;
    for (int64_t at = 0; at < n; at += CHUNK) {
        vf of_q = v_set(0), of_p = v_set(0);
        int64_t m = n - at < CHUNK ? n - at : CHUNK;
        V_EACH (i, m) {
            vf lq = v_fma(vs, v_ld(s + at + i, V_LEFT), ls), lp = v_fma(vs, v_ld(t + at + i, V_LEFT), lt), d = lp - lq;
            if (beta <= 0) of_p = v_fma(v_keep(v_exp(lp), v_set(0), V_LEFT), d, of_p);
            else if (beta >= 1) of_q = v_fnma(v_keep(v_exp(lq), v_set(0), V_LEFT), d, of_q);
            else {
                mixed u = mix(d, beta);
                of_p = v_fnma(v_keep(v_exp(lp), v_set(0), V_LEFT), u.over_p, of_p);
                of_q = v_fnma(v_keep(v_exp(lq), v_set(0), V_LEFT), u.over_q, of_q);
            }
        }
        sum_q += v_sum(of_q), sum_p += v_sum(of_p);
    }
    *k = sum_q;
    return beta <= 0 ? sum_p : beta >= 1 ? sum_q : beta * sum_p + (1 - beta) * sum_q;
}
static void divergence_grad(float *ds, const float *s, const float *t, int64_t n, float scale, const float lse[2], float beta, float k,
                            float g) {
    vf vs = v_set(scale), ls = v_set(-lse[0]), lt = v_set(-lse[1]), vk = v_set(k), zero = v_set(0), vg = v_set(g),
       mixed_g = v_set(g * (1 - beta));
    V_EACH (i, n) {
        vf lq = v_fma(vs, v_ld(s + i, V_LEFT), ls), lp = v_fma(vs, v_ld(t + i, V_LEFT), lt), q = v_exp(lq), y;
        if (beta <= 0) y = vg * (q - v_exp(lp));
        else if (beta >= 1) y = vg * q * (lq - lp - vk);
        else y = mixed_g * q * (zero - mix(lp - lq, beta).over_q - vk);
        v_st(ds + i, y, V_LEFT);
    }
}

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define TABLE PASTE(hn_head_vec_, HN_ISA)
extern const hn_head_vec TABLE;
const hn_head_vec TABLE = { log_sum_exp, entropy, entropy_grad, divergence, divergence_grad };
