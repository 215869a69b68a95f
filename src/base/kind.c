/* kind.c - a kind is a list of descriptors that begin with hn_item; found by name, a stranger's name is answered by the nearest. */
#include "base/base.h"

enum { MAX_NAMES = 256 };

const hn_item *hn_kind_find(const hn_kind *k, const char *name) {
    for (int64_t i = 0; i < k->n; i++)
        if (!strcmp(k->items[i]->name, name)) return k->items[i];
    return NULL;
}

const char *hn_kind_nearest(const hn_kind *k, const char *name) {
    const char *names[MAX_NAMES];
    int64_t n = HN_MIN(k->n, (int64_t)MAX_NAMES);
    for (int64_t i = 0; i < n; i++) names[i] = k->items[i]->name;
    return hn_nearest(name, names, n);
}
