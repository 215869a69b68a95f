/* tune.c - the incumbent's learning rate, before anything is compared with it: half to four times the recipe's, on screen items.
 *
 * Of the rates whose worse seed comes within 1 % of the best one's, the lowest is taken, as one takes the simplest model within a
 * standard error (Breiman et al. 1984): near the edge of stability every third training or so gets stuck, which two seeds often do not
 * show, and seeds that spread so widely hide every gain (Tiny Shakespeare, 133 steps: at 8 times the rate 3 of 10 trainings ended 0.3
 * bits worse than the rest; at 4 times none of 4). A model that is trained on gains little of its loss (Stories260K on TinyStories in 40
 * steps: half a percent), so there it is a tenth of what the best rate gains over the model as it is. */
#include "improve/phase.h"

#include <math.h>

enum { TUNE_SEEDS = 2, TUNE_MOST = 16 };
static const double TUNE_NEAR = 0.01, TUNE_NEAR_GAIN = 0.1;

/* A rate is worth what it gives on a bad day: high rates win by luck with one seed, and then spread so widely that nothing is proven. */
static double worst_seed(const hn_runner *r, const hn_trial *t, int set) {
    double worst = -INFINITY;
    for (int64_t k = 0; k < t->seeds; k++) worst = fmax(worst, hn_mean(t->x[set] + k * r->set[set].n, r->set[set].n));
    return hn_trial_ok(t) ? worst : NAN;
}

/* How much worse than the best a rate may be. */
static bool tolerance(hn_runner *r, hn_arms *made, double best, double *out) {
    *out = TUNE_NEAR * best;
    if (!r->start) return true;
    hn_trial *t = hn_trial_new(r, HN_TUNE, "as it is", made->next_index++, 1);
    t->on[HN_SET_SCREEN] = true;
    if (!hn_trials_run(r, &t, 1)) return false;
    *out = TUNE_NEAR_GAIN * fmax(hn_trial_mean(r, t, HN_SET_SCREEN) - best, 0);
    return true;
}

bool hn_tune(hn_runner *r) {
    if (!r->p->tune) return true;
    double lr;
    const char *text = hn_settings_value(r->a, r->base, "optim.lr");
    if (!text || !hn_parse_f64(text, &lr)) return true;
    double best = INFINITY, best_factor = 1, lo = 0.5, hi = 4;
    hn_arms made = { 0 };
    bool first = true;
    struct {
        double factor, loss;
    } seen[TUNE_MOST];
    int64_t n_seen = 0;
    for (;;) { /* half to four times; an edge that wins is looked beyond */
        hn_trial *v[4];
        double factor[4];
        int64_t n = 0;
        if (first)
            for (double f = lo; f <= hi; f *= 2) factor[n++] = f;
        else factor[n++] = best_factor == lo ? (lo /= 2) : (hi *= 2);
        for (int64_t i = 0; i < n; i++) {
            v[i] = hn_arm_base(r, &made, HN_TUNE, hn_fmt(r->a, "lr x%g", factor[i]), TUNE_SEEDS, HN_SET_SCREEN);
            if (!hn_settings_set(v[i]->settings, r->a, "optim.lr", hn_num(r->a, lr * factor[i]), "tune")) return false;
        }
        if (!hn_trials_run(r, v, n)) return false;
        for (int64_t i = 0; i < n; i++) {
            double m = worst_seed(r, v[i], HN_SET_SCREEN);
            if (n_seen < TUNE_MOST) seen[n_seen].factor = factor[i], seen[n_seen++].loss = m;
            if (m < best) best = m, best_factor = factor[i];
        }
        if (first && !isfinite(best))
            return HN_FAIL(r->a, HONE_E_NUMERIC, .what = "the start could not be trained at any learning rate", .found = v[0]->error,
                           .hint = "set a lower optim.lr");
        first = false;
        bool edge = best_factor == lo || best_factor == hi;
        if (!edge || hi > 32 || lo < 0.05) break;
    }
    double near;
    if (!tolerance(r, &made, best, &near)) return false;
    for (int64_t i = 0; i < n_seen; i++)
        if (seen[i].loss <= best + near && seen[i].factor < best_factor) best_factor = seen[i].factor;
    hn_log(r->a, "tuned the start's learning rate: %.3g (%g times the recipe's)", lr * best_factor, best_factor);
    return hn_settings_set(r->base, r->a, "optim.lr", hn_num(r->a, lr * best_factor), "tune");
}
