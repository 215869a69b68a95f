/* elementwise.c - gates, softmax and other work on rows of numbers, compiled once per instruction set. */
#include "tensor/cpu/elementwise.h"
#include "tensor/cpu/vec.h"

static inline void put(float *y, vf v, int64_t left, bool more) {
    if (more) v = v + v_ld(y, left);
    v_st(y, v, left);
}

static inline void put4(float *y, vf4 v, bool more) { v4_storeu(y, more ? v4_add(v, v4_loadu(y)) : v); }

static void swiglu(float *y, const float *a, const float *b, int64_t n) {
    int64_t i = 0;
    V_FOURS(i, n) {
        vf4 x = v4_loadu(a + i);
        v4_storeu(y + i, v4_mul(v4_mul(x, v4_sigmoid(x)), v4_loadu(b + i)));
    }
    V_REST(i, n) {
        vf x = v_ld(a + i, V_LEFT);
        v_st(y + i, x * v_sigmoid(x) * v_ld(b + i, V_LEFT), V_LEFT);
    }
}
static void swiglu_grad(float *da, float *db, const float *dy, const float *a, const float *b, int64_t n, bool more_a, bool more_b) {
    int64_t i = 0;
    V_FOURS(i, n) {
        vf4 x = v4_loadu(a + i), g = v4_loadu(dy + i), e, s = v4_sigmoid_exp(x, &e);
        if (da) put4(da + i, v4_mul(v4_mul(g, v4_loadu(b + i)), v4_fma(v4_mul(x, s), v4_mul(e, s), s)), more_a);
        if (db) put4(db + i, v4_mul(v4_mul(g, x), s), more_b);
    }
    V_REST(i, n) {
        vf x = v_ld(a + i, V_LEFT), g = v_ld(dy + i, V_LEFT), e, s = v_sigmoid_exp(x, &e);
        if (da) put(da + i, g * v_ld(b + i, V_LEFT) * v_fma(x * s, e * s, s), V_LEFT, more_a);
        if (db) put(db + i, g * x * s, V_LEFT, more_b);
    }
}

static float top_of(const float *x, int64_t n) {
    vf low = v_set(-INFINITY), t = low;
    V_EACH (i, n) t = v_max(t, v_keep(v_ld(x + i, V_LEFT), low, V_LEFT));
    return v_top(t);
}
static void softmax(float *y, const float *x, int64_t n, bool log) {
    float top = top_of(x, n);
    vf vt = v_set(top), sum = v_set(0);
    V_EACH (i, n) {
        vf e = v_keep(v_exp(v_ld(x + i, V_LEFT) - vt), v_set(0), V_LEFT);
        sum = sum + e;
        if (!log) v_st(y + i, e, V_LEFT);
    }
    float total = v_sum(sum);
    vf by = v_set(log ? logf(total) : 1 / total);
    if (log) V_EACH (i, n) v_st(y + i, v_ld(x + i, V_LEFT) - vt - by, V_LEFT);
    else V_EACH (i, n) v_st(y + i, v_ld(y + i, V_LEFT) * by, V_LEFT);
}
static void softmax_grad(float *dx, const float *y, const float *dy, int64_t n, bool log, bool more) {
    vf sum = v_set(0);
    V_EACH (i, n) sum = v_fma(v_ld(dy + i, V_LEFT), log ? v_set(1) : v_ld(y + i, V_LEFT), sum);
    vf s = v_set(v_sum(sum));
    V_EACH (i, n) {
        vf p = v_ld(y + i, V_LEFT), g = v_ld(dy + i, V_LEFT);
        if (log) g = v_fnma(v_exp(p), s, g);
        else g = p * (g - s);
        put(dx + i, g, V_LEFT, more);
    }
}

static void mul(float *y, const float *a, const float *b, int64_t n, bool more) {
    if (more) V_EACH (i, n) v_st(y + i, v_fma(v_ld(a + i, V_LEFT), v_ld(b + i, V_LEFT), v_ld(y + i, V_LEFT)), V_LEFT);
    else V_EACH (i, n) v_st(y + i, v_ld(a + i, V_LEFT) * v_ld(b + i, V_LEFT), V_LEFT);
}
static void shift(float *y, const float *x, float s, int64_t n) {
    vf vs = v_set(s);
    V_EACH (i, n) v_st(y + i, v_ld(x + i, V_LEFT) + vs, V_LEFT);
}
static void axpy(float *y, float s, const float *x, int64_t n) {
    vf vs = v_set(s);
    V_EACH (i, n) v_st(y + i, v_fma(vs, v_ld(x + i, V_LEFT), v_ld(y + i, V_LEFT)), V_LEFT);
}
static float sum_of(const float *x, int64_t n) {
    vf s0 = v_set(0), s1 = v_set(0);
    int64_t i = 0;
    for (; i + 2 * VW <= n; i += 2 * VW) s0 = s0 + v_loadu(x + i), s1 = s1 + v_loadu(x + i + VW);
    for (; i < n; i += VW) s0 = s0 + v_ld(x + i, n - i);
    return v_sum(s0 + s1);
}

static double loss(const float *x, const float *y, const float *w, int64_t n, hone_pointwise_kind kind, float beta) {
    vf sum = v_set(0), vb = v_set(beta), half = v_set(beta > 0 ? 0.5f / beta : 0), off = v_set(0.5f * beta);
    V_EACH (i, n) {
        vf a = v_ld(x + i, V_LEFT), b = v_ld(y + i, V_LEFT), d = a - b, f = d * d, zero = v_set(0);
        if (kind == HONE_LOSS_SMOOTH_L1) {
            vf far = v_max(zero - d, d);
            f = v_where_lt(far, vb, f * half, far - off);
        }
        if (kind == HONE_LOSS_BCE) f = v_max(zero, a) - a * b + v_log1p(v_exp(v_min(zero - a, a)));
        f = v_keep(f, zero, V_LEFT);
        sum = v_fma(f, w ? v_ld(w + i, V_LEFT) : v_set(1), sum);
    }
    return v_sum(sum);
}
static void loss_grad(float *dx, float *dy, const float *x, const float *y, const float *w, int64_t n, hone_pointwise_kind kind,
                      float beta, float scale) {
    vf one = v_set(1), by = v_set(kind == HONE_LOSS_MSE ? 2 : beta > 1e-30f ? 1 / beta : 1e30f);
    V_EACH (i, n) {
        vf a = v_ld(x + i, V_LEFT), b = v_ld(y + i, V_LEFT), g = (a - b) * by, s = v_set(scale);
        if (w) s = s * v_ld(w + i, V_LEFT);
        if (kind == HONE_LOSS_SMOOTH_L1) g = v_max(v_set(-1), v_min(one, g));
        if (kind == HONE_LOSS_BCE) g = v_sigmoid(a) - b;
        if (dx) put(dx + i, s * g, V_LEFT, true);
        if (kind == HONE_LOSS_BCE) g = a;
        if (dy) put(dy + i, v_set(0) - s * g, V_LEFT, true);
    }
}

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define TABLE PASTE(hn_elementwise_, HN_ISA)
extern const hn_elementwise TABLE;
const hn_elementwise TABLE = {
    swiglu,
    swiglu_grad,
    softmax,
    softmax_grad,
    mul,
    shift,
    axpy,
    sum_of,
    loss,
    loss_grad,
};
