/* update.c - AdamW, moving average and norm, one pass over memory each; compiled per instruction set. The loops are plain C that
 * gcc and clang vectorise; results are the same bits at every level (see kernels.h).
 * Source: Loshchilov & Hutter 2019, arXiv:1711.05101; arithmetic in the order of torch.optim.AdamW. */
#include "train/kernels.h"
#include <math.h>

#define GLUE_(a, b) a##b
#define GLUE(a, b) GLUE_(a, b)

static void adamw(const hn_adamw_step *s, float *restrict w, const float *restrict g, float *restrict m, float *restrict v, int64_t n)
{
    const hn_adamw_step k = *s;
    for (int64_t i = 0; i < n; i++) {
        float gi = g[i] * k.grad_scale;
        float mi = k.keep1 * m[i] + k.add1 * gi;
        float vi = k.keep2 * v[i] + k.add2 * gi * gi;
        m[i] = mi;
        v[i] = vi;
        w[i] = w[i] * k.shrink - k.step * (mi / (sqrtf(vi) * k.root + k.eps));
    }
}

static void ema(float *restrict avg, const float *restrict w, float share, int64_t n)
{
    for (int64_t i = 0; i < n; i++) avg[i] += share * (w[i] - avg[i]);
}

static double sum_squares(const float *g, int64_t n)
{
    double lane[16] = { 0 }, sum = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) lane[j] += (double)g[i + j] * (double)g[i + j];
    for (int j = 0; i < n; i++, j++) lane[j] += (double)g[i] * (double)g[i];
    for (int j = 0; j < 16; j++) sum += lane[j];
    return sum;
}

extern const hn_update_kernels GLUE(hn_update_, HN_ISA);
const hn_update_kernels GLUE(hn_update_, HN_ISA) = { adamw, ema, sum_squares };
