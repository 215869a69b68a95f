/* trainer.h - the state of a training, private to src/train.
 *
 * Invariant between steps: gradients are zero; weights, states, averages, counters and sums are a function of (settings, data, seed,
 * step) alone. All of it is in a checkpoint, so going on from one is bit for bit. */
#ifndef HN_TRAINER_H
#define HN_TRAINER_H
#include "train/train.h"

enum { HN_UPDATE_PART = 16384, HN_MAX_STATES = 4 };   /* elements of one task: 256 KiB of w, g, m, v stay in a core's L2 */

typedef struct hn_part { int32_t weight; int64_t start, n; } hn_part;

/* How one weight is updated. */
typedef struct hn_weight_rule {
    double lr;                                         /* factor of the optimizer's */
    double decay;                                      /* 0: none */
    bool whole;                                        /* by the optimizer's `whole`, not `step` */
} hn_weight_rule;

/* The numbers that a checkpoint keeps beside the tensors. */
typedef struct hn_progress_state {
    int64_t step, tokens, best_step, evals_without_better;
    double flops, seconds, best_loss /* NaN: none yet */;
    double sum_loss; int64_t sum_steps;                /* of steps since the last point of the curve */
    double last_loss;                                  /* the last point's, or NaN */
    bool stopped_early;
} hn_progress_state;

struct hn_trainer {
    hn_arena *a;
    const hn_settings *s;
    const hn_train_params *p;
    const hn_dataset *d;
    const hn_optim *optim;
    const void *optim_params;
    uint64_t seed;
    int64_t steps;                                     /* to do in all */
    int64_t T;                                         /* tokens of a row: data.max_length, or the model's context */
    int64_t until;                                     /* where hn_trainer_go halts; 0: at the end */
    hone_model *m;
    hn_weight *w; int64_t n_w;                         /* what is trained: the model's weights, or its adapter's */
    uint64_t base_hash;                                /* of weights that stay as they are; 0: none do */
    hone_tape *tape;
    hn_batches *batches;                               /* NULL: rows are packed */
    hn_packed *packed;                                 /* data.pack; else NULL */
    int32_t *x, *y;                                    /* (accumulate,B,T) */
    int32_t *documents, *positions;                    /* (accumulate,B,T) of packed rows, or NULL */
    hn_weight_rule *rule;                              /* (n_w) */
    float **state;                                     /* (n_w × optim->states); NULL where the optimizer keeps none */
    float *scratch;                                    /* of updates of whole weights, or NULL */
    double **column_squares;                           /* (n_w) room for hn_bound_norms, or NULL where nothing is bound */
    float **average;                                   /* (n_w), or NULL */
    float **best;                                      /* (n_w) weights of the best evaluation, or NULL where none are made */
    hn_part *part; int64_t n_parts;
    double *squares;                                   /* (n_parts) */
    hn_progress_state now;
    HN_VEC(hn_curve_point) curve;
    bool loaded, tokenizer_saved, given;               /* given: it goes on from weights that were there */
};

bool hn_trainer_rules(hn_arena *a, const hn_settings *s, const hone_model *m, hn_weight_rule *rule) HN_CHECK;   /* rule (n_w), from optim.groups */
bool hn_trainer_packs(const hn_settings *s);                       /* data.pack */
int64_t hn_trainer_row(const hn_settings *s, const hone_model *m);   /* tokens of a row */
bool hn_trainer_step_on(hn_trainer *t, double *loss) HN_CHECK;     /* one step on the batch that stands in x and y */

bool hn_trainer_batches(hn_trainer *t) HN_CHECK;                   /* anew, by t->seed */
bool hn_trainer_go(hn_trainer *t, const char *out_dir) HN_CHECK;   /* the steps up to `until`, or to the end */
void hn_trainer_settle(hn_trainer *t);                             /* the weights become what is shipped: the best, or the average */
void hn_trainer_tell(const hn_trainer *t, hn_train_result *out);   /* nothing of held-out text in it */

/* bound.c */
bool hn_bound_takes(const hn_weight *w);                                           /* is it a map between hidden layers? */
void hn_bound_shrink(float *w, int64_t n, float by);                               /* each element towards 0 by at most `by` */
void hn_bound_norms(const hn_weight *w, float most, double *squares /* (cols) */); /* each unit's incoming norm ≤ most */

float **hn_trainer_copies(hn_arena *a, const hone_model *m, bool copy);            /* (n_w) arrays shaped as the weights */
void hn_trainer_take(hone_model *m, float *const *from);                           /* weights := from */
void hn_trainer_keep(float *const *to, const hone_model *m);                       /* to := weights */

bool hn_plan_model(hn_arena *a, const hn_settings *s, const hn_dataset *d, hone_model *m /* null storage */, hn_plan *out) HN_CHECK;

/* Checkpoint as parsed: everything checked against itself, not yet against a trainer. */
typedef struct hn_checkpoint { hn_st tensors; json_t *state; } hn_checkpoint;
bool hn_checkpoint_parse(hn_arena *a, const char *where, hn_bytes file, hn_checkpoint *out) HN_CHECK;
#endif
