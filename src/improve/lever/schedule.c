/* schedule.c - another course of the learning rate. Stable-then-decay (Hägele et al. 2024, arXiv:2405.18392) and a straight line to the
 * floor (Defazio et al. 2023, arXiv:2310.07831: linear decay is what theory asks for). Warm-up and floor stay. Costs nothing. */
#include "improve/improve.h"

typedef struct schedule_params {
    hn_strs names;
} schedule_params;
static const hn_param params[] = {
    HN_PARAM(schedule_params, names, .def = "wsd,linear", .doc = "schedules to try; the incumbent's own gives way to cosine"),
};

static bool apply(hn_lever_call *c) {
    const hn_strs *names = &((const schedule_params *)c->params)->names;
    const char *old = hn_settings_value(c->a, c->candidate, "sched.name");
    if (c->variant >= names->n) return hn_lever_misfit(c, "it has fewer schedules than settings to try");
    const char *name = strcmp(names->v[c->variant], old) ? names->v[c->variant] : "cosine";
    c->did = hn_fmt(c->a, "sched.name %s → %s", old, name);
    return hn_settings_set(c->candidate, c->a, "sched.name", name, c->name);
}
const hn_lever hn_lever_schedule = { HN_ITEM("schedule", "another course of the learning rate", "arXiv:2405.18392", schedule_params,
                                             params),
                                     .item.note = "Costs: nothing.", .acts_on = "recipe", .apply = apply };
