/* test_bpe.c - byte-level BPE: training, encoding, tokenizer.json in and out. */
#include "data_help.h"
#include "data/token/part/part.h"

static hn_tokenizer *trained(world *w, const char *text, int64_t n, const hn_token_params *p) {
    hn_corpus c;
    assert_true(hn_corpus_from_text(w->a, "text", text, n, &c));
    hn_tokenizer *t = hn_tokenizer_train_with(w->a, "bpe", p, &c, NULL);
    if (!t) fail_msg("%s", hone_error_message(w->job));
    return t;
}

static void expect_round_trip(world *w, const hn_tokenizer *t, const void *p, int64_t n) {
    hn_ids ids = { 0 };
    hn_buf back = { 0 };
    if (!hn_encode(t, w->a, p, n, &ids)) fail_msg("%s", hone_error_message(w->job));
    hn_decode(t, w->a, ids.v, ids.n, &back);
    assert_int_equal(back.n, n);
    if (n) assert_memory_equal(back.v, p, (size_t)n);
}

/* ---- training ---- */

/* The reference of a university course: corpus, 500 tokens, ties to the greater pair. Every merge equal. */
static void merges_equal_the_reference(void **state) {
    world *w = *state;
    const char *dir = test_data(w->a, "bpe_training");
    if (!dir) return;
    hn_bytes text, want, vocab;
    hn_corpus c;
    assert_true(hn_file_read(w->a, hn_path_join(w->a, dir, "corpus.en"), 1 << 20, &text));
    assert_true(hn_file_read(w->a, hn_path_join(w->a, dir, "train-bpe-reference-merges.txt"), 1 << 20, &want));
    assert_true(hn_file_read(w->a, hn_path_join(w->a, dir, "train-bpe-reference-vocab.json"), 1 << 20, &vocab));
    assert_true(hn_corpus_from_text(w->a, "corpus.en", text.p, text.n, &c));
    const char *special[] = { "<|endoftext|>" };
    json_t *root = hn_learn_bpe(w->a, &(hn_learn){ .vocab = 500, .special = { special, 1 }, .greater = true }, &c, NULL);
    assert_non_null(root);
    json_t *merges = json_object_get(json_object_get(root, "model"), "merges"), *v;
    hn_buf ours = { 0 };
    size_t i;
    json_array_foreach(merges, i, v) hn_buf_fmt(w->a, &ours, "%s\n", json_string_value(v));
    assert_int_equal(json_array_size(merges), 243);
    assert_memory_equal(hn_buf_str(w->a, &ours), want.p, (size_t)want.n);
    assert_in_range(ours.n, want.n, want.n + 1);
    assert_true(json_equal(json_object_get(json_object_get(root, "model"), "vocab"), hn_json_parse(w->a, "vocab", vocab.p, vocab.n, HONE_E_DATA)));
}

/* Ties go to the lowest ids: of "ab" and "cd", twice each, "ab" joins first; then what is left. */
static void ties_go_to_the_lowest_ids(void **state) {
    world *w = *state;
    hn_tokenizer *t = trained(w, "cd ab cd ab", 11, &(hn_token_params){ .vocab = 260, .words = "gpt2" });
    const json_t *merges = json_object_get(json_object_get(t->kind->save(w->a, t), "model"), "merges");
    assert_int_equal(t->vocab, 260);
    assert_string_equal(json_string_value(json_array_get(merges, 0)), "a b");
    assert_string_equal(json_string_value(json_array_get(merges, 1)), "c d");
    assert_string_equal(json_string_value(json_array_get(merges, 2)), "\xC4\xA0 ab");
}

static void what_occurs_once_joins_nothing(void **state) {
    world *w = *state;
    hn_tokenizer *t = trained(w, "abcdefgh", 8, &(hn_token_params){ .vocab = 1000, .words = "" });
    assert_int_equal(t->vocab, 257);
    assert_int_equal(t->eos, 0);
}

/* The same tokens for any number of threads, though the text is cut into many portions. */
static void threads_change_nothing(void **state) {
    world *w = *state;
    const int64_t n = 600000;
    const char *text = make_text(w->a, n, 5);
    uint64_t first = 0;
    for (int threads = 1; threads <= 3; threads++) {
        hone_job *job = hone_open(&(hone_options){ .threads = threads });
        hn_arena *a = hn_job_arena(job);
        hn_corpus c;
        assert_true(hn_corpus_from_text(a, "text", text, n, &c));
        hn_tokenizer *t = hn_tokenizer_train_with(a, "bpe", &(hn_token_params){ .vocab = 700, .words = "cl100k" }, &c, NULL);
        assert_non_null(t);
        assert_int_equal(t->vocab, 700);
        if (!first) first = hn_tokenizer_hash(a, t);
        assert_true(hn_tokenizer_hash(a, t) == first);
        hone_close(job);
    }
}

static void held_out_text_is_not_looked_at(void **state) {
    world *w = *state;
    hn_corpus c;
    assert_true(hn_corpus_from_text(w->a, "text", "aaaa aaaa aaaa zqzqzqzqzqzqzqzqzq", 33, &c));
    hn_piece pieces[] = { { 0, 15, 0, false }, { 15, 18, 0, true } };
    hn_tokenizer *t = hn_tokenizer_train(w->a, "bpe", &c, &(hn_split){ .v = pieces, .n = 2 });
    assert_non_null(t);
    for (int64_t id = 257; id < t->vocab; id++) assert_null(memchr(t->pieces[id].p, 'z', (size_t)t->pieces[id].n));
    assert_true(t->vocab > 257);
}

static void wrong_training_is_refused(void **state) {
    world *w = *state;
    hn_corpus c;
    assert_true(hn_corpus_from_text(w->a, "text", "some text", 9, &c));
    assert_null(hn_tokenizer_train_with(w->a, "bpe", &(hn_token_params){ .vocab = 256, .words = "gpt2" }, &c, NULL));
    expect_error(w, HONE_E_VALUE, "256", "at least 257");
    assert_null(hn_tokenizer_train_with(w->a, "bpe", &(hn_token_params){ .vocab = 300, .words = "gtp2" }, &c, NULL));
    expect_error(w, HONE_E_VALUE, "'gtp2'", "'gpt2'");
    assert_null(hn_tokenizer_train_with(w->a, "bpe", &(hn_token_params){ .vocab = 300, .words = "(a" }, &c, NULL));
    expect_error(w, HONE_E_MODEL, "(a", "compiles");
}

/* ---- encoding ---- */

static hn_tokenizer *some_tokenizer(world *w) {
    const char *text = make_text(w->a, 50000, 3);
    return trained(w, text, 50000, &(hn_token_params){ .vocab = 600, .words = "gpt2" });
}

static void any_bytes_come_back(void **state) {
    world *w = *state;
    hn_tokenizer *t = some_tokenizer(w);
    hn_rng r = hn_rng_new(1, HN_STREAM_TEST, 0);
    uint8_t bytes[300];
    for (int round = 0; round < 300; round++) {
        int64_t n = hn_rng_below(&r, 300);
        for (int64_t i = 0; i < n; i++) bytes[i] = (uint8_t)(round % 3 ? hn_rng_below(&r, 256) : "ka\xE2\x82\xAC \n"[hn_rng_below(&r, 7)]);
        expect_round_trip(w, t, bytes, n);
    }
    for (int b = 0; b < 256; b++) expect_round_trip(w, t, &(uint8_t){ (uint8_t)b }, 1);
}

/* One word of any length: as a heap and as a scan, the same ids; a million bytes of one letter take no time to speak of. */
static void long_words_are_not_quadratic(void **state) {
    world *w = *state;
    const char *syllables = make_text(w->a, 40000, 3);
    hn_buf text = { 0 };
    for (int64_t i = 0; i < 40000; i++)
        if (syllables[i] > ' ') hn_buf_put(w->a, &text, syllables + i, 1);
    hn_tokenizer *t = trained(w, text.v, text.n, &(hn_token_params){ .vocab = 500, .words = "gpt2" });
    hn_buf big = { 0 };
    for (int64_t i = 0; i < 1 << 20; i++) hn_buf_put(w->a, &big, i % 3 ? "a" : "k", 1);
    double start = hn_now();
    expect_round_trip(w, t, big.v, big.n);
    assert_true(hn_now() - start < 60);
    const hn_merges *m = hn_merges_new(w->a, 4);
    hn_merges_put((hn_merges *)m, 1, 1, 0, 2);
    hn_merges_put((hn_merges *)m, 2, 1, 1, 3);
    hn_merges_put((hn_merges *)m, 2, 2, 2, 4);
    for (int64_t n = 1; n < 200; n++) {                         /* 1 1 1 1 1 → 2 2 1 → 2 3; 2 2 → 4 */
        int32_t *ids = hn_new_n(w->a, int32_t, n);
        for (int64_t i = 0; i < n; i++) ids[i] = 1;
        int64_t pairs = n / 2, odd = n % 2 && n > 1, left = hn_merges_apply(m, w->a, ids, n, NULL);
        int64_t fours = (pairs - odd) / 2, twos = (pairs - odd) % 2;
        assert_int_equal(left, n == 1 ? 1 : fours + twos + odd);
        for (int64_t i = 0; i < fours; i++) assert_int_equal(ids[i], 4);
        if (odd) assert_int_equal(ids[left - 1], 3);
    }
}

static void one_encoder_serves_many_texts(void **state) {
    world *w = *state;
    hn_tokenizer *t = some_tokenizer(w);
    hn_encoder e = hn_encoder_new(w->a, t);
    const char *text = make_text(w->a, 3000, 9);
    for (int64_t n = 0; n < 3000; n += 37) {
        hn_ids once = { 0 }, again = { 0 };
        assert_true(hn_encode(t, w->a, text, n, &once));
        assert_true(hn_encoder_put(&e, w->a, text, n, &again));
        assert_int_equal(once.n, again.n);
        if (once.n) assert_memory_equal(once.v, again.v, (size_t)once.n * 4);
    }
}

/* ---- tokenizer.json ---- */

static hn_tokenizer *parse(world *w, const char *text) { return hn_tokenizer_parse(w->a, "t.json", text, (int64_t)strlen(text)); }

static void expect_ids(world *w, const hn_tokenizer *t, const char *text, int n, const int32_t *want) {
    hn_ids ids = { 0 };
    assert_true(hn_encode(t, w->a, text, (int64_t)strlen(text), &ids));
    if (ids.n != n || memcmp(ids.v, want, (size_t)n * 4) != 0) {
        hn_buf b = { 0 };
        for (int64_t i = 0; i < ids.n; i++) hn_buf_fmt(w->a, &b, " %d", ids.v[i]);
        fail_msg("\"%s\" became%s", text, hn_buf_str(w->a, &b));
    }
}
#define EXPECT_IDS(w, t, text, ...) expect_ids(w, t, text, (int)(sizeof((int32_t[]){ __VA_ARGS__ }) / 4), (int32_t[]){ __VA_ARGS__ })

#define MODEL(vocab, merges) "\"model\":{\"type\":\"BPE\",\"vocab\":{" vocab "},\"merges\":[" merges "]}"
#define BYTES "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":true}"
#define AB "\"a\":0,\"b\":1,\"\xC4\xA0\":2,\"ab\":3,\"\xC4\xA0" "ab\":4,\"<\":5"

static void added_tokens_are_cut_out(void **state) {
    world *w = *state;
    hn_tokenizer *t = parse(w, "{\"added_tokens\":[{\"id\":6,\"content\":\"<a>\",\"special\":true},{\"id\":7,\"content\":\"<a>b\",\"special\":true},"
                               "{\"id\":8,\"content\":\"bb\",\"single_word\":true},{\"id\":9,\"content\":\"<s>\",\"lstrip\":true,\"rstrip\":true,"
                               "\"special\":true}]," BYTES "," MODEL(AB, "\"a b\",[\"\xC4\xA0\",\"ab\"]") "}");
    if (!t) fail_msg("%s", hone_error_message(w->job));
    assert_int_equal(t->vocab, 10);
    EXPECT_IDS(w, t, "ab ab", 3, 4);
    EXPECT_IDS(w, t, "a<a>ab", 0, 6, 3);
    EXPECT_IDS(w, t, "<a>bb", 7, 1);
    EXPECT_IDS(w, t, "bb", 8);
    EXPECT_IDS(w, t, "abb bb", 3, 1, 2, 8);
    EXPECT_IDS(w, t, "a  <s>  b", 0, 9, 1);
    expect_round_trip(w, t, "<a>ab", 5);
}

static void broken_files_are_refused_with_their_place(void **state) {
    world *w = *state;
    static const struct { const char *text, *word; } cases[] = {
        { "{" BYTES "," MODEL(AB, "\"a c\"") "}", "model.merges[0] names a token" },
        { "{" BYTES "," MODEL(AB, "\"a b\",\"b a\"") "}", "model.merges[1]" },
        { "{" BYTES "," MODEL(AB, "\"ab\"") "}", "model.merges[0] is no pair" },
        { "{" BYTES "," MODEL(AB, "\"a b c\"") "}", "model.merges[0] is no pair" },
        { "{" BYTES "," MODEL(AB, "7") "}", "model.merges[0] is no pair" },
        { "{" BYTES "," MODEL(AB, "[\"a\"]") "}", "model.merges[0] is no pair" },
        { "{" BYTES "," MODEL("\"a\":0,\"b\":0", "\"a b\"") "}", "two vocabulary entries have the id 0" },
        { "{" BYTES "," MODEL("\"a\":2147483646", "\"a b\"") "}", "no usable id" },
        { "{" BYTES "," MODEL("", "\"a b\"") "}", "no vocabulary" },
        { "{" BYTES ",\"added_tokens\":[{\"id\":3,\"content\":\"x\"}]," MODEL(AB, "\"a b\"") "}", "the id 3" },
        { "{" BYTES ",\"added_tokens\":[{\"id\":-3,\"content\":\"x\"}]," MODEL(AB, "\"a b\"") "}", "added_tokens[0]" },
        { "{" BYTES ",\"added_tokens\":[{\"id\":9,\"content\":\"\"}]," MODEL(AB, "\"a b\"") "}", "added_tokens[0]" },
        { "{\"pre_tokenizer\":{\"type\":\"Wonder\"}," MODEL(AB, "\"a b\"") "}", "\"Wonder\"" },
        { "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"[a&&b]\"}}," MODEL(AB, "\"a b\"") "}", "intersection" },
        { "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"Regex\":\"(\"}}," MODEL(AB, "\"a b\"") "}", "compiles" },
        { "{\"pre_tokenizer\":{\"type\":\"Split\"}," MODEL(AB, "\"a b\"") "}", "no pattern" },
        { "{\"pre_tokenizer\":{\"type\":\"Split\",\"pattern\":{\"String\":\"a\"},\"behavior\":\"x\"}," MODEL(AB, "\"a b\"") "}", "behavior" },
        { "{\"post_processor\":{\"type\":\"Wonder\"}," BYTES "," MODEL(AB, "\"a b\"") "}", "\"Wonder\"" },
        { "{\"normalizer\":{\"type\":\"Wonder\"}," BYTES "," MODEL(AB, "\"a b\"") "}", "\"Wonder\"" },
        { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"dropout\":0.1,\"vocab\":{" AB "},\"merges\":[\"a b\"]}}", "dropout" },
        { "{" BYTES ",\"model\":{\"type\":\"BPE\",\"end_of_word_suffix\":\"</w>\",\"vocab\":{" AB "},\"merges\":[\"a b\"]}}", "end_of_word_suffix" },
    };
    for (int64_t i = 0; i < HN_LEN(cases); i++) {
        if (parse(w, cases[i].text)) fail_msg("read: %s", cases[i].text);
        expect_error(w, HONE_E_MODEL, cases[i].word, "t.json");
    }
    hn_tokenizer *t = parse(w, "{" BYTES "," MODEL(AB, "\"a b\"") "}");
    hn_ids ids = { 0 };
    assert_non_null(t);
    assert_false(hn_encode(t, w->a, "abc", 3, &ids));
    expect_error(w, HONE_E_DATA, "0x63", "vocabulary");
    assert_int_equal(ids.n, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = { TEST(merges_equal_the_reference), TEST(ties_go_to_the_lowest_ids),
                                        TEST(what_occurs_once_joins_nothing), TEST(threads_change_nothing),
                                        TEST(held_out_text_is_not_looked_at), TEST(wrong_training_is_refused), TEST(any_bytes_come_back),
                                        TEST(long_words_are_not_quadratic), TEST(one_encoder_serves_many_texts),
                                        TEST(added_tokens_are_cut_out), TEST(broken_files_are_refused_with_their_place) };
    return cmocka_run_group_tests_name("bpe", tests, NULL, NULL);
}
