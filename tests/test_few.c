/* Products of few rows (decoding): each instruction set and type of weight against sums in double, a row's bits alone and among others,
 * and numbers of 16 bits made wide and narrow. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <math.h>
#include "tensor/cpu/few.h"

enum { K = 150, N = 77, DEEP = 5000, TYPES = 3 };
static const hone_dtype types[TYPES] = { HONE_F32, HONE_BF16, HONE_F16 };

/* fn for each instruction set that this machine has. */
static void on_each_isa(void (*fn)(void)) {
    hn_isa best = hn_cpu_isa();
    for (int isa = 0; isa <= (int)best; isa++) {
        hn_cpu_isa_force((hn_isa)isa);
        fn();
    }
    hn_cpu_isa_force(best);
}
static uint16_t bits_of(hone_dtype type, int64_t i) { /* of numbers from about −2 to 2 */
    uint32_t h = (uint32_t)i * 2654435761u >> 16;
    return type == HONE_BF16 ? (uint16_t)((h & 0x80ff) | 0x3f00) : (uint16_t)((h & 0xbfff) % 0x8000 < 0x4000 ? h & 0xbfff : h & 0xbbff);
}
static void fill(float *x, int64_t n, float step) {
    for (int64_t i = 0; i < n; i++) x[i] = sinf((float)i * step);
}
static const void *weights(hone_dtype type, int64_t n) {
    static float wide[17 * DEEP];
    static uint16_t narrow[17 * DEEP];
    assert_true(n <= 17 * DEEP);
    fill(wide, n, 3.1f);
    for (int64_t i = 0; i < n; i++) narrow[i] = bits_of(type, i);
    return type == HONE_F32 ? (const void *)wide : narrow;
}
static double number(const void *w, hone_dtype type, int64_t i) {
    if (type == HONE_F32) return ((const float *)w)[i];
    uint16_t u = ((const uint16_t *)w)[i];
    return type == HONE_BF16 ? hn_bf16_number(u) : hn_f16_number(u);
}

static void close_to_double(const hn_few *f, int64_t n) {
    for (int64_t r = 0; r < f->rows; r++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0, size = 0;
            for (int64_t i = 0; i < f->k; i++) {
                double p = f->x[r * f->ldx + i] * number(f->w, f->type, f->transposed ? i * f->ldw + j : j * f->ldw + i);
                sum += p, size += fabs(p);
            }
            assert_true(fabs(f->y[r * f->ldy + j] - sum) <= 2e-6 * (1 + size));
        }
}
static void values(void) {
    static float x[HN_FEW_ROWS * DEEP], y[HN_FEW_ROWS * (N + 3)];
    static const struct { int64_t rows, k, n; } shapes[] = { { 1, K, N }, { 3, 1, 9 }, { 4, 33, 64 }, { 7, K, N }, { 16, 65, 70 }, { 1, 0, 5 },
                                                             { 6, DEEP, 5 }, { 16, 40, 3 }, { 2, DEEP, 15 } };
    fill(x, HN_LEN(x), 1);
    for (int64_t s = 0; s < HN_LEN(shapes); s++)
        for (int t = 0; t < TYPES; t++)
            for (int way = 0; way < 2; way++) {
                int64_t n = shapes[s].n, k = shapes[s].k, ldw = (way ? n : k) + 1;
                hn_few f = { y, x, weights(types[t], (way ? k : n) * ldw + 1), types[t], n + 3, k, ldw, shapes[s].rows, k, way };
                for (int64_t i = 0; i < HN_LEN(y); i++) y[i] = 77;
                hn_few_now()->product(&f, 0, n);
                close_to_double(&f, n);
                for (int64_t r = 0; r < f.rows; r++) assert_true(y[r * f.ldy + n] == 77);
            }
}
static void test_values(void **state) { on_each_isa(values); }

/* In two calls, whose border is no vector's. */
static void rows_of(const float *x, int64_t rows, const void *w, hone_dtype type, bool transposed, float *y) {
    hn_few f = { y, x, w, type, N, K, transposed ? N : K, rows, K, transposed };
    hn_few_now()->product(&f, 0, 43);
    hn_few_now()->product(&f, 43, N - 43);
}
static void same_bits(void) {
    static float x[HN_FEW_ROWS * K], all[HN_FEW_ROWS * N], one[N];
    fill(x, HN_LEN(x), 1);
    for (int t = 0; t < TYPES; t++)
        for (int way = 0; way < 2; way++) {
            const void *w = weights(types[t], K * N);
            for (int64_t rows = 2; rows <= HN_FEW_ROWS; rows++) {
                rows_of(x, rows, w, types[t], way, all);
                for (int64_t r = 0; r < rows; r++) {
                    hn_few f = { one, x + r * K, w, types[t], N, K, way ? N : K, 1, K, way };
                    hn_few_now()->product(&f, 0, N);
                    assert_memory_equal(one, all + r * N, sizeof one);
                }
            }
        }
}
static void a_row_alone_has_the_bits_it_has_among_others(void **state) { on_each_isa(same_bits); }

static void all_numbers(void) {
    static uint16_t u[65536], back[65536];
    static float y[65536];
    for (int i = 0; i < 65536; i++) u[i] = (uint16_t)i;
    for (int t = 1; t < TYPES; t++) {
        hn_few_now()->widen(y, u, types[t], 65536);
        for (int i = 0; i < 65536; i++) {
            float want = (float)number(u, types[t], i);
            assert_true(isnan(want) ? isnan(y[i]) : want == y[i] && signbit(want) == signbit(y[i]));
        }
    }
    hn_few_now()->widen(y, u, HONE_BF16, 65536);
    hn_few_now()->to_bf16(back, y, 65536);
    for (int i = 0; i < 65536; i++) assert_true(isnan(y[i]) ? isnan(hn_bf16_number(back[i])) : back[i] == i);
    /* halves go to even; a NaN whose bits are all cut off stays one; the largest float becomes infinity */
    float odd[] = { 1 + 0x1p-8f, 1 + 0x3p-8f, 1 + 0x1.02p-8f, -3.4028235e38f, NAN };
    memcpy(&odd[4], &(uint32_t){ 0x7f800001 }, 4);
    hn_few_now()->to_bf16(back, odd, 5);
    assert_true(back[0] == 0x3f80 && back[1] == 0x3f82 && back[2] == 0x3f81 && back[3] == 0xff80 && isnan(hn_bf16_number(back[4])));
}
static void numbers_of_16_bits(void **state) { on_each_isa(all_numbers); }

/* linear and embedding on a tape: weights of 16 bits as they are, and widened before. */
static hone_tensor of_type(hone_dtype type, const void *data, int64_t rows, int64_t cols) {
    return (hone_tensor){ .dtype = type, .dims = 2, .shape = { rows, cols }, .ld = cols, .data = (void *)data, .is_weight = true };
}
static void ops_like_wide(void) {
    static float wide[K * N], x[40 * K], b[N];
    hone_job *job = hone_open(NULL);
    hone_tape *t = hone_tape_new(job, NULL);
    fill(x, HN_LEN(x), 1), fill(b, N, 2);
    int32_t ids[] = { 3, 0, 76, 9 };
    for (int k = 1; k < TYPES; k++)
        for (int64_t rows = 1; rows <= 40; rows += 13)
            for (int way = 0; way < 2; way++) {
                const void *bits = weights(types[k], K * N);
                hn_few_now()->widen(wide, bits, types[k], K * N);
                hone_tensor w = of_type(types[k], bits, way ? K : N, way ? N : K), f = of_type(HONE_F32, wide, w.shape[0], w.shape[1]);
                hone_tape_begin(t, HONE_EVAL, 0, 0);
                hone_tensor *in = hone_input_f32(t, x, 2, (int64_t[]){ rows, K }), *bias = hone_input_f32(t, b, 1, (int64_t[]){ N });
                hone_tensor *y = hone_linear(t, in, &w, bias, way, HONE_ACT_RELU), *z = hone_linear(t, in, &f, bias, way, HONE_ACT_RELU);
                assert_true(hone_ok(t));
                for (int64_t i = 0; i < rows * N; i++) assert_true(fabs(hone_tensor_item(y, i) - hone_tensor_item(z, i)) <= 1e-4);
                hone_tensor *id = hone_input_i32(t, ids, 2, (int64_t[]){ 2, 2 });
                y = hone_embedding(t, id, &w, &w), z = hone_embedding(t, id, &f, &f);
                for (int64_t i = 0; i < 4 * w.shape[1]; i++) assert_true(hone_tensor_item(y, i) == hone_tensor_item(z, i));
            }
    hone_close(job);
}
static void weights_of_16_bits(void **state) { on_each_isa(ops_like_wide); }

static void are_refused_in_training(void **state) {
    hone_job *job = hone_open(NULL);
    hone_tape *t = hone_tape_new(job, NULL);
    static const uint16_t bits[6];
    hone_tensor w = of_type(HONE_BF16, bits, 2, 3);
    hone_tape_begin(t, HONE_TRAIN, 0, 0);
    (void)hone_linear(t, hone_input_f32(t, (float[]){ 1, 2, 3 }, 2, (int64_t[]){ 1, 3 }), &w, NULL, false, HONE_ACT_NONE);
    assert_false(hone_ok(t));
    assert_non_null(strstr(hone_error_message(job), "bf16"));
    hone_close(job);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(a_row_alone_has_the_bits_it_has_among_others),
        cmocka_unit_test(numbers_of_16_bits),
        cmocka_unit_test(weights_of_16_bits),
        cmocka_unit_test(are_refused_in_training),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
