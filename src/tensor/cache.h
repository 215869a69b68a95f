/* cache.h - what attention asks of the key-value cache. */
#ifndef HN_TENSOR_CACHE_H
#define HN_TENSOR_CACHE_H
#include "tensor/tensor.h"
bool hn_tape_has_cache(const hone_tape *t);
/* Appends k and v (B,T,C) to the layer's cache; k and v become the whole of it (B,S,C) with `stride` elements between batch rows. */
bool hn_cache_append(hone_tape *t, int64_t layer, hone_tensor **k, hone_tensor **v, int64_t *stride) HN_CHECK;
#endif
