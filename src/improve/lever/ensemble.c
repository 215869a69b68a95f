/* ensemble.c - several trainings with seeds of their own answer together: the mean of their probabilities. Lakshminarayanan et al. 2017,
 * arXiv:1612.01474. k members cost k trainings, so it is judged beside an incumbent that is trained k times as long; an answer costs k
 * times as much, too, which is told. What is shipped is a folder of members that hone opens as one model. */
#include "improve/improve.h"

typedef struct ensemble_params {
    hn_strs members;
} ensemble_params;
static const hn_param params[] = {
    HN_PARAM(ensemble_params, members, .def = "2,3", .doc = "trainings that answer together"),
};

static bool apply(hn_lever_call *c) {
    double members;
    if (((const hn_finish_params *)hn_settings_get(c->candidate, "finish"))->ensemble > 1) return hn_lever_misfit(c, "the start is an ensemble");
    if (!hn_lever_variant(c, &((const ensemble_params *)c->params)->members, 1, &members)) return false;
    c->cost = c->inference = members;
    c->did = hn_fmt(c->a, "finish.ensemble 1 → %g: as many trainings, and as much for an answer", members);
    return hn_lever_set(c, "finish.ensemble", members);
}
const hn_lever hn_lever_ensemble = { HN_ITEM("ensemble", "several trainings answer together", "arXiv:1612.01474", ensemble_params, params),
                                     .item.note = "Costs: 2 and 3 times the training, judged beside an incumbent given as much; as many times the inference.",
                                     .acts_on = "inference", .costs_more = true, .apply = apply };
