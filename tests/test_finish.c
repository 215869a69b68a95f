/* test_finish.c - what is made of trainings: ensembles beside PyTorch's logits, soups and what they refuse, a temperature that is found
 * again; runs whose model is an ensemble ship what the ledger says. */
#include "improve_world.h"

/* ---- ensembles ---- */

static hone_model *load(hn_arena *a, const char *path) {
    hone_model *m = hn_model_load(a, path);
    if (!m) fail_msg("%s", hone_error_message(a->job));
    return m;
}

static double at(const json_t *v, int64_t i, int64_t j, int64_t k) {
    return json_number_value(json_array_get(json_array_get(json_array_get(v, (size_t)i), (size_t)j), (size_t)k));
}

/* From PyTorch's logits of one model: the mean of softmax(z) and softmax(2z) is what the model and its sharpened twin say together. */
static void mean_of_probabilities_as_pytorchs_logits_give_it(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_bytes text;
    assert_true(hn_file_read(a, "tests/golden/gpt2_nobias.json", 1 << 20, &text));
    json_t *g = hn_json_parse(a, "golden", text.p, text.n, HONE_E_DATA), *ids = json_object_get(g, "ids"), *z = json_object_get(g, "logits");
    hone_model *v[2] = { load(a, "tests/golden/gpt2_nobias"), load(a, "tests/golden/gpt2_nobias") };
    hn_model_sharpen(v[1], 2);
    hone_model *m = hn_ensemble_new(a, v, 2);
    assert_non_null(m);
    assert_int_equal(hn_model_count(m), 2 * hn_model_count(v[0]));
    int64_t B = (int64_t)json_array_size(ids), T = (int64_t)json_array_size(json_array_get(ids, 0)), V = m->vocab, n = B * T;
    int32_t *x = hn_new_n(a, int32_t, n), *y = hn_new_n(a, int32_t, n), *best = hn_new_n(a, int32_t, n);
    float *out = hn_new_n(a, float, n * V), *nll = hn_new_n(a, float, n), *last = hn_new_n(a, float, B * V);
    double *p = hn_new_n(a, double, n * V);
    for (int64_t i = 0; i < n; i++) {
        x[i] = (int32_t)json_integer_value(json_array_get(json_array_get(ids, (size_t)(i / T)), (size_t)(i % T)));
        y[i] = i % 5 == 4 ? -1 : (int32_t)((i * 7) % V);
        for (int s = 1; s <= 2; s++) {
            double sum = 0;
            for (int64_t k = 0; k < V; k++) sum += exp(s * at(z, i / T, i % T, k));
            for (int64_t k = 0; k < V; k++) p[i * V + k] += exp(s * at(z, i / T, i % T, k)) / sum / 2;
        }
    }
    hone_tape *t = hone_tape_new(job, NULL);
    assert_true(hn_model_logits(t, m, x, B, T, true, out) && hn_model_logits(t, m, x, B, T, false, last));
    for (int64_t i = 0; i < n * V; i++) assert_near(out[i], log(p[i]), 1e-4);
    for (int64_t b = 0; b < B; b++)
        for (int64_t k = 0; k < V; k++) assert_near(last[b * V + k], out[((b + 1) * T - 1) * V + k], 1e-5);
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    const int64_t shape[] = { B, T };
    hone_tensor *loss = hn_model_loss(t, m, hone_input_i32(t, x, 2, shape), hone_input_i32(t, y, 2, shape),
                                      &(hone_cross_entropy_opts){ .per_token = nll, .best = best });
    double sum = 0, counted = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t top = 0;
        for (int64_t k = 1; k < V; k++)
            if (p[i * V + k] > p[i * V + top]) top = k;
        assert_near(nll[i], y[i] < 0 ? 0 : -log(p[i * V + y[i]]), 1e-4);
        assert_int_equal(best[i], y[i] < 0 ? -1 : top);
        sum += nll[i], counted += y[i] >= 0;
    }
    assert_near(hone_tensor_item(loss, 0), sum / counted, 1e-5);
    /* token by token through the cache, where each member has layers of its own */
    assert_true(hone_tape_cache(t, m->layers, 1, m->context, m->kv_width));
    for (int64_t i = 0; i < T; i++) {
        assert_true(hn_model_logits(t, m, x + i, 1, 1, false, last));
        for (int64_t k = 0; k < V; k++) assert_near(last[k], out[i * V + k], 1e-4);
    }
    hone_tape_begin(t, HONE_TRAIN, 0, 0);
    hn_model_loss(t, m, hone_input_i32(t, x, 2, shape), hone_input_i32(t, y, 2, shape), NULL);
    assert_false(hone_ok(t));
    hone_tape_free(t);
    hone_close(job);
}

static void write_text(hn_arena *a, const char *path, const char *text) { assert_true(hn_file_write(a, path, text, (int64_t)strlen(text))); }

static void an_ensemble_is_a_folder_of_models(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    const char *dir = hn_fmt(a, "%s/together", folder), *manifest = hn_fmt(a, "%s/ensemble.json", dir);
    hone_model *v[2] = { load(a, "tests/golden/gpt2_nobias"), load(a, "tests/golden/gpt2_nobias") };
    hn_model_sharpen(v[1], 2);
    hone_model *m = hn_ensemble_new(a, v, 2);
    extern const hn_format hn_format_hf;
    assert_false(hn_format_hf.save(a, m, dir, &(hn_save){ .dtype = HONE_F32 })); /* one model it is not */
    assert_non_null(strstr(hone_error_message(job), "an ensemble cannot be written as one"));
    hone_error_clear(job);
    assert_true(hn_model_save(a, v[0], dir)); /* what stood there gives way as a whole */
    assert_true(hn_model_save(a, m, dir) && hn_model_save(a, m, dir) && hn_model_is_there(dir));
    assert_false(hn_path_exists(hn_path_join(a, dir, "config.json")));
    hone_model *again = load(a, dir);
    assert_int_equal(again->n_members, 2);
    assert_memory_equal(again->members[1]->w[0].t->data, v[1]->w[0].t->data, (size_t)hn_count(v[1]->w[0].t) * sizeof(float));
    assert_int_equal(load(a, hn_path_join(a, dir, "member-1"))->n_members, 0);
    static const char *const wrong[] = {
        "[]", "{}", "{\"hone_ensemble\":2,\"combine\":\"mean of probabilities\",\"members\":[\"member-0\"]}",
        "{\"hone_ensemble\":1,\"combine\":\"vote\",\"members\":[\"member-0\"]}", "{\"hone_ensemble\":1,\"combine\":\"mean of probabilities\",\"members\":[]}",
        "{\"hone_ensemble\":1,\"combine\":\"mean of probabilities\",\"members\":[\"../x\"]}",
        "{\"hone_ensemble\":1,\"combine\":\"mean of probabilities\",\"members\":[\"..\"]}",
        "{\"hone_ensemble\":1,\"combine\":\"mean of probabilities\",\"members\":[\"member-0\",\"nowhere\"]}",
    };
    for (int64_t i = 0; i < HN_LEN(wrong); i++) {
        write_text(a, manifest, wrong[i]);
        assert_null(hn_model_load(a, dir));
        assert_int_equal(hone_error_code(job), HONE_E_MODEL);
        hone_error_clear(job);
    }
    hone_model *other[2] = { v[0], load(a, "tests/golden/gpt2_tiny") };
    assert_null(hn_ensemble_new(a, other, 2)); /* keys of another width */
    assert_int_equal(hone_error_code(job), HONE_E_VALUE);
    hone_error_clear(job);
    write_text(a, hn_path_join(a, dir, "diary.txt"), "mine");
    assert_false(hn_model_save(a, m, dir)); /* a stranger's file is not thrown away */
    assert_true(hn_path_exists(hn_path_join(a, dir, "diary.txt")));
    hone_close(job);
}

/* ---- soups ---- */

static hn_trainer *trainer(hn_arena *a, hn_settings *s, hn_dataset *d, const hone_model *start, uint64_t seed) {
    hn_trainer *t = hn_trainer_new(a, s, d, start, seed);
    if (!t) fail_msg("%s", hone_error_message(a->job));
    return t;
}

static hn_settings *tiny(hn_arena *a, hn_dataset *d, const char *steps) {
    hn_settings *s = recipe(a);
    static const char *const rows[] = { "model.layers", "1", "model.heads", "2", "model.width", "16", "model.context", "16", "train.batch", "4", "sched.warmup", "1" };
    for (int64_t i = 0; i < HN_LEN(rows); i += 2) assert_true(hn_settings_set(s, a, rows[i], rows[i + 1], "test"));
    assert_true(hn_settings_set(s, a, "data.train", text_path, "test") && hn_settings_set(s, a, "train.steps", steps, "test"));
    if (!hn_dataset_load(a, hn_settings_get(s, "data"), 16, 1, NULL, d)) fail_msg("%s", hone_error_message(a->job));
    return s;
}

static void soups_take_branches_of_one_training_only(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_dataset d;
    hn_settings *s = tiny(a, &d, "8");
    hn_train_result r, plain;
    hn_trainer *x = trainer(a, s, &d, NULL, 1);
    assert_true(hn_trainer_run(x, NULL, &plain));
    /* two trainings that began by themselves, with other seeds */
    hn_soup soup = { .a = a };
    assert_false(hn_soup_add(&soup, hn_trainer_model(x), 0));
    assert_non_null(strstr(hone_error_message(job), "independently"));
    hone_error_clear(job);
    assert_true(hn_soup_add(&soup, hn_trainer_model(x), 17));
    assert_false(hn_soup_add(&soup, hn_trainer_model(x), 18));
    hone_error_clear(job);
    assert_false(hn_trainer_soup(trainer(a, s, &d, NULL, 1), 0, 2, &r));
    assert_int_equal(hone_error_code(job), HONE_E_VALUE);
    hone_error_clear(job);
    /* the lever says so before anything is trained; from a given model it may */
    typedef struct { hn_strs branches; double branch; } soup_params;
    const char *two[] = { "2", "3" };
    soup_params p = { { two, 2 }, 0 };
    hn_lever_call c = { .a = a, .candidate = recipe(a), .params = &p, .name = "soup", .cost = 1, .inference = 1 };
    const hn_lever *l = (const hn_lever *)hn_kind_find(&hn_kind_lever, "soup");
    assert_false(l->apply(&c));
    assert_non_null(strstr(hone_error_message(job), "begin independently"));
    hone_error_clear(job);
    hone_model *end = hn_trainer_model(x);
    assert_true(hn_trainer_soup(trainer(a, s, &d, end, 2), 0, 2, &r));
    assert_near(r.flops, 2 * plain.flops, 1);
    /* three quarters once, the last quarter three times */
    hn_trainer *y = trainer(a, s, &d, NULL, 1);
    assert_true(hn_trainer_soup(y, 0.75, 3, &r));
    assert_near(r.flops, 1.5 * plain.flops, 1);
    assert_int_equal(r.step, 8);
    assert_near(hn_finish_units(&(hn_finish_params){ .ensemble = 1, .soup = 3, .branch = 0.75 }), 1.5, 1e-12);
    assert_near(hn_finish_units(&(hn_finish_params){ .ensemble = 2, .soup = 1, .calibrate = 1 }), 2.2, 1e-12); /* the fit's tenth */
    hone_close(job);
}

/* The mean of two branches is the mean of what each becomes alone: linear in the weights, so a soup of one is the branch. */
static void a_soup_is_the_mean_of_its_branches(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_dataset d;
    hn_settings *s = tiny(a, &d, "8");
    hn_train_result r;
    hone_model *m[4];
    for (int64_t n = 1; n <= 3; n++) {
        hn_trainer *t = trainer(a, s, &d, NULL, 5);
        assert_true(hn_trainer_soup(t, 0.5, n, &r));
        m[n] = hn_trainer_model(t);
    }
    /* sum of n branches = n · mean: differences of sums are single branches, which differ from each other */
    double differ = 0;
    for (int64_t j = 0; j < m[1]->n_w; j++)
        for (int64_t i = 0; i < hn_count(m[1]->w[j].t); i++) {
            double one = ((float *)m[1]->w[j].t->data)[i], two = 2 * ((float *)m[2]->w[j].t->data)[i] - one,
                   three = 3 * ((float *)m[3]->w[j].t->data)[i] - one - two;
            differ = fmax(differ, fmax(fabs(two - one), fabs(three - two)));
            assert_true(fabs(three - one) < 0.1); /* branches of a short rest stay near each other */
        }
    assert_true(differ > 1e-4);
    hone_close(job);
}

/* ---- temperature ---- */

static double loss_of(hn_arena *a, hone_model *m, const hn_tokens *t, double by) {
    hn_lm_result r;
    hn_model_sharpen(m, by);
    assert_true(hn_eval_lm(a, m, t, m->context, 8, &r, NULL));
    hn_model_sharpen(m, 1 / by);
    return r.loss;
}

static void a_temperature_that_was_put_in_is_found_again(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_dataset d;
    hn_settings *s = tiny(a, &d, "40");
    assert_true(hn_settings_set(s, a, "optim.lr", "0.01", "test"));
    hn_train_result r;
    hn_trainer *t = trainer(a, s, &d, NULL, 1);
    assert_true(hn_trainer_run(t, NULL, &r));
    hone_model *m = hn_trainer_model(t);
    hn_calibration first, again;
    double before = loss_of(a, m, &d.valid, 1);
    assert_true(hn_calibrate(a, m, &d.valid, 8, 0, 1, &first));
    double fitted = loss_of(a, m, &d.valid, 1), slope = (loss_of(a, m, &d.valid, exp(0.05)) - loss_of(a, m, &d.valid, exp(-0.05))) / 0.1;
    assert_true(fitted <= before + 1e-7);
    assert_true(fabs(slope) < 2e-3);
    hn_model_sharpen(m, 2.5);
    assert_true(hn_calibrate(a, m, &d.valid, 8, 0, 1, &again));
    assert_near(again.temperature, 2.5, 0.02);
    assert_true(first.evaluations <= 12 && again.evaluations <= 14);
    hone_close(job);
}

/* ---- whole runs ---- */

static void levers_over_several_trainings(void **state) {
    static const char *const names[] = { "soup", "ensemble", "calibrate" };
    char out[96];
    snprintf(out, sizeof out, "%s/several", folder);
    run_case r = { .text = text_path, .out = out, .extra = { "improve.levers", "soup,ensemble,calibrate" } };
    run(&r);
    assert_true(r.ok);
    for (int64_t i = 0; i < HN_LEN(names); i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\"lever\":\"%s\",\"verdict\":", names[i]);
        const char *at = strstr(r.lines, wanted);
        if (!at) fail_msg("no verdict of %s in %s", names[i], r.lines);
        if (!strncmp(at + strlen(wanted), "\"failed\"", 8)) fail_msg("%s failed: %.400s", names[i], at);
        const char *cost = strstr(at, "\"inference\":"), *end = strchr(at, '\n');
        assert_true(cost && cost < end);
        assert_true(strcmp(names[i], "ensemble") ? strtod(cost + 12, NULL) == 1 : strtod(cost + 12, NULL) > 1);
    }
    free(r.lines);
}

/* The start of this recipe is an ensemble: start and best are folders of members, and say of the sealed items what the ledger says. */
static void the_written_model_is_the_one_that_was_measured(void **state) {
    char out[96], aside[96];
    snprintf(out, sizeof out, "%s/members", folder);
    snprintf(aside, sizeof aside, "%s/members-aside", folder);
    run_case r = { .text = text_path, .out = out, .extra = { "improve.levers", "calibrate", "finish.ensemble", "2", "finish.calibrate", "0.3" } };
    run(&r);
    assert_true(r.ok);
    const char *last = r.lines;
    for (const char *p = r.lines; *p; p++)
        if (p > r.lines && p[-1] == '\n') last = p;
    json_t *result = json_loads(last, 0, NULL);
    double said = json_number_value(json_object_get(json_object_get(result, "file"), "end"));
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    assert_true(hn_path_exists(hn_path_join(a, out, "start/ensemble.json")));
    hone_model *best = load(a, hn_path_join(a, out, "best"));
    assert_int_equal(best->n_members, 2);
    hn_settings *s = recipe(a);
    assert_true(hn_settings_yaml_file(s, a, hn_path_join(a, out, "recipe.yaml")));
    hn_runner look = { .a = a, .base = s, .p = hn_settings_get(s, "improve") };
    const char *seed = hn_settings_value(a, s, "seed");
    if (seed) assert_true(hn_parse_u64(seed, &look.seed));
    assert_true(hn_dataset_load(a, hn_settings_get(s, "data"), 16, look.seed, NULL, &look.data) && hn_sets_make(&look));
    assert_string_equal(look.set[HN_SET_SEALED].hash, json_string_value(json_object_get(result, "sealed_hash")));
    hn_lm_result lm;
    hn_items items = { 0 };
    assert_true(hn_eval_lm(a, best, &look.set[HN_SET_SEALED].tokens, best->context, 4, &lm, &items));
    assert_near(hn_mean(items.bits_per_byte, items.n), said, 1e-6);
    hone_close(job);
    json_decref(result);
    free(r.lines);
    /* such a model is not trained on, and the run says so */
    char start[128];
    snprintf(start, sizeof start, "%s/best", out);
    run_case more = { .text = text_path, .out = aside, .extra = { "model.path", start } };
    run(&more);
    assert_false(more.ok);
    assert_int_equal(more.code, HONE_E_VALUE);
    free(more.lines);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mean_of_probabilities_as_pytorchs_logits_give_it),
        cmocka_unit_test(an_ensemble_is_a_folder_of_models),
        cmocka_unit_test(soups_take_branches_of_one_training_only),
        cmocka_unit_test(a_soup_is_the_mean_of_its_branches),
        cmocka_unit_test(a_temperature_that_was_put_in_is_found_again),
        cmocka_unit_test(levers_over_several_trainings),
        cmocka_unit_test(the_written_model_is_the_one_that_was_measured),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
