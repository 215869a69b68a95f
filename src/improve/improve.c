/* improve.c - the procedure, phase by phase.
 *
 *   plan → tune → screen → confirm → stack → seal
 *
 * Everything that decides is fixed in the ledger before the first arm is trained. The screen claims nothing: it chooses which
 * levers and which of their settings go on. Only confirm, with fresh seeds and items that nothing was chosen on, gives verdicts
 * (hn_decide). The sealed items are looked at once, at the end. A killed run finds its measurements in the ledger and goes on. */
#include "improve/run.h"

#include <math.h>
#include <stdlib.h>

/* ---- making arms ---- */

static const void *lever_params(hn_runner *r, const hn_lever *l) {
    if (!l->item.size) return NULL;
    void *p = hn_alloc(r->a, 1, l->item.size, 16);
    hn_params_defaults(r->a, l->item.params, l->item.n_params, p);
    return p;
}

/* Pulls one lever on s; cost and words come back. False: it does not apply, the job's error says why. */
static bool pull(hn_runner *r, const hn_lever *l, int64_t variant, hn_settings *s, double *cost, const char **did) {
    hn_lever_call c = { .a = r->a, .candidate = s, .params = lever_params(r, l), .variant = variant, .name = l->item.name, .cost = 1 };
    if (!l->apply(&c)) return false;
    *cost = c.cost, *did = c.did;
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

typedef struct arms { HN_VEC(hn_trial *) all; int64_t next_index; hn_trial *base; HN_VEC(hn_trial *) dear; } arms;

static bool incumbent_for(hn_runner *r, arms *v, hn_trial *arm) {
    if (arm->cost <= 1) { arm->incumbent = v->base; return true; }
    for (int64_t i = 0; i < v->dear.n; i++)
        if (v->dear.v[i]->cost == arm->cost) { arm->incumbent = v->dear.v[i]; return true; }
    hn_trial *t = dearer_incumbent(r, arm->phase, arm->cost, v->next_index++, arm->seeds);
    if (!t) return false;
    for (int k = 0; k < HN_SETS; k++) t->on[k] = arm->on[k];
    hn_push(r->a, &v->dear, t);
    hn_push(r->a, &v->all, t);
    arm->incumbent = t;
    return true;
}

static hn_trial *base_trial(hn_runner *r, hn_phase phase, const char *name, int64_t index, int64_t seeds, int set) {
    hn_trial *t = hn_trial_new(r, phase, name, index, seeds);
    t->settings = hn_settings_clone(r->a, r->base);
    t->on[set] = true;
    return t;
}

/* One arm of one lever; *out NULL when the lever does not apply (recorded by the caller with `why`). */
static bool lever_trial(hn_runner *r, arms *v, hn_phase phase, const hn_lever *l, int64_t variant, const char *name, int64_t seeds, int set, hn_trial **out, const char **why) {
    hn_trial *t = base_trial(r, phase, name, v->next_index++, seeds, set);
    t->lever = l;
    *out = NULL;
    if (!pull(r, l, variant, t->settings, &t->cost, &t->did)) {
        *why = hn_strdup(r->a, hone_error_message(r->a->job));
        hone_error_clear(r->a->job);
        return true;
    }
    if (!hn_plan_settle(r, r->a, t->settings, t->cost) || !incumbent_for(r, v, t)) return false;
    hn_push(r->a, &v->all, t);
    *out = t;
    return true;
}

/* ---- tune: the incumbent's learning rate ---- */

enum { TUNE_SEEDS = 2 };

/* A rate is worth what it gives on a bad day: high rates win by luck with one seed, and then spread so widely that nothing is proven. */
static double worst_seed(const hn_runner *r, const hn_trial *t, int set) {
    double worst = -INFINITY;
    for (int64_t k = 0; k < t->seeds; k++) worst = fmax(worst, hn_mean(t->x[set] + k * r->set[set].n, r->set[set].n));
    return hn_trial_ok(t) ? worst : NAN;
}

static bool tune(hn_runner *r) {
    if (!r->p->tune) return true;
    double lr;
    const char *text = hn_settings_value(r->a, r->base, "optim.lr");
    if (!text || !hn_parse_f64(text, &lr)) return true;
    double best = INFINITY, best_factor = 1, lo = 0.5, hi = 4;
    int64_t index = 0;
    bool first = true;
    for (;;) {          /* half to four times; an edge that wins is looked beyond */
        hn_trial *v[4];
        double factor[4];
        int64_t n = 0;
        if (first) for (double f = lo; f <= hi; f *= 2) factor[n++] = f;
        else factor[n++] = best_factor == lo ? (lo /= 2) : (hi *= 2);
        for (int64_t i = 0; i < n; i++) {
            v[i] = base_trial(r, HN_TUNE, hn_fmt(r->a, "lr x%g", factor[i]), index++, TUNE_SEEDS, HN_SET_SCREEN);
            if (!hn_settings_set(v[i]->settings, r->a, "optim.lr", hn_num(r->a, lr * factor[i]), "tune")) return false;
        }
        if (!hn_trials_run(r, v, n)) return false;
        for (int64_t i = 0; i < n; i++) {
            double m = worst_seed(r, v[i], HN_SET_SCREEN);
            if (m < best) best = m, best_factor = factor[i];
        }
        if (first && !isfinite(best)) return HN_FAIL(r->a, HONE_E_NUMERIC, .what = "the start could not be trained at any learning rate",
                                                     .found = v[0]->error, .hint = "set a lower optim.lr");
        first = false;
        bool edge = best_factor == lo || best_factor == hi;
        if (!edge || hi > 32 || lo < 0.05) break;
    }
    hn_log(r->a, "tuned the start's learning rate: %.3g (%g times the recipe's)", lr * best_factor, best_factor);
    return hn_settings_set(r->base, r->a, "optim.lr", hn_num(r->a, lr * best_factor), "tune");
}

/* ---- screen ---- */

typedef struct choice { const hn_lever *lever; int64_t variant; double gain; hn_trial *trial; const char *why; } choice;

static int by_gain(const void *x, const void *y) {
    double a = ((const choice *)x)->gain, b = ((const choice *)y)->gain;
    return a < b ? 1 : a > b ? -1 : 0;
}

/* The best setting of every lever, sorted by gain; levers that do not apply have no trial. */
static bool screen(hn_runner *r, choice *out) {
    arms v = { 0 };
    int64_t seeds = r->p->screen_seeds;
    v.base = base_trial(r, HN_SCREEN, "incumbent", v.next_index++, seeds, HN_SET_SCREEN);
    hn_push(r->a, &v.all, v.base);
    hn_trial **arm = hn_new_n(r->a, hn_trial *, r->n_levers * HN_LEVER_VARIANTS);
    for (int64_t i = 0; i < r->n_levers; i++)
        for (int64_t k = 0; k < HN_LEVER_VARIANTS; k++) {
            out[i].lever = r->levers[i];
            const char *name = hn_fmt(r->a, "%s.%lld", r->levers[i]->item.name, (long long)k);
            if (!lever_trial(r, &v, HN_SCREEN, r->levers[i], k, name, seeds, HN_SET_SCREEN, &arm[i * HN_LEVER_VARIANTS + k], &out[i].why)) return false;
        }
    if (!hn_trials_run(r, v.all.v, v.all.n)) return false;
    for (int64_t i = 0; i < r->n_levers; i++) {
        out[i].gain = -INFINITY;
        for (int64_t k = 0; k < HN_LEVER_VARIANTS; k++) {
            hn_trial *t = arm[i * HN_LEVER_VARIANTS + k];
            if (!t) continue;
            if (!hn_trial_ok(t)) { out[i].why = t->error; continue; }
            double gain = hn_trial_mean(r, t->incumbent, HN_SET_SCREEN) - hn_trial_mean(r, t, HN_SET_SCREEN);
            if (!out[i].trial || gain > out[i].gain) out[i].gain = gain, out[i].variant = k, out[i].trial = t;
        }
    }
    qsort(out, (size_t)r->n_levers, sizeof *out, by_gain);
    return true;
}

/* ---- confirm ---- */

typedef struct verdicts { hn_trial **arm; hn_decision *d; int64_t n; const choice **from; hn_trial *asis, *again; } verdicts;

static hn_arm arm_of(const hn_runner *r, const hn_trial *t, int set) { return (hn_arm){ t->name, t->x[set], t->seeds }; }

static bool record(hn_runner *r, hn_phase phase, const char *lever, const hn_decision *d, const char *why, const hn_trial *t) {
    return hn_ledger_decide(r->ledger, r->run, hn_phase_names[phase], lever, d, why, t ? t->seconds : 0, t ? t->flops : 0, t ? t->peak_rss : 0);
}

/* A lever that stopped before confirm: nothing is claimed. */
static bool stopped_early(hn_runner *r, const choice *c, double gain) {
    bool failed = !c->trial;
    hn_decision d = { .difference = failed ? NAN : gain, .se = NAN, .df = NAN, .t = NAN, .p = NAN, .p_adjusted = NAN, .p_harm = NAN, .p_harm_adjusted = NAN,
                      .lo = NAN, .hi = NAN, .detectable = NAN, .seed_var = NAN, .item_var = NAN, .verdict = failed ? HN_FAILED : HN_UNDECIDED };
    const char *why = failed ? (c->why ? c->why : "every training failed")
                             : hn_fmt(r->a, "%s: gain %+.4f bits per byte in the screen, not among the best %lld; not judged", c->trial->did, gain,
                                      (long long)r->p->confirm_arms);
    hn_tell_lever(r, c->lever->item.name, &d, why, c->trial);
    return record(r, HN_SCREEN, c->lever->item.name, &d, why, c->trial);
}

static bool confirm(hn_runner *r, choice *c, verdicts *out) {
    arms v = { 0 };
    int64_t seeds = r->p->confirm_seeds, left = r->p->confirm_arms;
    v.base = base_trial(r, HN_CONFIRM, "incumbent", v.next_index++, seeds, HN_SET_CONFIRM);
    hn_push(r->a, &v.all, v.base);
    out->arm = hn_new_n(r->a, hn_trial *, r->n_levers + 1);
    out->from = hn_new_n(r->a, const choice *, r->n_levers + 1);
    for (int64_t i = 0; i < r->n_levers; i++) {
        bool placebo = c[i].lever == r->levers[r->n_levers - 1];
        if (!c[i].trial || (!placebo && left == 0)) {
            if (!stopped_early(r, &c[i], c[i].gain)) return false;
            continue;
        }
        if (!placebo) left--;
        hn_trial *t;
        const char *why = NULL;
        if (!lever_trial(r, &v, HN_CONFIRM, c[i].lever, c[i].variant, c[i].lever->item.name, seeds, HN_SET_CONFIRM, &t, &why)) return false;
        if (!t) continue;
        out->from[out->n] = &c[i];
        out->arm[out->n++] = t;
    }
    if (r->start) {     /* is going on with training better than leaving the model alone? An arm like any other */
        out->asis = hn_trial_new(r, HN_CONFIRM, "as it is", v.next_index++, 1);
        out->asis->on[HN_SET_CONFIRM] = true;
        hn_push(r->a, &v.all, out->asis);
        out->again = base_trial(r, HN_CONFIRM, "continue", v.next_index++, seeds, HN_SET_CONFIRM);
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
            for (int64_t k = 0; k < t->seeds * s->n; k++) t->x[HN_SET_CONFIRM][k] = NAN;      /* hn_decide: failed */
        arm[i] = arm_of(r, t, HN_SET_CONFIRM), inc[i] = arm_of(r, t->incumbent, HN_SET_CONFIRM);
    }
    hn_decide(r->a, inc, arm, out->n, s->cluster, s->n, r->p->alpha, out->d);
    for (int64_t i = 0; i < out->n; i++) {
        const char *why = hn_why_text(r->a, &out->d[i], out->arm[i], r->p->alpha, out->n);
        if (out->d[i].verdict == HN_KEPT && out->arm[i]->cost > 1 && !r->p->allow_cost) {
            out->d[i].verdict = HN_UNDECIDED;
            why = hn_fmt(r->a, "%s. Not kept: it costs %g times the training and improve.allow_cost is false", why, out->arm[i]->cost);
        }
        if (out->arm[i]->cost > 1 && hn_trial_ok(out->arm[i]))
            why = hn_fmt(r->a, "%s. Beside the start as it is, at %g times its cost: %+.4f", why, out->arm[i]->cost,
                         hn_trial_mean(r, v.base, HN_SET_CONFIRM) - hn_trial_mean(r, out->arm[i], HN_SET_CONFIRM));
        if (!record(r, HN_CONFIRM, out->arm[i]->name, &out->d[i], why, out->arm[i])) return false;
        hn_tell_lever(r, out->arm[i]->name, &out->d[i], why, out->arm[i]);
    }
    return true;
}

/* ---- stack ---- */

typedef HN_VEC(const choice *) kept_levers;

/* All levers of `k` but one (skip −1: none), in order; steps settled. */
static bool stack_trial(hn_runner *r, arms *v, const kept_levers *k, int64_t skip, hn_phase phase, const char *name, int64_t seeds, int set, hn_trial **out) {
    hn_trial *t = base_trial(r, phase, name, v->next_index++, seeds, set);
    t->did = "";
    for (int pass = 0; pass < 2; pass++)          /* what changes the length of training first: others look at the steps */
        for (int64_t i = 0; i < k->n; i++) {
            if (i == skip || k->v[i]->lever->costs_more != (pass == 0)) continue;
            double cost;
            const char *did;
            if (!pull(r, k->v[i]->lever, k->v[i]->variant, t->settings, &cost, &did)) return false;
            t->cost = fmax(t->cost, cost);
            t->did = hn_fmt(r->a, "%s%s%s", t->did, *t->did ? "; " : "", did);
            if (!hn_plan_settle(r, r->a, t->settings, t->cost)) return false;
        }
    hn_push(r->a, &v->all, t);
    *out = t;
    return true;
}

/* Drops a lever whose removal looks better. Descriptive: no verdict changes. */
static bool stack(hn_runner *r, kept_levers *k) {
    if (k->n < 2) return true;
    arms v = { 0 };
    int64_t seeds = r->p->confirm_seeds, n = k->n;
    hn_trial *all, **less = hn_new_n(r->a, hn_trial *, n);
    if (!stack_trial(r, &v, k, -1, HN_STACK, "all", seeds, HN_SET_CONFIRM, &all)) return false;
    for (int64_t i = 0; i < n; i++)
        if (!stack_trial(r, &v, k, i, HN_STACK, hn_fmt(r->a, "all less %s", k->v[i]->lever->item.name), seeds, HN_SET_CONFIRM, &less[i])) return false;
    if (!hn_trials_run(r, v.all.v, v.all.n)) return false;
    kept_levers still = { 0 };
    const hn_set *s = &r->set[HN_SET_CONFIRM];
    for (int64_t i = 0; i < n; i++) {
        const char *name = k->v[i]->lever->item.name;
        hn_interval worth = { .mean = NAN, .lo = NAN, .hi = NAN, .se = NAN, .df = NAN };
        if (hn_trial_ok(all) && hn_trial_ok(less[i])) {
            hn_arm from = arm_of(r, less[i], HN_SET_CONFIRM), to = arm_of(r, all, HN_SET_CONFIRM);
            worth = hn_two_level(r->a, &from, &to, s->cluster, s->n, 0.95);
        }
        bool drop = worth.mean < 0 || (hn_trial_ok(less[i]) && !hn_trial_ok(all));
        if (!drop) hn_push(r->a, &still, k->v[i]);
        hn_decision d = { .difference = worth.mean, .lo = worth.lo, .hi = worth.hi, .se = worth.se, .df = worth.df, .t = NAN, .p = NAN, .p_adjusted = NAN, .p_harm = NAN,
                          .p_harm_adjusted = NAN, .detectable = NAN, .seed_var = NAN, .item_var = NAN, .verdict = drop ? HN_UNDECIDED : HN_KEPT };
        const char *why = drop ? hn_fmt(r->a, "with the others, the model is better by %.4f without it: dropped", -worth.mean)
                               : hn_fmt(r->a, "with the others, it is worth %.4f", worth.mean);
        if (!record(r, HN_STACK, name, &d, why, less[i])) return false;
    }
    if (still.n == 0) hn_push(r->a, &still, k->v[0]);      /* each looks better without any other: the surest alone */
    *k = still;
    return true;
}

/* ---- seal ---- */

static int64_t best_seed(const hn_runner *r, const hn_trial *t) {
    const int64_t n = r->set[HN_SET_CONFIRM].n;
    int64_t best = -1;
    double loss = INFINITY;
    for (int64_t k = 0; k < t->seeds; k++) {
        double m = t->failed[k] ? INFINITY : hn_mean(t->x[HN_SET_CONFIRM] + k * n, n);
        if (m < loss) loss = m, best = k;
    }
    return best;
}

/* The chosen seed's folder becomes out/NAME; an older one gives way only when the new one is whole. */
static bool ship(hn_runner *r, const hn_trial *t, int64_t k, const char *name) {
    const char *from = hn_trial_folder(r, r->a, t, k), *to = hn_path_join(r->a, r->out, name);
    if (!hn_path_exists(hn_path_join(r->a, from, "config.json"))) {
        if (hn_path_exists(hn_path_join(r->a, to, "config.json"))) return true;       /* shipped before a kill */
        return HN_FAIL(r->a, HONE_E_IO, .what = "the model to ship is gone", .where = from, .hint = "delete the run's folder and start again");
    }
    hone_model *m = hn_model_load(r->a, from);
    return m && hn_model_save(r->a, m, to);
}

static const char *sample(hn_runner *r, const char *dir) {
    hone_model *m = hn_model_load(r->a, dir);
    if (!m || !m->tok) { hone_error_clear(r->a->job); return ""; }
    hone_sampling how = { .max_tokens = 200, .temperature = 0.8, .seed = 1 };
    hone_generation g;
    const hn_span *sp = &r->set[HN_SET_SCREEN].tokens.spans[0];
    hn_buf prompt = { 0 };
    for (int64_t i = 0; i < HN_MIN(sp->n, 16); i++) {
        int32_t id = hn_token_at(&r->set[HN_SET_SCREEN].tokens, sp->start + i);
        hn_decode(r->data.tok, r->a, &id, 1, &prompt);
    }
    const char *start = hn_buf_str(r->a, &prompt);
    if (!hone_generate(r->a->job, m, start, &how, NULL, NULL, &g)) { hone_error_clear(r->a->job); return ""; }
    return hn_fmt(r->a, "%s%s", start, g.text);
}

static bool seal(hn_runner *r, const kept_levers *k, const verdicts *v, json_t **result) {
    arms arm = { 0 };
    hn_trial *start, *end;
    int64_t seeds = r->p->confirm_seeds;
    bool continued = v->again && v->d[v->n - 1].verdict == HN_KEPT;
    bool changed = k->n > 0 || continued;
    start = hn_trial_new(r, HN_SEAL, "start", arm.next_index++, r->start ? 1 : seeds);
    if (!r->start) start->settings = hn_settings_clone(r->a, r->base);
    start->did = r->start ? "the model as it is" : "the incumbent";
    start->on[HN_SET_CONFIRM] = true;
    hn_push(r->a, &arm.all, start);
    end = start;
    if (changed && !stack_trial(r, &arm, k, -1, HN_SEAL, "end", seeds, HN_SET_CONFIRM, &end)) return false;
    for (int64_t i = 0; i < arm.all.n; i++) arm.all.v[i]->on[HN_SET_SEALED] = arm.all.v[i]->ship = true;
    const hn_set *s = &r->set[HN_SET_SEALED];
    int64_t before = 0;
    if (!hn_ledger_seal_open(r->ledger, r->run, s->hash, &before)) return false;
    if (before > 0)
        hn_warn(r->a, "the sealed items were looked at %lld time%s before: the more often, the less their figure proves", (long long)before, before == 1 ? "" : "s");
    if (!hn_trials_run(r, arm.all.v, arm.all.n)) return false;
    int64_t sb = best_seed(r, start), eb = best_seed(r, end);
    if (sb < 0 || eb < 0) return HN_FAIL(r->a, HONE_E_NUMERIC, .what = "every final training failed", .found = sb < 0 ? start->error : end->error);
    hn_interval diff = { 0 };
    if (changed && hn_trial_ok(start) && hn_trial_ok(end)) {
        hn_arm from = arm_of(r, start, HN_SET_SEALED), to = arm_of(r, end, HN_SET_SEALED);
        diff = hn_two_level(r->a, &from, &to, s->cluster, s->n, 0.95);
    }
    /* A lever may beat continued training and that may still lose to the model as it was: then the model stays. */
    bool stay = changed && r->start && hn_mean(end->x[HN_SET_CONFIRM] + eb * r->set[HN_SET_CONFIRM].n, r->set[HN_SET_CONFIRM].n) >=
                                           hn_mean(start->x[HN_SET_CONFIRM], r->set[HN_SET_CONFIRM].n);
    const hn_trial *shipped = stay ? start : end;
    if (stay) eb = sb;
    double *d = hn_new_n(r->a, double, s->n);
    for (int64_t i = 0; i < s->n; i++) d[i] = start->x[HN_SET_SEALED][sb * s->n + i] - shipped->x[HN_SET_SEALED][eb * s->n + i];
    hn_interval file = { 0 };
    if (shipped != start) file = hn_bootstrap_bca(r->a, d, s->cluster, s->n, 0.95, 10000, r->seed);
    if (!ship(r, start, sb, "start") || !ship(r, shipped, eb, "best")) return false;

    json_t *res = hn_json_own(r->a, json_object()), *levers = json_array();
    for (int64_t i = 0; i < k->n; i++) json_array_append_new(levers, json_string(k->v[i]->lever->item.name));
    json_object_set_new(res, "best", json_string(hn_path_join(r->a, r->out, "best")));
    json_object_set_new(res, "metric", json_string("bits_per_byte"));
    json_object_set_new(res, "start", json_real(hn_mean(start->x[HN_SET_SEALED], start->seeds * s->n)));
    json_object_set_new(res, "end", json_real(stay ? hn_mean(start->x[HN_SET_SEALED], s->n) : hn_mean(end->x[HN_SET_SEALED], end->seeds * s->n)));
    json_object_set_new(res, "difference", json_real(stay ? 0 : 0 - diff.mean));
    json_object_set_new(res, "ci95", stay ? json_pack("[f,f]", 0.0, 0.0) : json_pack("[f,f]", 0 - diff.hi, 0 - diff.lo));
    json_object_set_new(res, "gain", json_real(stay ? 0 : diff.mean));
    json_object_set_new(res, "higher_is_better", json_false());
    json_object_set_new(res, "sealed_hash", json_string(s->hash));
    json_object_set_new(res, "sealed_items", json_integer(s->n));
    json_object_set_new(res, "sealed_opened_before", json_integer(before));
    json_object_set_new(res, "levers", levers);
    json_object_set_new(res, "what", json_string(!changed ? "nothing was proven: the start is shipped" : stay ? "no candidate beat the model as it is: it is shipped unchanged" : k->n ? end->did : "plain training on this text"));
    json_object_set_new(res, "cost", json_real(end->cost));
    json_object_set_new(res, "file", json_pack("{s:f,s:f,s:f,s:[f,f]}", "start", hn_mean(start->x[HN_SET_SEALED] + sb * s->n, s->n), "end",
                                               hn_mean(shipped->x[HN_SET_SEALED] + eb * s->n, s->n), "difference", 0 - file.mean, "ci95", 0 - file.hi, 0 - file.lo));
    json_object_set_new(res, "out", json_string(r->out));
    *result = res;
    hn_decision sealed = { .difference = diff.mean, .lo = diff.lo, .hi = diff.hi, .se = diff.se, .df = diff.df, .t = NAN, .p = NAN, .p_adjusted = NAN, .p_harm = NAN,
                           .p_harm_adjusted = NAN, .detectable = NAN, .seed_var = NAN, .item_var = NAN,
                           .verdict = !changed || stay ? HN_UNDECIDED : diff.lo > 0 ? HN_KEPT : diff.hi < 0 ? HN_HARMFUL : HN_UNDECIDED };
    if (!record(r, HN_SEAL, "end", &sealed, json_string_value(json_object_get(res, "what")), end)) return false;
    return hn_ledger_note(r->ledger, r->run, "sample start", sample(r, hn_path_join(r->a, r->out, "start"))) &&
           hn_ledger_note(r->ledger, r->run, "sample end", sample(r, hn_path_join(r->a, r->out, "best")));
}

/* ---- the whole ---- */

static bool phases(hn_runner *r, json_t **result) {
    choice *c = hn_new_n(r->a, choice, r->n_levers);
    verdicts v = { 0 };
    kept_levers kept = { 0 };
    if (!tune(r) || !screen(r, c) || !confirm(r, c, &v)) return false;
    for (int64_t i = 0; i < v.n; i++)
        if (v.d[i].verdict == HN_KEPT && v.from[i] && v.from[i]->lever != r->levers[r->n_levers - 1]) hn_push(r->a, &kept, v.from[i]);
    return stack(r, &kept) && seal(r, &kept, &v, result);
}

bool hn_improve_run(hn_arena *a, const hn_settings *s, const char *out, void (*on_line)(void *user, const json_t *line), void *user) {
    hn_runner *r = hn_new(a, hn_runner);
    *r = (hn_runner){ .a = a, .out = out, .on_line = on_line, .user = user };
    json_t *result = NULL;
    if (!hn_runner_open(r, s)) return false;
    bool ok = phases(r, &result);
    const char *state = ok ? "done" : hone_error_code(a->job) == HONE_E_INTERRUPTED ? "interrupted" : "failed";
    if (!hn_ledger_run_end(r->ledger, r->run, state, result)) return false;
    if (!ok) return false;
    if (!hn_remove_tree(a, hn_path_join(a, out, "work"))) return false;
    if (!hn_report_html(a, r->ledger, r->run, hn_path_join(a, out, "report.html"))) return false;
    if (on_line) on_line(user, result);
    return true;
}
