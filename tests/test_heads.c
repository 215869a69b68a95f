/* The heads that never hold tokens × vocabulary, against PyTorch: losses, what the model would have said, gradients; what they refuse. */
#include "tape_help.h"
#include "golden/heads.h"

typedef struct gold {
    hone_job *job;
    hn_arena *a;
    hone_tape *t;
} gold;

static gold open_gold(bool references) {
    gold g = {.job = hone_open(&(hone_options){.threads = 1})};
    g.a = hn_job_arena(g.job);
    g.t = hone_tape_new(g.job, NULL);
    assert_non_null(g.t);
    if (references) hn_tape_use_references(g.t);
    hone_tape_begin(g.t, HONE_TRAIN, 1, 1);
    return g;
}
static hone_tensor *put(gold *g, const float *v, int dims, const int64_t *shape) {
    hone_tensor *w = weight(g->a, "golden", dims, shape, 0, 0);
    memcpy(w->data, v, (size_t)hn_count(w) * sizeof *v);
    return w;
}
static void near(const char *what, const float *x, const float *want, int64_t n) {
    assert_non_null(x);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(x[i] - want[i]) <= 2e-6 * (1 + fabs(want[i]))))
            fail_msg("%s [%lld] is %.9g, PyTorch says %.9g", what, (long long)i, x[i], want[i]);
}
#define NEAR(x, want) near(#want, x, want, HN_LEN(want))
static void back(gold *g, hone_tensor *y, const char *what, const float *want, int64_t n, const float *r) {
    near(what, hone_tensor_f32(y), want, n);
    hone_tensor *loss = project(g->t, y, r, NULL);
    if (!hone_backward(g->t, loss)) fail_msg("%s", hone_error_message(g->job));
}
#define BACK(g, y, name) back(g, y, #name, name##_y, HN_LEN(name##_y), name##_r)

typedef struct ce_case {
    const char *name;
    const float *h, *w, *k, *y, *r, *each, *dh, *dw;
    const int32_t *t, *best;
    float smoothing;
    int32_t ignore;
    bool weighted;
} ce_case;
#define CE(n, s, i, k)                                                                                                                     \
    { #n, n##_h, n##_w, n##_k, n##_y, n##_r, n##_each, n##_dh, n##_dw, n##_t, n##_best, s, i, k }
static const ce_case ce_cases[] = {
    CE(ce_plain, 0, -1, false), CE(ce_smooth, 0.1f, -1, false), CE(ce_ignore, 0.3f, -100, false),
    CE(ce_class, 0, 2, true),   CE(ce_weights, 0.2f, -1, true),
};

static void cross_entropy(bool references) {
    for (int64_t i = 0; i < HN_LEN(ce_cases); i++) {
        const ce_case *c = &ce_cases[i];
        gold G = open_gold(references), *g = &G;
        float each[7];
        int32_t best[7];
        hone_tensor *h = put(g, c->h, DIMS(7, 4)), *w = put(g, c->w, DIMS(9, 4)), *k = put(g, c->k, DIMS(7));
        hone_cross_entropy_opts o = {
            .smoothing = c->smoothing, .ignore = &c->ignore, .weights = c->weighted ? k : NULL, .per_token = each, .best = best};
        hone_tensor *y = hone_linear_cross_entropy(g->t, h, w, hone_input_i32(g->t, c->t, DIMS(7)), &o);
        near(c->name, each, c->each, 7);
        for (int r = 0; r < 7; r++)
            if (best[r] != c->best[r]) fail_msg("%s: row %d says %d, torch.argmax %d", c->name, r, best[r], c->best[r]);
        back(g, y, c->name, c->y, 1, c->r);
        near(c->name, h->grad, c->dh, 28);
        near(c->name, w->grad, c->dw, 36);
        for (int r = 0; r < 7; r++) assert_true(k->grad[r] == 0);
        hone_close(G.job);
    }
}
static void test_cross_entropy(void **state) {
    cross_entropy(true);
    cross_entropy(false);
}

/* The promised root: gradients made in forward are those of the golden values (which were taken times r), a second call adds to the
 * weight's, and a loss that is not the root after all is refused. */
static void test_root(void **state) {
    for (int reference = 0; reference < 2; reference++)
        for (int64_t i = 0; i < HN_LEN(ce_cases); i++) {
            const ce_case *c = &ce_cases[i];
            gold G = open_gold(reference), *g = &G;
            float dh[28], dw[36];
            for (int k = 0; k < 28; k++) dh[k] = c->dh[k] / c->r[0];
            hone_tensor *h = put(g, c->h, DIMS(7, 4)), *w = put(g, c->w, DIMS(9, 4)), *k = put(g, c->k, DIMS(7));
            hone_cross_entropy_opts o = {.smoothing = c->smoothing, .ignore = &c->ignore, .weights = c->weighted ? k : NULL, .is_root = true};
            for (int twice = 1; twice <= 2; twice++) {
                hone_tape_begin(g->t, HONE_TRAIN, 1, 1);
                hone_tensor *y = hone_linear_cross_entropy(g->t, h, w, hone_input_i32(g->t, c->t, DIMS(7)), &o);
                near(c->name, hone_tensor_f32(y), c->y, 1);
                assert_true(hone_backward(g->t, y));
                for (int e = 0; e < 36; e++) dw[e] = (float)twice * c->dw[e] / c->r[0];
                near(c->name, w->grad, dw, 36);
            }
            for (int e = 0; e < 28; e++) dh[e] *= 2;
            near(c->name, h->grad, dh, 28);
            hone_tape_begin(g->t, HONE_EVAL, 1, 1);
            near(c->name, hone_tensor_f32(hone_linear_cross_entropy(g->t, h, w, hone_input_i32(g->t, c->t, DIMS(7)), &o)), c->y, 1);
            hone_tape_begin(g->t, HONE_TRAIN, 1, 1);
            hone_tensor *y = hone_scale(g->t, hone_linear_cross_entropy(g->t, h, w, hone_input_i32(g->t, c->t, DIMS(7)), &o), 0.5f);
            assert_false(hone_backward(g->t, y));
            assert_non_null(strstr(hone_error_message(g->job), "promised to be the root"));
            hone_close(G.job);
        }
}

/* Both ways agree where classes fill many tiles, rows many blocks, the head is frozen, or the rows below it are. */
static void root_agrees_of(int64_t R, int64_t V, int64_t C, bool wants_h, bool wants_w, float smoothing, double spread) {
    gold G = open_gold(false), *g = &G;
    int32_t *t = hn_new_n(g->a, int32_t, R);
    float *kept[2][2] = {{0}}, loss[2], *each[2] = {hn_new_n(g->a, float, R), hn_new_n(g->a, float, R)};
    int32_t *best[2] = {hn_new_n(g->a, int32_t, R), hn_new_n(g->a, int32_t, R)};
    for (int64_t r = 0; r < R; r++) t[r] = r % 11 == 3 ? -1 : (int32_t)(r * 7919 % V);
    for (int root = 0; root < 2; root++) {
        hone_tensor *h = weight(g->a, "h", DIMS(R, C), 1, spread), *w = weight(g->a, "w", DIMS(V, C), 2, 1);
        hone_tensor *k = weight(g->a, "k", DIMS(R), 3, 1);
        h->wants_grad = wants_h, w->wants_grad = wants_w, k->wants_grad = false;
        ((float *)k->data)[R / 2] = 0;
        hone_tape_begin(g->t, HONE_TRAIN, 1, 1);
        hone_cross_entropy_opts o = {.smoothing = smoothing, .is_root = root, .per_token = each[root], .best = best[root], .weights = k};
        hone_tensor *y = hone_linear_cross_entropy(g->t, h, w, hone_input_i32(g->t, t, DIMS(R)), &o);
        loss[root] = hone_tensor_f32(y)[0];
        if (!hone_backward(g->t, y)) fail_msg("%s", hone_error_message(g->job));
        kept[root][0] = h->grad, kept[root][1] = w->grad;
    }
    assert_true(fabsf(loss[0] - loss[1]) <= 3e-6f * fabsf(loss[0]));
    assert_memory_equal(best[0], best[1], (size_t)R * sizeof(int32_t));
    for (int64_t r = 0; r < R; r++) assert_near(each[1][r], each[0][r], 2e-6 * (1 + fabsf(each[0][r])));
    for (int which = 0; which < 2; which++) {
        double most = 0, far = 0;
        for (int64_t k = 0; k < (which ? V : R) * C; k++)
            most = fmax(most, fabs(kept[0][which][k])), far = fmax(far, fabs((double)kept[0][which][k] - kept[1][which][k]));
        assert_true((most > 0) == (which ? wants_w : wants_h));
        if (!(far <= 3e-6 * spread * most)) fail_msg("R %d V %d: gradient %d is off by %g of %g", (int)R, (int)V, which, far, most);
    }
    hone_close(G.job);
}
static void root_agrees(int64_t R, int64_t V, int64_t C, bool wants_h, bool wants_w, float smoothing) {
    root_agrees_of(R, V, C, wants_h, wants_w, smoothing, 1);
}
static void test_root_agrees(void **state) {
    root_agrees(140, 9001, 16, true, true, 0);
    root_agrees(4200, 1100, 8, true, true, 0);
    root_agrees(201, 601, 12, false, true, 0);
    root_agrees_of(140, 9001, 16, true, true, 0, 8); /* tiles of a row are shifted by several multiples of 64 */
    root_agrees_of(700, 1100, 8, true, true, 0, 40);
    root_agrees_of(700, 1100, 8, true, true, 0.1f, 40);
    root_agrees(300, 65, 24, true, true, 0.1f);
    root_agrees(140, 9001, 16, true, true, 0.1f);
    root_agrees(4200, 70, 8, true, true, 0.1f);
    root_agrees(200, 600, 12, false, true, 0.1f);
    root_agrees(200, 600, 12, true, false, 0.1f);
    root_agrees(200, 600, 12, true, false, 0); /* frozen_head.c: one tile, several, splits */
    root_agrees(300, 65, 24, true, false, 0);
    root_agrees(140, 9001, 16, true, false, 0);
    root_agrees(3, 70001, 8, true, false, 0);
    root_agrees(4200, 1100, 8, true, false, 0);
}

/* Of equal logits the first; the same answer whether a class stands in the first tile, a later one, or a later split. */
static void test_best(void **state) {
    for (int reference = 0; reference < 2; reference++) {
        gold G = open_gold(reference), *g = &G;
        int32_t best[4], want[4], none[] = {0, 0, 0, -1};
        hone_tensor *h = put(g, tie_h, DIMS(4, 2)), *w = put(g, tie_w, DIMS(7, 2));
        hone_linear_cross_entropy(g->t, h, w, hone_input_i32(g->t, (int32_t[]){0, 0, 0, 0}, DIMS(4)),
                                  &(hone_cross_entropy_opts){.best = best});
        for (int r = 0; r < 4; r++) assert_int_equal(best[r], tie_best[r]);
        enum { V = 9001 };
        static float big[2 * V];
        for (int at = 0; at < V; at += 450) { /* the seven classes at another place, the rest below or behind them */
            for (int v = 0; v < V; v++) big[2 * v] = big[2 * v + 1] = 0;
            for (int v = 0; v < 7; v++) {
                int to = v < 4 ? at + v : at + v + 300;
                if (to < V) memcpy(big + 2 * to, tie_w + 2 * v, 2 * sizeof(float));
            }
            hone_tensor *wide = put(g, big, DIMS(V, 2));
            hone_tape_begin(g->t, HONE_EVAL, 1, 1);
            for (int r = 0; r < 4; r++) {
                want[r] = 0;
                double top = -INFINITY;
                for (int v = 0; v < V; v++) {
                    double z = (double)tie_h[2 * r] * big[2 * v] + (double)tie_h[2 * r + 1] * big[2 * v + 1];
                    if (z > top) top = z, want[r] = v;
                }
            }
            want[3] = -1;
            hone_linear_cross_entropy(g->t, h, wide, hone_input_i32(g->t, none, DIMS(4)), &(hone_cross_entropy_opts){.best = best});
            for (int r = 0; r < 4; r++) assert_int_equal(best[r], want[r]);
        }
        ((float *)h->data)[2] = NAN;
        hone_tape_begin(g->t, HONE_EVAL, 1, 1);
        hone_linear_cross_entropy(g->t, h, w, hone_input_i32(g->t, none, DIMS(4)), &(hone_cross_entropy_opts){.best = best});
        assert_true(best[0] == tie_best[0] && best[1] == -1 && best[2] == 0 && best[3] == -1);
        hone_close(G.job);
    }
}

typedef struct kl_case {
    const char *name;
    const float *h, *w, *th, *tw, *k, *y, *r, *each, *dh, *dw;
    float beta, temperature;
    bool unscaled, weighted;
} kl_case;
#define KL(n, b, t, u, k) { #n, n##_h, n##_w, n##_th, n##_tw, n##_k, n##_y, n##_r, n##_each, n##_dh, n##_dw, b, t, u, k }
static const kl_case kl_cases[] = {
    KL(kl_forward, 0, 0, false, false), KL(kl_hot, 0, 2, false, true),       KL(kl_reverse, 1, 0.9f, true, false),
    KL(kl_half, 0.5f, 1, false, false), KL(kl_most, 0.9f, 1.5f, false, true),
};
static void test_kl(void **state) {
    for (int64_t i = 0; i < 2 * HN_LEN(kl_cases); i++) {
        const kl_case *c = &kl_cases[i / 2];
        gold G = open_gold(i % 2), *g = &G;
        float each[6];
        hone_tensor *h = put(g, c->h, DIMS(6, 4)), *w = put(g, c->w, DIMS(9, 4)), *th = put(g, c->th, DIMS(6, 5)),
                    *tw = put(g, c->tw, DIMS(9, 5)), *k = put(g, c->k, DIMS(2, 3));
        hone_kl_opts o = {.beta = c->beta, .temperature = c->temperature, .unscaled = c->unscaled, .per_token = each};
        if (c->weighted) o.weights = k;
        back(g, hone_linear_kl(g->t, h, w, th, tw, &o), c->name, c->y, 1, c->r);
        near(c->name, each, c->each, 6);
        near(c->name, h->grad, c->dh, 24);
        near(c->name, w->grad, c->dw, 36);
        assert_true(largest(th->grad, 30) == 0 && largest(tw->grad, 45) == 0 && largest(k->grad, 6) == 0);
        hone_close(G.job);
    }
}

/* A teacher that agrees leaves nothing to learn; one that is certain of something else is far, but finite, at every beta. */
static void test_kl_ends(void **state) {
    for (int i = 0; i < 6; i++) {
        gold G = open_gold(i % 2), *g = &G;
        hone_tensor *h = put(g, (float[]){1, -1}, DIMS(1, 2)), *w = put(g, (float[]){1, 2, 300, -300, -300, 300}, DIMS(3, 2)),
                    *away = put(g, (float[]){-1, 1}, DIMS(1, 2));
        hone_kl_opts o = {.beta = (float)(i / 2) / 2};
        assert_true(fabs(hone_tensor_item(hone_linear_kl(g->t, h, w, h, w, &o), 0)) < 1e-6);
        hone_tensor *y = hone_linear_kl(g->t, h, w, away, w, &o);
        double want = i / 2 == 1 ? log(2) : 1200; /* Jensen-Shannon is bounded */
        assert_near(hone_tensor_item(y, 0), want, 1e-4 * want);
        assert_true(hone_backward(g->t, y));
        for (int k = 0; k < 6; k++) assert_true(isfinite(w->grad[k]));
        hone_close(G.job);
    }
}

static void test_log_probs(void **state) {
    for (int i = 0; i < 2; i++) {
        gold G = open_gold(i), *g = &G;
        hone_tensor *h = put(g, lp_one_h, DIMS(2, 3, 4)), *w = put(g, lp_one_w, DIMS(9, 4));
        hone_tensor *y = hone_linear_log_probs(g->t, h, w, hone_input_i32(g->t, lp_one_t, DIMS(2, 3)), 0);
        assert_true(hone_tensor_dims(y) == 3 && hone_tensor_shape(y)[2] == 2);
        BACK(g, y, lp_one);
        NEAR(h->grad, lp_one_dh), NEAR(w->grad, lp_one_dw);
        hone_tape_begin(g->t, HONE_TRAIN, 1, 1);
        h = put(g, lp_hot_h, DIMS(6, 4)), w = put(g, lp_hot_w, DIMS(9, 4));
        BACK(g, hone_linear_log_probs(g->t, h, w, hone_input_i32(g->t, lp_hot_t, DIMS(6)), 1.4f), lp_hot);
        NEAR(h->grad, lp_hot_dh), NEAR(w->grad, lp_hot_dw);
        hone_close(G.job);
    }
}

static void refuses(gold *g, hone_tensor *y, const char *text) {
    assert_true(isnan(hone_tensor_item(y, 0)));
    assert_int_equal(hone_error_code(g->job), HONE_E_SHAPE);
    assert_contains(hone_error_message(g->job), text);
    hone_error_clear(g->job);
    hone_tape_begin(g->t, HONE_TRAIN, 1, 1);
}
static void test_refusals(void **state) {
    gold G = open_gold(false), *g = &G;
    hone_tensor *h = put(g, tie_h, DIMS(4, 2)), *w = put(g, tie_w, DIMS(7, 2)), *three = put(g, tie_h, DIMS(3));
    const int32_t ids[] = {0, 6, -100, -1};
#define CE_OF(...) hone_linear_cross_entropy(g->t, h, w, hone_input_i32(g->t, ids, DIMS(4)), &(hone_cross_entropy_opts){__VA_ARGS__})
    refuses(g, CE_OF(0), "target: id -100 at index 2 is not in -1 … 6");
    refuses(g, CE_OF(.ignore = &(int32_t){-100}), "target: id -1 at index 3 is not in 0 … 6");
    refuses(g, CE_OF(.smoothing = 1.5f), "smoothing 1.5 is not in [0,1]");
    refuses(g, CE_OF(.denominator = -1), "denominator -1");
    refuses(g, CE_OF(.weights = three), "targets are (4) but weights are f32 (3)");
    hone_tensor *tw = put(g, tie_w, DIMS(6, 2)), *few = put(g, tie_h, DIMS(3, 2));
#define KL_OF(...) hone_linear_kl(g->t, h, w, h, w, &(hone_kl_opts){__VA_ARGS__})
    refuses(g, hone_linear_kl(g->t, h, w, h, tw, NULL), "the student's w is (7,2) but the teacher's (6,2): not one vocabulary");
    refuses(g, hone_linear_kl(g->t, h, w, few, w, NULL), "the student's h is (4,2) but the teacher's (3,2)");
    refuses(g, hone_linear_kl(g->t, h, w, h, three, NULL), "the teacher's h is (4,2) but w is (3)");
    refuses(g, KL_OF(.beta = 2), "beta 2 is not in [0,1]");
    refuses(g, KL_OF(.temperature = -1), "temperature -1");
    refuses(g, KL_OF(.denominator = -1), "denominator -1");
    refuses(g, KL_OF(.weights = three), "h is (4,2) but weights are f32 (3)");
    refuses(g, hone_linear_log_probs(g->t, h, w, hone_input_i32(g->t, ids, DIMS(4)), 1), "target: id -100 at index 2 is not in -1 … 6");
    refuses(g, hone_linear_log_probs(g->t, h, w, hone_input_i32(g->t, ids, DIMS(3)), 1), "h is (4,2) but targets are i32 (3)");
    refuses(g, hone_linear_log_probs(g->t, h, w, hone_input_i32(g->t, ids, DIMS(4)), -1), "temperature -1");
    hone_close(G.job);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cross_entropy), cmocka_unit_test(test_root), cmocka_unit_test(test_root_agrees),
        cmocka_unit_test(test_best),
        cmocka_unit_test(test_kl),
        cmocka_unit_test(test_kl_ends),
        cmocka_unit_test(test_log_probs),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
