/* added.c - added tokens: texts that stand for one id wherever they occur, found before anything else looks at the text.
 *
 * The leftmost wins, of those the longest. A trie over their bytes, behind a table of first bytes: text without any costs one look-up
 * a byte. Two finders: tokens with normalized=false are searched in the text as it is, the others in normalized text. */
#include "data/token/part/part.h"
#include <utf8proc.h>

enum { LONGEST = 1024, MOST = 1 << 20 };

typedef struct { int32_t child, sibling, token; uint8_t byte; } node;       /* indices, 0: none; token: index + 1 */
struct hn_added { const hn_added_list *list; int32_t first[256]; HN_VEC(node) nodes; };

json_t *hn_added_json(int64_t id, const char *text, bool special) {
    return json_pack("{s:I, s:s, s:b, s:b, s:b, s:b, s:b}", "id", (json_int_t)id, "content", text, "single_word", 0, "lstrip", 0, "rstrip", 0, "normalized", 0,
                     "special", special);
}

static bool one(hn_arena *a, const json_t *v, const char *where, size_t i, hn_added_token *out) {
    const json_t *id = json_object_get(v, "id"), *content = json_object_get(v, "content");
    int64_t n = (int64_t)json_string_length(content);
    if (!json_is_string(content) || n < 1 || n > LONGEST || !json_is_integer(id) || json_integer_value(id) < 0 ||
        json_integer_value(id) >= INT32_MAX)
        return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "added_tokens[%lld] is no token", (long long)i), .where = where,
                       .wanted = hn_fmt(a, "an \"id\" and a \"content\" of 1 to %d bytes", LONGEST));
    bool special = json_is_true(json_object_get(v, "special"));
    const json_t *normalized = json_object_get(v, "normalized");
    *out = (hn_added_token){ .text = { (const uint8_t *)hn_strndup(a, json_string_value(content), n), n },
                             .id = (int32_t)json_integer_value(id),
                             .special = special,
                             .normalized = normalized ? json_is_true(normalized) : !special,
                             .lstrip = json_is_true(json_object_get(v, "lstrip")),
                             .rstrip = json_is_true(json_object_get(v, "rstrip")),
                             .single_word = json_is_true(json_object_get(v, "single_word")) };
    return true;
}

bool hn_added_load(hn_arena *a, const json_t *v, const char *where, hn_added_list *out) {
    *out = (hn_added_list){ 0 };
    if (!v || json_is_null(v)) return true;
    if (!json_is_array(v) || json_array_size(v) > MOST)
        return HN_FAIL(a, HONE_E_MODEL, .what = "added_tokens is no list of tokens", .where = where);
    out->v = hn_new_n(a, hn_added_token, (int64_t)json_array_size(v));
    for (size_t i = 0; i < json_array_size(v); i++)
        if (!one(a, json_array_get(v, i), where, i, &out->v[out->n++])) return false;
    return true;
}

static int32_t child_of(const hn_added *f, int32_t at, uint8_t byte) {
    int32_t k = f->nodes.v[at].child;
    while (k && f->nodes.v[k].byte != byte) k = f->nodes.v[k].sibling;
    return k;
}

static void insert(hn_arena *a, hn_added *f, hn_bytes text, int32_t token) {
    int32_t at = f->first[text.p[0]];
    if (!at) {
        at = f->first[text.p[0]] = (int32_t)f->nodes.n;
        hn_push(a, &f->nodes, (node){ .byte = text.p[0] });
    }
    for (int64_t i = 1; i < text.n; i++) {
        int32_t next = child_of(f, at, text.p[i]);
        if (!next) {
            next = (int32_t)f->nodes.n;
            hn_push(a, &f->nodes, (node){ .sibling = f->nodes.v[at].child, .byte = text.p[i] });
            f->nodes.v[at].child = next;
        }
        at = next;
    }
    if (!f->nodes.v[at].token) f->nodes.v[at].token = token;
}

hn_added *hn_added_new(hn_arena *a, const hn_added_list *list, bool normalized) {
    hn_added *f = NULL;
    for (int64_t i = 0; i < list->n; i++) {
        if (list->v[i].normalized != normalized) continue;
        if (!f) {
            f = hn_new(a, hn_added);
            f->list = list;
            hn_push(a, &f->nodes, (node){ 0 });             /* index 0 stands for none */
        }
        insert(a, f, list->v[i].text, (int32_t)i + 1);
    }
    return f;
}

/* ---- finding ---- */
static bool is_space(uint32_t cp) {
    if (cp < 0x80) return cp == ' ' || (cp >= 9 && cp <= 13);
    return cp == 0x85 || utf8proc_category((utf8proc_int32_t)cp) == UTF8PROC_CATEGORY_ZS || cp == 0x2028 || cp == 0x2029;
}

static bool is_word(uint32_t cp) {
    utf8proc_category_t c = utf8proc_category((utf8proc_int32_t)cp);
    return (c >= UTF8PROC_CATEGORY_LU && c <= UTF8PROC_CATEGORY_ND) || c == UTF8PROC_CATEGORY_NL || c == UTF8PROC_CATEGORY_PC;
}

static int64_t before(const uint8_t *p, int64_t n, int64_t at, uint32_t *cp) {     /* where the character that ends at `at` begins */
    int64_t i = at - 1;
    while (i > 0 && at - i < 4 && (p[i] & 0xC0) == 0x80) i--;
    if (i + hn_utf8_next(p + i, n - i, cp) != at) i = at - 1, *cp = 0xFFFD;
    return i;
}

static bool stands_alone(const uint8_t *p, int64_t n, int64_t start, int64_t end) {
    uint32_t cp;
    if (start > 0 && (before(p, n, start, &cp), is_word(cp))) return false;
    return end == n || (hn_utf8_next(p + end, n - end, &cp), !is_word(cp));
}

static const hn_added_token *longest_at(const hn_added *f, const uint8_t *p, int64_t n, int64_t i) {
    int32_t token = 0;
    for (int32_t at = f->first[p[i]]; at; at = ++i < n ? child_of(f, at, p[i]) : 0)
        if (f->nodes.v[at].token) token = f->nodes.v[at].token;
    return token ? &f->list->v[token - 1] : NULL;
}

bool hn_added_find(const hn_added *f, const uint8_t *p, int64_t n, int64_t from, int64_t *start, int64_t *end, int32_t *id) {
    for (int64_t i = from; i < n; i++) {
        const hn_added_token *t = f->first[p[i]] ? longest_at(f, p, n, i) : NULL;
        if (!t) continue;
        *start = i;
        *end = i + t->text.n;
        *id = t->id;
        if (t->single_word && !stands_alone(p, n, *start, *end)) {
            i = *end - 1;                                    /* as a search that had found it goes on behind it */
            continue;
        }
        uint32_t cp;
        for (int64_t k; t->lstrip && *start > from && (k = before(p, n, *start, &cp), is_space(cp)); *start = k) {}
        while (t->rstrip && *end < n) {
            int used = hn_utf8_next(p + *end, n - *end, &cp);
            if (!is_space(cp)) break;
            *end += used;
        }
        return true;
    }
    return false;
}
