/* seal.c - start and end on the sealed items, once; then the best seed of each by confirm loss is shipped and compared. */
#include "improve/phase.h"

#include <math.h>

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
    if (!hn_model_is_there(from)) {
        if (hn_model_is_there(to)) return true; /* shipped before a kill */
        return HN_FAIL(r->a, HONE_E_IO, .what = "the model to ship is gone", .where = from,
                       .hint = "delete the run's folder and start again");
    }
    hone_model *m = hn_model_load(r->a, from);
    double apart;
    return m && hn_model_save(r->a, m, to) && hn_export_check(r->a, m, to, true, &apart);
}

/* A few questions of the screen and what the model answers. */
static const char *answers(hn_runner *r, hone_model *m) {
    enum { SHOWN = 8 };
    const hn_tokens *t = &r->set[HN_SET_SCREEN].tokens;
    const char *stop = "\n";
    hone_sampling how = { .max_tokens = 64, .stop = &stop, .n_stop = 1 };
    hn_buf out = { 0 };
    for (int64_t i = 0; i < SHOWN; i++) {
        const hn_span *sp = &t->spans[i * t->n_spans / SHOWN];
        hn_buf q = { 0 };
        hone_generation g;
        int64_t given = 0;
        while (given < sp->n && !hn_token_learned(t, sp->start + given)) given++;
        for (int64_t k = 0; k < given; k++) {
            int32_t id = hn_token_at(t, sp->start + k);
            hn_decode(r->data.tok, r->a, &id, 1, &q);
        }
        const char *prompt = hn_buf_str(r->a, &q);
        how.max_tokens = HN_MAX(1, HN_MIN(64, m->context - given));
        if (!hone_generate(r->a->job, m, prompt, &how, NULL, NULL, &g)) {
            hone_error_clear(r->a->job);
            continue;
        }
        hn_buf_fmt(r->a, &out, "%s%s\n", prompt, g.text);
    }
    return hn_buf_str(r->a, &out);
}

static const char *sample(hn_runner *r, const char *dir) {
    hone_model *m = hn_model_load(r->a, dir);
    if (!m || !m->tok) {
        hone_error_clear(r->a->job);
        return "";
    }
    if (r->gym) return answers(r, m);
    hone_sampling how = { .max_tokens = 200, .temperature = 0.8, .seed = 1 };
    hone_generation g;
    const hn_span *sp = &r->set[HN_SET_SCREEN].tokens.spans[0];
    hn_buf prompt = { 0 };
    for (int64_t i = 0; i < HN_MIN(sp->n, 16); i++) {
        int32_t id = hn_token_at(&r->set[HN_SET_SCREEN].tokens, sp->start + i);
        hn_decode(r->data.tok, r->a, &id, 1, &prompt);
    }
    const char *start = hn_buf_str(r->a, &prompt);
    if (!hone_generate(r->a->job, m, start, &how, NULL, NULL, &g)) {
        hone_error_clear(r->a->job);
        return "";
    }
    return hn_fmt(r->a, "%s%s", start, g.text);
}

/* What was found, as the contract's last line of `improve --json` has it. Bits per byte: lower is better, so a gain is start less end. */
typedef struct {
    const hn_trial *start, *end, *shipped;
    int64_t start_seed, shipped_seed;
    bool changed, broken, stay; /* broken: a final training failed; stay: for this, or since it lost to the model as it was */
    int64_t opened_before;
    hn_interval diff, file; /* over seeds and items; of the two files */
} sealing;

static const char *what_was_done(const hn_kept_levers *k, const sealing *x) {
    if (!x->changed) return "nothing was proven: the start is shipped";
    if (x->broken) return "a final training failed, so nothing is claimed: the start is shipped";
    if (x->stay) return "no candidate beat the model as it is: it is shipped unchanged";
    return k->n ? x->end->did : "plain training on this text";
}

static json_t *result_json(const hn_runner *r, const hn_kept_levers *k, const sealing *x) {
    const hn_set *s = &r->set[HN_SET_SEALED];
    json_t *res = hn_json_own(r->a, json_object()), *levers = json_array();
    const double *from = x->start->x[HN_SET_SEALED], *of = x->shipped->x[HN_SET_SEALED];
    double start = hn_trial_mean(r, x->start, HN_SET_SEALED), end = hn_trial_mean(r, x->end, HN_SET_SEALED);
    for (int64_t i = 0; i < k->n && !x->stay; i++) json_array_append_new(levers, json_string(k->v[i]->lever->item.name));
    json_object_set_new(res, "best", json_string(hn_path_join(r->a, r->out, "best")));
    json_object_set_new(res, "metric", json_string(r->p->metric));
    json_object_set_new(res, "start", hn_json_real(start));
    json_object_set_new(res, "end", hn_json_real(x->stay ? start : end));
    json_object_set_new(res, "difference", hn_json_real(0 - x->diff.mean));
    json_object_set_new(res, "ci95", json_pack("[o,o]", hn_json_real(0 - x->diff.hi), hn_json_real(0 - x->diff.lo)));
    json_object_set_new(res, "gain", hn_json_real(x->diff.mean));
    json_object_set_new(res, "higher_is_better", json_false());
    double right = hn_trial_accuracy(x->start, HN_SET_SEALED), then = x->stay ? right : hn_trial_accuracy(x->end, HN_SET_SEALED);
    bool known = isfinite(right) && isfinite(then);
    json_object_set_new(res, "accuracy", known ? json_pack("{s:f,s:f}", "start", right, "end", then) : json_null());
    json_object_set_new(res, "accuracy_of", json_string(r->gym ? "answers" : "next tokens"));
    json_object_set_new(res, "sealed_hash", json_string(s->hash));
    json_object_set_new(res, "sealed_items", json_integer(s->n));
    json_object_set_new(res, "sealed_opened_before", json_integer(x->opened_before));
    json_object_set_new(res, "levers", levers);
    json_object_set_new(res, "conflicts", r->conflicts && *r->conflicts ? json_string(r->conflicts) : json_null());
    json_object_set_new(res, "what", json_string(what_was_done(k, x)));
    json_object_set_new(res, "cost", hn_json_real(x->shipped->cost));
    json_object_set_new(res, "inference", hn_json_real(x->shipped->inference));
    json_object_set_new(res, "file",
                        json_pack("{s:f,s:f,s:f,s:[f,f]}", "start", hn_mean(from + x->start_seed * s->n, s->n), "end",
                                  hn_mean(of + x->shipped_seed * s->n, s->n), "difference", 0 - x->file.mean, "ci95", 0 - x->file.hi,
                                  0 - x->file.lo));
    json_object_set_new(res, "out", json_string(r->out));
    json_object_set_new(res, "ledger", json_string(r->ledger_path));
    return res;
}

bool hn_seal(hn_runner *r, const hn_kept_levers *k, const hn_verdicts *v, json_t **result) {
    hn_arms arm = { 0 };
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
    if (changed && !hn_arm_stack(r, &arm, k, -1, HN_SEAL, "end", seeds, HN_SET_CONFIRM, &end)) return false;
    for (int64_t i = 0; i < arm.all.n; i++) arm.all.v[i]->on[HN_SET_SEALED] = arm.all.v[i]->ship = true;
    const hn_set *s = &r->set[HN_SET_SEALED];
    int64_t before = 0;
    if (!hn_ledger_seal_open(r->ledger, r->run, s->hash, &before)) return false;
    if (before > 0)
        hn_warn(r->a, "the sealed items were looked at %lld time%s before: the more often, the less their figure proves", (long long)before,
                before == 1 ? "" : "s");
    if (!hn_trials_run(r, arm.all.v, arm.all.n)) return false;
    /* A final training that fails is no final model: what all seeds were to show, the luckier ones do not. */
    const bool broken = changed && !hn_trial_ok(end);
    int64_t sb = best_seed(r, start), eb = broken ? -1 : best_seed(r, end);
    if (sb < 0) return HN_FAIL(r->a, HONE_E_NUMERIC, .what = "every final training of the start failed", .found = start->error);
    /* A lever may beat continued training and that may still lose to the model as it was: then the model stays. */
    bool stay = broken || (changed && r->start &&
                           hn_mean(end->x[HN_SET_CONFIRM] + eb * r->set[HN_SET_CONFIRM].n, r->set[HN_SET_CONFIRM].n) >=
                               hn_mean(start->x[HN_SET_CONFIRM], r->set[HN_SET_CONFIRM].n));
    hn_interval diff = { 0 };
    if (broken || (changed && !hn_trial_ok(start))) {
        hn_warn(r->a, "a final training failed: %s", broken ? end->error : start->error);
        diff = (hn_interval){ .mean = NAN, .lo = NAN, .hi = NAN, .se = NAN, .df = NAN };
    } else if (changed && !stay) {
        hn_arm from = hn_arm_measured(r, start, HN_SET_SEALED), to = hn_arm_measured(r, end, HN_SET_SEALED);
        diff = hn_two_level(r->a, &from, &to, s->cluster, s->n, 0.95);
    }
    const hn_trial *shipped = stay ? start : end;
    if (stay) eb = sb;
    double *d = hn_new_n(r->a, double, s->n);
    for (int64_t i = 0; i < s->n; i++) d[i] = start->x[HN_SET_SEALED][sb * s->n + i] - shipped->x[HN_SET_SEALED][eb * s->n + i];
    hn_interval file = { 0 };
    if (shipped != start) file = hn_bootstrap_bca(r->a, d, s->cluster, s->n, 0.95, 10000, r->seed);
    json_t *theirs = NULL;
    if (!hn_end_claim(r, &theirs)) return false;
    if (r->ended) return (*result = theirs);
    if (!ship(r, start, sb, "start") || !ship(r, shipped, eb, "best")) return false;

    hn_verdict verdict = !changed || stay ? HN_UNDECIDED : diff.lo > 0 ? HN_KEPT : diff.hi < 0 ? HN_HARMFUL : HN_UNDECIDED;
    sealing x = { start, end, shipped, sb, eb, changed, broken, stay, before, diff, file };
    *result = result_json(r, k, &x);
    hn_decision sealed = hn_from_interval(&diff, verdict);
    if (!hn_record(r, HN_SEAL, "end", &sealed, json_string_value(json_object_get(*result, "what")), end)) return false;
    return hn_ledger_note(r->ledger, r->run, "sample start", sample(r, hn_path_join(r->a, r->out, "start"))) &&
           hn_ledger_note(r->ledger, r->run, "sample end", sample(r, hn_path_join(r->a, r->out, "best")));
}
