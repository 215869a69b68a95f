/* test_data.c - from files to pieces of text: readers, splits, decontamination. */
#include "data_help.h"

/* ---- readers ---- */

static void reads_text_as_it_is(void **state) {
    world *w = *state;
    hn_corpus c;
    assert_true(read_one(w, put_text(w, "a.txt", "\xEF\xBB\xBFone\r\ntwo\r\n"), &c));
    assert_int_equal(c.n_docs, 1);
    expect_doc(&c, 0, "one\r\ntwo\r\n");
    assert_int_equal(c.valid_from, 1);
    assert_true(read_one(
        w, put_text(w, "b.txt", "<|endoftext|>\nfirst\n<|endoftext|>\r\n \n<|endoftext|>  \nsecond <|endoftext|> still\n<|endoftext|>"),
        &c));
    assert_int_equal(c.n_docs, 2);
    expect_doc(&c, 0, "first\n");
    expect_doc(&c, 1, "second <|endoftext|> still\n");
    assert_int_equal(c.docs[1].start, c.docs[0].bytes);
    assert_int_equal(c.text.n, c.docs[0].bytes + c.docs[1].bytes);
}

static void refuses_what_is_no_text(void **state) {
    world *w = *state;
    hn_corpus c;
    static const char zeros[300];
    char *late = make_text(w->a, 70000, 1);      /* the bad byte lies past the first chunk of 64 KiB */
    late[66000] = (char)0xC3;
    late[66001] = ' ';
    assert_false(read_one(w, hn_path_join(w->a, w->dir, "absent.txt"), &c));
    expect_error(w, HONE_E_DATA, "absent.txt", "no such file or folder");
    assert_false(read_one(w, put_text(w, "empty.txt", ""), &c));
    expect_error(w, HONE_E_DATA, "empty.txt", "is empty");
    assert_false(read_one(w, put(w, "zero.txt", zeros, sizeof zeros), &c));
    expect_error(w, HONE_E_DATA, "zero.txt: offset 0", "only zero bytes (300");
    assert_false(read_one(w, put(w, "late.txt", late, 70000), &c));
    expect_error(w, HONE_E_DATA, "late.txt: offset 66000", "0xC3");
    assert_false(read_one(w, put(w, "wide.txt", "\xFF\xFEh\0i\0", 6), &c));
    expect_error(w, HONE_E_DATA, "wide.txt: offset 0", "UTF-16");
    assert_false(read_one(w, put(w, "nul.txt", "text\0text", 9), &c));
    expect_error(w, HONE_E_DATA, "nul.txt: offset 4", "zero byte");
    assert_false(read_one(w, put_text(w, "blank.txt", " \r\n\t\n"), &c));
    expect_error(w, HONE_E_DATA, "blank.txt", "white space");
    assert_false(read_one(w, put_text(w, "table.csv", "a,b\n"), &c));
    expect_error(w, HONE_E_DATA, "table.csv", ".jsonl");
    assert_int_equal(hone_code_exit_status(HONE_E_DATA), 3);
    hn_strs paths = { (const char *[]){ put_text(w, "big.txt", make_text(w->a, 5000, 2)) }, 1 };
    assert_false(hn_corpus_read(w->a, &paths, 4999, &c));
    expect_error(w, HONE_E_DATA, "max_bytes", "4999");
    assert_true(hn_corpus_read(w->a, &paths, 5000, &c));
    assert_false(hn_corpus_read(w->a, &(hn_strs){ 0 }, 0, &c));
    expect_error(w, HONE_E_DATA, "no training text", "data.train");
}

static void reads_folders_in_order(void **state) {
    world *w = *state;
    hn_corpus c;
    put_text(w, "2.txt", "second file");
    put_text(w, "10.txt", "first by name");
    put_text(w, "3.JSONL", "{\"text\":\"third\"}");
    put_text(w, ".hidden.txt", "never");
    put_text(w, "notes.md", "never");
    assert_true(read_one(w, w->dir, &c));
    assert_int_equal(c.n_files, 3);
    assert_int_equal(c.n_docs, 3);
    expect_doc(&c, 0, "first by name");
    expect_doc(&c, 1, "second file");
    expect_doc(&c, 2, "third");
    assert_int_equal(c.docs[2].source, 2);
    const char *sub = hn_path_join(w->a, w->dir, "sub");
    assert_true(hn_mkdirs(w->a, sub));
    assert_false(read_one(w, sub, &c));
    expect_error(w, HONE_E_DATA, "no data file", ".txt");
}

static void peels_off_compression(void **state) {
    world *w = *state;
    hn_corpus plain, packed;
    const char *path = put_text(w, "t.txt", make_text(w->a, 200000, 3));
    assert_true(read_one(w, path, &plain));
    assert_int_equal(system(hn_fmt(w->a, "gzip -k '%s'", path)), 0);
    assert_true(read_one(w, hn_fmt(w->a, "%s.gz", path), &packed));
    assert_true(packed.hash == plain.hash);
    if (system(hn_fmt(w->a, "zstd -q -k '%s' 2>/dev/null", path)) != 0) return print_message("skipped: no zstd program\n");
    assert_true(read_one(w, hn_fmt(w->a, "%s.zst", path), &packed));
    assert_true(packed.hash == plain.hash);
    assert_int_equal(system(hn_fmt(w->a, "head -c 9000 '%s.gz' > '%s/cut.txt.gz'", path, w->dir)), 0);
    assert_false(read_one(w, hn_path_join(w->a, w->dir, "cut.txt.gz"), &packed));
    expect_error(w, HONE_E_DATA, "cut.txt.gz", "");
}

static void sets_bad_rows_aside(void **state) {
    world *w = *state;
    hn_corpus c;
    const char *rows =
        "\xEF\xBB\xBF{\"text\": \"caf\\u00e9 \\ud83d\\ude00\", \"id\": 1}\n\n{\"text\": \"cut off\n[1]\n{\"body\": \"x\"}\n{\"text\": "
        "7}\n{\"text\": \" \"}\n"
        "{\"text\":\"a\\u0000b\"}\n{\"text\":\"x\",\"text\":\"y\"}\n{\"text\": \"bad \xFF byte\"}\r\n  {\"text\": \"last\\n\"}";
    assert_true(read_one(w, put_text(w, "r.jsonl", rows), &c));
    assert_int_equal(c.n_docs, 2);
    expect_doc(&c, 0, "café 😀");
    expect_doc(&c, 1, "last\n");
    assert_int_equal(c.bad_rows, 8);
    assert_int_equal(c.n_bad, 8);
    assert_int_equal(c.bad[0].line, 3);
    assert_non_null(strstr(c.bad[0].why, "not JSON"));
    assert_int_equal(c.bad[1].line, 4);
    assert_string_equal(c.bad[1].why, "not a JSON object");
    assert_string_equal(c.bad[2].why, "no \"text\"");
    assert_string_equal(c.bad[3].why, "\"text\" is not a string");
    assert_string_equal(c.bad[4].why, "\"text\" is empty");
    assert_int_equal(c.bad[7].line, 10);
    assert_non_null(strstr(w->warning, "8 of 10 rows set aside; the first is line 3"));
    assert_true(hn_corpus_set_aside(w->a, &c, w->dir));
    hn_bytes told;
    const char *aside = hn_path_join(w->a, w->dir, "set-aside.jsonl");
    assert_true(hn_file_read(w->a, aside, 1 << 20, &told));
    int64_t lines = 0;
    for (const uint8_t *p = told.p, *end = p + told.n, *nl; p < end; p = nl + 1, lines++) {
        assert_non_null(nl = memchr(p, '\n', (size_t)(end - p)));
        const json_t *row = hn_json_parse(w->a, aside, p, nl - p, HONE_E_DATA);
        assert_non_null(row);
        assert_string_equal(json_string_value(json_object_get(row, "source")), c.files[0]);
        assert_int_equal(json_integer_value(json_object_get(row, "line")), c.bad[lines].line);
        assert_string_equal(json_string_value(json_object_get(row, "why")), c.bad[lines].why);
    }
    assert_int_equal(lines, 8);
    assert_true(read_one(w, put_text(w, "good.jsonl", "{\"text\": \"x\"}\n"), &c));
    assert_true(hn_corpus_set_aside(w->a, &c, w->dir));                   /* nothing to tell: no file */
    assert_false(hn_path_exists(aside));
    hn_buf many = { 0 };
    hn_buf_fmt(w->a, &many, "{\"text\": \"x\"}\n");
    for (int i = 0; i < 2500; i++) hn_buf_fmt(w->a, &many, "[]\n");
    assert_true(read_one(w, put(w, "many.jsonl", many.v, many.n), &c) && hn_corpus_set_aside(w->a, &c, w->dir));
    assert_true(hn_file_read(w->a, aside, 1 << 20, &told));
    assert_true(told.n < 200 * 1000);
    assert_non_null(strstr(hn_strndup(w->a, (const char *)told.p, told.n), "{\"more\": 1500}\n"));
    assert_false(read_one(w, put_text(w, "none.jsonl", "\n{}\nx\n"), &c));
    expect_error(w, HONE_E_DATA, "none.jsonl:2", "none of the 2 rows");
    assert_false(read_one(w, put_text(w, "empty.jsonl", ""), &c));
    expect_error(w, HONE_E_DATA, "empty.jsonl", "empty");
    static const char zeros[64];
    assert_false(read_one(w, put(w, "zero.jsonl", zeros, sizeof zeros), &c));
    expect_error(w, HONE_E_DATA, "zero.jsonl: offset 0", "only zero bytes");
}

/* ---- splits ---- */

static void check_split(const hn_corpus *c, const hn_split *s) {
    int64_t end = 0, train = 0, valid = 0;
    for (int64_t i = 0; i < s->n; i++) {
        const hn_piece *p = &s->v[i];
        const hn_doc *d = &c->docs[p->doc];
        assert_true(p->start >= end && p->start >= d->start && p->start + p->bytes <= d->start + d->bytes);
        assert_true(hn_utf8_valid(c->text.p + p->start, p->bytes, &(int64_t){ 0 }));
        end = p->start + p->bytes;
        *(p->held_out ? &valid : &train) += p->bytes;
    }
    assert_int_equal(train, s->train_bytes);
    assert_int_equal(valid, s->valid_bytes);
    assert_int_equal(train + valid + s->gap_bytes, c->text.n);
}

static void tail_is_nanogpts(void **state) {
    world *w = *state;
    hn_data_params p = defaults(w->a);
    hn_dataset d;
    const char *path = test_data(w->a, "tiny_shakespeare/input.txt");
    if (!path) return;
    p.train = (hn_strs){ &path, 1 };
    p.split = "tail";
    assert_true(hn_dataset_load(w->a, &p, 64, 1, NULL, &d));
    assert_int_equal(d.tok->vocab, 65);
    assert_int_equal(d.train.n, 1003854);
    assert_int_equal(d.valid.n, 111540);
    assert_int_equal(d.train.n_spans, 1);
    /* nanoGPT's ids: "First Citizen" */
    static const int32_t first[] = { 18, 47, 56, 57, 58, 1, 15, 47, 58, 47, 64, 43, 52 };
    for (int64_t i = 0; i < HN_LEN(first); i++) assert_int_equal(hn_token_at(&d.train, i), first[i]);
    check_split(&d.corpus, &d.split);
    p.split = "auto";
    assert_true(hn_dataset_load(w->a, &p, 64, 1, NULL, &d));
    check_split(&d.corpus, &d.split);
    assert_true(d.valid.n_spans >= 130 && d.valid.n_spans <= 160);
    assert_true(fabs((double)d.split.valid_bytes / (double)d.corpus.text.n - 0.1) < 0.01);
}

static void tail_cuts_between_characters(void **state) {
    world *w = *state;
    hn_data_params p = defaults(w->a);
    hn_corpus c;
    hn_split s;
    hn_strs paths = { (const char *[]){ put_text(w, "1.txt", "秦川雄帝宅"), put_text(w, "2.txt", "函谷壯皇居") }, 2 };
    assert_true(hn_corpus_read(w->a, &paths, 0, &c));
    p.split = "tail";
    p.valid_fraction = 0.3;
    assert_true(hn_split_make(w->a, &c, &p, 2, 1, &s));
    check_split(&c, &s);
    assert_int_equal(s.n, 3);
    assert_int_equal(s.train_bytes, 21);
    assert_int_equal(s.valid_bytes, 9);
    p.gap = 4;      /* bytes: rounded to whole characters, two of three bytes each, which eat the second document's piece */
    assert_true(hn_split_make(w->a, &c, &p, 2, 1, &s));
    check_split(&c, &s);
    assert_int_equal(s.gap_bytes, 6);
    assert_int_equal(s.n, 2);
}

static void blocks_spread_and_keep_their_distance(void **state) {
    world *w = *state;
    hn_data_params p = defaults(w->a);
    hn_corpus c;
    hn_split s, again, other;
    enum { CONTEXT = 32 };
    assert_true(hn_corpus_from_text(w->a, "made", make_text(w->a, 300000, 4), 300000, &c));
    assert_true(hn_split_make(w->a, &c, &p, CONTEXT, 11, &s));
    check_split(&c, &s);
    assert_true(fabs((double)s.valid_bytes / 300000 - 0.1) < 0.01);
    int64_t thirds[3] = { 0 }, held = 0;
    for (int64_t i = 0; i < s.n; i++) {
        if (!s.v[i].held_out) continue;
        held++;
        thirds[s.v[i].start / 100000]++;
        assert_true(s.v[i].bytes >= 256);
        assert_true(s.v[i].start == 0 || c.text.p[s.v[i].start - 1] == '\n');
        if (i > 0 && !s.v[i - 1].held_out) assert_true(s.v[i].start - (s.v[i - 1].start + s.v[i - 1].bytes) >= CONTEXT);
        if (i + 1 < s.n && !s.v[i + 1].held_out) assert_true(s.v[i + 1].start - (s.v[i].start + s.v[i].bytes) >= CONTEXT);
    }
    for (int k = 0; k < 3; k++) assert_true(llabs(thirds[k] * 3 - held) <= 6);      /* stratified: no third is left out */
    assert_true(hn_split_make(w->a, &c, &p, CONTEXT, 11, &again));
    assert_int_equal(again.n, s.n);
    assert_memory_equal(again.v, s.v, (size_t)s.n * sizeof *s.v);
    assert_true(hn_split_make(w->a, &c, &p, CONTEXT, 12, &other));
    assert_true(other.n != s.n || memcmp(other.v, s.v, (size_t)s.n * sizeof *s.v) != 0);
    /* No newline anywhere: borders still fall between characters. */
    hn_buf b = { 0 };
    for (int i = 0; i < 3000; i++) hn_buf_fmt(w->a, &b, "%s", i % 3 ? "語" : "é");
    assert_true(hn_corpus_from_text(w->a, "made", b.v, b.n, &c));
    assert_true(hn_split_make(w->a, &c, &p, CONTEXT, 11, &s));
    check_split(&c, &s);
    /* Too short to cut in two. */
    assert_true(hn_corpus_from_text(w->a, "short", "To be, or not to be", 19, &c));
    assert_false(hn_split_make(w->a, &c, &p, CONTEXT, 11, &s));
    expect_error(w, HONE_E_DATA, "nothing to train on", "512 bytes");
}

static void hash_keeps_duplicates_together(void **state) {
    world *w = *state;
    hn_data_params p = defaults(w->a);
    hn_corpus c;
    hn_split s;
    hn_buf b = { 0 };
    for (int i = 0; i < 2000; i++) hn_buf_fmt(w->a, &b, "{\"text\": \"document number %d\"}\n", i % 1000);
    assert_true(read_one(w, put(w, "h.jsonl", b.v, b.n), &c));
    assert_true(hn_split_make(w->a, &c, &p, 64, 5, &s));
    assert_non_null(strstr(s.how, "hash"));
    check_split(&c, &s);
    assert_int_equal(s.n, 2000);
    int64_t held = 0;
    for (int64_t i = 0; i < 1000; i++) {
        assert_int_equal(s.v[i].held_out, s.v[i + 1000].held_out);
        held += s.v[i].held_out;
    }
    assert_true(held > 62 && held < 138);      /* 100 ± 4 standard deviations */
    p.split = "hash";
    assert_true(read_one(w, put_text(w, "one.txt", "a single document"), &c));
    assert_false(hn_split_make(w->a, &c, &p, 64, 5, &s));
    expect_error(w, HONE_E_DATA, "1 documents", "blocks");
}

static void given_files_are_not_cut(void **state) {
    world *w = *state;
    hn_data_params p = defaults(w->a);
    hn_dataset d;
    const char *train = put_text(w, "train.txt", "abcabc abcabc"), *valid = put_text(w, "valid.txt", "cba!");
    p.train = (hn_strs){ &train, 1 };
    p.valid = (hn_strs){ &valid, 1 };
    assert_true(hn_dataset_load(w->a, &p, 8, 1, NULL, &d));
    assert_int_equal(d.corpus.valid_from, 1);
    assert_int_equal(d.train.n, 13);
    assert_int_equal(d.valid.n, 4);
    assert_int_equal(d.tok->vocab, 5);      /* '!' stands in the held-out text alone */
}

static void decontamination_cuts_planted_copies(void **state) {
    world *w = *state;
    hn_arena *a = w->a;
    hn_data_params p = defaults(a);
    hn_corpus c;
    hn_split s;
    int64_t removed;
    char *held = make_text(a, 3000, 21), *text = make_text(a, 30000, 22), *clean = make_text(a, 30000, 23);
    /* 300 bytes of held-out text at 10000, in upper case and with other white space and punctuation */
    for (int i = 0; i < 300; i++) {
        char ch = held[1000 + i];
        text[10000 + i] = (char)(ch >= 'a' && ch <= 'z' ? ch - 32 : ch == ' ' ? ',' : '\t');
    }
    hn_strs train = { (const char *[]){ put_text(w, "a.txt", text), put_text(w, "b.txt", clean) }, 2 };
    hn_strs valid = { (const char *[]){ put_text(w, "held.txt", held) }, 1 };
    assert_true(hn_corpus_read_both(a, &train, &valid, 0, &c));
    assert_true(hn_split_make(a, &c, &p, 64, 1, &s));
    int64_t before = s.train_bytes;
    assert_true(hn_decontaminate(a, &c, &s, &removed));
    assert_int_equal(s.train_bytes, before - removed);
    assert_true(removed > 300 + 2 * 180 && removed <= 300 + 2 * 200);
    assert_int_equal(s.n, 4);      /* a before, a after, b whole, held */
    assert_true(s.v[0].bytes >= 9800 && s.v[0].bytes < 9820 && s.v[1].start > 10480 && s.v[1].start <= 10500);
    assert_int_equal(s.v[2].bytes, 30000);
    assert_true(s.v[3].held_out);
    /* Chinese without spaces: each character a word; 13 of them match, 12 do not. */
    train = (hn_strs){ (const char *[]){ put_text(w, "c.txt", "其他文字春眠不覺曉，處處聞啼鳥。夜來風雨聲其他") }, 1 };
    valid = (hn_strs){ (const char *[]){ put_text(w, "v.txt", "春眠不覺曉處處聞啼鳥夜來風甲乙丙") }, 1 };
    assert_true(hn_corpus_read_both(a, &train, &valid, 0, &c));
    assert_true(hn_split_make(a, &c, &p, 4, 1, &s));
    assert_false(hn_decontaminate(a, &c, &s, &removed));
    expect_error(w, HONE_E_DATA, "all training text", "decontaminate");
    valid = (hn_strs){ (const char *[]){ put_text(w, "v.txt", "春眠不覺曉處處聞啼鳥夜來甲乙丙") }, 1 };
    assert_true(hn_corpus_read_both(a, &train, &valid, 0, &c));
    assert_true(hn_split_make(a, &c, &p, 4, 1, &s));
    assert_true(hn_decontaminate(a, &c, &s, &removed));
    assert_int_equal(removed, 0);
}

static void many_documents_of_real_text(void **state) {
    world *w = *state;
    hn_data_params p = defaults(w->a);
    hn_dataset d;
    const char *path = test_data(w->a, "tinystories_sample/stories_a.txt");
    if (!path) return;
    p.train = (hn_strs){ &path, 1 };
    p.decontaminate = true;
    assert_true(hn_dataset_load(w->a, &p, 64, 1, NULL, &d));
    assert_non_null(strstr(d.split.how, "hash"));
    assert_true(d.corpus.n_docs >= 1190 && d.corpus.n_docs <= 1201);
    assert_true(d.valid.n_spans > 80 && d.valid.n_spans < 160);
    assert_int_equal(d.train.bytes + d.valid.bytes, d.split.train_bytes + d.split.valid_bytes);
    path = test_data(w->a, "chinese_poetry/tang_poems.txt.gz");
    if (!path) return;
    assert_true(hn_dataset_load(w->a, &p, 64, 1, NULL, &d));
    assert_int_equal(d.corpus.text.n, 3000210);
    check_split(&d.corpus, &(hn_split){ d.split.v, d.split.n, d.split.train_bytes, d.split.valid_bytes,
                                        d.split.gap_bytes + d.decontaminated_bytes, "" });
    assert_true(d.tok->vocab > 3000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(reads_text_as_it_is), TEST(refuses_what_is_no_text), TEST(reads_folders_in_order), TEST(peels_off_compression),
        TEST(sets_bad_rows_aside), TEST(tail_is_nanogpts), TEST(tail_cuts_between_characters),
        TEST(blocks_spread_and_keep_their_distance), TEST(hash_keeps_duplicates_together), TEST(given_files_are_not_cut),
        TEST(decontamination_cuts_planted_copies), TEST(many_documents_of_real_text),
    };
    return cmocka_run_group_tests_name("data", tests, NULL, NULL);
}
