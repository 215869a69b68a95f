/* attention.c - o = dropout(softmax(cap(scale·q·kᵀ)))·v for each head. Vaswani et al. 2017; kept for backward: q, k, v, o and the
 * log-sum-exp of each row, never T×S (Dao et al. 2022, arXiv:2205.14135).
 *
 * p = exp(z − lse) · m = dropout mask/(1−rate) · dv += (p·m)·do · dp = (do·v)·m · dz = p·(dp − Σ p·dp) · ds = dz·(1 − (z/cap)²)
 * · dq += scale·ds·k · dk += scale·ds·q, with z = cap·tanh(scale·q·k/cap), or scale·q·k without a cap.
 * Head h reads the keys of head h/(heads/kv_heads). What a query sees: `sees` below. One that sees nothing gives zeros, its lse 0. */
#include "tensor/cache.h"
#include "tensor/op/op.h"

typedef struct dims {
    int64_t B, T, S, H, D, Sq, group;
} dims; /* Sq: dropout quads of a row; group: heads to a head of k */
static const hn_attention_attr *attr(const hn_call *c) { return c->attr; }
static int64_t kv_heads(const hn_attention_attr *a) { return a->o.kv_heads ? a->o.kv_heads : a->o.heads; }
static dims dims_of(const hn_call *c) {
    const hone_tensor *q = c->in[0], *k = c->in[1];
    dims d = { q->shape[0], q->shape[1], k->shape[1], attr(c)->o.heads };
    d.D = q->shape[2] / d.H;
    d.Sq = (d.S + 3) / 4;
    d.group = d.H / kv_heads(attr(c));
    return d;
}
/* Row s of what head h reads, in batch row b of k or v or their gradients. */
static float *kv_row(const hone_tensor *x, const dims *d, int64_t b, int64_t s, int64_t h) {
    return hn_row_of(x, b * d->S + s) + h / d->group * d->D;
}
static float *q_row(const hone_tensor *x, const dims *d, int64_t b, int64_t t, int64_t h) { return hn_row_of(x, b * d->T + t) + h * d->D; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *q = c->in[0], *k = c->in[1], *v = c->in[2], *len = c->in[3], *doc = c->in[4];
    const hone_attention_opts *o = &attr(c)->o;
    int64_t H = o->heads, KV = kv_heads(attr(c)), pos0 = attr(c)->pos0;
    if (!hn_is_f32(q, 3) || !hn_is_f32(k, 3) || !hn_is_f32(v, 3))
        return HN_MISFIT(c, "attention: q, k and v must be f32 of three dimensions");
    if (H < 1 || q->shape[2] % H || !q->shape[2])
        return HN_MISFIT(c, "attention: q is (%s) but there are %lld heads", HN_SHAPE(c, q), (long long)H);
    if (KV < 1 || H % KV) return HN_MISFIT(c, "attention: %lld heads cannot share %lld heads of keys", (long long)H, (long long)KV);
    if (k->shape[0] != q->shape[0] || k->shape[2] != q->shape[2] / H * KV || memcmp(k->shape, v->shape, sizeof k->shape) != 0)
        return HN_MISFIT(c, "attention: q is (%s) but k is (%s) and v (%s)", HN_SHAPE(c, q), HN_SHAPE(c, k), HN_SHAPE(c, v));
    if (o->causal ? pos0 < 0 : k->shape[1] < 1 && q->shape[1] > 0)
        return HN_MISFIT(c, "attention: q is (%s) but k is (%s): some queries would see no key", HN_SHAPE(c, q), HN_SHAPE(c, k));
    if (len && (len->dtype != HONE_I32 || len->dims != 1 || len->shape[0] != q->shape[0]))
        return HN_MISFIT(c, "attention: q is (%s) but lengths is (%s)", HN_SHAPE(c, q), HN_SHAPE(c, len));
    if (doc && (doc->dtype != HONE_I32 || doc->dims != 2 || doc->shape[0] != q->shape[0] || doc->shape[1] != k->shape[1] || pos0 < 0 ||
                pos0 + q->shape[1] > k->shape[1]))
        return HN_MISFIT(c, "attention: k is (%s) but documents is (%s)", HN_SHAPE(c, k), HN_SHAPE(c, doc));
    if (!(o->dropout >= 0 && o->dropout < 1)) return HN_MISFIT(c, "attention: dropout %g is not in [0,1)", o->dropout);
    if (o->window < 0 || !(o->softcap >= 0))
        return HN_MISFIT(c, "attention: a window of %lld and a cap of %g", (long long)o->window, o->softcap);
    hn_same_shape(c->out, q);
    *c->aux[0] = (hone_tensor){ .dtype = HONE_F32, .dims = 3, .shape = { q->shape[0], H, q->shape[1] } };
    c->n_aux = 1;
    return true;
}

bool hn_attention_lengths(const hn_call *c) {
    const hone_tensor *len = c->in[3], *k = c->in[1];
    for (int64_t b = 0; len && b < len->shape[0]; b++)
        if (hn_ids(len)[b] < 0 || hn_ids(len)[b] > k->shape[1])
            return HN_MISFIT(c, "attention: length %d of row %lld is not in 0 … %lld", hn_ids(len)[b], (long long)b,
                             (long long)k->shape[1]);
    return true;
}

static int64_t scratch_bytes(const hn_call *c, bool backward) {
    dims d = dims_of(c);
    return (backward ? 3 * d.S + 2 * d.S * d.D + d.D : d.S + d.D) * (int64_t)sizeof(double);
}

static bool sees(const hn_call *c, const dims *d, int64_t b, int64_t t, int64_t s) {
    const hone_attention_opts *o = &attr(c)->o;
    int64_t at = attr(c)->pos0 + t; /* the query's place among the keys */
    if (o->causal && s > at) return false;
    if (o->window && (at - s >= o->window || s - at >= o->window)) return false;
    if (c->in[3] && s >= hn_ids(c->in[3])[b]) return false;
    return !c->in[4] || hn_ids(c->in[4])[b * d->S + s] == hn_ids(c->in[4])[b * d->S + at];
}

/* 0 where dropped, else 1/(1−rate). */
static double mask(const hn_call *c, const dims *d, int64_t row, int64_t s) {
    float rate = attr(c)->o.dropout;
    uint32_t word[4];
    if (rate <= 0) return 1;
    hn_drop_words(c, row * d->Sq + s / 4, word);
    return word[s % 4] < hn_drop_below(rate) ? 0 : 1 / (1 - (double)rate);
}

static double dot(const float *x, const float *y, int64_t n) {
    double s = 0;
    for (int64_t i = 0; i < n; i++) s += (double)x[i] * y[i];
    return s;
}
/* z, and its slope by scale·q·k. */
static double score(const hn_call *c, const dims *d, const float *q, const float *k, double *slope) {
    double z = attr(c)->o.scale * dot(q, k, d->D), cap = attr(c)->o.softcap, u = cap > 0 ? tanh(z / cap) : 0;
    *slope = 1 - u * u;
    return cap > 0 ? cap * u : z;
}

static void forward_row(hn_call *c, const dims *d, int64_t b, int64_t h, int64_t t) {
    double *z = c->scratch, *o = z + d->S, max = -INFINITY, sum = 0, slope;
    int64_t row = (b * d->H + h) * d->T + t;
    for (int64_t s = 0; s < d->S; s++) {
        if (!sees(c, d, b, t, s)) continue;
        z[s] = score(c, d, q_row(c->in[0], d, b, t, h), kv_row(c->in[1], d, b, s, h), &slope);
        max = fmax(max, z[s]);
    }
    memset(o, 0, (size_t)d->D * sizeof *o);
    for (int64_t s = 0; s < d->S; s++)
        if (sees(c, d, b, t, s)) sum += exp(z[s] - max);
    for (int64_t s = 0; s < d->S; s++) {
        if (!sees(c, d, b, t, s)) continue;
        double p = exp(z[s] - max) / sum * mask(c, d, row, s);
        for (int64_t i = 0; i < d->D; i++) o[i] += p * kv_row(c->in[2], d, b, s, h)[i];
    }
    for (int64_t i = 0; i < d->D; i++) q_row(c->out, d, b, t, h)[i] = (float)o[i];
    if (c->aux[0]) ((float *)c->aux[0]->data)[row] = sum == 0 ? 0 : (float)(max + log(sum));
}

static void forward(hn_call *c) {
    dims d = dims_of(c);
    if (!hn_attention_lengths(c)) return;
    for (int64_t b = 0; b < d.B; b++)
        for (int64_t h = 0; h < d.H; h++)
            for (int64_t t = 0; t < d.T; t++) forward_row(c, &d, b, h, t);
}

/* One query: its dq, and its share of dk and dv, (S,D) in double. */
static void backward_row(hn_call *c, const dims *d, int64_t b, int64_t h, int64_t t, double *dk, double *dv, hone_tensor *dq_out) {
    double *p = dv + d->S * d->D, *dp = p + d->S, *slope = dp + d->S, *dq = slope + d->S, sum = 0;
    int64_t row = (b * d->H + h) * d->T + t;
    const float *q = q_row(c->in[0], d, b, t, h), *dy = c->out->grad + (b * d->T + t) * c->out->ld + h * d->D;
    double lse = ((const float *)c->aux[0]->data)[row], scale = attr(c)->o.scale;
    for (int64_t s = 0; s < d->S; s++) {
        if (!sees(c, d, b, t, s)) continue;
        double m = mask(c, d, row, s);
        p[s] = exp(score(c, d, q, kv_row(c->in[1], d, b, s, h), &slope[s]) - lse);
        dp[s] = dot(dy, kv_row(c->in[2], d, b, s, h), d->D) * m;
        sum += p[s] * dp[s];
        for (int64_t i = 0; i < d->D; i++) dv[s * d->D + i] += p[s] * m * dy[i];
    }
    memset(dq, 0, (size_t)d->D * sizeof *dq);
    for (int64_t s = 0; s < d->S; s++) {
        if (!sees(c, d, b, t, s)) continue;
        double ds = scale * p[s] * (dp[s] - sum) * slope[s];
        for (int64_t i = 0; i < d->D; i++) {
            dq[i] += ds * kv_row(c->in[1], d, b, s, h)[i];
            dk[s * d->D + i] += ds * q[i];
        }
    }
    for (int64_t i = 0; i < d->D && dq_out; i++) q_row(dq_out, d, b, t, h)[i] += (float)dq[i];
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    dims d = dims_of(c);
    double *dk = c->scratch, *dv = dk + d.S * d.D;
    for (int64_t b = 0; b < d.B; b++)
        for (int64_t h = 0; h < d.H; h++) {
            memset(dk, 0, (size_t)(2 * d.S * d.D) * sizeof *dk);
            for (int64_t t = 0; t < d.T; t++) backward_row(c, &d, b, h, t, dk, dv, dx[0]);
            for (int64_t s = 0; s < d.S; s++)
                for (int64_t i = 0; i < d.D; i++) {
                    if (dx[1]) kv_row(dx[1], &d, b, s, h)[i] += (float)dk[s * d.D + i];
                    if (dx[2]) kv_row(dx[2], &d, b, s, h)[i] += (float)dv[s * d.D + i];
                }
        }
}

static hn_cost cost(const hn_call *c) {
    dims d = dims_of(c);
    return (hn_cost){ 4.0 * (double)d.B * (double)d.H * (double)d.T * (double)d.S * (double)d.D, hn_bytes_moved(c) };
}

hone_tensor *hone_attention(hone_tape *t, hone_tensor *q, hone_tensor *k, hone_tensor *v, const hone_attention_opts *o) {
    hn_attention_attr a = { .o = *o };
    hone_tensor *lengths = o->lengths, *documents = o->documents;
    a.o.lengths = a.o.documents = NULL; /* they are inputs from here on */
    if (a.o.scale == 0 && q->dims == 3 && o->heads > 0 && q->shape[2] >= o->heads)
        a.o.scale = (float)(1 / sqrt((double)(q->shape[2] / o->heads)));
    if (hn_tape_mode(t) != HONE_TRAIN) a.o.dropout = 0;
    if (hn_tape_has_cache(t)) {
        hn_cached kept = { 0 };
        if (lengths || documents)
            hn_tape_fail(t, HONE_E_SHAPE, &(hn_why){ .what = "attention: a tape with a key-value cache knows no lengths and no documents" });
        if (!hn_cache_append(t, o->layer, k, v, &kept) || kept.k)
            return hone_attention_cached(t, q, kept.k, kept.v, kept.slots, kept.positions, &a.o);
    }
    if (q->dims == 3 && k->dims == 3) a.pos0 = k->shape[1] - q->shape[1];
    return hn_apply(t, &hn_op_attention, &a, (hone_tensor *[]){ q, k, v, lengths, documents });
}

#define CASE(H, C, P, SCALE, ...)                                                                                                          \
    &(const hn_attention_attr) { { .heads = H, .causal = C, .scale = SCALE, __VA_ARGS__ }, .pos0 = P }
#define QKV(B, T, S, C)                                                                                                                    \
    { HN_DIMS(B, T, C), HN_DIMS(B, S, C), HN_DIMS(B, S, C) }, { 3, 3, 3 }
#define GROUPED(B, T, S, C, KC) HN_DIMS(B, T, C), HN_DIMS(B, S, KC), HN_DIMS(B, S, KC)
static const hn_op_case cases[] = {
    { "no rows", QKV(0, 3, 3, 4), CASE(2, true, 0, 0.5f, ) },
    { "no queries", QKV(2, 0, 0, 4), CASE(2, true, 0, 0.5f, ) },
    { "one token", QKV(1, 1, 1, 1), CASE(1, true, 0, 1, ) },
    { "causal, odd", QKV(2, 7, 7, 15), CASE(3, true, 0, 0.45f, ) },
    { "causal, columns", QKV(2, 19, 19, 16), CASE(2, true, 0, 0.35f, ), .views = true },
    { "causal, later queries", QKV(2, 3, 11, 8), CASE(2, true, 8, 0.5f, ) },
    { "every key", QKV(2, 5, 9, 12), CASE(2, false, 0, 0.4f, ), .views = true },
    { "dropout", QKV(2, 6, 6, 8), CASE(2, true, 0, 0.5f, .dropout = 0.3f) },
    { "longer than a tile", QKV(1, 70, 70, 8), CASE(2, true, 0, 0.5f, ) },
    { "wide heads, dropout, every key", QKV(1, 9, 9, 80), CASE(1, false, 0, 0.11f, .dropout = 0.2f) },
    { "shared keys", { GROUPED(2, 7, 7, 24, 8) }, { 3, 3, 3 }, CASE(6, true, 0, 0.5f, .kv_heads = 2), .views = true },
    { "window", QKV(1, 75, 75, 6), CASE(1, true, 0, 0.5f, .window = 5) },
    { "window both ways, dropout", QKV(2, 9, 9, 6), CASE(1, false, 0, 0.5f, .window = 3, .dropout = 0.2f) },
    { "soft cap", QKV(2, 6, 6, 8), CASE(2, true, 0, 1, .softcap = 1.5f) },
    { "lengths", { GROUPED(3, 6, 6, 4, 4), HN_DIMS(3) }, { 3, 3, 3, 1 }, CASE(2, false, 0, 0.5f, ), { 0, 0, 0, 7 } },
    { "documents", { GROUPED(2, 9, 9, 4, 4), NULL, HN_DIMS(2, 9) }, { 3, 3, 3, 0, 2 }, CASE(2, true, 0, 0.5f, ), { 0, 0, 0, 0, 3 } },
    { "all of it",
      { GROUPED(2, 71, 71, 16, 8), HN_DIMS(2), HN_DIMS(2, 71) },
      { 3, 3, 3, 1, 2 },
      CASE(4, true, 0, 0.5f, .kv_heads = 2, .window = 40, .softcap = 3, .dropout = 0.1f),
      { 0, 0, 0, 71, 2 },
      .views = true },
};
const hn_op hn_op_attention = {
    .item = { "attention", "scaled dot-product attention with heads, masks and a cap", "arXiv:1706.03762, arXiv:2205.14135", NULL, 0,
              sizeof(hn_attention_attr) },
    .saves = HN_SAVE_IN0 | HN_SAVE_IN1 | HN_SAVE_IN2 | HN_SAVE_IN3 | HN_SAVE_IN4 | HN_SAVE_OUT | HN_SAVE_AUX,
    .n_in = 5,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch_bytes = scratch_bytes,
    HN_CASES(cases),
};
