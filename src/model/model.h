/* model.h - embedder → trunk → head. An architecture (kind `arch`) is one file with one forward; the tape decides whether that is
 * training, evaluation, decoding with a cache, or a dry run. A format (kind `format`) is one file that reads and writes a folder. */
#ifndef HN_MODEL_H
#define HN_MODEL_H
#include "data/data.h"
#include "tensor/tensor.h"
#include "hone/model.h"

/* ---- the `model` section ---- */
typedef struct hn_model_params {
    const char *path;            /* `model: DIR` or model.path: start from these weights; "": from scratch */
    const char *from;            /* from scratch, but weights of the same name and shape begin as in this folder; "": none do */
    double from_share;           /* 1: as they are there; less: this share of them, the rest of the fresh beginning */
    const char *arch;            /* kind `arch`; its rows belong to this section (model.layers …) */
} hn_model_params;
extern const hn_section hn_section_model;
/* Says in the settings what the weights to start from are, so that a written recipe names what was done. A dropout that the recipe
 * gives stays: it belongs to the training. */
bool hn_model_describe(hn_arena *a, hn_settings *s, const hone_model *start, const char *path) HN_CHECK;

typedef enum hn_init { HN_INIT_NORMAL, HN_INIT_RESIDUAL, HN_INIT_ONES, HN_INIT_ZEROS } hn_init;
typedef struct hn_weight {
    hone_tensor *t;
    hn_init init;
    bool decay;                  /* matrices: weight decay applies */
    bool transposed;             /* stored (in,out) */
    bool outer;                  /* embedding or head: no map between hidden layers */
    int parts;                   /* maps beside each other in its outputs (query, key, value); 0: one */
} hn_weight;

/* A tensor that the published form requires though this model does without it (a bias). */
typedef struct hn_absent { const char *name; int dims; int64_t shape[HONE_MAX_DIMS]; } hn_absent;

/* ---- adapters: low-rank additions to linear maps (adapter.c); format/peft.c reads and writes them ---- */
typedef struct hn_adapter_params {
    const char *method;          /* none|lora */
    int64_t rank;
    double alpha;
    bool rslora;                 /* scale alpha/√rank, not alpha/rank */
    double dropout;              /* before the first factor, in training */
    hn_strs targets;             /* all-linear, module names or their ends, or one regular expression */
} hn_adapter_params;
extern const hn_section hn_section_adapter;
/* What one adapter adds to one linear map of weight w: scale · dropout(x)·aᵀ·bᵀ. */
typedef struct hn_lora {
    hone_tensor *a, *b;          /* (r,in), (out,r) */
    float scale, dropout;
    double alpha;
    const struct hn_lora *under; /* of the adapter below this one; NULL: none */
} hn_lora;
typedef struct hn_adapter {
    hn_adapter_params p;         /* rank and alpha are the common ones: single maps may have others */
    const char *base;            /* the model it was made for, by name or path */
    hn_weight *w; int64_t n_w;   /* a and b of each map, named as PEFT's tensors; what a training of it changes */
    hn_lora *map;                /* (n_w/2) */
    struct hn_adapter *under;    /* applied before it; NULL: none */
} hn_adapter;

/* What a forward reads. documents and positions: of samples that lie one after another in a row; each token sees those of its own
 * document alone, at the place that it has in it. With a key-value cache: positions alone, of rows placed apart (hn_tape_positions). */
typedef struct hn_sequence {
    hone_tensor *ids;            /* (B,T) */
    hone_tensor *documents;      /* (B,T) i32, or NULL: a row is one text */
    hone_tensor *positions;      /* (B,T) i32, each below the context, or NULL: from the tape's position on */
} hn_sequence;

typedef struct hn_arch hn_arch;
struct hone_model {
    hn_arena *a;
    const hn_arch *arch;
    void *params;                /* the arch's struct (layers, heads, …) */
    int64_t vocab, context, width, layers;
    int64_t kv_width;            /* channels of a layer's keys, and of its values: what a cache holds of a token */
    hn_weight *w; int64_t n_w;   /* in a fixed order */
    hone_tensor *head;           /* (V,C): equal to the embedding when tied */
    void *own;                   /* the arch's table of its weights by layer */
    hn_tokenizer *tok;           /* may be NULL */
    json_t *config;              /* as read, so that unknown keys survive a round trip; NULL: made here */
    json_t *generation, *metadata;   /* generation_config.json and the weights' own metadata, likewise */
    const char *path;            /* where it was loaded from; NULL: made here */
    hn_adapter *adapter;         /* the topmost; NULL: none */
    bool null_storage;           /* for --plan: shapes without memory */
    bool recompute;              /* training: a layer keeps its input only, backward runs it anew */
    struct hone_model *const *members; int64_t n_members;   /* an ensemble (ensemble.c): it has no weights of its own; NULL: one model */
    int64_t first_layer;         /* of a member: where its layers begin in the common key-value cache */
};
struct hn_arch {
    hn_item item;                                          /* rows: the shape settings */
    bool (*build)(hone_model *m) HN_CHECK;                 /* from m->params, m->vocab: context, width, layers, weights, own */
    hone_tensor *(*forward)(hone_tape *t, hone_model *m, const hn_sequence *in);   /* → hidden (B,T,C), final norm applied */
    /* Of an arch that answers once for a whole text; NULL: a language model, which answers at every token by its head. */
    hone_tensor *(*logits)(hone_tape *t, hone_model *m, hone_tensor *hidden);                                  /* (B,classes) */
    hone_tensor *(*loss)(hone_tape *t, hone_model *m, hone_tensor *hidden, hone_tensor *labels, const hone_cross_entropy_opts *o);
    void (*sharpen)(hone_model *m, double by);             /* multiplies all logits, by the final norm's weights; NULL: cannot */
    const char *hf_type;                                   /* config.json model_type; config_write may name another of hf_also */
    const char *const *hf_also;                            /* further types that this file can be, NULL at the end; NULL: none */
    bool (*config_read)(hone_model *m, const json_t *config, const char *where) HN_CHECK;   /* fills m->params, m->vocab */
    json_t *(*config_write)(hn_arena *a, const hone_model *m);   /* owned by a; shape keys, and what is ours alone under "hone" */
    int64_t (*absent)(hn_arena *a, const hone_model *m, hn_absent **out);   /* NULL: none. Saved as zeros; not zero on loading: config's "hone" is ignored */
    bool (*ignored)(const char *name);                     /* tensors of old exports without meaning (causal masks); NULL: none */
    const char *prefix;                                    /* "transformer.": names may come without it */
    bool reads_narrow;                                     /* matrices go through hone_linear, hone_embedding and the head alone: 16 bits will do to read them */
};
extern const hn_kind hn_kind_arch;
bool hn_arch_is(const hn_arch *arch, const char *hf_type);
/* Safetensors names are the weights' names in Hugging Face's full form ("transformer.h.0.attn.c_attn.weight"). */

/* How a model is written. */
typedef struct hn_save { hone_dtype dtype; int64_t shard_bytes; } hn_save;        /* f32, f16 or bf16; a file's weights at most, 0: 5 GB as transformers */
hone_model *hn_model_new(hn_arena *a, const hn_arch *arch, const void *params, int64_t vocab, bool null_storage) HN_CHECK;   /* zero weights */
void hn_model_init(hone_model *m, uint64_t seed);          /* element i of weight j depends on (seed, j, i) alone; wider or deeper nets share what they can */
hone_model *hn_model_load(hn_arena *a, const char *path) HN_CHECK;   /* by the format that recognises path */
/* The same for answering alone, not for training or saving: matrices stay where the files are mapped, in the files' own type, and are read when
 * they are first used; nothing may write to them. So no number has been looked at: what comes out may not be finite (hn_model_finite). */
hone_model *hn_model_read(hn_arena *a, const char *path) HN_CHECK;
/* Every weight is a finite number; else E_MODEL, naming the first that is none. Reads them all. */
bool hn_model_finite(hn_arena *a, const hone_model *m) HN_CHECK;
bool hn_model_is_there(const char *path);                  /* some format recognises it */
hone_model *hn_model_look(hn_arena *a, const char *path) HN_CHECK;   /* the same without the numbers, which are not even read: shapes, config, tokenizer */
bool hn_model_save(hn_arena *a, const hone_model *m, const char *dir) HN_CHECK;                          /* f32 */
bool hn_model_save_as(hn_arena *a, const hone_model *m, const char *dir, const hn_save *how) HN_CHECK;
/* compare.c: the largest difference between two models' log-probabilities, over the tokens of a few made-up prompts and the likeliest
 * token at each place. hn_export_check compares m with what its folder gives when read back; exact: any difference is E_NUMERIC. */
bool hn_model_compare(hn_arena *a, hone_model *x, hone_model *y, double *largest) HN_CHECK;
bool hn_export_check(hn_arena *a, hone_model *m, const char *dir, bool exact, double *largest) HN_CHECK;
int64_t hn_model_count(const hone_model *m);               /* parameters; a tied head counts once */
void hn_model_copy_weights(hone_model *to, const hone_model *from);   /* with from's adapters merged in, where to has none */
void hn_model_share_weights(hone_model *to, const hone_model *from);  /* from's numbers where they lie: to must not change them */
/* What a training of m changes: its topmost adapter's weights, or all of the model's. */
typedef struct hn_weights { hn_weight *v; int64_t n; } hn_weights;
hn_weights hn_model_trained(const hone_model *m);

/* The adapter that the settings ask for; NULL: none, or no such section. */
const hn_adapter_params *hn_adapter_wanted(hn_arena *a, const hn_settings *s);
/* Puts a fresh adapter on m: its result is m's until it is trained. Targets that fit nothing: E_VALUE. */
bool hn_adapter_add(hone_model *m, const hn_adapter_params *p, const char *base, uint64_t seed) HN_CHECK;
hone_model *hn_model_merged(hn_arena *a, hone_model *m) HN_CHECK;   /* m itself where it has no adapter, else a copy without one */
/* Linear maps of models go through here: hone_linear, and what the adapters of w add. */
hone_tensor *hn_linear(hone_tape *t, hone_tensor *x, hone_tensor *w, hone_tensor *b, bool transposed, hone_act act);
/* Warm start: each weight that `from` has with this name and shape becomes share·its + (1 − share)·what it is. Where the tokenizers differ,
 * rows of the vocabulary are left. Returns how many weights were taken. Ash & Adams 2020, arXiv:1910.08475. */
int64_t hn_model_warm(hn_arena *a, hone_model *m, const hone_model *from, double share);
/* One layer of a forward: fn(t, x, args) as a block, recomputed in backward where the model says so (see hone_recompute). */
hone_tensor *hn_model_layer(hone_tape *t, const hone_model *m, hone_recomputed *fn, hone_tensor *x, const void *args, int64_t bytes);
/* mean loss helpers: the model's forward and head in one call, blocks and scopes set. targets and o as in hone_linear_cross_entropy. */
hone_tensor *hn_model_loss(hone_tape *t, hone_model *m, hone_tensor *ids, hone_tensor *targets, const hone_cross_entropy_opts *o);
hone_tensor *hn_model_loss_of(hone_tape *t, hone_model *m, const hn_sequence *in, hone_tensor *targets, const hone_cross_entropy_opts *o);
/* The logits (B,classes) of an arch that has `logits`, on a tape begun by the caller. */
hone_tensor *hn_model_classify(hone_tape *t, hone_model *m, hone_tensor *ids);
/* Several models that answer as one, with the mean of their probabilities: it is evaluated and generates as any model, is not trained, and is
 * saved as a folder of its members. They must agree in vocabulary, context and what a cache holds of a token: E_VALUE. */
hone_model *hn_ensemble_new(hn_arena *a, hone_model *const *members, int64_t n) HN_CHECK;
hone_tensor *hn_ensemble_loss(hone_tape *t, hone_model *m, const hn_sequence *in, hone_tensor *targets, const hone_cross_entropy_opts *o);
bool hn_ensemble_logits(hone_tape *t, hone_model *m, const int32_t *ids, int64_t B, int64_t T, bool all_positions, float *out) HN_CHECK;
bool hn_ensemble_parse(hn_arena *a, const char *where, hn_bytes text, hn_strs *members) HN_CHECK;   /* ensemble.json; the fuzz target */
bool hn_model_is_one(hn_arena *a, const hone_model *m, const char *doing) HN_CHECK;   /* false: "an ensemble cannot be <doing>" */
/* The mean of weights of trainings that branched from one point (soup.c). origin: hash of that point; 0: the model began by itself. */
typedef struct hn_soup { hn_arena *a; double **sum; int64_t n; uint64_t origin; } hn_soup;
bool hn_soup_add(hn_soup *s, const hone_model *m, uint64_t origin) HN_CHECK;   /* refuses weights of another origin */
void hn_soup_take(const hn_soup *s, hone_model *m);
uint64_t hn_model_hash(const hone_model *m);               /* of what a training of m changes */
void hn_model_sharpen(hone_model *m, double by);           /* temperature 1/by, inside the weights; of every member */
/* Winds the tape back for evaluation and writes the logits of the last position of each row: (B,V), or of all: (B,T,V), into out.
 * On a tape with a key-value cache the ids follow what the cache holds. */
bool hn_model_logits(hone_tape *t, hone_model *m, const int32_t *ids, int64_t B, int64_t T, bool all_positions, float *out) HN_CHECK;

void hn_json_put(hn_arena *a, json_t *object, const char *key, json_t *value);   /* takes value; refused memory unwinds */

/* ---- safetensors: header checked before anything is believed; tensors mapped, not copied ---- */
typedef struct hn_st_tensor { const char *name; hone_dtype dtype /* HONE_DTYPE_COUNT: one hone cannot use */; int dims; int64_t shape[HONE_MAX_DIMS]; const uint8_t *p; int64_t bytes; } hn_st_tensor;
typedef struct hn_st { hn_st_tensor *v; int64_t n; json_t *metadata; } hn_st;
bool hn_st_open(hn_arena *a, const char *path, hn_st *out) HN_CHECK;             /* E_MODEL with path and offset */
const hn_st_tensor *hn_st_find(const hn_st *s, const char *name);
uint16_t hn_st_narrow(float x, hone_dtype dtype);                                 /* to F16 or BF16, to the nearest, ties to even; beyond F16: infinity */
float hn_st_number(const hn_st_tensor *t, int64_t i);                            /* element i of an F32, F16 or BF16 tensor */
/* files.c: the tensors of a model's files by themselves: of a .safetensors file, of a folder's files by name. where (n): the file of each. */
typedef struct hn_tensors { hn_st_tensor *v; const char **where; int64_t n; } hn_tensors;
bool hn_tensors_open(hn_arena *a, const char *path, hn_tensors *out) HN_CHECK;
bool hn_st_parse(hn_arena *a, const char *where, hn_bytes file, hn_st *out) HN_CHECK;   /* the fuzz target */
bool hn_st_write(hn_arena *a, const char *path, const hn_st_tensor *v, int64_t n, const json_t *metadata) HN_CHECK;   /* sorted by name, 8-byte aligned data */

typedef struct hn_format {
    hn_item item;
    bool (*detect)(const char *path);
    hone_model *(*load)(hn_arena *a, const char *path);
    hone_model *(*look)(hn_arena *a, const char *path);    /* all but the numbers: weights without memory; NULL: load says it as well */
    hone_model *(*read)(hn_arena *a, const char *path);    /* matrices in place, for hn_model_read; NULL: load */
    bool (*save)(hn_arena *a, const hone_model *m, const char *path, const hn_save *how);
} hn_format;
extern const hn_kind hn_kind_format;
hone_model *hn_llama2c_read(hn_arena *a, const char *path, hn_bytes file) HN_CHECK;      /* a checkpoint in memory; the fuzz target */

/* ---- sampling: kind `sample`, a chain in the order of samplers.def; each changes the logits or cuts candidates ---- */
typedef struct hn_cands { int32_t *id; float *logit; int64_t n; } hn_cands;      /* sorted by logit, largest first */
typedef struct hn_sampler { hn_item item; void (*apply)(hn_cands *c, const hone_sampling *s); } hn_sampler;
extern const hn_kind hn_kind_sample;
typedef struct hn_sample_room { uint32_t *key; int32_t *id; float *logit; } hn_sample_room;   /* of one draw at a time */
hn_sample_room hn_sample_room_new(hn_arena *a, int64_t V);
int32_t hn_sample(const hn_sample_room *room, const float *logits, int64_t V, const hone_sampling *s, int64_t position);
#endif
