/* settings.h - kinds, items and settings rows.
 *
 * A row (hn_param) describes one field of a C struct. It gives the YAML key, `section.key=value`, the flag `--key`,
 * help, docs, bounds, the search space and the ledger's line. A *section* is a struct with rows under one YAML key
 * ("train"). A section may have a *variant*: one row names a member of a kind (`optim.name: adamw`), and that member's
 * own rows then belong to the section too. A hn_settings holds the values of the sections that a command takes; all
 * is checked before work begins. Errors name file:line, key, what was wanted and the nearest known key. */
#ifndef HN_SETTINGS_H
#define HN_SETTINGS_H

typedef enum hn_type { HN_BOOL, HN_INT, HN_U64, HN_REAL, HN_REAL32, HN_STR, HN_STRS } hn_type;
typedef enum hn_scale { HN_LINEAR, HN_LOG } hn_scale;
typedef struct hn_strs { const char **v; int64_t n; } hn_strs;   /* YAML list or scalar; `a,b,c` on the command line */
typedef struct hn_kind hn_kind;

typedef struct hn_param {
    const char *name;                /* YAML key; snake_case */
    hn_type type;                    /* from the C field, by HN_PARAM */
    int64_t offset;
    const char *def;                 /* default as text; NULL: empty string, 0, false, empty list */
    double min, max;                 /* inclusive; both 0: unbounded */
    const char *choices;             /* "tail|blocks|hash" for a closed string */
    const hn_kind *kind;             /* the value must name a member of this kind */
    double search_lo, search_hi;     /* both 0: not searched */
    hn_scale scale;
    const char *unit, *doc;
    bool required;
    bool internal;                   /* kept out of help; still checked */
} hn_param;
#define HN_TYPE_OF(x) _Generic((x), bool: HN_BOOL, int64_t: HN_INT, uint64_t: HN_U64, double: HN_REAL, float: HN_REAL32, \
                               const char *: HN_STR, hn_strs: HN_STRS)
#define HN_PARAM(T, f, ...) { .name = #f, .type = HN_TYPE_OF(((T *)0)->f), .offset = offsetof(T, f), __VA_ARGS__ }

/* First member of every descriptor of every kind. */
typedef struct hn_item {
    const char *name, *doc, *source; /* source: paper or specification; NULL if ours */
    const hn_param *params; int64_t n_params, size;   /* rows and the struct that they fill; 0 if none */
    const char *note;                /* what help says besides, such as what it costs; NULL: nothing */
} hn_item;
#define HN_ITEM(NAME, DOC, SOURCE, T, PARAMS) .item = { NAME, DOC, SOURCE, PARAMS, HN_LEN(PARAMS), sizeof(T) }
#define HN_ITEM0(NAME, DOC, SOURCE) .item = { NAME, DOC, SOURCE, NULL, 0, 0 }

/* A kind: a name and its list of members, each a descriptor that begins with hn_item. */
struct hn_kind {
    const char *name, *doc; const hn_item *const *items; int64_t n;
    void (*more)(hn_arena *a, const hn_item *item, bool brief, hn_buf *out);     /* what help says beyond the settings, or an example for a list; NULL: nothing */
};
const hn_item *hn_kind_find(const hn_kind *k, const char *name);                 /* NULL: unknown */
const char *hn_kind_nearest(const hn_kind *k, const char *name);                 /* or NULL */
/* In optim.c:  #define HN_KIND_LIST "train/optim/optims.def" … is spelled out by hand, four lines: see train/optim.c */

typedef struct hn_section {
    const char *key, *doc;           /* key "" is the top level of the recipe */
    const hn_param *rows; int64_t n_rows, size;
    const char *variant;             /* name of the row (HN_STR with .kind) that selects the variant, or NULL */
    const char *scalar;              /* row set when YAML or key=value gives the section itself a scalar (`model: DIR`), or NULL */
} hn_section;
#define HN_SECTION(KEY, DOC, T, ROWS, ...) { .key = KEY, .doc = DOC, .rows = ROWS, .n_rows = HN_LEN(ROWS), .size = sizeof(T), __VA_ARGS__ }

typedef struct hn_settings hn_settings;
hn_settings *hn_settings_new(hn_arena *a, const hn_section *const *sections, int64_t n);   /* every row at its default */
hn_settings *hn_settings_clone(hn_arena *a, const hn_settings *s);
bool hn_settings_yaml(hn_settings *s, hn_arena *a, const char *where, hn_bytes text) HN_CHECK;     /* where: file name for messages; unknown keys fail */
bool hn_settings_yaml_file(hn_settings *s, hn_arena *a, const char *path) HN_CHECK;
bool hn_settings_set(hn_settings *s, hn_arena *a, const char *key, const char *value, const char *where) HN_CHECK;   /* "train.steps", "500" */
void hn_settings_as_defaults(hn_settings *s);                                    /* what was set so far counts as not given by anyone */
void hn_settings_keep(hn_settings *s, int64_t n);                                /* forgets all sections but the first n */
bool hn_settings_check(hn_settings *s, hn_arena *a) HN_CHECK;                    /* required rows present */
const void *hn_settings_get(const hn_settings *s, const char *section);         /* the section's struct; asserts that it exists. Live view */
const void *hn_settings_variant(const hn_settings *s, const char *section, const hn_item **item);  /* the chosen member's struct and descriptor */
bool hn_settings_selects(const hn_settings *s, const char *key);                 /* does this key choose a variant? Such keys are set before others */
const char *hn_full_key(hn_arena *a, const hn_section *sec, const hn_param *row);   /* "train.steps" */
bool hn_settings_is_set(const hn_settings *s, const char *key);                 /* given by recipe or command line, not by default */
const char *hn_settings_value(hn_arena *a, const hn_settings *s, const char *key);   /* as text; NULL: no such key */
const char *hn_settings_write_yaml(hn_arena *a, const hn_settings *s);          /* the resolved recipe; reads back to the same values */
json_t *hn_settings_json(hn_arena *a, const hn_settings *s);
/* Walks all rows in order of definition: for help, docs, completion, search spaces. */
void hn_settings_walk(const hn_settings *s, void (*fn)(void *user, const hn_section *sec, const hn_item *variant, const hn_param *row), void *user);

/* Rows alone, without sections (flags of a command, params of a lever): */
void hn_params_defaults(hn_arena *a, const hn_param *rows, int64_t n, void *out);
bool hn_params_set(hn_arena *a, const hn_param *row, void *out, const char *value, const char *key, const char *where) HN_CHECK;
bool hn_params_set_list(hn_arena *a, const hn_param *row /* HN_STRS */, void *out, const char *const *items, int64_t n, const char *key,
                        const char *where) HN_CHECK;
const char *hn_params_text(hn_arena *a, const hn_param *row, const void *in);
const char *hn_param_range(hn_arena *a, const hn_param *row);                    /* "1 … 64", "tail|blocks|hash", "any text" */
#endif
