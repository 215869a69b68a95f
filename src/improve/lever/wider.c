/* wider.c - more channels at the same training FLOPs, so fewer steps: whether a larger model that sees less is better here is the
 * question of Kaplan et al. 2020 (arXiv:2001.08361) and Hoffmann et al. 2022 (arXiv:2203.15556). The head size stays, so heads grow
 * along; the learning rate shrinks with the width as in Yang et al. 2022 (arXiv:2203.03466). Costs memory and inference time. */
#include "improve/improve.h"

#include <math.h>

typedef struct wider_params {
    hn_strs factors;
} wider_params;
static const hn_param params[] = {
    HN_PARAM(wider_params, factors, .def = "1.5,2", .doc = "multiples of the width; rounded to whole heads"),
};

static bool apply(hn_lever_call *c) {
    double width, heads, lr, f;
    if (!hn_lever_from_scratch(c) || !hn_lever_get(c, "model.width", &width) || !hn_lever_get(c, "model.heads", &heads) ||
        !hn_lever_get(c, "optim.lr", &lr) || !hn_lever_variant(c, &((const wider_params *)c->params)->factors, 1, &f))
        return false;
    double head_size = width / heads, more = fmax(floor(heads * f + 0.5), heads + 1), new_width = head_size * more,
           new_lr = lr * width / new_width;
    c->did = hn_fmt(c->a, "model.width %g → %g, heads %g → %g, optim.lr %.3g → %.3g", width, new_width, heads, more, lr, new_lr);
    return hn_lever_set(c, "model.heads", more) && hn_lever_set(c, "model.width", new_width) && hn_lever_set(c, "optim.lr", new_lr);
}
const hn_lever hn_lever_wider = { HN_ITEM("wider", "more channels, as many FLOPs", "arXiv:2001.08361", wider_params, params),
                                  .item.note = "Costs: memory and inference time; training FLOPs: as the incumbent, so fewer steps.",
                                  .acts_on = "recipe", .apply = apply };
