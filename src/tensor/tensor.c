/* tensor.c - types, shapes, weights, reading values. Weights live in an arena, all other tensors on a tape. */
#include "tensor/tape.h"
#include <math.h>

static const struct {
    const char *name;
    int64_t bytes;
} dtypes[HONE_DTYPE_COUNT] = {
    [HONE_F32] = {"f32", 4}, [HONE_I32] = {"i32", 4}, [HONE_BF16] = {"bf16", 2},
    [HONE_F16] = {"f16", 2}, [HONE_U8] = {"u8", 1},   [HONE_I64] = {"i64", 8},
};
int64_t hone_dtype_bytes(hone_dtype t) { return t >= 0 && t < HONE_DTYPE_COUNT ? dtypes[t].bytes : 0; }
const char *hone_dtype_name(hone_dtype t) { return t >= 0 && t < HONE_DTYPE_COUNT ? dtypes[t].name : "?"; }

static float from_bits(uint32_t u) {
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}
float hn_bf16_number(uint16_t bits) { return from_bits((uint32_t)bits << 16); }
float hn_f16_number(uint16_t bits) {
    uint32_t sign = (uint32_t)(bits & 0x8000) << 16, e = (bits >> 10) & 31, m = bits & 0x3ff;
    if (e == 31) return from_bits(sign | 0x7f800000 | m << 13);
    return e ? from_bits(sign | (e + 112) << 23 | m << 13) : (sign ? -1.0f : 1.0f) * (float)m * 0x1p-24f;
}

int hone_tensor_dims(const hone_tensor *x) { return x->dims; }
const int64_t *hone_tensor_shape(const hone_tensor *x) { return x->shape; }
hone_dtype hone_tensor_dtype(const hone_tensor *x) { return x->dtype; }

static bool readable(const hone_tensor *x) { return x->data && !(x->tape && x->tape->failed) && !hn_root(x)->released; }
float *hone_tensor_f32(hone_tensor *x) { return x->dtype == HONE_F32 && readable(x) ? x->data : NULL; }

float *hone_tensor_grad(hone_tensor *x) {
    float *g = hn_root(x)->grad;
    return g ? g + (x->base ? x->base_offset : 0) : NULL;
}

double hone_tensor_item(const hone_tensor *x, int64_t i) {
    if (!readable(x) || i < 0 || i >= hn_count(x)) return NAN;
    int64_t cols = hn_cols(x), at = i / cols * x->ld + i % cols;
    switch (x->dtype) {
    case HONE_F32:
        return ((const float *)x->data)[at];
    case HONE_BF16:
        return (double)hn_widen(((const hn_bf16 *)x->data)[at]);
    case HONE_I32:
        return ((const int32_t *)x->data)[at];
    case HONE_U8:
        return ((const uint8_t *)x->data)[at];
    case HONE_I64:
        return (double)((const int64_t *)x->data)[at];
    case HONE_F16:
        return hn_f16_number(((const uint16_t *)x->data)[at]);
    default:
        return NAN;
    }
}

const char *hn_shape_text(hn_arena *a, const hone_tensor *x) {
    char text[HONE_MAX_DIMS * 24] = "";
    for (int i = 0, at = 0; i < x->dims; i++)
        at += snprintf(text + at, sizeof text - (size_t)at, "%s%lld", i ? "," : "", (long long)x->shape[i]);
    return hn_strdup(a, text);
}

bool hn_tensor_bytes(const hone_tensor *x, int64_t *bytes) {
    int64_t n = hone_dtype_bytes(x->dtype);
    for (int i = 0; i < x->dims; i++)
        if (!hn_mul(n, x->shape[i], &n)) return false;
    return *bytes = n, n <= INT64_MAX / 16;
}

/* Small weights share pages; large ones get their own, so that huge pages can serve them. */
static float *zeros(hn_arena *a, int64_t bytes) { return bytes < 1 << 20 ? hn_alloc(a, bytes, 1, 64) : hn_alloc_large(a, bytes); }

hone_tensor *hn_weight_new(hn_arena *a, const char *name, int dims, const int64_t *shape, bool null_storage) {
    hone_tensor *w = hn_new(a, hone_tensor);
    *w = (hone_tensor){.dtype = HONE_F32, .dims = dims, .is_weight = true, .name = hn_strdup(a, name)};
    int64_t bytes = 0;
    HN_ASSERT(dims >= 1 && dims <= HONE_MAX_DIMS);
    for (int i = 0; i < dims; i++) w->shape[i] = shape[i];
    HN_ASSERT(hn_tensor_bytes(w, &bytes));
    w->ld = hn_cols(w);
    if (!null_storage) hn_weight_store(a, w);
    return w;
}

void hn_weight_store(hn_arena *a, hone_tensor *w) { w->data = zeros(a, HN_MAX(hn_count(w), 1) * (int64_t)sizeof(float)); }

void hn_weight_grad(hn_arena *a, hone_tensor *w) {
    w->wants_grad = true;
    if (w->data && !w->grad) w->grad = zeros(a, HN_MAX(hn_count(w), 1) * (int64_t)sizeof(float));
}

#define OP(n) &hn_op_##n.item,
static const hn_item *const ops[] = {
#include "tensor/op/ops.def"
};
#undef OP
const hn_kind hn_kind_op = {"op", "operators", ops, HN_LEN(ops)};

int hn_op_index(const hn_op *op) {
    for (int i = 0; i < HN_LEN(ops); i++)
        if (ops[i] == &op->item) return i;
    return -1;
}

#define BACKEND(n) extern const hn_backend hn_backend_##n;
#include "tensor/backends.def"
#undef BACKEND
static const hn_item *const backends[] = {
#define BACKEND(n) &hn_backend_##n.item,
#include "tensor/backends.def"
#undef BACKEND
};
const hn_kind hn_kind_backend = {"backend", "where operators run", backends, HN_LEN(backends)};
