/* call.c - filters, methods and functions that templates call: those of Jinja, Python and transformers that published ones use.
 * None changes what it is given (Jinja's sandbox forbids that too). */
#include "data/template/jinja.h"
#include <math.h>
#include <stdlib.h>
#include <time.h>

static jvalue integer(int64_t i) { return (jvalue){ J_INT, { .i = i } }; }
static jvalue boolean(bool b) { return (jvalue){ J_BOOL, { .b = b } }; }
static jvalue list_of(const jvalue *v, int64_t n) { return (jvalue){ J_LIST, { .l = { v, n } } }; }
typedef HN_VEC(jvalue) values;

static bool needs_text(jrun *r, const char *who, const jvalue *v) {
    if (v->type == J_UNDEFINED) return hn_jinja_missing(r, v);
    return v->type == J_STR || hn_jinja_fail(r, "%s needs a text, not %s", who, hn_j_type(v));
}

/* ---- tables ---- */

static bool pairs(jrun *r, const jvalue *d, int what /* 'k', 'v', 'i' */, jvalue *out) {
    values v = { 0 };
    if (!hn_jinja_take(r, d->d->v.n * 3 * (int64_t)sizeof(jvalue))) return false;
    for (int64_t i = 0; i < d->d->v.n; i++) {
        const jpair *p = &d->d->v.v[i];
        jvalue *both = hn_new_n(r->a, jvalue, 2);
        both[0] = p->key, both[1] = p->value;
        hn_push(r->a, &v, what == 'k' ? p->key : what == 'v' ? p->value : (jvalue){ J_LIST, { .l = { both, 2, true } } });
    }
    *out = list_of(v.v, v.n);
    return true;
}

bool hn_jinja_method(jrun *r, const jvalue *self, const char *name, const jargs *args, jvalue *out) {
    if (self->type == J_STR) return hn_j_text_method(r, self, name, args, out);
    if (self->type == J_UNDEFINED) return hn_jinja_missing(r, self);
    if (self->type == J_DICT || self->type == J_NAMESPACE) {
        if (!strcmp(name, "items") || !strcmp(name, "keys") || !strcmp(name, "values")) return pairs(r, self, *name, out);
        if (!strcmp(name, "get")) {
            const jvalue *key = hn_j_arg(args, 0, NULL), *def = hn_j_arg(args, 1, NULL),
                         *v = key && key->type == J_STR ? hn_j_get(self, key->s.p, key->s.n) : NULL;
            *out = v ? *v : def ? *def : (jvalue){ J_NONE, { 0 } };
            return true;
        }
        if (!strcmp(name, "copy")) return *out = *self, true;
    }
    if (self->type == J_LIST && !strcmp(name, "copy")) return *out = *self, true;
    if (self->type == J_LIST && (!strcmp(name, "index") || !strcmp(name, "count")) && args->n) {
        int64_t n = 0;
        for (int64_t i = 0; i < self->l.n; i++) {
            bool same = hn_j_equal(r, &self->l.v[i], &args->v[0]);
            if (same && *name == 'i') return *out = integer(i), true;
            n += same;
        }
        return *name == 'c' ? (*out = integer(n), true) : hn_jinja_fail(r, "index: the value is not there");
    }
    if (self->type == J_LOOP && !strcmp(name, "cycle") && args->n) return *out = args->v[self->loop->index % args->n], true;
    if (self->type == J_LOOP && !strcmp(name, "changed") && args->n) {
        jloop *l = (jloop *)self->loop;
        const jvalue *now = args->n == 1 ? &args->v[0] : NULL;
        if (!now) return hn_jinja_fail(r, "loop.changed of several values");
        *out = boolean(l->index == 0 || !hn_j_equal(r, now, &l->last_seen));
        l->last_seen = *now;
        return true;
    }
    return hn_jinja_fail(r, "%s has no method '%.100s' here", hn_j_type(self), name);
}

/* ---- functions ---- */

static const char *const functions[] = { "range", "namespace", "dict", "raise_exception", "strftime_now" };
bool hn_jinja_has_function(const char *name, bool talk) {
    for (int64_t i = 0; i < (talk ? HN_LEN(functions) : 3); i++) /* the last two are transformers' */
        if (!strcmp(functions[i], name)) return true;
    return false;
}

static bool range(jrun *r, const jargs *args, jvalue *out) {
    int64_t v[3] = { 0, 0, 1 };
    values list = { 0 };
    if (args->n < 1 || args->n > 3) return hn_jinja_fail(r, "range takes one to three numbers");
    for (int i = 0; i < args->n; i++)
        if (!hn_j_number_arg(r, "range", &args->v[i], 0, &v[args->n == 1 ? 1 : i])) return false;
    if (!v[2]) return hn_jinja_fail(r, "range cannot have step 0");
    if (v[0] < -1000000000 || v[0] > 1000000000 || v[1] < -1000000000 || v[1] > 1000000000 || v[2] < -1000000000 || v[2] > 1000000000)
        return hn_jinja_fail(r, "a range is too large");
    for (int64_t i = v[0]; v[2] > 0 ? i < v[1] : i > v[1]; i += v[2]) {
        if (list.n >= 100000) return hn_jinja_fail(r, "a range is longer than 100000"); /* Jinja's sandbox has this limit too */
        hn_push(r->a, &list, integer(i));
    }
    *out = list_of(list.v, list.n);
    return hn_jinja_take(r, list.n * (int64_t)sizeof(jvalue));
}

static bool time_text(jrun *r, const jargs *args, jvalue *out) {
    jvalue f;
    struct tm tm;
    char text[1024];
    time_t now = (time_t)r->now;
    if (!hn_j_text_arg(r, "strftime_now", hn_j_arg(args, 0, "format"), &f)) return false;
    if (!gmtime_r(&now, &tm)) return hn_jinja_fail(r, "strftime_now: there is no such time");
    size_t n = strftime(text, sizeof text, hn_strndup(r->a, f.s.p, f.s.n), &tm);
    *out = hn_j_str(hn_strndup(r->a, text, (int64_t)n), (int64_t)n);
    return true;
}

bool hn_jinja_function(jrun *r, const char *name, const jargs *args, jvalue *out) {
    if (!strcmp(name, "range")) return range(r, args, out);
    if (!strcmp(name, "strftime_now")) return time_text(r, args, out);
    if (!strcmp(name, "raise_exception")) {
        const jvalue *why = hn_j_arg(args, 0, "message");
        jvalue text;
        if (!why || !hn_j_text(r, why, &text)) return hn_jinja_fail(r, "it refuses these messages");
        return hn_jinja_fail(r, "it refuses these messages: %.*s", (int)HN_MIN(text.s.n, 300), text.s.p);
    }
    jdict *d = hn_new(r->a, jdict);
    if (args->n && args->v[0].type == J_DICT)
        for (int64_t i = 0; i < args->v[0].d->v.n; i++) hn_push(r->a, &d->v, args->v[0].d->v.v[i]);
    for (int k = 0; k < args->n_kw; k++) hn_j_set(r->a, d, args->kw[k].name, (int64_t)strlen(args->kw[k].name), args->kw[k].value);
    *out = (jvalue){ *name == 'n' ? J_NAMESPACE : J_DICT, { .d = d } };
    return hn_jinja_take(r, d->v.n * (int64_t)sizeof(jpair));
}

/* ---- filters ---- */

static const char *const filters[] = { "trim",  "length",   "count",   "upper",    "lower",      "capitalize", "title",  "replace",
                                       "join",  "tojson",   "default", "d",        "selectattr", "rejectattr", "select", "reject",
                                       "map",   "first",    "last",    "list",     "string",     "int",        "float",  "safe",
                                       "items", "dictsort", "sort",    "unique",   "reverse",    "abs",        "round",  "sum",
                                       "min",   "max",      "indent",  "wordcount" };
bool hn_jinja_has_filter(const char *name, bool talk, const char **near) {
    *near = hn_nearest(name, filters, HN_LEN(filters));
    for (int64_t i = 0; i < HN_LEN(filters); i++)
        if (!strcmp(filters[i], name)) return talk || strcmp(name, "tojson"); /* Jinja's own, that of packs, escapes for HTML */
    return false;
}

static bool as_list(jrun *r, const char *who, const jvalue *v, jvalue *out) {
    values list = { 0 };
    if (v->type == J_LIST) return *out = *v, true;
    if (v->type == J_DICT) return pairs(r, v, 'k', out);
    if (v->type == J_UNDEFINED) return *out = list_of(NULL, 0), true;
    if (v->type != J_STR) return hn_jinja_fail(r, "%s needs a list, not %s", who, hn_j_type(v));
    if (!hn_jinja_take(r, v->s.n * (int64_t)sizeof(jvalue))) return false;
    for (int64_t i = 0; i < v->s.n;) {
        uint32_t c;
        int k = hn_utf8_next((const uint8_t *)v->s.p + i, v->s.n - i, &c);
        hn_push(r->a, &list, hn_j_str(v->s.p + i, k));
        i += k;
    }
    *out = list_of(list.v, list.n);
    return true;
}

/* "a.b": a part of a part. */
static jvalue attribute_of(const jvalue *v, const jvalue *path) {
    jvalue x = *v;
    const char *p = path->s.p, *end = p + path->s.n;
    while (p <= end) {
        const char *dot = memchr(p, '.', (size_t)(end - p)), *stop = dot ? dot : end;
        const jvalue *part = x.type == J_DICT || x.type == J_NAMESPACE ? hn_j_get(&x, p, stop - p) : NULL;
        x = part ? *part : (jvalue){ J_UNDEFINED, { .name = "the attribute" } };
        p = stop + 1;
    }
    return x;
}

/* select, reject, selectattr, rejectattr: by truth, or by the test that is named. */
static bool choose(jrun *r, const char *name, const jvalue *in, const jargs *args, jvalue *out) {
    bool attr = strlen(name) > 6, reject = *name == 'r';
    values chosen = { 0 };
    jvalue list, path = { 0 }, test = { 0 };
    if (!as_list(r, name, in, &list) || (attr && !hn_j_text_arg(r, name, hn_j_arg(args, 0, NULL), &path))) return false;
    const char *how = NULL, *near;
    if (args->n > attr) {
        if (!hn_j_text_arg(r, name, &args->v[attr], &test)) return false;
        how = hn_strndup(r->a, test.s.p, test.s.n);
        const char *const signs[][2] = { { "==", "eq" }, { "!=", "ne" }, { "<", "lt" }, { "<=", "le" }, { ">", "gt" }, { ">=", "ge" } };
        for (int64_t i = 0; i < HN_LEN(signs); i++)
            if (!strcmp(how, signs[i][0])) how = signs[i][1];
        if (!hn_jinja_has_test(how, &near)) return hn_jinja_fail(r, "'%.100s' is a test that hone does not have", how);
    }
    jargs rest = { .n = HN_MAX(args->n - attr - 1, 0) };
    for (int i = 0; i < rest.n; i++) rest.v[i] = args->v[attr + 1 + i];
    for (int64_t i = 0; i < list.l.n; i++) {
        jvalue x = attr ? attribute_of(&list.l.v[i], &path) : list.l.v[i];
        bool yes = hn_j_true(&x);
        if (--r->steps < 0) return hn_jinja_fail(r, "it does not end");
        if (!how && !hn_jinja_need(r, &x)) return false;
        if (how && !hn_jinja_test(r, how, &x, &rest, &yes)) return false;
        if (yes != reject) hn_push(r->a, &chosen, list.l.v[i]);
    }
    *out = list_of(chosen.v, chosen.n);
    return hn_jinja_take(r, chosen.n * (int64_t)sizeof(jvalue));
}

static bool map(jrun *r, const jvalue *in, const jargs *args, jvalue *out) {
    values made = { 0 };
    jvalue list, name;
    const jvalue *path = hn_j_arg(args, -1, "attribute"), *def = hn_j_arg(args, -1, "default");
    if (!as_list(r, "map", in, &list)) return false;
    if (path && !hn_j_text_arg(r, "map", path, &name)) return false;
    if (!path && !hn_j_text_arg(r, "map", hn_j_arg(args, 0, NULL), &name)) return false;
    const char *filter = hn_strndup(r->a, name.s.p, name.s.n), *near;
    if (!path && !hn_jinja_has_filter(filter, r->t->rules->talk, &near))
        return hn_jinja_fail(r, "'%.100s' is a filter that hone does not have", filter);
    jargs rest = { .n = HN_MAX(args->n - 1, 0) };
    for (int i = 0; i < rest.n; i++) rest.v[i] = args->v[1 + i];
    for (int64_t i = 0; i < list.l.n; i++) {
        jvalue x;
        if (--r->steps < 0) return hn_jinja_fail(r, "it does not end");
        if (path) {
            x = attribute_of(&list.l.v[i], path);
            if (x.type == J_UNDEFINED && def) x = *def;
        } else if (++r->depth > HN_JINJA_DEPTH || !hn_jinja_filter(r, filter, &list.l.v[i], &rest, &x)) return hn_jinja_fail(r, "map");
        else r->depth--;
        hn_push(r->a, &made, x);
    }
    *out = list_of(made.v, made.n);
    return hn_jinja_take(r, made.n * (int64_t)sizeof(jvalue));
}

/* Insertion keeps equals in their order; lists of templates are short, and steps are counted. */
static bool sorted(jrun *r, const jvalue *in, const jvalue *by, bool ignore_case, bool down, jvalue *out) {
    jvalue list;
    if (!as_list(r, "sort", in, &list) || !hn_jinja_take(r, list.l.n * 2 * (int64_t)sizeof(jvalue))) return false;
    jvalue *v = hn_new_n(r->a, jvalue, list.l.n + 1), *keys = hn_new_n(r->a, jvalue, list.l.n + 1);
    for (int64_t i = 0; i < list.l.n; i++) {
        jvalue key = by ? by->type == J_INT ? (list.l.v[i].type == J_LIST && by->i < list.l.v[i].l.n ? list.l.v[i].l.v[by->i] : list.l.v[i])
                                            : attribute_of(&list.l.v[i], by)
                        : list.l.v[i];
        if (ignore_case && key.type == J_STR && !hn_j_recase(r, &key, J_LOWER, &key)) return false;
        int64_t k = i;
        for (; k > 0; k--) {
            int c;
            if (--r->steps < 0) return hn_jinja_fail(r, "it does not end");
            if (!hn_j_compare(r, &keys[k - 1], &key, &c)) return false;
            if (down ? c >= 0 : c <= 0) break;
            v[k] = v[k - 1], keys[k] = keys[k - 1];
        }
        v[k] = list.l.v[i], keys[k] = key;
    }
    *out = list_of(v, list.l.n);
    return true;
}

static bool to_number(jrun *r, const jvalue *in, const jargs *args, bool whole, jvalue *out) {
    const jvalue *def = hn_j_arg(args, 0, "default");
    jvalue s = in->type == J_STR ? hn_j_strip(in, NULL, true, true) : *in;
    const char *text = s.type == J_STR ? hn_strndup(r->a, s.s.p, s.s.n) : "";
    int64_t i;
    double f;
    *out = def ? *def : whole ? integer(0) : (jvalue){ J_FLOAT, { .f = 0 } };
    if (s.type == J_STR && whole && hn_parse_i64(text, &i)) return *out = integer(i), true;
    if (s.type == J_STR ? hn_parse_f64(text, &f) : s.type == J_INT || s.type == J_BOOL || s.type == J_FLOAT) {
        if (s.type != J_STR) f = s.type == J_FLOAT ? s.f : s.type == J_BOOL ? s.b : (double)s.i;
        if (whole && s.type == J_INT) *out = s;
        else if (!whole) *out = (jvalue){ J_FLOAT, { .f = f } };
        else if (fabs(f) < 9e18) *out = integer((int64_t)f);
    }
    return true;
}

static bool indent(jrun *r, const jvalue *in, const jargs *args, jvalue *out) {
    const jvalue *width = hn_j_arg(args, 0, "width"), *first = hn_j_arg(args, 1, "first"), *blank = hn_j_arg(args, 2, "blank");
    hn_buf pad = { 0 }, b = { 0 };
    jvalue parts;
    int64_t n = 4;
    if (width && width->type == J_STR) hn_buf_put(r->a, &pad, width->s.p, width->s.n);
    else if (!hn_j_number_arg(r, "indent", width, 4, &n) || n > 1000) return hn_jinja_fail(r, "an indent is at most 1000");
    else
        for (int64_t i = 0; i < n; i++) hn_buf_put(r->a, &pad, " ", 1);
    if (!hn_j_split(r, in, &(jvalue){ J_STR, { .s = { "\n", 1 } } }, -1, false, &parts)) return false;
    for (int64_t i = 0; i < parts.l.n; i++) {
        const jvalue *l = &parts.l.v[i];
        if (i) hn_buf_put(r->a, &b, "\n", 1);
        if (i ? l->s.n > 0 || (blank && hn_j_true(blank)) : first && hn_j_true(first)) hn_buf_put(r->a, &b, pad.v, pad.n);
        hn_buf_put(r->a, &b, l->s.p, l->s.n);
        if (b.n > HN_JINJA_OUT) return hn_jinja_fail(r, "a text grows too long");
    }
    return hn_j_bytes(r, &b, out);
}

static bool list_filter(jrun *r, const char *name, const jvalue *in, const jargs *args, jvalue *out) {
    jvalue list, by, none = { J_UNDEFINED, { .name = hn_fmt(r->a, "the %s of an empty list", name) } };
    const jvalue *attribute = hn_j_arg(args, strcmp(name, "join") ? 0 : 1, "attribute");
    values v = { 0 };
    if (in->type == J_STR && !strcmp(name, "reverse")) {
        if (!as_list(r, name, in, &list)) return false;
    } else if (!as_list(r, name, in, &list)) return false;
    const jvalue *p = list.l.v;
    int64_t n = list.l.n;
    if (!strcmp(name, "list")) return *out = list, true;
    if (!strcmp(name, "first")) return *out = n ? p[0] : none, true;
    if (!strcmp(name, "last")) return *out = n ? p[n - 1] : none, true;
    if (!strcmp(name, "join")) {
        const jvalue *sep = hn_j_arg(args, 0, "d");
        if (sep && !hn_j_text(r, sep, &by)) return false;
        return hn_j_join(r, &list, sep ? &by : NULL,
                         attribute && attribute->type == J_STR ? hn_strndup(r->a, attribute->s.p, attribute->s.n) : NULL, out);
    }
    if (!strcmp(name, "min") || !strcmp(name, "max")) {
        *out = n ? p[0] : none;
        for (int64_t i = 1, c; i < n; i++) {
            int order;
            if (!hn_j_compare(r, &p[i], out, &order)) return false;
            c = order;
            if (name[1] == 'a' ? c > 0 : c < 0) *out = p[i];
        }
        return true;
    }
    if (!strcmp(name, "sum")) {
        int64_t whole = 0;
        double real = 0;
        bool is_real = false;
        for (int64_t i = 0; i < n; i++) {
            jvalue x = attribute && attribute->type == J_STR ? attribute_of(&p[i], attribute) : p[i];
            if (x.type != J_INT && x.type != J_FLOAT) return hn_jinja_fail(r, "sum needs numbers, not %s", hn_j_type(&x));
            is_real |= x.type == J_FLOAT;
            if (x.type == J_INT && __builtin_add_overflow(whole, x.i, &whole)) return hn_jinja_fail(r, "a number grows too large");
            real += x.type == J_FLOAT ? x.f : 0;
        }
        *out = is_real ? (jvalue){ J_FLOAT, { .f = real + (double)whole } } : integer(whole);
        return true;
    }
    if (!hn_jinja_take(r, n * (int64_t)sizeof(jvalue))) return false;
    for (int64_t i = 0; i < n; i++) {
        bool seen = false;
        for (int64_t k = 0; *name == 'u' && k < v.n && !seen; k++) {
            if (--r->steps < 0) return hn_jinja_fail(r, "it does not end");
            seen = hn_j_equal(r, &v.v[k], &p[i]);
        }
        if (!seen) hn_push(r->a, &v, p[*name == 'u' ? i : n - 1 - i]); /* unique, or reverse */
    }
    *out = list_of(v.v, v.n);
    return in->type != J_STR || *name == 'u' || hn_j_join(r, out, NULL, NULL, out);
}

static bool text_filter(jrun *r, const char *name, const jvalue *in, const jargs *args, jvalue *out) {
    jvalue s, from, to;
    int64_t k;
    if (!hn_j_text(r, in, &s)) return false;
    if (!strcmp(name, "trim")) {
        const jvalue *set = hn_j_arg(args, 0, "chars");
        return (!set || needs_text(r, name, set)) && (*out = hn_j_strip(&s, set, true, true), true);
    }
    if (!strcmp(name, "upper")) return hn_j_recase(r, &s, J_UPPER, out);
    if (!strcmp(name, "lower")) return hn_j_recase(r, &s, J_LOWER, out);
    if (!strcmp(name, "capitalize")) return hn_j_recase(r, &s, J_CAPITAL, out);
    if (!strcmp(name, "title")) return hn_j_recase(r, &s, J_WORDS, out);
    if (!strcmp(name, "indent")) return indent(r, &s, args, out);
    if (!strcmp(name, "wordcount")) {
        if (!hn_j_split(r, &s, NULL, -1, false, &to)) return false;
        return *out = integer(to.l.n), true;
    }
    if (!strcmp(name, "replace")) {
        const jvalue *x = hn_j_arg(args, 0, "old"), *y = hn_j_arg(args, 1, "new");
        if (!x || !y) return hn_jinja_fail(r, "replace needs two texts");
        return hn_j_text(r, x, &from) && hn_j_text(r, y, &to) && hn_j_number_arg(r, name, hn_j_arg(args, 2, "count"), -1, &k) &&
               hn_j_replace(r, &s, &from, &to, k, out);
    }
    return *out = s, true; /* string, safe */
}

static bool to_json(jrun *r, const jvalue *in, const jargs *args, jvalue *out) {
    const jvalue *plain = hn_j_arg(args, 0, "ensure_ascii"), *indented = hn_j_arg(args, 1, "indent"),
                 *order = hn_j_arg(args, -1, "sort_keys"), *sep = hn_j_arg(args, -1, "separators");
    int64_t n;
    hn_buf b = { 0 };
    jvalue v = *in;
    if ((plain && hn_j_true(plain)) || (sep && sep->type != J_NONE))
        return hn_jinja_fail(r, "tojson with ensure_ascii or separators is outside of what hone renders");
    if (!hn_j_number_arg(r, "tojson", indented, -1, &n) || n > 100) return hn_jinja_fail(r, "tojson: an indent is at most 100");
    if (order && hn_j_true(order) && v.type == J_DICT) {
        jvalue items;
        jdict *d = hn_new(r->a, jdict);
        if (!pairs(r, in, 'i', &items) || !sorted(r, &items, &(jvalue){ J_INT, { .i = 0 } }, false, false, &items)) return false;
        for (int64_t i = 0; i < items.l.n; i++) hn_push(r->a, &d->v, (jpair){ items.l.v[i].l.v[0], items.l.v[i].l.v[1] });
        v.d = d;
    }
    return hn_j_json(r, &b, &v, n, 0) && hn_j_bytes(r, &b, out);
}

static bool length(jrun *r, const jvalue *in, jvalue *out) {
    switch (in->type) {
    case J_STR:
        *out = integer(hn_j_points(in->s.p, in->s.n));
        return true;
    case J_LIST:
        *out = integer(in->l.n);
        return true;
    case J_DICT:
        *out = integer(in->d->v.n);
        return true;
    case J_UNDEFINED:
        *out = integer(0);
        return true;
    default:
        return hn_jinja_fail(r, "%s has no length", hn_j_type(in));
    }
}

static bool rounded(jrun *r, const jvalue *in, const jargs *args, jvalue *out) {
    int64_t places;
    char text[400];
    const jvalue *method = hn_j_arg(args, 1, "method");
    char how = method && method->type == J_STR && method->s.n ? *method->s.p : 'c'; /* common, ceil, floor */
    bool common = !method || (how == 'c' && method->s.n > 1 && method->s.p[1] == 'o'), whole = in->type == J_INT || in->type == J_BOOL;
    if (!whole && in->type != J_FLOAT) return hn_jinja_fail(r, "round needs a number, not %s", hn_j_type(in));
    if (!hn_j_number_arg(r, "round", hn_j_arg(args, 0, "precision"), 0, &places) || places < 0 || places > 15)
        return hn_jinja_fail(r, "round goes to 0 … 15 places");
    if (common && whole) return *out = integer(in->type == J_BOOL ? in->b : in->i), true;
    double p = pow(10, (double)places), x = in->type == J_FLOAT ? in->f : in->type == J_BOOL ? in->b : (double)in->i;
    snprintf(text, sizeof text, "%.*f", (int)places, x); /* by its exact decimal value, halves to even, as Python */
    x = common ? strtod(text, NULL) : (how == 'f' ? floor(x * p) : ceil(x * p)) / p;
    *out = (jvalue){ J_FLOAT, { .f = x } };
    return true;
}

bool hn_jinja_filter(jrun *r, const char *name, const jvalue *in, const jargs *args, jvalue *out) {
    static const char *const of_lists[] = { "join", "first", "last", "list", "unique", "reverse", "sum", "min", "max" };
    bool may_lack = !strcmp(name, "default") || !strcmp(name, "d") || !strcmp(name, "items");
    if (!may_lack && !hn_jinja_need(r, in)) return false;
    hn_jinja_work(r, in);
    if (!strcmp(name, "length") || !strcmp(name, "count")) return length(r, in, out);
    if (!strcmp(name, "tojson")) return to_json(r, in, args, out);
    if (!strcmp(name, "default") || !strcmp(name, "d")) {
        const jvalue *def = hn_j_arg(args, 0, "default_value"), *falsy = hn_j_arg(args, 1, "boolean");
        bool use = in->type == J_UNDEFINED || (falsy && hn_j_true(falsy) && !hn_j_true(in));
        *out = !use ? *in : def ? *def : hn_j_str("", 0);
        return true;
    }
    if (!strncmp(name, "select", 6) || !strncmp(name, "reject", 6)) return choose(r, name, in, args, out);
    if (!strcmp(name, "map")) return map(r, in, args, out);
    if (!strcmp(name, "items")) {
        if (in->type == J_UNDEFINED) return *out = list_of(NULL, 0), true;
        return in->type == J_DICT ? pairs(r, in, 'i', out) : hn_jinja_fail(r, "items needs a table, not %s", hn_j_type(in));
    }
    if (!strcmp(name, "dictsort")) {
        jvalue items;
        if (in->type != J_DICT) return hn_jinja_fail(r, "dictsort needs a table, not %s", hn_j_type(in));
        return pairs(r, in, 'i', &items) && sorted(r, &items, &(jvalue){ J_INT, { .i = 0 } }, true, false, out);
    }
    if (!strcmp(name, "sort")) {
        const jvalue *down = hn_j_arg(args, 0, "reverse"), *strict = hn_j_arg(args, 1, "case_sensitive"),
                     *by = hn_j_arg(args, 2, "attribute");
        return sorted(r, in, by && by->type == J_STR ? by : NULL, !(strict && hn_j_true(strict)), down && hn_j_true(down), out);
    }
    if (!strcmp(name, "int") || !strcmp(name, "float")) return to_number(r, in, args, *name == 'i', out);
    if (!strcmp(name, "round")) return rounded(r, in, args, out);
    if (!strcmp(name, "abs")) {
        if (in->type == J_FLOAT) return *out = (jvalue){ J_FLOAT, { .f = fabs(in->f) } }, true;
        if (in->type != J_INT || in->i == INT64_MIN) return hn_jinja_fail(r, "abs needs a number, not %s", hn_j_type(in));
        return *out = integer(in->i < 0 ? -in->i : in->i), true;
    }
    for (int64_t i = 0; i < HN_LEN(of_lists); i++)
        if (!strcmp(name, of_lists[i])) return list_filter(r, name, in, args, out);
    return text_filter(r, name, in, args, out);
}
