/* test_optim.c - each optimizer against PyTorch's, muon's products against plain loops, any number of threads, going on after a stop,
 * groups of weights, plans. */
#include "train_world.h"
#include "train/kernels.h"
#include "golden/optim.h"

extern const hn_optim hn_optim_muon;

/* ---- PyTorch ---- */
typedef struct shape { const char *name; int dims; int64_t size[2]; const float *start, *grads; } shape;
static const shape tall = { "tall", 2, { 5, 3 }, optim_tall_start, optim_tall_grads };
static const shape wide = { "wide", 2, { 3, 5 }, optim_wide_start, optim_wide_grads };
static const shape vector = { "vector", 1, { 7 }, optim_vector_start, optim_vector_grads };

static void turn(float *to, const float *from, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < cols; c++) to[c * rows + r] = from[r * cols + c];
}

/* Settings "lr=0.1 momentum=0.9"; decay is the rule's. transposed: stored turned over, as GPT-2's maps are. */
static void trajectory(world *w, const char *optim, const char *settings_text, double decay, const shape *s, bool transposed,
                       const float *want, double tolerance)
{
    char *save = NULL;
    hn_settings *keep = w->s;
    w->s = hn_settings_clone(w->a, w->s);
    set(w, "optim.name", optim);
    for (char *p = strtok_r(hn_strdup(w->a, settings_text), " ", &save); p; p = strtok_r(NULL, " ", &save)) {
        char *eq = strchr(p, '=');
        *eq = 0;
        set(w, hn_fmt(w->a, "optim.%s", p), eq + 1);
    }
    const hn_item *item;
    const void *params = hn_settings_variant(w->s, "optim", &item);
    const hn_optim *o = (const hn_optim *)item;
    int64_t n = s->size[0] * (s->dims > 1 ? s->size[1] : 1), back[2] = { s->size[1], s->size[0] };
    hn_weight x = { .t = hn_weight_new(w->a, s->name, s->dims, transposed ? back : s->size, false), .transposed = transposed };
    float *state[HN_MAX_STATES] = { 0 }, *data = x.t->data, got[64];
    hn_weight_grad(w->a, x.t);
    for (int k = 0; k < o->states; k++) {
        int64_t count = hn_optim_count(o, params, &x, k);
        if (count) state[k] = hn_new_n(w->a, float, count);
    }
    bool whole = o->takes_whole && o->takes_whole(params, &x);
    float *scratch = whole ? hn_alloc(w->a, o->scratch(params, &x), sizeof(float), 64) : NULL;
    if (transposed) turn(data, s->start, s->size[0], s->size[1]);
    else memcpy(data, s->start, (size_t)n * sizeof(float));
    for (int step = 0; step < OPTIM_STEPS; step++) {
        hn_optim_state st = { .step = step + 1, .lr = *(const double *)((const char *)params + o->lr_offset), .share = 1, .decay = decay,
                              .grad_scale = 0.5, .pool = hn_job_pool(w->job), .params = params };
        const float *g = s->grads + step * n;
        if (transposed) turn(x.t->grad, g, s->size[0], s->size[1]);
        else memcpy(x.t->grad, g, (size_t)n * sizeof(float));
        for (int64_t i = 0; i < n; i++) x.t->grad[i] *= 2;                  /* grad_scale takes it back */
        if (whole) o->whole(&st, &x, state, scratch);
        else o->step(&st, data, x.t->grad, state, n);
        if (transposed) turn(got, data, s->size[1], s->size[0]);
        else memcpy(got, data, (size_t)n * sizeof(float));
        for (int64_t i = 0; i < n; i++) {
            double error = fabs((double)got[i] - (double)want[step * n + i]);
            if (!(error <= tolerance))
                fail_msg("%s %s step %d [%d]: %.9g, not %.9g", optim, s->name, step + 1, (int)i, (double)got[i], (double)want[step * n + i]);
        }
    }
    w->s = keep;
}

static void as_pytorch(void **state)
{
    world w;
    open_world(&w, 2);
    for (hn_isa isa = HN_ISA_PLAIN; isa < HN_ISA_COUNT; isa++) {
        hn_cpu_isa_force(isa);
        trajectory(&w, "sgd", "lr=0.1 momentum=0", 0.05, &wide, false, optim_sgd_plain_wide, 1e-6);
        trajectory(&w, "sgd", "lr=0.1", 0.05, &wide, false, optim_sgd_momentum_wide, 1e-6);
        trajectory(&w, "sgd", "lr=0.1 nesterov=true", 0.05, &wide, false, optim_sgd_nesterov_wide, 1e-6);
        trajectory(&w, "lion", "lr=0.01", 0.3, &wide, false, optim_lion_wide, 1e-6);
        trajectory(&w, "lion", "lr=0.01", 0.3, &vector, false, optim_lion_vector, 1e-6);
        for (int turned = 0; turned < 2; turned++) {
            trajectory(&w, "muon", "lr=0.02", 0.1, &tall, turned, optim_muon_tall, 2e-6);
            trajectory(&w, "muon", "lr=0.02", 0.1, &wide, turned, optim_muon_wide, 2e-6);
            trajectory(&w, "muon", "lr=0.02 scale=rms", 0.1, &tall, turned, optim_muon_rms_tall, 2e-6);
            trajectory(&w, "muon", "lr=0.02 scale=rms", 0.1, &wide, turned, optim_muon_rms_wide, 2e-6);
            trajectory(&w, "muon", "lr=0.02 nesterov=false momentum=0.8 iterations=3", 0, &tall, turned, optim_muon_plain_tall, 2e-6);
            trajectory(&w, "muon", "lr=0.02 nesterov=false momentum=0.8 iterations=3", 0, &wide, turned, optim_muon_plain_wide, 2e-6);
        }
        trajectory(&w, "muon", "lr=0.02 adamw_lr=0.003", 0.1, &vector, false, optim_muon_adamw_vector, 1e-6);
        trajectory(&w, "adafactor", "lr=0.01", 0.1, &tall, false, optim_adafactor_tall, 1e-6);
        trajectory(&w, "adafactor", "lr=0.01", 0.1, &wide, false, optim_adafactor_wide, 1e-6);
        trajectory(&w, "adafactor", "lr=0.01", 0.1, &vector, false, optim_adafactor_vector, 1e-6);
        trajectory(&w, "adafactor", "lr=0.9 eps1=1e-2 clip=1.1 decay_rate=-0.5", 0, &tall, false, optim_adafactor_high_tall, 1e-5);
        trajectory(&w, "adafactor", "lr=0.9 eps1=1e-2 clip=1.1 decay_rate=-0.5", 0, &wide, false, optim_adafactor_high_wide, 1e-5);
        trajectory(&w, "adafactor", "lr=0.9 eps1=1e-2 clip=1.1 decay_rate=-0.5", 0, &vector, false, optim_adafactor_high_vector, 1e-5);
    }
    hn_cpu_isa_force(HN_ISA_COUNT - 1);
    close_world(&w);
}

/* ---- muon's tiles: a map of several tiles with odd edges against plain loops in double ---- */
static void times(double *out, const double *x, const double *y, int64_t m, int64_t k, int64_t n)
{
    memset(out, 0, (size_t)(m * n) * sizeof *out);
    for (int64_t i = 0; i < m; i++)
        for (int64_t l = 0; l < k; l++)
            for (int64_t j = 0; j < n; j++) out[i * n + j] += x[i * k + l] * y[l * n + j];
}

/* x (m,n) after five steps. */
static void newton_schulz(hn_arena *a, double *x, int64_t m, int64_t n)
{
    double *t = hn_new_n(a, double, m * n), *g = hn_new_n(a, double, m * m), *gg = hn_new_n(a, double, m * m), *y = hn_new_n(a, double, m * n);
    double sum = 0;
    for (int64_t i = 0; i < m * n; i++) sum += x[i] * x[i];
    for (int64_t i = 0; i < m * n; i++) x[i] /= sqrt(sum);
    for (int step = 0; step < 5; step++) {
        for (int64_t i = 0; i < m; i++)
            for (int64_t j = 0; j < n; j++) t[j * m + i] = x[i * n + j];
        times(g, x, t, m, n, m);
        times(gg, g, g, m, m, m);
        for (int64_t i = 0; i < m * m; i++) g[i] = -4.7750 * g[i] + 2.0315 * gg[i];
        times(y, g, x, m, m, n);
        for (int64_t i = 0; i < m * n; i++) x[i] = 3.4445 * x[i] + y[i];
    }
}

static void large_map(int64_t rows, int64_t cols, bool transposed, int parts, bool split)
{
    world w;
    open_world(&w, 3);
    set(&w, "optim.name", "muon");
    set(&w, "optim.split", split ? "true" : "false");
    const hn_item *item;
    const void *params = hn_settings_variant(w.s, "optim", &item);
    int64_t size[2] = { rows, cols }, n = rows * cols, maps = split && parts ? parts : 1;
    hn_weight x = { .t = hn_weight_new(w.a, "x", 2, size, false), .transposed = transposed, .parts = parts };
    hn_weight_grad(w.a, x.t);
    hn_rng_fill_normal(3, HN_STREAM_TEST, 0, x.t->grad, n, 1e-7);
    float *m = hn_new_n(w.a, float, n), *none = NULL, *state[2] = { m, none }, *got = x.t->data;
    hn_optim_state st = { .step = 1, .lr = 1, .share = 1, .grad_scale = 1, .pool = hn_job_pool(w.job), .params = params };
    hn_optim_muon.whole(&st, &x, state, hn_alloc(w.a, hn_optim_muon.scratch(params, &x), sizeof(float), 64));
    int64_t r = transposed ? rows : rows / maps, c = transposed ? cols / maps : cols;
    double scale = sqrt(HN_MAX(1, transposed ? (double)c / (double)r : (double)r / (double)c)), worst = 0;
    for (int64_t part = 0; part < maps; part++) {
        int64_t at = transposed ? part * c : part * r * cols;
        double *u = hn_new_n(w.a, double, r * c);
        for (int64_t i = 0; i < r; i++)
            for (int64_t j = 0; j < c; j++) {
                double v = (double)x.t->grad[at + i * cols + j];
                if (r <= c) u[i * c + j] = v;
                else u[j * r + i] = v;
            }
        newton_schulz(w.a, u, HN_MIN(r, c), HN_MAX(r, c));
        for (int64_t i = 0; i < r; i++)
            for (int64_t j = 0; j < c; j++)
                worst = HN_MAX(worst, fabs((double)got[at + i * cols + j] + scale * (r <= c ? u[i * c + j] : u[j * r + i])));
    }
    if (!(worst < 2e-5)) fail_msg("off by %g", worst);
    close_world(&w);
}

static void muon_tiles(void **state)
{
    large_map(140, 300, false, 0, true);
    large_map(300, 140, false, 0, true);
    large_map(40, 390, true, 3, true);
    large_map(40, 390, true, 3, false);
    large_map(330, 50, false, 3, true);
}

/* ---- trainings ---- */
static const char *const others[] = { "sgd", "lion", "muon", "adafactor" };

static void overfits(void **state)
{
    static const struct { const char *optim, *lr; } with[] = { { "sgd", "0.3" }, { "lion", "6e-3" }, { "muon", "0.02" }, { "adafactor", "0.1" } };
    for (int64_t k = 0; k < HN_LEN(with); k++) {
        world w;
        open_world(&w, 2);
        set(&w, "optim.name", with[k].optim);
        set(&w, "optim.lr", with[k].lr);
        if (!strcmp(with[k].optim, "muon")) set(&w, "optim.adamw_lr", "1e-2");
        if (!strcmp(with[k].optim, "sgd")) set(&w, "optim.nesterov", "true");
        set(&w, "train.steps", "200");
        hn_trainer *t = trainer(&w);
        double loss = 0;
        hn_batch_get(t->batches, 0, t->x, t->y);
        for (int i = 0; i < 200; i++) assert_true(hn_trainer_step_on(t, &loss));
        if (!(loss < 0.15)) fail_msg("%s: loss %g", with[k].optim, loss);
        close_world(&w);
    }
}

static void any_threads(void **state)
{
    for (int64_t k = 0; k < HN_LEN(others); k++) {
        world w[3];
        hone_model *first = NULL;
        for (int i = 0; i < 3; i++) {
            open_world(&w[i], i == 2 ? 5 : i + 1);
            set(&w[i], "model.width", "96");
            set(&w[i], "model.bias", "true");
            set(&w[i], "train.ema", "0.9");
            set(&w[i], "optim.name", others[k]);
            hn_trainer *t = trainer(&w[i]);
            steps(&w[i], t, 3, NULL);
            if (first) same_weights(first, t->m);
            else first = t->m;
        }
        for (int i = 0; i < 3; i++) close_world(&w[i]);
    }
}

static void goes_on(void **state)
{
    for (int64_t k = 0; k < HN_LEN(others); k++) {
        world w;
        open_world(&w, 2);
        set(&w, "optim.name", others[k]);
        set(&w, "model.bias", "true");
        const char *out = hn_path_join(w.a, w.dir, "out");
        hn_trainer *whole = trainer(&w), *half = trainer(&w), *rest = trainer(&w);
        double x[10], y[10];
        steps(&w, whole, 10, x);
        steps(&w, half, 5, y);
        assert_true(hn_trainer_save(half, out));
        if (!hn_trainer_load(rest, out)) fail_msg("%s", hone_error_message(w.job));
        steps(&w, rest, 5, y + 5);
        assert_memory_equal(x, y, sizeof x);
        same_weights(whole->m, rest->m);
        close_world(&w);
    }
}

/* ---- accumulation ---- */
static void accumulates(void **state)
{
    /* 8 windows at once or four times 2, targets ignored unevenly and one micro-batch without any: one gradient, by plain descent. */
    world w;
    open_world(&w, 2);
    set(&w, "optim.name", "sgd");
    set(&w, "optim.momentum", "0");
    set(&w, "optim.lr", "1");
    set(&w, "train.clip", "0");
    set(&w, "sched.warmup", "0");
    set(&w, "train.batch", "8");
    hn_trainer *one = trainer(&w);
    w.s = hn_settings_clone(w.a, w.s);
    set(&w, "train.batch", "2");
    set(&w, "train.accumulate", "4");
    hn_trainer *four = trainer(&w);
    double x, y;
    hn_batch_get(one->batches, 0, one->x, one->y);
    for (int i = 0; i < 8 * 16; i++)
        if (i < 29 || (i >= 64 && i < 96) || i % 5 == 0) one->y[i] = -1;
    memcpy(four->x, one->x, 8 * 16 * sizeof(int32_t));
    memcpy(four->y, one->y, 8 * 16 * sizeof(int32_t));
    assert_true(hn_trainer_step_on(one, &x));
    assert_true(hn_trainer_step_on(four, &y));
    assert_near(x, y, 1e-6);
    assert_int_equal(one->now.tokens, four->now.tokens);
    for (int64_t i = 0; i < one->m->n_w; i++)
        for (int64_t k = 0; k < hn_count(one->m->w[i].t); k++)
            assert_near(((float *)one->m->w[i].t->data)[k], ((float *)four->m->w[i].t->data)[k], 1e-6);
    close_world(&w);
}

/* ---- memory ---- */
static void state_sizes(void **state)
{
    /* (16,16,2 layers, context 16, vocabulary V): floats that each optimizer keeps between steps. */
    world w;
    open_world(&w, 1);
    int64_t V = w.d.tok->vocab, C = 16, matrices = 2 * 12 * C * C, vectors = 5 * C, tables = (V + 16) * C, all = matrices + vectors + tables;
    const int64_t want[] = { all, all, all + tables + vectors,
                             vectors + 2 * (4 * C + 2 * C + 5 * C + 5 * C) + (V + C) + (16 + C) };
    for (int64_t k = 0; k < HN_LEN(others); k++) {
        hn_plan plan;
        set(&w, "optim.name", others[k]);
        hn_trainer *t = trainer(&w);
        int64_t n = 0;
        for (int64_t i = 0; i < t->m->n_w; i++)
            for (int j = 0; j < t->optim->states; j++) n += hn_optim_count(t->optim, t->optim_params, &t->m->w[i], j);
        assert_int_equal(n, want[k]);
        assert_true(hn_plan_make(w.a, w.s, &w.d, 0, NULL, &plan));
        assert_int_equal(plan.bytes_states, 4 * (n + hn_optim_scratch(t->optim, t->optim_params, t->m)));
        steps(&w, t, 2, NULL);
        int64_t live = hn_memory_live(w.job);
        steps(&w, t, 5, NULL);
        assert_int_equal(hn_memory_live(w.job), live);
    }
    set(&w, "optim.name", "sgd");
    set(&w, "optim.momentum", "0");
    hn_plan plan;
    assert_true(hn_plan_make(w.a, w.s, &w.d, 0, NULL, &plan));
    assert_int_equal(plan.bytes_states, 0);
    close_world(&w);
}

/* ---- groups ---- */
static int64_t find(const hone_model *m, const char *part)
{
    for (int64_t i = 0; i < m->n_w; i++)
        if (strstr(m->w[i].t->name, part)) return i;
    fail_msg("no weight like %s", part);
    return -1;
}

static void groups(void **state)
{
    world w;
    open_world(&w, 1);
    set(&w, "optim.groups", "h.0.mlp.* lr=0,h.*.mlp.* lr=0.5 weight_decay=0,*.ln_1.weight weight_decay=0.25,transformer.wpe.* lr=3");
    hn_trainer *t = trainer(&w);
    const hn_weight_rule *still = &t->rule[find(t->m, "h.0.mlp.c_fc")], *half = &t->rule[find(t->m, "h.1.mlp.c_fc")];
    assert_near(still->lr, 0, 0);
    assert_near(still->decay, 0.1, 0);
    assert_near(half->lr, 0.5, 0);
    assert_near(half->decay, 0, 0);
    assert_near(t->rule[find(t->m, "h.1.ln_1")].decay, 0.25, 0);
    assert_near(t->rule[find(t->m, "h.1.ln_2")].decay, 0, 0);
    assert_near(t->rule[find(t->m, "wpe")].lr, 3, 0);
    assert_near(t->rule[find(t->m, "wte")].lr, 1, 0);
    hn_settings *grouped = w.s;
    w.s = hn_settings_clone(w.a, grouped);
    set(&w, "optim.groups", "");
    hn_trainer *same = trainer(&w);
    int64_t at = find(t->m, "h.0.mlp.c_fc"), n = hn_count(t->m->w[at].t);
    float *before = hn_new_n(w.a, float, n);
    memcpy(before, t->m->w[at].t->data, (size_t)n * sizeof(float));
    steps(&w, t, 1, NULL), steps(&w, same, 1, NULL);
    assert_memory_equal(before, t->m->w[at].t->data, (size_t)n * sizeof(float));
    at = find(t->m, "wpe");
    for (int i = 0; i < 16; i++) {                            /* adamw: the first step is lr·(sign + decay·w), thrice as long here */
        double start = 0, one, three;
        hone_model *m = hn_model_new(w.a, t->m->arch, t->m->params, t->m->vocab, false);
        assert_non_null(m);
        hn_model_init(m, 5);
        start = (double)((float *)m->w[at].t->data)[i];
        one = (double)((float *)same->m->w[at].t->data)[i] - start;
        three = (double)((float *)t->m->w[at].t->data)[i] - start;
        assert_near(three, 3 * one, 1e-6);
    }
    static const char *const wrong[][2] = {
        { "h.*.attention.* lr=1", "no weight is named like 'h.*.attention.*'" }, { "h.*", "neither lr nor weight_decay" },
        { "h.* lr=two", "'lr=two' is not a number" }, { "h.* lr=-1", "'lr=-1' is not a number from 0" },
        { "h.* rate=1", "unknown word 'rate=1'" },
    };
    for (int64_t i = 0; i < HN_LEN(wrong); i++) {
        set(&w, "optim.groups", wrong[i][0]);
        assert_null(hn_trainer_new(w.a, w.s, &w.d, NULL, 5));
        says(&w, HONE_E_VALUE, wrong[i][1]);
        hone_error_clear(w.job);
    }
    const char *yaml = "optim:\n  name: muon\n  groups:\n    - \"h.1.* lr=0.1\"\n    - \"* weight_decay=0\"\n";
    if (!hn_settings_yaml(w.s, w.a, "recipe", (hn_bytes){ (const uint8_t *)yaml, (int64_t)strlen(yaml) })) fail_msg("%s", hone_error_message(w.job));
    t = trainer(&w);
    assert_near(t->rule[find(t->m, "h.1.mlp.c_fc")].lr, 0.1, 0);
    assert_near(t->rule[find(t->m, "h.1.mlp.c_fc")].decay, 0.01, 0);
    assert_near(t->rule[find(t->m, "h.0.mlp.c_fc")].decay, 0, 0);
    close_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_pytorch), cmocka_unit_test(muon_tiles), cmocka_unit_test(overfits), cmocka_unit_test(any_threads),
        cmocka_unit_test(goes_on),
        cmocka_unit_test(accumulates), cmocka_unit_test(state_sizes), cmocka_unit_test(groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
