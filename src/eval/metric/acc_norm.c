/* acc_norm.c - as acc, log-likelihoods divided by the choice's length in characters, so that long choices stand a chance. */
#include "eval/metric/choice.h"

static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) {
    *out = hn_right(x, hn_best(x, HN_BY_CHARS));
    return true;
}
const hn_metric_item hn_metric_acc_norm = { HN_ITEM0("acc_norm", "acc by log-likelihood for a character", NULL), .of = "multiple_choice",
                                            .higher_is_better = true, .value = value };
