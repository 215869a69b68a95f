/* linear.c - a straight line from the peak at the end of the warm-up to min_ratio at the last step.
 * Source: Defazio et al. 2023, arXiv:2310.07831 (linear decay beats the others on most tasks). */
#include "train/train.h"

static double factor(int64_t step, int64_t steps, const hn_sched_params *s, const void *params)
{
    if (step >= steps) return s->min_ratio;
    double r = (double)(step - s->warmup) / (double)(steps - s->warmup);
    return s->min_ratio + (1 - r) * (1 - s->min_ratio);
}

const hn_sched hn_sched_linear = { HN_ITEM0("linear", "a straight line down to min_ratio", "arXiv:2310.07831"), .factor = factor };
