/* word_perplexity.c - exp of the negative log-likelihood for a word, words being parted by white space. */
#include "eval/metric/rolling.h"

static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) { return hn_rolling(a, x, x->words, out); }
static double total(hn_arena *a, const hn_total *t) { return exp(-hn_rolling_mean(t, true)); }
const hn_metric_item hn_metric_word_perplexity = { HN_ITEM0("word_perplexity", "perplexity of a text for a word", NULL), .of = "loglikelihood_rolling",
                                                   .value = value, .total = total };
