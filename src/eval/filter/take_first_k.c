/* take_first_k.c - of an item's answers the first k. */
#include "eval/task.h"

typedef struct { int64_t k; } take;
static const hn_param params[] = { HN_PARAM(take, k, .def = "1", .min = 1, .max = 1e6, .doc = "how many") };
static bool apply(hn_arena *a, const void *params_, hn_texts *x) { return x->n = HN_MIN(x->n, ((const take *)params_)->k), true; }
const hn_filter hn_filter_take_first_k = { HN_ITEM("take_first_k", "the first k of the answers", NULL, take, params), .apply = apply };
