/* numbers.h - the numbers that pearson and spearman compare: of generated text the last one in it against that in the target; of choices
 * the mean of the choices' numbers by their probability against the right choice's. */
#ifndef HN_METRIC_NUMBERS_H
#define HN_METRIC_NUMBERS_H
#include "eval/metric/choice.h"

static inline double hn_said_number(const hn_answer *x) {
    double sum = 0, y;
    if (x->text) return isnan(y = hn_number_in(x->text)) ? 0 : y;
    for (int64_t i = 0; i < x->n; i++) sum += hn_softmax_of(x, i) * hn_number_in(x->choice[i]);
    return sum;
}
static inline double hn_true_number(const hn_answer *x) {
    return x->text ? (x->n_target ? hn_number_in(x->target[0]) : NAN) : hn_gold(x) >= 0 ? hn_number_in(x->choice[hn_gold(x)]) : NAN;
}
static inline bool hn_number_value(hn_arena *a, const hn_answer *x, double *out) {
    double said = hn_said_number(x), is = hn_true_number(x);
    *out = (said - is) * (said - is);
    return !isnan(*out) || HN_FAIL(a, HONE_E_DATA, .what = "a correlation wants numbers, but a target or choice has none");
}
/* 0 where one side does not vary. */
static inline double hn_correlation(const double *x, const double *y, int64_t n) {
    double mx = hn_mean(x, n), my = hn_mean(y, n), xx = 0, yy = 0, xy = 0;
    for (int64_t i = 0; i < n; i++) {
        xx += (x[i] - mx) * (x[i] - mx);
        yy += (y[i] - my) * (y[i] - my);
        xy += (x[i] - mx) * (y[i] - my);
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}
#endif
