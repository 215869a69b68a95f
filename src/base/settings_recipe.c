/* settings_recipe.c - a recipe into settings. It is flattened to full keys that stand for one row each; rows that choose a variant are
 * set first, so keys may come in any order. A key that stands twice, in whatever spelling, is refused with both its lines. */
#include "base/job.h"
#include "base/settings_priv.h"

typedef HN_VEC(const char *) names;

/* One value of a recipe, under its full key. */
typedef struct entry {
    const char *key;
    const hn_yaml *node;
} entry;
typedef struct recipe {
    hn_settings *s;
    hn_arena *a;
    const char *where;
    HN_VEC(entry) entries;
} recipe;

static const char *place(const recipe *r, const hn_yaml *n) { return hn_fmt(r->a, "%s:%lld", r->where, (long long)n->line); }

static bool flatten(recipe *r, const char *prefix, const hn_yaml *map) {
    for (const hn_yaml *n = map->first; n; n = n->next) {
        const char *key = *prefix ? hn_fmt(r->a, "%s.%s", prefix, n->key) : n->key;
        hn_hit h;
        bool known = hn_hit_find(r->s, key, &h);
        if (n->type == HN_YAML_MAP && known && !hn_is_section(r->s, key))
            return hn_param_refuse(r->a, h.row, key, place(r, n), "is not a section", "keys beneath it", NULL);
        if (n->type == HN_YAML_MAP && n->first) {
            if (!flatten(r, key, n)) return false;
        } else if (hn_is_section(r->s, key) && (n->type == HN_YAML_MAP || n->null)) {
            continue; /* an empty section changes nothing */
        } else {
            hn_push(r->a, &r->entries, (entry){ key, n });
        }
    }
    return true;
}

static bool set_node(recipe *r, const entry *e, hn_map *seen) {
    hn_hit h;
    const char *where = place(r, e->node);
    if (!hn_hit_find(r->s, e->key, &h))
        return hn_is_section(r->s, e->key) ? hn_settings_set(r->s, r->a, e->key, "", where) : hn_key_unknown(r->s, r->a, e->key, where);
    const char *key = hn_full_key(r->a, h.v->sec, h.row);
    int64_t line;
    if (hn_map_get(seen, key, (int64_t)strlen(key), &line))
        return HN_FAIL(r->a, HONE_E_KEY, .what = hn_fmt(r->a, "key '%s' stands twice", key), .where = where,
                       .hint = hn_fmt(r->a, "It is set on line %lld already.", (long long)line));
    hn_map_put(seen, key, (int64_t)strlen(key), e->node->line);
    if (e->node->null) {
        hn_param_default(r->s->a, h.row, h.out);
        return hn_hit_settle(r->s, r->a, &h, where, false);
    }
    bool ok;
    if (e->node->type == HN_YAML_MAP) return hn_param_refuse(r->a, h.row, key, where, "is not a section", "{}", NULL);
    if (h.row->type == HN_STRS) {
        names items = { 0 };
        const hn_yaml *n = e->node->type == HN_YAML_LIST ? e->node->first : e->node;
        for (; n; n = e->node->type == HN_YAML_LIST ? n->next : NULL) {
            if (n->type != HN_YAML_SCALAR)
                return hn_param_refuse(r->a, h.row, key, place(r, n), "holds more than texts", "a list or keys inside it", NULL);
            hn_push(r->a, &items, n->text);
        }
        ok = hn_param_set_list(r->a, r->s->a, h.row, h.out, items.v, items.n, key, where);
    } else if (e->node->type == HN_YAML_LIST) {
        return hn_param_refuse(r->a, h.row, key, where, "is not one value", "a list", NULL);
    } else {
        ok = hn_param_set_in(r->a, r->s->a, h.row, h.out, e->node->text, key, where);
    }
    return ok && hn_hit_settle(r->s, r->a, &h, where, true);
}

static bool apply(recipe *r, const hn_yaml *root) {
    if (root->type != HN_YAML_MAP)
        return HN_FAIL(r->a, HONE_E_SYNTAX, .what = "a recipe is lines of `key: value`", .where = place(r, root),
                       .found = root->type == HN_YAML_LIST ? "a list" : "one text");
    if (!flatten(r, "", root)) return false;
    hn_map *seen = hn_map_new(r->a);
    for (int pass = 0; pass < 2; pass++)
        for (int64_t i = 0; i < r->entries.n; i++) {
            bool selects = hn_settings_selects(r->s, r->entries.v[i].key);
            if (selects == (pass == 0) && !set_node(r, &r->entries.v[i], seen)) return false;
        }
    return true;
}

bool hn_settings_yaml(hn_settings *s, hn_arena *a, const char *where, hn_bytes text) {
    hn_arena *scratch = hn_arena_new(a);
    recipe r = { .s = s, .a = scratch, .where = where };
    hn_yaml *root;
    bool ok = hn_yaml_parse(scratch, where, text, &root) && (!root || (root->type == HN_YAML_SCALAR && root->null) || apply(&r, root));
    hn_arena_free(scratch);
    return ok;
}

bool hn_settings_yaml_file(hn_settings *s, hn_arena *a, const char *path) {
    hn_bytes text;
    if (!hn_path_exists(path)) return hn_no_file(a, HONE_E_USAGE, path);
    if (!hn_file_read(a, path, HN_YAML_MAX_BYTES, &text)) {
        if (a->job->code == HONE_E_DATA) a->job->code = HONE_E_USAGE; /* too large, a folder, not ours to read: no recipe */
        return false;
    }
    return hn_settings_yaml(s, a, path, text);
}
