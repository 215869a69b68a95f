/* tests.c - means, intervals and the small tests: t, paired with clusters, McNemar, Wilson, Holm, Benjamini-Hochberg.
 *
 * Nothing here allocates. What cannot be known from the data (a spread from one value) is infinite, never zero: an interval from
 * minus to plus infinity, so that nothing can be claimed from it.
 * Sources: McNemar 1947; Wilson 1927; Holm 1979; Benjamini and Hochberg 1995; Miller 2024 (arXiv:2411.00640) for clusters. */
#include "eval/eval.h"
#include <math.h>

double hn_mean(const double *x, int64_t n) {
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += x[i];
    if (n == 0) return NAN;
    double mean = sum / (double)n, rest = 0; /* the second pass takes back what rounding lost in the first */
    for (int64_t i = 0; i < n; i++) rest += x[i] - mean;
    return isfinite(rest) ? mean + rest / (double)n : mean;
}

double hn_var(const double *x, int64_t n) {
    if (n < 2) return 0;
    double mean = hn_mean(x, n), ss = 0;
    for (int64_t i = 0; i < n; i++) ss += (x[i] - mean) * (x[i] - mean);
    return ss / (double)(n - 1);
}

/* The two-sided interval at `level` around `mean`. */
static hn_interval interval(double mean, double se, double df, double level) {
    if (df <= 0) return (hn_interval){ mean, -INFINITY, INFINITY, INFINITY, 0 };
    double half = se > 0 ? hn_t_quantile(0.5 + 0.5 * level, df) * se : se;
    return (hn_interval){ mean, mean - half, mean + half, se, df };
}

hn_interval hn_t_interval(const double *x, int64_t n, double level) {
    return interval(hn_mean(x, n), n > 1 ? sqrt(hn_var(x, n) / (double)n) : INFINITY, (double)(n - 1), level);
}

/* Σ over clusters of (Σ within of r)² − Σ r², r = a − b − mean: twice the sum of products of pairs that share a cluster.
 * Linear when the clusters are sorted, as ours are; otherwise quadratic in n, which needs no memory. */
static double shared_products(const double *a, const double *b, double mean, const int32_t *cluster, int64_t n, int64_t *clusters) {
    bool sorted = true;
    for (int64_t i = 1; i < n && sorted; i++) sorted = cluster[i] >= cluster[i - 1];
    double total = 0;
    *clusters = 0;
    for (int64_t i = 0; i < n; i++) {
        bool first = true;
        for (int64_t j = sorted ? HN_MAX(i - 1, 0) : 0; j < i && first; j++) first = cluster[j] != cluster[i];
        if (!first) continue;
        double sum = 0, squares = 0;
        for (int64_t j = i; j < n; j++) {
            if (cluster[j] != cluster[i]) {
                if (sorted) break;
                continue;
            }
            double r = a[j] - b[j] - mean;
            sum += r;
            squares += r * r;
        }
        total += sum * sum - squares;
        ++*clusters;
    }
    return total;
}

hn_interval hn_paired(const double *a, const double *b, const int32_t *cluster, int64_t n, double level) {
    if (n < 1) return interval(NAN, INFINITY, 0, level);
    double sum = 0, ss = 0, shared = 0, mean;
    int64_t groups = n;
    for (int64_t i = 0; i < n; i++) sum += a[i] - b[i];
    mean = sum / (double)n; /* divided once: where all are right, or all wrong, nothing is left of rounding */
    for (int64_t i = 0; i < n; i++) ss += (a[i] - b[i] - mean) * (a[i] - b[i] - mean);
    if (cluster) shared = shared_products(a, b, mean, cluster, n, &groups);
    double var = n > 1 ? ss / ((double)(n - 1) * (double)n) + shared / ((double)n * (double)n) : INFINITY;
    return interval(mean, sqrt(HN_MAX(var, 0)), (double)(groups - 1), level);
}

double hn_mcnemar_exact(int64_t only_a, int64_t only_b) {
    if (only_a < 0 || only_b < 0) return NAN;
    return HN_MIN(1, 2 * hn_binom_cdf(HN_MIN(only_a, only_b), only_a + only_b, 0.5));
}

double hn_two_proportions_z(int64_t a, int64_t b, int64_t n) {
    double m = (double)n, p = (double)a / m, q = (double)b / m, se = sqrt((p * (1 - p) + q * (1 - q)) / m);
    if (n <= 0) return NAN;
    if (se == 0) return p == q ? 1 : 0;
    return 2 * hn_norm_cdf(-fabs(p - q) / se);
}

hn_interval hn_wilson(int64_t successes, int64_t n, double level) {
    if (n <= 0) return (hn_interval){ NAN, 0, 1, INFINITY, 0 };
    double m = (double)n, p = (double)successes / m, z = hn_norm_quantile(0.5 + 0.5 * level), z2 = z * z / m;
    double centre = (p + 0.5 * z2) / (1 + z2), half = z / (1 + z2) * sqrt(p * (1 - p) / m + z2 / (4 * m));
    return (hn_interval){ p, successes == 0 ? 0 : centre - half, successes == n ? 1 : centre + half, sqrt(p * (1 - p) / m), INFINITY };
}

/* How many p-values stand before p[i] when sorted, ties by position. */
static int64_t rank_of(const double *p, int64_t n, int64_t i) {
    int64_t rank = 0;
    for (int64_t j = 0; j < n; j++) rank += p[j] < p[i] || (p[j] == p[i] && j < i);
    return rank;
}

/* Both corrections ask of p[i]: the largest (Holm) of all factors × p at or before it, or the smallest (BH) at or behind it. Quadratic or
 * cubic in the number of tests, which is the number of levers. */
void hn_holm(const double *p, int64_t n, double *adjusted) {
    for (int64_t i = 0; i < n; i++) {
        int64_t mine = rank_of(p, n, i);
        double worst = 0;
        for (int64_t j = 0; j < n; j++) {
            int64_t r = rank_of(p, n, j);
            if (r <= mine) worst = HN_MAX(worst, (double)(n - r) * p[j]);
        }
        adjusted[i] = HN_MIN(1, worst);
    }
}

void hn_benjamini_hochberg(const double *p, int64_t n, double *adjusted) {
    for (int64_t i = 0; i < n; i++) {
        int64_t mine = rank_of(p, n, i);
        double best = 1;
        for (int64_t j = 0; j < n; j++) {
            int64_t r = rank_of(p, n, j);
            if (r >= mine) best = HN_MIN(best, p[j] * (double)n / (double)(r + 1));
        }
        adjusted[i] = best;
    }
}
