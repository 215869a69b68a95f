/* brier_score.c - squared distance of the choices' probabilities (softmax of log-likelihoods) from the right choice, summed over choices. */
#include "eval/metric/choice.h"

static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) {
    *out = 0;
    for (int64_t i = 0; i < x->n; i++) {
        double d = hn_softmax_of(x, i) - (i == hn_gold(x));
        *out += d * d;
    }
    return true;
}
const hn_metric_item hn_metric_brier_score = { HN_ITEM0("brier_score", "squared error of the choices' probabilities", "Brier 1950"), .of = "multiple_choice",
                                               .value = value };
