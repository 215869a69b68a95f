/* Distributions, tests and intervals against scipy; the published examples of the project's promise. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include "eval/eval.h"
#include "golden/stats.h"

static void near_rel(double got, double want, double tolerance, const char *what, int64_t row) {
    if (fabs(got - want) <= tolerance * fabs(want)) return;
    fail_msg("%s, row %lld: got %.17g, wanted %.17g", what, (long long)row, got, want);
}

static void distributions(void **state) {
    (void)state;
    for (int64_t i = 0; i < HN_LEN(golden_norm); i++) near_rel(hn_norm_cdf(golden_norm[i].z), golden_norm[i].cdf, 1e-9, "norm", i);
    for (int64_t i = 0; i < HN_LEN(golden_norm_quantile); i++)
        near_rel(hn_norm_quantile(golden_norm_quantile[i].p), golden_norm_quantile[i].z, 1e-9, "norm quantile", i);
    for (int64_t i = 0; i < HN_LEN(golden_t); i++) near_rel(hn_t_cdf(golden_t[i].t, golden_t[i].df), golden_t[i].cdf, 1e-9, "t", i);
    for (int64_t i = 0; i < HN_LEN(golden_t_quantile); i++)
        near_rel(hn_t_quantile(golden_t_quantile[i].p, golden_t_quantile[i].df), golden_t_quantile[i].t, 1e-9, "t quantile", i);
    for (int64_t i = 0; i < HN_LEN(golden_chi2); i++)
        near_rel(hn_chi2_cdf(golden_chi2[i].x, golden_chi2[i].df), golden_chi2[i].cdf, 1e-9, "chi2", i);
    for (int64_t i = 0; i < HN_LEN(golden_binom); i++)
        near_rel(hn_binom_cdf((int64_t)golden_binom[i].k, (int64_t)golden_binom[i].n, golden_binom[i].p), golden_binom[i].cdf, 1e-9,
                 "binom", i);
}

static void edges_of_distributions(void **state) {
    (void)state;
    assert_true(isnan(hn_t_cdf(1, 0)) && isnan(hn_t_cdf(NAN, 3)) && isnan(hn_t_quantile(1.5, 3)) && isnan(hn_norm_quantile(-0.1)));
    assert_true(isnan(hn_binom_cdf(1, -1, 0.5)) && isnan(hn_binom_cdf(1, 2, 2)));
    assert_true(hn_norm_quantile(0) == -INFINITY && hn_norm_quantile(1) == INFINITY && hn_t_quantile(1, 4) == INFINITY);
    assert_true(hn_t_cdf(INFINITY, 5) == 1 && hn_t_cdf(-INFINITY, 5) == 0 && hn_chi2_cdf(-1, 2) == 0 && hn_chi2_cdf(INFINITY, 2) == 1);
    assert_true(hn_binom_cdf(-1, 4, 0.5) == 0 && hn_binom_cdf(4, 4, 0.5) == 1);
    near_rel(hn_t_cdf(-2, INFINITY), hn_norm_cdf(-2), 1e-15, "t with infinite df", 0);
    near_rel(hn_t_quantile(0.975, INFINITY), 1.959963984540054, 1e-14, "t quantile with infinite df", 0);
}

/* nanochat dev/LEADERBOARD.md: seven runs of one identical command. */
static void seven_runs(void **state) {
    (void)state;
    const double core[] = { 0.25373, 0.2584, 0.25489, 0.2568, 0.25732, 0.26765, 0.25119 };
    hn_interval i = hn_t_interval(core, HN_LEN(core), 0.95);
    assert_true(fabs(i.mean - 0.25714) < 5e-6);
    assert_true(fabs(0.5 * (i.hi - i.lo) - 0.0048) < 5e-5);
    assert_true(i.df == 6);
    near_rel(sqrt(hn_var(core, HN_LEN(core))), 0.0052, 0.01, "sd", 0);
}

static void mcnemar_sees_what_the_unpaired_test_does_not(void **state) {
    (void)state;
    const int64_t both = 132, only_a = 27, only_b = 10, neither = 51, n = both + only_a + only_b + neither;
    assert_true(fabs(hn_mcnemar_exact(only_a, only_b) - 0.008) < 5e-4);
    assert_true(fabs(hn_two_proportions_z(both + only_a, both + only_b, n) - 0.080) < 5e-4);
    for (int64_t i = 0; i < HN_LEN(golden_mcnemar); i++)
        near_rel(hn_mcnemar_exact((int64_t)golden_mcnemar[i].a, (int64_t)golden_mcnemar[i].b), golden_mcnemar[i].p, 1e-9, "mcnemar", i);
    assert_true(hn_mcnemar_exact(0, 0) == 1 && isnan(hn_mcnemar_exact(-1, 3)));
    assert_true(hn_two_proportions_z(0, 0, 5) == 1 && hn_two_proportions_z(5, 0, 5) == 0);
}

static void wilson_holm_bh(void **state) {
    (void)state;
    for (int64_t i = 0; i < HN_LEN(golden_wilson); i++) {
        hn_interval w = hn_wilson((int64_t)golden_wilson[i].k, (int64_t)golden_wilson[i].n, golden_wilson[i].level);
        near_rel(w.lo, golden_wilson[i].lo, 1e-9, "wilson lo", i);
        near_rel(w.hi, golden_wilson[i].hi, 1e-9, "wilson hi", i);
    }
    assert_true(hn_wilson(0, 0, 0.95).lo == 0 && hn_wilson(0, 0, 0.95).hi == 1);
    double adjusted[HN_LEN(golden_p)];
    hn_holm(golden_p, HN_LEN(golden_p), adjusted);
    for (int64_t i = 0; i < HN_LEN(golden_p); i++) near_rel(adjusted[i], golden_holm[i], 1e-12, "holm", i);
    hn_benjamini_hochberg(golden_p, HN_LEN(golden_p), adjusted);
    for (int64_t i = 0; i < HN_LEN(golden_p); i++) near_rel(adjusted[i], golden_bh[i], 1e-12, "bh", i);
}

static void check_interval(hn_interval got, double mean, double se, double df, double lo, double hi) {
    near_rel(got.mean, mean, 1e-9, "mean", 0);
    near_rel(got.se, se, 1e-9, "se", 0);
    near_rel(got.df, df, 1e-12, "df", 0);
    near_rel(got.lo, lo, 1e-9, "lo", 0);
    near_rel(got.hi, hi, 1e-9, "hi", 0);
}

static void paired_with_and_without_clusters(void **state) {
    (void)state;
    enum { N = HN_LEN(golden_a) };
    for (int64_t i = 0; i < 2; i++) {
        hn_interval p = hn_paired(golden_a, golden_b, i ? golden_cluster : NULL, N, 0.95);
        check_interval(p, golden_paired[i].mean, golden_paired[i].se, golden_paired[i].df, golden_paired[i].lo, golden_paired[i].hi);
    }
    double a[N], b[N]; /* another order of the items changes nothing: 37 is coprime to 60 */
    int32_t cluster[N];
    for (int64_t i = 0; i < N; i++) {
        int64_t j = i * 37 % N;
        a[i] = golden_a[j];
        b[i] = golden_b[j];
        cluster[i] = golden_cluster[j];
    }
    hn_interval p = hn_paired(a, b, cluster, N, 0.95);
    check_interval(p, golden_paired[1].mean, golden_paired[1].se, golden_paired[1].df, golden_paired[1].lo, golden_paired[1].hi);
    const int32_t one[N] = { 0 };
    p = hn_paired(a, b, one, N, 0.95);
    assert_true(p.lo == -INFINITY && p.hi == INFINITY);
    assert_true(hn_paired(a, b, NULL, 1, 0.95).hi == INFINITY);
    assert_true(hn_t_interval(a, 1, 0.95).hi == INFINITY && hn_t_interval(a, 1, 0.95).mean == a[0]);
}

static void bca(void **state) {
    (void)state;
    enum { N = HN_LEN(golden_a) };
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    double d[N];
    for (int64_t i = 0; i < N; i++) d[i] = golden_a[i] - golden_b[i];
    for (int64_t i = 0; i < 2; i++) {
        hn_interval b = hn_bootstrap_bca(a, d, i ? golden_cluster : NULL, N, 0.95, 50000, 11);
        double slack = 0.05 * golden_bca[i].se; /* a 2.5 % quantile from 50,000 draws has a standard error of 0.012 se */
        assert_true(fabs(b.lo - golden_bca[i].lo) < slack && fabs(b.hi - golden_bca[i].hi) < slack);
        near_rel(b.se, golden_bca[i].se, 0.02, "bootstrap se", i);
    }
    hn_interval x = hn_bootstrap_bca(a, d, NULL, N, 0.95, 500, 3), y = hn_bootstrap_bca(a, d, NULL, N, 0.95, 500, 3);
    assert_true(x.lo == y.lo && x.hi == y.hi);
    const double same[] = { 0.5, 0.5, 0.5 };
    x = hn_bootstrap_bca(a, same, NULL, 3, 0.95, 100, 3);
    assert_true(x.lo == 0.5 && x.hi == 0.5);
    assert_true(hn_bootstrap_bca(a, same, NULL, 1, 0.95, 100, 3).hi == INFINITY);
    assert_true(hn_bootstrap_bca(a, same, NULL, 0, 0.95, 100, 3).hi == INFINITY);
    hone_close(job);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distributions),
        cmocka_unit_test(edges_of_distributions),
        cmocka_unit_test(seven_runs),
        cmocka_unit_test(mcnemar_sees_what_the_unpaired_test_does_not),
        cmocka_unit_test(wilson_holm_bh),
        cmocka_unit_test(paired_with_and_without_clusters),
        cmocka_unit_test(bca),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
