/* app.h - the terminal program: commands (kind `cmd`), sections they take, how events become lines. */
#ifndef HN_APP_H
#define HN_APP_H
#include "improve/improve.h"

typedef struct hn_run_params { const char *out; uint64_t seed; int64_t threads; const char *device; } hn_run_params;   /* top level of a recipe; also --seed, --threads, --device */
extern const hn_section hn_section_run;

typedef struct hn_cmd_call {
    hn_arena *a;
    const char *const *args; int64_t n_args;      /* what is neither flag nor key=value */
    const void *flags;                            /* the command's own rows, filled */
    hn_settings *settings;                        /* NULL where the command takes no sections */
    const char *recipe;                           /* path of the recipe, or NULL */
    bool json, quiet;
} hn_cmd_call;
typedef struct hn_cmd {
    hn_item item;                                 /* rows: its flags, `max_tokens` is --max-tokens */
    const char *usage;                            /* "MODEL --prompt TEXT" */
    const char *examples;                         /* lines for --help */
    const hn_section *const *sections; int64_t n_sections;
    bool takes_recipe;                            /* the first argument is a recipe when it ends in .yaml or .yml */
    const char *preset;                           /* YAML laid under the recipe: this command's defaults; may be NULL */
    bool (*run)(hn_cmd_call *c) HN_CHECK;         /* false: the job's error gives message and exit status */
} hn_cmd;
extern const hn_kind hn_kind_cmd;
/* stdout */
void hn_out(const char *fmt, ...) HN_PRINTF(1, 2);
void hn_out_json(hn_arena *a, const json_t *line);    /* one line */
#endif
