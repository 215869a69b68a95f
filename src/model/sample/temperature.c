/* temperature.c - divides the logits: below 1 sharper, above 1 flatter. */
#include "model/model.h"

static void apply(hn_cands *c, const hone_sampling *s) {
    for (int64_t i = 0; i < c->n; i++)
        c->logit[i] =
            (float)(((double)c->logit[i] - c->logit[c->n - 1]) / s->temperature); /* from the smallest: no overflow of a big logit */
}

const hn_sampler hn_sampler_temperature = {HN_ITEM0("temperature", "divides the logits by --temperature; 0: the likeliest token", NULL),
                                           .apply = apply};
