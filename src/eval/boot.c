/* boot.c - bias-corrected and accelerated bootstrap interval of a mean.
 *
 * Whole clusters are drawn with replacement; a draw's statistic is the mean over the items that it holds. Bias from the share of draws
 * below the mean (ties count half), acceleration from the jackknife over clusters. The draws depend on the seed alone.
 * Limits: fewer than two clusters say nothing (infinite interval). Without spread the interval is the mean itself.
 * Source: Efron 1987, "Better bootstrap confidence intervals"; linear interpolation between draws as numpy's percentile. */
#include "eval/eval.h"
#include <math.h>
#include <stdlib.h>

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

static double percentile(const double *sorted, int64_t n, double p) {
    double at = HN_MIN(HN_MAX(p, 0), 1) * (double)(n - 1);
    int64_t i = (int64_t)at;
    return i + 1 < n ? sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* Skewness of the jackknife values, over six. */
static double acceleration(hn_arena *a, const double *sum, const double *count, int64_t groups, double total, double items) {
    double *left = hn_new_n(a, double, groups), mean, cubes = 0, squares = 0;
    for (int64_t g = 0; g < groups; g++) left[g] = (total - sum[g]) / (items - count[g]);
    mean = hn_mean(left, groups);
    for (int64_t g = 0; g < groups; g++) {
        double d = mean - left[g];
        squares += d * d;
        cubes += d * d * d;
    }
    return squares > 0 ? cubes / (6 * pow(squares, 1.5)) : 0;
}

hn_interval hn_bootstrap_bca(hn_arena *a, const double *d, const int32_t *cluster, int64_t n, double level, int64_t draws, uint64_t seed) {
    hn_arena *tmp = hn_arena_new(a);
    double *sum = hn_new_n(tmp, double, n + 1), *count = hn_new_n(tmp, double, n + 1), total = 0;
    hn_map *seen = hn_map_new(tmp);
    int64_t groups = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t g = groups;
        if (cluster && !hn_map_get(seen, &cluster[i], sizeof cluster[i], &g)) hn_map_put(seen, &cluster[i], sizeof cluster[i], g);
        groups = HN_MAX(groups, g + 1);
        sum[g] += d[i];
        count[g] += 1;
        total += d[i];
    }
    double mean = n > 0 ? total / (double)n : NAN;
    hn_interval out = { mean, -INFINITY, INFINITY, INFINITY, (double)HN_MAX(groups - 1, 0) };
    if (groups >= 2 && draws >= 2 && isfinite(mean)) {
        double *boot = hn_new_n(tmp, double, draws), below = 0;
        hn_rng rng = hn_rng_new(seed, HN_STREAM_BOOT, 0);
        for (int64_t b = 0; b < draws; b++) {
            double s = 0, c = 0;
            for (int64_t k = 0; k < groups; k++) {
                int64_t g = hn_rng_below(&rng, groups);
                s += sum[g];
                c += count[g];
            }
            boot[b] = s / c;
            below += boot[b] < mean ? 1 : boot[b] == mean ? 0.5 : 0;
        }
        qsort(boot, (size_t)draws, sizeof *boot, by_value);
        out.se = sqrt(hn_var(boot, draws));
        /* When every draw lies on one side, half a draw is granted to the other: the quantile stays finite. */
        double share = HN_MIN(HN_MAX(below / (double)draws, 0.5 / (double)draws), 1 - 0.5 / (double)draws);
        double z0 = hn_norm_quantile(share), acc = acceleration(tmp, sum, count, groups, total, (double)n),
               z = hn_norm_quantile(0.5 + 0.5 * level);
        double lo = hn_norm_cdf(z0 + (z0 - z) / (1 - acc * (z0 - z))), hi = hn_norm_cdf(z0 + (z0 + z) / (1 - acc * (z0 + z)));
        out.lo = percentile(boot, draws, lo);
        out.hi = percentile(boot, draws, hi);
    }
    hn_arena_free(tmp);
    return out;
}
