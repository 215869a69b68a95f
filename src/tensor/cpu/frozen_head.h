/* frozen_head.h - the cross-entropy of a head that gets no gradient, for linear_cross_entropy.c. */
#ifndef HN_FROZEN_HEAD_H
#define HN_FROZEN_HEAD_H
#include "tensor/cpu/cpu.h"

bool hn_frozen_head(const hn_call *c); /* is the loss the root, the head frozen, and nothing else asked for? */
void hn_frozen_head_forward(hn_call *c);
int64_t hn_frozen_head_bytes(const hn_call *c); /* of scratch */
#endif
