/* arms.c - ways to train, made from the incumbent and levers, each with its steps settled so that FLOPs are equal.
 *
 * A lever that costs c times the training is judged beside an incumbent that was given c times the training too: its schedule as
 * planned, then on at the schedule's floor. */
#include "improve/phase.h"

#include <math.h>

static const void *lever_params(hn_runner *r, const hn_lever *l) {
    if (!l->item.size) return NULL;
    void *p = hn_alloc(r->a, 1, l->item.size, 16);
    hn_params_defaults(r->a, l->item.params, l->item.n_params, p);
    return p;
}

bool hn_lever_pull(hn_runner *r, const hn_lever *l, int64_t variant, hn_settings *s, double *cost, double *inference,
                   const char **did) {
    hn_lever_call c = { .a = r->a, .candidate = s, .params = lever_params(r, l), .variant = variant, .name = l->item.name,
                        .cost = 1, .inference = 1 };
    if (!l->apply(&c)) return false;
    *cost = c.cost, *did = c.did, *inference *= c.inference;
    return true;
}

/* The incumbent given `cost` times the training: its schedule as planned, then on at the floor. */
static hn_trial *dearer_incumbent(hn_runner *r, hn_phase phase, double cost, int64_t index, int64_t seeds) {
    hn_trial *t = hn_trial_new(r, phase, hn_fmt(r->a, "incumbent x%g", cost), index, seeds);
    t->settings = hn_settings_clone(r->a, r->base);
    t->cost = cost;
    t->did = hn_fmt(r->a, "the start, going on for %g times its training", cost);
    if (!hn_settings_set(t->settings, r->a, "sched.steps", hn_fmt(r->a, "%lld", (long long)r->steps), "improve") ||
        !hn_plan_settle(r, r->a, t->settings, cost))
        return NULL;
    return t;
}

static bool incumbent_for(hn_runner *r, hn_arms *v, hn_trial *arm) {
    if (arm->cost <= 1) {
        arm->incumbent = v->base;
        return true;
    }
    for (int64_t i = 0; i < v->dear.n; i++)
        if (v->dear.v[i]->cost == arm->cost) {
            arm->incumbent = v->dear.v[i];
            return true;
        }
    hn_trial *t = dearer_incumbent(r, arm->phase, arm->cost, v->next_index++, arm->seeds);
    if (!t) return false;
    for (int k = 0; k < r->n_sets; k++) t->on[k] = arm->on[k];
    hn_push(r->a, &v->dear, t);
    hn_push(r->a, &v->all, t);
    arm->incumbent = t;
    return true;
}

hn_trial *hn_arm_base(hn_runner *r, hn_arms *v, hn_phase phase, const char *name, int64_t seeds, int set) {
    hn_trial *t = hn_trial_new(r, phase, name, v->next_index++, seeds);
    t->settings = hn_settings_clone(r->a, r->base);
    t->on[set] = true;
    for (int k = HN_SETS; k < r->n_sets; k++) t->on[k] = phase == HN_CONFIRM;
    return t;
}

/* Steps for its cost, and the data that its settings ask for. */
static bool settle(hn_runner *r, hn_trial *t) {
    return hn_plan_settle(r, r->a, t->settings, t->cost) && (t->world = hn_world_of(r, t->settings));
}

/* One arm of one lever; *out NULL when the lever does not apply (recorded by the caller with `why`). */
bool hn_arm_lever(hn_runner *r, hn_arms *v, hn_phase phase, const hn_lever *l, int64_t variant, const char *name, int64_t seeds, int set,
                  hn_trial **out, const char **why) {
    hn_trial *t = hn_arm_base(r, v, phase, name, seeds, set);
    t->lever = l;
    *out = NULL;
    if (!hn_lever_pull(r, l, variant, t->settings, &t->cost, &t->inference, &t->did) || !settle(r, t)) {
        if (hn_of_the_machine(hone_error_code(r->a->job))) return false;
        *why = hn_strdup(r->a, hone_error_message(r->a->job));
        hone_error_clear(r->a->job);
        return true;
    }
    if (!incumbent_for(r, v, t)) return false;
    hn_push(r->a, &v->all, t);
    *out = t;
    return true;
}

/* All levers of `k` but one (skip −1: none), in order; steps settled. */
bool hn_arm_stack(hn_runner *r, hn_arms *v, const hn_kept_levers *k, int64_t skip, hn_phase phase, const char *name, int64_t seeds, int set,
                  hn_trial **out) {
    hn_trial *t = hn_arm_base(r, v, phase, name, seeds, set);
    t->did = "";
    for (int pass = 0; pass < 2; pass++) /* what changes the length of training first: others look at the steps */
        for (int64_t i = 0; i < k->n; i++) {
            if (i == skip || k->v[i]->lever->costs_more != (pass == 0)) continue;
            double cost = 1;
            const char *did;
            hn_trial before = *t;
            t->settings = hn_settings_clone(r->a, t->settings); /* a lever that fails half-way leaves nothing behind */
            if (hn_lever_pull(r, k->v[i]->lever, k->v[i]->variant, t->settings, &cost, &t->inference, &did)) {
                t->cost *= cost; /* each keeps what it was proven with: a longer plan for every member */
                t->did = hn_fmt(r->a, "%s%s%s", t->did, *t->did ? "; " : "", did);
                if (settle(r, t)) continue;
            }
            if (hn_of_the_machine(hone_error_code(r->a->job))) return false;
            hn_warn(r->a, "%s: %s cannot be pulled with the others: %s", name, k->v[i]->lever->item.name, hone_error_message(r->a->job));
            hone_error_clear(r->a->job);
            *t = before;
        }
    hn_push(r->a, &v->all, t);
    *out = t;
    return true;
}
hn_arm hn_arm_measured(const hn_runner *r, const hn_trial *t, int set) { return (hn_arm){ t->name, t->x[set], t->seeds, .fixed = !t->settings }; }

bool hn_record(hn_runner *r, hn_phase phase, const char *lever, const hn_decision *d, const char *why, const hn_trial *t) {
    return hn_ledger_decide(r->ledger, r->run, hn_phase_names[phase], lever, d, why, t ? t->seconds : 0, t ? t->flops : 0,
                            t ? t->peak_rss : 0);
}

hn_decision hn_no_claim(double difference, hn_verdict verdict) {
    return (hn_decision){ .difference = difference,
                          .se = NAN,
                          .df = NAN,
                          .t = NAN,
                          .p = NAN,
                          .p_adjusted = NAN,
                          .p_harm = NAN,
                          .p_harm_adjusted = NAN,
                          .lo = NAN,
                          .hi = NAN,
                          .detectable = NAN,
                          .seed_var = NAN,
                          .item_var = NAN,
                          .verdict = verdict };
}
hn_decision hn_from_interval(const hn_interval *i, hn_verdict verdict) {
    hn_decision d = hn_no_claim(i->mean, verdict);
    d.lo = i->lo, d.hi = i->hi, d.se = i->se, d.df = i->df;
    return d;
}
