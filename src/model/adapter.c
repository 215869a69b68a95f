/* adapter.c - LoRA: a frozen linear map learns by a product of two thin matrices beside it.
 *
 *     y = x·wᵀ + b + s·(dropout(x)·Aᵀ)·Bᵀ        A (r,in), B (out,r), s = α/r, or α/√r with rslora
 *
 * B begins as zeros, so a fresh adapter changes nothing; A begins uniform in ±1/√in, as PEFT's (kaiming_uniform, a = √5). Every
 * model comes here by hn_linear, so an adapter is one for all architectures. Adapters stack: each adds its own product. Merging
 * adds s·B·A to the weight, whichever way that is stored. Only maps between hidden layers can be adapted, neither embedding nor head.
 * Sources: Hu et al. 2021, arXiv:2106.09685; Kalajdzievski 2023, arXiv:2312.03732 (rsLoRA); huggingface.co/docs/peft. */
#include "model/adapter.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <math.h>
#include <pcre2.h>

static const hn_param rows[] = {
    HN_PARAM(hn_adapter_params, method, .def = "none", .choices = "none|lora",
             .doc = "lora: keep the weights of `model` as they are and train low-rank additions to them; out/best is a PEFT folder"),
    HN_PARAM(hn_adapter_params, rank, .def = "8", .min = 1, .max = 65536, .search_lo = 2, .search_hi = 64, .scale = HN_LOG,
             .doc = "rank of each addition"),
    HN_PARAM(hn_adapter_params, alpha, .def = "16", .min = 1e-6, .max = 1e6, .search_lo = 4, .search_hi = 128, .scale = HN_LOG,
             .doc = "the addition is scaled by alpha / rank"),
    HN_PARAM(hn_adapter_params, rslora, .def = "false", .doc = "scale by alpha / √rank, so that a high rank still learns"),
    HN_PARAM(hn_adapter_params, dropout, .def = "0", .min = 0, .max = 0.95, .search_lo = 0, .search_hi = 0.2,
             .doc = "dropout of the addition's input"),
    HN_PARAM(hn_adapter_params, targets, .def = "all-linear",
             .doc = "which linear maps: all-linear, names or their ends (q_proj, v_proj, c_attn), or a regular expression of whole names"),
};
const hn_section hn_section_adapter =
    HN_SECTION("adapter", "low-rank additions to train in place of the model's own weights", hn_adapter_params, rows, .scalar = "method");

const hn_adapter_params *hn_adapter_wanted(hn_arena *a, const hn_settings *s) {
    const char *method = hn_settings_value(a, s, "adapter.method");
    return method && strcmp(method, "none") ? hn_settings_get(s, "adapter") : NULL;
}

/* ---- names ---- */

static const char tail[] = ".weight";
bool hn_is_map(const hn_weight *w) {
    size_t n = strlen(w->t->name), k = sizeof tail - 1;
    return w->t->dims == 2 && !w->outer && n > k && !strcmp(w->t->name + n - k, tail);
}
const char *hn_module_name(hn_arena *a, const hn_weight *w) {
    return hn_strndup(a, w->t->name, (int64_t)(strlen(w->t->name) - (sizeof tail - 1)));
}

static void free_code(void *p) { pcre2_code_free(p); }
static void free_data(void *p) { pcre2_match_data_free(p); }
static void free_context(void *p) { pcre2_match_context_free(p); }
bool hn_whole_match(hn_arena *outer, const char *pattern, const char *name, const char *where, hone_code code, bool *yes) {
    hn_arena *a = hn_arena_new(outer);
    int error = 0;
    PCRE2_SIZE at = 0;
    pcre2_code *compiled = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED, &error, &at, NULL);
    if (!compiled) {
        char message[160];
        pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
        const char *what = hn_fmt(a, "'%s' is no regular expression: %s", pattern, message), *found = hn_fmt(a, "at byte %zu", at);
        bool ok = HN_FAIL(outer, code, .what = what, .where = where, .found = found);
        hn_arena_free(a);
        return ok;
    }
    hn_defer(a, free_code, compiled);
    pcre2_match_data *data = pcre2_match_data_create(1, NULL);
    pcre2_match_context *context = pcre2_match_context_create(NULL);
    if (data) hn_defer(a, free_data, data);
    if (context) {
        hn_defer(a, free_context, context);
        pcre2_set_match_limit(context, 100000);
    }
    *yes = data && context && pcre2_match(compiled, (PCRE2_SPTR)name, PCRE2_ZERO_TERMINATED, 0, 0, data, context) >= 0;
    hn_arena_free(a);
    return true;
}

static bool is_pattern(const char *target) { return strpbrk(target, "*+?()[]{}|\\^$"); }
static bool ends_in(const char *name, const char *part) {
    size_t n = strlen(name), k = strlen(part);
    return n >= k && !strcmp(name + n - k, part) && (n == k || name[n - k - 1] == '.');
}

static bool is_target(hn_arena *a, const hn_strs *targets, const char *name, bool *seen /* by target */, bool *yes) {
    *yes = false;
    for (int64_t i = 0; i < targets->n; i++) {
        bool hit = !strcmp(targets->v[i], "all-linear") || ends_in(name, targets->v[i]);
        if (!hit && is_pattern(targets->v[i]) && !hn_whole_match(a, targets->v[i], name, "adapter.targets", HONE_E_VALUE, &hit)) return false;
        seen[i] |= hit;
        *yes |= hit;
    }
    return true;
}

/* ---- making ---- */

static hn_strs copy_strs(hn_arena *a, const hn_strs *from) {
    hn_strs to = { hn_new_n(a, const char *, from->n + 1), from->n };
    for (int64_t i = 0; i < from->n; i++) to.v[i] = hn_strdup(a, from->v[i]);
    return to;
}

static hone_tensor *factor(hone_model *m, hn_adapter *d, const char *module, char which, int64_t rows_, int64_t cols) {
    const char *name = hn_fmt(m->a, "base_model.model.%s.lora_%c.weight", module, which);
    hone_tensor *t = hn_weight_new(m->a, name, 2, (int64_t[]){ rows_, cols }, m->null_storage);
    d->w[d->n_w++] = (hn_weight){ .t = t, .init = HN_INIT_ZEROS, .decay = true };
    return t;
}

hn_adapter *hn_adapter_new(hone_model *m, const hn_adapter_params *p, const char *base, const hn_adapted *maps, int64_t n) {
    hn_adapter *d = hn_new(m->a, hn_adapter);
    *d = (hn_adapter){ .p = *p, .base = base ? hn_strdup(m->a, base) : NULL, .under = m->adapter };
    d->p.method = "lora";
    d->p.targets = copy_strs(m->a, &p->targets);
    d->w = hn_new_n(m->a, hn_weight, 2 * n + 1);
    d->map = hn_new_n(m->a, hn_lora, n + 1);
    for (int64_t i = 0; i < n; i++) {
        hn_weight *w = &m->w[maps[i].weight];
        int64_t in = w->t->shape[w->transposed ? 0 : 1], out = w->t->shape[w->transposed ? 1 : 0], r = maps[i].rank;
        const char *module = hn_module_name(m->a, w);
        double scale = maps[i].alpha / (p->rslora ? sqrt((double)r) : (double)r);
        d->map[i] = (hn_lora){ .a = factor(m, d, module, 'A', r, in), .b = factor(m, d, module, 'B', out, r),
                               .scale = (float)scale, .alpha = maps[i].alpha, .dropout = (float)p->dropout, .under = w->t->lora };
        w->t->lora = &d->map[i];
    }
    return m->adapter = d;
}

static void begin(hn_adapter *d, uint64_t seed) {
    for (int64_t i = 0; i < d->n_w; i += 2) {
        hone_tensor *t = d->w[i].t;
        float *v = t->data;
        int64_t in = hn_cols(t);
        hn_rng r = hn_rng_new(hn_hash(t->name, (int64_t)strlen(t->name), seed), HN_STREAM_INIT, 0);
        for (int64_t k = 0; v && k < hn_count(t); k++) v[k] = (float)((2 * hn_rng_f64(&r) - 1) / sqrt((double)in));
    }
}

static bool nothing_fits(hn_arena *a, const hone_model *m, const char *target) {
    const char **names = hn_new_n(a, const char *, m->n_w + 1);
    int64_t n = 0;
    for (int64_t j = 0; j < m->n_w; j++)
        if (hn_is_map(&m->w[j])) {
            const char *name = hn_module_name(a, &m->w[j]), *dot = strrchr(name, '.');
            names[n++] = dot ? dot + 1 : name;
        }
    const char *near = hn_nearest(target, names, n);
    return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "adapter.targets: no linear map of this model is named '%s'", target),
                   .wanted = "all-linear, or the end of a name such as q_proj",
                   .hint = near ? hn_fmt(a, "did you mean '%s'?", near) : n ? hn_fmt(a, "one is named '%s'", names[0]) : NULL);
}

bool hn_adapter_add(hone_model *m, const hn_adapter_params *p, const char *base, uint64_t seed) {
    hn_arena *a = hn_arena_new(m->a);
    hn_adapted *maps = hn_new_n(a, hn_adapted, m->n_w + 1);
    bool *seen = hn_new_n(a, bool, p->targets.n + 1);
    int64_t n = 0;
    for (int64_t j = 0; j < m->n_w; j++) {
        bool yes;
        if (!hn_is_map(&m->w[j])) continue;
        if (!is_target(a, &p->targets, hn_module_name(a, &m->w[j]), seen, &yes)) return false;
        if (yes) maps[n++] = (hn_adapted){ j, p->rank, p->alpha };
    }
    for (int64_t i = 0; i < p->targets.n; i++)
        if (!seen[i]) return nothing_fits(a, m, p->targets.v[i]);
    if (!n) return HN_FAIL(a, HONE_E_VALUE, .what = "adapter.targets is empty", .wanted = "all-linear, or names of linear maps");
    begin(hn_adapter_new(m, p, base, maps, n), seed);
    hn_arena_free(a);
    return true;
}

hn_weights hn_model_trained(const hone_model *m) {
    return m->adapter ? (hn_weights){ m->adapter->w, m->adapter->n_w } : (hn_weights){ m->w, m->n_w };
}

/* ---- running ---- */

hone_tensor *hn_linear(hone_tape *t, hone_tensor *x, hone_tensor *w, hone_tensor *b, bool transposed, hone_act act) {
    if (!w->lora) return hone_linear(t, x, w, b, transposed, act);
    hn_block_begin(t); /* of the sums only the last is kept */
    hone_tensor *y = hone_linear(t, x, w, b, transposed, HONE_ACT_NONE);
    for (const hn_lora *l = w->lora; l; l = l->under) {
        hone_tensor *z = hone_linear(t, hone_dropout(t, x, l->dropout), l->a, NULL, false, HONE_ACT_NONE); /* (…,r) */
        y = hone_add(t, y, hone_linear(t, hone_scale(t, z, l->scale), l->b, NULL, false, HONE_ACT_NONE));
    }
    if (act != HONE_ACT_NONE) y = hone_activation(t, y, act);
    return hn_block_end(t, y);
}

/* ---- merging ---- */

static void merge_into(hn_arena *outer, hone_tensor *w, bool transposed, const hn_lora *l) {
    hn_arena *a = hn_arena_new(outer);
    int64_t rows_ = w->shape[0], cols = w->shape[1], r = l->a->shape[0], in = l->a->shape[1];
    const float *A = l->a->data, *B = l->b->data;
    double *sum = hn_new_n(a, double, cols);
    for (int64_t i = 0; i < rows_; i++) {
        float *to = (float *)w->data + i * w->ld;
        for (int64_t k = 0; k < cols; k++) sum[k] = to[k];
        for (int64_t j = 0; j < r; j++) {
            double s = l->scale * (double)(transposed ? A[j * in + i] : B[i * r + j]);
            if (transposed)
                for (int64_t k = 0; k < cols; k++) sum[k] += s * B[k * r + j];
            else
                for (int64_t k = 0; k < cols; k++) sum[k] += s * A[j * in + k];
        }
        for (int64_t k = 0; k < cols; k++) to[k] = (float)sum[k];
    }
    hn_arena_free(a);
}

void hn_model_copy_weights(hone_model *to, const hone_model *from) {
    HN_ASSERT(to->n_w == from->n_w);
    for (int64_t j = 0; j < to->n_w; j++) {
        hone_tensor *w = to->w[j].t;
        const hone_tensor *v = from->w[j].t;
        HN_ASSERT(hn_count(w) == hn_count(v));
        if (!w->data || !v->data) continue;
        memcpy(w->data, v->data, (size_t)hn_count(w) * sizeof(float));
        for (const hn_lora *l = w->lora ? NULL : v->lora; l; l = l->under) merge_into(to->a, w, to->w[j].transposed, l);
    }
}

void hn_model_share_weights(hone_model *to, const hone_model *from) {
    HN_ASSERT(to->n_w == from->n_w);
    for (int64_t j = 0; j < to->n_w; j++) to->w[j].t->data = from->w[j].t->data;
}

hone_model *hn_model_merged(hn_arena *a, hone_model *m) {
    if (!m->adapter) return m;
    hone_model *out = hn_model_new(a, m->arch, m->params, m->vocab, false);
    if (!out) return NULL;
    hn_model_copy_weights(out, m);
    out->tok = m->tok;
    out->config = m->config;
    return out;
}
