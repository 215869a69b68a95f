/* f1.c - harmonic mean of precision and recall of choice 1 against choice 0, over all items (scikit-learn's binary F1). */
#include "eval/metric/choice.h"

static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) {
    if (x->n != 2)
        return HN_FAIL(a, HONE_E_VALUE, .what = "metric f1 wants two choices", .found = hn_fmt(a, "%lld choices", (long long)x->n), .hint = "mcc takes any number.");
    *out = hn_right(x, hn_best(x, HN_BY_SUM));
    return true;
}
static double total(hn_arena *a, const hn_total *t) {
    double both = 0, said = 0, were = 0;
    for (int64_t i = 0; i < t->n; i++) {
        const hn_answer *x = &t->x[t->pick[i]];
        bool yes = hn_best(x, HN_BY_SUM) == 1, is = hn_gold(x) == 1;
        both += yes && is;
        said += yes;
        were += is;
    }
    return said + were > 0 ? 2 * both / (said + were) : 0;
}
const hn_metric_item hn_metric_f1 = { HN_ITEM0("f1", "F1 of choice 1 against choice 0", "van Rijsbergen 1979"), .of = "multiple_choice",
                                      .higher_is_better = true, .value = value, .total = total };
