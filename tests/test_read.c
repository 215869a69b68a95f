/* test_read.c - models opened for answering alone: matrices where the files are mapped, in the files' type. They say what the same models
 * say when loaded; numbers that are none, files off their alignment, training, adapters and ensembles. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "near.h"
#include <math.h>
#include <unistd.h>
#include "model/model.h"
#include "box.h"

static char root[] = "build/test-read-XXXXXX";
static const char *at(hn_arena *a, const char *name) { return hn_fmt(a, "%s/%s", root, name); }
static hone_model *must(box *b, hone_model *m) {
    if (!m) fail_msg("%s", hone_error_message(b->job));
    return m;
}
static void told(box *b, hone_code code, const char *one, const char *two) {
    const char *want[] = { one, two };
    for (int i = 0; i < 2; i++)
        if (!strstr(hone_error_message(b->job), want[i])) fail_msg("'%s' is not in: %s", want[i], hone_error_message(b->job));
    assert_int_equal(hone_error_code(b->job), code);
    hone_error_clear(b->job);
}

static const char *const names[] = { "gpt2_tiny", "gpt2_nobias", "llama_tiny", "mistral_tiny", "qwen2_tiny", "qwen3_tiny", "tasks/model_llama" };
static const hone_dtype types[] = { HONE_F32, HONE_BF16, HONE_F16 };

static void read_models_say_what_loaded_ones_say(void **state) {
    box *b = *state;
    for (int64_t k = 0; k < HN_LEN(names); k++)
        for (int64_t i = 0; i < HN_LEN(types); i++) {
            const char *dir = at(b->a, "said");
            hone_model *m = must(b, hn_model_load(b->a, hn_fmt(b->a, "tests/golden/%s", names[k])));
            int64_t shard = k == 2 ? 20000 : 0;
            assert_true(hn_model_save_as(b->a, m, dir, &(hn_save){ .dtype = types[i], .shard_bytes = shard }));
            hone_model *x = must(b, hn_model_load(b->a, dir)), *y = must(b, hn_model_read(b->a, dir));
            for (int64_t j = 0; j < y->n_w; j++) {
                const hone_tensor *w = y->w[j].t;
                assert_int_equal(w->dtype, w->dims == 2 ? types[i] : HONE_F32);
                for (int64_t e = 0; e < hn_count(w); e++) assert_true(hone_tensor_item(w, e) == hone_tensor_item(x->w[j].t, e));
            }
            double largest;
            assert_true(hn_model_finite(b->a, y) && hn_model_compare(b->a, x, y, &largest));
            if (largest > (types[i] == HONE_F32 ? 0 : 1e-5)) fail_msg("%s as %s: %g apart", names[k], hone_dtype_name(types[i]), largest);
        }
}

/* An embedding of 4 MiB, of which opening asks no memory. */
static void opening_takes_little_memory(void **state) {
    box *b = *state;
    const hn_arch *arch = (const hn_arch *)hn_kind_find(&hn_kind_arch, "llama");
    hn_settings *s = hn_settings_new(b->a, (const hn_section *[]){ &hn_section_model }, 1);
    static const char *const set[][2] = { { "model.arch", "llama" }, { "model.layers", "1" }, { "model.heads", "2" }, { "model.width", "128" } };
    for (int64_t i = 0; i < HN_LEN(set); i++) assert_true(hn_settings_set(s, b->a, set[i][0], set[i][1], "test"));
    const hn_item *item;
    hone_model *m = must(b, hn_model_new(b->a, arch, hn_settings_variant(s, "model", &item), 8192, false));
    assert_true(hn_model_save(b->a, m, at(b->a, "large")));
    int64_t before = hn_memory_live(b->job);
    (void)must(b, hn_model_read(b->a, at(b->a, "large")));
    int64_t reading = hn_memory_live(b->job) - before;
    (void)must(b, hn_model_load(b->a, at(b->a, "large")));
    int64_t loading = hn_memory_live(b->job) - before - reading;
    assert_true(reading < 1 << 20 && loading > 4 << 20);
}

static void scores_and_texts(void **state) {
    box *b = *state;
    static const char *const models[] = { "model_gpt2", "model_llama" };
    static const char text[] = "The cat sat on the mat, and the dog ran up the hill.";
    for (int64_t k = 0; k < 2; k++)
        for (int64_t i = 0; i < HN_LEN(types); i++) {
            const char *dir = at(b->a, models[k]);
            hone_score s[2];
            hone_generation g[2];
            assert_true(hn_model_save_as(b->a, must(b, hn_model_load(b->a, hn_fmt(b->a, "tests/golden/tasks/%s", models[k]))), dir,
                                         &(hn_save){ .dtype = types[i] }));
            hone_model *m[2] = { must(b, hn_model_load(b->a, dir)), must(b, hn_model_read(b->a, dir)) };
            for (int n = 0; n < 2; n++)
                if (!hone_score_text(b->job, m[n], text, (int64_t)strlen(text), &s[n]) ||
                    !hone_generate(b->job, m[n], "The cat", &(hone_sampling){ .max_tokens = 40 }, NULL, NULL, &g[n]))
                    fail_msg("%s", hone_error_message(b->job));
            assert_near(s[0].sum, s[1].sum, 1e-4);
            assert_string_equal(g[0].text, g[1].text);
        }
}

/* A copy of gpt2_tiny whose file is changed: `from` the first byte of the data on, shifted; or one number made what it must not be. */
static const char *spoiled(box *b, const char *name, bool shift, bool wild) {
    const char *dir = at(b->a, name), *file = hn_path_join(b->a, dir, "model.safetensors");
    assert_true(hn_model_save_as(b->a, must(b, hn_model_load(b->a, "tests/golden/gpt2_tiny")), dir, &(hn_save){ .dtype = HONE_BF16 }));
    hn_bytes text;
    assert_true(hn_file_read(b->a, file, 0, &text));
    uint64_t n;
    memcpy(&n, text.p, 8);
    hn_buf out = { 0 };
    uint64_t longer = n + shift;
    hn_buf_put(b->a, &out, &longer, 8);
    hn_buf_put(b->a, &out, text.p + 8, (int64_t)n);
    if (shift) hn_buf_put(b->a, &out, " ", 1);
    hn_buf_put(b->a, &out, text.p + 8 + n, text.n - 8 - (int64_t)n);
    if (wild) {
        hn_st st;
        assert_true(hn_st_parse(b->a, file, (hn_bytes){ (const uint8_t *)out.v, out.n }, &st));
        const hn_st_tensor *w = hn_st_find(&st, "transformer.h.1.mlp.c_fc.weight");
        memcpy(out.v + (w->p - (const uint8_t *)out.v) + 2 * 5, "\x80\x7f", 2); /* infinity */
    }
    assert_true(hn_file_write(b->a, file, out.v, out.n));
    return dir;
}

static void what_does_not_lie_right_is_copied(void **state) {
    box *b = *state;
    const char *dir = spoiled(b, "shifted", true, false);
    hone_model *x = must(b, hn_model_load(b->a, dir)), *y = must(b, hn_model_read(b->a, dir));
    double largest;
    for (int64_t j = 0; j < y->n_w; j++) assert_int_equal(y->w[j].t->dtype, HONE_F32);
    assert_true(hn_model_compare(b->a, x, y, &largest) && largest == 0);
    x = must(b, hn_model_load(b->a, "tests/golden/bert_tiny")); /* has tensors of its own: it is loaded either way */
    y = must(b, hn_model_read(b->a, "tests/golden/bert_tiny"));
    assert_true(hn_model_compare(b->a, x, y, &largest) && largest == 0);
}

static void what_is_no_number_is_found_when_it_shows(void **state) {
    box *b = *state;
    hone_model *m = must(b, hn_model_read(b->a, spoiled(b, "wild", false, true)));
    assert_false(hn_model_finite(b->a, m));
    told(b, HONE_E_MODEL, "transformer.h.1.mlp.c_fc.weight", "infinity at element 5");
    m->tok = hn_tokenizer_train(b->a, "byte", NULL, NULL);
    m->tok->vocab = m->vocab;
    hone_generation g;
    hone_score s;
    assert_false(hone_generate(b->job, m, "!\"#", NULL, NULL, NULL, &g));
    told(b, HONE_E_MODEL, "c_fc.weight", "wild");
    assert_false(hone_score_text(b->job, m, "!\"#", 3, &s));
    told(b, HONE_E_MODEL, "c_fc.weight", "wild");
}

static void halves_are_not_trained(void **state) {
    box *b = *state;
    hone_model *m = must(b, hn_model_read(b->a, at(b->a, "model_llama")));
    hone_tape *t = hone_tape_new(b->job, NULL);
    static const int32_t ids[] = { 1, 2, 3 }, next[] = { 2, 3, 4 };
    hone_tape_begin(t, HONE_TRAIN, 0, 0);
    (void)hn_model_loss(t, m, hone_input_i32(t, ids, 2, (int64_t[]){ 1, 3 }), hone_input_i32(t, next, 2, (int64_t[]){ 1, 3 }), NULL);
    assert_false(hone_ok(t));
    told(b, HONE_E_SHAPE, "for reading only", "embed");
}

static void adapters_and_ensembles_stand_on_read_models(void **state) {
    box *b = *state;
    double largest;
    hone_model *x = must(b, hn_model_load(b->a, "tests/golden/peft_llama")), *y = must(b, hn_model_read(b->a, "tests/golden/peft_llama"));
    assert_true(x->adapter && y->adapter && hn_model_finite(b->a, y) && hn_model_compare(b->a, x, y, &largest) && largest == 0);
    hone_model *two[] = { must(b, hn_model_load(b->a, "tests/golden/gpt2_nobias")), must(b, hn_model_load(b->a, "tests/golden/gpt2_nobias")) };
    hn_model_sharpen(two[1], 2);
    assert_true(hn_model_save(b->a, hn_ensemble_new(b->a, two, 2), at(b->a, "both")));
    x = must(b, hn_model_load(b->a, at(b->a, "both")));
    y = must(b, hn_model_read(b->a, at(b->a, "both")));
    assert_true(y->n_members == 2 && hn_model_finite(b->a, y) && hn_model_compare(b->a, x, y, &largest) && largest == 0);
    ((float *)y->members[1]->w[y->members[1]->n_w - 1].t->data)[0] = NAN; /* a vector: it is ours */
    assert_false(hn_model_finite(b->a, y));
    told(b, HONE_E_MODEL, "ln_f", "NaN at element 0");
}

static int make_root(void **state) { return mkdtemp(root) ? 0 : -1; }
static int remove_root(void **state) {
    hone_job *job = hone_open(NULL);
    bool ok = hn_remove_tree(hn_job_arena(job), root);
    hone_close(job);
    return ok ? 0 : -1;
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(read_models_say_what_loaded_ones_say),
        T(opening_takes_little_memory),
        T(scores_and_texts),
        T(what_does_not_lie_right_is_copied),
        T(what_is_no_number_is_found_when_it_shows),
        T(halves_are_not_trained),
        T(adapters_and_ensembles_stand_on_read_models),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
