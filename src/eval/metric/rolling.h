/* rolling.h - log-likelihood of a text for its words or bytes: of an item, and of all items by the sums. */
#ifndef HN_METRIC_ROLLING_H
#define HN_METRIC_ROLLING_H
#include "eval/task.h"
#include <math.h>

static inline bool hn_rolling(hn_arena *a, const hn_answer *x, int64_t count, double *out) {
    *out = count > 0 ? -x->loglik[0] / (double)count : 0;
    return true;
}
static inline double hn_rolling_mean(const hn_total *t, bool words) {
    double sum = 0, count = 0;
    for (int64_t i = 0; i < t->n; i++) {
        const hn_answer *x = &t->x[t->pick[i]];
        sum += x->loglik[0];
        count += (double)(words ? x->words : x->bytes);
    }
    return sum / count;
}
#endif
