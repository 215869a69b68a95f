/* phase.h - what the phases of one run hand on to each other. Private to src/improve. */
#ifndef HN_IMPROVE_PHASE_H
#define HN_IMPROVE_PHASE_H
#include "improve/run.h"

/* The arms of one phase. A lever that costs more is judged beside an incumbent given as much: `dear`, one for each cost. */
typedef struct hn_arms {
    HN_VEC(hn_trial *) all;
    int64_t next_index; /* an arm's seeds follow from it */
    hn_trial *base;     /* the incumbent */
    HN_VEC(hn_trial *) dear;
} hn_arms;

/* What the screen says of one lever: its best setting. */
typedef struct hn_choice {
    const hn_lever *lever;
    int64_t variant;
    double gain;
    hn_trial *trial; /* NULL: it does not apply or failed, for the reason `why` */
    const char *why;
} hn_choice;

/* The confirmed arms and their verdicts. */
typedef struct hn_verdicts {
    hn_trial **arm;
    hn_decision *d;
    int64_t n;
    const hn_choice **from; /* NULL for `again` */
    hn_trial *asis, *again; /* starting from a model: left alone, and trained on; else NULL */
} hn_verdicts;

typedef HN_VEC(const hn_choice *) hn_kept_levers;

/* arms.c: each makes an arm of `phase`, measured on `set` with `seeds` seeds, its steps settled. */
hn_trial *hn_arm_base(hn_runner *r, hn_arms *v, hn_phase phase, const char *name, int64_t seeds, int set); /* not yet in v->all */
bool hn_arm_lever(hn_runner *r, hn_arms *v, hn_phase phase, const hn_lever *l, int64_t variant, const char *name, int64_t seeds, int set,
                  hn_trial **out, const char **why) HN_CHECK;
bool hn_arm_stack(hn_runner *r, hn_arms *v, const hn_kept_levers *k, int64_t skip, hn_phase phase, const char *name, int64_t seeds, int set,
                  hn_trial **out) HN_CHECK;
hn_arm hn_arm_measured(const hn_runner *r, const hn_trial *t, int set);
/* A decision with its difference and nothing else: no claim. */
hn_decision hn_no_claim(double difference, hn_verdict verdict);
hn_decision hn_from_interval(const hn_interval *i, hn_verdict verdict);
bool hn_record(hn_runner *r, hn_phase phase, const char *lever, const hn_decision *d, const char *why, const hn_trial *t) HN_CHECK;

/* interact.c */
const char *hn_conflicts(hn_runner *r, const hn_kept_levers *k); /* in words, a line each; "": none */
bool hn_arm_swapped(hn_runner *r, hn_arms *v, const hn_kept_levers *k, const hn_trial *all, int64_t seeds, hn_trial **out) HN_CHECK;
bool hn_swapped_tell(hn_runner *r, const hn_kept_levers *k, const hn_trial *all, const hn_trial *swapped) HN_CHECK;

/* The phases, in order. */
bool hn_tune(hn_runner *r) HN_CHECK;
bool hn_screen(hn_runner *r, hn_choice *out) HN_CHECK; /* out[r->n_levers], sorted by gain */
bool hn_confirm(hn_runner *r, hn_choice *c, hn_verdicts *out) HN_CHECK;
/* guard.c: verdicts on each guarded task, (guards, v->n); and what of it touches arm i: one that is proven to harm a task is not kept. */
hn_decision *hn_guards_decide(hn_runner *r, const hn_verdicts *v);
bool hn_guards_tell(hn_runner *r, const hn_decision *guard, hn_verdicts *v, int64_t i, const char **why) HN_CHECK;
bool hn_stack(hn_runner *r, hn_kept_levers *k) HN_CHECK; /* drops a lever whose removal looks better */
bool hn_seal(hn_runner *r, const hn_kept_levers *k, const hn_verdicts *v, json_t **result) HN_CHECK;
#endif
