/* train.h - one step, many steps, and going on where one was killed. */
#ifndef HN_TRAIN_H
#define HN_TRAIN_H
#include "eval/eval.h"

/* ---- the `train`, `optim` and `sched` sections ---- */
typedef struct hn_train_params {
    int64_t steps;               /* optimizer steps; 0 with flops > 0: as many as the FLOPs pay for */
    double flops;                /* training FLOPs to spend; 0: by steps */
    int64_t batch;               /* windows per step and accumulation */
    int64_t accumulate;          /* micro-batches per step; the loss is divided by the tokens of all of them */
    double clip;                 /* global gradient norm; 0: off */
    double label_smoothing;      /* of the training loss; evaluation is always plain */
    double l1;                   /* decoupled: matrices shrink towards 0 by lr·l1 each step; 0: off */
    double max_norm;             /* bound on the norm of each unit's incoming weights; 0: off */
    double ema;                  /* decay of the average of weights that is evaluated and shipped; 0: off */
    const char *order;           /* epochs|random */
    double mix;                  /* weight of a source (a file): size^mix; 1: by size */
    double curriculum;           /* share of the steps over which ever harder text is admitted; 0: all at once */
    int64_t eval_every;          /* steps; 0: at the end only */
    int64_t eval_tokens;         /* of validation per evaluation while training; 0: all */
    int64_t patience;            /* evaluations without a better one before stopping; 0: off */
    bool recompute;              /* layers keep their input only; backward runs them anew */
    const char *dtype;           /* of the activations while training: f32|bf16 */
    int64_t save_every;          /* steps between checkpoints; 0: at the end and on a stop only */
} hn_train_params;
typedef struct hn_optim_params { const char *name; hn_strs groups; } hn_optim_params;     /* variant: kind `optim` */
typedef struct hn_sched_params { const char *name; int64_t warmup; double min_ratio; int64_t steps; /* its length; 0: the training's */ } hn_sched_params;   /* variant: kind `sched`; the optimizer's lr is the peak */
/* A tape as the recipe wants it, for steps; evaluation on it is f32 all the same. */
hone_tape *hn_train_tape(hone_job *job, const hn_train_params *p, const char *backend) HN_CHECK;
/* NULL, or that this CPU cannot multiply in the type asked for. */
const char *hn_train_dtype_note(const hn_train_params *p);
extern const hn_section hn_section_train, hn_section_optim, hn_section_sched;

/* ---- optimizers ---- */
/* What a step of one weight goes by. */
typedef struct hn_optim_state {
    int64_t step;                /* from 1 */
    double lr, share;            /* this step's rate of this weight; share: what the schedule and its group make of the peak */
    double decay;                /* of this weight; 0: none */
    double grad_scale;           /* clipping folded in */
    hn_pool *pool;               /* for `whole` */
    const void *params;
} hn_optim_state;
typedef struct hn_optim {
    hn_item item;
    int states;                                        /* arrays kept for a weight, at most HN_MAX_STATES */
    int64_t lr_offset, decay_offset;                   /* of `double lr` and `double weight_decay` in its struct */
    /* Element by element: may be called on any part of a weight, from a pool task. */
    void (*step)(const hn_optim_state *s, float *w, const float *g, float *const *state, int64_t n);
    /* The rest may be NULL: what must see a weight as a whole. */
    bool (*takes_whole)(const void *params, const hn_weight *w);
    int64_t (*state_count)(const void *params, const hn_weight *w, int k);     /* elements of array k, 0: none; NULL: as the weight's */
    int64_t (*scratch)(const void *params, const hn_weight *w);                /* floats, 64-byte aligned; not kept between weights */
    void (*whole)(const hn_optim_state *s, const hn_weight *w, float *const *state, float *scratch);
    double (*flops)(const void *params, const hn_weight *w);                   /* of the products that `whole` does in a step */
} hn_optim;
int64_t hn_optim_count(const hn_optim *o, const void *params, const hn_weight *w, int k);   /* elements of state k of a weight */
int64_t hn_optim_scratch(const hn_optim *o, const void *params, const hone_model *m);       /* floats: the most that a weight needs */
double hn_optim_flops(const hn_optim *o, const void *params, const hone_model *m);          /* of a step: products, 0 for most optimizers */
extern const hn_kind hn_kind_optim;
typedef struct hn_sched { hn_item item; double (*factor)(int64_t step, int64_t steps, const hn_sched_params *s, const void *params); } hn_sched;   /* step from 0; warm-up applied by the caller */
extern const hn_kind hn_kind_sched;
double hn_sched_factor(const hn_settings *s, int64_t step, int64_t steps);

/* ---- the trainer ---- */
typedef struct hn_curve_point { int64_t step; double train, valid /* NaN: not measured */, seconds; } hn_curve_point;
typedef struct hn_train_result {
    int64_t step, tokens; double train_loss, valid_loss, bits_per_byte, accuracy, tokens_per_second, seconds, flops; int64_t peak_rss;
    hn_curve_point *curve; int64_t n_curve;
    bool stopped_early; int64_t best_step;
} hn_train_result;

typedef struct hn_trainer hn_trainer;
/* From settings (sections model, data, train, optim, sched and the top level's seed) and a loaded data set. start: weights to go on from, or NULL. */
hn_trainer *hn_trainer_new(hn_arena *a, const hn_settings *s, const hn_dataset *d, const hone_model *start, uint64_t seed) HN_CHECK;
hone_model *hn_trainer_model(hn_trainer *t);
hone_tape *hn_trainer_tape(hn_trainer *t);                              /* the one its steps run on, for a watch */
/* Runs to the end. out_dir NULL: nothing is written (arms of improve). Otherwise checkpoint/ and best/ are kept there. Interrupted: E_INTERRUPTED after saving. */
bool hn_trainer_run(hn_trainer *t, const char *out_dir, hn_train_result *out) HN_CHECK;
/* Trains for the share `branch` of the steps, then goes on from there n times, each with batches and dropout of its own; the model's weights
 * become the mean of the n ends (hn_soup). branch 0 is for given start weights: trainings that begin by themselves are refused. */
bool hn_trainer_soup(hn_trainer *t, double branch, int64_t n, hn_train_result *out) HN_CHECK;
bool hn_trainer_step(hn_trainer *t, double *loss) HN_CHECK;            /* one optimizer step; NaN: E_NUMERIC naming operator, layer and step after a replay under `check` */
bool hn_trainer_save(hn_trainer *t, const char *out_dir) HN_CHECK;     /* checkpoint/: written new, synced, renamed */
bool hn_trainer_load(hn_trainer *t, const char *out_dir) HN_CHECK;     /* the newest whole checkpoint */
void hn_trainer_use_ema(hn_trainer *t);                                 /* the model's weights become the average, where there is one */

/* --plan: what a run will need, from the null backend. */
typedef struct hn_plan { int64_t parameters, steps, tokens_per_step; double flops_step, flops_total; int64_t bytes_weights, bytes_grads, bytes_states, bytes_activations, bytes_data, bytes_base, bytes_peak; } hn_plan;
bool hn_plan_make(hn_arena *a, const hn_settings *s, const hn_dataset *d /* or NULL with vocab */, int64_t vocab, const hone_model *start /* or NULL: model.path's */,
                  hn_plan *out) HN_CHECK;
#endif
