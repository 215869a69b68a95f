/* cache.h - what attention asks of the key-value cache. */
#ifndef HN_TENSOR_CACHE_H
#define HN_TENSOR_CACHE_H
#include "tensor/tensor.h"
bool hn_tape_has_cache(const hone_tape *t);
/* The cache of a layer as attention_cached takes it. */
typedef struct hn_cached {
    hone_tensor *k, *v, *slots, *positions;
} hn_cached;
/* Appends k and v (B,T,K) to the layer's cache, behind what it holds of each row. Where that is nothing, k and v are all there is, and
 * *out is empty. */
bool hn_cache_append(hone_tape *t, int64_t layer, const hone_tensor *k, const hone_tensor *v, hn_cached *out) HN_CHECK;
#endif
