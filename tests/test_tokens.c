/* test_tokens.c - from text to batches: tokenizers, token files, the cache, windows. */
#include "data_help.h"

/* ---- tokenizers ---- */

static void expect_ids(world *w, const hn_tokenizer *t, const json_t *text, const json_t *golden) {
    hn_ids ids = { 0 };
    hn_buf back = { 0 };
    const char *s = json_string_value(text);
    int64_t n = (int64_t)json_string_length(text);
    assert_true(hn_encode(t, w->a, s, n, &ids));
    assert_int_equal(ids.n, json_array_size(golden));
    for (int64_t i = 0; i < ids.n; i++) assert_int_equal(ids.v[i], json_integer_value(json_array_get(golden, (size_t)i)));
    hn_decode(t, w->a, ids.v, ids.n, &back);
    assert_int_equal(back.n, n);
    if (n) assert_memory_equal(back.v, s, (size_t)n);
}

/* Ids equal those of the Python package (tests/oracle/tokenizers_agree.py), before and after a save and a load. */
static void tokenizers_agree_with_python(void **state) {
    world *w = *state;
    hn_bytes file;
    hn_buf all = { 0 };
    hn_corpus c;
    const char *where = "tests/golden/tokenizers_agree.json", *keep = getenv("HONE_KEEP");
    assert_true(hn_file_read(w->a, where, 1 << 20, &file));
    json_t *golden = hn_json_parse(w->a, where, file.p, file.n, HONE_E_DATA);
    assert_non_null(golden);
    const json_t *texts = json_object_get(golden, "texts");
    for (size_t i = 0; i < json_array_size(texts); i++)
        hn_buf_put(w->a, &all, json_string_value(json_array_get(texts, i)), (int64_t)json_string_length(json_array_get(texts, i)));
    assert_true(hn_corpus_from_text(w->a, "golden", all.v, all.n, &c));
    for (int64_t k = 0; k < hn_kind_token.n; k++) {
        if (!json_object_get(golden, hn_kind_token.items[k]->name)) continue; /* the others: test_learn.c and tests/oracle/tokenizers_train.py */
        const char *name = hn_kind_token.items[k]->name, *dir = hn_path_join(w->a, keep ? keep : w->dir, name);
        hn_tokenizer *t = hn_tokenizer_train(w->a, name, &c, NULL);
        assert_non_null(t);
        assert_true(hn_tokenizer_save(w->a, t, dir));
        hn_tokenizer *loaded = hn_tokenizer_load(w->a, dir);
        assert_non_null(loaded);
        assert_ptr_equal(loaded->kind, t->kind);
        assert_true(hn_tokenizer_hash(w->a, loaded) == hn_tokenizer_hash(w->a, t));
        for (size_t i = 0; i < json_array_size(texts); i++) {
            const json_t *ids = json_array_get(json_object_get(golden, name), i);
            expect_ids(w, t, json_array_get(texts, i), ids);
            expect_ids(w, loaded, json_array_get(texts, i), ids);
        }
    }
}

static void bytes_that_are_no_text_come_back(void **state) {
    world *w = *state;
    hn_tokenizer *t = hn_tokenizer_train(w->a, "byte", NULL, NULL);
    static const uint8_t bad[] = { 0, 0xE4, 0xB8, 65, 0xFF, 66, 0xF0, 0x9F, 0x98, 67, 0xC0, 0x80 };
    hn_ids ids = { 0 };
    hn_buf back = { 0 };
    assert_true(hn_encode(t, w->a, bad, sizeof bad, &ids));
    for (size_t i = 0; i < sizeof bad; i++) assert_int_equal(ids.v[i], bad[i]);
    hn_decode(t, w->a, ids.v, ids.n, &back);
    assert_memory_equal(back.v, bad, sizeof bad);
    back.n = 0;
    hn_decode(t, w->a, (int32_t[]){ -1, 65, 256 }, 3, &back);
    assert_int_equal(back.n, 7);
    assert_memory_equal(back.v, "\xEF\xBF\xBD" "A\xEF\xBF\xBD", 7);
}

static void unknown_characters_are_named(void **state) {
    world *w = *state;
    hn_corpus c;
    hn_ids ids = { 0 };
    assert_true(hn_corpus_from_text(w->a, "abc", "abc", 3, &c));
    hn_tokenizer *t = hn_tokenizer_train(w->a, "char", &c, NULL);
    assert_false(hn_encode(t, w->a, "ab€c", 6, &ids));
    expect_error(w, HONE_E_DATA, "'€' (U+20AC)", "offset 2");
    assert_null(hn_tokenizer_train(w->a, "chr", &c, NULL));
    expect_error(w, HONE_E_VALUE, "'chr'", "'char'");
}

static void broken_tokenizer_files_are_refused(void **state) {
    world *w = *state;
    static const char shell[] = "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[\\\\s\\\\S]\"}},\"model\":{\"type\":"
                                "\"WordLevel\",\"vocab\":%s,\"unk_token\":\"<unk>\"}}";
    static const struct { const char *vocab, *word;
    } cases[] = { { "{\"a\":0,\"b\":0}", "two vocabulary entries have the id 0" },
                  { "{\"a\":0,\"b\":2}", "0 to 1" },
                  { "{\"a\":0,\"b\":-1}", "no usable id" },
                  { "{\"a\":0,\"b\":\"1\"}", "something else" },
                  { "{\"a\":0,\"bc\":1}", "not one character" },
                  { "{\"\":0}", "not one character" },
                  { "{}", "no vocabulary" },
                  { "[1]", "no vocabulary" },
                  { "{\"a\":0,\"a\":1}", "t.json" },
                  { "{\"a\":0", "t.json" },
                  { "{\"a\":4294967296}", "no usable id" } };
    for (int64_t i = 0; i < HN_LEN(cases); i++) {
        const char *text = hn_fmt(w->a, shell, cases[i].vocab);
        assert_null(hn_tokenizer_parse(w->a, "t.json", text, (int64_t)strlen(text)));
        expect_error(w, HONE_E_MODEL, cases[i].word, "t.json");
    }
    const char *text = hn_fmt(w->a, shell, "{\"<unk>\":0,\"a\":1}");
    hn_tokenizer *t = hn_tokenizer_parse(w->a, "t.json", text, (int64_t)strlen(text));
    hn_ids ids = { 0 };
    assert_non_null(t);
    assert_int_equal(t->unk, 0);
    assert_true(hn_encode(t, w->a, "a€", 4, &ids));
    assert_int_equal(ids.n, 2);
    assert_int_equal(ids.v[1], 0);
    assert_null(hn_tokenizer_load(w->a, put_text(w, "other.json", "{\"model\":{\"type\":\"Wonder\"}}")));
    expect_error(w, HONE_E_MODEL, "other.json", "Wonder");
    assert_null(hn_tokenizer_load(w->a, w->dir));
    expect_error(w, HONE_E_MODEL, "tokenizer.json", "no ");
}

/* ---- token files ---- */

static hn_tokens some_tokens(world *w, int64_t vocab) {
    hn_tokens t = {
        .width = vocab > 65536 ? 4 : 2, .vocab = vocab, .n = 100, .n_spans = 2, .bytes = 150, .spans = hn_new_n(w->a, hn_span, 2)
    };
    int32_t *wide = hn_new_n(w->a, int32_t, 100);
    uint16_t *narrow = hn_new_n(w->a, uint16_t, 100);
    for (int i = 0; i < 100; i++) narrow[i] = (uint16_t)(wide[i] = (int32_t)((i * 37) % vocab));
    t.ids = t.width == 4 ? (const void *)wide : narrow;
    t.spans[0] = (hn_span){ 0, 60, 90, 0 };
    t.spans[1] = (hn_span){ 60, 40, 60, 3 };
    return t;
}

static void token_files_come_back(void **state) {
    world *w = *state;
    for (int k = 0; k < 2; k++) {
        hn_tokens t = some_tokens(w, k ? 70000 : 65), back;
        const char *path = hn_path_join(w->a, w->dir, "t.tok");
        assert_true(hn_tokens_save(w->a, &t, 0xABCDEF, path));
        assert_true(hn_tokens_map(w->a, path, &back));
        assert_int_equal(back.n, 100);
        assert_int_equal(back.vocab, t.vocab);
        assert_int_equal(back.width, t.width);
        assert_int_equal(back.bytes, 150);
        assert_true(back.tokenizer_hash == 0xABCDEF);
        assert_int_equal(back.n_spans, 2);
        assert_int_equal(back.spans[1].start, 60);
        assert_int_equal(back.spans[1].doc, 3);
        for (int i = 0; i < 100; i++) assert_int_equal(hn_token_at(&back, i), hn_token_at(&t, i));
    }
}

/* Changes bytes of a good file, mends the checksums unless told not to, and expects a refusal that allocates next to nothing. */
static void expect_refused(world *w, hn_bytes good, int64_t at, const void *change, int64_t n, int64_t length, bool mend,
                           const char *word) {
    uint8_t *p = hn_alloc(w->a, good.n, 1, 8);      /* as a mapped file is: aligned */
    hn_tokens t;
    memcpy(p, good.p, (size_t)good.n);
    memcpy(p + at, change, (size_t)n);
    if (mend) {
        uint64_t h = hn_hash(p + 80 + 64, good.n - 80 - 64, hn_hash(p + 80, 64, 0));
        memcpy(p + 56, &h, 8);
        h = hn_hash(p, 64, 0);
        memcpy(p + 64, &h, 8);
    }
    int64_t before = hn_memory_live(w->job);
    assert_false(hn_tokens_parse(w->a, "t.tok", (hn_bytes){ p, length }, &t));
    assert_true(hn_memory_live(w->job) - before < 1 << 20);
    expect_error(w, HONE_E_MODEL, "t.tok", word);
}

static void lying_token_files_are_refused(void **state) {
    world *w = *state;
    hn_tokens t = some_tokens(w, 65);
    hn_bytes good;
    const char *path = hn_path_join(w->a, w->dir, "t.tok");
    assert_true(hn_tokens_save(w->a, &t, 1, path));
    assert_true(hn_file_read(w->a, path, 1 << 20, &good));
    const int64_t huge = INT64_C(4) << 30, negative = -1, most = INT64_MAX, fifty = 50, spans = (INT64_C(1) << 59) + 2;
    expect_refused(w, good, 0, "HONETOK2", 8, good.n, true, "not a token file");
    expect_refused(w, good, 0, "", 0, 79, false, "not a token file");
    expect_refused(w, good, 0, "", 0, 0, false, "not a token file");
    expect_refused(w, good, 0, "", 0, good.n - 1, false, "the header speaks of");
    expect_refused(w, good, 8, &(uint32_t){ 2 }, 4, good.n, true, "version 2");
    expect_refused(w, good, 12, &(uint32_t){ 8 }, 4, good.n, true, "2 or 4 bytes");
    expect_refused(w, good, 12, &(uint32_t){ 0 }, 4, good.n, true, "2 or 4 bytes");
    expect_refused(w, good, 16, &huge, 8, good.n, true, "vocabulary");
    expect_refused(w, good, 16, &negative, 8, good.n, true, "vocabulary");
    expect_refused(w, good, 24, &huge, 8, good.n, true, "4294967296 tokens");
    expect_refused(w, good, 24, &most, 8, good.n, true, "the header speaks of");
    expect_refused(w, good, 24, &negative, 8, good.n, true, "the header speaks of");
    expect_refused(w, good, 32, &huge, 8, good.n, true, "the header speaks of");
    expect_refused(w, good, 32, &spans, 8, good.n, true, "the header speaks of");
    expect_refused(w, good, 40, &fifty, 8, good.n, false, "header's checksum");
    expect_refused(w, good, 40, &fifty, 8, good.n, true, "span");
    expect_refused(w, good, 88, &fifty, 8, good.n, true, "span");
    expect_refused(w, good, 88, &most, 8, good.n, true, "span");
    expect_refused(w, good, 80 + 64 + 6, &(uint16_t){ 65 }, 2, good.n, true, "outside the vocabulary");
    expect_refused(w, good, 80 + 64 + 6, &(uint16_t){ 3 }, 2, good.n, false, "checksum of the contents");
    assert_false(hn_tokens_map(w->a, put_text(w, "e.tok", ""), &t));
    expect_error(w, HONE_E_MODEL, "e.tok", "not a token file");
}

static void cache_is_used_and_mended(void **state) {
    world *w = *state;
    hn_data_params p = defaults(w->a);
    hn_dataset fresh, cached;
    const char *path = put_text(w, "text.txt", make_text(w->a, 20000, 6));
    p.train = (hn_strs){ &path, 1 };
    assert_true(hn_dataset_load(w->a, &p, 16, 1, NULL, &fresh));
    p.cache = hn_path_join(w->a, w->dir, "cache");
    for (int k = 0; k < 3; k++) {
        assert_true(hn_dataset_load(w->a, &p, 16, 1, NULL, &cached));
        assert_int_equal(cached.train.n, fresh.train.n);
        assert_true(cached.train.hash == fresh.train.hash && cached.valid.hash == fresh.valid.hash);
        assert_int_equal(system(hn_fmt(w->a, "test $(ls '%s' | wc -l) = 2", p.cache)), 0);
        assert_int_equal(strstr(w->warning, "made again") != NULL, k == 2);
        if (k == 1) assert_int_equal(system(hn_fmt(w->a, "for f in '%s'/*; do head -c 200 $f > $f.x && mv $f.x $f; done", p.cache)), 0);
    }
}

typedef struct { world *w; hn_arena *a; hn_data_params *p; } loading;
static bool load_all(void *arg) {
    loading *l = arg;
    hn_dataset d;
    return hn_dataset_load(l->a, l->p, 8, 1, NULL, &d) && hn_tokenizer_save(l->a, d.tok, hn_path_join(l->a, l->w->dir, "saved"));
}

/* The n-th allocation, read or write fails, for every n: an error with the right code, nothing kept, no half-written file. */
static void faults_leave_nothing_behind(void **state) {
    world *w = *state;
    hn_data_params p = defaults(w->a);
    static const hone_code codes[] = { HONE_E_MEMORY, HONE_E_IO, HONE_E_SPACE };
    const char *files[] = { put_text(w, "a.txt", make_text(w->a, 3000, 8)),
                            put_text(w, "b.jsonl", "{\"text\":\"some words\"}\nbad\n{\"text\":\"and more\"}\n") };
    p.train = (hn_strs){ files, 2 };
    p.decontaminate = true;
    for (hn_fault f = 0; f < HN_FAULT_COUNT; f++) {
        int64_t n = 1;
        for (bool ok = false; !ok; n++) {
            p.cache = hn_fmt(w->a, "%s/cache-%d-%lld", w->dir, f, (long long)n);
            hn_arena *a = hn_arena_new(w->a);
            hn_fault_set(f, n);
            ok = hn_try(w->job, load_all, &(loading){ w, a, &p });
            hn_fault_set(f, 0);
            hn_arena_free(a);
            if (!ok) assert_true(hone_error_code(w->job) == codes[f] || hone_error_code(w->job) == HONE_E_IO);
            hone_error_clear(w->job);
            assert_true(n < 2000);
        }
        assert_int_equal(system(hn_fmt(w->a, "! find '%s' | grep '\\.tmp'", w->dir)), 0);
        assert_true(n > 4);
    }
}

/* ---- batches ---- */

static hn_tokens counting(hn_arena *a, const int64_t *lengths, int64_t n_spans) {
    hn_tokens t = { .width = 2, .vocab = 65536, .n_spans = n_spans, .spans = hn_new_n(a, hn_span, n_spans) };
    for (int64_t i = 0; i < n_spans; i++) {
        t.spans[i] = (hn_span){ t.n, lengths[i], lengths[i], (int32_t)i };
        t.n += lengths[i];
    }
    uint16_t *ids = hn_new_n(a, uint16_t, t.n);
    for (int64_t i = 0; i < t.n; i++) ids[i] = (uint16_t)i;      /* a token is its own position */
    t.ids = ids;
    return t;
}

static int64_t span_of(const hn_tokens *t, int64_t at) {
    for (int64_t i = 0; i < t->n_spans; i++)
        if (at < t->spans[i].start + t->spans[i].n) return i;
    return -1;
}

/* A window holds consecutive positions of one span; y is x moved by one, or −1 where the span has ended. Returns its targets. */
static int64_t check_window(const hn_tokens *t, const int32_t *x, const int32_t *y, int64_t T) {
    int64_t span = span_of(t, x[0]), targets = 0;
    for (int64_t k = 0; k < T; k++) {
        if (y[k] < 0) continue;
        assert_int_equal(k, targets);
        assert_int_equal(x[k], x[0] + k);
        assert_int_equal(y[k], x[0] + k + 1);
        assert_int_equal(span_of(t, y[k]), span);
        targets++;
    }
    assert_int_equal(targets, HN_MIN(T, t->spans[span].n - 1 - (x[0] - t->spans[span].start)));
    return targets;
}

static void windows_stay_inside_and_repeat(void **state) {
    world *w = *state;
    enum { B = 3, T = 10 };
    static const int64_t lengths[] = { 137, 1, 2, 10, 11, 12, 95, 400 };
    hn_tokens t = counting(w->a, lengths, HN_LEN(lengths));
    static const char *const orders[] = { "epochs", "random" };
    for (int o = 0; o < 2; o++) {
        hn_batches *b = hn_batches_new(w->a, &t, B, T, orders[o], 42), *again = hn_batches_new(w->a, &t, B, T, orders[o], 42),
                   *other = hn_batches_new(w->a, &t, B, T, orders[o], 43);
        int32_t x[B * T], y[B * T], x2[B * T], y2[B * T];
        bool differs = false;
        for (int64_t i = 0; i < 500; i++) {
            hn_batch_get(b, i, x, y);
            for (int64_t r = 0; r < B; r++) assert_true(check_window(&t, x + r * T, y + r * T, T) >= 1);
        }
        for (int64_t i = 499; i >= 0; i -= 7) {      /* any order of asking gives the same */
            hn_batch_get(again, i, x2, y2);
            hn_batch_get(b, i, x, y);
            assert_memory_equal(x, x2, sizeof x);
            assert_memory_equal(y, y2, sizeof y);
            hn_batch_get(other, i, x2, y2);
            differs = differs || memcmp(x, x2, sizeof x) != 0;
        }
        assert_true(differs);
    }
    /* Windows do not depend on how many a batch holds. */
    hn_batches *one = hn_batches_new(w->a, &t, 1, T, "epochs", 42), *three = hn_batches_new(w->a, &t, B, T, "epochs", 42);
    int32_t x[B * T], y[B * T], x1[T], y1[T];
    for (int64_t i = 0; i < 60; i++) {
        hn_batch_get(one, i, x1, y1);
        hn_batch_get(three, i / B, x, y);
        assert_memory_equal(x + i % B * T, x1, sizeof x1);
        assert_memory_equal(y + i % B * T, y1, sizeof y1);
    }
}

static void an_epoch_visits_each_window_once(void **state) {
    world *w = *state;
    enum { T = 10 };
    static const int64_t lengths[] = { 1001, 7, 33, 256 };
    hn_tokens t = counting(w->a, lengths, HN_LEN(lengths));
    hn_batches *b = hn_batches_new(w->a, &t, 1, T, "epochs", 9);
    int64_t windows = hn_batches_windows(b), phases = 0, sorted = 0;
    assert_int_equal(windows, 99 + 1 + 3 + 24);
    int32_t x[T], y[T], last_phase = -1, before = -1;
    for (int64_t e = 0; e < 20; e++) {
        uint8_t *seen = hn_new_n(w->a, uint8_t, t.n);
        int64_t targets = 0;
        int32_t phase = -1;
        for (int64_t i = 0; i < windows; i++) {
            hn_batch_get(b, e * windows + i, x, y);
            targets += check_window(&t, x, y, T);
            for (int64_t k = 0; k < T; k++)
                if (y[k] >= 0) assert_int_equal(seen[y[k]]++, 0);
            if (x[0] < 1001) {
                if (phase < 0) phase = x[0] % T;
                assert_int_equal(x[0] % T, phase);
            }
            sorted += x[0] == before + T;
            before = x[0];
        }
        assert_int_equal(targets, (99 + 3 + 24) * T + 6);
        phases += phase != last_phase;
        last_phase = phase;
    }
    assert_true(phases > 10);                       /* a new phase nearly every epoch */
    assert_true(sorted < 20 * windows / 20);        /* neighbours do not follow each other */
}

static void random_starts_are_uniform(void **state) {
    world *w = *state;
    enum { T = 8, N = 108, DRAWS = 20000 };      /* 100 starts, 200 expected of each */
    static const int64_t lengths[] = { 58, 58 };   /* 50 starts each, none across the border */
    hn_tokens t = counting(w->a, lengths, 2);
    hn_batches *b = hn_batches_new(w->a, &t, 1, T, "random", 3);
    int64_t count[116] = { 0 }, starts = 0;
    int32_t x[T], y[T];
    double chi2 = 0;
    assert_int_equal(hn_batches_windows(b), 100);
    for (int64_t i = 0; i < DRAWS; i++) {
        hn_batch_get(b, i, x, y);
        assert_int_equal(check_window(&t, x, y, T), T);
        count[x[0]]++;
    }
    for (int i = 0; i < 116; i++) {
        starts += count[i] > 0;
        if (i % 58 < 50) chi2 += (double)((count[i] - 200) * (count[i] - 200)) / 200;
    }
    assert_int_equal(starts, 100);
    assert_true(chi2 < 149.0);      /* 99.9th percentile of chi-square with 99 degrees of freedom: 148.2 */
}

static void batches_refuse_what_cannot_be(void **state) {
    world *w = *state;
    static const int64_t lengths[] = { 1, 1 };
    hn_tokens t = counting(w->a, lengths, 2);
    assert_null(hn_batches_new(w->a, &t, 1, 8, "epochs", 1));
    expect_error(w, HONE_E_DATA, "too short", "2 tokens");
    assert_null(hn_batches_new(w->a, &t, 1, 8, "sorted", 1));
    expect_error(w, HONE_E_VALUE, "sorted", "epochs or random");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(tokenizers_agree_with_python),   TEST(bytes_that_are_no_text_come_back),
        TEST(unknown_characters_are_named),   TEST(broken_tokenizer_files_are_refused),
        TEST(token_files_come_back),          TEST(lying_token_files_are_refused),
        TEST(cache_is_used_and_mended),       TEST(faults_leave_nothing_behind),
        TEST(windows_stay_inside_and_repeat), TEST(an_epoch_visits_each_window_once),
        TEST(random_starts_are_uniform),      TEST(batches_refuse_what_cannot_be),
    };
    return cmocka_run_group_tests_name("tokens", tests, NULL, NULL);
}
