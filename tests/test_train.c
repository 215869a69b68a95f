/* test_train.c - optimizers, schedules, steps, the loss on held-out text, plans, and going on after a stop. */


/* ---- a small world: text, data set, settings ---- */
#include "train_world.h"

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
    hn_optim_state s = { .step = 1, .lr = 0.01, .decay = 0.1, .grad_scale = 0.5, .params = params };
    o->step(&s, x, g, states, 5);
    for (int i = 0; i < 5; i++) {
        double gi = 0.5 * (double)g[i];
        assert_near(x[i], (double)y[i] * (1 - 0.01 * 0.1) - 0.01 * gi / (fabs(gi) + 1e-8), 1e-6);
    }
    memset(m, 0, sizeof m), memset(v, 0, sizeof v), memcpy(x, y, sizeof x);
    s.decay = 0;
    o->step(&s, x, g, states, 5);
    assert_near(x[3], 0.5, 0);                       /* no gradient and no decay: untouched */
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
        assert_near(hn_sched_factor(w.s, want[i].step, 2000), want[i].factor, 1e-12);
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
        assert_near(loss, want, 1e-5);
    }
    close_world(&w);
}
static void golden_tiny(void **state) { golden("gpt2_tiny"); }
static void golden_nobias(void **state) { golden("gpt2_nobias"); }
static void golden_llamas(void **state)
{
    static const char *const names[] = { "llama_tiny", "mistral_tiny", "qwen2_tiny", "qwen3_tiny" };
    for (int64_t i = 0; i < HN_LEN(names); i++) golden(names[i]);
}

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
    for (int i = 0; i < 3; i++) assert_near(x[i], y[i], 1e-5);
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
        hn_model_loss(four->tape, four->m, in, to, &(hone_cross_entropy_opts){ .per_token = per_token });
        for (int i = 0; i < 32; i++)
            if (four->y[32 * k + i] >= 0) nats[n++] = (double)per_token[i];
    }
    for (int64_t i = 0; i < n; i++) sum += nats[i];
    assert_int_equal(n, 3 * 32 + 1);
    assert_true(hn_trainer_step_on(four, &loss));
    assert_near(loss, sum / (double)n, 1e-5);
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
    assert_near(sqrt(sum), 0.001, 1e-7);
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
    assert_near(((float *)t->m->w[0].t->data)[3], want, 1e-7);
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

/* The loss is finite, its gradient is not: the way back through h.1's mlp multiplies two numbers of 1e20. */
static void gradient_not_a_number(void **state)
{
    static const struct { const char *name; float scale; } doctored[] = {
        { "ln_f.weight", 1e22f }, { "h.1.ln_2.weight", 1e20f }, { "h.1.mlp.c_proj.weight", 1e-20f },
    };
    world w;
    open_world(&w, 1);
    hn_trainer *t = trainer(&w);
    steps(&w, t, 2, NULL);
    for (int64_t i = 0; i < t->m->n_w; i++)
        for (int64_t k = 0; k < HN_LEN(doctored); k++) {
            float *x = t->m->w[i].t->data;
            if (!strstr(t->m->w[i].t->name, doctored[k].name)) continue;
            for (int64_t j = 0; j < hn_count(t->m->w[i].t); j++) x[j] *= doctored[k].scale;
        }
    hn_lm_result r;
    assert_true(hn_eval_lm(w.a, t->m, &w.d.valid, 16, 4, &r, NULL));
    assert_true(isfinite(r.loss));
    float **before = hn_trainer_copies(w.a, t->m, true);
    double loss;
    assert_false(hn_trainer_step(t, &loss));
    says(&w, HONE_E_NUMERIC, "step 3: the gradient's norm is not a finite number");
    says(&w, HONE_E_NUMERIC, "linear in h.1.mlp");
    says(&w, HONE_E_NUMERIC, "(backward)");
    says(&w, HONE_E_NUMERIC, "optim.lr");
    for (int64_t i = 0; i < t->m->n_w; i++) assert_memory_equal(before[i], t->m->w[i].t->data, (size_t)hn_count(t->m->w[i].t) * 4);
    close_world(&w);
}

/* ---- held-out loss ---- */

/* Windows that slide, against one forward pass a token: token i is predicted from the tokens before it, as many as its window holds. */
static void sliding_windows(void **state)
{
    enum { T = 16 };
    static const int64_t strides[] = { 1, 3, 7, 15, 16, 99 };
    world w;
    open_world(&w, 1);
    hn_trainer *t = trainer(&w);
    steps(&w, t, 5, NULL);
    hone_tape *tape = hone_tape_new(w.job, NULL);
    hn_tokens v = w.d.valid;
    hn_span two[2] = { { .start = v.spans[0].start, .n = 50, .bytes = 50, .doc = 0 }, { .start = v.spans[0].start + 50, .n = 9, .bytes = 9, .doc = 1 } };
    v.spans = two, v.n_spans = 2;
    for (int64_t k = 0; k < HN_LEN(strides); k++) {
        int64_t S = HN_MIN(strides[k], T), n = 0;
        double sum = 0;
        for (int64_t s = 0; s < 2; s++)
            for (int64_t i = 1, end = HN_MIN(T, two[s].n - 1); i < two[s].n; i++) {   /* token i stands in the window that ends at token `end` */
                if (i > end) end = HN_MIN(end + S, two[s].n - 1);
                int64_t from = S < T ? HN_MAX(end - T, 0) : (i - 1) / T * T, shape[2] = { 1, i - from };
                int32_t x[T], y[T];
                float p[T];
                for (int64_t j = from; j < i; j++) x[j - from] = hn_token_at(&v, two[s].start + j), y[j - from] = hn_token_at(&v, two[s].start + j + 1);
                hone_tape_begin(tape, HONE_EVAL, 0, 0);
                hone_tensor *ids = hone_input_i32(tape, x, 2, shape), *targets = hone_input_i32(tape, y, 2, shape);
                hn_model_loss(tape, t->m, ids, targets, &(hone_cross_entropy_opts){ .denominator = 1, .per_token = p });
                assert_true(hone_ok(tape));
                sum += (double)p[i - from - 1], n++;
            }
        hn_lm_result r;
        hn_items items = { .stride = strides[k] };
        assert_true(hn_eval_lm(w.a, t->m, &v, T, 3, &r, &items));
        assert_int_equal(r.tokens, n);
        assert_near(r.loss, sum / (double)n, 1e-6);
        assert_int_equal(items.n, 2);
        assert_int_equal(items.doc[0], 0);
        assert_int_equal(items.doc[1], 1);
        assert_int_equal(items.tokens[1], 8);
    }
    hone_tape_free(tape);
    close_world(&w);
}

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
    assert_near(r.loss, q.loss, 1e-7);
    assert_int_equal(spans.n, w.d.valid.n_spans);
    assert_near(spans.loss[0], q.loss, 1e-12);
    assert_near(r.accuracy, q.accuracy, 1e-12);
    double nats = 0, bits = 0, guessed = 0;
    int64_t tokens = 0, bytes = 0;
    for (int64_t i = 0; i < items.n; i++) {
        nats += items.loss[i] * (double)items.tokens[i];
        bits += items.bits_per_byte[i] * (double)items.bytes[i];
        guessed += items.accuracy[i] * (double)items.tokens[i];
        tokens += items.tokens[i];
        bytes += items.bytes[i];
        assert_true(items.tokens[i] >= 20 && items.tokens[i] < 60);
    }
    assert_int_equal(tokens, r.tokens);
    assert_int_equal(bytes, r.tokens);                       /* one byte a character here */
    assert_near(nats / (double)tokens, r.loss, 1e-9);
    assert_near(bits / (double)bytes, r.bits_per_byte, 1e-9);
    assert_near(guessed / (double)tokens, r.accuracy, 1e-12);
    assert_near(r.perplexity, exp(r.loss), 1e-9);
    /* Window by window, by hand. */
    hone_tape *tape = hone_tape_new(w.job, NULL);
    double sum = 0;
    int64_t right = 0;
    for (int64_t k = 0; k < w.d.valid.n - 1; k += 16) {
        int32_t x[16], y[16], best[16];
        float p[16];
        int64_t n = HN_MIN(16, w.d.valid.n - 1 - k), shape[2] = { 1, n };
        for (int64_t i = 0; i < n; i++) x[i] = hn_token_at(&w.d.valid, k + i), y[i] = hn_token_at(&w.d.valid, k + i + 1);
        hone_tape_begin(tape, HONE_EVAL, 0, 0);
        hone_tensor *loss = hn_model_loss(tape, t->m, hone_input_i32(tape, x, 2, shape), hone_input_i32(tape, y, 2, shape),
                                          &(hone_cross_entropy_opts){ .denominator = 1, .per_token = p, .best = best });
        sum += hone_tensor_item(loss, 0);
        float logits[16 * 256];
        assert_true(hn_model_logits(tape, t->m, x, 1, n, true, logits));
        for (int64_t i = 0; i < n; i++) {
            int64_t top = 0;
            for (int64_t v = 1; v < t->m->vocab; v++)
                if (logits[i * t->m->vocab + v] > logits[i * t->m->vocab + top]) top = v;
            assert_int_equal(best[i], top);
            right += top == y[i];
        }
    }
    assert_near(sum / (double)r.tokens, r.loss, 1e-5);
    assert_true(right > 0);
    assert_near(r.accuracy, (double)right / (double)r.tokens, 1e-12);
    /* A model of zeroes knows nothing: ln V. */
    for (int64_t i = 0; i < t->m->n_w; i++) memset(t->m->w[i].t->data, 0, (size_t)hn_count(t->m->w[i].t) * 4);
    assert_true(hn_eval_lm(w.a, t->m, &w.d.valid, 16, 4, &r, NULL));
    assert_near(r.loss, log((double)w.d.tok->vocab), 1e-6);
    assert_near(r.bits_per_byte, log2((double)w.d.tok->vocab), 1e-6);
    int64_t first = 0;                                       /* all logits are equal: it says class 0 */
    for (int64_t i = 1; i < w.d.valid.n; i++) first += hn_token_at(&w.d.valid, i) == 0;
    assert_near(r.accuracy, (double)first / (double)r.tokens, 1e-12);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adamw_first_step), cmocka_unit_test(schedules), cmocka_unit_test(golden_tiny), cmocka_unit_test(golden_nobias), cmocka_unit_test(golden_llamas),
        cmocka_unit_test(learns), cmocka_unit_test(accumulation), cmocka_unit_test(any_threads), cmocka_unit_test(clipping),
        cmocka_unit_test(average), cmocka_unit_test(flat_memory), cmocka_unit_test(not_a_number),
        cmocka_unit_test(gradient_not_a_number), cmocka_unit_test(held_out), cmocka_unit_test(sliding_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
