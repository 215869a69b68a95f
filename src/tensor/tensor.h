/* tensor.h - private side of hone/tensor.h: operator descriptors, backends, weights, the tape's memory.
 *
 * Adding an operator: prototype in hone/tensor.h, file op/NAME.c, row OP(NAME) in op/ops.def. A fast kernel: file
 * cpu/NAME.c and a row KERNEL(NAME) in cpu/kernels.def. */
#ifndef HN_TENSOR_H
#define HN_TENSOR_H
#include "base/base.h"
#include "hone/tensor.h"
#include "tensor/bf16.h"

enum { HN_MAX_IN = 5, HN_MAX_AUX = 2 };
typedef struct hn_op hn_op;
typedef struct hn_node hn_node;

struct hone_tensor {
    hone_dtype dtype;
    int dims;
    int64_t shape[HONE_MAX_DIMS];
    int64_t ld;                  /* elements from one row (second-to-last index) to the next; = shape[dims-1] when contiguous */
    void *data;                  /* NULL on the null backend */
    float *grad;                 /* same layout as data (ld too); NULL: none (yet) */
    bool wants_grad;             /* a weight being trained, or computed from one */
    bool fresh;                  /* of a dx: holds rubbish, to be written and not added to; only for kernels with .overwrites */
    bool rounded;                /* a kernel's f32 view of a bf16 tensor (widen.c): every number is one of bf16's */
    bool is_weight;
    const char *name;            /* weights: "h.0.attn.c_attn.weight" */
    const struct hn_lora *lora;  /* weights: what adapters add to their product; the model's affair (model/adapter.c). NULL: nothing */
    hn_node *node;               /* what made it on the present tape; NULL for inputs and weights */
    hone_tensor *base;           /* a view: whose storage and gradient it shares */
    int64_t base_offset;         /* elements */
    hone_tape *tape;             /* NULL for weights */
    /* the rest is the tape's bookkeeping; a view's stands in its base */
    struct hn_chunk *chunk, *grad_chunk;
    uint32_t uses;               /* recorded nodes whose backward still reads it */
    bool released, dropped;      /* dropped: no data now; made again when backward asks (remake.c) */
    hone_tensor *made_before;    /* list of the tensors that a block end looks at */
};
static inline int64_t hn_count(const hone_tensor *x) { int64_t n = 1; for (int i = 0; i < x->dims; i++) n *= x->shape[i]; return n; }
float hn_bf16_number(uint16_t bits), hn_f16_number(uint16_t bits);
static inline int64_t hn_cols(const hone_tensor *x) { return x->dims ? x->shape[x->dims - 1] : 1; }
/* Stays until the tape is wound back, whoever used it last: what a stretch that runs anew reads besides its input. */
static inline void hn_tensor_hold(hone_tensor *x) { x->uses++; }
static inline int64_t hn_rows(const hone_tensor *x) { int64_t c = hn_cols(x); return c ? hn_count(x) / c : 0; }

/* A weight lives in arena a (not on a tape). data is zeroed f32, or NULL where null_storage (dry runs). */
hone_tensor *hn_weight_new(hn_arena *a, const char *name, int dims, const int64_t *shape, bool null_storage);
void hn_weight_store(hn_arena *a, hone_tensor *w);         /* gives one without data its zeroed f32 */
void hn_weight_grad(hn_arena *a, hone_tensor *w);          /* gives it a zeroed gradient; wants_grad = true */
const char *hn_shape_text(hn_arena *a, const hone_tensor *x);   /* "12,64,128" */

/* ---- an operator ---- */
typedef struct hn_call {
    hone_tape *t;
    const hn_op *op;
    const void *attr;                        /* the operator's typed attributes, op->item.size bytes */
    hone_tensor *in[HN_MAX_IN]; int n_in;    /* a missing optional input is NULL */
    hone_tensor *out;
    hone_tensor *aux[HN_MAX_AUX]; int n_aux; /* extra results for backward (log-sum-exp; mean and 1/std); NULL when not recorded */
    bool training;                           /* dropout is on */
    uint64_t seed; uint32_t step, index;     /* random counters: (tape seed, step, node number) */
    hn_pool *pool;
    hn_arena *a;                             /* for messages and shape text; a warm step must not allocate from it */
    void *scratch;                           /* scratch_bytes(c, backward) bytes, 64-byte aligned, not zeroed, gone after the call */
} hn_call;
typedef struct hn_cost { double flops, bytes; } hn_cost;   /* flops: 2·M·K·N of matrix products; attention counted as if not causal */
/* A case the tests run. shape NULL: that input is missing. int_max > 0: the input is i32 in [0, int_max); < 0: in [-1, -int_max).
 * views: each f32 input of two or more dimensions is a column view of something wider. */
typedef struct hn_op_case {
    const char *doc; const int64_t *shape[HN_MAX_IN]; int dims[HN_MAX_IN]; const void *attr; int int_max[HN_MAX_IN]; bool views;
} hn_op_case;

enum { HN_SAVE_IN0 = 1, HN_SAVE_IN1 = 2, HN_SAVE_IN2 = 4, HN_SAVE_IN3 = 8, HN_SAVE_IN4 = 16, HN_SAVE_OUT = 32, HN_SAVE_AUX = 64 };
struct hn_op {
    hn_item item;
    unsigned saves;                                          /* what backward reads, by HN_SAVE_… */
    unsigned (*keeps)(const hn_call *c);                     /* of `saves`, what this call's backward reads; NULL: all */
    int n_in;                                                /* inputs, optional ones included */
    bool passes_grad;                                        /* backward is dx[0] += dy and the like: in[0] may take over dy's memory */
    unsigned constant;                                       /* inputs that never get a gradient, by HN_SAVE_IN… */
    unsigned remade_from;                                    /* 0: out is kept for those whose backward reads it. Else it is cheap to make
                                                                again by forward from these inputs, kept for this backward, and weights
                                                                (HN_SAVE_AUX: from aux[0], by the kernel's remake); see remake.c */
    bool exact;                                              /* out stays f32 on a bf16 tape: losses, statistics, tables */
    bool aux_active;                                         /* aux is an activation, of out's type; otherwise statistics, f32 */
    bool view;                                               /* out shares in[0]'s storage and gradient: no node, no backward */
    bool (*shape)(hn_call *c, hn_arena *a);                  /* fills out and aux (dtype, dims, shape); on misfit fails the tape:
                                                                "linear: x is (…) but w is (…)" */
    void (*forward)(hn_call *c);                             /* the reference */
    void (*backward)(hn_call *c, hone_tensor *const dx[]);   /* adds into dx[i]->data (layout of in[i]); NULL: nobody wants it.
                                                                dy is c->out->grad, with out's ld */
    hn_cost (*cost)(const hn_call *c);                       /* of forward; backward counts double for products */
    int64_t (*scratch_bytes)(const hn_call *c, bool backward);   /* of the reference; NULL: 0 */
    const hn_op_case *cases; int64_t n_cases;
};
extern const hn_kind hn_kind_op;

/* Runs an operator on the tape: checks, allocates, computes, records. in[op->n_in]. Never NULL. */
hone_tensor *hn_apply(hone_tape *t, const hn_op *op, const void *attr, hone_tensor *const in[]);
#define OP(n) extern const hn_op hn_op_##n;
#include "tensor/op/ops.def"
#undef OP

/* Attributes as the operators' `attr` holds them: what a kernel reads. (hone_attention_opts is in hone/tensor.h.) */
typedef struct hn_linear_attr { bool transposed; hone_act act; } hn_linear_attr;   /* aux[0]: x·wᵀ+b before act, when act ≠ none */
typedef struct hn_embedding_attr { int64_t pos0; } hn_embedding_attr;              /* in: ids, w, p */
typedef struct hn_layernorm_attr { float eps; } hn_layernorm_attr;                 /* in: x, w, b; aux: mean (rows), 1/std (rows) */
typedef struct hn_rmsnorm_attr { float eps; } hn_rmsnorm_attr;                     /* in: x, w; aux: 1/rms (rows · groups) */
typedef struct hn_rope_table_attr { hone_rope_opts o; int64_t T, pos0; } hn_rope_table_attr;   /* in: positions or none */
typedef struct hn_rope_attr { int64_t heads; bool interleaved; } hn_rope_attr;     /* in: x, table */
typedef struct hn_attention_attr {                                                 /* in: q, k, v, lengths, documents; aux: log-sum-exp (B,H,T). attention_cached: q, k, v, slots, positions */
    hone_attention_opts o;      /* scale already resolved; dropout 0 when not training */
    int64_t pos0;               /* causal: query t sees the keys s ≤ pos0 + t */
} hn_attention_attr;
typedef struct hn_activation_attr { hone_act act; } hn_activation_attr;
typedef struct hn_scale_attr { float s; } hn_scale_attr;
typedef struct hn_softmax_attr { bool log; } hn_softmax_attr;
typedef struct hn_dropout_attr { float p; } hn_dropout_attr;
typedef struct hn_columns_attr { int64_t start, n; } hn_columns_attr;
typedef struct hn_slice_attr { int dim; int64_t start, n; } hn_slice_attr;         /* dim: counted from the end where negative, as below */
typedef struct hn_concat_attr { int dim; } hn_concat_attr;
typedef struct hn_transpose_attr { int i, j; } hn_transpose_attr;
typedef struct hn_pad_attr { int dim; int64_t before, after; float value; } hn_pad_attr;
typedef struct hn_reshape_attr { int dims; int64_t shape[HONE_MAX_DIMS]; } hn_reshape_attr;
typedef struct hn_reduce_attr { hone_reduction how; int dim; bool keep; } hn_reduce_attr;    /* aux: of max, where it was (i32) */
typedef struct hn_matmul_attr { bool a_turned, b_turned; } hn_matmul_attr;
typedef struct hn_scatter_add_attr { int64_t rows; } hn_scatter_add_attr;
typedef struct hn_pooling_attr { hone_pool_kind kind; } hn_pooling_attr;
typedef struct hn_pointwise_loss_attr { hone_pointwise_kind kind; float beta; double denominator; } hn_pointwise_loss_attr; /* in: x, y, w */
typedef struct hn_patches_attr { int64_t side; } hn_patches_attr;
/* in: h, w, targets, weights; aux: log-sum-exp (rows), where the loss is the root dh (rows,C) */
typedef struct hn_linear_cross_entropy_attr {
    double denominator; float *per_token; int32_t *best; float smoothing; int32_t ignore; bool is_root;
} hn_linear_cross_entropy_attr;
typedef struct hn_linear_kl_attr {                             /* in: h, w, teacher h, teacher w, weights; aux: (rows,3), see the file */
    double denominator; float *per_token; float temperature, beta; bool unscaled;
} hn_linear_kl_attr;
/* in: h, w, targets; aux: log-sum-exp, entropy (rows,2) */
typedef struct hn_linear_log_probs_attr { float temperature; } hn_linear_log_probs_attr;
/* Dropout draws: quad number n of call c gives four 32-bit words; element 4n+i is dropped when word i < hn_drop_below(p), the rest are
 * scaled by 1/(1−p). dropout: element = flat index. attention: row r = (b·H+h)·T+t has the quads r·⌈S/4⌉ + ⌊s/4⌋. */
static inline void hn_drop_words(const hn_call *c, int64_t n, uint32_t out[4])
{
    hn_philox(c->seed, HN_STREAM_DROPOUT, c->step, (uint64_t)c->index << 40 | (uint64_t)n, out);
}
static inline uint32_t hn_drop_below(float p) { return (uint32_t)((double)p * 4294967296.0); }

/* ---- a backend ---- */
typedef struct hn_kernel { const hn_op *op; void (*forward)(hn_call *c); void (*backward)(hn_call *c, hone_tensor *const dx[]);
                           int64_t (*scratch_bytes)(const hn_call *c, bool backward);
                           void (*remake)(hn_call *c); /* out again, the same bits, from aux[0]; of operators that are remade from it */
                           bool overwrites; /* backward heeds dx[i]->fresh; spares zeroing */
                           unsigned (*bf16)(const hn_call *c); /* what of this call it takes as it is where it is bf16, by HN_SAVE_…; the rest
                                                                  comes and goes as f32 (widen.c). NULL: nothing */
                           } hn_kernel;
/* A kernel file ends with `const hn_kernel hn_cpu_NAME = { &hn_op_NAME, forward, backward, scratch_bytes };` and has a row
 * KERNEL(NAME) in cpu/kernels.def. A NULL forward or backward: the reference runs for that half; scratch_bytes answers for both halves.
 * null and check count and run what cpu does: their `like`. */
typedef struct hn_backend {
    hn_item item;
    bool computes;                            /* false: shapes, costs and memory only (null) */
    bool checks;                              /* looks at every result and gradient for NaN and infinity (check) */
    const struct hn_backend *like;            /* whose kernels these are; NULL: its own */
    const hn_kernel *const *kernels; int64_t n_kernels;
} hn_backend;
extern const hn_kind hn_kind_backend;

/* ---- the tape, for models and trainers ---- */
typedef struct hn_tape_stats {
    double flops_forward, flops_backward;     /* since hone_tape_begin */
    double flops_again;                       /* of forwards that backward has run anew (hone_recompute); in neither of the others */
    int64_t pool_now, pool_peak;              /* bytes of activations, activation gradients and scratch; peak since the tape was made */
    int64_t nodes;
} hn_tape_stats;
void hn_tape_stats_get(const hone_tape *t, hn_tape_stats *out);
/* For measuring: fn is told of every call after its forward or backward has run, and how long that took (with the zeroing of gradients
 * that it began). NULL: off, the tape's state when made. It must not use the tape. */
typedef void (*hn_watch_fn)(void *user, const hn_call *c, bool backward, double seconds);
void hn_tape_watch(hone_tape *t, hn_watch_fn fn, void *user);
/* Where we are ("h.3.attn"), for messages. Nests. */
void hn_scope_begin(hone_tape *t, const char *name), hn_scope_end(hone_tape *t);
const char *hn_tape_failed_where(const hone_tape *t);        /* "linear in h.3.mlp (forward)"; "" when ok */
/* A block releases what it made except `out` and what backward needs. Blocks nest; each begin has one end. What backward needs is
 * released in turn as backward passes its last reader: read activations before hone_backward. Using a released tensor fails. */
void hn_block_begin(hone_tape *t);
hone_tensor *hn_block_end(hone_tape *t, hone_tensor *out);
bool hn_tape_fail(hone_tape *t, hone_code code, const hn_why *why);
/* Tokens are appended to the cache by attention, layer by layer, at hn_tape_position; that position moves on at the next
 * hone_tape_begin, or at once by hn_tape_cache_advance. hone_tape_cache_length counts appended tokens either way. */
int64_t hn_tape_position(const hone_tape *t);                /* of the first new token; 0 without a cache */
void hn_tape_cache_advance(hone_tape *t);
/* Rows of the cache that go their own ways: from now on the b-th of `rows` rows of a forward follows the at[b] first tokens of the cache's
 * row slot[b], and is appended there; at moves on by the next place alone. hone_tape_cache_reset ends it. hn_tape_position is then the
 * largest of at. */
void hn_tape_cache_place(hone_tape *t, int64_t rows, const int32_t *slot, const int32_t *at);
/* (B,T) i32: where each token stands of rows that were placed apart; NULL: all are in step, at hn_tape_position. */
hone_tensor *hn_tape_positions(hone_tape *t, int64_t B, int64_t T);
void hn_tape_use_references(hone_tape *t);                   /* no kernels from now on: the yardstick of tests */
bool hn_tape_is_null(const hone_tape *t);
hone_mode hn_tape_mode(const hone_tape *t);
hn_arena *hn_tape_arena(hone_tape *t);                       /* node memory: gone at hone_tape_begin */
#endif
