/* charsmap.c - SentencePiece's compiled normalizer: a table of texts and what stands for each, as models carry it ("precompiled_charsmap").
 *
 * Layout: u32 bytes of the trie; the trie, a double array of 32-bit units as darts-clone packs them; then the replacements, each ended by
 * a zero. The value of an entry is where its replacement begins. Two readings of the same table are in use, and both are here:
 *   longest       SentencePiece: at each place the longest entry, else one character as it is;
 *   by clusters   the package `tokenizers`: text falls into grapheme clusters; one below six bytes becomes what the *shortest* entry at its
 *                 beginning stands for, its rest is dropped; a longer one, or one without an entry, goes character by character.
 * The table is believed nothing: a step outside of the trie, a replacement outside of the texts, or an entry that ends inside a character
 * counts as no entry.
 * Sources: github.com/google/sentencepiece, src/normalizer.cc; github.com/s-yata/darts-clone, include/darts.h; github.com/huggingface/spm_precompiled. */
#include "data/token/part/part.h"
#include <utf8proc.h>

enum { CLUSTER = 6, LONGEST = 1024 };     /* bytes: clusters from CLUSTER on are taken apart; longest replacement that is believed */

struct hn_charsmap { const uint32_t *unit; int64_t n; const uint8_t *text; int64_t n_text; };

/* ---- base64, as JSON carries it ---- */
static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

const char *hn_base64(hn_arena *a, hn_bytes in) {
    char *out = hn_new_n(a, char, (in.n + 2) / 3 * 4 + 1), *to = out;
    for (int64_t i = 0; i < in.n; i += 3) {
        uint32_t x = (uint32_t)in.p[i] << 16 | (uint32_t)(i + 1 < in.n ? in.p[i + 1] : 0) << 8 | (i + 2 < in.n ? in.p[i + 2] : 0);
        for (int k = 0; k < 4; k++) *to++ = i + k <= in.n ? digits[x >> (18 - 6 * k) & 63] : '=';
    }
    return out;
}

static bool from_base64(hn_arena *a, const char *s, hn_bytes *out) {
    int64_t n = (int64_t)strlen(s), m = 0;
    while (n && s[n - 1] == '=') n--;
    uint8_t *p = hn_alloc(a, n + 4, 1, 8);
    uint32_t bits = 0;
    for (int64_t i = 0; i < n; i++) {
        const char *d = strchr(digits, s[i]);
        if (!d || !s[i]) return false;
        bits = bits << 6 | (uint32_t)(d - digits);
        if (i % 4) p[m++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    *out = (hn_bytes){ p, m };
    return n % 4 != 1;
}

/* ---- loading ---- */
hn_charsmap *hn_charsmap_new(hn_arena *a, const char *where, const char *base64) {
    hn_bytes file;
    uint32_t n = 0;
    const char *why = NULL;
    if (!from_base64(a, base64, &file)) why = "it is not base64";
    else if (file.n < 4 || (memcpy(&n, file.p, 4), n % 4 || n < 4 || (int64_t)n > file.n - 4)) why = "its first number, the size of the trie, does not fit the rest";
    else if (!hn_utf8_valid(file.p + 4 + n, file.n - 4 - n, NULL)) why = "its replacements are no UTF-8";
    if (why)
        return (void)HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "the normalizer's table (precompiled_charsmap) cannot be used: %s", why), .where = where,
                             .found = hn_fmt(a, "%lld characters", (long long)strlen(base64)), .hint = "the file was not copied whole"), NULL;
    hn_charsmap *m = hn_new(a, hn_charsmap);
    *m = (hn_charsmap){ (const uint32_t *)(const void *)(file.p + 4), n / 4, file.p + 4 + n, file.n - 4 - n };
    return m;
}

/* ---- entries: a unit tells its label, whether an entry ends at it, and how far its children are; the entry's unit holds its value ---- */
static inline uint32_t offset(uint32_t unit) { return (unit >> 10) << ((unit & 1u << 9) >> 6); }

static bool replacement(const hn_charsmap *m, uint32_t at, hn_bytes *out) {
    if ((int64_t)at >= m->n_text || (m->text[at] & 0xC0) == 0x80) return false;
    const uint8_t *end = memchr(m->text + at, 0, (size_t)HN_MIN(m->n_text - at, LONGEST));
    *out = (hn_bytes){ m->text + at, end ? end - m->text - at : 0 };
    return end != NULL;
}

/* The bytes of the entry at p, the longest or the first that is met; 0: none. */
static int64_t entry(const hn_charsmap *m, const uint8_t *p, int64_t n, bool longest, hn_bytes *out) {
    uint32_t at = offset(m->unit[0]);
    int64_t found = 0;
    for (int64_t i = 0; i < n; i++) {
        at ^= p[i];
        if ((int64_t)at >= m->n) break;
        uint32_t unit = m->unit[at];
        if ((unit & (1u << 31 | 0xFF)) != p[i]) break;
        at ^= offset(unit);
        if ((int64_t)at >= m->n) break;
        bool whole = i + 1 == n || (p[i + 1] & 0xC0) != 0x80;
        if ((unit >> 8 & 1) && whole && replacement(m, m->unit[at] & ~(1u << 31), out)) {
            found = i + 1;
            if (!longest) break;
        }
    }
    return found;
}

int64_t hn_charsmap_entry(const hn_charsmap *m, const uint8_t *p, int64_t n, hn_bytes *out) { return entry(m, p, n, true, out); }

bool hn_charsmap_begins(const hn_charsmap *m, const uint8_t *p, int64_t n) {
    uint32_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        at ^= offset(m->unit[at]) ^ p[i];
        if ((int64_t)at >= m->n || (m->unit[at] & (1u << 31 | 0xFF)) != p[i]) return false;
    }
    return true;
}

/* ---- the two readings ---- */
static int64_t put_one(const hn_charsmap *m, hn_arena *a, hn_buf *b, const uint8_t *p, int64_t n, bool longest) {
    hn_bytes text;
    uint32_t cp;
    int64_t used = entry(m, p, n, longest, &text);
    if (used) hn_buf_put(a, b, text.p, text.n);
    else hn_buf_put(a, b, p, used = hn_utf8_next(p, n, &cp));
    return used;
}

static int64_t cluster(const uint8_t *p, int64_t n) {
    uint32_t cp, next;
    utf8proc_int32_t state = 0;
    int64_t i = hn_utf8_next(p, n, &cp);
    for (int used; i < n; i += used, cp = next) {
        if (p[i] < 0x80 && cp < 0x80 && cp != '\r') break;
        used = hn_utf8_next(p + i, n - i, &next);
        if (utf8proc_grapheme_break_stateful((utf8proc_int32_t)cp, (utf8proc_int32_t)next, &state)) break;
    }
    return i;
}

hn_bytes hn_charsmap_apply(const hn_charsmap *m, hn_arena *a, bool longest, hn_bytes in) {
    hn_buf b = { 0 };
    hn_bytes text;
    hn_vec_grow(a, &b, in.n + 16);
    for (int64_t i = 0, n; longest && i < in.n; i += n) n = put_one(m, a, &b, in.p + i, in.n - i, true);
    for (int64_t i = 0, n, used; !longest && i < in.n; i += n) {
        n = cluster(in.p + i, in.n - i);
        if (n < CLUSTER && entry(m, in.p + i, n, false, &text)) hn_buf_put(a, &b, text.p, text.n);
        else
            for (int64_t k = 0; k < n; k += used) {
                uint32_t cp;
                used = hn_utf8_next(in.p + i + k, in.n - i - k, &cp);
                (void)put_one(m, a, &b, in.p + i + k, used, false);
            }
    }
    return (hn_bytes){ (const uint8_t *)(b.v ? b.v : ""), b.n };
}
