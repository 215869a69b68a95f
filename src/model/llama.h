/* llama.h - the settings of the llama family: what arch/llama.c computes by and llama_config.c reads and writes. */
#ifndef HN_MODEL_LLAMA_H
#define HN_MODEL_LLAMA_H
#include "model/model.h"

typedef struct {
    int64_t layers, heads, kv_heads, head_size, width, hidden, context, window, window_from, rope_original;
    bool tied, attention_bias, mlp_bias;
    double dropout, eps, rope_base, rope_factor, rope_low, rope_high, rope_fast, rope_slow, rope_attention;
    const char *family, *rope_scaling;
} llama;

/* What each member of the family has; a config.json of its model_type can say nothing else. */
typedef struct {
    const char *name, *class; /* model_type; the class in transformers */
    bool qkv_bias, qk_norm;   /* always there */
    bool may_bias, may_mlp_bias, may_window, from_layer;
    int64_t kv_heads, head_size, window; /* where config.json does not say; 0: as many as heads, width / heads, none */
} llama_family;
const llama_family *hn_llama_family(const llama *p); /* NULL: no such family */

static inline int64_t hn_llama_head_size(const llama *p) { return p->head_size ? p->head_size : p->width / p->heads; }
static inline int64_t hn_llama_kv_heads(const llama *p) { return p->kv_heads ? p->kv_heads : p->heads; }
/* 8/3 of the width, as the published models' about, in whole cache lines' multiples. */
static inline int64_t hn_llama_hidden(const llama *p) { return p->hidden ? p->hidden : (p->width * 8 / 3 + 31) / 32 * 32; }
extern const char *const hn_llama_scalings[]; /* names of hone_rope_scaling, in order; NULL at the end */

bool hn_llama_config_read(hone_model *m, const json_t *config, const char *where) HN_CHECK;
json_t *hn_llama_config_write(hn_arena *a, const hone_model *m);
#endif
