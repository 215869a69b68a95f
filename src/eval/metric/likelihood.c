/* likelihood.c - the probability of the right choice among the choices (softmax of log-likelihoods). */
#include "eval/metric/choice.h"

static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) {
    *out = 0;
    for (int64_t i = 0; i < x->n; i++) *out += hn_right(x, i) ? hn_softmax_of(x, i) : 0;
    return true;
}
const hn_metric_item hn_metric_likelihood = { HN_ITEM0("likelihood", "probability of the right choice", NULL), .of = "multiple_choice",
                                              .higher_is_better = true, .value = value };
