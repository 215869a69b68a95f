/* run.c - runs a template's statements, and a whole template: to a text, or to the value of its one expression. */
#include "data/template/jinja.h"

/* What a loop goes through, as a list. */
static bool iterated(jrun *r, const jvalue *v, jvalue *out) {
    int64_t n = v->type == J_STR ? hn_j_points(v->s.p, v->s.n) : v->type == J_DICT || v->type == J_NAMESPACE ? v->d->v.n : 0, at = 0;
    if (v->type == J_LIST) return *out = *v, true;
    if (!hn_jinja_need(r, v)) return false;
    if (v->type != J_STR && v->type != J_DICT && v->type != J_NAMESPACE && v->type != J_UNDEFINED)
        return hn_jinja_fail(r, "%s cannot be looped over", hn_j_type(v));
    jvalue *list = hn_new_n(r->a, jvalue, n + 1);
    if (!hn_jinja_take(r, n * (int64_t)sizeof *list)) return false;
    for (int64_t i = 0; i < n; i++) {
        if (v->type == J_STR) {
            uint32_t cp;
            int k = hn_utf8_next((const uint8_t *)v->s.p + at, v->s.n - at, &cp);
            list[i] = hn_j_str(v->s.p + at, k);
            at += k;
        } else list[i] = v->d->v.v[i].key;
    }
    *out = (jvalue){ J_LIST, { .l = { list, n } } };
    return true;
}

static bool bind_targets(jrun *r, const jnode *names, const jvalue *v) {
    if (!names->next) return hn_jinja_bind(r, names->name, *v);
    int64_t i = 0;
    jvalue parts;
    if (!iterated(r, v, &parts)) return false;
    for (; names; names = names->next, i++) {
        if (i >= parts.l.n) return hn_jinja_fail(r, "too few values for the names of a loop or set");
        if (!hn_jinja_bind(r, names->name, parts.l.v[i])) return false;
    }
    return i == parts.l.n || hn_jinja_fail(r, "too many values for the names of a loop or set");
}

static bool loop(jrun *r, const jnode *n) {
    jvalue over, all, keep;
    jframe *outer = r->frame;
    HN_VEC(jvalue) chosen = { 0 };
    if (!hn_jinja_eval(r, n->b, &over) || !iterated(r, &over, &all)) return false;
    if (n->c) { /* the loop counts only what its condition lets through */
        for (int64_t i = 0; i < all.l.n; i++) {
            r->frame = hn_new(r->a, jframe);
            r->frame->up = outer;
            bool yes, ok = hn_jinja_take(r, 64) && bind_targets(r, n->a, &all.l.v[i]) && hn_jinja_truth(r, n->c, &keep, &yes);
            r->frame = outer;
            if (!ok) return false;
            if (yes) hn_push(r->a, &chosen, all.l.v[i]);
        }
        all = (jvalue){ J_LIST, { .l = { chosen.v, chosen.n } } };
    }
    if (!all.l.n) return hn_jinja_run(r, n->other);
    jloop *l = hn_new(r->a, jloop);
    *l = (jloop){ .n = all.l.n, .items = all.l.v };
    for (; l->index < l->n; l->index++) {
        r->frame = hn_new(r->a, jframe);
        r->frame->up = outer;
        bool ok = hn_jinja_tick(r, n) && hn_jinja_take(r, 64) && bind_targets(r, n->a, &l->items[l->index]) &&
                  hn_jinja_bind(r, "loop", (jvalue){ J_LOOP, { .loop = l } }) && hn_jinja_run(r, n->list);
        r->frame = outer;
        if (!ok) return false;
        r->again = false;
        if (r->leave) break;
    }
    r->leave = false;
    return true;
}

/* What is set inside stays inside. */
static bool scoped(jrun *r, const jnode *list) {
    jframe *outer = r->frame;
    r->frame = hn_new(r->a, jframe);
    r->frame->up = outer;
    bool ok = hn_jinja_run(r, list);
    r->frame = outer;
    return ok;
}

static bool assign(jrun *r, const jnode *n) {
    jvalue v;
    if (n->kind == N_SET_BLOCK) {
        hn_buf text = r->out;
        r->out = (hn_buf){ 0 };
        r->in_text++;
        bool ok = scoped(r, n->list) && hn_j_bytes(r, &r->out, &v);
        r->in_text--;
        r->out = text;
        return ok && hn_jinja_bind(r, n->a->name, v);
    }
    if (!hn_jinja_eval(r, n->b, &v)) return false;
    if (!n->name) return bind_targets(r, n->a, &v);
    jvalue ns = hn_jinja_lookup(r, n->a->name);
    if (ns.type != J_NAMESPACE) return hn_jinja_fail(r, "'%.100s' is no namespace, so its '%.100s' cannot be set", n->a->name, n->name);
    hn_j_set(r->a, ns.d, n->name, (int64_t)strlen(n->name), v);
    return hn_jinja_take(r, sizeof(jpair));
}

static bool statement(jrun *r, const jnode *n) {
    jvalue v;
    bool yes;
    int64_t from = r->out.n;
    switch (n->kind) {
    case N_DATA:
        hn_buf_put(r->a, &r->out, n->value.s.p, n->value.s.n);
        return true;
    case N_PRINT:
        return hn_jinja_eval(r, n->a, &v) && hn_j_put(r, &r->out, &v, false, 0);
    case N_FOR:
        return loop(r, n);
    case N_IF:
        return hn_jinja_truth(r, n->a, &v, &yes) && hn_jinja_run(r, yes ? n->list : n->other);
    case N_SET:
    case N_SET_BLOCK:
        return assign(r, n);
    case N_MACRO:
        return hn_jinja_bind(r, n->name, (jvalue){ J_MACRO, { .macro = n } });
    case N_BREAK:
        return r->leave = true;
    case N_CONTINUE:
        return r->again = true;
    case N_GENERATION:
        if (!scoped(r, n->list)) return false;
        if (r->out.n > from && !r->in_text) hn_push(r->a, &r->result->marked, (hn_range){ from, r->out.n - from });
        return true;
    default:
        return hn_jinja_fail(r, "no statement");
    }
}

bool hn_jinja_run(jrun *r, const jnode *n) {
    if (!hn_jinja_deeper(r)) return false;
    for (; n; n = n->next) {
        if (!hn_jinja_tick(r, n) || !statement(r, n)) return false;
        if (r->out.n > HN_JINJA_OUT) return hn_jinja_fail(r, "it writes more than %d MiB", HN_JINJA_OUT >> 20);
        if (r->leave || r->again) break;
    }
    r->depth--;
    return true;
}

static bool begin(jrun *r, const json_t *vars) {
    const char *key;
    json_t *v;
    r->frame = r->globals = hn_new(r->a, jframe);
    json_object_foreach((json_t *)(uintptr_t)vars, key, v) {
        jvalue x;
        if (!hn_j_from_json(r, v, &x, 0) || !hn_jinja_bind(r, key, x)) return false;
    }
    return true;
}

bool hn_template_render(hn_arena *outer, const hn_template *t, const json_t *vars, double now, hn_rendered *out) {
    hn_arena *a = hn_arena_new(outer);
    jrun r = { .a = a, .t = t, .now = now, .steps = HN_JINJA_STEPS, .bytes = HN_JINJA_BYTES, .result = out };
    *out = (hn_rendered){ 0 };
    bool ok = begin(&r, vars) && hn_jinja_run(&r, t->body);
    if (ok) {
        out->text = hn_strndup(outer, r.out.n ? r.out.v : "", r.out.n);
        out->n = r.out.n;
        hn_range *marked = hn_new_n(outer, hn_range, out->marked.n + 1);
        for (int64_t i = 0; i < out->marked.n; i++) marked[i] = out->marked.v[i];
        out->marked.v = marked;
        out->marked.cap = out->marked.n;
    }
    hn_arena_free(a);
    return ok;
}

const json_t *hn_template_value(hn_arena *outer, const hn_template *t, const json_t *vars) {
    hn_arena *a = hn_arena_new(outer);
    hn_rendered none = { 0 };
    jrun r = { .a = a, .t = t, .now = -1, .steps = HN_JINJA_STEPS, .bytes = HN_JINJA_BYTES, .result = &none };
    bool one = t->body && t->body->kind == N_PRINT && !t->body->next;
    jvalue x = { 0 };
    bool ok = begin(&r, vars) && (one ? hn_jinja_eval(&r, t->body->a, &x) && hn_jinja_need(&r, &x)
                                      : hn_jinja_run(&r, t->body) && (x = hn_j_str(r.out.n ? r.out.v : "", r.out.n), true));
    json_t *v = ok ? hn_j_to_json(&r, &x, 0) : NULL;
    if (v) (void)hn_json_own(outer, json_incref(v));
    hn_arena_free(a);
    return v;
}
