/* template.c - text with {{fields}} and {% statements %}: walked once, what is not taken is read in skip mode. */
#include "eval/expr.h"

static bool walk(hn_expr *e, hn_buf *out, const char *until, const char **found);

/* From behind the last bracket to the next '{{', '{%' or '{#', or the end. lstrip: a '-' stood inside the bracket before. */
static bool plain(hn_expr *e, hn_buf *out, bool lstrip) {
    const char *s = e->p, *at = s;
    while (at < e->end && !(*at == '{' && at + 1 < e->end && strchr("{%#", at[1]))) at++;
    int64_t from = 0, to = at - s;
    if (lstrip) hn_strip(s, &from, &to, 1);
    if (at + 2 < e->end && at[2] == '-') hn_strip(s, &from, &to, 2);
    if (!e->skip && to > from) hn_buf_put(e->a, out, s + from, to - from);
    e->p = at;
    return out->n <= HN_EXPR_BYTES || hn_expr_refuse(e, "the text grows too long", NULL);
}

/* The closing bracket; *lstrip: with a '-'. */
static bool closed(hn_expr *e, const char *sign, bool *lstrip) {
    *lstrip = hn_expr_eat(e, "-");
    return hn_expr_eat(e, sign) || hn_expr_refuse(e, hn_fmt(e->a, "'%s' was wanted", sign), NULL);
}

static bool set_var(hn_expr *e, const char *name, const json_t *v) {
    json_object_set(e->vars, name, (json_t *)(intptr_t)v);
    return true;
}

static bool statement(hn_expr *e, hn_buf *out, const char *until, const char **found, bool *lstrip);

static bool branch(hn_expr *e, hn_buf *out, bool taken, const char *until, const char **found) {
    e->skip += !taken;
    bool ok = walk(e, out, until, found);
    e->skip -= !taken;
    return ok;
}

static bool if_statement(hn_expr *e, hn_buf *out, bool *lstrip) {
    bool done = false, yes = true;
    const char *word = "if";
    while (strcmp(word, "endif")) {
        hn_val c = { .v = json_null() };
        if (strcmp(word, "else")) {
            e->skip += done;
            bool ok = hn_expr_read(e, &c) && hn_expr_need(e, &c);
            e->skip -= done;
            if (!ok) return false;
        }
        yes = !done && (!strcmp(word, "else") || hn_value_true(c.v));
        done |= yes;
        if (!closed(e, "%}", lstrip)) return false;
        if (!branch(e, out, yes, !strcmp(word, "else") ? "endif" : "elif else endif", &word)) return false;
    }
    return closed(e, "%}", lstrip);
}

static bool for_statement(hn_expr *e, hn_buf *out, bool *lstrip) {
    const char *name = hn_expr_name(e), *start, *word;
    hn_val list;
    if (!name || !hn_expr_word(e, "in")) return hn_expr_refuse(e, "'for NAME in LIST' was wanted", NULL);
    if (!hn_expr_read(e, &list) || !hn_expr_need(e, &list) || !closed(e, "%}", lstrip)) return false;
    if (!e->skip && !json_is_array(list.v)) return hn_expr_refuse(e, "'for' wants a list", NULL);
    start = e->p;
    bool eat = *lstrip;
    for (size_t i = 0; !e->skip && i < json_array_size(list.v); i++) {
        json_t *loop = hn_json_own(e->a, json_pack("{sI sI sb sb}", "index", (json_int_t)i + 1, "index0", (json_int_t)i, "first", i == 0, "last",
                                                   i + 1 == json_array_size(list.v)));
        set_var(e, name, json_array_get(list.v, i));
        set_var(e, "loop", loop);
        e->p = start;
        *lstrip = eat;
        if (++e->steps > HN_EXPR_STEPS) return hn_expr_refuse(e, "too much work for one text", NULL);
        if (!walk(e, out, "endfor", &word)) return false;
    }
    if (e->skip || !json_array_size(list.v)) {
        e->p = start;
        if (!branch(e, out, false, "endfor", &word)) return false;
    }
    return closed(e, "%}", lstrip);
}

static bool is_one_of(const char *word, const char *list) {
    size_t n = strlen(word);
    for (const char *p = list; *p; p += strspn(p, " ")) {
        size_t k = strcspn(p, " ");
        if (k == n && !memcmp(p, word, n)) return true;
        p += k;
    }
    return false;
}

static bool statement(hn_expr *e, hn_buf *out, const char *until, const char **found, bool *lstrip) {
    const char *word = hn_expr_name(e);
    *found = NULL;
    if (!word) return hn_expr_refuse(e, "a statement was wanted behind {%", "if, for and set are.");
    if (is_one_of(word, until)) return *found = word, true;
    if (!strcmp(word, "if")) return if_statement(e, out, lstrip);
    if (!strcmp(word, "for")) return for_statement(e, out, lstrip);
    if (!strcmp(word, "set")) {
        const char *name = hn_expr_name(e);
        hn_val x;
        if (!name || !hn_expr_eat(e, "=")) return hn_expr_refuse(e, "'set NAME = VALUE' was wanted", NULL);
        if (!hn_expr_read(e, &x) || !hn_expr_need(e, &x)) return false;
        return closed(e, "%}", lstrip) && (e->skip || set_var(e, name, x.v));
    }
    return hn_expr_refuse(e, hn_fmt(e->a, "there is no statement '%.40s' here", word), "if, elif, else, endif, for, endfor and set are.");
}

/* Up to a statement that `until` names, which *found then is; without `until`, to the end. */
static bool walk(hn_expr *e, hn_buf *out, const char *until, const char **found) {
    bool lstrip = e->p > e->t->text + 2 && e->p[-3] == '-' && e->p[-1] == '}';
    if (++e->depth > HN_EXPR_DEPTH) return hn_expr_refuse(e, "nested too deeply", NULL);
    for (;;) {
        if (!plain(e, out, lstrip)) return false;
        lstrip = false;
        if (e->p >= e->end) {
            e->depth--;
            return !*until || hn_expr_refuse(e, hn_fmt(e->a, "'%s' is missing", strrchr(until, ' ') ? strrchr(until, ' ') + 1 : until), NULL);
        }
        char kind = e->p[1];
        e->p += 2;
        if (kind == '#') {
            const char *end = memmem(e->p, (size_t)(e->end - e->p), "#}", 2);
            if (!end) return hn_expr_refuse(e, "a comment does not end", NULL);
            lstrip = end > e->p && end[-1] == '-';
            e->p = end + 2;
            continue;
        }
        if (e->p < e->end && *e->p == '-') e->p++;
        hn_val x;
        if (kind == '{') {
            if (!hn_expr_read(e, &x) || !hn_expr_need(e, &x) || !closed(e, "}}", &lstrip)) return false;
            if (!e->skip) hn_buf_fmt(e->a, out, "%s", hn_value_text(e->a, x.v));
        } else {
            if (!statement(e, out, until, found, &lstrip)) return false;
            if (*found) return e->depth--, true;
        }
    }
}

static hn_expr begin(hn_arena *a, const hn_pack_text *t, const hn_filling *f) {
    return (hn_expr){ .a = a, .t = t, .f = f, .p = t->text, .end = t->text + strlen(t->text), .vars = hn_json_own(a, json_object()) };
}

static const json_t *rendered(hn_arena *a, const hn_pack_text *t, const hn_filling *f) {
    hn_expr e = begin(a, t, f);
    hn_buf b = { 0 };
    const char *found;
    if (!walk(&e, &b, "", &found)) return NULL;
    return hn_value_str(a, hn_buf_str(a, &b), b.n);
}

/* Is the whole template one {{expression}}? Then its value, else *out NULL. */
static bool single(hn_arena *a, const hn_pack_text *t, const hn_filling *f, const json_t **out) {
    hn_expr e = begin(a, t, f);
    hn_val x;
    bool lstrip;
    *out = NULL;
    if (strncmp(t->text, "{{", 2) || t->text[2] == '-') return true;
    e.p += 2;
    if (!hn_expr_read(&e, &x) || !hn_expr_need(&e, &x) || !closed(&e, "}}", &lstrip)) return false;
    if (e.p == e.end) *out = x.v;
    return true;
}

const json_t *hn_pack_text_value(hn_arena *a, const hn_pack_text *t, const hn_filling *f) {
    const json_t *v = json_object_get(f->fields, t->text);
    if (v) return v;
    if (f->known && json_object_get(f->known, t->text)) { /* a bare name that this item lacks */
        hn_expr e = begin(a, t, f);
        hn_val x = { .missing = t->text };
        return hn_expr_need(&e, &x) ? x.v : NULL;
    }
    if (!single(a, t, f, &v)) return NULL;
    return v ? v : rendered(a, t, f);
}

const char *hn_pack_text_filled(hn_arena *a, const hn_pack_text *t, const hn_filling *f) {
    const json_t *v = hn_pack_text_value(a, t, f);
    return v ? hn_value_text(a, v) : NULL;
}
