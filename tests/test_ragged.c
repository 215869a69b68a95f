/* Texts side by side: the same as one by one, whatever their lengths; the cache in bf16; no memory asked for per token. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include "model/model.h"
#include "tensor/bf16.h"

enum { V = 256, N = 41 };
typedef struct {
    hone_job *job;
    hn_arena *a;
} box;

static int setup(void **state) {
    static box b;
    b.job = hone_open(&(hone_options){ .threads = 2 });
    b.a = hn_job_arena(b.job);
    *state = &b;
    return 0;
}
static int teardown(void **state) {
    hone_close(((box *)*state)->job);
    return 0;
}

/* A byte model of such settings, its weights large enough that tokens differ. */
static hone_model *model(box *b, uint64_t seed, const char *const *set) {
    hn_settings *s = hn_settings_new(b->a, (const hn_section *[]){ &hn_section_model }, 1);
    const hn_item *arch;
    for (; *set; set += 2) assert_true(hn_settings_set(s, b->a, set[0], set[1], "test"));
    const void *params = hn_settings_variant(s, "model", &arch);
    hone_model *m = hn_model_new(b->a, (const hn_arch *)arch, params, V, false);
    if (!m) fail_msg("%s", hone_error_message(b->job));
    hn_model_init(m, seed);
    for (int64_t j = 0; j < m->n_w; j++)
        for (int64_t i = 0; m->w[j].decay && i < hn_count(m->w[j].t); i++) ((float *)m->w[j].t->data)[i] *= 10;
    m->tok = hn_tokenizer_train(b->a, "byte", NULL, NULL);
    assert_non_null(m->tok);
    return m;
}
static const char *const gpt2[] = { "model.arch", "gpt2", "model.layers", "2", "model.heads", "2", "model.width", "16", "model.context", "32", NULL };
static const char *const llama[] = { "model.arch", "llama", "model.layers", "2", "model.heads", "4", "model.kv_heads", "2", "model.width", "32",
                                     "model.context", "48", NULL };
static const char *const windowed[] = { "model.arch", "llama", "model.family", "mistral", "model.window", "7", "model.layers", "2", "model.heads", "2",
                                        "model.width", "16", "model.context", "40", NULL };
static const char *const dynamic[] = { "model.arch", "llama", "model.layers", "1", "model.heads", "2", "model.width", "16", "model.context", "16",
                                       "model.rope_scaling", "dynamic", "model.rope_factor", "3", NULL };
static const char *const *const kinds[] = { gpt2, llama, windowed, dynamic };

static bool count(void *user, int64_t i, const hone_generation *g) {
    int64_t *seen = user;
    seen[i] += 1;
    return true;
}

/* Prompts of 1 to 60 letters, answers of 1 to 50 tokens, greedy and drawn, with a stop text and without. */
static void asked(box *b, const char **prompt, hone_sampling *s) {
    static const char *const stop[] = { "e" };
    for (int64_t i = 0; i < N; i++) {
        char *p = hn_alloc(b->a, 64, 1, 1);
        for (int64_t k = 0; k < 1 + i * 37 % 60; k++) p[k] = (char)('a' + (i * 7 + k * k) % 26);
        prompt[i] = p;
        s[i] = (hone_sampling){ .max_tokens = 1 + i * 29 % 50, .temperature = i % 3 ? 0.9 : 0, .top_k = i % 4 ? 0 : 20, .seed = (uint64_t)i };
        if (i % 5 == 0) s[i].stop = stop, s[i].n_stop = 1;
    }
}

static void many_say_what_each_says_alone(box *b, hone_model *m) {
    const char *prompt[N];
    hone_sampling s[N];
    hone_generation many[N], one;
    int64_t seen[N] = { 0 }, different = 0;
    asked(b, prompt, s);
    if (!hone_generate_many(b->job, m, N, prompt, s, count, seen, many)) fail_msg("%s", hone_error_message(b->job));
    for (int64_t i = 0; i < N; i++) {
        assert_int_equal(seen[i], 1);
        assert_true(hone_generate(b->job, m, prompt[i], &s[i], NULL, NULL, &one));
        assert_int_equal(many[i].tokens, one.tokens);
        assert_int_equal(many[i].text_bytes, one.text_bytes);
        assert_memory_equal(many[i].text, one.text, (size_t)one.text_bytes);
        assert_string_equal(many[i].finish_reason, one.finish_reason);
        different += i && strcmp(many[i].text, many[i - 1].text) != 0;
    }
    assert_true(different > N / 2);
}
static void texts_side_by_side_are_those_of_each_alone(void **state) {
    box *b = *state;
    for (int64_t k = 0; k < HN_LEN(kinds); k++) many_say_what_each_says_alone(b, model(b, 3, kinds[k]));
}
static void an_ensemble_speaks_side_by_side_too(void **state) {
    box *b = *state;
    hone_model *const members[] = { model(b, 3, llama), model(b, 4, llama) };
    hone_model *m = hn_ensemble_new(b->a, members, 2);
    assert_non_null(m);
    many_say_what_each_says_alone(b, m);
}

/* Logits of ragged rows, token by token, against the whole text read at once. */
static void ragged(box *b, hone_model *m, hone_dtype type, double tolerance) {
    enum { ROWS = 5, LONG = 15 };
    static const int32_t slot[ROWS] = { 3, 0, 6, 1, 4 };
    int32_t at[ROWS], ids[ROWS][LONG], next[ROWS];
    static float got[ROWS * V], all[LONG * V];
    double worst = 0;
    hone_tape *t = hone_tape_new(b->job, NULL), *whole = hone_tape_new(b->job, NULL);
    assert_true(t && whole && hone_tape_cache_as(t, type, m->layers, 7, LONG, m->kv_width));
    for (int32_t r = 0; r < ROWS; r++) {
        at[r] = 1 + 2 * r;
        for (int i = 0; i < LONG; i++) ids[r][i] = (r * 31 + i * i * 7) % V;
        hn_tape_cache_place(t, 1, &slot[r], &(int32_t){ 0 });
        assert_true(hn_model_logits(t, m, ids[r], 1, at[r], false, got));
    }
    for (int k = 0; k < 5; k++) {
        for (int r = 0; r < ROWS; r++) next[r] = ids[r][at[r]];
        hn_tape_cache_place(t, ROWS, slot, at);
        if (!hn_model_logits(t, m, next, ROWS, 1, false, got)) fail_msg("%s", hone_error_message(b->job));
        for (int r = 0; r < ROWS; r++) {
            at[r]++;
            assert_true(hn_model_logits(whole, m, ids[r], 1, at[r], true, all));
            for (int v = 0; v < V; v++) worst = fmax(worst, fabs(got[r * V + v] - all[(at[r] - 1) * V + v]));
        }
    }
    if (!(worst < tolerance)) fail_msg("logits differ by %g", worst);
    if (type == HONE_BF16 && worst == 0) fail_msg("a cache of bf16 changes nothing: it is none");
    hone_tape_free(t);
    hone_tape_free(whole);
}
static void ragged_rows_see_their_own_text(void **state) {
    box *b = *state;
    hn_isa best = hn_cpu_isa();
    for (int64_t k = 0; k < HN_LEN(kinds) - 1; k++) { /* dynamic rotation of a text at once is another one than token by token */
        hone_model *m = model(b, 5, kinds[k]);
        for (int isa = 0; isa <= (int)best; isa++) {
            hn_cpu_isa_force((hn_isa)isa);
            ragged(b, m, HONE_F32, 2e-4);
            ragged(b, m, HONE_BF16, 0.5);
        }
        hn_cpu_isa_force(best);
    }
}
/* bf16 against f32 of the same rounded numbers: the kernels differ from the references by f32's rounding alone. */
static void a_narrow_cache_is_read_as_it_is(void **state) {
    enum { B = 3, T = 2, H = 4, D = 20, SLOTS = 4, S = 70 };
    box *b = *state;
    static hn_bf16 narrow[2][SLOTS * S * D * 2];
    static float q[B * T * H * D];
    static const int32_t slots[B] = { 2, 0, 3 }, at[B] = { 68, 0, 31 };
    hn_isa best = hn_cpu_isa();
    for (int64_t i = 0; i < SLOTS * S * D * 2; i++) narrow[0][i] = hn_narrow(sinf((float)i)), narrow[1][i] = hn_narrow(cosf((float)i * 3));
    for (int64_t i = 0; i < B * T * H * D; i++) q[i] = sinf((float)i * 0.7f);
    hn_attention_attr attr = { .o = { .heads = H, .kv_heads = 2, .causal = true, .scale = 0.4f, .window = 50 } };
    hone_tensor k = { .dtype = HONE_BF16, .dims = 3, .shape = { SLOTS, S, 2 * D }, .ld = 2 * D, .data = narrow[0], .is_weight = true }, v = k;
    v.data = narrow[1];
    float want[B * T * H * D];
    for (int isa = -1; isa <= (int)best; isa++) {
        if (isa >= 0) hn_cpu_isa_force((hn_isa)isa);
        hone_tape *t = hone_tape_new(b->job, NULL);
        if (isa < 0) hn_tape_use_references(t);
        hone_tape_begin(t, HONE_EVAL, 0, 0);
        hone_tensor *y = hn_apply(t, &hn_op_attention_cached, &attr,
                                  (hone_tensor *[]){ hone_input_f32(t, q, 3, (int64_t[]){ B, T, H * D }), &k, &v,
                                                     hone_input_i32(t, slots, 1, (int64_t[]){ B }), hone_input_i32(t, at, 1, (int64_t[]){ B }) });
        const float *got = hone_tensor_f32(y);
        if (!got) fail_msg("%s", hone_error_message(b->job));
        for (int64_t i = 0; i < B * T * H * D; i++)
            if (isa < 0) want[i] = got[i];
            else assert_true(fabsf(got[i] - want[i]) < 2e-6f);
        hone_tape_free(t);
    }
    hn_cpu_isa_force(best);
}

/* ---- memory ---- */
typedef struct {
    hone_job *job;
    int64_t pieces, early, late;
} watcher;
static bool watch(void *user, const char *piece, int64_t bytes) {
    watcher *w = user;
    w->pieces++;
    if (w->pieces == 40) w->early = hn_memory_asked(w->job);
    if (w->pieces == 240) w->late = hn_memory_asked(w->job);
    return true;
}
static void a_token_asks_for_no_memory(void **state) {
    box *b = *state;
    static const char *const big[] = { "model.arch", "llama", "model.layers", "2", "model.heads", "2", "model.width", "32", "model.context", "512", NULL };
    hone_model *m = model(b, 6, big);
    hn_bytes *pieces = hn_new_n(b->a, hn_bytes, V);
    for (int i = 0; i < V; i++) pieces[i] = (hn_bytes){ (const uint8_t *)"x", 1 };
    m->tok->pieces = pieces;
    for (int drawn = 0; drawn < 2; drawn++) {
        watcher w = { .job = b->job };
        hone_generation g;
        assert_true(hone_generate(b->job, m, "once", &(hone_sampling){ .max_tokens = 300, .temperature = drawn }, watch, &w, &g));
        assert_int_equal(w.pieces, 300);
        assert_int_equal(w.late, w.early);
    }
}

/* ---- what goes wrong ---- */
static bool stops(void *user, int64_t i, const hone_generation *g) { return false; }
static void what_cannot_be_written_is_told(void **state) {
    box *b = *state;
    hone_model *m = model(b, 3, gpt2);
    const char *prompt[] = { "a", "" };
    hone_sampling s[2] = { { .max_tokens = 3 }, { .max_tokens = 3 } };
    hone_generation g[2];
    assert_false(hone_generate_many(b->job, m, 2, prompt, s, NULL, NULL, g));
    assert_non_null(strstr(hone_error_message(b->job), "prompt is empty"));
    hone_error_clear(b->job);
    prompt[1] = "b";
    s[1].top_p = 2;
    assert_false(hone_generate_many(b->job, m, 2, prompt, s, NULL, NULL, g));
    assert_non_null(strstr(hone_error_message(b->job), "top_p cannot be 2"));
    s[1].top_p = 0;
    hone_error_clear(b->job);
    assert_false(hone_generate_many(b->job, m, 2, prompt, s, stops, NULL, g));
    assert_int_equal(hone_error_code(b->job), HONE_E_INTERRUPTED);
    hone_error_clear(b->job);
    assert_true(hone_generate_many(b->job, m, 0, prompt, s, NULL, NULL, g));
    hone_tape *t = hone_tape_new(b->job, NULL);
    assert_false(hone_tape_cache_as(t, HONE_I32, 1, 1, 1, 1));
    assert_non_null(strstr(hone_error_message(b->job), "f32 or bf16"));
    hone_error_clear(b->job);
    float out[2 * V];
    t = hone_tape_new(b->job, NULL);
    assert_true(hone_tape_cache(t, m->layers, 2, 8, m->kv_width));
    hn_tape_cache_place(t, 2, (int32_t[]){ 0, 1 }, (int32_t[]){ 8, 3 });
    assert_false(hn_model_logits(t, m, (int32_t[]){ 1, 2 }, 2, 1, false, out));
    assert_non_null(strstr(hone_error_message(b->job), "1 tokens after 8 but the cache holds 8"));
    hone_error_clear(b->job);
    hn_tape_cache_place(t, 2, (int32_t[]){ 0, 1 }, (int32_t[]){ 7, 3 });
    assert_false(hn_model_logits(t, m, (int32_t[]){ 1 }, 1, 1, false, out));
    assert_non_null(strstr(hone_error_message(b->job), "2 rows have places"));
    hone_error_clear(b->job);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_side_by_side_are_those_of_each_alone),
        cmocka_unit_test(an_ensemble_speaks_side_by_side_too),
        cmocka_unit_test(ragged_rows_see_their_own_text),
        cmocka_unit_test(a_narrow_cache_is_read_as_it_is),
        cmocka_unit_test(a_token_asks_for_no_memory),
        cmocka_unit_test(what_cannot_be_written_is_told),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
