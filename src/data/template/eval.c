/* eval.c - runs a template's tree. Every step, and every byte that a value takes, is counted against a limit, so a template ends. */
#include "data/template/jinja.h"
#include <math.h>

bool hn_jinja_fail(jrun *r, const char *fmt, ...) {
    va_list v;
    char text[512];
    va_start(v, fmt);
    vsnprintf(text, sizeof text, fmt, v);
    va_end(v);
    const hn_template_fault f = { .where = r->t->where, .line = r->line, .what = hn_fmt(r->a, "%s", text) };
    return r->t->rules->fail(r->a, r->t->rules->env, &f);
}
bool hn_jinja_missing(jrun *r, const jvalue *v) {
    const jdict *d = v->lacking == J_MEMBER ? v->among : NULL;
    HN_VEC(const char *) names = { 0 };
    hn_push(r->a, &names, ""); /* never NULL */
    for (int64_t i = 0; d && i < d->v.n; i++)
        if (d->v.v[i].key.type == J_STR) hn_push(r->a, &names, hn_strndup(r->a, d->v.v[i].key.s.p, d->v.v[i].key.s.n));
    const char *quote = v->lacking == J_PART && !r->t->rules->talk ? "" : "'";
    const hn_template_fault f = { .where = r->t->where,
                                  .line = r->line,
                                  .what = hn_fmt(r->a, "%s%.100s%s is undefined", quote, v->name, quote),
                                  .missing = v->lacking == J_PART ? NULL : v->name,
                                  .among = d ? names.v + 1 : NULL,
                                  .n_among = names.n - 1 };
    return r->t->rules->fail(r->a, r->t->rules->env, &f);
}
bool hn_jinja_need(jrun *r, const jvalue *v) {
    return v->type != J_UNDEFINED || v->lacking == J_NO_CASE || r->t->rules->talk || hn_jinja_missing(r, v);
}

bool hn_jinja_take(jrun *r, int64_t bytes) {
    return (r->bytes -= bytes + 32) >= 0 || hn_jinja_fail(r, "it needs more than %d MiB", HN_JINJA_BYTES >> 20);
}
void hn_jinja_work(jrun *r, const jvalue *v) {
    r->steps -= v->type == J_STR ? v->s.n >> 6 : v->type == J_LIST ? v->l.n : v->type == J_DICT || v->type == J_NAMESPACE ? v->d->v.n : 0;
}
bool hn_jinja_tick(jrun *r, const jnode *n) {
    r->line = n->line;
    return --r->steps >= 0 || hn_jinja_fail(r, "it does not end (more than %d steps)", HN_JINJA_STEPS);
}
bool hn_jinja_deeper(jrun *r) { return ++r->depth <= HN_JINJA_DEPTH * 2 || hn_jinja_fail(r, "it calls itself too deep"); }

/* ---- names ---- */

static jvalue *find_in(const jframe *f, const char *name) {
    for (int64_t i = 0; i < f->v.n; i++)
        if (!strcmp(f->v.v[i].name, name)) return &f->v.v[i].value;
    return NULL;
}
bool hn_jinja_bind(jrun *r, const char *name, jvalue value) {
    jvalue *old = find_in(r->frame, name);
    if (old) return *old = value, true;
    if (!hn_jinja_take(r, 64)) return false;
    hn_push(r->a, &r->frame->v, (struct jbinding){ name, value });
    return true;
}
jvalue hn_jinja_lookup(jrun *r, const char *name) {
    for (const jframe *f = r->frame; f; f = f->up) {
        const jvalue *v = find_in(f, name);
        if (v) return *v;
    }
    if (hn_jinja_has_function(name, r->t->rules->talk) && (r->now >= 0 || strcmp(name, "strftime_now")))
        return (jvalue){ J_BUILTIN, { .name = name } };
    return (jvalue){ J_UNDEFINED, { .name = name, .lacking = J_VARIABLE } };
}

/* ---- parts of values ---- */

static jvalue integer(int64_t i) { return (jvalue){ J_INT, { .i = i } }; }
static jvalue boolean(bool b) { return (jvalue){ J_BOOL, { .b = b } }; }
static jvalue undefined(const char *name) { return (jvalue){ J_UNDEFINED, { .name = name } }; }

static bool loop_field(const jloop *l, const char *name, jvalue *out) {
    const struct {
        const char *name;
        int64_t value;
    } numbers[] = { { "index", l->index + 1 },
                    { "index0", l->index },
                    { "length", l->n },
                    { "revindex", l->n - l->index },
                    { "revindex0", l->n - l->index - 1 },
                    { "depth", 1 },
                    { "depth0", 0 } };
    for (int64_t i = 0; i < HN_LEN(numbers); i++)
        if (!strcmp(name, numbers[i].name)) return *out = integer(numbers[i].value), true;
    if (!strcmp(name, "first")) *out = boolean(l->index == 0);
    else if (!strcmp(name, "last")) *out = boolean(l->index == l->n - 1);
    else if (!strcmp(name, "previtem")) *out = l->index ? l->items[l->index - 1] : undefined(name);
    else if (!strcmp(name, "nextitem")) *out = l->index + 1 < l->n ? l->items[l->index + 1] : undefined(name);
    else *out = undefined(name);
    return true;
}

/* Where code point number i of a text begins; n: past the end. */
static int64_t at_point(const jvalue *v, int64_t i) {
    int64_t at = 0;
    uint32_t cp;
    for (; i > 0 && at < v->s.n; i--) at += hn_utf8_next((const uint8_t *)v->s.p + at, v->s.n - at, &cp);
    return at;
}
static int64_t points(const jvalue *v) {
    int64_t n = 0;
    for (int64_t i = 0; i < v->s.n; i++) n += ((unsigned char)v->s.p[i] & 0xc0) != 0x80;
    return n;
}
static jvalue one_point(const jvalue *v, int64_t i) {
    int64_t at = at_point(v, i), end = at_point(&(jvalue){ J_STR, { .s = { v->s.p + at, v->s.n - at } } }, 1);
    return hn_j_str(v->s.p + at, end);
}

static bool item_of(jrun *r, const jvalue *of, const jvalue *key, jvalue *out) {
    int64_t n = of->type == J_LIST ? of->l.n : of->type == J_STR ? points(of) : 0;
    *out = undefined("item");
    if (of->type != J_LIST) hn_jinja_work(r, of);
    if (of->type == J_UNDEFINED) return hn_jinja_missing(r, of);
    if (!hn_jinja_need(r, key)) return false;
    if (of->type == J_DICT || of->type == J_NAMESPACE) {
        jvalue name;
        if (!r->t->rules->talk) { /* the name is wanted for the message, should the member be used */
            if (!hn_j_text(r, key, &name)) return false;
            *out = (jvalue){ J_UNDEFINED, { .name = hn_strndup(r->a, name.s.p, name.s.n), .among = of->d, .lacking = J_MEMBER } };
        }
        if (key->type == J_STR) {
            const jvalue *v = hn_j_get(of, key->s.p, key->s.n);
            if (v) *out = *v;
        } else
            for (int64_t i = 0; i < of->d->v.n; i++)
                if (hn_j_equal(r, &of->d->v.v[i].key, key)) *out = of->d->v.v[i].value;
    } else if (of->type == J_LOOP && key->type == J_STR) return loop_field(of->loop, hn_strndup(r->a, key->s.p, key->s.n), out);
    else if (key->type == J_INT || key->type == J_BOOL) {
        int64_t i = key->type == J_BOOL ? key->b : key->i;
        if (i < 0) i += n;
        if (i >= 0 && i < n) *out = of->type == J_LIST ? of->l.v[i] : one_point(of, i);
        else if (!r->t->rules->talk) out->name = hn_fmt(r->a, "item %lld of %s of %lld", (long long)i, hn_j_type(of), (long long)n);
    }
    return true;
}

static bool slice_bound(jrun *r, const jnode *n, int64_t *out, bool *given) {
    jvalue v;
    *given = false;
    if (!n) return true;
    if (!hn_jinja_eval(r, n, &v) || !hn_jinja_need(r, &v)) return false;
    if (v.type == J_NONE) return true;
    if (v.type != J_INT) return hn_jinja_fail(r, "a slice goes by numbers, not by %s", hn_j_type(&v));
    *out = v.i;
    return *given = true;
}
static bool slice_of(jrun *r, const jnode *n, const jvalue *of, jvalue *out) {
    int64_t from = 0, to = 0, step = 1, count = of->type == J_LIST ? of->l.n : of->type == J_STR ? points(of) : -1;
    bool has_from, has_to, has_step;
    if (!hn_jinja_need(r, of)) return false;
    if (count < 0) return hn_jinja_fail(r, "%s has no slices", hn_j_type(of));
    hn_jinja_work(r, of);
    if (!slice_bound(r, n->b, &from, &has_from) || !slice_bound(r, n->c, &to, &has_to) || !slice_bound(r, n->other, &step, &has_step))
        return false;
    if (step == 0 || step == INT64_MIN) return hn_jinja_fail(r, "a slice cannot have step 0");
    int64_t lo = step > 0 ? 0 : -1, hi = step > 0 ? count : count - 1; /* Python's rule */
    from = !has_from ? (step > 0 ? lo : hi) : from < 0 ? HN_MAX(from + count, lo) : HN_MIN(from, hi);
    to = !has_to ? (step > 0 ? hi : lo) : to < 0 ? HN_MAX(to + count, lo) : HN_MIN(to, hi);
    if (step > count + 1) step = count + 1;
    if (step < -count - 1) step = -count - 1;
    if (of->type == J_STR && step == 1) {
        int64_t a = at_point(of, from), b = at_point(of, HN_MAX(to, from));
        *out = hn_j_str(of->s.p + a, b - a);
        return true;
    }
    hn_buf text = { 0 };
    HN_VEC(jvalue) list = { 0 };
    if (!hn_jinja_take(r, of->type == J_STR ? of->s.n : count * (int64_t)sizeof(jvalue))) return false;
    for (int64_t i = from; step > 0 ? i < to : i > to; i += step) {
        if ((r->steps -= of->type == J_STR ? i + 1 : 1) < 0) return hn_jinja_fail(r, "it does not end");
        jvalue c;
        if (of->type == J_STR) c = one_point(of, i), hn_buf_put(r->a, &text, c.s.p, c.s.n);
        else hn_push(r->a, &list, of->l.v[i]);
    }
    *out = of->type == J_STR ? hn_j_str(text.n ? text.v : "", text.n) : (jvalue){ J_LIST, { .l = { list.v, list.n } } };
    return true;
}

/* ---- calls and comparisons ---- */

static bool comparison(jrun *r, const jnode *n, jvalue *out) {
    jvalue x, y;
    if (!hn_jinja_eval(r, n->a, &x)) return false;
    for (const jnode *k = n->list; k; k = k->next, x = y) {
        bool yes = false;
        int c;
        if (!hn_jinja_eval(r, k->a, &y)) return false;
        if (!hn_jinja_need(r, &x) || !hn_jinja_need(r, &y)) return false;
        hn_jinja_work(r, &x), hn_jinja_work(r, &y);
        if (k->op == OP_EQ || k->op == OP_NE) yes = hn_j_equal(r, &x, &y) == (k->op == OP_EQ);
        else if (k->op == OP_IN || k->op == OP_NOT_IN) {
            if (!hn_j_contains(r, &y, &x, &yes)) return false;
            yes = yes == (k->op == OP_IN);
        } else {
            if (!hn_j_compare(r, &x, &y, &c)) return false;
            yes = k->op == OP_LT ? c < 0 : k->op == OP_LE ? c <= 0 : k->op == OP_GT ? c > 0 : c >= 0;
        }
        if (r->steps < 0) return hn_jinja_fail(r, "it does not end"); /* or stands too deep in each other to be compared */
        if (!yes) return *out = boolean(false), true;
    }
    *out = boolean(true);
    return true;
}

/* needed: none may be undefined, where the rules are strict; a macro decides that itself */
static bool arguments(jrun *r, const jnode *list, bool needed, jargs *out) {
    out->n = out->n_kw = 0;
    for (const jnode *n = list; n; n = n->next) {
        bool kw = n->kind == N_KEYWORD;
        jvalue *v = kw ? &out->kw[out->n_kw].value : &out->v[out->n];
        if ((kw ? out->n_kw : out->n) == HN_LEN(out->v)) return hn_jinja_fail(r, "a call has more than %d arguments", (int)HN_LEN(out->v));
        if (!hn_jinja_eval(r, kw ? n->a : n, v) || (needed && !hn_jinja_need(r, v))) return false;
        if (kw) out->kw[out->n_kw++].name = n->name;
        else out->n++;
    }
    return true;
}

static bool call_macro(jrun *r, const jnode *m, const jargs *args, jvalue *out) {
    jframe *outer = r->frame, *f = hn_new(r->a, jframe);
    hn_buf text = r->out;
    int i = 0;
    if (!hn_jinja_deeper(r)) return false;
    f->up = r->globals;
    r->frame = f;
    for (const jnode *p = m->a; p; p = p->next, i++) {
        jvalue v = undefined(p->name);
        bool given = i < args->n;
        if (given) v = args->v[i];
        for (int k = 0; k < args->n_kw; k++)
            if (!strcmp(args->kw[k].name, p->name)) v = args->kw[k].value, given = true;
        if (!given && p->a && !hn_jinja_eval(r, p->a, &v)) return false;
        if (!hn_jinja_bind(r, p->name, v)) return false;
    }
    if (args->n > i) return hn_jinja_fail(r, "macro '%.100s' takes %d arguments", m->name, i);
    r->out = (hn_buf){ 0 };
    r->in_text++;
    bool ok = hn_jinja_run(r, m->list) && hn_j_bytes(r, &r->out, out);
    r->in_text--;
    r->out = text;
    r->frame = outer;
    r->depth--;
    return ok;
}

static bool call(jrun *r, const jnode *n, jvalue *out) {
    jargs args;
    jvalue f;
    if (n->a->kind == N_ATTR) {
        if (!hn_jinja_eval(r, n->a->a, &f) || !arguments(r, n->list, true, &args)) return false;
        const jvalue *own = f.type == J_NAMESPACE || f.type == J_DICT ? hn_j_get(&f, n->a->name, (int64_t)strlen(n->a->name)) : NULL;
        if (own && own->type == J_MACRO) return call_macro(r, own->macro, &args, out);
        r->line = n->line;
        hn_jinja_work(r, &f);
        return hn_jinja_method(r, &f, n->a->name, &args, out);
    }
    if (!hn_jinja_eval(r, n->a, &f) || !arguments(r, n->list, f.type != J_MACRO, &args)) return false;
    r->line = n->line;
    if (f.type == J_MACRO) return call_macro(r, f.macro, &args, out);
    if (f.type == J_BUILTIN) return hn_jinja_function(r, f.name, &args, out);
    return f.type == J_UNDEFINED ? hn_jinja_missing(r, &f) : hn_jinja_fail(r, "%s cannot be called", hn_j_type(&f));
}

static bool list_value(jrun *r, const jnode *n, jvalue *out) {
    HN_VEC(jvalue) v = { 0 };
    for (const jnode *k = n->list; k; k = k->next) {
        jvalue x;
        if (!hn_jinja_eval(r, k, &x) || !hn_jinja_need(r, &x) || !hn_jinja_take(r, sizeof x)) return false;
        hn_push(r->a, &v, x);
    }
    *out = (jvalue){ J_LIST, { .l = { v.v, v.n, n->op == 1 } } };
    return true;
}
static bool dict_value(jrun *r, const jnode *n, jvalue *out) {
    jdict *d = hn_new(r->a, jdict);
    for (const jnode *k = n->list; k; k = k->next) {
        jvalue key, value;
        if (!hn_jinja_eval(r, k->a, &key) || !hn_jinja_eval(r, k->b, &value) || !hn_jinja_need(r, &key) || !hn_jinja_need(r, &value) ||
            !hn_jinja_take(r, sizeof(jpair)))
            return false;
        if (key.type == J_STR) hn_j_set(r->a, d, key.s.p, key.s.n, value);
        else hn_push(r->a, &d->v, (jpair){ key, value });
    }
    *out = (jvalue){ J_DICT, { .d = d } };
    return true;
}

bool hn_jinja_truth(jrun *r, const jnode *n, jvalue *v, bool *yes) {
    return hn_jinja_eval(r, n, v) && hn_jinja_need(r, v) && (*yes = hn_j_true(v), true);
}

static bool eval_inner(jrun *r, const jnode *n, jvalue *out) {
    jvalue x, y;
    jargs args;
    bool yes;
    switch (n->kind) {
    case N_CONST:
        *out = n->value;
        return true;
    case N_NAME:
        *out = hn_jinja_lookup(r, n->name);
        return true;
    case N_LIST:
        return list_value(r, n, out);
    case N_DICT:
        return dict_value(r, n, out);
    case N_ATTR:
        if (!hn_jinja_eval(r, n->a, &x)) return false;
        y = hn_j_str(n->name, (int64_t)strlen(n->name));
        if (!item_of(r, &x, &y, out)) return false;
        if (out->type == J_UNDEFINED && out->lacking == J_PART)
            out->name = r->t->rules->talk ? n->name : hn_fmt(r->a, "'%.100s' of %s", n->name, hn_j_type(&x));
        return true;
    case N_ITEM:
        return hn_jinja_eval(r, n->a, &x) && hn_jinja_eval(r, n->b, &y) && item_of(r, &x, &y, out);
    case N_SLICE:
        return hn_jinja_eval(r, n->a, &x) && slice_of(r, n, &x, out);
    case N_CALL:
        return call(r, n, out);
    case N_FILTER:
        return hn_jinja_eval(r, n->a, &x) && arguments(r, n->list, true, &args) &&
               (r->line = n->line, hn_jinja_filter(r, n->name, &x, &args, out));
    case N_TEST:
        if (!hn_jinja_eval(r, n->a, &x) || !arguments(r, n->list, true, &args) || !hn_jinja_test(r, n->name, &x, &args, &yes)) return false;
        *out = boolean(yes != (n->op == 1));
        return true;
    case N_NOT:
        return hn_jinja_truth(r, n->a, &x, &yes) && (*out = boolean(!yes), true);
    case N_AND:
        return hn_jinja_truth(r, n->a, out, &yes) && (!yes || hn_jinja_eval(r, n->b, out));
    case N_OR:
        return hn_jinja_truth(r, n->a, out, &yes) && (yes || hn_jinja_eval(r, n->b, out));
    case N_NEG:
        if (!hn_jinja_eval(r, n->a, &x)) return false;
        if (x.type == J_FLOAT) return *out = (jvalue){ J_FLOAT, { .f = -x.f } }, true;
        return hn_j_binary(r, OP_SUB, &(jvalue){ J_INT, { .i = 0 } }, &x, out);
    case N_COMPARE:
        return comparison(r, n, out);
    case N_BINARY:
        return hn_jinja_eval(r, n->a, &x) && hn_jinja_eval(r, n->b, &y) && (r->line = n->line, hn_j_binary(r, n->op, &x, &y, out));
    case N_COND:
        if (!hn_jinja_truth(r, n->b, &x, &yes)) return false;
        if (yes) return hn_jinja_eval(r, n->a, out);
        if (n->c) return hn_jinja_eval(r, n->c, out);
        *out = (jvalue){ J_UNDEFINED, { .name = "the other case", .lacking = J_NO_CASE } };
        return true;
    default:
        return hn_jinja_fail(r, "no value");
    }
}
bool hn_jinja_eval(jrun *r, const jnode *n, jvalue *out) {
    if (!hn_jinja_tick(r, n) || !hn_jinja_deeper(r)) return false;
    bool ok = eval_inner(r, n, out);
    r->depth--;
    return ok;
}
