/* world.h - a made-up world of trainings whose truth is known, judged by the real decision code.
 *
 * loss[arm, seed, item] = item + arm×item + seed + noise − gain[arm]; all normal. Under the null every gain is zero, so each "kept" is
 * false. `scale[arm]` stretches the arm's seed spread: unequal arms. Used by tests/test_decide.c (few worlds) and tests/sim/simulate.c. */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H
#include "eval/eval.h"

enum { WORLD_ARMS = 5 }; /* the incumbent, three levers, placebo */
typedef struct world {
    const char *name;
    int64_t seeds, items;
    double item_sd, seed_sd, noise_sd; /* of the arm×item effect, of a seed's mean, of one training on one item */
    double scale[WORLD_ARMS];          /* of the seed spread; scale[0] is the incumbent's */
    int64_t per_cluster;               /* items that share their arm×item effect; 1: independent */
    bool fixed;                        /* the incumbent is a model as it is: one measurement, no seed */
} world;
/* What came out of `worlds` worlds. Rates are shares of worlds. */
typedef struct tally {
    int64_t worlds;
    double any_kept, arm_kept[WORLD_ARMS], any_harmful; /* null: all false */
    double detectable;                                  /* mean over worlds, arm 1 */
    double power;                                       /* kept, when arm 1 is given in each world the gain that its run calls detectable */
    double naive;                                       /* one run each, keep arm 1 if better */
    double naive_any;                                   /* one run each, at least one of the four arms kept */
    double covered;                                     /* hn_two_level's 95 % interval of incumbent − arm 1 holds the truth */
} tally;
tally simulate(hn_arena *a, const world *w, const double gain[WORLD_ARMS], int64_t worlds, uint64_t seed);
#endif
