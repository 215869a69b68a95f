/* self_consistency.c - several answers are sampled and the one given most often counts: Wang et al. 2022, arXiv:2203.11171. The model stays
 * as it is, and so do its bits, which the screen compares: so it goes to confirm at once. Its cost is that of the answers alone; `hone eval
 * --repeats` asks in the same way. */
#include "improve/improve.h"

typedef struct self_consistency_params {
    hn_strs votes;
    double temperature;
} self_consistency_params;
static const hn_param params[] = {
    HN_PARAM(self_consistency_params, votes, .def = "5,11", .doc = "answers sampled for each question"),
    HN_PARAM(self_consistency_params, temperature, .def = "0.7", .min = 0.01, .max = 10, .doc = "of the samples"),
};

static bool apply(hn_lever_call *c) {
    const self_consistency_params *p = c->params;
    const hn_improve_params *how = hn_settings_get(c->candidate, "improve");
    const hn_finish_params *f = hn_settings_get(c->candidate, "finish");
    double votes;
    if (!how || strcmp(how->metric, "error_rate")) return hn_lever_misfit(c, "no answers are asked for (gym tasks with improve.metric error_rate)");
    if (f->votes > 1) return hn_lever_misfit(c, "the start votes already");
    if (!hn_lever_variant(c, &p->votes, 1, &votes)) return false;
    c->inference = votes;
    c->did = hn_fmt(c->a, "finish.votes 1 → %g at temperature %g: as many answers for each", votes, p->temperature);
    return hn_lever_set(c, "finish.votes", votes) && hn_lever_set(c, "finish.vote_temperature", p->temperature);
}
const hn_lever hn_lever_self_consistency = { HN_ITEM("self-consistency", "the answer that is given most often", "arXiv:2203.11171", self_consistency_params, params),
                                             .item.note = "Costs: as many answers for each question; training nothing more.", .acts_on = "inference", .unscreened = true,
                                             .apply = apply };
