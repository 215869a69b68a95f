/* dist.c - normal, t, chi-square and binomial distributions.
 *
 * Two functions carry all of them: the regularized incomplete beta (continued fraction, evaluated by Lentz's method) and the regularized
 * incomplete gamma (series below, continued fraction above x = a + 1). Quantiles are found by Newton steps on the logarithm of the tail,
 * kept inside a bracket, so that far tails keep their relative precision. Checked against scipy to 1e-9 relative (tests/golden/stats.h).
 * Limits: parameters up to about 1e8; outside the domain the answer is NaN.
 * Source: Abramowitz and Stegun 1964, 6.5.29, 6.5.31, 26.5.8, 26.7.1; Lentz 1976; Didonato and Morris 1992 (log-beta of large arguments).
 */
#include "eval/eval.h"
#include <float.h>
#include <math.h>

enum { MAX_TERMS = 200000 };

/* Stirling's remainder: ln Γ(z) = (z − ½) ln z − z + ½ ln 2π + remainder(z); z ≥ 10. */
static double stirling_remainder(double z) {
    double r = 1 / (z * z);
    return (1.0 / 12 - r * (1.0 / 360 - r * (1.0 / 1260 - r * (1.0 / 1680 - r * (1.0 / 1188 - r * 691.0 / 360360))))) / z;
}

static double ln_gamma(double z) {
    int sign;
    return lgamma_r(z, &sign);
}

/* ln B(a, b). The plain difference of ln Γ loses digits when an argument is large: Stirling's main terms are cancelled by hand. */
static double ln_beta(double a, double b) {
    double big = HN_MAX(a, b), small = HN_MIN(a, b);
    if (big < 10) return ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    double fix = stirling_remainder(big) - stirling_remainder(big + small);
    if (small < 10) return ln_gamma(small) - (big + small - 0.5) * log1p(small / big) - small * log(big) + small + fix;
    return 0.5 * log(2 * M_PI / big) + stirling_remainder(small) + fix + (small - 0.5) * log(small / (big + small)) -
           big * log1p(small / big);
}

/* The continued fraction of I_x(a, b), good for x < (a + 1)/(a + b + 2). */
static double beta_fraction(double a, double b, double x) {
    const double tiny = 1e-300;
    double c = 1, d = 1 - (a + b) * x / (a + 1);
    if (fabs(d) < tiny) d = tiny;
    d = 1 / d;
    double h = d;
    for (int m = 1; m <= MAX_TERMS; m++) {
        double m2 = 2.0 * m, even = m * (b - m) * x / ((a + m2 - 1) * (a + m2)),
               odd = -(a + m) * (a + b + m) * x / ((a + m2) * (a + m2 + 1));
        for (int half = 0; half < 2; half++) {
            double k = half ? odd : even;
            d = 1 + k * d;
            if (fabs(d) < tiny) d = tiny;
            c = 1 + k / c;
            if (fabs(c) < tiny) c = tiny;
            d = 1 / d;
            h *= d * c;
        }
        if (fabs(d * c - 1) < 4 * DBL_EPSILON) break;
    }
    return h;
}

/* Regularized incomplete beta I_x(a, b); y = 1 − x is handed in because it may be known more exactly. */
static double beta_regularized(double a, double b, double x, double y) {
    if (x <= 0) return 0;
    if (y <= 0) return 1;
    double front = exp(a * log(x) + b * log(y) - ln_beta(a, b));
    if (x < (a + 1) / (a + b + 2)) return front * beta_fraction(a, b, x) / a;
    return 1 - front * beta_fraction(b, a, y) / b;
}

double hn_norm_cdf(double z) { return 0.5 * erfc(-z * M_SQRT1_2); }

double hn_norm_quantile(double p) {
    if (isnan(p) || p < 0 || p > 1) return NAN;
    if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
    if (p == 0.5) return 0;
    double q = HN_MIN(p, 1 - p), s = sqrt(-2 * log(q));
    double z =
        s - (2.515517 + s * (0.802853 + s * 0.010328)) / (1 + s * (1.432788 + s * (0.189269 + s * 0.001308))); /* A&S 26.2.23: 4.5e-4 */
    for (int i = 0; i < 4; i++) { /* Newton on ln Q(z) = ln q, with Q the upper tail: quadratic from a start this near */
        double tail = hn_norm_cdf(-z), density = exp(-0.5 * z * z) / sqrt(2 * M_PI);
        double step = (log(tail) - log(q)) * tail / density;
        z += step;
        if (fabs(step) < 1e-15 * (1 + fabs(z))) break;
    }
    return p < 0.5 ? -z : z;
}

/* P(T > t) for t ≥ 0. */
static double t_tail(double t, double df) {
    if (isinf(df)) return hn_norm_cdf(-t);
    if (t > 1e150) return 0;
    double t2 = t * t;
    return 0.5 * beta_regularized(0.5 * df, 0.5, df / (df + t2), t2 / (df + t2));
}

double hn_t_cdf(double t, double df) {
    if (isnan(t) || !(df > 0)) return NAN;
    double tail = t_tail(fabs(t), df);
    return t > 0 ? 1 - tail : tail;
}

double hn_t_quantile(double p, double df) {
    if (isnan(p) || p < 0 || p > 1 || !(df > 0)) return NAN;
    if (p == 0 || p == 1) return p == 0 ? -INFINITY : INFINITY;
    if (p == 0.5) return 0;
    if (isinf(df)) return hn_norm_quantile(p);
    double q = HN_MIN(p, 1 - p), z = -hn_norm_quantile(q), lo = 0, hi = INFINITY, t = z + z * (z * z + 1) / (4 * df);
    double ln_norm = -ln_beta(0.5 * df, 0.5) - 0.5 * log(df); /* ln of the density at 0 */
    for (int i = 0; i < 200; i++) {
        double tail = t_tail(t, df);
        if (tail > q) lo = t;
        else hi = t;
        double density = exp(ln_norm - 0.5 * (df + 1) * log1p(t * t / df)), next = t + (log(tail) - log(q)) * tail / density;
        if (!(next > lo && next < hi)) next = isinf(hi) ? 2 * t + 1 : 0.5 * (lo + hi);
        double moved = fabs(next - t);
        t = next;
        if (moved <= 1e-14 * t) break;
    }
    return p < 0.5 ? -t : t;
}

/* Regularized lower incomplete gamma P(a, x). */
static double gamma_regularized(double a, double x) {
    if (x <= 0) return 0;
    if (isinf(x)) return 1;
    double front = exp(a * log(x) - x - ln_gamma(a));
    if (x < a + 1) {
        double term = 1 / a, sum = term;
        for (int k = 1; k <= MAX_TERMS && term > sum * 0.25 * DBL_EPSILON; k++) sum += term *= x / (a + k);
        return front * sum;
    }
    const double tiny = 1e-300;
    double b = x + 1 - a, c = 1 / tiny, d = 1 / b, h = d;
    for (int k = 1; k <= MAX_TERMS; k++) {
        double an = -k * (k - a);
        b += 2;
        d = an * d + b;
        if (fabs(d) < tiny) d = tiny;
        c = b + an / c;
        if (fabs(c) < tiny) c = tiny;
        d = 1 / d;
        h *= d * c;
        if (fabs(d * c - 1) < 4 * DBL_EPSILON) break;
    }
    return 1 - front * h;
}

double hn_chi2_cdf(double x, double df) { return isnan(x) || !(df > 0) ? NAN : gamma_regularized(0.5 * df, 0.5 * x); }

double hn_binom_cdf(int64_t k, int64_t n, double p) {
    if (n < 0 || !(p >= 0 && p <= 1)) return NAN;
    if (k < 0) return 0;
    if (k >= n) return 1;
    return beta_regularized((double)(n - k), (double)k + 1, 1 - p, p);
}
