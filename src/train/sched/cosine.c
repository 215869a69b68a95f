/* cosine.c - half a cosine from the peak at the end of the warm-up to min_ratio at the last step: nanoGPT's get_lr with
 * lr_decay_iters = steps. Source: Loshchilov & Hutter 2017, arXiv:1608.03983. */
#include "train/train.h"
#include <math.h>

static double factor(int64_t step, int64_t steps, const hn_sched_params *s, const void *params)
{
    if (step >= steps) return s->min_ratio;
    double r = (double)(step - s->warmup) / (double)(steps - s->warmup);
    return s->min_ratio + 0.5 * (1 + cos(M_PI * r)) * (1 - s->min_ratio);
}

const hn_sched hn_sched_cosine = { HN_ITEM0("cosine", "half a cosine down to min_ratio", "arXiv:1608.03983"), .factor = factor };
