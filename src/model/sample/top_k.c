/* top_k.c - keeps the k likeliest tokens. Fan et al. 2018, arXiv:1805.04833. */
#include "model/model.h"

static void apply(hn_cands *c, const hone_sampling *s) {
    if (s->top_k > 0 && s->top_k < c->n) c->n = s->top_k;
}

const hn_sampler hn_sampler_top_k = {HN_ITEM0("top_k", "keeps the --top-k likeliest tokens; 0: all", "arXiv:1805.04833"), .apply = apply};
