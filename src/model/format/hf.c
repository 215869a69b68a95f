/* hf.c - a Hugging Face folder: config.json, model.safetensors (or shards with an index), tokenizer.json.
 *
 * Loading believes nothing: the model is first laid out without memory, every tensor is found and its size checked against the
 * files, and only then are weights allocated, so a config cannot make us ask for memory that no file pays for. f16 and bf16
 * become f32. Tensors that are neither weights nor known leftovers are refused: they would change what the model computes.
 * Opened for reading alone, matrices stay where the file is mapped, and nothing of them is touched before it is used: opening costs the
 * headers. Copied are vectors, matrices that do not lie at a multiple of their element, and 16 bits where the architecture wants f32.
 *
 * A folder is saved as a whole: model/folder.c.
 * Source: https://huggingface.co/docs/transformers (config.json, sharded checkpoints). */
#include "model/folder.h"
#include <dirent.h>
#include <math.h>
#include <stdio.h>

enum { CONFIG_MAX = 16 << 20, INDEX_MAX = 256 << 20 };

/* ---- reading ---- */

typedef struct {
    const char *dir, *weights;
    hn_st *files;
    const char **paths;
    int64_t n;
} shelf; /* the files that hold tensors */

static bool bad(hn_arena *a, const char *where, const char *what, const char *hint) {
    return HN_FAIL(a, HONE_E_MODEL, .what = what, .where = where, .hint = hint);
}

static json_t *read_object(hn_arena *a, const char *path, int64_t max) {
    hn_bytes text;
    json_t *v = hn_file_read(a, path, max, &text) ? hn_json_parse(a, path, text.p, text.n, HONE_E_MODEL) : NULL;
    if (v && !json_is_object(v)) {
        (void)bad(a, path, "the file holds no JSON object", "fetch or write the model again");
        return NULL;
    }
    return v;
}

static bool open_file(hn_arena *a, shelf *s, const char *name) {
    for (int64_t i = 0; i < s->n; i++)
        if (!strcmp(hn_path_base(s->paths[i]), name)) return true;
    s->paths[s->n] = hn_path_join(a, s->dir, name);
    return hn_st_open(a, s->paths[s->n], &s->files[s->n]) && ++s->n;
}

static bool open_shards(hn_arena *a, shelf *s, const char *path) {
    json_t *index = read_object(a, path, INDEX_MAX), *map = json_object_get(index, "weight_map"), *file;
    const char *name;
    if (!index) return false;
    if (!json_is_object(map) || !json_object_size(map)) return bad(a, path, "the index has no weight_map", "fetch the model again");
    s->files = hn_new_n(a, hn_st, (int64_t)json_object_size(map));
    s->paths = hn_new_n(a, const char *, (int64_t)json_object_size(map));
    json_object_foreach(map, name, file) {
        const char *f = json_string_value(file);
        if (!f || !*f || strchr(f, '/') || !strcmp(f, "..") || strlen(f) != json_string_length(file))
            return bad(a, path, hn_fmt(a, "the weight_map names no file of this folder for '%s'", name), "fetch the model again");
        if (!open_file(a, s, f)) return false;
        if (!hn_st_find(&s->files[s->n - 1], name)) {
            bool found = false;
            for (int64_t i = 0; i < s->n && !found; i++) found = hn_st_find(&s->files[i], name);
            if (!found)
                return bad(a, hn_path_join(a, s->dir, f), hn_fmt(a, "tensor '%s' is missing, though the index puts it here", name),
                           "fetch the model again");
        }
    }
    return true;
}

static bool open_all(hn_arena *a, shelf *s, const char *dir) {
    const char *one = hn_path_join(a, dir, "model.safetensors"), *index = hn_path_join(a, dir, "model.safetensors.index.json");
    *s = (shelf){ .dir = dir, .weights = one };
    if (!hn_path_exists(one) && hn_path_exists(index)) {
        s->weights = index;
        return open_shards(a, s, index);
    }
    if (!hn_path_exists(one))
        return bad(a, one, "the folder has config.json but no model.safetensors",
                   hn_path_exists(hn_path_join(a, dir, "pytorch_model.bin"))
                       ? "pytorch_model.bin can run code and is not read; save it as safetensors"
                       : "fetch the whole model");
    s->files = hn_new(a, hn_st);
    s->paths = hn_new(a, const char *);
    return open_file(a, s, "model.safetensors");
}

/* By its full name, or without the architecture's prefix. */
static const hn_st_tensor *find(const shelf *s, const hn_arch *arch, const char *name, const char **path) {
    size_t n = arch->prefix ? strlen(arch->prefix) : 0;
    const char *bare = n && !strncmp(name, arch->prefix, n) ? name + n : NULL;
    for (int64_t i = 0; i < s->n; i++) {
        const hn_st_tensor *t = hn_st_find(&s->files[i], name);
        if (!t && bare) t = hn_st_find(&s->files[i], bare);
        *path = s->paths[i];
        if (t) return t;
    }
    *path = s->weights;
    return NULL;
}

static const char *shape_text(hn_arena *a, int dims, const int64_t *shape) {
    hn_buf b = { 0 };
    for (int i = 0; i < dims; i++) hn_buf_fmt(a, &b, "%s%lld", i ? "," : "", (long long)shape[i]);
    return hn_buf_str(a, &b);
}

static bool check_shape(hn_arena *a, const shelf *s, const hn_arch *arch, const char *name, int dims, const int64_t *shape, bool may_lack) {
    const char *path;
    const hn_st_tensor *t = find(s, arch, name, &path);
    if (!t)
        return may_lack ||
               bad(a, path, hn_fmt(a, "tensor '%s' is missing", name), "the file does not belong to this config.json; fetch both again");
    if (t->dims != dims || (dims && memcmp(t->shape, shape, (size_t)dims * sizeof *shape)))
        return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "tensor '%s' does not fit config.json", name), .where = path,
                       .wanted = hn_fmt(a, "shape (%s)", shape_text(a, dims, shape)),
                       .found = hn_fmt(a, "(%s)", shape_text(a, t->dims, t->shape)),
                       .hint = "the file does not belong to this config.json; fetch both again");
    if (t->dtype != HONE_F32 && t->dtype != HONE_F16 && t->dtype != HONE_BF16)
        return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "tensor '%s' has numbers that hone does not read", name), .where = path,
                       .wanted = "F32, F16 or BF16", .hint = "save the model with one of those");
    return true;
}

static bool fill(hn_arena *a, const shelf *s, const hn_arch *arch, hone_tensor *w) {
    const char *path;
    const hn_st_tensor *t = find(s, arch, w->name, &path);
    float *out = w->data;
    for (int64_t i = 0; i < hn_count(w); i++) {
        out[i] = hn_st_number(t, i);
        if (!isfinite(out[i]))
            return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "tensor '%s' holds a number that is not finite", w->name), .where = path,
                           .found = hn_fmt(a, "%s at element %lld", isnan(out[i]) ? "NaN" : "infinity", (long long)i),
                           .hint = "its training went wrong; take an earlier checkpoint");
    }
    return true;
}

static bool all_zero(const hn_st_tensor *t) {
    int64_t width = hone_dtype_bytes(t->dtype);
    for (int64_t i = 0; width && i < t->bytes / width; i++)
        if (hn_st_number(t, i) != 0) return false;
    return true;
}

/* Every tensor in the files must be a weight, an absent one's zeros, a tied head's copy, or known to be without meaning. */
static bool check_extra(hn_arena *a, const shelf *s, const hone_model *m, const hn_absent *absent, int64_t n_absent) {
    hn_map *known = hn_map_new(a);
    size_t cut = m->arch->prefix ? strlen(m->arch->prefix) : 0;
    for (int64_t j = 0; j < m->n_w + n_absent; j++) {
        const char *name = j < m->n_w ? m->w[j].t->name : absent[j - m->n_w].name;
        hn_map_put(known, name, (int64_t)strlen(name), 1);
        if (cut && !strncmp(name, m->arch->prefix, cut)) hn_map_put(known, name + cut, (int64_t)strlen(name + cut), 1);
    }
    for (int64_t i = 0; i < s->n; i++)
        for (int64_t k = 0; k < s->files[i].n; k++) {
            const char *name = s->files[i].v[k].name;
            int64_t seen;
            if (!hn_map_get(known, name, (int64_t)strlen(name), &seen) && strcmp(name, "lm_head.weight") &&
                !(m->arch->ignored && m->arch->ignored(name)))
                return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "tensor '%s' has no place in this model", name), .where = s->paths[i],
                               .wanted = hn_fmt(a, "the tensors of %s with %lld layers", m->arch->item.name, (long long)m->layers),
                               .hint = "the file does not belong to this config.json, or is of another architecture");
        }
    return true;
}

/* The model laid out without memory and compared with the files. again: an absent tensor has content, so "hone" in config is out of date.
 */
static hone_model *lay_out(hn_arena *a, const shelf *s, const hn_arch *arch, const json_t *config, const char *where, bool *again) {
    hone_model *m = hn_new(a, hone_model);
    *m = (hone_model){ .a = a, .arch = arch, .null_storage = true };
    m->params = hn_alloc(a, 1, arch->item.size, 16);
    hn_params_defaults(a, arch->item.params, arch->item.n_params, m->params);
    if (!arch->config_read(m, config, where) || !arch->build(m)) return NULL;
    hn_absent *absent = NULL;
    int64_t n_absent = arch->absent ? arch->absent(a, m, &absent) : 0;
    for (int64_t j = 0; j < m->n_w; j++)
        if (!check_shape(a, s, arch, m->w[j].t->name, m->w[j].t->dims, m->w[j].t->shape, false)) return NULL;
    *again = false;
    for (int64_t j = 0; j < n_absent; j++) {
        const char *path;
        const hn_st_tensor *t = find(s, arch, absent[j].name, &path);
        if (!check_shape(a, s, arch, absent[j].name, absent[j].dims, absent[j].shape, true)) return NULL;
        *again |= t && !all_zero(t);
    }
    return check_extra(a, s, m, absent, n_absent) ? m : NULL;
}

static const hn_arch *arch_of(hn_arena *a, const json_t *config, const char *where) {
    const char *type = json_string_value(json_object_get(config, "model_type"));
    hn_buf known = { 0 };
    for (int64_t i = 0; i < hn_kind_arch.n; i++) {
        const hn_arch *arch = (const hn_arch *)hn_kind_arch.items[i];
        if (type && hn_arch_is(arch, type)) return arch;
        hn_buf_fmt(a, &known, "%s%s", i ? ", " : "", arch->hf_type);
        for (const char *const *also = arch->hf_also; also && *also; also++) hn_buf_fmt(a, &known, ", %s", *also);
    }
    (void)HN_FAIL(a, HONE_E_MODEL, .what = type ? hn_fmt(a, "model_type '%s' is unknown here", type) : "config.json has no model_type",
                  .where = where, .wanted = hn_buf_str(a, &known), .hint = "only these architectures can be loaded");
    return NULL;
}

/* A weight without memory gets what the file holds: itself, where that will do. */
static bool put_in_place(hn_arena *a, const shelf *s, const hn_arch *arch, hone_tensor *w) {
    const char *path;
    const hn_st_tensor *t = find(s, arch, w->name, &path);
    bool fits = t->dtype == HONE_F32 || arch->reads_narrow, aligned = (uintptr_t)t->p % (uintptr_t)hone_dtype_bytes(t->dtype) == 0;
    if (w->dims == 2 && fits && aligned) {
        w->dtype = t->dtype;
        w->data = (void *)(uintptr_t)t->p;
        return true;
    }
    hn_weight_store(a, w);
    return fill(a, s, arch, w);
}

typedef enum { NUMBERS, NO_NUMBERS, IN_PLACE } opening;
static hone_model *open_folder(hn_arena *a, const char *dir, opening how) {
    hn_arena *scratch = hn_arena_new(a);
    const char *where = hn_path_join(scratch, dir, "config.json"), *tokens = hn_path_join(scratch, dir, "tokenizer.json");
    json_t *config = read_object(a, where, CONFIG_MAX);
    const hn_arch *arch = config ? arch_of(scratch, config, where) : NULL;
    hone_model *m = NULL, *plan = NULL;
    shelf s;
    bool again = false;
    if (how == IN_PLACE && arch && arch->logits) how = NUMBERS; /* that arch has tensors of its own beside the weights */
    if (arch && open_all(how == IN_PLACE ? a : scratch, &s, dir)) plan = lay_out(scratch, &s, arch, config, where, &again);
    if (plan && again) {
        hn_log(a, "%s: the tensors that \"hone\" in config.json calls absent are there; all of them are used", dir);
        (void)json_object_del(config, "hone");
        plan = lay_out(scratch, &s, arch, config, where, &again);
    }
    if (plan && (m = hn_model_new(a, arch, plan->params, plan->vocab, how != NUMBERS)))
        for (int64_t j = 0; m && how != NO_NUMBERS && j < m->n_w; j++)
            if (!(how == NUMBERS ? fill : put_in_place)(a, &s, arch, m->w[j].t)) m = NULL;
    if (m) {
        m->null_storage = how == NO_NUMBERS;
        const char *generation = hn_path_join(scratch, dir, "generation_config.json");
        m->config = config;
        m->metadata = s.n && s.files[0].metadata ? hn_json_own(a, json_deep_copy(s.files[0].metadata)) : NULL;
        if (hn_path_exists(generation) && !(m->generation = read_object(a, generation, CONFIG_MAX))) m = NULL;
    }
    if (m) {
        if (hn_tokenizer_is_in(scratch, dir) && !(m->tok = hn_tokenizer_load(a, dir))) m = NULL;
    }
    if (m && m->tok && m->tok->vocab > m->vocab) {
        (void)HN_FAIL(a, HONE_E_MODEL, .what = "the tokenizer has more tokens than the model", .where = tokens,
                      .wanted = hn_fmt(a, "at most %lld (vocab_size in config.json)", (long long)m->vocab),
                      .found = hn_fmt(a, "%lld", (long long)m->tok->vocab), .hint = "the tokenizer belongs to another model");
        m = NULL;
    }
    hn_arena_free(scratch);
    return m;
}

static hone_model *load(hn_arena *a, const char *dir) { return open_folder(a, dir, NUMBERS); }
static hone_model *look(hn_arena *a, const char *dir) { return open_folder(a, dir, NO_NUMBERS); }
static hone_model *read_only(hn_arena *a, const char *dir) { return open_folder(a, dir, IN_PLACE); }

/* ---- writing ---- */

static bool write_json(hn_arena *a, const char *dir, const char *name, const json_t *v) {
    hn_buf b = { 0 };
    hn_buf_fmt(a, &b, "%s\n", hn_json_text(a, v, true));
    return hn_file_write(a, hn_path_join(a, dir, name), b.v, b.n);
}

/* What is written, and how. */
typedef struct { const hone_model *m; hn_save how; } writing;
static const int64_t SHARD_BYTES = 5000000000; /* as transformers' max_shard_size */

/* A weight's numbers as they go into the file. */
static bool narrow(hn_arena *a, const hone_tensor *w, hone_dtype dtype, hn_st_tensor *t) {
    if (dtype == HONE_F32) return true;
    int64_t n = hn_count(w);
    const float *x = w->data;
    uint16_t *y = hn_new_n(a, uint16_t, n);
    for (int64_t i = 0; i < n; i++) {
        y[i] = hn_st_narrow(x[i], dtype);
        if (dtype == HONE_F16 && (y[i] & 0x7fff) == 0x7c00 && isfinite(x[i]))
            return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "tensor '%s' holds a number that f16 cannot", w->name), .wanted = "at most 65504",
                           .found = hn_fmt(a, "%g at element %lld", (double)x[i], (long long)i), .hint = "take bf16 or f32");
    }
    t->dtype = dtype;
    t->p = (const uint8_t *)y;
    t->bytes = n * 2;
    return true;
}

static int64_t tensors_of(hn_arena *a, const hone_model *m, hn_st_tensor **out) {
    hn_absent *absent = NULL;
    int64_t n_absent = m->arch->absent ? m->arch->absent(a, m, &absent) : 0, zeros = 0, n = 0;
    hn_st_tensor *v = *out = hn_new_n(a, hn_st_tensor, m->n_w + n_absent);
    for (int64_t j = 0; j < m->n_w; j++, n++) {
        const hone_tensor *w = m->w[j].t;
        v[n] = (hn_st_tensor){ .name = w->name, .dtype = HONE_F32, .dims = w->dims, .p = w->data, .bytes = hn_count(w) * 4 };
        memcpy(v[n].shape, w->shape, sizeof v[n].shape);
    }
    for (int64_t j = 0; j < n_absent; j++, n++) {
        v[n] = (hn_st_tensor){ .name = absent[j].name, .dtype = HONE_F32, .dims = absent[j].dims, .bytes = 4 };
        for (int d = 0; d < v[n].dims; d++) v[n].bytes *= v[n].shape[d] = absent[j].shape[d];
        zeros = HN_MAX(zeros, v[n].bytes);
    }
    const uint8_t *nothing = hn_alloc(a, zeros + 1, 1, 8);
    for (int64_t j = m->n_w; j < n; j++) v[j].p = nothing;
    return n;
}

/* In the order of the weights, a new file where the next tensor would make it too large: (n) first tensors of the files. */
static int64_t shards_of(hn_arena *a, const hn_st_tensor *v, int64_t n, const hn_save *how, int64_t **first) {
    int64_t most = how->shard_bytes > 0 ? how->shard_bytes : SHARD_BYTES, at = 0, files = 0, narrow_by = how->dtype == HONE_F32 ? 1 : 2;
    *first = hn_new_n(a, int64_t, n + 1);
    for (int64_t j = 0; j < n; j++) {
        int64_t bytes = v[j].bytes / narrow_by;
        if (!j || at + bytes > most) (*first)[files++] = j, at = 0;
        at += bytes;
    }
    (*first)[files] = n;
    return files;
}

static const char *shard_name(hn_arena *a, int64_t i, int64_t files) {
    return files == 1 ? "model.safetensors" : hn_fmt(a, "model-%05lld-of-%05lld.safetensors", (long long)i + 1, (long long)files);
}

static bool write_weights(hn_arena *a, const writing *w, const char *dir) {
    const hone_model *m = w->m;
    hn_st_tensor *v;
    int64_t n = tensors_of(a, m, &v), *first, files = shards_of(a, v, n, &w->how, &first), total = 0;
    json_t *metadata = hn_json_own(a, m->metadata ? json_deep_copy(m->metadata) : json_object()), *places = hn_json_own(a, json_object());
    hn_json_put(a, metadata, "format", json_string("pt"));
    for (int64_t i = 0; i < files; i++) {
        hn_arena *s = hn_arena_new(a);
        bool ok = true;
        for (int64_t j = first[i]; ok && j < first[i + 1]; j++) {
            if (j < m->n_w) ok = narrow(s, m->w[j].t, w->how.dtype, &v[j]);
            else if (w->how.dtype != HONE_F32) v[j].dtype = w->how.dtype, v[j].bytes /= 2;
            total += v[j].bytes;
            hn_json_put(a, places, v[j].name, json_string(shard_name(s, i, files)));
        }
        ok = ok && hn_st_write(s, hn_path_join(s, dir, shard_name(s, i, files)), v + first[i], first[i + 1] - first[i], metadata);
        hn_arena_free(s);
        if (!ok) return false;
    }
    if (files == 1) return true;
    return write_json(a, dir, "model.safetensors.index.json", hn_json_own(a, json_pack("{s:{s:I, s:I}, s:O}", "metadata", "total_size", (json_int_t)total,
                                                                                       "total_parameters", (json_int_t)hn_model_count(m),
                                                                                       "weight_map", places)));
}

static json_t *id_or_null(int32_t id) { return id < 0 ? json_null() : json_integer(id); }

static bool write_config(hn_arena *a, const hone_model *m, const hn_save *how, const char *dir) {
    json_t *config = hn_json_own(a, m->config ? json_deep_copy(m->config) : json_object()), *made = m->arch->config_write(a, m), *v;
    const char *key;
    const char *type = how->dtype == HONE_BF16 ? "bfloat16" : how->dtype == HONE_F16 ? "float16" : "float32";
    bool newer = json_object_get(config, "dtype"); /* the newer name of torch_dtype */
    (void)json_object_del(config, "hone");
    hn_json_put(a, config, "model_type", json_string(m->arch->hf_type));
    json_object_foreach(made, key, v) hn_json_put(a, config, key, json_incref(v));
    hn_json_put(a, config, newer ? "dtype" : "torch_dtype", json_string(type));
    if (newer) (void)json_object_del(config, "torch_dtype");
    json_t *generation = hn_json_own(a, m->generation ? json_deep_copy(m->generation) : json_pack("{s:b}", "_from_model_config", 1));
    if (m->tok || !m->config) {
        hn_json_put(a, config, "bos_token_id", id_or_null(m->tok ? m->tok->bos : -1));
        hn_json_put(a, config, "eos_token_id", id_or_null(m->tok ? m->tok->eos : -1));
    }
    static const char *const both[] = { "bos_token_id", "eos_token_id" };
    for (int64_t i = 0; i < HN_LEN(both); i++)
        if ((v = json_object_get(config, both[i])) && !(m->generation && json_object_get(m->generation, both[i])))
            hn_json_put(a, generation, both[i], json_incref(v));
    return write_json(a, dir, "generation_config.json", generation) && write_json(a, dir, "config.json", config);
}

static bool fill_folder(hn_arena *a, const char *stage, const void *arg) {
    const writing *w = arg;
    return write_weights(a, w, stage) && (!w->m->tok || hn_tokenizer_save(a, w->m->tok, stage)) && write_config(a, w->m, &w->how, stage);
}

static void add_name(hn_arena *a, hn_strs *names, const char *name) {
    const char **v = hn_new_n(a, const char *, names->n + 1);
    for (int64_t i = 0; i < names->n; i++) v[i] = names->v[i];
    v[names->n++] = hn_strdup(a, name);
    names->v = v;
}

/* The shards that an older model left in dir are ours too, and go with it. */
static void old_shards(hn_arena *a, const char *dir, hn_strs *names) {
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));) {
        int part, of, n = 0;
        if (sscanf(e->d_name, "model-%5d-of-%5d.safetensors%n", &part, &of, &n) == 2 && n && !e->d_name[n]) add_name(a, names, e->d_name);
    }
    if (d) closedir(d);
}

/* The config goes last: without it the folder is no model. */
static bool save(hn_arena *parent, const hone_model *m, const char *path, const hn_save *how) {
    static const char *const first[] = { "model.safetensors", "model.safetensors.index.json", "generation_config.json", "tokenizer.json",
                                         "tokenizer_config.json", "chat_template.jinja" };
    if (!hn_model_is_one(parent, m, "written as one Hugging Face model")) return false;
    hn_arena *a = hn_arena_new(parent);
    writing w = { .m = m, .how = *how };
    hn_st_tensor *v;
    int64_t n = tensors_of(a, m, &v), *starts, files = shards_of(a, v, n, how, &starts);
    hn_strs names = { 0 };
    if (hn_path_is_dir(path)) old_shards(a, path, &names);
    for (int64_t i = 0; files > 1 && i < files; i++) {
        bool there = false;
        for (int64_t k = 0; k < names.n; k++) there |= !strcmp(names.v[k], shard_name(a, i, files));
        if (!there) add_name(a, &names, shard_name(a, i, files));
    }
    for (int64_t i = 0; i < HN_LEN(first); i++) add_name(a, &names, first[i]);
    add_name(a, &names, "config.json");
    bool ok = hn_folder_replace(a, path, &names, fill_folder, &w);
    hn_arena_free(a);
    return ok;
}

static bool detect(const char *path) {
    char config[4096];
    return hn_path_is_dir(path) && snprintf(config, sizeof config, "%s/config.json", path) < (int)sizeof config && hn_path_exists(config);
}

const hn_format hn_format_hf = { HN_ITEM0("hf", "Hugging Face folder with safetensors", "https://huggingface.co/docs/transformers"),
                                 .detect = detect, .load = load, .look = look, .read = read_only, .save = save };
