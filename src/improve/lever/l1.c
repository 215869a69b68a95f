/* l1.c - draw each weight of a matrix towards 0, and hold there what arrives: a sparse model. Duchi & Singer 2009, JMLR 10 (the proximal
 * step; train/bound.c). Costs nothing. */
#include "improve/improve.h"

typedef struct l1_params {
    hn_strs strengths;
} l1_params;
static const hn_param params[] = {
    HN_PARAM(l1_params, strengths, .def = "0.001,0.01", .doc = "shares of the learning rate by which weights move towards 0 each step"),
};

static bool apply(hn_lever_call *c) {
    double old, l1;
    if (!hn_lever_get(c, "train.l1", &old) || !hn_lever_variant(c, &((const l1_params *)c->params)->strengths, 0, &l1)) return false;
    c->did = hn_fmt(c->a, "train.l1 %g → %g", old, l1);
    return hn_lever_set(c, "train.l1", l1);
}
const hn_lever hn_lever_l1 = { HN_ITEM("l1", "draw weights towards 0, and hold them there", "JMLR 10 (2009), Duchi & Singer", l1_params,
                                       params),
                               .item.note = "Costs: nothing.", .acts_on = "recipe", .apply = apply };
