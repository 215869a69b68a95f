/* dropout.c - zero a share of the activations in training. Srivastava et al. 2014. Helps when the text is read many times over,
 * harms when it is not. Costs nothing. */
#include "improve/improve.h"

typedef struct dropout_params {
    hn_strs rates;
} dropout_params;
static const hn_param params[] = {
    HN_PARAM(dropout_params, rates, .def = "0.1,0.2", .doc = "probabilities to try"),
};

static bool apply(hn_lever_call *c) {
    double old, rate;
    if (!hn_lever_get(c, "model.dropout", &old) || !hn_lever_variant(c, &((const dropout_params *)c->params)->rates, 0, &rate))
        return false;
    c->did = hn_fmt(c->a, "model.dropout %g → %g", old, rate);
    return hn_lever_set(c, "model.dropout", rate);
}
const hn_lever hn_lever_dropout = { HN_ITEM("dropout", "zero a share of the activations in training", "JMLR 15(56), 2014", dropout_params,
                                            params),
                                    .item.note = "Costs: nothing.", .acts_on = "recipe", .apply = apply };
