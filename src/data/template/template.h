/* template.h - templates: the part of Jinja that published chat templates and task packs use, read and run without ever running code.
 *
 * A template can loop over what it is given and nothing else: no files, no attributes of anything but the data, and a limit on steps,
 * memory, depth and output. What is outside of the part is refused when the template is read, with its line. */
#ifndef HN_DATA_TEMPLATE_H
#define HN_DATA_TEMPLATE_H
#include "data/data.h"

/* What is wrong: when it was read, or (reading false) while it ran. */
typedef struct hn_template_fault {
    const char *where; /* as it was given with the text */
    int line;          /* of the text */
    bool reading;
    const char *what, *hint;
    const char *missing; /* a variable, or a member of a table, that was used and is not there; else NULL */
    const char *const *among;
    int64_t n_among; /* what the table has; among NULL: it is a variable */
} hn_template_fault;
/* Jinja as one of the two programs sets it up that templates were written for. */
typedef struct hn_template_rules {
    /* transformers: trim_blocks, lstrip_blocks, the newline at the very end goes, what is undefined is empty; generation, break, continue,
     * tojson, raise_exception, strftime_now. Else lm-evaluation-harness: text as it stands, to use what is undefined fails. */
    bool talk;
    bool (*fail)(hn_arena *a, const void *env, const hn_template_fault *f); /* sets the error; false */
    const void *env;
} hn_template_rules;

typedef struct hn_template hn_template;
/* The rules must live as long as the template; the text is copied. NULL: refused. */
hn_template *hn_template_parse(hn_arena *a, const hn_template_rules *rules, const char *where, const char *text, int64_t n) HN_CHECK;
typedef struct hn_rendered {
    const char *text;
    int64_t n;
    HN_VEC(hn_range) marked; /* what stood in generation blocks */
} hn_rendered;
/* vars: an object. now: seconds since 1970 for strftime_now (UTC), or < 0: templates see no clock. What the template itself refuses
 * (raise_exception), types that do not fit, and too much of anything: a fault. */
bool hn_template_render(hn_arena *a, const hn_template *t, const json_t *vars, double now, hn_rendered *out) HN_CHECK;
/* The same; of a template that is one {{ expression }} and nothing else its value, a list say. Lives as long as a. NULL: a fault. */
const json_t *hn_template_value(hn_arena *a, const hn_template *t, const json_t *vars) HN_CHECK;
bool hn_template_marks(const hn_template *t); /* does it say itself what the model's own words are? */

/* ---- Python's manners ---- */
const char *hn_python_str(hn_arena *a, const json_t *v); /* str(v): True, None, 1.0, ['a'] */
bool hn_space(uint32_t cp);                              /* str.isspace */
/* [*from, *to) without white space at its ends: left 1, right 2, both 3 */
void hn_strip(const char *s, int64_t *from, int64_t *to, int sides);
int64_t hn_chars(const char *s); /* characters (code points) of s */
#endif
