/* settings.c - the values of the sections that a command takes: made, copied, set one by one, checked, asked for.
 *
 * A variant that changes keeps the values given for rows that the new one has too. Values live in the settings' arena; scratch
 * memory and errors belong to the arena that a call brings. */
#include "base/settings_priv.h"

static void *struct_new(hn_arena *a, int64_t size) { return size ? hn_alloc(a, 1, size, 16) : NULL; }

/* ---- variants ---- */

static bool variant_choose(hn_settings *s, hn_arena *a, hn_values *v, const char *where) {
    const hn_param *sel = hn_selector(v->sec);
    if (!sel) return true;
    const char *name = *(const char *const *)((const char *)v->own + sel->offset);
    const hn_item *item = name && *name ? hn_kind_find(sel->kind, name) : NULL, *old = v->item;
    if (item == old) return true;
    void *values = item ? struct_new(s->a, item->size) : NULL;
    bool *given = item && item->n_params ? hn_new_n(s->a, bool, item->n_params) : NULL;
    if (item) hn_params_defaults(s->a, item->params, item->n_params, values);
    for (int64_t i = 0; item && old && i < item->n_params; i++) {
        const hn_param *row = &item->params[i], *was = hn_row_named(old->params, old->n_params, row->name);
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

/* ---- setting ---- */

bool hn_hit_settle(hn_settings *s, hn_arena *a, const hn_hit *h, const char *where, bool given) {
    *h->given = given;
    return !h->selects || variant_choose(s, a, h->v, where);
}

static bool set_text(hn_settings *s, hn_arena *a, const char *key, const char *value, const char *where) {
    hn_hit h;
    if (!hn_hit_find(s, key, &h)) {
        if (!hn_is_section(s, key)) return hn_key_unknown(s, a, key, where);
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "'%s' is a section, not a value", key), .where = where,
                       .hint = hn_keys_of_section(a, s, hn_fmt(a, "%s.", key)));
    }
    return hn_param_set_in(a, s->a, h.row, h.out, value, hn_full_key(a, h.v->sec, h.row), where) && hn_hit_settle(s, a, &h, where, true);
}

bool hn_settings_set(hn_settings *s, hn_arena *a, const char *key, const char *value, const char *where) {
    hn_arena *scratch = hn_arena_new(a);
    bool ok = set_text(s, scratch, key, value, where);
    hn_arena_free(scratch);
    return ok;
}

bool hn_settings_selects(const hn_settings *s, const char *key) {
    hn_hit h;
    return hn_hit_find(s, key, &h) && h.selects;
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
    hn_hit h;
    return hn_hit_find(s, key, &h) && *h.given;
}

const char *hn_settings_value(hn_arena *a, const hn_settings *s, const char *key) {
    hn_hit h;
    return hn_hit_find(s, key, &h) ? hn_params_text(a, h.row, h.out) : NULL;
}

void hn_settings_walk(const hn_settings *s, void (*fn)(void *user, const hn_section *sec, const hn_item *variant, const hn_param *row),
                      void *user) {
    for (int64_t i = 0; i < s->n; i++) {
        const hn_values *v = &s->v[i];
        for (int64_t r = 0; r < v->sec->n_rows; r++) fn(user, v->sec, NULL, &v->sec->rows[r]);
        for (int64_t r = 0; v->item && r < v->item->n_params; r++) fn(user, v->sec, v->item, &v->item->params[r]);
    }
}
