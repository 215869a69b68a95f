/* more_steps.c - plan a longer training: the schedule is stretched over more steps. It costs training FLOPs, so it is judged beside
 * an incumbent that gets as many: that one keeps its schedule and goes on at the schedule's floor. What is tested is thus the
 * longer plan, not the mere running on (Hoffmann et al. 2022, arXiv:2203.15556, section 3.1: match the schedule to the horizon). */
#include "improve/improve.h"

typedef struct more_steps_params {
    hn_strs factors;
} more_steps_params;
static const hn_param params[] = {
    HN_PARAM(more_steps_params, factors, .def = "1.5,2", .doc = "multiples of the incumbent's training FLOPs"),
};

static bool apply(hn_lever_call *c) {
    if (!hn_lever_variant(c, &((const more_steps_params *)c->params)->factors, 1, &c->cost)) return false;
    c->did = hn_fmt(c->a, "%g times the training, the schedule stretched over it", c->cost);
    return true;
}
const hn_lever hn_lever_more_steps = { HN_ITEM("more-steps", "plan a longer training", "arXiv:2203.15556", more_steps_params, params),
                                       .item.note = "Costs: 1.5 and 2 times the training; judged beside an incumbent given as much.",
                                       .acts_on = "recipe", .costs_more = true, .apply = apply };
