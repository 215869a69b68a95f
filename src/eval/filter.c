/* filter.c - the list of filters. A new one is a file in filter/ and a row in filters.def. */
#include "eval/task.h"

#define FILTER(n) extern const hn_filter hn_filter_##n;
#include "eval/filter/filters.def"
#undef FILTER
static const hn_item *const items[] = {
#define FILTER(n) &hn_filter_##n.item,
#include "eval/filter/filters.def"
#undef FILTER
};
const hn_kind hn_kind_filter = { "filter", "steps from generated texts to the text that is scored", items, HN_LEN(items) };
