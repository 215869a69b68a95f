/* cache.c - keys and values of the tokens already seen, per layer (batch, max_time, channels).
 * Attention appends at `length`; `pending` counts what this forward has appended, the same for every layer. It is added to
 * `length` when the next forward begins, so that all layers of one forward stand at the same position. */
#include "tensor/cache.h"
#include "tensor/tape.h"

typedef struct cache_args {
    int64_t layers, batch, max_time, channels;
} cache_args;
static bool cache_body(hone_tape *t, void *arg) {
    cache_args *c = arg;
    hone_tensor all = {.dtype = HONE_F32, .dims = 4, .shape = {c->layers, c->batch, c->max_time, c->channels}};
    int64_t bytes;
    if (!hn_tensor_bytes(&all, &bytes)) return hn_tape_overflow(t, "key-value cache", &all);
    if (t->cache) hn_arena_free(t->cache->a);
    t->cache = NULL;
    hn_arena *a = hn_arena_new(t->a);
    hn_cache *k = hn_new(a, hn_cache);
    *k = (hn_cache){.a = a, .layers = c->layers, .batch = c->batch, .max_time = c->max_time, .channels = c->channels, .bytes = 2 * bytes};
    k->k = hn_new_n(a, float *, HN_MAX(c->layers, 1));
    k->v = hn_new_n(a, float *, HN_MAX(c->layers, 1));
    for (int64_t l = 0; l < c->layers && t->backend->computes; l++) {
        k->k[l] = hn_alloc_large(a, HN_MAX(bytes / c->layers, 1));
        k->v[l] = hn_alloc_large(a, HN_MAX(bytes / c->layers, 1));
    }
    t->cache = k;
    return true;
}

bool hone_tape_cache(hone_tape *t, int64_t layers, int64_t batch, int64_t max_time, int64_t channels) {
    return hn_tape_try(t, cache_body, &(cache_args){layers, batch, max_time, channels});
}

void hn_tape_cache_advance(hone_tape *t) {
    if (!t->cache) return;
    t->cache->length += t->cache->pending;
    t->cache->pending = 0;
}

void hone_tape_cache_reset(hone_tape *t, int64_t length) {
    if (!t->cache) return;
    hn_tape_cache_advance(t);
    t->cache->length = HN_MAX(0, HN_MIN(length, t->cache->length));
}

int64_t hone_tape_cache_length(const hone_tape *t) { return t->cache ? t->cache->length + t->cache->pending : 0; }
int64_t hn_tape_position(const hone_tape *t) { return t->cache ? t->cache->length : 0; }
bool hn_tape_has_cache(const hone_tape *t) { return t->cache != NULL; }

static hone_tensor *cached(hone_tape *t, float *data, int64_t B, int64_t S) {
    hone_tensor *x = hn_bump_alloc(&t->nodes, sizeof *x);
    *x =
        (hone_tensor){.dtype = HONE_F32, .dims = 3, .shape = {B, S, t->cache->channels}, .ld = t->cache->channels, .data = data, .tape = t};
    return x;
}

static void append(const hn_cache *c, float *to, const hone_tensor *x) {
    int64_t B = x->shape[0], T = x->shape[1];
    for (int64_t b = 0; b < B; b++)
        for (int64_t s = 0; s < T; s++)
            memcpy(to + (b * c->max_time + c->length + s) * c->channels, (const float *)x->data + (b * T + s) * x->ld,
                   (size_t)c->channels * sizeof(float));
}

typedef struct append_args {
    int64_t layer;
    hone_tensor **k, **v;
    int64_t *stride;
} append_args;
static bool append_body(hone_tape *t, void *arg) {
    append_args *p = arg;
    hn_cache *c = t->cache;
    hone_tensor *k = *p->k, *v = *p->v;
    const char *what = NULL;
    if (t->mode == HONE_TRAIN) what = "attention: a tape with a key-value cache does not record";
    else if (p->layer < 0 || p->layer >= c->layers)
        what = hn_fmt(t->texts, "attention: layer %lld but the cache has %lld", (long long)p->layer, (long long)c->layers);
    else if (k->dims != 3 || v->dims != 3 || k->shape[2] != c->channels || k->shape[0] > c->batch ||
             memcmp(k->shape, v->shape, sizeof k->shape) != 0)
        what = hn_fmt(t->texts, "attention: k is (%s) and v (%s) but the cache holds (%lld,time,%lld)", hn_shape_text(t->texts, k),
                      hn_shape_text(t->texts, v), (long long)c->batch, (long long)c->channels);
    else if (c->length + k->shape[1] > c->max_time)
        what = hn_fmt(t->texts, "attention: %lld tokens after %lld but the cache holds %lld", (long long)k->shape[1], (long long)c->length,
                      (long long)c->max_time);
    else if (c->pending && c->pending != k->shape[1])
        what = hn_fmt(t->texts, "attention: layer %lld appends %lld tokens but an earlier layer %lld", (long long)p->layer,
                      (long long)k->shape[1], (long long)c->pending);
    if (what) return hn_tape_fail(t, HONE_E_SHAPE, &(hn_why){.what = what});
    if (t->backend->computes) {
        append(c, c->k[p->layer], k);
        append(c, c->v[p->layer], v);
    }
    c->pending = k->shape[1];
    *p->k = cached(t, c->k[p->layer], k->shape[0], c->length + c->pending);
    *p->v = cached(t, c->v[p->layer], k->shape[0], c->length + c->pending);
    *p->stride = c->max_time * c->channels;
    return true;
}

bool hn_cache_append(hone_tape *t, int64_t layer, hone_tensor **k, hone_tensor **v, int64_t *stride) {
    return hn_tape_try(t, append_body, &(append_args){layer, k, v, stride});
}
