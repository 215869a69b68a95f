/* remove_whitespace.c - no white space at the ends. */
#include "eval/task.h"

static bool apply(hn_arena *a, const void *params, hn_texts *x) {
    for (int64_t i = 0; i < x->n; i++) {
        int64_t from = 0, to = (int64_t)strlen(x->v[i]);
        hn_strip(x->v[i], &from, &to, 3);
        x->v[i] = hn_strndup(a, x->v[i] + from, to - from);
    }
    return true;
}
const hn_filter hn_filter_remove_whitespace = { HN_ITEM0("remove_whitespace", "without white space at the ends", NULL), .apply = apply };
