/* soup.c - the training branches late, each branch sees the data in another order, and the mean of their weights is the model. Wortsman et
 * al. 2022, arXiv:2203.05482; that branches of one training may be averaged at all: Frankle et al. 2020, arXiv:1912.05671. n branches from
 * share b of the steps cost b + n(1−b) trainings, so it is judged beside an incumbent that is trained as long. Inference costs nothing. */
#include "improve/improve.h"

typedef struct soup_params {
    hn_strs branches;
    double branch;
} soup_params;
static const hn_param params[] = {
    HN_PARAM(soup_params, branches, .def = "3,5", .doc = "branches whose weights are averaged"),
    HN_PARAM(soup_params, branch, .def = "0.75", .min = 0, .max = 0.99, .doc = "share of the steps before they part; 0 only from a given model"),
};

static bool apply(hn_lever_call *c) {
    const soup_params *p = c->params;
    const hn_model_params *m = hn_settings_get(c->candidate, "model");
    const hn_finish_params *f = hn_settings_get(c->candidate, "finish");
    double n, before = hn_finish_units(f);
    if (f->soup > 1) return hn_lever_misfit(c, "the start is a soup");
    if (!hn_lever_variant(c, &p->branches, 1, &n)) return false;
    if (p->branch == 0 && !*m->path)
        return hn_lever_misfit(c, "trainings that part at step 0 begin independently, and the mean of their weights means nothing");
    if (!hn_lever_set(c, "finish.soup", n) || !hn_lever_set(c, "finish.branch", p->branch)) return false;
    c->cost = hn_finish_units(f) / before;
    c->did = hn_fmt(c->a, "finish.soup 1 → %g branches from %g of the steps: %g times the training", n, p->branch, c->cost);
    return true;
}
const hn_lever hn_lever_soup = { HN_ITEM("soup", "average the weights of late branches", "arXiv:2203.05482", soup_params, params),
                                 .item.note = "Costs: 1.5 and 2 times the training; judged beside an incumbent given as much.",
                                 .acts_on = "weights", .costs_more = true, .apply = apply };
