/* settings.c - the values of the sections that a command takes: defaults, then recipe, then command line.
 *
 * A recipe is flattened to full keys ("train.steps") that stand for one row each; in a recipe, rows that choose a variant are set
 * first, so keys may come in any order. A variant that changes keeps the values given for rows that the new one has too.
 * Values live in the settings' arena; scratch memory and errors belong to the arena that a call brings. */
#include "base/settings_priv.h"

typedef struct hit {
    hn_values *v;
    const hn_param *row;
    void *out;
    bool *given;
    bool selects;
} hit;

static void *struct_new(hn_arena *a, int64_t size) { return size ? hn_alloc(a, 1, size, 16) : NULL; }

static const hn_param *row_named(const hn_param *rows, int64_t n, const char *name) {
    for (int64_t i = 0; i < n; i++)
        if (!strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}
static const hn_param *selector(const hn_section *sec) {
    const hn_param *row = sec->variant ? row_named(sec->rows, sec->n_rows, sec->variant) : NULL;
    HN_ASSERT(!sec->variant || (row && row->type == HN_STR && row->kind));
    return row;
}
const char *hn_full_key(hn_arena *a, const hn_section *sec, const hn_param *row) {
    return *sec->key ? hn_fmt(a, "%s.%s", sec->key, row->name) : row->name;
}

/* ---- variants ---- */

static bool variant_choose(hn_settings *s, hn_arena *a, hn_values *v, const char *where) {
    const hn_param *sel = selector(v->sec);
    if (!sel) return true;
    const char *name = *(const char *const *)((const char *)v->own + sel->offset);
    const hn_item *item = name && *name ? hn_kind_find(sel->kind, name) : NULL, *old = v->item;
    if (item == old) return true;
    void *values = item ? struct_new(s->a, item->size) : NULL;
    bool *given = item && item->n_params ? hn_new_n(s->a, bool, item->n_params) : NULL;
    if (item) hn_params_defaults(s->a, item->params, item->n_params, values);
    for (int64_t i = 0; item && old && i < item->n_params; i++) {
        const hn_param *row = &item->params[i], *was = row_named(old->params, old->n_params, row->name);
        if (!was || !v->variant_given[was - old->params]) continue;
        const char *key = hn_full_key(a, v->sec, row);
        if (!hn_param_set_in(a, s->a, row, values, hn_params_text(a, was, v->variant), key, where)) return false;
        given[i] = true;
    }
    v->item = item;
    v->variant = values;
    v->variant_given = given;
    return true;
}

hn_settings *hn_settings_new(hn_arena *a, const hn_section *const *sections, int64_t n) {
    hn_settings *s = hn_new(a, hn_settings);
    s->a = a;
    s->n = n;
    s->v = n ? hn_new_n(a, hn_values, n) : NULL;
    for (int64_t i = 0; i < n; i++) {
        hn_values *v = &s->v[i];
        v->sec = sections[i];
        v->own = struct_new(a, v->sec->size);
        v->given = v->sec->n_rows ? hn_new_n(a, bool, v->sec->n_rows) : NULL;
        hn_params_defaults(a, v->sec->rows, v->sec->n_rows, v->own);
        bool ok = variant_choose(s, a, v, "default");
        HN_ASSERT(ok);
    }
    return s;
}

static void *struct_copy(hn_arena *a, const hn_param *rows, int64_t n, const void *from, int64_t size) {
    if (!size || !from) return NULL;
    char *to = struct_new(a, size);
    memcpy(to, from, (size_t)size);
    for (int64_t i = 0; i < n; i++) {
        void *field = to + rows[i].offset;
        if (rows[i].type == HN_STR && *(const char **)field) *(const char **)field = hn_strdup(a, *(const char **)field);
        if (rows[i].type != HN_STRS) continue;
        hn_strs *list = field;
        const char **v = list->n ? hn_new_n(a, const char *, list->n) : NULL;
        for (int64_t k = 0; k < list->n; k++) v[k] = hn_strdup(a, list->v[k]);
        list->v = v;
    }
    return to;
}
static bool *flags_copy(hn_arena *a, const bool *from, int64_t n) {
    if (!n || !from) return NULL;
    bool *to = hn_new_n(a, bool, n);
    memcpy(to, from, (size_t)n * sizeof *to);
    return to;
}

hn_settings *hn_settings_clone(hn_arena *a, const hn_settings *from) {
    hn_settings *s = hn_new(a, hn_settings);
    s->a = a;
    s->n = from->n;
    s->v = s->n ? hn_new_n(a, hn_values, s->n) : NULL;
    for (int64_t i = 0; i < s->n; i++) {
        const hn_values *f = &from->v[i];
        hn_values *v = &s->v[i];
        *v = *f;
        v->own = struct_copy(a, f->sec->rows, f->sec->n_rows, f->own, f->sec->size);
        v->given = flags_copy(a, f->given, f->sec->n_rows);
        if (!f->item) continue;
        v->variant = struct_copy(a, f->item->params, f->item->n_params, f->variant, f->item->size);
        v->variant_given = flags_copy(a, f->variant_given, f->item->n_params);
    }
    return s;
}

/* ---- keys ---- */

/* The part of key beneath the section, or NULL. */
static const char *beneath(const hn_section *sec, const char *key) {
    size_t n = strlen(sec->key);
    if (!n) return key;
    return !strncmp(sec->key, key, n) && key[n] == '.' ? key + n + 1 : NULL;
}

static bool find(const hn_settings *s, const char *key, hit *out) {
    for (int64_t i = 0; i < s->n; i++) {
        hn_values *v = &s->v[i];
        const char *name = beneath(v->sec, key);
        if (v->sec->scalar && !strcmp(v->sec->key, key)) name = v->sec->scalar;
        if (!name) continue;
        const hn_param *row = row_named(v->sec->rows, v->sec->n_rows, name);
        if (row) {
            *out = (hit){ v, row, v->own, &v->given[row - v->sec->rows], v->sec->variant && !strcmp(v->sec->variant, name) };
            return true;
        }
        row = v->item ? row_named(v->item->params, v->item->n_params, name) : NULL;
        if (row) {
            *out = (hit){ v, row, v->variant, &v->variant_given[row - v->item->params], false };
            return true;
        }
    }
    return false;
}

/* Is there a section of this key, or one beneath it? */
static bool is_section(const hn_settings *s, const char *key) {
    for (int64_t i = 0; i < s->n; i++)
        if (*s->v[i].sec->key && (!strcmp(s->v[i].sec->key, key) || beneath(&(hn_section){ .key = key }, s->v[i].sec->key))) return true;
    return false;
}

typedef HN_VEC(const char *) names;

/* Every full key, those of variants that are not chosen too. */
static names all_keys(hn_arena *a, const hn_settings *s) {
    names k = { 0 };
    for (int64_t i = 0; i < s->n; i++) {
        const hn_section *sec = s->v[i].sec;
        if (sec->scalar) hn_push(a, &k, sec->key);
        for (int64_t r = 0; r < sec->n_rows; r++) hn_push(a, &k, hn_full_key(a, sec, &sec->rows[r]));
        const hn_param *sel = selector(sec);
        for (int64_t m = 0; sel && m < sel->kind->n; m++)
            for (int64_t r = 0; r < sel->kind->items[m]->n_params; r++)
                hn_push(a, &k, hn_full_key(a, sec, &sel->kind->items[m]->params[r]));
    }
    return k;
}

/* The member of a kind, not chosen now, to which the key belongs; or NULL. */
static const char *other_variant(hn_arena *a, const hn_settings *s, const char *key) {
    for (int64_t i = 0; i < s->n; i++) {
        const hn_section *sec = s->v[i].sec;
        const hn_param *sel = selector(sec);
        const char *name = beneath(sec, key);
        for (int64_t m = 0; sel && name && m < sel->kind->n; m++) {
            const hn_item *item = sel->kind->items[m];
            if (row_named(item->params, item->n_params, name))
                return hn_fmt(a, "It belongs to %s=%s, but %s is chosen.", hn_full_key(a, sec, sel), item->name,
                              s->v[i].item ? s->v[i].item->name : "none");
        }
    }
    return NULL;
}

static const char *keys_of_section(hn_arena *a, const hn_settings *s, const char *key) {
    hn_buf b = { 0 };
    for (int64_t i = 0; i < s->n; i++) {
        const hn_values *v = &s->v[i];
        if (!*v->sec->key || !beneath(v->sec, key)) continue;
        hn_buf_fmt(a, &b, "Keys of '%s':", v->sec->key);
        for (int64_t r = 0; r < v->sec->n_rows; r++)
            if (!v->sec->rows[r].internal) hn_buf_fmt(a, &b, " %s", v->sec->rows[r].name);
        for (int64_t r = 0; v->item && r < v->item->n_params; r++) hn_buf_fmt(a, &b, " %s", v->item->params[r].name);
        return hn_fmt(a, "%s.", hn_buf_str(a, &b));
    }
    hn_buf_fmt(a, &b, "Sections:");
    for (int64_t i = 0; i < s->n; i++)
        if (*s->v[i].sec->key) hn_buf_fmt(a, &b, " %s", s->v[i].sec->key);
    return hn_fmt(a, "%s.", hn_buf_str(a, &b));
}

static bool unknown(hn_settings *s, hn_arena *a, const char *key, const char *where) {
    const char *hint = other_variant(a, s, key);
    if (!hint) {
        names k = all_keys(a, s);
        const char *near = hn_nearest(key, k.v, k.n);
        hint = near ? hn_fmt(a, "Did you mean '%s'?", near) : keys_of_section(a, s, key);
    }
    return HN_FAIL(a, HONE_E_KEY, .what = hn_fmt(a, "unknown key '%.200s'", key), .where = where, .hint = hint);
}

/* ---- setting ---- */

static bool settle(hn_settings *s, hn_arena *a, const hit *h, const char *where, bool given) {
    *h->given = given;
    return !h->selects || variant_choose(s, a, h->v, where);
}

static bool set_text(hn_settings *s, hn_arena *a, const char *key, const char *value, const char *where) {
    hit h;
    if (!find(s, key, &h)) {
        if (!is_section(s, key)) return unknown(s, a, key, where);
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "'%s' is a section, not a value", key), .where = where,
                       .hint = keys_of_section(a, s, hn_fmt(a, "%s.", key)));
    }
    return hn_param_set_in(a, s->a, h.row, h.out, value, hn_full_key(a, h.v->sec, h.row), where) && settle(s, a, &h, where, true);
}

bool hn_settings_set(hn_settings *s, hn_arena *a, const char *key, const char *value, const char *where) {
    hn_arena *scratch = hn_arena_new(a);
    bool ok = set_text(s, scratch, key, value, where);
    hn_arena_free(scratch);
    return ok;
}

bool hn_settings_selects(const hn_settings *s, const char *key) {
    hit h;
    return find(s, key, &h) && h.selects;
}

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
        hit h;
        bool known = find(r->s, key, &h);
        if (n->type == HN_YAML_MAP && known && !is_section(r->s, key))
            return hn_param_refuse(r->a, h.row, key, place(r, n), "is not a section", "keys beneath it", NULL);
        if (n->type == HN_YAML_MAP && n->first) {
            if (!flatten(r, key, n)) return false;
        } else if (is_section(r->s, key) && (n->type == HN_YAML_MAP || n->null)) {
            continue; /* an empty section changes nothing */
        } else {
            hn_push(r->a, &r->entries, (entry){ key, n });
        }
    }
    return true;
}

static bool set_node(recipe *r, const entry *e, hn_map *seen) {
    hit h;
    const char *where = place(r, e->node);
    if (!find(r->s, e->key, &h))
        return is_section(r->s, e->key) ? set_text(r->s, r->a, e->key, "", where) : unknown(r->s, r->a, e->key, where);
    const char *key = hn_full_key(r->a, h.v->sec, h.row);
    int64_t line;
    if (hn_map_get(seen, key, (int64_t)strlen(key), &line))
        return HN_FAIL(r->a, HONE_E_KEY, .what = hn_fmt(r->a, "key '%s' stands twice", key), .where = where,
                       .hint = hn_fmt(r->a, "It is set on line %lld already.", (long long)line));
    hn_map_put(seen, key, (int64_t)strlen(key), e->node->line);
    if (e->node->null) {
        hn_param_default(r->s->a, h.row, h.out);
        return settle(r->s, r->a, &h, where, false);
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
    return ok && settle(r->s, r->a, &h, where, true);
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
    if (!hn_path_exists(path)) return HN_FAIL(a, HONE_E_USAGE, .what = "there is no such recipe", .where = path);
    return hn_file_read(a, path, HN_YAML_MAX_BYTES, &text) && hn_settings_yaml(s, a, path, text);
}

void hn_settings_as_defaults(hn_settings *s) {
    for (int64_t i = 0; i < s->n; i++) {
        hn_values *v = &s->v[i];
        for (int64_t r = 0; r < v->sec->n_rows; r++) v->given[r] = false;
        for (int64_t r = 0; v->item && r < v->item->n_params; r++) v->variant_given[r] = false;
    }
}

void hn_settings_keep(hn_settings *s, int64_t n) { s->n = HN_MIN(s->n, n); }

/* ---- asking ---- */

static bool rows_present(hn_arena *a, const hn_section *sec, const hn_param *rows, const bool *given, int64_t n, const void *values) {
    for (int64_t i = 0; i < n; i++) {
        bool empty = (rows[i].type == HN_STR || rows[i].type == HN_STRS) && !*hn_params_text(a, &rows[i], values);
        if (!rows[i].required || (given[i] && !empty) || (!empty && rows[i].def)) continue;
        const char *key = hn_full_key(a, sec, &rows[i]);
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "'%s' is missing", key),
                       .wanted = hn_fmt(a, "%s (%s)", hn_param_range(a, &rows[i]), rows[i].doc ? rows[i].doc : rows[i].name),
                       .hint = hn_fmt(a, "Add it to the recipe, or %s=… to the command line.", key));
    }
    return true;
}

bool hn_settings_check(hn_settings *s, hn_arena *a) {
    for (int64_t i = 0; i < s->n; i++) {
        const hn_values *v = &s->v[i];
        if (!rows_present(a, v->sec, v->sec->rows, v->given, v->sec->n_rows, v->own)) return false;
        if (v->item && !rows_present(a, v->sec, v->item->params, v->variant_given, v->item->n_params, v->variant)) return false;
    }
    return true;
}

static const hn_values *section_of(const hn_settings *s, const char *section) {
    for (int64_t i = 0; i < s->n; i++)
        if (!strcmp(s->v[i].sec->key, section)) return &s->v[i];
    return NULL;
}

const void *hn_settings_get(const hn_settings *s, const char *section) {
    const hn_values *v = section_of(s, section);
    if (!v) hn_assert_failed("hn_settings_get: the command does not take this section", section, 0);
    return v->own;
}

const void *hn_settings_variant(const hn_settings *s, const char *section, const hn_item **item) {
    const hn_values *v = section_of(s, section);
    if (!v) hn_assert_failed("hn_settings_variant: the command does not take this section", section, 0);
    if (item) *item = v->item;
    return v->variant;
}

bool hn_settings_is_set(const hn_settings *s, const char *key) {
    hit h;
    return find(s, key, &h) && *h.given;
}

const char *hn_settings_value(hn_arena *a, const hn_settings *s, const char *key) {
    hit h;
    return find(s, key, &h) ? hn_params_text(a, h.row, h.out) : NULL;
}

void hn_settings_walk(const hn_settings *s, void (*fn)(void *user, const hn_section *sec, const hn_item *variant, const hn_param *row),
                      void *user) {
    for (int64_t i = 0; i < s->n; i++) {
        const hn_values *v = &s->v[i];
        for (int64_t r = 0; r < v->sec->n_rows; r++) fn(user, v->sec, NULL, &v->sec->rows[r]);
        for (int64_t r = 0; v->item && r < v->item->n_params; r++) fn(user, v->sec, v->item, &v->item->params[r]);
    }
}
