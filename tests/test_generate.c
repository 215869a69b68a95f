/* test_generate.c - samplers against probabilities worked out by hand; generation and scoring against the full forward. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "near.h"
#include <math.h>
#include <stdlib.h>
#include "model/model.h"

enum { V = 256, CONTEXT = 8 };
typedef struct {
    hone_job *job;
    hn_arena *a;
    hone_model *m;
} box;

/* A byte model whose weights are large enough that the likeliest token is clear. */
static int setup(void **state) {
    box *b = malloc(sizeof *b);
    b->job = hone_open(&(hone_options){.threads = 1});
    b->a = hn_job_arena(b->job);
    const hn_arch *arch = (const hn_arch *)hn_kind_find(&hn_kind_arch, "gpt2");
    hn_settings *s = hn_settings_new(b->a, (const hn_section *[]){&hn_section_model}, 1);
    static const char *const set[][2] = {{"model.layers", "2"}, {"model.heads", "2"}, {"model.width", "16"}, {"model.context", "8"}};
    for (int64_t i = 0; i < HN_LEN(set); i++) assert_true(hn_settings_set(s, b->a, set[i][0], set[i][1], "test"));
    const hn_item *item;
    const void *params = hn_settings_variant(s, "model", &item);
    assert_ptr_equal(item, &arch->item);
    b->m = hn_model_new(b->a, arch, params, V, false);
    assert_non_null(b->m);
    hn_model_init(b->m, 3);
    for (int64_t j = 0; j < b->m->n_w; j++)
        for (int64_t i = 0; b->m->w[j].decay && i < hn_count(b->m->w[j].t); i++) ((float *)b->m->w[j].t->data)[i] *= 15;
    b->m->tok = hn_tokenizer_train(b->a, "byte", NULL, NULL);
    assert_non_null(b->m->tok);
    *state = b;
    return 0;
}

static int teardown(void **state) {
    hone_close(((box *)*state)->job);
    free(*state);
    return 0;
}

static void told(hone_job *job, hone_code code, const char *text) {
    if (!strstr(hone_error_message(job), text)) fail_msg("'%s' is not in: %s", text, hone_error_message(job));
    assert_int_equal(hone_error_code(job), code);
    hone_error_clear(job);
}

/* ---- samplers ---- */

/* Draws often and compares shares with p within five standard errors. Ids are out of order, so that sorting matters. */
static void shares(hn_arena *a, hone_sampling s, const double want[5]) {
    static const int32_t place[5] = {3, 0, 4, 1, 2};
    static const double p[5] = {0.5, 0.2, 0.15, 0.1, 0.05};
    float logits[5];
    int64_t seen[5] = {0}, N = 20000;
    for (int i = 0; i < 5; i++) logits[place[i]] = (float)log(p[i]) - 3;
    hn_sample_room room = hn_sample_room_new(a, 5);
    for (int64_t i = 0; i < N; i++) seen[hn_sample(&room, logits, 5, &s, i)]++;
    for (int i = 0; i < 5; i++) {
        double share = (double)seen[place[i]] / (double)N;
        if (fabs(share - want[i]) > 5 * sqrt(want[i] * (1 - want[i]) / (double)N))
            fail_msg("candidate %d: %g, wanted %g", i, share, want[i]);
    }
}

static void samplers_keep_what_they_should(void **state) {
    hn_arena *a = ((box *)*state)->a;
    const double s2 = .25 + .04 + .0225 + .01 + .0025;
    shares(a, (hone_sampling){.temperature = 1}, (double[]){.5, .2, .15, .1, .05});
    shares(a, (hone_sampling){.temperature = .5}, (double[]){.25 / s2, .04 / s2, .0225 / s2, .01 / s2, .0025 / s2});
    shares(a, (hone_sampling){.temperature = 1, .top_k = 2}, (double[]){5 / 7., 2 / 7., 0, 0, 0});
    shares(a, (hone_sampling){.temperature = 1, .top_k = 9}, (double[]){.5, .2, .15, .1, .05});
    shares(a, (hone_sampling){.temperature = 1, .top_p = .6}, (double[]){5 / 7., 2 / 7., 0, 0, 0});
    shares(a, (hone_sampling){.temperature = 1, .top_p = .01}, (double[]){1, 0, 0, 0, 0});
    shares(a, (hone_sampling){.temperature = 1, .top_p = 1}, (double[]){.5, .2, .15, .1, .05});
    shares(a, (hone_sampling){.temperature = 1, .min_p = .25}, (double[]){50 / 85., 20 / 85., 15 / 85., 0, 0});
    shares(a, (hone_sampling){.temperature = 1, .min_p = 1}, (double[]){1, 0, 0, 0, 0});
    shares(a, (hone_sampling){.temperature = .5, .top_p = .8}, (double[]){25 / 29., 4 / 29., 0, 0, 0}); /* temperature first */
    shares(a, (hone_sampling){.temperature = 1, .top_k = 3, .top_p = .8},
           (double[]){5 / 7., 2 / 7., 0, 0, 0}); /* top_p of what top_k left */
    shares(a, (hone_sampling){0}, (double[]){1, 0, 0, 0, 0});
}

static void sampling_orders_any_float_and_breaks_ties_by_id(void **state) {
    hn_arena *a = ((box *)*state)->a;
    float logits[] = {-1e30f, -0.0f, 2e8f, 0.0f, 2e8f, -INFINITY};
    hn_sample_room room = hn_sample_room_new(a, 5000);
    assert_int_equal(hn_sample(&room, logits, 6, &(hone_sampling){0}, 0), 2);
    assert_int_equal(hn_sample(&room, logits, 6, &(hone_sampling){.temperature = 1e-9, .top_k = 1}, 0), 2);
    for (int64_t i = 0; i < 50; i++) {
        int32_t id = hn_sample(&room, logits, 6, &(hone_sampling){.temperature = 0.01}, i);
        assert_true(id == 2 || id == 4);
        assert_int_equal(id, hn_sample(&room, logits, 6, &(hone_sampling){.temperature = 0.01}, i));
    }
    float *many = hn_new_n(a, float, 5000);
    hn_rng_fill_normal(1, HN_STREAM_TEST, 0, many, 5000, 3);
    int32_t best = hn_sample(&room, many, 5000, &(hone_sampling){0}, 0);
    assert_int_equal(best, hn_sample(&room, many, 5000, &(hone_sampling){.temperature = 1, .top_k = 1}, 0));
}

/* ---- generation ---- */

/* What greedy decoding must give, by the full forward each time: the window slides to its last half when it is full. */
static void reference(box *b, const char *prompt, int n, uint8_t *out) {
    int32_t ids[256];
    int64_t count = (int64_t)strlen(prompt), from = HN_MAX(0, count - CONTEXT);
    float logits[V];
    hn_sample_room room = hn_sample_room_new(b->a, V);
    hone_tape *t = hone_tape_new(b->job, NULL);
    assert_non_null(t);
    for (int64_t i = 0; i < count; i++) ids[i] = (uint8_t)prompt[i];
    for (int i = 0; i < n; i++) {
        if (count - from > CONTEXT) from = count - CONTEXT / 2;
        assert_true(hn_model_logits(t, b->m, ids + from, 1, count - from, false, logits));
        out[i] = (uint8_t)(ids[count++] = hn_sample(&room, logits, V, &(hone_sampling){0}, 0));
    }
    hone_tape_free(t);
}

typedef struct {
    char text[4096];
    int64_t n, pieces, most;
} sink;
static bool collect(void *user, const char *piece, int64_t bytes) {
    sink *s = user;
    int64_t at;
    assert_true(bytes > 0 && hn_utf8_valid((const uint8_t *)piece, bytes, &at));
    memcpy(s->text + s->n, piece, (size_t)bytes);
    s->n += bytes;
    return !(s->most && ++s->pieces == s->most);
}

static hone_generation must(box *b, const char *prompt, const hone_sampling *s, sink *k) {
    hone_generation g;
    if (!hone_generate(b->job, b->m, prompt, s, k ? collect : NULL, k, &g)) fail_msg("%s", hone_error_message(b->job));
    int64_t at;
    assert_true(hn_utf8_valid((const uint8_t *)g.text, g.text_bytes, &at) && (int64_t)strlen(g.text) <= g.text_bytes);
    if (k) assert_true(k->n == g.text_bytes && !memcmp(k->text, g.text, (size_t)k->n));
    return g;
}

/* Bytes as text, each that begins no valid character replaced: what Python's errors="replace" does to single bad bytes. */
static void greedy_text_is_the_full_forwards(void **state) {
    box *b = *state;
    static const char *const prompts[] = {"a", "to be", "12345678", "a prompt that is longer than the context"};
    for (int64_t k = 0; k < HN_LEN(prompts); k++) {
        uint8_t want[40];
        sink s = {.n = 0};
        reference(b, prompts[k], HN_LEN(want), want);
        hone_generation g = must(b, prompts[k], &(hone_sampling){.max_tokens = HN_LEN(want)}, &s);
        assert_int_equal(g.tokens, HN_LEN(want));
        assert_string_equal(g.finish_reason, "length");
        int64_t at = 0;
        for (int64_t i = 0; i < HN_LEN(want); i++) { /* single bytes must stand in order; what is no ASCII may be U+FFFD */
            if (want[i] >= 0x80) continue;
            const char *next = memchr(g.text + at, want[i], (size_t)(g.text_bytes - at));
            assert_non_null(next);
            at = next - g.text + 1;
        }
    }
}

static void the_same_seed_gives_the_same_text(void **state) {
    box *b = *state;
    const hone_sampling s = {.max_tokens = 30, .temperature = 1, .seed = 5}, other = {.max_tokens = 30, .temperature = 1, .seed = 6};
    hone_generation x = must(b, "abc", &s, NULL), y = must(b, "abc", &s, NULL), z = must(b, "abc", &other, NULL);
    assert_string_equal(x.text, y.text);
    assert_true(x.text_bytes != z.text_bytes || memcmp(x.text, z.text, (size_t)x.text_bytes));
    assert_true(x.tokens_per_second > 0);
    /* a shorter answer is the beginning of a longer one */
    hone_generation part = must(b, "abc", &(hone_sampling){.max_tokens = 9, .temperature = 1, .seed = 5}, NULL);
    int64_t same = 0;
    while (same < part.text_bytes && part.text[same] == x.text[same]) same++;
    assert_true(same >= part.text_bytes - 3); /* its end may be half a character */
}

/* The tokenizer says "é" for 'x' in halves and plain letters else: pieces must be whole, stop texts found across tokens. */
static void pieces_are_whole_and_stop_texts_end_the_answer(void **state) {
    box *b = *state;
    hn_bytes *pieces = hn_new_n(b->a, hn_bytes, V);
    static const char *const say[] = {"\xc3", "\xa9", "ab", "c", "\xe2\x82", "\xac", "d"};
    for (int i = 0; i < V; i++) pieces[i] = (hn_bytes){(const uint8_t *)say[i % 7], (int64_t)strlen(say[i % 7])};
    b->m->tok->pieces = pieces;
    sink all = {.n = 0};
    hone_sampling s = {.max_tokens = 200, .temperature = 3, .seed = 2};
    hone_generation g = must(b, "q", &s, &all);
    assert_true(g.text_bytes > 100);
    for (int64_t from = 10; from < 60; from += 7)
        for (int64_t n = 1; n < 9; n++) {
            while ((g.text[from] & 0xc0) == 0x80) from++;
            char stop[16] = "";
            int64_t end = from + n;
            while ((g.text[end] & 0xc0) == 0x80) end++;
            memcpy(stop, g.text + from, (size_t)(end - from));
            s.stop = (const char *const[]){"never said", stop};
            s.n_stop = 2;
            sink k = {.n = 0};
            hone_generation h = must(b, "q", &s, &k);
            assert_string_equal(h.finish_reason, "stop");
            assert_int_equal(h.text_bytes, strstr(g.text, stop) - g.text);
            assert_memory_equal(h.text, g.text, (size_t)h.text_bytes);
        }
    s.n_stop = 0;
    sink few = {.most = 4};
    hone_generation h;
    assert_true(hone_generate(b->job, b->m, "q", &s, collect, &few, &h));
    assert_string_equal(h.finish_reason, "stop");
    assert_true(few.pieces == 4 && h.tokens < 20);
}

static void an_end_token_ends_the_answer(void **state) {
    box *b = *state;
    uint8_t want[8];
    reference(b, "a", 8, want);
    int at = 3;
    while (at > 0 && memchr(want, want[at], (size_t)at)) at--;
    b->m->tok->eos = want[at];
    hone_generation g = must(b, "a", &(hone_sampling){0}, NULL);
    assert_int_equal(g.tokens, at);
    assert_string_equal(g.finish_reason, "stop");
}

static void what_cannot_be_generated_is_told(void **state) {
    box *b = *state;
    hone_generation g;
    assert_false(hone_generate(b->job, b->m, "", NULL, NULL, NULL, &g));
    told(b->job, HONE_E_VALUE, "prompt is empty");
    assert_false(hone_generate(b->job, b->m, "a", &(hone_sampling){.temperature = -1}, NULL, NULL, &g));
    told(b->job, HONE_E_VALUE, "temperature");
    assert_false(hone_generate(b->job, b->m, "a", &(hone_sampling){.temperature = NAN}, NULL, NULL, &g));
    told(b->job, HONE_E_VALUE, "temperature");
    assert_false(hone_generate(b->job, b->m, "a", &(hone_sampling){.top_p = 1.5}, NULL, NULL, &g));
    told(b->job, HONE_E_VALUE, "top_p");
    hone_job *stopped = hone_job_new(b->job, 1);
    hone_stop(stopped);
    assert_false(hone_generate(stopped, b->m, "a", NULL, NULL, NULL, &g));
    told(stopped, HONE_E_INTERRUPTED, "stopped");
    hone_close(stopped);
    ((float *)b->m->w[0].t->data)[7] = INFINITY;
    assert_false(hone_generate(b->job, b->m, "a", NULL, NULL, NULL, &g));
    told(b->job, HONE_E_MODEL, "infinity at element 7");
    ((float *)b->m->w[0].t->data)[7] = 3e38f; /* finite, but what comes of it is not */
    for (int64_t i = 0; i < 16; i++) ((float *)b->m->w[b->m->n_w - 1].t->data)[i] = 1e30f;
    assert_false(hone_generate(b->job, b->m, "a", NULL, NULL, NULL, &g));
    told(b->job, HONE_E_NUMERIC, "not a number");
    b->m->tok = NULL;
    hone_score s;
    assert_false(hone_generate(b->job, b->m, "a", NULL, NULL, NULL, &g));
    told(b->job, HONE_E_MODEL, "no tokenizer");
    assert_false(hone_score_text(b->job, b->m, "a", 1, &s));
    told(b->job, HONE_E_MODEL, "no tokenizer");
}

/* ---- scores ---- */

static double log_p(const float *logits, int32_t id) {
    double top = -INFINITY, sum = 0;
    for (int v = 0; v < V; v++) top = fmax(top, logits[v]);
    for (int v = 0; v < V; v++) sum += exp(logits[v] - top);
    return logits[id] - top - log(sum);
}

/* Token i of text given its window: the first that reaches i, of windows that start every half context, the last moved to the end. */
static void scores_are_the_full_forwards(void **state) {
    box *b = *state;
    static const char text[] = "What's in a name? That which we call a rose by any other name would smell as sweet; so Romeo would.";
    hone_tape *t = hone_tape_new(b->job, NULL);
    assert_non_null(t);
    static const int64_t lengths[] = {1, 2, 5, 8, 9, 10, 13, 14, 50, 99};
    for (int64_t k = 0; k < HN_LEN(lengths); k++) {
        int64_t n = lengths[k], inputs = n - 1, T = HN_MIN(inputs, CONTEXT);
        hone_score s;
        if (!hone_score_text(b->job, b->m, text, n, &s)) fail_msg("%s", hone_error_message(b->job));
        assert_int_equal(s.n, n);
        assert_true(isnan(s.logprobs[0]));
        double sum = 0;
        for (int64_t i = 1; i < n; i++) {
            int64_t start = 0;
            while (start + T < i) start = HN_MIN(start + T / 2, inputs - T);
            int32_t ids[CONTEXT];
            float logits[CONTEXT * V];
            for (int64_t j = 0; j < T; j++) ids[j] = (uint8_t)text[start + j];
            assert_true(hn_model_logits(t, b->m, ids, 1, T, true, logits));
            double want = log_p(logits + (i - 1 - start) * V, (uint8_t)text[i]);
            assert_int_equal(s.ids[i], (uint8_t)text[i]);
            assert_near(s.logprobs[i], want, 1e-5);
            sum += want;
        }
        assert_near(s.sum, sum, 1e-3);
        if (n > 1) assert_near(s.bits_per_byte, -sum / log(2) / (double)inputs, 1e-5);
        else assert_true(isnan(s.bits_per_byte));
    }
    /* a token that begins texts is read, not told, and gives the first token a score */
    b->m->tok->bos = 'B';
    hone_score s;
    float logits[V];
    assert_true(hone_score_text(b->job, b->m, "xy", 2, &s));
    assert_true(hn_model_logits(t, b->m, (int32_t[]){'B'}, 1, 1, false, logits));
    assert_int_equal(s.n, 2);
    assert_int_equal(s.ids[0], 'x');
    assert_near(s.logprobs[0], log_p(logits, 'x'), 1e-5);
    assert_true(hone_score_text(b->job, b->m, "", 0, &s));
    assert_int_equal(s.n, 0);
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(samplers_keep_what_they_should),
        T(sampling_orders_any_float_and_breaks_ties_by_id),
        T(greedy_text_is_the_full_forwards),
        T(the_same_seed_gives_the_same_text),
        T(pieces_are_whole_and_stop_texts_end_the_answer),
        T(an_end_token_ends_the_answer),
        T(what_cannot_be_generated_is_told),
        T(scores_are_the_full_forwards),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
