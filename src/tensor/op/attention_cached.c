/* attention_cached.c - attention of queries that follow a key-value cache: o = softmax(cap(scale·q·kᵀ))·v, forward only.
 *
 * q (B,T,C); k, v (slots,max_time,K) in f32 or 16 bits, whatever stands in them behind a row's tokens; slots (B): where row b's tokens
 * are; positions (B): how many came before these T, which are in the cache already. Query t of row b sees the keys s ≤ positions[b] + t of
 * slot slots[b], and within a window those alone. So rows of any lengths answer together (ragged batches). Head h reads the keys of head
 * h/(heads/kv_heads). Vaswani et al. 2017; the mask: Yu et al. 2022 (Orca), selective batching. */
#include "tensor/op/op.h"

typedef struct dims {
    int64_t B, T, S, H, D, group; /* S: the cache's time; group: heads to a head of k */
} dims;
static const hn_attention_attr *attr(const hn_call *c) { return c->attr; }
static int64_t kv_heads(const hn_attention_attr *a) { return a->o.kv_heads ? a->o.kv_heads : a->o.heads; }
static dims dims_of(const hn_call *c) {
    const hone_tensor *q = c->in[0];
    dims d = { q->shape[0], q->shape[1], c->in[1]->shape[1], attr(c)->o.heads };
    d.D = q->shape[2] / d.H;
    d.group = d.H / kv_heads(attr(c));
    return d;
}

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *q = c->in[0], *k = c->in[1], *v = c->in[2], *slots = c->in[3], *at = c->in[4];
    const hone_attention_opts *o = &attr(c)->o;
    int64_t H = o->heads, KV = kv_heads(attr(c));
    if (!hn_is_f32(q, 3) || !hn_is_real(k, 3) || !hn_is_real(v, 3)) return HN_MISFIT(c, "attention: q, k and v must be real, of three dimensions");
    if (H < 1 || q->shape[2] % H || !q->shape[2])
        return HN_MISFIT(c, "attention: q is (%s) but there are %lld heads", HN_SHAPE(c, q), (long long)H);
    if (KV < 1 || H % KV) return HN_MISFIT(c, "attention: %lld heads cannot share %lld heads of keys", (long long)H, (long long)KV);
    if (k->shape[2] != q->shape[2] / H * KV || k->dtype != v->dtype || !hn_shape_alike(k, v))
        return HN_MISFIT(c, "attention: q is (%s) but the cache holds k (%s) and v (%s)", HN_SHAPE(c, q), HN_SHAPE(c, k), HN_SHAPE(c, v));
    for (int i = 3; i < 5; i++)
        if (!c->in[i] || c->in[i]->dtype != HONE_I32 || c->in[i]->dims != 1 || c->in[i]->shape[0] != q->shape[0])
            return HN_MISFIT(c, "attention: q is (%s) but its places are (%s) and (%s)", HN_SHAPE(c, q), HN_SHAPE(c, slots), HN_SHAPE(c, at));
    if (!o->causal || o->dropout > 0 || o->window < 0 || !(o->softcap >= 0))
        return HN_MISFIT(c, "attention: behind a cache it is causal and drops nothing");
    hn_same_shape(c->out, q);
    return true;
}

bool hn_attention_places(const hn_call *c) {
    const hone_tensor *k = c->in[1];
    const int32_t *slot = hn_ids(c->in[3]), *at = hn_ids(c->in[4]);
    int64_t T = c->in[0]->shape[1];
    for (int64_t b = 0; b < c->in[0]->shape[0]; b++)
        if (slot[b] < 0 || slot[b] >= k->shape[0] || at[b] < 0 || at[b] + T > k->shape[1])
            return HN_MISFIT(c, "attention: row %lld has %lld tokens from %d on in row %d, but the cache is (%s)", (long long)b, (long long)T, at[b],
                             slot[b], HN_SHAPE(c, k));
    return true;
}

/* Bytes of keys and values that are read. */
static double bytes_read(const hn_call *c) {
    dims d = dims_of(c);
    double keys = 0;
    for (int64_t b = 0; b < d.B && c->in[4]->data; b++)
        keys += (double)HN_MIN(hn_ids(c->in[4])[b] + d.T, attr(c)->o.window ? attr(c)->o.window + d.T - 1 : INT64_MAX);
    return 2 * keys * (double)(c->in[1]->shape[2] * hone_dtype_bytes(c->in[1]->dtype));
}
/* FLOPs as if every query saw the whole cache: what a dry run can know. */
static hn_cost cost(const hn_call *c) {
    return (hn_cost){ 4.0 * (double)hn_count(c->out) * (double)dims_of(c).S, bytes_read(c) + 8.0 * (double)hn_count(c->out) };
}

static int64_t scratch_bytes(const hn_call *c, bool backward) { return (dims_of(c).S + dims_of(c).D) * (int64_t)sizeof(double); }

static void forward_row(hn_call *c, const dims *d, int64_t b, int64_t h, int64_t t) {
    const hone_tensor *q = c->in[0], *k = c->in[1], *v = c->in[2];
    double *z = c->scratch, *o = z + d->S, max = -INFINITY, sum = 0, cap = attr(c)->o.softcap;
    int64_t end = hn_ids(c->in[4])[b] + t + 1, window = attr(c)->o.window, first = window ? HN_MAX(0, end - window) : 0;
    int64_t row = hn_ids(c->in[3])[b] * d->S, head = h / d->group * d->D;
    const float *x = hn_row_of(q, b * d->T + t) + h * d->D;
    for (int64_t s = first; s < end; s++) {
        z[s] = 0;
        for (int64_t i = 0; i < d->D; i++) z[s] += (double)x[i] * hn_real(k, (row + s) * k->ld + head + i);
        z[s] *= attr(c)->o.scale;
        if (cap > 0) z[s] = cap * tanh(z[s] / cap);
        max = fmax(max, z[s]);
    }
    memset(o, 0, (size_t)d->D * sizeof *o);
    for (int64_t s = first; s < end; s++) {
        double p = exp(z[s] - max);
        sum += p;
        for (int64_t i = 0; i < d->D; i++) o[i] += p * hn_real(v, (row + s) * v->ld + head + i);
    }
    for (int64_t i = 0; i < d->D; i++) hn_row_of(c->out, b * d->T + t)[h * d->D + i] = (float)(o[i] / sum);
}
static void forward(hn_call *c) {
    dims d = dims_of(c);
    if (!hn_attention_places(c)) return;
    for (int64_t b = 0; b < d.B; b++)
        for (int64_t h = 0; h < d.H; h++)
            for (int64_t t = 0; t < d.T; t++) forward_row(c, &d, b, h, t);
}
static void backward(hn_call *c, hone_tensor *const dx[]) {} /* a tape with a cache does not record */

hone_tensor *hone_attention_cached(hone_tape *t, hone_tensor *q, hone_tensor *k, hone_tensor *v, hone_tensor *slots, hone_tensor *positions,
                                   const hone_attention_opts *o) {
    hn_attention_attr a = { .o = *o };
    a.o.lengths = a.o.documents = NULL;
    a.o.dropout = 0;
    if (a.o.scale == 0 && q->dims == 3 && o->heads > 0 && q->shape[2] >= o->heads)
        a.o.scale = (float)(1 / sqrt((double)(q->shape[2] / o->heads)));
    return hn_apply(t, &hn_op_attention_cached, &a, (hone_tensor *[]){ q, k, v, slots, positions });
}

#define CASE(H, ...)                                                                                                                       \
    &(const hn_attention_attr) { { .heads = H, .causal = true, .scale = 0.5f, __VA_ARGS__ } }
#define IN(B, T, C, N, S, K)                                                                                                               \
    { HN_DIMS(B, T, C), HN_DIMS(N, S, K), HN_DIMS(N, S, K), HN_DIMS(B), HN_DIMS(B) }, { 3, 3, 3, 1, 1 }
static const hn_op_case cases[] = {
    { "no rows", IN(0, 1, 4, 2, 5, 4), CASE(2, ), { 0, 0, 0, 2, 5 } },
    { "one token", IN(1, 1, 1, 1, 1, 1), CASE(1, ), { 0, 0, 0, 1, 1 } },
    { "rows of several lengths", IN(5, 1, 15, 3, 19, 15), CASE(3, ), { 0, 0, 0, 3, 19 } },
    { "several tokens", IN(2, 7, 16, 4, 21, 16), CASE(2, ), { 0, 0, 0, 4, 15 } },
    { "shared keys, columns", IN(3, 2, 24, 3, 35, 8), CASE(6, .kv_heads = 2), { 0, 0, 0, 3, 34 }, .views = true },
    { "window and cap", IN(4, 3, 12, 5, 70, 6), CASE(4, .kv_heads = 2, .window = 9, .softcap = 2), { 0, 0, 0, 5, 68 } },
    { "many heads of one key", IN(2, 1, 80, 2, 40, 4), CASE(20, .kv_heads = 1), { 0, 0, 0, 2, 40 } },
};
const hn_op hn_op_attention_cached = {
    .item = { "attention_cached", "attention behind a key-value cache, rows of any lengths", "arXiv:1706.03762", NULL, 0,
              sizeof(hn_attention_attr) },
    .n_in = 5,
    .constant = HN_SAVE_IN0 | HN_SAVE_IN1 | HN_SAVE_IN2,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch_bytes = scratch_bytes,
    HN_CASES(cases),
};
