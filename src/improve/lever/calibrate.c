/* calibrate.c - one temperature for all logits, fitted after the training on screen items alone and judged on others: Guo et al. 2017,
 * arXiv:1706.04599. It is written into the final norm, so the model stays an ordinary one. It never changes which token is likeliest.
 * The second setting goes half the way, as one shrinks an estimate. The fit may cost a tenth of the training, which counts: so there are
 * fewer steps. Inference costs nothing more. */
#include "improve/improve.h"

typedef struct calibrate_params {
    hn_strs shares;
} calibrate_params;
static const hn_param params[] = {
    HN_PARAM(calibrate_params, shares, .def = "1,0.5", .doc = "how far towards the fitted temperature"),
};

static bool apply(hn_lever_call *c) {
    double share;
    if (!hn_lever_variant(c, &((const calibrate_params *)c->params)->shares, 0, &share)) return false;
    c->did = hn_fmt(c->a, "finish.calibrate → %g: a temperature fitted on screen items", share);
    return hn_lever_set(c, "finish.calibrate", share);
}
const hn_lever hn_lever_calibrate = { HN_ITEM("calibrate", "fit one temperature after training", "arXiv:1706.04599", calibrate_params, params),
                                      .item.note = "Costs: evaluations of a tenth of the training's FLOPs, counted, so fewer steps.", .acts_on = "inference", .apply = apply };
