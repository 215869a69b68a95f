/* template.h - texts of a task pack with {{fields}} in them: Jinja as lm-evaluation-harness sets it up (data/template), filled from items.
 *
 * Values are JSON. They are borrowed: they live as long as the arena that the call was given, or as the item they come from. */
#ifndef HN_TEMPLATE_H
#define HN_TEMPLATE_H
#include "data/template/template.h"

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
 * What cannot be read is E_VALUE and a field that no item has is E_KEY, both with the pack's line; what this item lacks, or what fails
 * with its values, is E_DATA and names the item's. */
const json_t *hn_pack_text_value(hn_arena *a, const hn_pack_text *t, const hn_filling *f) HN_CHECK;
const char *hn_pack_text_filled(hn_arena *a, const hn_pack_text *t, const hn_filling *f) HN_CHECK;

const char *hn_value_text(hn_arena *a, const json_t *v);      /* str(v): True, None, 1.0, ['a'] */
const json_t *hn_value_str(hn_arena *a, const char *s, int64_t n);
#endif
