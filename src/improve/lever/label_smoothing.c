/* label_smoothing.c - spread a share of each training target over all tokens. Szegedy et al. 2016, arXiv:1512.00567. Held-out losses stay
 * plain: a model trained so is less sure than it could be, which costs bits per byte (Müller et al. 2019, arXiv:1906.02629). Costs
 * nothing. */
#include "improve/improve.h"

typedef struct label_smoothing_params {
    hn_strs shares;
} label_smoothing_params;
static const hn_param params[] = {
    HN_PARAM(label_smoothing_params, shares, .def = "0.02,0.1", .doc = "shares to try"),
};

static bool apply(hn_lever_call *c) {
    double old, share;
    if (!hn_lever_get(c, "train.label_smoothing", &old) ||
        !hn_lever_variant(c, &((const label_smoothing_params *)c->params)->shares, 0, &share))
        return false;
    c->did = hn_fmt(c->a, "train.label_smoothing %g → %g", old, share);
    return hn_lever_set(c, "train.label_smoothing", share);
}
const hn_lever hn_lever_label_smoothing = { HN_ITEM("label-smoothing", "spread a share of each target over all tokens", "arXiv:1512.00567",
                                                    label_smoothing_params, params),
                                            .item.note = "Costs: nothing.", .acts_on = "recipe", .apply = apply };
