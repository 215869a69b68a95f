/* test_token_files.c - tokenizer.json files of published families, and published test vectors: ids equal to theirs. */
#include "data_help.h"
#include "data/token/part/part.h"

static const char *ids_text(hn_arena *a, const hn_ids *ids) {
    hn_buf b = { 0 };
    for (int64_t i = 0; i < ids->n; i++) hn_buf_fmt(a, &b, "%s%d", i ? " " : "", ids->v[i]);
    return hn_buf_str(a, &b);
}

static const char *list_text(hn_arena *a, const json_t *list) {
    hn_ids ids = { 0 };
    for (size_t i = 0; i < json_array_size(list); i++) hn_push(a, &ids, (int32_t)json_integer_value(json_array_get(list, i)));
    return ids_text(a, &ids);
}

static int differ(world *w, const char *name, const hn_tokenizer *t, const void *p, int64_t n, const char *want, const char *decoded) {
    hn_ids ids = { 0 };
    hn_buf back = { 0 };
    if (!hn_encode(t, w->a, p, n, &ids)) fail_msg("%s: %s", name, hone_error_message(w->job));
    const char *found = ids_text(w->a, &ids);
    int wrong = strcmp(found, want) != 0;
    if (wrong) print_error("%s: \"%.*s\"\n  wanted %s\n  found  %s\n", name, (int)n, (const char *)p, want, found);
    hn_decode(t, w->a, ids.v, ids.n, &back);
    if (decoded && strcmp(decoded, hn_buf_str(w->a, &back)) != 0) {
        print_error("%s: ids of \"%.*s\"\n  should decode to \"%s\"\n  but found        \"%s\"\n", name, (int)n, (const char *)p, decoded,
                    hn_buf_str(w->a, &back));
        wrong++;
    }
    return wrong;
}

static hn_tokenizer *parse_json(world *w, const char *name, const json_t *v) {
    const char *text = hn_json_text(w->a, v, false);
    hn_tokenizer *t = hn_tokenizer_parse(w->a, name, text, (int64_t)strlen(text));
    if (!t) fail_msg("%s: %s", name, hone_error_message(w->job));
    return t;
}

/* tests/oracle/tokenizers_files.py: each family's file, read here, gives the ids and texts of the Python package; saved and read again too. */
static void files_of_the_python_package(void **state) {
    world *w = *state;
    hn_bytes file;
    int wrong = 0;
    const char *where = "tests/golden/tokenizers_files.json";
    assert_true(hn_file_read(w->a, where, 1 << 24, &file));
    json_t *golden = hn_json_parse(w->a, where, file.p, file.n, HONE_E_DATA);
    assert_non_null(golden);
    const json_t *texts = json_object_get(golden, "texts"), *files = json_object_get(golden, "files");
    for (size_t k = 0; k < json_array_size(files); k++) {
        const json_t *f = json_array_get(files, k);
        const char *name = json_string_value(json_object_get(f, "name"));
        hn_tokenizer *t = parse_json(w, name, json_object_get(f, "json"));
        hn_tokenizer *again = parse_json(w, name, t->kind->save(w->a, t));
        for (size_t i = 0; i < json_array_size(texts); i++) {
            const json_t *s = json_array_get(texts, i);
            const char *want = list_text(w->a, json_array_get(json_object_get(f, "ids"), i));
            const char *decoded = json_string_value(json_array_get(json_object_get(f, "decoded"), i));
            wrong += differ(w, name, t, json_string_value(s), (int64_t)json_string_length(s), want, decoded);
            wrong += differ(w, name, again, json_string_value(s), (int64_t)json_string_length(s), want, decoded);
        }
    }
    assert_int_equal(wrong, 0);
}

/* ---- llama.cpp's vectors: X.inp with texts between marks, X.out with a line of ids for each ---- */
static void expect_vectors(world *w, const char *dir, const char *name, const hn_tokenizer *t) {
    static const char mark[] = "\n__ggml_vocab_test__\n";
    hn_bytes in, out;
    int wrong = 0;
    assert_true(hn_file_read(w->a, hn_fmt(w->a, "%s/ggml-vocab-%s.gguf.inp", dir, name), 1 << 20, &in));
    assert_true(hn_file_read(w->a, hn_fmt(w->a, "%s/ggml-vocab-%s.gguf.out", dir, name), 1 << 20, &out));
    const char *text = (const char *)in.p, *line = (const char *)out.p;
    int64_t cases = 0;
    for (const char *end; *line; line += strcspn(line, "\n") + 1, text = end + strlen(mark), cases++) {
        end = strstr(text, mark);
        if (!end) break;
        while (*line == ' ') line++;
        int64_t n = (int64_t)strcspn(line, "\n");
        while (n && line[n - 1] == ' ') n--;
        wrong += differ(w, name, t, text, end - text, hn_strndup(w->a, line, n), NULL);
    }
    assert_int_equal(cases, 46);
    assert_int_equal(wrong, 0);
}

static void copy(world *w, const char *from, const char *to) {
    hn_bytes file;
    assert_true(hn_file_read(w->a, from, 1 << 24, &file));
    put(w, to, file.p, file.n);
}

/* A folder as GPT-2 was published: vocab.json and merges.txt. */
static void vectors_gpt2(void **state) {
    world *w = *state;
    const char *dir = test_data(w->a, "tokenizers");
    if (!dir) return;
    copy(w, hn_path_join(w->a, dir, "gpt2_vocab.json"), "vocab.json");
    copy(w, hn_path_join(w->a, dir, "gpt2_merges.txt"), "merges.txt");
    hn_tokenizer *t = hn_tokenizer_load(w->a, w->dir);
    if (!t) fail_msg("%s", hone_error_message(w->job));
    assert_int_equal(t->vocab, 50257);
    assert_int_equal(t->eos, 50256);
    expect_vectors(w, dir, "gpt-2", t);
}

/* The metadata of a GGUF file holds the vocabulary. */
static void vectors_gguf(void **state) {
    world *w = *state;
    static const char *const names[] = { "gpt-2", "llama-spm", "phi-3" };
    const char *dir = test_data(w->a, "tokenizers");
    for (int i = 0; dir && i < 3; i++) {
        hn_tokenizer *t = hn_tokenizer_load(w->a, hn_fmt(w->a, "%s/ggml-vocab-%s.gguf", dir, names[i]));
        if (!t) fail_msg("%s: %s", names[i], hone_error_message(w->job));
        expect_vectors(w, dir, names[i], t);
    }
}

/* The tokenizers package refuses a file whose added tokens or byte-level steps lack a field, even where the default is meant. */
static void has_fields(const json_t *v, const char *const *field, int64_t n, const char *where) {
    for (int64_t k = 0; k < n; k++)
        if (!json_object_get(v, field[k])) fail_msg("%s: no \"%s\" in %s", where, field[k], json_dumps(v, 0));
}
static void byte_levels_are_whole(const json_t *v, const char *where) {
    static const char *const wanted[] = { "add_prefix_space", "trim_offsets", "use_regex" };
    const char *type = json_string_value(json_object_get(v, "type")), *key;
    json_t *inner;
    size_t i;
    if (type && !strcmp(type, "ByteLevel")) has_fields(v, wanted, HN_LEN(wanted), where);
    json_object_foreach((json_t *)v, key, inner) if (strcmp(key, "model")) byte_levels_are_whole(inner, where);
    json_array_foreach(v, i, inner) byte_levels_are_whole(inner, where);
}
static void what_is_saved_lacks_no_field(void **state) {
    static const char *const wanted[] = { "id", "content", "single_word", "lstrip", "rstrip", "normalized", "special" };
    static const char *const files[] = { "bpe.model", "unigram.model", "ggml-vocab-gpt-2.gguf", "ggml-vocab-llama-spm.gguf", "ggml-vocab-phi-3.gguf" };
    world *w = *state;
    const char *dir = test_data(w->a, "tokenizers");
    for (int64_t k = 0; k < (dir ? HN_LEN(files) : 2); k++) {
        hn_tokenizer *t = hn_tokenizer_load(w->a, hn_path_join(w->a, k < 2 ? "tests/golden/spm" : dir, files[k]));
        if (!t) fail_msg("%s: %s", files[k], hone_error_message(w->job));
        json_t *saved = t->kind->save(w->a, t), *one;
        size_t i;
        const json_t *added = json_object_get(saved, "added_tokens");
        assert_true(json_is_array(added) && json_array_size(added) > 0);
        json_array_foreach(added, i, one) has_fields(one, wanted, HN_LEN(wanted), files[k]);
        byte_levels_are_whole(saved, files[k]);
    }
}

static void vectors_bert(void **state) {
    world *w = *state;
    const char *dir = test_data(w->a, "tokenizers");
    if (!dir) return;
    hn_tokenizer *t = hn_tokenizer_load(w->a, hn_path_join(w->a, dir, "bert_uncased_tokenizer.json"));
    if (!t) fail_msg("%s", hone_error_message(w->job));
    assert_int_equal(t->vocab, 30522);
    assert_int_equal(t->bos, 101);
    assert_int_equal(t->eos, 102);
    expect_vectors(w, dir, "bert-bge", t);
}

static void lying_gguf_files_are_refused(void **state) {
    world *w = *state;
    static const struct { const char *p; int64_t n; const char *word; } cases[] = {
        { "GGUX\3\0\0\0", 8, "no GGUF" }, { "GGUF\3", 5, "ends inside" }, { "GGUF\1\0\0\0", 8, "version 1" },
        { "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 24, "ends inside" },
        { "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 24, "no tokenizer here" },
        { "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0x\77\0\0\0", 37, "unknown type" },
        { "GGUF\3\0\0\0\0\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0x\11\0\0\0\4\0\0\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x7F", 49, "ends inside" },
    };
    for (int64_t i = 0; i < HN_LEN(cases); i++) {
        assert_null(hn_tokenizer_load(w->a, put(w, "x.gguf", cases[i].p, cases[i].n)));
        expect_error(w, HONE_E_MODEL, cases[i].word, "x.gguf");
    }
}

static void broken_gpt2_folders_are_refused(void **state) {
    world *w = *state;
    put_text(w, "vocab.json", "{\"a\":0,\"b\":1,\"ab\":2}");
    put_text(w, "merges.txt", "#version: 0.2\na b\n");
    assert_non_null(hn_tokenizer_load(w->a, w->dir));
    put_text(w, "merges.txt", "#version: 0.2\na c\n");
    assert_null(hn_tokenizer_load(w->a, w->dir));
    expect_error(w, HONE_E_MODEL, "merges[0]", "merges.txt");
    put_text(w, "vocab.json", "[1]");
    assert_null(hn_tokenizer_load(w->a, w->dir));
    expect_error(w, HONE_E_MODEL, "no vocabulary", "vocab.json");
}

int main(void) {
    const struct CMUnitTest tests[] = { TEST(files_of_the_python_package), TEST(vectors_gpt2), TEST(vectors_gguf), TEST(what_is_saved_lacks_no_field),
                                        TEST(vectors_bert), TEST(lying_gguf_files_are_refused), TEST(broken_gpt2_folders_are_refused) };
    return cmocka_run_group_tests_name("token files", tests, NULL, NULL);
}
