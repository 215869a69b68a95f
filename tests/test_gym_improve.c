/* The main job on gym tasks: questions of splits of their own, errors as the metric, other tasks guarded. */
#include "improve_world.h"
#include "improve/phase.h"

static void a_run_on_two_tasks(void **state) {
    char out[96];
    snprintf(out, sizeof out, "%s/gym", folder);
    run_case r = { .text = "gym:sort:1,gym:arithmetic:1", .out = out,
                   .extra = { "model.context", "20", "improve.metric", "error_rate", "improve.items", "24", "data.items", "300" } };
    run(&r);
    assert_true(r.ok);
    assert_non_null(strstr(r.lines, "\"metric\":\"error_rate\""));
    assert_non_null(strstr(r.lines, "\"guards\":[{\"task\":\"sort\""));
    assert_non_null(strstr(r.lines, "\"task\":\"arithmetic\""));
    assert_non_null(strstr(r.lines, "\"accuracy_of\":\"answers\""));
    assert_non_null(strstr(r.lines, "\"sealed_items\":48"));
    run_case again = { .text = r.text, .out = out, .extra = { "model.context", "20", "improve.metric", "error_rate", "improve.items", "24", "data.items", "300" }, .stop_after = 3 };
    snprintf(out, sizeof out, "%s/gym2", folder);
    run(&again);
    assert_false(again.ok);
    free(again.lines);
    again.stop_after = 0;
    run(&again);                                                             /* goes on to the same end */
    assert_true(again.ok);
    const char *x = strstr(r.lines, "\"sealed_hash\""), *y = strstr(again.lines, "\"sealed_hash\"");
    assert_true(x && y && !strncmp(x, y, 32));
    free(again.lines);
    free(r.lines);
}

static void refusals(void **state) {
    static const struct { const char *text, *key, *value, *key2, *value2; } cases[] = {
        { "gym:sort:1", "model.context", "8" },                          /* the answer does not fit */
        { "gym:arithmetic:1", "improve.items", "400" },                  /* more than there are */
        { "gym:sort:1", "model.context", "20", "improve.primary", "arithmetic" },
        { "gym:sort:1", "model.context", "20", "data.valid", "x.txt" },
        { "gym:sort:1", "model.context", "20", "improve.items", "4" },
    };
    for (int64_t i = 0; i < HN_LEN(cases); i++) {
        char out[96];
        snprintf(out, sizeof out, "%s/refused-gym%lld", folder, (long long)i);
        run_case r = { .text = cases[i].text, .out = out, .extra = { cases[i].key, cases[i].value, cases[i].key2, cases[i].value2 } };
        run(&r);
        assert_false(r.ok);
        assert_int_equal(r.code, HONE_E_VALUE);
        free(r.lines);
    }
    run_case r = { .text = text_path, .out = folder, .extra = { "improve.metric", "error_rate" } };
    run(&r);
    assert_int_equal(r.code, HONE_E_VALUE);
    free(r.lines);
}

/* Made-up measurements: better where verdicts are of, and worse on the guarded task by much, or by nothing. */
static void what_harms_a_guarded_task_is_refused(void **state) {
    enum { N = 40, SEEDS = 4 };
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_improve_params p = { .alpha = 0.05 };
    hn_runner r = { .a = a, .p = &p, .unit = "of all answers", .n_sets = HN_SETS + 1, .set = { { .n = 1 }, { .n = N }, { .n = 1 }, { .name = "sort", .n = N } } };
    r.ledger = hn_ledger_open(a, hn_fmt(a, "%s/guard.sqlite", folder), false);
    json_t *empty = hn_json_own(a, json_object());
    assert_true(r.ledger && hn_ledger_run_begin(r.ledger, "", empty, empty, 1, &r.run));
    hn_trial *base = hn_trial_new(&r, HN_CONFIRM, "incumbent", 0, SEEDS), *arm[2];
    hn_rng rng = hn_rng_new(1, HN_STREAM_TEST, 0);
    hn_verdicts v = { .n = 2, .arm = arm, .d = hn_new_n(a, hn_decision, 2) };
    static const double harm[2] = { 0.5, 0 };
    for (int i = 0; i < 2; i++) {
        arm[i] = hn_trial_new(&r, HN_CONFIRM, i ? "kind" : "cruel", i + 1, SEEDS);
        arm[i]->incumbent = base;
        v.d[i].verdict = HN_KEPT;
    }
    for (int64_t k = 0; k < SEEDS * N; k++) {
        base->x[HN_SETS][k] = hn_rng_f64(&rng);
        for (int i = 0; i < 2; i++) arm[i]->x[HN_SETS][k] = hn_rng_f64(&rng) + harm[i];
    }
    base->settings = arm[0]->settings = arm[1]->settings = (hn_settings *)empty; /* trained, so not fixed */
    hn_decision *g = hn_guards_decide(&r, &v);
    const char *why[2] = { "better", "better" };
    for (int64_t i = 0; i < 2; i++) assert_true(hn_guards_tell(&r, g, &v, i, &why[i]));
    assert_int_equal(v.d[0].verdict, HN_HARMFUL);
    assert_non_null(strstr(why[0], "Refused: it harms sort, worse by 0."));
    assert_non_null(strstr(why[0], "95 %"));
    assert_int_equal(v.d[1].verdict, HN_KEPT);
    assert_string_equal(why[1], "better");
    assert_string_equal(json_string_value(json_object_get(json_array_get(arm[0]->guards, 0), "verdict")), "harmful");
    hone_close(job);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_run_on_two_tasks),
        cmocka_unit_test(refusals),
        cmocka_unit_test(what_harms_a_guarded_task_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
