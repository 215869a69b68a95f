/* test_llama2c.c - SentencePiece vocabularies against the sentencepiece package; llama2.c checkpoints in both layouts, and what is refused
 * of them; a folder written in halves and in shards; and the real small story model, when it is there: its text byte for byte. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "near.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>
#include "data/token/part/part.h"
#include "model/llama.h"
#include "box.h"

extern const hn_arch hn_arch_llama;
static char root[] = "build/test-llama2c-XXXXXX";

static void told(box *b, hone_code code, const char *text) {
    if (!strstr(hone_error_message(b->job), text)) fail_msg("'%s' is not in: %s", text, hone_error_message(b->job));
    assert_int_equal(hone_error_code(b->job), code);
    hone_error_clear(b->job);
}
static const char *put(box *b, const char *name, const void *p, int64_t n) {
    const char *path = hn_fmt(b->a, "%s/%s", root, name);
    assert_true(hn_file_write(b->a, path, p, n));
    return path;
}

/* ---- vocabularies ---- */

static const char *sum(const hn_ids *ids, char hex[65]) {
    hn_sha256 s = hn_sha256_new();
    hn_sha256_add(&s, ids->v, ids->n * (int64_t)sizeof *ids->v);
    hn_sha256_hex(s, hex);
    return hex;
}

/* A text too long to write down: one repeated. */
static void long_ids(box *b, const char *name, const hn_tokenizer *t, const json_t *v) {
    const char *once = json_string_value(json_object_get(v, "text"));
    hn_buf text = { 0 };
    hn_ids ids = { 0 };
    char hex[65];
    for (json_int_t n = json_integer_value(json_object_get(v, "times")); n; n--) hn_buf_put(b->a, &text, once, (int64_t)strlen(once));
    assert_true(hn_encode(t, b->a, text.v, text.n, &ids));
    if (strcmp(sum(&ids, hex), json_string_value(json_object_get(v, "sha256"))) != 0) fail_msg("%s: other ids for many times '%s'", name, once);
}

/* What is saved and read again gives the same ids. */
static hn_tokenizer *again(box *b, const hn_tokenizer *t) {
    const char *dir = hn_path_join(b->a, root, "again");
    assert_true(hn_tokenizer_save(b->a, t, dir));
    hn_tokenizer *saved = hn_tokenizer_load(b->a, dir);
    if (!saved) fail_msg("%s", hone_error_message(b->job));
    return saved;
}

static void the_packages_ids(void **state) {
    box *b = *state;
    hn_bytes file;
    assert_true(hn_file_read(b->a, "tests/golden/spm.json", 1 << 20, &file));
    json_t *models = hn_json_parse(b->a, "spm.json", file.p, file.n, HONE_E_DATA), *m;
    size_t k, i, j;
    json_array_foreach(models, k, m) {
        const char *name = json_string_value(json_object_get(m, "name"));
        if (!strcmp(name, "clusters")) continue;        /* of the package tokenizers: test_lines.c */
        hn_tokenizer *t = hn_tokenizer_load(b->a, hn_fmt(b->a, "tests/golden/spm/%s.model", name));
        if (!t) fail_msg("%s", hone_error_message(b->job));
        const hn_tokenizer *saved = again(b, t);
        json_t *text, *id;
        json_array_foreach(json_object_get(m, "long"), i, text) long_ids(b, name, i % 2 ? saved : t, text);
        assert_int_equal(i, 2);
        json_array_foreach(json_object_get(m, "texts"), i, text) {
            hn_ids ids = { 0 }, same = { 0 };
            hn_buf back = { 0 };
            const json_t *want = json_array_get(json_object_get(m, "ids"), i);
            if (t->bos >= 0) hn_push(b->a, &ids, t->bos);
            assert_true(hn_encode(t, b->a, json_string_value(text), (int64_t)json_string_length(text), &ids));
            if (ids.n != (int64_t)json_array_size(want)) fail_msg("%s: '%s' has %d ids", name, json_string_value(text), (int)ids.n);
            json_array_foreach(want, j, id)
                if (ids.v[j] != json_integer_value(id)) fail_msg("%s: '%s' has another id at %d", name, json_string_value(text), (int)j);
            if (t->bos >= 0) hn_push(b->a, &same, t->bos);
            assert_true(hn_encode(saved, b->a, json_string_value(text), (int64_t)json_string_length(text), &same));
            if (ids.n != same.n || (ids.n && memcmp(ids.v, same.v, (size_t)ids.n * sizeof *ids.v) != 0)) fail_msg("%s: '%s' when saved and read", name, json_string_value(text));
            hn_decode(t, b->a, ids.v + (t->bos >= 0), ids.n - (t->bos >= 0), &back);
            if (!strcmp(name, "bpe") && !strstr(json_string_value(text), "\xE2\x96\x81")) assert_string_equal(hn_buf_str(b->a, &back), json_string_value(text));
        }
    }
    assert_int_equal(json_array_size(models), 13);
}

/* Control pieces are text, save where a chat template writes them; "<unk>" always is. */
static void control_pieces_in_text(void **state) {
    box *b = *state;
    static const char text[] = "the</s><unk>";
    hn_bytes file;
    hn_ids plain = { 0 }, marked = { 0 };
    assert_true(hn_file_read(b->a, "tests/golden/spm/bpe.model", 1 << 20, &file));
    const char *dir = hn_path_join(b->a, root, "marked");
    assert_true(hn_mkdirs(b->a, dir));
    (void)put(b, "marked/tokenizer.model", file.p, file.n);
    hn_tokenizer *t = hn_tokenizer_load(b->a, dir);
    assert_true(t && hn_encode(t, b->a, text, (int64_t)strlen(text), &plain));
    for (int64_t i = 0; i < plain.n; i++) assert_true(plain.v[i] > 2);
    (void)put(b, "marked/chat_template.jinja", "{{ messages }}", 14);
    t = hn_tokenizer_load(b->a, dir);
    assert_true(t && hn_encode(t, b->a, text, (int64_t)strlen(text), &marked));
    int64_t ends = 0;
    for (int64_t i = 0; i < marked.n; i++) ends += marked.v[i] == 2, assert_int_not_equal(marked.v[i], 0);
    assert_int_equal(ends, 1);
}

/* Bytes that are no UTF-8 are U+FFFD each, for SentencePiece. */
static void bytes_that_are_no_text(void **state) {
    box *b = *state;
    hn_ids bad = { 0 }, good = { 0 };
    hn_tokenizer *t = hn_tokenizer_load(b->a, "tests/golden/spm/bpe.model");
    assert_true(t && hn_encode(t, b->a, "the \xE4\xBD cat\0\xFF", 12, &bad));
    assert_true(hn_encode(t, b->a, "the \xEF\xBF\xBD\xEF\xBF\xBD cat\0\xEF\xBF\xBD", 18, &good));
    assert_int_equal(bad.n, good.n);
    assert_memory_equal(bad.v, good.v, (size_t)good.n * sizeof *good.v);
}

static void damaged_models_are_refused(void **state) {
    box *b = *state;
    hn_bytes file;
    assert_true(hn_file_read(b->a, "tests/golden/spm/bpe.model", 1 << 20, &file));
    for (int64_t n = 0; n < file.n; n++) { /* cut anywhere, between two pieces too */
        if (hn_spm_tokenizer(b->a, "cut.model", (hn_bytes){ file.p, n })) fail_msg("cut at byte %d of %d, and believed", (int)n, (int)file.n);
        assert_int_equal(hone_error_code(b->job), HONE_E_MODEL);
        hone_error_clear(b->job);
    }
    assert_non_null(hn_tokenizer_load(b->a, put(b, "cut.model", file.p, file.n)));
}

/* A vocabulary of llama2.c: the three first, 256 bytes, then these pieces. */
static hn_bytes vocabulary(hn_arena *a, const char *const *piece, int64_t n) {
    hn_buf out = { 0 };
    int32_t most = 16;
    hn_buf_put(a, &out, &most, 4);
    for (int64_t i = 0; i < 259 + n; i++) {
        const char *text = i == 0 ? "<unk>" : i == 1 ? "\n<s>\n" : i == 2 ? "\n</s>\n" : i < 259 ? hn_fmt(a, "<0x%02X>", (unsigned)(i - 3)) : piece[i - 259];
        float score = i < 259 ? 0 : -(float)(i - 259);
        int32_t bytes = (int32_t)strlen(text);
        hn_buf_put(a, &out, &score, 4);
        hn_buf_put(a, &out, &bytes, 4);
        hn_buf_put(a, &out, text, bytes);
    }
    return (hn_bytes){ (const uint8_t *)out.v, out.n };
}
static const char *const pieces[] = { " t", "he", " the", " ", "t", "h", "e", "o", "w", "r", "l", "d", "wo", "rl", "worl" };
enum { VOCAB = 259 + HN_LEN(pieces) };

static void the_best_score_joins_first(void **state) {
    box *b = *state;
    hn_bytes v = vocabulary(b->a, pieces, HN_LEN(pieces));
    hn_tokenizer *t = hn_tokenizer_load(b->a, put(b, "tokenizer.bin", v.p, v.n));
    if (!t) fail_msg("%s", hone_error_message(b->job));
    assert_int_equal(t->vocab, VOCAB);
    hn_ids ids = { 0 };
    hn_buf back = { 0 };
    assert_true(hn_encode(t, b->a, "the world\n", 10, &ids));
    static const int32_t want[] = { 261, 262, 273, 270, 13 }; /* " the", " ", "worl", "d", byte 10 */
    assert_int_equal(ids.n, HN_LEN(want));
    for (int64_t i = 0; i < ids.n; i++) assert_int_equal(ids.v[i], want[i]);
    hn_decode(t, b->a, ids.v, ids.n, &back);
    assert_string_equal(hn_buf_str(b->a, &back), "the world\n");
    for (int64_t n = 0; n < v.n; n += 13) {
        hn_tokenizer *cut = hn_tokenizer_load(b->a, put(b, "cut.bin", v.p, n));
        assert_true(cut || hone_error_code(b->job) == HONE_E_MODEL);
        hone_error_clear(b->job);
    }
}

/* ---- checkpoints ---- */
enum { C = 8, HEADS = 4, KV = 2, L = 2, F = 12, T = 16 };

/* The weights of a llama in the order of llama2.c: its q and k rows interleaved. */
typedef struct { hn_buf out; hn_arena *a; const hone_model *m; } writer;
static void part(writer *w, const char *name, bool turned) {
    for (int64_t j = 0; j < w->m->n_w; j++) {
        const hone_tensor *t = w->m->w[j].t;
        if (strcmp(t->name, name)) continue;
        int64_t cols = hn_cols(t), D = C / HEADS;
        for (int64_t r = 0; r < hn_rows(t); r++) {
            int64_t in = r % D, from = turned ? r - in + (in % 2 ? D / 2 + in / 2 : in / 2) : r; /* file row r is row `from` of ours */
            hn_buf_put(w->a, &w->out, (const float *)t->data + from * cols, cols * 4);
        }
        return;
    }
    fail_msg("no %s", name);
}
static void each(writer *w, const char *name, bool turned) {
    for (int64_t l = 0; l < L; l++) part(w, hn_fmt(w->a, "model.layers.%lld.%s.weight", (long long)l, name), turned);
}
static hn_bytes checkpoint(hn_arena *a, const hone_model *m, bool tied, bool v1) {
    writer w = { .a = a, .m = m };
    int32_t head[7] = { C, F, L, HEADS, KV, tied || v1 ? VOCAB : -VOCAB, T }, magic[2] = { 0x616b3432, 1 };
    static const uint8_t zeros[256];
    if (v1) hn_buf_put(a, &w.out, magic, 8);
    hn_buf_put(a, &w.out, head, sizeof head);
    if (v1) {
        uint8_t shared = tied;
        hn_buf_put(a, &w.out, &shared, 1);
        hn_buf_put(a, &w.out, zeros, 256 - w.out.n);
        each(&w, "input_layernorm", false), each(&w, "post_attention_layernorm", false), part(&w, "model.norm.weight", false);
    }
    part(&w, "model.embed_tokens.weight", false);
    if (!v1) each(&w, "input_layernorm", false);
    each(&w, "self_attn.q_proj", true), each(&w, "self_attn.k_proj", true), each(&w, "self_attn.v_proj", false), each(&w, "self_attn.o_proj", false);
    if (!v1) each(&w, "post_attention_layernorm", false);
    each(&w, "mlp.gate_proj", false), each(&w, "mlp.down_proj", false), each(&w, "mlp.up_proj", false);
    if (!v1) {
        part(&w, "model.norm.weight", false);
        for (int i = 0; i < T * C / HEADS; i++) hn_buf_put(a, &w.out, zeros, 4);
    }
    if (!tied) part(&w, "lm_head.weight", false);
    return (hn_bytes){ (const uint8_t *)w.out.v, w.out.n };
}
static hone_model *model(box *b, bool tied) {
    llama p;
    hn_params_defaults(b->a, hn_arch_llama.item.params, hn_arch_llama.item.n_params, &p);
    p.layers = L, p.heads = HEADS, p.kv_heads = KV, p.width = C, p.hidden = F, p.context = T, p.tied = tied;
    hone_model *m = hn_model_new(b->a, &hn_arch_llama, &p, VOCAB, false);
    hn_model_init(m, 3);
    return m;
}
static void same(const hone_model *x, const hone_model *y) {
    assert_int_equal(x->n_w, y->n_w);
    for (int64_t j = 0; j < x->n_w; j++) assert_memory_equal(x->w[j].t->data, y->w[j].t->data, (size_t)hn_count(x->w[j].t) * 4);
}

static void both_layouts(void **state) {
    box *b = *state;
    hn_bytes v = vocabulary(b->a, pieces, HN_LEN(pieces));
    put(b, "tokenizer.bin", v.p, v.n);
    for (int k = 0; k < 4; k++) {
        bool tied = k % 2, v1 = k / 2;
        hone_model *m = model(b, tied), *back;
        hn_bytes file = checkpoint(b->a, m, tied, v1);
        const char *path = put(b, "model.bin", file.p, file.n);
        if (!(back = hn_model_load(b->a, path))) fail_msg("%s", hone_error_message(b->job));
        same(m, back);
        assert_int_equal(back->tok->vocab, VOCAB);
        assert_null(hn_model_load(b->a, put(b, "model.bin", file.p, file.n - 1)));
        told(b, HONE_E_MODEL, v1 ? "or cut short" : "length is not what");
        uint8_t *spoilt = hn_alloc(b->a, file.n, 1, 8);
        memcpy(spoilt, file.p, (size_t)file.n);
        memcpy(spoilt + (v1 ? 256 : 28) + 40, "\0\0\300\177", 4);
        assert_null(hn_model_load(b->a, put(b, "model.bin", spoilt, file.n)));
        told(b, HONE_E_MODEL, "not finite");
        memcpy(spoilt, v1 ? "24ka\2\0\0\0" : "\377\377\377\177", v1 ? 8 : 4);
        assert_null(hn_model_load(b->a, put(b, "model.bin", spoilt, file.n)));
        hone_error_clear(b->job);
    }
    hone_model *m = model(b, true);
    hn_bytes file = checkpoint(b->a, m, true, false), less = vocabulary(b->a, pieces, 3);
    put(b, "tokenizer.bin", less.p, less.n);
    assert_null(hn_model_load(b->a, put(b, "model.bin", file.p, file.n)));
    told(b, HONE_E_MODEL, "does not fit the model");
    unlink(hn_fmt(b->a, "%s/tokenizer.bin", root));
}

/* ---- folders in halves and shards ---- */

static void halves(void **state) {
    static const struct { float x; uint16_t f16, bf16; } cases[] = {
        { 0, 0, 0 }, { 1, 0x3c00, 0x3f80 }, { -2, 0xc000, 0xc000 }, { 65504, 0x7bff, 0x4780 }, { 65519.996f, 0x7bff, 0x4780 }, { 65520, 0x7c00, 0x4780 },
        { 1e30f, 0x7c00, 0x714a }, { 0x1p-24f, 1, 0x3380 }, { 0x1p-25f, 0, 0x3300 }, { 0x1.8p-24f, 2, 0x33c0 }, { 0x1.000002p-25f, 1, 0x3300 },
        { 0x1p-14f, 0x400, 0x3880 }, { 1.00048828125f, 0x3c00, 0x3f80 }, { 1.00146484375f, 0x3c02, 0x3f80 },
        { INFINITY, 0x7c00, 0x7f80 }, { -1e-30f, 0x8000, 0x8da2 }, { 1.00390625f, 0x3c04, 0x3f80 }, { 1.01171875f, 0x3c0c, 0x3f82 } };
    for (int64_t i = 0; i < HN_LEN(cases); i++) {
        assert_int_equal(hn_st_narrow(cases[i].x, HONE_F16), cases[i].f16);
        assert_int_equal(hn_st_narrow(cases[i].x, HONE_BF16), cases[i].bf16);
    }
    assert_true((hn_st_narrow(NAN, HONE_F16) & 0x7fff) > 0x7c00 && (hn_st_narrow(NAN, HONE_BF16) & 0x7fff) > 0x7f80);
    for (uint32_t h = 0; h < 0x10000; h++) { /* every half comes back */
        uint16_t v = (uint16_t)h;
        for (int k = 0; k < 2; k++) {
            hn_st_tensor t = { .dtype = k ? HONE_BF16 : HONE_F16, .p = (const uint8_t *)&v };
            float x = hn_st_number(&t, 0);
            if (!isnan(x)) assert_int_equal(hn_st_narrow(x, t.dtype), v);
        }
    }
}

static void folders_of_every_kind(void **state) {
    box *b = *state;
    hone_model *m = model(b, true);
    static const struct { hone_dtype dtype; int64_t shard; double near; } ways[] = {
        { HONE_F32, 0, 0 }, { HONE_F32, 4000, 0 }, { HONE_BF16, 3000, 0.01 }, { HONE_F16, 1, 0.002 }, { HONE_F32, 0, 0 } };
    const char *dir = hn_fmt(b->a, "%s/folder", root);
    for (int64_t k = 0; k < HN_LEN(ways); k++) {
        double apart;
        hn_tensors t;
        if (!hn_model_save_as(b->a, m, dir, &(hn_save){ ways[k].dtype, ways[k].shard }) || !hn_export_check(b->a, m, dir, ways[k].dtype == HONE_F32, &apart))
            fail_msg("%s", hone_error_message(b->job));
        assert_true(apart <= ways[k].near && (ways[k].near == 0 || apart > 0));
        assert_true(hn_tensors_open(b->a, dir, &t)); /* no shard of the way before is left */
        assert_int_equal(t.n, m->n_w);
        for (int64_t i = 0; i < t.n; i++) assert_int_equal(t.v[i].dtype, ways[k].dtype);
        bool one = hn_path_exists(hn_path_join(b->a, dir, "model.safetensors"));
        assert_int_equal(one, !ways[k].shard);
        hone_model *look = hn_model_look(b->a, dir);
        assert_true(look && hn_model_count(look) == hn_model_count(m) && !look->w[0].t->data);
    }
    ((float *)m->w[1].t->data)[3] = 1e6f;
    assert_false(hn_model_save_as(b->a, m, dir, &(hn_save){ .dtype = HONE_F16 }));
    told(b, HONE_E_VALUE, "take bf16 or f32");
    hone_model *still = hn_model_load(b->a, dir); /* what was there is whole */
    assert_true(still && still->n_w == m->n_w);
}

static void the_comparison_sees_a_changed_weight(void **state) {
    box *b = *state;
    hone_model *x = model(b, true), *y = model(b, true);
    double apart;
    assert_true(hn_model_compare(b->a, x, y, &apart) && apart == 0);
    ((float *)y->w[5].t->data)[1] += 0.5f;
    assert_true(hn_model_compare(b->a, x, y, &apart) && apart > 1e-6);
    ((float *)y->w[5].t->data)[1] = NAN;
    assert_true(hn_model_compare(b->a, x, y, &apart) && isnan(apart));
}

/* ---- the real one ---- */
static void the_story_model(void **state) {
    box *b = *state;
    const char *dir = getenv("HONE_DATA"), *at = hn_path_join(b->a, dir ? dir : "../shared/data", "stories260k");
    if (!hn_path_exists(at)) {
        print_message("skipped: %s is not here (set HONE_DATA)\n", at);
        skip();
    }
    hone_model *m = hn_model_load(b->a, hn_path_join(b->a, at, "stories260K.bin")), *hf = hn_model_load(b->a, hn_path_join(b->a, at, "hf"));
    if (!m || !hf) fail_msg("%s", hone_error_message(b->job));
    same(m, hf);
    hn_bytes want, table;
    assert_true(hn_file_read(b->a, hn_path_join(b->a, at, "expected_greedy_200.txt"), 1 << 16, &want));
    hone_generation g;
    assert_true(hone_generate(b->job, m, "", &(hone_sampling){ .max_tokens = 200 }, NULL, NULL, &g));
    assert_int_equal(g.text_bytes, want.n);
    assert_memory_equal(g.text, want.p, (size_t)want.n);
    /* Each line: document, number of tokens, sum of -ln p, ids, text. */
    static const char *const vocabularies[] = { "tok512.bin", "tok512.model" };
    assert_true(hn_file_read(b->a, hn_path_join(b->a, at, "reference_nll.tsv"), 1 << 16, &table));
    for (int64_t k = 0; k < HN_LEN(vocabularies); k++) {
        hn_tokenizer *t = hn_tokenizer_load(b->a, hn_path_join(b->a, at, vocabularies[k]));
        if (!t) fail_msg("%s", hone_error_message(b->job));
        char *line = hn_strndup(b->a, (const char *)table.p, table.n), *field[5];
        for (line = strchr(line, '\n') + 1; *line;) {
            for (int f = 0; f < 5; f++) {
                field[f] = line;
                line += strcspn(line, "\t\n");
                *line++ = 0;
            }
            hn_ids ids = { 0 };
            hn_push(b->a, &ids, t->bos);
            assert_true(hn_encode(t, b->a, field[4], (int64_t)strlen(field[4]), &ids));
            for (int64_t i = 0; i < ids.n; i++) assert_int_equal(ids.v[i], strtol(field[3], &field[3], 10)), field[3] += *field[3] == ',';
            assert_int_equal(ids.n, strtol(field[1], NULL, 10));
            assert_int_equal(*field[3], 0);
        }
    }
}

int main(void) {
    if (!mkdtemp(root)) return 1;
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = { TEST(the_packages_ids), TEST(control_pieces_in_text), TEST(bytes_that_are_no_text), TEST(damaged_models_are_refused), TEST(the_best_score_joins_first), TEST(both_layouts),
                                        TEST(halves), TEST(folders_of_every_kind), TEST(the_comparison_sees_a_changed_weight), TEST(the_story_model) };
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    hone_job *job = hone_open(NULL);
    bad += !hn_remove_tree(hn_job_arena(job), root);
    hone_close(job);
    return bad;
}
