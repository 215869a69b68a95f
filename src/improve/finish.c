/* finish.c - from settings to the model that is measured: one training or several, and what is made of them.
 *
 *     trainings → soup (mean of weights, in each member) → ensemble (mean of probabilities, over members) → calibrate (one temperature)
 *
 * All of it comes from the section `finish`, so that levers which act on several trainings or at inference are, like any other, functions
 * from settings to settings. Each member has a seed of its own. The temperature is fitted on screen items alone and written into the final
 * norm of the model: what is measured on other items is what is saved (Guo et al. 2017, arXiv:1706.04599, section 4.2; of an ensemble one
 * temperature for all members, fitted on their common answer, Rahaman & Thiery 2021, arXiv:2007.08792). The fit's evaluations are a share
 * of the training's FLOPs, and count as such: one number needs no more. */
#include "improve/run.h"

#include <math.h>

enum { FIT_EVALUATIONS = 12, FIT_ROUNDS = 40 };        /* what a fit is billed for; it takes 7 to 12 */
static const double FIT_LEAST = 0.25, FIT_MOST = 4,     /* of 1/temperature */
    FIT_NEAR = 1e-3, FIT_SHARE = 0.1;                   /* how exact; of the training's FLOPs */

const hn_finish_params *hn_finish_wanted(hn_arena *a, const hn_settings *s) {
    static const hn_finish_params plain = { .ensemble = 1, .soup = 1, .branch = 0.75, .votes = 1, .vote_temperature = 0.7 };
    return hn_settings_value(a, s, "finish.ensemble") ? hn_settings_get(s, "finish") : &plain;
}

double hn_finish_units(const hn_finish_params *p) {
    double fit = p->calibrate > 0 ? 1 + FIT_SHARE : 1;
    return fit * (double)p->ensemble * (p->soup > 1 ? p->branch + (double)p->soup * (1 - p->branch) : 1);
}

/* One member; an adapter has done its work: what is measured and shipped is one model. */
static hone_model *train_one(hn_runner *r, hn_arena *a, const hn_settings *s, const hn_dataset *d, uint64_t seed, hn_train_result *out) {
    const hn_finish_params *p = hn_finish_wanted(a, s);
    hn_trainer *t = hn_trainer_new(a, s, d, r->start, seed);
    if (!t || !(p->soup > 1 ? hn_trainer_soup(t, p->branch, p->soup, out) : hn_trainer_run(t, NULL, out))) return NULL;
    return hn_model_merged(a, hn_trainer_model(t));
}

/* Loss over evenly spread screen items as a function of 1/temperature: convex, so there is one least. */
typedef struct fit {
    hn_arena *a;
    hone_tape *tape;
    hone_model *m;
    const hn_tokens *items;
    int64_t batch, most, evaluations;
    double at; /* what the model's logits are multiplied with now */
} fit;

static bool loss_at(fit *f, double log_by, double *out) {
    hn_lm_result lm;
    hn_model_sharpen(f->m, exp(log_by) / f->at);
    f->at = exp(log_by);
    f->evaluations++;
    if (!hn_eval_lm_on(f->a, f->tape, f->m, f->items, f->m->context, f->batch, f->most, &lm, NULL)) return false;
    *out = lm.loss;
    return true;
}

/* Where the parabola through three points is least, as a step from x; 0: it is of no use (it leaves lo … hi, or shrinks too slowly). */
static double parabola(double x, double fx, double w, double fw, double v, double fv, double lo, double hi, double before) {
    double r = (x - w) * (fx - fv), q = (x - v) * (fx - fw), p = (x - v) * q - (x - w) * r;
    q = 2 * (q - r);
    double step = q != 0 ? -p / q : 0, u = x + step;
    if (!(fabs(step) < fabs(before) / 2) || u <= lo || u >= hi) return 0;
    return u - lo < 2 * FIT_NEAR || hi - u < 2 * FIT_NEAR ? copysign(FIT_NEAR, (lo + hi) / 2 - x) : step;
}

/* Brent 1973, chapter 5: parabolas where they serve, else golden sections. Begins at a temperature of 1. */
static bool least(fit *f, double *best) {
    const double g = (3 - sqrt(5)) / 2;
    double lo = log(FIT_LEAST), hi = log(FIT_MOST), x = 0, w = 0, v = 0, fx, fw, fv, step = 0, before = 0;
    if (!loss_at(f, x, &fx)) return false;
    fw = fv = fx;
    for (int i = 0; i < FIT_ROUNDS; i++) {
        double mid = (lo + hi) / 2, fu, took = fabs(before) > FIT_NEAR ? parabola(x, fx, w, fw, v, fv, lo, hi, before) : 0;
        if (fabs(x - mid) <= 2 * FIT_NEAR - (hi - lo) / 2) break;
        before = took != 0 ? step : x < mid ? hi - x : lo - x;
        step = took != 0 ? took : g * before;
        double u = x + (fabs(step) >= FIT_NEAR ? step : copysign(FIT_NEAR, step));
        if (!loss_at(f, u, &fu)) return false;
        if (fu <= fx) {
            *(u < x ? &hi : &lo) = x;
            v = w, fv = fw, w = x, fw = fx, x = u, fx = fu;
        } else {
            *(u < x ? &lo : &hi) = u;
            if (fu <= fw || w == x) v = w, fv = fw, w = u, fw = fu;
            else if (fu <= fv || v == x || v == w) v = u, fv = fu;
        }
    }
    *best = x;
    return true;
}

bool hn_calibrate(hn_arena *a, hone_model *m, const hn_tokens *items, int64_t batch, int64_t most, double share, hn_calibration *out) {
    const hone_model *one = m->members ? m->members[0] : m;
    if (!one->arch->sharpen)
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "a %s has no temperature that its weights could hold", one->arch->item.name));
    fit f = { .a = a, .m = m, .items = items, .batch = batch, .most = most, .at = 1, .tape = hone_tape_new(a->job, NULL) };
    double best = 0;
    if (!f.tape) return false;
    bool ok = least(&f, &best);
    hone_tape_free(f.tape);
    if (!ok) return false;
    hn_model_sharpen(m, exp(share * best) / f.at);
    *out = (hn_calibration){ .temperature = exp(-share * best), .evaluations = f.evaluations };
    return true;
}

bool hn_finish(hn_runner *r, hn_arena *a, const hn_settings *s, const hn_dataset *d, const hn_tokens *screen, uint64_t seed, hn_train_result *out,
               hone_model **model) {
    const hn_finish_params *p = hn_finish_wanted(a, s);
    hone_model **v = hn_new_n(a, hone_model *, p->ensemble);
    for (int64_t k = 0; k < p->ensemble; k++) {
        hn_train_result one;
        if (!(v[k] = train_one(r, a, s, d, k ? hn_hash(&k, (int64_t)sizeof k, seed) : seed, &one))) return false;
        if (!k) *out = one; /* steps and curve of the first; what was spent of all */
        else out->flops += one.flops, out->seconds += one.seconds, out->tokens += one.tokens, out->peak_rss = HN_MAX(out->peak_rss, one.peak_rss);
    }
    *model = p->ensemble > 1 ? hn_ensemble_new(a, v, p->ensemble) : v[0];
    if (!*model) return false;
    if (p->calibrate == 0) return true;
    /* A forward pass costs a third of a step, a token; an ensemble's, that of all members, as its trainings did. */
    double began = hn_now(), trained = (double)out->tokens / (double)p->ensemble, most = 3 * FIT_SHARE * trained / FIT_EVALUATIONS, held = (double)screen->n;
    hn_calibration c;
    if (!hn_calibrate(a, *model, screen, HN_MAX(1, r->batch_tokens / (*model)->context), HN_MAX((int64_t)most, 1), p->calibrate, &c)) return false;
    out->seconds += hn_now() - began;
    out->flops *= 1 + (double)c.evaluations * fmin(most, held) / 3 / fmax(trained, 1);
    return true;
}
