/* acc.c - is the likeliest choice the right one? Of a single continuation: is it what greedy decoding would give? */
#include "eval/metric/choice.h"

static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) {
    *out = x->choice ? hn_right(x, hn_best(x, HN_BY_SUM)) : x->greedy[0];
    return true;
}
const hn_metric_item hn_metric_acc = { HN_ITEM0("acc", "share of items whose likeliest choice is right", NULL),
                                       .of = "multiple_choice loglikelihood", .higher_is_better = true, .value = value };
