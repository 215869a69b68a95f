/* test_sft.c - samples: which tokens are learned, losses alone and packed, against transformers (tests/oracle/sft.py); forms of rows,
 * what is wrong with them, cutting, splitting, packing. */
#include "data_help.h"
#include "data/row/row.h"
#include "model/model.h"
#include "near.h"

#define GOLDEN "tests/golden/sft"

static json_t *golden(world *w, const char *name) {
    hn_bytes b;
    const char *path = hn_path_join(w->a, GOLDEN, name);
    assert_true(hn_file_read(w->a, path, 1 << 24, &b));
    json_t *v = hn_json_parse(w->a, path, b.p, b.n, HONE_E_DATA);
    assert_non_null(v);
    return v;
}
static int64_t int_at(const json_t *v, int64_t i) { return json_integer_value(json_array_get(v, (size_t)i)); }

/* ---- losses ---- */

static hn_tokens tokens_of(world *w, const json_t *samples) {
    hn_tokens t = { .width = 2, .vocab = 65, .n_spans = (int64_t)json_array_size(samples) };
    t.spans = hn_new_n(w->a, hn_span, t.n_spans);
    uint16_t *ids = hn_new_n(w->a, uint16_t, 1000);
    uint8_t *learn = hn_new_n(w->a, uint8_t, 1000);
    for (int64_t s = 0; s < t.n_spans; s++) {
        const json_t *one = json_array_get(samples, (size_t)s), *v = json_object_get(one, "ids");
        int64_t n = (int64_t)json_array_size(v);
        t.spans[s] = (hn_span){ t.n, n, n, (int32_t)s };
        for (int64_t i = 0; i < n; i++, t.n++) {
            ids[t.n] = (uint16_t)int_at(v, i);
            learn[t.n] = (uint8_t)int_at(json_object_get(one, "learn"), i);
        }
    }
    t.ids = ids;
    t.learn = learn;
    return t;
}

/* The sample that begins like x, so many tokens of it. */
static int64_t sample_of(const hn_tokens *t, const int32_t *x, int64_t n) {
    for (int64_t s = 0; s < t->n_spans; s++) {
        bool same = t->spans[s].n == n + 1;
        for (int64_t i = 0; same && i < n; i++) same = hn_token_at(t, t->spans[s].start + i) == x[i];
        if (same) return s;
    }
    fail_msg("a row holds what no sample has");
    return -1;
}

typedef struct checked { double worst, sum; int64_t tokens; bool seen[64]; } checked;
static void check_sample(const hn_tokens *t, const json_t *nll, const int32_t *x, const int32_t *y, const float *got, int64_t n, checked *c) {
    int64_t s = sample_of(t, x, n);
    assert_false(c->seen[s]);
    c->seen[s] = true;
    for (int64_t i = 0; i < n; i++) {
        bool learned = t->learn[t->spans[s].start + i + 1];
        assert_int_equal(y[i], learned ? hn_token_at(t, t->spans[s].start + i + 1) : -1);
        if (!learned) continue;
        double want = json_real_value(json_array_get(json_array_get(nll, (size_t)s), (size_t)i));
        c->worst = fmax(c->worst, fabs(want - (double)got[i]));
        c->sum += want;
        c->tokens++;
    }
}

enum { T = 16, ROWS = 8 };
static const char *const models[] = { "gpt2_tiny", "llama_tiny", "mistral_tiny", "qwen2_tiny", "qwen3_tiny" };

static void test_losses(void **state) {
    world *w = *state;
    json_t *g = golden(w, "losses.json"), *nlls = json_object_get(g, "nll");
    hn_tokens t = tokens_of(w, json_object_get(g, "samples"));
    hone_tape *tape = hone_tape_new(w->job, NULL);
    int32_t x[ROWS * T], y[ROWS * T], doc[ROWS * T], pos[ROWS * T];
    float nats[ROWS * T];
    for (int64_t k = 0; k < HN_LEN(models); k++) {
        hone_model *m = hn_model_load(w->a, hn_path_join(w->a, "tests/golden", models[k]));
        const json_t *nll = json_object_get(nlls, models[k]);
        assert_non_null(m);
        hn_packed *p = hn_packed_new(w->a, &t, 1, T, 3);
        int64_t B = hn_packed_rows(p), shape[2] = { B, T };
        assert_true(B < t.n_spans && B <= ROWS);
        p = hn_packed_new(w->a, &t, B, T, 3);
        hn_packed_get(p, 0, x, y, doc, pos);
        hone_tape_begin(tape, HONE_EVAL, 0, 0);
        hn_sequence in = { hone_input_i32(tape, x, 2, shape), hone_input_i32(tape, doc, 2, shape), hone_input_i32(tape, pos, 2, shape) };
        hone_tensor *loss = hn_model_loss_of(tape, m, &in, hone_input_i32(tape, y, 2, shape), &(hone_cross_entropy_opts){ .per_token = nats });
        assert_true(hone_ok(tape));
        checked c = { 0 };
        for (int64_t at = 0, end; at < B * T; at = end) {
            for (end = at; end < B * T && end / T == at / T && doc[end] == doc[at]; end++) assert_int_equal(pos[end], end - at);
            bool filler = true;
            for (int64_t i = at; i < end; i++) filler &= y[i] < 0;
            if (!filler) check_sample(&t, nll, x + at, y + at, nats + at, end - at, &c);
        }
        for (int64_t s = 0; s < t.n_spans; s++) assert_true(c.seen[s]);
        double one = fabs(hone_tensor_item(loss, 0) - c.sum / (double)c.tokens), apart = c.worst;
        hn_batches *b = hn_batches_new(w->a, &t, 1, T, "epochs", 3);
        c = (checked){ 0 };
        for (int64_t i = 0; i < t.n_spans; i++) {
            hn_batch_get(b, i, x, y);
            hone_tape_begin(tape, HONE_EVAL, 0, 0);
            int64_t row[2] = { 1, T }, n = T;
            hn_model_loss(tape, m, hone_input_i32(tape, x, 2, row), hone_input_i32(tape, y, 2, row), &(hone_cross_entropy_opts){ .per_token = nats });
            assert_true(hone_ok(tape));
            while (n && y[n - 1] < 0) n--;
            for (int64_t s = 0; s < t.n_spans; s++) /* the last tokens may be none that are learned */
                if (t.spans[s].n - 1 >= n && hn_token_at(&t, t.spans[s].start) == x[0] && !c.seen[s]) {
                    bool same = true;
                    for (int64_t j = 0; j < t.spans[s].n - 1; j++) same &= hn_token_at(&t, t.spans[s].start + j) == x[j];
                    if (same) n = t.spans[s].n - 1;
                }
            check_sample(&t, nll, x, y, nats, n, &c);
        }
        print_message("%s: packed %.1e, mean %.1e, alone %.1e from transformers\n", models[k], apart, one, c.worst);
        assert_true(apart < 1e-5 && one < 1e-5 && c.worst < 1e-5);
    }
}

/* Gradients of all samples in packed rows, layers kept or run anew, and of each by itself. */
static void gradients(world *w, hone_tape *tape, hone_model *m, const hn_tokens *t, bool pack, bool recompute, float *out) {
    int32_t x[ROWS * T], y[ROWS * T], doc[ROWS * T], pos[ROWS * T];
    int64_t targets = 0;
    for (int64_t i = 0; i < t->n; i++) targets += t->learn[i];
    hn_packed *p = hn_packed_new(w->a, t, 1, T, 3);
    int64_t rows = pack ? hn_packed_rows(p) : t->n_spans, shape[2] = { rows, T };
    if (pack) hn_packed_get(hn_packed_new(w->a, t, rows, T, 3), 0, x, y, doc, pos);
    else hn_batch_get(hn_batches_new(w->a, t, rows, T, "epochs", 3), 0, x, y);
    m->recompute = recompute;
    for (int64_t j = 0; j < m->n_w; j++) hn_weight_grad(w->a, m->w[j].t), memset(m->w[j].t->grad, 0, (size_t)hn_count(m->w[j].t) * 4);
    hone_tape_begin(tape, HONE_TRAIN, 0, 0);
    hn_sequence in = { .ids = hone_input_i32(tape, x, 2, shape) };
    if (pack) in.documents = hone_input_i32(tape, doc, 2, shape), in.positions = hone_input_i32(tape, pos, 2, shape);
    hone_tensor *loss = hn_model_loss_of(tape, m, &in, hone_input_i32(tape, y, 2, shape), &(hone_cross_entropy_opts){ .denominator = (double)targets });
    if (!hone_ok(tape) || !hone_backward(tape, loss)) fail_msg("%s", hone_error_message(w->job));
    for (int64_t j = 0, n; j < m->n_w; j++, out += n) memcpy(out, m->w[j].t->grad, (size_t)(n = hn_count(m->w[j].t)) * 4);
}

static void test_gradients(void **state) {
    world *w = *state;
    hn_tokens t = tokens_of(w, json_object_get(golden(w, "losses.json"), "samples"));
    t.spans[t.n_spans - 1].n = 12; /* eight rows are room enough */
    hone_tape *tape = hone_tape_new(w->job, NULL);
    for (int64_t k = 0; k < HN_LEN(models); k++) {
        hone_model *m = hn_model_load(w->a, hn_path_join(w->a, "tests/golden", models[k]));
        assert_non_null(m);
        int64_t n = hn_model_count(m);
        float *packed = hn_new_n(w->a, float, n), *again = hn_new_n(w->a, float, n), *alone = hn_new_n(w->a, float, n);
        gradients(w, tape, m, &t, true, false, packed);
        gradients(w, tape, m, &t, true, true, again);
        gradients(w, tape, m, &t, false, false, alone);
        assert_memory_equal(packed, again, (size_t)n * sizeof *packed);
        double worst = 0, most = 0;
        for (int64_t i = 0; i < n; i++) worst = fmax(worst, fabs((double)packed[i] - (double)alone[i])), most = fmax(most, fabs((double)alone[i]));
        assert_true(most > 1e-3 && worst < 1e-5 * fmax(most, 1));
    }
}

/* ---- masks ---- */

static void whole(world *w, const hn_corpus *c, const hn_tokenizer *tok, hn_tokens *out) {
    hn_split s = { .v = hn_new_n(w->a, hn_piece, c->n_docs), .n = c->n_docs };
    for (int64_t d = 0; d < c->n_docs; d++) s.v[d] = (hn_piece){ c->docs[d].start, c->docs[d].bytes, (int32_t)d, false };
    assert_true(hn_tokens_make(w->a, tok, c, &s, false, out));
}

static bool read_rows(world *w, const char *path, const hn_row_how *how, hn_corpus *c) {
    const hn_strs one = { &path, 1 };
    return hn_corpus_read_as(w->a, &one, NULL, 0, how, c);
}

static const char *put_row(world *w, const char *name, json_t *row) {
    const char *text = hn_fmt(w->a, "%s\n", hn_json_text(w->a, hn_json_own(w->a, row), false));
    return put_text(w, name, text);
}

static void test_masks(void **state) {
    world *w = *state;
    json_t *cases = golden(w, "masks.json"), *one;
    size_t i;
    json_array_foreach(cases, i, one) {
        const hn_tokenizer *tok = hn_tokenizer_load(w->a, hn_path_join(w->a, GOLDEN, json_string_value(json_object_get(one, "tokenizer"))));
        assert_non_null(tok);
        const char *rows = put_row(w, "m.jsonl", json_pack("{sO}", "messages", json_object_get(one, "messages")));
        static const char *const ways[] = { "marked", "plain" };
        for (int k = 0; k < 2; k++) {
            const char *file = put_text(w, "t.jinja", json_string_value(json_object_get(one, ways[k])));
            hn_row_how how = { .chat = hn_chat_open(w->a, tok, file) };
            hn_corpus c;
            hn_tokens t;
            if (!how.chat || !read_rows(w, rows, &how, &c)) fail_msg("case %d: %s", (int)i, hone_error_message(w->job));
            assert_int_equal(c.n_docs, 1);
            whole(w, &c, tok, &t);
            const json_t *ids = json_object_get(one, "ids"), *mask = json_object_get(one, "mask");
            assert_int_equal(t.n, json_array_size(ids));
            for (int64_t j = 0; j < t.n; j++) {
                assert_int_equal(hn_token_at(&t, j), int_at(ids, j));
                if (t.learn[j] != int_at(mask, j))
                    fail_msg("case %d, %s: token %d (%.*s) is %s", (int)i, ways[k], (int)j, (int)tok->pieces[int_at(ids, j)].n,
                             (const char *)tok->pieces[int_at(ids, j)].p, t.learn[j] ? "learned" : "not learned");
            }
        }
    }
    assert_true(i > 15);
}

int main(void) {
    const struct CMUnitTest tests[] = { TEST(test_losses), TEST(test_gradients), TEST(test_masks) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
