/* warm_start.c - begin from the weights of another model, improve.warm_start, where names and shapes agree; the rest begins fresh. The
 * second setting takes only a share of them, since warm starts can generalise worse (Ash & Adams 2020, arXiv:1910.08475, "shrink and
 * perturb"). What that model cost to train, and whether it has seen the held-out text, this run cannot know. Costs nothing here. */
#include "improve/improve.h"

typedef struct warm_start_params {
    hn_strs shares;
} warm_start_params;
static const hn_param params[] = {
    HN_PARAM(warm_start_params, shares, .def = "1,0.5", .doc = "how much of the given weights is taken"),
};

static bool apply(hn_lever_call *c) {
    const char *from = ((const hn_improve_params *)hn_settings_get(c->candidate, "improve"))->warm_start;
    double share;
    if (!hn_lever_from_scratch(c) || !hn_lever_variant(c, &((const warm_start_params *)c->params)->shares, 0, &share)) return false;
    if (!*from) return hn_lever_misfit(c, "improve.warm_start names no model");
    c->did = hn_fmt(c->a, "begins with %g of the weights of %s", share, from);
    return hn_settings_set(c->candidate, c->a, "model.from", from, c->name) && hn_lever_set(c, "model.from_share", share);
}
const hn_lever hn_lever_warm_start = { HN_ITEM("warm-start", "begin from another model's weights", "arXiv:1910.08475", warm_start_params,
                                               params),
                                       .item.note = "Costs: what the given model cost elsewhere.", .acts_on = "weights", .apply = apply };
