/* report.c - from the ledger's export of one run to the rows and arms that the report shows.
 *
 * Nothing here measures or decides. What a training cost and what it scored comes from measurements, verdicts and intervals come
 * from decisions, start and end from the run's result. */
#include "eval/report.h"
#include "data/gym/gym.h"

#include <math.h>
#include <stdlib.h>

double hn_json_num(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

const char *hn_json_str(const json_t *o, const char *key) {
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}

static int64_t whole(const json_t *o, const char *key, int64_t otherwise) {
    const json_t *v = json_object_get(o, key);
    return json_is_integer(v) ? json_integer_value(v) : otherwise;
}

/* ---- arms ---- */

static const char *judged_on(const char *phase) {
    return !strcmp(phase, "seal") ? "sealed" : !strcmp(phase, "confirm") || !strcmp(phase, "stack") ? "confirm" : "screen";
}

static hn_report_arm *find_arm(hn_report_arms *v, const char *phase, const char *name) {
    for (int64_t i = 0; i < v->n; i++)
        if (!strcmp(v->v[i].phase, phase) && !strcmp(v->v[i].name, name)) return &v->v[i];
    return NULL;
}

static double mean_of(const json_t *numbers) {
    double sum = 0;
    size_t n = json_array_size(numbers);
    for (size_t i = 0; i < n; i++) {
        const json_t *x = json_array_get(numbers, i);
        sum += json_is_number(x) ? json_number_value(x) : NAN;
    }
    return n ? sum / (double)n : NAN;
}

/* Sums first; read_arms divides. A training measured on two sets is counted once, on the set that its phase judges by. */
static void add_measurement(hn_arena *a, hn_report *r, const json_t *m) {
    const char *phase = hn_json_str(m, "phase"), *name = hn_json_str(m, "arm");
    if (strcmp(hn_json_str(m, "set"), judged_on(phase))) return;
    hn_report_arm *arm = find_arm(&r->arms, phase, name);
    if (!arm) {
        hn_push(a, &r->arms,
                (hn_report_arm){ .phase = phase, .name = name, .error = "", .recipe = hn_json_str(m, "recipe"), .gain = NAN, .cost = NAN });
        arm = &r->arms.v[r->arms.n - 1];
    }
    double seconds = hn_json_num(m, "seconds"), flops = hn_json_num(m, "flops");
    r->trainings++;
    r->seconds += isfinite(seconds) ? seconds : 0;
    r->flops += isfinite(flops) ? flops : 0;
    if (strcmp(hn_json_str(m, "state"), "done")) {
        arm->failed++;
        if (!*arm->error) arm->error = hn_json_str(m, "error");
        return;
    }
    arm->done++;
    arm->seconds += seconds, arm->flops += flops, arm->accuracy += hn_json_num(m, "accuracy");
    arm->peak_rss = HN_MAX(arm->peak_rss, whole(m, "peak_rss", 0));
    arm->steps = whole(m, "steps", 0);
    double mean = mean_of(json_object_get(m, "items"));
    arm->mean += mean;
    hn_push(a, &arm->seed_mean, mean);
    hn_push(a, &arm->curve, json_object_get(m, "curve"));
}

static bool is_incumbent(const hn_report_arm *arm) {
    return !strncmp(arm->name, "incumbent", 9) || !strcmp(arm->name, "start") || !strcmp(arm->name, "as it is");
}

/* "incumbent", or where an arm was given more training, the incumbent that was given as much: "incumbent x2". */
static const hn_report_arm *incumbent_of(const hn_report *r, const hn_report_arm *arm) {
    const hn_report_arm *base = NULL, *best = NULL;
    double nearest = 0.05;
    for (int64_t i = 0; i < r->arms.n; i++) {
        const hn_report_arm *o = &r->arms.v[i];
        if (strcmp(o->phase, arm->phase) || o == arm) continue;
        if (!strcmp(o->name, "as it is") && !strcmp(arm->name, "continue")) return o;
        if (!strcmp(o->name, "incumbent") || !strcmp(o->name, "start")) base = o;
        double x = !strncmp(o->name, "incumbent x", 11) ? strtod(o->name + 11, NULL) : 0;
        if (x > 1 && fabs(arm->cost / x - 1) < nearest) nearest = fabs(arm->cost / x - 1), best = o;
    }
    return best ? best : base;
}

static void read_arms(hn_arena *a, hn_report *r, const json_t *measurements) {
    for (size_t i = 0; i < json_array_size(measurements); i++) add_measurement(a, r, json_array_get(measurements, i));
    double base_flops = NAN;
    for (int64_t i = 0; i < r->arms.n; i++) {
        hn_report_arm *arm = &r->arms.v[i];
        double n = arm->done ? (double)arm->done : NAN;
        arm->mean /= n, arm->accuracy /= n, arm->seconds /= n, arm->flops /= n;
        if (!strcmp(arm->name, "incumbent") && arm->flops > 0) base_flops = arm->flops;
    }
    double planned = hn_json_num(r->plan, "flops_per_training");
    if (planned > 0) base_flops = planned;
    for (int64_t i = 0; i < r->arms.n; i++) r->arms.v[i].cost = r->arms.v[i].flops / base_flops;
    for (int64_t i = 0; i < r->arms.n; i++) {
        hn_report_arm *arm = &r->arms.v[i];
        arm->incumbent = is_incumbent(arm) ? NULL : incumbent_of(r, arm);
        if (arm->incumbent) arm->gain = arm->incumbent->mean - arm->mean;
    }
}

/* Decided on the loss; accuracy is told beside it. Where nothing was proven there is no arm but the start. */
static void read_accuracy(hn_report *r) {
    const json_t *told = json_object_get(r->result, "accuracy");
    const char *const name[] = { "start", "end" };
    r->right[0] = r->right[1] = NAN;
    for (int i = 0; i < 2; i++) {
        const hn_report_arm *arm = find_arm(&r->arms, "seal", name[i]);
        r->right[i] = hn_json_num(told, name[i]);
        if (isnan(r->right[i]) && arm) r->right[i] = arm->accuracy;
    }
}

/* ---- decisions ---- */

static hn_report_row row_of(hn_report *r, const json_t *d) {
    const json_t *data = json_object_get(d, "data");
    hn_report_row x = { .phase = hn_json_str(d, "phase"),
                        .name = hn_json_str(d, "lever"),
                        .verdict = hn_json_str(d, "verdict"),
                        .why = hn_json_str(d, "why"),
                        .gain = hn_json_num(d, "difference"),
                        .lo = hn_json_num(d, "lo"),
                        .hi = hn_json_num(d, "hi"),
                        .p = hn_json_num(d, "p_adjusted"),
                        .p_harm = hn_json_num(data, "p_harm_adjusted"),
                        .detectable = hn_json_num(d, "detectable"),
                        .df = hn_json_num(data, "df"),
                        .seed_var = hn_json_num(data, "seed_var"),
                        .item_var = hn_json_num(data, "item_var"),
                        .seconds = hn_json_num(d, "seconds"),
                        .flops = hn_json_num(d, "flops"),
                        .cost = NAN,
                        .accuracy = NAN,
                        .incumbent_accuracy = NAN,
                        .peak_rss = whole(d, "peak_rss", 0) };
    if (!strcmp(x.phase, "screen") && strcmp(r->unit, r->screen_unit)) x.gain = NAN; /* a difference of bits among those of errors */
    if (isnan(x.gain)) x.p = x.p_harm = NAN; /* nothing was compared */
    const hn_report_arm *arm = find_arm(&r->arms, x.phase, x.name);
    if (arm && arm->done) {
        x.seconds = arm->seconds, x.flops = arm->flops, x.cost = arm->cost, x.accuracy = arm->accuracy;
        if (arm->incumbent) x.incumbent_accuracy = arm->incumbent->accuracy;
        return x;
    }
    double seeds = hn_json_num(r->plan, strcmp(x.phase, "screen") ? "confirm_seeds" : "screen_seeds"); /* a decision holds the sum */
    x.seconds = x.seconds > 0 ? x.seconds / seeds : NAN, x.flops = x.flops > 0 ? x.flops / seeds : NAN;
    return x;
}

static int rank_of(const hn_report_row *x) {
    bool failed = !strcmp(x->verdict, "failed");
    return failed ? 1 : strcmp(x->phase, "confirm") ? 2 : 0;
}

static int by_rank(const void *p, const void *q) {
    const hn_report_row *x = p, *y = q;
    if (rank_of(x) != rank_of(y)) return rank_of(x) - rank_of(y);
    if (isnan(x->gain) || isnan(y->gain)) return isnan(x->gain) - isnan(y->gain);
    return x->gain < y->gain ? 1 : x->gain > y->gain ? -1 : strcmp(x->name, y->name);
}

static void read_decisions(hn_arena *a, hn_report *r, const json_t *decisions) {
    for (size_t i = 0; i < json_array_size(decisions); i++) {
        hn_report_row x = row_of(r, json_array_get(decisions, i));
        if (!strcmp(x.phase, "confirm") || !strcmp(x.phase, "screen")) hn_push(a, &r->levers, x);
        else if (!strcmp(x.phase, "stack")) hn_push(a, &r->stack, x);
    }
    if (r->levers.n) qsort(r->levers.v, (size_t)r->levers.n, sizeof *r->levers.v, by_rank);
    while (r->n_judged < r->levers.n && rank_of(&r->levers.v[r->n_judged]) < 2) r->n_judged++;
}

/* The first file's name; of gym tasks, which are files by name only, all of them. */
static const char *data_name(hn_arena *a, const json_t *files) {
    const char *first = hn_json_str(json_array_get(files, 0), "path");
    hn_buf b = { 0 };
    if (!hn_gym_is_source(first)) return hn_path_base(first);
    for (size_t i = 0; i < json_array_size(files); i++) {
        const char *path = hn_json_str(json_array_get(files, i), "path"), *name = path + strlen("gym:");
        if (hn_gym_is_source(path) && strstr(path, "@train")) hn_buf_fmt(a, &b, "%s%.*s", b.n ? ", " : "gym tasks ", (int)strcspn(name, ":@"), name);
    }
    return hn_buf_str(a, &b);
}

bool hn_report_read(hn_arena *a, hn_ledger *l, int64_t run, hn_report *r) {
    const json_t *all = hn_ledger_export(a, l, run);
    if (!all) return false;
    *r = (hn_report){ .id = whole(all, "id", run),
                      .state = hn_json_str(all, "state"),
                      .metric = hn_json_str(all, "metric"),
                      .started = hn_json_str(all, "started"),
                      .finished = hn_json_str(all, "finished"),
                      .version = hn_json_str(all, "version"),
                      .recipe = hn_json_str(all, "recipe"),
                      .plan_hash = hn_json_str(all, "plan_hash"),
                      .sealed_hash = hn_json_str(all, "sealed_hash"),
                      .plan = json_object_get(all, "plan"),
                      .machine = json_object_get(all, "machine"),
                      .result = json_object_get(all, "result"),
                      .files = json_object_get(all, "files"),
                      .notes = json_object_get(all, "notes") };
    r->done = !strcmp(r->state, "done") && json_is_object(r->result);
    r->unit = !*r->metric || !strcmp(r->metric, "bits_per_byte") ? "bits per byte" : !strcmp(r->metric, "error_rate") ? "error rate" : r->metric;
    r->screen_unit = !strcmp(r->metric, "error_rate") ? "bits per byte" : r->unit;
    r->data = data_name(a, r->files);
    r->of_answers = !strcmp(hn_json_str(r->result, "accuracy_of"), "answers");
    r->start = hn_json_num(r->result, "start"), r->end = hn_json_num(r->result, "end");
    r->gain = hn_json_num(r->result, "gain");
    if (isnan(r->gain)) r->gain = -hn_json_num(r->result, "difference");
    const json_t *ci = json_object_get(r->result, "ci95"), *lo = json_array_get(ci, 0), *hi = json_array_get(ci, 1);
    r->lo = json_is_number(hi) ? 0 - json_number_value(hi) : NAN, r->hi = json_is_number(lo) ? 0 - json_number_value(lo) : NAN;
    double alpha = hn_json_num(r->plan, "alpha");
    r->alpha = isfinite(alpha) ? alpha : 0.05;
    r->confirm_seeds = whole(r->plan, "confirm_seeds", 0);
    r->confirm_units = whole(json_object_get(json_object_get(r->plan, "sets"), "confirm"), "clusters", 0);
    r->opened_before = whole(r->result, "sealed_opened_before", -1);
    if (!*r->sealed_hash) r->sealed_hash = hn_json_str(json_object_get(json_object_get(r->plan, "sets"), "sealed"), "hash");
    read_arms(a, r, json_object_get(all, "measurements"));
    read_accuracy(r);
    read_decisions(a, r, json_object_get(all, "decisions"));
    return true;
}

double hn_report_alone(const hn_report *r, const char *lever) {
    for (int64_t i = 0; i < r->n_judged; i++)
        if (!strcmp(r->levers.v[i].name, lever) && !strcmp(r->levers.v[i].phase, "confirm")) return r->levers.v[i].gain;
    return NAN;
}

const char *hn_report_suspect(hn_arena *a, const hn_report *r) {
    for (int64_t i = 0; i < r->n_judged; i++) {
        const hn_report_row *x = &r->levers.v[i];
        if (strcmp(x->name, "placebo") || (strcmp(x->verdict, "kept") && strcmp(x->verdict, "harmful"))) continue;
        const char *rate = isfinite(r->alpha) ? hn_fmt(a, "in at most %g %% of runs", 100 * r->alpha) : "rarely";
        return hn_fmt(a, "This run's judging is suspect: placebo, which changes nothing, is called %s; by chance alone this happens %s.",
                      x->verdict, rate);
    }
    return "";
}

static const char *verdict_on_the_whole(hn_arena *a, const hn_report *r) {
    if (!r->done)
        return hn_fmt(a, "This run is not finished (%s): what follows was measured so far, and proves nothing yet about the whole.",
                      *r->state ? r->state : "no state");
    const char *what = hn_json_str(r->result, "what");
    if (!isfinite(r->gain) || (r->gain == 0 && !(r->lo < 0) && !(r->hi > 0)))
        return *what ? hn_fmt(a, "%c%s.", *what >= 'a' && *what <= 'z' ? *what - 32 : *what, what + 1)
                     : "Nothing was proven: the start is shipped.";
    double percent = 100 * fabs(r->gain) / r->start;
    const char *text = hn_fmt(a, "%.4f %s (%.1f %%)", fabs(r->gain), r->unit, percent);
    if (r->lo > 0)
        return hn_fmt(
            a, "Proven: the model is better by %s on sealed items that nothing was chosen on; the 95 %% interval lies above zero.", text);
    if (r->hi < 0) return hn_fmt(a, "Worse: on the sealed items the model lost %s; the 95 %% interval lies below zero.", text);
    return hn_fmt(a, "Not proven: on the sealed items the model is %s by %s, and the 95 %% interval includes zero.",
                  r->gain >= 0 ? "better" : "worse", text);
}

const char *hn_report_headline(hn_arena *a, const hn_report *r) {
    const char *suspect = hn_report_suspect(a, r);
    return hn_fmt(a, "%s%s%s", verdict_on_the_whole(a, r), *suspect ? " " : "", suspect);
}
