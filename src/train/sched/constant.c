/* constant.c - the peak all along. */
#include "train/train.h"

static double factor(int64_t step, int64_t steps, const hn_sched_params *s, const void *params) { return 1; }

const hn_sched hn_sched_constant = { HN_ITEM0("constant", "the peak, after the warm-up, to the end", NULL), .factor = factor };
