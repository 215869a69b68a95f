/* update.c - the arithmetic of the optimizers, moving average and norm, one pass over memory each; compiled per instruction set. The
 * loops are plain C that gcc and clang vectorise; results are the same bits at every level (see kernels.h).
 * Source: the papers that src/train/optim names; arithmetic in the order of torch.optim. */
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

static void sgd(const hn_sgd_step *s, float *restrict w, const float *restrict g, float *restrict m, int64_t n)
{
    const hn_sgd_step k = *s;
    const float ahead = k.nesterov ? k.momentum : 1, now = k.nesterov ? 1 : 0;
    if (!m) {
        for (int64_t i = 0; i < n; i++) w[i] -= k.lr * (g[i] * k.grad_scale + k.decay * w[i]);
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        float gi = g[i] * k.grad_scale + k.decay * w[i];
        float mi = k.momentum * m[i] + gi;
        m[i] = mi;
        w[i] -= k.lr * (now * gi + ahead * mi);
    }
}

static void lion(const hn_lion_step *s, float *restrict w, const float *restrict g, float *restrict m, int64_t n)
{
    const hn_lion_step k = *s;
    for (int64_t i = 0; i < n; i++) {
        float gi = g[i] * k.grad_scale, c = k.keep1 * m[i] + k.add1 * gi;
        m[i] = k.keep2 * m[i] + k.add2 * gi;
        w[i] = w[i] * k.shrink - k.lr * (float)((c > 0) - (c < 0));
    }
}

static void momentum(const hn_momentum_step *s, float *restrict u, const float *restrict g, float *restrict m, int64_t n)
{
    const hn_momentum_step k = *s;
    const float share = k.nesterov ? k.keep : 1;
    for (int64_t i = 0; i < n; i++) {
        float gi = g[i] * k.grad_scale, mi = m[i] + k.add * (gi - m[i]);
        m[i] = mi;
        u[i] = gi + share * (mi - gi);
    }
}

static void apply(float *restrict w, const float *restrict u, float shrink, float step, int64_t n)
{
    for (int64_t i = 0; i < n; i++) w[i] = w[i] * shrink - step * u[i];
}

static void add_squares(float *restrict sums, const float *restrict g, float scale, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float gi = g[i] * scale;
        sums[i] += gi * gi;
    }
}

static void ema_squares(float *restrict avg, const float *restrict g, float scale, float share, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float gi = g[i] * scale;
        avg[i] += share * (gi * gi - avg[i]);
    }
}

static inline float direction(const hn_factor_step *k, float g, float col)
{
    float v = k->row * col;
    return g * k->grad_scale * (1 / sqrtf(v > k->floor ? v : k->floor));
}

static double factor_squares(const hn_factor_step *s, const float *g, const float *col, int64_t n)
{
    const hn_factor_step k = *s;
    double lane[16] = { 0 }, sum = 0;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int j = 0; j < 16; j++) {
            double u = (double)direction(&k, g[i + j], col[i + j]);
            lane[j] += u * u;
        }
    for (int j = 0; i < n; i++, j++) {
        double u = (double)direction(&k, g[i], col[i]);
        lane[j] += u * u;
    }
    for (int j = 0; j < 16; j++) sum += lane[j];
    return sum;
}

static void factor_apply(const hn_factor_step *s, float *restrict w, const float *restrict g, const float *restrict col, float shrink,
                         float step, int64_t n)
{
    const hn_factor_step k = *s;
    for (int64_t i = 0; i < n; i++) w[i] = w[i] * shrink - step * direction(&k, g[i], col[i]);
}

extern const hn_update_kernels GLUE(hn_update_, HN_ISA);
const hn_update_kernels GLUE(hn_update_, HN_ISA) = {
    .adamw = adamw, .ema = ema, .sum_squares = sum_squares, .sgd = sgd, .lion = lion, .momentum = momentum, .apply = apply,
    .add_squares = add_squares, .ema_squares = ema_squares, .factor_squares = factor_squares, .factor_apply = factor_apply,
};
