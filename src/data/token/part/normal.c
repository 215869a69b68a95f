/* normal.c - normalizers: text changed before it is cut into words. Unicode forms by utf8proc, the rest as `tokenizers` does it. */
#include "data/token/part/part.h"
#include <utf8proc.h>

typedef hn_bytes (*change_fn)(const hn_change *c, hn_work *w, hn_bytes in);

static bool is_ascii(hn_bytes s) {
    for (int64_t i = 0; i < s.n; i++)
        if (s.p[i] >= 0x80) return false;
    return true;
}

static hn_bytes as_bytes(const hn_buf *b) { return (hn_bytes){ (const uint8_t *)(b->v ? b->v : ""), b->n }; }

static void put_char(hn_arena *a, hn_buf *b, uint32_t cp) {
    uint8_t room[4];
    hn_buf_put(a, b, room, hn_utf8_put(cp, room));
}

/* ---- Unicode forms: into code points, reordered, and back in place ---- */
static hn_bytes unicode(hn_work *w, hn_bytes in, utf8proc_option_t options) {
    if (is_ascii(in)) return in;
    utf8proc_ssize_t n = utf8proc_decompose(in.p, (utf8proc_ssize_t)in.n, NULL, 0, options);
    if (n < 0) return in;
    utf8proc_int32_t *room = hn_new_n(w->scratch, utf8proc_int32_t, n + 1);
    n = utf8proc_decompose(in.p, (utf8proc_ssize_t)in.n, room, n, options);
    n = n < 0 ? n : utf8proc_reencode(room, n, options);
    return n < 0 ? in : (hn_bytes){ (const uint8_t *)room, n };
}

static hn_bytes nfc(const hn_change *c, hn_work *w, hn_bytes in) { return unicode(w, in, UTF8PROC_STABLE | UTF8PROC_COMPOSE); }
static hn_bytes nfd(const hn_change *c, hn_work *w, hn_bytes in) { return unicode(w, in, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE); }
static hn_bytes nfkc(const hn_change *c, hn_work *w, hn_bytes in) {
    return unicode(w, in, UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT);
}
static hn_bytes nfkd(const hn_change *c, hn_work *w, hn_bytes in) {
    return unicode(w, in, UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT);
}

/* ---- character by character ---- */
static void lower_char(hn_arena *a, hn_buf *b, uint32_t cp) {
    if (cp == 0x130) hn_buf_put(a, b, "i\xCC\x87", 3);          /* the one letter whose lower case is two */
    else put_char(a, b, (uint32_t)utf8proc_tolower((utf8proc_int32_t)cp));
}

static void unmarked_char(hn_arena *a, hn_buf *b, uint32_t cp) {
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)cp);
    if (k != UTF8PROC_CATEGORY_MN && k != UTF8PROC_CATEGORY_MC && k != UTF8PROC_CATEGORY_ME) put_char(a, b, cp);
}

static void unaccented_char(hn_arena *a, hn_buf *b, uint32_t cp) {
    if (utf8proc_category((utf8proc_int32_t)cp) != UTF8PROC_CATEGORY_MN) put_char(a, b, cp);
}

static bool is_space(uint32_t cp) {
    if (cp < 0x80) return cp == ' ' || (cp >= 9 && cp <= 13);
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)cp);
    return cp == 0x85 || k == UTF8PROC_CATEGORY_ZS || k == UTF8PROC_CATEGORY_ZL || k == UTF8PROC_CATEGORY_ZP;
}

static void clean_char(hn_arena *a, hn_buf *b, uint32_t cp) {
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)cp);
    bool space = cp == '\t' || cp == '\n' || cp == '\r';
    if (!space && (cp == 0 || cp == 0xFFFD || k == UTF8PROC_CATEGORY_CC || k == UTF8PROC_CATEGORY_CF || k == UTF8PROC_CATEGORY_CO)) return;
    put_char(a, b, space || is_space(cp) ? ' ' : cp);
}

static bool is_ideograph(uint32_t cp) {
    static const uint32_t range[][2] = { { 0x4E00, 0x9FFF }, { 0x3400, 0x4DBF }, { 0x20000, 0x2A6DF }, { 0x2A700, 0x2B73F },
                                         { 0x2B740, 0x2B81F }, { 0x2B920, 0x2CEAF }, { 0xF900, 0xFAFF }, { 0x2F800, 0x2FA1F } };
    for (int64_t i = 0; i < HN_LEN(range); i++)
        if (cp >= range[i][0] && cp <= range[i][1]) return true;
    return false;
}

static void apart_char(hn_arena *a, hn_buf *b, uint32_t cp) {
    if (is_ideograph(cp)) hn_buf_put(a, b, " ", 1);
    put_char(a, b, cp);
    if (is_ideograph(cp)) hn_buf_put(a, b, " ", 1);
}

static hn_bytes each(hn_work *w, hn_bytes in, void (*fn)(hn_arena *a, hn_buf *b, uint32_t cp)) {
    hn_buf b = { 0 };
    uint32_t cp;
    hn_vec_grow(w->scratch, &b, in.n + 4);
    for (int64_t i = 0; i < in.n;) {
        i += hn_utf8_next(in.p + i, in.n - i, &cp);
        fn(w->scratch, &b, cp);
    }
    return as_bytes(&b);
}

static hn_bytes lowercase(const hn_change *c, hn_work *w, hn_bytes in) { return each(w, in, lower_char); }
static hn_bytes strip_accents(const hn_change *c, hn_work *w, hn_bytes in) { return each(w, in, unmarked_char); }

static hn_bytes bert(const hn_change *c, hn_work *w, hn_bytes in) {
    if (c->clean) in = each(w, in, clean_char);
    if (c->ideographs) in = each(w, in, apart_char);
    if (c->accents && !is_ascii(in)) in = each(w, nfd(c, w, in), unaccented_char);
    return c->lower ? lowercase(c, w, in) : in;
}

/* ---- texts ---- */
static hn_bytes prepend(const hn_change *c, hn_work *w, hn_bytes in) {
    hn_buf b = { 0 };
    if (!in.n) return in;
    hn_buf_put(w->scratch, &b, c->text, (int64_t)strlen(c->text));
    hn_buf_put(w->scratch, &b, in.p, in.n);
    return as_bytes(&b);
}

static hn_bytes strip(const hn_change *c, hn_work *w, hn_bytes in) {
    uint32_t cp;
    for (int used; c->left && in.n && (used = hn_utf8_next(in.p, in.n, &cp), is_space(cp)); in.p += used, in.n -= used) {}
    while (c->right && in.n) {
        int64_t i = in.n - 1;
        while (i > 0 && (in.p[i] & 0xC0) == 0x80) i--;
        (void)hn_utf8_next(in.p + i, in.n - i, &cp);
        if (!is_space(cp)) break;
        in.n = i;
    }
    return in;
}

static hn_bytes replace(const hn_change *c, hn_work *w, hn_bytes in) {
    hn_buf b = { 0 };
    int64_t done = 0, from = 0, start, end, n = (int64_t)strlen(c->text);
    while (from <= in.n && hn_match(w->matcher, c->pattern, in.p, in.n, from, &start, &end) > 0) {
        uint32_t cp;
        hn_buf_put(w->scratch, &b, in.p + done, start - done);
        hn_buf_put(w->scratch, &b, c->text, n);
        done = end;
        from = end > start ? end : end < in.n ? end + hn_utf8_next(in.p + end, in.n - end, &cp) : in.n + 1;
    }
    hn_buf_put(w->scratch, &b, in.p + done, in.n - done);
    return as_bytes(&b);
}

static hn_bytes precompiled(const hn_change *c, hn_work *w, hn_bytes in) { return hn_charsmap_apply(c->map, w->scratch, c->longest, in); }

static hn_bytes sentencepiece(const hn_change *c, hn_work *w, hn_bytes in) { return hn_spm_normal_apply(c->spm, w->scratch, in); }

hn_bytes hn_changes_apply(const hn_changes *list, hn_work *w, hn_bytes in) {
    static const change_fn fn[] = { [HN_NFC] = nfc, [HN_NFD] = nfd, [HN_NFKC] = nfkc, [HN_NFKD] = nfkd, [HN_LOWERCASE] = lowercase,
                                    [HN_STRIP_ACCENTS] = strip_accents, [HN_BERT] = bert, [HN_PREPEND] = prepend, [HN_STRIP] = strip,
                                    [HN_REPLACE] = replace, [HN_PRECOMPILED] = precompiled, [HN_SENTENCEPIECE] = sentencepiece };
    for (int64_t i = 0; i < list->n && in.n; i++) in = fn[list->change[i].kind](&list->change[i], w, in);
    return in;
}
