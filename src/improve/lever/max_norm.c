/* max_norm.c - bound the norm of the weights that come into each unit. Srivastava et al. 2014, JMLR 15(56), section 5.1: it lets
 * training use high rates. Costs a pass over the matrices per step, which is not in the counted FLOPs. */
#include "improve/improve.h"

typedef struct max_norm_params {
    hn_strs bounds;
} max_norm_params;
static const hn_param params[] = {
    HN_PARAM(max_norm_params, bounds, .def = "1,0.5", .doc = "bounds to try"),
};

static bool apply(hn_lever_call *c) {
    double old, bound;
    if (!hn_lever_get(c, "train.max_norm", &old) || !hn_lever_variant(c, &((const max_norm_params *)c->params)->bounds, 0, &bound))
        return false;
    c->did = hn_fmt(c->a, "train.max_norm %g → %g", old, bound);
    return hn_lever_set(c, "train.max_norm", bound);
}
const hn_lever hn_lever_max_norm = {
    HN_ITEM("max-norm", "bound the norm of each unit's weights", "JMLR 15(56), 2014", max_norm_params, params),
    .item.note = "Costs: a pass over the matrices each step, which the counted FLOPs leave out.", .acts_on = "recipe", .apply = apply
};
