/* trial.c - train an arm with several seeds and measure it; what the ledger already holds is read, not done again.
 *
 * Each (trial, seed) is a job of its own on one thread, so that trainings run side by side; its seed depends on phase, arm and
 * number alone, so a run that was killed goes on to the same bits. A training that fails is recorded as failed; the rest goes on. */
#include "improve/run.h"

#include <math.h>
#include <stdio.h>

const char *const hn_phase_names[HN_PHASES] = { "tune", "screen", "confirm", "stack", "seal" };
enum { MAX_SEEDS = 64, MAX_ARMS = 1024 };

hn_trial *hn_trial_new(hn_runner *r, hn_phase phase, const char *name, int64_t index, int64_t seeds) {
    hn_trial *t = hn_new(r->a, hn_trial);
    *t = (hn_trial){ .phase = phase, .name = name, .index = index, .seeds = seeds, .cost = 1, .inference = 1, .failed = hn_new_n(r->a, bool, seeds) };
    for (int k = 0; k < r->n_sets; k++) { /* what was not measured is no number: zeros would be a fine loss */
        t->x[k] = hn_new_n(r->a, double, seeds * r->set[k].n);
        for (int64_t i = 0; i < seeds * r->set[k].n; i++) t->x[k][i] = NAN;
        t->accuracy[k] = hn_new_n(r->a, double, seeds);
        for (int64_t i = 0; i < seeds; i++) t->accuracy[k][i] = NAN;
    }
    return t;
}

/* Distinct for every training of a run, and small enough to read. */
uint64_t hn_trial_seed(const hn_runner *r, const hn_trial *t, int64_t k) {
    return r->seed * 1000000 + ((uint64_t)t->phase * MAX_ARMS + (uint64_t)t->index) * MAX_SEEDS + (uint64_t)k;
}

const char *hn_trial_folder(const hn_runner *r, hn_arena *a, const hn_trial *t, int64_t k) {
    return hn_fmt(a, "%s/work/%s-%lld", r->out, t->name, (long long)k);
}

bool hn_trial_ok(const hn_trial *t) {
    for (int64_t k = 0; k < t->seeds; k++)
        if (t->failed[k]) return false;
    return true;
}

double hn_trial_mean(const hn_runner *r, const hn_trial *t, int set) {
    const hn_set *s = &r->set[set];
    return hn_trial_ok(t) ? hn_arm_level(r->a, &(hn_arm){ t->name, t->x[set], t->seeds }, s->cluster, s->n) : NAN;
}

double hn_trial_accuracy(const hn_trial *t, int set) {
    return hn_trial_ok(t) ? hn_mean(t->accuracy[set], t->seeds) : NAN;
}

typedef struct task {
    hn_trial *t;
    int64_t k;
    double seconds, flops;
    int64_t rss, steps;
    char error[256];
    bool done; /* by whomever */
} task;
typedef struct queue {
    hn_runner *r;
    task *v;
    int64_t n;
    int64_t *todo, n_todo;
    atomic_long finished, here;
    double started;
} queue;

static hn_measure measure_of(const hn_runner *r, const task *w, int set) {
    return (hn_measure){ .phase = hn_phase_names[w->t->phase],
                         .arm = w->t->name,
                         .set_name = r->set[set].name,
                         .seed = (int64_t)hn_trial_seed(r, w->t, w->k),
                         .state = "done" };
}

/* All sets of this seed from the ledger; *have tells whether nothing is left to do. */
static bool recall(hn_runner *r, hn_arena *a, hn_ledger *l, task *w, bool *have) {
    *have = true;
    for (int k = 0; k < r->n_sets && *have; k++) {
        if (!w->t->on[k]) continue;
        hn_measure key = measure_of(r, w, k), m;
        bool found = false;
        if (!hn_ledger_get(a, l, r->run, key.phase, key.arm, key.seed, key.set_name, &m, &found)) return false;
        if (!found) {
            *have = false;
            break;
        }
        w->seconds = m.seconds, w->flops = m.flops, w->rss = m.peak_rss, w->steps = m.steps;
        if (strcmp(m.state, "done")) {
            w->t->failed[w->k] = true;
            snprintf(w->error, sizeof w->error, "%s", m.error ? m.error : "");
        } else if (m.n_items != r->set[k].n) {
            return HN_FAIL(a, HONE_E_MODEL, .what = "the ledger's measurements are of other items", .where = r->ledger_path,
                           .wanted = hn_fmt(a, "%lld items", (long long)r->set[k].n), .found = hn_fmt(a, "%lld", (long long)m.n_items),
                           .hint = "the data changed since this run began: choose another out folder");
        } else {
            memcpy(w->t->x[k] + w->k * r->set[k].n, m.items, (size_t)m.n_items * sizeof(double));
            w->t->accuracy[k][w->k] = m.accuracy;
        }
    }
    if (*have && w->t->ship && !w->t->failed[w->k]) {
        *have = hn_model_is_there(hn_trial_folder(r, a, w->t, w->k)) || hn_model_is_there(hn_path_join(a, r->out, "best"));
    }
    return true;
}

/* What the items of a set are worth: bits per byte, or whether an answer is wrong anywhere. One that is guessed right token by token
 * is the one that greedy decoding writes; where samples vote, they are asked. */
static bool values(hn_runner *r, hn_arena *a, const task *w, int set, hone_model *m, const hn_tokens *t, const hn_items *items, hn_map *asked, double *out) {
    const hn_finish_params *p = w->t->settings ? hn_finish_wanted(a, w->t->settings) : NULL;
    if (r->set[set].exact && p && p->votes > 1) return hn_vote(a, m, t, p, hn_trial_seed(r, w->t, w->k), asked, out);
    for (int64_t i = 0; i < items->n; i++) out[i] = r->set[set].exact ? items->accuracy[i] < 1 : items->bits_per_byte[i];
    return true;
}
static double accuracy_of(const hn_runner *r, int set, const hn_lm_result *lm, const hn_items *items, const double *x) {
    double right = 0;
    for (int64_t i = 0; i < items->n; i++) right += r->set[set].exact ? 1 - x[i] : items->accuracy[i] == 1;
    return r->gym ? right / (double)items->n : lm->accuracy;
}

/* Beside the values of items, which are decided on: the share of its tokens guessed right. */
static json_t *more_of(hn_arena *a, const hn_items *items) {
    json_t *more = hn_json_own(a, json_object()), *right = json_array();
    for (int64_t i = 0; i < items->n; i++) json_array_append_new(right, items->tokens[i] ? json_real(items->accuracy[i]) : json_null());
    json_object_set_new(more, "accuracy", right);
    return more;
}

static bool remember(hn_runner *r, hn_arena *a, hn_ledger *l, const task *w, int set, const hn_train_result *tr, const hn_lm_result *lm,
                     const hn_items *items, double *x, const char *error) {
    hn_measure m = measure_of(r, w, set);
    bool found;
    hn_measure old;
    if (!hn_ledger_get(a, l, r->run, m.phase, m.arm, m.seed, m.set_name, &old, &found)) return false;
    if (found) return true;
    m.state = error ? "failed" : "done";
    m.error = error;
    m.recipe = w->t->settings ? hn_settings_write_yaml(a, w->t->settings) : NULL;
    m.seconds = tr->seconds, m.flops = tr->flops, m.peak_rss = tr->peak_rss, m.steps = tr->step, m.tokens = tr->tokens;
    m.train_loss = tr->train_loss, m.loss = lm ? lm->loss : NAN, m.accuracy = lm ? accuracy_of(r, set, lm, items, x) : NAN;
    if (items) m.items = x, m.n_items = items->n, m.extra = more_of(a, items);
    double *curve = hn_new_n(a, double, 3 * tr->n_curve + 1);
    for (int64_t i = 0; i < tr->n_curve; i++) {
        curve[3 * i] = (double)tr->curve[i].step;
        curve[3 * i + 1] = tr->curve[i].train;
        curve[3 * i + 2] = tr->curve[i].valid;
    }
    m.curve = curve, m.n_curve = tr->n_curve;
    return hn_ledger_put(l, r->run, &m);
}

static bool train(hn_runner *r, hn_arena *a, task *w, hn_train_result *tr, hone_model **model) {
    if (!w->t->settings) {
        *model = r->start;
        return true;
    }
    hn_settings *s = hn_settings_clone(a, w->t->settings); /* of this thread's own */
    hn_dataset *data = hn_new(a, hn_dataset);
    const hn_tokens *screen = w->t->world ? &w->t->world->set[HN_SET_SCREEN] : &r->set[HN_SET_SCREEN].tokens;
    *data = w->t->world ? w->t->world->data : r->data;
    if (((const hn_train_params *)hn_settings_get(s, "train"))->eval_every > 0) data->valid = *screen;
    return hn_finish(r, a, s, data, screen, hn_trial_seed(r, w->t, w->k), tr, model);
}

/* A failure that says nothing about the arm: the run ends here and goes on later, with the same trainings. */
bool hn_of_the_machine(hone_code code) {
    return code == HONE_E_INTERRUPTED || code == HONE_E_SPACE || code == HONE_E_IO || code == HONE_E_BUSY;
}

static bool work(hn_runner *r, hn_arena *a, hn_ledger *l, task *w) {
    hn_train_result tr = { .train_loss = NAN };
    hone_model *model = NULL;
    hn_map *asked = hn_map_new(a);
    double started = hn_now();
    bool ok = train(r, a, w, &tr, &model);
    if (!ok && hn_of_the_machine(hone_error_code(a->job))) return false;
    if (ok && w->t->ship) ok = hn_mkdirs(a, hn_fmt(a, "%s/work", r->out)) && hn_model_save(a, model, hn_trial_folder(r, a, w->t, w->k));
    for (int k = 0; ok && k < r->n_sets; k++) {
        if (!w->t->on[k]) continue;
        hn_lm_result lm;
        hn_items items = { 0 };
        int64_t batch = HN_MAX(1, r->batch_tokens / model->context);
        const hn_tokens *tokens = w->t->world ? &w->t->world->set[k] : &r->set[k].tokens;
        double *x = w->t->x[k] + w->k * r->set[k].n;
        ok = hn_eval_lm(a, model, tokens, model->context, batch, &lm, &items);
        HN_ASSERT(!ok || items.n == r->set[k].n);
        if (!ok || !(ok = values(r, a, w, k, model, tokens, &items, asked, x))) break;
        w->t->accuracy[k][w->k] = accuracy_of(r, k, &lm, &items, x);
        tr.seconds = hn_now() - started;
        if (!remember(r, a, l, w, k, &tr, &lm, &items, x, NULL)) return false;
    }
    if (!ok && hn_of_the_machine(hone_error_code(a->job))) return false;
    if (!ok) { /* recorded, and the others go on */
        const char *error = hn_strdup(a, hone_error_message(a->job));
        hone_error_clear(a->job);
        hn_warn(a, "%s, seed %lld failed: %s", w->t->name, (long long)hn_trial_seed(r, w->t, w->k), error);
        w->t->failed[w->k] = true;
        snprintf(w->error, sizeof w->error, "%s", error);
        tr.seconds = hn_now() - started;
        for (int k = 0; k < r->n_sets; k++)
            if (w->t->on[k] && !remember(r, a, l, w, k, &tr, NULL, NULL, NULL, error)) return false;
    }
    w->seconds = tr.seconds, w->flops = tr.flops, w->rss = tr.peak_rss, w->steps = tr.step;
    return true;
}

static const char *claim_of(const hn_runner *r, hn_arena *a, const task *w) {
    return hn_fmt(a, "%s/%s/%llu", hn_phase_names[w->t->phase], w->t->name, (unsigned long long)hn_trial_seed(r, w->t, w->k));
}

static bool run_task(hone_job *job, void *arg, int64_t i) {
    queue *b = arg;
    hn_arena *a = hn_job_arena(job);
    task *w = &b->v[b->todo[i]];
    bool have = false, mine = false;
    hn_job_quiet(job); /* many trainings at once: only their ends are told */
    if (hn_stopped(job)) return HN_FAIL(a, HONE_E_INTERRUPTED, .what = "stopped");
    hn_ledger *l = hn_ledger_open(a, b->r->ledger_at, false);
    if (!l || !recall(b->r, a, l, w, &have)) return false;
    if (!have) { /* after the claim once more: its last owner may just have ended */
        if (!hn_ledger_claim(a, l, b->r->run, claim_of(b->r, a, w), b->r->owner, &mine)) return false;
        if (!mine) return true;
        if (!recall(b->r, a, l, w, &have)) return false;
    }
    if (!have) {
        if (!work(b->r, a, l, w)) return false;
        atomic_fetch_add(&b->here, 1);
    }
    w->done = true;
    const hn_trial *t = w->t;
    int shown = t->on[HN_SET_CONFIRM] ? HN_SET_CONFIRM : HN_SET_SCREEN;
    int64_t n = b->r->set[shown].n;
    long finished = atomic_fetch_add(&b->finished, 1) + 1;
    hn_emit(b->r->a->job, &(hone_event){ .type = HONE_EVENT_PROGRESS,
                                         .what = hn_fmt(a, "%s: %s", hn_phase_names[t->phase], t->name),
                                         .value = NAN,
                                         .step = finished,
                                         .total = b->n,
                                         .rate = (double)finished / (hn_now() - b->started),
                                         .unit = "trainings",
                                         .loss = t->failed[w->k] ? NAN : hn_mean(t->x[shown] + w->k * n, n) });
    return true;
}

/* What others have claimed: waits until some of it stands in the ledger or is free again. todo becomes what to look at. */
static bool await_others(queue *b) {
    for (;;) {
        hn_arena *a = hn_arena_new(b->r->a);
        int64_t left = 0;
        b->n_todo = 0;
        for (int64_t i = 0; i < b->n; i++) {
            bool have = false, held = false;
            if (b->v[i].done) continue;
            left++;
            if (!recall(b->r, a, b->r->ledger, &b->v[i], &have)) return false;
            if (!have && !hn_ledger_claim_held(a, b->r->ledger, b->r->run, claim_of(b->r, a, &b->v[i]), b->r->owner, &held)) return false;
            if (have || !held) b->todo[b->n_todo++] = i;
        }
        hn_arena_free(a);
        if (!left || b->n_todo) return true;
        if (hn_stopped(b->r->a->job)) return HN_FAIL(b->r->a, HONE_E_INTERRUPTED, .what = "stopped while others were training");
        hn_nap();
    }
}

bool hn_trials_run(hn_runner *r, hn_trial **v, int64_t n) {
    queue b = { .r = r, .started = hn_now() };
    int64_t total = 0;
    for (int64_t i = 0; i < n; i++) total += v[i]->seeds;
    b.v = hn_new_n(r->a, task, total);
    /* dearest first: the last of a batch should be short, since nothing runs beside it */
    double limit = INFINITY;
    while (b.n < total) {
        double dearest = 0;
        for (int64_t i = 0; i < n; i++)
            if (v[i]->cost < limit) dearest = fmax(dearest, v[i]->cost);
        for (int64_t i = 0; i < n; i++)
            for (int64_t k = 0; v[i]->cost == dearest && k < v[i]->seeds; k++) b.v[b.n++] = (task){ .t = v[i], .k = k };
        limit = dearest;
    }
    b.todo = hn_new_n(r->a, int64_t, total + 1);
    for (int64_t i = 0; i < total; i++) b.todo[b.n_todo++] = i;
    while (b.n_todo) {
        if (!hn_jobs_run(r->a->job, b.n_todo, r->side, run_task, &b) || !await_others(&b)) return false;
    }
    r->done_here += atomic_load(&b.here);
    for (int64_t i = 0; i < b.n; i++) {
        hn_trial *t = b.v[i].t;
        t->seconds += b.v[i].seconds, t->flops += b.v[i].flops, t->steps = b.v[i].steps;
        t->peak_rss = HN_MAX(t->peak_rss, b.v[i].rss);
        if (t->failed[b.v[i].k] && !t->error) t->error = hn_strdup(r->a, b.v[i].error);
    }
    return true;
}
