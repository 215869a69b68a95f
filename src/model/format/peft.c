/* peft.c - an adapter as the PEFT library keeps it: adapter_config.json and adapter_model.safetensors.
 *
 * The tensors say which maps are adapted and with which ranks; the config gives scale, dropout and the base model. Names are those of
 * the base in transformers, "base_model.model.<module>.lora_A.weight" (r,in) and lora_B (out,r), also for maps stored (in,out). What
 * would change results in a way that is not LoRA's (DoRA, biases, embeddings, initialisations that alter the base) is refused by
 * name. The base is opened by base_model_name_or_path, as a path from here or from the adapter's folder; it may be an adapter itself.
 * A tokenizer in the folder comes before the base's. Source: huggingface.co/docs/peft (checkpoint format), version 0.21. */
#include "model/peft.h"
#include "model/config.h"
#include "model/folder.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CONFIG_MAX = 16 << 20, NAMES_MAX = 100000, DEPTH = 8 };
static const char config_name[] = "adapter_config.json", weights_name[] = "adapter_model.safetensors";
static const char head[] = "base_model.model.";

/* ---- adapter_config.json ---- */

/* Keys whose content would make it something else than low-rank additions to linear maps. */
static const char *const must_be_off[] = { "use_dora", "lora_bias", "layer_replication", "modules_to_save", "trainable_token_indices",
                                           "target_parameters", "use_qalora", "use_bdlora", "alora_invocation_tokens", "arrow_config" };

static bool is_off(const json_t *v) {
    return !v || json_is_null(v) || json_is_false(v) || (json_is_array(v) && !json_array_size(v)) || (json_is_object(v) && !json_object_size(v));
}

static bool read_targets(const hn_config *c, hn_strs *out) {
    const json_t *v = json_object_get(c->v, "target_modules");
    if (is_off(v)) return true;
    bool list = json_is_array(v);
    int64_t n = list ? (int64_t)json_array_size(v) : 1;
    if ((!list && !json_is_string(v)) || n > NAMES_MAX) return hn_config_bad(c, "target_modules", "names of modules, or one regular expression");
    *out = (hn_strs){ hn_new_n(c->a, const char *, n + 1), n };
    for (int64_t i = 0; i < n; i++) {
        const json_t *name = list ? json_array_get(v, (size_t)i) : v;
        if (!json_is_string(name)) return hn_config_bad(c, "target_modules", "names of modules");
        out->v[i] = json_string_value(name);
    }
    return true;
}

static bool read_init(const hn_config *c) {
    static const char *const fine[] = { "gaussian", "eva", "orthogonal" };
    const json_t *v = json_object_get(c->v, "init_lora_weights");
    bool ok = !v || json_is_null(v) || json_is_boolean(v);
    for (int64_t i = 0; !ok && i < HN_LEN(fine); i++) ok = json_is_string(v) && !strcmp(json_string_value(v), fine[i]);
    return ok || hn_config_bad(c, "init_lora_weights", "a beginning that leaves the base model as it is: true, false, gaussian, eva, orthogonal");
}

static bool read_patterns(const hn_config *c, hn_peft *out) {
    const json_t *v = json_object_get(c->v, "alpha_pattern"), *x;
    const char *key;
    if (is_off(v)) return true;
    if (!json_is_object(v) || json_object_size(v) > NAMES_MAX) return hn_config_bad(c, "alpha_pattern", "an object of numbers");
    json_object_foreach((json_t *)v, key, x)
        if (!json_is_number(x) || !(json_number_value(x) > 0 && json_number_value(x) <= 1e6))
            return hn_config_bad(c, "alpha_pattern", "an object of numbers above 0");
    out->alphas = v;
    return true;
}

bool hn_peft_config(hn_arena *a, const char *where, const void *p, int64_t n, hn_peft *out) {
    const json_t *v = hn_json_parse(a, where, p, n, HONE_E_MODEL);
    const hn_config in = { a, "a LoRA adapter", where, v }, *c = &in;
    if (!v) return false;
    if (!json_is_object(v)) return HN_FAIL(a, HONE_E_MODEL, .what = "the file holds no JSON object", .where = where);
    *out = (hn_peft){ .p = { .method = "lora", .rank = 8, .alpha = 8 }, .base = "" };
    const char *base = json_string_value(json_object_get(v, "base_model_name_or_path")), *type = json_string_value(json_object_get(v, "peft_type"));
    if (!type) return hn_config_bad(c, "peft_type", "LORA"); /* without it, it is no adapter's config */
    if (base) out->base = base;
    for (int64_t i = 0; i < HN_LEN(must_be_off); i++)
        if (!is_off(json_object_get(v, must_be_off[i])))
            return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "the adapter uses '%s', which hone does not know", must_be_off[i]), .where = where,
                           .found = hn_json_text(a, json_object_get(v, must_be_off[i]), false),
                           .hint = "merge it into its base model with the library that made it");
    return hn_config_is(c, "peft_type", "LORA", NULL) && hn_config_is(c, "bias", "none", NULL) && read_init(c) &&
           hn_config_some(c, "r", 1 << 20, &out->p.rank) && hn_config_real(c, "lora_alpha", 1e-9, 1e6, &out->p.alpha) &&
           hn_config_real(c, "lora_dropout", 0, 0.999, &out->p.dropout) && hn_config_bool(c, "use_rslora", &out->p.rslora) &&
           read_targets(c, &out->p.targets) && read_patterns(c, out);
}

static bool read_config(hn_arena *a, const char *dir, hn_peft *out) {
    const char *where = hn_path_join(a, dir, config_name);
    hn_bytes text;
    if (!hn_file_read(a, where, CONFIG_MAX, &text) || !hn_peft_config(a, where, text.p, text.n, out)) return false;
    out->dir = hn_strdup(a, dir);
    return true;
}

bool hn_peft_open(hn_arena *a, const char *dir, hn_peft *out) {
    if (!read_config(a, dir, out)) return false;
    out->weights = hn_path_join(a, dir, weights_name);
    if (!hn_path_exists(out->weights))
        return HN_FAIL(a, HONE_E_MODEL, .what = "the folder has adapter_config.json but no adapter_model.safetensors", .where = out->weights,
                       .hint = hn_path_exists(hn_path_join(a, dir, "adapter_model.bin"))
                                   ? "adapter_model.bin can run code and is not read; save it as safetensors"
                                   : "fetch the whole adapter");
    return hn_st_open(a, out->weights, &out->tensors);
}

bool hn_is_peft(const char *dir) {
    char path[4096];
    static const char *const models[] = { "model.safetensors", "model.safetensors.index.json" };
    if (!hn_path_is_dir(dir) || snprintf(path, sizeof path, "%s/%s", dir, config_name) >= (int)sizeof path || !hn_path_exists(path)) return false;
    for (int64_t i = 0; i < HN_LEN(models); i++)
        if (snprintf(path, sizeof path, "%s/%s", dir, models[i]) >= (int)sizeof path || hn_path_exists(path)) return false;
    return true;
}

/* ---- its tensors on a model ---- */

/* The module that a tensor belongs to, and which factor it is: 'A', 'B', or 0 for something else. */
static char parse_name(hn_arena *a, const char *name, const char **module) {
    static const struct {
        const char *tail;
        char factor;
    } tails[] = { { ".lora_A.weight", 'A' }, { ".lora_B.weight", 'B' }, { ".lora_A.default.weight", 'A' }, { ".lora_B.default.weight", 'B' } };
    if (!strncmp(name, head, sizeof head - 1)) name += sizeof head - 1;
    for (int64_t i = 0; i < HN_LEN(tails); i++) {
        size_t n = strlen(name), k = strlen(tails[i].tail);
        if (n <= k || strcmp(name + n - k, tails[i].tail)) continue;
        *module = hn_strndup(a, name, (int64_t)(n - k));
        return tails[i].factor;
    }
    return 0;
}

typedef struct {
    const hn_st_tensor *a, *b;
} pair;

static bool misfit(hn_arena *a, const hn_peft *f, const char *tensor, const char *what, const char *wanted, const char *found) {
    return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "tensor '%s' %s", tensor, what), .where = f->weights, .wanted = wanted, .found = found,
                   .hint = *f->base ? hn_fmt(a, "the adapter was made for %s: give it that model", f->base) : "the adapter was made for another model");
}

/* Each tensor finds its weight by the module's name, in full or without the architecture's prefix. */
static bool sort_out(hn_arena *a, const hone_model *m, const hn_peft *f, pair *of) {
    hn_map *maps = hn_map_new(a);
    const char *prefix = m->arch->prefix ? m->arch->prefix : "";
    size_t cut = strlen(prefix);
    for (int64_t j = 0; j < m->n_w; j++) {
        if (!hn_is_map(&m->w[j])) continue;
        const char *name = hn_module_name(a, &m->w[j]);
        hn_map_put(maps, name, (int64_t)strlen(name), j);
        if (cut && !strncmp(name, prefix, cut)) hn_map_put(maps, name + cut, (int64_t)strlen(name + cut), j);
    }
    for (int64_t i = 0; i < f->tensors.n; i++) {
        const hn_st_tensor *t = &f->tensors.v[i];
        const char *module = "";
        int64_t j;
        char which = parse_name(a, t->name, &module);
        if (!which) return misfit(a, f, t->name, "is no factor of a linear map", "names that end in lora_A.weight or lora_B.weight", NULL);
        if (!hn_map_get(maps, module, (int64_t)strlen(module), &j))
            return misfit(a, f, t->name, "has no place in this model",
                          hn_fmt(a, "the linear maps of %s with %lld layers", m->arch->item.name, (long long)m->layers), NULL);
        const hn_st_tensor **slot = which == 'A' ? &of[j].a : &of[j].b;
        if (*slot) return misfit(a, f, t->name, "is there twice", NULL, NULL);
        *slot = t;
    }
    return true;
}

static bool check_pair(hn_arena *a, const hn_weight *w, const hn_peft *f, const pair *p) {
    int64_t in = w->t->shape[w->transposed ? 0 : 1], out = w->t->shape[w->transposed ? 1 : 0];
    const hn_st_tensor *A = p->a, *B = p->b;
    if (!A || !B) return misfit(a, f, (A ? A : B)->name, "is alone", "both factors, lora_A and lora_B", NULL);
    int64_t r = A->dims == 2 ? A->shape[0] : 0;
    const struct {
        const hn_st_tensor *t;
        int64_t rows, cols;
    } v[] = { { A, r, in }, { B, out, r } };
    for (int64_t i = 0; i < HN_LEN(v); i++) {
        const hn_st_tensor *t = v[i].t;
        if (t->dims != 2 || r < 1 || t->shape[0] != v[i].rows || t->shape[1] != v[i].cols)
            return misfit(a, f, t->name, hn_fmt(a, "does not fit %s", w->t->name), hn_fmt(a, "shape (%lld,%lld)", (long long)v[i].rows, (long long)v[i].cols),
                          t->dims == 2 ? hn_fmt(a, "(%lld,%lld)", (long long)t->shape[0], (long long)t->shape[1]) : hn_fmt(a, "%d dimensions", t->dims));
        if (t->dtype != HONE_F32 && t->dtype != HONE_F16 && t->dtype != HONE_BF16)
            return misfit(a, f, t->name, "has numbers that hone does not read", "F32, F16 or BF16", NULL);
    }
    return true;
}

/* PEFT's rule: the first pattern that matches the end of the module's name from a dot on. */
static bool alpha_of(hn_arena *a, const hn_peft *f, const char *module, double *alpha) {
    const char *key;
    json_t *x;
    *alpha = f->p.alpha;
    if (!f->alphas) return true;
    json_object_foreach((json_t *)f->alphas, key, x) {
        bool yes;
        if (!hn_whole_match(a, hn_fmt(a, "(?:.*\\.)?(?:%s)", key), module, config_name, HONE_E_MODEL, &yes)) return false;
        if (!yes) continue;
        *alpha = json_number_value(x);
        return true;
    }
    return true;
}

static bool fill(hn_arena *a, const hn_peft *f, hone_tensor *to, const hn_st_tensor *from) {
    float *v = to->data;
    for (int64_t i = 0; v && i < hn_count(to); i++) {
        v[i] = hn_st_number(from, i);
        if (!isfinite(v[i])) return misfit(a, f, from->name, "holds a number that is not finite", NULL, hn_fmt(a, "at element %lld", (long long)i));
    }
    return true;
}

static bool attach(hn_arena *a, hone_model *m, const hn_peft *f) {
    pair *of = hn_new_n(a, pair, m->n_w + 1);
    hn_adapted *maps = hn_new_n(a, hn_adapted, m->n_w + 1);
    int64_t n = 0;
    if (!sort_out(a, m, f, of)) return false;
    for (int64_t j = 0; j < m->n_w; j++) {
        if (!of[j].a && !of[j].b) continue;
        maps[n].weight = j;
        if (!check_pair(a, &m->w[j], f, &of[j]) || !alpha_of(a, f, hn_module_name(a, &m->w[j]), &maps[n].alpha)) return false;
        maps[n++].rank = of[j].a->shape[0];
    }
    if (!n) return HN_FAIL(a, HONE_E_MODEL, .what = "the adapter holds no tensors", .where = f->weights, .hint = "fetch the adapter again");
    hn_adapter *d = hn_adapter_new(m, &f->p, f->base, maps, n);
    for (int64_t i = 0; i < n; i++)
        if (!fill(a, f, d->map[i].a, of[maps[i].weight].a) || !fill(a, f, d->map[i].b, of[maps[i].weight].b)) return false;
    return true;
}

static bool take_tokenizer(hone_model *m, const char *dir) {
    const char *file = hn_path_join(m->a, dir, "tokenizer.json");
    if (!hn_path_exists(file)) return true;
    if (!(m->tok = hn_tokenizer_load(m->a, dir))) return false;
    return m->tok->vocab <= m->vocab ||
           HN_FAIL(m->a, HONE_E_MODEL, .what = "the adapter's tokenizer has more tokens than the model", .where = file,
                   .wanted = hn_fmt(m->a, "at most %lld", (long long)m->vocab), .found = hn_fmt(m->a, "%lld", (long long)m->tok->vocab));
}

bool hn_peft_attach(hone_model *m, const char *dir) {
    hn_arena *a = hn_arena_new(m->a);
    hn_peft f;
    bool ok = hn_peft_open(a, dir, &f) && attach(a, m, &f) && take_tokenizer(m, dir);
    hn_arena_free(a);
    return ok;
}

/* ---- a folder as a model: its base, and the adapter on it ---- */

static const char *base_of(hn_arena *a, const hn_peft *f) {
    const char *beside = hn_path_join(a, f->dir, f->base);
    if (*f->base && hn_path_exists(f->base)) return f->base;
    if (*f->base && *f->base != '/' && hn_path_exists(beside)) return beside;
    (void)HN_FAIL(a, HONE_E_MODEL, .what = *f->base ? hn_fmt(a, "the adapter's base model '%s' is not here", f->base) : "the adapter names no base model",
                  .where = hn_path_join(a, f->dir, config_name),
                  .hint = "put that model's path under base_model_name_or_path, or merge: hone merge MODEL --adapter DIR --out DIR");
    return NULL;
}

static hone_model *open_chain(hn_arena *a, const char *dir, hone_model *(*open)(hn_arena *a, const char *path)) {
    hn_arena *s = hn_arena_new(a);
    const char *chain[DEPTH] = { dir };
    int n = 0;
    hone_model *m = NULL;
    for (hn_peft f; hn_is_peft(chain[n]);) {
        const char *base = read_config(s, chain[n], &f) ? base_of(s, &f) : NULL;
        if (!base) return NULL;
        if (++n == DEPTH) {
            (void)HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(s, "more than %d adapters stand on each other", DEPTH - 1),
                          .where = hn_path_join(s, dir, config_name),
                          .hint = "base_model_name_or_path must lead to a model");
            return NULL;
        }
        chain[n] = base;
    }
    m = open(a, chain[n]);
    while (m && n-- > 0)
        if (!hn_peft_attach(m, chain[n])) m = NULL;
    hn_arena_free(s);
    return m;
}
static hone_model *load(hn_arena *a, const char *dir) { return open_chain(a, dir, hn_model_load); }
static hone_model *read_only(hn_arena *a, const char *dir) { return open_chain(a, dir, hn_model_read); }

/* ---- writing ---- */

static json_t *number(double x) { return x == floor(x) && fabs(x) < 1e9 ? json_integer((json_int_t)x) : json_real(x); }
static const char *last_part(const char *name) { return strrchr(name, '.') ? strrchr(name, '.') + 1 : name; }

/* The ends of the adapted modules' names, or the whole names where an end would take in others too. */
static json_t *target_names(hn_arena *a, const hone_model *m) {
    hn_map *ends = hn_map_new(a), *whole = hn_map_new(a);
    bool exact = true;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t j = 0; j < m->n_w; j++) {
            if (!hn_is_map(&m->w[j])) continue;
            const char *name = hn_module_name(a, &m->w[j]), *end = last_part(name);
            bool adapted = false;
            int64_t seen;
            for (int64_t i = 0; i < m->adapter->n_w / 2 && !adapted; i++) adapted = m->w[j].t->lora == &m->adapter->map[i];
            if (!pass && adapted) hn_map_put(ends, end, (int64_t)strlen(end), 1), hn_map_put(whole, name, (int64_t)strlen(name), 1);
            if (pass && !adapted) exact &= !hn_map_get(ends, end, (int64_t)strlen(end), &seen);
        }
    json_t *out = hn_json_own(a, json_array());
    hn_bytes key;
    int64_t value;
    for (int64_t i = 0; hn_map_at(exact ? ends : whole, i, &key, &value); i++)
        if (json_array_append_new(out, json_stringn((const char *)key.p, (size_t)key.n))) (void)hn_json_own(a, NULL);
    return out;
}

static const char *module_of(hn_arena *a, const hone_tensor *factor_a) {
    const char *module = "";
    (void)parse_name(a, factor_a->name, &module);
    return module;
}

static bool write_config(hn_arena *a, const hone_model *m, const char *dir) {
    const hn_adapter *d = m->adapter;
    bool turned = false;
    char whole[4096]; /* a path must hold from anywhere */
    const char *base = d->base && hn_path_exists(d->base) && realpath(d->base, whole) ? whole : d->base;
    for (int64_t j = 0; j < m->n_w; j++) turned |= m->w[j].t->lora && m->w[j].transposed;
    json_t *c = hn_json_own(a, json_pack("{s:n,s:s?,s:s,s:b,s:b,s:b,s:n,s:n,s:f,s:n,s:s,s:I,s:n,s:s,s:b,s:b}", "auto_mapping",
                                         "base_model_name_or_path", base, "bias", "none", "fan_in_fan_out", turned, "inference_mode", 1,
                                         "init_lora_weights", 1, "layers_pattern", "layers_to_transform", "lora_dropout", d->p.dropout,
                                         "modules_to_save", "peft_type", "LORA", "r", (json_int_t)d->p.rank, "revision", "task_type",
                                         "CAUSAL_LM", "use_dora", 0, "use_rslora", d->p.rslora));
    hn_json_put(a, c, "lora_alpha", number(d->p.alpha));
    hn_json_put(a, c, "target_modules", json_incref(target_names(a, m)));
    json_t *ranks = hn_json_own(a, json_object()), *alphas = hn_json_own(a, json_object());
    for (int64_t i = 0; i < d->n_w / 2; i++) {
        const char *module = module_of(a, d->map[i].a);
        if (d->map[i].a->shape[0] != d->p.rank) hn_json_put(a, ranks, module, json_integer(d->map[i].a->shape[0]));
        if (d->map[i].alpha != d->p.alpha) hn_json_put(a, alphas, module, number(d->map[i].alpha));
    }
    hn_json_put(a, c, "rank_pattern", json_incref(ranks));
    hn_json_put(a, c, "alpha_pattern", json_incref(alphas));
    hn_buf b = { 0 };
    hn_buf_fmt(a, &b, "%s\n", hn_json_text(a, c, true));
    return hn_file_write(a, hn_path_join(a, dir, config_name), b.v, b.n);
}

static bool write_weights(hn_arena *a, const hn_adapter *d, const char *dir) {
    hn_st_tensor *v = hn_new_n(a, hn_st_tensor, d->n_w + 1);
    for (int64_t j = 0; j < d->n_w; j++) {
        const hone_tensor *w = d->w[j].t;
        v[j] = (hn_st_tensor){ .name = w->name, .dtype = HONE_F32, .dims = 2, .p = w->data, .bytes = hn_count(w) * 4 };
        memcpy(v[j].shape, w->shape, sizeof v[j].shape);
    }
    return hn_st_write(a, hn_path_join(a, dir, weights_name), v, d->n_w, hn_json_own(a, json_pack("{s:s}", "format", "pt")));
}

static bool fill_folder(hn_arena *a, const char *stage, const void *arg) {
    const hone_model *m = arg;
    return write_weights(a, m->adapter, stage) && (!m->tok || hn_tokenizer_save(a, m->tok, stage)) && write_config(a, m, stage);
}

static bool save(hn_arena *a, const hone_model *m, const char *path, const hn_save *how) {
    static const char *names[] = { weights_name, "tokenizer.json", "tokenizer_config.json", "chat_template.jinja", config_name };
    if (!m->adapter) return HN_FAIL(a, HONE_E_MODEL, .what = "the model has no adapter to save", .where = path);
    return hn_folder_replace(a, path, &(hn_strs){ names, HN_LEN(names) }, fill_folder, m);
}

const hn_format hn_format_peft = { HN_ITEM0("peft", "adapter folder of the PEFT library, with its base model", "https://huggingface.co/docs/peft"),
                                   .detect = hn_is_peft, .load = load, .read = read_only, .save = save };
