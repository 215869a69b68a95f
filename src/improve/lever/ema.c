/* ema.c - evaluate and ship an exponential moving average of the weights. Polyak & Juditsky 1992; Izmailov et al. 2018
 * (arXiv:1803.05407). The horizon is a share of the run, so that short runs are not averaged with their beginning.
 * Costs one copy of the weights. */
#include "improve/improve.h"

#include <math.h>

typedef struct ema_params {
    hn_strs horizons;
} ema_params;
static const hn_param params[] = {
    HN_PARAM(ema_params, horizons, .def = "0.02,0.1", .doc = "length of the average as a share of the steps"),
};

static bool apply(hn_lever_call *c) {
    double steps, h;
    if (!hn_lever_get(c, "train.steps", &steps) || !hn_lever_variant(c, &((const ema_params *)c->params)->horizons, 0, &h)) return false;
    double length = fmax(steps * fmin(h, 1), 2), decay = 1 - 1 / length;
    c->did = hn_fmt(c->a, "train.ema → %.5g (over about %.0f steps)", decay, length);
    return hn_lever_set(c, "train.ema", decay);
}
const hn_lever hn_lever_ema = { HN_ITEM("ema", "ship a moving average of the weights", "arXiv:1803.05407", ema_params, params),
                                .item.note = "Costs: a copy of the weights.", .acts_on = "weights", .apply = apply };
