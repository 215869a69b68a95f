/* test_levers.c - each lever can be pulled and changes what it says; the bounds on weights beside torch; whole runs with many levers. */
#include "improve_world.h"
#include "golden/bound.h"
#include "train/trainer.h"

static const char *value(hn_arena *a, const hn_settings *s, const char *key) {
    const char *v = hn_settings_value(a, s, key);
    assert_non_null(v);
    return v;
}

/* Pulls both settings of a lever and looks at one key: wanted[variant]. */
static void expect(hn_arena *a, const char *lever, const char *key, double first, double second) {
    const double wanted[HN_LEVER_VARIANTS] = { first, second };
    for (int64_t v = 0; v < HN_LEVER_VARIANTS; v++) {
        hn_settings *s = hn_settings_clone(a, recipe(a));
        hn_lever_call c;
        pull(a, s, lever, v, &c);
        assert_near(number(a, s, key), wanted[v], 1e-9);
        assert_true(c.cost == 1);
    }
}

static void recipe_levers(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_settings *old = recipe(a);
    double batch = number(a, old, "train.batch"), lr = number(a, old, "optim.lr"), decay = number(a, old, "optim.weight_decay"),
           heads = number(a, old, "model.heads"), steps = number(a, old, "train.steps");
    expect(a, "batch", "train.batch", batch / 2, batch * 2);
    expect(a, "batch", "optim.lr", lr * sqrt(0.5), lr * sqrt(2));
    expect(a, "weight-decay", "optim.weight_decay", 0.3 * decay, 3 * decay);
    expect(a, "heads", "model.heads", heads * 2, heads / 2);
    expect(a, "label-smoothing", "train.label_smoothing", 0.02, 0.1);
    expect(a, "l1", "train.l1", 0.001, 0.01);
    expect(a, "max-norm", "train.max_norm", 1, 0.5);
    expect(a, "early-stop", "train.eval_every", floor(steps / 10), floor(steps / 20));
    expect(a, "muon", "optim.lr", lr, 2 * lr);
    expect(a, "muon", "optim.adamw_lr", lr, lr);
    expect(a, "llama-block", "model.width", number(a, old, "model.width"), number(a, old, "model.width"));
    hn_lever_call c;
    hn_settings *s = hn_settings_clone(a, old);
    pull(a, s, "llama-block", 1, &c);
    assert_string_equal(value(a, s, "model.arch"), "llama");
    assert_string_equal(value(a, s, "model.family"), "qwen3");
    for (int64_t v = 0; v < HN_LEVER_VARIANTS; v++) {
        assert_true(hn_settings_set(s = hn_settings_clone(a, old), a, "model.path", "some/folder", "test"));
        pull(a, s, "lora", v, &c);
        assert_string_equal(value(a, s, "adapter.method"), "lora");
        assert_near(number(a, s, "adapter.rank"), v ? 32 : 8, 0);
        assert_near(number(a, s, "optim.lr"), 10 * lr, 1e-9);
    }
    pull(a, s = hn_settings_clone(a, old), "schedule", 0, &c);
    assert_string_equal(value(a, s, "sched.name"), "wsd");
    hone_close(job);
}

static bool refuses(hn_arena *a, hn_settings *s, const char *name, const char *word) {
    const hn_lever *l = (const hn_lever *)hn_kind_find(&hn_kind_lever, name);
    void *p = l->item.size ? hn_alloc(a, 1, l->item.size, 16) : NULL;
    if (p) hn_params_defaults(a, l->item.params, l->item.n_params, p);
    hn_lever_call c = { .a = a, .candidate = s, .params = p, .name = name, .cost = 1 };
    if (l->apply(&c)) return false;
    return strstr(hone_error_message(a->job), word) != NULL;
}

static void levers_that_do_not_apply_say_why(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_settings *s = recipe(a);
    assert_true(refuses(a, s, "warm-start", "improve.warm_start"));
    hone_error_clear(job);
    assert_true(hn_settings_set(s, a, "train.batch", "1", "test"));
    assert_true(refuses(a, s, "lora", "from scratch"));
    hone_error_clear(job);
    assert_true(refuses(a, s, "batch", "no half"));
    hone_error_clear(job);
    assert_true(hn_settings_set(s = recipe(a), a, "optim.name", "muon", "test"));
    assert_true(refuses(a, s, "muon", "is muon"));
    hone_error_clear(job);
    assert_true(hn_settings_set(s = recipe(a), a, "model.path", "some/folder", "test"));
    assert_true(refuses(a, s, "heads", "would not fit"));
    hone_error_clear(job);
    assert_true(hn_settings_set(s, a, "adapter.method", "lora", "test"));
    assert_true(refuses(a, s, "lora", "adapter already"));
    hone_close(job);
}

static void bounds_as_torch_has_them(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    const int64_t shape[] = { 3, 4 };
    float x[12];
    memcpy(x, bound_w, sizeof x);
    hn_bound_shrink(x, 12, 0.3f);
    for (int i = 0; i < 12; i++) assert_near(x[i], bound_shrunk[i], 1e-6);
    for (int transposed = 0; transposed < 2; transposed++) {
        hn_weight w = { .t = hn_weight_new(a, "w", 2, shape, false), .transposed = transposed };
        double squares[4];
        memcpy(w.t->data, bound_w, sizeof bound_w);
        assert_true(hn_bound_takes(&w));
        hn_bound_norms(&w, 1, squares);
        for (int i = 0; i < 12; i++) assert_near(((float *)w.t->data)[i], (transposed ? bound_columns : bound_rows)[i], 1e-6);
    }
    hn_weight head = { .t = hn_weight_new(a, "head", 2, shape, false), .outer = true };
    assert_false(hn_bound_takes(&head));
    hone_close(job);
}

/* Most levers in one run, and warm start from what it wrote; each gets a verdict or a reason, none stops the run. */
static void whole_runs_with_many_levers(void **state) {
    static const char *const names[] = { "muon", "llama-block", "batch", "schedule", "weight-decay", "heads", "early-stop", "label-smoothing",
                                         "l1", "max-norm" };
    char out[96], warm[96], best[128];
    snprintf(out, sizeof out, "%s/many", folder);
    run_case r = { .text = text_path, .out = out,
                   .extra = { "improve.levers", "muon,llama-block,batch,schedule,weight-decay,heads,early-stop,label-smoothing,l1,max-norm",
                              "improve.confirm_arms", "10" } };
    run(&r);
    assert_true(r.ok);
    for (int64_t i = 0; i < HN_LEN(names); i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\"lever\":\"%s\",\"verdict\":", names[i]);
        const char *at = strstr(r.lines, wanted);
        if (!at) fail_msg("no verdict of %s", names[i]);
        if (!strncmp(at + strlen(wanted), "\"failed\"", 8)) fail_msg("%s failed: %.400s", names[i], at);
    }
    free(r.lines);
    snprintf(best, sizeof best, "%s/start", out);
    snprintf(warm, sizeof warm, "%s/warm", folder);
    r = (run_case){ .text = text_path, .out = warm, .extra = { "improve.levers", "warm-start", "improve.warm_start", best } };
    run(&r);
    assert_true(r.ok);
    const char *at = strstr(r.lines, "\"lever\":\"warm-start\",\"verdict\":");
    assert_non_null(at);
    assert_null(strstr(at, "\"failed\""));
    free(r.lines);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipe_levers),
        cmocka_unit_test(levers_that_do_not_apply_say_why),
        cmocka_unit_test(bounds_as_torch_has_them),
        cmocka_unit_test(whole_runs_with_many_levers),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
