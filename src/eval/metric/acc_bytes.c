/* acc_bytes.c - as acc_norm, by the choice's length in bytes of UTF-8. */
#include "eval/metric/choice.h"

static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) {
    *out = hn_right(x, hn_best(x, HN_BY_BYTES));
    return true;
}
const hn_metric_item hn_metric_acc_bytes = { HN_ITEM0("acc_bytes", "acc by log-likelihood for a byte", NULL), .of = "multiple_choice",
                                             .higher_is_better = true, .value = value };
