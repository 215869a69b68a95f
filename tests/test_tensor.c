/* The tape: memory that is recycled and found again, failures that stick, blocks, views, dry runs, checks, the key-value cache. */
#include "tape_help.h"

/* ---- a small transformer, with everything that a model does to a tape ---- */
enum { V = 11, C = 12, H = 3, L = 2, B = 2, T = 6, CONTEXT = 8 };
typedef struct layer {
    hone_tensor *n1w, *n1b, *qkv, *qkv_b, *proj, *n2w, *up, *up_b, *down;
} layer;
typedef struct net {
    hone_tensor *e, *p, *nw;
    layer l[L];
    hone_tensor *all[3 + 9 * L];
    int n;
    float dropout;
    bool blocks;
} net;

static hone_tensor *add_weight(hn_arena *a, net *m, const char *name, bool null, double mean, int dims, const int64_t *shape) {
    hone_tensor *w = hn_weight_new(a, name, dims, shape, null);
    if (!null) {
        hn_rng_fill_normal(40 + (uint64_t)m->n, HN_STREAM_TEST, 0, w->data, hn_count(w), 0.4);
        for (int64_t i = 0; i < hn_count(w); i++) ((float *)w->data)[i] += (float)mean;
    }
    hn_weight_grad(a, w);
    return m->all[m->n++] = w;
}

static net *net_new(hn_arena *a, bool null) {
    net *m = hn_new(a, net);
    m->blocks = true;
    m->e = add_weight(a, m, "wte", null, 0, DIMS(V, C));
    m->p = add_weight(a, m, "wpe", null, 0, DIMS(CONTEXT, C));
    m->nw = add_weight(a, m, "ln_f", null, 1, DIMS(C));
    for (int i = 0; i < L; i++) {
#define W(f, mean, ...) m->l[i].f = add_weight(a, m, hn_fmt(a, "h.%d." #f, i), null, mean, DIMS(__VA_ARGS__))
        W(n1w, 1, C), W(n1b, 0, C), W(qkv, 0, C, 3 * C), W(qkv_b, 0, 3 * C), W(proj, 0, C, C), W(n2w, 1, C);
        W(up, 0, 4 * C, C), W(up_b, 0, 4 * C), W(down, 0, C, 4 * C);
#undef W
    }
    return m;
}

static hone_tensor *block(hone_tape *t, net *m, int i, hone_tensor *x) {
    const layer *l = &m->l[i];
    if (m->blocks) hn_block_begin(t);
    hn_scope_begin(t, hn_fmt(hn_tape_arena(t), "h.%d", i));
    hn_scope_begin(t, "attn");
    hone_tensor *qkv = hone_linear(t, hone_layernorm(t, x, l->n1w, l->n1b, 1e-5f), l->qkv, l->qkv_b, true, HONE_ACT_NONE);
    hone_tensor *q = hone_columns(t, qkv, 0, C), *k = hone_columns(t, qkv, C, C), *v = hone_columns(t, qkv, 2 * C, C);
    hone_attention_opts o = {.heads = H, .causal = true, .dropout = m->dropout, .layer = i};
    hone_tensor *y = hone_linear(t, hone_attention(t, q, k, v, &o), l->proj, NULL, false, HONE_ACT_NONE);
    x = hone_add(t, x, hone_dropout(t, y, m->dropout));
    hn_scope_end(t);
    hn_scope_begin(t, "mlp");
    y = hone_linear(t, hone_layernorm(t, x, l->n2w, NULL, 1e-5f), l->up, l->up_b, false, HONE_ACT_GELU_TANH);
    x = hone_add(t, x, hone_linear(t, y, l->down, NULL, false, HONE_ACT_NONE));
    hn_scope_end(t);
    hn_scope_end(t);
    return m->blocks ? hn_block_end(t, x) : x;
}

static hone_tensor *hidden(hone_tape *t, net *m, const int32_t *ids, int64_t b, int64_t n) {
    hone_tensor *x = hone_dropout(t, hone_embedding(t, hone_input_i32(t, ids, DIMS(b, n)), m->e, m->p), m->dropout);
    for (int i = 0; i < L; i++) x = block(t, m, i, x);
    return hone_layernorm(t, x, m->nw, NULL, 1e-5f);
}

static const int32_t ids[B * T] = {1, 5, 3, 5, 0, 10, 2, 2, 9, 8, 7, 4}, targets[B * T] = {5, 3, 5, 0, 10, -1, 2, 9, 8, 7, 4, 1};
static hone_tensor *loss_of(hone_tape *t, net *m, int64_t n) {
    hone_tensor *h = hidden(t, m, ids, n ? B : 0, n);
    return hone_linear_cross_entropy(t, h, m->e, hone_input_i32(t, targets, DIMS(n ? B : 0, n)), NULL);
}
static double step(hone_tape *t, net *m, uint32_t number) {
    hone_tape_begin(t, HONE_TRAIN, 1, number);
    hone_tensor *loss = loss_of(t, m, T);
    if (!hone_backward(t, loss)) fail_msg("%s", hone_error_message(t ? hn_tape_arena(t)->job : NULL));
    return hone_tensor_item(loss, 0);
}
static void zero_grads(net *m) {
    for (int i = 0; i < m->n; i++) memset(m->all[i]->grad, 0, (size_t)hn_count(m->all[i]) * sizeof(float));
}

typedef struct room {
    hone_job *job;
    hn_arena *a;
    hone_tape *t;
    net *m;
} room;
static room open_room(const char *backend) {
    room r = {.job = hone_open(&(hone_options){.threads = 1})};
    r.a = hn_job_arena(r.job);
    r.t = hone_tape_new(r.job, backend);
    r.m = net_new(r.a, false);
    assert_non_null(r.t);
    return r;
}

/* ---- tests ---- */

static void test_whole_gradient(void **state) {
    for (int blocks = 0; blocks < 2; blocks++) {
        room r = open_room(NULL);
        r.m->dropout = 0.25f;
        r.m->blocks = blocks;
        step(r.t, r.m, 4);
        for (int i = 0; i < r.m->n; i++)
            for (int k = 0; k < 2; k++) {
                hone_tensor *w = r.m->all[i];
                float *x = (float *)w->data + k * (hn_count(w) - 1), keep = *x, h = 0.01f;
                double got = w->grad[k * (hn_count(w) - 1)], f[4];
                for (int j = 0; j < 4; j++) {
                    *x = keep + h * (float)(j < 2 ? j - 2 : j - 1);
                    hone_tape_begin(r.t, HONE_TRAIN, 1, 4);
                    f[j] = hone_tensor_item(loss_of(r.t, r.m, T), 0);
                }
                *x = keep;
                double want = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * (double)h);
                if (fabs(got - want) > 2e-4) fail_msg("%s: %g, differences say %g", w->name, got, want);
            }
        hone_close(r.job);
    }
}

static void test_gradients_add_up(void **state) {
    room r = open_room(NULL);
    step(r.t, r.m, 0);
    float first = r.m->l[0].up->grad[5];
    step(r.t, r.m, 0);
    assert_true(fabsf(r.m->l[0].up->grad[5] - 2 * first) <= 1e-6f * fabsf(first));
    hone_close(r.job);
}

static void test_warm_step(void **state) {
    room r = open_room(NULL);
    double losses[2];
    float *at[2], *hid[2];
    int64_t live = 0;
    for (uint32_t i = 0; i < 100; i++) {
        hone_tape_begin(r.t, HONE_TRAIN, 1, 0);
        zero_grads(r.m);
        hone_tensor *h = hidden(r.t, r.m, ids, B, T), *y = hone_input_i32(r.t, targets, DIMS(B, T));
        hone_tensor *loss = hone_linear_cross_entropy(r.t, h, r.m->e, y, NULL);
        hid[i > 0] = hone_tensor_f32(h), at[i > 0] = hone_tensor_f32(loss);
        assert_true(hone_backward(r.t, loss));
        losses[i > 0] = hone_tensor_item(loss, 0);
        if (i == 1) live = hn_memory_live(r.job);
        if (i > 1) assert_int_equal(hn_memory_live(r.job), live);
        assert_ptr_equal(hid[0], hid[i > 0]);
        assert_ptr_equal(at[0], at[i > 0]);
        assert_true(losses[0] == losses[i > 0]);
    }
    hone_close(r.job);
}

/* Steps of other shapes in between do not pile up: the peak is the largest step's. */
static void test_shapes_come_and_go(void **state) {
    room r = open_room(NULL);
    hn_tape_stats s;
    step(r.t, r.m, 0);
    hn_tape_stats_get(r.t, &s);
    int64_t peak = s.pool_peak;
    for (int64_t n = 1; n < T; n++) {
        hone_tape_begin(r.t, HONE_TRAIN, 1, 0);
        assert_true(hone_backward(r.t, loss_of(r.t, r.m, n)));
    }
    hn_tape_stats_get(r.t, &s);
    assert_int_equal(s.pool_peak, peak);
    hone_close(r.job);
}

static void test_dry_run(void **state) {
    room r = open_room(NULL), d = open_room("null");
    d.m = net_new(d.a, true);
    int64_t live = hn_memory_live(d.job);
    assert_true(hn_tape_is_null(d.t));
    for (int n = T; n >= 0; n -= 3) {
        hn_tape_stats s[2];
        for (int i = 0; i < 2; i++) {
            room *x = i ? &d : &r;
            x->m->dropout = 0.1f;
            hone_tape_begin(x->t, HONE_TRAIN, 1, 0);
            hone_tensor *loss = loss_of(x->t, x->m, n);
            assert_true(hone_ok(x->t));
            assert_true(hone_backward(x->t, loss));
            hn_tape_stats_get(x->t, &s[i]);
            if (i) assert_true(isnan(hone_tensor_item(loss, 0)));
            else if (!n) assert_true(hone_tensor_item(loss, 0) == 0);
        }
        assert_memory_equal(&s[0], &s[1], sizeof s[0]);
        double products = 2.0 * B * n * (L * 12.0 * C * C + V * C) + L * 4.0 * B * n * n * C;
        assert_true(s[0].flops_forward == products && s[0].flops_backward == 2 * products);
        assert_true(s[0].pool_now > 0 && s[0].pool_now <= s[0].pool_peak);
    }
    assert_true(hn_memory_live(d.job) < live + (1 << 20));
    hone_close(r.job);
    hone_close(d.job);
}

static int64_t in_use(hone_tape *t) {
    hn_tape_stats s;
    hn_tape_stats_get(t, &s);
    return s.pool_now;
}
static void test_blocks(void **state) {
    room r = open_room(NULL);
    hone_tape_begin(r.t, HONE_EVAL, 0, 0);
    float v[B * T * C] = {1, 2, 3};
    hone_tensor *x = hone_input_f32(r.t, v, DIMS(B, T, C));
    int64_t one = in_use(r.t);
    for (int i = 0; i < 5; i++) {
        hn_block_begin(r.t);
        hone_tensor *y = block(r.t, r.m, 0, x), *kept = hn_block_end(r.t, y); /* nested */
        assert_ptr_equal(y, kept);
        assert_int_equal(in_use(r.t), one * (2 + i));
        assert_non_null(hone_tensor_f32(kept));
    }
    /* out made before the block; a view as out keeps what it was cut from */
    hn_block_begin(r.t);
    int64_t before = in_use(r.t);
    hone_gelu(r.t, x, true);
    assert_ptr_equal(hn_block_end(r.t, x), x);
    assert_int_equal(in_use(r.t), before);
    hn_block_begin(r.t);
    hone_tensor *view = hn_block_end(r.t, hone_columns(r.t, hone_columns(r.t, hone_add(r.t, x, x), 1, 3), 1, 2));
    assert_int_equal(in_use(r.t), before + one);
    assert_true(hone_tensor_item(view, 0) == 2 * v[2]);
    assert_true(hone_tensor_item(view, 2) == 2 * v[C + 2]);
    /* what a block let go cannot be used */
    hn_block_begin(r.t);
    hone_tensor *gone = hone_gelu(r.t, x, true);
    hn_block_end(r.t, x);
    assert_null(hone_tensor_f32(gone));
    assert_true(isnan(hone_tensor_item(gone, 0)));
    hone_add(r.t, gone, x);
    assert_false(hone_ok(r.t));
    assert_contains(hone_error_message(r.job), "released");
    hone_close(r.job);
}

static void expect(room *r, hone_tensor *y, hone_code code, const char *text) {
    assert_non_null(y);
    assert_false(hone_ok(r->t));
    assert_int_equal(hone_error_code(r->job), code);
    assert_contains(hone_error_message(r->job), text);
    assert_true(isnan(hone_tensor_item(y, 0)));
    assert_null(hone_tensor_f32(y));
    hone_error_clear(r->job);
    hone_tape_begin(r->t, HONE_TRAIN, 0, 0);
    assert_true(hone_ok(r->t));
}
static void test_misfits(void **state) {
    room r = open_room(NULL);
    hone_tape *t = r.t;
    hone_tensor *w = weight(r.a, "w", DIMS(4, 5), 1, 1), *w34 = weight(r.a, "w", DIMS(3, 4), 2, 1), *b = weight(r.a, "b", DIMS(3), 3, 1);
    hone_tensor *q = weight(r.a, "q", DIMS(2, 3, 4), 4, 1), *k = weight(r.a, "k", DIMS(2, 2, 4), 5, 1);
    hone_attention_opts two = {.heads = 2, .causal = true}, three = {.heads = 3};
    hone_tape_begin(t, HONE_TRAIN, 0, 0);
    expect(&r, hone_linear(t, w34, w, NULL, false, 0), HONE_E_SHAPE, "linear: x is (3,4) but w is (4,5)");
    expect(&r, hone_linear(t, w, w34, NULL, true, 0), HONE_E_SHAPE, "linear: x is (4,5) but w is (3,4) transposed");
    expect(&r, hone_linear(t, w34, w, b, true, 0), HONE_E_SHAPE, "linear: w is (4,5) but b is (3)");
    expect(&r, hone_add(t, w, w34), HONE_E_SHAPE, "add: x is (4,5) but y is (3,4)");
    expect(&r, hone_layernorm(t, w, b, NULL, 1e-5f), HONE_E_SHAPE, "layernorm: x is (4,5) but w is (3)");
    expect(&r, hone_columns(t, w, 3, 3), HONE_E_SHAPE, "columns: x is (4,5) but columns 3 to 6");
    expect(&r, hone_attention(t, q, q, q, &three), HONE_E_SHAPE, "attention: q is (2,3,4) but there are 3 heads");
    expect(&r, hone_attention(t, q, k, q, &two), HONE_E_SHAPE, "attention: q is (2,3,4) but k is (2,2,4) and v (2,3,4)");
    expect(&r, hone_attention(t, q, k, k, &two), HONE_E_SHAPE, "some queries would see no key");
    expect(&r, hone_dropout(t, w, 1), HONE_E_SHAPE, "dropout: p 1 is not in [0,1)");
    expect(&r, hone_embedding(t, hone_input_i32(t, (int32_t[]){0, 4}, DIMS(2)), w, NULL), HONE_E_SHAPE,
           "embedding: id 4 at index 1 is not in 0 … 3");
    expect(&r, hone_embedding(t, hone_input_i32(t, (int32_t[]){-1}, DIMS(1)), w, NULL), HONE_E_SHAPE, "id -1 at index 0");
    expect(&r, hone_embedding(t, hone_input_i32(t, (int32_t[]){0, 0, 0, 0, 0}, DIMS(1, 5)), w, w), HONE_E_SHAPE,
           "5 tokens from position 0 but there are 4 positions");
    expect(&r, hone_linear_cross_entropy(t, w34, w34, hone_input_i32(t, (int32_t[]){0, 3, -1}, DIMS(3)), NULL), HONE_E_SHAPE,
           "target: id 3 at index 1 is not in -1 … 2");
    expect(&r, hone_linear_cross_entropy(t, w34, w34, hone_input_i32(t, (int32_t[]){0, 1}, DIMS(2)), NULL), HONE_E_SHAPE,
           "targets are i32 (2)");
    expect(&r, hone_input_f32(t, NULL, DIMS((int64_t)1 << 40, (int64_t)1 << 40)), HONE_E_SHAPE, "too large");
    expect(&r, hone_input_f32(t, NULL, DIMS(-3)), HONE_E_SHAPE, "(-3) is negative or too large");
    assert_null(hone_tape_new(r.job, "cpuu"));
    assert_contains(hone_error_message(r.job), "unknown backend 'cpuu'");
    hone_close(r.job);
}

static void test_failure_sticks(void **state) {
    room r = open_room(NULL);
    hone_tape_begin(r.t, HONE_TRAIN, 0, 0);
    hn_scope_begin(r.t, "h.3");
    hn_scope_begin(r.t, "mlp");
    hone_tensor *bad = hone_linear(r.t, r.m->e, r.m->p, r.m->e, false, 0); /* b is not a vector */
    hn_scope_end(r.t);
    hn_scope_end(r.t);
    assert_string_equal(hn_tape_failed_where(r.t), "linear in h.3.mlp (forward)");
    char first[512];
    snprintf(first, sizeof first, "%s", hone_error_message(r.job));
    assert_contains(first, "linear in h.3.mlp (forward)");
    hone_tensor *y = hidden(r.t, r.m, ids, B, T); /* a whole model on the failed tape */
    y = hone_add(r.t, y, bad);
    assert_false(hone_backward(r.t, y));
    assert_string_equal(hone_error_message(r.job), first);
    assert_true(isnan(hone_tensor_item(y, 0)));
    hone_error_clear(r.job);
    assert_true(step(r.t, r.m, 0) > 0); /* the next step is a new chance */
    assert_string_equal(hn_tape_failed_where(r.t), "");
    hone_close(r.job);
}

static void test_backward_refuses(void **state) {
    room r = open_room(NULL);
    hone_tape_begin(r.t, HONE_TRAIN, 0, 0);
    assert_false(hone_backward(r.t, hone_gelu(r.t, r.m->e, true)));
    assert_contains(hone_error_message(r.job), "backward: loss is (11,12) but must be one f32 number");
    hone_error_clear(r.job);
    hone_tape_begin(r.t, HONE_EVAL, 0, 0);
    assert_false(hone_backward(r.t, loss_of(r.t, r.m, T)));
    assert_contains(hone_error_message(r.job), "nothing that is trained");
    hone_error_clear(r.job);
    hone_tape_begin(r.t, HONE_TRAIN, 0, 0);
    hone_tensor *loss = loss_of(r.t, r.m, T);
    assert_true(hone_backward(r.t, loss));
    assert_false(hone_backward(r.t, loss));
    assert_contains(hone_error_message(r.job), "walked back already");
    hone_close(r.job);
}

static void test_check(void **state) {
    room r = open_room("check"), plain = open_room(NULL);
    assert_true(step(r.t, r.m, 2) == step(plain.t, plain.m, 2));
    ((float *)r.m->l[1].up->data)[7] = NAN;
    hone_tape_begin(r.t, HONE_TRAIN, 0, 9);
    loss_of(r.t, r.m, T);
    assert_false(hone_ok(r.t));
    assert_int_equal(hone_error_code(r.job), HONE_E_NUMERIC);
    assert_string_equal(hn_tape_failed_where(r.t), "linear in h.1.mlp (forward)");
    assert_contains(hone_error_message(r.job), "NaN");
    assert_contains(hone_error_message(r.job), "h.1.up held such a value already");
    hone_error_clear(r.job);
    /* finite forward, infinite gradient: y = b·(a·x) with dy/da = b·x = 1e20·1e25 */
    hone_tensor *a = weight(r.a, "a", DIMS(1, 1), 1, 1), *b = weight(r.a, "b", DIMS(1, 1), 1, 1);
    *(float *)a->data = 1e-25f, *(float *)b->data = 1e20f;
    hone_tape_begin(r.t, HONE_TRAIN, 0, 0);
    hn_scope_begin(r.t, "deep");
    hone_tensor *y = hone_linear(r.t, hone_input_f32(r.t, (float[]){1e25f}, DIMS(1, 1)), a, NULL, false, 0);
    y = hone_linear(r.t, y, b, NULL, false, 0);
    hn_scope_end(r.t);
    assert_true(hone_ok(r.t));
    assert_false(hone_backward(r.t, y));
    assert_string_equal(hn_tape_failed_where(r.t), "linear in deep (backward)");
    assert_contains(hone_error_message(r.job), "the gradient of a is infinite");
    hone_close(r.job);
    hone_close(plain.job);
}

static void test_cache(void **state) {
    room r = open_room(NULL);
    float want[B * T * C], *v;
    hone_tape_begin(r.t, HONE_EVAL, 0, 0);
    v = hone_tensor_f32(hidden(r.t, r.m, ids, B, T));
    memcpy(want, v, sizeof want);
    hone_tape *t = hone_tape_new(r.job, NULL);
    assert_true(hone_tape_cache(t, L, B, T, C));
    static const int64_t cut[] = {0, 3, 4, T}; /* a prompt of three, one token, the rest */
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 3; i++) {
            int64_t n = cut[i + 1] - cut[i];
            int32_t part[B * T];
            for (int64_t b = 0; b < B; b++)
                for (int64_t k = 0; k < n; k++) part[b * n + k] = ids[b * T + cut[i] + k];
            hone_tape_begin(t, HONE_EVAL, 0, 0);
            assert_int_equal(hn_tape_position(t), cut[i]);
            hone_tensor *h = hidden(t, r.m, part, B, n);
            assert_true(hone_ok(t));
            assert_int_equal(hone_tape_cache_length(t), cut[i + 1]);
            for (int64_t b = 0; b < B; b++)
                for (int64_t k = 0; k < n * C; k++)
                    assert_true(fabs(hone_tensor_item(h, b * n * C + k) - want[(b * T + cut[i]) * C + k]) < 2e-5);
        }
        hone_tape_cache_reset(t, 0);
        assert_int_equal(hone_tape_cache_length(t), 0);
    }
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    hidden(t, r.m, ids, B, T);
    hn_tape_cache_advance(t);
    assert_int_equal(hn_tape_position(t), T);
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    hidden(t, r.m, ids, B, 1); /* full */
    assert_contains(hone_error_message(r.job), "attention: 1 tokens after 6 but the cache holds 6");
    hone_error_clear(r.job);
    hone_tape_cache_reset(t, 2);
    assert_int_equal(hone_tape_cache_length(t), 2);
    hone_tape_begin(t, HONE_TRAIN, 0, 0);
    hidden(t, r.m, ids, B, 1);
    assert_contains(hone_error_message(r.job), "does not record");
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    assert_int_equal(hone_tape_cache_length(t), 2); /* a failed forward appends nothing */
    hone_tape *null = hone_tape_new(r.job, "null");
    assert_true(hone_tape_cache(null, L, B, T, C));
    hidden(null, r.m, ids, B, T);
    assert_true(hone_ok(null) && in_use(null) >= 2 * L * B * T * C * 4);
    hone_close(r.job);
}

static void test_dropout(void **state) {
    room r = open_room(NULL);
    enum { N = 20000 };
    static float ones[N];
    for (int i = 0; i < N; i++) ones[i] = 1;
    float kept[3][8];
    for (uint32_t s = 0; s < 3; s++) {
        hone_tape_begin(r.t, HONE_TRAIN, 1, s / 2);
        hone_tensor *y = hone_dropout(r.t, hone_input_f32(r.t, ones, DIMS(N)), 0.3f);
        double sum = 0, zeros = 0;
        for (int64_t i = 0; i < N; i++) sum += hone_tensor_item(y, i), zeros += hone_tensor_item(y, i) == 0;
        assert_true(fabs(zeros / N - 0.3) < 4 * sqrt(0.21 / N));
        assert_true(fabs(sum / ((N - zeros) / 0.7) - 1) < 1e-6);
        memcpy(kept[s], hone_tensor_f32(y), sizeof kept[s]);
    }
    assert_memory_equal(kept[0], kept[1], sizeof kept[0]);
    assert_memory_not_equal(kept[0], kept[2], sizeof kept[0]);
    hone_tape_begin(r.t, HONE_EVAL, 1, 0);
    hone_tensor *x = hone_input_f32(r.t, ones, DIMS(N));
    assert_ptr_equal(hone_dropout(r.t, x, 0.3f), x);
    hone_close(r.job);
}

/* The n-th request for memory is refused, wherever it comes: the tape fails and says so, and the next step works. */
static void test_memory_refused(void **state) {
    int64_t refused = 0;
    for (int64_t n = 1; n < 200; n++) {
        room r = open_room(NULL);
        hn_fault_set(HN_FAULT_ALLOC, n);
        hone_tape *t = hone_tape_new(r.job, NULL);
        bool ok = t != NULL;
        if (t) {
            hone_tape_begin(t, HONE_TRAIN, 0, 0);
            hone_tensor *h = hone_embedding(t, hone_input_i32(t, ids, DIMS(B, T)), r.m->e, r.m->p);
            hone_tensor *loss = hone_linear_cross_entropy(t, h, r.m->e, hone_input_i32(t, targets, DIMS(B, T)), NULL);
            ok = hone_backward(t, loss);
        }
        hn_fault_set(HN_FAULT_ALLOC, 0);
        if (ok) {
            hone_close(r.job);
            break;
        }
        refused++;
        assert_int_equal(hone_error_code(r.job), HONE_E_MEMORY);
        hone_error_clear(r.job);
        if (t) {
            assert_false(hone_ok(t));
            assert_true(step(t, r.m, 0) > 0);
        }
        hone_close(r.job);
    }
    assert_true(refused > 5);
}

static void test_types(void **state) {
    assert_int_equal(hone_dtype_bytes(HONE_BF16), 2);
    assert_int_equal(hone_dtype_bytes(HONE_I64), 8);
    assert_string_equal(hone_dtype_name(HONE_F32), "f32");
    assert_string_equal(hone_dtype_name((hone_dtype)99), "?");
    room r = open_room(NULL);
    hone_tensor *x = hone_input_i32(r.t, (int32_t[]){4, -5}, DIMS(2));
    assert_true(hone_tensor_item(x, 1) == -5 && isnan(hone_tensor_item(x, 2)) && isnan(hone_tensor_item(x, -1)));
    assert_null(hone_tensor_f32(x));
    assert_null(hone_tensor_grad(x));
    assert_int_equal(hone_tensor_dims(r.m->e), 2);
    assert_int_equal(hone_tensor_shape(r.m->e)[1], C);
    assert_ptr_equal(hone_tensor_grad(r.m->e), r.m->e->grad);
    assert_string_equal(hn_shape_text(r.a, r.m->e), "11,12");
    hone_close(r.job);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types),
        cmocka_unit_test(test_whole_gradient),
        cmocka_unit_test(test_gradients_add_up),
        cmocka_unit_test(test_warm_step),
        cmocka_unit_test(test_shapes_come_and_go),
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_blocks),
        cmocka_unit_test(test_misfits),
        cmocka_unit_test(test_failure_sticks),
        cmocka_unit_test(test_backward_refuses),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_dropout),
        cmocka_unit_test(test_memory_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
