/* deeper.c - more layers at the same training FLOPs, so fewer steps. Kaplan et al. 2020 (arXiv:2001.08361): depth matters little
 * at equal size over a wide range, which is why it must be measured. Costs memory and inference time. */
#include "improve/improve.h"

#include <math.h>

typedef struct deeper_params {
    hn_strs factors;
} deeper_params;
static const hn_param params[] = {
    HN_PARAM(deeper_params, factors, .def = "1.5,2", .doc = "multiples of the number of layers"),
};

static bool apply(hn_lever_call *c) {
    double layers, f;
    if (!hn_lever_from_scratch(c) || !hn_lever_get(c, "model.layers", &layers) ||
        !hn_lever_variant(c, &((const deeper_params *)c->params)->factors, 1, &f))
        return false;
    double more = fmax(ceil(layers * f - 1e-9), layers + 1 + (double)c->variant);
    c->did = hn_fmt(c->a, "model.layers %g → %g", layers, more);
    return hn_lever_set(c, "model.layers", more);
}
const hn_lever hn_lever_deeper = { HN_ITEM("deeper", "more layers, as many FLOPs", "arXiv:2001.08361", deeper_params, params),
                                   .item.note = "Costs: memory and inference time; training FLOPs: as the incumbent, so fewer steps.",
                                   .acts_on = "recipe", .apply = apply };
