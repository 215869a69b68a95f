/* curriculum.c - easy text first: Bengio et al. 2009, "Curriculum learning" (ICML). Windows of frequent tokens are easy; they are admitted
 * with the square root of the time, as in Platanios et al. 2019 (arXiv:1903.09848). Costs a look at all tokens before the training; as many
 * training FLOPs. */
#include "improve/improve.h"

typedef struct curriculum_params {
    hn_strs shares;
} curriculum_params;
static const hn_param params[] = {
    HN_PARAM(curriculum_params, shares, .def = "0.25,0.5", .doc = "share of the steps until all text is admitted"),
};

static bool apply(hn_lever_call *c) {
    double share;
    if (!hn_lever_variant(c, &((const curriculum_params *)c->params)->shares, 0, &share)) return false;
    c->did = hn_fmt(c->a, "train.curriculum → %g: easy text alone at first, all of it from there on", share);
    return hn_lever_set(c, "train.curriculum", share);
}
const hn_lever hn_lever_curriculum = { HN_ITEM("curriculum", "easy text first", "Bengio et al. 2009", curriculum_params, params),
                                       .item.note = "Costs: nothing but a look at all tokens.", .acts_on = "data", .apply = apply };
