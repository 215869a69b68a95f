/* Operators, from the table: finite differences under a random projection, frozen inputs, kernels against references for every
 * instruction set and number of threads, the null backend's memory, and golden values of PyTorch. */
#include "tape_help.h"
#include "golden/ops.h"

enum { MAX_ELEMENTS = 1 << 16, CHECKED = 24 };
typedef struct bench {
    hone_job *job;
    hn_arena *a;
    const hn_op *op;
    const hn_op_case *c;
    hone_tensor *w[HN_MAX_IN]; /* f32 inputs as weights, the wide ones where the case wants views */
    int32_t *ids[HN_MAX_IN];
    float *r; /* projection */
} bench;
typedef struct result {
    float *y;
    int64_t n;
    double loss;
    float *grad[HN_MAX_IN];
    int64_t peak, now;
    double forward, backward;
} result;

static const int64_t WIDER = 5, OFFSET = 3;
static bool as_view(const bench *b, int i) { return b->c->views && b->c->dims[i] > 1 && b->w[i]; }

static bench bench_new(hone_job *job, const hn_op *op, const hn_op_case *c) {
    bench b = {.job = job, .a = hn_arena_new(hn_job_arena(job)), .op = op, .c = c};
    for (int i = 0; i < op->n_in; i++) {
        if (!c->shape[i]) continue;
        int64_t shape[HONE_MAX_DIMS], n = 1;
        for (int d = 0; d < c->dims[i]; d++) n *= shape[d] = c->shape[i][d];
        if (c->int_max[i]) {
            hn_rng r = hn_rng_new(7, HN_STREAM_TEST, (uint32_t)i);
            int low = c->int_max[i] < 0, max = abs(c->int_max[i]);
            b.ids[i] = hn_new_n(b.a, int32_t, n + 1);
            for (int64_t k = 0; k < n; k++) b.ids[i][k] = (int32_t)hn_rng_below(&r, max + low) - low;
            continue;
        }
        if (c->views && c->dims[i] > 1) shape[c->dims[i] - 1] += WIDER;
        b.w[i] = weight(b.a, hn_fmt(b.a, "in%d", i), c->dims[i], shape, 100 + (uint64_t)i, 1);
    }
    b.r = hn_new_n(b.a, float, MAX_ELEMENTS);
    hn_rng_fill_normal(9, HN_STREAM_TEST, 1, b.r, MAX_ELEMENTS, 1);
    return b;
}

static hone_tensor *forward(bench *b, hone_tape *t, hone_mode mode, hone_tensor **y, double *exact) {
    hone_tensor *in[HN_MAX_IN] = {0};
    hone_tape_begin(t, mode, 5, 3);
    for (int i = 0; i < b->op->n_in; i++) {
        in[i] = b->ids[i] ? hone_input_i32(t, b->ids[i], b->c->dims[i], b->c->shape[i]) : b->w[i];
        if (as_view(b, i)) in[i] = hone_columns(t, in[i], OFFSET, b->c->shape[i][b->c->dims[i] - 1]);
    }
    *y = hn_apply(t, b->op, b->c->attr, in);
    return project(t, *y, b->r, exact);
}

/* wants: which inputs are trained, as bits. Gradients start from 0.5, so that overwriting shows. */
static result run(bench *b, const char *backend, bool references, unsigned wants) {
    result out = {0};
    hone_tape *t = hone_tape_new(b->job, backend);
    assert_non_null(t);
    if (references) hn_tape_use_references(t);
    for (int i = 0; i < b->op->n_in; i++)
        if (b->w[i]) {
            b->w[i]->wants_grad = wants >> i & 1;
            for (int64_t k = 0; k < hn_count(b->w[i]); k++) b->w[i]->grad[k] = 0.5f;
        }
    hone_tensor *y, *loss = forward(b, t, HONE_TRAIN, &y, &out.loss);
    if (!hone_ok(t)) fail_msg("%s (%s): %s", b->op->item.name, b->c->doc, hone_error_message(b->job));
    out.n = hn_count(y);
    assert_true(out.n <= MAX_ELEMENTS);
    out.y = hn_new_n(b->a, float, out.n + 1);
    for (int64_t k = 0; k < out.n; k++) out.y[k] = (float)hone_tensor_item(y, k);
    if (loss->wants_grad && !hone_backward(t, loss)) fail_msg("%s (%s): %s", b->op->item.name, b->c->doc, hone_error_message(b->job));
    for (int i = 0; i < b->op->n_in; i++)
        if (b->w[i] && wants >> i & 1) {
            out.grad[i] = hn_new_n(b->a, float, hn_count(b->w[i]) + 1);
            for (int64_t k = 0; k < hn_count(b->w[i]); k++) out.grad[i][k] = b->w[i]->grad[k] - 0.5f;
        }
    hn_tape_stats s;
    hn_tape_stats_get(t, &s);
    out.peak = s.pool_peak;
    out.now = s.pool_now;
    out.forward = s.flops_forward;
    out.backward = s.flops_backward;
    hone_tape_free(t);
    return out;
}

static void compare(const bench *b, const char *what, const float *x, const float *want, int64_t n, double tolerance) {
    double scale = fmax(1, largest(want, n));
    for (int64_t k = 0; k < n; k++)
        if (!(fabs(x[k] - want[k]) <= tolerance * scale))
            fail_msg("%s (%s), %s: [%lld] is %.9g, not %.9g", b->op->item.name, b->c->doc, what, (long long)k, x[k], want[k]);
}

static void compare_all(const bench *b, const char *what, const result *x, const result *want, double tolerance) {
    assert_int_equal(x->n, want->n);
    compare(b, what, x->y, want->y, x->n, tolerance);
    for (int i = 0; i < b->op->n_in; i++)
        if (x->grad[i] && want->grad[i])
            compare(b, hn_fmt(b->a, "%s, gradient %d", what, i), x->grad[i], want->grad[i], hn_count(b->w[i]), tolerance);
}

static void each(void (*fn)(bench *b), const hone_options *options) {
    for (int64_t i = 0; i < hn_kind_op.n; i++) {
        const hn_op *op = (const hn_op *)hn_kind_op.items[i];
        assert_true(op->n_cases > 0);
        for (int64_t k = 0; k < op->n_cases; k++) {
            hone_job *job = hone_open(options);
            bench b = bench_new(job, op, &op->cases[k]);
            fn(&b);
            hone_close(job);
        }
    }
}

/* Five-point difference of the reference, O(h⁴). */
static double slope(bench *b, hone_tape *t, float *x, double h) {
    static const double at[4] = {-2, -1, 1, 2}, by[4] = {1.0 / 12, -8.0 / 12, 8.0 / 12, -1.0 / 12};
    float keep = *x;
    double s = 0, exact;
    hone_tensor *y;
    for (int i = 0; i < 4; i++) {
        volatile float moved = (float)(keep + at[i] * h);
        *x = moved;
        forward(b, t, HONE_TRAIN, &y, &exact);
        s += by[i] * exact;
    }
    *x = keep;
    return s / h;
}

static void differences(bench *b) {
    result got = run(b, "cpu", true, 31);
    hone_tape *t = hone_tape_new(b->job, NULL);
    hn_tape_use_references(t);
    hn_rng r = hn_rng_new(11, HN_STREAM_TEST, 2);
    int64_t kinks = 0, done = 0;
    for (int i = 0; i < b->op->n_in; i++) {
        if (!b->w[i] || !hn_count(b->w[i]) || b->op->constant >> i & 1) continue;
        int64_t n = hn_count(b->w[i]);
        double scale = fmax(1, largest(got.grad[i], n));
        for (int64_t k = 0; k < HN_MIN(n, CHECKED); k++, done++) {
            int64_t at = n <= CHECKED ? k : hn_rng_below(&r, n);
            double d = slope(b, t, (float *)b->w[i]->data + at, 0.02), d2 = slope(b, t, (float *)b->w[i]->data + at, 0.01);
            if (fabs(d - d2) > 2e-3 * scale) {
                kinks++;
                continue;
            } /* relu bends between the points */
            if (fabs(d2 - got.grad[i][at]) > 1e-3 * scale)
                fail_msg("%s (%s): d/d input %d [%lld] is %.7g, differences say %.7g", b->op->item.name, b->c->doc, i, (long long)at,
                         got.grad[i][at], d2);
        }
    }
    if (kinks * 5 > done || (kinks && !strstr(b->c->doc, "relu") && !strstr(b->c->doc, "max")))
        fail_msg("%s (%s): %lld bends in %lld", b->op->item.name, b->c->doc, (long long)kinks, (long long)done);
    assert_true(hone_ok(t));
}
static void test_differences(void **state) { each(differences, &(hone_options){.threads = 1}); }

/* An input that nobody trains gets nothing and changes nothing for the others. */
static void frozen(bench *b) {
    result all = run(b, "cpu", false, 31);
    for (int i = 0; i < b->op->n_in; i++)
        if (b->w[i]) {
            result one = run(b, "cpu", false, 1u << i);
            compare_all(b, "others frozen", &one, &all, 1e-6);
        }
    hone_tensor *y;
    hone_tape *t = hone_tape_new(b->job, NULL);
    if (strstr(b->c->doc, "dropout") || !strcmp(b->op->item.name, "dropout")) return;
    forward(b, t, HONE_EVAL, &y, NULL);
    assert_true(hone_ok(t));
    float *eval = hn_new_n(b->a, float, all.n + 1);
    for (int64_t k = 0; k < all.n; k++) eval[k] = (float)hone_tensor_item(y, k);
    compare(b, "evaluation", eval, all.y, all.n, 1e-6);
}
static void test_frozen(void **state) { each(frozen, &(hone_options){.threads = 1}); }

static void parity(bench *b) {
    result want = run(b, "cpu", true, 31), got = run(b, "cpu", false, 31), checked = run(b, "check", false, 31);
    compare_all(b, hn_isa_name(hn_cpu_isa()), &got, &want, 3e-5);
    compare_all(b, "check", &checked, &got, 0);
}
static void test_parity(void **state) {
    hn_isa best = hn_cpu_isa();
    for (hn_isa isa = HN_ISA_PLAIN; isa <= best; isa++) {
        hn_cpu_isa_force(isa);
        each(parity, &(hone_options){.threads = 2});
    }
    hn_cpu_isa_force(best);
}

/* The same bits for any number of threads. */
static void threads(bench *b) {
    result one = run(b, "cpu", false, 31);
    for (int n = 2; n <= 3; n++) {
        hone_job *job = hone_open(&(hone_options){.threads = n});
        bench other = bench_new(job, b->op, b->c);
        result many = run(&other, "cpu", false, 31);
        compare_all(b, "threads", &many, &one, 0);
        hone_close(job);
    }
}
static void test_threads(void **state) { each(threads, &(hone_options){.threads = 1}); }

static void dry(bench *b) {
    result real = run(b, "cpu", false, 31), null = run(b, "null", false, 31);
    assert_int_equal(real.peak, null.peak);
    assert_int_equal(real.now, null.now);
    assert_true(real.forward == null.forward && real.backward == null.backward);
}
static void test_dry(void **state) { each(dry, &(hone_options){.threads = 1}); }

/* ---- golden ---- */
typedef struct gold {
    hone_job *job;
    hone_tape *t;
    hn_arena *a;
} gold;
static hone_tensor *put(gold *g, const float *v, int dims, const int64_t *shape) {
    hone_tensor *w = weight(g->a, "golden", dims, shape, 0, 0);
    memcpy(w->data, v, (size_t)hn_count(w) * sizeof *v);
    return w;
}
static void near(const float *x, const float *want, int64_t n) {
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        if (fabs(x[i] - want[i]) > 2e-6 * (1 + fabs(want[i]))) fail_msg("[%lld] is %.9g, PyTorch says %.9g", (long long)i, x[i], want[i]);
}
#define NEAR(x, want) near(x, want, HN_LEN(want))
static void back(gold *g, hone_tensor *y, const float *want, int64_t n, const float *r) {
    near(hone_tensor_f32(y), want, n);
    hone_tensor *loss = project(g->t, y, r, NULL);
    if (!hone_backward(g->t, loss)) fail_msg("%s", hone_error_message(g->job));
}
#define BACK(g, y, name) back(g, y, name##_y, HN_LEN(name##_y), name##_r)
static void golden(bool references) {
    gold G = {.job = hone_open(&(hone_options){.threads = 1})}, *g = &G;
    G.a = hn_job_arena(G.job);
    G.t = hone_tape_new(G.job, NULL);
    if (references) hn_tape_use_references(G.t);
#define BEGIN() hone_tape_begin(G.t, HONE_TRAIN, 1, 1)
    BEGIN();
    hone_tensor *x = put(g, layernorm_x, DIMS(3, 7)), *w = put(g, layernorm_w, DIMS(7)), *b = put(g, layernorm_b, DIMS(7));
    BACK(g, hone_layernorm(G.t, x, w, b, 1e-5f), layernorm);
    NEAR(x->grad, layernorm_dx), NEAR(w->grad, layernorm_dw), NEAR(b->grad, layernorm_db);
#define ATTENTION(name, T, C)                                                                                                              \
    do {                                                                                                                                   \
        BEGIN();                                                                                                                           \
        hone_tensor *q = put(g, name##_q, DIMS(2, T, 6)), *k = put(g, name##_k, DIMS(2, 5, 6)), *v = put(g, name##_v, DIMS(2, 5, 6));      \
        BACK(g, hone_attention(G.t, q, k, v, &(hone_attention_opts){.heads = 2, .causal = C}), name);                                      \
        NEAR(q->grad, name##_dq), NEAR(k->grad, name##_dk), NEAR(v->grad, name##_dv);                                                      \
    } while (0)
    ATTENTION(attention_causal, 5, true);
    ATTENTION(attention_later, 2, true);
    ATTENTION(attention_full, 3, false);
#define GELU(name, form) BEGIN(), x = put(g, name##_x, DIMS(12)), BACK(g, hone_gelu(G.t, x, form), name), NEAR(x->grad, name##_dx)
    GELU(gelu, false);
    GELU(gelu_tanh, true);
    BEGIN();
    float per_token[6];
    x = put(g, loss_h, DIMS(2, 3, 4)), w = put(g, loss_w, DIMS(9, 4));
    BACK(g,
         hone_linear_cross_entropy(G.t, x, w, hone_input_i32(G.t, loss_t, DIMS(2, 3)), &(hone_cross_entropy_opts){.per_token = per_token}),
         loss);
    NEAR(x->grad, loss_dh), NEAR(w->grad, loss_dw), NEAR(per_token, loss_per_token);
    for (int transposed = 0; transposed < 2; transposed++) {
        float turned[15];
        for (int i = 0; i < 15; i++) turned[i] = linear_w[transposed ? i % 3 * 5 + i / 3 : i];
        BEGIN();
        x = put(g, linear_x, DIMS(4, 5)), b = put(g, linear_b, DIMS(3));
        w = transposed ? put(g, turned, DIMS(5, 3)) : put(g, turned, DIMS(3, 5));
        BACK(g, hone_linear(G.t, x, w, b, transposed, HONE_ACT_GELU_TANH), linear);
        NEAR(x->grad, linear_dx), NEAR(b->grad, linear_db);
        for (int i = 0; i < 15; i++) turned[i] = w->grad[transposed ? i % 5 * 3 + i / 5 : i];
        NEAR(turned, linear_dw);
    }
    hone_close(G.job);
}
static void test_golden(void **state) {
    golden(true);
    golden(false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden), cmocka_unit_test(test_differences), cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_parity), cmocka_unit_test(test_threads),     cmocka_unit_test(test_dry),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
