/* The decision of `improve`: against numbers worked out with numpy, at its edges, and in simulated worlds (the full table: make simulate).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <math.h>
#include "golden/pool16.h"
#include "golden/stats.h"
#include "sim/world.c"

static int setup(void **state) { return (*state = hone_open(NULL)) ? 0 : -1; }
static int teardown(void **state) {
    hone_close(*state);
    return 0;
}

static void near_rel(double got, double want, double tolerance, const char *what, int64_t row) {
    if (fabs(got - want) <= tolerance * fabs(want)) return;
    fail_msg("%s, arm %lld: got %.17g, wanted %.17g", what, (long long)row, got, want);
}

/* Unequal seed counts, clusters, one arm better, one worse, one with more spread than the others. */
static void as_worked_out_by_hand(void **state) {
    const hn_arm inc = { "incumbent", golden_arm0, 4 }, incs[] = { inc, inc, inc };
    const hn_arm arms[] = { { "good", golden_arm1, 4 }, { "bad", golden_arm2, 3 }, { "placebo", golden_arm3, 2 } };
    hn_decision d[3];
    hn_decide(hn_job_arena(*state), incs, arms, 3, golden_cluster, HN_LEN(golden_cluster), 0.05, d);
    for (int64_t k = 0; k < 3; k++) {
        near_rel(d[k].difference, golden_decision[k].difference, 1e-9, "difference", k);
        near_rel(d[k].se, golden_decision[k].se, 1e-9, "se", k);
        near_rel(d[k].df, golden_decision[k].df, 1e-9, "df", k);
        near_rel(d[k].p, golden_decision[k].p, 1e-7, "p", k);
        near_rel(d[k].p_harm, golden_decision[k].p_harm, 1e-7, "p_harm", k);
        near_rel(d[k].lo, golden_decision[k].lo, 1e-9, "lo", k);
        near_rel(d[k].hi, golden_decision[k].hi, 1e-9, "hi", k);
        near_rel(d[k].detectable, golden_decision[k].detectable, 1e-9, "detectable", k);
        near_rel(d[k].seed_var, golden_decision[k].seed_var, 1e-9, "seed_var", k);
        near_rel(d[k].item_var, golden_decision[k].item_var, 1e-9, "item_var", k);
    }
    near_rel(d[0].p_adjusted, 3 * d[0].p, 1e-12, "holm", 0);
    near_rel(d[1].p_harm_adjusted, 3 * d[1].p_harm, 1e-12, "holm harm", 1);
    assert_int_equal(d[0].verdict, HN_KEPT);
    assert_int_equal(d[1].verdict, HN_HARMFUL);
    assert_int_equal(d[2].verdict, HN_UNDECIDED);
    assert_string_equal(hn_verdict_name(HN_HARMFUL), "harmful");
}

/* An arm's own larger spread is used, with its own degrees of freedom, and the two-level interval is the single decision's. */
static void own_spread_when_larger(void **state) {
    const double quiet[] = { 1, 2, 3, 1.01, 2.01, 3.01, 0.99, 1.99, 2.99 }, wild[] = { 1.5, 2.6, 3.5, 0.5, 1.4, 2.5, 1, 2, 3.2 };
    const hn_arm incs[] = { { "i", quiet, 3 } }, arms[] = { { "w", wild, 3 } };
    hn_decision d;
    hn_decide(hn_job_arena(*state), incs, arms, 1, NULL, 3, 0.05, &d);
    const double means[] = { (1.5 + 2.6 + 3.5) / 3, (0.5 + 1.4 + 2.5) / 3, 6.2 / 3 };
    const double calm[] = { 2, 2.01, 1.99 };
    double pooled = (hn_var(means, 3) + hn_var(calm, 3)) / 2;             /* the calm side gets the pool's, the wild one its own */
    near_rel(d.seed_var, (hn_var(means, 3) + pooled) / 2, 1e-12, "own variance", 0);
    assert_true(d.df > 2 && d.df < 6);
    hn_interval i = hn_two_level(hn_job_arena(*state), incs, arms, NULL, 3, 0.95);
    near_rel(i.lo, d.lo, 1e-12, "lo", 0);
    near_rel(i.hi, d.hi, 1e-12, "hi", 0);
}

/* A model as it is has no seeds that spread: V is the trained side's s²/S and the items', with the trained side's degrees of freedom. */
static void a_fixed_model_has_no_seeds(void **state) {
    hn_arena *a = hn_job_arena(*state);
    const double as_is[] = { 2.0, 2.4, 1.9, 2.2 }, on[] = { 1.8, 2.1, 1.7, 2.3, 1.9, 2.3, 1.8, 2.2, 1.7, 2.2, 1.6, 2.0 };
    const hn_arm inc = { "as it is", as_is, 1, true }, arm = { "continue", on, 3 };
    const double seed_mean[] = { 7.9 / 4, 8.2 / 4, 7.5 / 4 }, d_i[] = { 2.0 - 1.8, 2.4 - 2.2, 1.9 - 1.7, 2.2 - 6.5 / 3 };
    double seed_part = hn_var(seed_mean, 3) / 3, item_part = hn_var(d_i, 4) / 4, v = seed_part + item_part;
    hn_decision d, back;
    hn_decide(a, &inc, &arm, 1, NULL, 4, 0.05, &d);
    near_rel(d.se, sqrt(v), 1e-12, "se", 0);
    near_rel(d.df, v * v / (seed_part * seed_part / 2 + item_part * item_part / 3), 1e-12, "df", 0);
    near_rel(2 * d.seed_var / 3, seed_part, 1e-12, "the seeds' part as the report has it", 0);
    hn_decide(a, &arm, &inc, 1, NULL, 4, 0.05, &back); /* the other way round it is the same */
    near_rel(back.se, d.se, 1e-12, "se, turned round", 0);
    near_rel(back.df, d.df, 1e-12, "df, turned round", 0);
    const hn_arm twice[] = { { "as it is", as_is, 1, true }, { "another", on, 1, true } };
    hn_decide(a, &twice[0], &twice[1], 1, NULL, 4, 0.05, &d); /* two fixed models: their items alone */
    near_rel(d.df, 3, 1e-12, "df of items alone", 0);
    const hn_arm one_seed = { "continue", on, 1 };
    hn_decide(a, &inc, &one_seed, 1, NULL, 4, 0.05, &d); /* but one seed of a training tells nothing of the others */
    assert_int_equal(d.verdict, HN_UNDECIDED);
    assert_true(d.p == 1 && d.hi == INFINITY);
}

static void what_cannot_be_known_is_not_claimed(void **state) {
    hn_arena *a = hn_job_arena(*state);
    const double x[] = { 2.0, 2.1, 1.9, 2.05 }, y[] = { 1.0, 1.1, 0.9, 1.02 }, broken[] = { 1, NAN, 1, 1 };
    hn_arm inc = { "i", x, 4 }, arm = { "a", y, 4 };
    hn_decision d;
    hn_decide(a, &inc, &arm, 1, NULL, 1, 0.05, &d); /* one item */
    assert_int_equal(d.verdict, HN_UNDECIDED);
    assert_true(d.p == 1 && d.lo == -INFINITY && d.hi == INFINITY && d.detectable == INFINITY && fabs(d.difference - 1.0075) < 1e-12);
    inc.seeds = arm.seeds = 1;
    hn_decide(a, &inc, &arm, 1, NULL, 4, 0.05, &d); /* one seed each */
    assert_int_equal(d.verdict, HN_UNDECIDED);
    assert_true(d.p == 1 && d.p_harm == 1 && d.detectable == INFINITY);
    const int32_t one_source[] = { 7, 7 };
    inc.seeds = arm.seeds = 2;
    hn_decide(a, &inc, &arm, 1, one_source, 2, 0.05, &d); /* one cluster */
    assert_int_equal(d.verdict, HN_UNDECIDED);
    hn_decide(a, &inc, &arm, 1, NULL, 0, 0.05, &d); /* nothing */
    assert_int_equal(d.verdict, HN_FAILED);
    hn_decide(a, NULL, NULL, 0, NULL, 2, 0.05, NULL); /* no arm */
    const hn_arm incs[] = { inc, inc }, arms[] = { { "nan", broken, 2 }, arm };
    hn_decision two[2];
    hn_decide(a, incs, arms, 2, NULL, 2, 0.05, two);
    assert_int_equal(two[0].verdict, HN_FAILED);
    assert_true(isnan(two[0].difference) && two[0].p_adjusted == 1);
    assert_true(isfinite(two[1].difference)); /* and the failed arm still counts as a test */
    near_rel(two[1].p_adjusted, 2 * two[1].p, 1e-12, "holm", 1);
    const hn_arm bad_inc = { "i", broken, 2 };
    hn_decide(a, &bad_inc, &arm, 1, NULL, 2, 0.05, &d);
    assert_int_equal(d.verdict, HN_FAILED);
}

static void no_spread_at_all(void **state) {
    hn_arena *a = hn_job_arena(*state);
    const double x[] = { 2, 2, 2, 2 }, y[] = { 1, 1, 1, 1 };
    const hn_arm two = { "x", x, 2 }, one = { "y", y, 2 };
    hn_decision d;
    hn_decide(a, &two, &one, 1, NULL, 2, 0.05, &d);
    assert_int_equal(d.verdict, HN_KEPT);
    hn_decide(a, &one, &two, 1, NULL, 2, 0.05, &d);
    assert_int_equal(d.verdict, HN_HARMFUL);
    hn_decide(a, &two, &two, 1, NULL, 2, 0.05, &d);
    assert_int_equal(d.verdict, HN_UNDECIDED);
    assert_true(d.p == 1 && d.difference == 0);
}

static void false_keeps_and_power(void **state) {
    hn_arena *a = hn_job_arena(*state);
    const double none[WORLD_ARMS] = { 0 };
    const world worlds[] = {
        { "balanced", 4, 80, 0.02, 0.004, 0.02, { 1, 1, 1, 1, 1 }, 1 },
        { "seeds decide", 4, 60, 0.01, 0.02, 0.02, { 1, 1, 1, 1, 1 }, 1 },
        { "clusters", 4, 80, 0.03, 0.004, 0.02, { 1, 1, 1, 1, 1 }, 4 },
        { "fixed", 4, 100, 0.01, 0.01, 0.02, { 1, 1, 1, 1, 1 }, 1, .fixed = true },
    };
    enum { N = 1500 }; /* standard error of a rate of 5 %: 0.56 % */
    for (int64_t i = 0; i < HN_LEN(worlds); i++) {
        tally t = simulate(a, &worlds[i], none, N, 100 + (uint64_t)i);
        assert_true(t.any_kept < 0.057 + 2 * 0.0056);
        assert_true(t.any_harmful < 0.057 + 2 * 0.0056);
        assert_true(t.naive > 0.45 && t.naive < 0.55 && t.naive_any > 0.6);
        assert_true(t.covered > 0.93);
        assert_true(t.power > 0.77 && t.power < 0.92);
    }
}

/* Real trainings of one recipe, dealt at random to an incumbent and three levers that do nothing. */
static void a_pool_of_real_runs(void **state) {
    hn_arena *a = hn_job_arena(*state);
    enum { SPLITS = 2000, SEEDS = 4, ARMS = POOL_RUNS / SEEDS - 1 };
    int64_t order[POOL_RUNS], false_keeps = 0, false_harms = 0, naive = 0;
    int32_t cluster[POOL_ITEMS];
    double *x = hn_new_n(a, double, POOL_RUNS * POOL_ITEMS);
    for (int32_t i = 0; i < POOL_ITEMS; i++) cluster[i] = i / 2; /* each held-out piece made two items */
    for (int64_t i = 0; i < POOL_RUNS; i++) order[i] = i;
    hn_rng rng = hn_rng_new(16, HN_STREAM_TEST, 0);
    for (int64_t split = 0; split < SPLITS; split++) {
        hn_rng_shuffle(&rng, order, POOL_RUNS);
        for (int64_t i = 0; i < POOL_RUNS; i++) memcpy(x + i * POOL_ITEMS, golden_pool + order[i] * POOL_ITEMS, POOL_ITEMS * sizeof *x);
        hn_arm incs[ARMS], arms[ARMS];
        hn_decision d[ARMS];
        for (int64_t k = 0; k < ARMS; k++) {
            incs[k] = (hn_arm){ "incumbent", x, SEEDS };
            arms[k] = (hn_arm){ "placebo", x + (k + 1) * SEEDS * POOL_ITEMS, SEEDS };
        }
        hn_arena *tmp = hn_arena_new(a);
        hn_decide(tmp, incs, arms, ARMS, cluster, POOL_ITEMS, 0.05, d);
        hn_arena_free(tmp);
        bool kept = false, harmful = false;
        for (int64_t k = 0; k < ARMS; k++) kept |= d[k].verdict == HN_KEPT, harmful |= d[k].verdict == HN_HARMFUL;
        false_keeps += kept;
        false_harms += harmful;
        naive += hn_mean(x + SEEDS * POOL_ITEMS, POOL_ITEMS) < hn_mean(x, POOL_ITEMS); /* one run of each, keep if better */
    }
    print_message("real runs: %.1f %% false keeps, %.1f %% false harms; one run each keeps %.1f %%\n", 100.0 * (double)false_keeps / SPLITS,
                  100.0 * (double)false_harms / SPLITS, 100.0 * (double)naive / SPLITS);
    assert_true(false_keeps <= 0.057 * SPLITS && false_harms <= 0.057 * SPLITS);
    assert_true(naive > 0.45 * SPLITS && naive < 0.55 * SPLITS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_worked_out_by_hand, setup, teardown),
        cmocka_unit_test_setup_teardown(own_spread_when_larger, setup, teardown),
        cmocka_unit_test_setup_teardown(a_fixed_model_has_no_seeds, setup, teardown),
        cmocka_unit_test_setup_teardown(what_cannot_be_known_is_not_claimed, setup, teardown),
        cmocka_unit_test_setup_teardown(no_spread_at_all, setup, teardown),
        cmocka_unit_test_setup_teardown(false_keeps_and_power, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pool_of_real_runs, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
