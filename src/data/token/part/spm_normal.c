/* spm_normal.c - SentencePiece's normalizer: one way through the text, at each place what stands there.
 *
 * At each place the longest symbol that the model's user defined stays as it is; else the longest entry of the compiled table is replaced;
 * else a character goes as it is, and a byte that begins none becomes U+FFFD. Blanks are then squeezed, shown, and one is put in front
 * or behind, as the model says. A text of blanks alone gives nothing where they are squeezed, and one blank too few or too many is other
 * ids; so this is not put together from the steps of `tokenizers`, which see what was replaced and not where it came from.
 * Source: github.com/google/sentencepiece, src/normalizer.cc. */
#include "data/token/part/part.h"

struct hn_spm_normal {
    const hn_charsmap *map;          /* NULL: no table */
    const hn_trie *own;              /* NULL: no symbols of the user's */
    bool squeezes, before, behind;
    hn_bytes blank;
    bool starts[256];                /* an entry or a symbol begins with that byte */
    bool ascii[256];                 /* the byte, with ASCII or nothing behind it, stays as it is (tables have "e" with marks to compose) */
};

hn_spm_normal *hn_spm_normal_new(hn_arena *a, const json_t *v, const hn_charsmap *map) {
    hn_spm_normal *m = hn_new(a, hn_spm_normal);
    const json_t *own = json_object_get(v, "user_defined"), *s;
    const char *blank = json_string_length(json_object_get(v, "blank")) ? json_string_value(json_object_get(v, "blank")) : HN_BLANK;
    int64_t n = (int64_t)json_array_size(own), k = 0;
    hn_bytes *key = hn_new_n(a, hn_bytes, n);
    int32_t *value = hn_new_n(a, int32_t, n);
    size_t i;
    *m = (hn_spm_normal){ .map = map, .squeezes = json_is_true(json_object_get(v, "squeezes")), .before = json_is_true(json_object_get(v, "before")),
                          .behind = json_is_true(json_object_get(v, "behind")) };
    m->blank = (hn_bytes){ (const uint8_t *)hn_strdup(a, blank), (int64_t)strlen(blank) };
    json_array_foreach(own, i, s)
        if (json_string_length(s)) key[k++] = (hn_bytes){ (const uint8_t *)json_string_value(s), (int64_t)json_string_length(s) };
    if (k) m->own = hn_trie_new(a, key, value, k);
    for (int byte = 0; byte < 256; byte++) {
        uint8_t text[2] = { (uint8_t)byte, 0 };
        hn_bytes other;
        m->starts[byte] = map && hn_charsmap_begins(map, text, 1);
        m->ascii[byte] = byte < 0x80 && byte != ' ' && !(map && hn_charsmap_entry(map, text, 1, &other));
        for (; m->ascii[byte] && m->starts[byte] && text[1] < 0x80; text[1]++) m->ascii[byte] = !hn_charsmap_begins(map, text, 2);
    }
    for (int64_t j = 0; j < k; j++) m->starts[key[j].p[0]] = true, m->ascii[key[j].p[0]] = false;
    return m;
}

/* What stands for the text at p; returns how many bytes of it. */
static int64_t next(const hn_spm_normal *m, const uint8_t *p, int64_t n, hn_bytes *out) {
    int64_t used = 0;
    uint32_t cp;
    if (m->starts[*p]) {
        if (m->own && (used = hn_trie_longest(m->own, p, n, NULL))) return *out = (hn_bytes){ p, used }, used;
        if (m->map && (used = hn_charsmap_entry(m->map, p, n, out))) return used;
    }
    used = hn_utf8_next(p, n, &cp);
    *out = used == 1 && *p >= 0x80 ? (hn_bytes){ (const uint8_t *)"\xEF\xBF\xBD", 3 } : (hn_bytes){ p, used };
    return used;
}

static bool is_plain(const hn_spm_normal *m, const uint8_t *p, int64_t n) { return m->ascii[*p] && (!m->starts[*p] || n == 1 || p[1] < 0x80); }

static void put(const hn_spm_normal *m, hn_arena *a, hn_buf *b, hn_bytes s) {
    hn_vec_grow(a, b, s.n * m->blank.n);
    for (int64_t i = 0; i < s.n; i++) {
        if (s.p[i] != ' ') b->v[b->n++] = (char)s.p[i];
        else memcpy(b->v + b->n, m->blank.p, (size_t)m->blank.n), b->n += m->blank.n;
    }
}

hn_bytes hn_spm_normal_apply(const hn_spm_normal *m, hn_arena *a, hn_bytes in) {
    static const hn_bytes one = { (const uint8_t *)" ", 1 };
    hn_buf b = { 0 };
    hn_bytes s;
    int64_t i = 0;
    for (int64_t used; m->squeezes && i < in.n && (used = next(m, in.p + i, in.n - i, &s), s.n == 1 && *s.p == ' '); i += used) {}
    if (i == in.n) return (hn_bytes){ (const uint8_t *)"", 0 };
    hn_vec_grow(a, &b, in.n - i + (in.n - i) / 2 + 16);
    if (m->before) put(m, a, &b, one);
    for (bool after = m->squeezes; i < in.n;) {
        int64_t end = i;
        while (end < in.n && is_plain(m, in.p + end, in.n - end)) end++;
        if (end > i) {
            hn_buf_put(a, &b, in.p + i, end - i);
            i = end;
            after = false;
            continue;
        }
        i += next(m, in.p + i, in.n - i, &s);
        for (; after && s.n && *s.p == ' '; s.p++, s.n--) {}
        if (!s.n) continue;
        put(m, a, &b, s);
        after = m->squeezes && s.p[s.n - 1] == ' ';
    }
    while (m->squeezes && b.n >= m->blank.n && !memcmp(b.v + b.n - m->blank.n, m->blank.p, (size_t)m->blank.n)) b.n -= m->blank.n;
    if (m->behind) put(m, a, &b, one);
    return (hn_bytes){ (const uint8_t *)(b.v ? b.v : ""), b.n };
}
