/* confirm.c - fresh seeds and items that nothing was chosen on: the verdicts (hn_decide), placebo among the arms. */
#include "improve/phase.h"

#include <math.h>

/* A lever that stopped before confirm: nothing is claimed. */
static bool stopped_early(hn_runner *r, const hn_choice *c, double gain) {
    bool failed = !c->trial;
    bool other_unit = r->set[HN_SET_CONFIRM].exact; /* the screen compares bits: no number to stand among shares of wrong answers */
    hn_decision d = hn_no_claim(failed || other_unit ? NAN : gain, failed ? HN_FAILED : HN_UNDECIDED);
    const char *why = failed ? (c->why ? c->why : "every training failed")
                             : hn_fmt(r->a, "%s: gain %+.4f bits per byte in the screen, not among the best %lld; not judged",
                                      c->trial->did, gain, (long long)r->p->confirm_arms);
    hn_tell_lever(r, c->lever->item.name, &d, why, c->trial);
    return hn_record(r, HN_SCREEN, c->lever->item.name, &d, why, c->trial);
}

bool hn_confirm(hn_runner *r, hn_choice *c, hn_verdicts *out) {
    hn_arms v = { 0 };
    int64_t seeds = r->p->confirm_seeds, left = r->p->confirm_arms;
    v.base = hn_arm_base(r, &v, HN_CONFIRM, "incumbent", seeds, HN_SET_CONFIRM);
    hn_push(r->a, &v.all, v.base);
    int64_t worst = -1;
    for (int64_t i = 0; r->p->confirm_worst && i < r->n_levers; i++)
        if (c[i].trial && !hn_is_placebo(r, c[i].lever) && c[i].gain < 0) worst = i; /* they come sorted */
    out->arm = hn_new_n(r->a, hn_trial *, r->n_levers + 1);
    out->from = hn_new_n(r->a, const hn_choice *, r->n_levers + 1);
    for (int64_t i = 0; i < r->n_levers; i++) {
        bool placebo = hn_is_placebo(r, c[i].lever);
        bool screened = !placebo && !c[i].lever->unscreened;
        if (!c[i].trial || (screened && left == 0 && i != worst)) {
            if (!stopped_early(r, &c[i], c[i].gain)) return false;
            continue;
        }
        if (screened && left > 0) left--;
        hn_trial *t;
        const char *why = NULL;
        if (!hn_arm_lever(r, &v, HN_CONFIRM, c[i].lever, c[i].variant, c[i].lever->item.name, seeds, HN_SET_CONFIRM, &t, &why))
            return false;
        if (!t) continue;
        out->from[out->n] = &c[i];
        out->arm[out->n++] = t;
    }
    if (r->start) { /* is going on with training better than leaving the model alone? An arm like any other */
        out->asis = hn_trial_new(r, HN_CONFIRM, "as it is", v.next_index++, 1);
        for (int k = HN_SET_CONFIRM; k < r->n_sets; k++) out->asis->on[k] = k != HN_SET_SEALED;
        hn_push(r->a, &v.all, out->asis);
        out->again = hn_arm_base(r, &v, HN_CONFIRM, "continue", seeds, HN_SET_CONFIRM);
        out->again->did = "plain training on this text";
        out->again->incumbent = out->asis;
        hn_push(r->a, &v.all, out->again);
        out->arm[out->n++] = out->again;
    }
    if (!hn_trials_run(r, v.all.v, v.all.n)) return false;
    const hn_set *s = &r->set[HN_SET_CONFIRM];
    hn_arm *arm = hn_new_n(r->a, hn_arm, out->n), *inc = hn_new_n(r->a, hn_arm, out->n);
    out->d = hn_new_n(r->a, hn_decision, out->n);
    for (int64_t i = 0; i < out->n; i++) {
        hn_trial *t = out->arm[i];
        if (!hn_trial_ok(t) || !hn_trial_ok(t->incumbent))
            for (int64_t k = 0; k < t->seeds * s->n; k++) t->x[HN_SET_CONFIRM][k] = NAN; /* hn_decide: failed */
        arm[i] = hn_arm_measured(r, t, HN_SET_CONFIRM), inc[i] = hn_arm_measured(r, t->incumbent, HN_SET_CONFIRM);
    }
    hn_decide(r->a, inc, arm, out->n, s->cluster, s->n, r->p->alpha, out->d);
    hn_decision *guard = hn_guards_decide(r, out);
    for (int64_t i = 0; i < out->n; i++) {
        const char *why = hn_why_text(r->a, r->unit, &out->d[i], out->arm[i], r->p->alpha, out->n);
        if (!hn_guards_tell(r, guard, out, i, &why)) return false;
        if (out->d[i].verdict == HN_KEPT && out->arm[i]->cost > 1 && !r->p->allow_cost) {
            out->d[i].verdict = HN_UNDECIDED;
            why = hn_fmt(r->a, "%s. Not kept: it costs %g times the training and improve.allow_cost is false", why, out->arm[i]->cost);
        }
        if (hn_is_placebo(r, out->arm[i]->lever) && (out->d[i].verdict == HN_KEPT || out->d[i].verdict == HN_HARMFUL)) {
            why = hn_fmt(r->a, "%s. It changes nothing, so this run's judging is suspect: by chance alone this happens in at most %g %% of runs",
                         why, 100 * r->p->alpha);
            hn_warn(r->a, "placebo, which changes nothing, is called %s: take this run's verdicts with care, and run it again with another seed",
                    hn_verdict_name(out->d[i].verdict));
        }
        if (out->arm[i]->cost > 1 && hn_trial_ok(out->arm[i]))
            why = hn_fmt(r->a, "%s. Beside the start as it is, at %g times its cost: %+.4f", why, out->arm[i]->cost,
                         hn_trial_mean(r, v.base, HN_SET_CONFIRM) - hn_trial_mean(r, out->arm[i], HN_SET_CONFIRM));
        if (!hn_record(r, HN_CONFIRM, out->arm[i]->name, &out->d[i], why, out->arm[i])) return false;
        hn_tell_lever(r, out->arm[i]->name, &out->d[i], why, out->arm[i]);
    }
    return true;
}
