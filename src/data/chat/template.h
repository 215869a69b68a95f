/* template.h - chat templates: the subset of Jinja that published models use, read and run without ever running code.
 *
 * A template can loop over what it is given and nothing else: no files, no attributes of anything but the data, and a limit on steps,
 * memory and output. White space is as in transformers: trim_blocks and lstrip_blocks on. What is outside of the subset is refused
 * when the template is read, with its line. */
#ifndef HN_DATA_CHAT_TEMPLATE_H
#define HN_DATA_CHAT_TEMPLATE_H
#include "data/data.h"

typedef struct hn_template hn_template;
/* where: for messages. The text is copied. Not of the subset: E_MODEL with the line. */
hn_template *hn_template_parse(hn_arena *a, const char *where, const char *text, int64_t n) HN_CHECK;
typedef struct hn_rendered {
    const char *text;
    int64_t n;
    HN_VEC(hn_range) marked; /* what stood in generation blocks */
} hn_rendered;
/* vars: an object. now: seconds since 1970 for strftime_now (UTC), or < 0: templates see no clock. What the template itself refuses
 * (raise_exception), types that do not fit, and too much of anything: E_DATA. */
bool hn_template_render(hn_arena *a, const hn_template *t, const json_t *vars, double now, hn_rendered *out) HN_CHECK;
bool hn_template_marks(const hn_template *t); /* does it say itself what the model's own words are? */
#endif
