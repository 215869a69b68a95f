/* llama.c - the llama family: rotary positions, rms norms, shared keys, a gated MLP; llama, mistral, qwen2, qwen3 by `family`.
 *
 *     x = embed[ids]
 *     q, k, v = rope(q_proj(n)), rope(k_proj(n)), v_proj(n),  n = rmsnorm(x);   x = x + o_proj(attention(q, k, v))
 *     x = x + down_proj(silu(gate_proj(n))·up_proj(n)),  n = rmsnorm(x)                      L times
 *     hidden = rmsnorm(x)
 *
 * qwen2 adds biases to q, k and v; qwen3 norms each head of q and k before rope; mistral (and the qwens from a layer on) sees a window.
 * Weights are separate and named as Hugging Face's, (out,in). `dropout` acts where gpt2's does; published models have none but
 * attention's. Source: Touvron et al. 2023, arXiv:2302.13971, 2307.09288; Jiang et al. 2023, 2310.06825; Yang et al. 2024/25,
 * 2407.10671, 2505.09388. */
#include "model/llama.h"

static const hn_param params[] = {
    HN_PARAM(llama, layers, .def = "4", .min = 1, .max = 1024, .search_lo = 1, .search_hi = 12, .doc = "blocks of attention and MLP"),
    HN_PARAM(llama, heads, .def = "4", .min = 1, .max = 1024, .doc = "attention heads; must divide width"),
    HN_PARAM(llama, kv_heads, .def = "0", .min = 0, .max = 1024, .doc = "heads of keys and values, a divisor of heads; 0: as many"),
    HN_PARAM(llama, head_size, .def = "0", .min = 0, .max = 65536, .doc = "channels of a head, even; 0: width / heads"),
    HN_PARAM(llama, width, .def = "128", .min = 1, .max = 65536, .search_lo = 64, .search_hi = 512, .scale = HN_LOG,
             .doc = "channels of the residual stream"),
    HN_PARAM(llama, hidden, .def = "0", .min = 0, .max = 16777216, .doc = "width of the MLP; 0: 8/3 of width, rounded up to 32"),
    HN_PARAM(llama, context, .def = "64", .min = 1, .max = 1048576, .unit = "tokens", .doc = "longest text seen at once"),
    HN_PARAM(llama, tied, .def = "true", .doc = "the head is the token embedding"),
    HN_PARAM(llama, dropout, .def = "0", .min = 0, .max = 0.95, .search_lo = 0, .search_hi = 0.3,
             .doc = "embedding, attention and residual dropout"),
    HN_PARAM(llama, eps, .def = "1e-5", .min = 1e-12, .max = 1e-2, .doc = "epsilon of the norms"),
    HN_PARAM(llama, family, .def = "llama", .choices = "llama|mistral|qwen2|qwen3", .doc = "whose form it has, and is saved in"),
    HN_PARAM(llama, attention_bias, .def = "false", .doc = "biases in all maps of attention (llama, qwen3); qwen2 always has its own"),
    HN_PARAM(llama, mlp_bias, .def = "false", .doc = "biases in the MLP (llama)"),
    HN_PARAM(llama, window, .def = "0", .min = 0, .max = 1048576, .unit = "tokens",
             .doc = "how far attention looks back (mistral, qwen); 0: all"),
    HN_PARAM(llama, window_from, .def = "0", .min = 0, .max = 1024, .doc = "layers before this one see everything (qwen)"),
    HN_PARAM(llama, rope_base, .def = "10000", .min = 1.0001, .max = 1e12, .scale = HN_LOG, .doc = "base of the rotary frequencies"),
    HN_PARAM(llama, rope_scaling, .def = "default", .choices = "default|linear|dynamic|llama3|yarn",
             .doc = "how the frequencies reach beyond the context of the first training"),
    HN_PARAM(llama, rope_factor, .def = "1", .min = 1, .max = 1e6, .doc = "how many times beyond"),
    HN_PARAM(llama, rope_original, .def = "0", .min = 0, .max = 1048576, .unit = "tokens", .doc = "that context; 0: context"),
    HN_PARAM(llama, rope_low, .def = "1", .min = 1e-6, .max = 1e6, .doc = "llama3: low_freq_factor"),
    HN_PARAM(llama, rope_high, .def = "4", .min = 1e-6, .max = 1e6, .doc = "llama3: high_freq_factor"),
    HN_PARAM(llama, rope_fast, .def = "32", .min = 1e-6, .max = 1e6, .doc = "yarn: beta_fast"),
    HN_PARAM(llama, rope_slow, .def = "1", .min = 1e-6, .max = 1e6, .doc = "yarn: beta_slow"),
    HN_PARAM(llama, rope_attention, .def = "0", .min = 0, .max = 1e3, .doc = "yarn: attention_factor; 0: from rope_factor"),
};

typedef struct {
    hone_tensor *w, *b;
} affine; /* b is NULL without bias */
typedef struct {
    hone_tensor *norm_1, *norm_2, *q_norm, *k_norm;
    affine q, k, v, o, gate, up, down;
    int64_t window;
    const char *attn_scope, *mlp_scope;
} block;
typedef struct {
    hone_tensor *embed, *norm;
    block *h;
    hone_rope_opts rope;
} table;

static hone_tensor *weight(hone_model *m, const char *name, int dims, int64_t rows, int64_t cols, hn_init init) {
    const int64_t matrix[] = { rows, cols }, vector[] = { cols };
    hone_tensor *t = hn_weight_new(m->a, hn_strdup(m->a, name), dims, dims == 2 ? matrix : vector, m->null_storage);
    m->w[m->n_w++] = (hn_weight){ .t = t, .init = init, .decay = dims == 2 };
    return t;
}
static hone_tensor *norm_new(hone_model *m, const char *at, const char *part, int64_t cols) {
    return weight(m, hn_fmt(m->a, "%s.%s.weight", at, part), 1, 0, cols, HN_INIT_ONES);
}
static affine affine_new(hone_model *m, const char *at, const char *part, int64_t in, int64_t out, bool bias, hn_init init) {
    affine f = { weight(m, hn_fmt(m->a, "%s.%s_proj.weight", at, part), 2, out, in, init), NULL };
    if (bias) f.b = weight(m, hn_fmt(m->a, "%s.%s_proj.bias", at, part), 1, 0, out, HN_INIT_ZEROS);
    return f;
}

static bool wrong(hone_model *m, const char *what, const char *wanted, const char *found) {
    return HN_FAIL(m->a, HONE_E_VALUE, .what = what, .wanted = wanted, .found = found, .hint = "change the model's settings");
}
#define NUMBER(x) hn_fmt(m->a, "%lld", (long long)(x))

/* The shape, and what the family can be. */
static bool check(hone_model *m, const llama *p, const llama_family *f) {
    if (!p->head_size && p->width % p->heads)
        return HN_FAIL(m->a, HONE_E_VALUE, .what = "model.heads must divide model.width", .wanted = "width / heads without remainder",
                       .found = hn_fmt(m->a, "width %lld, heads %lld", (long long)p->width, (long long)p->heads),
                       .hint = hn_fmt(m->a, "take model.width=%lld", (long long)((p->width / p->heads + 1) * p->heads)));
    if (hn_llama_head_size(p) % 2)
        return wrong(m, "rotary positions turn pairs of channels", "an even head size", NUMBER(hn_llama_head_size(p)));
    if (p->heads % hn_llama_kv_heads(p))
        return wrong(m, "model.kv_heads must divide model.heads", hn_fmt(m->a, "a divisor of %lld", (long long)p->heads),
                     NUMBER(p->kv_heads));
    if (p->attention_bias && !f->may_bias) return wrong(m, "this family has no model.attention_bias", "llama or qwen3", f->name);
    if (p->mlp_bias && !f->may_mlp_bias) return wrong(m, "this family has no model.mlp_bias", "llama", f->name);
    if (p->window && !f->may_window) return wrong(m, "this family has no model.window", "mistral, qwen2 or qwen3", f->name);
    if (p->window_from && !f->from_layer) return wrong(m, "this family has no model.window_from", "qwen2 or qwen3", f->name);
    return m->vocab >= 1 || HN_FAIL(m->a, HONE_E_VALUE, .what = "the vocabulary is empty", .hint = "give the model a tokenizer or data");
}

/* Texts of the settings live as long as those; the model keeps the constants of the same name. */
static bool build(hone_model *m) {
    llama *p = m->params;
    const llama_family *f = hn_llama_family(p);
    int64_t scaling = 0;
    while (hn_llama_scalings[scaling] && strcmp(p->rope_scaling, hn_llama_scalings[scaling])) scaling++;
    if (!f || !hn_llama_scalings[scaling])
        return wrong(m, "unknown model.family or model.rope_scaling", NULL, f ? p->rope_scaling : p->family);
    p->family = f->name;
    p->rope_scaling = hn_llama_scalings[scaling];
    if (!check(m, p, f)) return false;
    int64_t C = p->width, D = hn_llama_head_size(p), Q = p->heads * D, K = hn_llama_kv_heads(p) * D, F = hn_llama_hidden(p);
    bool qkv = f->qkv_bias || p->attention_bias;
    bool dynamic = scaling == HONE_ROPE_DYNAMIC; /* there, context is that of the first training, and the model reads further */
    int64_t original = p->rope_original && !dynamic ? p->rope_original : p->context;
    m->context = dynamic ? (int64_t)HN_MIN((double)p->context * p->rope_factor, 1048576.0) : p->context;
    m->width = C;
    m->kv_width = K;
    m->layers = p->layers;
    m->w = hn_new_n(m->a, hn_weight, p->layers * 18 + 3);
    table *own = m->own = hn_new(m->a, table);
    own->rope = (hone_rope_opts){ .size = D,
                                  .base = p->rope_base,
                                  .scaling = (hone_rope_scaling)scaling,
                                  .factor = p->rope_factor,
                                  .original = original,
                                  .low = p->rope_low,
                                  .high = p->rope_high,
                                  .beta_fast = p->rope_fast,
                                  .beta_slow = p->rope_slow,
                                  .attention = p->rope_attention };
    own->embed = weight(m, "model.embed_tokens.weight", 2, m->vocab, C, HN_INIT_NORMAL);
    m->w[0].outer = true;
    own->h = hn_new_n(m->a, block, p->layers);
    for (int64_t i = 0; i < p->layers; i++) {
        const char *at = hn_fmt(m->a, "model.layers.%lld", (long long)i), *attn = hn_fmt(m->a, "%s.self_attn", at),
                   *mlp = hn_fmt(m->a, "%s.mlp", at);
        block *b = &own->h[i];
        b->norm_1 = norm_new(m, at, "input_layernorm", C);
        b->q = affine_new(m, attn, "q", C, Q, qkv, HN_INIT_NORMAL);
        b->k = affine_new(m, attn, "k", C, K, qkv, HN_INIT_NORMAL);
        b->v = affine_new(m, attn, "v", C, K, qkv, HN_INIT_NORMAL);
        b->o = affine_new(m, attn, "o", Q, C, p->attention_bias, HN_INIT_RESIDUAL);
        if (f->qk_norm) b->q_norm = norm_new(m, attn, "q_norm", D), b->k_norm = norm_new(m, attn, "k_norm", D);
        b->norm_2 = norm_new(m, at, "post_attention_layernorm", C);
        b->gate = affine_new(m, mlp, "gate", C, F, p->mlp_bias, HN_INIT_NORMAL);
        b->up = affine_new(m, mlp, "up", C, F, p->mlp_bias, HN_INIT_NORMAL);
        b->down = affine_new(m, mlp, "down", F, C, p->mlp_bias, HN_INIT_RESIDUAL);
        b->window = i >= p->window_from ? p->window : 0;
        b->attn_scope = hn_fmt(m->a, "layers.%lld.attn", (long long)i);
        b->mlp_scope = hn_fmt(m->a, "layers.%lld.mlp", (long long)i);
    }
    own->norm = norm_new(m, "model", "norm", C);
    m->head = p->tied ? own->embed : weight(m, "lm_head.weight", 2, m->vocab, C, HN_INIT_NORMAL);
    if (!p->tied) m->w[m->n_w - 1].outer = true;
    return true;
}

static hone_tensor *linear(hone_tape *t, hone_tensor *x, affine f) { return hn_linear(t, x, f.w, f.b, false, HONE_ACT_NONE); }

static hone_tensor *attend(hone_tape *t, const llama *p, const block *b, int64_t layer, hone_tensor *turns, hone_tensor *documents,
                           hone_tensor *x) {
    float eps = (float)p->eps;
    int64_t H = p->heads, KV = hn_llama_kv_heads(p);
    hn_scope_begin(t, b->attn_scope);
    hone_tensor *n = hone_rmsnorm(t, x, b->norm_1, eps);
    hone_tensor *q = linear(t, n, b->q), *k = linear(t, n, b->k), *v = linear(t, n, b->v); /* (B,T,H·D), (B,T,KV·D) */
    if (b->q_norm) q = hone_rmsnorm(t, q, b->q_norm, eps), k = hone_rmsnorm(t, k, b->k_norm, eps);
    q = hone_rope(t, q, turns, H, false);
    k = hone_rope(t, k, turns, KV, false);
    hone_tensor *o =
        hone_attention(t, q, k, v,
                       &(hone_attention_opts){
                           .heads = H, .kv_heads = KV, .causal = true, .window = b->window, .documents = documents,
                           .dropout = (float)p->dropout, .layer = layer });
    x = hone_add(t, x, hone_dropout(t, linear(t, o, b->o), (float)p->dropout));
    hn_scope_end(t);
    return x;
}

static hone_tensor *mlp(hone_tape *t, const llama *p, const block *b, hone_tensor *x) {
    hn_scope_begin(t, b->mlp_scope);
    hone_tensor *n = hone_rmsnorm(t, x, b->norm_2, (float)p->eps);
    hone_tensor *a = hone_swiglu(t, linear(t, n, b->gate), linear(t, n, b->up)); /* (B,T,F) */
    x = hone_add(t, x, hone_dropout(t, linear(t, a, b->down), (float)p->dropout));
    hn_scope_end(t);
    return x;
}

typedef struct {
    const llama *p;
    const table *own;
    const block *b;
    int64_t layer, T;
    hone_tensor *documents, *positions; /* inputs of the step: they stay until the tape is wound back */
} layer_args;
/* Angles of the positions 0 … T−1, or of those given: looked up in the same table, but where the frequencies follow the length. */
static hone_tensor *turns_of(hone_tape *t, const layer_args *l) {
    bool follow = l->positions && (l->own->rope.scaling == HONE_ROPE_DYNAMIC || hn_tape_position(t)); /* else all are below T */
    hone_tensor *turns = hone_rope_table(t, follow ? l->positions : NULL, l->T, &l->own->rope);
    return l->positions && !follow ? hone_gather(t, turns, l->positions) : turns;
}
static hone_tensor *layer(hone_tape *t, hone_tensor *x, const void *args) {
    const layer_args *l = args;
    hone_tensor *turns = turns_of(t, l); /* a layer that is run anew uses x and weights alone */
    return mlp(t, l->p, l->b, attend(t, l->p, l->b, l->layer, turns, l->documents, x));
}

static hone_tensor *forward(hone_tape *t, hone_model *m, const hn_sequence *in) {
    const llama *p = m->params;
    const table *own = m->own;
    int64_t T = in->ids->dims == 2 ? in->ids->shape[1] : 0;
    hn_block_begin(t);
    hn_scope_begin(t, "embed");
    if (hn_tape_position(t) + T > m->context) /* nothing else would notice */
        hn_tape_fail(t, HONE_E_SHAPE,
                     &(hn_why){ .what = hn_fmt(hn_tape_arena(t), "%lld tokens after %lld, but the model's context holds %lld", (long long)T,
                                               (long long)hn_tape_position(t), (long long)m->context) });
    hone_tensor *x = hone_dropout(t, hone_embedding(t, in->ids, own->embed, NULL), (float)p->dropout); /* (B,T,C) */
    hn_scope_end(t);
    for (int64_t i = 0; i < p->layers; i++) {
        layer_args args = { p, own, &own->h[i], m->first_layer + i, T, in->documents, in->positions };
        x = hn_model_layer(t, m, layer, x, &args, sizeof args);
    }
    hn_scope_begin(t, "norm");
    x = hone_rmsnorm(t, x, own->norm, (float)p->eps);
    hn_scope_end(t);
    return hn_block_end(t, x);
}

static void sharpen(hone_model *m, double by) {
    float *w = ((const table *)m->own)->norm->data;
    for (int64_t i = 0; i < m->width; i++) w[i] *= (float)by;
}

/* Old exports carry the rotary frequencies: "model.layers.0.self_attn.rotary_emb.inv_freq". */
static bool ignored(const char *name) {
    static const char tail[] = ".rotary_emb.inv_freq";
    size_t n = strlen(name), k = sizeof tail - 1;
    return n > k && !strcmp(name + n - k, tail);
}

static const char *const also[] = { "mistral", "qwen2", "qwen3", NULL };
const hn_arch hn_arch_llama = {
    HN_ITEM("llama", "llama, mistral, qwen2, qwen3: rotary positions, rms norm, gated MLP", "arXiv:2302.13971", llama, params),
    .build = build,
    .forward = forward,
    .sharpen = sharpen,
    .hf_type = "llama",
    .hf_also = also,
    .config_read = hn_llama_config_read,
    .config_write = hn_llama_config_write,
    .ignored = ignored,
    .prefix = "model.",
    .reads_narrow = true,
};
