/* decide.c - the decision of `improve`: is this arm better than its incumbent, over seeds and items at once?
 *
 * A *unit* is an item, or a cluster of items that share a source (its mean then). For an arm of S seeds and an incumbent of S' seeds:
 *     D = mean over units of the difference incumbent − arm, both averaged over their seeds          (loss: positive is better)
 *     V = s'²/S' + s²/S + sd²(dᵢ)/n        which is 2s²/S + sd²(dᵢ)/n for equal seeds and spreads
 * s², and s'² for the incumbent, is the variance of an arm's mean loss from seed to seed: the larger of the one pooled over all arms of
 * the round, incumbents among them, and that arm's own. Each side's own counts: with the lever's alone, an incumbent whose seeds spread
 * three times as far as the levers' let 8.8 % of useless levers through in simulated worlds. sd²(dᵢ) is the variance over the n units of the difference averaged over seeds; it holds a little seed noise,
 * which errs on the careful side. t = D/√V has Satterthwaite's degrees of freedom: those of the s² that was taken, and n − 1.
 * A *fixed* side (a model as it is, which nothing trained) has no seeds: its s² is zero by construction, not an unknown to be taken from
 * the pool, and it tells the pool nothing. What it is worth on other items stands in sd²(dᵢ).
 * Holm's correction over all arms of the round, the failed among them: the plan fixes how many tests there are, not the outcome.
 *
 * Invariants: nothing is claimed from what cannot be estimated. One unit, or no arm with two seeds: V is infinite, p = 1, undecided.
 * A loss that is not finite, in the arm or its incumbent: failed. No spread at all and a difference: p is 0 or 1.
 * Sources: Satterthwaite 1946; Holm 1979; Miller 2024 (arXiv:2411.00640) for clusters. Simulated error rates: docs/results/simulation.md. */
#include "eval/eval.h"
#include <math.h>

static const double POWER = 0.8, LEVEL = 0.95;

typedef struct units { const int32_t *of; int64_t n, items; double *size; } units;   /* of: unit of each item, NULL: itself */
typedef struct summary { double *unit; /* (n) mean over seeds */ double mean, var; /* of the seed means */ int64_t seeds; bool finite, fixed; } summary;
typedef struct spread { double var, df; } spread;

static units find_units(hn_arena *a, const int32_t *cluster, int64_t n)
{
    units u = { NULL, n, n, hn_new_n(a, double, n + 1) };
    if (!cluster) {
        for (int64_t i = 0; i < n; i++) u.size[i] = 1;
        return u;
    }
    int32_t *of = hn_new_n(a, int32_t, n + 1);
    hn_map *seen = hn_map_new(a);
    for (int64_t i = 0; i < n; i++) {
        int64_t g = hn_map_count(seen);
        if (!hn_map_get(seen, &cluster[i], sizeof cluster[i], &g)) hn_map_put(seen, &cluster[i], sizeof cluster[i], g);
        of[i] = (int32_t)g;
        u.size[g] += 1;
    }
    u.of = of;
    u.n = hn_map_count(seen);
    return u;
}

static summary summarize(hn_arena *a, const hn_arm *arm, const units *u)
{
    summary m = { hn_new_n(a, double, u->n + 1), 0, 0, arm->seeds, arm->seeds > 0 && u->n > 0, arm->fixed };
    double *seed_mean = hn_new_n(a, double, arm->seeds + 1);
    for (int64_t s = 0; s < arm->seeds; s++) {
        for (int64_t i = 0; i < u->items; i++) {
            int64_t g = u->of ? u->of[i] : i;
            double x = arm->x[s * u->items + i] / u->size[g];
            m.finite = m.finite && isfinite(x);
            seed_mean[s] += x / (double)u->n;
            m.unit[g] += x / (double)arm->seeds;
        }
    }
    m.mean = hn_mean(seed_mean, arm->seeds);
    m.var = hn_var(seed_mean, arm->seeds);
    return m;
}

/* Is arms[k]'s data already among those counted? Several arms may share one incumbent. */
static bool counted_before(const hn_arm *incumbents, const hn_arm *arms, int64_t k, const double *x)
{
    for (int64_t j = 0; j < k; j++)
        if (incumbents[j].x == x || arms[j].x == x) return true;
    return false;
}

static spread pool_seeds(const hn_arm *incumbents, const hn_arm *arms, const summary *inc, const summary *arm, int64_t n_arms)
{
    double ss = 0, df = 0;
    for (int64_t k = 0; k < n_arms; k++) {
        const summary *both[2] = { &inc[k], &arm[k] };
        for (int side = 0; side < 2; side++) {
            const double *x = side ? arms[k].x : incumbents[k].x;
            if (!both[side]->finite || both[side]->fixed || counted_before(incumbents, arms, k, x) || (side && x == incumbents[k].x)) continue;
            ss += both[side]->var * (double)(both[side]->seeds - 1);
            df += (double)(both[side]->seeds - 1);
        }
    }
    return (spread){ df > 0 ? ss / df : INFINITY, df };
}

static spread own_or(const summary *arm, spread pooled)
{
    if (arm->fixed) return (spread){ 0, INFINITY };
    return arm->seeds > 1 && arm->var > pooled.var ? (spread){ arm->var, (double)(arm->seeds - 1) } : pooled;
}

/* One arm against its incumbent; adjusted p-values, verdict and detectable come later. */
static hn_decision compare(const summary *inc, const summary *arm, spread pooled, int64_t n)
{
    hn_decision d = { .difference = NAN, .se = NAN, .df = NAN, .t = NAN, .p = 1, .p_harm = 1, .lo = NAN, .hi = NAN, .detectable = NAN,
                      .seed_var = NAN, .item_var = NAN, .verdict = HN_FAILED };
    if (!inc->finite || !arm->finite) return d;
    d.verdict = HN_UNDECIDED;
    d.difference = inc->mean - arm->mean;
    spread s = own_or(arm, pooled), si = own_or(inc, pooled);
    double mean = 0, ss = 0;
    for (int64_t i = 0; i < n; i++) mean += (inc->unit[i] - arm->unit[i]) / (double)n;
    for (int64_t i = 0; i < n; i++) ss += (inc->unit[i] - arm->unit[i] - mean) * (inc->unit[i] - arm->unit[i] - mean);
    d.seed_var = 0.5 * (s.var + si.var);
    d.item_var = n > 1 ? ss / (double)(n - 1) : INFINITY;
    double seed_a = s.var / (double)arm->seeds, seed_i = si.var / (double)inc->seeds, seed_part = seed_a + seed_i, item_part = d.item_var / (double)n, v = seed_part + item_part;
    d.se = sqrt(v);
    if (!isfinite(v)) {
        d.df = d.t = 0;
        d.lo = -INFINITY;
        d.hi = INFINITY;
        return d;
    }
    if (v == 0) {
        d.df = pooled.df + (double)(n - 1);
        d.t = d.difference == 0 ? 0 : copysign(INFINITY, d.difference);
        d.p = d.difference > 0 ? 0 : 1;
        d.p_harm = d.difference < 0 ? 0 : 1;
        d.lo = d.hi = d.difference;
        return d;
    }
    bool one_estimate = s.var == pooled.var && si.var == pooled.var && pooled.df > 0; /* both sides lean on the same degrees of freedom */
    double seed_doubt = one_estimate ? seed_part * seed_part / pooled.df : seed_a * seed_a / s.df + seed_i * seed_i / si.df;
    d.df = v * v / (seed_doubt + item_part * item_part / (double)(n - 1));
    d.t = d.difference / d.se;
    d.p = hn_t_cdf(-d.t, d.df);
    d.p_harm = hn_t_cdf(d.t, d.df);
    double half = hn_t_quantile(0.5 + 0.5 * LEVEL, d.df) * d.se;
    d.lo = d.difference - half;
    d.hi = d.difference + half;
    return d;
}

/* The gain that this run, with the bar that its own spread and degrees of freedom set, would have kept with 80 % power at the strictest
 * Holm level: se·(t(1 − α/m) + t(0.8)). NaN: nothing varied, so this run tells nothing of sizes. */
static double detectable(const hn_decision *d, double alpha, int64_t m)
{
    if (d->verdict == HN_FAILED) return NAN;
    if (!(d->se < INFINITY)) return INFINITY;
    return d->se == 0 ? NAN : d->se * (hn_t_quantile(1 - alpha / (double)m, d->df) + hn_t_quantile(POWER, d->df));
}

void hn_decide(hn_arena *a, const hn_arm *incumbents, const hn_arm *arms, int64_t n_arms, const int32_t *cluster, int64_t n, double alpha,
               hn_decision *out)
{
    hn_arena *tmp = hn_arena_new(a);
    units u = find_units(tmp, cluster, n);
    summary *inc = hn_new_n(tmp, summary, n_arms + 1), *arm = hn_new_n(tmp, summary, n_arms + 1);
    double *p = hn_new_n(tmp, double, n_arms + 1), *adjusted = hn_new_n(tmp, double, n_arms + 1);
    for (int64_t k = 0; k < n_arms; k++) {
        inc[k] = k > 0 && incumbents[k].x == incumbents[k - 1].x ? inc[k - 1] : summarize(tmp, &incumbents[k], &u);
        arm[k] = summarize(tmp, &arms[k], &u);
    }
    spread pooled = pool_seeds(incumbents, arms, inc, arm, n_arms);
    for (int64_t k = 0; k < n_arms; k++) out[k] = compare(&inc[k], &arm[k], pooled, u.n);
    for (int64_t k = 0; k < n_arms; k++) p[k] = out[k].p;
    hn_holm(p, n_arms, adjusted);
    for (int64_t k = 0; k < n_arms; k++) out[k].p_adjusted = adjusted[k];
    for (int64_t k = 0; k < n_arms; k++) p[k] = out[k].p_harm;
    hn_holm(p, n_arms, adjusted);
    for (int64_t k = 0; k < n_arms; k++) {
        out[k].p_harm_adjusted = adjusted[k];
        out[k].detectable = detectable(&out[k], alpha, n_arms);
        if (out[k].verdict == HN_FAILED) continue;
        out[k].verdict = out[k].p_adjusted < alpha ? HN_KEPT : out[k].p_harm_adjusted < alpha ? HN_HARMFUL : HN_UNDECIDED;
    }
    hn_arena_free(tmp);
}

hn_interval hn_two_level(hn_arena *a, const hn_arm *from, const hn_arm *to, const int32_t *cluster, int64_t n, double level)
{
    hn_decision d;
    hn_decide(a, from, to, 1, cluster, n, 1 - level, &d);
    double half = d.se > 0 && d.se < INFINITY ? hn_t_quantile(0.5 + 0.5 * level, d.df) * d.se : d.se;
    return (hn_interval){ d.difference, d.difference - half, d.difference + half, d.se, d.df };
}

double hn_arm_level(hn_arena *a, const hn_arm *arm, const int32_t *cluster, int64_t n)
{
    hn_arena *tmp = hn_arena_new(a);
    units u = find_units(tmp, cluster, n);
    double mean = summarize(tmp, arm, &u).mean;
    hn_arena_free(tmp);
    return mean;
}

const char *hn_verdict_name(hn_verdict v)
{
    static const char *const names[] = { "kept", "harmful", "undecided", "failed" };
    HN_ASSERT(v >= 0 && v < HN_LEN(names));
    return names[v];
}
