/* mcc.c - Matthews' correlation of chosen and right choices, any number of them: Gorodkin's R_K. 0 where one side has one class only. */
#include "eval/metric/choice.h"

enum { CLASSES = 64 };
static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) {
    if (x->n > CLASSES) return HN_FAIL(a, HONE_E_VALUE, .what = "metric mcc takes 64 choices at most", .found = hn_fmt(a, "%lld", (long long)x->n));
    *out = hn_right(x, hn_best(x, HN_BY_SUM));
    return true;
}
static double total(hn_arena *a, const hn_total *t) {
    double right = 0, said[CLASSES] = { 0 }, were[CLASSES + 1] = { 0 }, n = (double)t->n, xy = 0, xx = 0, yy = 0;
    for (int64_t i = 0; i < t->n; i++) {
        const hn_answer *x = &t->x[t->pick[i]];
        int64_t k = hn_best(x, HN_BY_SUM), g = hn_gold(x);
        right += k == g;
        said[k]++;
        were[g < 0 || g >= CLASSES ? CLASSES : g]++;
    }
    for (int k = 0; k <= CLASSES; k++) {
        double s = k < CLASSES ? said[k] : 0;
        xy += s * were[k];
        xx += s * s;
        yy += were[k] * were[k];
    }
    double d = sqrt((n * n - xx) * (n * n - yy));
    return d > 0 ? (right * n - xy) / d : 0;
}
const hn_metric_item hn_metric_mcc = { HN_ITEM0("mcc", "correlation of chosen and right choices", "Matthews 1975; Gorodkin 2004"), .of = "multiple_choice",
                                       .higher_is_better = true, .value = value, .total = total };
