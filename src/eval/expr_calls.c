/* expr_calls.c - methods of texts and lists, filters and functions of template expressions: those that published tasks use.
 * One table each; a name may be a method, a filter or both, as in Jinja over Python. Positions count characters, not bytes. */
#include "eval/expr.h"
#include <ctype.h>
#include <math.h>
#include <utf8proc.h>

typedef struct call {
    hn_expr *e;
    const json_t *x;
    const json_t *const *arg;
    int64_t n;
    hn_val *out;
} call;

static bool give(call *c, const json_t *v) { return *c->out = (hn_val){ .v = v }, true; }
static bool give_text(call *c, const char *s, int64_t n) {
    c->e->bytes += n;
    return give(c, hn_value_str(c->e->a, s, n));
}
static bool give_int(call *c, int64_t i) { return give(c, hn_json_own(c->e->a, json_integer(i))); }
static bool give_bool(call *c, bool b) { return give(c, b ? json_true() : json_false()); }
static const char *str(call *c, int64_t i) { return i < c->n ? hn_value_text(c->e->a, c->arg[i]) : NULL; }
static const char *self(call *c) { return hn_value_text(c->e->a, c->x); }

/* Byte offset of character i of s. */
static int64_t offset(const char *s, int64_t i) {
    const char *p = s;
    for (; *p && i > 0; i--)
        for (p++; ((uint8_t)*p & 0xC0) == 0x80;) p++;
    return p - s;
}

const json_t *hn_expr_slice(hn_expr *e, const json_t *x, bool has_from, int64_t from, bool has_to, int64_t to) {
    int64_t n = hn_value_length(x);
    if (n < 0 || json_is_object(x)) return NULL;
    if (!has_from) from = 0;
    if (!has_to) to = n;
    from = from < 0 ? HN_MAX(from + n, 0) : HN_MIN(from, n);
    to = to < 0 ? HN_MAX(to + n, 0) : HN_MIN(to, n);
    if (json_is_string(x)) {
        const char *s = json_string_value(x);
        int64_t a = offset(s, from), b = to > from ? a + offset(s + a, to - from) : a;
        return hn_value_str(e->a, s + a, b - a);
    }
    json_t *v = hn_json_own(e->a, json_array());
    for (int64_t i = from; i < to; i++) json_array_append(v, json_array_get(x, (size_t)i));
    return v;
}

const json_t *hn_expr_at(hn_expr *e, const json_t *x, int64_t i) {
    int64_t n = hn_value_length(x);
    if (i < 0) i += n;
    if (i < 0 || i >= n) return NULL;
    return json_is_string(x) ? hn_expr_slice(e, x, true, i, true, i + 1) : json_is_array(x) ? json_array_get(x, (size_t)i) : NULL;
}

static bool stripped(call *c, int sides) {
    const char *s = self(c), *set = str(c, 0);
    int64_t from = 0, to = (int64_t)strlen(s);
    if (!set) hn_strip(s, &from, &to, sides);
    while (set && (sides & 1) && from < to && strchr(set, s[from])) from++;
    while (set && (sides & 2) && from < to && strchr(set, s[to - 1])) to--;
    return give_text(c, s + from, to - from);
}
static bool strip(call *c) { return stripped(c, 3); }
static bool lstrip(call *c) { return stripped(c, 1); }
static bool rstrip(call *c) { return stripped(c, 2); }

typedef enum { LOWER, UPPER, CAPITAL, TITLE } casing;
static bool cased(call *c, casing how) {
    const char *s = self(c);
    hn_buf b = { 0 };
    bool start = true;
    for (int64_t left = (int64_t)strlen(s); left > 0;) {
        uint32_t cp;
        int n = hn_utf8_next((const uint8_t *)s, left, &cp);
        bool up = how == UPPER || (start && how != LOWER);
        utf8proc_uint8_t put[4];
        hn_buf_put(c->e->a, &b, put, utf8proc_encode_char(up ? utf8proc_toupper((int32_t)cp) : utf8proc_tolower((int32_t)cp), put));
        start = how == TITLE && !(utf8proc_category((int32_t)cp) <= UTF8PROC_CATEGORY_LO && utf8proc_category((int32_t)cp) > 0);
        s += n;
        left -= n;
    }
    return give_text(c, hn_buf_str(c->e->a, &b), b.n);
}
static bool lower(call *c) { return cased(c, LOWER); }
static bool upper(call *c) { return cased(c, UPPER); }
static bool capitalize(call *c) { return cased(c, CAPITAL); }
static bool title(call *c) { return cased(c, TITLE); }

static void put_part(call *c, json_t *v, const char *s, int64_t n) { json_array_append(v, (json_t *)(intptr_t)hn_value_str(c->e->a, s, n)); }

static bool split_blank(call *c, const char *s, json_t *v) {
    int64_t n = (int64_t)strlen(s), at = 0;
    while (hn_strip(s, &at, &n, 1), at < n) {
        int64_t from = at;
        for (uint32_t cp; at < n;) {
            int k = hn_utf8_next((const uint8_t *)s + at, n - at, &cp);
            if (hn_space(cp)) break;
            at += k;
        }
        put_part(c, v, s + from, at - from);
    }
    return give(c, v);
}
static bool split(call *c) {
    const char *s = self(c), *by = str(c, 0);
    json_t *v = hn_json_own(c->e->a, json_array());
    int64_t most = c->n > 1 && json_is_integer(c->arg[1]) ? json_integer_value(c->arg[1]) : -1;
    c->e->bytes += (int64_t)strlen(s);
    if (!by || json_is_null(c->arg[0])) return split_blank(c, s, v);
    if (!*by) return hn_expr_refuse(c->e, "split() by an empty text", NULL);
    for (const char *at; most-- && (at = strstr(s, by)); s = at + strlen(by)) put_part(c, v, s, at - s);
    put_part(c, v, s, (int64_t)strlen(s));
    return give(c, v);
}

static bool replace(call *c) {
    const char *s = self(c), *from = str(c, 0), *to = str(c, 1);
    hn_buf b = { 0 };
    if (!to || !*from) return hn_expr_refuse(c->e, "replace() wants two texts, the first not empty", NULL);
    for (const char *at; (at = strstr(s, from)); s = at + strlen(from)) {
        if (b.n > HN_EXPR_BYTES) break;
        hn_buf_put(c->e->a, &b, s, at - s);
        hn_buf_put(c->e->a, &b, to, (int64_t)strlen(to));
    }
    hn_buf_put(c->e->a, &b, s, (int64_t)strlen(s));
    return give_text(c, hn_buf_str(c->e->a, &b), b.n);
}

static int64_t find_in(call *c) {
    if (json_is_array(c->x)) {
        for (size_t i = 0; i < json_array_size(c->x); i++)
            if (hn_value_equal(json_array_get(c->x, i), c->arg[0])) return (int64_t)i;
        return -1;
    }
    const char *s = self(c), *at = strstr(s, str(c, 0));
    int64_t n = 0;
    for (const char *p = s; at && p < at; p++) n += ((uint8_t)*p & 0xC0) != 0x80;
    return at ? n : -1;
}
static bool find(call *c) { return c->n == 1 ? give_int(c, find_in(c)) : hn_expr_refuse(c->e, "find() wants one value", NULL); }
static bool index_of(call *c) {
    if (c->n != 1) return hn_expr_refuse(c->e, "index() wants one value", NULL);
    int64_t i = find_in(c);
    if (i < 0)
        return HN_FAIL(c->e->a, HONE_E_DATA, .what = hn_fmt(c->e->a, "%s: index() does not find %.60s", c->e->t->key, str(c, 0)),
                       .where = c->e->f->where, .found = hn_fmt(c->e->a, "%.200s", self(c)));
    return give_int(c, i);
}
static bool count(call *c) {
    int64_t n = 0;
    const char *s = self(c), *what = str(c, 0);
    if (json_is_array(c->x) && c->n == 1)
        for (size_t i = 0; i < json_array_size(c->x); i++) n += hn_value_equal(json_array_get(c->x, i), c->arg[0]);
    else if (what && *what)
        for (; (s = strstr(s, what)); s += strlen(what)) n++;
    return give_int(c, n);
}
static bool starts_with(call *c) {
    const char *s = self(c), *with = str(c, 0);
    return give_bool(c, with && !strncmp(s, with, strlen(with)));
}
static bool ends_with(call *c) {
    const char *s = self(c), *with = str(c, 0);
    size_t n = strlen(s), k = with ? strlen(with) : n + 1;
    return give_bool(c, k <= n && !strcmp(s + n - k, with));
}
static bool is_digits(call *c) {
    const char *s = self(c);
    return give_bool(c, *s && strspn(s, "0123456789") == strlen(s));
}

static bool joined(call *c, const json_t *list, const char *by) {
    hn_buf b = { 0 };
    if (!json_is_array(list)) return hn_expr_refuse(c->e, "join wants a list", NULL);
    for (size_t i = 0; i < json_array_size(list); i++)
        hn_buf_fmt(c->e->a, &b, "%s%s", i ? by : "", hn_value_text(c->e->a, json_array_get(list, i)));
    return give_text(c, hn_buf_str(c->e->a, &b), b.n);
}
static bool join_method(call *c) { return c->n == 1 ? joined(c, c->arg[0], self(c)) : hn_expr_refuse(c->e, "join() wants a list", NULL); }
static bool join(call *c) { return joined(c, c->x, c->n ? str(c, 0) : ""); }

static bool pairs(call *c, bool keys, bool values) {
    json_t *v = hn_json_own(c->e->a, json_array()), *x;
    const char *k;
    json_object_foreach((json_t *)(intptr_t)c->x, k, x) {
        json_t *key = (json_t *)(intptr_t)hn_value_str(c->e->a, k, (int64_t)strlen(k));
        json_array_append(v, keys && values ? hn_json_own(c->e->a, json_pack("[OO]", key, x)) : keys ? key : x);
    }
    return json_is_object(c->x) ? give(c, v) : hn_expr_refuse(c->e, "keys(), values() and items() want an object", NULL);
}
static bool keys(call *c) { return pairs(c, true, false); }
static bool values(call *c) { return pairs(c, false, true); }
static bool items(call *c) { return pairs(c, true, true); }
static bool get(call *c) {
    const json_t *v = c->n ? json_object_get(c->x, str(c, 0)) : NULL;
    return give(c, v ? v : c->n > 1 ? c->arg[1] : json_null());
}

static bool length(call *c) {
    int64_t n = hn_value_length(c->x);
    return n >= 0 ? give_int(c, n) : hn_expr_refuse(c->e, "length wants a text, a list or an object", NULL);
}
static bool first(call *c) { return give(c, hn_value_length(c->x) > 0 ? hn_expr_at(c->e, c->x, 0) : json_null()); }
static bool last(call *c) { return give(c, hn_value_length(c->x) > 0 ? hn_expr_at(c->e, c->x, -1) : json_null()); }
static bool string(call *c) { return give_text(c, self(c), (int64_t)strlen(self(c))); }
static bool list(call *c) {
    json_t *v = hn_json_own(c->e->a, json_array());
    for (int64_t i = 0; json_is_string(c->x) && i < hn_value_length(c->x); i++) {
        json_array_append(v, (json_t *)(intptr_t)hn_expr_at(c->e, c->x, i));
        if (++c->e->steps > HN_EXPR_STEPS) break;
    }
    return give(c, json_is_array(c->x) ? c->x : v);
}
static bool number(call *c, double *x) {
    if (json_is_boolean(c->x)) return *x = json_is_true(c->x), true;
    if (json_is_number(c->x)) return *x = json_number_value(c->x), true;
    const char *s = self(c);
    int64_t from = 0, to = (int64_t)strlen(s);
    hn_strip(s, &from, &to, 3);
    return hn_parse_f64(hn_strndup(c->e->a, s + from, to - from), x);
}
static bool integer(call *c) {
    double x;
    return give_int(c, number(c, &x) && fabs(x) < 9e15 ? (int64_t)x : 0);
}
static bool real(call *c) {
    double x;
    return give(c, hn_json_own(c->e->a, json_real(number(c, &x) ? x : 0)));
}
static bool absolute(call *c) {
    double x;
    if (!json_is_number(c->x)) return hn_expr_refuse(c->e, "abs wants a number", NULL);
    if (json_is_integer(c->x) && json_integer_value(c->x) > INT64_MIN) return give_int(c, llabs(json_integer_value(c->x)));
    return give(c, hn_json_own(c->e->a, json_real(number(c, &x) ? fabs(x) : 0)));
}
/* Half away from zero, as Jinja's. */
static bool rounded(call *c) {
    double x, p = c->n && json_is_integer(c->arg[0]) ? pow(10, (double)HN_MIN(HN_MAX(json_integer_value(c->arg[0]), 0), 15)) : 1;
    if (!number(c, &x)) return hn_expr_refuse(c->e, "round wants a number", NULL);
    return give(c, hn_json_own(c->e->a, json_real(isfinite(x * p) ? round(x * p) / p : x)));
}

typedef struct entry {
    const char *name;
    bool (*fn)(call *c);
} entry;
static const entry methods[] = {
    { "strip", strip },           { "lstrip", lstrip },         { "rstrip", rstrip },        { "split", split },      { "replace", replace },
    { "lower", lower },           { "upper", upper },           { "capitalize", capitalize }, { "title", title },      { "index", index_of },
    { "find", find },             { "count", count },           { "startswith", starts_with }, { "endswith", ends_with }, { "isdigit", is_digits },
    { "join", join_method },      { "keys", keys },             { "values", values },        { "items", items },      { "get", get },
};
static const entry filters[] = {
    { "trim", strip },   { "lower", lower }, { "upper", upper },       { "capitalize", capitalize }, { "title", title }, { "replace", replace },
    { "length", length }, { "count", length }, { "join", join },       { "first", first },          { "last", last },   { "string", string },
    { "int", integer },  { "float", real },  { "abs", absolute },      { "round", rounded },        { "list", list },
};

static bool run(call *c, const entry *t, int64_t k, const char *name, const char *what) {
    const char *names[32];
    hn_buf all = { 0 };
    for (int64_t i = 0; i < k; i++) {
        if (!strcmp(t[i].name, name)) return t[i].fn(c);
        names[i] = t[i].name;
        hn_buf_fmt(c->e->a, &all, "%s%s", i ? ", " : "", t[i].name);
    }
    const char *near = hn_nearest(name, names, k);
    return hn_expr_refuse(c->e, hn_fmt(c->e->a, "there is no %s '%.40s'", what, name),
                          near ? hn_fmt(c->e->a, "Did you mean '%s'?", near) : hn_fmt(c->e->a, "There are %s.", hn_buf_str(c->e->a, &all)));
}

bool hn_expr_method(hn_expr *e, const json_t *x, const char *name, const json_t *const *arg, int64_t n, hn_val *out) {
    return run(&(call){ e, x, arg, n, out }, methods, HN_LEN(methods), name, "method");
}

bool hn_expr_filter(hn_expr *e, hn_val x, const char *name, const json_t *const *arg, int64_t n, hn_val *out) {
    if (!strcmp(name, "default") || !strcmp(name, "d")) {
        *out = (hn_val){ .v = x.v && !(n > 1 && hn_value_true(arg[1]) && !hn_value_true(x.v)) ? x.v : n ? arg[0] : hn_value_str(e->a, "", 0) };
        return true;
    }
    return hn_expr_need(e, &x) && run(&(call){ e, x.v, arg, n, out }, filters, HN_LEN(filters), name, "filter");
}

bool hn_expr_function(hn_expr *e, const char *name, const json_t *const *arg, int64_t n, hn_val *out) {
    bool ok = !strcmp(name, "range") && n >= 1 && n <= 2 && json_is_integer(arg[0]) && json_is_integer(arg[n - 1]);
    if (!ok) return hn_expr_refuse(e, hn_fmt(e->a, "there is no function '%.40s' of these arguments", name), "range(n) and range(from, to) are.");
    int64_t from = n == 2 ? json_integer_value(arg[0]) : 0, to = json_integer_value(arg[n - 1]);
    json_t *v = hn_json_own(e->a, json_array());
    for (int64_t i = from; i < to; i++) {
        if (++e->steps > HN_EXPR_STEPS) return hn_expr_refuse(e, "too much work for one text", NULL);
        json_array_append_new(v, json_integer(i));
    }
    *out = (hn_val){ .v = v };
    return true;
}
