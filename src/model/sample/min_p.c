/* min_p.c - keeps tokens at least min_p times as likely as the likeliest. Nguyen et al. 2024, arXiv:2407.01082. */
#include "model/model.h"
#include <math.h>

static void apply(hn_cands *c, const hone_sampling *s) {
    if (s->min_p <= 0) return;
    double least = c->logit[0] + log(HN_MIN(s->min_p, 1));
    while (c->n > 1 && c->logit[c->n - 1] < least) c->n--;
}

const hn_sampler hn_sampler_min_p = {
    HN_ITEM0("min_p", "keeps tokens at least --min-p times as likely as the likeliest; 0: all", "arXiv:2407.01082"), .apply = apply};
