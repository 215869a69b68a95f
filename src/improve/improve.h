/* improve.h - the main job: try levers, keep what is proven.
 *
 * A lever is a function from the incumbent's settings to a candidate's. It never trains or measures by itself: improve.c
 * gives every arm the same training FLOPs, the same seeds and the same items, and decides by hn_decide. */
#ifndef HN_IMPROVE_H
#define HN_IMPROVE_H
#include "train/train.h"

typedef struct hn_improve_params {
    hn_strs levers;              /* names of the kind `lever`; placebo is always among them */
    double alpha;                /* 0.05 */
    int64_t screen_seeds, confirm_seeds;   /* 2 and 4 */
    int64_t confirm_arms;        /* how many go on from the screen, besides placebo: 3 */
    int64_t side_by_side;        /* trainings at once; 0: one per core */
    bool tune;                   /* tune the incumbent's learning rate before anything is tried */
    bool allow_cost;             /* keep levers that cost more training or inference when they beat an incumbent given the same */
    double held_out;             /* share of the text held out for items, when the data section gives no validation files */
    int64_t held_out_bytes;      /* and no more than this */
    int64_t item_tokens;         /* longer held-out pieces make several items of one cluster */
    const char *warm_start;      /* model that the lever warm-start begins from; "": none */
    hn_strs more_data;           /* text that the lever more-data learns from, too; none: it does not apply */
    const char *ledger;          /* URL; "": the folder's. Never written down with its password: hn_runner_open takes it out of the recipe */
    int64_t min_steps;           /* rather fewer levers than fewer steps */
    int64_t max_steps;           /* no more than this, however fast the machine; 0: no limit */
    const char *metric;          /* of verdicts: bits_per_byte | error_rate (share of gym questions not answered right) */
    const char *primary;         /* gym task that verdicts are of, the others guarded; "": all together, each guarded */
    int64_t items;               /* of each gym task in each set; 0: 300, or as many as there are */
    bool confirm_worst;          /* the lever that looked worst in the screen goes on too, so that harm is told */
} hn_improve_params;
typedef struct hn_budget_params { double seconds; int64_t steps; /* of the incumbent; 0: from seconds */ } hn_budget_params;
/* What is made of the trainings (finish.c): a soup in each member, an ensemble of the members, one temperature; and how its answers are
 * asked for (vote.c): the likeliest, or the one given most often of so many. */
typedef struct hn_finish_params { int64_t ensemble, soup; double branch, calibrate; int64_t votes; double vote_temperature; } hn_finish_params;
extern const hn_section hn_section_improve, hn_section_budget, hn_section_finish;
const hn_finish_params *hn_finish_wanted(hn_arena *a, const hn_settings *s);   /* a recipe without the section: one training, nothing more */
double hn_finish_units(const hn_finish_params *p);                             /* FLOPs of all of it, as a multiple of one training's */
/* Fits 1/temperature to the least loss of about `most` tokens of the items (0: all) and writes the share of it into m. */
typedef struct hn_calibration { double temperature; int64_t evaluations; } hn_calibration;
bool hn_calibrate(hn_arena *a, hone_model *m, const hn_tokens *items, int64_t batch, int64_t most, double share, hn_calibration *out) HN_CHECK;

typedef struct hn_lever_call {
    hn_arena *a;
    hn_settings *candidate;      /* a clone of the incumbent's settings: change it */
    const void *params;          /* the lever's own struct */
    int64_t variant;             /* which of its settings, 0 ≤ variant < HN_LEVER_VARIANTS */
    const char *name;
    double cost;                 /* out: training FLOPs as a multiple of the incumbent's; 1 on entry */
    double inference;            /* out: what an answer costs, as a multiple of the candidate's without it; 1 on entry. Told, not judged */
    const char *did;             /* out: what it changed, in words: "optim.lr 0.001 → 0.002" */
} hn_lever_call;
/* Every lever tries this many settings in the screen, placebo too: none gets more chances than another. */
enum { HN_LEVER_VARIANTS = 2 };
typedef struct hn_lever {
    hn_item item;
    const char *acts_on;         /* "recipe" | "data" | "weights" | "inference" */
    bool costs_more;             /* some variant sets cost > 1: it is then judged beside an incumbent given as much */
    bool unscreened;             /* the screen's bits do not see it: its first setting goes to confirm as it is */
    bool (*apply)(hn_lever_call *c) HN_CHECK;      /* false: it cannot be applied here (the job's error says why) */
} hn_lever;
extern const hn_kind hn_kind_lever;
/* What levers share (lever.c): */
bool hn_lever_set(hn_lever_call *c, const char *key, double value) HN_CHECK;
bool hn_lever_variant(hn_lever_call *c, const hn_strs *values, double above, double *out) HN_CHECK;   /* the variant's number; must be > above */
bool hn_lever_get(hn_lever_call *c, const char *key, double *out) HN_CHECK;      /* fails: this model has no such setting */
bool hn_lever_misfit(hn_lever_call *c, const char *why) HN_CHECK;                  /* false: "the lever does not apply: …" */
bool hn_lever_from_scratch(hn_lever_call *c) HN_CHECK;                           /* fails when training starts from given weights */

extern const char hn_recipe_text[];         /* recipes/text.yaml, the preset of the command (preset.c) */
/* Runs or resumes the job in `out`; the result is in out/ledger.sqlite, out/best, out/report.html. resume: go on from the ledger there. */
bool hn_improve_run(hn_arena *a, const hn_settings *s, const char *out, void (*on_line)(void *user, const json_t *line), void *user) HN_CHECK;
/* The same on a run that was begun, beside whoever works on it; a run that is done tells its last line. */
bool hn_improve_join(hn_arena *a, const hn_settings *s, const char *out, void (*on_line)(void *user, const json_t *line), void *user) HN_CHECK;
#endif
