/* eval_task.c - `hone eval --task`: packs on one model or two, as lines, samples and ledger entries. */
#include "app/eval_task.h"
#include <math.h>
#include <stdio.h>

static json_t *pair(double lo, double hi) { return isfinite(lo) && isfinite(hi) ? json_pack("[f,f]", lo, hi) : json_null(); }
static const char *name_of(hn_arena *a, const hn_task_result *r, const hn_task_score *s, bool several) {
    return several ? hn_fmt(a, "%s/%s/%s", r->pack->name, s->name, s->filter) : hn_fmt(a, "%s/%s", r->pack->name, s->name);
}

/* Null: items that do not differ tell nothing of how many are needed. */
static void set_needed(json_t *l, int64_t n) { json_object_set_new(l, "needed_n", n > 0 ? json_integer(n) : json_null()); }

static json_t *line_of(hn_arena *a, const hn_task_result *r, const hn_task_score *s, double detect) {
    json_t *l = hn_json_own(a, json_pack("{ss ss so so sI sb so ss sI}", "name", r->pack->name, "metric", s->name, "value", hn_json_real(s->value), "stderr",
                                         hn_json_real(s->stderr_), "n", (json_int_t)r->n, "higher_is_better", s->metric->higher_is_better, "interval",
                                         pair(s->lo, s->hi), "output_type", r->pack->output->item.name, "num_fewshot", (json_int_t)r->pack->p.num_fewshot));
    if (s->filter) json_object_set_new(l, "filter", json_string(s->filter));
    if (detect > 0) set_needed(l, hn_items_needed(detect, sqrt(2 * hn_var(s->v, r->n))));
    return l;
}

static void add_versus(hn_arena *a, json_t *l, const hn_task_result *x, const hn_task_result *y, int64_t k, const hn_eval_tasks *f) {
    hn_task_versus v;
    hn_task_compare(a, x, y, k, f->seed, &v);
    json_object_set_new(l, "against_value", hn_json_real(y->score[k].value));
    json_object_set_new(l, "difference", hn_json_real(v.difference));
    json_object_set_new(l, "ci95", pair(v.lo, v.hi));
    json_object_set_new(l, "p_value", hn_json_real(v.p));
    json_object_set_new(l, "test", json_string(v.test));
    double d = f->detect > 0 ? f->detect : hn_mean(x->score[k].v, x->n) - hn_mean(y->score[k].v, y->n);
    set_needed(l, hn_items_needed(d, v.sd));
}

static void show(hn_arena *a, const json_t *l, bool first) {
    const json_t *filter = json_object_get(l, "filter"), *in = json_object_get(l, "interval"), *d = json_object_get(l, "difference");
    const char *metric = json_string_value(json_object_get(l, "metric"));
    if (filter) metric = hn_fmt(a, "%s, %s", metric, json_string_value(filter));
    if (first) hn_out("%-24s %-28s %10s %9s %22s %7s\n", "task", "metric", "value", "+- s.e.", "95 %", "items");
    hn_out("%-24s %-28s %10.5g %9.4g", json_string_value(json_object_get(l, "name")), metric, json_number_value(json_object_get(l, "value")),
           json_is_number(json_object_get(l, "stderr")) ? json_number_value(json_object_get(l, "stderr")) : NAN);
    if (json_is_array(in)) hn_out(" %10.5g ... %7.5g", json_number_value(json_array_get(in, 0)), json_number_value(json_array_get(in, 1)));
    else hn_out(" %22s", "-");
    hn_out(" %7lld\n", (long long)json_integer_value(json_object_get(l, "n")));
    const json_t *needed = json_object_get(l, "needed_n"), *p = json_object_get(l, "p_value"), *ci = json_object_get(l, "ci95");
    if (d) {
        hn_out("  against %.5g: %+.5g", json_number_value(json_object_get(l, "against_value")), json_number_value(d));
        if (json_is_array(ci)) hn_out(" (95 %% %+.5g ... %+.5g)", json_number_value(json_array_get(ci, 0)), json_number_value(json_array_get(ci, 1)));
        if (json_is_number(p)) hn_out(", p %.3g by %s", json_number_value(p), json_string_value(json_object_get(l, "test")));
        hn_out("; %s 0 the first model is better\n", json_is_true(json_object_get(l, "higher_is_better")) ? "above" : "below");
    }
    if (json_is_integer(needed))
        hn_out("  %lld items would show such a difference four times in five\n", (long long)json_integer_value(needed));
}

/* ---- samples: a JSON object an item and filter ---- */
static json_t *texts(const char *const *v, int64_t n) {
    json_t *list = json_array();
    for (int64_t i = 0; i < n; i++) json_array_append_new(list, json_string(v[i]));
    return list;
}

/* What the first metric that can tell says of an item; NULL: none can. */
static const char *why_wrong(hn_arena *a, const hn_task_result *r, int64_t set, int64_t i) {
    for (int64_t k = set; k < HN_MIN(set + r->pack->n_metrics, r->n_scores); k++) {
        const hn_task_score *s = &r->score[k];
        if (s->metric->m->why) return s->metric->m->why(a, s->metric->params, &s->x[i]);
    }
    return NULL;
}

static json_t *sample(hn_arena *a, const hn_task_result *r, int64_t set, int64_t i) {
    const hn_pack *p = r->pack;
    const hn_answer *x = &r->score[set].x[i];
    json_t *o = hn_json_own(a, json_pack("{ss ss sO}", "task", p->name, "id", p->rows.v[i].id, "doc", p->rows.v[i].fields)), *list;
    if (r->score[set].filter) json_object_set_new(o, "filter", json_string(r->score[set].filter));
    if (x->n) {
        json_object_set_new(o, "loglikelihoods", list = json_array());
        for (int64_t k = 0; k < x->n; k++) json_array_append_new(list, hn_json_real(x->loglik[k]));
        json_object_set_new(o, "is_greedy", list = json_array());
        for (int64_t k = 0; k < x->n; k++) json_array_append_new(list, json_boolean(x->greedy[k]));
    }
    if (x->choice) {
        json_object_set_new(o, "choices", texts(x->choice, x->n));
        json_object_set_new(o, "gold", list = json_array());
        for (int64_t k = 0; k < x->n_gold; k++) json_array_append_new(list, json_integer(x->gold[k]));
    }
    if (x->text) {
        json_object_set_new(o, "generated", texts(r->made + i * p->p.repeats, p->p.repeats));
        json_object_set_new(o, "filtered", json_string(x->text));
        json_object_set_new(o, "target", texts(x->target, x->n_target));
    }
    for (int64_t k = set; k < HN_MIN(set + p->n_metrics, r->n_scores); k++) json_object_set_new(o, r->score[k].name, hn_json_real(r->score[k].v[i]));
    const char *why = why_wrong(a, r, set, i);
    if (why) json_object_set_new(o, "why", json_string(why));
    return o;
}

static bool samples(hn_arena *keep, const hn_task_result *r, hn_writer *w) {
    hn_arena *a = hn_arena_new(keep);
    for (int64_t set = 0; set < r->n_scores; set += r->pack->n_metrics)
        for (int64_t i = 0; i < r->n; i++, hn_arena_reset(a)) {
            const char *s = hn_fmt(a, "%s\n", hn_json_text(a, sample(a, r, set, i), false));
            if (!hn_write(w, s, (int64_t)strlen(s))) return false;
        }
    hn_arena_free(a);
    return true;
}

/* ---- ledger ---- */
static bool keep_result(hn_arena *a, hn_ledger *l, int64_t run, const char *phase, const char *arm, const hn_task_result *r, uint64_t seed) {
    json_t *ids = json_array(), *extra = hn_json_own(a, json_pack("{so}", "id", ids)), *clusters = json_array();
    for (int64_t i = 0; i < r->n; i++) json_array_append_new(ids, json_string(r->pack->rows.v[i].id));
    for (int64_t i = 0; r->cluster && i < r->n; i++) json_array_append_new(clusters, json_integer(r->cluster[i]));
    json_object_set_new(extra, "cluster", clusters);
    for (int64_t k = 0; k < r->n_scores; k++) {
        const hn_task_score *s = &r->score[k];
        json_t *why = json_array();
        for (int64_t i = 0; s->metric->m->why && i < r->n; i++)
            json_array_append_new(why, json_string(s->metric->m->why(a, s->metric->params, &s->x[i])));
        if (json_array_size(why)) json_object_set(extra, "why", why);
        json_decref(why);
        const hn_measure m = { .phase = phase, .arm = arm, .set_name = name_of(a, r, s, r->pack->n_filters > 1 && s->filter), .seed = (int64_t)seed, .state = "done",
                               .seconds = r->seconds, .peak_rss = hn_rss_peak(), .loss = s->value, .accuracy = s->binary ? s->value : NAN, .train_loss = NAN,
                               .items = s->v, .n_items = r->n, .extra = extra };
        if (!hn_ledger_put(l, run, &m)) return false;
    }
    return true;
}

/* A data file for each task, one for all of them, or none. */
static bool data_for(hn_arena *a, const hn_eval_tasks *f, int64_t i, const char **out) {
    *out = f->data.n == 1 ? f->data.v[0] : f->data.n ? f->data.v[HN_MIN(i, f->data.n - 1)] : NULL;
    return f->data.n <= 1 || f->data.n == f->task.n ||
           HN_FAIL(a, HONE_E_USAGE, .what = "as many --data files as tasks, one for all, or none", .where = "command line",
                   .found = hn_fmt(a, "%lld tasks and %lld files", (long long)f->task.n, (long long)f->data.n));
}

static bool one_task(hn_cmd_call *c, const hn_eval_tasks *f, int64_t i, hone_model *m, hone_model *other, hn_ledger *l, int64_t run, hn_writer *w, json_t *lines) {
    hn_arena *a = hn_arena_new(c->a);
    const char *data;
    hn_task_result x, y;
    hn_pack *p = data_for(a, f, i, &data) ? hn_pack_load(a, f->task.v[i], data, f->limit) : NULL;
    if (!p) return false;
    if (f->num_fewshot >= 0) p->p.num_fewshot = f->num_fewshot;
    if (f->repeats > 1 && !hn_pack_vote(p, f->repeats, f->temperature)) return false;
    if (!hn_task_run(a, p, m, f->batch, f->seed, &x) || (other && !hn_task_run(a, p, other, f->batch, f->seed, &y))) return false;
    for (int64_t k = 0; k < x.n_scores; k++) {
        json_t *line = line_of(a, &x, &x.score[k], f->detect);
        if (other) add_versus(a, line, &x, &y, k, f);
        if (c->json) hn_out_json(a, line);
        else show(a, line, i == 0 && k == 0);
        json_array_append(lines, line);
    }
    bool ok = (!w || samples(a, &x, w)) && (!l || keep_result(a, l, run, "eval", f->model, &x, f->seed)) &&
              (!l || !other || keep_result(a, l, run, "against", f->against, &y, f->seed));
    hn_arena_free(a);
    return ok;
}

bool hn_eval_task_lines(hn_cmd_call *c, const hn_eval_tasks *f, hone_model *m, hone_model *other) {
    hn_arena *a = c->a;
    hn_ledger *l = *f->ledger ? hn_ledger_open(a, f->ledger, false) : NULL;
    hn_writer *w = *f->samples ? hn_writer_open(a, f->samples) : NULL;
    json_t *lines = hn_json_own(a, json_array()), *tasks = texts(f->task.v, f->task.n);
    json_t *plan = hn_json_own(a, json_pack("{ss ss so}", "command", "eval", "model", f->model, "tasks", tasks));
    int64_t run = 0;
    if ((*f->ledger && !l) || (*f->samples && !w)) return false;
    if (l && !hn_ledger_run_begin(l, hn_fmt(a, "model: %s\n", hn_yaml_quote(a, f->model)), plan, hn_json_own(a, json_pack("{ss}", "cpu", hn_cpu_describe(a))), f->seed, &run))
        return false;
    for (int64_t i = 0; i < f->task.n; i++)
        if (!one_task(c, f, i, m, other, l, run, w, lines)) return false;
    return (!w || hn_writer_commit(w)) && (!l || hn_ledger_run_end(l, run, "done", lines));
}
