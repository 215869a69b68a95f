/* byte_perplexity.c - exp of the negative log-likelihood for a byte. */
#include "eval/metric/rolling.h"

static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) { return hn_rolling(a, x, x->bytes, out); }
static double total(hn_arena *a, const hn_total *t) { return exp(-hn_rolling_mean(t, false)); }
const hn_metric_item hn_metric_byte_perplexity = { HN_ITEM0("byte_perplexity", "perplexity of a text for a byte", NULL), .of = "loglikelihood_rolling",
                                                   .value = value, .total = total };
