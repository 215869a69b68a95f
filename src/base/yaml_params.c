/* yaml_params.c - a mapping of YAML into a struct by its rows, where no recipe's sections are about: keys of a task pack, of a filter,
 * of a metric. Unknown keys fail and name the nearest. */
#include "base/yaml.h"

static bool unknown(hn_arena *a, const hn_param *rows, int64_t n, const hn_yaml *node, const char *prefix, const char *where) {
    HN_VEC(const char *) names = { 0 };
    hn_buf all = { 0 };
    for (int64_t i = 0; i < n; i++) {
        hn_push(a, &names, rows[i].name);
        hn_buf_fmt(a, &all, "%s%s", i ? ", " : "", rows[i].name);
    }
    const char *near = hn_nearest(node->key, names.v, names.n);
    return HN_FAIL(a, HONE_E_KEY, .what = hn_fmt(a, "unknown key '%s%s'", prefix, node->key), .where = where,
                   .wanted = n ? hn_buf_str(a, &all) : "no keys here", .hint = near ? hn_fmt(a, "Did you mean '%s'?", near) : NULL);
}

bool hn_yaml_set(hn_arena *a, const hn_param *rows, int64_t n, void *out, const hn_yaml *node, const char *prefix, const char *file) {
    const char *where = hn_fmt(a, "%s:%lld", file, (long long)node->line), *key = hn_fmt(a, "%s%s", prefix, node->key);
    const hn_param *row = NULL;
    for (int64_t i = 0; i < n && !row; i++)
        if (!strcmp(rows[i].name, node->key)) row = &rows[i];
    if (!row) return unknown(a, rows, n, node, prefix, where);
    if (node->type == HN_YAML_SCALAR && node->null) return true; /* the default stays */
    if (row->type == HN_STRS) {
        HN_VEC(const char *) items = { 0 };
        const hn_yaml *x = node->type == HN_YAML_LIST ? node->first : node;
        for (; x; x = node->type == HN_YAML_LIST ? x->next : NULL) {
            if (x->type != HN_YAML_SCALAR)
                return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "'%s' holds more than texts", key), .where = where,
                               .wanted = "a list of texts");
            hn_push(a, &items, x->text);
        }
        return hn_params_set_list(a, row, out, items.v, items.n, key, where);
    }
    if (node->type != HN_YAML_SCALAR)
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "'%s' is not one value", key), .where = where, .wanted = hn_param_range(a, row),
                       .found = node->type == HN_YAML_LIST ? "a list" : "keys beneath it");
    return hn_params_set(a, row, out, node->text, key, where);
}
