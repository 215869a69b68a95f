/* linear_pairs.h - the linear map in bf16 products, for linear.c. */
#ifndef HN_LINEAR_PAIRS_H
#define HN_LINEAR_PAIRS_H
#include "tensor/cpu/cpu.h"

bool hn_linear_in_pairs(const hn_call *c); /* are x bf16, w f32, and is there an instruction for it? */
void hn_linear_pairs_forward(hn_call *c);
void hn_linear_pairs_backward(hn_call *c, hone_tensor *const dx[]);
int64_t hn_linear_pairs_bytes(const hn_call *c, bool back); /* of scratch */
#endif
