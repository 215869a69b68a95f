/* task.h - tasks as data: a pack (folder with task.yaml, or that file) and its items; run on a model, scored by metrics.
 *
 *     task.yaml + items → pack → requests → answers (one an item) → filters → metrics: a value an item, and their total
 *
 * Keys and meanings are those of EleutherAI's lm-evaluation-harness where both have them. Kinds: `task` (output types), `metric`,
 * `filter`. Nothing here knows of commands; `improve` and trainers use hn_pack_load and hn_task_run alike. */
#ifndef HN_TASK_H
#define HN_TASK_H
#include "base/yaml.h"
#include "eval/eval.h"
#include "eval/template.h"

/* ---- items.c, csv.c: rows of .jsonl, .csv, .tsv, .txt (also .gz, .zst) as JSON objects ---- */
typedef struct hn_pack_item { json_t *fields; int64_t line; const char *id; int32_t cluster; } hn_pack_item;
typedef struct hn_sheet { const char *path; hn_pack_item *v; int64_t n; json_t *known /* every field that a row has */; } hn_sheet;
bool hn_sheet_read(hn_arena *a, const char *path, const hn_strs *columns /* of a table without a head; n 0: the first row is the head */,
                  hn_sheet *out) HN_CHECK;
bool hn_sheet_parse(hn_arena *a, const char *path, hn_bytes text, const hn_strs *columns, hn_sheet *out) HN_CHECK;   /* by the path's ending */
/* separator ',' with RFC 4180's quotes, or '\t' without any. Cells are valid as long as a. */
typedef struct hn_csv_row { const char **cell; int64_t n, line; } hn_csv_row;
bool hn_csv_parse(hn_arena *a, const char *path, hn_bytes text, char separator, hn_csv_row **rows, int64_t *n) HN_CHECK;

/* ---- answers: what a model did with one item ---- */
typedef struct hn_answer {
    int64_t n;                                     /* continuations looked at: choices, or 1 */
    const double *loglik;                          /* (n) natural logs, summed over tokens */
    const bool *greedy;                            /* (n) each of its tokens was the likeliest */
    const char *const *choice;                     /* (n) */
    const int64_t *gold; int64_t n_gold;           /* right choices; none: nothing can be right */
    const char *text;                              /* generated, after the filter */
    const char *const *target; int64_t n_target;   /* accepted texts */
    int64_t words, bytes;                          /* of a rolling text */
    const json_t *fields; const char *where;       /* the item as its file has it, of a generated text */
} hn_answer;

/* ---- kind `metric` (metric/) ---- */
typedef struct hn_total { const hn_answer *x; const double *v; const int64_t *pick; int64_t n; } hn_total;   /* over x[pick[i]], v[pick[i]] */
typedef struct hn_metric_item {
    hn_item item;
    const char *of;                                /* output types it can be had of, with blanks between */
    bool higher_is_better;
    bool (*value)(hn_arena *a, const void *params, const hn_answer *x, double *out);   /* of one item; false: refused, error set */
    double (*total)(hn_arena *a, const hn_total *t);                                 /* NULL: the mean */
    const char *(*why)(hn_arena *a, const void *params, const hn_answer *x);         /* what is wrong with this answer; "": nothing. NULL: cannot tell */
} hn_metric_item;
extern const hn_kind hn_kind_metric;
typedef struct hn_pack_metric { const hn_metric_item *m; const void *params; bool higher_is_better; } hn_pack_metric;
double hn_softmax_of(const hn_answer *x, int64_t i);   /* the share of choice i */
/* The number that a text holds: its last, commas between digits left out; NaN: none. */
double hn_number_in(const char *s);

/* ---- kind `filter` (filter/): from the texts of an item's repeats to the text that is scored ---- */
typedef struct hn_texts { const char **v; int64_t n; } hn_texts;
typedef struct hn_filter { hn_item item; bool (*apply)(hn_arena *a, const void *params, hn_texts *x); } hn_filter;
extern const hn_kind hn_kind_filter;
typedef struct hn_pack_filter { const char *name; struct { const hn_filter *f; const void *params; } *step; int64_t n; } hn_pack_filter;

/* ---- regex.c: Python's re, by PCRE2 ---- */
typedef struct hn_regex hn_regex;
hn_regex *hn_regex_new(hn_arena *a, const char *pattern, const char *where) HN_CHECK;            /* E_VALUE with place */
/* The i-th match (from 0; negative: from the last) as re.findall gives it: the first non-empty group, or the whole; NULL: none. */
const char *hn_regex_find(hn_arena *a, const hn_regex *r, const char *text, int64_t i);
const char *hn_regex_remove(hn_arena *a, const hn_regex *r, const char *text);                   /* re.sub(r, "", text) */

/* ---- packs ---- */
typedef struct hn_pack hn_pack;
typedef struct hn_task_call hn_task_call;
typedef struct hn_output {                         /* kind `task`: an output type (task/) */
    hn_item item;
    const char *metrics;                           /* where the pack names none: as the harness has it */
    bool needs_choices;
    bool (*run)(hn_arena *a, const hn_task_call *c, hn_answer *x) HN_CHECK;                     /* x[pack->n] */
} hn_output;
extern const hn_kind hn_kind_task;

typedef struct hn_pack_params {                    /* the plain keys of task.yaml */
    const char *task, *output_type, *description, *doc_to_text, *doc_to_target, *target_delimiter, *fewshot_delimiter, *gen_prefix;
    const char *data, *fewshot_data, *id, *cluster;
    hn_strs columns;
    int64_t num_fewshot, repeats;
} hn_pack_params;
typedef struct hn_generation_params {              /* generation_kwargs */
    hn_strs until;
    int64_t max_gen_toks, top_k;
    double temperature, top_p;
    bool do_sample;
} hn_generation_params;
struct hn_pack {
    hn_arena *a;
    const char *name, *file;                       /* file: task.yaml */
    hn_pack_params p;
    const hn_output *output;
    hn_pack_text text, target, choice, description, gen_prefix;      /* .text NULL: not given */
    hn_strs choices;                               /* a fixed list instead of choice */
    hn_generation_params g;
    bool first_n;                                  /* examples are the first of their file, not drawn */
    hn_pack_metric *metric; int64_t n_metrics;
    hn_pack_filter *filter; int64_t n_filters;     /* of generated text; at least one */
    hn_sheet rows, shots;                           /* shots: where examples come from; the rows themselves when no fewshot_data */
    int64_t n;                                     /* items to be run: rows.n, or the limit */
    bool whole_prompt;                             /* a prompt that leaves no room for its answer is refused, not cut */
};
/* path: a folder with task.yaml, or a file. data: instead of the pack's own; NULL: that. limit 0: all items. Wrong keys are E_KEY,
 * E_VALUE or E_SYNTAX with file:line; unusable items E_DATA with theirs. The first item is tried with every template. */
hn_pack *hn_pack_load(hn_arena *a, const char *path, const char *data, int64_t limit) HN_CHECK;
/* Items of gym tasks, made on the spot from the split `valid`, which no training seed can have shown: gym:NAME[:LEVEL[-LEVEL]]; the same
 * items for everybody. limit 0: 300, or as many as there are; more than there are is E_VALUE. hn_pack_load comes here by the name. */
hn_pack *hn_gym_pack(hn_arena *a, const char *name, int64_t limit) HN_CHECK;
/* Answers by majority of `repeats` samples (self-consistency, Wang et al. 2022), beside the first sample. E_USAGE: the pack generates nothing. */
bool hn_pack_vote(hn_pack *p, int64_t repeats, double temperature) HN_CHECK;
bool hn_pack_parse(hn_arena *a, const char *file, hn_bytes yaml, hn_pack *out) HN_CHECK;          /* the keys alone; the fuzz target */
const char *hn_pack_find(hn_arena *a, const char *name) HN_CHECK;                                /* a path, or a name among the packs at hand */

/* ---- prompt.c: texts of an item ---- */
hn_filling hn_pack_filling(hn_arena *a, const hn_sheet *rows, int64_t i);
bool hn_pack_prompt(hn_arena *a, const hn_pack *p, int64_t i, uint64_t seed, const char **out) HN_CHECK;   /* description, examples, text */
/* Prompts and continuations of every choice. Where doc_to_text is a number, choices are the contexts and the target follows. */
typedef struct hn_question { int64_t n; const char **context, **continuation, **choice; int64_t *gold; int64_t n_gold; } hn_question;
bool hn_pack_question(hn_arena *a, const hn_pack *p, int64_t i, uint64_t seed, hn_question *out) HN_CHECK;
bool hn_pack_target(hn_arena *a, const hn_pack *p, int64_t i, const char ***out, int64_t *n) HN_CHECK;     /* texts */

/* ---- loglik.c: log-likelihoods of continuations, encoded as the harness does ---- */
typedef struct hn_request {
    const char *context, *continuation;            /* an empty context is the token that begins texts */
    const char *where;                             /* of the item, for messages */
    double loglik; bool greedy; int64_t tokens;    /* filled */
} hn_request;
bool hn_loglik(hn_arena *a, hone_model *m, hn_request *r, int64_t n, int64_t batch) HN_CHECK;
bool hn_loglik_rolling(hn_arena *a, hone_model *m, hn_request *r, int64_t n, int64_t batch) HN_CHECK;      /* of the whole continuation */

/* ---- run ---- */
struct hn_task_call {
    const hn_pack *pack; hone_model *m;
    int64_t batch; uint64_t seed;
    const char **made;                             /* (n × repeats) texts as generated; filled by generate_until */
};
typedef struct hn_task_score {
    const hn_pack_metric *metric;
    const char *name, *filter;                     /* "acc"; filter NULL: not of generated text */
    double value, stderr_;                         /* of the total; clustered. NaN: cannot be told */
    double lo, hi;                                 /* 95 %: Wilson's for right or wrong without clusters, else from stderr_ */
    double *v;                                     /* (n) each item's value, in the order of the items */
    bool binary;                                   /* all are 0 or 1 */
    hn_answer *x;                                  /* (n) */
} hn_task_score;
typedef struct hn_task_result {
    const hn_pack *pack;
    int64_t n; int32_t *cluster;                   /* (n); NULL: each item its own */
    hn_task_score *score; int64_t n_scores;        /* filters × metrics */
    const char **made;                             /* as in the call; NULL: nothing was generated */
    double seconds;
} hn_task_result;
bool hn_task_run(hn_arena *a, const hn_pack *p, hone_model *m, int64_t batch, uint64_t seed, hn_task_result *out) HN_CHECK;
/* Two results of the same pack: McNemar's exact test for right or wrong, paired t with clusters for numbers, paired bootstrap of clusters
 * where the total is no mean. */
typedef struct hn_task_versus { double difference, lo, hi, p; const char *test; double sd /* of paired differences, per item */; } hn_task_versus;
void hn_task_compare(hn_arena *a, const hn_task_result *x, const hn_task_result *y, int64_t k, uint64_t seed, hn_task_versus *out);
/* Items needed to see a true difference with 80 % power at a two-sided 5 % test, when paired differences have this sd. */
int64_t hn_items_needed(double difference, double sd);
#endif
