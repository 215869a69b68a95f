/* template.h - texts of a task pack with {{fields}} in them: a small, safe part of Jinja, with Python's meaning of values.
 *
 * Values are JSON. They are borrowed: they live as long as the arena that the call was given, or as the item they come from.
 * What there is: {{ expression }}, {% if %} {% elif %} {% else %} {% endif %}, {% for x in list %} {% endfor %}, {% set x = … %}, comments
 * {# #}, and '-' beside a bracket to eat white space. Expressions: expr.c. */
#ifndef HN_TEMPLATE_H
#define HN_TEMPLATE_H
#include "base/base.h"

typedef struct hn_pack_text {
    const char *text;
    const char *key;        /* "doc_to_text": for messages */
    const char *file;       /* of the pack */
    int64_t line;           /* of the key in it */
} hn_pack_text;

/* What a template is filled from. known: fields that any item of the set has; NULL: those of this item. */
typedef struct hn_filling {
    const json_t *fields;
    const json_t *known;    /* an object with these keys */
    const char *where;      /* "items.jsonl:12" */
} hn_filling;

/* The text; or, of a template that is one {{expression}} or a bare field's name, that value itself. NULL: refused, the error is set.
 * A field that no item has is E_KEY and names the pack's line; one that this item lacks is E_DATA and names the item's. */
const json_t *hn_pack_text_value(hn_arena *a, const hn_pack_text *t, const hn_filling *f) HN_CHECK;
const char *hn_pack_text_filled(hn_arena *a, const hn_pack_text *t, const hn_filling *f) HN_CHECK;

/* ---- value.c: JSON values with Python's manners ---- */
const char *hn_value_text(hn_arena *a, const json_t *v);      /* str(v): True, None, 1.0, ['a'] */
const json_t *hn_value_str(hn_arena *a, const char *s, int64_t n);
bool hn_value_true(const json_t *v);
bool hn_value_equal(const json_t *x, const json_t *y);
int64_t hn_value_length(const json_t *v);                     /* characters or members; -1: it has none */
bool hn_space(uint32_t cp);                                   /* str.isspace */
/* [*from, *to) without white space at its ends: left 1, right 2, both 3 */
void hn_strip(const char *s, int64_t *from, int64_t *to, int sides);
int64_t hn_chars(const char *s);                              /* characters (code points) of s */
#endif
