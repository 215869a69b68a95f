/* test_runs.c - whole trainings: resume bit for bit, interruption, early stop, broken checkpoints, plans. */
#include "train_world.h"

/* ---- whole runs ---- */
static void rich(world *w)
{
    set(w, "train.accumulate", "2");
    set(w, "train.ema", "0.9");
    set(w, "train.eval_every", "3");
    set(w, "train.eval_tokens", "100");
    set(w, "model.dropout", "0.2");
}

static void resume(void **state)
{
    world w;
    open_world(&w, 2);
    rich(&w);
    hn_trainer *whole = trainer(&w);
    hn_train_result x, y;
    assert_true(hn_trainer_run(whole, NULL, &x));
    /* save_every is no part of what the run is; the copy at step 5 stands for a process that died after it */
    set(&w, "train.save_every", "5");
    hn_trainer *first = trainer(&w);
    const char *out = hn_path_join(w.a, w.dir, "run");
    for (int i = 0; i < 5; i++) {
        double loss;
        assert_true(hn_trainer_step(first, &loss));
        first->now.sum_loss += loss;
        first->now.sum_steps++;
        if (i == 2) {                                                       /* as the run would do at step 3 */
            first->now.best_loss = whole->curve.v[2].valid;
            first->now.best_step = 3;
            for (int64_t k = 0; k < first->m->n_w; k++) memcpy(first->best[k], first->average[k], (size_t)hn_count(first->m->w[k].t) * 4);
        }
    }
    assert_true(hn_trainer_save(first, out));
    hn_trainer *second = trainer(&w);
    if (!hn_trainer_load(second, out)) fail_msg("%s", hone_error_message(w.job));
    assert_int_equal(second->now.step, 5);
    same_weights(first->m, second->m);
    assert_true(hn_trainer_run(second, out, &y));
    same_weights(whole->m, second->m);
    for (int64_t i = 0; i < whole->m->n_w; i++) {
        size_t n = (size_t)hn_count(whole->m->w[i].t) * 4;
        assert_memory_equal(whole->average[i], second->average[i], n);
        assert_memory_equal(whole->state[2 * i], second->state[2 * i], n);
        assert_memory_equal(whole->state[2 * i + 1], second->state[2 * i + 1], n);
        assert_memory_equal(whole->best[i], second->best[i], n);
    }
    assert_true(x.valid_loss == y.valid_loss && x.tokens == y.tokens && x.flops == y.flops && x.best_step == y.best_step);
    hone_model *best = hn_model_load(w.a, hn_path_join(w.a, out, "best"));
    assert_non_null(best);
    same_weights(best, second->m);
    close_world(&w);
}

static void interruption(void **state)
{
    world w;
    open_world(&w, 1);
    rich(&w);
    hn_trainer *whole = trainer(&w);
    hn_train_result x, y;
    assert_true(hn_trainer_run(whole, NULL, &x));
    const char *out = hn_path_join(w.a, w.dir, "run");
    hone_job *job = hone_job_new(w.job, 1);
    hn_trainer *t = hn_trainer_new(hn_job_arena(job), w.s, &w.d, NULL, 5);
    assert_non_null(t);
    hone_stop(job);
    assert_false(hn_trainer_run(t, out, &y));
    assert_int_equal(hone_error_code(job), HONE_E_INTERRUPTED);
    assert_non_null(strstr(hone_error_message(job), "--resume"));
    hone_close(job);
    t = trainer(&w);
    assert_true(hn_trainer_load(t, out));
    assert_int_equal(t->now.step, 1);
    assert_true(hn_trainer_run(t, out, &y));
    same_weights(whole->m, t->m);
    assert_int_equal(x.n_curve, y.n_curve);
    for (int64_t i = 0; i < x.n_curve; i++) assert_true(x.curve[i].train == y.curve[i].train && x.curve[i].step == y.curve[i].step);
    /* Finished: going on once more changes nothing. */
    t = trainer(&w);
    assert_true(hn_trainer_load(t, out));
    assert_true(hn_trainer_run(t, out, &y));
    same_weights(whole->m, t->m);
    close_world(&w);
}

static void early_stop(void **state)
{
    world w;
    open_world(&w, 1);
    set(&w, "train.steps", "100");
    set(&w, "optim.lr", "0");
    set(&w, "train.eval_every", "2");
    set(&w, "train.patience", "3");
    hn_trainer *t = trainer(&w);
    hn_train_result r;
    assert_true(hn_trainer_run(t, NULL, &r));
    assert_true(r.stopped_early);
    assert_int_equal(r.best_step, 2);                                       /* weights never move: later ones are not better */
    assert_int_equal(r.step, 8);
    close_world(&w);
}

static void bad_checkpoints(void **state)
{
    world w;
    open_world(&w, 1);
    const char *out = hn_path_join(w.a, w.dir, "run"), *path = hn_path_join(w.a, out, "checkpoint/state.safetensors");
    hn_trainer *t = trainer(&w);
    assert_false(hn_trainer_load(t, out));
    says(&w, HONE_E_MODEL, "no checkpoint");
    hone_error_clear(w.job);
    assert_true(hn_mkdirs(w.a, hn_path_join(w.a, out, "checkpoint")));      /* killed before its first save: at step 0 */
    assert_true(hn_trainer_load(t, out));
    assert_int_equal(t->now.step, 0);
    steps(&w, t, 2, NULL);
    assert_true(hn_trainer_save(t, out));
    hn_bytes good;
    assert_true(hn_file_read(w.a, path, 1 << 28, &good));
    hn_trainer *u = trainer(&w);
    float **before = hn_trainer_copies(w.a, u->m, true);
    for (int64_t at = 0; at < good.n; at += good.n / 40 + 1) {              /* a flipped byte anywhere is seen */
        uint8_t *bad = hn_new_n(w.a, uint8_t, good.n);
        memcpy(bad, good.p, (size_t)good.n);
        bad[at] ^= 0x10;
        assert_true(hn_file_write(w.a, path, bad, good.n));
        assert_false(hn_trainer_load(u, out));
        assert_int_equal(hone_error_code(w.job), HONE_E_MODEL);
        assert_non_null(strstr(hone_error_message(w.job), "state.safetensors"));
        hone_error_clear(w.job);
    }
    for (int64_t n = 0; n < good.n; n += good.n / 20 + 1) {                 /* and a cut */
        assert_true(hn_file_write(w.a, path, good.p, n));
        assert_false(hn_trainer_load(u, out));
        assert_int_equal(hone_error_code(w.job), HONE_E_MODEL);
        hone_error_clear(w.job);
    }
    for (int64_t i = 0; i < u->m->n_w; i++) assert_memory_equal(before[i], u->m->w[i].t->data, (size_t)hn_count(u->m->w[i].t) * 4);
    assert_true(hn_file_write(w.a, path, good.p, good.n));
    /* Another recipe, another seed. */
    set(&w, "optim.lr", "0.5");
    assert_false(hn_trainer_load(u, out));
    says(&w, HONE_E_VALUE, "optim.lr");
    hone_error_clear(w.job);
    set(&w, "optim.lr", "1e-3");
    hn_trainer *seed = hn_trainer_new(w.a, w.s, &w.d, NULL, 6);
    assert_false(hn_trainer_load(seed, out));
    says(&w, HONE_E_VALUE, "seed");
    hone_error_clear(w.job);
    /* A save that dies on the way leaves the old one, and its leftover is swept away. */
    assert_true(hn_file_write(w.a, hn_path_join(w.a, out, "checkpoint/state.safetensors.tmp-99999"), "half", 4));
    steps(&w, t, 1, NULL);
    for (int64_t nth = 1; nth < 100; nth++) {
        hn_fault_set(HN_FAULT_WRITE, nth);
        bool ok = hn_trainer_save(t, out);
        hn_fault_set(HN_FAULT_WRITE, 0);
        if (ok) break;
        assert_true(hone_error_code(w.job) == HONE_E_IO || hone_error_code(w.job) == HONE_E_SPACE);
        hone_error_clear(w.job);
        hn_trainer *v = trainer(&w);
        if (!hn_trainer_load(v, out)) fail_msg("%s", hone_error_message(w.job));
        assert_true(v->now.step == 2 || v->now.step == 3);                  /* 3: renamed, then the folder's sync failed */
        assert_true(nth < 99);
    }
    assert_true(hn_trainer_load(u, out));
    assert_int_equal(u->now.step, 3);
    assert_false(hn_path_exists(hn_path_join(w.a, out, "checkpoint/state.safetensors.tmp-99999")));
    close_world(&w);
}

/* ---- plans ---- */
static void plans(void **state)
{
    world w;
    open_world(&w, 1);
    hn_plan p, q;
    assert_true(hn_plan_make(w.a, w.s, &w.d, 0, NULL, &p));
    hn_trainer *t = trainer(&w);
    double loss;
    assert_true(hn_trainer_step(t, &loss));
    assert_int_equal(p.parameters, hn_model_count(t->m));
    assert_int_equal(p.tokens_per_step, 4 * 16);
    assert_near(p.flops_step, t->now.flops, 0);                      /* counted dry, and while computing */
    set(&w, "train.accumulate", "3");
    assert_true(hn_plan_make(w.a, w.s, &w.d, 0, NULL, &q));
    assert_near(q.flops_step, 3 * p.flops_step, 1);
    /* muon's products count, once a step however many micro-batches: 5 iterations of r²(3c + r) a map of r × c, r ≤ c */
    hn_plan m;
    set(&w, "optim.name", "muon");
    assert_true(hn_plan_make(w.a, w.s, &w.d, 0, NULL, &m));
    double C = (double)t->m->width, layers = (double)t->m->layers, square = C * C * 4 * C, tall = C * C * 13 * C;
    assert_near(m.flops_step - q.flops_step, 5 * layers * (4 * square + 2 * tall), 1);
    hn_trainer *orthogonal = trainer(&w);
    assert_true(hn_trainer_step(orthogonal, &loss));
    assert_near(m.flops_step, orthogonal->now.flops, 1);
    set(&w, "optim.name", "adamw");
    set(&w, "train.steps", "0");
    set(&w, "train.flops", hn_num(w.a, 7.9 * q.flops_step));
    t = trainer(&w);
    assert_int_equal(t->steps, 7);
    /* More than there is: said before anything is taken. */
    set(&w, "train.batch", "65536");
    set(&w, "model.context", "65536");
    set(&w, "model.width", "1024");
    int64_t live = hn_memory_live(w.job);
    assert_null(hn_trainer_new(w.a, w.s, &w.d, NULL, 5));
    says(&w, HONE_E_MEMORY, "MiB");
    assert_true(hn_memory_live(w.job) - live < (1 << 20));
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(resume), cmocka_unit_test(interruption), cmocka_unit_test(early_stop), cmocka_unit_test(bad_checkpoints),
        cmocka_unit_test(plans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
