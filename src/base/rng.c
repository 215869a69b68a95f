/* rng.c - random numbers by counting: Philox 4x32-10. Nothing is carried from number to number, so any thread may
 * draw any index, and a resumed run goes on with the same numbers. Source: Salmon et al. 2011, "Parallel random numbers:
 * as easy as 1, 2, 3"; the counter is (index low, index high, stream, step), the key is the seed. */
#include "base/base.h"
#include <math.h>

static void mul_hi_lo(uint32_t a, uint32_t b, uint32_t *hi, uint32_t *lo) {
    uint64_t p = (uint64_t)a * b;
    *hi = (uint32_t)(p >> 32);
    *lo = (uint32_t)p;
}

void hn_philox(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index, uint32_t out[4]) {
    uint32_t c0 = (uint32_t)index, c1 = (uint32_t)(index >> 32), c2 = stream, c3 = step;
    uint32_t k0 = (uint32_t)seed, k1 = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u) {
        uint32_t hi0, lo0, hi1, lo1;
        mul_hi_lo(0xD2511F53u, c0, &hi0, &lo0);
        mul_hi_lo(0xCD9E8D57u, c2, &hi1, &lo1);
        c0 = hi1 ^ c1 ^ k0;
        c1 = lo1;
        c2 = hi0 ^ c3 ^ k1;
        c3 = lo0;
    }
    out[0] = c0; out[1] = c1; out[2] = c2; out[3] = c3;
}

hn_rng hn_rng_new(uint64_t seed, hn_stream stream, uint32_t step) {
    return (hn_rng){ .seed = seed, .stream = (uint32_t)stream, .step = step };
}

uint32_t hn_rng_u32(hn_rng *r) {
    if (!r->left) {
        hn_philox(r->seed, r->stream, r->step, r->index++, r->have);
        r->left = 4;
    }
    return r->have[4 - r->left--];
}

uint64_t hn_rng_u64(hn_rng *r) {
    uint64_t low = hn_rng_u32(r);
    return (uint64_t)hn_rng_u32(r) << 32 | low;
}

/* Multiply and reject (Lemire 2019, arXiv:1805.10941): no modulo bias. */
int64_t hn_rng_below(hn_rng *r, int64_t n) {
    HN_ASSERT(n > 0);
    uint64_t u = (uint64_t)n, reject = -u % u;
    for (;;) {
        unsigned __int128 p = (unsigned __int128)hn_rng_u64(r) * u;
        if ((uint64_t)p >= reject) return (int64_t)(p >> 64);
    }
}

static double unit(uint64_t bits) { return (double)(bits >> 11) * 0x1p-53; }    /* [0,1) */

double hn_rng_f64(hn_rng *r) { return unit(hn_rng_u64(r)); }

/* Box and Muller 1958. 1 - u is never 0, so the logarithm is finite. */
static double radius(uint64_t bits) { return sqrt(-2 * log(1 - unit(bits))); }
static double angle(uint64_t bits) { return 2 * M_PI * unit(bits); }

double hn_rng_normal(hn_rng *r) {
    uint64_t a = hn_rng_u64(r), b = hn_rng_u64(r);
    return radius(a) * cos(angle(b));
}

void hn_rng_shuffle(hn_rng *r, int64_t *v, int64_t n) {
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = hn_rng_below(r, i + 1), x = v[i];
        v[i] = v[j];
        v[j] = x;
    }
}

/* Elements 2k and 2k+1 are the two halves of block k. */
void hn_rng_fill_normal(uint64_t seed, hn_stream stream, uint32_t step, float *out, int64_t n, double sd) {
    for (int64_t i = 0; i < n; i += 2) {
        uint32_t u[4];
        hn_philox(seed, (uint32_t)stream, step, (uint64_t)i / 2, u);
        double r = sd * radius((uint64_t)u[1] << 32 | u[0]), t = angle((uint64_t)u[3] << 32 | u[2]);
        out[i] = (float)(r * cos(t));
        if (i + 1 < n) out[i + 1] = (float)(r * sin(t));
    }
}
