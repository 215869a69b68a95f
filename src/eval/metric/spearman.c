/* spearman.c - correlation of the ranks of the numbers said and the true ones; equal ones share their mean rank. */
#include "eval/metric/numbers.h"
#include <stdlib.h>

typedef struct { double x; int64_t at; } ranked;
static int by_x(const void *a, const void *b) {
    double x = ((const ranked *)a)->x, y = ((const ranked *)b)->x;
    return (x > y) - (x < y);
}
static void rank(hn_arena *a, double *x, int64_t n) {
    ranked *r = hn_new_n(a, ranked, n + 1);
    for (int64_t i = 0; i < n; i++) r[i] = (ranked){ x[i], i };
    qsort(r, (size_t)n, sizeof *r, by_x);
    for (int64_t i = 0, j; i < n; i = j) {
        for (j = i; j < n && r[j].x == r[i].x;) j++;
        for (int64_t k = i; k < j; k++) x[r[k].at] = 0.5 * (double)(i + j - 1) + 1;
    }
}
static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) { return hn_number_value(a, x, out); }
static double total(hn_arena *a, const hn_total *t) {
    double *x = hn_new_n(a, double, t->n + 1), *y = hn_new_n(a, double, t->n + 1);
    for (int64_t i = 0; i < t->n; i++) x[i] = hn_said_number(&t->x[t->pick[i]]), y[i] = hn_true_number(&t->x[t->pick[i]]);
    rank(a, x, t->n);
    rank(a, y, t->n);
    return hn_correlation(x, y, t->n);
}
const hn_metric_item hn_metric_spearman = { HN_ITEM0("spearman", "correlation of ranks of numbers said and true", "Spearman 1904"),
                                            .of = "generate_until multiple_choice", .higher_is_better = true, .value = value, .total = total };
