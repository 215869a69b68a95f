/* heads.c - as many channels cut into more attention heads, or fewer. Vaswani et al. 2017 (arXiv:1706.03762, table 3 A): both too few and
 * too many are worse. Parameters stay; FLOPs stay but for the soft maxes. */
#include "improve/improve.h"

#include <math.h>

typedef struct heads_params {
    hn_strs factors;
} heads_params;
static const hn_param params[] = {
    HN_PARAM(heads_params, factors, .def = "2,0.5", .doc = "multiples of the number of heads; each must leave whole heads of an even size"),
};

static bool apply(hn_lever_call *c) {
    double width, heads, f;
    if (!hn_lever_from_scratch(c) || !hn_lever_get(c, "model.width", &width) || !hn_lever_get(c, "model.heads", &heads) ||
        !hn_lever_variant(c, &((const heads_params *)c->params)->factors, 0, &f))
        return false;
    double other = heads * f;
    if (other < 1 || other != floor(other) || fmod(width, 2 * other) != 0)
        return hn_lever_misfit(c, hn_fmt(c->a, "%g channels cannot be cut into %g heads of an even size", width, other));
    c->did = hn_fmt(c->a, "model.heads %g → %g", heads, other);
    return hn_lever_set(c, "model.heads", other);
}
const hn_lever hn_lever_heads = { HN_ITEM("heads", "more attention heads, or fewer", "arXiv:1706.03762", heads_params, params),
                                  .item.note = "Costs: nothing.", .acts_on = "recipe", .apply = apply };
