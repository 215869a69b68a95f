/* run.h - the parts of one run of `improve`: item sets, the plan, arms. Private to src/improve. */
#ifndef HN_IMPROVE_RUN_H
#define HN_IMPROVE_RUN_H
#include "improve/improve.h"

/* Held-out items. Each span of `tokens` is one item; spans of one source have one cluster and stay in one set. */
enum { HN_SET_SCREEN, HN_SET_CONFIRM, HN_SET_SEALED, HN_SETS };
/* Behind these: confirm items of each guarded gym task, that nothing kept may harm. */
enum { HN_GUARDS_MOST = 24, HN_SETS_MOST = HN_SETS + HN_GUARDS_MOST };
typedef struct hn_set {
    const char *name;
    hn_tokens tokens;
    int32_t *cluster;
    int64_t n, clusters;
    char hash[17];
    bool exact;            /* its items' values are 1 for an answer that is not all right, else 0; not bits per byte */
} hn_set;

/* The phases, in order; each has seeds of its own, so what one phase saw is never used again to judge. */
typedef enum hn_phase { HN_TUNE, HN_SCREEN, HN_CONFIRM, HN_STACK, HN_SEAL, HN_PHASES } hn_phase;
extern const char *const hn_phase_names[HN_PHASES];

/* One way to train, measured with several seeds. */
typedef struct hn_trial {
    hn_phase phase;
    const char *name;      /* in the ledger: "incumbent", "incumbent x2", "lr.0", "lr", "all", "all less ema", "start", "end" */
    const hn_lever *lever; /* NULL: none or several */
    const char *did;
    const struct hn_world *world; /* its data; NULL: the incumbent's */
    hn_settings *settings;      /* steps settled; NULL: the start's weights as they are, nothing is trained */
    double cost;                /* training FLOPs as a multiple of the incumbent's */
    double inference;           /* what an answer costs, as a multiple of one model's */
    struct hn_trial *incumbent; /* beside which it is judged */
    int64_t index, seeds;
    bool on[HN_SETS_MOST];   /* measured on these sets */
    bool ship;          /* keep each seed's model under out/work */
    double *x[HN_SETS_MOST]; /* (seeds, set.n) bits per byte, or errors */
    double *accuracy[HN_SETS_MOST]; /* (seeds) share of the tokens guessed right; of gym questions, of whole answers */
    json_t *guards;     /* what it did to guarded tasks; NULL: there are none */
    bool *failed;
    const char *error;
    double seconds, flops;
    int64_t peak_rss, steps;
} hn_trial;

/* The data that some settings ask for (world.c). */
typedef struct hn_world {
    const char *key;
    hn_dataset data;
    hn_tokens set[HN_SETS_MOST]; /* the same items, in its tokens */
    const struct hn_world *next;
} hn_world;

typedef struct hn_runner {
    hn_arena *a;
    hn_settings *base; /* the incumbent's settings: learning rate tuned, steps planned */
    const hn_improve_params *p;
    const hn_budget_params *budget;
    const char *ledger_at;                 /* opens the ledger; may hold a password */
    const char *out, *ledger_path, *owner; /* ledger_path: for people; owner: who this process is to others on the ledger (claim.c) */
    bool ended;                            /* another process has ended the run */
    bool join;                             /* go on with a run that others may work on, too */
    int64_t done_here;                     /* trainings */
    const char *conflicts;                 /* between kept levers, in words; NULL or "": none */
    int64_t context;
    const hn_world *worlds;
    uint64_t seed;
    hn_dataset data;   /* data.valid is emptied once the sets are made: a training sees no held-out item */
    hone_model *start; /* weights to go on from, or NULL */
    hn_set set[HN_SETS_MOST];
    int n_sets;
    bool gym;          /* items are questions; else text */
    const char *unit;  /* of the metric, in words */
    hn_ledger *ledger;
    int64_t run;
    int side; /* trainings side by side */
    int64_t steps, batch_tokens;
    double flops_step; /* of the incumbent */
    const hn_lever **levers;
    int64_t n_levers; /* placebo last */
    json_t *left_out; /* what the budget was too short for: {lever, why}; NULL: nothing */
    void (*on_line)(void *user, const json_t *line);
    void *user;
    json_t *finished; /* the result of a finished run of this recipe in this folder; NULL: there is none */
} hn_runner;

static inline bool hn_is_placebo(const hn_runner *r, const hn_lever *l) { return l && l == r->levers[r->n_levers - 1]; }
/* open.c */
bool hn_runner_open(hn_runner *r, const hn_settings *s) HN_CHECK;
typedef struct hn_claims hn_claims;
bool hn_claims_open(hn_runner *r) HN_CHECK;   /* claim.c: from now on, until r's arena goes, claims of r->owner beat */
bool hn_end_claim(hn_runner *r, json_t **result) HN_CHECK;   /* is it ours to end the run? Else waits, and r->ended: *result is the run's */
void hn_nap(void);                            /* a fifth of a second */
/* world.c: made when first asked for, kept for the run. NULL: the settings ask for data that cannot be had */
const hn_world *hn_world_of(hn_runner *r, const hn_settings *s) HN_CHECK;
/* sets.c */
bool hn_sets_make(hn_runner *r) HN_CHECK;
/* gym_sets.c */
bool hn_gym_held_out(hn_runner *r, hn_data_params *d) HN_CHECK; /* gym tasks in d->train: d->valid becomes the questions of all sets */
bool hn_gym_sets(hn_runner *r) HN_CHECK;                         /* instead of hn_sets_make */
/* plan.c */
typedef struct hn_speed {
    double step_seconds, eval_tokens_per_second;
} hn_speed;
bool hn_speed_measure(hn_runner *r, hn_speed *out) HN_CHECK;
bool hn_plan_fix(hn_runner *r, const hn_speed *speed) HN_CHECK; /* levers and steps that fit the budget */
bool hn_plan_settle(hn_runner *r, hn_arena *a, hn_settings *s,
                    double cost) HN_CHECK; /* sets train.steps so that FLOPs = cost × incumbent's */
json_t *hn_plan_json(hn_runner *r, const hn_speed *speed);
/* arms.c: pulls one lever on s; cost, words and the factor of inference come back. False: it does not apply, the job's error says why. */
bool hn_lever_pull(hn_runner *r, const hn_lever *l, int64_t variant, hn_settings *s, double *cost, double *inference, const char **did) HN_CHECK;
/* finish.c: trains what the settings ask for with this seed; `screen` is what a temperature is fitted on. */
bool hn_finish(hn_runner *r, hn_arena *a, const hn_settings *s, const hn_dataset *d, const hn_tokens *screen, uint64_t seed, hn_train_result *out,
               hone_model **model) HN_CHECK;
/* trial.c */
hn_trial *hn_trial_new(hn_runner *r, hn_phase phase, const char *name, int64_t index, int64_t seeds);
uint64_t hn_trial_seed(const hn_runner *r, const hn_trial *t, int64_t k);
/* Whether the answer given most often to each gym question is wrong: 1 or 0 each. asked: by question, what is known already (vote.c). */
bool hn_vote(hn_arena *a, hone_model *m, const hn_tokens *t, const hn_finish_params *p, uint64_t seed, hn_map *asked, double *wrong) HN_CHECK;
const char *hn_trial_folder(const hn_runner *r, hn_arena *a, const hn_trial *t, int64_t k);
bool hn_trials_run(hn_runner *r, hn_trial **v, int64_t n) HN_CHECK;   /* trains and measures what the ledger does not hold yet */
double hn_trial_mean(const hn_runner *r, const hn_trial *t, int set); /* NaN if a seed failed */
double hn_trial_accuracy(const hn_trial *t, int set);                 /* the same of accuracy */
bool hn_trial_ok(const hn_trial *t);
bool hn_of_the_machine(hone_code code); /* a failure that says nothing about an arm */
/* tell.c */
void hn_tell_lever(hn_runner *r, const char *lever, const hn_decision *d, const char *why, const hn_trial *cost);
const char *hn_why_text(hn_arena *a, const char *unit, const hn_decision *d, const hn_trial *t, double alpha, int64_t arms);
#endif
