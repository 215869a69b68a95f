/* params.c - one row, one value: text into a C field with all checks, a field back into text, the range in words.
 *
 * Whatever text a field gives, the same row reads back to the same value: reals by the shortest digits that do so, lists with
 * commas between items (`\,` is a comma inside an item, `\\` a backslash). Bounds with max = 0 and min > 0 mean "at least min". */
#include "base/settings_priv.h"
#include <math.h>
#include <stdio.h>

static void *field(const hn_param *row, void *out) { return (char *)out + row->offset; }
static const void *field_in(const hn_param *row, const void *in) { return (const char *)in + row->offset; }

static bool has_min(const hn_param *r) { return (r->min != 0 || r->max != 0) && isfinite(r->min); }
static bool has_max(const hn_param *r) { return (r->min != 0 || r->max != 0) && isfinite(r->max) && !(r->max == 0 && r->min > 0); }
static bool in_bounds(const hn_param *r, double x) { return !(has_min(r) && x < r->min) && !(has_max(r) && x > r->max); }

/* ---- ranges in words ---- */

static const char *joined_names(hn_arena *a, const hn_kind *k) {
    hn_buf b = { 0 };
    for (int64_t i = 0; i < k->n; i++) hn_buf_fmt(a, &b, "%s%s", i ? "|" : "", k->items[i]->name);
    return hn_buf_str(a, &b);
}

static const char *bounds_text(hn_arena *a, const hn_param *r, const char *noun) {
    if (has_min(r) && has_max(r)) return hn_fmt(a, "%s … %s", hn_num(a, r->min), hn_num(a, r->max));
    if (has_min(r)) return hn_fmt(a, "≥ %s", hn_num(a, r->min));
    if (has_max(r)) return hn_fmt(a, "≤ %s", hn_num(a, r->max));
    return noun;
}

const char *hn_param_range(hn_arena *a, const hn_param *r) {
    switch (r->type) {
    case HN_BOOL:
        return "true|false";
    case HN_INT:
        return bounds_text(a, r, "any integer");
    case HN_U64:
        return bounds_text(a, r, "0 … 18446744073709551615");
    case HN_REAL:
    case HN_REAL32:
        return bounds_text(a, r, "any number");
    case HN_STR:
        return r->choices ? r->choices : r->kind ? joined_names(a, r->kind) : "any text";
    case HN_STRS:
        return r->choices ? hn_fmt(a, "list of %s", r->choices)
               : r->kind  ? hn_fmt(a, "list of %s", joined_names(a, r->kind))
                          : "list of texts";
    }
    return "";
}

static const char *noun_of(hn_arena *a, const hn_param *r) {
    const char *range = hn_param_range(a, r);
    switch (r->type) {
    case HN_INT:
    case HN_U64:
        return *range == 'a' ? "an integer" : hn_fmt(a, "an integer, %s", range);
    case HN_REAL:
    case HN_REAL32:
        return *range == 'a' ? "a number" : hn_fmt(a, "a number, %s", range);
    default:
        return range;
    }
}

bool hn_param_refuse(hn_arena *a, const hn_param *r, const char *key, const char *where, const char *problem, const char *found,
                     const char *hint) {
    return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "value of '%s' %s", key, problem), .where = where, .wanted = noun_of(a, r),
                   .found = found, .hint = hint);
}

/* ---- text into values ---- */

/* An integer may be grouped as 1_000_000. Returns s itself, a copy without the underscores, or NULL where they stand wrongly. */
static const char *ungroup(hn_arena *a, const char *s) {
    if (!strchr(s, '_')) return s;
    char *copy = hn_strdup(a, s), *w = copy;
    for (const char *p = s; *p; p++) {
        if (*p != '_') {
            *w++ = *p;
            continue;
        }
        bool between = p > s && p[-1] >= '0' && p[-1] <= '9' && p[1] >= '0' && p[1] <= '9';
        if (!between) return NULL;
    }
    *w = 0;
    return copy;
}

static bool set_bool(const char *v, bool *out) {
    static const char *const yes[] = { "true", "yes", "on", "True", "TRUE" }, *const no[] = { "false", "no", "off", "False", "FALSE" };
    for (int64_t i = 0; i < HN_LEN(yes); i++) {
        if (!strcmp(v, yes[i])) return *out = true, true;
        if (!strcmp(v, no[i])) return *out = false, true;
    }
    return false;
}

static bool choice_known(const char *choices, const char *v) {
    size_t n = strlen(v);
    for (const char *p = choices; *p;) {
        size_t k = strcspn(p, "|");
        if (k == n && !memcmp(p, v, n)) return true;
        p += k + (p[k] == '|');
    }
    return false;
}

static const char *choice_nearest(hn_arena *a, const char *choices, const char *v) {
    HN_VEC(const char *) names = { 0 };
    for (const char *p = choices; *p;) {
        size_t k = strcspn(p, "|");
        hn_push(a, &names, hn_strndup(a, p, (int64_t)k));
        p += k + (p[k] == '|');
    }
    return hn_nearest(v, names.v, names.n);
}

/* Checks a text for HN_STR or an item of HN_STRS. */
static bool text_ok(hn_arena *a, const hn_param *r, const char *v, const char *key, const char *where) {
    int64_t bad;
    if (!hn_utf8_valid((const uint8_t *)v, (int64_t)strlen(v), &bad))
        return hn_param_refuse(a, r, key, where, "is not valid UTF-8", hn_fmt(a, "a stray byte at position %lld", (long long)bad), NULL);
    const char *near = NULL;
    if (r->choices) {
        if (choice_known(r->choices, v)) return true;
        near = choice_nearest(a, r->choices, v);
    } else if (r->kind) {
        if (hn_kind_find(r->kind, v) || (!*v && r->type == HN_STR && (!r->def || !*r->def))) return true;
        near = hn_kind_nearest(r->kind, v);
    } else return true;
    return hn_param_refuse(a, r, key, where, "is not known", hn_fmt(a, "'%s'", v), near ? hn_fmt(a, "Did you mean '%s'?", near) : NULL);
}

bool hn_param_set_list(hn_arena *a, hn_arena *keep, const hn_param *r, void *out, const char *const *items, int64_t n, const char *key,
                       const char *where) {
    for (int64_t i = 0; i < n; i++) {
        if (!*items[i])
            return hn_param_refuse(a, r, key, where, "has an empty item", hn_fmt(a, "item %lld is empty", (long long)i + 1), NULL);
        if (!text_ok(a, r, items[i], key, where)) return false;
    }
    const char **v = n ? hn_new_n(keep, const char *, n) : NULL;
    for (int64_t i = 0; i < n; i++) v[i] = hn_strdup(keep, items[i]);
    *(hn_strs *)field(r, out) = (hn_strs){ v, n };
    return true;
}

static bool set_list_text(hn_arena *a, hn_arena *keep, const hn_param *r, void *out, const char *value, const char *key,
                          const char *where) {
    HN_VEC(const char *) items = { 0 };
    hn_buf b = { 0 };
    for (const char *p = value; *value; p++) {
        if (*p == '\\' && (p[1] == ',' || p[1] == '\\')) {
            p++;
            hn_buf_put(a, &b, p, 1);
            continue;
        }
        if (*p && *p != ',') {
            hn_buf_put(a, &b, p, 1);
            continue;
        }
        hn_push(a, &items, hn_strndup(a, b.n ? b.v : "", b.n));
        b.n = 0;
        if (!*p) break;
    }
    return hn_param_set_list(a, keep, r, out, items.v, items.n, key, where);
}

bool hn_param_set_in(hn_arena *a, hn_arena *keep, const hn_param *r, void *out, const char *value, const char *key, const char *where) {
    const char *quoted = hn_fmt(a, "'%.200s'", value), *plain;
    double real;
    switch (r->type) {
    case HN_BOOL:
        if (!set_bool(value, field(r, out))) return hn_param_refuse(a, r, key, where, "is not true or false", quoted, NULL);
        return true;
    case HN_INT: {
        int64_t i;
        plain = ungroup(a, value);
        if (!plain || !hn_parse_i64(plain, &i)) return hn_param_refuse(a, r, key, where, "is not an integer", quoted, NULL);
        if (!in_bounds(r, (double)i)) return hn_param_refuse(a, r, key, where, "is out of bounds", quoted, NULL);
        *(int64_t *)field(r, out) = i;
        return true;
    }
    case HN_U64: {
        uint64_t u;
        plain = ungroup(a, value);
        if (!plain || !hn_parse_u64(plain, &u)) return hn_param_refuse(a, r, key, where, "is not an integer of 0 or more", quoted, NULL);
        if (!in_bounds(r, (double)u)) return hn_param_refuse(a, r, key, where, "is out of bounds", quoted, NULL);
        *(uint64_t *)field(r, out) = u;
        return true;
    }
    case HN_REAL:
    case HN_REAL32:
        if (!hn_parse_f64(value, &real)) return hn_param_refuse(a, r, key, where, "is not a number", quoted, NULL);
        if (!in_bounds(r, real) || (r->type == HN_REAL32 && !isfinite((float)real)))
            return hn_param_refuse(a, r, key, where, "is out of bounds", quoted, NULL);
        if (r->type == HN_REAL) *(double *)field(r, out) = real;
        else *(float *)field(r, out) = (float)real;
        return true;
    case HN_STR:
        if (!text_ok(a, r, value, key, where)) return false;
        *(const char **)field(r, out) = hn_strdup(keep, value);
        return true;
    case HN_STRS:
        return set_list_text(a, keep, r, out, value, key, where);
    }
    return false;
}

bool hn_params_set(hn_arena *a, const hn_param *row, void *out, const char *value, const char *key, const char *where) {
    return hn_param_set_in(a, a, row, out, value, key, where);
}

bool hn_params_set_list(hn_arena *a, const hn_param *row, void *out, const char *const *items, int64_t n, const char *key, const char *where) {
    return hn_param_set_list(a, a, row, out, items, n, key, where);
}

void hn_param_default(hn_arena *a, const hn_param *r, void *out) {
    if (r->def) {
        /* A default that its own row refuses is our bug, not the user's. */
        if (!hn_param_set_in(a, a, r, out, r->def, r->name, "default"))
            hn_assert_failed(hn_fmt(a, "row '%s' refuses its own default '%s' (%s)", r->name, r->def, hn_param_range(a, r)), __FILE__,
                             __LINE__);
        return;
    }
    switch (r->type) {
    case HN_BOOL:
        *(bool *)field(r, out) = false;
        break;
    case HN_INT:
        *(int64_t *)field(r, out) = 0;
        break;
    case HN_U64:
        *(uint64_t *)field(r, out) = 0;
        break;
    case HN_REAL:
        *(double *)field(r, out) = 0;
        break;
    case HN_REAL32:
        *(float *)field(r, out) = 0;
        break;
    case HN_STR:
        *(const char **)field(r, out) = "";
        break;
    case HN_STRS:
        *(hn_strs *)field(r, out) = (hn_strs){ 0 };
        break;
    }
}

void hn_params_defaults(hn_arena *a, const hn_param *rows, int64_t n, void *out) {
    for (int64_t i = 0; i < n; i++) hn_param_default(a, &rows[i], out);
}

/* ---- values into text ---- */

/* The shortest decimal digits that name this float, not the double that it widens to. */
static const char *float_text(hn_arena *a, float f) {
    double d = (double)f;
    for (int digits = 1; digits <= 9; digits++) {
        char s[40];
        snprintf(s, sizeof s, "%.*e", digits - 1, (double)f);
        for (char *p = s; *p; p++)
            if (*p == ',') *p = '.';
        if (hn_parse_f64(s, &d) && (float)d == f) break;
    }
    return hn_num(a, d);
}

const char *hn_params_text(hn_arena *a, const hn_param *r, const void *in) {
    const void *p = field_in(r, in);
    switch (r->type) {
    case HN_BOOL:
        return *(const bool *)p ? "true" : "false";
    case HN_INT:
        return hn_fmt(a, "%lld", (long long)*(const int64_t *)p);
    case HN_U64:
        return hn_fmt(a, "%llu", (unsigned long long)*(const uint64_t *)p);
    case HN_REAL:
        return hn_num(a, *(const double *)p);
    case HN_REAL32:
        return float_text(a, *(const float *)p);
    case HN_STR:
        return *(const char *const *)p ? *(const char *const *)p : "";
    case HN_STRS:
        break;
    }
    const hn_strs *list = p;
    hn_buf b = { 0 };
    for (int64_t i = 0; i < list->n; i++) {
        if (i) hn_buf_put(a, &b, ",", 1);
        for (const char *c = list->v[i]; *c; c++) {
            if (*c == ',' || *c == '\\') hn_buf_put(a, &b, "\\", 1);
            hn_buf_put(a, &b, c, 1);
        }
    }
    return hn_buf_str(a, &b);
}
