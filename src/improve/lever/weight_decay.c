/* weight_decay.c - shrink the matrices more, or less. Loshchilov & Hutter 2019, arXiv:1711.05101; what it does in training language
 * models: Andriushchenko et al. 2023, arXiv:2310.04415. Costs nothing. */
#include "improve/improve.h"

typedef struct weight_decay_params {
    hn_strs factors;
} weight_decay_params;
static const hn_param params[] = {
    HN_PARAM(weight_decay_params, factors, .def = "0.3,3", .doc = "multiples of the incumbent's decay; of 0.1 where it has none"),
};

static bool apply(hn_lever_call *c) {
    double old, f;
    if (!hn_lever_get(c, "optim.weight_decay", &old) || !hn_lever_variant(c, &((const weight_decay_params *)c->params)->factors, 0, &f))
        return false;
    double decay = (old > 0 ? old : 0.1) * f;
    c->did = hn_fmt(c->a, "optim.weight_decay %.3g → %.3g", old, decay);
    return hn_lever_set(c, "optim.weight_decay", decay);
}
const hn_lever hn_lever_weight_decay = { HN_ITEM("weight-decay", "shrink the matrices more, or less", "arXiv:1711.05101",
                                                 weight_decay_params, params),
                                         .item.note = "Costs: nothing.", .acts_on = "recipe", .apply = apply };
