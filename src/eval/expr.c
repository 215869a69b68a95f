/* expr.c - the expressions of templates: read and evaluated in one pass, by recursive descent.
 *
 *     a if c else b · or · and · not · == != < <= > >= in · ~ · + - · * / // % · -x · x.name x[i] x[i:j] x.method() f() · x|filter ·
 *     x is [not] defined|none|string|number|sequence|mapping · 'text' 12 1.5 true false none [list] {key: value} (…)
 *
 * What is not taken (the other branch of an `if`, the rest of an `or`) is read in skip mode: its signs are checked, its values are not.
 * Limits, since packs come from strangers: depth, steps and bytes (expr.h). Source: the Jinja documentation. */
#include "eval/expr.h"
#include <ctype.h>
#include <math.h>

static bool ternary(hn_expr *e, hn_val *out);


bool hn_expr_refuse(hn_expr *e, const char *what, const char *hint) {
    hn_arena *a = e->a;
    int64_t n = HN_MIN(e->end - e->p, 24);
    while (n > 0 && n < e->end - e->p && ((uint8_t)e->p[n] & 0xC0) == 0x80) n--;
    return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "%s: %s", e->t->key, what), .where = hn_fmt(a, "%s:%lld", e->t->file, (long long)e->t->line),
                   .found = n > 0 ? hn_fmt(a, "before '%.*s'", (int)n, e->p) : "at its end", .hint = hint);
}

static const char *keys_of(hn_arena *a, const json_t *o, const char *word, const char **near) {
    HN_VEC(const char *) names = { 0 };
    hn_buf b = { 0 };
    for (void *it = json_object_iter((json_t *)(intptr_t)o); it; it = json_object_iter_next((json_t *)(intptr_t)o, it)) {
        const char *key = json_object_iter_key(it);
        if (names.n < 40) hn_buf_fmt(a, &b, "%s%s", names.n ? ", " : "", key);
        hn_push(a, &names, key);
    }
    *near = hn_nearest(word, names.v, names.n);
    return hn_buf_str(a, &b);
}

bool hn_expr_need(hn_expr *e, hn_val *x) {
    if (x->v) return true;
    hn_arena *a = e->a;
    const json_t *among = x->among ? x->among : e->f->known ? e->f->known : e->f->fields;
    const char *near, *all = keys_of(a, among, x->missing, &near), *pack = hn_fmt(a, "%s:%lld", e->t->file, (long long)e->t->line);
    if (!x->among && json_object_get(among, x->missing))
        return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "the item has no field '%.60s', which %s names", x->missing, e->t->key),
                       .where = e->f->where, .hint = hn_fmt(a, "Other items have it. The template stands in %s.", pack));
    return HN_FAIL(a, HONE_E_KEY, .what = hn_fmt(a, "%s names an unknown field '%.60s'", e->t->key, x->missing), .where = pack,
                   .wanted = hn_fmt(a, "one of the fields of %s: %.600s", e->f->where, all),
                   .hint = near ? hn_fmt(a, "Did you mean '%s'?", near) : NULL);
}

/* ---- signs ---- */
void hn_expr_blank(hn_expr *e) {
    while (e->p < e->end && strchr(" \t\r\n", *e->p) && *e->p) e->p++;
}
bool hn_expr_eat(hn_expr *e, const char *sign) {
    hn_expr_blank(e);
    int64_t n = (int64_t)strlen(sign);
    if (e->end - e->p < n || memcmp(e->p, sign, (size_t)n)) return false;
    e->p += n;
    return true;
}
static bool letter(char c) { return isalpha((unsigned char)c) || c == '_' || (c & 0x80); }
static bool letter_or_digit(char c) { return letter(c) || isdigit((unsigned char)c); }
static int64_t word_length(const hn_expr *e) {
    int64_t n = 0;
    if (e->p >= e->end || !letter(*e->p)) return 0;
    while (e->p + n < e->end && letter_or_digit(e->p[n])) n++;
    return n;
}
bool hn_expr_word(hn_expr *e, const char *word) {
    hn_expr_blank(e);
    int64_t n = word_length(e);
    if (n != (int64_t)strlen(word) || memcmp(e->p, word, (size_t)n)) return false;
    e->p += n;
    return true;
}
const char *hn_expr_name(hn_expr *e) {
    hn_expr_blank(e);
    int64_t n = word_length(e);
    if (!n) return NULL;
    e->p += n;
    return hn_strndup(e->a, e->p - n, n);
}

static hn_val none(void) { return (hn_val){ .v = json_null() }; }
static hn_val boolean(bool b) { return (hn_val){ .v = b ? json_true() : json_false() }; }
static hn_val integer(hn_expr *e, int64_t i) { return (hn_val){ .v = hn_json_own(e->a, json_integer(i)) }; }
static hn_val real(hn_expr *e, double x) { return (hn_val){ .v = isfinite(x) ? hn_json_own(e->a, json_real(x)) : json_null() }; }

static bool step(hn_expr *e) {
    if (++e->steps > HN_EXPR_STEPS || e->bytes > HN_EXPR_BYTES) return hn_expr_refuse(e, "too much work for one text", NULL);
    return true;
}

/* ---- what stands at the leaves ---- */
static bool text(hn_expr *e, hn_val *out) {
    char q = *e->p++;
    hn_buf b = { 0 };
    for (; e->p < e->end && *e->p != q; e->p++) {
        char c = *e->p;
        if (c == '\\' && e->p + 1 < e->end) {
            c = *++e->p;
            const char *from = "nrt0abfv", *to = "\n\r\t\0\a\b\f\v", *at = strchr(from, c);
            if (c == '0' || c == 'x' || c == 'u') return hn_expr_refuse(e, "this escape is not known", "\\n \\t \\\\ \\' \\\" are.");
            if (at && *at) c = to[at - from];
            else if (!strchr("\\'\"", c)) hn_buf_put(e->a, &b, "\\", 1); /* as Python keeps it */
        }
        hn_buf_put(e->a, &b, &c, 1);
    }
    if (e->p >= e->end) return hn_expr_refuse(e, "a text does not end", NULL);
    e->p++;
    *out = (hn_val){ .v = hn_value_str(e->a, hn_buf_str(e->a, &b), b.n) };
    return out->v || hn_expr_refuse(e, "a text is not valid", NULL);
}

static bool digits(hn_expr *e, hn_val *out) {
    const char *s = e->p;
    while (e->p < e->end && isdigit((unsigned char)*e->p)) e->p++;
    bool whole = !(e->p + 1 < e->end && *e->p == '.' && isdigit((unsigned char)e->p[1]));
    if (!whole)
        for (e->p++; e->p < e->end && isdigit((unsigned char)*e->p);) e->p++;
    const char *t = hn_strndup(e->a, s, e->p - s);
    int64_t i;
    double x;
    if (whole && hn_parse_i64(t, &i)) return *out = integer(e, i), true;
    if (!hn_parse_f64(t, &x)) return hn_expr_refuse(e, "a number is too large", NULL);
    return *out = real(e, x), true;
}

static bool list(hn_expr *e, hn_val *out) {
    json_t *v = hn_json_own(e->a, json_array());
    *out = (hn_val){ .v = v };
    if (hn_expr_eat(e, "]")) return true;
    do {
        hn_val x;
        if (hn_expr_eat(e, "]")) return true;
        if (!ternary(e, &x) || !hn_expr_need(e, &x)) return false;
        json_array_append(v, (json_t *)(intptr_t)x.v);
    } while (hn_expr_eat(e, ","));
    return hn_expr_eat(e, "]") || hn_expr_refuse(e, "a list does not end with ]", NULL);
}

static bool object(hn_expr *e, hn_val *out) {
    json_t *v = hn_json_own(e->a, json_object());
    *out = (hn_val){ .v = v };
    if (hn_expr_eat(e, "}")) return true;
    do {
        hn_val k, x;
        if (hn_expr_eat(e, "}")) return true;
        if (!ternary(e, &k) || !hn_expr_need(e, &k)) return false;
        if (!hn_expr_eat(e, ":")) return hn_expr_refuse(e, "':' was wanted in { }", NULL);
        if (!ternary(e, &x) || !hn_expr_need(e, &x)) return false;
        json_object_set(v, hn_value_text(e->a, k.v), (json_t *)(intptr_t)x.v);
    } while (hn_expr_eat(e, ","));
    return hn_expr_eat(e, "}") || hn_expr_refuse(e, "{ does not end with }", NULL);
}

enum { MAX_ARGS = 8 };
static bool arguments(hn_expr *e, const json_t **arg, int64_t *n) {
    *n = 0;
    if (hn_expr_eat(e, ")")) return true;
    do {
        hn_val x;
        if (*n == MAX_ARGS) return hn_expr_refuse(e, "too many arguments", NULL);
        const char *before = e->p;
        if (!hn_expr_name(e) || !hn_expr_eat(e, "=") || hn_expr_eat(e, "=")) e->p = before;    /* name=value counts by its place */
        if (!ternary(e, &x) || !hn_expr_need(e, &x)) return false;
        arg[(*n)++] = x.v;
    } while (hn_expr_eat(e, ","));
    return hn_expr_eat(e, ")") || hn_expr_refuse(e, "')' was wanted", NULL);
}

static bool name(hn_expr *e, hn_val *out) {
    static const struct { const char *word; int value; } words[] = { { "true", 1 },  { "True", 1 },  { "false", 0 },
                                                                      { "False", 0 }, { "none", -1 }, { "None", -1 } };
    const char *s = hn_expr_name(e);
    for (int64_t i = 0; i < HN_LEN(words); i++)
        if (!strcmp(s, words[i].word)) return *out = words[i].value < 0 ? none() : boolean(words[i].value), true;
    if (hn_expr_eat(e, "(")) {
        const json_t *arg[MAX_ARGS];
        int64_t n;
        if (!arguments(e, arg, &n)) return false;
        return e->skip ? (*out = none(), true) : hn_expr_function(e, s, arg, n, out);
    }
    const json_t *v = json_object_get(e->vars, s);
    if (!v) v = json_object_get(e->f->fields, s);
    *out = e->skip ? none() : (hn_val){ .v = v, .missing = s };
    return true;
}

static bool primary(hn_expr *e, hn_val *out) {
    hn_expr_blank(e);
    if (e->p >= e->end) return hn_expr_refuse(e, "a value was wanted", NULL);
    if (*e->p == '\'' || *e->p == '"') return text(e, out);
    if (isdigit((unsigned char)*e->p)) return digits(e, out);
    if (hn_expr_eat(e, "[")) return list(e, out);
    if (hn_expr_eat(e, "{")) return object(e, out);
    if (hn_expr_eat(e, "(")) return ternary(e, out) && (hn_expr_eat(e, ")") || hn_expr_refuse(e, "')' was wanted", NULL));
    if (letter(*e->p)) return name(e, out);
    return hn_expr_refuse(e, "a value was wanted", NULL);
}

/* ---- members, indices, calls ---- */
static bool whole(hn_expr *e, const json_t *v, int64_t *i) {
    if (json_is_integer(v)) return *i = json_integer_value(v), true;
    if (json_is_boolean(v)) return *i = json_is_true(v), true;
    return hn_expr_refuse(e, "an index must be a whole number", hn_fmt(e->a, "It is %.40s.", hn_value_text(e->a, v)));
}

static bool member(hn_expr *e, hn_val *x, const json_t *key) {
    if (json_is_object(x->v)) {
        const char *k = hn_value_text(e->a, key);
        *x = (hn_val){ .v = json_object_get(x->v, k), .missing = k, .among = x->v };
        return true;
    }
    int64_t i = 0;
    if (!whole(e, key, &i)) return false;
    const json_t *v = hn_expr_at(e, x->v, i);
    if (!v)
        return HN_FAIL(e->a, HONE_E_DATA, .what = hn_fmt(e->a, "%s: index %lld is outside", e->t->key, (long long)i), .where = e->f->where,
                       .found = hn_value_length(x->v) < 0 ? hn_fmt(e->a, "%.60s, which has no members", hn_value_text(e->a, x->v))
                                                          : hn_fmt(e->a, "%lld of them", (long long)hn_value_length(x->v)),
                       .hint = hn_fmt(e->a, "The template stands in %s:%lld.", e->t->file, (long long)e->t->line));
    *x = (hn_val){ .v = v };
    return true;
}

static bool brackets(hn_expr *e, hn_val *x) {
    hn_val i = { 0 }, j = { 0 };
    bool from = false, to = false, slice = hn_expr_eat(e, ":");
    if (!hn_expr_need(e, x)) return false;
    if (!slice) {
        if (!ternary(e, &i) || !hn_expr_need(e, &i)) return false;
        from = true;
        slice = hn_expr_eat(e, ":");
    }
    if (slice && !hn_expr_eat(e, "]")) {
        if (!ternary(e, &j) || !hn_expr_need(e, &j)) return false;
        to = true;
        if (!hn_expr_eat(e, "]")) return hn_expr_refuse(e, "']' was wanted", NULL);
    } else if (!slice && !hn_expr_eat(e, "]")) return hn_expr_refuse(e, "']' was wanted", NULL);
    if (e->skip) return *x = none(), true;
    if (!slice) return member(e, x, i.v);
    int64_t a = 0, b = 0;
    if ((from && !whole(e, i.v, &a)) || (to && !whole(e, j.v, &b))) return false;
    const json_t *v = hn_expr_slice(e, x->v, from, a, to, b);
    *x = (hn_val){ .v = v };
    return v || hn_expr_refuse(e, "only texts and lists can be cut", NULL);
}

static bool dot(hn_expr *e, hn_val *x) {
    const json_t *arg[MAX_ARGS];
    int64_t n, k;
    hn_expr_blank(e);
    if (e->p < e->end && isdigit((unsigned char)*e->p)) {           /* x.0 is x[0] */
        hn_val i;
        if (!hn_expr_need(e, x) || !digits(e, &i)) return false;
        return e->skip ? (*x = none(), true) : member(e, x, i.v);
    }
    const char *s = hn_expr_name(e);
    if (!s) return hn_expr_refuse(e, "a name was wanted behind '.'", NULL);
    if (!hn_expr_need(e, x)) return false;
    if (hn_expr_eat(e, "(")) {
        if (!arguments(e, arg, &n)) return false;
        return e->skip ? (*x = none(), true) : hn_expr_method(e, x->v, s, arg, n, x);
    }
    if (e->skip) return *x = none(), true;
    k = json_is_object(x->v);
    if (!k) return hn_expr_refuse(e, hn_fmt(e->a, "'%.40s' asks for a member of something that has none", s), NULL);
    return member(e, x, hn_value_str(e->a, s, (int64_t)strlen(s)));
}

static bool test(hn_expr *e, hn_val *x) {
    static const char *const known[] = { "defined", "none", "None", "string", "number", "sequence", "iterable", "mapping" };
    bool no = hn_expr_word(e, "not"), yes = false;
    const char *s = hn_expr_name(e);
    int64_t k = 0;
    while (s && k < HN_LEN(known) && strcmp(s, known[k])) k++;
    if (!s || k == HN_LEN(known)) return hn_expr_refuse(e, "this test is not known behind 'is'", "defined, none, string, number, sequence and mapping are.");
    if (k && !hn_expr_need(e, x)) return false;
    const json_t *v = x->v;
    switch (k) {
    case 0: yes = v != NULL; break;
    case 1: case 2: yes = json_is_null(v); break;
    case 3: yes = json_is_string(v); break;
    case 4: yes = json_is_number(v); break;
    case 7: yes = json_is_object(v); break;
    default: yes = hn_value_length(v) >= 0;
    }
    *x = boolean(yes != no);
    return true;
}

static bool postfix(hn_expr *e, hn_val *x) {
    const json_t *arg[MAX_ARGS];
    int64_t n;
    if (!primary(e, x)) return false;
    for (;;) {
        if (!step(e)) return false;
        hn_expr_blank(e);
        if (hn_expr_eat(e, ".")) {
            if (!dot(e, x)) return false;
        } else if (hn_expr_eat(e, "[")) {
            if (!brackets(e, x)) return false;
        } else if (e->p < e->end && *e->p == '|') {
            e->p++;
            const char *s = hn_expr_name(e);
            if (!s) return hn_expr_refuse(e, "a filter's name was wanted behind '|'", NULL);
            n = 0;
            if (hn_expr_eat(e, "(") && !arguments(e, arg, &n)) return false;
            if (e->skip) *x = none();
            else if (!hn_expr_filter(e, *x, s, arg, n, x)) return false;
        } else if (hn_expr_word(e, "is")) {
            if (!test(e, x)) return false;
        } else return true;
    }
}

static bool unary(hn_expr *e, hn_val *x) {
    hn_expr_blank(e);
    if (e->p >= e->end || *e->p != '-') return postfix(e, x);
    e->p++;
    if (++e->depth > HN_EXPR_DEPTH) return hn_expr_refuse(e, "nested too deeply", NULL);
    bool ok = unary(e, x) && hn_expr_need(e, x);
    e->depth--;
    if (!ok || e->skip) return ok;
    if (json_is_integer(x->v)) *x = integer(e, (int64_t)(0 - (uint64_t)json_integer_value(x->v)));
    else if (json_is_real(x->v)) *x = real(e, -json_real_value(x->v));
    else return hn_expr_refuse(e, "'-' wants a number", NULL);
    return true;
}

/* ---- two operands ---- */
static bool join(hn_expr *e, const json_t *x, const json_t *y, hn_val *out) {
    const char *s = hn_value_text(e->a, x), *t = hn_value_text(e->a, y);
    e->bytes += (int64_t)(strlen(s) + strlen(t));
    if (!step(e)) return false;
    const char *both = hn_fmt(e->a, "%s%s", s, t);
    *out = (hn_val){ .v = hn_value_str(e->a, both, (int64_t)strlen(both)) };
    return true;
}

static bool lists(hn_expr *e, const json_t *x, const json_t *y, hn_val *out) {
    json_t *v = hn_json_own(e->a, json_copy((json_t *)(intptr_t)x));
    e->steps += (int64_t)(json_array_size(x) + json_array_size(y));
    json_array_extend(v, (json_t *)(intptr_t)y);
    *out = (hn_val){ .v = v };
    return step(e);
}

static bool arithmetic(hn_expr *e, char op, const json_t *x, const json_t *y, hn_val *out) {
    if (op == '+' && json_is_string(x) && json_is_string(y)) return join(e, x, y, out);
    if (op == '+' && json_is_array(x) && json_is_array(y)) return lists(e, x, y, out);
    if (!json_is_number(x) || !json_is_number(y))
        return hn_expr_refuse(e, hn_fmt(e->a, "'%c' does not fit %.40s and %.40s", op, hn_value_text(e->a, x), hn_value_text(e->a, y)),
                              op == '+' ? "Texts join texts: number|string makes a text, and ~ joins anything." : NULL);
    double a = json_number_value(x), b = json_number_value(y), r;
    if ((op == '/' || op == 'd' || op == '%') && b == 0) return hn_expr_refuse(e, "division by zero", NULL);
    switch (op) {
    case '+': r = a + b; break;
    case '-': r = a - b; break;
    case '*': r = a * b; break;
    case '/': r = a / b; break;
    case 'd': r = floor(a / b); break;
    default: r = a - b * floor(a / b);
    }
    bool stays = op != '/' && json_is_integer(x) && json_is_integer(y) && fabs(r) < 9e15;
    *out = stays ? integer(e, (int64_t)r) : real(e, r);
    return true;
}

static bool product(hn_expr *e, hn_val *x) {
    if (!unary(e, x)) return false;
    for (hn_val y;;) {
        hn_expr_blank(e);
        if (e->p >= e->end || !strchr("*/%", *e->p) || (*e->p == '%' && e->end - e->p > 1 && e->p[1] == '}')) return true;
        char op = *e->p++;
        if (op == '/' && e->p < e->end && *e->p == '/') op = 'd', e->p++;
        if (!hn_expr_need(e, x) || !unary(e, &y) || !hn_expr_need(e, &y)) return false;
        if (!e->skip && !arithmetic(e, op, x->v, y.v, x)) return false;
    }
}

static bool sum(hn_expr *e, hn_val *x) {
    if (!product(e, x)) return false;
    for (hn_val y;;) {
        hn_expr_blank(e);
        if (e->p >= e->end || !strchr("+-~", *e->p) || (*e->p == '-' && e->end - e->p > 1 && strchr("}%", e->p[1]))) return true;
        char op = *e->p++;
        if (!step(e) || !hn_expr_need(e, x) || !product(e, &y) || !hn_expr_need(e, &y)) return false;
        if (e->skip) *x = none();
        else if (!(op == '~' ? join(e, x->v, y.v, x) : arithmetic(e, op, x->v, y.v, x))) return false;
    }
}

static bool contains(hn_expr *e, const json_t *x, const json_t *set, bool *yes) {
    *yes = false;
    if (json_is_string(set) && json_is_string(x)) *yes = strstr(json_string_value(set), json_string_value(x)) != NULL;
    else if (json_is_object(set)) *yes = json_object_get(set, hn_value_text(e->a, x)) != NULL;
    else if (json_is_array(set))
        for (size_t i = 0; i < json_array_size(set) && !*yes; i++) *yes = hn_value_equal(x, json_array_get(set, i));
    else return hn_expr_refuse(e, "'in' wants a text, a list or an object on its right", NULL);
    return true;
}

static bool order(hn_expr *e, const json_t *x, const json_t *y, int *c) {
    if (json_is_string(x) && json_is_string(y)) return *c = strcmp(json_string_value(x), json_string_value(y)), true;
    if (!json_is_number(x) || !json_is_number(y)) return hn_expr_refuse(e, "these two cannot be ordered", NULL);
    double a = json_number_value(x), b = json_number_value(y);
    return *c = (a > b) - (a < b), true;
}

static bool compare(hn_expr *e, hn_val *x) {
    static const char *const signs[] = { "==", "!=", "<=", ">=", "<", ">" };
    if (!sum(e, x)) return false;
    int k = 0, c = 0;
    while (k < 6 && !hn_expr_eat(e, signs[k])) k++;
    const char *before = e->p;
    bool no = false, in = false, yes = false;
    if (k == 6) {
        no = hn_expr_word(e, "not");
        in = hn_expr_word(e, "in");
        if (!in) return e->p = before, true;
    }
    hn_val y;
    if (!hn_expr_need(e, x) || !sum(e, &y) || !hn_expr_need(e, &y)) return false;
    if (e->skip) return *x = none(), true;
    if (in) {
        if (!contains(e, x->v, y.v, &yes)) return false;
    } else if (k < 2) yes = hn_value_equal(x->v, y.v) == (k == 0);
    else if (!order(e, x->v, y.v, &c)) return false;
    else yes = k == 2 ? c <= 0 : k == 3 ? c >= 0 : k == 4 ? c < 0 : c > 0;
    *x = boolean(yes != no);
    return true;
}

static bool negation(hn_expr *e, hn_val *x) {
    if (!hn_expr_word(e, "not")) return compare(e, x);
    if (++e->depth > HN_EXPR_DEPTH) return hn_expr_refuse(e, "nested too deeply", NULL);
    bool ok = negation(e, x) && hn_expr_need(e, x);
    e->depth--;
    if (ok) *x = boolean(!hn_value_true(x->v));
    return ok;
}

/* `and` and `or` give one of their operands, as in Python; the second is not evaluated where the first decides. */
static bool logic(hn_expr *e, hn_val *x, bool is_or) {
    if (!(is_or ? logic(e, x, false) : negation(e, x))) return false;
    while (hn_expr_word(e, is_or ? "or" : "and")) {
        hn_val y;
        if (!step(e) || !hn_expr_need(e, x)) return false;
        bool decided = hn_value_true(x->v) == is_or;
        e->skip += decided;
        bool ok = is_or ? logic(e, &y, false) : negation(e, &y);
        e->skip -= decided;
        if (!ok || (!decided && !hn_expr_need(e, &y))) return false;
        if (!decided) *x = y;
    }
    return true;
}

/* `a if c else b`: a stands before the condition, so it is read over first, and again once c is known to hold. */
static bool choose(hn_expr *e, hn_val *out) {
    const char *start = e->p, *after;
    hn_val c, skipped;
    e->skip++;
    bool ok = logic(e, out, true);
    e->skip--;
    if (!ok) return false;
    if (!hn_expr_word(e, "if")) return e->skip || (e->p = start, logic(e, out, true));
    if (!logic(e, &c, true) || !hn_expr_need(e, &c)) return false;
    bool yes = !e->skip && hn_value_true(c.v);
    after = e->p;
    if (yes) {
        e->p = start;
        if (!logic(e, out, true)) return false;
        e->p = after;
    } else *out = (hn_val){ .v = hn_value_str(e->a, "", 0) };
    if (!hn_expr_word(e, "else")) return true;
    e->skip += yes;
    ok = ternary(e, yes ? &skipped : out);
    e->skip -= yes;
    return ok;
}

static bool ternary(hn_expr *e, hn_val *out) {
    if (++e->depth > HN_EXPR_DEPTH) return hn_expr_refuse(e, "nested too deeply", NULL);
    bool ok = step(e) && choose(e, out);
    e->depth--;
    return ok;
}

bool hn_expr_read(hn_expr *e, hn_val *out) { return ternary(e, out); }
