/* test_llama.c - the llama family against transformers' numbers, the cache against the full forward, folders saved, loaded and
 * refused; and a real small llama, when its folder is there: its losses and its greedy text. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "near.h"
#include <math.h>
#include <stdio.h>
#include <unistd.h>
#include "model/llama.h"
#include "box.h"

extern const hn_arch hn_arch_llama;
static const char *const names[] = { "llama", "mistral", "qwen2", "qwen3" };
static char root[] = "build/test-llama-XXXXXX";

static const char *golden(hn_arena *a, const char *name) { return hn_fmt(a, "tests/golden/%s_tiny", name); }
static const char *at(hn_arena *a, const char *name) { return hn_fmt(a, "%s/%s", root, name); }
static json_t *read_json(hn_arena *a, const char *path) {
    hn_bytes text;
    assert_true(hn_file_read(a, path, 1 << 20, &text));
    json_t *v = hn_json_parse(a, path, text.p, text.n, HONE_E_DATA);
    assert_non_null(v);
    return v;
}
static hone_model *must_load(box *b, const char *path) {
    hone_model *m = hone_model_load(b->job, path);
    if (!m) fail_msg("%s", hone_error_message(b->job));
    return m;
}
static const char *test_data(hn_arena *a, const char *name) {
    const char *dir = getenv("HONE_DATA"), *path = hn_path_join(a, dir ? dir : "../shared/data", name);
    if (hn_path_exists(path)) return path;
    print_message("skipped: %s is not here (set HONE_DATA)\n", path);
    return NULL;
}
static hone_tape *tape_new(box *b, const hone_model *m, int64_t cached) {
    hone_tape *t = hone_tape_new(b->job, NULL);
    assert_non_null(t);
    if (cached) assert_true(hone_tape_cache(t, m->layers, 1, cached, m->kv_width));
    return t;
}
static void told(hone_job *job, hone_code code, const char *one, const char *two) {
    const char *want[] = { one, two };
    for (int i = 0; i < 2; i++)
        if (!strstr(hone_error_message(job), want[i])) fail_msg("'%s' is not in: %s", want[i], hone_error_message(job));
    assert_int_equal(hone_error_code(job), code);
    hone_error_clear(job);
}

enum { T = 16, V = 65 };
static void the_familys_numbers(void **state) {
    box *b = *state;
    for (int64_t k = 0; k < HN_LEN(names); k++) {
        json_t *g = read_json(b->a, hn_fmt(b->a, "%s.json", golden(b->a, names[k])));
        const json_t *logits = json_array_get(json_object_get(g, "logits"), 0), *ids = json_array_get(json_object_get(g, "ids"), 0);
        hone_model *m = must_load(b, golden(b->a, names[k]));
        int32_t x[T];
        float out[T * V], one[V];
        double worst = 0;
        for (size_t i = 0; i < T; i++) x[i] = (int32_t)json_integer_value(json_array_get(ids, i));
        if (!hn_model_logits(tape_new(b, m, 0), m, x, 1, T, true, out)) fail_msg("%s", hone_error_message(b->job));
        for (int i = 0; i < T * V; i++)
            worst = fmax(worst, fabs(out[i] - json_number_value(json_array_get(json_array_get(logits, (size_t)(i / V)), (size_t)(i % V)))));
        print_message("%s: logits differ by %.2e at most\n", names[k], worst);
        assert_true(worst < 1e-5);
        hone_tape *c = tape_new(b, m, T);
        for (int from = 0, n = 5; from < T; from += n, n = 1) { /* five at once, then one by one */
            assert_true(hn_model_logits(c, m, x + from, 1, n, false, one));
            for (int v = 0; v < V; v++) assert_true(fabsf(one[v] - out[(from + n - 1) * V + v]) < 1e-5);
        }
        assert_false(hn_model_logits(c, m, x, 1, 1, false, one));
        told(b->job, HONE_E_SHAPE, "1 tokens after 16", "context holds 16");
    }
}

/* Tensors byte for byte, and all that config.json said, in transformers' words. */
static void folders_come_back_as_they_were(void **state) {
    box *b = *state;
    for (int64_t k = 0; k < HN_LEN(names); k++) {
        hone_model *m = must_load(b, golden(b->a, names[k]));
        const char *dir = at(b->a, names[k]), *key;
        assert_true(hone_model_save(b->job, m, dir));
        hone_model *again = must_load(b, dir);
        assert_int_equal(again->n_w, m->n_w);
        for (int64_t j = 0; j < m->n_w; j++) {
            assert_string_equal(again->w[j].t->name, m->w[j].t->name);
            assert_memory_equal(again->w[j].t->data, m->w[j].t->data, (size_t)hn_count(m->w[j].t) * sizeof(float));
        }
        json_t *was = read_json(b->a, hn_fmt(b->a, "%s/config.json", golden(b->a, names[k]))),
               *is = read_json(b->a, hn_path_join(b->a, dir, "config.json")), *v;
        json_object_foreach(was, key, v) {
            const json_t *now = json_object_get(is, key);
            bool equal = json_equal(v, now) || (json_is_number(v) && json_number_value(v) == json_number_value(now));
            if (!strcmp(key, "dtype")) equal = true;
            if (!strcmp(key, "max_window_layers")) equal = m->params && (!((llama *)m->params)->window || equal);
            if (!equal)
                fail_msg("%s: %s was %s, is %s", names[k], key, hn_json_text(b->a, v, false),
                         now ? hn_json_text(b->a, now, false) : "gone");
        }
    }
}

/* The settings of an older config.json: theta outside, the scaling under its old name. */
static void older_words_for_rope(void **state) {
    box *b = *state;
    static const struct {
        const char *rope;
        hone_rope_scaling kind;
        double base, factor;
        int64_t context;
    } v[] = {
        { "{}", HONE_ROPE_PLAIN, 10000, 1, 64 },
        { "{\"rope_theta\": 5e5, \"rope_scaling\": null}", HONE_ROPE_PLAIN, 5e5, 1, 64 },
        { "{\"rope_scaling\": {\"type\": \"linear\", \"factor\": 4.0}}", HONE_ROPE_LINEAR, 10000, 4, 64 },
        { "{\"rope_theta\": 100, \"rope_scaling\": {\"rope_type\": \"dynamic\", \"factor\": 2.0}}", HONE_ROPE_DYNAMIC, 100, 2, 128 },
        { "{\"rope_parameters\": {\"rope_type\": \"yarn\", \"rope_theta\": 70.5, \"factor\": 8, \"mscale\": 1, \"mscale_all_dim\": 0.5}}",
          HONE_ROPE_YARN, 70.5, 8, 64 },
    };
    const char *shape = "{\"model_type\": \"llama\", \"hidden_size\": 16, \"intermediate_size\": 24, \"num_hidden_layers\": 1,"
                        "\"num_attention_heads\": 2, \"max_position_embeddings\": 64, \"vocab_size\": 9}";
    for (int64_t i = 0; i < HN_LEN(v); i++) {
        json_t *c = hn_json_parse(b->a, "shape", (const uint8_t *)shape, (int64_t)strlen(shape), HONE_E_MODEL),
               *over = hn_json_parse(b->a, "rope", (const uint8_t *)v[i].rope, (int64_t)strlen(v[i].rope), HONE_E_MODEL);
        assert_int_equal(json_object_update(c, over), 0);
        for (int again = 0; again < 2; again++) {
            hone_model m = { .a = b->a, .arch = &hn_arch_llama, .null_storage = true, .params = hn_alloc(b->a, 1, sizeof(llama), 16) };
            if (!hn_arch_llama.config_read(&m, c, "config.json") || !hn_arch_llama.build(&m)) fail_msg("%s", hone_error_message(b->job));
            const llama *p = m.params;
            assert_string_equal(p->rope_scaling, hn_llama_scalings[v[i].kind]);
            assert_true(p->rope_base == v[i].base && p->rope_factor == v[i].factor && m.context == v[i].context && !p->tied);
            if (v[i].kind == HONE_ROPE_YARN) assert_near(p->rope_attention, (0.1 * log(8) + 1) / (0.05 * log(8) + 1), 1e-12);
            c = hn_arch_llama.config_write(b->a, &m); /* and what was written is read the same */
        }
    }
}

static void what_the_family_cannot_be(void **state) {
    box *b = *state;
    static const struct {
        const char *name, *over, *one, *two;
    } v[] = {
        { "llama", "{\"num_key_value_heads\": 3}", "num_key_value_heads", "a divisor of num_attention_heads 4" },
        { "llama", "{\"head_dim\": 5}", "head_dim", "even" },
        { "llama", "{\"hidden_act\": \"gelu\"}", "hidden_act", "silu" },
        { "llama", "{\"attention_bias\": 1}", "attention_bias", "true or false" },
        { "llama", "{\"attention_bias\": false}", "_proj.bias", "no place" },
        { "llama", "{\"intermediate_size\": 25}", "mlp.gate_proj.weight", "(25,16)" },
        { "llama", "{\"rope_parameters\": {\"rope_type\": \"longrope\"}}", "rope_type", "longrope" },
        { "llama", "{\"rope_parameters\": {\"rope_type\": \"llama3\", \"factor\": 2, \"low_freq_factor\": 4}}", "high_freq_factor",
          "more than" },
        { "llama", "{\"rope_parameters\": {\"rope_theta\": 0}}", "rope_theta", "0" },
        { "llama", "{\"rope_parameters\": {\"partial_rotary_factor\": 0.5}}", "partial_rotary_factor", "0.5" },
        { "llama", "{\"model_type\": \"qwen3\", \"mlp_bias\": false}", "q_norm.weight", "missing" },
        { "mistral", "{\"attention_bias\": true}", "attention_bias", "false" },
        { "mistral", "{\"sliding_window\": \"wide\"}", "sliding_window", "wide" },
        { "qwen2", "{\"layer_types\": [\"sliding_attention\", \"full_attention\"]}", "layer_types", "full_attention for layer 0" },
        { "qwen2", "{\"mlp_bias\": true}", "mlp_bias", "false" },
    };
    for (int64_t i = 0; i < HN_LEN(v); i++) {
        const char *from = golden(b->a, v[i].name), *dir = at(b->a, "wrong");
        hn_bytes weights;
        assert_true(hn_mkdirs(b->a, dir) && hn_file_read(b->a, hn_path_join(b->a, from, "model.safetensors"), 1 << 20, &weights));
        assert_true(hn_file_write(b->a, hn_path_join(b->a, dir, "model.safetensors"), weights.p, weights.n));
        json_t *c = read_json(b->a, hn_path_join(b->a, from, "config.json")),
               *over = hn_json_parse(b->a, "over", (const uint8_t *)v[i].over, (int64_t)strlen(v[i].over), HONE_E_MODEL);
        assert_int_equal(json_object_update(c, over), 0);
        const char *text = hn_json_text(b->a, c, false);
        assert_true(hn_file_write(b->a, hn_path_join(b->a, dir, "config.json"), text, (int64_t)strlen(text)));
        if (hone_model_load(b->job, dir)) fail_msg("%s loads", v[i].over);
        told(b->job, HONE_E_MODEL, v[i].one, v[i].two);
    }
}

static void settings_that_do_not_fit(void **state) {
    box *b = *state;
    llama s;
#define REFUSED(change, one, two)                                                                                                          \
    hn_params_defaults(b->a, hn_arch_llama.item.params, hn_arch_llama.item.n_params, &s);                                                  \
    change;                                                                                                                                \
    assert_null(hn_model_new(b->a, &hn_arch_llama, &s, 65, true));                                                                         \
    told(b->job, HONE_E_VALUE, one, two)
    REFUSED(s.heads = 3, "model.heads", "129");
    REFUSED(s.kv_heads = 3, "model.kv_heads", "a divisor of 4");
    REFUSED(s.head_size = 7, "even", "7");
    REFUSED(s.window = 5, "model.window", "mistral");
    REFUSED(s.mlp_bias = true; s.family = "qwen2", "model.mlp_bias", "qwen2");
    REFUSED(s.attention_bias = true; s.family = "mistral", "model.attention_bias", "mistral");
    REFUSED(s.family = "mistral"; s.window_from = 1, "model.window_from", "qwen");
    hn_params_defaults(b->a, hn_arch_llama.item.params, hn_arch_llama.item.n_params, &s);
    s.kv_heads = 2, s.layers = 2;
    hone_model *m = hn_model_new(b->a, &hn_arch_llama, &s, 65, true);
    assert_non_null(m); /* hidden: 128 · 8/3 up to 352 */
    assert_int_equal(hone_model_parameters(m), 65 * 128 + 128 + 2 * (2 * 128 + 2 * 128 * 128 + 2 * 64 * 128 + 3 * 128 * 352));
}

/* ---- a real small llama ---- */

static int64_t read_ids(const char *s, int32_t *out, int64_t max) {
    int64_t n = 0;
    for (char *end; n < max; s = end + 1) {
        out[n++] = (int32_t)strtol(s, &end, 10);
        if (*end != ',') break;
    }
    return n;
}
/* Each line: document, number of tokens, sum of -ln p, ids, text. */
static void stories_losses(void **state) {
    box *b = *state;
    const char *dir = test_data(b->a, "stories260k/hf"), *table = test_data(b->a, "stories260k/reference_nll.tsv");
    if (!dir || !table) skip();
    hone_model *m = must_load(b, dir);
    hn_bytes text;
    assert_true(hn_file_read(b->a, table, 1 << 20, &text));
    const char *line = hn_strndup(b->a, (const char *)text.p, text.n);
    int64_t lines = 0;
    double worst = 0;
    while ((line = strchr(line, '\n')) && line[1]) {
        int32_t ids[512];
        char *sum_at, *ids_at;
        line++;
        (void)strtol(line, &sum_at, 10);
        int64_t n = strtol(sum_at, &sum_at, 10);
        double want = strtod(sum_at, &ids_at), sum = 0;
        assert_int_equal(read_ids(ids_at, ids, 512), n);
        float *logits = hn_new_n(b->a, float, n * m->vocab);
        if (!hn_model_logits(tape_new(b, m, 0), m, ids, 1, n, true, logits)) fail_msg("%s", hone_error_message(b->job));
        for (int64_t i = 0; i + 1 < n; i++) {
            const float *z = logits + i * m->vocab;
            double top = z[0], total = 0;
            for (int64_t v = 0; v < m->vocab; v++) top = fmax(top, z[v]);
            for (int64_t v = 0; v < m->vocab; v++) total += exp(z[v] - top);
            sum += top + log(total) - z[ids[i + 1]];
        }
        worst = fmax(worst, fabs(sum - want));
        lines++;
    }
    print_message("%lld texts: sums of losses differ by %.2e at most\n", (long long)lines, worst);
    assert_true(lines >= 4 && worst < 1e-4);
}

/* tok512.bin: the longest piece's length, then for each token a score, a length and its bytes. */
static void read_pieces(hn_arena *a, const char *path, hn_bytes *pieces, int n) {
    hn_bytes file;
    assert_true(hn_file_read(a, path, 1 << 20, &file));
    for (int64_t i = 0, p = 4; i < n; i++) {
        int32_t bytes;
        assert_true(p + 8 <= file.n);
        memcpy(&bytes, file.p + p + 4, 4);
        pieces[i] = (hn_bytes){ file.p + p + 8, bytes };
        p += 8 + bytes;
    }
}
static void stories_greedy_text(void **state) {
    box *b = *state;
    const char *dir = test_data(b->a, "stories260k/hf"), *tokens = test_data(b->a, "stories260k/tok512.bin"),
               *expected = test_data(b->a, "stories260k/expected_greedy_200.txt");
    if (!dir || !tokens || !expected) skip();
    hone_model *m = must_load(b, dir);
    hn_bytes pieces[512], want;
    read_pieces(b->a, tokens, pieces, 512);
    assert_true(hn_file_read(b->a, expected, 1 << 20, &want));
    hone_tape *t = tape_new(b, m, 256);
    float logits[512];
    int32_t id = 1, before = 1;
    hn_buf out = { 0 };
    for (int i = 0; i < 200; i++) { /* 200 steps: BOS is the first one's token */
        assert_true(hn_model_logits(t, m, &id, 1, 1, false, logits));
        before = id, id = 0;
        for (int v = 1; v < 512; v++)
            if (logits[v] > logits[id]) id = v;
        if (id == 1) break;
        hn_bytes p = pieces[id];
        unsigned byte;
        if (before == 1 && p.n && p.p[0] == ' ') p.p++, p.n--;
        if (p.n == 6 && sscanf((const char *)p.p, "<0x%02X>", &byte) == 1) hn_buf_put(b->a, &out, &(char){ (char)byte }, 1);
        else hn_buf_put(b->a, &out, p.p, p.n);
    }
    while (want.n && want.p[want.n - 1] == '\n') want.n--;
    const char *got = hn_buf_str(b->a, &out);
    if (strncmp(got, (const char *)want.p, (size_t)want.n) != 0) fail_msg("got: %s", got);
    for (const char *rest = got + want.n; *rest; rest++) assert_int_equal(*rest, '\n');
}

int main(void) {
    assert_non_null(mkdtemp(root));
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_familys_numbers, setup, teardown),
        cmocka_unit_test_setup_teardown(folders_come_back_as_they_were, setup, teardown),
        cmocka_unit_test_setup_teardown(older_words_for_rope, setup, teardown),
        cmocka_unit_test_setup_teardown(what_the_family_cannot_be, setup, teardown),
        cmocka_unit_test_setup_teardown(settings_that_do_not_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(stories_losses, setup, teardown),
        cmocka_unit_test_setup_teardown(stories_greedy_text, setup, teardown),
    };
    int bad = cmocka_run_group_tests(tests, NULL, NULL);
    hone_job *job = hone_open(NULL);
    bad += !hn_remove_tree(hn_job_arena(job), root);
    hone_close(job);
    return bad;
}
