/* take_first.c - of an item's answers the first. */
#include "eval/task.h"

static bool apply(hn_arena *a, const void *params, hn_texts *x) { return x->n = HN_MIN(x->n, 1), true; }
const hn_filter hn_filter_take_first = { HN_ITEM0("take_first", "the first of the answers", NULL), .apply = apply };
