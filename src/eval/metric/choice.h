/* choice.h - which choice a model took, by what measure; the first of equals, as numpy's argmax. */
#ifndef HN_METRIC_CHOICE_H
#define HN_METRIC_CHOICE_H
#include "eval/task.h"
#include <math.h>

typedef enum hn_by { HN_BY_SUM, HN_BY_CHARS, HN_BY_BYTES } hn_by;

/* An empty choice has no length to divide by: its log-likelihood for a character is minus infinity, or nothing at all (NaN), which
 * numpy's argmax takes as the largest. */
static inline int64_t hn_best(const hn_answer *x, hn_by by) {
    int64_t best = 0;
    double most = -INFINITY;
    for (int64_t i = 0; i < x->n; i++) {
        double length = by == HN_BY_CHARS ? (double)hn_chars(x->choice[i]) : by == HN_BY_BYTES ? (double)strlen(x->choice[i]) : 1;
        double v = x->loglik[i] / length;
        if (isnan(v)) return i;
        if (i == 0 || v > most) best = i, most = v;
    }
    return best;
}
static inline bool hn_right(const hn_answer *x, int64_t choice) {
    for (int64_t i = 0; i < x->n_gold; i++)
        if (x->gold[i] == choice) return true;
    return false;
}
/* Of an item with one right choice; -1: none. */
static inline int64_t hn_gold(const hn_answer *x) { return x->n_gold ? x->gold[0] : -1; }
#endif
