/* finish.c - from settings to the model that is measured: one training or several, and what is made of them.
 *
 *     trainings → soup (mean of weights, in each member) → ensemble (mean of probabilities, over members) → calibrate (one temperature)
 *
 * All of it comes from the section `finish`, so that levers which act on several trainings or at inference are, like any other, functions
 * from settings to settings. Each member has a seed of its own. The temperature is fitted on screen items alone and written into the final
 * norm of the model: what is measured on other items is what is saved (Guo et al. 2017, arXiv:1706.04599, section 4.2; of an ensemble one
 * temperature for all members, fitted on their common answer, Rahaman & Thiery 2021, arXiv:2007.08792). */
#include "improve/run.h"

#include <math.h>

enum { FIT_TOKENS = 32768, FIT_ROUNDS = 16 };
static const double FIT_LEAST = 0.25, FIT_MOST = 4; /* of 1/temperature */

const hn_finish_params *hn_finish_wanted(hn_arena *a, const hn_settings *s) {
    static const hn_finish_params plain = { .ensemble = 1, .soup = 1, .branch = 0.75 };
    return hn_settings_value(a, s, "finish.ensemble") ? hn_settings_get(s, "finish") : &plain;
}

double hn_finish_units(const hn_finish_params *p) {
    return (double)p->ensemble * (p->soup > 1 ? p->branch + (double)p->soup * (1 - p->branch) : 1);
}

/* One member; an adapter has done its work: what is measured and shipped is one model. */
static hone_model *train_one(hn_runner *r, hn_arena *a, const hn_settings *s, const hn_dataset *d, uint64_t seed, hn_train_result *out) {
    const hn_finish_params *p = hn_finish_wanted(a, s);
    hn_trainer *t = hn_trainer_new(a, s, d, r->start, seed);
    if (!t || !(p->soup > 1 ? hn_trainer_soup(t, p->branch, p->soup, out) : hn_trainer_run(t, NULL, out))) return NULL;
    return hn_model_merged(a, hn_trainer_model(t));
}

/* Loss over evenly spread screen items as a function of 1/temperature: convex, so a golden section finds its least. */
typedef struct fit {
    hn_arena *a;
    hone_tape *tape;
    hone_model *m;
    const hn_tokens *items;
    int64_t batch;
    double at; /* what the model's logits are multiplied with now */
} fit;

static bool loss_at(fit *f, double log_by, double *out) {
    hn_lm_result lm;
    hn_model_sharpen(f->m, exp(log_by) / f->at);
    f->at = exp(log_by);
    if (!hn_eval_lm_on(f->a, f->tape, f->m, f->items, f->m->context, f->batch, FIT_TOKENS, &lm, NULL)) return false;
    *out = lm.loss;
    return true;
}

static bool golden(fit *f, double *best) {
    const double g = (sqrt(5) - 1) / 2;
    double lo = log(FIT_LEAST), hi = log(FIT_MOST), x = hi - g * (hi - lo), y = lo + g * (hi - lo), fx, fy;
    if (!loss_at(f, x, &fx) || !loss_at(f, y, &fy)) return false;
    for (int i = 0; i < FIT_ROUNDS; i++) {
        bool left = fx < fy;
        if (left) hi = y, y = x, fy = fx, x = hi - g * (hi - lo);
        else lo = x, x = y, fx = fy, y = lo + g * (hi - lo);
        if (!loss_at(f, left ? x : y, left ? &fx : &fy)) return false;
    }
    *best = (lo + hi) / 2;
    return true;
}

bool hn_calibrate(hn_arena *a, hone_model *m, const hn_tokens *items, int64_t batch, double share, double *temperature) {
    const hone_model *one = m->members ? m->members[0] : m;
    if (!one->arch->sharpen)
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "a %s has no temperature that its weights could hold", one->arch->item.name));
    fit f = { .a = a, .m = m, .items = items, .batch = batch, .at = 1, .tape = hone_tape_new(a->job, NULL) };
    double best = 0;
    if (!f.tape) return false;
    bool ok = golden(&f, &best);
    hone_tape_free(f.tape);
    if (!ok) return false;
    hn_model_sharpen(m, exp(share * best) / f.at);
    *temperature = exp(-share * best);
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
    double t = 1;
    return p->calibrate == 0 || hn_calibrate(a, *model, screen, HN_MAX(1, r->batch_tokens / (*model)->context), p->calibrate, &t);
}
