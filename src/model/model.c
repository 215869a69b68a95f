/* model.c - a model as a list of weights: made, initialised, copied, counted, and run forward to a loss or to logits.
 *
 * The architecture says which weights there are and how they meet; everything here holds for all of them. */
#include "model/model.h"
#include <math.h>

hone_model *hn_model_new(hn_arena *a, const hn_arch *arch, const void *params, int64_t vocab, bool null_storage) {
    hone_model *m = hn_new(a, hone_model);
    *m = (hone_model){.a = a, .arch = arch, .vocab = vocab, .null_storage = null_storage};
    m->params = hn_alloc(a, 1, arch->item.size, 16);
    memcpy(m->params, params, (size_t)arch->item.size);
    return arch->build(m) ? m : NULL;
}

/* Element (r,c) of a weight depends on (seed, the weight's name, r, c): a wider net begins with the narrow one's numbers in its
 * corner, a deeper one with the same first layers, and a tied head changes nothing else. Standard deviations as GPT-2's. */
void hn_model_init(hone_model *m, uint64_t seed) {
    for (int64_t j = 0; j < m->n_w; j++) {
        const hn_weight *w = &m->w[j];
        float *v = w->t->data;
        int64_t rows = hn_rows(w->t), cols = hn_cols(w->t);
        if (!v) continue;
        uint64_t own = hn_hash(w->t->name, (int64_t)strlen(w->t->name), seed);
        double sd = w->init == HN_INIT_RESIDUAL ? 0.02 / __builtin_sqrt(2.0 * (double)m->layers) : 0.02;
        if (w->init == HN_INIT_NORMAL || w->init == HN_INIT_RESIDUAL)
            for (int64_t r = 0; r < rows; r++) hn_rng_fill_normal(own, HN_STREAM_INIT, (uint32_t)r, v + r * cols, cols, sd);
        else
            for (int64_t i = 0; i < rows * cols; i++) v[i] = w->init == HN_INIT_ONES ? 1.0f : 0.0f;
    }
}

bool hn_arch_is(const hn_arch *arch, const char *hf_type) {
    for (const char *const *also = arch->hf_also; also && *also; also++)
        if (!strcmp(hf_type, *also)) return true;
    return !strcmp(hf_type, arch->hf_type);
}

int64_t hn_model_count(const hone_model *m) {
    int64_t n = 0;
    for (int64_t j = 0; j < m->n_w; j++) n += hn_count(m->w[j].t);
    for (int64_t j = 0; j < m->n_members; j++) n += hn_model_count(m->members[j]);
    for (const hn_adapter *d = m->adapter; d; d = d->under)
        for (int64_t j = 0; j < d->n_w; j++) n += hn_count(d->w[j].t);
    return n;
}

static const hn_weight *weight_named(const hone_model *m, const char *name) {
    for (int64_t j = 0; j < m->n_w; j++)
        if (!strcmp(m->w[j].t->name, name)) return &m->w[j];
    return NULL;
}

int64_t hn_model_warm(hn_arena *a, hone_model *m, const hone_model *from, double share) {
    bool same_tokens = m->tok && from->tok && hn_tokenizer_hash(a, m->tok) == hn_tokenizer_hash(a, from->tok);
    int64_t taken = 0;
    for (int64_t j = 0; j < m->n_w; j++) {
        hone_tensor *to = m->w[j].t;
        const hn_weight *w = weight_named(from, to->name);
        bool fits = w && w->t->dims == to->dims && !memcmp(w->t->shape, to->shape, (size_t)to->dims * sizeof *to->shape);
        bool vocabulary = m->w[j].outer && hn_rows(to) == m->vocab;
        if (!fits || (vocabulary && !same_tokens)) continue;
        float *x = to->data;
        const float *y = w->t->data;
        for (int64_t i = 0, n = hn_count(to); i < n; i++) x[i] = (float)(share * y[i] + (1 - share) * x[i]);
        taken++;
    }
    return taken;
}

hone_tensor *hn_model_layer(hone_tape *t, const hone_model *m, hone_recomputed *fn, hone_tensor *x, const void *args, int64_t bytes) {
    if (m->recompute) return hone_recompute(t, fn, x, args, bytes);
    hn_block_begin(t);
    return hn_block_end(t, fn(t, x, args));
}

static bool refuse_classifier(hone_tape *t) {
    return hn_tape_fail(t, HONE_E_MODEL, &(hn_why){.what = "this model classifies whole texts: it says nothing of what follows a token",
                                                   .hint = "give a language model (gpt2, llama …)"});
}

hone_tensor *hn_model_loss_of(hone_tape *t, hone_model *m, const hn_sequence *in, hone_tensor *targets, const hone_cross_entropy_opts *o) {
    if (in->documents && m->arch->logits) (void)refuse_classifier(t); /* a row is one text to it */
    if (in->documents && m->recompute) hn_tensor_hold(in->documents), hn_tensor_hold(in->positions);
    if (m->members) return hn_ensemble_loss(t, m, in, targets, o);
    hone_tensor *h = m->arch->forward(t, m, in);
    hn_scope_begin(t, "head");
    if (m->arch->loss && targets->dims == 2 && targets->data && o && o->per_token) (void)refuse_classifier(t);
    hone_tensor *loss = m->arch->loss ? m->arch->loss(t, m, h, targets, o) : hone_linear_cross_entropy(t, h, m->head, targets, o);
    hn_scope_end(t);
    return loss;
}

hone_tensor *hn_model_loss(hone_tape *t, hone_model *m, hone_tensor *ids, hone_tensor *targets, const hone_cross_entropy_opts *o) {
    return hn_model_loss_of(t, m, &(hn_sequence){ .ids = ids }, targets, o);
}

hone_tensor *hn_model_classify(hone_tape *t, hone_model *m, hone_tensor *ids) {
    HN_ASSERT(m->arch->logits);
    return m->arch->logits(t, m, m->arch->forward(t, m, &(hn_sequence){ .ids = ids }));
}

bool hn_model_logits(hone_tape *t, hone_model *m, const int32_t *ids, int64_t B, int64_t T, bool all_positions, float *out) {
    if (m->members) return hn_ensemble_logits(t, m, ids, B, T, all_positions, out);
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    if (m->arch->logits) return refuse_classifier(t);
    hone_tensor *h = m->arch->forward(t, m, &(hn_sequence){ .ids = hone_input_i32(t, ids, 2, (int64_t[]){B, T}), .positions = hn_tape_positions(t, B, T) });
    int64_t C = m->width, rows = all_positions ? B * T : B;
    float *v = hone_tensor_f32(h);
    if (!all_positions && v && T > 1) { /* gather the last rows in place: row b*T+T-1 is never before row b */
        for (int64_t b = 0; b < B; b++) memmove(v + b * C, v + (b * T + T - 1) * C, (size_t)C * sizeof(float));
        h = hone_input_f32(t, v, 2, (int64_t[]){B, C});
    }
    hn_scope_begin(t, "head");
    hone_tensor *y = hone_linear(t, h, m->head, NULL, false, HONE_ACT_NONE);
    hn_scope_end(t);
    const float *logits = hone_tensor_f32(y);
    if (hone_ok(t) && logits) memcpy(out, logits, (size_t)(rows * m->vocab) * sizeof(float));
    return hone_ok(t);
}

/* A model with an adapter is saved as the adapter; hn_model_merged makes it a model of its own. */
bool hn_model_save_as(hn_arena *a, const hone_model *m, const char *dir, const hn_save *how) {
    extern const hn_format hn_format_peft, hn_format_ensemble;
    if (m->members) return hn_format_ensemble.save(a, m, dir, how);
    return (m->adapter ? &hn_format_peft : (const hn_format *)hn_kind_format.items[0])->save(a, m, dir, how);
}

bool hn_model_save(hn_arena *a, const hone_model *m, const char *dir) { return hn_model_save_as(a, m, dir, &(hn_save){ .dtype = HONE_F32 }); }

bool hn_model_is_there(const char *path) {
    for (int64_t i = 0; i < hn_kind_format.n; i++)
        if (((const hn_format *)hn_kind_format.items[i])->detect(path)) return true;
    return false;
}

uint64_t hn_model_hash(const hone_model *m) {
    const hn_weights w = hn_model_trained(m);
    uint64_t h = 0;
    for (int64_t i = 0; i < w.n; i++) h = hn_hash(w.v[i].t->data, hn_count(w.v[i].t) * (int64_t)sizeof(float), h);
    return h;
}

void hn_model_sharpen(hone_model *m, double by) {
    for (int64_t i = 0; i < m->n_members; i++) hn_model_sharpen(m->members[i], by);
    if (!m->members) m->arch->sharpen(m, by);
}

typedef enum { LOAD, LOOK, READ } opening;
static hone_model *open_model(hn_arena *a, const char *path, opening how) {
    for (int64_t i = 0; i < hn_kind_format.n; i++) {
        const hn_format *f = (const hn_format *)hn_kind_format.items[i];
        if (!f->detect(path)) continue;
        hone_model *m = how == LOOK && f->look ? f->look(a, path) : how == READ && f->read ? f->read(a, path) : f->load(a, path);
        if (m) m->path = hn_strdup(a, path);
        return m;
    }
    if (hn_path_exists(path))
        (void)HN_FAIL(a, HONE_E_MODEL, .what = "this is not a model", .where = path,
                      .found = hn_path_is_dir(path) ? "a folder without config.json" : "a file",
                      .wanted = "a folder with config.json and model.safetensors",
                      .hint = "give the folder that holds the model, such as OUT/best");
    else (void)hn_no_file(a, HONE_E_MODEL, path);
    return NULL;
}

hone_model *hn_model_load(hn_arena *a, const char *path) { return open_model(a, path, LOAD); }
hone_model *hn_model_look(hn_arena *a, const char *path) { return open_model(a, path, LOOK); }
hone_model *hn_model_read(hn_arena *a, const char *path) { return open_model(a, path, READ); }

/* Exponents of all ones are NaN or infinity. Whole vectors at a time: every number of a large model passes here. */
static bool any_wild(const hone_tensor *w) {
    int64_t n = hn_count(w);
    unsigned wild = 0;
    if (w->dtype == HONE_F32)
        for (int64_t i = 0; i < n; i++) wild |= (((const uint32_t *)w->data)[i] & 0x7f800000) == 0x7f800000;
    else {
        const uint16_t *v = w->data, ones = w->dtype == HONE_BF16 ? 0x7f80 : 0x7c00;
        for (int64_t i = 0; i < n; i++) wild |= (v[i] & ones) == ones;
    }
    return wild;
}
static bool finite_weights(hn_arena *a, const hone_model *m, const hn_weight *w, int64_t n_w) {
    for (int64_t j = 0; j < n_w; j++)
        for (int64_t i = 0, n = w[j].t->data && any_wild(w[j].t) ? hn_count(w[j].t) : 0; i < n; i++) {
            double x = hone_tensor_item(w[j].t, i);
            if (!isfinite(x))
                return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "tensor '%s' holds a number that is not finite", w[j].t->name), .where = m->path,
                               .found = hn_fmt(a, "%s at element %lld", isnan(x) ? "NaN" : "infinity", (long long)i),
                               .hint = "its training went wrong; take an earlier checkpoint");
        }
    return true;
}

bool hn_model_finite(hn_arena *a, const hone_model *m) {
    for (int64_t i = 0; i < m->n_members; i++)
        if (!hn_model_finite(a, m->members[i])) return false;
    for (const hn_adapter *d = m->adapter; d; d = d->under)
        if (!finite_weights(a, m, d->w, d->n_w)) return false;
    return finite_weights(a, m, m->w, m->n_w);
}

void hn_json_put(hn_arena *a, json_t *object, const char *key, json_t *value) {
    if (json_object_set_new(object, key, value)) (void)hn_json_own(a, NULL);
}

/* ---- public ---- */
typedef struct {
    hone_job *job;
    const char *path;
    hone_model *m;
    const hone_model *from;
} door;

static bool load(void *arg) {
    door *d = arg;
    d->m = hn_model_load(hn_job_arena(d->job), d->path);
    return d->m;
}
hone_model *hone_model_load(hone_job *job, const char *path) {
    door d = {job, path, NULL, NULL};
    return hn_try(job, load, &d) ? d.m : NULL;
}

static bool save(void *arg) {
    door *d = arg;
    return hn_model_save(hn_job_arena(d->job), d->from, d->path);
}
bool hone_model_save(hone_job *job, const hone_model *m, const char *path) {
    door d = {job, path, NULL, m};
    return hn_try(job, save, &d);
}

int64_t hone_model_parameters(const hone_model *m) { return hn_model_count(m); }
