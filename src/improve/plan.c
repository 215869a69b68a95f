/* plan.c - what will be tried, for how many steps: fixed before any arm is trained, from the budget and the measured speed.
 *
 * The unit is one training of the incumbent. The number of units is known from the levers, their variants and the seeds; the
 * budget divided by it gives the steps. When they would be too few, levers are dropped from the end of the list, never seeds. */
#include "improve/run.h"

#include <math.h>

enum { CALIBRATION_WARM = 3 };
static const double CALIBRATION_SECONDS = 1.5;

typedef struct calibration {
    hn_runner *r;
    double *step_seconds;
} calibration;

static bool calibrate(hone_job *job, void *arg, int64_t i) {
    calibration *c = arg;
    hn_arena *a = hn_job_arena(job);
    hn_settings *s = hn_settings_clone(a, c->r->base);
    if (!hn_settings_set(s, a, "train.steps", "1000000", "plan")) return false;
    hn_trainer *t = hn_trainer_new(a, s, &c->r->data, c->r->start, c->r->seed + (uint64_t)i);
    if (!t) return false;
    double loss, start = 0;
    int64_t steps = 0;
    for (;; steps++) {
        if (steps == CALIBRATION_WARM) start = hn_now();
        if (steps > CALIBRATION_WARM && hn_now() - start > CALIBRATION_SECONDS) break;
        if (!hn_trainer_step(t, &loss)) return false;
    }
    c->step_seconds[i] = (hn_now() - start) / (double)(steps - CALIBRATION_WARM);
    return true;
}

/* As many trainings at once as there will be, so that what they take from each other is in the figure. */
bool hn_speed_measure(hn_runner *r, hn_speed *out) {
    calibration c = { r, hn_new_n(r->a, double, r->side) };
    if (!hn_jobs_run(r->a->job, r->side, r->side, calibrate, &c)) return false;
    double worst = 0;
    for (int i = 0; i < r->side; i++) worst = fmax(worst, c.step_seconds[i]);
    out->step_seconds = worst;
    out->eval_tokens_per_second = 2.5 * (double)r->batch_tokens / worst; /* forward is a third of a step; windows are not all full */
    return true;
}

/* Trainings that screening a lever takes: of each setting, and where that costs more, of an incumbent given as much. */
static double screen_units(hn_runner *r, const hn_lever *l, double *dearest) {
    double units = 0;
    for (int64_t k = 0; k < HN_LEVER_VARIANTS; k++) {
        double cost = 1, inference = 1;
        const char *did;
        if (!hn_lever_pull(r, l, k, hn_settings_clone(r->a, r->base), &cost, &inference, &did)) {
            hone_error_clear(r->a->job); /* a setting that does not apply is not trained */
            continue;
        }
        units += cost > 1 ? 2 * cost : 1;
        *dearest = fmax(*dearest, cost);
    }
    return units;
}

/* Units (trainings of the incumbent) and evaluated sets of a whole run with these levers: the dearest case that is likely. */
static void count_units(hn_runner *r, int64_t n_levers, double *units, double *eval_tokens) {
    double screen = 1, dear = 1, s2 = (double)r->p->screen_seeds, s4 = (double)r->p->confirm_seeds, arms = 1 + HN_LEVER_VARIANTS;
    for (int64_t i = 0; i < n_levers; i++) {
        screen += screen_units(r, r->levers[i], &dear);
        arms += r->levers[i]->costs_more ? 2 * HN_LEVER_VARIANTS : HN_LEVER_VARIANTS;
    }
    screen += HN_LEVER_VARIANTS; /* placebo */
    double go_on = (double)HN_MIN(r->p->confirm_arms + r->p->confirm_worst, n_levers);
    double confirm = 2 + (go_on - 1) + (dear > 1 ? 2 * dear : 1), stack = n_levers > 1 ? 2 * dear + 1 : 0, seal = 1 + dear,
           tune = r->p->tune ? 9 : 0;
    if (n_levers == 0) confirm = 2;
    *units = (tune + screen * s2 + (confirm + stack + seal) * s4) * hn_finish_units(hn_finish_wanted(r->a, r->base));
    double tokens[HN_SETS];
    for (int k = 0; k < HN_SETS; k++) {
        tokens[k] = 0;
        for (int64_t i = 0; i < r->set[k].n; i++) tokens[k] += (double)r->set[k].tokens.spans[i].n;
    }
    *eval_tokens = (9 + arms * s2) * tokens[HN_SET_SCREEN] + (go_on + 3 + 4) * s4 * tokens[HN_SET_CONFIRM] +
                   2 * s4 * (tokens[HN_SET_CONFIRM] + tokens[HN_SET_SEALED]);
}

/* The last lever but the placebo that has a setting to train; −1: none, or it is the only one. */
static int64_t last_to_leave_out(hn_runner *r) {
    int64_t last = -1, n = 0;
    for (int64_t i = 0; i + 1 < r->n_levers; i++) {
        double dearest = 1;
        if (screen_units(r, r->levers[i], &dearest) > 0) last = i, n++;
    }
    return n > 1 ? last : -1;
}

/* For the report: which levers were not tried, and why. */
static void leave_out(hn_runner *r, const char *lever, double steps) {
    if (!r->left_out) r->left_out = hn_json_own(r->a, json_array());
    const char *why = hn_fmt(r->a, "the budget of %.0f s would have left %.0f steps for a training, fewer than improve.min_steps=%lld", r->budget->seconds, fmax(steps, 0),
                             (long long)r->p->min_steps);
    json_array_append_new(r->left_out, json_pack("{s:s,s:s}", "lever", lever, "why", why));
}

bool hn_plan_fix(hn_runner *r, const hn_speed *speed) {
    double usable = r->budget->seconds * 0.9 * r->side, units = 1, tokens = 0;
    for (;;) {
        count_units(r, r->n_levers - 1, &units, &tokens);
        double steps = (usable - tokens / speed->eval_tokens_per_second) / units / speed->step_seconds;
        r->steps = r->budget->steps ? r->budget->steps : (int64_t)fmax(floor(steps), 0);
        if (!r->budget->steps && r->p->max_steps) r->steps = HN_MIN(r->steps, HN_MAX(r->p->max_steps, r->p->min_steps));
        int64_t last = r->steps >= r->p->min_steps || r->budget->steps ? -1 : last_to_leave_out(r);
        if (last < 0) break;
        hn_warn(r->a, "the budget of %.0f s is too short for lever %s: left out", r->budget->seconds, r->levers[last]->item.name);
        leave_out(r, r->levers[last]->item.name, steps);
        for (r->n_levers--; last < r->n_levers; last++) r->levers[last] = r->levers[last + 1];
    }
    if (r->steps < r->p->min_steps && !r->budget->steps) {
        double need = (r->p->min_steps * units * speed->step_seconds + tokens / speed->eval_tokens_per_second) / 0.9 / r->side;
        hn_warn(r->a, "the budget of %.0f s is too short to prove anything: a training would have %lld steps; going on with %lld (improve.min_steps), "
                   "which will take about %.0f s", r->budget->seconds, (long long)r->steps, (long long)r->p->min_steps, need);
        r->steps = r->p->min_steps;
    }
    const hn_sched_params *sched = hn_settings_get(r->base, "sched"); /* the trainings are quiet about it */
    if (sched->warmup >= r->steps)
        hn_warn(r->a, "sched.warmup is %lld of the incumbent's %lld steps: its learning rate never reaches its peak", (long long)sched->warmup, (long long)r->steps);
    return hn_settings_set(r->base, r->a, "train.steps", hn_fmt(r->a, "%lld", (long long)r->steps), "plan");
}

bool hn_plan_settle(hn_runner *r, hn_arena *a, hn_settings *s, double cost) {
    hn_plan plan;
    const hn_world *w = hn_world_of(r, s);
    if (!w || !hn_plan_make(a, s, &w->data, w->data.tok->vocab, r->start, &plan)) return false;
    const hn_train_params *p = hn_settings_get(s, "train");
    double step = plan.flops_step;
    if (p->eval_every > 0) /* an evaluation is a forward pass: a third of a step's FLOPs a token */
        step *= 1 + (double)p->eval_tokens / (3 * (double)plan.tokens_per_step * (double)p->eval_every);
    double all = hn_finish_units(hn_finish_wanted(a, r->base)), units = hn_finish_units(hn_finish_wanted(a, s));
    double steps = cost * r->flops_step * (double)r->steps * all / units / step;
    return hn_settings_set(s, a, "train.steps", hn_fmt(a, "%lld", (long long)fmax(1, floor(steps + 0.5))), "plan");
}

json_t *hn_plan_json(hn_runner *r, const hn_speed *speed) {
    json_t *plan = hn_json_own(r->a, json_object()), *levers = json_array(), *sets = json_object();
    for (int64_t i = 0; i < r->n_levers; i++) json_array_append_new(levers, json_string(r->levers[i]->item.name));
    for (int k = 0; k < r->n_sets; k++)
        json_object_set_new(sets, r->set[k].name,
                            json_pack("{s:I,s:I,s:I,s:s}", "items", (json_int_t)r->set[k].n, "clusters", (json_int_t)r->set[k].clusters,
                                      "bytes", (json_int_t)r->set[k].tokens.bytes, "hash", r->set[k].hash));
    json_object_set_new(plan, "metric", json_string(r->p->metric));
    json_object_set_new(plan, "decided_on",
                        json_string(r->set[HN_SET_CONFIRM].exact ? "share of questions whose whole answer is not right; lower is better"
                                                                 : "mean bits per byte of an item; lower is better"));
    json_object_set_new(plan, "levers", levers);
    if (r->left_out) json_object_set(plan, "left_out", r->left_out);
    json_object_set_new(plan, "variants", json_integer(HN_LEVER_VARIANTS));
    json_object_set_new(plan, "screen_seeds", json_integer(r->p->screen_seeds));
    json_object_set_new(plan, "confirm_seeds", json_integer(r->p->confirm_seeds));
    json_object_set_new(plan, "confirm_arms", json_integer(r->p->confirm_arms));
    json_object_set_new(plan, "alpha", json_real(r->p->alpha));
    json_object_set_new(
        plan, "test",
        json_string(
            "one-sided t of the mean difference over items and seeds, Satterthwaite degrees of freedom, Holm over the confirmed arms"));
    json_object_set_new(plan, "sets", sets);
    json_object_set_new(plan, "steps", json_integer(r->steps));
    json_object_set_new(plan, "flops_per_training", json_real(r->flops_step * (double)r->steps));
    json_object_set_new(plan, "flops_per_step", json_real(r->flops_step));
    json_object_set_new(plan, "side_by_side", json_integer(r->side));
    json_object_set_new(plan, "seconds_per_step_measured", json_real(speed->step_seconds));
    json_object_set_new(plan, "budget_seconds", json_real(r->budget->seconds));
    json_object_set_new(plan, "seed", json_integer((json_int_t)r->seed));
    return plan;
}
