/* Operators, from the table: finite differences under a random projection, frozen inputs, kernels against references for every
 * instruction set and number of threads, the null backend's memory, and golden values of PyTorch. */
#include "op_bench.h"
#include "golden/ops.h"

enum { CHECKED = 24 };

static void compare_all(const bench *b, const char *what, const result *x, const result *want, double tolerance) {
    assert_int_equal(x->n, want->n);
    compare(b, what, x->y, want->y, x->n, tolerance);
    for (int i = 0; i < b->op->n_in; i++)
        if (x->grad[i] && want->grad[i])
            compare(b, hn_fmt(b->a, "%s, gradient %d", what, i), x->grad[i], want->grad[i], hn_count(b->w[i]), tolerance);
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
