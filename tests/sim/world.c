/* world.c - draws worlds and asks hn_decide about each. The model is in world.h. */
#include "sim/world.h"

static void draw(const world *w, const double gain[WORLD_ARMS], const double *item, hn_rng *rng, double *x[WORLD_ARMS]) {
    double own[4096];
    HN_ASSERT(w->items <= HN_LEN(own));
    for (int arm = 0; arm < WORLD_ARMS; arm++) {
        for (int64_t i = 0; i < w->items; i++) own[i] = i % w->per_cluster ? own[i - 1] : w->item_sd * hn_rng_normal(rng);
        for (int64_t s = 0; s < w->seeds; s++) {
            double scale = w->fixed && arm == 0 ? 0 : w->scale[arm], shift = w->seed_sd * scale * hn_rng_normal(rng) - gain[arm];
            for (int64_t i = 0; i < w->items; i++) x[arm][s * w->items + i] = item[i] + own[i] + shift + w->noise_sd * hn_rng_normal(rng);
        }
    }
}

tally simulate(hn_arena *parent, const world *w, const double gain[WORLD_ARMS], int64_t worlds, uint64_t seed) {
    hn_arena *a = hn_arena_new(parent);
    int64_t m = WORLD_ARMS - 1;
    double *x[WORLD_ARMS], *item = hn_new_n(a, double, w->items);
    int32_t *cluster = hn_new_n(a, int32_t, w->items);
    hn_arm incumbents[WORLD_ARMS], arms[WORLD_ARMS];
    for (int k = 0; k < WORLD_ARMS; k++) x[k] = hn_new_n(a, double, w->seeds * w->items);
    for (int64_t i = 0; i < w->items; i++) cluster[i] = (int32_t)(i / w->per_cluster);
    for (int64_t k = 0; k < m; k++) {
        incumbents[k] = (hn_arm){ "incumbent", x[0], w->fixed ? 1 : w->seeds, w->fixed };
        arms[k] = (hn_arm){ k + 1 < m ? "lever" : "placebo", x[k + 1], w->seeds };
    }
    tally t = { .worlds = worlds };
    double each = 1 / (double)worlds;
    for (int64_t n = 0; n < worlds; n++) {
        hn_rng rng = hn_rng_new(seed, HN_STREAM_TEST, (uint32_t)n);
        for (int64_t i = 0; i < w->items; i++) item[i] = 2 + 0.3 * hn_rng_normal(&rng);
        draw(w, gain, item, &rng, x);
        hn_decision d[WORLD_ARMS];
        hn_decide(a, incumbents, arms, m, w->per_cluster > 1 ? cluster : NULL, w->items, 0.05, d);
        bool kept = false, harmful = false, lucky = false;
        for (int64_t k = 0; k < m; k++) {
            kept = kept || d[k].verdict == HN_KEPT;
            harmful = harmful || d[k].verdict == HN_HARMFUL;
            if (d[k].verdict == HN_KEPT) t.arm_kept[k + 1] += each;
            bool better = hn_mean(x[k + 1], w->items) < hn_mean(x[0], w->items);
            lucky = lucky || better;
            if (k == 0 && better) t.naive += each;
        }
        if (kept) t.any_kept += each;
        if (harmful) t.any_harmful += each;
        if (lucky) t.naive_any += each;
        t.detectable += d[0].detectable * each;
        hn_interval two = hn_two_level(a, &incumbents[0], &arms[0], w->per_cluster > 1 ? cluster : NULL, w->items, 0.95);
        double truth = gain[1] - gain[0];
        if (two.lo <= truth && truth <= two.hi) t.covered += each;
        for (int64_t i = 0; i < w->seeds * w->items; i++) x[1][i] -= d[0].detectable - truth;
        hn_decide(a, incumbents, arms, m, w->per_cluster > 1 ? cluster : NULL, w->items, 0.05, d);
        if (d[0].verdict == HN_KEPT) t.power += each;
    }
    hn_arena_free(a);
    return t;
}
