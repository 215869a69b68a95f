/* kernels.h - vector work that other layers may use; same bits for any number of threads. */
#ifndef HN_KERNELS_H
#define HN_KERNELS_H
#include "base/base.h"

double hn_sum_squares(hn_pool *pool, const float *x, int64_t n);           /* Σ x², chunks of 65536 summed in order; for gradient norms */
void hn_axpy(hn_pool *pool, float *y, float s, const float *x, int64_t n); /* y += s·x */
#endif
