/* wsd.c - warm-up, stable, decay: the peak until the last part of the run, then 1 − √ down to min_ratio. The stable part does not
 * know how long the run will be, so a run can be prolonged from any of its checkpoints.
 * Source: Hägele et al. 2024, arXiv:2405.18392 (the 1 − √ form, a fifth of the run); Hu et al. 2024, arXiv:2404.06395. */
#include "train/train.h"
#include <math.h>

typedef struct { double decay; } wsd;
static const hn_param params[] = {
    HN_PARAM(wsd, decay, .def = "0.2", .min = 0, .max = 1, .search_lo = 0.05, .search_hi = 0.5,
             .doc = "last share of the steps, over which it falls"),
};

static double factor(int64_t step, int64_t steps, const hn_sched_params *s, const void *own)
{
    if (step >= steps) return s->min_ratio;
    double length = ((const wsd *)own)->decay * (double)steps, r = ((double)step - ((double)steps - length)) / length;
    if (!(r > 0)) return 1;
    return s->min_ratio + (1 - sqrt(r)) * (1 - s->min_ratio);
}

const hn_sched hn_sched_wsd = { HN_ITEM("wsd", "the peak, then a fall over the last part", "arXiv:2405.18392", wsd, params),
                               .factor = factor };
