/* settings_keys.c - from a full key ("train.steps", "optim.lr") to the row and the field that it stands for; and what to say of one
 * that is unknown: the variant that it belongs to, the nearest known key, or the keys of its section. */
#include "base/settings_priv.h"

const hn_param *hn_row_named(const hn_param *rows, int64_t n, const char *name) {
    for (int64_t i = 0; i < n; i++)
        if (!strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}
const hn_param *hn_selector(const hn_section *sec) {
    const hn_param *row = sec->variant ? hn_row_named(sec->rows, sec->n_rows, sec->variant) : NULL;
    HN_ASSERT(!sec->variant || (row && row->type == HN_STR && row->kind));
    return row;
}
const char *hn_full_key(hn_arena *a, const hn_section *sec, const hn_param *row) {
    return *sec->key ? hn_fmt(a, "%s.%s", sec->key, row->name) : row->name;
}

/* The part of key beneath the section, or NULL. */
static const char *beneath(const hn_section *sec, const char *key) {
    size_t n = strlen(sec->key);
    if (!n) return key;
    return !strncmp(sec->key, key, n) && key[n] == '.' ? key + n + 1 : NULL;
}

bool hn_hit_find(const hn_settings *s, const char *key, hn_hit *out) {
    for (int64_t i = 0; i < s->n; i++) {
        hn_values *v = &s->v[i];
        const char *name = beneath(v->sec, key);
        if (v->sec->scalar && !strcmp(v->sec->key, key)) name = v->sec->scalar;
        if (!name) continue;
        const hn_param *row = hn_row_named(v->sec->rows, v->sec->n_rows, name);
        if (row) {
            *out = (hn_hit){ v, row, v->own, &v->given[row - v->sec->rows], v->sec->variant && !strcmp(v->sec->variant, name) };
            return true;
        }
        row = v->item ? hn_row_named(v->item->params, v->item->n_params, name) : NULL;
        if (row) {
            *out = (hn_hit){ v, row, v->variant, &v->variant_given[row - v->item->params], false };
            return true;
        }
    }
    return false;
}

/* Is there a section of this key, or one beneath it? */
bool hn_is_section(const hn_settings *s, const char *key) {
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
        const hn_param *sel = hn_selector(sec);
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
        const hn_param *sel = hn_selector(sec);
        const char *name = beneath(sec, key);
        for (int64_t m = 0; sel && name && m < sel->kind->n; m++) {
            const hn_item *item = sel->kind->items[m];
            if (hn_row_named(item->params, item->n_params, name))
                return hn_fmt(a, "It belongs to %s=%s, but %s is chosen.", hn_full_key(a, sec, sel), item->name,
                              s->v[i].item ? s->v[i].item->name : "none");
        }
    }
    return NULL;
}

const char *hn_keys_of_section(hn_arena *a, const hn_settings *s, const char *key) {
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

bool hn_key_unknown(hn_settings *s, hn_arena *a, const char *key, const char *where) {
    const char *hint = other_variant(a, s, key);
    if (!hint) {
        names k = all_keys(a, s);
        const char *near = hn_nearest(key, k.v, k.n);
        hint = near ? hn_fmt(a, "Did you mean '%s'?", near) : hn_keys_of_section(a, s, key);
    }
    return HN_FAIL(a, HONE_E_KEY, .what = hn_fmt(a, "unknown key '%.200s'", key), .where = where, .hint = hint);
}
