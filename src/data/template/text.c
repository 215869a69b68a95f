/* text.c - what templates do to texts: Python's methods of str, by code points. */
#include "data/template/jinja.h"
#include <utf8proc.h>

static jvalue integer(int64_t i) { return (jvalue){ J_INT, { .i = i } }; }
static jvalue boolean(bool b) { return (jvalue){ J_BOOL, { .b = b } }; }
static jvalue list_of(const jvalue *v, int64_t n) { return (jvalue){ J_LIST, { .l = { v, n } } }; }
typedef HN_VEC(jvalue) values;

/* Argument number i, or the one of that name; NULL: not given. */
const jvalue *hn_j_arg(const jargs *args, int i, const char *name) {
    for (int k = 0; k < args->n_kw; k++)
        if (name && !strcmp(args->kw[k].name, name)) return &args->kw[k].value;
    return i >= 0 && i < args->n ? &args->v[i] : NULL;
}
bool hn_j_text_arg(jrun *r, const char *who, const jvalue *v, jvalue *out) {
    *out = hn_j_str("", 0);
    if (v && v->type == J_STR) return *out = *v, true;
    return hn_jinja_fail(r, "%s needs a text, not %s", who, v ? hn_j_type(v) : "nothing");
}
/* ---- texts ---- */

/* White_Space of Unicode and the four separators U+001C … U+001F. */
bool hn_space(uint32_t c) {
    return (c >= 9 && c <= 13) || (c >= 28 && c <= 32) || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
           c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}
int64_t hn_chars(const char *s) { return hn_j_points(s, (int64_t)strlen(s)); }
static bool in_set(const jvalue *set, const char *p, int n, uint32_t c) {
    if (!set) return hn_space(c);
    for (int64_t i = 0; i < set->s.n;) {
        uint32_t s;
        int k = hn_utf8_next((const uint8_t *)set->s.p + i, set->s.n - i, &s);
        if (k == n && !memcmp(set->s.p + i, p, (size_t)n)) return true;
        i += k;
    }
    return false;
}
void hn_strip(const char *s, int64_t *from, int64_t *to, int sides) {
    if (*from >= *to) return;
    jvalue v = hn_j_strip(&(jvalue){ J_STR, { .s = { s + *from, *to - *from } } }, NULL, sides & 1, sides & 2);
    *from = v.s.p - s;
    *to = *from + v.s.n;
}
jvalue hn_j_strip(const jvalue *v, const jvalue *set, bool left, bool right) {
    const char *p = v->s.p, *end = p + v->s.n;
    uint32_t c;
    while (left && p < end) {
        int k = hn_utf8_next((const uint8_t *)p, end - p, &c);
        if (!in_set(set, p, k, c)) break;
        p += k;
    }
    while (right && end > p) {
        const char *q = end - 1;
        while (q > p && ((unsigned char)*q & 0xc0) == 0x80) q--;
        (void)hn_utf8_next((const uint8_t *)q, end - q, &c);
        if (!in_set(set, q, (int)(end - q), c)) break;
        end = q;
    }
    return hn_j_str(p, end - p);
}

bool hn_j_replace(jrun *r, const jvalue *v, const jvalue *from, const jvalue *to, int64_t most, jvalue *out) {
    hn_buf b = { 0 };
    const char *p = v->s.p, *end = p + v->s.n;
    while (most-- != 0) {
        const char *at = from->s.n ? memmem(p, (size_t)(end - p), from->s.p, (size_t)from->s.n) : p;
        if (!at) break;
        hn_buf_put(r->a, &b, p, at - p);
        hn_buf_put(r->a, &b, to->s.p, to->s.n);
        p = at + from->s.n;
        if (!from->s.n) { /* between all characters, as Python */
            if (p >= end) break;
            uint32_t c;
            int k = hn_utf8_next((const uint8_t *)p, end - p, &c);
            hn_buf_put(r->a, &b, p, k);
            p += k;
        }
        if (b.n > HN_JINJA_OUT) return hn_jinja_fail(r, "a text grows too long");
    }
    hn_buf_put(r->a, &b, p, end - p);
    return hn_j_bytes(r, &b, out);
}

bool hn_j_split(jrun *r, const jvalue *v, const jvalue *by, int64_t most, bool from_right, jvalue *out) {
    values parts = { 0 };
    const char *p = v->s.p, *end = p + v->s.n;
    if (by && !by->s.n) return hn_jinja_fail(r, "split by an empty text");
    if (from_right && by) { /* the last `most` borders */
        int64_t all = 0;
        for (const char *q = p; (q = memmem(q, (size_t)(end - q), by->s.p, (size_t)by->s.n)); q += by->s.n) all++;
        int64_t skip = most < 0 ? 0 : HN_MAX(all - most, 0);
        const char *q = p;
        for (; skip > 0; skip--) q = (const char *)memmem(q, (size_t)(end - q), by->s.p, (size_t)by->s.n) + by->s.n;
        const char *at = memmem(q, (size_t)(end - q), by->s.p, (size_t)by->s.n);
        if (!at) at = end;
        hn_push(r->a, &parts, hn_j_str(p, at - p));
        p = at < end ? at + by->s.n : end + 1;
        most = -1;
        if (p > end) return *out = list_of(parts.v, parts.n), true;
    }
    for (; by; most--) {
        const char *at = most == 0 ? NULL : memmem(p, (size_t)(end - p), by->s.p, (size_t)by->s.n);
        if (!hn_jinja_take(r, sizeof(jvalue))) return false;
        hn_push(r->a, &parts, hn_j_str(p, (at ? at : end) - p));
        if (!at) break;
        p = at + by->s.n;
    }
    while (!by) { /* runs of white space */
        jvalue rest = hn_j_strip(&(jvalue){ J_STR, { .s = { p, end - p } } }, NULL, true, false);
        const char *q = p = rest.s.p;
        if (!rest.s.n || !hn_jinja_take(r, sizeof(jvalue))) break;
        for (uint32_t c; q < end && most != 0;) {
            int k = hn_utf8_next((const uint8_t *)q, end - q, &c);
            if (hn_space(c)) break;
            q += k;
        }
        if (most == 0) q = end, rest = hn_j_strip(&rest, NULL, false, true);
        hn_push(r->a, &parts, most == 0 ? rest : hn_j_str(p, q - p));
        p = q;
        most--;
    }
    *out = list_of(parts.v, parts.n);
    return true;
}

bool hn_j_recase(jrun *r, const jvalue *v, jcase how, jvalue *out) {
    hn_buf b = { 0 };
    bool start = true;
    for (int64_t i = 0; i < v->s.n;) {
        uint32_t c;
        utf8proc_uint8_t u[4];
        i += hn_utf8_next((const uint8_t *)v->s.p + i, v->s.n - i, &c);
        utf8proc_category_t cat = utf8proc_category((utf8proc_int32_t)c);
        bool letter = cat >= UTF8PROC_CATEGORY_LU && cat <= UTF8PROC_CATEGORY_LO, up = how == J_UPPER || (start && how != J_LOWER);
        utf8proc_int32_t d = up ? utf8proc_toupper((utf8proc_int32_t)c) : utf8proc_tolower((utf8proc_int32_t)c);
        hn_buf_put(r->a, &b, u, utf8proc_encode_char(d, u));
        start = how == J_TITLE ? !letter : how == J_WORDS && (hn_space(c) || (c < 128 && c && strchr("-({[<", (int)c)));
    }
    return hn_j_bytes(r, &b, out);
}

static bool starts_or_ends(jrun *r, const jvalue *v, const jvalue *with, bool end, bool *yes) {
    *yes = false;
    if (with && with->type == J_LIST) {
        for (int64_t i = 0; i < with->l.n && !*yes; i++)
            if (!starts_or_ends(r, v, &with->l.v[i], end, yes)) return false;
        return true;
    }
    jvalue s;
    if (!hn_j_text_arg(r, end ? "endswith" : "startswith", with, &s)) return false;
    *yes = s.s.n <= v->s.n && !memcmp(end ? v->s.p + v->s.n - s.s.n : v->s.p, s.s.p, (size_t)s.s.n);
    return true;
}

int64_t hn_j_points(const char *p, int64_t n) {
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++) k += ((unsigned char)p[i] & 0xc0) != 0x80;
    return k;
}
bool hn_j_number_arg(jrun *r, const char *who, const jvalue *v, int64_t def, int64_t *out) {
    *out = def;
    if (!v || v->type == J_NONE) return true;
    if (v->type == J_INT) return *out = v->i, true;
    return hn_jinja_fail(r, "%s needs a whole number, not %s", who, hn_j_type(v));
}

static bool lines(jrun *r, const jvalue *v, bool keep, jvalue *out) {
    values parts = { 0 };
    for (int64_t i = 0, from = 0; i < v->s.n;) {
        bool cr = v->s.p[i] == '\r', nl = v->s.p[i] == '\n';
        int64_t end = i;
        i++;
        if (cr && i < v->s.n && v->s.p[i] == '\n') i++;
        if (!cr && !nl && i < v->s.n) continue;
        if (!cr && !nl) end = i;
        hn_push(r->a, &parts, hn_j_str(v->s.p + from, (keep ? i : end) - from));
        from = i;
    }
    *out = list_of(parts.v, parts.n);
    return hn_jinja_take(r, parts.n * (int64_t)sizeof(jvalue));
}

bool hn_j_join(jrun *r, const jvalue *list, const jvalue *by, const char *attribute, jvalue *out) {
    hn_buf b = { 0 };
    for (int64_t i = 0; i < list->l.n; i++) {
        const jvalue *x = &list->l.v[i];
        if (attribute && x->type == J_DICT) x = hn_j_get(x, attribute, (int64_t)strlen(attribute));
        if (i && by) hn_buf_put(r->a, &b, by->s.p, by->s.n);
        if (x && !hn_j_put(r, &b, x, false, 0)) return false;
    }
    return hn_j_bytes(r, &b, out);
}

bool hn_j_text_method(jrun *r, const jvalue *self, const char *name, const jargs *args, jvalue *out) {
    const jvalue *x = hn_j_arg(args, 0, NULL), *y = hn_j_arg(args, 1, NULL);
    jvalue s, t;
    int64_t k;
    bool yes, left = !strcmp(name, "lstrip"), right = !strcmp(name, "rstrip"), both = !strcmp(name, "strip");
    if (left || right || both) {
        if (x && x->type != J_NONE && !hn_j_text_arg(r, name, x, &s)) return false;
        *out = hn_j_strip(self, x && x->type != J_NONE ? x : NULL, !right, !left);
        return true;
    }
    if (!strcmp(name, "startswith") || !strcmp(name, "endswith"))
        return starts_or_ends(r, self, x, *name == 'e', &yes) && (*out = boolean(yes), true);
    if (!strcmp(name, "split") || !strcmp(name, "rsplit")) {
        x = hn_j_arg(args, 0, "sep");
        if (x && x->type == J_NONE) x = NULL;
        if (x && !hn_j_text_arg(r, name, x, &s)) return false;
        return hn_j_number_arg(r, name, hn_j_arg(args, 1, "maxsplit"), -1, &k) && hn_j_split(r, self, x, k, *name == 'r', out);
    }
    if (!strcmp(name, "splitlines")) return lines(r, self, (x = hn_j_arg(args, 0, "keepends")) && hn_j_true(x), out);
    if (!strcmp(name, "replace"))
        return hn_j_text_arg(r, name, x, &s) && hn_j_text_arg(r, name, y, &t) &&
               hn_j_number_arg(r, name, hn_j_arg(args, 2, "count"), -1, &k) && hn_j_replace(r, self, &s, &t, k, out);
    if (!strcmp(name, "upper")) return hn_j_recase(r, self, J_UPPER, out);
    if (!strcmp(name, "lower")) return hn_j_recase(r, self, J_LOWER, out);
    if (!strcmp(name, "title")) return hn_j_recase(r, self, J_TITLE, out);
    if (!strcmp(name, "capitalize")) return hn_j_recase(r, self, J_CAPITAL, out);
    if (!strcmp(name, "join")) {
        if (!x || x->type != J_LIST) return hn_jinja_fail(r, "join needs a list");
        for (int64_t i = 0; i < x->l.n; i++)
            if (!hn_j_text_arg(r, "join", &x->l.v[i], &s)) return false;
        return hn_j_join(r, x, self, NULL, out);
    }
    if (!strcmp(name, "removeprefix") || !strcmp(name, "removesuffix")) {
        bool end = !strcmp(name + 6, "suffix");
        if (!starts_or_ends(r, self, x, end, &yes) || !hn_j_text_arg(r, name, x, &s)) return false;
        *out = !yes ? *self : end ? hn_j_str(self->s.p, self->s.n - s.s.n) : hn_j_str(self->s.p + s.s.n, self->s.n - s.s.n);
        return true;
    }
    if (!strcmp(name, "find") || !strcmp(name, "rfind") || !strcmp(name, "count") || !strcmp(name, "index")) {
        if (!hn_j_text_arg(r, name, x, &s)) return false;
        if (args->n > 1) return hn_jinja_fail(r, "%s from a place on is outside of what hone renders", name);
        int64_t n = 0, last = -1;
        const char *p = self->s.p, *end = p + self->s.n;
        for (const char *q; s.s.n && (q = memmem(p, (size_t)(end - p), s.s.p, (size_t)s.s.n)); p = q + s.s.n) {
            n++;
            last = hn_j_points(self->s.p, q - self->s.p);
            if (*name == 'f' || *name == 'i') break;
        }
        if (*name == 'i' && last < 0) return hn_jinja_fail(r, "index: the text is not there");
        *out = integer(*name == 'c' ? n : s.s.n ? last : 0);
        return true;
    }
    if (!strcmp(name, "isdigit") || !strcmp(name, "isalpha") || !strcmp(name, "isspace")) {
        yes = self->s.n > 0;
        for (int64_t i = 0; i < self->s.n && yes;) {
            uint32_t c;
            i += hn_utf8_next((const uint8_t *)self->s.p + i, self->s.n - i, &c);
            utf8proc_category_t cat = utf8proc_category((utf8proc_int32_t)c);
            yes = name[2] == 'd'   ? cat == UTF8PROC_CATEGORY_ND
                  : name[2] == 's' ? hn_space(c)
                                   : cat >= UTF8PROC_CATEGORY_LU && cat <= UTF8PROC_CATEGORY_LO;
        }
        return *out = boolean(yes), true;
    }
    return hn_jinja_fail(r, "texts have no method '%.100s' here", name);
}
