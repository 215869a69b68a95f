/* expr.h - what expr.c, expr_calls.c and template.c share. */
#ifndef HN_EXPR_H
#define HN_EXPR_H
#include "eval/template.h"

enum { HN_EXPR_DEPTH = 64, HN_EXPR_STEPS = 2000000, HN_EXPR_BYTES = 16 << 20 };

typedef struct hn_expr {
    hn_arena *a;
    const hn_pack_text *t;
    const hn_filling *f;
    const char *p, *end;        /* where reading stands in t->text */
    int skip;                   /* > 0: read, but evaluate nothing */
    int depth;
    int64_t steps, bytes;       /* spent so far */
    json_t *vars;               /* {% set %} and {% for %}; owned by a */
} hn_expr;

/* A value; v NULL: a name or member that is not there (`missing`), which only `is defined` and default() may ask about. */
typedef struct hn_val {
    const json_t *v;
    const char *missing;
    const json_t *among;        /* the object that has it not; NULL: the item */
} hn_val;

bool hn_expr_read(hn_expr *e, hn_val *out) HN_CHECK;              /* one expression from e->p on */
bool hn_expr_need(hn_expr *e, hn_val *x) HN_CHECK;               /* refuses what is missing */
bool hn_expr_refuse(hn_expr *e, const char *what, const char *hint) HN_CHECK;
void hn_expr_blank(hn_expr *e);
bool hn_expr_eat(hn_expr *e, const char *sign);                  /* a sign, after blanks */
bool hn_expr_word(hn_expr *e, const char *word);                 /* a whole word, after blanks */
const char *hn_expr_name(hn_expr *e);                            /* a name after blanks; NULL: none here */
/* expr_calls.c: x.NAME(args) and x|NAME(args); functions that stand alone (range). */
bool hn_expr_method(hn_expr *e, const json_t *x, const char *name, const json_t *const *arg, int64_t n, hn_val *out) HN_CHECK;
bool hn_expr_filter(hn_expr *e, hn_val x, const char *name, const json_t *const *arg, int64_t n, hn_val *out) HN_CHECK;
bool hn_expr_function(hn_expr *e, const char *name, const json_t *const *arg, int64_t n, hn_val *out) HN_CHECK;
const json_t *hn_expr_slice(hn_expr *e, const json_t *x, bool has_from, int64_t from, bool has_to, int64_t to);
const json_t *hn_expr_at(hn_expr *e, const json_t *x, int64_t i);   /* NULL: out of range */
#endif
