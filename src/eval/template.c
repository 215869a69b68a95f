/* template.c - the templates of a task pack: read and run by data/template; what fails is told with the pack's line and the item's. */
#include "eval/template.h"

typedef struct place {
    const hn_pack_text *t;
    const hn_filling *f;
} place;

static const char *line_of(hn_arena *a, const hn_pack_text *t) { return hn_fmt(a, "%s:%lld", t->file, (long long)t->line); }

/* The variable that the item lacks: other items have it, or none has. */
static bool no_field(hn_arena *a, const place *p, const char *name, const char *const *among, int64_t n) {
    HN_VEC(const char *) names = { 0 };
    hn_buf all = { 0 };
    const char *where = line_of(a, p->t), *key;
    const json_t *known = p->f->known ? p->f->known : p->f->fields;
    json_t *v;
    if (!among && json_object_get(known, name))
        return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "the item has no field '%.60s', which %s names", name, p->t->key),
                       .where = p->f->where, .hint = hn_fmt(a, "Other items have it. The template stands in %s.", where));
    for (int64_t i = 0; i < n; i++) hn_push(a, &names, among[i]);
    if (!among) json_object_foreach((json_t *)(uintptr_t)known, key, v) hn_push(a, &names, key);
    for (int64_t i = 0; i < HN_MIN(names.n, 40); i++) hn_buf_fmt(a, &all, "%s%s", i ? ", " : "", names.v[i]);
    const char *near = hn_nearest(name, names.v, names.n);
    return HN_FAIL(a, HONE_E_KEY, .what = hn_fmt(a, "%s names an unknown field '%.60s'", p->t->key, name), .where = where,
                   .wanted = hn_fmt(a, "one of the fields of %s: %.600s", p->f->where, hn_buf_str(a, &all)),
                   .hint = near ? hn_fmt(a, "Did you mean '%s'?", near) : NULL);
}

static bool fail(hn_arena *a, const void *env, const hn_template_fault *f) {
    const place *p = env;
    const char *what = hn_fmt(a, "%s: %s", p->t->key, f->what), *line = f->line > 1 ? hn_fmt(a, ", in its line %d", f->line) : "";
    if (f->missing) return no_field(a, p, f->missing, f->among, f->n_among);
    if (f->reading)
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "%s%s", what, line), .where = line_of(a, p->t),
                       .hint = f->hint ? f->hint : "docs/TASKS.md says what templates are made of.");
    return HN_FAIL(a, HONE_E_DATA, .what = what, .where = p->f->where,
                   .hint = hn_fmt(a, "The template stands in %s%s.", line_of(a, p->t), line));
}

const json_t *hn_pack_text_value(hn_arena *a, const hn_pack_text *t, const hn_filling *f) {
    const json_t *v = json_object_get(f->fields, t->text);
    const place p = { t, f };
    if (v) return v;
    if (f->known && json_object_get(f->known, t->text))
        return no_field(a, &p, t->text, NULL, 0), NULL; /* a bare name that this item lacks */
    hn_arena *own = hn_arena_new(a);
    const hn_template_rules rules = { .fail = fail, .env = &p };
    const hn_template *made = hn_template_parse(own, &rules, t->file, t->text, (int64_t)strlen(t->text));
    v = made ? hn_template_value(a, made, f->fields) : NULL;
    hn_arena_free(own);
    return v;
}

const char *hn_pack_text_filled(hn_arena *a, const hn_pack_text *t, const hn_filling *f) {
    const json_t *v = hn_pack_text_value(a, t, f);
    return v ? hn_value_text(a, v) : NULL;
}

const char *hn_value_text(hn_arena *a, const json_t *v) { return hn_python_str(a, v); }
const json_t *hn_value_str(hn_arena *a, const char *s, int64_t n) { return hn_json_own(a, json_stringn_nocheck(s, (size_t)n)); }
