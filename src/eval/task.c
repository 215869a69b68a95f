/* task.c - runs a pack on a model and scores it; compares two models on it.
 *
 * A metric is a value an item and a total. Where the total is the mean, its standard error is that of a mean, clustered where the pack
 * names a cluster; else the spread of the total over draws of whole clusters with replacement (Efron 1979), 500 of them by the seed, and
 * the interval holds the middle 95 % of them: a perplexity stays above 0, a correlation within 1.
 * Shares of right answers get Wilson's interval, which also holds near 0 and 1. */
#include "eval/task.h"
#include <math.h>
#include <stdlib.h>

#define TASK(n) extern const hn_output hn_task_##n;
#include "eval/task/tasks.def"
#undef TASK
static const hn_item *const items[] = {
#define TASK(n) &hn_task_##n.item,
#include "eval/task/tasks.def"
#undef TASK
};
const hn_kind hn_kind_task = { "task", "output types of task packs: what is asked of the model", items, HN_LEN(items) };

enum { DRAWS = 500 };

/* ---- totals ---- */
static double total(hn_arena *a, const hn_metric_item *m, const hn_answer *x, const double *v, const int64_t *pick, int64_t n) {
    if (m->total) return m->total(a, &(hn_total){ x, v, pick, n });
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += v[pick[i]];
    return sum / (double)n;
}

/* Items of each cluster: at[first[g] … first[g + 1]). */
typedef struct groups { int64_t *first, *at, n; } groups;
static groups group(hn_arena *a, const int32_t *cluster, int64_t n) {
    groups g = { hn_new_n(a, int64_t, n + 1), hn_new_n(a, int64_t, n + 1), 0 };
    for (int64_t i = 0; i < n; i++) g.n = HN_MAX(g.n, cluster ? cluster[i] + 1 : n);
    int64_t *count = hn_new_n(a, int64_t, g.n + 1);
    for (int64_t i = 0; i < n; i++) count[cluster ? cluster[i] : i]++;
    for (int64_t k = 0; k < g.n; k++) g.first[k + 1] = g.first[k] + count[k], count[k] = g.first[k];
    for (int64_t i = 0; i < n; i++) g.at[count[cluster ? cluster[i] : i]++] = i;
    return g;
}

/* One draw of whole clusters; pick has room for n·largest, cut at `room`. */
static int64_t resample(hn_rng *rng, const groups *g, int64_t *pick, int64_t room) {
    int64_t n = 0;
    for (int64_t k = 0; k < g->n; k++) {
        int64_t c = hn_rng_below(rng, g->n);
        for (int64_t i = g->first[c]; i < g->first[c + 1] && n < room; i++) pick[n++] = g->at[i];
    }
    return n;
}
static int64_t room_for(const groups *g) {
    int64_t most = 0;
    for (int64_t k = 0; k < g->n; k++) most = HN_MAX(most, g->first[k + 1] - g->first[k]);
    return most * g->n;
}

static int by_value(const void *x, const void *y) {
    double a = *(const double *)x, b = *(const double *)y;
    return (a > b) - (a < b);
}

/* Standard error and interval of a total that is no mean; not known from a single cluster. */
static void boot(hn_arena *a, const hn_task_result *r, hn_task_score *s, uint64_t seed) {
    groups g = group(a, r->cluster, r->n);
    int64_t room = room_for(&g), *pick = hn_new_n(a, int64_t, room + 1);
    double *draw = hn_new_n(a, double, DRAWS);
    hn_arena *scratch = hn_arena_new(a);
    hn_rng rng = hn_rng_new(seed, HN_STREAM_BOOT, 0);
    for (int b = 0; b < DRAWS; b++, hn_arena_reset(scratch)) {
        int64_t n = resample(&rng, &g, pick, room);
        draw[b] = total(scratch, s->metric->m, s->x, s->v, pick, n);
    }
    s->stderr_ = s->lo = s->hi = NAN;
    if (g.n < 2) return;
    s->stderr_ = sqrt(hn_var(draw, DRAWS));
    qsort(draw, DRAWS, sizeof *draw, by_value);
    s->lo = HN_MIN(draw[DRAWS / 40], s->value);
    s->hi = HN_MAX(draw[DRAWS - 1 - DRAWS / 40], s->value);
}

static bool finish(hn_arena *keep, const hn_task_result *r, hn_task_score *s, uint64_t seed) {
    hn_arena *a = hn_arena_new(keep);
    const hn_metric_item *m = s->metric->m;
    s->name = m->item.name;
    s->v = hn_new_n(keep, double, r->n + 1);
    s->binary = !m->total;
    int64_t *all = hn_new_n(a, int64_t, r->n + 1), right = 0;
    double *zero = hn_new_n(a, double, r->n + 1);
    for (int64_t i = 0; i < r->n; i++) {
        hn_arena *scratch = hn_arena_new(a);
        if (!m->value(scratch, s->metric->params, &s->x[i], &s->v[i])) return false;
        hn_arena_free(scratch);
        s->binary = s->binary && (s->v[i] == 0 || s->v[i] == 1);
        right += s->v[i] == 1;
        all[i] = i;
    }
    s->value = total(a, m, s->x, s->v, all, r->n);
    if (m->total) boot(a, r, s, seed);
    else {
        hn_interval mean = hn_paired(s->v, zero, r->cluster, r->n, 0.95);
        s->stderr_ = isfinite(mean.se) ? mean.se : NAN, s->lo = mean.lo, s->hi = mean.hi;
    }
    if (s->binary && !r->cluster) {
        hn_interval w = hn_wilson(right, r->n, 0.95);
        s->lo = w.lo;
        s->hi = w.hi;
    }
    hn_arena_free(a);
    return true;
}

/* ---- filters ---- */
static bool filtered(hn_arena *a, const hn_pack *p, const hn_pack_filter *f, const char **made, const hn_answer *x, hn_answer *out) {
    for (int64_t i = 0; i < p->n; i++) {
        hn_texts t = { hn_new_n(a, const char *, p->p.repeats), p->p.repeats };
        for (int64_t k = 0; k < t.n; k++) t.v[k] = made[i * p->p.repeats + k];
        for (int64_t k = 0; k < f->n; k++)
            if (!f->step[k].f->apply(a, f->step[k].params, &t)) return false;
        out[i] = x[i];
        out[i].text = t.n ? t.v[0] : "";
    }
    return true;
}

bool hn_task_run(hn_arena *a, const hn_pack *p, hone_model *m, int64_t batch, uint64_t seed, hn_task_result *out) {
    double start = hn_now();
    bool makes = !strcmp(p->output->item.name, "generate_until");
    hn_answer *x = hn_new_n(a, hn_answer, p->n + 1);
    hn_task_call call = { .pack = p, .m = m, .batch = batch, .seed = seed, .made = makes ? hn_new_n(a, const char *, p->n * p->p.repeats + 1) : NULL };
    *out = (hn_task_result){ .pack = p, .n = p->n, .made = call.made };
    if (!m->tok)
        return HN_FAIL(a, HONE_E_MODEL, .what = "the model has no tokenizer", .hint = "Put its tokenizer.json into the folder.");
    if (!p->output->run(a, &call, x)) return false;
    if (*p->p.cluster) {
        out->cluster = hn_new_n(a, int32_t, p->n + 1);
        for (int64_t i = 0; i < p->n; i++) out->cluster[i] = p->rows.v[i].cluster;
    }
    int64_t sets = makes ? p->n_filters : 1;
    out->score = hn_new_n(a, hn_task_score, sets * p->n_metrics + 1);
    for (int64_t f = 0; f < sets; f++) {
        hn_answer *y = makes ? hn_new_n(a, hn_answer, p->n + 1) : x;
        if (makes && !filtered(a, p, &p->filter[f], call.made, x, y)) return false;
        for (int64_t k = 0; k < p->n_metrics; k++) {
            hn_task_score *s = &out->score[out->n_scores++];
            *s = (hn_task_score){ .metric = &p->metric[k], .filter = makes ? p->filter[f].name : NULL, .x = y };
            if (!finish(a, out, s, seed)) return false;
        }
    }
    out->seconds = hn_now() - start;
    return true;
}

/* ---- two models ---- */
/* Percentile interval and two-sided p of the difference of totals, the same draws for both. */
static void boot_compare(hn_arena *a, const hn_task_result *x, const hn_task_score *s, const hn_task_score *t, uint64_t seed, hn_task_versus *out) {
    groups g = group(a, x->cluster, x->n);
    int64_t room = room_for(&g), *pick = hn_new_n(a, int64_t, room + 1), below = 0, above = 0, draws = 4 * DRAWS;
    double *d = hn_new_n(a, double, draws);
    hn_arena *scratch = hn_arena_new(a);
    hn_rng rng = hn_rng_new(seed, HN_STREAM_BOOT, 1);
    for (int64_t b = 0; b < draws; b++, hn_arena_reset(scratch)) {
        int64_t n = resample(&rng, &g, pick, room);
        d[b] = total(scratch, s->metric->m, s->x, s->v, pick, n) - total(scratch, t->metric->m, t->x, t->v, pick, n);
        below += d[b] <= 0;
        above += d[b] >= 0;
    }
    qsort(d, (size_t)draws, sizeof *d, by_value);
    out->lo = d[draws / 40];
    out->hi = d[draws - 1 - draws / 40];
    out->p = HN_MIN(1, 2 * (double)(HN_MIN(below, above) + 1) / (double)(draws + 1));
    out->test = "paired bootstrap of items";
}

void hn_task_compare(hn_arena *keep, const hn_task_result *x, const hn_task_result *y, int64_t k, uint64_t seed, hn_task_versus *out) {
    const hn_task_score *s = &x->score[k], *t = &y->score[k];
    HN_ASSERT(x->n == y->n && s->metric->m == t->metric->m);
    hn_arena *a = hn_arena_new(keep);
    hn_interval d = hn_paired(s->v, t->v, x->cluster, x->n, 0.95);
    double *each = hn_new_n(a, double, x->n + 1);
    int64_t only_x = 0, only_y = 0;
    for (int64_t i = 0; i < x->n; i++) {
        each[i] = s->v[i] - t->v[i];
        only_x += each[i] > 0;
        only_y += each[i] < 0;
    }
    *out = (hn_task_versus){ .difference = s->value - t->value, .lo = d.lo, .hi = d.hi, .sd = sqrt(hn_var(each, x->n)) };
    if (s->metric->m->total) boot_compare(a, x, s, t, seed, out);
    else if (s->binary && t->binary && !x->cluster) {
        out->p = hn_mcnemar_exact(only_x, only_y);
        out->test = "McNemar's exact test";
    } else {
        double z = d.se > 0 ? d.mean / d.se : NAN;
        out->p = isnan(z) ? (d.mean == 0 ? 1 : NAN) : 2 * hn_t_cdf(-fabs(z), d.df);
        out->test = x->cluster ? "paired t over clusters" : "paired t over items";
    }
    hn_arena_free(a);
}

int64_t hn_items_needed(double difference, double sd) {
    double z = hn_norm_quantile(0.975) + hn_norm_quantile(0.8), n = difference != 0 && sd > 0 ? ceil(z * z * sd * sd / (difference * difference)) : INFINITY;
    return n < 1e15 ? HN_MAX((int64_t)n, 2) : -1;
}
