/* test_model.c - gpt2 against PyTorch's numbers; the cache against the full forward; folders saved, loaded, and refused. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "near.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "model/model.h"
#include "box.h"

extern const hn_arch hn_arch_gpt2;
typedef struct {
    int64_t layers, heads, width, context;
    bool bias, tied;
    double dropout, mlp_ratio, eps;
} shape; /* as in gpt2.c */

static char root[] = "build/test-model-XXXXXX";

static const char *golden(hn_arena *a, const char *name) { return hn_fmt(a, "tests/golden/%s", name); }
static const char *at(hn_arena *a, const char *name) { return hn_fmt(a, "%s/%s", root, name); }

static json_t *golden_json(hn_arena *a, const char *name) {
    hn_bytes text;
    assert_true(hn_file_read(a, golden(a, name), 1 << 20, &text));
    json_t *v = hn_json_parse(a, name, text.p, text.n, HONE_E_DATA);
    assert_non_null(v);
    return v;
}

/* An error was told: its code and each of up to three texts in its message. Clears it. */
static void told(hone_job *job, hone_code code, const char *one, const char *two, const char *three) {
    const char *want[] = { one, two, three };
    for (int i = 0; i < 3; i++)
        if (want[i] && !strstr(hone_error_message(job), want[i])) fail_msg("'%s' is not in: %s", want[i], hone_error_message(job));
    assert_int_equal(hone_error_code(job), code);
    hone_error_clear(job);
}

static hone_model *must_load(box *b, const char *path) {
    hone_model *m = hone_model_load(b->job, path);
    if (!m) fail_msg("%s", hone_error_message(b->job));
    return m;
}

static hone_tape *tape_new(box *b) {
    hone_tape *t = hone_tape_new(b->job, NULL);
    assert_non_null(t);
    return t;
}

static hone_model *make(box *b, int64_t layers, int64_t width, bool bias, bool tied, int64_t vocab) {
    shape s;
    hn_params_defaults(b->a, hn_arch_gpt2.item.params, hn_arch_gpt2.item.n_params, &s);
    s.layers = layers, s.width = width, s.heads = 2, s.context = 8, s.bias = bias, s.tied = tied;
    hone_model *m = hn_model_new(b->a, &hn_arch_gpt2, &s, vocab, false);
    assert_non_null(m);
    hn_model_init(m, 7);
    return m;
}

/* ---- numbers ---- */

static void check_golden(box *b, const char *folder, const char *file) {
    json_t *g = golden_json(b->a, file), *ids = json_object_get(g, "ids"), *logits = json_object_get(g, "logits");
    hone_model *m = must_load(b, golden(b->a, folder));
    enum { B = 2, T = 16, V = 65 };
    int32_t x[B * T], y[B * T];
    for (int i = 0; i < B * T; i++)
        x[i] = (int32_t)json_integer_value(json_array_get(json_array_get(ids, (size_t)(i / T)), (size_t)(i % T)));
    for (int i = 0; i < B * T; i++) y[i] = i % T == T - 1 ? -1 : x[i + 1];
    float *out = hn_new_n(b->a, float, B *T *V), *tail = hn_new_n(b->a, float, B *V);
    hone_tape *t = tape_new(b);
    assert_true(hn_model_logits(t, m, x, B, T, true, out));
    assert_true(hn_model_logits(t, m, x, B, T, false, tail));
    double worst = 0;
    for (int i = 0; i < B * T * V; i++) {
        const json_t *row = json_array_get(json_array_get(logits, (size_t)(i / V / T)), (size_t)(i / V % T));
        worst = fmax(worst, fabs(out[i] - json_number_value(json_array_get(row, (size_t)(i % V)))));
    }
    print_message("%s: logits differ by %.2e at most\n", folder, worst);
    assert_true(worst < 1e-5);
    for (int i = 0; i < B; i++)
        for (int v = 0; v < V; v++) assert_true(fabsf(tail[i * V + v] - out[(i * T + T - 1) * V + v]) < 1e-5);
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    const int64_t dims[] = { B, T };
    float each[B * T];
    hone_tensor *loss = hn_model_loss(t, m, hone_input_i32(t, x, 2, dims), hone_input_i32(t, y, 2, dims),
                                      &(hone_cross_entropy_opts){ .per_token = each });
    assert_true(hone_ok(t));
    assert_near(hone_tensor_item(loss, 0), json_number_value(json_object_get(g, "loss")), 1e-5);
    assert_near(each[T - 1], 0, 0);
}

static void golden_with_biases(void **state) { check_golden(*state, "gpt2_tiny", "gpt2_tiny.json"); }
static void golden_without_biases(void **state) {
    box *b = *state;
    check_golden(b, "gpt2_nobias", "gpt2_nobias.json");
    hone_model *m = must_load(b, golden(b->a, "gpt2_nobias"));
    assert_int_equal(hone_model_parameters(m), 65 * 16 + 16 * 16 + 2 * (2 * 16 + 12 * 16 * 16) + 16);
}

static void cached_decoding_equals_the_full_forward(void **state) {
    box *b = *state;
    hone_model *m = must_load(b, golden(b->a, "gpt2_tiny"));
    enum { T = 16, V = 65 };
    int32_t x[T];
    for (int i = 0; i < T; i++) x[i] = (i * 37 + 5) % V;
    float *full = hn_new_n(b->a, float, T *V), one[V];
    hone_tape *t = tape_new(b), *c = tape_new(b);
    assert_true(hn_model_logits(t, m, x, 1, T, true, full));
    assert_true(hone_tape_cache(c, m->layers, 1, m->context, m->width));
    for (int from = 0, n = 5; from < T; from += n, n = 1) { /* five at once, then one by one */
        assert_true(hn_model_logits(c, m, x + from, 1, n, false, one));
        assert_int_equal(hone_tape_cache_length(c), from + n);
        for (int v = 0; v < V; v++) assert_true(fabsf(one[v] - full[(from + n - 1) * V + v]) < 1e-5);
    }
}

static void initial_numbers_are_shared_by_wider_and_deeper_nets(void **state) {
    box *b = *state;
    hone_model *m = make(b, 2, 8, false, true, 11), *wide = make(b, 2, 16, false, true, 11), *deep = make(b, 3, 8, true, false, 11);
    const float *w = m->w[0].t->data, *ww = wide->w[0].t->data, *wd = deep->w[0].t->data;
    for (int r = 0; r < 11; r++)
        for (int c = 0; c < 8; c++) {
            assert_near(w[r * 8 + c], ww[r * 16 + c], 0);
            assert_near(w[r * 8 + c], wd[r * 8 + c], 0);
        }
    /* spread: 0.02, residual projections 0.02/√(2L); norms one, biases zero */
    hone_model *big = make(b, 2, 64, true, true, 50);
    for (int64_t j = 0; j < big->n_w; j++) {
        const hone_tensor *t = big->w[j].t;
        const float *v = t->data;
        double sum = 0, square = 0, n = (double)hn_count(t);
        for (int64_t i = 0; i < hn_count(t); i++) sum += v[i], square += (double)v[i] * v[i];
        double sd = sqrt(square / n), want = strstr(t->name, "c_proj.weight") ? 0.02 / 2 : 0.02;
        if (t->dims == 2) assert_true(fabs(sd / want - 1) < 5 / sqrt(2 * n) && fabs(sum / n) < 5 * want / sqrt(n));
        else assert_true(sum / n == (strstr(t->name, ".weight") ? 1 : 0));
        assert_true(big->w[j].decay == (t->dims == 2));
    }
}

/* ---- folders ---- */

static void same_weights(const hone_model *x, const hone_model *y) {
    assert_int_equal(x->n_w, y->n_w);
    for (int64_t j = 0; j < x->n_w; j++) {
        assert_string_equal(x->w[j].t->name, y->w[j].t->name);
        assert_memory_equal(x->w[j].t->data, y->w[j].t->data, (size_t)hn_count(x->w[j].t) * 4);
    }
}

static void saved_and_loaded_weights_are_equal_to_the_bit(void **state) {
    box *b = *state;
    for (int k = 0; k < 4; k++) {
        hone_model *m = make(b, 1 + k, 12, k & 1, k & 2, 9);
        const char *dir = at(b->a, "round");
        assert_true(hone_model_save(b->job, m, dir)); /* new, then over an own folder */
        hone_model *back = must_load(b, dir);
        same_weights(m, back);
        assert_int_equal(back->head == back->w[0].t, (k & 2) != 0);
        assert_false(hn_path_exists(at(b->a, "round.hone-tmp")));
    }
    /* a config's unknown keys survive, and a stranger's file stays where it is */
    hone_model *m = must_load(b, golden(b->a, "gpt2_tiny"));
    assert_true(hn_file_write(b->a, at(b->a, "round/notes.txt"), "mine", 4));
    assert_true(hone_model_save(b->job, m, at(b->a, "round/")));
    assert_true(hn_path_exists(at(b->a, "round/notes.txt")));
    hone_model *back = must_load(b, at(b->a, "round"));
    same_weights(m, back);
    assert_non_null(json_object_get(back->config, "summary_type"));
    assert_true(hn_remove_tree(b->a, at(b->a, "round")));
}

static void a_failed_save_leaves_the_old_model(void **state) {
    box *b = *state;
    const char *dir = at(b->a, "kept");
    hone_model *old = make(b, 1, 8, false, true, 9), *new = make(b, 2, 16, false, true, 9);
    assert_true(hone_model_save(b->job, old, dir));
    int64_t failures = 0;
    for (int64_t n = 1; n < 200; n++) {
        hn_fault_set(HN_FAULT_WRITE, n);
        bool ok = hone_model_save(b->job, new, dir);
        hn_fault_set(HN_FAULT_WRITE, 0);
        if (ok) break;
        failures++;
        assert_int_not_equal(hone_error_code(b->job), HONE_OK);
        hone_error_clear(b->job);
        hone_model *m = must_load(b, dir);
        assert_true(m->n_w == old->n_w || m->n_w == new->n_w); /* whole: the old one, or the new one whose folder could not be flushed */
        same_weights(m, m->n_w == old->n_w ? old : new);
    }
    assert_true(failures > 5);
    same_weights(must_load(b, dir), new);
    assert_true(hn_file_write(b->a, at(b->a, "file"), "x", 1));
    assert_false(hone_model_save(b->job, new, at(b->a, "file")));
    told(b->job, HONE_E_IO, "in the way", "file", NULL);
}

static void memory_refused_while_loading_harms_nothing(void **state) {
    box *b = *state;
    int64_t n = 1;
    for (bool ok = false; !ok; n += 7) {
        hone_job *job = hone_job_new(b->job, 1);
        hn_fault_set(HN_FAULT_ALLOC, n);
        ok = hone_model_load(job, "tests/golden/gpt2_nobias");
        hn_fault_set(HN_FAULT_ALLOC, 0);
        assert_int_equal(hone_error_code(job), ok ? HONE_OK : HONE_E_MEMORY);
        hone_close(job);
    }
    assert_true(n > 20);
}

/* A folder with gpt2_tiny's config, changed by a JSON object laid over it, and its weights changed by `edit`. */
typedef void (*edit_fn)(hn_arena *a, hn_st_tensor *v, int64_t *n);
static const char *variant(box *b, const char *over, edit_fn edit) {
    hn_arena *a = b->a;
    const char *dir = at(a, "variant");
    hn_bytes text;
    hn_st st;
    assert_true(hn_mkdirs(a, dir) && hn_file_read(a, golden(a, "gpt2_tiny/config.json"), 1 << 20, &text));
    json_t *config = hn_json_parse(a, "config", text.p, text.n, HONE_E_DATA);
    json_object_update(config, hn_json_parse(a, "over", over, (int64_t)strlen(over), HONE_E_DATA));
    const char *s = hn_json_text(a, config, true);
    assert_true(hn_file_write(a, hn_path_join(a, dir, "config.json"), s, (int64_t)strlen(s)));
    assert_true(hn_st_open(a, golden(a, "gpt2_tiny/model.safetensors"), &st));
    hn_st_tensor *v = hn_new_n(a, hn_st_tensor, st.n + 8);
    memcpy(v, st.v, (size_t)st.n * sizeof *v);
    int64_t n = st.n;
    if (edit) edit(a, v, &n);
    assert_true(hn_st_write(a, hn_path_join(a, dir, "model.safetensors"), v, n, NULL));
    return dir;
}

static hn_st_tensor *named(hn_st_tensor *v, int64_t n, const char *name) {
    for (int64_t i = 0; i < n; i++)
        if (!strcmp(v[i].name, name)) return &v[i];
    fail_msg("no tensor %s", name);
    return NULL;
}

static void no_prefix(hn_arena *a, hn_st_tensor *v, int64_t *n) {
    (void)a;
    for (int64_t i = 0; i < *n; i++) v[i].name += strlen("transformer.");
    static const uint8_t mask[1024];
    v[(*n)++] = (hn_st_tensor){ "h.0.attn.bias", HONE_U8, 4, { 1, 1, 32, 32 }, mask, 1024 };
    v[(*n)++] = (hn_st_tensor){ "h.0.attn.masked_bias", HONE_F32, 0, { 0 }, mask, 4 };
}
static void as_bf16(hn_arena *a, hn_st_tensor *v, int64_t *n) {
    for (int64_t i = 0; i < *n; i++) {
        uint8_t *p = hn_alloc(a, v[i].bytes / 2, 1, 2);
        for (int64_t k = 0; k < v[i].bytes / 4; k++) memcpy(p + 2 * k, v[i].p + 4 * k + 2, 2);
        v[i].p = p, v[i].bytes /= 2, v[i].dtype = HONE_BF16;
    }
}
static void as_f16(hn_arena *a, hn_st_tensor *v, int64_t *n) /* ln_f: 1, 2⁻²⁴, −2, 65504, then ones */
{
    hn_st_tensor *t = named(v, *n, "transformer.ln_f.weight");
    uint16_t *p = hn_alloc(a, 24, 2, 2);
    for (int i = 0; i < 24; i++) p[i] = 0x3c00;
    p[1] = 1, p[2] = 0xc000, p[3] = 0x7bff;
    t->p = (uint8_t *)p, t->bytes = 48, t->dtype = HONE_F16;
}
static void lacks_one(hn_arena *a, hn_st_tensor *v, int64_t *n) {
    (void)a;
    *named(v, *n, "transformer.h.1.ln_2.weight") = v[*n - 1];
    (*n)--;
}
static void has_more(hn_arena *a, hn_st_tensor *v, int64_t *n) {
    (void)a;
    v[*n] = v[0];
    v[(*n)++].name = "transformer.h.2.ln_1.weight";
}
static void turned(hn_arena *a, hn_st_tensor *v, int64_t *n) {
    (void)a;
    hn_st_tensor *t = named(v, *n, "transformer.h.0.mlp.c_fc.weight");
    t->shape[0] = 96, t->shape[1] = 24;
}
static void has_nan(hn_arena *a, hn_st_tensor *v, int64_t *n) {
    hn_st_tensor *t = named(v, *n, "transformer.wpe.weight");
    uint8_t *p = hn_alloc(a, t->bytes, 1, 4);
    memcpy(p, t->p, (size_t)t->bytes);
    memcpy(p + 4 * 7, &(float){ NAN }, 4);
    t->p = p;
}
static void whole_numbers(hn_arena *a, hn_st_tensor *v, int64_t *n) {
    (void)a;
    named(v, *n, "transformer.wpe.weight")->dtype = HONE_I32;
}

static void foreign_folders_that_load(void **state) {
    box *b = *state;
    hone_model *m = must_load(b, golden(b->a, "gpt2_tiny"));
    same_weights(m, must_load(b, variant(b, "{}", no_prefix)));
    const float *x = m->w[0].t->data, *y = must_load(b, variant(b, "{}", as_bf16))->w[0].t->data;
    for (int64_t i = 0; i < hn_count(m->w[0].t); i++) assert_true(fabsf(x[i] - y[i]) <= fabsf(x[i]) / 128);
    hone_model *h = must_load(b, variant(b, "{}", as_f16));
    const float *ln_f = NULL;
    for (int64_t j = 0; j < h->n_w; j++) ln_f = strcmp(h->w[j].t->name, "transformer.ln_f.weight") ? ln_f : h->w[j].t->data;
    assert_true(ln_f && ln_f[0] == 1 && ln_f[1] == 0x1p-24f && ln_f[2] == -2 && ln_f[3] == 65504);
    /* biases that came to life in another program outweigh our flag */
    same_weights(m, must_load(b, variant(b, "{\"hone\": {\"bias\": false}}", NULL)));
}

static void foreign_folders_that_do_not(void **state) {
    box *b = *state;
    const struct {
        const char *over;
        edit_fn edit;
        const char *one, *two, *three;
    } cases[] = {
        { "{\"model_type\": \"mamba\"}", NULL, "mamba", "gpt2", "config.json" },
        { "{\"model_type\": null}", NULL, "no model_type", "config.json", NULL },
        { "{\"n_head\": 5}", NULL, "n_head", "n_embd 24", "config.json" },
        { "{\"n_embd\": -24}", NULL, "n_embd", "-24", "config.json" },
        { "{\"n_layer\": 1e9}", NULL, "n_layer", "config.json", NULL },
        { "{\"vocab_size\": 2000000000}", NULL, "transformer.wte.weight", "2000000000,24", "65,24" },
        { "{\"n_layer\": 1000, \"n_embd\": 65536}", NULL, "transformer.wte.weight", "shape", "model.safetensors" },
        { "{\"activation_function\": \"relu\"}", NULL, "activation_function", "relu", "gelu_new" },
        { "{\"scale_attn_by_inverse_layer_idx\": true}", NULL, "scale_attn_by_inverse_layer_idx", "true", NULL },
        { "{\"resid_pdrop\": 7}", NULL, "resid_pdrop", "7", NULL },
        { "{\"tie_word_embeddings\": false}", NULL, "lm_head.weight", "missing", NULL },
        { "{}", lacks_one, "transformer.h.1.ln_2.weight", "missing", "model.safetensors" },
        { "{}", has_more, "transformer.h.2.ln_1.weight", "no place", "model.safetensors" },
        { "{}", turned, "transformer.h.0.mlp.c_fc.weight", "(24,96)", "(96,24)" },
        { "{}", has_nan, "transformer.wpe.weight", "NaN at element 7", "model.safetensors" },
        { "{}", whole_numbers, "transformer.wpe.weight", "F32, F16 or BF16", NULL },
    };
    for (int64_t i = 0; i < HN_LEN(cases); i++) {
        const char *dir = variant(b, cases[i].over, cases[i].edit);
        int64_t before = hn_memory_live(b->job);
        assert_null(hone_model_load(b->job, dir));
        assert_true(hn_memory_live(b->job) - before < 8 << 20);
        told(b->job, HONE_E_MODEL, cases[i].one, cases[i].two, cases[i].three);
    }
    assert_null(hone_model_load(b->job, at(b->a, "nowhere")));
    told(b->job, HONE_E_MODEL, "no such file or folder", "nowhere", NULL);
    assert_null(hone_model_load(b->job, "tests/golden"));
    told(b->job, HONE_E_MODEL, "tests/golden", "config.json", NULL);
    const char *dir = variant(b, "{}", NULL);
    assert_true(hn_file_write(b->a, hn_path_join(b->a, dir, "config.json"), "{\"n_embd\": ", 11));
    assert_null(hone_model_load(b->job, dir));
    told(b->job, HONE_E_MODEL, "JSON", "config.json:1", NULL);
    assert_true(hn_remove_tree(b->a, dir));
}

static void a_vocabulary_larger_than_the_embedding_is_refused(void **state) {
    box *b = *state;
    const char *dir = at(b->a, "vocab");
    hone_model *m = make(b, 1, 8, false, true, 300);
    m->tok = hn_tokenizer_train(b->a, "byte", NULL, NULL);
    assert_non_null(m->tok);
    assert_true(hone_model_save(b->job, m, dir));
    assert_int_equal(must_load(b, dir)->tok->vocab, m->tok->vocab);
    hone_model *small = make(b, 1, 8, false, true, 20);
    small->tok = m->tok;
    assert_true(hone_model_save(b->job, small, dir));
    assert_null(hone_model_load(b->job, dir));
    told(b->job, HONE_E_MODEL, "tokenizer", "20", "another model");
}

static void shards_are_read_by_their_index(void **state) {
    box *b = *state;
    hn_arena *a = b->a;
    hn_st st;
    hn_bytes config;
    assert_true(hn_mkdirs(a, at(a, "shards")) && hn_st_open(a, golden(a, "gpt2_tiny/model.safetensors"), &st));
    assert_true(hn_file_read(a, golden(a, "gpt2_tiny/config.json"), 1 << 20, &config) &&
                hn_file_write(a, at(a, "shards/config.json"), config.p, config.n));
    assert_true(hn_st_write(a, at(a, "shards/a.safetensors"), st.v, 10, NULL) &&
                hn_st_write(a, at(a, "shards/b.safetensors"), st.v + 10, st.n - 10, NULL));
    json_t *map = hn_json_own(a, json_object());
    for (int64_t i = 0; i < st.n; i++) hn_json_put(a, map, st.v[i].name, json_string(i < 10 ? "a.safetensors" : "b.safetensors"));
    const char *text = hn_fmt(a, "{\"metadata\": {}, \"weight_map\": %s}", hn_json_text(a, map, false)),
               *index = at(a, "shards/model.safetensors.index.json");
    assert_true(hn_file_write(a, index, text, (int64_t)strlen(text)));
    same_weights(must_load(b, golden(a, "gpt2_tiny")), must_load(b, at(a, "shards")));
    hn_json_put(a, map, "transformer.nonsense", json_string("b.safetensors"));
    text = hn_fmt(a, "{\"weight_map\": %s}", hn_json_text(a, map, false));
    assert_true(hn_file_write(a, index, text, (int64_t)strlen(text)));
    assert_null(hone_model_load(b->job, at(a, "shards")));
    told(b->job, HONE_E_MODEL, "transformer.nonsense", "b.safetensors", "missing");
    text = "{\"weight_map\": {\"w\": \"../a.safetensors\"}}";
    assert_true(hn_file_write(a, index, text, (int64_t)strlen(text)));
    assert_null(hone_model_load(b->job, at(a, "shards")));
    told(b->job, HONE_E_MODEL, "index.json", "no file of this folder", NULL);
}

static void heads_must_divide_the_width(void **state) {
    box *b = *state;
    shape s;
    hn_params_defaults(b->a, hn_arch_gpt2.item.params, hn_arch_gpt2.item.n_params, &s);
    assert_true(s.layers == 4 && s.heads == 4 && s.width == 128 && s.context == 64 && !s.bias && s.tied && s.dropout == 0);
    s.heads = 3;
    assert_null(hn_model_new(b->a, &hn_arch_gpt2, &s, 65, true));
    told(b->job, HONE_E_VALUE, "model.heads", "heads 3", "129");
    s.heads = 4;
    hone_model *m = hn_model_new(b->a, &hn_arch_gpt2, &s, 65, true);
    assert_non_null(m);
    assert_int_equal(hn_model_count(m), 65 * 128 + 64 * 128 + 4 * (2 * 128 + 12 * 128 * 128) + 128);
    assert_null(m->w[0].t->data);
}

static int before_all(void **state) {
    (void)state;
    (void)mkdir("build", 0777);
    return mkdtemp(root) ? 0 : -1;
}
static int after_all(void **state) {
    (void)state;
    hone_job *job = hone_open(NULL);
    int bad = !hn_remove_tree(hn_job_arena(job), root);
    hone_close(job);
    return bad;
}

int main(void) {
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(golden_with_biases),
        T(golden_without_biases),
        T(cached_decoding_equals_the_full_forward),
        T(initial_numbers_are_shared_by_wider_and_deeper_nets),
        T(saved_and_loaded_weights_are_equal_to_the_bit),
        T(a_failed_save_leaves_the_old_model),
        T(memory_refused_while_loading_harms_nothing),
        T(foreign_folders_that_load),
        T(foreign_folders_that_do_not),
        T(a_vocabulary_larger_than_the_embedding_is_refused),
        T(shards_are_read_by_their_index),
        T(heads_must_divide_the_width),
    };
    return cmocka_run_group_tests(tests, before_all, after_all);
}
