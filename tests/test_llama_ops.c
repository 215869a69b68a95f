/* Operators of the llama family against PyTorch and transformers: rmsnorm, rope and its scalings, attention's masks, alone and
 * together; references and kernels. Refusals, and that a cache gives what one pass gives. */
#include "tape_help.h"
#include "golden/llama_ops.h"

typedef struct box {
    hone_job *job;
    hn_arena *a;
    hone_tape *t;
} box;
static box open_box(bool references) {
    box b = { .job = hone_open(&(hone_options){ .threads = 2 }) };
    b.a = hn_job_arena(b.job);
    b.t = hone_tape_new(b.job, NULL);
    if (references) hn_tape_use_references(b.t);
    hone_tape_begin(b.t, HONE_TRAIN, 1, 1);
    return b;
}
static hone_tensor *put(box *b, const float *v, int dims, const int64_t *shape) {
    hone_tensor *w = weight(b->a, "golden", dims, shape, 0, 0);
    memcpy(w->data, v, (size_t)hn_count(w) * sizeof *v);
    return w;
}
static void near(const char *what, const float *x, const float *want, int64_t n, double tolerance) {
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(x[i] - want[i]) <= tolerance * (1 + fabs(want[i]))))
            fail_msg("%s [%lld] is %.9g, PyTorch says %.9g", what, (long long)i, x[i], want[i]);
}
static void back(box *b, const char *what, hone_tensor *y, const float *want, const float *r) {
    if (!hone_ok(b->t)) fail_msg("%s: %s", what, hone_error_message(b->job));
    near(what, hone_tensor_f32(y), want, hn_count(y), 2e-6);
    if (!hone_backward(b->t, project(b->t, y, r, NULL))) fail_msg("%s", hone_error_message(b->job));
}

static void test_rmsnorm(void **state) {
    for (int references = 0; references < 2; references++) {
        box b = open_box(references);
        hone_tensor *x = put(&b, rmsnorm_x, DIMS(3, 7)), *w = put(&b, rmsnorm_w, DIMS(7));
        back(&b, "rmsnorm", hone_rmsnorm(b.t, x, w, 1e-5f), rmsnorm_y, rmsnorm_r);
        near("dx", x->grad, rmsnorm_dx, HN_LEN(rmsnorm_dx), 2e-6), near("dw", w->grad, rmsnorm_dw, HN_LEN(rmsnorm_dw), 2e-6);
        hone_tape_begin(b.t, HONE_TRAIN, 1, 1);
        x = put(&b, rmsnorm_heads_x, DIMS(2, 3, 8)), w = put(&b, rmsnorm_heads_w, DIMS(4));
        back(&b, "heads", hone_rmsnorm(b.t, x, w, 1e-6f), rmsnorm_heads_y, rmsnorm_heads_r);
        near("dx", x->grad, rmsnorm_heads_dx, HN_LEN(rmsnorm_heads_dx), 2e-6);
        near("dw", w->grad, rmsnorm_heads_dw, HN_LEN(rmsnorm_heads_dw), 2e-6);
        hone_close(b.job);
    }
}

static void test_rope_table(void **state) {
    static const struct {
        const char *name;
        const float *want;
        hone_rope_opts o;
    } v[] = {
        { "default", rope_default, { .scaling = HONE_ROPE_PLAIN } },
        { "linear", rope_linear, { .scaling = HONE_ROPE_LINEAR, .factor = 4 } },
        { "dynamic", rope_dynamic, { .scaling = HONE_ROPE_DYNAMIC, .factor = 2, .original = 16 } },
        { "llama3", rope_llama3, { .scaling = HONE_ROPE_LLAMA3, .factor = 8, .original = 64, .low = 1, .high = 4 } },
        { "yarn", rope_yarn, { .scaling = HONE_ROPE_YARN, .factor = 4, .original = 32, .beta_fast = 32, .beta_slow = 1 } },
    };
    box b = open_box(false);
    for (int64_t i = 0; i < HN_LEN(v); i++) {
        hone_rope_opts o = v[i].o;
        o.size = 8, o.base = 100;
        hone_tensor *p = hone_input_i32(b.t, rope_positions, DIMS(1, 20)), *y = hone_rope_table(b.t, p, 0, &o);
        if (!hone_ok(b.t)) fail_msg("%s: %s", v[i].name, hone_error_message(b.job));
        assert_int_equal(hn_count(y), 160);
        near(v[i].name, hone_tensor_f32(y), v[i].want, 160, 5e-6);
    }
    hone_close(b.job);
}

/* Both forms: interleaved pairs of the permuted columns are the half-split ones. */
static void test_rope(void **state) {
    const hone_rope_opts o = { .size = 8, .base = 100 };
    for (int references = 0; references < 2; references++)
        for (int interleaved = 0; interleaved < 2; interleaved++) {
            box b = open_box(references);
            float turned[2][192];
            const float *given[2] = { rope_x, rope_r };
            for (int k = 0; k < 2; k++)
                for (int i = 0; i < 192; i++) turned[k][i] = given[k][i - i % 8 + (i % 2 ? 4 + i % 8 / 2 : i % 8 / 2)];
            hone_tensor *x = put(&b, interleaved ? turned[0] : rope_x, DIMS(2, 6, 16));
            int32_t p[12];
            for (int i = 0; i < 12; i++) p[i] = rope_positions[i % 6];
            hone_tensor *table = hone_rope_table(b.t, hone_input_i32(b.t, p, DIMS(2, 6)), 0, &o);
            hone_tensor *y = hone_rope(b.t, x, table, 2, interleaved);
            assert_true(hone_ok(b.t));
            float got[2][192];
            memcpy(got[0], hone_tensor_f32(y), sizeof got[0]);
            assert_true(hone_backward(b.t, project(b.t, y, interleaved ? turned[1] : rope_r, NULL)));
            memcpy(got[1], x->grad, sizeof got[1]);
            for (int k = 0; k < 2; k++)
                for (int i = 0; i < 192; i++) {
                    int at = interleaved ? i - i % 8 + (i % 8 < 4 ? i % 8 * 2 : i % 8 * 2 - 7) : i;
                    near(k ? "dx" : "y", &got[k][at], k ? &rope_dx[i] : &rope_y[i], 1, 3e-6);
                }
            hone_close(b.job);
        }
}

static void test_attention(void **state) {
    for (int references = 0; references < 2; references++)
        for (int64_t i = 0; i < HN_LEN(attention_golden); i++) {
            const __typeof__(attention_golden[0]) *g = &attention_golden[i];
            box b = open_box(references);
            hone_tensor *q = put(&b, g->q, DIMS(2, g->T, 3 * g->heads)), *k = put(&b, g->k, DIMS(2, 7, 3 * g->kv_heads)),
                        *v = put(&b, g->v, DIMS(2, 7, 3 * g->kv_heads));
            hone_attention_opts o = {
                .heads = g->heads, .kv_heads = g->kv_heads, .causal = g->causal, .window = g->window, .softcap = g->cap
            };
            if (g->lengths) o.lengths = hone_input_i32(b.t, g->lengths, DIMS(2));
            if (g->documents) o.documents = hone_input_i32(b.t, g->documents, DIMS(2, 7));
            back(&b, g->name, hone_attention(b.t, q, k, v, &o), g->y, g->r);
            near(g->name, q->grad, g->dq, hn_count(q), 3e-6);
            near(g->name, k->grad, g->dk, hn_count(k), 3e-6);
            near(g->name, v->grad, g->dv, hn_count(v), 3e-6);
            hone_close(b.job);
        }
}

/* A query that sees nothing gives zeros and asks for nothing; keys under a mask may be anything. */
static void test_nothing_to_see(void **state) {
    for (int references = 0; references < 2; references++) {
        box b = open_box(references);
        hone_tensor *q = weight(b.a, "q", DIMS(2, 9, 8), 1, 1), *k = weight(b.a, "k", DIMS(2, 9, 8), 2, 1),
                    *v = weight(b.a, "v", DIMS(2, 9, 8), 3, 1);
        float r[144];
        for (int i = 0; i < 144; i++) r[i] = 1, ((float *)k->data)[i] *= 1e4f; /* scores far apart */
        hone_tensor *len = hone_input_i32(b.t, (int32_t[]){ 0, 4 }, DIMS(2));
        hone_tensor *y = hone_attention(b.t, q, k, v, &(hone_attention_opts){ .heads = 2, .window = 2, .causal = true, .lengths = len });
        assert_true(hone_ok(b.t));
        for (int t = 0; t < 18; t++)
            for (int c = 0; c < 8; c++) {
                double x = hone_tensor_item(y, t * 8 + c);
                assert_true(isfinite(x) && (x == 0) == (t < 9 || t >= 9 + 5));
            }
        assert_true(hone_backward(b.t, project(b.t, y, r, NULL)));
        for (int i = 0; i < 144; i++) {
            assert_true(isfinite(q->grad[i]) && isfinite(k->grad[i]));
            if (i < 72 || i >= (9 + 4) * 8) assert_true(k->grad[i] == 0 && v->grad[i] == 0);
        }
        hone_close(b.job);
    }
}

static void test_refusals(void **state) {
#define REFUSED(call, text)                                                                                                                \
    do {                                                                                                                                   \
        box b = open_box(false);                                                                                                           \
        hone_tensor *q = weight(b.a, "q", DIMS(2, 3, 12), 1, 1), *k = weight(b.a, "k", DIMS(2, 3, 6), 2, 1),                               \
                    *w = weight(b.a, "w", DIMS(5), 1, 1);                                                                                  \
        assert_non_null(q &&k &&w ? call : NULL);                                                                                          \
        assert_false(hone_ok(b.t));                                                                                                        \
        assert_contains(hone_error_message(b.job), text);                                                                                  \
        assert_int_equal(hone_error_code(b.job), HONE_E_SHAPE);                                                                            \
        hone_close(b.job);                                                                                                                 \
    } while (0)
#define ATTEND(...) hone_attention(b.t, q, k, k, &(hone_attention_opts){ .causal = true, __VA_ARGS__ })
#define TABLE(T, SIZE, ...) hone_rope_table(b.t, NULL, T, &(hone_rope_opts){ .size = SIZE, .base = 10, __VA_ARGS__ })
    REFUSED(ATTEND(.heads = 4, .kv_heads = 3), "4 heads cannot share 3 heads of keys");
    REFUSED(ATTEND(.heads = 4), "q is (2,3,12) but k is (2,3,6)");
    REFUSED(ATTEND(.heads = 4, .kv_heads = 2, .window = -1), "a window of -1");
    REFUSED(ATTEND(.heads = 4, .kv_heads = 2, .lengths = hone_input_i32(b.t, (int32_t[]){ 1, 4 }, DIMS(2))), "length 4 of row 1");
    REFUSED(ATTEND(.heads = 4, .kv_heads = 2, .lengths = hone_input_i32(b.t, (int32_t[]){ 1 }, DIMS(1))), "lengths is (1)");
    REFUSED(ATTEND(.heads = 4, .kv_heads = 2, .documents = hone_input_i32(b.t, (int32_t[]){ 1, 4 }, DIMS(2, 1))), "documents is (2,1)");
    REFUSED(hone_rmsnorm(b.t, q, w, 1e-5f), "x is (2,3,12) but w is (5)");
    REFUSED(TABLE(3, 5, ), "pairs cannot be made of 5 columns");
    REFUSED(TABLE(3, 4, .scaling = HONE_ROPE_LLAMA3), "do not fit together");
    REFUSED(hone_rope_table(b.t, hone_input_i32(b.t, (int32_t[]){ 0, -1 }, DIMS(1, 2)), 0, &(hone_rope_opts){ .size = 4, .base = 10 }),
            "-1");
    REFUSED(hone_rope(b.t, q, TABLE(2, 4, ), 3, false), "the table is (2,4)");
    REFUSED(hone_rope(b.t, q, TABLE(3, 6, ), 3, false), "of 3 heads");
}

/* Token by token and in pieces through a cache of shared heads, with a window: the same as in one pass. */
static void test_cache(void **state) {
    enum { T = 150, C = 24, K = 8 };
    box b = open_box(false);
    const hone_attention_opts o = { .heads = 6, .kv_heads = 2, .causal = true, .window = 37 };
    const hone_rope_opts turns = { .size = 4, .base = 50 };
    float *x = hn_new_n(b.a, float, T *(C + 2 * K)), *want = hn_new_n(b.a, float, T *C);
    hn_rng_fill_normal(5, HN_STREAM_TEST, 0, x, T * (C + 2 * K), 1);
    for (int cached = 0; cached < 2; cached++) {
        static const int pieces[] = { 70, 1, 1, 3, 9, 66 };
        if (cached) assert_true(hone_tape_cache(b.t, 1, 1, T, K));
        for (int i = 0, at = 0; i < (cached ? (int)HN_LEN(pieces) : 1); i++) {
            int n = cached ? pieces[i] : T;
            hone_tape_begin(b.t, HONE_EVAL, 0, 0);
            hone_tensor *in = hone_input_f32(b.t, x + at * (C + 2 * K), DIMS(1, n, C + 2 * K)),
                        *table = hone_rope_table(b.t, NULL, n, &turns);
            hone_tensor *q = hone_rope(b.t, hone_columns(b.t, in, 0, C), table, 6, false),
                        *k = hone_rope(b.t, hone_columns(b.t, in, C, K), table, 2, false), *v = hone_columns(b.t, in, C + K, K);
            hone_tensor *y = hone_attention(b.t, q, k, v, &o);
            if (!hone_ok(b.t)) fail_msg("%s", hone_error_message(b.job));
            if (cached) near("cached", hone_tensor_f32(y), want + at * C, n * C, 3e-6);
            else memcpy(want, hone_tensor_f32(y), T * C * sizeof(float));
            at += n;
        }
    }
    hone_close(b.job);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rmsnorm),   cmocka_unit_test(test_rope_table),     cmocka_unit_test(test_rope),
        cmocka_unit_test(test_attention), cmocka_unit_test(test_nothing_to_see), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_cache),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
