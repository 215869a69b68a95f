/* test_lines.c - whole texts through the tokenizers: 10,000 lines of each kind against checksums of the Python package's ids, expressions
 * matched by hand against PCRE2, one thread against several. */
#include "data_help.h"
#include "data/token/part/part.h"

enum { LINES = 10000 };

typedef struct { uint64_t x; } draw;
static int64_t below(draw *d, int64_t n) {
    d->x = d->x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((d->x >> 33) % (uint64_t)n);
}

static json_t *golden(world *w, const char *where) {
    hn_bytes file;
    assert_true(hn_file_read(w->a, where, 1 << 24, &file));
    json_t *v = hn_json_parse(w->a, where, file.p, file.n, HONE_E_DATA);
    assert_non_null(v);
    return v;
}

static hn_tokenizer *parsed(world *w, const json_t *root) {
    const char *text = hn_json_text(w->a, root, false);
    hn_tokenizer *t = hn_tokenizer_parse(w->a, "made here", text, (int64_t)strlen(text));
    if (!t) fail_msg("%s", hone_error_message(w->job));
    return t;
}

/* ---- the texts ---- */
static hn_bytes *code(world *w, const json_t *g, draw *d) {
    const json_t *fragments = json_object_get(g, "fragments");
    hn_bytes *out = hn_new_n(w->a, hn_bytes, LINES);
    for (int64_t i = 0; i < LINES; i++) {
        hn_buf b = { 0 };
        for (int64_t n = below(d, 16); n; n--)
            hn_buf_fmt(w->a, &b, "%s", json_string_value(json_array_get(fragments, (size_t)below(d, (int64_t)json_array_size(fragments)))));
        out[i] = (hn_bytes){ (const uint8_t *)hn_buf_str(w->a, &b), b.n };
    }
    return out;
}

static hn_bytes *signs(world *w, const json_t *g, draw *d) {
    const json_t *ranges = json_object_get(g, "ranges");
    hn_bytes *out = hn_new_n(w->a, hn_bytes, LINES);
    for (int64_t i = 0; i < LINES; i++) {
        hn_buf b = { 0 };
        for (int64_t n = below(d, 60); n; n--) {
            uint8_t room[4];
            int64_t cp;
            if (i % 2) {
                const json_t *r = json_array_get(ranges, (size_t)below(d, (int64_t)json_array_size(ranges)));
                int64_t lo = json_integer_value(json_array_get(r, 0)), hi = json_integer_value(json_array_get(r, 1));
                cp = lo + below(d, hi - lo + 1);
            } else cp = 1 + below(d, 255);
            hn_buf_put(w->a, &b, room, hn_utf8_put(cp == '\n' ? ' ' : (uint32_t)cp, room));
        }
        out[i] = (hn_bytes){ (const uint8_t *)hn_buf_str(w->a, &b), b.n };
    }
    return out;
}

static int64_t lines(world *w, const char *path, int64_t most, hn_bytes *out) {
    hn_reader *r = hn_reader_open(w->a, path);
    char *text = hn_alloc_large(w->a, 4 << 20);
    int64_t n = 0, got = 1, at = 0, k = 0;
    assert_non_null(r);
    while (got && n < 4 << 20) {
        assert_true(hn_reader_read(r, text + n, (4 << 20) - n, &got));
        n += got;
    }
    for (const char *end; k < most && (end = memchr(text + at, '\n', (size_t)(n - at))); at = end - text + 1)
        out[k++] = (hn_bytes){ (const uint8_t *)text + at, end - text - at };
    return k;
}

static bool texts(world *w, const json_t *g, hn_bytes *out[4]) {
    const char *english = test_data(w->a, "wikitext2/valid.txt"), *more = test_data(w->a, "tiny_shakespeare/input.txt");
    const char *chinese = test_data(w->a, "chinese_poetry/tang_poems.txt.gz");
    draw d = { 1 };
    if (!english || !more || !chinese) return false;
    out[0] = hn_new_n(w->a, hn_bytes, LINES);
    out[1] = hn_new_n(w->a, hn_bytes, LINES);
    assert_int_equal(lines(w, english, 2000, out[0]), 2000);
    assert_int_equal(lines(w, more, 8000, out[0] + 2000), 8000);
    assert_int_equal(lines(w, chinese, LINES, out[1]), LINES);
    out[2] = code(w, g, &d);
    out[3] = signs(w, g, &d);
    return true;
}

/* ---- the tokenizers ---- */
static hn_tokenizer *gpt2(world *w, const char *dir, const char *words) {
    hn_bytes file;
    const char *where;
    assert_true(hn_file_read(w->a, hn_path_join(w->a, dir, "gpt2_vocab.json"), 1 << 24, &file));
    put(w, "vocab.json", file.p, file.n);
    assert_true(hn_file_read(w->a, hn_path_join(w->a, dir, "gpt2_merges.txt"), 1 << 24, &file));
    put(w, "merges.txt", file.p, file.n);
    json_t *root = hn_gpt2_files(w->a, w->dir, &where);
    assert_non_null(root);
    json_object_set_new(root, "pre_tokenizer", json_pack("{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, {s:s, s:b, s:b}]}", "type", "Sequence", "pretokenizers", "type",
                                                         "Split", "pattern", "Regex", hn_pattern_named(words), "behavior", "Isolated", "invert", 0,
                                                         "type", "ByteLevel", "add_prefix_space", 0, "use_regex", 0));
    return parsed(w, root);
}

/* tests/golden/spm/table.model as the Python package reads such tables: by clusters, words by Metaspace, nothing added. */
static hn_tokenizer *clusters(world *w) {
    hn_bytes file;
    assert_true(hn_file_read(w->a, "tests/golden/spm/table.model", 1 << 20, &file));
    json_t *root = hn_spm_tokenizer(w->a, "table.model", file);
    assert_non_null(root);
    json_t *first = json_array_get(json_object_get(json_object_get(root, "normalizer"), "normalizers"), 0);
    assert_true(json_is_true(json_object_get(first, "longest")));
    json_object_del(first, "longest");
    json_object_set(root, "normalizer", first);
    json_object_set_new(root, "pre_tokenizer", json_pack("{s:s, s:s, s:s, s:b}", "type", "Metaspace", "replacement", "\xE2\x96\x81", "prepend_scheme",
                                                         "always", "split", 1));
    json_object_set_new(root, "added_tokens", json_array());
    json_object_del(root, "decoder");
    return parsed(w, root);
}

static const char *sum(const hn_ids *ids, char hex[65]) {
    hn_sha256 s = hn_sha256_new();
    hn_sha256_add(&s, ids->v, ids->n * (int64_t)sizeof *ids->v);
    hn_sha256_hex(s, hex);
    return hex;
}

static int wrong_sums(world *w, const json_t *g, const char *name, const hn_tokenizer *t, hn_bytes *text[4]) {
    static const char *const which[] = { "english", "chinese", "code", "random" };
    int wrong = 0;
    if (!t) fail_msg("%s: %s", name, hone_error_message(w->job));
    for (int i = 0; i < 4; i++) {
        hn_ids ids = { 0 };
        char hex[65];
        int64_t *ends = hn_new_n(w->a, int64_t, LINES);
        const char *want = json_string_value(json_object_get(json_object_get(json_object_get(g, "sha256"), name), which[i]));
        if (!hn_encode_many(w->a, t, text[i], LINES, &ids, ends)) fail_msg("%s, %s: %s", name, which[i], hone_error_message(w->job));
        if (strcmp(sum(&ids, hex), want) != 0) wrong++, print_error("%s: other ids than the package's for the lines of %s\n", name, which[i]);
    }
    return wrong;
}

static void ten_thousand_lines(void **state) {
    world *w = *state;
    json_t *g = golden(w, "tests/golden/tokenizers_lines.json");
    const char *dir = test_data(w->a, "tokenizers");
    hn_bytes *text[4];
    if (!dir || !texts(w, g, text)) return;
    int wrong = wrong_sums(w, g, "gpt2", gpt2(w, dir, "gpt2"), text);
    wrong += wrong_sums(w, g, "llama3", gpt2(w, dir, "llama3"), text);
    wrong += wrong_sums(w, g, "qwen2", gpt2(w, dir, "qwen2"), text);
    wrong += wrong_sums(w, g, "bert", hn_tokenizer_load(w->a, hn_path_join(w->a, dir, "bert_uncased_tokenizer.json")), text);
    wrong += wrong_sums(w, g, "llama", hn_tokenizer_load(w->a, hn_path_join(w->a, dir, "ggml-vocab-llama-spm.gguf")), text);
    wrong += wrong_sums(w, g, "clusters", clusters(w), text);
    assert_int_equal(wrong, 0);
}

static void clusters_and_all(void **state) {
    world *w = *state;
    json_t *models = golden(w, "tests/golden/spm.json"), *m;
    const hn_tokenizer *t = clusters(w);
    size_t k, i;
    json_array_foreach(models, k, m) {
        if (strcmp(json_string_value(json_object_get(m, "name")), "clusters") != 0) continue;
        json_t *text;
        json_array_foreach(json_object_get(m, "texts"), i, text) {
            hn_ids ids = { 0 };
            const json_t *want = json_array_get(json_object_get(m, "ids"), i);
            assert_true(hn_encode(t, w->a, json_string_value(text), (int64_t)json_string_length(text), &ids));
            if (ids.n != (int64_t)json_array_size(want)) fail_msg("'%s' has %d ids", json_string_value(text), (int)ids.n);
            for (int64_t j = 0; j < ids.n; j++) assert_int_equal(ids.v[j], json_integer_value(json_array_get(want, (size_t)j)));
        }
    }
}

static void broken_tables_are_refused(void **state) {
    world *w = *state;
    static const struct { const char *table, *word; } cases[] = { { "", "first number" }, { "AAA", "first number" }, { "A", "base64" }, { "####", "base64" },
                                                                 { "/wAAAAAA", "first number" }, { "BAAAAAAAAAD/", "UTF-8" } };
    for (int64_t i = 0; i < HN_LEN(cases); i++) {
        assert_null(hn_charsmap_new(w->a, "t.json", cases[i].table));
        expect_error(w, HONE_E_MODEL, cases[i].word, "t.json");
    }
    assert_non_null(hn_charsmap_new(w->a, "t.json", "BAAAAAAAAAA="));
    const char *all = "\x01\x02 any bytes \xC3\xA9";
    hn_bytes in = { (const uint8_t *)all, (int64_t)strlen(all) };
    const char *once = hn_base64(w->a, in);
    assert_string_equal(once, "AQIgYW55IGJ5dGVzIMOp");
}

/* ---- quick.c: borders of all matches as PCRE2 has them ---- */
static void by_hand_as_by_pcre2(void **state) {
    world *w = *state;
    static const char *const sign[] = { " ", "  ", "\n", "\r\n", "\t", "a", "s", "S", "T", "ll", "LL", "re", "d", "'", "'s", "'Ll", "'VE", "!", "...", "1", "22", "345", "\xC3\xA9",
                                        "\xC2\xA0", "\xE3\x80\x80", "\xE4\xB8\xAD", "\xC2\xB2", "\xD9\xA3", "\xCC\x81", "\xF0\x9F\x98\x80", "\xC5\xBF", "\xC2\x85",
                                        "\xE2\x80\xA8", "\v", "\f", "\x01", "_", "\xE2\x80\xBF", "\xE1\xA0\x8E", "\xF0\x9F\x87\xA9", "\xE2\x85\xA7" };
    const char *const texts[] = { hn_pattern_named("gpt2"), hn_pattern_named("llama3"), hn_pattern_named("qwen2"), HN_PUNCTUATION, "\\s", "\\p{N}" };
    hn_matcher *m = hn_matcher_new(w->a);
    draw d = { 7 };
    for (int64_t k = 0; k < HN_LEN(texts); k++) {
        const hn_pattern *slow = hn_pattern_slow(w->a, "t", texts[k]), *quick = hn_pattern_new(w->a, "t", texts[k], false);
        assert_non_null(hn_quick(texts[k]));
        for (int round = 0; round < 3000; round++) {
            hn_buf b = { 0 };
            for (int64_t n = below(&d, 20); n; n--) hn_buf_fmt(w->a, &b, "%s", sign[below(&d, HN_LEN(sign))]);
            const uint8_t *p = (const uint8_t *)hn_buf_str(w->a, &b);
            for (int64_t from = 0, s1 = 0, e1 = 0, s2 = 0, e2 = 0; from <= b.n; from = e1) {
                int x = hn_match(m, slow, p, b.n, from, &s1, &e1), y = hn_match(m, quick, p, b.n, from, &s2, &e2);
                if (x != y || (x && (s1 != s2 || e1 != e2)))
                    fail_msg("%s: \"%s\" from %d: PCRE2 %d [%d, %d), by hand %d [%d, %d)", texts[k], (const char *)p, (int)from, x, (int)s1, (int)e1, y, (int)s2, (int)e2);
                if (!x) break;
            }
        }
    }
}

/* ---- many texts, and one long one, on three threads ---- */
static void threads_give_the_same_ids(void **state) {
    world *w = *state;
    static const char *const pre[] = {
        "{\"type\":\"ByteLevel\",\"add_prefix_space\":false}", "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"BertPreTokenizer\"},{\"type\":\"ByteLevel\","
        "\"add_prefix_space\":true,\"use_regex\":false}]}", "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}" };
    hn_buf vocab = { 0 }, text = { 0 };
    draw d = { 3 };
    for (uint32_t cp = 0, n = 0; cp < 512; cp++)
        if (hn_stand_in_byte(cp) >= 0) {
            uint8_t room[5] = { 0 };
            hn_utf8_put(cp, room);
            hn_buf_fmt(w->a, &vocab, "%s\"%s%s\":%u", n ? "," : "", cp == '"' || cp == '\\' ? "\\" : "", (const char *)room, n);
            n++;
        }
    while (text.n < 1000000)
        hn_buf_fmt(w->a, &text, "%s", ((const char *const[]){ "abc ", "x\ny", "\n", " \n ", "don't ", "12345", "\xE4\xB8\xAD\xE6\x96\x87", "!\n", "<m>", "<m>\n<m>", "." })[below(&d, 11)]);
    for (int64_t k = 0; k < HN_LEN(pre); k++) {
        const char *json = hn_fmt(w->a, "{\"added_tokens\":[{\"id\":256,\"content\":\"<m>\",\"lstrip\":true,\"rstrip\":true}],\"pre_tokenizer\":%s,\"model\":{\"type\":\"BPE\",\"vocab\":{%s},"
                                        "\"merges\":[]}}", pre[k], hn_buf_str(w->a, &vocab));
        hn_ids first = { 0 };
        for (int threads = 1; threads <= 3; threads += 2) {
            hone_job *job = hone_open(&(hone_options){ .threads = threads });
            hn_arena *a = hn_job_arena(job);
            const hn_tokenizer *t = hn_tokenizer_parse(a, "t.json", json, (int64_t)strlen(json));
            if (!t) fail_msg("%s", hone_error_message(job));
            int64_t at = text.n / 2, ends[4];
            while (((uint8_t)text.v[at] & 0xC0) == 0x80) at++;
            hn_bytes two[] = { { (const uint8_t *)text.v, text.n }, { (const uint8_t *)"", 0 }, { (const uint8_t *)text.v + at, text.n - at }, { (const uint8_t *)"a", 1 } };
            hn_ids ids = { 0 };
            assert_true(hn_encode_many(a, t, two, 4, &ids, ends));
            assert_true(ends[0] == ends[1] && ends[2] + 1 == ends[3] - (k > 0) && ends[3] == ids.n);
            if (threads == 1)
                for (int64_t i = 0; i < ids.n; i++) hn_push(w->a, &first, ids.v[i]);
            else {
                assert_int_equal(ids.n, first.n);
                assert_memory_equal(ids.v, first.v, (size_t)ids.n * sizeof *ids.v);
            }
            hone_close(job);
        }
    }
}

static void the_first_bad_text_is_told(void **state) {
    world *w = *state;
    const char *json = "{\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false},\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"aa\":1},\"merges\":[\"a a\"]}}";
    char *good = hn_new_n(w->a, char, 100000), *bad = hn_new_n(w->a, char, 100000), *worse = hn_new_n(w->a, char, 100000);
    memset(good, 'a', 100000), memset(bad, 'a', 100000), memset(worse, 'c', 100000);
    bad[99999] = 'b';
    hn_bytes text[] = { { (uint8_t *)good, 100000 }, { (uint8_t *)good, 100000 }, { (uint8_t *)bad, 100000 }, { (uint8_t *)worse, 100000 }, { (uint8_t *)worse, 100000 } };
    for (int threads = 1; threads <= 3; threads++) {
        hone_job *job = hone_open(&(hone_options){ .threads = threads });
        hn_arena *a = hn_job_arena(job);
        const hn_tokenizer *t = hn_tokenizer_parse(a, "t.json", json, (int64_t)strlen(json));
        hn_ids ids = { 0 };
        int64_t ends[5];
        assert_non_null(t);
        assert_false(hn_encode_many(a, t, text, 5, &ids, ends));
        assert_int_equal(hone_error_code(job), HONE_E_DATA);
        if (!strstr(hone_error_message(job), "0x62")) fail_msg("%s", hone_error_message(job));
        assert_int_equal(ids.n, 0);
        hone_close(job);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { TEST(ten_thousand_lines), TEST(clusters_and_all), TEST(broken_tables_are_refused), TEST(by_hand_as_by_pcre2),
                                        TEST(threads_give_the_same_ids), TEST(the_first_bad_text_is_told) };
    return cmocka_run_group_tests_name("lines", tests, NULL, NULL);
}
