/* bf16 activations: rounding, each operator against the f32 reference on the same rounded inputs, every thread count and instruction
 * set, the null backend's memory; then whole models: what type each tensor of a step has, and what a step keeps.
 *
 * Bounds, stated once: a result is within one unit in the last place of bf16 (2^-8 of the number) of the f32 reference, and f32's own
 * tolerance; attention in products of bf16 (pairs.h) rounds its probabilities too, half a unit of each: 2^-9 of the largest more; a gradient,
 * which is f32, within 2^-6 of the largest (what backward reads of the forward has been rounded). */
#include "op_bench.h"
#include "model/model.h"
#include "tensor/cpu/pairs.h"
#include "tensor/tape.h"

static float bits(uint32_t u) {
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

/* Every upper half with lower halves around the ties, against the rule in integers of twice the width; all instruction sets. */
static void test_rounding(void **state) {
    static const uint32_t low[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    hn_isa best = hn_cpu_isa();
    float x[6 * 64 + 5], back[6 * 64 + 5];
    hn_bf16 y[6 * 64 + 5];
    for (hn_isa isa = HN_ISA_PLAIN; isa <= best; isa++) {
        const hn_vec *v = hn_vec_of(isa);
        for (uint32_t h = 0; h < 0x10000; h += 64) {
            int64_t n = 0;
            for (uint32_t k = 0; k < 64; k++)
                for (int i = 0; i < 6; i++) x[n++] = bits((h + k) << 16 | low[i]);
            for (int k = 0; k < 5; k++, n++) x[n] = x[k]; /* a tail */
            v->narrow(y, x, n);
            v->widen(back, y, n);
            for (int64_t i = 0; i < n; i++) {
                uint32_t u;
                memcpy(&u, &x[i], sizeof u);
                if (isnan(x[i])) assert_true(isnan(back[i]) && y[i] >> 15 == u >> 31);
                else {
                    uint32_t rest = u & 0xffff, up = rest > 0x8000 || (rest == 0x8000 && u >> 16 & 1);
                    bool small = (u & 0x7f800000) == 0; /* hardware rounding takes these for 0 */
                    if (!small || y[i] & 0x7fff) assert_int_equal(y[i], (u >> 16) + up);
                    assert_true(back[i] == hn_widen(y[i]));
                }
            }
        }
    }
}

static void round_inputs(bench *b) {
    b->made = true;
    for (int i = 0; i < b->op->n_in; i++)
        for (int64_t k = 0; b->w[i] && k < hn_count(b->w[i]); k++) {
            float *x = (float *)b->w[i]->data + k;
            *x = hn_widen(hn_narrow(*x));
        }
}

static void within_ulps(const bench *b, const char *what, const result *x, const result *want) {
    double scale = fmax(1, largest(want->y, want->n));
    double more = !strcmp(b->op->item.name, "attention") && hn_pairs_now() ? 0x1p-9 * scale : 0;
    assert_int_equal(x->n, want->n);
    for (int64_t k = 0; k < x->n; k++)
        if (!(fabs(x->y[k] - want->y[k]) <= fabs(want->y[k]) * 0x1p-8 + 3e-5 * scale + more))
            fail_msg("%s (%s), %s: [%lld] is %.9g, not %.9g", b->op->item.name, b->c->doc, what, (long long)k, x->y[k], want->y[k]);
    for (int i = 0; i < b->op->n_in; i++)
        if (x->grad[i] && want->grad[i])
            compare(b, hn_fmt(b->a, "%s, gradient %d", what, i), x->grad[i], want->grad[i], hn_count(b->w[i]), 0x1p-6);
}
static bool same_bits(const bench *b, const result *x, const result *y) {
    bool same = !memcmp(x->y, y->y, (size_t)x->n * sizeof(float));
    for (int i = 0; i < b->op->n_in; i++)
        same = same && (!x->grad[i] || !memcmp(x->grad[i], y->grad[i], (size_t)hn_count(b->w[i]) * sizeof(float)));
    return same;
}

static void parity(bench *b) {
    round_inputs(b);
    b->type = HONE_F32;
    result want = run(b, "cpu", true, 31);
    b->type = HONE_BF16;
    result reference = run(b, "cpu", true, 31), got = run(b, "cpu", false, 31), checked = run(b, "check", false, 31);
    within_ulps(b, "reference", &reference, &want);
    within_ulps(b, hn_isa_name(hn_cpu_isa()), &got, &want);
    if (!same_bits(b, &got, &checked)) fail_msg("%s (%s): check changes the numbers", b->op->item.name, b->c->doc);
    result dry = run(b, "null", false, 31);
    if (dry.peak != got.peak || dry.now != got.now)
        fail_msg("%s (%s): %lld bytes at most, but the null backend says %lld", b->op->item.name, b->c->doc, (long long)got.peak,
                 (long long)dry.peak);
    hone_job *alone = hone_open(&(hone_options){.threads = 1});
    bench other = bench_new(alone, b->op, b->c);
    round_inputs(&other);
    other.type = HONE_BF16;
    result one = run(&other, "cpu", false, 31);
    if (!same_bits(b, &got, &one)) fail_msg("%s (%s): other bits with other threads", b->op->item.name, b->c->doc);
    hone_close(alone);
}
static void test_operators(void **state) {
    hn_isa best = hn_cpu_isa();
    for (hn_isa isa = HN_ISA_PLAIN; isa <= best; isa++) {
        hn_cpu_isa_force(isa);
        each(parity, &(hone_options){.threads = 3});
    }
    hn_cpu_isa_force(best);
}

/* What is widened a piece at a time: several pieces, an end of one, a row longer than the rooms hold (HN_PIECE), one that just fits. */
extern const hn_op hn_op_add, hn_op_embedding, hn_op_layernorm, hn_op_rmsnorm, hn_op_rope, hn_op_swiglu;
static void test_pieces(void **state) {
    static const hn_layernorm_attr eps = {1e-5f};
    static const hn_rmsnorm_attr rms = {1e-6f};
    static const hn_rope_attr two = {.heads = 2};
    static const hn_embedding_attr start = {0};
    const struct {
        const hn_op *op;
        hn_op_case c;
    } cases[] = {
        {&hn_op_layernorm, {"fits", {SHAPE(3, 4096), SHAPE(4096), SHAPE(4096)}, {2, 1, 1}, &eps}},
        {&hn_op_layernorm, {"longer", {SHAPE(3, 4097), SHAPE(4097), SHAPE(4097)}, {2, 1, 1}, &eps}},
        {&hn_op_rmsnorm, {"fits, heads", {SHAPE(3, 4096), SHAPE(512)}, {2, 1}, &rms}},
        {&hn_op_rmsnorm, {"longer", {SHAPE(3, 4097), SHAPE(4097)}, {2, 1}, &rms}},
        {&hn_op_rope, {"fits", {SHAPE(1, 3, 4096), SHAPE(3, 2048)}, {3, 2}, &two}},
        {&hn_op_rope, {"longer", {SHAPE(1, 3, 4100), SHAPE(3, 2050)}, {3, 2}, &two}},
        {&hn_op_swiglu, {"pieces", {SHAPE(3, 5003), SHAPE(3, 5003)}, {2, 2}}},
        {&hn_op_swiglu, {"pieces, columns", {SHAPE(3, 2500), SHAPE(3, 2500)}, {2, 2}, .views = true}},
        {&hn_op_add, {"pieces", {SHAPE(7, 2999), SHAPE(7, 2999)}, {2, 2}}},
        {&hn_op_add, {"a row", {SHAPE(7, 2999), SHAPE(2999)}, {2, 1}}},
        {&hn_op_add, {"columns", {SHAPE(7, 2999), SHAPE(7, 2999)}, {2, 2}, .views = true}},
        {&hn_op_embedding, {"fits", {SHAPE(2, 3), SHAPE(5, 4096), SHAPE(3, 4096)}, {2, 2, 2}, &start, {5}}},
        {&hn_op_embedding, {"longer", {SHAPE(2, 3), SHAPE(5, 4097)}, {2, 2}, &start, {5}}},
    };
    hn_isa best = hn_cpu_isa();
    for (hn_isa isa = HN_ISA_PLAIN; isa <= best; isa++)
        for (int64_t i = 0; i < HN_LEN(cases); i++) {
            hn_cpu_isa_force(isa);
            hone_job *job = hone_open(&(hone_options){.threads = 3});
            bench b = bench_new(job, cases[i].op, &cases[i].c);
            parity(&b);
            hone_close(job);
        }
    hn_cpu_isa_force(best);
}

/* ---- whole models ---- */

typedef struct world {
    hone_job *job;
    hone_model *m;
    hone_tape *t;
    int32_t *ids, *targets;
} world;
enum { B = 8, T = 32, VOCAB = 11 };
static world world_new(const char *arch, const char *backend, hone_dtype type, bool recompute) {
    world w = {.job = hone_open(&(hone_options){.threads = 2})};
    hn_arena *a = hn_job_arena(w.job);
    const hn_arch *item = (const hn_arch *)hn_kind_find(&hn_kind_arch, arch);
    void *params = hn_alloc(a, 1, item->item.size, 16);
    hn_params_defaults(a, item->item.params, item->item.n_params, params);
    for (int64_t i = 0; i < item->item.n_params; i++) {
        static const struct {
            const char *name, *value;
        } sizes[] = {{"layers", "2"}, {"heads", "2"}, {"width", "48"}, {"context", "32"}, {"dropout", "0.1"}};
        for (int k = 0; k < 5; k++)
            if (!strcmp(item->item.params[i].name, sizes[k].name))
                assert_true(hn_params_set(a, &item->item.params[i], params, sizes[k].value, sizes[k].name, "test"));
    }
    w.m = hn_model_new(a, item, params, VOCAB, false);
    assert_non_null(w.m);
    hn_model_init(w.m, 5);
    w.m->recompute = recompute;
    for (int64_t i = 0; i < w.m->n_w; i++) hn_weight_grad(a, w.m->w[i].t);
    w.t = hone_tape_new(w.job, backend);
    assert_true(hone_tape_activations(w.t, type));
    w.ids = hn_new_n(a, int32_t, B * T), w.targets = hn_new_n(a, int32_t, B * T);
    for (int i = 0; i < B * T; i++) w.ids[i] = i * 7 % VOCAB, w.targets[i] = i * 5 % VOCAB;
    return w;
}
static hone_tensor *loss_of(world *w, hone_mode mode) {
    hone_tape_begin(w->t, mode, 3, 1);
    hone_tensor *ids = hone_input_i32(w->t, w->ids, 2, SHAPE(B, T)), *targets = hone_input_i32(w->t, w->targets, 2, SHAPE(B, T));
    hone_tensor *loss = hn_model_loss(w->t, w->m, ids, targets, NULL);
    if (!hone_ok(w->t)) fail_msg("%s", hone_error_message(w->job));
    return loss;
}
static int64_t kept(world *w) {
    hn_tape_stats s;
    hn_tape_stats_get(w->t, &s);
    return s.pool_now;
}

/* In a bf16 step every float that an operator leaves is bf16, but for what is named here. */
static void test_types(void **state) {
    static const char *const f32[] = {"linear_cross_entropy", "rope_table"};
    static const char *const archs[] = {"gpt2", "llama"};
    for (int k = 0; k < 2; k++) {
        world w = world_new(archs[k], NULL, HONE_BF16, false), wide = world_new(archs[k], NULL, HONE_F32, false);
        hone_tensor *loss = loss_of(&w, HONE_TRAIN);
        int64_t n = 0;
        for (const hn_node *node = w.t->last; node; node = node->before, n++) {
            const hn_call *c = &node->call;
            bool exact = false;
            for (int i = 0; i < HN_LEN(f32); i++) exact |= !strcmp(c->op->item.name, f32[i]);
            if (c->out->dtype != (exact ? HONE_F32 : HONE_BF16))
                fail_msg("%s in %s: the result is %s", c->op->item.name, node->scope, hone_dtype_name(c->out->dtype));
            for (int i = 0; i < c->n_aux; i++)
                if (c->aux[i] && hn_count(c->aux[i]) >= hn_count(c->out) && c->aux[i]->dtype != HONE_BF16 && !exact)
                    fail_msg("%s in %s keeps an activation as %s", c->op->item.name, node->scope, hone_dtype_name(c->aux[i]->dtype));
            for (int i = 0; i < c->n_in; i++)
                if (c->in[i] && !c->in[i]->is_weight && c->in[i]->node && c->in[i]->dtype == HONE_F32)
                    fail_msg("%s in %s: input %d is f32", c->op->item.name, node->scope, i);
        }
        assert_true(n > 20);
        hone_tensor *exact = loss_of(&wide, HONE_TRAIN);
        double ratio = (double)kept(&w) / (double)kept(&wide), x = hone_tensor_item(loss, 0), y = hone_tensor_item(exact, 0);
        if (!(ratio < 0.55)) fail_msg("%s keeps %.3f of what f32 keeps", archs[k], ratio);
        assert_near(x, y, 0.01); /* stated: 2^-8 of a loss near ln 11 */
        assert_true(hone_backward(w.t, loss) && hone_backward(wide.t, exact));
        for (int64_t i = 0; i < w.m->n_w; i++) {
            const hone_tensor *g = w.m->w[i].t, *h = wide.m->w[i].t;
            double top = largest(h->grad, hn_count(h)), off = 0;
            for (int64_t j = 0; j < hn_count(g); j++) off = fmax(off, fabs((double)g->grad[j] - h->grad[j]));
            if (!(off <= 0.05 * top)) fail_msg("%s, gradient of %s: off by %g of %g", archs[k], g->name, off, top);
        }
        hone_tensor *eval = loss_of(&w, HONE_EVAL), *same = loss_of(&wide, HONE_EVAL); /* not recording: f32 */
        assert_true(hone_tensor_item(eval, 0) == hone_tensor_item(same, 0));
        hone_close(w.job), hone_close(wide.job);
    }
}

/* Recomputed layers: the same bits. The null backend: the same memory. */
static void test_recomputed_and_dry(void **state) {
    world plain = world_new("llama", NULL, HONE_BF16, false), again = world_new("llama", NULL, HONE_BF16, true),
          dry = world_new("llama", "null", HONE_BF16, false);
    hn_tape_stats s, d;
    assert_true(hone_backward(plain.t, loss_of(&plain, HONE_TRAIN)));
    assert_true(hone_backward(again.t, loss_of(&again, HONE_TRAIN)));
    assert_true(hone_backward(dry.t, loss_of(&dry, HONE_TRAIN)));
    for (int64_t i = 0; i < plain.m->n_w; i++)
        assert_memory_equal(plain.m->w[i].t->grad, again.m->w[i].t->grad, (size_t)hn_count(plain.m->w[i].t) * sizeof(float));
    hn_tape_stats_get(plain.t, &s), hn_tape_stats_get(dry.t, &d);
    assert_memory_equal(&s, &d, sizeof s);
    hone_close(plain.job), hone_close(again.job), hone_close(dry.job);
}

/* A product of bf16 rows works on tiles: nowhere in it does a whole f32 copy of x or y live, which its memory would show. */
static void test_products_by_tiles(void **state) {
    enum { M = 32768, C = 64 };
    hone_job *job = hone_open(&(hone_options){.threads = 2});
    hn_arena *a = hn_job_arena(job);
    hone_tape *t = hone_tape_new(job, NULL);
    hn_tape_stats s;
    assert_true(hone_tape_activations(t, HONE_BF16));
    hone_tensor *x = weight(a, "x", DIMS(M, C), 1, 1), *w = weight(a, "w", DIMS(C, C), 2, 1), *b = weight(a, "b", DIMS(C), 3, 1);
    hone_tape_begin(t, HONE_TRAIN, 0, 0);
    hone_tensor *y = hone_linear(t, hone_linear(t, x, w, b, false, HONE_ACT_NONE), w, b, false, HONE_ACT_GELU);
    assert_true(hone_ok(t));
    assert_int_equal(hone_tensor_dtype(y), HONE_BF16);
    hn_tape_stats_get(t, &s);
    int64_t kept = 3 * M * C * 2, whole = M * C * 4; /* two results and z */
    if (!(s.pool_peak < kept + whole / 2)) fail_msg("%lld bytes, of which %lld are kept", (long long)s.pool_peak, (long long)kept);
    hone_close(job);
}

static void test_refused(void **state) {
    hone_job *job = hone_open(NULL);
    hone_tape *t = hone_tape_new(job, NULL);
    assert_false(hone_tape_activations(t, HONE_I32));
    assert_contains(hone_error_message(job), "f32 or bf16");
    hone_close(job);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rounding), cmocka_unit_test(test_operators), cmocka_unit_test(test_pieces), cmocka_unit_test(test_types),
        cmocka_unit_test(test_recomputed_and_dry), cmocka_unit_test(test_refused), cmocka_unit_test(test_products_by_tiles),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
