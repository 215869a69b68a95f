/* regex.c - what a regular expression finds in each text: of match group_select the first group that is not empty, without blanks at its
 * ends; where nothing is found, `fallback`. */
#include "eval/task.h"

typedef struct { const char *regex_pattern, *fallback; int64_t group_select; } regex;
static const hn_param params[] = {
    HN_PARAM(regex, regex_pattern, .def = "#### (\\-?[0-9\\.\\,]+)", .doc = "regular expression as Python's re has it"),
    HN_PARAM(regex, group_select, .def = "0", .min = -1e9, .max = 1e9, .doc = "which match: 0 the first, -1 the last"),
    HN_PARAM(regex, fallback, .def = "[invalid]", .doc = "text where nothing is found"),
};
static bool apply(hn_arena *a, const void *params_, hn_texts *x) {
    const regex *p = params_;
    const hn_regex *r = hn_regex_new(a, p->regex_pattern, "filter regex: regex_pattern");
    if (!r) return false;
    for (int64_t i = 0; i < x->n; i++) {
        const char *found = hn_regex_find(a, r, x->v[i], p->group_select);
        int64_t from = 0, to = found ? (int64_t)strlen(found) : 0;
        if (found) hn_strip(found, &from, &to, 3);
        x->v[i] = found ? hn_strndup(a, found + from, to - from) : p->fallback;
    }
    return true;
}
const hn_filter hn_filter_regex = { HN_ITEM("regex", "what a regular expression finds", NULL, regex, params), .apply = apply };
