/* early_stop.c - look at held-out text along the way, keep the best weights, stop when they get no better. Prechelt 1998, "Early stopping
 * - but when?". The text looked at are screen items, on which the run chooses anyway; the verdict's items are others. The screen itself
 * thus flatters this lever a little: it may go on to confirm for nothing, never be kept for it. The evaluations' FLOPs count. */
#include "improve/improve.h"

#include <math.h>

typedef struct early_stop_params {
    hn_strs evaluations;
    double patience, tokens;
} early_stop_params;
static const hn_param params[] = {
    HN_PARAM(early_stop_params, evaluations, .def = "10,20", .doc = "evaluations in a training"),
    HN_PARAM(early_stop_params, patience, .def = "3", .doc = "evaluations without a better one before stopping"),
    HN_PARAM(early_stop_params, tokens, .def = "4096", .doc = "tokens of an evaluation"),
};

static bool apply(hn_lever_call *c) {
    const early_stop_params *p = c->params;
    double steps, n;
    if (!hn_lever_get(c, "train.steps", &steps) || !hn_lever_variant(c, &p->evaluations, 1, &n)) return false;
    double every = fmax(floor(steps / n), 1);
    c->did = hn_fmt(c->a, "the best weights of an evaluation every %g steps, stop after %g without a better one", every, p->patience);
    return hn_lever_set(c, "train.eval_every", every) && hn_lever_set(c, "train.eval_tokens", p->tokens) &&
           hn_lever_set(c, "train.patience", p->patience);
}
const hn_lever hn_lever_early_stop = {
    HN_ITEM("early-stop", "keep the best weights along the way", "Prechelt 1998", early_stop_params, params),
    .item.note = "Costs: its evaluations, counted; a copy of the weights.", .acts_on = "weights", .apply = apply
};
