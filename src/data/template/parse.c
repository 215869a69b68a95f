/* parse.c - tokens to a tree, by Jinja's own order of precedence. Filters, tests and functions are looked up here, so that a template
 * that needs more than hone has is refused before it is used. */
#include "data/template/jinja.h"
#include <stdlib.h>

typedef struct {
    hn_arena *a;
    const jtoken *t;
    int depth;
    hn_template *out;
} parser;

bool hn_jinja_refuse(hn_arena *a, const hn_template *t, int line, const char *what, const char *hint) {
    return t->rules->fail(a, t->rules->env, &(hn_template_fault){ t->where, line, true, what, hint });
}
static jnode *wrong(parser *p, int line, const char *what) {
    (void)hn_jinja_refuse(p->a, p->out, line, what, NULL);
    return NULL;
}
static jnode *not_had(parser *p, int line, const char *kind, const char *name, const char *near) {
    (void)hn_jinja_refuse(p->a, p->out, line, hn_fmt(p->a, "the template uses the %s '%s', which hone does not have", kind, name),
                          near ? hn_fmt(p->a, "Did you mean '%s'?", near) : NULL);
    return NULL;
}
static jnode *unexpected(parser *p, const char *wanted) {
    const jtoken *t = p->t;
    const char *found = t->kind == T_END ? "its end" : hn_fmt(p->a, "'%.*s'", (int)HN_MIN(t->n, 40), t->p);
    return wrong(p, t->line, hn_fmt(p->a, "the template has %s where %s should be", found, wanted));
}
static jnode *node(parser *p, jkind kind) {
    jnode *n = hn_new(p->a, jnode);
    n->kind = kind;
    n->line = p->t->line;
    return n;
}
static bool is(const parser *p, jtoken_kind kind, const char *text) {
    return p->t->kind == kind && (!text || (p->t->n == (int64_t)strlen(text) && !memcmp(p->t->p, text, (size_t)p->t->n)));
}
static bool is_sign(const parser *p, const char *s) { return is(p, T_SIGN, s); }
static bool is_word(const parser *p, const char *s) { return is(p, T_NAME, s); }
static bool take(parser *p, jtoken_kind kind, const char *text) {
    if (!is(p, kind, text)) return false;
    p->t++;
    return true;
}
static const char *text_of(parser *p, const jtoken *t) { return hn_strndup(p->a, t->p, t->n); }
static bool keyword(const parser *p) {
    static const char *const words[] = { "and", "or", "not", "if", "else", "elif", "in", "is", "for" };
    for (int64_t i = 0; i < HN_LEN(words); i++)
        if (is_word(p, words[i])) return true;
    return false;
}

static jnode *expression(parser *p);

/* Elements up to the closing sign, chained. A call's may be `name=value`. */
static bool elements(parser *p, const char *close, bool call, jnode **out) {
    jnode **end = out;
    while (!is_sign(p, close)) {
        if (call && is(p, T_SIGN, "*"))
            return wrong(p, p->t->line, "the template passes arguments by *, which is outside of what hone renders");
        jnode *n;
        if (call && p->t->kind == T_NAME && p->t[1].kind == T_SIGN && p->t[1].n == 1 && *p->t[1].p == '=') {
            n = node(p, N_KEYWORD);
            n->name = text_of(p, p->t);
            p->t += 2;
            if (!(n->a = expression(p))) return false;
        } else if (!(n = expression(p))) return false;
        *end = n;
        end = &n->next;
        if (!take(p, T_SIGN, ",") && !is_sign(p, close)) return unexpected(p, close);
    }
    p->t++;
    return true;
}

static jnode *dict(parser *p) {
    jnode *d = node(p, N_DICT), **end = &d->list;
    p->t++;
    while (!is_sign(p, "}")) {
        jnode *key = expression(p), *value;
        if (!key) return NULL;
        if (!take(p, T_SIGN, ":")) return unexpected(p, ":");
        if (!(value = expression(p))) return NULL;
        jnode *pair = node(p, N_KEYWORD);
        pair->a = key, pair->b = value;
        *end = pair;
        end = &pair->next;
        if (!take(p, T_SIGN, ",") && !is_sign(p, "}")) return unexpected(p, "}");
    }
    p->t++;
    return d;
}

static jnode *constant(parser *p, jvalue v) {
    jnode *n = node(p, N_CONST);
    n->value = v;
    p->t++;
    return n;
}

static jnode *word(parser *p) {
    static const struct {
        const char *name;
        jvalue v;
    } known[] = {
        { "true", { J_BOOL, { .b = true } } },   { "True", { J_BOOL, { .b = true } } }, { "false", { J_BOOL, { .b = false } } },
        { "False", { J_BOOL, { .b = false } } }, { "none", { J_NONE, { 0 } } },         { "None", { J_NONE, { 0 } } },
    };
    for (int64_t i = 0; i < HN_LEN(known); i++)
        if (is_word(p, known[i].name)) return constant(p, known[i].v);
    if (keyword(p)) return unexpected(p, "a value");
    jnode *n = node(p, N_NAME);
    n->name = text_of(p, p->t++);
    return n;
}

static jnode *primary(parser *p) {
    const jtoken *t = p->t;
    if (t->kind == T_NAME) return word(p);
    if (t->kind == T_STRING) {
        hn_buf b = { 0 };
        jnode *n = node(p, N_CONST);
        for (; p->t->kind == T_STRING; p->t++) hn_buf_put(p->a, &b, p->t->p, p->t->n);
        n->value = hn_j_str(hn_buf_str(p->a, &b), b.n);
        return n;
    }
    if (t->kind == T_INT) {
        int64_t v = 0;
        for (int64_t i = 0; i < t->n; i++)
            if (t->p[i] != '_' && (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, t->p[i] - '0', &v)))
                return wrong(p, t->line, "a number of the template is too large");
        return constant(p, (jvalue){ J_INT, { .i = v } });
    }
    if (t->kind == T_FLOAT) {
        double v;
        if (!hn_parse_f64(text_of(p, t), &v)) return wrong(p, t->line, "a number of the template cannot be read");
        return constant(p, (jvalue){ J_FLOAT, { .f = v } });
    }
    if (is_sign(p, "{")) return dict(p);
    if (is_sign(p, "[")) {
        jnode *n = node(p, N_LIST);
        p->t++;
        return elements(p, "]", false, &n->list) ? n : NULL;
    }
    if (take(p, T_SIGN, "(")) {
        jnode *n = node(p, N_LIST), *one;
        n->op = 1;
        if (take(p, T_SIGN, ")")) return n;
        if (!(one = expression(p))) return NULL;
        if (take(p, T_SIGN, ")")) return one;
        if (!take(p, T_SIGN, ",")) return unexpected(p, ")");
        n->list = one;
        return elements(p, ")", false, &one->next) ? n : NULL;
    }
    return unexpected(p, "a value");
}
static jnode *subscript(parser *p, jnode *of) {
    jnode *n = node(p, N_ITEM), *part[3] = { NULL };
    int at = 0;
    bool slice = false;
    n->a = of;
    p->t++;
    while (!is_sign(p, "]")) {
        if (take(p, T_SIGN, ":")) {
            slice = true;
            if (++at > 2) return unexpected(p, "]");
        } else if (part[at] || !(part[at] = expression(p))) return part[at] ? unexpected(p, "]") : NULL;
    }
    p->t++;
    if (!slice) return (n->b = part[0]) ? n : unexpected(p, "an index");
    n->kind = N_SLICE;
    n->b = part[0], n->c = part[1], n->other = part[2];
    return n;
}

static jnode *postfix(parser *p, jnode *n) {
    while (n) {
        if (is_sign(p, ".")) {
            jnode *attr = node(p, N_ATTR);
            p->t++;
            if (p->t->kind != T_NAME && p->t->kind != T_INT) return unexpected(p, "a name");
            attr->a = n;
            if (p->t->kind == T_INT) { /* x.0 is x[0] */
                attr->kind = N_ITEM;
                n = (attr->b = primary(p)) ? attr : NULL;
                continue;
            }
            attr->name = text_of(p, p->t++);
            n = attr;
        } else if (is_sign(p, "[")) n = subscript(p, n);
        else if (is_sign(p, "(")) {
            jnode *call = node(p, N_CALL);
            p->t++;
            call->a = n;
            n = elements(p, ")", true, &call->list) ? call : NULL;
        } else break;
    }
    return n;
}

static jnode *filter(parser *p, jnode *of) {
    jnode *n = node(p, N_FILTER);
    const char *near;
    p->t++;
    if (p->t->kind != T_NAME) return unexpected(p, "a filter");
    n->name = text_of(p, p->t++);
    n->a = of;
    if (!hn_jinja_has_filter(n->name, p->out->rules->talk, &near)) return not_had(p, n->line, "filter", n->name, near);
    return !take(p, T_SIGN, "(") || elements(p, ")", true, &n->list) ? n : NULL;
}

static jnode *test(parser *p, jnode *of) {
    jnode *n = node(p, N_TEST);
    const char *near;
    p->t++;
    n->a = of;
    n->op = take(p, T_NAME, "not");
    if (p->t->kind != T_NAME) return unexpected(p, "a test");
    n->name = text_of(p, p->t++);
    if (!hn_jinja_has_test(n->name, &near)) return not_had(p, n->line, "test", n->name, near);
    if (take(p, T_SIGN, "(")) return elements(p, ")", true, &n->list) ? n : NULL;
    bool value = p->t->kind == T_STRING || p->t->kind == T_INT || p->t->kind == T_FLOAT || (p->t->kind == T_NAME && !keyword(p)) ||
                 is_sign(p, "[") || is_sign(p, "{");
    if (!value) return n;
    return (n->list = primary(p)) && (n->list = postfix(p, n->list)) ? n : NULL;
}

static jnode *filters_and_tests(parser *p, jnode *n) {
    while (n) {
        if (is_sign(p, "|")) n = filter(p, n);
        else if (is_word(p, "is")) n = test(p, n);
        else if (is_sign(p, "(")) n = postfix(p, n);
        else break;
    }
    return n;
}

static jnode *unary(parser *p, bool filters) {
    jnode *n;
    if (++p->depth > HN_JINJA_DEPTH) return wrong(p, p->t->line, "the template's expressions stand too deep in each other");
    if (is_sign(p, "-")) {
        n = node(p, N_NEG);
        p->t++;
        if (!(n->a = unary(p, false))) return NULL;
    } else if (take(p, T_SIGN, "+")) n = unary(p, false);
    else n = primary(p);
    n = n ? postfix(p, n) : NULL;
    p->depth--;
    return filters ? filters_and_tests(p, n) : n;
}

/* Signs of one level, and what they mean; a level binds its operands by the next. */
typedef struct {
    const char *sign;
    int op;
} sign_op;
static jnode *level(parser *p, jnode *(*next)(parser *), const sign_op *v, int64_t n) {
    jnode *x = next(p);
    for (int64_t i = 0; x && i < n; i++)
        if (is_sign(p, v[i].sign)) {
            jnode *b = node(p, N_BINARY);
            p->t++;
            b->op = v[i].op, b->a = x;
            x = (b->b = next(p)) ? b : NULL;
            i = -1;
        }
    return x;
}
static jnode *one(parser *p) { return unary(p, true); }
static jnode *power(parser *p) { return level(p, one, (sign_op[]){ { "**", OP_POW } }, 1); }
static jnode *product(parser *p) {
    return level(p, power, (sign_op[]){ { "*", OP_MUL }, { "/", OP_DIV }, { "//", OP_FLOORDIV }, { "%", OP_MOD } }, 4);
}
static jnode *concat(parser *p) { return level(p, product, (sign_op[]){ { "~", OP_CONCAT } }, 1); }
static jnode *sum(parser *p) { return level(p, concat, (sign_op[]){ { "+", OP_ADD }, { "-", OP_SUB } }, 2); }

static int comparison(parser *p) {
    static const sign_op signs[] = { { "==", OP_EQ }, { "!=", OP_NE }, { "<", OP_LT }, { "<=", OP_LE }, { ">", OP_GT }, { ">=", OP_GE } };
    for (int64_t i = 0; i < HN_LEN(signs); i++)
        if (take(p, T_SIGN, signs[i].sign)) return signs[i].op;
    if (take(p, T_NAME, "in")) return OP_IN;
    if (is_word(p, "not") && p->t[1].kind == T_NAME && p->t[1].n == 2 && !memcmp(p->t[1].p, "in", 2)) return p->t += 2, OP_NOT_IN;
    return 0;
}
/* a < b < c is (a < b) and (b < c): the chain hangs on list. */
static jnode *compare(parser *p) {
    jnode *x = sum(p), *n = NULL, **end = NULL;
    for (int op, line = p->t->line; x && (op = comparison(p));) {
        if (!n) {
            n = node(p, N_COMPARE);
            n->line = line;
            n->a = x;
            end = &n->list;
        }
        jnode *with = node(p, N_COMPARE);
        with->op = op;
        if (!(with->a = sum(p))) return NULL;
        *end = with;
        end = &with->next;
    }
    return n ? n : x;
}
static jnode *negation(parser *p) {
    if (!is_word(p, "not")) return compare(p);
    jnode *n = node(p, N_NOT);
    if (++p->depth > HN_JINJA_DEPTH) return wrong(p, p->t->line, "the template's expressions stand too deep in each other");
    p->t++;
    n->a = negation(p);
    p->depth--;
    return n->a ? n : NULL;
}
static jnode *joined(parser *p, const char *by, jkind kind, jnode *(*next)(parser *)) {
    jnode *x = next(p);
    while (x && is_word(p, by)) {
        jnode *n = node(p, kind);
        p->t++;
        n->a = x;
        x = (n->b = next(p)) ? n : NULL;
    }
    return x;
}
static jnode *conjunction(parser *p) { return joined(p, "and", N_AND, negation); }
static jnode *disjunction(parser *p) { return joined(p, "or", N_OR, conjunction); }

static jnode *expression(parser *p) {
    if (++p->depth > HN_JINJA_DEPTH) return wrong(p, p->t->line, "the template's expressions stand too deep in each other");
    jnode *x = disjunction(p);
    while (x && is_word(p, "if")) {
        jnode *n = node(p, N_COND);
        p->t++;
        n->a = x;
        if (!(n->b = disjunction(p))) return NULL;
        if (take(p, T_NAME, "else") && !(n->c = expression(p))) return NULL;
        x = n;
    }
    p->depth--;
    return x;
}

/* expression, or several with commas between: a list */
static jnode *tuple(parser *p) {
    jnode *x = expression(p);
    if (!x || !is_sign(p, ",")) return x;
    jnode *n = node(p, N_LIST), **end = &x->next;
    n->op = 1;
    n->list = x;
    while (take(p, T_SIGN, ",")) {
        if (!(*end = expression(p))) return NULL;
        end = &(*end)->next;
    }
    return n;
}

/* ---- statements ---- */

static bool body(parser *p, const char *const *ends, jnode **out);
static bool close_tag(parser *p) { return take(p, T_BLOCK_END, NULL) || unexpected(p, "%}"); }
static bool names(parser *p, jnode **out) {
    do {
        if (p->t->kind != T_NAME || keyword(p)) return unexpected(p, "a name");
        *out = node(p, N_NAME);
        (*out)->name = text_of(p, p->t++);
        out = &(*out)->next;
    } while (take(p, T_SIGN, ","));
    return true;
}

static jnode *for_block(parser *p) {
    jnode *n = node(p, N_FOR);
    bool parens = take(p, T_SIGN, "(");
    if (!names(p, &n->a) || (parens && !take(p, T_SIGN, ")"))) return parens && n->a ? unexpected(p, ")") : NULL;
    if (!take(p, T_NAME, "in")) return unexpected(p, "in");
    if (!(n->b = disjunction(p))) return NULL;
    if (take(p, T_NAME, "if") && !(n->c = expression(p))) return NULL;
    if (is_word(p, "recursive")) return wrong(p, p->t->line, "the template has a recursive loop, which is outside of what hone renders");
    if (!close_tag(p) || !body(p, (const char *[]){ "endfor", "else", NULL }, &n->list)) return NULL;
    if (take(p, T_NAME, "else") && (!close_tag(p) || !body(p, (const char *[]){ "endfor", NULL }, &n->other))) return NULL;
    return take(p, T_NAME, "endfor") && close_tag(p) ? n : NULL;
}

static jnode *if_block(parser *p) {
    jnode *n = node(p, N_IF);
    if (++p->depth > HN_JINJA_DEPTH) return wrong(p, p->t->line, "the template has too long a row of elif");
    if (!(n->a = tuple(p)) || !close_tag(p) || !body(p, (const char *[]){ "endif", "else", "elif", NULL }, &n->list)) return NULL;
    if (take(p, T_NAME, "elif")) {
        if (!(n->other = if_block(p))) return NULL;
    } else if (take(p, T_NAME, "else")) {
        if (!close_tag(p) || !body(p, (const char *[]){ "endif", NULL }, &n->other) || !take(p, T_NAME, "endif") || !close_tag(p))
            return NULL;
    } else if (!take(p, T_NAME, "endif") || !close_tag(p)) return NULL;
    p->depth--;
    return n;
}

static jnode *set_block(parser *p) {
    jnode *n = node(p, N_SET);
    if (!names(p, &n->a)) return NULL;
    if (is_sign(p, ".") && !n->a->next) { /* ns.x = */
        p->t++;
        if (p->t->kind != T_NAME) return unexpected(p, "a name");
        n->name = text_of(p, p->t++);
    }
    if (take(p, T_SIGN, "=")) return (n->b = tuple(p)) && close_tag(p) ? n : NULL;
    if (n->a->next || is_sign(p, "|")) return unexpected(p, "=");
    n->kind = N_SET_BLOCK;
    return close_tag(p) && body(p, (const char *[]){ "endset", NULL }, &n->list) && take(p, T_NAME, "endset") && close_tag(p) ? n : NULL;
}

static jnode *macro_block(parser *p) {
    jnode *n = node(p, N_MACRO), **end = &n->a;
    if (p->t->kind != T_NAME) return unexpected(p, "a name");
    n->name = text_of(p, p->t++);
    if (!take(p, T_SIGN, "(")) return unexpected(p, "(");
    while (!is_sign(p, ")")) {
        jnode *arg = node(p, N_NAME);
        if (p->t->kind != T_NAME) return unexpected(p, "a name");
        arg->name = text_of(p, p->t++);
        if (take(p, T_SIGN, "=") && !(arg->a = expression(p))) return NULL;
        *end = arg;
        end = &arg->next;
        if (!take(p, T_SIGN, ",") && !is_sign(p, ")")) return unexpected(p, ")");
    }
    p->t++;
    bool ok = close_tag(p) && body(p, (const char *[]){ "endmacro", NULL }, &n->list) && take(p, T_NAME, "endmacro") && close_tag(p);
    return ok ? n : NULL;
}

static jnode *generation_block(parser *p) {
    jnode *n = node(p, N_GENERATION);
    p->out->marks = true;
    if (!close_tag(p) || !body(p, (const char *[]){ "endgeneration", NULL }, &n->list)) return NULL;
    return take(p, T_NAME, "endgeneration") && close_tag(p) ? n : NULL;
}

static jnode *leave(parser *p, jkind kind) {
    jnode *n = node(p, kind);
    return close_tag(p) ? n : NULL;
}

static jnode *statement(parser *p) {
    if (take(p, T_NAME, "for")) return for_block(p);
    if (take(p, T_NAME, "if")) return if_block(p);
    if (take(p, T_NAME, "set")) return set_block(p);
    if (take(p, T_NAME, "macro")) return macro_block(p);
    if (p->out->rules->talk && take(p, T_NAME, "generation")) return generation_block(p);
    if (p->out->rules->talk && take(p, T_NAME, "break")) return leave(p, N_BREAK);
    if (p->out->rules->talk && take(p, T_NAME, "continue")) return leave(p, N_CONTINUE);
    if (p->t->kind != T_NAME) return unexpected(p, "a statement");
    return wrong(p, p->t->line, hn_fmt(p->a, "the template uses '%s', which is outside of what hone renders", text_of(p, p->t)));
}

/* Up to a tag that begins with one of ends; the tag's name is the next token then. ends NULL: up to the end. */
static bool body(parser *p, const char *const *ends, jnode **out) {
    if (++p->depth > HN_JINJA_DEPTH) return wrong(p, p->t->line, "the template's blocks stand too deep in each other");
    for (; p->t->kind != T_END;) {
        jnode *n;
        if (p->t->kind == T_DATA) {
            n = node(p, N_DATA);
            n->value = hn_j_str(p->t->p, p->t->n);
            p->t++;
        } else if (take(p, T_PRINT_BEGIN, NULL)) {
            n = node(p, N_PRINT);
            if (!(n->a = tuple(p))) return false;
            if (!take(p, T_PRINT_END, NULL)) return unexpected(p, "}}");
        } else {
            p->t++; /* {% */
            for (int64_t i = 0; ends && ends[i]; i++)
                if (is_word(p, ends[i])) return p->depth--, true;
            if (!(n = statement(p))) return false;
        }
        *out = n;
        out = &n->next;
    }
    p->depth--;
    return !ends || wrong(p, p->t->line, hn_fmt(p->a, "the template ends before %s", ends[0]));
}

hn_template *hn_template_parse(hn_arena *a, const hn_template_rules *rules, const char *where, const char *text, int64_t n) {
    jtokens tokens = { 0 };
    int64_t at;
    hn_template *t = hn_new(a, hn_template);
    t->rules = rules;
    t->where = hn_strdup(a, where);
    if (n > 4 << 20 || !hn_utf8_valid((const uint8_t *)text, n, &at)) {
        (void)hn_jinja_refuse(a, t, 1, n > 4 << 20 ? "the template is larger than 4 MiB" : "the template is not valid UTF-8", NULL);
        return NULL;
    }
    if (!hn_jinja_lex(a, t, text, n, &tokens)) return NULL;
    parser p = { .a = a, .t = tokens.v, .out = t };
    if (body(&p, NULL, &t->body)) return t;
    if (!hone_error_code(a->job)) (void)unexpected(&p, "the end of a block"); /* every refusal has its reason */
    return NULL;
}

bool hn_template_marks(const hn_template *t) { return t->marks; }
