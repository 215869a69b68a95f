/* stack.c - all kept levers together, each left out once, the first two in the other order (interact.c). Descriptive: a lever whose removal looks better is dropped. */
#include "improve/phase.h"

#include <math.h>

/* Drops a lever whose removal looks better. Descriptive: no verdict changes. */
bool hn_stack(hn_runner *r, hn_kept_levers *k) {
    if (k->n < 2) return true;
    hn_arms v = { 0 };
    int64_t seeds = r->p->confirm_seeds, n = k->n;
    hn_trial *all, *swapped, **less = hn_new_n(r->a, hn_trial *, n);
    if (!hn_arm_stack(r, &v, k, -1, HN_STACK, "all", seeds, HN_SET_CONFIRM, &all)) return false;
    for (int64_t i = 0; i < n; i++)
        if (!hn_arm_stack(r, &v, k, i, HN_STACK, hn_fmt(r->a, "all less %s", k->v[i]->lever->item.name), seeds, HN_SET_CONFIRM, &less[i]))
            return false;
    if (!hn_arm_swapped(r, &v, k, all, seeds, &swapped)) return false;
    r->conflicts = hn_conflicts(r, k);
    if (*r->conflicts) hn_log(r->a, "%s", r->conflicts);
    if (*r->conflicts && !hn_ledger_note(r->ledger, r->run, "conflicts", r->conflicts)) return false;
    if (!hn_trials_run(r, v.all.v, v.all.n)) return false;
    hn_kept_levers still = { 0 };
    const hn_set *s = &r->set[HN_SET_CONFIRM];
    for (int64_t i = 0; i < n; i++) {
        const char *name = k->v[i]->lever->item.name;
        hn_interval worth = { .mean = NAN, .lo = NAN, .hi = NAN, .se = NAN, .df = NAN };
        if (hn_trial_ok(all) && hn_trial_ok(less[i])) {
            hn_arm from = hn_arm_measured(r, less[i], HN_SET_CONFIRM), to = hn_arm_measured(r, all, HN_SET_CONFIRM);
            worth = hn_two_level(r->a, &from, &to, s->cluster, s->n, 0.95);
        }
        bool drop = worth.mean < 0 || (hn_trial_ok(less[i]) && !hn_trial_ok(all));
        if (!drop) hn_push(r->a, &still, k->v[i]);
        hn_decision d = hn_from_interval(&worth, drop ? HN_UNDECIDED : HN_KEPT);
        const char *why = drop ? hn_fmt(r->a, "with the others, the model is better by %.4f without it: dropped", -worth.mean)
                               : hn_fmt(r->a, "with the others, it is worth %.4f", worth.mean);
        if (!hn_record(r, HN_STACK, name, &d, why, less[i])) return false;
    }
    if (!hn_swapped_tell(r, k, all, swapped)) return false;
    if (still.n == 0) hn_push(r->a, &still, k->v[0]); /* each looks better without any other: the surest alone */
    *k = still;
    return true;
}
