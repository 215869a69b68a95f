/* str.c - strings, numbers and UTF-8.
 * Numbers are read and written in the C locale, whatever the program around the library has set. */
#include "base/base.h"
#include <errno.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* glibc answers this with its constant C locale: nothing is allocated, nothing to free. */
static locale_t c_locale(void) { return newlocale(LC_ALL_MASK, "C", (locale_t)0); }

static char *fmt_v(hn_arena *a, const char *fmt, va_list args) {
    va_list again;
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, fmt, args);      /* once: args is used up, and HN_MAX looks at its arguments twice */
    char *s = hn_new_n(a, char, (int64_t)HN_MAX(n, 0) + 1);
    vsprintf(s, fmt, again);
    va_end(again);
    return s;
}

char *hn_fmt(hn_arena *a, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    char *s = fmt_v(a, fmt, args);
    va_end(args);
    return s;
}

char *hn_strndup(hn_arena *a, const char *s, int64_t n) {
    char *copy = hn_new_n(a, char, n + 1);
    if (n) memcpy(copy, s, (size_t)n);
    return copy;
}

char *hn_strdup(hn_arena *a, const char *s) { return hn_strndup(a, s, (int64_t)strlen(s)); }

/* ---- the nearest known word ---- */

enum { WORD_MAX = 128 };

/* Edits by insertion, deletion, change and swap of neighbours (optimal string alignment). */
static int edits(const char *a, int n, const char *b, int m) {
    int rows[3][WORD_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2];
    for (int j = 0; j <= m; j++) last[j] = j;
    for (int i = 1; i <= n; i++) {
        now[0] = i;
        for (int j = 1; j <= m; j++) {
            int d = last[j - 1] + (a[i - 1] != b[j - 1]);
            d = HN_MIN(d, HN_MIN(last[j], now[j - 1]) + 1);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) d = HN_MIN(d, before[j - 2] + 1);
            now[j] = d;
        }
        int *free_row = before;
        before = last; last = now; now = free_row;
    }
    return last[m];
}

const char *hn_nearest(const char *word, const char *const *names, int64_t n) {
    size_t len = strlen(word);
    const char *best = NULL;
    int least = len <= 3 ? 2 : 3; /* two slips of the finger at most: what is farther off was meant otherwise */
    for (int64_t i = 0; i < n && len <= WORD_MAX; i++) {
        size_t m = strlen(names[i]);
        if (m > WORD_MAX) continue;
        int d = edits(word, (int)len, names[i], (int)m);
        if (d < least && d < (int)HN_MAX(len, m)) { least = d; best = names[i]; }   /* sharing no letter is not near */
    }
    return best;
}

/* ---- numbers ---- */

static bool digit(char c) { return c >= '0' && c <= '9'; }

bool hn_parse_u64(const char *s, uint64_t *out) {
    if (!digit(*s)) return false;
    char *end;
    errno = 0;
    unsigned long long x = strtoull(s, &end, 10);
    if (*end || errno) return false;
    *out = x;
    return true;
}

bool hn_parse_i64(const char *s, int64_t *out) {
    if (!digit(s[*s == '-' || *s == '+'])) return false;
    char *end;
    errno = 0;
    long long x = strtoll(s, &end, 10);
    if (*end || errno) return false;
    *out = x;
    return true;
}

bool hn_parse_f64(const char *s, double *out) {
    const char *p = s + (*s == '-' || *s == '+');
    if (!(digit(*p) || (*p == '.' && digit(p[1]))) || p[1] == 'x' || p[1] == 'X') return false;
    char *end;
    double x = strtod_l(s, &end, c_locale());
    if (*end || !isfinite(x)) return false;
    *out = x;
    return true;
}

char *hn_num(hn_arena *a, double x) {
    if (isnan(x)) return hn_strdup(a, "nan");
    if (isinf(x)) return hn_strdup(a, x > 0 ? "inf" : "-inf");
    char text[32];
    locale_t c = c_locale(), kept = uselocale(c);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, x);
        if (strtod_l(text, NULL, c) == x) break;
    }
    uselocale(kept);
    return hn_strdup(a, text);
}

/* ---- UTF-8 (Unicode 15, table 3-7: no surrogates, no overlong forms, nothing above 10FFFF) ---- */

static int utf8_length(const uint8_t *p, int64_t n) {   /* 0: not well-formed */
    uint8_t c = p[0], lo = 0x80, hi = 0xBF;
    int len;
    if (c < 0x80) return 1;
    if (c >= 0xC2 && c <= 0xDF) len = 2;
    else if ((c & 0xF0) == 0xE0) { len = 3; if (c == 0xE0) lo = 0xA0; if (c == 0xED) hi = 0x9F; }
    else if (c >= 0xF0 && c <= 0xF4) { len = 4; if (c == 0xF0) lo = 0x90; if (c == 0xF4) hi = 0x8F; }
    else return 0;
    if (n < len || p[1] < lo || p[1] > hi) return 0;
    for (int i = 2; i < len; i++)
        if ((p[i] & 0xC0) != 0x80) return 0;
    return len;
}

int hn_utf8_next(const uint8_t *p, int64_t n, uint32_t *cp) {
    int len = utf8_length(p, n);
    switch (len) {
    case 1: *cp = p[0]; break;
    case 2: *cp = (uint32_t)(p[0] & 0x1F) << 6 | (p[1] & 0x3F); break;
    case 3: *cp = (uint32_t)(p[0] & 0x0F) << 12 | (uint32_t)(p[1] & 0x3F) << 6 | (p[2] & 0x3F); break;
    case 4: *cp = (uint32_t)(p[0] & 0x07) << 18 | (uint32_t)(p[1] & 0x3F) << 12 | (uint32_t)(p[2] & 0x3F) << 6 | (p[3] & 0x3F); break;
    default: *cp = 0xFFFD; return 1;
    }
    return len;
}

bool hn_utf8_valid(const uint8_t *p, int64_t n, int64_t *bad_at) {
    for (int64_t i = 0; i < n;) {
        uint64_t eight;
        if (n - i >= 8 && (memcpy(&eight, p + i, 8), !(eight & 0x8080808080808080u))) { i += 8; continue; }
        int len = utf8_length(p + i, n - i);
        if (!len) {
            if (bad_at) *bad_at = i;
            return false;
        }
        i += len;
    }
    return true;
}
