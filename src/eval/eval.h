/* eval.h - run a model on held-out data; statistics; the ledger; the report. */
#ifndef HN_EVAL_H
#define HN_EVAL_H
#include "model/model.h"

/* ---- lm.c: language-model loss over windows of `context`, which do not overlap or slide by items->stride; each span by itself, so every
 * token of a span but its first is predicted once. ---- */
typedef struct hn_lm_result { double loss /* nats per token */, perplexity, bits_per_byte, accuracy /* share of tokens with the largest logit */;
                              double stderr_ /* of loss, clustered */; int64_t tokens /* predicted */, bytes /* of those */; } hn_lm_result;
/* Items: each span of `t`, or each chunk of `item_tokens` predicted tokens of it when > 0 (a last chunk shorter than half joins the one
 * before). Set item_tokens and stride (0: windows do not overlap), the rest is filled. doc: the document of each. cluster: the document where spans come from several, else the span, else the item. */
typedef struct hn_items { int64_t item_tokens, stride; double *bits_per_byte, *loss /* nats per token */, *accuracy; int64_t *tokens, *bytes; int32_t *cluster, *doc; int64_t n; } hn_items;
bool hn_eval_lm(hn_arena *a, hone_model *m, const hn_tokens *t, int64_t context, int64_t batch, hn_lm_result *out, hn_items *items /* or NULL */) HN_CHECK;
/* The same on a tape of the caller's, over about max_tokens of t, evenly spread (0: all; must be 0 with items). */
bool hn_eval_lm_on(hn_arena *a, hone_tape *tape, hone_model *m, const hn_tokens *t, int64_t context, int64_t batch, int64_t max_tokens,
                   hn_lm_result *out, hn_items *items) HN_CHECK;

/* ---- stats.c: pure functions, no allocation unless an arena is taken ---- */
double hn_mean(const double *x, int64_t n), hn_var(const double *x, int64_t n);   /* unbiased; n < 2 → 0 */
double hn_norm_cdf(double z), hn_norm_quantile(double p);
double hn_t_cdf(double t, double df), hn_t_quantile(double p, double df);
double hn_chi2_cdf(double x, double df), hn_binom_cdf(int64_t k, int64_t n, double p);
typedef struct hn_interval { double mean, lo, hi, se, df; } hn_interval;
hn_interval hn_t_interval(const double *x, int64_t n, double level);
/* Paired difference of items, standard error clustered (Miller 2024, arXiv 2411.00640); cluster NULL: each item its own. */
hn_interval hn_paired(const double *a, const double *b, const int32_t *cluster, int64_t n, double level);
double hn_mcnemar_exact(int64_t only_a, int64_t only_b);                          /* two-sided binomial p */
double hn_two_proportions_z(int64_t a, int64_t b, int64_t n);                     /* unpaired two-sided p, for comparison */
hn_interval hn_wilson(int64_t successes, int64_t n, double level);
void hn_holm(const double *p, int64_t n, double *adjusted);                       /* Holm 1979 */
void hn_benjamini_hochberg(const double *p, int64_t n, double *adjusted);
hn_interval hn_bootstrap_bca(hn_arena *a, const double *d, const int32_t *cluster, int64_t n, double level, int64_t draws, uint64_t seed);   /* Efron 1987; resamples clusters */

/* The decision of `improve`. Loss: lower is better. An arm has S seeds × n items of losses, x[s*n + i].
 * fixed: a model that nothing trained: measured again it would say the same, so it has no spread from seed to seed. */
typedef struct hn_arm { const char *name; const double *x; int64_t seeds; bool fixed; } hn_arm;
typedef enum hn_verdict { HN_KEPT, HN_HARMFUL, HN_UNDECIDED, HN_FAILED } hn_verdict;
const char *hn_verdict_name(hn_verdict v);
typedef struct hn_decision {
    double difference;           /* incumbent − arm: positive is better */
    double se, df, t, p, p_adjusted;          /* one-sided for better; Holm over the arms */
    double p_harm, p_harm_adjusted;           /* one-sided for worse; Holm too */
    double lo, hi;               /* two-sided 95 % interval of the difference */
    double detectable;           /* smallest true gain that this run would have kept with 80 % power */
    double seed_var, item_var;   /* s² used, the mean of both sides (a fixed one's is 0); sd²(dᵢ) (per cluster) */
    hn_verdict verdict;
} hn_decision;
/* V = 2 s²/S + sd²(dᵢ)/n; s² the larger of the seed variance pooled over all arms (incumbent too) and the arm's own;
 * Satterthwaite degrees of freedom; Holm over the arms at alpha. A fixed side has no s². out[n_arms]. cluster (n) or NULL. incumbents[k] is arm k's own
 * incumbent (levers that cost more are judged beside an incumbent given the same extra cost). */
void hn_decide(hn_arena *a, const hn_arm *incumbents, const hn_arm *arms, int64_t n_arms, const int32_t *cluster, int64_t n, double alpha, hn_decision *out);
/* The level of an arm as hn_decide has it: mean over seeds and units, so that two levels differ by the difference that is judged. */
double hn_arm_level(hn_arena *a, const hn_arm *arm, const int32_t *cluster, int64_t n);
hn_interval hn_two_level(hn_arena *a, const hn_arm *from, const hn_arm *to, const int32_t *cluster, int64_t n, double level);   /* seeds and items: difference from − to */

/* ---- ledger.c: a file of SQLite, or a PostgreSQL database by URL. One ledger may hold several runs. All numbers of the report come from here. Schema: ledger.c ---- */
typedef struct hn_ledger hn_ledger;
enum { HN_LEDGER_VERSION = 1 };
hn_ledger *hn_ledger_open(hn_arena *a, const char *path /* or URL */, bool read_only) HN_CHECK;   /* a newer version or a foreign file: E_MODEL */
const char *hn_ledger_name(const hn_ledger *l);           /* its path, or its URL without password */
/* ledger_of.c: where the run of a folder keeps its ledger: ledger.sqlite in it, or what ledger.url names, and the run's number (else 0). */
bool hn_ledger_of(hn_arena *a, const char *dir, const char **path, int64_t *run) HN_CHECK;
bool hn_ledger_of_put(hn_arena *a, const char *dir, const hn_ledger *l, int64_t run) HN_CHECK;
hn_db *hn_ledger_db(hn_ledger *l);
/* runs(id, started, finished, state, recipe, plan, plan_hash, machine, version, seed, metric, sealed_hash, result) */
bool hn_ledger_run_begin(hn_ledger *l, const char *recipe_yaml, const json_t *plan, const json_t *machine, uint64_t seed, int64_t *run) HN_CHECK;
/* What is done stays done. */
bool hn_ledger_run_end(hn_ledger *l, int64_t run, const char *state /* done|failed|interrupted */, const json_t *result) HN_CHECK;
/* measurements(run, phase, arm, seed, set_name, state, seconds, flops, peak_rss, steps, tokens, train_loss, recipe, error, extra) — one training measured on one item set; unique (run, phase, arm, seed, set_name).
 * Items' losses are a blob of doubles (little endian) with their count; curves a blob of (step, train, valid) triples; extra is JSON:
 * "accuracy" of each item, in the same order. */
typedef struct hn_measure {
    const char *phase, *arm, *set_name; int64_t seed; const char *state /* done|failed */, *error, *recipe;
    double seconds, flops; int64_t peak_rss, steps, tokens; double loss, accuracy, train_loss;
    const double *items; int64_t n_items; const double *curve; int64_t n_curve /* triples */; const json_t *extra;
} hn_measure;
bool hn_ledger_put(hn_ledger *l, int64_t run, const hn_measure *m) HN_CHECK;           /* replaces nothing: a second put of the same key is an error */
bool hn_ledger_get(hn_arena *a, hn_ledger *l, int64_t run, const char *phase, const char *arm, int64_t seed, const char *set_name, hn_measure *out, bool *found) HN_CHECK;
/* decisions(run, phase, lever, verdict, difference, lo, hi, p, p_adjusted, detectable, why, seconds, flops, peak_rss, data json) */
bool hn_ledger_decide(hn_ledger *l, int64_t run, const char *phase, const char *lever, const hn_decision *d, const char *why, double seconds, double flops, int64_t peak_rss) HN_CHECK;
/* files(run, path, bytes, hash, role): data checksums. sealed(hash, run, opened): each opening of a sealed set. */
/* Did a run that is not done see other bytes under this path? */
bool hn_ledger_file_changed(hn_ledger *l, int64_t run /* looked at alone in a ledger on a server, where others are strangers */, const char *path, uint64_t hash, bool *changed) HN_CHECK;
bool hn_ledger_file(hn_ledger *l, int64_t run, const char *path, int64_t bytes, uint64_t hash, const char *role) HN_CHECK;
bool hn_ledger_seal_open(hn_ledger *l, int64_t run, const char *hash, int64_t *times_before) HN_CHECK;   /* counts this opening; warns when opened before */
json_t *hn_ledger_export(hn_arena *a, hn_ledger *l, int64_t run) HN_CHECK;             /* everything of a run as JSON; run 0: the newest */
/* The newest run of this recipe that is not done; *run 0: none. *plan is what it had fixed. */
/* The newest finished run: its result, and whether its recipe was this one. *run 0: there is none. */
bool hn_ledger_run_finished(hn_arena *a, hn_ledger *l, const char *recipe_yaml, int64_t *run, bool *same, json_t **result) HN_CHECK;
bool hn_ledger_run_unfinished(hn_arena *a, hn_ledger *l, const char *recipe_yaml, int64_t *run, json_t **plan) HN_CHECK;
bool hn_ledger_note(hn_ledger *l, int64_t run, const char *key, const char *text) HN_CHECK;   /* notes(run, key, text): "sample start", "sample end" … */
/* claims.c: several processes on one run. `work` names a training, or what else only one shall do; `me` is hn_claim_owner's. */
bool hn_ledger_claims_begin(hn_ledger *l) HN_CHECK;
const char *hn_claim_owner(hn_arena *a);
bool hn_ledger_claim_held(hn_arena *a, hn_ledger *l, int64_t run, const char *work, const char *me, bool *held) HN_CHECK;   /* by another who lives */
bool hn_ledger_claim(hn_arena *a, hn_ledger *l, int64_t run, const char *work, const char *me, bool *mine) HN_CHECK;
bool hn_ledger_claims_beat(hn_ledger *l, const char *me) HN_CHECK;
bool hn_ledger_claims_drop(hn_ledger *l, const char *me) HN_CHECK;
bool hn_ledger_run_newest(hn_arena *a, hn_ledger *l, const char *recipe_yaml, int64_t *run) HN_CHECK;   /* *run 0: none */
/* *result: the last line of a run that is done, or NULL. */
bool hn_ledger_run_done(hn_arena *a, hn_ledger *l, int64_t run, bool *done, json_t **result) HN_CHECK;
int64_t hn_ledger_latest(hn_ledger *l);                                                 /* 0: none */

/* ---- report.c: one self-contained HTML file, or a Markdown table, from the ledger alone ---- */
bool hn_report_html(hn_arena *a, hn_ledger *l, int64_t run, const char *path) HN_CHECK;
const char *hn_report_markdown(hn_arena *a, hn_ledger *l, int64_t run) HN_CHECK;
/* Two runs side by side (versus.c). */
typedef struct hn_side { const char *name; hn_ledger *ledger; int64_t run; } hn_side;
bool hn_versus_html(hn_arena *a, const hn_side side[2], const char *path) HN_CHECK;
const char *hn_versus_markdown(hn_arena *a, const hn_side side[2]) HN_CHECK;
const char *hn_report_svg_levers(hn_arena *a, hn_ledger *l, int64_t run) HN_CHECK;     /* the forest plot alone, for README */
const char *hn_report_text(hn_arena *a, hn_ledger *l, int64_t run) HN_CHECK;           /* the table for a terminal (ledger show) */
#endif
