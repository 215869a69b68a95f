/* test_improve.c - the main job on tiny models: what levers change, that sets share nothing, that a killed run goes on to the same end. */
#include "improve_world.h"

/* ---- levers ---- */

static void levers_change_what_they_say(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_lever_call c;
    hn_settings *old = recipe(a), *s;
    double width = number(a, old, "model.width"), heads = number(a, old, "model.heads"), lr = number(a, old, "optim.lr");

    pull(a, s = hn_settings_clone(a, old), "placebo", 1, &c);
    assert_string_equal(hn_settings_write_yaml(a, s), hn_settings_write_yaml(a, old));
    assert_true(c.cost == 1);

    for (int64_t v = 0; v < HN_LEVER_VARIANTS; v++) {
        pull(a, s = hn_settings_clone(a, old), "wider", v, &c);
        double w = number(a, s, "model.width"), h = number(a, s, "model.heads");
        assert_true(w > width && h > heads && w / h == width / heads);      /* the head size stays */
        assert_near(number(a, s, "optim.lr") * w, lr * width, 1e-9); /* the rate shrinks with the width */
        pull(a, s = hn_settings_clone(a, old), "deeper", v, &c);
        assert_true(number(a, s, "model.layers") > number(a, old, "model.layers"));
        pull(a, s = hn_settings_clone(a, old), "more-steps", v, &c);
        assert_true(c.cost > 1);
        pull(a, s = hn_settings_clone(a, old), "ema", v, &c);
        assert_true(number(a, s, "train.ema") > 0 && number(a, s, "train.ema") < 1);
        pull(a, s = hn_settings_clone(a, old), "dropout", v, &c);
        assert_true(number(a, s, "model.dropout") > 0);
    }
    pull(a, s = hn_settings_clone(a, old), "lr", 0, &c);
    assert_near(number(a, s, "optim.lr"), lr / 2, 1e-12);
    pull(a, s = hn_settings_clone(a, old), "lr", 1, &c);
    assert_near(number(a, s, "optim.lr"), lr * 2, 1e-12);
    hone_close(job);
}

static void shape_levers_refuse_given_weights(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_settings *s = recipe(a);
    assert_true(hn_settings_set(s, a, "model.path", "some/folder", "test"));
    hn_lever_call c = { .a = a, .candidate = s, .name = "wider", .cost = 1 };
    assert_false(((const hn_lever *)hn_kind_find(&hn_kind_lever, "wider"))->apply(&c));
    assert_non_null(strstr(hone_error_message(job), "would not fit"));
    hone_close(job);
}

/* ---- whole runs, tiny ---- */

/* The last line without what depends on the folder's name and on time. */
static void expect_same_result(const char *x, const char *y) {
    static const char *const keys[] = { "start", "end", "difference", "ci95", "sealed_hash", "levers", "file" };
    const char *lx = x, *ly = y;
    for (const char *p = x; *p; p++) if (p > x && p[-1] == '\n') lx = p;
    for (const char *p = y; *p; p++) if (p > y && p[-1] == '\n') ly = p;
    json_t *a = json_loads(lx, 0, NULL), *b = json_loads(ly, 0, NULL);
    assert_non_null(a);
    assert_non_null(b);
    for (int64_t i = 0; i < HN_LEN(keys); i++) {
        assert_non_null(json_object_get(a, keys[i]));
        assert_true(json_equal(json_object_get(a, keys[i]), json_object_get(b, keys[i])));
    }
    double start = json_number_value(json_object_get(a, "start")), end = json_number_value(json_object_get(a, "end"));
    assert_near(end - start, json_number_value(json_object_get(a, "difference")), 1e-12); /* the levels are those that are judged */
    json_decref(a);
    json_decref(b);
}

static void a_run_leaves_model_ledger_report(void **state) {
    char out[96];
    snprintf(out, sizeof out, "%s/whole", folder);
    run_case r = { .text = text_path, .out = out };
    run(&r);
    assert_true(r.ok);
    assert_non_null(strstr(r.lines, "\"lever\":\"placebo\""));
    assert_non_null(strstr(r.lines, "\"lever\":\"lr\""));
    assert_non_null(strstr(r.lines, "\"sealed_hash\""));
    char path[160];
    static const char *const files[] = { "best/config.json", "best/model.safetensors", "best/tokenizer.json", "start/config.json", "ledger.sqlite", "report.html", "recipe.yaml" };
    for (int64_t i = 0; i < HN_LEN(files); i++) {
        snprintf(path, sizeof path, "%s/%s", out, files[i]);
        assert_true(hn_path_exists(path));
    }
    snprintf(path, sizeof path, "%s/work", out);
    assert_false(hn_path_exists(path));
    free(r.lines);
}

static void a_stopped_run_goes_on_to_the_same_end(void **state) {
    char whole[96], parts[96];
    snprintf(whole, sizeof whole, "%s/whole2", folder);
    snprintf(parts, sizeof parts, "%s/parts", folder);
    run_case r = { .text = text_path, .out = whole };
    run(&r);
    assert_true(r.ok);
    bool done = false;
    for (int64_t stop = 3, tries = 0; !done && tries < 20; stop += 4, tries++) {      /* what the ledger holds is told again, then more is done */
        run_case part = { .text = text_path, .out = parts, .stop_after = stop };
        run(&part);
        done = part.ok;
        if (!done) assert_int_equal(part.code, HONE_E_INTERRUPTED);
        else expect_same_result(r.lines, part.lines);
        free(part.lines);
    }
    assert_true(done);
    free(r.lines);
}

static void a_lever_that_fails_is_recorded_and_the_rest_goes_on(void **state) {
    char out[96];
    snprintf(out, sizeof out, "%s/failing", folder);
    /* shape levers cannot be pulled on given weights; the run itself must not stop for that */
    char start[128];
    snprintf(start, sizeof start, "%s/whole/best", folder);
    run_case r = { .text = text_path, .out = out, .extra = { "model.path", start } };
    run(&r);
    assert_true(r.ok);
    assert_non_null(strstr(r.lines, "\"lever\":\"deeper\",\"verdict\":\"failed\""));
    assert_non_null(strstr(r.lines, "\"lever\":\"continue\""));
    free(r.lines);
}

static void nothing_to_judge_by_is_said(void **state) {
    char path[96], out[96];
    snprintf(path, sizeof path, "%s/short.txt", folder);
    snprintf(out, sizeof out, "%s/short", folder);
    hone_job *job = hone_open(NULL);
    assert_true(hn_file_write(hn_job_arena(job), path, "To be or not to be, that is the question.\n", 42));
    hone_close(job);
    run_case r = { .text = path, .out = out };
    run(&r);
    assert_false(r.ok);
    assert_int_equal(r.code, HONE_E_DATA);
    free(r.lines);
}

static void an_unknown_lever_names_the_nearest(void **state) {
    char out[96];
    snprintf(out, sizeof out, "%s/unknown", folder);
    run_case r = { .text = text_path, .out = out, .extra = { "improve.levers", "widder" } };
    run(&r);
    assert_false(r.ok);
    assert_int_equal(r.code, HONE_E_VALUE);
    free(r.lines);
}

/* ---- the sets ---- */

static bool same_span(const hn_set *x, int64_t i, const hn_set *y, int64_t k) {
    const hn_span *a = &x->tokens.spans[i], *b = &y->tokens.spans[k];
    if (a->n != b->n) return false;
    for (int64_t j = 0; j < a->n; j++)
        if (hn_token_at(&x->tokens, a->start + j) != hn_token_at(&y->tokens, b->start + j)) return false;
    return true;
}

static hn_runner *sets_of(hn_arena *a, const char *valid) {
    hn_settings *s = recipe(a);
    hn_runner *r = hn_new(a, hn_runner);
    assert_true(hn_settings_set(s, a, "data.train", text_path, "test") && hn_settings_set(s, a, "data.valid", valid, "test"));
    *r = (hn_runner){ .a = a, .base = s, .p = hn_settings_get(s, "improve"), .seed = 3 };
    assert_true(hn_dataset_load(a, hn_settings_get(s, "data"), 16, 3, NULL, &r->data));
    assert_true(hn_sets_make(r));
    return r;
}

static void copies_of_a_document_share_one_set(void **state) {
    char path[96];
    snprintf(path, sizeof path, "%s/copies.jsonl", folder);
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_buf b = { 0 };
    for (int i = 0; i < 120; i++) hn_buf_fmt(a, &b, "{\"text\": \"this is the document of number %d and no other\"}\n", i % 40);
    assert_true(hn_file_write(a, path, b.v, b.n));
    hn_runner *r = sets_of(a, path);
    int64_t items = 0, clusters = 0;
    for (int x = 0; x < HN_SETS; x++) {
        items += r->set[x].n, clusters += r->set[x].clusters;
        for (int64_t i = 0; i < r->set[x].n; i++) {
            assert_in_range(r->set[x].cluster[i], 0, r->set[x].clusters - 1);
            for (int y = 0; y < HN_SETS; y++)
                for (int64_t k = 0; k < r->set[y].n; k++)
                    if (same_span(&r->set[x], i, &r->set[y], k)) assert_true(x == y && r->set[x].cluster[i] == r->set[y].cluster[k]);
        }
    }
    assert_int_equal(items, 120);
    assert_int_equal(clusters, 40);
    hone_close(job);
}

static void one_held_out_text_is_cut_into_pieces(void **state) {
    char path[96];
    snprintf(path, sizeof path, "%s/held-out.txt", folder);
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_buf text = { 0 };
    hn_synth_text(a, 77, 12000, &text);
    assert_true(hn_file_write(a, path, text.v, text.n));
    hn_runner *r = sets_of(a, path);
    int64_t bytes = 0;
    for (int x = 0; x < HN_SETS; x++) {
        assert_true(r->set[x].clusters >= 8 && r->set[x].clusters == r->set[x].n);
        bytes += r->set[x].tokens.bytes;
    }
    assert_int_equal(bytes, r->data.valid.bytes);
    hone_close(job);
}

/* ---- what fails ---- */

static void what_was_not_measured_is_no_number(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_runner r = { .a = a, .n_sets = HN_SETS, .set = { { .n = 3 }, { .n = 2 }, { .n = 4 } } };
    hn_trial *t = hn_trial_new(&r, HN_SEAL, "end", 0, 2);
    for (int64_t i = 0; i < 4; i++) t->x[HN_SET_SEALED][i] = 1; /* one seed of two */
    t->failed[1] = true;
    assert_true(isnan(hn_mean(t->x[HN_SET_SEALED], 8)) && isnan(hn_trial_mean(&r, t, HN_SET_SEALED)));
    assert_true(isnan(hn_mean(t->x[HN_SET_SCREEN], 6)));
    hone_close(job);
}

/* A disk that refuses says nothing about a lever: the run ends, nothing is recorded as failed, and it goes on to the same end. */
static void a_failure_of_the_disk_is_no_verdict(void **state) {
    char whole[96], parts[96];
    snprintf(whole, sizeof whole, "%s/whole3", folder);
    snprintf(parts, sizeof parts, "%s/refused", folder);
    run_case r = { .text = text_path, .out = whole };
    run(&r);
    assert_true(r.ok);
    bool done = false, refused = false;
    for (int64_t nth = 12; !done && nth < 400; nth = nth * 3 / 2) {
        hn_fault_set(HN_FAULT_WRITE, nth);
        run_case part = { .text = text_path, .out = parts };
        run(&part);
        hn_fault_set(HN_FAULT_WRITE, 0);
        done = part.ok;
        if (done) {
            assert_null(strstr(part.lines, "\"verdict\":\"failed\""));
            expect_same_result(r.lines, part.lines);
        } else {
            refused = true;
            assert_true(part.code == HONE_E_SPACE || part.code == HONE_E_IO);
        }
        free(part.lines);
    }
    assert_true(done && refused);
    free(r.lines);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(levers_change_what_they_say),
        cmocka_unit_test(shape_levers_refuse_given_weights),
        cmocka_unit_test(a_run_leaves_model_ledger_report),
        cmocka_unit_test(a_stopped_run_goes_on_to_the_same_end),
        cmocka_unit_test(a_lever_that_fails_is_recorded_and_the_rest_goes_on),
        cmocka_unit_test(copies_of_a_document_share_one_set),
        cmocka_unit_test(one_held_out_text_is_cut_into_pieces),
        cmocka_unit_test(what_was_not_measured_is_no_number),
        cmocka_unit_test(a_failure_of_the_disk_is_no_verdict),
        cmocka_unit_test(nothing_to_judge_by_is_said),
        cmocka_unit_test(an_unknown_lever_names_the_nearest),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
