/* vec.c - rows of floats: sums, activations, norms, softmax pieces, dropout, products with one row.
 * Compiled once per instruction set; the table at the end is what the kernels call. */
#include "tensor/cpu/cpu.h"
#include "tensor/cpu/vec.h"

static void add(float *y, const float *a, const float *b, int64_t n) {
    V_EACH (i, n) v_st(y + i, v_ld(a + i, V_LEFT) + v_ld(b + i, V_LEFT), V_LEFT);
}
static void scale(float *y, const float *x, float s, int64_t n) {
    vf vs = v_set(s);
    V_EACH (i, n) v_st(y + i, vs * v_ld(x + i, V_LEFT), V_LEFT);
}

/* For one vector and for four. */
#define ACTS(T, P)                                                                                                                         \
    static inline T P##act(T v, hone_act act) {                                                                                            \
        T r = P##max(P##set(0), v);                                                                                                        \
        return act == HONE_ACT_GELU_TANH ? P##gelu_tanh(v)                                                                                 \
               : act == HONE_ACT_GELU    ? P##gelu(v)                                                                                      \
               : act == HONE_ACT_RELU    ? r                                                                                               \
               : act == HONE_ACT_RELU2   ? P##mul(r, r)                                                                                    \
               : act == HONE_ACT_SILU    ? P##mul(v, P##sigmoid(v))                                                                        \
               : act == HONE_ACT_TANH    ? P##tanh(v)                                                                                      \
               : act == HONE_ACT_SIGMOID ? P##sigmoid(v)                                                                                   \
                                         : v;                                                                                              \
    }                                                                                                                                      \
    static inline T P##act_grad(T v, hone_act act) {                                                                                       \
        T r = P##max(P##set(0), v), t = act == HONE_ACT_TANH ? P##tanh(v) : v;                                                             \
        return act == HONE_ACT_GELU_TANH ? P##gelu_tanh_grad(v)                                                                            \
               : act == HONE_ACT_GELU    ? P##gelu_grad(v)                                                                                 \
               : act == HONE_ACT_RELU    ? P##where_lt(P##set(0), v, P##set(1), P##set(0))                                                 \
               : act == HONE_ACT_RELU2   ? P##add(r, r)                                                                                    \
               : act == HONE_ACT_SILU    ? P##silu_grad(v)                                                                                 \
               : act == HONE_ACT_TANH    ? P##fnma(t, t, P##set(1))                                                                        \
               : act == HONE_ACT_SIGMOID ? P##sigmoid_grad(v)                                                                              \
                                         : P##set(1);                                                                                      \
    }
ACTS(vf, v_)
ACTS(vf4, v4_)

static inline void bias_act_as(float *y, float *pre, const float *x, const float *b, int64_t n, hone_act act) {
    int64_t i = 0;
    V_FOURS(i, n) {
        vf4 v = v4_loadu(x + i);
        if (b) v = v4_add(v, v4_loadu(b + i));
        if (pre) v4_storeu(pre + i, v);
        v4_storeu(y + i, v4_act(v, act));
    }
    V_REST(i, n) {
        vf v = v_ld(x + i, V_LEFT);
        if (b) v = v + v_ld(b + i, V_LEFT);
        if (pre) v_st(pre + i, v, V_LEFT);
        v_st(y + i, v_act(v, act), V_LEFT);
    }
}
static inline void act_grad_as(float *d, const float *dy, const float *pre, int64_t n, hone_act act, bool more) {
    int64_t i = 0;
    V_FOURS(i, n) {
        vf4 g = v4_loadu(dy + i);
        if (act != HONE_ACT_NONE) g = v4_mul(g, v4_act_grad(v4_loadu(pre + i), act));
        if (more) g = v4_add(g, v4_loadu(d + i));
        v4_storeu(d + i, g);
    }
    V_REST(i, n) {
        vf g = v_ld(dy + i, V_LEFT);
        if (act != HONE_ACT_NONE) g = g * v_act_grad(v_ld(pre + i, V_LEFT), act);
        if (more) g = g + v_ld(d + i, V_LEFT);
        v_st(d + i, g, V_LEFT);
    }
}
static void bias_act(float *y, float *pre, const float *x, const float *b, int64_t n, hone_act act) {
    switch (act) { /* each case is compiled with its activation known */
    case HONE_ACT_GELU_TANH:
        bias_act_as(y, pre, x, b, n, HONE_ACT_GELU_TANH);
        break;
    case HONE_ACT_GELU:
        bias_act_as(y, pre, x, b, n, HONE_ACT_GELU);
        break;
    case HONE_ACT_RELU:
        bias_act_as(y, pre, x, b, n, HONE_ACT_RELU);
        break;
    case HONE_ACT_RELU2:
        bias_act_as(y, pre, x, b, n, HONE_ACT_RELU2);
        break;
    case HONE_ACT_SILU:
        bias_act_as(y, pre, x, b, n, HONE_ACT_SILU);
        break;
    case HONE_ACT_TANH:
        bias_act_as(y, pre, x, b, n, HONE_ACT_TANH);
        break;
    case HONE_ACT_SIGMOID:
        bias_act_as(y, pre, x, b, n, HONE_ACT_SIGMOID);
        break;
    default:
        bias_act_as(y, pre, x, b, n, HONE_ACT_NONE);
    }
}
static void act_grad(float *d, const float *dy, const float *pre, int64_t n, hone_act act, bool more) {
    switch (act) {
    case HONE_ACT_GELU_TANH:
        act_grad_as(d, dy, pre, n, HONE_ACT_GELU_TANH, more);
        break;
    case HONE_ACT_GELU:
        act_grad_as(d, dy, pre, n, HONE_ACT_GELU, more);
        break;
    case HONE_ACT_RELU:
        act_grad_as(d, dy, pre, n, HONE_ACT_RELU, more);
        break;
    case HONE_ACT_RELU2:
        act_grad_as(d, dy, pre, n, HONE_ACT_RELU2, more);
        break;
    case HONE_ACT_SILU:
        act_grad_as(d, dy, pre, n, HONE_ACT_SILU, more);
        break;
    case HONE_ACT_TANH:
        act_grad_as(d, dy, pre, n, HONE_ACT_TANH, more);
        break;
    case HONE_ACT_SIGMOID:
        act_grad_as(d, dy, pre, n, HONE_ACT_SIGMOID, more);
        break;
    default:
        act_grad_as(d, dy, pre, n, HONE_ACT_NONE, more);
    }
}

/* Two passes over the row (it is in the first cache): the variance from centred values. */
static void layernorm(float *y, const float *x, const float *w, const float *b, int64_t n, float eps, float *mean, float *rstd) {
    vf s = v_set(0), q = v_set(0);
    V_EACH (i, n) s = s + v_ld(x + i, V_LEFT);
    float m = v_sum(s) / (float)n;
    vf vm = v_set(m);
    V_EACH (i, n) {
        vf d = v_keep(v_ld(x + i, V_LEFT) - vm, v_set(0), V_LEFT);
        q = v_fma(d, d, q);
    }
    float r = 1.0f / sqrtf(v_sum(q) / (float)n + eps);
    vf vr = v_set(r);
    V_EACH (i, n) {
        vf v = (v_ld(x + i, V_LEFT) - vm) * vr * v_ld(w + i, V_LEFT);
        if (b) v = v + v_ld(b + i, V_LEFT);
        v_st(y + i, v, V_LEFT);
    }
    if (mean) *mean = m, *rstd = r;
}
/* dx = r·(g − mean(g) − x̂·mean(g·x̂)), g = dy·w; dw += dy·x̂; db += dy */
static void layernorm_grad(float *dx, float *dw, float *db, const float *dy, const float *x, const float *w, int64_t n, float mean,
                           float rstd) {
    vf vm = v_set(mean), vr = v_set(rstd), sg = v_set(0), sgx = v_set(0);
    V_EACH (i, n) {
        vf d = v_ld(dy + i, V_LEFT), xh = (v_ld(x + i, V_LEFT) - vm) * vr, g = d * v_ld(w + i, V_LEFT);
        sg = sg + g;
        sgx = v_fma(g, xh, sgx); /* past the row's end g is 0 */
        if (dw) v_st(dw + i, v_fma(d, xh, v_ld(dw + i, V_LEFT)), V_LEFT);
        if (db) v_st(db + i, d + v_ld(db + i, V_LEFT), V_LEFT);
    }
    if (!dx) return;
    vf mg = v_set(v_sum(sg) / (float)n), mgx = v_set(v_sum(sgx) / (float)n);
    V_EACH (i, n) {
        vf xh = (v_ld(x + i, V_LEFT) - vm) * vr, g = v_ld(dy + i, V_LEFT) * v_ld(w + i, V_LEFT);
        v_st(dx + i, v_fma(vr, v_fnma(xh, mgx, g - mg), v_ld(dx + i, V_LEFT)), V_LEFT);
    }
}

static void rmsnorm(float *y, const float *x, const float *w, int64_t n, float eps, float *rms) {
    vf q = v_set(0);
    V_EACH (i, n) {
        vf v = v_ld(x + i, V_LEFT);
        q = v_fma(v, v, q);
    }
    float r = 1.0f / sqrtf(v_sum(q) / (float)n + eps);
    vf vr = v_set(r);
    V_EACH (i, n) v_st(y + i, v_ld(x + i, V_LEFT) * vr * v_ld(w + i, V_LEFT), V_LEFT);
    if (rms) *rms = r;
}
/* dx = r·(g − x̂·mean(g·x̂)), g = dy·w; dw += dy·x̂ */
static void rmsnorm_grad(float *dx, float *dw, const float *dy, const float *x, const float *w, int64_t n, float r, bool more) {
    vf vr = v_set(r), sgx = v_set(0);
    V_EACH (i, n) {
        vf d = v_ld(dy + i, V_LEFT), xh = v_ld(x + i, V_LEFT) * vr;
        sgx = v_fma(d * v_ld(w + i, V_LEFT), xh, sgx);
        if (dw) v_st(dw + i, v_fma(d, xh, v_ld(dw + i, V_LEFT)), V_LEFT);
    }
    if (!dx) return;
    vf mgx = v_set(v_sum(sgx) / (float)n);
    V_EACH (i, n) {
        vf xh = v_ld(x + i, V_LEFT) * vr, g = vr * v_fnma(xh, mgx, v_ld(dy + i, V_LEFT) * v_ld(w + i, V_LEFT));
        if (more) g = g + v_ld(dx + i, V_LEFT);
        v_st(dx + i, g, V_LEFT);
    }
}
static void turn(float *y, const float *x, const float *angles, int64_t half, bool interleaved, bool back, bool more) {
    const float *cosine = angles, *sine = angles + half;
    vf sign = v_set(back ? -1.0f : 1.0f);
    if (interleaved) {
        for (int64_t i = 0; i < half; i++) {
            float s = back ? -sine[i] : sine[i], a = x[2 * i] * cosine[i] - x[2 * i + 1] * s, b = x[2 * i + 1] * cosine[i] + x[2 * i] * s;
            y[2 * i] = more ? y[2 * i] + a : a;
            y[2 * i + 1] = more ? y[2 * i + 1] + b : b;
        }
        return;
    }
    V_EACH (i, half) {
        vf c = v_ld(cosine + i, V_LEFT), s = sign * v_ld(sine + i, V_LEFT), a = v_ld(x + i, V_LEFT), b = v_ld(x + half + i, V_LEFT);
        vf ya = v_fnma(b, s, a * c), yb = v_fma(a, s, b * c);
        if (more) ya = ya + v_ld(y + i, V_LEFT), yb = yb + v_ld(y + half + i, V_LEFT);
        v_st(y + i, ya, V_LEFT);
        v_st(y + half + i, yb, V_LEFT);
    }
}

static float top(const float *x, int64_t n) {
    vf low = v_set(-INFINITY), t = low;
    V_EACH (i, n) t = v_max(t, v_keep(v_ld(x + i, V_LEFT), low, V_LEFT));
    return v_top(t);
}
static float exp_shift(float *p, const float *s, float sc, float shift, int64_t n) {
    vf vs = v_set(sc), vh = v_set(-shift), sum = v_set(0);
    int64_t i = 0;
    V_FOURS(i, n) {
        vf4 e = v4_exp(v4_fma(v4_set(sc), v4_loadu(s + i), v4_set(-shift)));
        sum = sum + e.a + e.b + e.c + e.d;
        if (p) v4_storeu(p + i, e);
    }
    V_REST(i, n) {
        vf e = v_keep(v_exp(v_fma(vs, v_ld(s + i, V_LEFT), vh)), v_set(0), V_LEFT);
        sum = sum + e;
        if (p) v_st(p + i, e, V_LEFT);
    }
    return v_sum(sum);
}
static void softcap(float *y, float *slope, const float *x, float sc, float cap, int64_t n) {
    vf by = v_set(2 * sc / cap), vcap = v_set(cap), vs = v_set(sc), one = v_set(1), two = v_set(2);
    V_EACH (i, n) { /* tanh u = 1 − 2/(1 + e²ᵘ), absolute error 1e-7 */
        vf u = one - two / (one + v_exp(by * v_ld(x + i, V_LEFT)));
        if (slope) v_st(slope + i, vs * v_fnma(u, u, one), V_LEFT);
        v_st(y + i, vcap * u, V_LEFT);
    }
}
static void softmax_grad(float *ds, const float *p, const float *dp, float delta, float sc, int64_t n) {
    vf vd = v_set(delta), vs = v_set(sc);
    V_EACH (i, n) v_st(ds + i, v_ld(p + i, V_LEFT) * (v_ld(dp + i, V_LEFT) - vd) * vs, V_LEFT);
}
static float dot(const float *a, const float *b, int64_t n) {
    vf s0 = v_set(0), s1 = v_set(0);
    int64_t i = 0;
    for (; i + 2 * VW <= n; i += 2 * VW) {
        s0 = v_fma(v_loadu(a + i), v_loadu(b + i), s0);
        s1 = v_fma(v_loadu(a + i + VW), v_loadu(b + i + VW), s1);
    }
    for (; i < n; i += VW) s0 = v_fma(v_ld(a + i, n - i), v_ld(b + i, n - i), s0);
    return v_sum(s0 + s1);
}

/* Philox 4x32-10 (base/rng.c) for a vector of quads at a time, a 32-bit number in each 64-bit lane; two vectors side by side hide the
 * multiplier's latency. The words of hn_drop_words(c, first + q), q < QUADS, in order. */
enum { QUADS = 16, LANES = VW / 2, PAIR = 2 * LANES };
static void philox(const hn_call *c, uint64_t first, uint32_t out[4 * QUADS]) {
    uint64_t at[QUADS], low[QUADS], high[QUADS];
    for (int q = 0; q < QUADS; q++) at[q] = ((uint64_t)c->index << 40 | first) + (uint64_t)q;
    const vu zero = { 0 }, m0 = zero + 0xD2511F53u, m1 = zero + 0xCD9E8D57u, low32 = zero + 0xffffffffu;
    for (int q = 0; q < QUADS; q += PAIR) {
        vu c0[2], c1[2], c2[2], c3[2];
        uint32_t k0 = (uint32_t)c->seed, k1 = (uint32_t)(c->seed >> 32);
        memcpy(c0, at + q, sizeof c0);
        for (int i = 0; i < 2; i++) c1[i] = c0[i] >> 32, c2[i] = zero + HN_STREAM_DROPOUT, c3[i] = zero + c->step;
        for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
            for (int i = 0; i < 2; i++) {
                vu p0 = v_mul32(c0[i], m0), p1 = v_mul32(c2[i], m1);
                c0[i] = (p1 >> 32) ^ c1[i] ^ (uint64_t)k0;
                c2[i] = (p0 >> 32) ^ c3[i] ^ (uint64_t)k1;
                c1[i] = p1, c3[i] = p0;
            }
        for (int i = 0; i < 2; i++) c0[i] = (c0[i] & low32) | c1[i] << 32, c2[i] = (c2[i] & low32) | c3[i] << 32;
        memcpy(low + q, c0, sizeof c0);
        memcpy(high + q, c2, sizeof c2);
    }
    for (int q = 0; q < QUADS; q++) {
        out[4 * q] = (uint32_t)low[q], out[4 * q + 1] = (uint32_t)(low[q] >> 32);
        out[4 * q + 2] = (uint32_t)high[q], out[4 * q + 3] = (uint32_t)(high[q] >> 32);
    }
}
static void drop(float *y, const float *x, const hn_call *c, int64_t first, int64_t n, float p, bool more) {
    uint32_t below = hn_drop_below(p), word[4 * QUADS];
    float keep = 1.0f / (1.0f - p), v[4 * QUADS];
    for (int64_t at = 0; at < n; at += 4 * QUADS) {
        philox(c, (uint64_t)(first + at / 4), word);
        int64_t m = n - at < 4 * QUADS ? n - at : 4 * QUADS;
        for (int64_t i = 0; i < m; i++) v[i] = word[i] < below ? 0.0f : x[at + i] * keep;
        if (more) add(y + at, y + at, v, m);
        else memcpy(y + at, v, (size_t)m * sizeof *y);
    }
}

/* Decoding: memory-bound, so four rows of w (or four rows of x·w) are read side by side. */
static void gemv(float *y, const float *x, const float *w, int64_t ldw, bool transposed, int64_t n, int64_t k) {
    if (!transposed) {
        int64_t j = 0;
        for (; j + 4 <= n; j += 4) {
            const float *r = w + j * ldw;
            vf s0 = v_set(0), s1 = s0, s2 = s0, s3 = s0;
            V_EACH (i, k) {
                vf v = v_ld(x + i, V_LEFT);
                s0 = v_fma(v, v_ld(r + i, V_LEFT), s0);
                s1 = v_fma(v, v_ld(r + ldw + i, V_LEFT), s1);
                s2 = v_fma(v, v_ld(r + 2 * ldw + i, V_LEFT), s2);
                s3 = v_fma(v, v_ld(r + 3 * ldw + i, V_LEFT), s3);
            }
            y[j] = v_sum(s0), y[j + 1] = v_sum(s1), y[j + 2] = v_sum(s2), y[j + 3] = v_sum(s3);
        }
        for (; j < n; j++) y[j] = dot(x, w + j * ldw, k);
        return;
    }
    for (int64_t j = 0; j < n; j += 4 * VW) {
        int64_t left = n - j;
        vf s0 = v_set(0), s1 = s0, s2 = s0, s3 = s0;
        if (left >= 4 * VW) {
            for (int64_t i = 0; i < k; i++) {
                const float *r = w + i * ldw + j;
                vf v = v_set(x[i]);
                s0 = v_fma(v, v_loadu(r), s0), s1 = v_fma(v, v_loadu(r + VW), s1);
                s2 = v_fma(v, v_loadu(r + 2 * VW), s2), s3 = v_fma(v, v_loadu(r + 3 * VW), s3);
            }
            v_storeu(y + j, s0), v_storeu(y + j + VW, s1), v_storeu(y + j + 2 * VW, s2), v_storeu(y + j + 3 * VW, s3);
        } else
            for (int64_t o = 0; o < left; o += VW) {
                s0 = v_set(0);
                for (int64_t i = 0; i < k; i++) s0 = v_fma(v_set(x[i]), v_ld(w + i * ldw + j + o, left - o), s0);
                v_st(y + j + o, s0, left - o);
            }
    }
}

static void widen(float *y, const hn_bf16 *x, int64_t n) {
    int64_t i = 0;
    for (; i + VW <= n; i += VW) v_storeu(y + i, v_widen(x + i));
    for (; i < n; i++) y[i] = hn_widen(x[i]);
}
static void narrow(hn_bf16 *y, const float *x, int64_t n) {
    int64_t i = 0;
    for (; i + VW <= n; i += VW) v_narrow(y + i, v_loadu(x + i));
    for (; i < n; i++) y[i] = hn_narrow(x[i]);
}

static float exp_narrow(hn_bf16 *p, const float *s, float shift, int64_t n) {
    vf vh = v_set(-shift), sum = v_set(0);
    int64_t i = 0;
    V_FOURS(i, n) {
        vf4 e = v4_exp(v4_add(v4_loadu(s + i), v4_set(-shift)));
        sum = sum + e.a + e.b + e.c + e.d;
        v_narrow(p + i, e.a), v_narrow(p + i + VW, e.b), v_narrow(p + i + 2 * VW, e.c), v_narrow(p + i + 3 * VW, e.d);
    }
    for (; i + VW <= n; i += VW) {
        vf e = v_exp(v_loadu(s + i) + vh);
        sum = sum + e;
        v_narrow(p + i, e);
    }
    if (i < n) {
        float tail[VW];
        vf e = v_keepn(v_exp(v_loadn(s + i, n - i) + vh), v_set(0), n - i);
        sum = sum + e;
        v_storeu(tail, e);
        narrow(p + i, tail, n - i);
    }
    return v_sum(sum);
}

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define TABLE PASTE(hn_vec_, HN_ISA)
extern const hn_vec TABLE;
const hn_vec TABLE = {
    VW, add, bias_act, act_grad, layernorm, layernorm_grad, top, exp_shift, scale, dot, softmax_grad, drop, gemv,
    rmsnorm, rmsnorm_grad, turn, softcap, widen, narrow, exp_narrow,
};
