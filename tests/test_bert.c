/* test_bert.c - BERT with a classifier's head: transformers' logits and ten losses, a folder that comes back as it was, and what a model
 * that answers once for a whole text refuses. */
#include <stdio.h>
#include "train_world.h"

static json_t *golden(world *w) {
    hn_bytes file;
    assert_true(hn_file_read(w->a, GOLDEN "/bert_tiny.json", 1 << 20, &file));
    return hn_json_parse(w->a, "bert_tiny.json", file.p, file.n, HONE_E_DATA);
}
static hone_model *load(world *w, const char *path) {
    hone_model *m = hn_model_load(w->a, path);
    if (!m) fail_msg("%s", hone_error_message(w->job));
    return m;
}
static int32_t whole(const json_t *rows, size_t r, size_t i) { return (int32_t)json_integer_value(json_array_get(json_array_get(rows, r), i)); }
static void told(world *w, hone_code code, const char *text) {
    if (!strstr(hone_error_message(w->job), text)) fail_msg("'%s' is not in: %s", text, hone_error_message(w->job));
    assert_int_equal(hone_error_code(w->job), code);
    hone_error_clear(w->job);
}

enum { T = 12, CLASSES = 3 };

static void transformers_logits(void **state) {
    world w;
    open_world(&w, 2);
    json_t *g = golden(&w);
    hone_model *m = load(&w, GOLDEN "/bert_tiny");
    hone_tape *t = hone_tape_new(w.job, NULL);
    int32_t ids[2 * T];
    for (size_t i = 0; i < 2 * T; i++) ids[i] = whole(json_object_get(g, "ids"), i / T, i % T);
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    hone_tensor *y = hn_model_classify(t, m, hone_input_i32(t, ids, 2, (int64_t[]){ 2, T }));
    const float *logits = hone_tensor_f32(y);
    if (!hone_ok(t)) fail_msg("%s", hone_error_message(w.job));
    for (size_t b = 0; b < 2; b++)
        for (size_t k = 0; k < CLASSES; k++)
            assert_near(logits[b * CLASSES + k], json_number_value(json_array_get(json_array_get(json_object_get(g, "logits"), b), k)), 1e-5);
    close_world(&w);
}

/* Ten steps of AdamW on labels, plain and recomputed. */
static void transformers_losses(void **state) {
    for (int again = 0; again < 2; again++) {
        world w;
        open_world(&w, 2);
        static const char *const rows[][2] = { { "optim.lr", "1e-3" }, { "optim.beta1", "0.9" }, { "optim.beta2", "0.99" }, { "optim.eps", "1e-8" },
                                               { "optim.weight_decay", "0.1" }, { "train.clip", "1" }, { "sched.name", "constant" },
                                               { "sched.warmup", "0" } };
        for (int64_t i = 0; i < HN_LEN(rows); i++) set(&w, rows[i][0], rows[i][1]);
        set(&w, "train.recompute", again ? "true" : "false");
        const json_t *adamw = json_object_get(golden(&w), "adamw");
        w.d.labelled = true;
        hn_trainer *t = hn_trainer_new(w.a, w.s, &w.d, load(&w, GOLDEN "/bert_tiny"), 1);
        if (!t) fail_msg("%s", hone_error_message(w.job));
        for (size_t k = 0; k < 10; k++) {
            double loss;
            for (size_t i = 0; i < 4 * T; i++) {
                t->x[i] = whole(json_array_get(json_object_get(adamw, "batches"), k), i / T, i % T);
                t->y[i] = i % T ? -1 : whole(json_object_get(adamw, "labels"), k, i / T);
            }
            if (!hn_trainer_step_on(t, &loss)) fail_msg("%s", hone_error_message(w.job));
            assert_near(loss, json_number_value(json_array_get(json_object_get(adamw, "losses"), k)), 1e-5);
        }
        close_world(&w);
    }
}

static void the_folder_comes_back(void **state) {
    world w;
    open_world(&w, 1);
    hone_model *m = load(&w, GOLDEN "/bert_tiny");
    const char *dir = hn_path_join(w.a, w.dir, "out");
    if (!hn_model_save(w.a, m, dir)) fail_msg("%s", hone_error_message(w.job));
    hone_model *n = load(&w, dir);
    assert_int_equal(m->n_w, n->n_w);
    for (int64_t i = 0; i < m->n_w; i++) {
        assert_string_equal(m->w[i].t->name, n->w[i].t->name);
        assert_memory_equal(m->w[i].t->data, n->w[i].t->data, (size_t)hn_count(m->w[i].t) * sizeof(float));
    }
    hn_bytes config;
    assert_true(hn_file_read(w.a, hn_path_join(w.a, dir, "config.json"), 1 << 16, &config));
    json_t *c = hn_json_parse(w.a, dir, config.p, config.n, HONE_E_DATA);
    assert_string_equal(json_string_value(json_object_get(c, "model_type")), "bert");
    assert_int_equal(json_object_size(json_object_get(c, "id2label")), CLASSES);
    close_world(&w);
}

static void what_it_refuses(void **state) {
    world w;
    open_world(&w, 1);
    hone_model *m = load(&w, GOLDEN "/bert_tiny");
    hone_tape *t = hone_tape_new(w.job, NULL);
    float out[65];
    int32_t ids[T] = { 1, 2, 3 }, label = CLASSES;
    assert_false(hn_model_logits(t, m, ids, 1, T, false, out));
    told(&w, HONE_E_MODEL, "says nothing of what follows a token");
    float each[T];
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    hone_tensor *x = hone_input_i32(t, ids, 2, (int64_t[]){ 1, T });
    hn_model_loss(t, m, x, hone_input_i32(t, ids, 2, (int64_t[]){ 1, T }), &(hone_cross_entropy_opts){ .per_token = each });
    assert_false(hone_ok(t));
    told(&w, HONE_E_MODEL, "says nothing of what follows a token");
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    x = hone_input_i32(t, ids, 2, (int64_t[]){ 1, T });
    hn_model_loss(t, m, x, hone_input_i32(t, &label, 1, (int64_t[]){ 1 }), NULL);
    assert_false(hone_ok(t));
    hone_error_clear(w.job);
    set(&w, "model.arch", "bert");
    assert_null(hn_trainer_new(w.a, w.s, &w.d, NULL, 1));
    told(&w, HONE_E_VALUE, "has no labels");
    close_world(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transformers_logits), cmocka_unit_test(transformers_losses), cmocka_unit_test(the_folder_comes_back),
        cmocka_unit_test(what_it_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
