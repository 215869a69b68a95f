/* test_metrics.c - metrics and filters that the packs of test_tasks.c do not ask for, against numbers of scipy, numpy and SQuAD's script;
 * intervals of totals that are no means. */
#include "box.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>
#include "near.h"
#include "eval/task.h"

enum { MOST = 8 };

static double total_of(hn_arena *a, const char *name, const hn_answer *x, int64_t n) {
    const hn_metric_item *m = (const hn_metric_item *)hn_kind_find(&hn_kind_metric, name);
    double v[MOST], sum = 0;
    int64_t pick[MOST];
    if (!m) fail_msg("there is no metric %s", name);
    void *p = m->item.size ? hn_alloc(a, 1, m->item.size, 16) : NULL;
    if (p) hn_params_defaults(a, m->item.params, m->item.n_params, p);
    for (int64_t i = 0; i < n; i++) {
        assert_true(m->value(a, p, &x[i], &v[i]));
        pick[i] = i, sum += v[i];
    }
    return m->total ? m->total(a, &(hn_total){ x, v, pick, n }) : sum / (double)n;
}

/* scipy.stats.pearsonr and spearmanr of 3 −1.5 10 0 12 3 and 2 −1 7.25 1 20 4: the last number of a text counts, none counts as 0. */
static void correlations(void **state) {
    hn_arena *a = ((box *)*state)->a;
    static const char *const said[] = { "3", "it is -1.5.", "about 10 or so", "none", "1 then 12", "3 3" };
    static const char *const is[] = { "2", "-1", "7.25", "1", "20", "4" };
    hn_answer x[6];
    for (int i = 0; i < 6; i++) x[i] = (hn_answer){ .text = said[i], .target = &is[i], .n_target = 1 };
    assert_near(total_of(a, "pearson", x, 6), 0.8956177015638972, 1e-12);
    assert_near(total_of(a, "spearman", x, 6), 0.9856107606091624, 1e-12);
    static const char *const word = "seven";
    const hn_metric_item *m = (const hn_metric_item *)hn_kind_find(&hn_kind_metric, "pearson");
    double v;
    assert_false(m->value(a, NULL, &(hn_answer){ .text = "7", .target = &word, .n_target = 1 }, &v)); /* a target without a number */
    assert_non_null(strstr(hone_error_message(a->job), "number"));
    hone_error_clear(a->job);
}

/* Six questions of two choices: numpy, softmax by hand, ten bins open to the left. */
static void probabilities_of_choices(void **state) {
    hn_arena *a = ((box *)*state)->a;
    static const double ll[6][2] = { { -1, -2 }, { -0.5, -3 }, { -2, -1.9 }, { -4, -1 }, { -1, -1.2 }, { -3, -0.2 } };
    static const int64_t gold[6] = { 0, 1, 1, 1, 1, 0 };
    static const char *const choice[] = { "yes", "no" };
    hn_answer x[6];
    for (int i = 0; i < 6; i++) x[i] = (hn_answer){ .n = 2, .loglik = ll[i], .choice = choice, .gold = &gold[i], .n_gold = 1 };
    assert_near(total_of(a, "ece", x, 6), 0.360524396177289, 1e-12);
    assert_near(total_of(a, "likelihood", x, 6), 0.4653267085898354, 1e-12);
    assert_near(total_of(a, "brier_score", x, 6), 0.781738903760783, 1e-12);
    assert_near(total_of(a, "acc", x, 6), 0.5, 0);
}

/* As SQuAD's evaluate-v1.1.py; of several targets the best counts. */
static void overlap_of_words(void **state) {
    hn_arena *a = ((box *)*state)->a;
    static const char *const target[] = { "a cat on mats", "the blue sky", "yes" };
    hn_answer x = { .text = "The cat sat on the mat.", .target = target, .n_target = 1 };
    assert_near(total_of(a, "token_f1", &x, 1), 4. / 7, 1e-12);
    x = (hn_answer){ .text = "blue, blue sky", .target = target, .n_target = 3 };
    assert_near(total_of(a, "token_f1", &x, 1), 0.8, 1e-12);
    x = (hn_answer){ .text = "no", .target = target + 2, .n_target = 1 };
    assert_near(total_of(a, "token_f1", &x, 1), 0, 0);
}

static const char *filtered(hn_arena *a, const char *name, const char *const *from, int64_t n) {
    const hn_filter *f = (const hn_filter *)hn_kind_find(&hn_kind_filter, name);
    hn_texts t = { hn_new_n(a, const char *, n), n };
    if (!f) fail_msg("there is no filter %s", name);
    for (int64_t i = 0; i < n; i++) t.v[i] = from[i];
    assert_true(f->apply(a, NULL, &t) && t.n > 0);
    return t.v[0];
}

static void filters(void **state) {
    hn_arena *a = ((box *)*state)->a;
    static const char *const votes[] = { "7", "8", "9", "8", "9" }, *const numbers[] = { "costs -1,234.50 or 7.", "seven", "5-3", "v2.x" };
    assert_string_equal(filtered(a, "majority_vote", votes, 4), "8");
    assert_string_equal(filtered(a, "majority_vote", votes, 5), "8");         /* of equals the one that came first */
    assert_string_equal(filtered(a, "majority_vote", votes, 3), "7");
    assert_string_equal(filtered(a, "first_number", numbers, 1), "-1234.50");
    assert_string_equal(filtered(a, "first_number", numbers + 1, 1), "[invalid]");
    assert_string_equal(filtered(a, "first_number", numbers + 2, 1), "5");
    assert_string_equal(filtered(a, "first_number", numbers + 3, 1), "2");
}

/* A perplexity has no interval below 0, a correlation none beyond 1; and items that do not differ tell no needed number. */
static void intervals_stay_where_the_metric_lives(void **state) {
    hn_arena *a = ((box *)*state)->a;
    hone_model *m = hn_model_load(a, "tests/golden/tasks/model_gpt2");
    assert_non_null(m);
    static const char *const packs[] = { "lambada", "boolq", "text", "arc_easy" };
    for (int64_t k = 0; k < HN_LEN(packs); k++) {
        hn_pack *p = hn_pack_load(a, hn_path_join(a, "tests/golden/tasks", packs[k]), NULL, 0);
        hn_task_result r;
        assert_true(p && hn_task_run(a, p, m, 8, 1, &r));
        for (int64_t i = 0; i < r.n_scores; i++) {
            const hn_task_score *s = &r.score[i];
            if (!(s->lo <= s->value && s->value <= s->hi)) fail_msg("%s %s: %g is not within %g … %g", packs[k], s->name, s->value, s->lo, s->hi);
            assert_true(!strstr(s->name, "perplexity") || s->lo > 0);
            assert_true(strcmp(s->name, "mcc") || (s->lo >= -1 && s->hi <= 1));
        }
    }
    assert_int_equal(hn_items_needed(0.05, 0), -1);
    assert_int_equal(hn_items_needed(0, 0.5), -1);
    assert_int_equal(hn_items_needed(0.1, 0.5), 197); /* (1.959964 + 0.841621)² · 25 = 196.2 */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(correlations, setup, teardown),
        cmocka_unit_test_setup_teardown(probabilities_of_choices, setup, teardown),
        cmocka_unit_test_setup_teardown(overlap_of_words, setup, teardown),
        cmocka_unit_test_setup_teardown(filters, setup, teardown),
        cmocka_unit_test_setup_teardown(intervals_stay_where_the_metric_lives, setup, teardown),
    };
    return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
