/* muon.c - momentum made orthogonal, for the matrices between hidden layers (Jordan 2024; Liu et al. 2025, arXiv:2502.16982). With the
 * scale `rms` its steps are as long as adamw's, so that the incumbent's tuned rate and decay serve; the second setting doubles the
 * matrices' rate. Its products count as training FLOPs, so it gets fewer steps; it keeps one state instead of two. */
#include "improve/improve.h"

typedef struct muon_params {
    hn_strs factors;
} muon_params;
static const hn_param params[] = {
    HN_PARAM(muon_params, factors, .def = "1,2", .doc = "the matrices' rate as multiples of the incumbent's"),
};

static bool apply(hn_lever_call *c) {
    double lr, decay, beta2, f;
    if (!strcmp(hn_settings_value(c->a, c->candidate, "optim.name"), "muon"))
        return hn_lever_misfit(c, "the incumbent's optimizer is muon");
    if (!hn_lever_get(c, "optim.lr", &lr) || !hn_lever_get(c, "optim.weight_decay", &decay) || !hn_lever_get(c, "optim.beta2", &beta2) ||
        !hn_lever_variant(c, &((const muon_params *)c->params)->factors, 0, &f))
        return false;
    c->did = hn_fmt(c->a, "optim.name → muon, matrices at rate %.3g, the rest at %.3g", lr * f, lr);
    return hn_settings_set(c->candidate, c->a, "optim.name", "muon", c->name) &&
           hn_settings_set(c->candidate, c->a, "optim.scale", "rms", c->name) && hn_lever_set(c, "optim.lr", lr * f) &&
           hn_lever_set(c, "optim.adamw_lr", lr) && hn_lever_set(c, "optim.weight_decay", decay) && hn_lever_set(c, "optim.beta2", beta2);
}
const hn_lever hn_lever_muon = {
    HN_ITEM("muon", "orthogonal momentum for the hidden matrices", "arXiv:2502.16982", muon_params, params),
    .item.note = "Costs: its products, which count, so fewer steps; one state of a matrix less.",
    .acts_on = "recipe", .apply = apply
};
