/* Training with bf16 activations: the plan's memory, f32 masters in the checkpoint, going on bit for bit, losses beside f32's. */
#include "train_world.h"

static void train_in(world *w, const char *arch)
{
    open_world(w, 2);
    set(w, "model.arch", arch);
    set(w, "model.width", "64");
    set(w, "model.heads", "4");
    set(w, "model.dropout", "0.1");
    set(w, "train.batch", "16");
    set(w, "optim.lr", "3e-3");
    set(w, "train.steps", "40");
}

/* Stated: over 40 steps the two losses stay within 0.05 nats, and what is shipped within 0.03 on held-out text. */
static void beside_f32(void **state)
{
    static const char *const archs[] = { "gpt2", "llama" };
    for (int k = 0; k < 2; k++) {
        world w;
        train_in(&w, archs[k]);
        double x[40], y[40];
        hn_settings *wide_settings = w.s;
        hn_trainer *wide = trainer(&w);
        w.s = hn_settings_clone(w.a, wide_settings);
        set(&w, "train.dtype", "bf16");
        hn_trainer *narrow = trainer(&w);
        hn_plan plan[2];
        assert_true(hn_plan_make(w.a, wide_settings, &w.d, 0, NULL, &plan[0]));
        assert_true(hn_plan_make(w.a, w.s, &w.d, 0, NULL, &plan[1]));
        steps(&w, wide, 40, x), steps(&w, narrow, 40, y);
        for (int i = 0; i < 40; i++) assert_near(x[i], y[i], 0.05);
        assert_true(x[39] < x[0] - 0.5);
        hn_lm_result r[2];
        hn_trainer *t[2] = { wide, narrow };
        for (int i = 0; i < 2; i++) {
            hn_tape_stats st;
            assert_true(hn_eval_lm_on(w.a, t[i]->tape, t[i]->m, &w.d.valid, 16, 16, 0, &r[i], NULL));
            hn_tape_stats_get(t[i]->tape, &st);
            assert_int_equal(plan[i].bytes_activations, st.pool_peak + 2 * 16 * 16 * 4);
        }
        assert_near(r[0].loss, r[1].loss, 0.03);
        assert_true(plan[0].bytes_weights == plan[1].bytes_weights && plan[0].bytes_grads == plan[1].bytes_grads &&
                    plan[0].bytes_states == plan[1].bytes_states && plan[0].flops_step == plan[1].flops_step);
        int64_t live = hn_memory_live(w.job);
        steps(&w, narrow, 3, NULL);
        assert_int_equal(hn_memory_live(w.job), live);
        close_world(&w);
    }
}

static void goes_on(void **state)
{
    world w;
    train_in(&w, "gpt2");
    set(&w, "train.dtype", "bf16");
    hn_trainer *whole = trainer(&w), *first = trainer(&w), *second = trainer(&w);
    double x[10], y[10];
    const char *out = hn_path_join(w.a, w.dir, "out");
    steps(&w, whole, 10, x);
    steps(&w, first, 5, y);
    assert_true(hn_trainer_save(first, out));
    hn_bytes file;
    hn_checkpoint c = { 0 };
    const char *path = hn_path_join(w.a, out, "checkpoint/state.safetensors");
    assert_true(hn_file_map(w.a, path, &file) && hn_checkpoint_parse(w.a, path, file, &c)); /* which takes nothing but f32 */
    assert_true(c.tensors.n > 0);
    assert_true(hn_trainer_load(second, out));
    steps(&w, second, 5, y + 5);
    assert_memory_equal(x, y, sizeof x);
    same_weights(whole->m, second->m);
    w.s = hn_settings_clone(w.a, w.s);
    set(&w, "train.dtype", "f32");
    assert_false(hn_trainer_load(trainer(&w), out));
    says(&w, HONE_E_VALUE, "another train.dtype");
    close_world(&w);
}

static void told(void **state)
{
    hn_isa best = hn_cpu_isa();
    hn_train_params p = { .dtype = "bf16" };
    hn_cpu_isa_force(HN_ISA_PLAIN);
    const char *note = hn_train_dtype_note(&p);
    assert_non_null(note);
    assert_non_null(strstr(note, "no bf16 instructions"));
    p.dtype = "f32";
    assert_null(hn_train_dtype_note(&p));
    hn_cpu_isa_force(best);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(beside_f32), cmocka_unit_test(goes_on), cmocka_unit_test(told) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
