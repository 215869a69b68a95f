/* ece.c - expected calibration error: |how sure − how often right|, in bins of the likeliest choice's probability, weighted by their items.
 * Limits: biased upward for few items; the bins decide. Source: Naeini et al. 2015; Guo et al. 2017, arXiv:1706.04599. */
#include "eval/metric/choice.h"

enum { BINS = 10 };
static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) {
    int64_t k = hn_best(x, HN_BY_SUM);
    *out = hn_softmax_of(x, k) - hn_right(x, k);
    return true;
}
static double total(hn_arena *a, const hn_total *t) {
    double gap[BINS] = { 0 }, sum = 0;
    for (int64_t i = 0; i < t->n; i++) {
        const hn_answer *x = &t->x[t->pick[i]];
        double sure = hn_softmax_of(x, hn_best(x, HN_BY_SUM));
        int b = (int)ceil(sure * BINS) - 1;                      /* bins are open to the left, (0, 0.1] … */
        gap[HN_MIN(HN_MAX(b, 0), BINS - 1)] += t->v[t->pick[i]];
    }
    for (int b = 0; b < BINS; b++) sum += fabs(gap[b]);
    return sum / (double)t->n;
}
const hn_metric_item hn_metric_ece = { HN_ITEM0("ece", "expected calibration error, ten bins", "arXiv:1706.04599"), .of = "multiple_choice", .value = value,
                                       .total = total };
