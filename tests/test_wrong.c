/* test_wrong.c - whole models asked for what cannot be: texts longer than the context, ids that are no tokens, batches of nothing, numbers that
 * are none, memory that is refused. The tape fails, says what and where, and the next call works. (Single operators: test_tensor.c,
 * test_ops_basic.c, test_llama_ops.c.) */
#include "train_world.h"

static const char *const models[] = { "gpt2_tiny", "llama_tiny", "bert_tiny" };

typedef struct room { hone_job *job; hn_arena *a; hone_tape *t; hone_model *m; } room;
static room open_room(const char *model, const char *backend)
{
    room r = { .job = hone_open(&(hone_options){ .threads = 1 }) };
    r.a = hn_job_arena(r.job);
    r.m = hone_model_load(r.job, hn_fmt(r.a, GOLDEN "/%s", model));
    if (!r.m || !(r.t = hone_tape_new(r.job, backend))) fail_msg("%s: %s", model, hone_error_message(r.job));
    return r;
}

/* The hidden states of b texts of n tokens, each of them `id`, but for `odd` as the last. */
static hone_tensor *read_by(room *r, int64_t b, int64_t n, int32_t id, int32_t odd)
{
    int32_t *ids = hn_new_n(r->a, int32_t, b * n + 1);
    for (int64_t i = 0; i < b * n; i++) ids[i] = i == b * n - 1 ? odd : id;
    hone_tape_begin(r->t, HONE_EVAL, 0, 0);
    return r->m->arch->forward(r->t, r->m, &(hn_sequence){ .ids = hone_input_i32(r->t, ids, 2, (const int64_t[]){ b, n }) });
}

static void works(room *r)
{
    hone_error_clear(r->job);
    hone_tensor *h = read_by(r, 2, 3, 1, 2);
    if (!hone_ok(r->t)) fail_msg("%s", hone_error_message(r->job));
    assert_true(isfinite(hone_tensor_item(h, 0)));
}

static void refuses(room *r, hone_tensor *h, hone_code code, const char *one, const char *two)
{
    assert_false(hone_ok(r->t));
    assert_true(isnan(hone_tensor_item(h, 0)));
    assert_int_equal(hone_error_code(r->job), code);
    if (!strstr(hone_error_message(r->job), one) || !strstr(hone_error_message(r->job), two)) fail_msg("%s", hone_error_message(r->job));
    works(r);
}

static void texts_longer_than_the_context(void **state)
{
    for (int64_t i = 0; i < HN_LEN(models); i++) {
        room r = open_room(models[i], NULL);
        read_by(&r, 1, r.m->context, 1, 1);
        assert_true(hone_ok(r.t));
        refuses(&r, read_by(&r, 2, r.m->context + 1, 1, 1), HONE_E_SHAPE, hn_fmt(r.a, "%lld tokens", (long long)r.m->context + 1),
                hn_fmt(r.a, "%lld", (long long)r.m->context));
        hone_close(r.job);
    }
}

static void ids_that_are_no_tokens(void **state)
{
    for (int64_t i = 0; i < HN_LEN(models); i++) {
        room r = open_room(models[i], NULL);
        const int32_t bad[] = { (int32_t)r.m->vocab, -1, INT32_MAX, INT32_MIN };
        for (int64_t k = 0; k < HN_LEN(bad); k++)
            refuses(&r, read_by(&r, 2, 3, 1, bad[k]), HONE_E_SHAPE, hn_fmt(r.a, "id %d at index 5 is not in 0", bad[k]), "tokenizer");
        hone_close(r.job);
    }
}

/* Nothing is read, and that is no failure: nothing comes of it. */
static void batches_of_nothing(void **state)
{
    static const int64_t sizes[][2] = { { 0, 3 }, { 2, 0 }, { 0, 0 } };
    for (int64_t i = 0; i < HN_LEN(models); i++) {
        room r = open_room(models[i], NULL);
        for (int64_t k = 0; k < HN_LEN(sizes); k++) {
            hone_tensor *h = read_by(&r, sizes[k][0], sizes[k][1], 1, 1);
            if (!hone_ok(r.t)) fail_msg("%s (%d,%d): %s", models[i], (int)sizes[k][0], (int)sizes[k][1], hone_error_message(r.job));
            assert_int_equal(hn_count(h), 0);
            works(&r);
        }
        hone_close(r.job);
    }
}

static void a_step_over_nothing_changes_nothing(void **state)
{
    world w;
    open_world(&w, 1);
    hn_trainer *t = trainer(&w);
    steps(&w, t, 1, NULL);
    hone_tape_begin(t->tape, HONE_TRAIN, 1, 1);
    const int64_t none[] = { 0, 16 };
    hone_tensor *loss = hn_model_loss(t->tape, t->m, hone_input_i32(t->tape, NULL, 2, none), hone_input_i32(t->tape, NULL, 2, none), NULL);
    assert_true(hone_ok(t->tape));
    assert_true(hone_tensor_item(loss, 0) == 0);
    assert_true(hone_backward(t->tape, loss));
    steps(&w, t, 1, NULL);
    close_world(&w);
}

/* The backend that looks at everything names the input that held it, the operator and its place in the model. */
static void inputs_that_are_no_numbers(void **state)
{
    static const float bad[] = { NAN, INFINITY, -INFINITY };
    for (int64_t i = 0; i < HN_LEN(models); i++) {
        room r = open_room(models[i], "check");
        float *w = r.m->w[0].t->data, kept = w[0]; /* the table of tokens: what token 0 is */
        for (int64_t k = 0; k < HN_LEN(bad); k++) {
            w[0] = bad[k];
            hone_tensor *h = read_by(&r, 1, 2, 0, 1);
            w[0] = kept;
            refuses(&r, h, HONE_E_NUMERIC, "embedding", isnan(bad[k]) ? "NaN" : "infinite");
        }
        hone_tape_begin(r.t, HONE_EVAL, 0, 0);
        hone_tensor *x = hone_input_f32(r.t, (const float[]){ 1, NAN }, 2, (const int64_t[]){ 1, 2 });
        refuses(&r, hone_softmax(r.t, x), HONE_E_NUMERIC, "softmax: its result is NaN", "its input 0 held such a value already");
        hone_close(r.job);
    }
}

/* The n-th request for memory is refused while a trainer is made and steps: it says so, nothing is lost of what there was, and what is asked
 * for anew works. */
typedef struct refusal { world *w; hone_job *job; } refusal;
static bool make_and_step(void *arg)
{
    refusal *r = arg;
    hn_arena *a = hn_job_arena(r->job);
    hn_trainer *t = hn_trainer_new(a, hn_settings_clone(a, r->w->s), &r->w->d, NULL, 5);
    double loss;
    return t && hn_trainer_step(t, &loss) && isfinite(loss);
}
static void memory_refused_to_a_trainer(void **state)
{
    world w;
    open_world(&w, 1);
    int64_t refused = 0, n = 1;
    for (bool ok = false; !ok && n < 4000; n += 1 + n / 8) {
        refusal r = { &w, hone_open(&(hone_options){ .threads = 1 }) };
        hn_fault_set(HN_FAULT_ALLOC, n);
        ok = hn_try(r.job, make_and_step, &r);
        hn_fault_set(HN_FAULT_ALLOC, 0);
        if (!ok) {
            refused++;
            assert_int_equal(hone_error_code(r.job), HONE_E_MEMORY);
            hone_error_clear(r.job);
            if (refused % 4 == 1 && !hn_try(r.job, make_and_step, &r)) fail_msg("%s", hone_error_message(r.job));
        }
        hone_close(r.job);
    }
    assert_true(refused > 5);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_longer_than_the_context), cmocka_unit_test(ids_that_are_no_tokens),     cmocka_unit_test(batches_of_nothing),
        cmocka_unit_test(a_step_over_nothing_changes_nothing), cmocka_unit_test(inputs_that_are_no_numbers), cmocka_unit_test(memory_refused_to_a_trainer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
