/* llama_config.c - config.json of the llama family, both ways.
 *
 * Rotary settings stand in "rope_parameters" (transformers 5), or in "rope_theta" and "rope_scaling" (4); both are read, and both
 * written alike. What a key's absence means is the class's default in transformers. Keys that would change what the model computes
 * and that it cannot be are refused; keys that are unknown here stay in the file (format/hf.c). */
#include "model/config.h"
#include "model/llama.h"
#include <math.h>

const char *const hn_llama_scalings[] = { "default", "linear", "dynamic", "llama3", "yarn", NULL };
static const llama_family families[] = {
    { "llama", "LlamaForCausalLM", .may_bias = true, .may_mlp_bias = true },
    { "mistral", "MistralForCausalLM", .may_window = true, .kv_heads = 8, .window = 4096 },
    { "qwen2", "Qwen2ForCausalLM", .qkv_bias = true, .may_window = true, .from_layer = true, .kv_heads = 32 },
    { "qwen3", "Qwen3ForCausalLM", .qk_norm = true, .may_bias = true, .may_window = true, .from_layer = true, .kv_heads = 32,
      .head_size = 128 },
};
const llama_family *hn_llama_family(const llama *p) {
    for (int64_t i = 0; i < HN_LEN(families); i++)
        if (!strcmp(p->family, families[i].name)) return &families[i];
    return NULL;
}

/* ---- reading ---- */

static bool read_rope(const hn_config *c, llama *p) {
    const json_t *both = json_object_get(c->v, "rope_parameters"), *old = json_object_get(c->v, "rope_scaling");
    hn_config r = *c;
    r.v = json_is_object(both) ? both : json_is_object(old) ? old : c->v; /* the last: only rope_theta can be there */
    if (both && !json_is_object(both) && !json_is_null(both)) return hn_config_bad(c, "rope_parameters", "an object");
    if (old && !json_is_object(old) && !json_is_null(old)) return hn_config_bad(c, "rope_scaling", "an object or null");
    const char *key = json_object_get(r.v, "rope_type") || r.v == c->v ? "rope_type" : "type", *kind = "default";
    if (r.v != c->v && json_object_get(r.v, key)) kind = json_string_value(json_object_get(r.v, key));
    p->rope_scaling = NULL;
    for (int64_t i = 0; kind && hn_llama_scalings[i]; i++)
        if (!strcmp(kind, hn_llama_scalings[i])) p->rope_scaling = hn_llama_scalings[i];
    if (!p->rope_scaling) return hn_config_bad(&r, key, "default, linear, dynamic, llama3 or yarn");
    p->rope_base = 10000;
    if (!hn_config_real(c, "rope_theta", 1.0001, 1e12, &p->rope_base) || !hn_config_real(&r, "rope_theta", 1.0001, 1e12, &p->rope_base))
        return false;
    double part = 1, mscale = 0, all_dim = 0;
    if (!hn_config_real(c, "partial_rotary_factor", 0, 1, &part) || !hn_config_real(&r, "partial_rotary_factor", 0, 1, &part)) return false;
    if (part != 1) return hn_config_bad(&r, "partial_rotary_factor", "1");
    p->rope_factor = 1, p->rope_low = 1, p->rope_high = 4, p->rope_fast = 32, p->rope_slow = 1, p->rope_attention = 0, p->rope_original = 0;
    if (r.v == c->v || !strcmp(p->rope_scaling, "default")) return true;
    if (!hn_config_real(&r, "factor", 1, 1e6, &p->rope_factor) ||
        !hn_config_some(&r, "original_max_position_embeddings", 1 << 20, &p->rope_original) ||
        !hn_config_real(&r, "low_freq_factor", 1e-6, 1e6, &p->rope_low) ||
        !hn_config_real(&r, "high_freq_factor", 1e-6, 1e6, &p->rope_high) || !hn_config_real(&r, "beta_fast", 1e-6, 1e6, &p->rope_fast) ||
        !hn_config_real(&r, "beta_slow", 1e-6, 1e6, &p->rope_slow) ||
        !hn_config_real(&r, "attention_factor", 1e-3, 1e3, &p->rope_attention) || !hn_config_real(&r, "mscale", 0, 1e3, &mscale) ||
        !hn_config_real(&r, "mscale_all_dim", 0, 1e3, &all_dim) || !hn_config_is(&r, "truncate", "true", NULL))
        return false;
    if (!strcmp(p->rope_scaling, "llama3") && !(p->rope_high > p->rope_low))
        return hn_config_bad(&r, "high_freq_factor", "more than low_freq_factor");
    if (strcmp(p->rope_scaling, "yarn") != 0) return true;
    if (!(p->rope_fast >= p->rope_slow)) return hn_config_bad(&r, "beta_fast", "no less than beta_slow");
    if (mscale > 0 && all_dim > 0 && p->rope_attention == 0)
        p->rope_attention = (0.1 * mscale * log(p->rope_factor) + 1) / (0.1 * all_dim * log(p->rope_factor) + 1);
    return true;
}

/* The layers that look through a window: none, or all from one layer on. */
static bool read_window(const hn_config *c, const llama_family *f, llama *p) {
    const json_t *types = json_object_get(c->v, "layer_types");
    bool use = !f->from_layer;
    p->window = !json_object_get(c->v, "sliding_window") ? f->window : 0;
    p->window_from = 0;
    if (!f->may_window) return true;
    if (f->from_layer && !hn_config_bool(c, "use_sliding_window", &use)) return false;
    if (use && !hn_config_some(c, "sliding_window", 1 << 20, &p->window)) return false;
    if (!use || !p->window) p->window = 0;
    else if (f->from_layer) {
        p->window_from = 28; /* the class's default */
        const json_t *from = json_object_get(c->v, "max_window_layers");
        if (from && (!json_is_integer(from) || json_integer_value(from) < 0))
            return hn_config_bad(c, "max_window_layers", "a whole number");
        if (from) p->window_from = HN_MIN(json_integer_value(from), 1024);
    }
    if (!types || json_is_null(types)) return true;
    if (!json_is_array(types) || (int64_t)json_array_size(types) != p->layers)
        return hn_config_bad(c, "layer_types", hn_fmt(c->a, "a list of %lld", (long long)p->layers));
    for (int64_t i = 0; i < p->layers; i++) {
        const char *want = p->window && i >= p->window_from ? "sliding_attention" : "full_attention",
                   *type = json_string_value(json_array_get(types, (size_t)i));
        if (!type || strcmp(type, want) != 0) return hn_config_bad(c, "layer_types", hn_fmt(c->a, "%s for layer %lld", want, (long long)i));
    }
    return true;
}

bool hn_llama_config_read(hone_model *m, const json_t *config, const char *where) {
    const hn_config in = { m->a, "llama", where, config }, *c = &in;
    llama *p = m->params;
    p->family = json_string_value(json_object_get(config, "model_type"));
    const llama_family *f = p->family ? hn_llama_family(p) : NULL;
    if (!f) return hn_config_bad(c, "model_type", "llama, mistral, qwen2 or qwen3");
    p->family = f->name;
    p->kv_heads = json_object_get(config, "num_key_value_heads") ? 0 : f->kv_heads;
    p->head_size = json_object_get(config, "head_dim") ? 0 : f->head_size;
    p->eps = 1e-6;
    p->dropout = 0;
    p->tied = p->attention_bias = p->mlp_bias = false;
    if (!hn_config_size(c, "num_hidden_layers", 1024, &p->layers) || !hn_config_size(c, "num_attention_heads", 1024, &p->heads) ||
        !hn_config_size(c, "hidden_size", 65536, &p->width) || !hn_config_size(c, "intermediate_size", 1 << 24, &p->hidden) ||
        !hn_config_size(c, "max_position_embeddings", 1 << 20, &p->context) || !hn_config_size(c, "vocab_size", INT32_MAX, &m->vocab) ||
        !hn_config_some(c, "num_key_value_heads", 1024, &p->kv_heads) || !hn_config_some(c, "head_dim", 65536, &p->head_size) ||
        !hn_config_real(c, "rms_norm_eps", 1e-12, 1e-2, &p->eps) || !hn_config_real(c, "attention_dropout", 0, 0.95, &p->dropout) ||
        !hn_config_is(c, "hidden_act", "silu", "swish") || !hn_config_bool(c, "tie_word_embeddings", &p->tied))
        return false;
    if (f->may_bias ? !hn_config_bool(c, "attention_bias", &p->attention_bias)
                    : !hn_config_is(c, "attention_bias", f->qkv_bias ? "true" : "false", "false"))
        return false;
    if (f->may_mlp_bias ? !hn_config_bool(c, "mlp_bias", &p->mlp_bias) : !hn_config_is(c, "mlp_bias", "false", NULL)) return false;
    if (p->heads % hn_llama_kv_heads(p))
        return hn_config_bad(c, "num_key_value_heads", hn_fmt(m->a, "a divisor of num_attention_heads %lld", (long long)p->heads));
    if (!p->head_size && p->width % p->heads)
        return hn_config_bad(c, "num_attention_heads", hn_fmt(m->a, "a divisor of hidden_size %lld", (long long)p->width));
    if (hn_llama_head_size(p) % 2) return hn_config_bad(c, "head_dim", "an even number");
    return read_window(c, f, p) && read_rope(c, p) &&
           (strcmp(p->rope_scaling, "dynamic") != 0 || hn_llama_head_size(p) > 2 ||
            hn_config_bad(c, "head_dim", "more than 2 for dynamic rope"));
}

/* ---- writing ---- */

static json_t *rope_object(hn_arena *a, const llama *p, bool theta) {
    json_t *r = hn_json_own(a, json_object());
    bool yarn = !strcmp(p->rope_scaling, "yarn"), llama3 = !strcmp(p->rope_scaling, "llama3");
    hn_json_put(a, r, "rope_type", json_string(p->rope_scaling));
    if (theta) hn_json_put(a, r, "rope_theta", json_real(p->rope_base));
    if (!strcmp(p->rope_scaling, "default")) return r;
    hn_json_put(a, r, "factor", json_real(p->rope_factor));
    if (yarn || llama3)
        hn_json_put(a, r, "original_max_position_embeddings", json_integer(p->rope_original ? p->rope_original : p->context));
    if (llama3)
        hn_json_put(a, r, "low_freq_factor", json_real(p->rope_low)), hn_json_put(a, r, "high_freq_factor", json_real(p->rope_high));
    if (yarn && p->rope_fast != 32) hn_json_put(a, r, "beta_fast", json_real(p->rope_fast));
    if (yarn && p->rope_slow != 1) hn_json_put(a, r, "beta_slow", json_real(p->rope_slow));
    if (yarn && p->rope_attention > 0) hn_json_put(a, r, "attention_factor", json_real(p->rope_attention));
    return r;
}

json_t *hn_llama_config_write(hn_arena *a, const hone_model *m) {
    const llama *p = m->params;
    const llama_family *f = hn_llama_family(p);
    json_t *c = hn_json_own(a, json_pack("{s:s,s:[s],s:s,s:s,s:f,s:f,s:b,s:f}", "model_type", f->name, "architectures", f->class,
                                         "hidden_act", "silu", "torch_dtype", "float32", "rms_norm_eps", p->eps, "attention_dropout",
                                         p->dropout, "tie_word_embeddings", p->tied, "rope_theta", p->rope_base));
    const struct {
        const char *key;
        int64_t value;
    } sizes[] = { { "hidden_size", p->width },
                  { "intermediate_size", hn_llama_hidden(p) },
                  { "num_hidden_layers", p->layers },
                  { "num_attention_heads", p->heads },
                  { "num_key_value_heads", hn_llama_kv_heads(p) },
                  { "head_dim", hn_llama_head_size(p) },
                  { "max_position_embeddings", p->context },
                  { "vocab_size", m->vocab } };
    for (int64_t i = 0; i < HN_LEN(sizes); i++) hn_json_put(a, c, sizes[i].key, json_integer(sizes[i].value));
    hn_json_put(a, c, "rope_parameters", json_incref(rope_object(a, p, true)));
    hn_json_put(a, c, "rope_scaling", strcmp(p->rope_scaling, "default") ? json_incref(rope_object(a, p, false)) : json_null());
    if (f->may_bias) hn_json_put(a, c, "attention_bias", json_boolean(p->attention_bias));
    if (f->may_mlp_bias) hn_json_put(a, c, "mlp_bias", json_boolean(p->mlp_bias));
    if (!f->may_window) return c;
    hn_json_put(a, c, "sliding_window", p->window ? json_integer(p->window) : json_null());
    if (!f->from_layer) return c;
    hn_json_put(a, c, "use_sliding_window", json_boolean(p->window));
    hn_json_put(a, c, "max_window_layers", json_integer(p->window ? p->window_from : p->layers));
    json_t *types = hn_json_own(a, json_array());
    for (int64_t i = 0; i < p->layers; i++)
        if (json_array_append_new(types, json_string(p->window && i >= p->window_from ? "sliding_attention" : "full_attention")))
            (void)hn_json_own(a, NULL);
    hn_json_put(a, c, "layer_types", json_incref(types));
    return c;
}
