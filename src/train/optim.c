/* optim.c - the list of optimizers. A new one is a file in optim/ and a row in optims.def. */
#include "train/train.h"

#define OPTIM(n) extern const hn_optim hn_optim_##n;
#include "train/optim/optims.def"
#undef OPTIM
static const hn_item *const items[] = {
#define OPTIM(n) &hn_optim_##n.item,
#include "train/optim/optims.def"
#undef OPTIM
};
const hn_kind hn_kind_optim = { "optim", "optimizers: from gradients to new weights", items, HN_LEN(items) };

int64_t hn_optim_count(const hn_optim *o, const void *params, const hn_weight *w, int k)
{
    if (k >= o->states) return 0;
    return o->state_count ? o->state_count(params, w, k) : hn_count(w->t);
}

int64_t hn_optim_scratch(const hn_optim *o, const void *params, const hone_model *m)
{
    int64_t most = 0;
    const hn_weights w = hn_model_trained(m);
    for (int64_t i = 0; o->scratch && i < w.n; i++)
        if (o->takes_whole(params, &w.v[i])) most = HN_MAX(most, o->scratch(params, &w.v[i]));
    return most;
}

double hn_optim_flops(const hn_optim *o, const void *params, const hone_model *m)
{
    double sum = 0;
    const hn_weights w = hn_model_trained(m);
    for (int64_t i = 0; o->flops && i < w.n; i++)
        if (o->takes_whole(params, &w.v[i])) sum += o->flops(params, &w.v[i]);
    return sum;
}
