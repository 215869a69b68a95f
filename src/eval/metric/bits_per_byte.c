/* bits_per_byte.c - negative log-likelihood in bits for a byte: models of different tokenizers can be compared by it. */
#include "eval/metric/rolling.h"

static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) {
    bool ok = hn_rolling(a, x, x->bytes, out);
    *out /= M_LN2;
    return ok;
}
static double total(hn_arena *a, const hn_total *t) { return -hn_rolling_mean(t, false) / M_LN2; }
const hn_metric_item hn_metric_bits_per_byte = { HN_ITEM0("bits_per_byte", "negative log-likelihood of a text in bits for a byte", NULL),
                                                 .of = "loglikelihood_rolling", .value = value, .total = total };
