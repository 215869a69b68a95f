/* quick.c - the expressions in use, matched by hand: what PCRE2 finds for them, several times as fast.
 *
 * A quick form is chosen by the exact text of the expression; any other goes to PCRE2 (pattern.c). Each of the long ones matches at
 * every character of any text, so a match begins where the last one ended: the alternatives are tried in their order at that place,
 * with what backtracking would come to written out. `\s+(?!\S)` leaves the last blank of a run to what follows; `\s*[\r\n]+` takes
 * white space up to its last line end. Classes are utf8proc's and what has come since. Beyond ASCII, 's also matches U+017F where case is ignored.
 * tests/test_quick.c holds each against PCRE2 on random text. */
#include "data/token/part/part.h"
#include <utf8proc.h>

typedef enum class { OTHER, LETTER, NUMBER, SPACE, LINE_END } class;       /* LINE_END: \r and \n, which are white space too */

#define O OTHER
#define L LETTER
#define N NUMBER
#define S SPACE
#define E LINE_END
static const uint8_t ascii[128] = { O, O, O, O, O, O, O, O, O, S, E, S, S, E, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O,
                                    S, O, O, O, O, O, O, O, O, O, O, O, O, O, O, O, N, N, N, N, N, N, N, N, N, N, O, O, O, O, O, O,
                                    O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O,
                                    O, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, O, O, O, O, O };
#undef O
#undef L
#undef N
#undef S
#undef E

/* Valid UTF-8 beyond ASCII. */
static inline int decode(const uint8_t *p, uint32_t *cp) {
    if (*p < 0xE0) return *cp = (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F), 2;
    if (*p < 0xF0) return *cp = (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F), 3;
    return *cp = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 | (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F), 4;
}

/* Letters and numbers of Unicode 16, as `tokenizers` 0.23 has them, that utf8proc 2.8 (Unicode 15) does not know; sorted. */
static const struct { uint32_t first, last; class k; } younger[] = {
    { 0x1C89, 0x1C8A, LETTER }, { 0xA7CB, 0xA7CD, LETTER }, { 0xA7DA, 0xA7DC, LETTER }, { 0x105C0, 0x105F3, LETTER },
    { 0x10D40, 0x10D49, NUMBER }, { 0x10D4A, 0x10D65, LETTER }, { 0x10D6F, 0x10D85, LETTER }, { 0x10EC2, 0x10EC4, LETTER },
    { 0x11380, 0x11389, LETTER }, { 0x1138B, 0x1138B, LETTER }, { 0x1138E, 0x1138E, LETTER }, { 0x11390, 0x113B5, LETTER },
    { 0x113B7, 0x113B7, LETTER }, { 0x113D1, 0x113D1, LETTER }, { 0x113D3, 0x113D3, LETTER }, { 0x116D0, 0x116E3, NUMBER },
    { 0x11BC0, 0x11BE0, LETTER }, { 0x11BF0, 0x11BF9, NUMBER }, { 0x13460, 0x143FA, LETTER }, { 0x16100, 0x1611D, LETTER },
    { 0x16130, 0x16139, NUMBER }, { 0x16D40, 0x16D6C, LETTER }, { 0x16D70, 0x16D79, NUMBER }, { 0x18CFF, 0x18CFF, LETTER },
    { 0x1CCF0, 0x1CCF9, NUMBER }, { 0x1E5D0, 0x1E5ED, LETTER }, { 0x1E5F0, 0x1E5F0, LETTER }, { 0x1E5F1, 0x1E5FA, NUMBER },
    { 0x2EBF0, 0x2EE5D, LETTER },
};

static class unassigned(uint32_t cp) {
    for (int64_t i = 0; i < HN_LEN(younger) && younger[i].first <= cp; i++)
        if (cp <= younger[i].last) return younger[i].k;
    return OTHER;
}

static class wide(uint32_t cp) {
    if (cp >= 0x4E00 && cp < 0x9FFD) return LETTER;                          /* most of Chinese, without a look-up */
    if (cp == 0x85 || cp == 0x2028 || cp == 0x2029) return SPACE;
    switch (utf8proc_category((utf8proc_int32_t)cp)) {
    case UTF8PROC_CATEGORY_LU: case UTF8PROC_CATEGORY_LL: case UTF8PROC_CATEGORY_LT: case UTF8PROC_CATEGORY_LM: case UTF8PROC_CATEGORY_LO: return LETTER;
    case UTF8PROC_CATEGORY_ND: case UTF8PROC_CATEGORY_NL: case UTF8PROC_CATEGORY_NO: return NUMBER;
    case UTF8PROC_CATEGORY_ZS: return SPACE;
    case UTF8PROC_CATEGORY_CN: return unassigned(cp);
    default: return OTHER;
    }
}

static inline class class_at(const uint8_t *p, int64_t at, int *used) {
    if (p[at] < 0x80) return *used = 1, (class)ascii[p[at]];
    uint32_t cp;
    *used = decode(p + at, &cp);
    return wide(cp);
}

/* The end of a run of one class that begins at `at`. */
static inline int64_t run(const uint8_t *p, int64_t n, int64_t at, class k) {
    for (int used; at < n; at += used)
        if (class_at(p, at, &used) != k) break;
    return at;
}

/* ---- short forms behind an apostrophe: 's 't 're 've 'm 'll 'd ---- */
static int64_t short_form(const uint8_t *p, int64_t n, int64_t at, bool any_case) {
    if (at + 1 >= n) return 0;
    uint8_t fold = any_case ? 0x20 : 0, c = p[at + 1] | fold, d = at + 2 < n ? p[at + 2] | fold : 0;
    if (any_case && p[at + 1] == 0xC5 && p[at + 2] == 0xBF) return at + 3;
    if (p[at + 1] >= 0x80) return 0;
    if (c == 's' || c == 't' || c == 'm' || c == 'd') return at + 2;
    if (d && p[at + 2] < 0x80 && ((c == 'r' && d == 'e') || (c == 'v' && d == 'e') || (c == 'l' && d == 'l'))) return at + 3;
    return 0;
}

/* ---- white space: \s+(?!\S)|\s+, and before that \s*[\r\n]+ where line_ends ---- */
static int64_t blanks(const uint8_t *p, int64_t n, int64_t from, bool line_ends) {
    int64_t at = from, last = from, line_end = -1;
    for (int used; at < n; at += used) {
        class k = class_at(p, at, &used);
        if (k < SPACE) break;
        last = at;
        if (k == LINE_END) line_end = at + 1;
    }
    if (line_ends && line_end > 0) return line_end;
    return at == n || last == from ? at : last;
}

static int64_t gpt2(const uint8_t *p, int64_t n, int64_t from, int64_t *start) {
    int used, more;
    int64_t at = from, end;
    *start = from;
    if (from >= n) return -1;
    if (p[at] == '\'' && (end = short_form(p, n, at, false))) return end;
    class k = class_at(p, at, &used), next;
    if (p[at] == ' ' && at + 1 < n && (next = class_at(p, at + 1, &more)) < SPACE) k = next, used = more, at++;
    return k < SPACE ? run(p, n, at + used, k) : blanks(p, n, at, false);
}

static int64_t cl100k(const uint8_t *p, int64_t n, int64_t from, int64_t *start, int digits) {
    int used, more;
    int64_t at = from, end;
    *start = from;
    if (from >= n) return -1;
    if (p[at] == '\'' && (end = short_form(p, n, at, true))) return end;
    class k = class_at(p, at, &used);
    if (k == LETTER) return run(p, n, at + used, LETTER);
    if (k == NUMBER) {
        for (at += used; --digits && at < n && class_at(p, at, &more) == NUMBER;) at += more;
        return at;
    }
    class next = at + used < n ? class_at(p, at + used, &more) : LINE_END;
    if (k != LINE_END && next == LETTER) return run(p, n, at + used + more, LETTER);
    if (p[at] == ' ' && next == OTHER) k = OTHER;
    if (k != OTHER) return blanks(p, n, at, true);
    for (at = run(p, n, at + used, OTHER); at < n && (p[at] == '\n' || p[at] == '\r');) at++;
    return at;
}

static int64_t llama3(const uint8_t *p, int64_t n, int64_t from, int64_t *start) { return cl100k(p, n, from, start, 3); }
static int64_t qwen2(const uint8_t *p, int64_t n, int64_t from, int64_t *start) { return cl100k(p, n, from, start, 1); }

/* ---- single characters of a class ---- */
static bool is_punctuation(uint32_t cp) {
    if (cp < 0x80) return cp > ' ' && cp < 0x7F && ascii[cp] == OTHER;
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)cp);
    return k >= UTF8PROC_CATEGORY_PC && k <= UTF8PROC_CATEGORY_PO;
}

static int64_t punctuation(const uint8_t *p, int64_t n, int64_t from, int64_t *start) {
    int used = 1;
    for (int64_t at = from; at < n; at += used) {
        uint32_t cp = p[at];
        used = cp < 0x80 ? 1 : decode(p + at, &cp);
        if (is_punctuation(cp)) return *start = at, at + used;
    }
    return -1;
}

static int64_t space(const uint8_t *p, int64_t n, int64_t from, int64_t *start) {
    int used;
    for (int64_t at = from; at < n; at += used)
        if (class_at(p, at, &used) >= SPACE) return *start = at, at + used;
    return -1;
}

static int64_t number(const uint8_t *p, int64_t n, int64_t from, int64_t *start) {
    int used;
    for (int64_t at = from; at < n; at += used)
        if (class_at(p, at, &used) == NUMBER) return *start = at, at + used;
    return -1;
}

hn_quick_fn hn_quick(const char *text) {
    static const struct { const char *name; hn_quick_fn fn; } named[] = { { "gpt2", gpt2 }, { "llama3", llama3 }, { "qwen2", qwen2 } };
    static const struct { const char *text; hn_quick_fn fn; } single[] = { { HN_PUNCTUATION, punctuation }, { "\\s", space }, { "\\p{N}", number } };
    for (int64_t i = 0; i < HN_LEN(named); i++)
        if (!strcmp(text, hn_pattern_named(named[i].name))) return named[i].fn;
    for (int64_t i = 0; i < HN_LEN(single); i++)
        if (!strcmp(text, single[i].text)) return single[i].fn;
    return NULL;
}

bool hn_quick_ends_lines(hn_quick_fn fn) { return fn == gpt2 || fn == llama3 || fn == qwen2; }
bool hn_quick_is_space(hn_quick_fn fn) { return fn == space; }
