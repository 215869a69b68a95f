/* test_recompute.c - a forward that is run anew in backward: the same bits with dropout, less memory, FLOPs apart, plans, failures. */
#include "train_world.h"

/* ---- on a bare tape ---- */
typedef struct net { hone_tensor *w[4]; bool inner; } net;

static hone_tensor *half(hone_tape *t, hone_tensor *x, const void *args)
{
    const net *n = *(net *const *)args;
    x = hone_linear(t, x, n->w[2], NULL, false, HONE_ACT_GELU);
    return hone_dropout(t, hone_linear(t, x, n->w[3], NULL, false, HONE_ACT_NONE), 0.3f);
}

static hone_tensor *body(hone_tape *t, hone_tensor *x, const void *args)
{
    const net *n = *(net *const *)args;
    hone_tensor *y = hone_dropout(t, hone_linear(t, hone_columns(t, x, 0, 12), n->w[1], NULL, false, HONE_ACT_RELU), 0.2f);
    y = hone_add(t, y, x);
    return hone_add(t, y, n->inner ? hone_recompute(t, half, y, args, sizeof n) : half(t, y, args));
}

/* Loss and the gradients of four weights, each (12,12). */
static void run(hone_job *job, bool again, bool inner, const char *backend, double *loss, float *grads, hn_tape_stats *st)
{
    hn_arena *a = hn_arena_new(hn_job_arena(job));
    const int64_t w_shape[2] = { 12, 12 }, x_shape[2] = { 40, 12 };
    net n = { .inner = inner }, *args = &n;
    float *x = hn_new_n(a, float, 40 * 12);
    int32_t targets[40];
    bool null = !strcmp(backend, "null");
    hn_rng_fill_normal(1, HN_STREAM_TEST, 0, x, 40 * 12, 1);
    for (int i = 0; i < 40; i++) targets[i] = i % 12;
    for (int i = 0; i < 4; i++) {
        n.w[i] = hn_weight_new(a, "w", 2, w_shape, null);
        hn_weight_grad(a, n.w[i]);
        if (!null) hn_rng_fill_normal(2, HN_STREAM_TEST, (uint32_t)i, n.w[i]->data, 144, 0.3);
    }
    hone_tape *t = hone_tape_new(job, backend);
    assert_non_null(t);
    hone_tape_begin(t, HONE_TRAIN, 9, 4);
    hone_tensor *h = hone_linear(t, hone_input_f32(t, x, 2, x_shape), n.w[0], NULL, false, HONE_ACT_NONE);
    for (int i = 0; i < 2; i++) {
        h = again ? hone_recompute(t, body, h, &args, sizeof args) : body(t, h, &args);
        h = hone_dropout(t, h, 0.1f);
    }
    hone_tensor *l = hone_linear_cross_entropy(t, h, n.w[0], hone_input_i32(t, targets, 1, (int64_t[]){ 40 }), NULL);
    *loss = hone_tensor_item(l, 0);
    if (!hone_backward(t, l)) fail_msg("%s", hone_error_message(job));
    for (int i = 0; i < 4 && !null; i++) memcpy(grads + 144 * i, n.w[i]->grad, 144 * sizeof(float));
    hn_tape_stats_get(t, st);
    hone_tape_free(t);
    hn_arena_free(a);
}

static void same_bits(void **state)
{
    hone_job *job = hone_open(&(hone_options){ .threads = 2 });
    static const char *const backends[] = { "cpu", "check" };
    for (int b = 0; b < 2; b++) {
        double plain, loss;
        float want[576], got[576];
        hn_tape_stats st[3], dry;
        run(job, false, false, backends[b], &plain, want, &st[0]);
        for (int inner = 0; inner < 2; inner++) {
            run(job, true, inner, backends[b], &loss, got, &st[1 + inner]);
            assert_true(loss == plain);
            assert_memory_equal(got, want, sizeof want);
            assert_true(st[1 + inner].flops_forward == st[0].flops_forward);
            assert_true(st[1 + inner].flops_backward == st[0].flops_backward);
            run(job, true, inner, "null", &loss, got, &dry);
            assert_int_equal(dry.pool_peak, st[1 + inner].pool_peak);
            assert_true(dry.flops_again == st[1 + inner].flops_again);
        }
        double product = 2.0 * 40 * 12 * 12;
        assert_true(st[0].flops_again == 0);
        assert_true(st[1].flops_again == 2 * 3 * product);
        assert_true(st[2].flops_again == 2 * (3 + 2) * product);     /* the inner stretch a third time */
        assert_true(st[1].pool_peak < st[0].pool_peak);
    }
    hone_close(job);
}

static hone_tensor *view(hone_tape *t, hone_tensor *x, const void *args) { return hone_columns(t, hone_gelu(t, x, false), 0, 2); }
static hone_tensor *itself(hone_tape *t, hone_tensor *x, const void *args) { return x; }
static hone_tensor *wrong(hone_tape *t, hone_tensor *x, const void *args) { return hone_add(t, x, *(hone_tensor *const *)args); }

static void failures(void **state)
{
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hone_tensor *w = hn_weight_new(a, "w", 2, (int64_t[]){ 3, 4 }, false), *other = hn_weight_new(a, "other", 2, (int64_t[]){ 2, 4 }, false);
    hn_weight_grad(a, w);
    hone_tape *t = hone_tape_new(job, NULL);
    hone_recomputed *const bad[] = { view, itself, wrong };
    static const char *const says_[] = { "is a view", "is a view, a weight or the input", "add" };
    for (int i = 0; i < 3; i++) {
        hone_tape_begin(t, HONE_TRAIN, 0, 0);
        hone_tensor *y = hone_recompute(t, bad[i], w, &other, sizeof other);
        assert_non_null(y);
        assert_false(hone_ok(t));
        if (!strstr(hone_error_message(job), says_[i])) fail_msg("%s", hone_error_message(job));
        hone_error_clear(job);
    }
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    assert_int_equal(hone_tensor_shape(hone_recompute(t, view, w, NULL, 0))[1], 2);      /* evaluation records nothing: anything goes */
    assert_true(hone_ok(t));
    hone_close(job);
}

/* ---- trainings ---- */
static void trains_the_same_as(const char *arch)
{
    world w;
    double x[6], y[6];
    open_world(&w, 2);
    set(&w, "model.arch", arch);
    set(&w, "model.heads", "2");
    set(&w, "model.context", "16");
    set(&w, "model.dropout", "0.2");
    if (!strcmp(arch, "gpt2")) set(&w, "model.bias", "true");
    else set(&w, "model.kv_heads", "1");
    set(&w, "model.layers", "4");
    set(&w, "model.width", "48");
    set(&w, "train.accumulate", "2");
    set(&w, "train.batch", "8");
    hn_trainer *plain = trainer(&w);
    hn_settings *s = w.s;
    w.s = hn_settings_clone(w.a, s);
    set(&w, "train.recompute", "true");
    hn_trainer *less = trainer(&w);
    hn_plan plans[2];
    assert_true(hn_plan_make(w.a, s, &w.d, 0, NULL, &plans[0]));
    assert_true(hn_plan_make(w.a, w.s, &w.d, 0, NULL, &plans[1]));
    steps(&w, plain, 6, x), steps(&w, less, 6, y);
    assert_memory_equal(x, y, sizeof x);
    same_weights(plain->m, less->m);
    assert_true(plain->now.flops == less->now.flops);                /* what was learnt from, not what it took */
    assert_true(plans[0].flops_step == plans[1].flops_step);
    hn_tape_stats st[2];
    hn_lm_result r;
    hn_trainer *t[2] = { plain, less };
    for (int i = 0; i < 2; i++) {
        assert_true(hn_eval_lm_on(w.a, t[i]->tape, t[i]->m, &w.d.valid, 16, 8, 0, &r, NULL));
        hn_tape_stats_get(t[i]->tape, &st[i]);
        assert_int_equal(plans[i].bytes_activations, st[i].pool_peak + 2 * 2 * 8 * 16 * 4);
    }
    if (!(st[1].pool_peak < st[0].pool_peak * 2 / 3)) fail_msg("%lld of %lld bytes", (long long)st[1].pool_peak, (long long)st[0].pool_peak);
    int64_t live = hn_memory_live(w.job);
    steps(&w, less, 10, NULL);
    assert_int_equal(hn_memory_live(w.job), live);
    /* It changes no number, so a training may go on with or without it. */
    const char *out = hn_path_join(w.a, w.dir, "out");
    assert_true(hn_trainer_save(plain, out));
    if (!hn_trainer_load(less, out)) fail_msg("%s", hone_error_message(w.job));
    close_world(&w);
}
static void trains_the_same(void **state) { trains_the_same_as("gpt2"); }
static void trains_the_same_llama(void **state) { trains_the_same_as("llama"); }

static void not_a_number(void **state)
{
    world w;
    open_world(&w, 1);
    set(&w, "train.recompute", "true");
    hn_trainer *t = trainer(&w);
    for (int64_t i = 0; i < t->m->n_w; i++)
        if (strstr(t->m->w[i].t->name, "h.1.mlp.c_fc.weight")) ((float *)t->m->w[i].t->data)[0] = NAN;
    double loss;
    assert_false(hn_trainer_step(t, &loss));
    says(&w, HONE_E_NUMERIC, "linear in h.1.mlp (forward)");
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(same_bits), cmocka_unit_test(failures), cmocka_unit_test(trains_the_same), cmocka_unit_test(trains_the_same_llama), cmocka_unit_test(not_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
