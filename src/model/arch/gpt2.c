/* gpt2.c - GPT-2: learned positions, pre-norm blocks of causal attention and a gelu MLP, head tied to the embedding or not.
 *
 *     x = wte[ids] + wpe[pos]
 *     x = x + c_proj(attention(c_attn(ln_1(x))));   x = x + c_proj(gelu(c_fc(ln_2(x))))         L times
 *     hidden = ln_f(x)
 *
 * Weights lie as in the published checkpoints: Conv1D matrices are (in,out). `dropout` acts after the embedding, on the attention
 * probabilities and before each residual add. With bias off (nanoGPT's form) linear maps and layer norms have none; an export
 * writes them as zeros, since transformers requires them, and marks the config with "hone": {"bias": false}.
 * Source: Radford et al. 2019; gelu's tanh form is "gelu_new" there. Defaults: nanoGPT's configuration for a CPU. */
#include "model/config.h"
#include <math.h>

typedef struct {
    int64_t layers, heads, width, context;
    bool bias, tied;
    double dropout, mlp_ratio, eps;
} gpt2;

static const hn_param params[] = {
    HN_PARAM(gpt2, layers, .def = "4", .min = 1, .max = 1024, .search_lo = 1, .search_hi = 12, .doc = "blocks of attention and MLP"),
    HN_PARAM(gpt2, heads, .def = "4", .min = 1, .max = 1024, .doc = "attention heads; must divide width"),
    HN_PARAM(gpt2, width, .def = "128", .min = 1, .max = 65536, .search_lo = 64, .search_hi = 512, .scale = HN_LOG,
             .doc = "channels of the residual stream"),
    HN_PARAM(gpt2, context, .def = "64", .min = 1, .max = 1048576, .unit = "tokens", .doc = "longest text seen at once"),
    HN_PARAM(gpt2, bias, .def = "false", .doc = "biases in linear maps and layer norms"),
    HN_PARAM(gpt2, tied, .def = "true", .doc = "the head is the token embedding"),
    HN_PARAM(gpt2, dropout, .def = "0", .min = 0, .max = 0.95, .search_lo = 0, .search_hi = 0.3,
             .doc = "embedding, attention and residual dropout"),
    HN_PARAM(gpt2, mlp_ratio, .def = "4", .min = 0.01, .max = 64, .doc = "width of the MLP over width"),
    HN_PARAM(gpt2, eps, .def = "1e-5", .min = 1e-12, .max = 1e-2, .doc = "epsilon of the layer norms"),
};

typedef struct {
    hone_tensor *w, *b;
} affine; /* b is NULL without bias */
typedef struct {
    affine ln_1, c_attn, attn_proj, ln_2, c_fc, mlp_proj;
    const char *attn_scope, *mlp_scope;
} block;
typedef struct {
    hone_tensor *wte, *wpe;
    block *h;
    affine ln_f;
} table;

static int64_t hidden(const gpt2 *p) { return HN_MAX(llround(p->mlp_ratio * (double)p->width), 1); }

static hone_tensor *weight(hone_model *m, const char *name, int dims, int64_t rows, int64_t cols, hn_init init, bool transposed) {
    const int64_t matrix[] = {rows, cols}, vector[] = {cols};
    hone_tensor *t = hn_weight_new(m->a, hn_strdup(m->a, name), dims, dims == 2 ? matrix : vector, m->null_storage);
    m->w[m->n_w++] = (hn_weight){.t = t, .init = init, .decay = dims == 2, .transposed = transposed};
    return t;
}

/* A linear map (rows > 0) or a layer norm (rows 0) of the name "transformer.<part>". */
static affine affine_new(hone_model *m, const char *part, int64_t rows, int64_t cols, hn_init init) {
    affine f = {0};
    f.w = weight(m, hn_fmt(m->a, "transformer.%s.weight", part), rows ? 2 : 1, rows, cols, init, rows > 0);
    if (((const gpt2 *)m->params)->bias) f.b = weight(m, hn_fmt(m->a, "transformer.%s.bias", part), 1, 0, cols, HN_INIT_ZEROS, false);
    return f;
}

static bool build(hone_model *m) {
    const gpt2 *p = m->params;
    int64_t C = p->width, F = hidden(p);
    if (C % p->heads)
        return HN_FAIL(m->a, HONE_E_VALUE, .what = "model.heads must divide model.width", .wanted = "width / heads without remainder",
                       .found = hn_fmt(m->a, "width %lld, heads %lld", (long long)C, (long long)p->heads),
                       .hint = hn_fmt(m->a, "take model.width=%lld", (long long)((C / p->heads + 1) * p->heads)));
    if (m->vocab < 1) return HN_FAIL(m->a, HONE_E_VALUE, .what = "the vocabulary is empty", .hint = "give the model a tokenizer or data");
    m->context = p->context;
    m->width = m->kv_width = C;
    m->layers = p->layers;
    m->w = hn_new_n(m->a, hn_weight, p->layers * 12 + 5);
    table *own = m->own = hn_new(m->a, table);
    own->wte = weight(m, "transformer.wte.weight", 2, m->vocab, C, HN_INIT_NORMAL, false);
    own->wpe = weight(m, "transformer.wpe.weight", 2, p->context, C, HN_INIT_NORMAL, false);
    m->w[0].outer = m->w[1].outer = true;
    own->h = hn_new_n(m->a, block, p->layers);
    for (int64_t i = 0; i < p->layers; i++) {
        const char *at = hn_fmt(m->a, "h.%lld", (long long)i);
        block *b = &own->h[i];
        b->ln_1 = affine_new(m, hn_fmt(m->a, "%s.ln_1", at), 0, C, HN_INIT_ONES);
        b->c_attn = affine_new(m, hn_fmt(m->a, "%s.attn.c_attn", at), C, 3 * C, HN_INIT_NORMAL);
        m->w[m->n_w - (p->bias ? 2 : 1)].parts = 3;
        b->attn_proj = affine_new(m, hn_fmt(m->a, "%s.attn.c_proj", at), C, C, HN_INIT_RESIDUAL);
        b->ln_2 = affine_new(m, hn_fmt(m->a, "%s.ln_2", at), 0, C, HN_INIT_ONES);
        b->c_fc = affine_new(m, hn_fmt(m->a, "%s.mlp.c_fc", at), C, F, HN_INIT_NORMAL);
        b->mlp_proj = affine_new(m, hn_fmt(m->a, "%s.mlp.c_proj", at), F, C, HN_INIT_RESIDUAL);
        b->attn_scope = hn_fmt(m->a, "%s.attn", at);
        b->mlp_scope = hn_fmt(m->a, "%s.mlp", at);
    }
    own->ln_f = affine_new(m, "ln_f", 0, C, HN_INIT_ONES);
    m->head = p->tied ? own->wte : weight(m, "lm_head.weight", 2, m->vocab, C, HN_INIT_NORMAL, false);
    if (!p->tied) m->w[m->n_w - 1].outer = true;
    return true;
}

static hone_tensor *attend(hone_tape *t, const gpt2 *p, const block *b, int64_t layer, hone_tensor *documents, hone_tensor *x) {
    int64_t C = p->width;
    hn_scope_begin(t, b->attn_scope);
    hone_tensor *a = hone_layernorm(t, x, b->ln_1.w, b->ln_1.b, (float)p->eps);
    hone_tensor *qkv = hn_linear(t, a, b->c_attn.w, b->c_attn.b, true, HONE_ACT_NONE); /* (B,T,3C) */
    hone_tensor *o =
        hone_attention(t, hone_columns(t, qkv, 0, C), hone_columns(t, qkv, C, C), hone_columns(t, qkv, 2 * C, C),
                       &(hone_attention_opts){.heads = p->heads, .causal = true, .documents = documents, .dropout = (float)p->dropout,
                                              .layer = layer});
    o = hn_linear(t, o, b->attn_proj.w, b->attn_proj.b, true, HONE_ACT_NONE);
    x = hone_add(t, x, hone_dropout(t, o, (float)p->dropout));
    hn_scope_end(t);
    return x;
}

static hone_tensor *mlp(hone_tape *t, const gpt2 *p, const block *b, hone_tensor *x) {
    hn_scope_begin(t, b->mlp_scope);
    hone_tensor *a = hone_layernorm(t, x, b->ln_2.w, b->ln_2.b, (float)p->eps);
    a = hn_linear(t, a, b->c_fc.w, b->c_fc.b, true, HONE_ACT_GELU_TANH); /* (B,T,F) */
    a = hn_linear(t, a, b->mlp_proj.w, b->mlp_proj.b, true, HONE_ACT_NONE);
    x = hone_add(t, x, hone_dropout(t, a, (float)p->dropout));
    hn_scope_end(t);
    return x;
}

typedef struct {
    const gpt2 *p;
    const block *b;
    int64_t layer;
    hone_tensor *documents; /* an input of the step: it stays until the tape is wound back */
} layer_args;
static hone_tensor *layer(hone_tape *t, hone_tensor *x, const void *args) {
    const layer_args *l = args;
    return mlp(t, l->p, l->b, attend(t, l->p, l->b, l->layer, l->documents, x));
}

static hone_tensor *forward(hone_tape *t, hone_model *m, const hn_sequence *in) {
    const gpt2 *p = m->params;
    const table *own = m->own;
    hn_block_begin(t);
    hn_scope_begin(t, "embed");
    hone_tensor *x = hone_embedding(t, in->ids, own->wte, in->positions ? NULL : own->wpe); /* (B,T,C) */
    if (in->positions) x = hone_add(t, x, hone_embedding(t, in->positions, own->wpe, NULL));
    x = hone_dropout(t, x, (float)p->dropout);
    hn_scope_end(t);
    for (int64_t i = 0; i < p->layers; i++) {
        layer_args args = {p, &own->h[i], m->first_layer + i, in->documents};
        x = hn_model_layer(t, m, layer, x, &args, sizeof args);
    }
    hn_scope_begin(t, "ln_f");
    x = hone_layernorm(t, x, own->ln_f.w, own->ln_f.b, (float)p->eps);
    hn_scope_end(t);
    return hn_block_end(t, x);
}

static void sharpen(hone_model *m, double by) {
    const affine *f = &((const table *)m->own)->ln_f;
    for (int64_t i = 0; i < m->width; i++) {
        ((float *)f->w->data)[i] *= (float)by;
        if (f->b) ((float *)f->b->data)[i] *= (float)by;
    }
}

/* ---- config.json ---- */

static bool config_read(hone_model *m, const json_t *config, const char *where) {
    const hn_config in = { m->a, "gpt2", where, config }, *c = &in;
    gpt2 *p = m->params;
    int64_t inner = 0;
    double drop[3] = { 0.1, 0.1, 0.1 }; /* the published defaults where config.json is silent */
    if (!hn_config_size(c, "n_layer", 1024, &p->layers) || !hn_config_size(c, "n_head", 1024, &p->heads) ||
        !hn_config_size(c, "n_embd", 65536, &p->width) || !hn_config_size(c, "n_positions", 1048576, &p->context) ||
        !hn_config_size(c, "vocab_size", INT32_MAX, &m->vocab) || !hn_config_some(c, "n_inner", 1 << 24, &inner))
        return false;
    if (p->width % p->heads) return hn_config_bad(c, "n_head", hn_fmt(m->a, "a divisor of n_embd %lld", (long long)p->width));
    p->mlp_ratio = inner ? (double)inner / (double)p->width : 4;
    p->eps = 1e-5;
    if (!hn_config_real(c, "layer_norm_epsilon", 1e-12, 1e-2, &p->eps) || !hn_config_real(c, "embd_pdrop", 0, 0.95, &drop[0]) ||
        !hn_config_real(c, "attn_pdrop", 0, 0.95, &drop[1]) || !hn_config_real(c, "resid_pdrop", 0, 0.95, &drop[2]))
        return false;
    p->dropout = drop[2]; /* one value here; the residual's where a foreign config has several */
    if (!hn_config_is(c, "activation_function", "gelu_new", "gelu_pytorch_tanh") || !hn_config_is(c, "scale_attn_weights", "true", NULL) ||
        !hn_config_is(c, "scale_attn_by_inverse_layer_idx", "false", NULL) || !hn_config_is(c, "add_cross_attention", "false", NULL) ||
        !hn_config_is(c, "tie_word_embeddings", "true", "false"))
        return false;
    p->tied = !json_is_false(json_object_get(config, "tie_word_embeddings"));
    p->bias = !json_is_false(json_object_get(json_object_get(config, "hone"), "bias"));
    return true;
}

static json_t *config_write(hn_arena *a, const hone_model *m) {
    const gpt2 *p = m->params;
    json_t *c = hn_json_own(a, json_pack("{s:[s],s:s,s:f,s:s,s:f,s:f,s:f}", "architectures", "GPT2LMHeadModel", "activation_function",
                                         "gelu_new", "layer_norm_epsilon", p->eps, "torch_dtype", "float32", "embd_pdrop", p->dropout,
                                         "attn_pdrop", p->dropout, "resid_pdrop", p->dropout));
    const struct {
        const char *key;
        int64_t value;
    } sizes[] = {{"n_embd", p->width}, {"n_head", p->heads}, {"n_layer", p->layers}, {"n_positions", p->context}, {"vocab_size", m->vocab}};
    for (int64_t i = 0; i < HN_LEN(sizes); i++) hn_json_put(a, c, sizes[i].key, json_integer(sizes[i].value));
    hn_json_put(a, c, "n_inner", hidden(p) == 4 * p->width ? json_null() : json_integer(hidden(p)));
    hn_json_put(a, c, "tie_word_embeddings", json_boolean(p->tied));
    if (!p->bias) hn_json_put(a, c, "hone", json_pack("{s:b}", "bias", 0));
    return c;
}

static int64_t absent(hn_arena *a, const hone_model *m, hn_absent **out) {
    static const char *const parts[] = {"ln_1", "attn.c_attn", "attn.c_proj", "ln_2", "mlp.c_fc", "mlp.c_proj"};
    const gpt2 *p = m->params;
    const int64_t C = p->width, widths[] = {C, 3 * C, C, C, hidden(p), C};
    int64_t n = 0;
    if (p->bias) return 0;
    hn_absent *v = *out = hn_new_n(a, hn_absent, p->layers * HN_LEN(parts) + 1);
    for (int64_t i = 0; i < p->layers; i++)
        for (int64_t k = 0; k < HN_LEN(parts); k++)
            v[n++] = (hn_absent){hn_fmt(a, "transformer.h.%lld.%s.bias", (long long)i, parts[k]), 1, {widths[k]}};
    v[n++] = (hn_absent){"transformer.ln_f.bias", 1, {C}};
    return n;
}

/* Old exports carry each layer's causal mask: "h.0.attn.bias", "h.0.attn.masked_bias". */
static bool ignored(const char *name) {
    size_t n = strlen(name);
    return (n > 10 && !strcmp(name + n - 10, ".attn.bias")) || (n > 17 && !strcmp(name + n - 17, ".attn.masked_bias"));
}

const hn_arch hn_arch_gpt2 = {
    HN_ITEM("gpt2", "GPT-2: learned positions, layer norm, gelu", "Radford et al. 2019", gpt2, params),
    .build = build,
    .forward = forward,
    .sharpen = sharpen,
    .hf_type = "gpt2",
    .config_read = config_read,
    .config_write = config_write,
    .absent = absent,
    .ignored = ignored,
    .prefix = "transformer.",
    .reads_narrow = true,
};
