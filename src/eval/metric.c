/* metric.c - the list of metrics, and what several of them share. A new one is a file in metric/ and a row in metrics.def. */
#include "eval/task.h"
#include <math.h>

#define METRIC(n) extern const hn_metric_item hn_metric_##n;
#include "eval/metric/metrics.def"
#undef METRIC
static const hn_item *const items[] = {
#define METRIC(n) &hn_metric_##n.item,
#include "eval/metric/metrics.def"
#undef METRIC
};
const hn_kind hn_kind_metric = { "metric", "measures of answers: a value an item, and their total", items, HN_LEN(items) };

double hn_softmax_of(const hn_answer *x, int64_t i) {
    double most = -INFINITY, sum = 0;
    for (int64_t k = 0; k < x->n; k++) most = HN_MAX(most, x->loglik[k]);
    for (int64_t k = 0; k < x->n; k++) sum += exp(x->loglik[k] - most);
    return exp(x->loglik[i] - most) / sum;
}

double hn_number_in(const char *s) {
    char digits[64];
    double found = NAN, x;
    while (*s) {
        size_t n = 0, k = 0;
        bool sign = *s == '-' && s[1] >= '0' && s[1] <= '9';
        if (!sign && (*s < '0' || *s > '9')) {
            s++;
            continue;
        }
        for (k = sign; (s[k] >= '0' && s[k] <= '9') || ((s[k] == '.' || s[k] == ',') && s[k + 1] >= '0' && s[k + 1] <= '9'); k++)
            if (s[k] != ',' && n < sizeof digits - 2) digits[n + 1] = s[k], n++;
        digits[0] = sign ? '-' : '0';
        digits[n + 1] = 0;
        if (hn_parse_f64(digits, &x)) found = x;
        s += k;
    }
    return found;
}
