/* bert.c - BERT with a classifier's head: every token sees every other, a norm after each residual, one answer for a whole text.
 *
 *     x = norm(word[ids] + position[pos] + type[0])
 *     x = norm(x + out(attention(query(x), key(x), value(x))));   x = norm(x + down(gelu(up(x))))         L times
 *     logits = classifier(tanh(pooler(x[first token])))
 *
 * No language model: what follows a token cannot be asked of it. Its loss takes labels (B), or (B,T) as a trainer's batch comes, where a
 * text's label stands at its first token and −1 at the others. All tokens of a text are of type 0, and none is taken for padding: texts
 * of a batch have one length. `dropout` acts on the embedding, the attention probabilities, before each residual add and before the
 * classifier. Weights lie as in transformers' BertForSequenceClassification. Source: Devlin et al. 2019, arXiv:1810.04805. */
#include "model/config.h"

typedef struct {
    int64_t layers, heads, width, context, hidden, types, classes;
    double dropout, eps;
} bert;

static const hn_param params[] = {
    HN_PARAM(bert, layers, .def = "4", .min = 1, .max = 1024, .search_lo = 1, .search_hi = 12, .doc = "blocks of attention and MLP"),
    HN_PARAM(bert, heads, .def = "4", .min = 1, .max = 1024, .doc = "attention heads; must divide width"),
    HN_PARAM(bert, width, .def = "256", .min = 1, .max = 65536, .search_lo = 64, .search_hi = 512, .scale = HN_LOG,
             .doc = "channels of the residual stream"),
    HN_PARAM(bert, context, .def = "512", .min = 1, .max = 1048576, .unit = "tokens", .doc = "longest text seen at once"),
    HN_PARAM(bert, hidden, .def = "0", .min = 0, .max = 1 << 24, .doc = "width of the MLP; 0: four times the width"),
    HN_PARAM(bert, types, .def = "2", .min = 1, .max = 64, .doc = "kinds of text that the published form tells apart"),
    HN_PARAM(bert, classes, .def = "2", .min = 1, .max = 1 << 20, .doc = "labels to choose from"),
    HN_PARAM(bert, dropout, .def = "0", .min = 0, .max = 0.95, .search_lo = 0, .search_hi = 0.3,
             .doc = "embedding, attention, residual and classifier dropout"),
    HN_PARAM(bert, eps, .def = "1e-12", .min = 1e-13, .max = 1e-2, .doc = "epsilon of the layer norms"),
};

typedef struct {
    hone_tensor *w, *b;
} affine;
typedef struct {
    affine query, key, value, out, attn_norm, up, down, mlp_norm;
    const char *scope;
} block;
typedef struct {
    hone_tensor *word, *position, *type;
    affine norm, pooler, classifier;
    block *h;
    hone_tensor *identity; /* (classes,classes), no weight: takes the logits through a loss that wants a product */
} table;

static int64_t hidden(const bert *p) { return p->hidden ? p->hidden : 4 * p->width; }

static hone_tensor *weight(hone_model *m, const char *name, int dims, int64_t rows, int64_t cols, hn_init init) {
    const int64_t matrix[] = {rows, cols}, vector[] = {cols};
    hone_tensor *t = hn_weight_new(m->a, name, dims, dims == 2 ? matrix : vector, m->null_storage);
    m->w[m->n_w++] = (hn_weight){.t = t, .init = init, .decay = dims == 2};
    return t;
}
/* A linear map (rows > 0) or a layer norm (rows 0). */
static affine affine_new(hone_model *m, const char *name, int64_t rows, int64_t cols) {
    hone_tensor *w = weight(m, hn_fmt(m->a, "%s.weight", name), rows ? 2 : 1, rows, cols, rows ? HN_INIT_NORMAL : HN_INIT_ONES);
    return (affine){w, weight(m, hn_fmt(m->a, "%s.bias", name), 1, 0, rows ? rows : cols, HN_INIT_ZEROS)};
}
static hone_tensor *table_new(hone_model *m, const char *part, int64_t rows) {
    hone_tensor *t = weight(m, hn_fmt(m->a, "bert.embeddings.%s_embeddings.weight", part), 2, rows, ((const bert *)m->params)->width,
                            HN_INIT_NORMAL);
    m->w[m->n_w - 1].outer = true;
    return t;
}

static bool build(hone_model *m) {
    const bert *p = m->params;
    int64_t C = p->width, F = hidden(p), K = p->classes;
    if (C % p->heads)
        return HN_FAIL(m->a, HONE_E_VALUE, .what = "model.heads must divide model.width", .wanted = "width / heads without remainder",
                       .found = hn_fmt(m->a, "width %lld, heads %lld", (long long)C, (long long)p->heads),
                       .hint = hn_fmt(m->a, "take model.width=%lld", (long long)((C / p->heads + 1) * p->heads)));
    if (m->vocab < 1) return HN_FAIL(m->a, HONE_E_VALUE, .what = "the vocabulary is empty", .hint = "give the model a tokenizer or data");
    m->context = p->context;
    m->width = m->kv_width = C;
    m->layers = p->layers;
    m->w = hn_new_n(m->a, hn_weight, p->layers * 16 + 9);
    table *own = m->own = hn_new(m->a, table);
    own->word = table_new(m, "word", m->vocab);
    own->position = table_new(m, "position", p->context);
    own->type = table_new(m, "token_type", p->types);
    own->norm = affine_new(m, "bert.embeddings.LayerNorm", 0, C);
    own->h = hn_new_n(m->a, block, p->layers);
    for (int64_t i = 0; i < p->layers; i++) {
        block *b = &own->h[i];
        const char *at = hn_fmt(m->a, "bert.encoder.layer.%lld", (long long)i);
        const struct {
            affine *to;
            const char *part;
            int64_t rows, cols;
        } parts[] = {{&b->query, "attention.self.query", C, C},  {&b->key, "attention.self.key", C, C},
                     {&b->value, "attention.self.value", C, C},  {&b->out, "attention.output.dense", C, C},
                     {&b->attn_norm, "attention.output.LayerNorm", 0, C}, {&b->up, "intermediate.dense", F, C},
                     {&b->down, "output.dense", C, F},           {&b->mlp_norm, "output.LayerNorm", 0, C}};
        for (int64_t k = 0; k < HN_LEN(parts); k++)
            *parts[k].to = affine_new(m, hn_fmt(m->a, "%s.%s", at, parts[k].part), parts[k].rows, parts[k].cols);
        b->scope = hn_fmt(m->a, "layer.%lld", (long long)i);
    }
    own->pooler = affine_new(m, "bert.pooler.dense", C, C);
    own->classifier = affine_new(m, "classifier", K, C);
    m->w[m->n_w - 2].outer = true;
    m->head = own->classifier.w;
    own->identity = hn_weight_new(m->a, "identity", 2, (int64_t[]){K, K}, m->null_storage);
    for (int64_t k = 0; k < K && own->identity->data; k++) ((float *)own->identity->data)[k * own->identity->ld + k] = 1;
    return true;
}

static hone_tensor *map(hone_tape *t, hone_tensor *x, const affine *f, hone_act act) { return hn_linear(t, x, f->w, f->b, false, act); }

typedef struct {
    const bert *p;
    const block *b;
} layer_args;
static hone_tensor *layer(hone_tape *t, hone_tensor *x, const void *args) {
    const layer_args *l = args;
    const bert *p = l->p;
    const block *b = l->b;
    const hone_attention_opts o = {.heads = p->heads, .dropout = (float)p->dropout};
    hn_scope_begin(t, b->scope);
    hone_tensor *a = hone_attention(t, map(t, x, &b->query, HONE_ACT_NONE), map(t, x, &b->key, HONE_ACT_NONE),
                                    map(t, x, &b->value, HONE_ACT_NONE), &o); /* (B,T,C) */
    a = hone_dropout(t, map(t, a, &b->out, HONE_ACT_NONE), (float)p->dropout);
    x = hone_layernorm(t, hone_add(t, x, a), b->attn_norm.w, b->attn_norm.b, (float)p->eps);
    a = map(t, map(t, x, &b->up, HONE_ACT_GELU), &b->down, HONE_ACT_NONE); /* through (B,T,F) */
    x = hone_layernorm(t, hone_add(t, x, hone_dropout(t, a, (float)p->dropout)), b->mlp_norm.w, b->mlp_norm.b, (float)p->eps);
    hn_scope_end(t);
    return x;
}

static hone_tensor *forward(hone_tape *t, hone_model *m, const hn_sequence *in) {
    const bert *p = m->params;
    const table *own = m->own;
    hn_block_begin(t);
    hn_scope_begin(t, "embed");
    hone_tensor *x = hone_embedding(t, in->ids, own->word, own->position);      /* (B,T,C) */
    x = hone_add(t, x, hone_slice(t, own->type, 0, 0, 1));
    x = hone_dropout(t, hone_layernorm(t, x, own->norm.w, own->norm.b, (float)p->eps), (float)p->dropout);
    hn_scope_end(t);
    for (int64_t i = 0; i < p->layers; i++) {
        layer_args args = {p, &own->h[i]};
        x = hn_model_layer(t, m, layer, x, &args, sizeof args);
    }
    return hn_block_end(t, x);
}

static hone_tensor *classify(hone_tape *t, hone_model *m, hone_tensor *h) {
    const table *own = m->own;
    hone_tensor *x = hone_pooling(t, h, NULL, HONE_POOL_FIRST); /* (B,C) */
    x = hone_activation(t, map(t, x, &own->pooler, HONE_ACT_NONE), HONE_ACT_TANH);
    x = hone_dropout(t, x, (float)((const bert *)m->params)->dropout);
    return map(t, x, &own->classifier, HONE_ACT_NONE); /* (B,classes) */
}

static hone_tensor *loss(hone_tape *t, hone_model *m, hone_tensor *h, hone_tensor *labels, const hone_cross_entropy_opts *o) {
    const table *own = m->own;
    if (labels->dims == 2) {
        int64_t B = labels->shape[0], T = labels->shape[1];
        const int32_t *all = labels->data;
        int32_t *first = hn_new_n(hn_tape_arena(t), int32_t, B);
        for (int64_t b = 0; b < B && all; b++) first[b] = all[b * T];
        labels = hone_input_i32(t, all ? first : NULL, 1, (int64_t[]){B});
    }
    return hone_linear_cross_entropy(t, classify(t, m, h), own->identity, labels, o);
}

static void sharpen(hone_model *m, double by) {
    const affine *f = &((const table *)m->own)->classifier;
    for (int64_t i = 0, n = hn_count(f->w); i < n; i++) ((float *)f->w->data)[i] *= (float)by;
    for (int64_t i = 0, n = hn_count(f->b); i < n; i++) ((float *)f->b->data)[i] *= (float)by;
}

/* ---- config.json ---- */

static bool config_read(hone_model *m, const json_t *config, const char *where) {
    const hn_config in = { m->a, "bert", where, config }, *c = &in;
    const json_t *named = json_array_get(json_object_get(config, "architectures"), 0), *labels = json_object_get(config, "id2label");
    bert *p = m->params;
    double attention = 0.1;
    const char *form = json_is_string(named) ? json_string_value(named) : "";
    if (*form && strcmp(form, "BertForSequenceClassification"))
        return HN_FAIL(m->a, HONE_E_MODEL, .what = "this BERT has another head", .where = where, .found = form,
                       .wanted = "BertForSequenceClassification", .hint = "hone opens BERT with a classifier's head");
    *p = (bert){ .types = 2, .classes = 2, .dropout = 0.1, .eps = 1e-12 }; /* transformers' defaults where config.json is silent */
    if (!hn_config_size(c, "num_hidden_layers", 1024, &p->layers) || !hn_config_size(c, "num_attention_heads", 1024, &p->heads) ||
        !hn_config_size(c, "hidden_size", 65536, &p->width) || !hn_config_size(c, "max_position_embeddings", 1048576, &p->context) ||
        !hn_config_size(c, "vocab_size", INT32_MAX, &m->vocab) || !hn_config_size(c, "intermediate_size", 1 << 24, &p->hidden) ||
        !hn_config_some(c, "type_vocab_size", 64, &p->types) || !hn_config_some(c, "num_labels", 1 << 20, &p->classes))
        return false;
    if (p->width % p->heads) return hn_config_bad(c, "num_attention_heads", hn_fmt(m->a, "a divisor of hidden_size %lld", (long long)p->width));
    if (json_is_object(labels) && (!json_object_size(labels) || json_object_size(labels) > 1 << 20))
        return hn_config_bad(c, "id2label", "1 to 1048576 labels");
    if (json_is_object(labels)) p->classes = (int64_t)json_object_size(labels);
    return hn_config_real(c, "layer_norm_eps", 1e-13, 1e-2, &p->eps) && hn_config_real(c, "hidden_dropout_prob", 0, 0.95, &p->dropout) &&
           hn_config_real(c, "attention_probs_dropout_prob", 0, 0.95, &attention) && hn_config_is(c, "hidden_act", "gelu", NULL) &&
           hn_config_is(c, "position_embedding_type", "absolute", NULL) && hn_config_is(c, "is_decoder", "false", NULL) &&
           hn_config_is(c, "add_cross_attention", "false", NULL);
}

static json_t *config_write(hn_arena *a, const hone_model *m) {
    const bert *p = m->params;
    json_t *c = hn_json_own(a, json_pack("{s:[s],s:s,s:f,s:s,s:f,s:f,s:s}", "architectures", "BertForSequenceClassification", "hidden_act", "gelu",
                                         "layer_norm_eps", p->eps, "torch_dtype", "float32", "hidden_dropout_prob", p->dropout,
                                         "attention_probs_dropout_prob", p->dropout, "position_embedding_type", "absolute"));
    const struct {
        const char *key;
        int64_t value;
    } sizes[] = {{"hidden_size", p->width},   {"num_attention_heads", p->heads},      {"num_hidden_layers", p->layers},
                 {"vocab_size", m->vocab},    {"max_position_embeddings", p->context}, {"intermediate_size", hidden(p)},
                 {"type_vocab_size", p->types}};
    for (int64_t i = 0; i < HN_LEN(sizes); i++) hn_json_put(a, c, sizes[i].key, json_integer(sizes[i].value));
    json_t *names = json_object(), *ids = json_object();
    for (int64_t k = 0; k < p->classes; k++) {
        const char *name = hn_fmt(a, "LABEL_%lld", (long long)k);
        hn_json_put(a, names, hn_fmt(a, "%lld", (long long)k), json_string(name));
        hn_json_put(a, ids, name, json_integer(k));
    }
    hn_json_put(a, c, "id2label", names);
    hn_json_put(a, c, "label2id", ids);
    return c;
}

/* Old exports carry the positions 0, 1, 2 … as a tensor. */
static bool ignored(const char *name) { return !strcmp(name, "bert.embeddings.position_ids"); }

const hn_arch hn_arch_bert = {
    HN_ITEM("bert", "BERT that classifies: bidirectional attention, norms after the residual", "arXiv:1810.04805", bert, params),
    .build = build,
    .forward = forward,
    .logits = classify,
    .loss = loss,
    .sharpen = sharpen,
    .hf_type = "bert",
    .config_read = config_read,
    .config_write = config_write,
    .ignored = ignored,
    .prefix = "bert.",
};
