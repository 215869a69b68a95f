/* cache.c - keys and values of the tokens already seen, per layer (batch, max_time, channels), f32 or bf16.
 *
 * Rows in step: attention appends at `length`; `pending` counts what this forward has appended, the same for every layer. It is added to
 * `length` when the next forward begins, so that all layers of one forward stand at the same position. Rows placed one by one
 * (hn_tape_cache_place): row b is appended behind the at[b] tokens of slot[b]; whoever placed them counts. */
#include "tensor/cache.h"
#include "tensor/tape.h"

typedef struct cache_args {
    hone_dtype dtype;
    int64_t layers, batch, max_time, channels;
} cache_args;
static bool cache_body(hone_tape *t, void *arg) {
    cache_args *c = arg;
    hone_tensor all = {.dtype = c->dtype, .dims = 4, .shape = {c->layers, c->batch, c->max_time, c->channels}};
    int64_t bytes;
    if (c->dtype != HONE_F32 && c->dtype != HONE_BF16)
        return hn_tape_fail(t, HONE_E_VALUE, &(hn_why){.what = "a key-value cache holds f32 or bf16"});
    if (!hn_tensor_bytes(&all, &bytes)) return hn_tape_overflow(t, "key-value cache", &all);
    if (t->cache) hn_arena_free(t->cache->a);
    t->cache = NULL;
    hn_arena *a = hn_arena_new(t->a);
    hn_cache *k = hn_new(a, hn_cache);
    *k = (hn_cache){.a = a, .dtype = c->dtype, .layers = c->layers, .batch = c->batch, .max_time = c->max_time, .channels = c->channels,
                    .bytes = 2 * bytes};
    k->k = hn_new_n(a, void *, HN_MAX(c->layers, 1));
    k->v = hn_new_n(a, void *, HN_MAX(c->layers, 1));
    k->slot = hn_new_n(a, int32_t, HN_MAX(c->batch, 1));
    k->at = hn_new_n(a, int32_t, HN_MAX(c->batch, 1));
    for (int64_t l = 0; l < c->layers && t->backend->computes; l++) {
        k->k[l] = hn_alloc_large(a, HN_MAX(bytes / c->layers, 1));
        k->v[l] = hn_alloc_large(a, HN_MAX(bytes / c->layers, 1));
    }
    t->cache = k;
    return true;
}

bool hone_tape_cache_as(hone_tape *t, hone_dtype dtype, int64_t layers, int64_t batch, int64_t max_time, int64_t channels) {
    return hn_tape_try(t, cache_body, &(cache_args){dtype, layers, batch, max_time, channels});
}
bool hone_tape_cache(hone_tape *t, int64_t layers, int64_t batch, int64_t max_time, int64_t channels) {
    return hone_tape_cache_as(t, HONE_F32, layers, batch, max_time, channels);
}

void hn_tape_cache_advance(hone_tape *t) {
    if (!t->cache) return;
    t->cache->length += t->cache->pending;
    t->cache->pending = 0;
}

void hone_tape_cache_reset(hone_tape *t, int64_t length) {
    if (!t->cache) return;
    hn_tape_cache_advance(t);
    t->cache->placed = 0;
    t->cache->length = HN_MAX(0, HN_MIN(length, t->cache->length));
}

void hn_tape_cache_place(hone_tape *t, int64_t rows, const int32_t *slot, const int32_t *at) {
    hn_cache *c = t->cache;
    HN_ASSERT(c && rows > 0 && rows <= c->batch);
    hone_tape_cache_reset(t, 0);
    for (int64_t b = 0; b < rows; b++) {
        HN_ASSERT(slot[b] >= 0 && slot[b] < c->batch && at[b] >= 0);
        c->slot[b] = slot[b];
        c->at[b] = at[b];
    }
    c->placed = rows;
}

int64_t hone_tape_cache_length(const hone_tape *t) { return t->cache ? t->cache->length + t->cache->pending : 0; }
int64_t hn_tape_position(const hone_tape *t) {
    int64_t most = 0;
    if (!t->cache) return 0;
    for (int64_t b = 0; b < t->cache->placed; b++) most = HN_MAX(most, t->cache->at[b]);
    return t->cache->placed ? most : t->cache->length;
}
bool hn_tape_has_cache(const hone_tape *t) { return t->cache != NULL; }

static bool in_step(const hn_cache *c) {
    for (int64_t b = 1; b < c->placed; b++)
        if (c->at[b] != c->at[0]) return false;
    return true;
}

hone_tensor *hn_tape_positions(hone_tape *t, int64_t B, int64_t T) {
    const hn_cache *c = t->cache;
    if (!c || in_step(c) || B != c->placed) return NULL;
    hone_tensor *x = hone_input_i32(t, NULL, 2, (int64_t[]){B, T});
    for (int64_t i = 0; x->data && i < B * T; i++) ((int32_t *)x->data)[i] = (int32_t)(c->at[i / T] + i % T);
    return x;
}

/* One that belongs to the cache: attention reads it in place, like a weight. */
static hone_tensor *lent(hone_tape *t, hone_tensor x) {
    hone_tensor *y = hn_bump_alloc(&t->nodes, sizeof *y);
    *y = x;
    y->tape = t;
    y->ld = hn_cols(y);
    y->is_weight = true;
    return y;
}

static void append(const hn_cache *c, void *to, const hone_tensor *x) {
    int64_t B = x->shape[0], T = x->shape[1];
    for (int64_t r = 0; r < B * T; r++) {
        const float *from = (const float *)x->data + r * x->ld;
        int64_t at = (c->slot[r / T] * c->max_time + c->at[r / T] + r % T) * c->channels;
        if (c->dtype == HONE_F32) memcpy((float *)to + at, from, (size_t)c->channels * sizeof(float));
        else
            for (int64_t i = 0; i < c->channels; i++) ((hn_bf16 *)to)[at + i] = hn_narrow(from[i]);
    }
}

typedef struct append_args {
    int64_t layer;
    const hone_tensor *k, *v;
    hn_cached *out;
} append_args;
static bool append_body(hone_tape *t, void *arg) {
    append_args *p = arg;
    hn_cache *c = t->cache;
    const hone_tensor *k = p->k, *v = p->v;
    const char *what = NULL;
    int64_t at = hn_tape_position(t);
    if (t->mode == HONE_TRAIN) what = "attention: a tape with a key-value cache does not record";
    else if (p->layer < 0 || p->layer >= c->layers)
        what = hn_fmt(t->texts, "attention: layer %lld but the cache has %lld", (long long)p->layer, (long long)c->layers);
    else if (k->dims != 3 || v->dims != 3 || k->shape[2] != c->channels || k->shape[0] > c->batch || k->dtype != HONE_F32 || v->dtype != HONE_F32 ||
             memcmp(k->shape, v->shape, sizeof k->shape) != 0)
        what = hn_fmt(t->texts, "attention: k is (%s) and v (%s) but the cache holds (%lld,time,%lld)", hn_shape_text(t->texts, k),
                      hn_shape_text(t->texts, v), (long long)c->batch, (long long)c->channels);
    else if (c->placed && c->placed != k->shape[0])
        what = hn_fmt(t->texts, "attention: k is (%s) but %lld rows have places in the cache", hn_shape_text(t->texts, k), (long long)c->placed);
    else if (at + k->shape[1] > c->max_time)
        what = hn_fmt(t->texts, "attention: %lld tokens after %lld but the cache holds %lld", (long long)k->shape[1], (long long)at,
                      (long long)c->max_time);
    else if (c->pending && c->pending != k->shape[1])
        what = hn_fmt(t->texts, "attention: layer %lld appends %lld tokens but an earlier layer %lld", (long long)p->layer,
                      (long long)k->shape[1], (long long)c->pending);
    if (what) return hn_tape_fail(t, HONE_E_SHAPE, &(hn_why){.what = what});
    int64_t B = k->shape[0];
    for (int64_t b = 0; b < B && !c->placed; b++) c->slot[b] = (int32_t)b, c->at[b] = (int32_t)c->length;
    if (t->backend->computes) {
        append(c, c->k[p->layer], k);
        append(c, c->v[p->layer], v);
    }
    if (!c->placed) c->pending = k->shape[1];
    *p->out = (hn_cached){0};
    if (!at) return true;
    hone_tensor all = {.dtype = c->dtype, .dims = 3, .shape = {c->batch, c->max_time, c->channels}}, row = {.dtype = HONE_I32, .dims = 1, .shape = {B}};
    all.data = c->k[p->layer];
    p->out->k = lent(t, all);
    all.data = c->v[p->layer];
    p->out->v = lent(t, all);
    row.data = c->slot;
    p->out->slots = lent(t, row);
    row.data = c->at;
    p->out->positions = lent(t, row);
    return true;
}

bool hn_cache_append(hone_tape *t, int64_t layer, const hone_tensor *k, const hone_tensor *v, hn_cached *out) {
    return hn_tape_try(t, append_body, &(append_args){layer, k, v, out});
}
