/* top_p.c - keeps the fewest likeliest tokens that hold p of the probability (nucleus). Holtzman et al. 2019, arXiv:1904.09751. */
#include "model/model.h"
#include <math.h>

static void apply(hn_cands *c, const hone_sampling *s) {
    if (s->top_p <= 0 || s->top_p >= 1) return;
    double sum = 0, kept = 0;
    for (int64_t i = 0; i < c->n; i++) sum += exp((double)c->logit[i] - c->logit[0]);
    int64_t n = 0;
    while (n < c->n && kept < s->top_p * sum) kept += exp((double)c->logit[n++] - c->logit[0]);
    c->n = n;
}

const hn_sampler hn_sampler_top_p = {
    HN_ITEM0("top_p", "keeps the likeliest tokens that together hold --top-p of the probability; 0 or 1: all", "arXiv:1904.09751"),
    .apply = apply};
