/* test_mix.c - which windows a training sees: sources by weight, easy text first, more text behind the text; a world of other tokens keeps the
 * items' text. */
#include "improve_world.h"

/* Text of three sources; every token of source s is s, so that a window tells where it is from. */
static hn_tokens sources(hn_arena *a, const int64_t *size, int32_t *source, int64_t n) {
    int64_t total = 0;
    for (int64_t i = 0; i < n; i++) total += size[i];
    uint16_t *ids = hn_new_n(a, uint16_t, total);
    hn_tokens t = { .ids = ids, .width = 2, .n = total, .vocab = 8, .spans = hn_new_n(a, hn_span, n), .n_spans = n };
    for (int64_t i = 0, at = 0; i < n; at += size[i++]) {
        t.spans[i] = (hn_span){ at, size[i], size[i], (int32_t)i };
        for (int64_t k = 0; k < size[i]; k++) ids[at + k] = (uint16_t)source[i];
    }
    return t;
}

static void sources_come_by_weight(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    const int64_t size[] = { 801, 101, 801, 101 };     /* 1600 and 200 tokens: 8 to 1 */
    int32_t source[] = { 0, 2, 0, 2 }, x[8], y[8];
    hn_tokens t = sources(a, size, source, 4);
    static const double exponents[] = { 1, 0.5, 0 };
    static const char *const orders[] = { "epochs", "random" };
    for (int e = 0; e < 3; e++)
        for (int o = 0; o < 2; o++) {
            hn_batches *b = hn_batches_new(a, &t, 1, 8, orders[o], 5);
            assert_true(hn_batches_mix(a, b, source, 3, exponents[e]));
            int64_t seen[3] = { 0 };
            hn_map *windows = hn_map_new(a);
            for (int64_t i = 0; i < 1024; i++) {
                hn_batch_get(b, i, x, y);
                seen[x[0]]++;
                assert_true(x[0] == source[0] || x[0] == source[1]);
                if (i < 20) hn_map_put(windows, x, sizeof x, 1);
            }
            double share = pow(8, exponents[e]) / (1 + pow(8, exponents[e]));
            assert_true(fabs((double)seen[0] / 1024 - share) < 0.02);
            assert_int_equal(seen[1], 0);
        }
    hn_batches *b = hn_batches_new(a, &t, 1, 8, "epochs", 5);
    int32_t one[] = { 0, 0, 0, 0 };
    assert_false(hn_batches_mix(a, b, one, 1, 0.5));   /* one source */
    assert_int_equal(hone_error_code(job), HONE_E_VALUE);
    hone_close(job);
}

/* A source whose turn comes walks through all of its windows before any comes again. */
static void a_small_source_has_epochs_of_its_own(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    uint16_t *ids = hn_new_n(a, uint16_t, 1000);
    for (int i = 0; i < 1000; i++) ids[i] = (uint16_t)i;
    hn_span spans[] = { { 0, 941, 941, 0 }, { 941, 57, 57, 1 } };
    hn_tokens t = { .ids = ids, .width = 2, .n = 1000, .vocab = 1000, .spans = spans, .n_spans = 2 };
    int32_t source[] = { 0, 1 }, x[8], y[8];
    hn_batches *b = hn_batches_new(a, &t, 1, 8, "epochs", 3);
    assert_true(hn_batches_mix(a, b, source, 2, 0));
    int64_t count[8] = { 0 }, own = 0;
    for (int64_t i = 0; own < 14; i++) {
        hn_batch_get(b, i, x, y);
        if (x[0] < 941) continue;
        count[(x[0] - 941) / 8]++;
        own++;
        if (own == 7)
            for (int k = 0; k < 7; k++) assert_int_equal(count[k], 1);
    }
    for (int k = 0; k < 7; k++) assert_int_equal(count[k], 2);
    hone_close(job);
}

static void easy_windows_come_first(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    enum { N = 8001, HALF = 4000 };
    uint16_t *ids = hn_new_n(a, uint16_t, N);
    for (int i = 0; i < N; i++) ids[i] = (uint16_t)(i < HALF ? 1 + i * 7 % 90 : 0);  /* rare tokens, then one frequent one */
    hn_span span = { 0, N, N, 0 };
    hn_tokens t = { .ids = ids, .width = 2, .n = N, .vocab = 100, .spans = &span, .n_spans = 1 };
    hn_batches *b = hn_batches_new(a, &t, 4, 8, "epochs", 1), *plain = hn_batches_new(a, &t, 4, 8, "epochs", 1);
    hn_batches_grow(a, b, 400);
    int32_t x[32], y[32], px[32], py[32];
    int64_t hard[2] = { 0 };
    for (int64_t i = 0; i < 400; i++) {
        hn_batch_get(b, i, x, y);
        for (int r = 0; r < 4; r++) hard[i >= 100] += x[r * 8] != 0;
    }
    assert_int_equal(hard[0], 0);                        /* √(1/4) of the windows: the easy half */
    assert_true(hard[1] > 200);
    for (int64_t i = 0; i < 20; i++) {                   /* and from then on as without it */
        hn_batch_get(b, 400 + i, x, y);
        hn_batch_get(plain, i, px, py);
        assert_memory_equal(x, px, sizeof x);
        assert_memory_equal(y, py, sizeof y);
    }
    hone_close(job);
}

/* ---- more text, other tokens ---- */

static hn_runner *opened(hn_arena *a, const char *const *rows) {
    hn_settings *s = recipe(a);
    hn_runner *r = hn_new(a, hn_runner);
    assert_true(hn_settings_set(s, a, "data.train", text_path, "test") && hn_settings_set(s, a, "data.decontaminate", "true", "test") &&
                hn_settings_set(s, a, "model.context", "16", "test"));
    for (int64_t i = 0; rows && rows[i]; i += 2) assert_true(hn_settings_set(s, a, rows[i], rows[i + 1], "test"));
    *r = (hn_runner){ .a = a, .base = s, .p = hn_settings_get(s, "improve"), .seed = 3, .context = 16 };
    if (!hn_dataset_load(a, hn_settings_get(s, "data"), 16, 3, NULL, &r->data)) fail_msg("%s", hone_error_message(a->job));
    assert_true(hn_sets_make(r));
    return r;
}

static void more_text_is_learned_from_and_never_held_out(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_runner *r = opened(a, NULL);
    /* new text that also copies a stretch which is held out */
    hn_buf text = { 0 };
    const hn_span *held = &r->set[HN_SET_SEALED].tokens.spans[0];
    hn_synth_text(a, 9, 14000, &text);
    for (int64_t i = 0; i < held->n; i++) {
        int32_t id = hn_token_at(&r->set[HN_SET_SEALED].tokens, held->start + i);
        hn_decode(r->data.tok, a, &id, 1, &text);
    }
    const char *path = hn_fmt(a, "%s/extra.txt", folder);
    assert_true(hn_file_write(a, path, text.v, text.n));
    hn_settings *s = hn_settings_clone(a, r->base);
    assert_true(hn_settings_set(s, a, "data.extra", path, "test"));
    const hn_world *w = hn_world_of(r, s), *same = hn_world_of(r, r->base);
    if (!w) fail_msg("%s", hone_error_message(job));
    assert_ptr_equal(hn_world_of(r, s), w);              /* made once */
    assert_int_equal(same->data.train.n, r->data.train.n);
    assert_int_equal(w->data.corpus.n_files, 2);
    assert_ptr_equal(w->data.tok, r->data.tok);
    assert_true(w->data.train.bytes > r->data.train.bytes + 10000);
    assert_true(w->data.train.bytes < r->data.train.bytes + text.n - held->bytes / 2);   /* the copy is cut out */
    for (int k = 0; k < HN_SETS; k++) assert_int_equal(w->set[k].hash, r->set[k].tokens.hash);
    hone_close(job);
}

static void decoded(hn_arena *a, const hn_tokenizer *tok, const hn_tokens *t, const hn_span *s, hn_buf *out) {
    for (int64_t i = 0; i < s->n; i++) {
        int32_t id = hn_token_at(t, s->start + i);
        hn_decode(tok, a, &id, 1, out);
    }
    hn_buf_str(a, out);
}

static void items_stay_the_same_text_for_another_tokenizer(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_runner *r = opened(a, NULL);
    hn_settings *s = hn_settings_clone(a, r->base);
    hn_lever_call c;
    pull(a, s, "tokenizer", 0, &c);
    const hn_world *w = hn_world_of(r, s);
    if (!w) fail_msg("%s", hone_error_message(job));
    assert_int_equal(w->data.tok->vocab, 512);
    assert_true(w->data.train.n < r->data.train.n / 2);
    int64_t predicted = 0, all = 0;
    for (int k = 0; k < HN_SETS; k++) {
        assert_int_equal(w->set[k].n_spans, r->set[k].n);
        for (int64_t i = 0; i < r->set[k].n; i++) {
            hn_buf old = { 0 }, new = { 0 };
            const hn_span *x = &r->set[k].tokens.spans[i], *y = &w->set[k].spans[i];
            decoded(a, r->data.tok, &r->set[k].tokens, x, &old);
            decoded(a, w->data.tok, &w->set[k], y, &new);
            assert_string_equal(old.v, new.v);
            assert_true(y->n >= 2);
            all += old.n;
            predicted += old.n - w->data.tok->pieces[hn_token_at(&w->set[k], y->start)].n;
        }
        all -= r->set[k].n;                              /* a character each that the start does not predict either */
    }
    assert_int_equal(predicted, all);
    hone_close(job);
}

static void data_levers_in_a_run(void **state) {
    static const char *const names[] = { "curriculum", "more-data", "mix-weights", "tokenizer" };
    char out[96], extra[96], both[200];
    snprintf(out, sizeof out, "%s/data-levers", folder);
    snprintf(extra, sizeof extra, "%s/extra2.txt", folder);
    hone_job *job = hone_open(NULL);
    hn_buf text = { 0 };
    hn_synth_text(hn_job_arena(job), 9, 30000, &text);
    assert_true(hn_file_write(hn_job_arena(job), extra, text.v, text.n));
    hone_close(job);
    snprintf(both, sizeof both, "%s,%s", text_path, extra);
    run_case r = { .text = both, .out = out,
                   .extra = { "improve.levers", "curriculum,more-data,mix-weights,tokenizer", "improve.more_data", extra, "improve.confirm_arms", "4" } };
    run(&r);
    assert_true(r.ok);
    for (int64_t i = 0; i < HN_LEN(names); i++) {
        char wanted[64];
        snprintf(wanted, sizeof wanted, "\"lever\":\"%s\",\"verdict\":", names[i]);
        const char *at = strstr(r.lines, wanted);
        if (!at) fail_msg("no verdict of %s in %s", names[i], r.lines);
        if (!strncmp(at + strlen(wanted), "\"failed\"", 8)) fail_msg("%s failed: %.400s", names[i], at);
    }
    free(r.lines);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_come_by_weight),
        cmocka_unit_test(a_small_source_has_epochs_of_its_own),
        cmocka_unit_test(easy_windows_come_first),
        cmocka_unit_test(more_text_is_learned_from_and_never_held_out),
        cmocka_unit_test(items_stay_the_same_text_for_another_tokenizer),
        cmocka_unit_test(data_levers_in_a_run),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
