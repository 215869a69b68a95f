/* Products of bf16 by the CPU's instruction for pairs: packing and product against double on odd shapes; linear maps, attention and the heads on
 * shapes that reach every path, beside the same in f32 and with the same bits for any number of threads; and that w and d really are rounded,
 * which a product that was silently widened would not show. On a CPU without the instruction there is nothing to test. */
#include "tape_help.h"
#include "tensor/cpu/pairs.h"

static bool none(void) {
    if (hn_pairs_now()) return false;
    print_message("skipped: this CPU has no products of bf16\n");
    return true;
}
static float draw(uint64_t seed, int64_t i) {
    float x;
    hn_rng_fill_normal(seed, HN_STREAM_TEST, (uint64_t)i, &x, 1, 1);
    return hn_widen(hn_narrow(x));
}

/* All numbers exact in bf16, sums small enough that f32 is exact to 1e-5 of the largest. */
static void product_of(const hn_pairs *p, int64_t m, int64_t n, int64_t k, bool along, bool panels, hone_dtype type) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    int64_t cells = hn_pairs_cells(k), ldb = (along ? k : n) + 3, lda = 2 * cells + 2, rows = along ? n : k;
    float *A = hn_new_n(a, float, m * k), *B = hn_new_n(a, float, rows * ldb), *C = hn_new_n(a, float, m * n + 1);
    hn_bf16 *A16 = hn_new_n(a, hn_bf16, m * lda), *B16 = hn_new_n(a, hn_bf16, rows * ldb);
    for (int64_t i = 0; i < m * k; i++) A[i] = draw(1, i), A16[i / k * lda + i % k] = hn_narrow(A[i]);
    for (int64_t i = 0; i < rows * ldb; i++) B[i] = i % ldb < (along ? k : n) ? draw(2, i) : NAN, B16[i] = hn_narrow(B[i]);
    uint32_t *packed = hn_new_n(a, uint32_t, hn_pairs_packed(p, n, cells)), *packed_a = hn_new_n(a, uint32_t, hn_pairs_packed(p, m, cells));
    p->pack(packed, p->width * cells, type == HONE_F32 ? (const void *)B : B16, type, ldb, along, n, k);
    p->pack(packed_a, p->width * cells, A, HONE_F32, k, true, m, k);
    hn_pairs_left left = panels ? hn_pairs_panels(p, packed_a, cells, 0, 0) : (hn_pairs_left){A16, lda * 2, 4, 0};
    for (int add = 0; add < 2; add++) {
        for (int64_t i = 0; i < m * n; i++) C[i] = add ? 2 : NAN;
        C[m * n] = 77;
        p->product(C, n, m, n, cells, &left, packed, p->width * cells, add);
        for (int64_t i = 0; i < m * n; i++) {
            double want = add ? 2 : 0;
            for (int64_t d = 0; d < k; d++) want += (double)A[i / n * k + d] * B[along ? i % n * ldb + d : d * ldb + i % n];
            if (!(fabs(C[i] - want) <= 1e-5 * (1 + sqrt((double)k))))
                fail_msg("%lldx%lldx%lld: [%lld] is %.9g, not %.9g", (long long)m, (long long)n, (long long)k, (long long)i, C[i], want);
        }
        assert_true(C[m * n] == 77);
    }
    hone_close(job);
}
static void test_product(void **state) {
    static const int64_t shapes[][3] = {{1, 1, 1}, {8, 32, 2}, {9, 33, 3}, {7, 31, 31}, {37, 95, 34}, {16, 64, 513}, {3, 16, 1025}, {45, 17, 64}, {2, 3, 0}};
    if (none()) return;
    for (int64_t i = 0; i < HN_LEN(shapes); i++)
        for (int bits = 0; bits < 8; bits++)
            product_of(hn_pairs_now(), shapes[i][0], shapes[i][1], shapes[i][2], bits & 1, bits & 2, bits & 4 ? HONE_F32 : HONE_BF16);
}

typedef struct shape {
    int64_t M, K, N;
    bool transposed, bias;
    hone_act act;
} shape;
typedef struct found {
    float *v[4]; /* y, dx, dw, db; of a head: what it says, dh, dw */
    int64_t n[4];
} found;
static void keep(hn_arena *a, found *f, int i, const float *v, int64_t n) {
    f->v[i] = hn_new_n(a, float, n + 1), f->n[i] = n;
    memcpy(f->v[i], v, (size_t)n * sizeof *v);
}
static void round_all(hone_tensor *x) {
    for (int64_t i = 0; i < hn_count(x); i++) ((float *)x->data)[i] = hn_widen(hn_narrow(((float *)x->data)[i]));
}
static found linear(hn_arena *keeper, const shape *s, hone_dtype type, int threads) {
    hone_job *job = hone_open(&(hone_options){.threads = threads});
    hn_arena *a = hn_job_arena(job);
    hone_tape *t = hone_tape_new(job, NULL);
    found f = {0};
    hone_tensor *x = weight(a, "x", DIMS(s->M, s->K), 1, 1), *b = s->bias ? weight(a, "b", DIMS(s->N), 3, 1) : NULL;
    hone_tensor *w = weight(a, "w", 2, s->transposed ? SHAPE(s->K, s->N) : SHAPE(s->N, s->K), 2, 1 / sqrt((double)s->K));
    float *r = hn_new_n(a, float, s->M * s->N);
    hn_rng_fill_normal(9, HN_STREAM_TEST, 0, r, s->M * s->N, 1);
    round_all(x), round_all(w);
    assert_true(hone_tape_activations(t, type));
    hone_tape_begin(t, HONE_TRAIN, 0, 0);
    hone_tensor *y = hone_linear(t, hone_scale(t, x, 1), w, b, s->transposed, s->act);
    assert_true(hone_ok(t));
    f.v[0] = hn_new_n(keeper, float, s->M * s->N + 1), f.n[0] = s->M * s->N;
    for (int64_t i = 0; i < f.n[0]; i++) f.v[0][i] = (float)hone_tensor_item(y, i);
    if (!hone_backward(t, project(t, y, r, NULL))) fail_msg("%s", hone_error_message(job));
    keep(keeper, &f, 1, x->grad, s->M * s->K), keep(keeper, &f, 2, w->grad, s->K * s->N);
    if (b) keep(keeper, &f, 3, b->grad, s->N);
    hone_close(job);
    return f;
}
/* Within 2^-6 of the largest, as tests/test_bf16.c states for gradients; a result within `units` halves of a unit of bf16. */
static void beside(const char *what, const found *x, const found *want, double units) {
    for (int k = 0; k < 4; k++) {
        double most = largest(want->v[k], want->n[k]), bound = most * (k ? 0x1p-6 : units * 0x1p-8);
        for (int64_t i = 0; i < want->n[k]; i++)
            if (!(fabs(x->v[k][i] - want->v[k][i]) <= bound))
                fail_msg("%s, %d: [%lld] is %.9g, not %.9g (largest %.3g)", what, k, (long long)i, x->v[k][i], want->v[k][i], most);
    }
}
static void same(const char *what, const found *x, const found *y) {
    for (int k = 0; k < 4; k++)
        if (x->n[k] && memcmp(x->v[k], y->v[k], (size_t)x->n[k] * sizeof(float))) fail_msg("%s, %d: other bits with other threads", what, k);
}
static void test_linear(void **state) {
    static const shape shapes[] = {
        {300, 70, 600, false, true, HONE_ACT_GELU_TANH}, {257, 33, 129, true, true, HONE_ACT_RELU}, {5, 64, 48, false, false, HONE_ACT_NONE},
        {9001, 19, 21, false, true, HONE_ACT_NONE},      {4100, 32, 40, true, false, HONE_ACT_NONE}, {20, 2100, 2050, false, true, HONE_ACT_GELU},
        {17, 4200, 1030, true, false, HONE_ACT_NONE},    {1, 3, 5, false, true, HONE_ACT_NONE},      {129, 514, 257, false, true, HONE_ACT_GELU_TANH},
    };
    if (none()) return;
    for (int64_t i = 0; i < HN_LEN(shapes); i++) {
        hone_job *job = hone_open(NULL);
        hn_arena *a = hn_job_arena(job);
        const char *what = hn_fmt(a, "linear %lldx%lldx%lld", (long long)shapes[i].M, (long long)shapes[i].K, (long long)shapes[i].N);
        found want = linear(a, &shapes[i], HONE_F32, 2), one = linear(a, &shapes[i], HONE_BF16, 1), three = linear(a, &shapes[i], HONE_BF16, 3);
        beside(what, &one, &want, 1);
        same(what, &one, &three);
        hone_close(job);
    }
}

/* ROOT: cross entropy that makes its gradients in forward. ADDED: two of them, neither a root, into the same gradients. */
typedef enum head_kind { ROOT, ADDED, KL, LOG_PROBS } head_kind;
typedef struct head {
    head_kind kind;
    int64_t R, V, C;
    float smoothing;
    bool ignores, frozen;
    double spread; /* of h; 0: 1 */
    /* of KL: the teacher's width, whether its h is f32 though the student's is bf16; of KL and LOG_PROBS the temperature */
    int64_t teacher;
    bool exact;
    float beta, temperature;
} head;
static hone_tensor *says(hone_tape *t, hn_arena *a, const head *s, hone_tensor *h, hone_tensor *w, found *f, hn_arena *keeper) {
    int32_t *y = hn_new_n(a, int32_t, s->R), *other = hn_new_n(a, int32_t, s->R);
    float *r = hn_new_n(a, float, 2 * s->R);
    hone_cross_entropy_opts o = {.smoothing = s->smoothing, .is_root = s->kind == ROOT};
    for (int64_t i = 0; i < s->R; i++) y[i] = s->ignores && i % 5 == 3 ? -1 : (int32_t)(i * 7919 % s->V), other[i] = (int32_t)(i * 31 % s->V);
    if (s->kind == ROOT || s->kind == ADDED) {
        hone_tensor *x = hone_linear_cross_entropy(t, h, w, hone_input_i32(t, y, DIMS(s->R)), &o);
        hone_tensor *z = s->kind == ADDED ? hone_linear_cross_entropy(t, h, w, hone_input_i32(t, other, DIMS(s->R)), &o) : x;
        keep(keeper, f, 0, (float[]){(float)hone_tensor_item(x, 0), (float)hone_tensor_item(z, 0)}, 2);
        r[0] = 1;
        return z == x ? x : project(t, hone_add(t, x, z), r, NULL);
    }
    if (s->kind == KL) {
        hone_tensor *th = weight(a, "th", DIMS(s->R, s->teacher), 4, 1), *tw = weight(a, "tw", DIMS(s->V, s->teacher), 5, 1 / sqrt((double)s->teacher));
        hone_tensor *k = weight(a, "k", DIMS(s->R), 6, 1);
        th->wants_grad = tw->wants_grad = false;
        if (!s->exact) round_all(th), round_all(tw);
        for (int64_t i = 0; i < s->R; i++) ((float *)k->data)[i] = s->ignores && i % 3 == 1 ? 0 : fabsf(((float *)k->data)[i]);
        hone_kl_opts kl = {.beta = s->beta, .temperature = s->temperature, .weights = s->ignores ? k : NULL};
        hone_tensor *x = hone_linear_kl(t, h, w, s->exact ? th : hone_scale(t, th, 1), tw, &kl);
        keep(keeper, f, 0, (float[]){(float)hone_tensor_item(x, 0)}, 1);
        return x;
    }
    hone_tensor *x = hone_linear_log_probs(t, h, w, hone_input_i32(t, y, DIMS(s->R)), s->temperature);
    hn_rng_fill_normal(9, HN_STREAM_TEST, 0, r, 2 * s->R, 1);
    keep(keeper, f, 0, hone_tensor_f32(x), 2 * s->R);
    return project(t, x, r, NULL);
}
static found head_of(hn_arena *keeper, const head *s, hone_dtype type, int threads) {
    hone_job *job = hone_open(&(hone_options){.threads = threads});
    hn_arena *a = hn_job_arena(job);
    hone_tape *t = hone_tape_new(job, NULL);
    found f = {0};
    hone_tensor *h = weight(a, "h", DIMS(s->R, s->C), 1, s->spread > 0 ? s->spread : 1);
    hone_tensor *w = weight(a, "w", DIMS(s->V, s->C), 2, 1 / sqrt((double)s->C));
    round_all(h), round_all(w);
    w->wants_grad = !s->frozen;
    assert_true(hone_tape_activations(t, type));
    hone_tape_begin(t, HONE_TRAIN, 0, 0);
    hone_tensor *loss = says(t, a, s, hone_scale(t, h, 1), w, &f, keeper);
    if (!hone_ok(t) || !hone_backward(t, loss)) fail_msg("%s", hone_error_message(job));
    keep(keeper, &f, 1, h->grad, s->R * s->C);
    if (!s->frozen) keep(keeper, &f, 2, w->grad, s->V * s->C);
    hone_close(job);
    return f;
}
static void test_heads(void **state) {
    static const head heads[] = {
        {ROOT, 300, 65, 33}, {ROOT, 1037, 65, 33, .smoothing = 0.1f, .ignores = true}, {ROOT, 140, 4613, 70, .smoothing = 0.1f, .ignores = true},
        {ROOT, 37, 9001, 64, .ignores = true, .frozen = true}, {ROOT, 129, 513, 514}, {ROOT, 20, 100003, 8, .ignores = true}, {ROOT, 1, 1, 4},
        {ROOT, 3000, 6007, 5}, {ROOT, 140, 4613, 70, .ignores = true, .spread = 30}, {ROOT, 141, 1101, 9, .spread = 100},
        {ADDED, 300, 65, 33}, {ADDED, 140, 4613, 70, .smoothing = 0.1f, .ignores = true}, {ADDED, 37, 9001, 64, .ignores = true, .frozen = true},
        {ADDED, 4203, 65, 9, .ignores = true}, {ADDED, 1, 1, 4}, {ADDED, 129, 513, 514}, {ADDED, 150, 100003, 5},
        {KL, 300, 65, 33, .teacher = 33}, {KL, 129, 513, 514, .teacher = 41, .beta = 1, .temperature = 0.9f},
        {KL, 140, 4613, 70, .teacher = 130, .beta = 0.5f, .temperature = 2, .ignores = true}, {KL, 133, 700, 31, .teacher = 20, .exact = true, .beta = 0.9f},
        {KL, 37, 9001, 64, .teacher = 7, .frozen = true, .ignores = true}, {KL, 4203, 65, 9, .teacher = 5}, {KL, 150, 100003, 5, .teacher = 3, .beta = 1},
        {KL, 1, 1, 4, .teacher = 1},
        {LOG_PROBS, 300, 65, 33, .ignores = true}, {LOG_PROBS, 140, 4613, 70, .ignores = true, .temperature = 0.7f},
        {LOG_PROBS, 37, 9001, 64, .frozen = true}, {LOG_PROBS, 129, 513, 514, .temperature = 1.4f}, {LOG_PROBS, 4203, 65, 9, .ignores = true},
        {LOG_PROBS, 150, 100003, 5}, {LOG_PROBS, 1, 1, 4},
    };
    static const char *const names[] = {"cross entropy", "cross entropies added", "kl", "log probs"};
    if (none()) return;
    for (int64_t i = 0; i < HN_LEN(heads); i++) {
        hone_job *job = hone_open(NULL);
        hn_arena *a = hn_job_arena(job);
        const head *s = &heads[i];
        const char *what = hn_fmt(a, "%s %lldx%lldx%lld", names[s->kind], (long long)s->R, (long long)s->V, (long long)s->C);
        found want = head_of(a, s, HONE_F32, 2), one = head_of(a, s, HONE_BF16, 1), three = head_of(a, s, HONE_BF16, 3);
        beside(what, &one, &want, 1);
        same(what, &one, &three);
        hone_close(job);
    }
}

typedef struct attn {
    int64_t B, T, S, H, KV, D;
    bool causal, lengths, documents;
    int64_t window;
    float dropout, softcap;
} attn;
/* q, k and v are column views of one tensor each, as of a qkv; its gradient is theirs. */
static hone_tensor *part(hone_tape *t, hone_tensor *x, int64_t n) { return hone_columns(t, hone_scale(t, x, 1), 3, n); }
static found attention(hn_arena *keeper, const attn *s, hone_dtype type, int threads) {
    hone_job *job = hone_open(&(hone_options){.threads = threads});
    hn_arena *a = hn_job_arena(job);
    hone_tape *t = hone_tape_new(job, NULL);
    found f = {0};
    int64_t C = s->H * s->D, K = s->KV * s->D;
    hone_tensor *q = weight(a, "q", DIMS(s->B, s->T, C + 5), 1, 1), *k = weight(a, "k", DIMS(s->B, s->S, K + 5), 2, 1);
    hone_tensor *v = weight(a, "v", DIMS(s->B, s->S, K + 5), 3, 1);
    float *r = hn_new_n(a, float, s->B * s->T * C);
    int32_t *lengths = hn_new_n(a, int32_t, s->B), *documents = hn_new_n(a, int32_t, s->B * s->S);
    for (int64_t b = 0; b < s->B; b++) lengths[b] = (int32_t)HN_MAX(0, s->S - 37 * b);
    for (int64_t i = 0; i < s->B * s->S; i++) documents[i] = (int32_t)(i % s->S / 41);
    hn_rng_fill_normal(9, HN_STREAM_TEST, 0, r, s->B * s->T * C, 1);
    round_all(q), round_all(k), round_all(v);
    assert_true(hone_tape_activations(t, type));
    hone_tape_begin(t, HONE_TRAIN, 5, 6);
    hone_attention_opts o = {.heads = s->H, .kv_heads = s->KV, .causal = s->causal, .window = s->window, .dropout = s->dropout, .softcap = s->softcap};
    if (s->lengths) o.lengths = hone_input_i32(t, lengths, DIMS(s->B));
    if (s->documents) o.documents = hone_input_i32(t, documents, DIMS(s->B, s->S));
    hone_tensor *y = hone_attention(t, part(t, q, C), part(t, k, K), part(t, v, K), &o);
    if (!hone_ok(t)) fail_msg("%s", hone_error_message(job));
    assert_true(y->dtype == type);
    f.v[0] = hn_new_n(keeper, float, s->B * s->T * C + 1), f.n[0] = s->B * s->T * C;
    for (int64_t i = 0; i < f.n[0]; i++) f.v[0][i] = (float)hone_tensor_item(y, i);
    if (!hone_backward(t, project(t, y, r, NULL))) fail_msg("%s", hone_error_message(job));
    keep(keeper, &f, 1, q->grad, hn_count(q)), keep(keeper, &f, 2, k->grad, hn_count(k)), keep(keeper, &f, 3, v->grad, hn_count(v));
    hone_close(job);
    return f;
}
static void test_attention(void **state) {
    static const attn all[] = {
        {2, 65, 65, 3, 3, 32, .causal = true},
        {1, 300, 300, 4, 2, 48, .causal = true},
        {2, 77, 131, 2, 1, 6, .lengths = true},
        {3, 129, 129, 2, 2, 64, .lengths = true, .dropout = 0.3f},
        {1, 201, 259, 2, 2, 20, .causal = true, .softcap = 3},
        {2, 150, 150, 6, 2, 2, .causal = true, .window = 33},
        {2, 190, 190, 2, 2, 34, .documents = true, .causal = true, .dropout = 0.1f},
        {1, 7, 1001, 1, 1, 80},
        {1, 130, 130, 2, 2, 7, .causal = true}, /* odd: in f32 */
        {4, 3, 50, 2, 2, 16},                   /* few queries: in f32 */
    };
    if (none()) return;
    for (int64_t i = 0; i < HN_LEN(all); i++) {
        hone_job *job = hone_open(NULL);
        hn_arena *a = hn_job_arena(job);
        const char *what = hn_fmt(a, "attention %lld: %lldx%lldx%lldx%lld", (long long)i, (long long)all[i].T, (long long)all[i].S, (long long)all[i].H, (long long)all[i].D);
        found want = attention(a, &all[i], HONE_F32, 2), one = attention(a, &all[i], HONE_BF16, 1), three = attention(a, &all[i], HONE_BF16, 3);
        beside(what, &one, &want, 2); /* probabilities are rounded too */
        same(what, &one, &three);
        hone_close(job);
    }
}
/* Probabilities and dy are rounded to bf16 for their products. Two keys, scores 0 and −2 of each query, values 0 and 1: e^−2 / (1 + e^−2)
 * is 0.119202, in bf16 0.119141; with e^−2 rounded it is 0.119387, 0.119629. And of dv: Σ p·dy with dy = 1 + 2^-9. */
static void test_attention_not_widened(void **state) {
    enum { T = 8, D = 2 };
    if (none()) return;
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hone_tape *t = hone_tape_new(job, NULL);
    hone_tensor *q = weight(a, "q", DIMS(1, T, D), 0, 0), *k = weight(a, "k", DIMS(1, 2, D), 0, 0), *v = weight(a, "v", DIMS(1, 2, D), 0, 0);
    float r[T * D];
    for (int i = 0; i < T; i++) ((float *)q->data)[i * D] = 1;
    ((float *)k->data)[D] = -2, ((float *)v->data)[D] = 1;
    for (int i = 0; i < T * D; i++) r[i] = 1 + 0x1p-9f;
    assert_true(hone_tape_activations(t, HONE_BF16));
    hone_tape_begin(t, HONE_TRAIN, 0, 0);
    hone_tensor *y = hone_attention(t, hone_scale(t, q, 1), hone_scale(t, k, 1), hone_scale(t, v, 1), &(hone_attention_opts){.heads = 1, .scale = 1});
    for (int i = 0; i < T; i++) assert_true(hone_tensor_item(y, i * D) == 0.11962890625);
    assert_true(hone_backward(t, project(t, y, r, NULL)));
    assert_true(v->grad[D] == T * hn_widen(hn_narrow((float)(exp(-2) / (1 + exp(-2))))));
    hone_close(job);
}

/* 1 + 2^-9 is a quarter of a unit of bf16 above 1 and rounds to 1: with w in bf16 it has no part in y or dx, nor with d in bf16 in dw. */
static void test_not_widened(void **state) {
    enum { M = 64, K = 64, N = 32 };
    if (none()) return;
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hone_tape *t = hone_tape_new(job, NULL);
    hone_tensor *x = weight(a, "x", DIMS(M, K), 0, 0), *w = weight(a, "w", DIMS(N, K), 0, 0);
    float r[M * N];
    for (int i = 0; i < M * K; i++) ((float *)x->data)[i] = 1;
    for (int i = 0; i < N * K; i++) ((float *)w->data)[i] = 1 + 0x1p-9f;
    for (int i = 0; i < M * N; i++) r[i] = 1 + 0x1p-9f;
    assert_true(hone_tape_activations(t, HONE_BF16));
    hone_tape_begin(t, HONE_TRAIN, 0, 0);
    hone_tensor *y = hone_linear(t, hone_scale(t, x, 1), w, NULL, false, HONE_ACT_NONE);
    assert_true(hone_tensor_item(y, 0) == K);
    assert_true(hone_backward(t, project(t, y, r, NULL)));
    for (int i = 0; i < M * K; i++) assert_true(x->grad[i] == N);  /* 32 · 1 · 1; widened: 32.125 */
    for (int i = 0; i < N * K; i++) assert_true(w->grad[i] == M);
    hone_close(job);
}

static void fill(hone_tensor *x, float v) {
    for (int64_t i = 0; i < hn_count(x); i++) ((float *)x->data)[i] = v;
}
/* The same of the heads: of three classes the first has 1 + 2^-9 where the others have 1, and is every row's target, or a certain teacher's
 * choice. With w in bf16 all logits are equal, and what goes back through w cancels; a third is not exact in bf16, so dw tells whether dz
 * was rounded. */
static void heads_not_widened(head_kind kind) {
    enum { M = 64, K = 64, V = 3 };
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hone_tape *t = hone_tape_new(job, NULL);
    hone_tensor *x = weight(a, "x", DIMS(M, K), 0, 0), *w = weight(a, "w", DIMS(V, K), 0, 0), *sure = weight(a, "sure", DIMS(V, K), 0, 0);
    const int32_t targets[M] = {0};
    float r[2 * M];
    fill(x, 1), fill(w, 1);
    for (int i = 0; i < K; i++) ((float *)w->data)[i] = 1 + 0x1p-9f, ((float *)sure->data)[i] = 1;
    for (int i = 0; i < 2 * M; i++) r[i] = i % 2 ? 0 : -1;
    assert_true(hone_tape_activations(t, HONE_BF16));
    hone_tape_begin(t, HONE_TRAIN, 0, 0);
    hone_tensor *h = hone_scale(t, x, 1), *y = hone_input_i32(t, targets, DIMS(M)), *out;
    if (kind == KL) out = hone_linear_kl(t, h, w, h, sure, &(hone_kl_opts){.denominator = 1});
    else if (kind == LOG_PROBS) out = project(t, hone_linear_log_probs(t, h, w, y, 0), r, NULL);
    else out = hone_linear_cross_entropy(t, h, w, y, &(hone_cross_entropy_opts){.denominator = 1, .is_root = kind == ROOT});
    if (!hone_ok(t)) fail_msg("%s", hone_error_message(job));
    assert_near(hone_tensor_item(out, 0), M * log(3), M * 1e-5); /* widened: 1.018·M, the first class' logit being 0.125 more */
    assert_true(hone_backward(t, out));
    for (int i = 0; i < M * K; i++) assert_true(x->grad[i] == 0);
    for (int i = 0; i < V * K; i++) assert_true(w->grad[i] == M * hn_widen(hn_narrow(i < K ? -2.f / 3 : 1.f / 3)));
    hone_close(job);
}
/* The teacher's product goes by its own h: rounded where that is bf16, exact where it comes in f32, as from a model that is only read. */
static void teacher_not_widened(bool exact) {
    enum { M = 8, K = 64 };
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hone_tape *t = hone_tape_new(job, NULL);
    hone_tensor *x = weight(a, "x", DIMS(M, K), 0, 0), *w = weight(a, "w", DIMS(2, K), 0, 0), *tw = weight(a, "tw", DIMS(2, K), 0, 0);
    fill(x, 1), fill(w, 1), fill(tw, 1);
    for (int i = 0; i < K; i++) ((float *)tw->data)[i] = 1 + 0x1p-9f;
    assert_true(hone_tape_activations(t, HONE_BF16));
    hone_tape_begin(t, HONE_TRAIN, 0, 0);
    hone_tensor *h = hone_scale(t, x, 1), *y = hone_linear_kl(t, h, w, exact ? x : h, tw, NULL);
    double p = 1 / (1 + exp(-0.125));
    assert_near(hone_tensor_item(y, 0), exact ? p * log(2 * p) + (1 - p) * log(2 * (1 - p)) : 0, 1e-5); /* the first is 0.0019 */
    hone_close(job);
}
static void test_heads_not_widened(void **state) {
    if (none()) return;
    for (head_kind k = ROOT; k <= LOG_PROBS; k++) heads_not_widened(k);
    teacher_not_widened(false);
    teacher_not_widened(true);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_product),
        cmocka_unit_test(test_linear),
        cmocka_unit_test(test_heads),
        cmocka_unit_test(test_not_widened),
        cmocka_unit_test(test_heads_not_widened),
        cmocka_unit_test(test_attention),
        cmocka_unit_test(test_attention_not_widened),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
