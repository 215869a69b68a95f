/* is.c - the tests of templates: `x is defined`, `x is string`, `x is in y` … */
#include "data/template/jinja.h"

static const char *const tests[] = { "defined", "undefined",   "none",     "string",   "number",   "integer", "float",
                                     "boolean", "mapping",     "iterable", "sequence", "true",     "false",   "even",
                                     "odd",     "divisibleby", "equalto",  "eq",       "ne",       "lt",      "le",
                                     "gt",      "ge",          "in",       "sameas",   "callable", "lower",   "upper" };
bool hn_jinja_has_test(const char *name, const char **near) {
    *near = hn_nearest(name, tests, HN_LEN(tests));
    for (int64_t i = 0; i < HN_LEN(tests); i++)
        if (!strcmp(tests[i], name)) return true;
    return false;
}

bool hn_jinja_test(jrun *r, const char *name, const jvalue *v, const jargs *args, bool *out) {
    const jvalue *x = hn_j_arg(args, 0, NULL);
    const struct {
        const char *name;
        bool yes;
    } types[] = {
        { "defined", v->type != J_UNDEFINED },
        { "undefined", v->type == J_UNDEFINED },
        { "none", v->type == J_NONE },
        { "string", v->type == J_STR },
        { "number", v->type == J_INT || v->type == J_FLOAT || v->type == J_BOOL },
        { "integer", v->type == J_INT },
        { "float", v->type == J_FLOAT },
        { "boolean", v->type == J_BOOL },
        { "mapping", v->type == J_DICT },
        { "true", v->type == J_BOOL && v->b },
        { "false", v->type == J_BOOL && !v->b },
        { "iterable", v->type == J_STR || v->type == J_LIST || v->type == J_DICT || v->type == J_UNDEFINED },
        { "sequence", v->type == J_STR || v->type == J_LIST || v->type == J_DICT || (v->type == J_UNDEFINED && r->t->rules->talk) },
        { "callable", v->type == J_MACRO || v->type == J_BUILTIN },
    };
    if (!strcmp(name, "iterable") && !hn_jinja_need(r, v)) return false;
    for (int64_t i = 0; i < HN_LEN(types); i++)
        if (!strcmp(name, types[i].name)) return *out = types[i].yes, true;
    if (!hn_jinja_need(r, v)) return false;
    if (!strcmp(name, "even") || !strcmp(name, "odd") || !strcmp(name, "divisibleby")) {
        if (v->type != J_INT || (*name == 'd' && (!x || x->type != J_INT || !x->i)))
            return hn_jinja_fail(r, "'%s' is a question about whole numbers", name);
        *out = *name == 'd' ? (x->i == -1 || v->i % x->i == 0) : (v->i % 2 != 0) == (*name == 'o');
        return true;
    }
    if (!strcmp(name, "lower") || !strcmp(name, "upper")) {
        jvalue s, t;
        if (!hn_j_text(r, v, &s) || !hn_j_recase(r, &s, *name == 'u' ? J_UPPER : J_LOWER, &t)) return false;
        return *out = hn_j_equal(r, &s, &t), true;
    }
    if (!x) return hn_jinja_fail(r, "the test '%s' needs something to compare with", name);
    if (!strcmp(name, "in")) {
        if (x->type == J_STR && v->type == J_STR) return *out = !v->s.n || memmem(x->s.p, (size_t)x->s.n, v->s.p, (size_t)v->s.n), true;
        *out = false;
        for (int64_t i = 0; x->type == J_LIST && i < x->l.n && !*out; i++) *out = hn_j_equal(r, &x->l.v[i], v);
        if (x->type == J_DICT && v->type == J_STR) *out = hn_j_get(x, v->s.p, v->s.n);
        return true;
    }
    if (!strcmp(name, "equalto") || !strcmp(name, "eq") || !strcmp(name, "sameas")) return *out = hn_j_equal(r, v, x), true;
    if (!strcmp(name, "ne")) return *out = !hn_j_equal(r, v, x), true;
    int c;
    if (!hn_j_compare(r, v, x, &c)) return false;
    *out = name[0] == 'l' ? (name[1] == 't' ? c < 0 : c <= 0) : (name[1] == 't' ? c > 0 : c >= 0);
    return true;
}
