/* guard.c - several tasks at once: what a lever does to the tasks that verdicts are not of.
 *
 * Each guarded task is judged as the metric itself is (hn_decide), its α being shared out among the tasks; a lever that is proven to
 * harm one is refused, however much it helps elsewhere. What is not proven refuses nothing: its interval is told. */
#include "improve/phase.h"

#include <math.h>

hn_decision *hn_guards_decide(hn_runner *r, const hn_verdicts *v) {
    int64_t n_guards = r->n_sets - HN_SETS;
    hn_decision *d = hn_new_n(r->a, hn_decision, n_guards * v->n + 1);
    hn_arm *arm = hn_new_n(r->a, hn_arm, v->n + 1), *inc = hn_new_n(r->a, hn_arm, v->n + 1);
    for (int64_t g = 0; g < n_guards; g++) {
        int set = (int)(HN_SETS + g);
        for (int64_t i = 0; i < v->n; i++)
            arm[i] = hn_arm_measured(r, v->arm[i], set), inc[i] = hn_arm_measured(r, v->arm[i]->incumbent, set);
        hn_decide(r->a, inc, arm, v->n, r->set[set].cluster, r->set[set].n, r->p->alpha / (double)n_guards, d + g * v->n);
    }
    return d;
}

bool hn_guards_tell(hn_runner *r, const hn_decision *guard, hn_verdicts *v, int64_t i, const char **why) {
    int64_t n_guards = r->n_sets - HN_SETS;
    hn_trial *t = v->arm[i];
    if (!n_guards) return true;
    t->guards = hn_json_own(r->a, json_array());
    for (int64_t g = 0; g < n_guards; g++) {
        const hn_decision *d = &guard[g * v->n + i];
        const char *task = r->set[HN_SETS + g].name, *name = hn_fmt(r->a, "%s on %s", t->name, task);
        json_array_append_new(t->guards, json_pack("{ss ss so so}", "task", task, "verdict", hn_verdict_name(d->verdict), "difference",
                                                   hn_json_real(-d->difference), "ci95",
                                                   isfinite(d->lo) ? json_pack("[f,f]", -d->hi, -d->lo) : json_null()));
        if (!hn_ledger_decide(r->ledger, r->run, "guard", name, d, hn_why_text(r->a, r->unit, d, t, r->p->alpha / (double)n_guards, v->n), 0, 0, 0))
            return false;
        if (d->verdict != HN_HARMFUL || v->d[i].verdict != HN_KEPT) continue;
        v->d[i].verdict = HN_HARMFUL;
        *why = hn_fmt(r->a, "%s. Refused: it harms %s, worse by %.4f %s (95 %% %.4f … %.4f), p %.2g", *why, task, -d->difference, r->unit, -d->hi,
                      -d->lo, d->p_harm_adjusted);
    }
    return true;
}
