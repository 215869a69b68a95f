/* pearson.c - linear correlation of the numbers said and the true ones; an answer without a number counts as 0. */
#include "eval/metric/numbers.h"

static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) { return hn_number_value(a, x, out); }
static double total(hn_arena *a, const hn_total *t) {
    double *x = hn_new_n(a, double, t->n + 1), *y = hn_new_n(a, double, t->n + 1);
    for (int64_t i = 0; i < t->n; i++) x[i] = hn_said_number(&t->x[t->pick[i]]), y[i] = hn_true_number(&t->x[t->pick[i]]);
    return hn_correlation(x, y, t->n);
}
const hn_metric_item hn_metric_pearson = { HN_ITEM0("pearson", "linear correlation of numbers said and true", "Pearson 1895"),
                                           .of = "generate_until multiple_choice", .higher_is_better = true, .value = value, .total = total };
