/* perplexity.c - exp of the mean negative log-likelihood of the answers, one number an item, however long it is. An item's value is that in nats. */
#include "eval/task.h"
#include <math.h>

static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) { return *out = -x->loglik[0], true; }
static double total(hn_arena *a, const hn_total *t) {
    double sum = 0;
    for (int64_t i = 0; i < t->n; i++) sum += t->v[t->pick[i]];
    return exp(sum / (double)t->n);
}
const hn_metric_item hn_metric_perplexity = { HN_ITEM0("perplexity", "exp of the mean negative log-likelihood of an answer", NULL), .of = "loglikelihood",
                                              .value = value, .total = total };
