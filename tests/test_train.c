/* test_train.c - optimizers, schedules, steps, the loss on held-out text, plans, and going on after a stop. */
#include "train/trainer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <math.h>
#include <cmocka.h>

#define GOLDEN "tests/golden"

/* ---- a small world: text, data set, settings ---- */
typedef struct world { hone_job *job; hn_arena *a; hn_settings *s; hn_dataset d; char dir[64]; } world;

static hn_settings *settings(hn_arena *a)
{
    static const hn_section *const sections[] = { &hn_section_model, &hn_section_data, &hn_section_train, &hn_section_optim,
                                                  &hn_section_sched };
    static const char *const rows[][2] = {
        { "model.arch", "gpt2" }, { "model.layers", "2" }, { "model.heads", "2" }, { "model.width", "16" }, { "model.context", "16" },
        { "train.steps", "10" }, { "train.batch", "4" }, { "sched.warmup", "2" }, { "data.tokenizer", "char" }, { "data.split", "tail" },
    };
    hn_settings *s = hn_settings_new(a, sections, HN_LEN(sections));
    for (int64_t i = 0; i < HN_LEN(rows); i++) assert_true(hn_settings_set(s, a, rows[i][0], rows[i][1], "test"));
    return s;
}

static void set(world *w, const char *key, const char *value)
{
    if (!hn_settings_set(w->s, w->a, key, value, "test")) fail_msg("%s", hone_error_message(w->job));
}

/* Words of a made-up language: enough order to learn from. */
static const char *make_text(hn_arena *a, int64_t n)
{
    static const char *const words[] = { "the ", "cat ", "sat ", "on ", "a ", "mat.\n", "dog ", "ran ", "up ", "hill.\n" };
    hn_rng r = hn_rng_new(7, HN_STREAM_TEST, 0);
    hn_buf b = { 0 };
    while (b.n < n) {
        const char *s = words[hn_rng_below(&r, HN_LEN(words))];
        hn_buf_put(a, &b, s, (int64_t)strlen(s));
    }
    return hn_buf_str(a, &b);
}

static void open_world(world *w, int threads)
{
    *w = (world){ .job = hone_open(&(hone_options){ .threads = threads }) };
    assert_non_null(w->job);
    w->a = hn_job_arena(w->job);
    strcpy(w->dir, "/tmp/hone-train-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    const char *path = hn_path_join(w->a, w->dir, "text.txt"), *text = make_text(w->a, 4000);
    assert_true(hn_file_write(w->a, path, text, (int64_t)strlen(text)));
    w->s = settings(w->a);
    set(w, "data.train", path);
    if (!hn_dataset_load(w->a, hn_settings_get(w->s, "data"), 16, 1, NULL, &w->d)) fail_msg("%s", hone_error_message(w->job));
}

static void close_world(world *w)
{
    hone_error_clear(w->job);
    assert_true(hn_remove_tree(w->a, w->dir));
    hone_close(w->job);
}

static hn_trainer *trainer(world *w)
{
    hn_trainer *t = hn_trainer_new(w->a, w->s, &w->d, NULL, 5);
    if (!t) fail_msg("%s", hone_error_message(w->job));
    return t;
}

static void steps(world *w, hn_trainer *t, int n, double *losses)
{
    for (int i = 0; i < n; i++) {
        double loss;
        if (!hn_trainer_step(t, &loss)) fail_msg("%s", hone_error_message(w->job));
        if (losses) losses[i] = loss;
    }
}

static void same_weights(const hone_model *x, const hone_model *y)
{
    assert_int_equal(x->n_w, y->n_w);
    for (int64_t i = 0; i < x->n_w; i++)
        assert_memory_equal(x->w[i].t->data, y->w[i].t->data, (size_t)hn_count(x->w[i].t) * sizeof(float));
}

static void says(world *w, hone_code code, const char *part)
{
    assert_int_equal(hone_error_code(w->job), code);
    if (!strstr(hone_error_message(w->job), part)) fail_msg("'%s' is not in: %s", part, hone_error_message(w->job));
}

/* ---- optimizers and schedules ---- */
static void adamw_first_step(void **state)
{
    /* After one step the corrected moments are g and g²: w' = w(1 − lr·wd) − lr·g/(|g| + ε), whatever the betas. */
    world w;
    open_world(&w, 1);
    const hn_item *item;
    const void *params = hn_settings_variant(w.s, "optim", &item);
    const hn_optim *o = (const hn_optim *)item;
    float x[5] = { 1, -2, 3, 0.5f, -0.25f }, y[5], g[5] = { 0.1f, -3, 1e-9f, 0, 42 }, m[5] = { 0 }, v[5] = { 0 }, *states[2] = { m, v };
    memcpy(y, x, sizeof x);
    hn_optim_state s = { .step = 1, .lr = 0.01, .grad_scale = 0.5, .params = params };
    o->step(&s, x, g, states, 5, true);
    for (int i = 0; i < 5; i++) {
        double gi = 0.5 * (double)g[i];
        assert_float_equal(x[i], (double)y[i] * (1 - 0.01 * 0.1) - 0.01 * gi / (fabs(gi) + 1e-8), 1e-6);
    }
    memset(m, 0, sizeof m), memset(v, 0, sizeof v), memcpy(x, y, sizeof x);
    o->step(&s, x, g, states, 5, false);
    assert_float_equal(x[3], 0.5, 0);                       /* no gradient and no decay: untouched */
    close_world(&w);
}

static void schedules(void **state)
{
    /* nanoGPT's get_lr with warm-up 100, 2000 steps, 1e-3 → 1e-4, divided by 1e-3; computed with Python. */
    static const struct { const char *name; int64_t step; double factor; } want[] = {
        { "cosine", 0, 1 / 101.0 }, { "cosine", 99, 100 / 101.0 }, { "cosine", 100, 1 }, { "cosine", 575, 0.8681980515339464 },
        { "cosine", 1050, 0.55 }, { "cosine", 1999, 0.10000061514140841 }, { "cosine", 2000, 0.1 }, { "linear", 100, 1 },
        { "linear", 1050, 0.55 }, { "linear", 2000, 0.1 }, { "constant", 50, 51 / 101.0 }, { "constant", 1999, 1 }, { "wsd", 1600, 1 },
        { "wsd", 1700, 0.55 }, { "wsd", 2000, 0.1 }, { "wsd", 500, 1 },
    };
    world w;
    open_world(&w, 1);
    set(&w, "sched.warmup", "100");
    for (int64_t i = 0; i < HN_LEN(want); i++) {
        set(&w, "sched.name", want[i].name);
        assert_float_equal(hn_sched_factor(w.s, want[i].step, 2000), want[i].factor, 1e-12);
    }
    close_world(&w);
}

/* ---- PyTorch ---- */
static void golden(const char *name)
{
    world w;
    open_world(&w, 2);
    hn_bytes file;
    assert_true(hn_file_read(w.a, hn_fmt(w.a, GOLDEN "/%s.json", name), 1 << 24, &file));
    json_t *root = hn_json_parse(w.a, name, file.p, file.n, HONE_E_DATA), *g = json_object_get(root, "adamw");
    hone_model *start = hn_model_load(w.a, hn_fmt(w.a, GOLDEN "/%s", name));
    if (!start) fail_msg("%s", hone_error_message(w.job));
    static const char *const same[][2] = { { "lr", "optim.lr" }, { "beta1", "optim.beta1" }, { "beta2", "optim.beta2" },
                                           { "eps", "optim.eps" },
                                           { "weight_decay", "optim.weight_decay" }, { "clip", "train.clip" } };
    for (int64_t i = 0; i < HN_LEN(same); i++) set(&w, same[i][1], hn_num(w.a, json_number_value(json_object_get(g, same[i][0]))));
    set(&w, "sched.name", "constant");
    set(&w, "sched.warmup", "0");
    hn_trainer *t = hn_trainer_new(w.a, w.s, &w.d, start, 1);
    if (!t) fail_msg("%s", hone_error_message(w.job));
    for (size_t k = 0; k < 11; k++) {
        const json_t *batch = json_array_get(json_object_get(g, "batches"), k % 10);
        for (int b = 0; b < 4; b++)
            for (int i = 0; i < 17; i++) {
                int32_t id = (int32_t)json_integer_value(json_array_get(json_array_get(batch, (size_t)b), (size_t)i));
                if (i < 16) t->x[b * 16 + i] = id;
                if (i > 0) t->y[b * 16 + i - 1] = id;
            }
        const json_t *after = json_object_get(g, "first_batch_after");
        double loss, want = json_number_value(k < 10 ? json_array_get(json_object_get(g, "losses"), k) : after);
        if (!hn_trainer_step_on(t, &loss)) fail_msg("%s", hone_error_message(w.job));
        assert_float_equal(loss, want, 1e-5);
    }
    close_world(&w);
}
static void golden_tiny(void **state) { golden("gpt2_tiny"); }
static void golden_nobias(void **state) { golden("gpt2_nobias"); }

/* ---- steps ---- */
static void learns(void **state)
{
    world w;
    open_world(&w, 2);
    set(&w, "train.steps", "150");
    set(&w, "optim.lr", "1e-2");
    hn_trainer *t = trainer(&w);
    double loss = 0;
    hn_batch_get(t->batches, 0, t->x, t->y);
    for (int i = 0; i < 150; i++) assert_true(hn_trainer_step_on(t, &loss));       /* always the same batch */
    assert_true(loss < 0.1);
    close_world(&w);
}

static void accumulation(void **state)
{
    /* One batch of 8 windows, four micro-batches of 2: the same windows, so the same step up to rounding. */
    double x[3], y[3];
    world w;
    open_world(&w, 1);
    set(&w, "train.batch", "8");
    hn_trainer *one = trainer(&w);
    steps(&w, one, 3, x);
    hn_settings *s = w.s;
    w.s = hn_settings_clone(w.a, s);
    set(&w, "train.batch", "2");
    set(&w, "train.accumulate", "4");
    hn_trainer *four = trainer(&w);
    steps(&w, four, 3, y);
    for (int i = 0; i < 3; i++) assert_float_equal(x[i], y[i], 1e-5);
    assert_int_equal(one->now.tokens, four->now.tokens);
    assert_int_equal(one->now.tokens, 3 * 8 * 16);
    /* Micro-batches with unequal numbers of targets: the loss is the mean over all tokens, not the mean of means. */
    for (int i = 0; i < 2 * 16 - 1; i++) four->y[i] = -1;
    double loss, nats[4 * 2 * 16] = { 0 }, sum = 0;
    int64_t shape[2] = { 2, 16 }, n = 0;
    float per_token[32];
    for (int k = 0; k < 4; k++) {
        hone_tape_begin(four->tape, HONE_EVAL, 0, 0);
        hone_tensor *in = hone_input_i32(four->tape, four->x + 32 * k, 2, shape);
        hone_tensor *to = hone_input_i32(four->tape, four->y + 32 * k, 2, shape);
        hn_model_loss(four->tape, four->m, in, to, 1, per_token);
        for (int i = 0; i < 32; i++)
            if (four->y[32 * k + i] >= 0) nats[n++] = (double)per_token[i];
    }
    for (int64_t i = 0; i < n; i++) sum += nats[i];
    assert_int_equal(n, 3 * 32 + 1);
    assert_true(hn_trainer_step_on(four, &loss));
    assert_float_equal(loss, sum / (double)n, 1e-5);
    close_world(&w);
}

static void any_threads(void **state)
{
    hone_model *first = NULL;
    world w[4];
    static const int threads[4] = { 1, 2, 3, 7 };
    for (int i = 0; i < 4; i++) {
        open_world(&w[i], threads[i]);
        set(&w[i], "model.width", "64");
        set(&w[i], "train.batch", "16");
        set(&w[i], "train.ema", "0.9");
        hn_trainer *t = trainer(&w[i]);
        steps(&w[i], t, 3, NULL);
        if (first) same_weights(first, t->m);
        else first = t->m;
    }
    for (int i = 0; i < 4; i++) close_world(&w[i]);
}

static void clipping(void **state)
{
    /* With momentum and decay off and SGD-like ε, the step's length tells the scale; here: states hold (1 − β1)·scale·g. */
    world w;
    open_world(&w, 1);
    set(&w, "train.clip", "0.001");
    hn_trainer *t = trainer(&w);
    steps(&w, t, 1, NULL);
    double sum = 0;
    for (int64_t i = 0; i < t->m->n_w; i++)
        for (int64_t j = 0; j < hn_count(t->m->w[i].t); j++) sum += pow((double)t->state[2 * i][j] / 0.1, 2);
    assert_float_equal(sqrt(sum), 0.001, 1e-7);
    close_world(&w);
}

static void average(void **state)
{
    world w;
    open_world(&w, 1);
    set(&w, "train.ema", "0.5");
    hn_trainer *t = trainer(&w);
    double want = (double)((float *)t->m->w[0].t->data)[3];
    for (int i = 1; i <= 10; i++) {
        steps(&w, t, 1, NULL);
        double decay = HN_MIN(0.5, (1.0 + i) / (10.0 + i));
        want = decay * want + (1 - decay) * (double)((float *)t->m->w[0].t->data)[3];
    }
    hn_trainer_use_ema(t);
    assert_float_equal(((float *)t->m->w[0].t->data)[3], want, 1e-7);
    close_world(&w);
}

static void flat_memory(void **state)
{
    world w;
    open_world(&w, 2);
    set(&w, "model.dropout", "0.1");
    hn_trainer *t = trainer(&w);
    steps(&w, t, 3, NULL);
    int64_t live = hn_memory_live(w.job);
    steps(&w, t, 50, NULL);
    assert_int_equal(hn_memory_live(w.job), live);
    close_world(&w);
}

static void not_a_number(void **state)
{
    world w;
    open_world(&w, 1);
    hn_trainer *t = trainer(&w);
    steps(&w, t, 2, NULL);
    int64_t bad = -1;
    for (int64_t i = 0; i < t->m->n_w; i++)
        if (strstr(t->m->w[i].t->name, "h.1.mlp.c_fc.weight")) bad = i;
    assert_true(bad >= 0);
    ((float *)t->m->w[bad].t->data)[0] = NAN;
    float **before = hn_trainer_copies(w.a, t->m, true);
    double loss;
    assert_false(hn_trainer_step(t, &loss));
    says(&w, HONE_E_NUMERIC, "step 3");
    says(&w, HONE_E_NUMERIC, "linear");
    says(&w, HONE_E_NUMERIC, "h.1");
    says(&w, HONE_E_NUMERIC, "optim.lr");
    for (int64_t i = 0; i < t->m->n_w; i++) assert_memory_equal(before[i], t->m->w[i].t->data, (size_t)hn_count(t->m->w[i].t) * 4);
    close_world(&w);
}

/* ---- held-out loss ---- */
static void held_out(void **state)
{
    world w;
    open_world(&w, 2);
    hn_trainer *t = trainer(&w);
    steps(&w, t, 5, NULL);
    hn_lm_result r, q;
    hn_items items = { .item_tokens = 40 }, spans = { 0 };
    assert_true(hn_eval_lm(w.a, t->m, &w.d.valid, 16, 3, &r, &items));
    assert_int_equal(r.tokens, w.d.valid.n - w.d.valid.n_spans);
    assert_true(hn_eval_lm(w.a, t->m, &w.d.valid, 16, 7, &q, &spans));
    assert_float_equal(r.loss, q.loss, 1e-7);
    assert_int_equal(spans.n, w.d.valid.n_spans);
    assert_float_equal(spans.loss[0], q.loss, 1e-12);
    double nats = 0, bits = 0;
    int64_t tokens = 0, bytes = 0;
    for (int64_t i = 0; i < items.n; i++) {
        nats += items.loss[i] * (double)items.tokens[i];
        bits += items.bits_per_byte[i] * (double)items.bytes[i];
        tokens += items.tokens[i];
        bytes += items.bytes[i];
        assert_true(items.tokens[i] >= 20 && items.tokens[i] < 60);
    }
    assert_int_equal(tokens, r.tokens);
    assert_int_equal(bytes, r.tokens);                       /* one byte a character here */
    assert_float_equal(nats / (double)tokens, r.loss, 1e-9);
    assert_float_equal(bits / (double)bytes, r.bits_per_byte, 1e-9);
    assert_float_equal(r.perplexity, exp(r.loss), 1e-9);
    /* Window by window, by hand. */
    hone_tape *tape = hone_tape_new(w.job, NULL);
    double sum = 0;
    for (int64_t k = 0; k < w.d.valid.n - 1; k += 16) {
        int32_t x[16], y[16];
        float p[16];
        int64_t n = HN_MIN(16, w.d.valid.n - 1 - k), shape[2] = { 1, n };
        for (int64_t i = 0; i < n; i++) x[i] = hn_token_at(&w.d.valid, k + i), y[i] = hn_token_at(&w.d.valid, k + i + 1);
        hone_tape_begin(tape, HONE_EVAL, 0, 0);
        hone_tensor *loss = hn_model_loss(tape, t->m, hone_input_i32(tape, x, 2, shape), hone_input_i32(tape, y, 2, shape), 1, p);
        sum += hone_tensor_item(loss, 0);
    }
    assert_float_equal(sum / (double)r.tokens, r.loss, 1e-5);
    /* A model of zeroes knows nothing: ln V. */
    for (int64_t i = 0; i < t->m->n_w; i++) memset(t->m->w[i].t->data, 0, (size_t)hn_count(t->m->w[i].t) * 4);
    assert_true(hn_eval_lm(w.a, t->m, &w.d.valid, 16, 4, &r, NULL));
    assert_float_equal(r.loss, log((double)w.d.tok->vocab), 1e-6);
    assert_float_equal(r.bits_per_byte, log2((double)w.d.tok->vocab), 1e-6);
    ((float *)t->m->w[0].t->data)[0] = NAN;
    for (int64_t i = 0; i < hn_count(t->m->w[0].t); i++) ((float *)t->m->w[0].t->data)[i] = NAN;
    assert_false(hn_eval_lm(w.a, t->m, &w.d.valid, 16, 4, &r, NULL));
    says(&w, HONE_E_NUMERIC, "held-out");
    hone_error_clear(w.job);
    hn_tokens none = w.d.valid;
    none.n_spans = 0;
    assert_false(hn_eval_lm(w.a, t->m, &none, 16, 4, &r, NULL));
    says(&w, HONE_E_DATA, "nothing to predict");
    close_world(&w);
}

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
    assert_true(hn_plan_make(w.a, w.s, &w.d, 0, &p));
    hn_trainer *t = trainer(&w);
    double loss;
    assert_true(hn_trainer_step(t, &loss));
    assert_int_equal(p.parameters, hn_model_count(t->m));
    assert_int_equal(p.tokens_per_step, 4 * 16);
    assert_float_equal(p.flops_step, t->now.flops, 0);                      /* counted dry, and while computing */
    set(&w, "train.accumulate", "3");
    assert_true(hn_plan_make(w.a, w.s, &w.d, 0, &q));
    assert_float_equal(q.flops_step, 3 * p.flops_step, 1);
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
        cmocka_unit_test(adamw_first_step), cmocka_unit_test(schedules), cmocka_unit_test(golden_tiny), cmocka_unit_test(golden_nobias),
        cmocka_unit_test(learns), cmocka_unit_test(accumulation), cmocka_unit_test(any_threads), cmocka_unit_test(clipping),
        cmocka_unit_test(average), cmocka_unit_test(flat_memory), cmocka_unit_test(not_a_number), cmocka_unit_test(held_out),
        cmocka_unit_test(resume), cmocka_unit_test(interruption), cmocka_unit_test(early_stop), cmocka_unit_test(bad_checkpoints),
        cmocka_unit_test(plans),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
