/* pooling.h - which tokens of a sequence are pooled, for the reference and the kernel. */
#ifndef HN_TENSOR_OP_POOLING_H
#define HN_TENSOR_OP_POOLING_H
#include "tensor/op/op.h"

typedef struct hn_pooled {
    int64_t first, last, n; /* tokens first … last that hn_pooling_has, n of them; for FIRST and LAST a single one */
} hn_pooled;
static inline bool hn_pooling_has(const hn_call *c, int64_t b, int64_t t) {
    const hone_tensor *which = c->in[1];
    return !which || (which->dims == 1 ? t < hn_ids(which)[b] : hn_ids(which)[b * which->ld + t] != 0);
}
static inline hn_pooled hn_pooling_of(const hn_call *c, int64_t b) {
    hone_pool_kind kind = ((const hn_pooling_attr *)c->attr)->kind;
    hn_pooled p = {0};
    for (int64_t t = 0; t < c->in[0]->shape[1]; t++) {
        if (!hn_pooling_has(c, b, t)) continue;
        if (!p.n++) p.first = t;
        p.last = t;
    }
    if (kind == HONE_POOL_FIRST) p.last = p.first;
    if (kind == HONE_POOL_LAST) p.first = p.last;
    if (kind != HONE_POOL_MEAN) p.n = p.n > 0;
    return p;
}
/* Fails the tape where a sequence has no token, or is longer than x. */
bool hn_pooling_tokens(const hn_call *c);
#endif
