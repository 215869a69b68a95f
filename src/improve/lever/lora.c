/* lora.c - train low-rank additions beside the given weights, which stay as they are; what is measured and shipped has them merged in. Hu
 * et al. 2021, arXiv:2106.09685. With few data a low rank can forget less and overfit less than training in full (Biderman et al. 2024,
 * arXiv:2405.09673). The best learning rate is about ten times that of training in full, whatever the rank (Schulman et al. 2025,
 * thinkingmachines.ai/blog/lora). A step costs a third less, so at equal FLOPs there are more of them. */
#include "improve/improve.h"

typedef struct lora_params {
    hn_strs ranks;
    double lr;
} lora_params;
static const hn_param params[] = {
    HN_PARAM(lora_params, ranks, .def = "8,32", .doc = "ranks to try"),
    HN_PARAM(lora_params, lr, .def = "10", .min = 0.01, .max = 1000, .doc = "multiple of the incumbent's learning rate"),
};

static bool apply(hn_lever_call *c) {
    const lora_params *p = c->params;
    const hn_model_params *m = hn_settings_get(c->candidate, "model");
    double rank, lr;
    if (!*m->path) return hn_lever_misfit(c, "training begins from scratch: there are no weights to stand on");
    if (hn_adapter_wanted(c->a, c->candidate)) return hn_lever_misfit(c, "the start trains an adapter already");
    if (!hn_lever_get(c, "optim.lr", &lr) || !hn_lever_variant(c, &p->ranks, 0, &rank)) return false;
    c->did = hn_fmt(c->a, "adapter lora of rank %g, optim.lr %.3g → %.3g", rank, lr, lr * p->lr);
    return hn_settings_set(c->candidate, c->a, "adapter.method", "lora", c->name) && hn_lever_set(c, "adapter.rank", rank) &&
           hn_lever_set(c, "adapter.alpha", 2 * rank) && hn_lever_set(c, "optim.lr", lr * p->lr);
}
const hn_lever hn_lever_lora = { HN_ITEM("lora", "train low-rank additions to given weights", "arXiv:2106.09685", lora_params, params),
                                 .item.note = "Costs: nothing; the additions are merged in the end.", .acts_on = "weights", .apply = apply };
