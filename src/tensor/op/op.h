/* op.h - what the operators' references share: rows, activation functions, refusals. */
#ifndef HN_TENSOR_OP_H
#define HN_TENSOR_OP_H
#include "tensor/tensor.h"
#include <math.h>

#define HN_MISFIT(c, ...) hn_tape_fail((c)->t, HONE_E_SHAPE, &(hn_why){.what = hn_fmt((c)->a, __VA_ARGS__)})
#define HN_SHAPE(c, x) hn_shape_text((c)->a, x)
#define HN_CASES(v) .cases = v, .n_cases = HN_LEN(v)
#define HN_DIMS(...)                                                                                                                       \
    (const int64_t[]) { __VA_ARGS__ }

static inline float *hn_row_of(const hone_tensor *x, int64_t r) { return (float *)x->data + r * x->ld; }
static inline const int32_t *hn_ids(const hone_tensor *x) { return x->data; }
static inline void hn_same_shape(hone_tensor *out, const hone_tensor *x) {
    out->dtype = x->dtype;
    out->dims = x->dims;
    for (int i = 0; i < x->dims; i++) out->shape[i] = x->shape[i];
}
static inline bool hn_shape_alike(const hone_tensor *x, const hone_tensor *y) {
    bool same = x->dims == y->dims;
    for (int i = 0; same && i < x->dims; i++) same = x->shape[i] == y->shape[i];
    return same;
}
static inline bool hn_is_f32(const hone_tensor *x, int dims) { return x && x->dtype == HONE_F32 && x->dims == dims; }
/* f32, or a weight of 16 bits that is only read. */
static inline bool hn_is_real(const hone_tensor *x, int dims) {
    return x && x->dims == dims && (x->dtype == HONE_F32 || x->dtype == HONE_BF16 || x->dtype == HONE_F16);
}
static inline float hn_real(const hone_tensor *x, int64_t i) { /* number i of the storage of such a tensor */
    if (x->dtype == HONE_F32) return ((const float *)x->data)[i];
    uint16_t u = ((const uint16_t *)x->data)[i];
    return x->dtype == HONE_BF16 ? hn_bf16_number(u) : hn_f16_number(u);
}
static inline double hn_bytes_moved(const hn_call *c) /* each input and the result once */
{
    double n = (double)hn_count(c->out) * 4;
    for (int i = 0; i < c->n_in; i++) n += c->in[i] ? (double)hn_count(c->in[i]) * (double)hone_dtype_bytes(c->in[i]->dtype) : 0;
    return n;
}

/* Fails the tape when an id is outside [lo, hi), naming the first; for kernels and references alike. */
bool hn_ids_in_range(const hn_call *c, const char *what, const int32_t *ids, int64_t n, int64_t lo, int64_t hi);
bool hn_id_fail(const hn_call *c, const char *what, const int32_t *ids, int64_t i, int64_t lo, int64_t hi);

/* Row r's factor, from weights of any shape; 1 without. */
static inline double hn_row_weight(const hone_tensor *weights, int64_t r) {
    return weights ? (double)hn_row_of(weights, r / hn_cols(weights))[r % hn_cols(weights)] : 1;
}
double hn_linear_kl_scale(const hn_call *c); /* what the sum of linear_kl's weighted rows is multiplied by */

/* linear_cross_entropy's rows, the same for kernels and reference: what row r's loss is multiplied by (0 where ignored), what the sum is
 * divided by, and whether every target is a class. */
double hn_cross_entropy_weight(const hn_call *c, int64_t r);
double hn_cross_entropy_denominator(const hn_call *c);
bool hn_cross_entropy_targets(const hn_call *c);
/* In backward: fails the tape where the loss was promised to be the root and is not. */
bool hn_cross_entropy_root(const hn_call *c);

/* Of a rope_table call: the base that the length of batch row b asks for (0 without positions); pair i's radians from one position to the next; what cosines are times. */
double hn_rope_base(const hn_call *c, int64_t b), hn_rope_frequency(const hone_rope_opts *o, double base, int64_t i);
double hn_rope_amplitude(const hone_rope_opts *o);

/* Fails the tape when a length is not 0 … S. */
bool hn_attention_lengths(const hn_call *c);
/* attention_cached: fails the tape when a row's place is not in the cache. */
bool hn_attention_places(const hn_call *c);

/* Fails the tape when an index is not one of `end` rows, naming the first. */
bool hn_indices_in_range(const hn_call *c, const char *what, const int32_t *ids, int64_t n, int64_t end);

/* pointwise_loss: its result and what backward divides by, from the sums over all numbers; fails the tape where there is no weight. */
bool hn_pointwise_finish(const hn_call *c, double sum, double weights);

/* GELU: Hendrycks & Gimpel 2016, arXiv:1606.08415; the tanh form is GPT-2's. */
static inline double hn_act_f(double x, hone_act act) {
    switch (act) {
    case HONE_ACT_GELU_TANH:
        return 0.5 * x * (1 + tanh(M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x)));
    case HONE_ACT_GELU:
        return 0.5 * x * (1 + erf(x * M_SQRT1_2));
    case HONE_ACT_RELU:
        return x > 0 ? x : 0;
    case HONE_ACT_RELU2:
        return x > 0 ? x * x : 0;
    case HONE_ACT_SILU:
        return x / (1 + exp(-x));
    case HONE_ACT_TANH:
        return tanh(x);
    case HONE_ACT_SIGMOID:
        return 1 / (1 + exp(-x));
    default:
        return x;
    }
}

static inline double hn_act_df(double x, hone_act act) {
    switch (act) {
    case HONE_ACT_GELU_TANH: {
        double k = M_2_SQRTPI * M_SQRT1_2, t = tanh(k * (x + 0.044715 * x * x * x));
        return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * k * (1 + 3 * 0.044715 * x * x);
    }
    case HONE_ACT_GELU:
        return 0.5 * (1 + erf(x * M_SQRT1_2)) + x * exp(-0.5 * x * x) * M_2_SQRTPI * M_SQRT1_2 / 2;
    case HONE_ACT_RELU:
        return x > 0 ? 1 : 0;
    case HONE_ACT_RELU2:
        return x > 0 ? 2 * x : 0;
    case HONE_ACT_SILU: {
        double s = 1 / (1 + exp(-x));
        return s * (1 + x * (1 - s));
    }
    case HONE_ACT_TANH: {
        double t = tanh(x);
        return 1 - t * t;
    }
    case HONE_ACT_SIGMOID: {
        double s = 1 / (1 + exp(-x));
        return s * (1 - s);
    }
    default:
        return 1;
    }
}
#endif
