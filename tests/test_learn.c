/* test_learn.c - training of WordPiece and Unigram: what is learned, that it depends on the text alone, and what is refused. Beside the Python
 * package's trainers: tests/oracle/tokenizers_train.py. */
#include "data_help.h"
#include "data/token/part/part.h"

static hn_tokenizer *trained(hn_arena *a, const char *kind, int64_t vocab, const char *words, const void *text, int64_t n) {
    hn_corpus c;
    assert_true(hn_corpus_from_text(a, "text", text, n, &c));
    hn_tokenizer *t = hn_tokenizer_train_with(a, kind, &(hn_token_params){ .vocab = vocab, .words = words }, &c, NULL);
    if (!t) fail_msg("%s", hone_error_message(a->job));
    return t;
}

static bool has(const hn_tokenizer *t, const char *key) {
    json_t *vocab = json_object_get(json_object_get(t->kind->save(NULL, t), "model"), "vocab");
    return json_object_get(vocab, key) != NULL;
}

/* The example of Sennrich et al. 2016, and what the package `tokenizers` makes of it (of ties, in one of its runs). */
static void wordpiece_learns_what_the_package_learns(void **state) {
    world *w = *state;
    static const char text[] = "low low low low low lower lower newest newest newest newest newest newest widest widest widest";
    static const char *const want[] = { "d", "e", "i", "l", "n", "o", "r", "s", "t", "w", "##d", "##e", "##i", "##o", "##r", "##s", "##t", "##w", "##es", "##est", "lo",
                                        "low", "ne", "##west", "newest", "wi", "##dest", "widest", "##er", "lower" };
    hn_tokenizer *t = trained(w->a, "wordpiece", 300, "gpt2", text, sizeof text - 1);
    assert_int_equal(t->vocab, 5 + HN_LEN(want));
    const json_t *vocab = json_object_get(json_object_get(t->kind->save(w->a, t), "model"), "vocab");
    for (int64_t i = 0; i < HN_LEN(want); i++)
        if (json_integer_value(json_object_get(vocab, want[i])) != 5 + i) fail_msg("'%s' has the id %d", want[i], (int)json_integer_value(json_object_get(vocab, want[i])));
    hn_ids ids = { 0 };
    assert_true(hn_encode(t, w->a, "lowest, newer", 13, &ids));
    assert_int_equal(ids.n, 6);                                                 /* low ##est [UNK] ne ##w ##er */
    assert_int_equal(t->bos, 2);
    assert_int_equal(t->eos, 3);
}

static void uncased_words_are_lowered(void **state) {
    world *w = *state;
    static const char text[] = "\xC3\x89tude etude ETUDE \xE4\xB8\xAD\xE6\x96\x87 \xE4\xB8\xAD";
    hn_tokenizer *t = trained(w->a, "wordpiece", 300, "uncased", text, sizeof text - 1);
    assert_true(has(t, "etude") && has(t, "\xE4\xB8\xAD") && !has(t, "E") && !has(t, "##\xE6\x96\x87"));
    t = trained(w->a, "wordpiece", 300, "gpt2", text, sizeof text - 1);
    assert_true(has(t, "E") && has(t, "\xC3\x89") && !has(t, "etude"));
}

static void letters_leave_room(void **state) {
    world *w = *state;
    hn_buf b = { 0 };
    for (uint32_t cp = 0x4E00; cp < 0x4E00 + 900; cp++)
        for (uint32_t k = 0; k <= cp % 3; k++) {
            uint8_t room[4];
            hn_buf_put(w->a, &b, room, hn_utf8_put(cp, room));
        }
    hn_tokenizer *t = trained(w->a, "wordpiece", 400, "gpt2", b.v, b.n);
    assert_in_range(t->vocab, 300, 400);
    t = trained(w->a, "unigram", 600, "gpt2", b.v, b.n);
    assert_in_range(t->vocab, 258 + 171, 600);
}

/* Any text comes back, also with signs that were never seen, and with what looks like a token. */
static void unigram_gives_back_every_text(void **state) {
    world *w = *state;
    const char *text = make_text(w->a, 30000, 3);
    hn_tokenizer *t = trained(w->a, "unigram", 500, "gpt2", text, 30000);
    static const char *const cases[] = { " two  blanks ", "", "\n\n a\r\nb\n", "never \xF0\x9F\x98\x80 seen \xE4\xB8\xAD", "<0x41> <unk>", "\t", "x" };
    assert_int_equal(t->vocab, 500);
    assert_int_equal(t->eos, 1);
    for (int64_t i = 0; i < HN_LEN(cases); i++) {
        hn_ids ids = { 0 };
        hn_buf back = { 0 };
        assert_true(hn_encode(t, w->a, cases[i], (int64_t)strlen(cases[i]), &ids));
        for (int64_t k = 0; k < ids.n; k++) assert_int_not_equal(ids.v[k], 0);
        hn_decode(t, w->a, ids.v, ids.n, &back);
        if (strcmp(hn_buf_str(w->a, &back), cases[i]) != 0) fail_msg("'%s' came back as '%s'", cases[i], hn_buf_str(w->a, &back));
    }
    assert_true(hn_tokenizer_save(w->a, t, w->dir));
    const hn_tokenizer *again = hn_tokenizer_load(w->a, w->dir);
    assert_non_null(again);
    assert_true(hn_tokenizer_hash(w->a, t) == hn_tokenizer_hash(w->a, again));
}

/* Words that occur often become pieces; probabilities of all of them add up to one. */
static void unigram_learns_words(void **state) {
    world *w = *state;
    hn_buf b = { 0 };
    for (int i = 0; i < 500; i++) hn_buf_fmt(w->a, &b, "the cat %s the house%s", i % 3 ? "sees" : "saw", i % 5 ? " " : "\n");
    hn_tokenizer *t = trained(w->a, "unigram", 400, "gpt2", b.v, b.n);
    const json_t *vocab = json_object_get(json_object_get(t->kind->save(w->a, t), "model"), "vocab"), *v;
    double sum = 0, last = 0;
    int found = 0;
    size_t i;
    json_array_foreach(vocab, i, v) {
        const char *key = json_string_value(json_array_get(v, 0));
        double score = json_number_value(json_array_get(v, 1));
        if (i < 258) continue;
        assert_true(score <= last);
        last = score;
        sum += exp(score);
        found += !strcmp(key, "\xE2\x96\x81house") || !strcmp(key, "\xE2\x96\x81sees") || !strcmp(key, "\xE2\x96\x81saw");
    }
    assert_true(fabs(sum - 1) < 1e-9);
    assert_int_equal(found, 3);
    hn_ids ids = { 0 };
    assert_true(hn_encode(t, w->a, " house sees", 11, &ids));
    assert_int_equal(ids.n, 2);
}

static void threads_change_nothing(void **state) {
    world *w = *state;
    const char *text = make_text(w->a, 200000, 5);
    static const char *const kinds[] = { "wordpiece", "unigram" };
    for (int k = 0; k < 2; k++) {
        uint64_t first = 0;
        for (int threads = 1; threads <= 3; threads += 2) {
            hone_job *job = hone_open(&(hone_options){ .threads = threads });
            hn_arena *a = hn_job_arena(job);
            uint64_t h = hn_tokenizer_hash(a, trained(a, kinds[k], 700, "gpt2", text, 200000));
            if (threads == 1) first = h;
            assert_true(h == first);
            hone_close(job);
        }
    }
}

static void held_out_text_is_not_looked_at(void **state) {
    world *w = *state;
    hn_corpus c;
    assert_true(hn_corpus_from_text(w->a, "text", "aaaa aaaa aaaa zqzqzqzqzqzqzqzqzq", 33, &c));
    hn_piece pieces[] = { { 0, 15, 0, false }, { 15, 18, 0, true } };
    static const char *const kinds[] = { "wordpiece", "unigram" };
    for (int k = 0; k < 2; k++) {
        hn_tokenizer *t = hn_tokenizer_train(w->a, kinds[k], &c, &(hn_split){ .v = pieces, .n = 2 });
        assert_non_null(t);
        for (int64_t id = k ? 258 : 5; id < t->vocab; id++) assert_null(memchr(t->pieces[id].p, 'z', (size_t)t->pieces[id].n));
    }
}

static void long_words_and_too_small_vocabularies(void **state) {
    world *w = *state;
    hn_corpus c;
    char *text = hn_new_n(w->a, char, 5000);
    for (int i = 0; i < 5000; i++) text[i] = (char)('a' + i * i % 7);
    hn_tokenizer *t = trained(w->a, "unigram", 400, "gpt2", text, 5000);
    assert_in_range(t->vocab, 258 + 7 - 3, 400);
    assert_non_null(trained(w->a, "wordpiece", 300, "gpt2", text, 5000));
    assert_true(hn_corpus_from_text(w->a, "text", "some text", 9, &c));
    assert_null(hn_tokenizer_train_with(w->a, "unigram", &(hn_token_params){ .vocab = 300, .words = "gpt2" }, &c, NULL));
    expect_error(w, HONE_E_VALUE, "300", "at least 322");
}

int main(void) {
    const struct CMUnitTest tests[] = { TEST(wordpiece_learns_what_the_package_learns), TEST(uncased_words_are_lowered), TEST(letters_leave_room),
                                        TEST(unigram_gives_back_every_text), TEST(unigram_learns_words), TEST(threads_change_nothing),
                                        TEST(held_out_text_is_not_looked_at), TEST(long_words_and_too_small_vocabularies) };
    return cmocka_run_group_tests_name("learn", tests, NULL, NULL);
}
