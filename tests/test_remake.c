/* test_remake.c - what a block's end drops is made again in backward: the same gradients to the last bit, with less memory. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "near.h"
#include "box.h"
#include "tensor/tensor.h"

enum { M = 4096, C = 132, F = 264 }; /* no multiples of a vector's lanes */
#define DIMS(...) (const int64_t[]){ __VA_ARGS__ }, HN_LEN(((const int64_t[]){ __VA_ARGS__ }))

static hone_tensor *weight(hn_arena *a, const char *name, const int64_t *shape, int64_t dims, int seed, float mean) {
    hone_tensor *w = hn_weight_new(a, name, (int)dims, shape, false);
    hn_rng r = hn_rng_new((uint64_t)seed, HN_STREAM_TEST, 0);
    for (int64_t i = 0; i < hn_count(w); i++) ((float *)w->data)[i] = mean + 0.3f * (float)hn_rng_normal(&r);
    hn_weight_grad(a, w);
    return w;
}

/* The mean square. */
static hone_tensor *square(hone_tape *t, hone_tensor *x) {
    const int64_t dims[] = { hn_rows(x), hn_cols(x) };
    float *zeros = calloc((size_t)hn_count(x), sizeof *zeros);
    hone_tensor *y = hone_pointwise_loss(t, x, hone_input_f32(t, zeros, 2, dims), NULL);
    free(zeros);
    return y;
}

enum { X, LN, LNB, UP, UPB, GATE, DOWN, RMS, WEIGHTS };
typedef struct net {
    hone_tensor *w[WEIGHTS];
} net;

/* A layer with all that can be made again: a norm read as two views, a gelu, a gate, an activation, a norm without a mean. */
static hone_tensor *layer(hone_tape *t, const net *n, hone_tensor *x) {
    hone_tensor *a = hone_layernorm(t, x, n->w[LN], n->w[LNB], 1e-5f);
    hone_tensor *half = hone_mul(t, hone_columns(t, a, 0, C / 2), hone_columns(t, a, C / 2, C / 2));
    hone_tensor *up = hone_linear(t, a, n->w[UP], n->w[UPB], false, HONE_ACT_GELU), *gate = hone_linear(t, a, n->w[GATE], NULL, false, HONE_ACT_NONE);
    hone_tensor *both = hone_swiglu(t, gate, up), *down = hone_linear(t, both, n->w[DOWN], NULL, false, HONE_ACT_NONE);
    down = hone_activation(t, hone_rmsnorm(t, hone_add(t, x, down), n->w[RMS], 1e-5f), HONE_ACT_TANH);
    hone_tensor *halves[] = { half, half };
    return hone_add(t, down, hone_concat(t, halves, 2, -1));
}

static void run(box *b, net *n, hone_dtype type, bool blocks, int64_t layers, hn_tape_stats *stats) {
    hone_tape *t = hone_tape_new(b->job, NULL);
    assert_non_null(t);
    assert_true(hone_tape_activations(t, type));
    for (int i = 0; i < WEIGHTS; i++) memset(n->w[i]->grad, 0, (size_t)hn_count(n->w[i]) * sizeof(float));
    hone_tape_begin(t, HONE_TRAIN, 1, 0);
    hone_tensor *x = n->w[X];
    for (int64_t i = 0; i < layers; i++) {
        if (blocks) hn_block_begin(t);
        x = layer(t, n, x);
        if (blocks) x = hn_block_end(t, x);
    }
    hone_tensor *loss = square(t, x);
    assert_true(hone_backward(t, loss));
    hn_tape_stats_get(t, stats);
    hone_tape_free(t);
}

static void gradients_stay(void **state) {
    box *b = *state;
    net n;
    static const char *const names[WEIGHTS] = { "x", "ln", "lnb", "up", "upb", "gate", "down", "rms" };
    n.w[X] = weight(b->a, names[X], DIMS(M, C), 1, 0);
    n.w[LN] = weight(b->a, names[LN], DIMS(C), 2, 1);
    n.w[LNB] = weight(b->a, names[LNB], DIMS(C), 3, 0);
    n.w[UP] = weight(b->a, names[UP], DIMS(F, C), 4, 0);
    n.w[UPB] = weight(b->a, names[UPB], DIMS(F), 5, 0);
    n.w[GATE] = weight(b->a, names[GATE], DIMS(F, C), 6, 0);
    n.w[DOWN] = weight(b->a, names[DOWN], DIMS(C, F), 7, 0);
    n.w[RMS] = weight(b->a, names[RMS], DIMS(C), 8, 1);
    hn_tape_stats kept, made;
    run(b, &n, HONE_F32, false, 3, &kept);
    float *want[WEIGHTS];
    for (int i = 0; i < WEIGHTS; i++) {
        size_t bytes = (size_t)hn_count(n.w[i]) * sizeof(float);
        want[i] = memcpy(hn_new_n(b->a, float, hn_count(n.w[i])), n.w[i]->grad, bytes);
    }
    run(b, &n, HONE_F32, true, 3, &made);
    for (int i = 0; i < WEIGHTS; i++)
        if (memcmp(want[i], n.w[i]->grad, (size_t)hn_count(n.w[i]) * sizeof(float))) fail_msg("the gradient of %s is another", names[i]);
    /* Of a layer: norm, gelu, gate, norm and its tanh are dropped; kept are z, the gate's input, two sums and two halves. */
    int64_t dropped = (int64_t)M * (3 * C + 2 * F) * 4;
    print_message("%lld bytes with, %lld without; a layer's drop is %lld\n", (long long)made.pool_peak, (long long)kept.pool_peak, (long long)dropped);
    assert_true(made.pool_peak < kept.pool_peak - 2 * dropped);
    assert_true(made.flops_again == 0 && made.flops_forward == kept.flops_forward && made.flops_backward == kept.flops_backward);

    /* bf16: made again from rounded numbers, so near and not equal. */
    run(b, &n, HONE_BF16, true, 3, &made);
    for (int i = 0; i < WEIGHTS; i++) {
        double far = 0, size = 0;
        for (int64_t k = 0; k < hn_count(n.w[i]); k++) {
            far += (n.w[i]->grad[k] - want[i][k]) * (double)(n.w[i]->grad[k] - want[i][k]);
            size += want[i][k] * (double)want[i][k];
        }
        if (!(far < 4e-4 * size)) fail_msg("bf16: the gradient of %s is off by %.3g of its size", names[i], far / size);
    }
}

/* A later reader of what a block dropped finds it made again. */
static void a_reader_after_the_block(void **state) {
    box *b = *state;
    hone_tape *t = hone_tape_new(b->job, NULL);
    assert_non_null(t);
    hone_tensor *x = weight(b->a, "x", DIMS(M, 160), 1, 0), *w = weight(b->a, "w", DIMS(160), 2, 1), *m = weight(b->a, "m", DIMS(160, 160), 3, 0);
    hone_tape_begin(t, HONE_TRAIN, 1, 0);
    hn_block_begin(t);
    hone_tensor *a = hone_layernorm(t, x, w, NULL, 1e-5f), *part = hone_columns(t, a, 8, 8);
    float first = ((float *)a->data)[5 * 160 + 8];
    hone_tensor *y = hn_block_end(t, hone_linear(t, a, m, NULL, false, HONE_ACT_NONE));
    assert_null(a->data);
    hone_tensor *z = hone_scale(t, part, 2);
    assert_true(hone_ok(t));
    assert_near(((float *)z->data)[5 * 8], 2 * first, 0);
    assert_true(hone_backward(t, hone_add(t, square(t, y), square(t, z))));
    hone_tape_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(gradients_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(a_reader_after_the_block, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
