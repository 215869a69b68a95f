/* temperature.c - divides the logits: below 1 sharper, above 1 flatter. */
#include "model/model.h"

/* From the largest down: a big logit over a small temperature never overflows. */
static void apply(hn_cands *c, const hone_sampling *s) {
    const double top = c->logit[0];
    for (int64_t i = 0; i < c->n; i++) c->logit[i] = (float)((c->logit[i] - top) / s->temperature);
}

const hn_sampler hn_sampler_temperature = {HN_ITEM0("temperature", "divides the logits by --temperature; 0: the likeliest token", NULL),
                                           .apply = apply};
