/* test_rows.c - objects of data files: their forms, what is wrong with them, arrays of them; samples split, cut, compared and packed. */
#include "data_help.h"
#include "data/row/row.h"

static const char chatml[] = "{% for m in messages %}{{ '<|' + m.role + '|>' + m.content + '<end>\n' }}{% endfor %}"
                             "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}";
/* Leaves earlier answers' thoughts away, as qwen3 does. */
static const char forgetful[] = "{% for m in messages %}{% if m.role == 'assistant' %}{{ '<a>' }}{% if loop.last %}{{ '(hm)' }}{% endif %}"
                                "{{ m.content + '<end>' }}{% else %}{{ '<u>' + m.content }}{% endif %}{% endfor %}"
                                "{% if add_generation_prompt %}{{ '<a>' }}{% endif %}";
static const char strict[] = "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
                             "{{ raise_exception('roles must alternate') }}{% endif %}{{ m.content }};{% endfor %}";

static const hn_chat *chat(world *w, const char *template) {
    const hn_chat *c = hn_chat_open(w->a, NULL, template ? put_text(w, "t.jinja", template) : NULL);
    assert_non_null(c);
    return c;
}

static bool read_text(world *w, const char *name, const char *text, const char *template, const char *form, hn_corpus *c) {
    const char *path = put_text(w, name, text);
    const hn_strs one = { &path, 1 };
    hn_row_how how = { .chat = chat(w, template) };
    assert_true(hn_row_form(w->a, form, &how.form));
    return hn_corpus_read_as(w->a, &one, NULL, 0, &how, c);
}

/* Document i, its ranges in [brackets]. */
static const char *shown(world *w, const hn_corpus *c, int64_t i) {
    hn_buf b = { 0 };
    const hn_doc *d = &c->docs[i];
    const char *p = (const char *)c->text.p + d->start;
    int64_t at = 0;
    for (int64_t r = 0; r < d->n_own; r++) {
        const hn_range *o = &c->own[d->own + r];
        hn_buf_fmt(w->a, &b, "%.*s[%.*s]", (int)(o->start - at), p + at, (int)o->bytes, p + o->start);
        at = o->start + o->bytes;
    }
    hn_buf_fmt(w->a, &b, "%.*s", (int)(d->bytes - at), p + at);
    return hn_buf_str(w->a, &b);
}

static void one_row(world *w, const char *row, const char *template, const char *want) {
    hn_corpus c;
    if (!read_text(w, "r.jsonl", row, template, "auto", &c)) fail_msg("%s: %s", row, hone_error_message(w->job));
    assert_int_equal(c.n_docs, 1);
    assert_string_equal(shown(w, &c, 0), want);
}

#define USER "{\"role\":\"user\",\"content\":\"q\"}"
#define ANSWER "{\"role\":\"assistant\",\"content\":\"w\"}"

static void test_forms(void **state) {
    world *w = *state;
    one_row(w, "{\"text\":\"abc\"}", NULL, "abc");
    one_row(w, "{\"prompt\":\"1+1=\",\"completion\":\"2\"}", NULL, "1+1=[2]");
    one_row(w, "{\"prompt\":\"\",\"completion\":\"2\"}", NULL, "[2]");
    one_row(w, "{\"prompt\":[" USER "],\"completion\":[" ANSWER "]}", chatml, "<|user|>q<end>\n<|assistant|>[w<end>]\n");
    one_row(w, "{\"messages\":[" USER "," ANSWER "]}", NULL, "user: q\nassistant:[ w\n]");
    one_row(w, "{\"messages\":[" USER "," ANSWER "," USER "," ANSWER "," USER "]}", chatml,
            "<|user|>q<end>\n<|assistant|>[w<end>]\n<|user|>q<end>\n<|assistant|>[w<end>]\n");
    one_row(w, "{\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"no\",\"weight\":0}," USER "," ANSWER "]}", chatml,
            "<|user|>q<end>\n<|assistant|>no<end>\n<|user|>q<end>\n<|assistant|>[w<end>]\n");
    one_row(w, "{\"conversations\":[" USER "," ANSWER "]}", chatml, "<|user|>q<end>\n<|assistant|>[w<end>]\n");
    one_row(w, "{\"system\":\"s\",\"conversations\":[{\"from\":\"human\",\"value\":\"q\"},{\"from\":\"gpt\",\"value\":\"w\"}]}", chatml,
            "<|system|>s<end>\n<|user|>q<end>\n<|assistant|>[w<end>]\n");
    one_row(w, "{\"instruction\":\"i\",\"input\":\"x\",\"output\":\"o\"}", chatml, "<|user|>i\n\nx<end>\n<|assistant|>[o<end>]\n");
    one_row(w, "{\"instruction\":\"Say hi.\",\"input\":\"\",\"output\":\"Hi\"}", NULL,
            "Below is an instruction that describes a task. Write a response that appropriately completes the request.\n\n"
            "### Instruction:\nSay hi.\n\n### Response:[Hi]");
}

static void test_all_of_it(void **state) {
    world *w = *state;
    const char *path = put_text(w, "r.jsonl", "{\"messages\":[" USER "," ANSWER "," USER "," ANSWER "]}\n");
    const hn_strs one = { &path, 1 };
    hn_row_how how = { .chat = chat(w, forgetful), .learn_all = true };
    hn_corpus c;
    assert_true(hn_corpus_read_as(w->a, &one, NULL, 0, &how, &c));
    assert_int_equal(c.n_docs, 1);
    assert_string_equal(shown(w, &c, 0), "[<u>q<a>w<end><u>q<a>(hm)w<end>]");
}

/* Where a template rewrites earlier turns, each answer is a sample, as the model reads it when it gives that answer. */
static void test_forgetful(void **state) {
    world *w = *state;
    hn_corpus c;
    assert_true(read_text(w, "r.jsonl", "{\"text\":\"t\"}\n{\"messages\":[" USER "," ANSWER "]}", forgetful, "messages", &c));
    assert_int_equal(c.bad_rows, 1);
    assert_string_equal(shown(w, &c, 0), "<u>q<a>[(hm)w<end>]");
    assert_true(read_text(w, "r.jsonl", "{\"messages\":[" USER "," ANSWER "," USER "," ANSWER "]}\n{\"messages\":[" USER "," ANSWER "]}",
                          forgetful, "auto", &c));
    assert_int_equal(c.n_docs, 3);
    assert_string_equal(shown(w, &c, 0), "<u>q<a>[(hm)w<end>]");
    assert_string_equal(shown(w, &c, 1), "<u>q<a>w<end><u>q<a>[(hm)w<end>]");
    assert_int_equal(c.docs[1].first, 0);
    assert_int_equal(c.docs[2].first, 2);
    assert_int_equal(c.docs[2].line, 2);
}

static void refused(world *w, const char *row, const char *template, const char *form, const char *word) {
    hn_corpus c;
    assert_false(read_text(w, "r.jsonl", hn_fmt(w->a, "\n%s\n", row), template, form, &c));
    expect_error(w, HONE_E_DATA, "r.jsonl:2", word);
}

static void test_refused(void **state) {
    world *w = *state;
    hn_corpus c;
    refused(w, "{\"a\":1}", NULL, "auto", "no \"text\" (nor messages");
    refused(w, "{\"prompt\":\"q\",\"chosen\":\"x\"}", NULL, "auto", "hone list row");
    refused(w, "{\"prompt\":\"q\"}", NULL, "completion", "no \"completion\"");
    refused(w, "{\"prompt\":\"q\",\"completion\":\" \"}", NULL, "auto", "\"completion\" is empty");
    refused(w, "{\"prompt\":\"q\",\"completion\":4}", NULL, "auto", "not a string");
    refused(w, "{\"messages\":[]}", NULL, "auto", "no list of messages");
    refused(w, "{\"messages\":[" USER "]}", NULL, "auto", "no message of the assistant");
    refused(w, "{\"messages\":[" ANSWER "," USER "," ANSWER "]}", NULL, "auto", "message 1 is the assistant's, but nobody asked");
    refused(w, "{\"messages\":[" USER "," ANSWER "," ANSWER "]}", NULL, "auto", "message 3 is the assistant's");
    refused(w, "{\"messages\":[" USER ",{\"role\":\"system\",\"content\":\"s\"}," ANSWER "]}", NULL, "auto", "message 2 is the system's");
    refused(w, "{\"messages\":[" USER ",{\"role\":\"assistant\",\"content\":\"\"}]}", NULL, "auto", "is empty");
    refused(w, "{\"messages\":[{\"content\":\"x\"}," ANSWER "]}", NULL, "auto", "no \"role\"");
    refused(w, "{\"messages\":[" USER "," USER "," ANSWER "]}", strict, "auto", "roles must alternate");
    refused(w, "{\"conversations\":[{\"from\":\"martian\",\"value\":\"q\"}]}", NULL, "auto", "martian");
    refused(w, "{\"instruction\":\"x\",\"output\":\"\"}", NULL, "auto", "\"output\" is empty");
    refused(w, "{\"messages\":[" USER "," ANSWER "]}", "{{ messages[0].content }}", "auto", "does not write message 2");
    refused(w, "{\"messages\":[" USER "," ANSWER "]}", "{% generation %}{% endgeneration %}{% if 0 %}x{% endif %}", "auto", "answer");
    const hn_row_item *form;
    assert_false(hn_row_form(w->a, "mesages", &form));
    expect_error(w, HONE_E_VALUE, "mesages", "messages");
    /* some rows of use: the others are told with their lines */
    assert_true(read_text(w, "r.jsonl", "{\"messages\":[" USER "," ANSWER "]}\n{\"messages\":[" USER "]}\n{\"text\":\"x\"}\n[7]\n{", NULL, "auto", &c));
    assert_int_equal(c.n_docs, 1);
    assert_int_equal(c.bad_rows, 4);
    assert_int_equal(c.bad[0].line, 2);
    assert_string_equal(c.bad[1].why, "no \"messages\"");
    assert_string_equal(c.bad[2].why, "not a JSON object");
}

static void test_arrays(void **state) {
    world *w = *state;
    hn_corpus c;
    assert_true(read_text(w, "r.json", "\xEF\xBB\xBF [\n{\"text\":\"a}]\\\"\"},\n\n{\"text\": \"b\", \"more\": [{}, {\"x\": []}]} , {\"text\":}\n]\n", NULL, "auto", &c));
    assert_int_equal(c.n_docs, 2);
    assert_string_equal(shown(w, &c, 0), "a}]\"");
    assert_string_equal(shown(w, &c, 1), "b");
    assert_int_equal(c.docs[1].line, 4);
    assert_int_equal(c.bad[0].line, 4);
    assert_true(read_text(w, "r.json", "{\"text\":\"a\"}\n{\"text\":\"b\"}", NULL, "auto", &c));
    assert_int_equal(c.n_docs, 2);
    static const struct { const char *text, *word; } bad[] = {
        { "", "empty" }, { "[]", "no rows" }, { "7", "no list of objects" }, { "[1]", "found '1'" }, { "[{\"text\":\"a\"}] x", "found 'x'" },
        { "[{\"text\":\"a\"", "ends within" }, { "[[{\"text\":\"a\"}]]", "found '['" }, { "[{\"b\":\"a\"}]", "no \"text\"" }, { "\n\nno", "r.json:3" } };
    for (int64_t i = 0; i < HN_LEN(bad); i++) {
        if (read_text(w, "r.json", bad[i].text, NULL, "auto", &c)) fail_msg("'%s' was read", bad[i].text);
        expect_error(w, HONE_E_DATA, "r.json", bad[i].word);
    }
}

/* ---- data sets ---- */

static const char *sums(world *w, int64_t n, const char *name) {
    hn_buf b = { 0 };
    for (int64_t i = 0; i < n; i++) hn_buf_fmt(w->a, &b, "{\"prompt\":\"%lld+%lld=\",\"completion\":\"%lld.\"}\n", (long long)i, (long long)(i % 7), (long long)(i + i % 7));
    return put(w, name, b.v, b.n);
}

static void load(world *w, hn_data_params *p, int64_t context, hn_dataset *d) {
    if (!hn_dataset_load(w->a, p, context, 1, NULL, d)) fail_msg("%s", hone_error_message(w->job));
}

static void test_split(void **state) {
    world *w = *state;
    hn_data_params p = defaults(w->a);
    hn_dataset d;
    const char *few = sums(w, 20, "few.jsonl"), *many = sums(w, 300, "many.jsonl");
    p.train = (hn_strs){ &few, 1 };
    load(w, &p, 32, &d);
    assert_int_equal(d.valid.n_spans, 2);
    assert_int_equal(d.train.n_spans, 18);
    p.train = (hn_strs){ &many, 1 };
    load(w, &p, 32, &d);
    assert_in_range(d.valid.n_spans, 10, 60);
    assert_int_equal(d.valid.n_spans + d.train.n_spans, 300);
    p.split = "blocks";
    assert_false(hn_dataset_load(w->a, &p, 32, 1, NULL, &d));
    expect_error(w, HONE_E_VALUE, "data.split=blocks", "auto or hash");
}

static void test_cut(void **state) {
    world *w = *state;
    hn_data_params p = defaults(w->a);
    hn_dataset d;
    hn_buf b = { 0 };
    for (int i = 0; i < 40; i++) hn_buf_fmt(w->a, &b, "{\"prompt\":\"%.*s\",\"completion\":\"yes%d\"}\n", i % 20, "abcdefghijklmnopqrst", i);
    const char *path = put(w, "long.jsonl", b.v, b.n);
    p.train = (hn_strs){ &path, 1 };
    p.tokenizer = "byte";
    p.max_length = 12;
    load(w, &p, 16, &d);
    assert_int_equal(d.cut.samples, 40);
    int64_t cut = 0, lost = 0, out = 0;
    for (int i = 0; i < 40; i++) {
        int64_t n = i % 20 + (i < 10 ? 4 : 5);
        cut += n > 12, lost += HN_MAX(n - 12, 0), out += i % 20 >= 12;
    }
    assert_int_equal(d.cut.cut, cut);
    assert_int_equal(d.cut.tokens_lost, lost);
    assert_int_equal(d.cut.left_out, out);
    assert_int_equal(d.corpus.bad_rows, out);
    assert_non_null(strstr(d.corpus.bad[0].why, "raise data.max_length"));
    assert_true(d.corpus.bad[0].line > 0);
    assert_non_null(strstr(w->warning, "are cut"));
    assert_int_equal(d.train.n_spans + d.valid.n_spans, 40 - out);
    for (p.max_length = 0; p.max_length < 20; p.max_length += 17) {
        load(w, &p, 16, &d);
        assert_true(d.cut.cut > 0);
        for (int64_t i = 0; i < d.train.n_spans; i++) assert_true(d.train.spans[i].n <= 16);
    }
}

/* Prompts of one kind are no leak; an answer that stands in the held-out part is. */
static void test_overlap(void **state) {
    world *w = *state;
    hn_data_params p = defaults(w->a);
    hn_dataset d;
    static const char same[] = "tell me in your own words and at some length what you know about the number";
    static const char leak[] = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen";
    const char *train = put_text(w, "a.jsonl", hn_fmt(w->a, "{\"prompt\":\"%s 1\",\"completion\":\"it is one\"}\n{\"prompt\":\"2\",\"completion\":\"so: %s\"}\n", same, leak));
    const char *valid = put_text(w, "b.jsonl", hn_fmt(w->a, "{\"prompt\":\"%s 3\",\"completion\":\"it is three\"}\n{\"prompt\":\"4\",\"completion\":\"%s!\"}\n", same, leak));
    p.train = (hn_strs){ &train, 1 };
    p.valid = (hn_strs){ &valid, 1 };
    p.decontaminate = true;
    load(w, &p, 256, &d);
    assert_int_equal(d.train.n_spans, 1);
    assert_int_equal(d.valid.n_spans, 2);
    assert_int_equal(d.train.spans[0].doc, 0);
}

static void test_cache(void **state) {
    world *w = *state;
    hn_data_params p = defaults(w->a);
    hn_dataset fresh, cached;
    const char *path = sums(w, 50, "s.jsonl");
    p.train = (hn_strs){ &path, 1 };
    load(w, &p, 32, &fresh);
    p.cache = hn_path_join(w->a, w->dir, "cache");
    for (int i = 0; i < 2; i++) {
        load(w, &p, 32, &cached);
        assert_int_equal(cached.train.n, fresh.train.n);
        assert_memory_equal(cached.train.ids, fresh.train.ids, (size_t)(fresh.train.n * fresh.train.width));
        assert_memory_equal(cached.train.learn, fresh.train.learn, (size_t)fresh.train.n);
        assert_int_equal(cached.train.hash, fresh.train.hash);
    }
}

static void test_ends(void **state) {
    world *w = *state;
    hn_data_params p = defaults(w->a);
    hn_dataset d;
    const char *path = put_text(w, "t.txt", "Hello, how are you?\n<|endoftext|>\nThe answer is 42.\n<|endoftext|>\nuser assistant\n");
    p.train = p.valid = (hn_strs){ &path, 1 };
    p.tokenizer = "tests/golden/sft/bytes";
    p.ends = "eos";
    load(w, &p, 64, &d);
    assert_int_equal(d.train.n_spans, 3);
    for (int64_t i = 0; i < 3; i++) {
        const hn_span *s = &d.train.spans[i];
        assert_int_equal(hn_token_at(&d.train, s->start + s->n - 1), d.tok->eos);
    }
    assert_null(d.train.learn);
}

/* Every token but the first of each span is predicted once an epoch, in rows that are fuller than the spans alone. */
static void test_packing(void **state) {
    world *w = *state;
    enum { N = 200, T = 64, B = 3 };
    hn_rng r = hn_rng_new(4, HN_STREAM_TEST, 0);
    hn_tokens t = { .width = 2, .vocab = 60000, .spans = hn_new_n(w->a, hn_span, N), .n_spans = N };
    uint16_t *ids = hn_new_n(w->a, uint16_t, N * 200);
    int64_t want = 0;
    for (int64_t i = 0; i < N; i++) {
        int64_t n = 1 + hn_rng_below(&r, i % 10 ? 50 : 150);
        t.spans[i] = (hn_span){ t.n, n, n, (int32_t)i };
        for (int64_t k = 0; k < n; k++, t.n++) ids[t.n] = (uint16_t)t.n;
        want += n - 1;
    }
    t.ids = ids;
    int32_t x[B * T], y[B * T], doc[B * T], pos[B * T], x2[B * T];
    hn_packed *p = hn_packed_new(w->a, &t, 1, T, 9), *three = hn_packed_new(w->a, &t, B, T, 9);
    int64_t rows = hn_packed_rows(p), least = (want + T - 1) / T;
    assert_in_range(rows, least, least + least / 20 + 1);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        uint8_t *seen = hn_new_n(w->a, uint8_t, t.n);
        int64_t got = 0;
        for (int64_t i = 0; i < rows; i++) {
            hn_packed_get(p, epoch * rows + i, x, y, doc, pos);
            for (int64_t k = 0; k < T; k++) {
                bool begins = !k || doc[k] != doc[k - 1];
                assert_int_equal(pos[k], begins ? 0 : pos[k - 1] + 1);
                if (y[k] < 0) continue;
                assert_int_equal(y[k], x[k] + 1);
                if (!begins) assert_int_equal(x[k], y[k - 1]);
                assert_int_equal(seen[y[k]]++, 0);
                got++;
            }
        }
        assert_int_equal(got, want);
    }
    for (int64_t i = 0; i < 2 * rows; i++) { /* row g is a function of its number */
        hn_packed_get(p, i, x2, y, doc, pos);
        hn_packed_get(three, i / B, x, y, doc, pos);
        assert_memory_equal(x + i % B * T, x2, T * sizeof *x);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_forms), TEST(test_all_of_it), TEST(test_forgetful), TEST(test_refused), TEST(test_arrays),  TEST(test_split),
        TEST(test_cut),   TEST(test_overlap),   TEST(test_cache),     TEST(test_ends),    TEST(test_packing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
