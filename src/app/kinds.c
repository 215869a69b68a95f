/* kinds.c - the kinds of every room in one table: what `hone list` and `hone help KIND` walk. */
#include "app/app.h"

#define KIND(n) extern const hn_kind hn_kind_##n;
#include "app/kinds.def"
#undef KIND
const hn_kind *const hn_kinds[] = {
#define KIND(n) &hn_kind_##n,
#include "app/kinds.def"
#undef KIND
};
const int64_t hn_n_kinds = HN_LEN(hn_kinds);

const hn_kind *hn_kind_named(const char *name) {
    for (int64_t i = 0; i < hn_n_kinds; i++)
        if (!strcmp(hn_kinds[i]->name, name)) return hn_kinds[i];
    return NULL;
}

const char *hn_kind_name_nearest(const char *name) {
    const char *names[HN_LEN(hn_kinds)];
    for (int64_t i = 0; i < hn_n_kinds; i++) names[i] = hn_kinds[i]->name;
    return hn_nearest(name, names, hn_n_kinds);
}
