/* The plain operators beside PyTorch: results and gradients, by references and by kernels; what they refuse, and in which words. */
#include "tape_help.h"
#include "golden/ops_basic.h"

typedef struct room {
    hone_job *job;
    hone_tape *t;
    hn_arena *a;
} room;
static room open_room(void) {
    room r = {.job = hone_open(&(hone_options){.threads = 2})};
    r.a = hn_job_arena(r.job);
    r.t = hone_tape_new(r.job, NULL);
    hone_tape_begin(r.t, HONE_TRAIN, 1, 1);
    return r;
}

/* ---- PyTorch's numbers ---- */
static hone_tensor *put(room *g, const float *v, int dims, const int64_t *shape) {
    hone_tensor *w = weight(g->a, "golden", dims, shape, 0, 0);
    memcpy(w->data, v, (size_t)hn_count(w) * sizeof *v);
    return w;
}
static void near(const char *what, const float *x, const float *want, int64_t n) {
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        if (fabs(x[i] - want[i]) > 2e-6 * (1 + fabs(want[i])))
            fail_msg("%s [%lld] is %.9g, PyTorch says %.9g", what, (long long)i, x[i], want[i]);
}
static void back(room *g, const char *what, hone_tensor *y, const float *want, int64_t n, const float *r) {
    if (!hone_ok(g->t)) fail_msg("%s: %s", what, hone_error_message(g->job));
    assert_int_equal(hn_count(y), n);
    near(what, hone_tensor_f32(y), want, n);
    hone_tensor *loss = project(g->t, y, r, NULL);
    if (!hone_backward(g->t, loss)) fail_msg("%s: %s", what, hone_error_message(g->job));
}
#define PUT(name, ...) put(g, name, DIMS(__VA_ARGS__))
#define BACK(name, y) back(g, #name, y, name##_y, HN_LEN(name##_y), name##_r)
#define NEAR(x, want) near(#want, x, want, HN_LEN(want))
#define BEGIN() hone_tape_begin(g->t, HONE_TRAIN, 1, 1)

static void golden_activations(room *g) {
    hone_tensor *x, *b;
#define ACT(name, act) BEGIN(), x = PUT(name##_x, 12), BACK(name, hone_activation(g->t, x, act)), NEAR(x->grad, name##_dx)
    ACT(relu, HONE_ACT_RELU);
    ACT(relu2, HONE_ACT_RELU2);
    ACT(silu, HONE_ACT_SILU);
    ACT(tanh, HONE_ACT_TANH);
    ACT(sigmoid, HONE_ACT_SIGMOID);
    BEGIN(), x = PUT(swiglu_a, 3, 5), b = PUT(swiglu_b, 3, 5);
    BACK(swiglu, hone_swiglu(g->t, x, b)), NEAR(x->grad, swiglu_da), NEAR(b->grad, swiglu_db);
    BEGIN(), x = PUT(softmax_x, 3, 7), BACK(softmax, hone_softmax(g->t, x)), NEAR(x->grad, softmax_dx);
    BEGIN(), x = PUT(log_softmax_x, 3, 7), BACK(log_softmax, hone_log_softmax(g->t, x)), NEAR(x->grad, log_softmax_dx);
}

static void golden_moves(room *g) {
    hone_tensor *x, *w, *b;
    BEGIN(), x = PUT(add_x, 3, 1, 4), b = put(g, add_in_y, DIMS(2, 1));
    BACK(add, hone_add(g->t, x, b)), NEAR(x->grad, add_dx), NEAR(b->grad, add_din_y);
    BEGIN(), x = PUT(mul_x, 3, 1, 4), b = put(g, mul_in_y, DIMS(2, 1));
    BACK(mul, hone_mul(g->t, x, b)), NEAR(x->grad, mul_dx), NEAR(b->grad, mul_din_y);
    BEGIN(), x = PUT(slice_x, 3, 4, 5), BACK(slice, hone_slice(g->t, x, 1, 1, 2)), NEAR(x->grad, slice_dx);
    BEGIN(), x = PUT(concat_a, 2, 1, 4), b = PUT(concat_b, 2, 3, 4);
    BACK(concat, hone_concat(g->t, (hone_tensor *[]){x, b, x, x, x, b, x}, 7, -2));
    NEAR(x->grad, concat_da), NEAR(b->grad, concat_db);
    BEGIN(), x = PUT(transpose_x, 2, 3, 4, 2), BACK(transpose, hone_transpose(g->t, x, 1, 3)), NEAR(x->grad, transpose_dx);
    BEGIN(), x = PUT(pad_x, 2, 3, 2), BACK(pad, hone_pad(g->t, x, 1, 2, 1, 0.5f)), NEAR(x->grad, pad_dx);
    BEGIN(), x = PUT(patch_x, 2, 3, 6, 4), w = PUT(patch_w, 5, 3, 2, 2), b = PUT(patch_b, 5);
    BACK(patch, hone_patch_embedding(g->t, x, w, b));
    NEAR(x->grad, patch_dx), NEAR(w->grad, patch_dw), NEAR(b->grad, patch_db);
}

static void golden_sums(room *g) {
    hone_tensor *x, *b;
#define REDUCE(name, ...) BEGIN(), x = PUT(name##_x, 3, 4, 5), BACK(name, hone_reduce(g->t, x, __VA_ARGS__)), NEAR(x->grad, name##_dx)
    REDUCE(reduce_sum, HONE_REDUCE_SUM, 1, false);
    REDUCE(reduce_mean, HONE_REDUCE_MEAN, -1, true);
    REDUCE(reduce_max, HONE_REDUCE_MAX, 0, false);
    BEGIN(), x = PUT(matmul_a, 2, 1, 4, 3), b = PUT(matmul_b, 2, 5, 3), BACK(matmul, hone_matmul(g->t, x, b, false, true));
    NEAR(x->grad, matmul_da), NEAR(b->grad, matmul_db);
    BEGIN(), x = PUT(matmul_turned_a, 2, 3, 4), b = PUT(matmul_turned_b, 3, 5);
    BACK(matmul_turned, hone_matmul(g->t, x, b, true, false)), NEAR(x->grad, matmul_turned_da), NEAR(b->grad, matmul_turned_db);
    BEGIN(), x = PUT(gather_x, 5, 3), BACK(gather, hone_gather(g->t, x, hone_input_i32(g->t, gather_ids, DIMS(2, 2))));
    NEAR(x->grad, gather_dx);
    BEGIN(), x = PUT(scatter_x, 2, 2, 3), BACK(scatter, hone_scatter_add(g->t, x, hone_input_i32(g->t, gather_ids, DIMS(2, 2)), 5));
    NEAR(x->grad, scatter_dx);
}
static void golden_pools_and_losses(room *g) {
    hone_tensor *x, *y;
#define POOL(name, which, shape, kind)                                                                                                     \
    BEGIN(), x = PUT(name##_x, 2, 4, 3), BACK(name, hone_pooling(g->t, x, hone_input_i32(g->t, which, shape), kind)),                     \
             NEAR(x->grad, name##_dx)
#define EACH DIMS(2)
#define MASK DIMS(2, 4)
    POOL(pool_mean, pool_lengths, EACH, HONE_POOL_MEAN);
    POOL(pool_first, pool_lengths, EACH, HONE_POOL_FIRST);
    POOL(pool_last, pool_lengths, EACH, HONE_POOL_LAST);
    POOL(pool_mask, pool_mask, MASK, HONE_POOL_MEAN);
#define LOSS(name, ...)                                                                                                                    \
    BEGIN(), x = PUT(name##_x, 3, 4), y = PUT(name##_t, 3, 4),                                                                             \
             BACK(name, hone_pointwise_loss(g->t, x, y, &(hone_pointwise_opts){__VA_ARGS__})), NEAR(x->grad, name##_dx),                   \
             NEAR(y->grad, name##_dt)
    LOSS(loss_mse, HONE_LOSS_MSE);
    LOSS(loss_smooth, HONE_LOSS_SMOOTH_L1, .beta = 0.5f);
    LOSS(loss_bce, HONE_LOSS_BCE);
    LOSS(loss_bce_weighted, HONE_LOSS_BCE, .weights = PUT(loss_w, 3, 4));
}

static void test_golden(void **state) {
    for (int references = 0; references < 2; references++) {
        room g = open_room();
        if (references) hn_tape_use_references(g.t);
        golden_activations(&g);
        golden_moves(&g);
        golden_sums(&g);
        golden_pools_and_losses(&g);
        hone_close(g.job);
    }
}

/* Large numbers, and a function applied by linear: the same as the two one after the other. */
static void test_edges(void **state) {
    room r = open_room();
    hone_tensor *x = hone_input_f32(r.t, (float[]){1000, 999, -1000, 1e30f, -1e30f, 1e30f}, DIMS(2, 3));
    const float *p = hone_tensor_f32(hone_softmax(r.t, x)), *l = hone_tensor_f32(hone_log_softmax(r.t, x));
    float want[] = {0.7310586f, 0.2689414f, 0, 0.5f, 0, 0.5f};
    for (int i = 0; i < 6; i++) assert_true(fabsf(p[i] - want[i]) < 1e-6f);
    assert_true(fabsf(l[0] + 0.3132617f) < 1e-4f && l[2] < -1999 && l[4] < -1e30f);
    hone_tensor *w = weight(r.a, "w", DIMS(7, 5), 1, 1), *b = weight(r.a, "b", DIMS(7), 2, 1), *h = weight(r.a, "h", DIMS(4, 5), 3, 1);
    for (int f = HONE_ACT_NONE + 1; f < HONE_ACT_COUNT; f++) {
        hone_tensor *one = hone_linear(r.t, h, w, b, false, (hone_act)f);
        hone_tensor *two = hone_activation(r.t, hone_linear(r.t, h, w, b, false, HONE_ACT_NONE), (hone_act)f);
        for (int i = 0; i < 28; i++) assert_true(fabs(hone_tensor_item(one, i) - hone_tensor_item(two, i)) < 1e-5);
    }
    assert_ptr_equal(hone_activation(r.t, h, HONE_ACT_NONE), h);
    assert_true(hone_ok(r.t));
    hone_close(r.job);
}

/* A view of a view, of rows and of columns: same storage, same gradient; columns under other sizes are copied. */
static void test_reshape(void **state) {
    room r = open_room();
    hone_tensor *w = weight(r.a, "w", DIMS(4, 6), 1, 1), *p = weight(r.a, "p", DIMS(24), 2, 1);
    hone_tensor *flat = hone_reshape(r.t, w, DIMS(2, -1));
    assert_int_equal(hone_tensor_shape(flat)[1], 12);
    assert_ptr_equal(hone_tensor_f32(flat), hone_tensor_f32(w));
    hone_tensor *half = hone_columns(r.t, w, 3, 3), *rows = hone_reshape(r.t, half, DIMS(2, 2, 3));
    assert_ptr_equal(hone_tensor_f32(rows), hone_tensor_f32(half));
    assert_true(hone_tensor_item(rows, 7) == hone_tensor_item(w, 2 * 6 + 3 + 1));
    hone_tensor *copy = hone_reshape(r.t, half, DIMS(3, 4));
    assert_ptr_not_equal(hone_tensor_f32(copy), hone_tensor_f32(half));
    for (int i = 0; i < 12; i++) assert_true(hone_tensor_item(copy, i) == hone_tensor_item(half, i));
    /* loss = Σ p·w over the flat view + Σ p·copy: both gradients reach w */
    hone_tensor *one = project(r.t, hone_mul(r.t, hone_reshape(r.t, w, DIMS(24)), p), (float[24]){1, 1}, NULL);
    hone_tensor *two = project(r.t, copy, (float[12]){[4] = 10}, NULL);
    assert_true(hone_backward(r.t, hone_add(r.t, one, two)));
    float *g = hone_tensor_grad(w), *q = p->data;
    assert_true(fabsf(g[0] - q[0]) < 1e-6f && fabsf(g[1] - q[1]) < 1e-6f && g[2] == 0);
    assert_true(g[1 * 6 + 3 + 1] == 10); /* number 4 of the 4x3 columns */
    hone_close(r.job);
}

/* Logits as large as they come: the loss is finite and the slope is ±1; the largest number may be infinite or NaN. */
static void test_far_numbers(void **state) {
    room r = open_room();
    hone_tensor *x = weight(r.a, "x", DIMS(4), 1, 1), *y = hone_input_f32(r.t, (float[]){1, 0, 1, 0}, DIMS(4));
    memcpy(x->data, (float[]){1e30f, 1e30f, -500, -20}, 4 * sizeof(float));
    hone_tensor *loss = hone_pointwise_loss(r.t, x, y, &(hone_pointwise_opts){HONE_LOSS_BCE, .denominator = 1});
    assert_true(fabs(hone_tensor_item(loss, 0) / 1e30 - 1) < 1e-6);
    assert_true(hone_backward(r.t, loss));
    assert_true(x->grad[0] == 0 && x->grad[1] == 1 && x->grad[2] == -1 && fabsf(x->grad[3] * 4.85165195e8f - 1) < 1e-5f);
    hone_tape_begin(r.t, HONE_EVAL, 1, 1);
    hone_tensor *sure = hone_input_f32(r.t, (float[]){-20, 30}, DIMS(2)), *right = hone_input_f32(r.t, (float[]){0, 1}, DIMS(2));
    loss = hone_pointwise_loss(r.t, sure, right, &(hone_pointwise_opts){HONE_LOSS_BCE, .denominator = 1});
    assert_true(fabs(hone_tensor_item(loss, 0) / 2.0612474e-9 - 1) < 1e-5); /* e⁻²⁰ + e⁻³⁰, not rounded to 0 */
    x = hone_input_f32(r.t, (float[]){-INFINITY, -INFINITY, 2, NAN, 3, INFINITY}, DIMS(3, 2));
    const float *top = hone_tensor_f32(hone_reduce(r.t, x, HONE_REDUCE_MAX, 1, false));
    assert_true(top[0] == -INFINITY && isnan(top[1]) && top[2] == INFINITY);
    top = hone_tensor_f32(hone_reduce(r.t, x, HONE_REDUCE_MAX, 0, false));
    assert_true(top[0] == 3 && isnan(top[1]));
    hone_close(r.job);
}

/* A gradient handed on by add must not reach a stretched input, nor be lost where x is stretched. */
static void test_add_hands_on(void **state) {
    room r = open_room();
    hone_tensor *w = weight(r.a, "w", DIMS(5), 1, 1), *m = weight(r.a, "m", DIMS(3, 5), 2, 1);
    hone_tensor *y = hone_add(r.t, hone_scale(r.t, w, 2), hone_scale(r.t, m, 3));
    float ones[15];
    for (int i = 0; i < 15; i++) ones[i] = 1;
    assert_true(hone_backward(r.t, project(r.t, y, ones, NULL)));
    for (int i = 0; i < 5; i++) assert_true(w->grad[i] == 6 && m->grad[i] == 3);
    hone_close(r.job);
}

/* ---- refusals ---- */
static void refused(room *r, hone_tensor *y, const char *text) {
    assert_non_null(y);
    if (hone_ok(r->t)) fail_msg("accepted; expected '%s'", text);
    assert_int_equal(hone_error_code(r->job), HONE_E_SHAPE);
    assert_contains(hone_error_message(r->job), text);
    assert_true(isnan(hone_tensor_item(y, 0)));
    hone_error_clear(r->job);
    hone_tape_begin(r->t, HONE_TRAIN, 0, 0);
}
static void test_refusals(void **state) {
    room r = open_room();
    hone_tape *t = r.t;
    hone_tensor *x34 = weight(r.a, "x", DIMS(3, 4), 1, 1), *x43 = weight(r.a, "y", DIMS(4, 3), 1, 1);
#define IDS(...) hone_input_i32(t, (int32_t[]){__VA_ARGS__}, DIMS((int64_t)(sizeof((int32_t[]){__VA_ARGS__}) / sizeof(int32_t))))
    refused(&r, hone_activation(t, x34, HONE_ACT_COUNT), "activation: there is no function 8");
    refused(&r, hone_activation(t, IDS(1), HONE_ACT_TANH), "activation: x must be f32");
    refused(&r, hone_swiglu(t, x34, x43), "swiglu: a is (3,4) but b is (4,3)");
    refused(&r, hone_swiglu(t, x34, NULL), "swiglu: a and b must be f32");
    refused(&r, hone_softmax(t, IDS(1, 2)), "softmax: x must be f32");
    refused(&r, hone_add(t, x34, x43), "add: x is (3,4) but y is (4,3)");
    refused(&r, hone_mul(t, x34, weight(r.a, "v", DIMS(3), 1, 1)), "mul: x is (3,4) but y is (3)");
    refused(&r, hone_scale(t, IDS(1), 2), "scale: x must be f32");
    refused(&r, hone_slice(t, x34, 0, 2, 2), "slice: x is (3,4) but 2 to 4 of dimension 0 were asked for");
    refused(&r, hone_slice(t, x34, 2, 0, 1), "slice: x is (3,4) and has no dimension 2");
    refused(&r, hone_slice(t, NULL, 0, 0, 1), "slice: x must be f32");
    refused(&r, hone_concat(t, (hone_tensor *[]){x34, x43}, 2, 0),
            "concat along dimension 0: the first is (3,4) but number 1 is f32 (4,3)");
    refused(&r, hone_concat(t, NULL, 0, 0), "concat: the first tensor must be f32");
    refused(&r, hone_concat(t, &x34, 1, 2), "concat: x is (3,4) and has no dimension 2");
    refused(&r, hone_transpose(t, x34, 0, -3), "transpose: x is (3,4) and has no dimension -3");
    refused(&r, hone_pad(t, x34, 0, -1, 0, 0), "pad: -1 before and 0 after are not sizes");
    refused(&r, hone_pad(t, x34, 5, 1, 0, 0), "pad: x is (3,4) and has no dimension 5");
    refused(&r, hone_reshape(t, x34, DIMS(5, -1)), "reshape: x is (3,4), which is not (5,-1)");
    refused(&r, hone_reshape(t, x34, DIMS(-1, -1)), "reshape: (-1,-1) is no shape");
    refused(&r, hone_reshape(t, x34, DIMS(3, 3)), "reshape: x is (3,4), which is not (3,3)");
    refused(&r, hone_reshape(t, x34, 5, (int64_t[]){1, 1, 1, 3, 4}), "reshape: 5 dimensions, not 1 to 4");
    refused(&r, hone_reshape(t, x34, DIMS((int64_t)1 << 40, (int64_t)1 << 40)), "is no shape");
    refused(&r, hone_matmul(t, x34, x34, false, false), "matmul: a is (3,4) but b is (3,4)");
    refused(&r, hone_matmul(t, x34, x43, true, false), "matmul: a is (3,4) turned but b is (4,3)");
    refused(&r, hone_matmul(t, x34, weight(r.a, "v", DIMS(4), 1, 1), false, false), "matmul: a and b must be f32 of two or more dimensions");
    hone_tensor *two = weight(r.a, "two", DIMS(2, 3, 4), 1, 1), *three = weight(r.a, "three", DIMS(3, 3, 4), 1, 1);
    refused(&r, hone_matmul(t, two, three, false, true), "matmul: a is (2,3,4) but b is (3,3,4) turned");
    refused(&r, hone_reduce(t, x34, HONE_REDUCE_SUM, 2, false), "reduce: x is (3,4) and has no dimension 2");
    refused(&r, hone_reduce(t, hone_input_f32(t, NULL, DIMS(3, 0)), HONE_REDUCE_MEAN, -1, false),
            "nothing along dimension 1 to take the mean of");
    refused(&r, hone_reduce(t, hone_input_f32(t, NULL, DIMS(0, 3)), HONE_REDUCE_MAX, 0, false),
            "nothing along dimension 0 to take the largest");
    refused(&r, hone_gather(t, x34, IDS(0, 3)), "gather: index 3 at 1, but there are 3 rows");
    refused(&r, hone_gather(t, x34, x34), "gather: ids must be i32 of 1 to 3 dimensions");
    refused(&r, hone_gather(t, two, IDS(0)), "gather: x must be f32 of two dimensions");
    refused(&r, hone_scatter_add(t, x34, IDS(0, -1, 0), 2), "scatter_add: index -1 at 1, but there are 2 rows");
    refused(&r, hone_scatter_add(t, x34, IDS(0, 1), 2), "scatter_add: x is (3,4) but ids are (2)");
    refused(&r, hone_pooling(t, x34, NULL, HONE_POOL_MEAN), "pooling: x must be f32 of (B,T,C)");
    refused(&r, hone_pooling(t, two, IDS(3, 0), HONE_POOL_MEAN), "pooling: sequence 1 has no tokens");
    refused(&r, hone_pooling(t, two, IDS(3, -1), HONE_POOL_LAST), "pooling: sequence 1 has no tokens");
    refused(&r, hone_pooling(t, two, IDS(4, 1), HONE_POOL_FIRST), "pooling: sequence 0 is 4 long, but x is (2,3,4)");
    refused(&r, hone_pooling(t, two, IDS(1, 1, 1), HONE_POOL_FIRST), "pooling: x is (2,3,4) but lengths or mask are i32 (3)");
    refused(&r, hone_pooling(t, hone_input_f32(t, NULL, DIMS(2, 0, 4)), NULL, HONE_POOL_LAST), "pooling: sequence 0 has no tokens");
    refused(&r, hone_pointwise_loss(t, x34, x43, NULL), "pointwise_loss: x is (3,4) but y is (4,3)");
    refused(&r, hone_pointwise_loss(t, x34, x34, &(hone_pointwise_opts){.weights = x43}),
            "pointwise_loss: x is (3,4) but weights are (4,3)");
    refused(&r, hone_pointwise_loss(t, x34, x34, &(hone_pointwise_opts){HONE_LOSS_SMOOTH_L1, -1}), "pointwise_loss: beta -1 is negative");
    hone_tensor *none = hone_input_f32(t, NULL, DIMS(0, 3)), *zeros = weight(r.a, "zeros", DIMS(3, 4), 1, 0);
    refused(&r, hone_pointwise_loss(t, none, none, NULL), "pointwise_loss: x is (0,3): no numbers to take the mean of");
    refused(&r, hone_pointwise_loss(t, x34, x34, &(hone_pointwise_opts){.weights = zeros}), "pointwise_loss: all weights are 0");
    hone_tensor *images = weight(r.a, "images", DIMS(2, 3, 6, 4), 1, 1), *conv = weight(r.a, "conv", DIMS(5, 3, 4, 4), 1, 1);
    refused(&r, hone_patches(t, x34, 1), "patches: images must be f32 of (B,C,H,W)");
    refused(&r, hone_patches(t, images, 4), "patches: images are (2,3,6,4), which patches of 4 by 4 do not fill");
    refused(&r, hone_patch_embedding(t, images, conv, NULL), "patches of 4 by 4 do not fill");
    refused(&r, hone_patch_embedding(t, images, x34, NULL), "patch embedding: w must be f32 of (width,C,P,P)");
    hone_close(r.job);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_reshape),
        cmocka_unit_test(test_add_hands_on),
        cmocka_unit_test(test_far_numbers),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
