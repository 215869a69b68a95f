/* hone/tensor.h - values that remember how they were made.
 *
 * Execution is eager: a call computes at once and, on a recording tape, leaves a node; hone_backward walks the nodes back.
 * Operators never return NULL. A failed operator marks the tape: the first failure is kept (in the job's error), later calls
 * do nothing, reading a value gives NaN; loops ask hone_ok(t). Letters: B batch, T time, C channels, H heads, D head size,
 * V vocabulary. Shapes are row-major; the last dimension is contiguous, the one before may have a stride (column views). */
#ifndef HONE_TENSOR_H
#define HONE_TENSOR_H
#include "hone/base.h"
#ifdef __cplusplus
extern "C" {
#endif

enum { HONE_MAX_DIMS = 4 };
typedef enum hone_dtype { HONE_F32, HONE_I32, HONE_BF16, HONE_F16, HONE_U8, HONE_I64, HONE_DTYPE_COUNT } hone_dtype;
HONE_API int64_t hone_dtype_bytes(hone_dtype t);
HONE_API const char *hone_dtype_name(hone_dtype t);        /* "f32" */

typedef struct hone_tensor hone_tensor;
typedef struct hone_tape hone_tape;

typedef enum hone_mode {
    HONE_EVAL,                  /* no recording, dropout off */
    HONE_TRAIN                  /* records, dropout on */
} hone_mode;

/* A tape on a backend ("cpu", "null", "check"; NULL: cpu). It lives until job closes or hone_tape_free. */
HONE_API hone_tape *hone_tape_new(hone_job *job, const char *backend) HONE_CHECK;
HONE_API void hone_tape_free(hone_tape *t);
/* The type of the activations that a recording tape makes: HONE_F32, or HONE_BF16 for half the memory; from the next hone_tape_begin
 * on. Weights, all gradients, statistics and losses stay f32, and so does everything when the tape does not record. Another type fails. */
HONE_API bool hone_tape_activations(hone_tape *t, hone_dtype type) HONE_CHECK;
/* Winds the tape back: its nodes and activations are gone, their addresses are used again in the same order. */
HONE_API void hone_tape_begin(hone_tape *t, hone_mode mode, uint64_t seed, uint32_t step);
HONE_API bool hone_ok(const hone_tape *t);
HONE_API bool hone_backward(hone_tape *t, hone_tensor *loss) HONE_CHECK;   /* loss (1): adds into the gradients of parameters */

HONE_API int hone_tensor_dims(const hone_tensor *x);
HONE_API const int64_t *hone_tensor_shape(const hone_tensor *x);
HONE_API hone_dtype hone_tensor_dtype(const hone_tensor *x);
HONE_API float *hone_tensor_f32(hone_tensor *x);           /* its data; NULL if another type, released, a null or failed tape's */
HONE_API float *hone_tensor_grad(hone_tensor *x);          /* gradient of a parameter; NULL if it has none */
HONE_API double hone_tensor_item(const hone_tensor *x, int64_t i);   /* NaN on a failed tape */

/* Inputs: copied onto the tape. */
HONE_API hone_tensor *hone_input_f32(hone_tape *t, const float *v, int dims, const int64_t *shape);
HONE_API hone_tensor *hone_input_i32(hone_tape *t, const int32_t *v, int dims, const int64_t *shape);

/* ---- operators; each has its file src/tensor/op/NAME.c ---- */
typedef enum hone_act {
    HONE_ACT_NONE, HONE_ACT_GELU_TANH, HONE_ACT_GELU, HONE_ACT_RELU,
    HONE_ACT_RELU2,             /* max(x,0)² */
    HONE_ACT_SILU,              /* x·σ(x) */
    HONE_ACT_TANH, HONE_ACT_SIGMOID, HONE_ACT_COUNT
} hone_act;
/* y (…,N) = act(x (…,K) · wᵀ + b). w is (N,K) as PyTorch's Linear; transposed = true: w is (K,N) as GPT-2's Conv1D. b (N) or NULL. */
HONE_API hone_tensor *hone_linear(hone_tape *t, hone_tensor *x, hone_tensor *w, hone_tensor *b, bool transposed, hone_act act);
/* y (B,T,C): row ids[b,t] of w (V,C), plus row pos0+t of p (maxT,C) where p is not NULL. ids (B,T) i32, each 0 ≤ id < V. */
HONE_API hone_tensor *hone_embedding(hone_tape *t, hone_tensor *ids, hone_tensor *w, hone_tensor *p);
/* y = (x − mean)/√(var + eps)·w + b over the last dimension; b may be NULL. Ba et al. 2016. */
HONE_API hone_tensor *hone_layernorm(hone_tape *t, hone_tensor *x, hone_tensor *w, hone_tensor *b, float eps);
/* y = x/√(mean(x²) + eps)·w over the last dimension; where w (D) is narrower than x (…,C), over each D columns by themselves, as the
 * query and key norms of some models do it. Zhang & Sennrich 2019. */
HONE_API hone_tensor *hone_rmsnorm(hone_tape *t, hone_tensor *x, hone_tensor *w, float eps);
typedef enum hone_rope_scaling {
    HONE_ROPE_PLAIN, HONE_ROPE_LINEAR, HONE_ROPE_DYNAMIC, HONE_ROPE_LLAMA3, HONE_ROPE_YARN
} hone_rope_scaling;
typedef struct hone_rope_opts {
    int64_t size;               /* R: columns of a head that turn, even; each pair has a frequency */
    double base;                /* of the frequencies: 10000 as published */
    hone_rope_scaling scaling;  /* the rest is read by some scalings: src/tensor/op/rope_table.c */
    double factor;              /* how many times longer than the first training's context */
    int64_t original;           /* that context */
    double low, high;           /* llama3 */
    double beta_fast, beta_slow, attention;   /* yarn; attention 0: 0.1·ln factor + 1 */
} hone_rope_opts;
/* Cosines, then sines, of rotary positions: (T,R) for the T positions from the tape's on, or (B,T,R) for positions (B,T) i32. Nothing
 * in it is trained. */
HONE_API hone_tensor *hone_rope_table(hone_tape *t, hone_tensor *positions, int64_t T, const hone_rope_opts *o);
/* y (B,T,C): each of the heads of x is turned by its row of table (T,R) or (B,T,R); columns of a head past R are copied. The pairs are
 * (i, i+R/2), or (2i, 2i+1) where interleaved. Su et al. 2021. */
HONE_API hone_tensor *hone_rope(hone_tape *t, hone_tensor *x, hone_tensor *table, int64_t heads, bool interleaved);
typedef struct hone_attention_opts {
    int64_t heads;              /* H */
    bool causal;
    int64_t kv_heads;           /* heads of k and v, a divisor of heads: heads/kv_heads neighbours share one. 0: heads */
    float scale;                /* 0: 1/√D */
    float softcap;              /* scores become cap·tanh(score/cap); 0: they stay */
    int64_t window;             /* causal: query t sees the keys t−window+1 … t; else those less than window away. 0: all */
    hone_tensor *lengths;       /* (B) i32: keys from there on are padding; NULL: none are */
    hone_tensor *documents;     /* (B,S) i32: a query sees the keys of its own document; NULL: of all. Queries are the last T of S */
    float dropout;              /* on the probabilities, in training */
    int64_t layer;              /* which layer's key-value cache, when the tape has one */
} hone_attention_opts;
/* o (B,T,H·D) from q (B,T,H·D), k and v (B,S,KV·D); column views allowed. A query that sees no key gives zeros. Memory linear in T: backward recomputes from the
 * log-sum-exp (Dao et al. 2022). With a cache on the tape, k and v are appended to it and the whole cache is attended to. Causal: the
 * last query sees the last key, and each earlier one a key less (T ≤ S). */
HONE_API hone_tensor *hone_attention(hone_tape *t, hone_tensor *q, hone_tensor *k, hone_tensor *v, const hone_attention_opts *o);
/* The same behind a key-value cache k, v (slots,max_time,K), f32 or 16 bits, which holds these T tokens too: row b of q (B,T,C) follows the
 * positions[b] first tokens of cache row slots[b], both (B) i32, and sees nothing behind itself. Causal, without dropout, lengths and
 * documents; no gradient. hone_attention comes here by itself on a tape that has a cache. */
HONE_API hone_tensor *hone_attention_cached(hone_tape *t, hone_tensor *q, hone_tensor *k, hone_tensor *v, hone_tensor *slots,
                                            hone_tensor *positions, const hone_attention_opts *o);
/* y = act(x), element by element; x itself for HONE_ACT_NONE. hone_gelu is two of them by name. */
HONE_API hone_tensor *hone_activation(hone_tape *t, hone_tensor *x, hone_act act);
HONE_API hone_tensor *hone_gelu(hone_tape *t, hone_tensor *x, bool tanh_form);
/* y = silu(a)·b, a and b of the same shape (column views allowed, as the halves of one product). Shazeer 2020. */
HONE_API hone_tensor *hone_swiglu(hone_tape *t, hone_tensor *a, hone_tensor *b);
/* Over the last dimension; each row's largest is taken off first, so large numbers do no harm. */
HONE_API hone_tensor *hone_softmax(hone_tape *t, hone_tensor *x);
HONE_API hone_tensor *hone_log_softmax(hone_tape *t, hone_tensor *x);
/* Zeroes each element with probability p and scales the rest by 1/(1−p) in training; x itself otherwise. */
HONE_API hone_tensor *hone_dropout(hone_tape *t, hone_tensor *x, float p);
/* z = x + y or x·y element by element; shapes are aligned at their last dimensions and a size of 1 stretches, as in numpy. */
HONE_API hone_tensor *hone_add(hone_tape *t, hone_tensor *x, hone_tensor *y);
HONE_API hone_tensor *hone_mul(hone_tape *t, hone_tensor *x, hone_tensor *y);
HONE_API hone_tensor *hone_scale(hone_tape *t, hone_tensor *x, float s);             /* s·x */
/* y (…,M,N) = op(a)·op(b): a (…,M,K), or (…,K,M) where a_turned; b (…,K,N), or (…,N,K) where b_turned. Batches of 1 stretch. */
HONE_API hone_tensor *hone_matmul(hone_tape *t, hone_tensor *a, hone_tensor *b, bool a_turned, bool b_turned);
typedef enum hone_reduction { HONE_REDUCE_SUM, HONE_REDUCE_MEAN, HONE_REDUCE_MAX } hone_reduction;
/* Along one dimension (< 0 counts from the end), which then is 1 if kept and gone otherwise. Of equals, max takes the first. */
HONE_API hone_tensor *hone_reduce(hone_tape *t, hone_tensor *x, hone_reduction how, int dim, bool keep);
/* y (…,C): rows ids (…) i32 of x (V,C). */
HONE_API hone_tensor *hone_gather(hone_tape *t, hone_tensor *x, hone_tensor *ids);
/* y (n,C): zero, and row ids[i] gets each row i of x (…,C) added, in that order; ids (…) i32, each 0 ≤ id < n. */
HONE_API hone_tensor *hone_scatter_add(hone_tape *t, hone_tensor *x, hone_tensor *ids, int64_t n);
typedef enum hone_pool_kind { HONE_POOL_MEAN, HONE_POOL_FIRST, HONE_POOL_LAST } hone_pool_kind;
/* y (B,C): the mean, first (CLS) or last token of each sequence of x (B,T,C). which: NULL, all tokens; i32 (B), the first that many of
 * each; i32 (B,T), those where it is not 0. A sequence without tokens is an error. */
HONE_API hone_tensor *hone_pooling(hone_tape *t, hone_tensor *x, hone_tensor *which, hone_pool_kind kind);
typedef enum hone_pointwise_kind { HONE_LOSS_MSE, HONE_LOSS_SMOOTH_L1, HONE_LOSS_BCE } hone_pointwise_kind;
typedef struct hone_pointwise_opts {
    hone_pointwise_kind kind;   /* (x−y)² · that up to beta, straight beyond (Girshick 2015) · −ln σ(±x) where y, in [0,1], is 1 or 0 */
    float beta;                 /* of smooth L1: where it becomes straight */
    double denominator;         /* 0: the sum of the weights; without weights, the number of numbers */
    hone_tensor *weights;       /* of x's shape; gets no gradient. NULL: 1 */
} hone_pointwise_opts;
/* loss (1) = Σ weights·f(x, y) / denominator; x and y f32 of the same shape. o NULL: the mean squared error. */
HONE_API hone_tensor *hone_pointwise_loss(hone_tape *t, hone_tensor *x, hone_tensor *y, const hone_pointwise_opts *o);
/* Columns [start, start+n) of the last dimension, without copying. */
HONE_API hone_tensor *hone_columns(hone_tape *t, hone_tensor *x, int64_t start, int64_t n);
/* Other sizes for the same numbers, without copying (a column view is copied unless its rows stay); one size may be −1: what is left. */
HONE_API hone_tensor *hone_reshape(hone_tape *t, hone_tensor *x, int dims, const int64_t *shape);
/* Moving numbers. A dimension `dim` < 0 counts from the end. */
HONE_API hone_tensor *hone_slice(hone_tape *t, hone_tensor *x, int dim, int64_t start, int64_t n);     /* indices [start, start+n) */
HONE_API hone_tensor *hone_concat(hone_tape *t, hone_tensor *const x[], int n, int dim);               /* n ≥ 1 tensors joined */
HONE_API hone_tensor *hone_transpose(hone_tape *t, hone_tensor *x, int i, int j);                      /* dimensions i and j swapped */
HONE_API hone_tensor *hone_pad(hone_tape *t, hone_tensor *x, int dim, int64_t before, int64_t after, float value);
/* images (B,C,H,W) → (B, H/p·W/p, C·p·p): squares row by row, each with its channels, rows and columns in that order. */
HONE_API hone_tensor *hone_patches(hone_tape *t, hone_tensor *images, int64_t p);
/* (B, H/P·W/P, width) from images (B,C,H,W), w (width,C,P,P), b (width) or NULL: a convolution with stride = kernel, as in ViT. */
HONE_API hone_tensor *hone_patch_embedding(hone_tape *t, hone_tensor *images, hone_tensor *w, hone_tensor *b);
typedef struct hone_cross_entropy_opts {
    double denominator;         /* 0: the sum of the weights of the targets that count; without weights, their number */
    float smoothing;            /* s in [0,1]: the target's share is 1 − s + s/V, any other class' s/V (Szegedy et al. 2016) */
    const int32_t *ignore;      /* the target that does not count; NULL: −1 */
    hone_tensor *weights;       /* (…) f32, a factor for each target's loss; gets no gradient. NULL: 1 */
    float *per_token;           /* (…) receives each target's loss before its weight, 0 where ignored; NULL: not wanted */
    int32_t *best;              /* (…) receives the class with the largest logit, of equals the first; −1 where ignored or NaN */
    bool is_root;               /* the promise that hone_backward will begin at this loss: on a recording tape the forward then makes the
                                 * gradients too, and no logit twice. w's is added during the call: clear it where backward is not
                                 * called. Backward fails when the loss was scaled or added to. */
} hone_cross_entropy_opts;
/* loss (1) = Σ −ln softmax(h_i·wᵀ)[target_i] / denominator; h (…,C), w (V,C), targets (…) i32. Never holds all logits at once.
 * o NULL: the mean over the targets that are not −1. What o points to is read or written during the call alone. */
HONE_API hone_tensor *hone_linear_cross_entropy(hone_tape *t, hone_tensor *h, hone_tensor *w, hone_tensor *targets,
                                                const hone_cross_entropy_opts *o);
typedef struct hone_kl_opts {
    double denominator;         /* 0: the sum of the weights; without weights, the number of rows */
    float beta;                 /* 0: forward, KL(teacher‖student); 1: reverse; between: generalised Jensen-Shannon */
    float temperature;          /* T, which both logits are divided by; 0: 1 */
    bool unscaled;              /* without the factor T² */
    hone_tensor *weights;       /* (…) f32, a factor for each row; 0: the row is not looked at; gets no gradient. NULL: 1 */
    float *per_token;           /* (…) receives each row's divergence before its weight, T² included; NULL: not wanted */
} hone_kl_opts;
/* loss (1) = Σ T²·D(teacher_i, student_i) / denominator: the student's logits h·wᵀ, h (…,C), w (V,C), against the teacher's, whose
 * width may be another. Gradient for the student alone. Agarwal et al. 2023, arXiv:2306.13649. o NULL: mean forward KL at T = 1. */
HONE_API hone_tensor *hone_linear_kl(hone_tape *t, hone_tensor *h, hone_tensor *w, hone_tensor *teacher_h, hone_tensor *teacher_w,
                                     const hone_kl_opts *o);
/* y (…,2): of each row of h·wᵀ/temperature the log-probability of its target and the entropy of the whole, in nats; hone_columns gives
 * either. h (…,C), w (V,C), targets (…) i32; at a target of −1 both are 0. temperature 0: 1. */
HONE_API hone_tensor *hone_linear_log_probs(hone_tape *t, hone_tensor *h, hone_tensor *w, hone_tensor *targets, float temperature);

/* ---- time for memory ---- */
typedef hone_tensor *hone_recomputed(hone_tape *t, hone_tensor *x, const void *args);
/* fn(t, x, args), of which nothing but x and the result is kept for backward: backward runs fn again, with the same random draws, then
 * walks it back. Results and gradients have the same bits as without. fn must make its result of x and weights alone, by operators; args
 * (bytes of them) are copied and may hold pointers to weights. May be nested. Chen et al. 2016, arXiv:1604.06174. */
HONE_API hone_tensor *hone_recompute(hone_tape *t, hone_recomputed *fn, hone_tensor *x, const void *args, int64_t bytes);

/* ---- key-value cache: a tape that has one runs a model token by token ---- */
HONE_API bool hone_tape_cache(hone_tape *t, int64_t layers, int64_t batch, int64_t max_time, int64_t channels) HONE_CHECK;
HONE_API bool hone_tape_cache_as(hone_tape *t, hone_dtype dtype /* HONE_F32 or HONE_BF16: half the memory */, int64_t layers, int64_t batch,
                                 int64_t max_time, int64_t channels) HONE_CHECK;
HONE_API void hone_tape_cache_reset(hone_tape *t, int64_t length);      /* keep the first `length` positions */
HONE_API int64_t hone_tape_cache_length(const hone_tape *t);             /* with what this forward has appended */

#ifdef __cplusplus
}
#endif
#endif
