/* value.c - what templates handle: numbers, texts, lists and tables with Python's ideas of truth, equality, order and printing. */
#include "data/template/jinja.h"
#include <math.h>

jvalue hn_j_str(const char *p, int64_t n) { return (jvalue){ J_STR, { .s = { p, n } } }; }

const char *hn_j_type(const jvalue *v) {
    static const char *const names[] = { "undefined", "none",    "a boolean",   "a number", "a number",   "a text",
                                         "a list",    "a table", "a namespace", "a macro",  "a function", "a loop" };
    return names[v->type];
}

bool hn_j_true(const jvalue *v) {
    switch (v->type) {
    case J_UNDEFINED:
    case J_NONE:
        return false;
    case J_BOOL:
        return v->b;
    case J_INT:
        return v->i != 0;
    case J_FLOAT:
        return v->f != 0;
    case J_STR:
        return v->s.n > 0;
    case J_LIST:
        return v->l.n > 0;
    case J_DICT:
        return v->d->v.n > 0;
    default:
        return true;
    }
}

static bool is_number(const jvalue *v) { return v->type == J_BOOL || v->type == J_INT || v->type == J_FLOAT; }
static double real(const jvalue *v) { return v->type == J_FLOAT ? v->f : v->type == J_BOOL ? v->b : (double)v->i; }

static bool same(jrun *r, const jvalue *x, const jvalue *y);
bool hn_j_equal(jrun *r, const jvalue *x, const jvalue *y) {
    if (++r->nested > HN_JINJA_NESTED) r->steps = -1;
    bool yes = same(r, x, y);
    r->nested--;
    return yes;
}
static bool same(jrun *r, const jvalue *x, const jvalue *y) {
    if (x->type == J_INT && y->type == J_INT) return x->i == y->i;
    if (is_number(x) && is_number(y)) return real(x) == real(y);
    if (x->type != y->type || --r->steps < 0) return false;
    switch (x->type) {
    case J_UNDEFINED:
    case J_NONE:
        return true;
    case J_STR:
        return x->s.n == y->s.n && !memcmp(x->s.p, y->s.p, (size_t)x->s.n);
    case J_LIST:
        if (x->l.n != y->l.n) return false;
        for (int64_t i = 0; i < x->l.n; i++)
            if (!hn_j_equal(r, &x->l.v[i], &y->l.v[i])) return false;
        return true;
    case J_DICT:
        if (x->d->v.n != y->d->v.n) return false;
        for (int64_t i = 0; i < x->d->v.n; i++) {
            const jpair *p = &x->d->v.v[i];
            const jvalue *v = p->key.type == J_STR ? hn_j_get(y, p->key.s.p, p->key.s.n) : NULL;
            if (!v || !hn_j_equal(r, &p->value, v)) return false;
        }
        return true;
    default:
        return !memcmp(&x->loop, &y->loop, sizeof x->loop);
    }
}

static bool order(jrun *r, const jvalue *x, const jvalue *y, int *out);
bool hn_j_compare(jrun *r, const jvalue *x, const jvalue *y, int *out) {
    if (++r->nested > HN_JINJA_NESTED) r->steps = -1;
    bool ok = order(r, x, y, out);
    r->nested--;
    return ok;
}
static bool order(jrun *r, const jvalue *x, const jvalue *y, int *out) {
    if (x->type == J_INT && y->type == J_INT) return *out = (x->i > y->i) - (x->i < y->i), true;
    if (is_number(x) && is_number(y)) {
        double a = real(x), b = real(y);
        *out = (a > b) - (a < b);
        return true;
    }
    if (x->type == J_STR && y->type == J_STR) { /* UTF-8 sorts as its code points */
        int64_t n = HN_MIN(x->s.n, y->s.n);
        int c = n ? memcmp(x->s.p, y->s.p, (size_t)n) : 0;
        *out = c ? (c > 0) - (c < 0) : (x->s.n > y->s.n) - (x->s.n < y->s.n);
        return true;
    }
    if (--r->steps < 0) return hn_jinja_fail(r, "it does not end");
    if (x->type == J_LIST && y->type == J_LIST) {
        for (int64_t i = 0; i < HN_MIN(x->l.n, y->l.n); i++) {
            if (!hn_j_compare(r, &x->l.v[i], &y->l.v[i], out)) return false;
            if (*out) return true;
        }
        *out = (x->l.n > y->l.n) - (x->l.n < y->l.n);
        return true;
    }
    return hn_jinja_fail(r, "%s cannot be compared with %s", hn_j_type(x), hn_j_type(y));
}

const jvalue *hn_j_get(const jvalue *dict, const char *key, int64_t n) {
    const jdict *d = dict->d;
    for (int64_t i = 0; i < d->v.n; i++) {
        const jvalue *k = &d->v.v[i].key;
        if (k->type == J_STR && k->s.n == n && !memcmp(k->s.p, key, (size_t)n)) return &d->v.v[i].value;
    }
    return NULL;
}

void hn_j_set(hn_arena *a, jdict *d, const char *key, int64_t n, jvalue value) {
    jvalue *old = (jvalue *)hn_j_get(&(jvalue){ J_DICT, { .d = d } }, key, n);
    if (old) *old = value;
    else hn_push(a, &d->v, (jpair){ hn_j_str(key, n), value });
}

bool hn_j_bytes(jrun *r, const hn_buf *b, jvalue *out) {
    *out = hn_j_str(b->n ? b->v : "", b->n);
    return hn_jinja_take(r, b->n);
}

/* ---- printing ---- */

static void put_float(jrun *r, hn_buf *b, double x) {
    const char *s = isnan(x) ? "nan" : isinf(x) ? (x < 0 ? "-inf" : "inf") : hn_num(r->a, x);
    bool wide = fabs(x) >= 1e15 && fabs(x) < 1e16 && x == floor(x); /* Python has an exponent from 1e16 on */
    if (wide) hn_buf_fmt(r->a, b, "%lld.0", (long long)x);
    else hn_buf_fmt(r->a, b, "%s%s", s, isfinite(x) && !strpbrk(s, ".e") ? ".0" : "");
}

/* Python's repr of a text: single quotes unless it holds those alone. */
static void put_quoted(jrun *r, hn_buf *b, const jvalue *v) {
    bool one = v->s.n && memchr(v->s.p, '\'', (size_t)v->s.n), two = v->s.n && memchr(v->s.p, '"', (size_t)v->s.n);
    char quote = one && !two ? '"' : '\'';
    hn_buf_put(r->a, b, &quote, 1);
    for (int64_t i = 0; i < v->s.n; i++) {
        unsigned char c = (unsigned char)v->s.p[i];
        if (c == '\n' || c == '\r' || c == '\t') hn_buf_fmt(r->a, b, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
        else if (c == (unsigned char)quote || c == '\\') hn_buf_fmt(r->a, b, "\\%c", c);
        else if (c < 0x20 || c == 0x7f) hn_buf_fmt(r->a, b, "\\x%02x", c);
        else hn_buf_put(r->a, b, &v->s.p[i], 1);
    }
    hn_buf_put(r->a, b, &quote, 1);
}

bool hn_j_put(jrun *r, hn_buf *b, const jvalue *v, bool quote, int depth) {
    hn_arena *a = r->a;
    if (depth > HN_JINJA_NESTED) return hn_jinja_fail(r, "values stand too deep in each other to be printed");
    if (b->n > HN_JINJA_OUT) return hn_jinja_fail(r, "a text grows beyond %d bytes", HN_JINJA_OUT);
    switch (v->type) {
    case J_UNDEFINED:
        return hn_jinja_need(r, v);
    case J_NONE:
        hn_buf_put(a, b, "None", 4);
        return true;
    case J_BOOL:
        hn_buf_fmt(a, b, "%s", v->b ? "True" : "False");
        return true;
    case J_INT:
        hn_buf_fmt(a, b, "%lld", (long long)v->i);
        return true;
    case J_FLOAT:
        put_float(r, b, v->f);
        return true;
    case J_STR:
        if (quote) put_quoted(r, b, v);
        else hn_buf_put(a, b, v->s.p, v->s.n);
        return true;
    case J_LIST:
        hn_buf_put(a, b, v->l.tuple ? "(" : "[", 1);
        for (int64_t i = 0; i < v->l.n; i++) {
            if (i) hn_buf_put(a, b, ", ", 2);
            if (!hn_j_put(r, b, &v->l.v[i], true, depth + 1)) return false;
        }
        hn_buf_fmt(a, b, "%s", !v->l.tuple ? "]" : v->l.n == 1 ? ",)" : ")");
        return true;
    case J_DICT:
        hn_buf_put(a, b, "{", 1);
        for (int64_t i = 0; i < v->d->v.n; i++) {
            if (i) hn_buf_put(a, b, ", ", 2);
            if (!hn_j_put(r, b, &v->d->v.v[i].key, true, depth + 1)) return false;
            hn_buf_put(a, b, ": ", 2);
            if (!hn_j_put(r, b, &v->d->v.v[i].value, true, depth + 1)) return false;
        }
        hn_buf_put(a, b, "}", 1);
        return true;
    default:
        return hn_jinja_fail(r, "%s cannot be printed", hn_j_type(v));
    }
}

bool hn_j_text(jrun *r, const jvalue *v, jvalue *out) {
    hn_buf b = { 0 };
    if (v->type == J_STR) return *out = *v, true;
    return hn_j_put(r, &b, v, false, 0) && hn_j_bytes(r, &b, out);
}

/* ---- JSON, as json.dumps(ensure_ascii=False) ---- */

static void put_json_text(jrun *r, hn_buf *b, const jvalue *v) {
    static const char from[] = "\"\\\n\r\t\b\f", to[] = "\"\\nrtbf";
    hn_buf_put(r->a, b, "\"", 1);
    for (int64_t i = 0; i < v->s.n; i++) {
        unsigned char c = (unsigned char)v->s.p[i];
        const char *k = c ? strchr(from, c) : NULL;
        if (k) hn_buf_fmt(r->a, b, "\\%c", to[k - from]);
        else if (c < 0x20) hn_buf_fmt(r->a, b, "\\u%04x", c);
        else hn_buf_put(r->a, b, &v->s.p[i], 1);
    }
    hn_buf_put(r->a, b, "\"", 1);
}

static void line(jrun *r, hn_buf *b, int64_t indent, int depth) {
    if (indent < 0) return;
    hn_buf_put(r->a, b, "\n", 1);
    for (int64_t i = 0; i < indent * depth; i++) hn_buf_put(r->a, b, " ", 1);
}

bool hn_j_json(jrun *r, hn_buf *b, const jvalue *v, int64_t indent, int depth) {
    hn_arena *a = r->a;
    if (depth > HN_JINJA_NESTED) return hn_jinja_fail(r, "values stand too deep in each other for JSON");
    if (b->n > HN_JINJA_OUT) return hn_jinja_fail(r, "a text grows beyond %d bytes", HN_JINJA_OUT);
    switch (v->type) {
    case J_NONE:
        hn_buf_put(a, b, "null", 4);
        return true;
    case J_BOOL:
        hn_buf_fmt(a, b, "%s", v->b ? "true" : "false");
        return true;
    case J_STR:
        put_json_text(r, b, v);
        return true;
    case J_INT:
    case J_FLOAT:
        return hn_j_put(r, b, v, false, 0);
    case J_LIST:
        hn_buf_put(a, b, "[", 1);
        for (int64_t i = 0; i < v->l.n; i++) {
            if (i) hn_buf_put(a, b, ", ", indent < 0 ? 2 : 1);
            line(r, b, indent, depth + 1);
            if (!hn_j_json(r, b, &v->l.v[i], indent, depth + 1)) return false;
        }
        if (v->l.n) line(r, b, indent, depth);
        hn_buf_put(a, b, "]", 1);
        return true;
    case J_DICT:
        hn_buf_put(a, b, "{", 1);
        for (int64_t i = 0; i < v->d->v.n; i++) {
            jvalue key;
            if (i) hn_buf_put(a, b, ", ", indent < 0 ? 2 : 1);
            line(r, b, indent, depth + 1);
            if (!hn_j_text(r, &v->d->v.v[i].key, &key)) return false;
            put_json_text(r, b, &key);
            hn_buf_put(a, b, ": ", 2);
            if (!hn_j_json(r, b, &v->d->v.v[i].value, indent, depth + 1)) return false;
        }
        if (v->d->v.n) line(r, b, indent, depth);
        hn_buf_put(a, b, "}", 1);
        return true;
    default:
        return hn_jinja_fail(r, "%s cannot be written as JSON", hn_j_type(v));
    }
}

bool hn_j_from_json(jrun *r, const json_t *v, jvalue *out, int depth) {
    const char *key;
    json_t *x;
    if (depth > HN_JINJA_NESTED) return hn_jinja_fail(r, "the data stand too deep in each other");
    switch (json_typeof(v)) {
    case JSON_NULL:
        *out = (jvalue){ J_NONE, { 0 } };
        return true;
    case JSON_TRUE:
        *out = (jvalue){ J_BOOL, { .b = true } };
        return true;
    case JSON_FALSE:
        *out = (jvalue){ J_BOOL, { .b = false } };
        return true;
    case JSON_INTEGER:
        *out = (jvalue){ J_INT, { .i = json_integer_value(v) } };
        return true;
    case JSON_REAL:
        *out = (jvalue){ J_FLOAT, { .f = json_real_value(v) } };
        return true;
    case JSON_STRING:
        *out = hn_j_str(json_string_value(v), (int64_t)json_string_length(v));
        return true;
    case JSON_ARRAY: {
        int64_t n = (int64_t)json_array_size(v);
        jvalue *list = hn_new_n(r->a, jvalue, n + 1);
        if (!hn_jinja_take(r, n * (int64_t)sizeof *list)) return false;
        for (int64_t i = 0; i < n; i++)
            if (!hn_j_from_json(r, json_array_get(v, (size_t)i), &list[i], depth + 1)) return false;
        *out = (jvalue){ J_LIST, { .l = { list, n } } };
        return true;
    }
    default: {
        jdict *d = hn_new(r->a, jdict);
        if (!hn_jinja_take(r, (int64_t)(json_object_size(v) * sizeof(jpair)))) return false;
        json_object_foreach((json_t *)v, key, x) {
            jvalue value;
            if (!hn_j_from_json(r, x, &value, depth + 1)) return false;
            hn_push(r->a, &d->v, (jpair){ hn_j_str(key, (int64_t)strlen(key)), value });
        }
        *out = (jvalue){ J_DICT, { .d = d } };
        return true;
    }
    }
}

json_t *hn_j_to_json(jrun *r, const jvalue *v, int depth) {
    jvalue text;
    json_t *out, *x;
    bool list = v->type == J_LIST;
    if (depth > HN_JINJA_NESTED) return hn_jinja_fail(r, "values stand too deep in each other for JSON"), NULL;
    if (!hn_jinja_take(r, 64) || !hn_jinja_need(r, v)) return NULL;
    switch (v->type) {
    case J_NONE:
        return json_null();
    case J_BOOL:
        return json_boolean(v->b);
    case J_INT:
        return hn_json_own(r->a, json_integer(v->i));
    case J_FLOAT:
        if (isfinite(v->f)) return hn_json_own(r->a, json_real(v->f));
        break;
    case J_LIST:
    case J_DICT:
        out = hn_json_own(r->a, list ? json_array() : json_object());
        for (int64_t i = 0; i < (list ? v->l.n : v->d->v.n); i++) {
            if (!(x = hn_j_to_json(r, list ? &v->l.v[i] : &v->d->v.v[i].value, depth + 1))) return NULL;
            if (!list && !hn_j_text(r, &v->d->v.v[i].key, &text)) return NULL;
            if (list ? json_array_append(out, x) : json_object_set_nocheck(out, hn_strndup(r->a, text.s.p, text.s.n), x))
                return hn_json_own(r->a, NULL);
        }
        return out;
    default:
        break;
    }
    return hn_j_text(r, v, &text) ? hn_json_own(r->a, json_stringn_nocheck(text.s.p, (size_t)text.s.n)) : NULL;
}

static bool silent(hn_arena *a, const void *env, const hn_template_fault *f) { return false; }
const char *hn_python_str(hn_arena *outer, const json_t *v) {
    static const hn_template_rules rules = { .fail = silent };
    static const hn_template none = { .rules = &rules };
    if (json_is_string(v)) return json_string_value(v);
    hn_arena *a = hn_arena_new(outer);
    jrun r = { .a = a, .t = &none, .steps = INT64_MAX, .bytes = INT64_MAX };
    jvalue x;
    hn_buf b = { 0 };
    bool ok = hn_j_from_json(&r, v, &x, 0) && hn_j_put(&r, &b, &x, false, 0); /* false: deeper than JSON is */
    const char *text = ok ? hn_strndup(outer, b.v, b.n) : "";
    hn_arena_free(a);
    return text;
}
