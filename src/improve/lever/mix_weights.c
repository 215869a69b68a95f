/* mix_weights.c - small sources more often, large ones less: shares ∝ size^exponent, as for languages in Conneau et al. 2019
 * (arXiv:1911.02116, section 3.1; exponent 0.3 there). A source is a file. The held-out items stay as they are, so what is asked is whether
 * the mixture is better for the text at hand. As many training FLOPs; costs nothing. */
#include "improve/improve.h"

typedef struct mix_weights_params {
    hn_strs exponents;
} mix_weights_params;
static const hn_param params[] = {
    HN_PARAM(mix_weights_params, exponents, .def = "0.5,0", .doc = "1: by size, as without it; 0: every source alike"),
};

static bool apply(hn_lever_call *c) {
    const hn_data_params *d = hn_settings_get(c->candidate, "data");
    double exponent;
    if (!hn_lever_variant(c, &((const mix_weights_params *)c->params)->exponents, -1, &exponent)) return false;
    if (d->train.n + d->extra.n < 2 && (!d->train.n || !hn_path_is_dir(d->train.v[0]))) return hn_lever_misfit(c, "there is one source of text");
    c->did = hn_fmt(c->a, "train.mix → %g: sources by size^%g", exponent, exponent);
    return hn_lever_set(c, "train.mix", exponent);
}
const hn_lever hn_lever_mix_weights = { HN_ITEM("mix-weights", "small sources more often", "arXiv:1911.02116", mix_weights_params, params),
                                        .item.note = "Costs: nothing.", .acts_on = "data", .apply = apply };
