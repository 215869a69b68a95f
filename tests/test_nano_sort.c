/* test_nano_sort.c - every number on the way of a forward pass: minGPT's gpt-nano, trained to sort, with PyTorch's activations of three
 * questions (github.com/bbycroft/llm-viz). Of the first block all that the fused kernels keep to themselves is made again by operators. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "near.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "model/model.h"
#include "tensor/tensor.h"
#include "box.h"

extern const hn_arch hn_arch_gpt2;
typedef struct {
    int64_t layers, heads, width, context;
    bool bias, tied;
    double dropout, mlp_ratio, eps;
} shape; /* as in gpt2.c */

enum { B = 3, T = 11, C = 48, H = 3, D = C / H, L = 3, V = 3, F = 4 * C };

static json_t *read_json(hn_arena *a, const char *path) {
    hn_bytes text;
    assert_true(hn_file_read(a, path, 1 << 20, &text));
    json_t *v = hn_json_parse(a, path, text.p, text.n, HONE_E_DATA);
    assert_non_null(v);
    return v;
}

/* Floats that stand as base64, low byte first. */
static float *floats(hn_arena *a, const json_t *file, const char *name, int64_t n) {
    static const char *const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *text = json_string_value(json_object_get(json_object_get(file, name), "data"));
    if (!text) fail_msg("no %s in the file", name);
    float *out = hn_new_n(a, float, n);
    uint8_t *p = (uint8_t *)out;
    int64_t got = 0;
    for (uint32_t bits = 0, held = 0; *text && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        assert_non_null(digit);
        bits = bits << 6 | (uint32_t)(digit - digits);
        if ((held += 6) < 8) continue;
        held -= 8;
        assert_true(got < n * 4);
        p[got++] = (uint8_t)(bits >> held);
    }
    if (got != n * 4) fail_msg("%s has %lld bytes", name, (long long)got);
    return out;
}

static hone_model *sorter(hn_arena *a, const json_t *file) {
    shape s;
    hn_params_defaults(a, hn_arch_gpt2.item.params, hn_arch_gpt2.item.n_params, &s);
    s.layers = L, s.heads = H, s.width = C, s.context = T, s.bias = true, s.tied = false;
    hone_model *m = hn_model_new(a, &hn_arch_gpt2, &s, V, false);
    assert_non_null(m);
    for (int64_t i = 0; i < m->n_w; i++) {
        hone_tensor *t = m->w[i].t;
        int64_t n = hn_count(t), cols = hn_cols(t), rows = n / cols;
        float *to = t->data, *from = floats(a, file, t->name, n);
        for (int64_t r = 0; r < rows; r++)
            for (int64_t c = 0; c < cols; c++) to[r * cols + c] = m->w[i].transposed ? from[c * rows + r] : from[r * cols + c];
    }
    return m;
}

/* What an operator has left: a copy of its result and, of a gelu, of what went into it. */
typedef struct {
    hn_arena *a;
    int64_t n;
    struct {
        const char *op;
        float *out, *before;
        int64_t n;
    } v[64];
} seen;
static float *copy(hn_arena *a, const hone_tensor *x) {
    float *to = hn_new_n(a, float, hn_count(x));
    for (int64_t r = 0; r < hn_rows(x); r++)
        memcpy(to + r * hn_cols(x), (const float *)x->data + r * x->ld, (size_t)hn_cols(x) * sizeof *to);
    return to;
}
static void see(void *user, const hn_call *c, bool backward, double seconds) {
    seen *s = user;
    assert_true(s->n < HN_LEN(s->v) && !backward);
    s->v[s->n].op = c->op->item.name;
    s->v[s->n].n = hn_count(c->out);
    s->v[s->n].before = c->n_aux && c->aux[0] && hn_count(c->aux[0]) == hn_count(c->out) ? copy(s->a, c->aux[0]) : NULL;
    s->v[s->n++].out = copy(s->a, c->out);
}

static double worst;
static void same(hn_arena *a, const json_t *want, const char *name, const float *got, int64_t n) {
    const float *w = floats(a, want, name, n);
    for (int64_t i = 0; i < n; i++) {
        if (isinf(w[i]) && w[i] == got[i]) continue;
        double d = fabs((double)got[i] - (double)w[i]);
        if (!(d <= 2e-5 * (1 + fabs((double)w[i])))) fail_msg("%s[%lld] is %.8g, not %.8g", name, (long long)i, (double)got[i], (double)w[i]);
        worst = fmax(worst, d);
    }
}

/* (B,T,heads,D) of columns from `first` on, as (B,heads,T,D). */
static float *heads_of(hn_arena *a, const float *qkv, int64_t first) {
    float *out = hn_new_n(a, float, B *C *T);
    for (int64_t b = 0; b < B; b++)
        for (int64_t h = 0; h < H; h++)
            for (int64_t t = 0; t < T; t++)
                memcpy(out + ((b * H + h) * T + t) * D, qkv + (b * T + t) * 3 * C + first + h * D, D * sizeof *out);
    return out;
}

static void attention_inside(box *b, const json_t *want, const float *qkv) {
    const int64_t dims[] = { B, H, T, D }, square[] = { B, H, T, T };
    hone_tape *t = hone_tape_new(b->job, NULL);
    assert_non_null(t);
    float *part[3];
    static const char *const names[] = { "q", "k", "v" };
    for (int i = 0; i < 3; i++) same(b->a, want, names[i], part[i] = heads_of(b->a, qkv, i * C), B * C * T);
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    hone_tensor *q = hone_input_f32(t, part[0], 4, dims), *k = hone_input_f32(t, part[1], 4, dims), *v = hone_input_f32(t, part[2], 4, dims);
    float *att = copy(b->a, hone_scale(t, hone_matmul(t, q, k, false, true), 1 / sqrtf((float)D)));
    for (int64_t i = 0; i < B * H * T * T; i++)
        if (i % T > i / T % T) att[i] = -INFINITY;
    same(b->a, want, "att", att, B * H * T * T);
    hone_tensor *sm = hone_softmax(t, hone_input_f32(t, att, 4, square)), *y = hone_transpose(t, hone_matmul(t, sm, v, false, false), 1, 2);
    assert_true(hone_ok(t));
    same(b->a, want, "attSm", copy(b->a, sm), B * H * T * T);
    same(b->a, want, "y", copy(b->a, y), B * T * C);
    hone_tape_free(t);
}

static void every_activation(void **state) {
    box *b = *state;
    const char *dir = getenv("HONE_DATA"), *at = hn_path_join(b->a, dir ? dir : "../shared/data", "gpt_nano_sort");
    if (!hn_path_exists(at)) {
        print_message("skipped: %s is not here (set HONE_DATA)\n", at);
        skip();
    }
    const json_t *want = read_json(b->a, hn_path_join(b->a, at, "gpt-nano-sort-t0-partials.json"));
    hone_model *m = sorter(b->a, read_json(b->a, hn_path_join(b->a, at, "gpt-nano-sort-model.json")));
    const int64_t dims[] = { B, T }, row[] = { 1, T };
    int32_t ids[B * T], places[T];
    const float *idx = floats(b->a, want, "idx", B * T);
    for (int i = 0; i < B * T; i++) ids[i] = (int32_t)idx[i];
    for (int i = 0; i < T; i++) places[i] = i;

    hone_tape *t = hone_tape_new(b->job, NULL);
    assert_non_null(t);
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    same(b->a, want, "tok_emb", copy(b->a, hone_embedding(t, hone_input_i32(t, ids, 2, dims), m->w[0].t, NULL)), B * T * C);
    same(b->a, want, "pos_emb", copy(b->a, hone_embedding(t, hone_input_i32(t, places, 2, row), m->w[1].t, NULL)), T * C);
    assert_true(hone_ok(t));

    seen *s = hn_new(b->a, seen);
    s->a = b->a;
    hone_tape_begin(t, HONE_TRAIN, 0, 0); /* it keeps what goes into a gelu */
    hn_tape_watch(t, see, s);
    for (int64_t i = 0; i < m->n_w; i++) hn_weight_grad(b->a, m->w[i].t); /* a gelu keeps what went into it for backward alone */
    hone_tensor *hidden = m->arch->forward(t, m, &(hn_sequence){ .ids = hone_input_i32(t, ids, 2, dims) });
    hone_tensor *logits = hone_linear(t, hidden, m->head, NULL, false, HONE_ACT_NONE);
    float *probs = copy(b->a, hone_softmax(t, logits));
    hn_tape_watch(t, NULL, NULL);
    assert_true(hone_ok(t));

    static const struct {
        const char *op, *name;
        int64_t cols;
    } path[] = { { "embedding", "x", C },  { "layernorm", "ln1", C }, { "linear", "qkv", 3 * C }, { "attention", "y", C }, { "linear", "yProj", C },
                 { "add", "attnResid", C }, { "layernorm", "ln2", C }, { "linear", "gelu", F },    { "linear", "mlp", C },  { "add", "mlpResid", C } };
    int64_t k = 0, blocks = 0;
    for (; k < HN_LEN(path); k++) {
        assert_string_equal(s->v[k].op, path[k].op);
        assert_int_equal(s->v[k].n, B * T * path[k].cols);
        same(b->a, want, path[k].name, s->v[k].out, s->v[k].n);
        if (!strcmp(path[k].name, "gelu")) {
            assert_non_null(s->v[k].before);
            same(b->a, want, "fc", s->v[k].before, s->v[k].n);
        }
    }
    attention_inside(b, want, s->v[2].out);
    for (k = 0; k < s->n; k++) /* the second addition of a block ends it */
        if (!strcmp(s->v[k].op, "add") && ++blocks % 2 == 0)
            same(b->a, want, hn_fmt(b->a, "block%lld", (long long)(blocks / 2 - 1)), s->v[k].out, s->v[k].n);
    assert_int_equal(blocks, 2 * L);
    same(b->a, want, "ln_f", s->v[s->n - 3].out, B * T * C);
    same(b->a, want, "lm_head", s->v[s->n - 2].out, B * T * V);
    same(b->a, want, "probs", probs, B * T * V);
    print_message("25 activations of gpt-nano differ by %.1e at most\n", worst);
    hone_tape_free(t);
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(every_activation, setup, teardown) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
