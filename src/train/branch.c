/* branch.c - one training that branches: its first part once, the rest several times from there, the weights' mean at the end.
 *
 * A branch has the optimizer's state, the schedule and the progress of the branching point, and random numbers of its own. What is counted
 * (steps of one line, FLOPs, seconds and tokens of all) is what was spent. Early stopping and averages act within each branch; a training
 * that stopped before the branching point has nothing left to branch. */
#include "train/trainer.h"
#include <math.h>

/* What a step changes, as it was at the branching point. */
typedef struct mark {
    float **weight, **average, **best, **state;
    hn_progress_state now;
    int64_t n_curve;
} mark;

static float **copies(hn_trainer *t, float *const *from)
{
    float **v = from ? hn_trainer_copies(t->a, t->m, false) : NULL;
    for (int64_t i = 0; v && i < t->n_w; i++) memcpy(v[i], from[i], (size_t)hn_count(t->w[i].t) * sizeof(float));
    return v;
}

static mark mark_new(hn_trainer *t)
{
    int states = t->optim->states;
    mark m = { .weight = hn_trainer_copies(t->a, t->m, true), .average = copies(t, t->average), .best = copies(t, t->best), .now = t->now,
               .n_curve = t->curve.n, .state = hn_new_n(t->a, float *, t->n_w * states + 1) };
    for (int64_t i = 0; i < t->n_w; i++)
        for (int k = 0; k < states; k++) {
            int64_t bytes = hn_optim_count(t->optim, t->optim_params, &t->w[i], k) * (int64_t)sizeof(float);
            if (!bytes) continue;
            m.state[i * states + k] = hn_alloc_large(t->a, bytes);
            memcpy(m.state[i * states + k], t->state[i * states + k], (size_t)bytes);
        }
    return m;
}

static void put(hn_trainer *t, float *const *to, float *const *from)
{
    for (int64_t i = 0; to && i < t->n_w; i++) memcpy(to[i], from[i], (size_t)hn_count(t->w[i].t) * sizeof(float));
}

static void go_back(hn_trainer *t, const mark *m)
{
    int states = t->optim->states;
    hn_trainer_take(t->m, m->weight);
    put(t, t->average, m->average);
    put(t, t->best, m->best);
    for (int64_t i = 0; i < t->n_w; i++)
        for (int k = 0; k < states; k++)
            if (m->state[i * states + k])
                memcpy(t->state[i * states + k], m->state[i * states + k],
                       (size_t)hn_optim_count(t->optim, t->optim_params, &t->w[i], k) * sizeof(float));
    t->now = m->now;
    t->curve.n = m->n_curve;
}

bool hn_trainer_soup(hn_trainer *t, double branch, int64_t n, hn_train_result *out)
{
    HN_ASSERT(n >= 1 && branch >= 0 && branch <= 1 && !t->now.step);
    int64_t at = (int64_t)llround(branch * (double)t->steps);
    hn_soup soup = { .a = t->a };
    t->until = at;
    if (at > 0 && !hn_trainer_go(t, NULL)) return false;
    uint64_t origin = at > 0 || t->given ? hn_model_hash(t->m) : 0, seed = t->seed;
    const mark m = mark_new(t);
    hn_progress_state spent = t->now;
    hn_train_result line;
    t->until = 0;
    for (int64_t k = 0; k < n; k++) {
        go_back(t, &m);
        t->seed = hn_hash(&k, (int64_t)sizeof k, seed);
        if (!hn_trainer_batches(t) || !hn_trainer_go(t, NULL)) return false;
        hn_trainer_settle(t);
        if (!hn_soup_add(&soup, t->m, origin)) return false;
        spent.flops += t->now.flops - m.now.flops, spent.seconds += t->now.seconds - m.now.seconds, spent.tokens += t->now.tokens - m.now.tokens;
    }
    hn_trainer_tell(t, &line);
    hn_soup_take(&soup, t->m);
    *out = line;
    out->flops = spent.flops, out->seconds = spent.seconds, out->tokens = spent.tokens;
    return true;
}
