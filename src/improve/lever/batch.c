/* batch.c - another batch size at the same training FLOPs: half the windows in twice the steps, or the reverse. Below the critical size
 * smaller is better at equal FLOPs (McCandlish et al. 2018, arXiv:1812.06162). The learning rate goes with the square root of the
 * batch, which is Adam's rule (Malladi et al. 2022, arXiv:2205.10343). Costs nothing but memory where the batch grows. */
#include "improve/improve.h"

#include <math.h>

typedef struct batch_params {
    hn_strs factors;
} batch_params;
static const hn_param params[] = {
    HN_PARAM(batch_params, factors, .def = "0.5,2", .doc = "multiples of the incumbent's batch"),
};

static bool apply(hn_lever_call *c) {
    double batch, lr, f;
    if (!hn_lever_get(c, "train.batch", &batch) || !hn_lever_get(c, "optim.lr", &lr) ||
        !hn_lever_variant(c, &((const batch_params *)c->params)->factors, 0, &f))
        return false;
    double other = fmax(floor(batch * f + 0.5), 1), new_lr = lr * sqrt(other / batch);
    if (other == batch) return hn_lever_misfit(c, "a batch of one window has no half");
    c->did = hn_fmt(c->a, "train.batch %g → %g, optim.lr %.3g → %.3g", batch, other, lr, new_lr);
    return hn_lever_set(c, "train.batch", other) && hn_lever_set(c, "optim.lr", new_lr);
}
const hn_lever hn_lever_batch = { HN_ITEM("batch", "another batch size, as many FLOPs", "arXiv:1812.06162", batch_params, params),
                                  .item.note = "Costs: training FLOPs: as the incumbent; memory where the batch grows.",
                                  .acts_on = "recipe", .apply = apply };
