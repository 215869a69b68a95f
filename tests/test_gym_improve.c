/* The main job on gym tasks: questions of splits of their own, errors as the metric, other tasks guarded. */
#include "improve_world.h"
#include "improve/phase.h"

/* Each source of questions stands in the ledger with the length and the hash of its own text. */
static void sources_have_checksums(const char *out) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_ledger *l = hn_ledger_open(a, hn_path_join(a, out, "ledger.sqlite"), true);
    assert_non_null(l);
    const json_t *files = json_object_get(hn_ledger_export(a, l, 0), "files");
    assert_int_equal(json_array_size(files), 8);                             /* two tasks: training, screen, confirm, sealed */
    for (size_t i = 0; i < 8; i++) {
        const json_t *f = json_array_get(files, i);
        assert_true(json_integer_value(json_object_get(f, "bytes")) > 100);
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(json_string_value(json_object_get(f, "hash")), json_string_value(json_object_get(json_array_get(files, k), "hash")));
    }
    hone_close(job);
}

static void a_run_on_two_tasks(void **state) {
    char out[96];
    snprintf(out, sizeof out, "%s/gym", folder);
    run_case r = { .text = "gym:sort:1,gym:arithmetic:1", .out = out,
                   .extra = { "model.context", "20", "improve.metric", "error_rate", "improve.items", "24", "data.items", "300", "improve.confirm_arms", "1" } };
    run(&r);
    assert_true(r.ok);
    assert_non_null(strstr(r.lines, "\"metric\":\"error_rate\""));
    assert_non_null(strstr(r.lines, "\"guards\":[{\"task\":\"sort\""));
    assert_non_null(strstr(r.lines, "\"task\":\"arithmetic\""));
    assert_non_null(strstr(r.lines, "\"accuracy_of\":\"answers\""));
    assert_non_null(strstr(r.lines, "\"sealed_items\":48"));
    sources_have_checksums(out);
    /* a lever that the screen left behind was compared in bits: no number of it stands among shares of wrong answers */
    const char *behind = strstr(r.lines, "\"gain\":null");
    assert_true(behind && strstr(behind, "bits per byte in the screen"));
    run_case again = { .text = r.text, .out = out, .extra = { "model.context", "20", "improve.metric", "error_rate", "improve.items", "24", "data.items", "300", "improve.confirm_arms", "1" }, .stop_after = 3 };
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

/* Samples that vote: of a temperature near 0 they are all the likeliest answer, which the measure without votes counts. */
static void votes_of_cold_samples_are_the_greedy_answer(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    static const hn_section *const parts[] = { &hn_section_model, &hn_section_data };
    hn_settings *s = hn_settings_new(a, parts, HN_LEN(parts));
    static const char *const keys[][2] = { { "data.train", "gym:parity:1" }, { "data.items", "40" }, { "data.valid_items", "30" }, { "model.arch", "gpt2" },
                                           { "model.layers", "1" }, { "model.width", "16" }, { "model.heads", "2" }, { "model.context", "40" } };
    for (int64_t i = 0; i < HN_LEN(keys); i++) assert_true(hn_settings_set(s, a, keys[i][0], keys[i][1], "test"));
    hn_dataset d;
    if (!hn_dataset_load(a, hn_settings_get(s, "data"), 40, 1, NULL, &d)) fail_msg("%s", hone_error_message(job));
    const hn_item *arch;
    const void *params = hn_settings_variant(s, "model", &arch);
    hone_model *m = hn_model_new(a, (const hn_arch *)arch, params, d.tok->vocab, false);
    m->tok = d.tok;
    hn_model_init(m, 3);
    for (int64_t i = 0; i < hn_count(m->w[0].t); i++) ((float *)m->w[0].t->data)[i] *= 20; /* sure of itself, of whatever */
    hn_lm_result lm;
    hn_items items = { 0 };
    assert_true(hn_eval_lm(a, m, &d.valid, 40, 8, &lm, &items));
    double wrong[30], other[30];
    hn_finish_params cold = { .votes = 3, .vote_temperature = 0.01 }, hot = { .votes = 3, .vote_temperature = 10 };
    hn_map *asked = hn_map_new(a);
    assert_int_equal(d.valid.n_spans, 30);
    assert_true(hn_vote(a, m, &d.valid, &cold, 1, asked, wrong));
    for (int64_t i = 0; i < 30; i++) assert_int_equal(wrong[i] == 1, items.accuracy[i] < 1);
    assert_true(hn_vote(a, m, &d.valid, &hot, 1, asked, other)); /* asked already */
    assert_memory_equal(wrong, other, sizeof wrong);
    hone_close(job);
}

static void self_consistency_goes_to_confirm(void **state) {
    char out[96];
    snprintf(out, sizeof out, "%s/votes", folder);
    run_case r = { .text = "gym:sort:1", .out = out,
                   .extra = { "model.context", "20", "improve.metric", "error_rate", "improve.items", "24", "data.items", "300", "improve.levers", "self-consistency" } };
    run(&r);
    assert_true(r.ok);
    assert_non_null(strstr(r.lines, "5 at temperature 0.7: as many answers"));
    assert_non_null(strstr(r.lines, "\"inference\":5.0"));
    free(r.lines);
    snprintf(out, sizeof out, "%s/votes2", folder);
    run_case bits = { .text = "gym:sort:1", .out = out, .extra = { "model.context", "20", "improve.items", "24", "data.items", "300", "improve.levers", "self-consistency" } };
    run(&bits);
    assert_true(bits.ok);
    assert_non_null(strstr(bits.lines, "no answers are asked for"));
    free(bits.lines);
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
        cmocka_unit_test(votes_of_cold_samples_are_the_greedy_answer),
        cmocka_unit_test(self_consistency_goes_to_confirm),
        cmocka_unit_test(refusals),
        cmocka_unit_test(what_harms_a_guarded_task_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
