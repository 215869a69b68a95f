/* lr.c - another peak learning rate: half and twice. The incumbent's is tuned already, so this should find nothing;
 * that it does is a check on the tuning. Smith 2017, arXiv:1506.01186. Costs nothing. */
#include "improve/improve.h"

typedef struct lr_params {
    hn_strs factors;
} lr_params;
static const hn_param params[] = {
    HN_PARAM(lr_params, factors, .def = "0.5,2", .doc = "multiples of the incumbent's learning rate"),
};

static bool apply(hn_lever_call *c) {
    double lr, f;
    if (!hn_lever_get(c, "optim.lr", &lr) || !hn_lever_variant(c, &((const lr_params *)c->params)->factors, 0, &f)) return false;
    c->did = hn_fmt(c->a, "optim.lr %.3g → %.3g", lr, lr * f);
    return hn_lever_set(c, "optim.lr", lr * f);
}
const hn_lever hn_lever_lr = { HN_ITEM("lr", "another peak learning rate", "arXiv:1506.01186", lr_params, params),
                               .item.note = "Costs: nothing.", .acts_on = "recipe", .apply = apply };
