/* matmul.c - y = op(a)·op(b) for batches of matrices, op turning rows into columns where asked for; batches of 1 stretch.
 *
 * dop(a) += dy·op(b)ᵀ · dop(b) += op(a)ᵀ·dy, summed over the batches that share a matrix. Keeps a and b. A weight's product with an
 * activation is linear's. */
#include "tensor/op/matmul.h"

static const hn_matmul_attr *attr(const hn_call *c) { return c->attr; }

static bool shape(hn_call *c, hn_arena *arena) {
    const hone_tensor *a = c->in[0], *b = c->in[1];
    if (!a || !b || a->dtype != HONE_F32 || b->dtype != HONE_F32 || a->dims < 2 || b->dims < 2)
        return HN_MISFIT(c, "matmul: a and b must be f32 of two or more dimensions");
    bool ta = attr(c)->a_turned, tb = attr(c)->b_turned;
    int64_t K = a->shape[a->dims - (ta ? 2 : 1)], L = b->shape[b->dims - (tb ? 1 : 2)], na[HONE_MAX_DIMS], nb[HONE_MAX_DIMS];
    hn_padded(a, na), hn_padded(b, nb);
    bool fits = K == L;
    for (int d = 0; d < 2; d++) fits &= na[d] == nb[d] || na[d] == 1 || nb[d] == 1;
    if (!fits)
        return HN_MISFIT(c, "matmul: a is (%s)%s but b is (%s)%s", HN_SHAPE(c, a), ta ? " turned" : "", HN_SHAPE(c, b), tb ? " turned" : "");
    hn_products p = hn_products_of(c);
    int dims = c->out->dims = HN_MAX(a->dims, b->dims);
    c->out->dtype = HONE_F32;
    for (int d = 0; d < dims - 2; d++) c->out->shape[d] = p.n[d + HONE_MAX_DIMS - dims];
    c->out->shape[dims - 2] = p.M;
    c->out->shape[dims - 1] = p.N;
    return true;
}

/* Element of a at (m,k), of b at (k,n) in a product's batch. */
static int64_t a_at(const hn_call *c, int64_t m, int64_t k) { return attr(c)->a_turned ? k * c->in[0]->ld + m : m * c->in[0]->ld + k; }
static int64_t b_at(const hn_call *c, int64_t k, int64_t n) { return attr(c)->b_turned ? n * c->in[1]->ld + k : k * c->in[1]->ld + n; }

static void forward(hn_call *c) {
    hn_products p = hn_products_of(c);
    float *y = c->out->data;
    for (int64_t i = 0; i < p.n[0] * p.n[1]; i++) {
        const float *a = (const float *)c->in[0]->data + i / p.n[1] * p.a[0] + i % p.n[1] * p.a[1];
        const float *b = (const float *)c->in[1]->data + i / p.n[1] * p.b[0] + i % p.n[1] * p.b[1];
        for (int64_t m = 0; m < p.M; m++)
            for (int64_t n = 0; n < p.N; n++) {
                double sum = 0;
                for (int64_t k = 0; k < p.K; k++) sum += (double)a[a_at(c, m, k)] * b[b_at(c, k, n)];
                *y++ = (float)sum;
            }
    }
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    hn_products p = hn_products_of(c);
    for (int64_t i = 0; i < p.n[0] * p.n[1]; i++) {
        int64_t at_a = i / p.n[1] * p.a[0] + i % p.n[1] * p.a[1], at_b = i / p.n[1] * p.b[0] + i % p.n[1] * p.b[1];
        const float *a = (const float *)c->in[0]->data + at_a, *b = (const float *)c->in[1]->data + at_b;
        const float *dy = c->out->grad + i * p.M * p.N;
        for (int64_t m = 0; m < p.M && dx[0]; m++)
            for (int64_t k = 0; k < p.K; k++) {
                double sum = 0;
                for (int64_t n = 0; n < p.N; n++) sum += (double)dy[m * p.N + n] * b[b_at(c, k, n)];
                ((float *)dx[0]->data)[at_a + a_at(c, m, k)] += (float)sum;
            }
        for (int64_t k = 0; k < p.K && dx[1]; k++)
            for (int64_t n = 0; n < p.N; n++) {
                double sum = 0;
                for (int64_t m = 0; m < p.M; m++) sum += (double)a[a_at(c, m, k)] * dy[m * p.N + n];
                ((float *)dx[1]->data)[at_b + b_at(c, k, n)] += (float)sum;
            }
    }
}

static hn_cost cost(const hn_call *c) {
    return (hn_cost){2.0 * (double)hn_count(c->out) * (double)hn_products_of(c).K, hn_bytes_moved(c)};
}

hone_tensor *hone_matmul(hone_tape *t, hone_tensor *a, hone_tensor *b, bool a_turned, bool b_turned) {
    return hn_apply(t, &hn_op_matmul, &(hn_matmul_attr){a_turned, b_turned}, (hone_tensor *[]){a, b});
}

static const hn_matmul_attr plain = {false, false}, a_turned = {true, false}, b_turned = {false, true}, both = {true, true};
static const hn_op_case cases[] = {
    {"no rows", {HN_DIMS(0, 5), HN_DIMS(5, 3)}, {2, 2}, &plain},
    {"no sum", {HN_DIMS(3, 0), HN_DIMS(0, 4)}, {2, 2}, &plain},
    {"one", {HN_DIMS(1, 1), HN_DIMS(1, 1)}, {2, 2}, &plain},
    {"odd", {HN_DIMS(3, 5, 7), HN_DIMS(3, 7, 11)}, {3, 3}, &plain},
    {"a turned", {HN_DIMS(3, 7, 5), HN_DIMS(3, 7, 11)}, {3, 3}, &a_turned},
    {"b turned", {HN_DIMS(2, 3, 5, 7), HN_DIMS(2, 3, 11, 7)}, {4, 4}, &b_turned, .views = true},
    {"both turned", {HN_DIMS(2, 7, 5), HN_DIMS(2, 11, 7)}, {3, 3}, &both, .views = true},
    {"one b for all", {HN_DIMS(3, 5, 7), HN_DIMS(7, 11)}, {3, 2}, &plain},
    {"both stretched", {HN_DIMS(2, 1, 3, 5), HN_DIMS(3, 4, 5)}, {4, 3}, &b_turned},
    {"larger than a tile", {HN_DIMS(2, 131, 33), HN_DIMS(2, 33, 67)}, {3, 3}, &plain},
};
const hn_op hn_op_matmul = {
    .item = {"matmul", "products of batches of matrices, each turned where asked for", NULL, NULL, 0, sizeof(hn_matmul_attr)},
    .saves = HN_SAVE_IN0 | HN_SAVE_IN1,
    .n_in = 2,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
