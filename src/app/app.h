/* app.h - the terminal program: commands (kind `cmd`), sections they take, how events become lines. */
#ifndef HN_APP_H
#define HN_APP_H
#include "improve/improve.h"

typedef struct hn_run_params {
    const char *out;
    uint64_t seed;
    int64_t threads;
    const char *device;
} hn_run_params; /* top level of a recipe; also --seed, --threads, --device */
extern const hn_section hn_section_run;

typedef struct hn_term hn_term;
typedef struct hn_cmd_call {
    hn_arena *a;
    const char *const *args;
    int64_t n_args;        /* what is neither flag nor key=value */
    const void *flags;     /* the command's own rows, filled */
    hn_settings *settings; /* NULL where the command takes no sections */
    const char *recipe;    /* path of the recipe, or NULL */
    bool json, quiet;
    uint64_t seed; /* --seed, or the recipe's, or 1 */
    hn_term *term;
} hn_cmd_call;
typedef struct hn_cmd {
    hn_item item;         /* rows: its flags, `max_tokens` is --max-tokens */
    const char *usage;    /* "MODEL --prompt TEXT" */
    const hn_kind *verbs; /* its verbs, commands themselves (`hone data generate`); NULL: it has none */
    const char *under;    /* of a verb: the command that it belongs to */
    const char *examples; /* lines for --help */
    const hn_section *const *sections;
    int64_t n_sections;
    bool takes_recipe;                    /* the first argument is a recipe when it ends in .yaml or .yml */
    bool inline_work;                     /* needs no thread pool: help, list, … */
    const char *preset;                   /* YAML that stands in for a recipe where none is given; may be NULL */
    const char *about;                    /* what it does, in a few sentences, for --help; may be NULL */
    bool (*run)(hn_cmd_call *c) HN_CHECK; /* false: the job's error gives message and exit status */
} hn_cmd;
extern const hn_kind hn_kind_cmd, hn_kind_verb;
const char *hn_cmd_name(hn_arena *a, const hn_cmd *cmd);           /* "train", "data generate" */
int64_t hn_all_cmds(hn_arena *a, const hn_cmd ***out);             /* commands, each followed by its verbs */
bool hn_usage(hn_cmd_call *c, const hn_cmd *cmd, const char *what) HN_CHECK; /* E_USAGE with the command's usage line */

/* ---- kinds.c: every kind there is, for list, help and docs ---- */
extern const hn_kind *const hn_kinds[];
extern const int64_t hn_n_kinds;
const hn_kind *hn_kind_named(const char *name);     /* NULL: unknown */
const char *hn_kind_name_nearest(const char *name); /* or NULL */

/* ---- args.c: the command line ---- */
typedef struct hn_globals {
    bool json, quiet, help, version;
    uint64_t seed;
    int64_t threads;
    const char *device, *out;
} hn_globals;
enum { HN_GLOBAL_FLAGS = 8 };
extern const hn_param hn_global_rows[HN_GLOBAL_FLAGS];
int64_t hn_n_globals(const hn_cmd *cmd);  /* how many of them, from the first, cmd takes (NULL: all): --out is for what makes a run */
typedef struct hn_assign {
    const char *key, *value;
} hn_assign;
typedef struct hn_cmdline {
    const hn_cmd *cmd; /* NULL: none was given */
    hn_globals g;
    bool given[HN_GLOBAL_FLAGS];
    void *flags;
    const char *recipe;
    HN_VEC(const char *) args;
    HN_VEC(hn_assign) assigns;
} hn_cmdline;
bool hn_args_parse(hn_arena *a, int argc, char *const *argv, hn_cmdline *out) HN_CHECK;
/* Defaults, preset, recipe, key=value, flags, in this order; NULL in *out where the command takes no sections. */
bool hn_args_settings(hn_arena *a, const hn_cmdline *l, hn_settings **out) HN_CHECK;
char *hn_flag_name(hn_arena *a, const hn_param *row); /* "--max-tokens" */

/* ---- term.c: events become lines on stderr ---- */
hn_term *hn_term_new(hn_arena *a);
void hn_term_quiet(hn_term *t);
void hn_term_event(void *user, const hone_event *e);                     /* user: the hn_term */
void hn_term_clear(hn_term *t);                                          /* wipes an unfinished progress line */
bool hn_term_log_to(hn_arena *a, hn_term *t, const char *path) HN_CHECK; /* events also go there, a JSON object a line, until a is freed */

/* ---- stdout ---- */
void hn_out(const char *fmt, ...) HN_PRINTF(1, 2);
void hn_out_bytes(const void *p, int64_t n);
void hn_out_json(hn_arena *a, const json_t *line);   /* one line; takes no reference */
bool hn_out_broken(void);                            /* the reader of stdout has gone, or the disk is full */
bool hn_out_reader_gone(void);                       /* a pipe that nobody reads any more: no failure of ours */
const char *hn_human(hn_arena *a, double x);         /* "12.3k" */
const char *hn_human_bytes(hn_arena *a, double x);   /* "1.2 GiB" */
const char *hn_human_seconds(hn_arena *a, double s); /* "1:02:03" */

/* ---- files.c ---- */
bool hn_read_stdin(hn_arena *a, hn_bytes *out) HN_CHECK;
/* Arguments of train and improve: a folder with a config.json is the model to start from, all else is training data. */
bool hn_take_data_args(hn_cmd_call *c) HN_CHECK;
const char *hn_run_folder(hn_cmd_call *c); /* out, or runs/ and the recipe's or first argument's name; NULL: neither */
/* c->settings become those of dir/recipe.yaml, with what the command line gave on top. */
bool hn_resume_settings(hn_cmd_call *c, const hn_section *const *sections, int64_t n, const char *dir) HN_CHECK;

/* ---- cmd/ledger.c ---- */
bool hn_open_run_ledger(hn_cmd_call *c, const char *path, int64_t *run,
                        hn_ledger **out) HN_CHECK; /* a run folder or a ledger file; *run 0: the newest */

/* ---- help.c, docs.c, completion.c ---- */
const char *hn_help_overview(hn_arena *a);
const char *hn_help_command(hn_arena *a, const hn_cmd *cmd);
const char *hn_help_rows(hn_arena *a, const hn_cmd *cmd, const char *name); /* of one flag or key; NULL: there is none */
const char *hn_help_item(hn_arena *a, const hn_kind *k, const hn_item *item);
int64_t hn_all_sections(hn_arena *a, const hn_section ***out); /* those of all commands, each once */
const char *hn_docs_man(hn_arena *a);
const char *hn_docs_commands(hn_arena *a);
const char *hn_docs_settings(hn_arena *a);
const char *hn_docs_completion(hn_arena *a, bool zsh);

/* ---- libs.c ---- */
typedef struct hn_lib {
    const char *name, *version, *does;
} hn_lib; /* version NULL: not built in */
int64_t hn_libs(hn_arena *a, const hn_lib **out);
const char *hn_version_text(hn_arena *a);
#endif
