/* screen.c - every setting of every lever, few seeds, screen items: who goes on. It claims nothing. */
#include "improve/phase.h"

#include <math.h>
#include <stdlib.h>

static int by_gain(const void *x, const void *y) {
    double a = ((const hn_choice *)x)->gain, b = ((const hn_choice *)y)->gain;
    return a < b ? 1 : a > b ? -1 : 0;
}

/* A lever whose effect bits do not show: whether it can be pulled is all that the screen asks. */
static bool pass(hn_runner *r, hn_arms *v, hn_choice *c) {
    hn_arms aside = { .base = v->base, .next_index = v->next_index };
    if (!hn_arm_lever(r, &aside, HN_SCREEN, c->lever, 0, c->lever->item.name, 1, HN_SET_SCREEN, &c->trial, &c->why)) return false;
    v->next_index = aside.next_index;
    return true;
}

/* The best setting of every lever, sorted by gain; levers that do not apply have no trial. */
bool hn_screen(hn_runner *r, hn_choice *out) {
    hn_arms v = { 0 };
    int64_t seeds = r->p->screen_seeds;
    v.base = hn_arm_base(r, &v, HN_SCREEN, "incumbent", seeds, HN_SET_SCREEN);
    hn_push(r->a, &v.all, v.base);
    hn_trial **arm = hn_new_n(r->a, hn_trial *, r->n_levers * HN_LEVER_VARIANTS);
    for (int64_t i = 0; i < r->n_levers; i++) {
        out[i].lever = r->levers[i];
        if (r->levers[i]->unscreened) {
            if (!pass(r, &v, &out[i])) return false;
            continue;
        }
        for (int64_t k = 0; k < HN_LEVER_VARIANTS; k++) {
            const char *name = hn_fmt(r->a, "%s.%lld", r->levers[i]->item.name, (long long)k);
            if (!hn_arm_lever(r, &v, HN_SCREEN, r->levers[i], k, name, seeds, HN_SET_SCREEN, &arm[i * HN_LEVER_VARIANTS + k], &out[i].why))
                return false;
        }
    }
    if (!hn_trials_run(r, v.all.v, v.all.n)) return false;
    for (int64_t i = 0; i < r->n_levers; i++) {
        out[i].gain = r->levers[i]->unscreened && out[i].trial ? INFINITY : -INFINITY;
        if (r->levers[i]->unscreened) continue;
        for (int64_t k = 0; k < HN_LEVER_VARIANTS; k++) {
            hn_trial *t = arm[i * HN_LEVER_VARIANTS + k];
            if (!t) continue;
            if (!hn_trial_ok(t)) {
                out[i].why = t->error;
                continue;
            }
            double gain = hn_trial_mean(r, t->incumbent, HN_SET_SCREEN) - hn_trial_mean(r, t, HN_SET_SCREEN);
            if (!isfinite(gain)) {
                out[i].why = t->incumbent->error ? t->incumbent->error : "its loss is not a finite number";
                continue;
            }
            if (!out[i].trial || gain > out[i].gain) out[i].gain = gain, out[i].variant = k, out[i].trial = t;
        }
    }
    qsort(out, (size_t)r->n_levers, sizeof *out, by_gain);
    return true;
}
