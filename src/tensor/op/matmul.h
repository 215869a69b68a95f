/* matmul.h - sizes of a batch of products, for the reference and the kernels. */
#ifndef HN_TENSOR_OP_MATMUL_H
#define HN_TENSOR_OP_MATMUL_H
#include "tensor/op/broadcast.h"

typedef struct hn_products {
    int64_t M, N, K, n[2];           /* batches of the result: (n[0], n[1]) products */
    int64_t own[2][2];               /* batches of a and of b: 1 where stretched */
    int64_t a[2], b[2];              /* elements from one batch index to the next; 0 where stretched */
} hn_products;
static inline hn_products hn_products_of(const hn_call *c) {
    const hn_matmul_attr *at = c->attr;
    const hone_tensor *a = c->in[0], *b = c->in[1];
    int64_t na[HONE_MAX_DIMS], nb[HONE_MAX_DIMS], sa[HONE_MAX_DIMS], sb[HONE_MAX_DIMS];
    hn_padded(a, na), hn_padded(b, nb), hn_steps(a, sa), hn_steps(b, sb);
    hn_products p = {.M = na[at->a_turned ? 3 : 2], .K = na[at->a_turned ? 2 : 3], .N = nb[at->b_turned ? 2 : 3]};
    for (int d = 0; d < 2; d++) {
        p.n[d] = na[d] == 1 ? nb[d] : na[d];
        p.own[0][d] = na[d], p.own[1][d] = nb[d];
        p.a[d] = na[d] == 1 ? 0 : sa[d], p.b[d] = nb[d] == 1 ? 0 : sb[d];
    }
    return p;
}
#endif
