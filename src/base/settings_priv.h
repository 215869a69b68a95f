/* settings_priv.h - shared by params.c, yaml.c and the settings*.c; nobody else includes it. */
#ifndef HN_SETTINGS_PRIV_H
#define HN_SETTINGS_PRIV_H
#include "base/base.h"
#include "base/yaml.h"

/* ---- params.c; `a` for messages and scratch, `keep` for what the field will point to ---- */
bool hn_param_set_in(hn_arena *a, hn_arena *keep, const hn_param *r, void *out, const char *value, const char *key,
                     const char *where) HN_CHECK;
bool hn_param_set_list(hn_arena *a, hn_arena *keep, const hn_param *r, void *out, const char *const *items, int64_t n, const char *key,
                       const char *where) HN_CHECK;
void hn_param_default(hn_arena *a, const hn_param *r, void *out);
bool hn_param_refuse(hn_arena *a, const hn_param *r, const char *key, const char *where, const char *problem, const char *found,
                     const char *hint);

/* ---- settings.c ---- */
typedef struct hn_values {
    const hn_section *sec;
    void *own;                   /* the section's struct; its address never changes */
    const hn_item *item;         /* the chosen variant, or NULL */
    void *variant;               /* its struct; NULL where it has no rows */
    bool *given, *variant_given; /* by row: said by recipe or command line */
} hn_values;
struct hn_settings {
    hn_arena *a;
    hn_values *v;
    int64_t n;
};
/* The row that a key stands for, and where its value is. */
typedef struct hn_hit {
    hn_values *v;
    const hn_param *row;
    void *out;
    bool *given;
    bool selects; /* the row chooses the section's variant */
} hn_hit;
bool hn_hit_settle(hn_settings *s, hn_arena *a, const hn_hit *h, const char *where, bool given) HN_CHECK; /* after its value was set */

/* ---- settings_keys.c ---- */
const hn_param *hn_row_named(const hn_param *rows, int64_t n, const char *name);   /* or NULL */
const hn_param *hn_selector(const hn_section *sec);                               /* the row that chooses the variant, or NULL */
bool hn_hit_find(const hn_settings *s, const char *key, hn_hit *out);
bool hn_is_section(const hn_settings *s, const char *key);                        /* is there a section of this key, or one beneath it? */
const char *hn_keys_of_section(hn_arena *a, const hn_settings *s, const char *key); /* a sentence */
bool hn_key_unknown(hn_settings *s, hn_arena *a, const char *key, const char *where); /* false, with the error set */
#endif
