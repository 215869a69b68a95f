/* say.c - numbers and foreign text as people read them; the changes between two recipes. */
#include "eval/report.h"

#include <math.h>

#define MINUS "\xe2\x88\x92"
#define DASH "\xe2\x80\x93"

const char *hn_say_plain(hn_arena *a, double x) { return isfinite(x) ? hn_fmt(a, "%s%.4f", x < 0 ? MINUS : "", fabs(x)) : DASH; }

const char *hn_say_gain(hn_arena *a, double x) { return isfinite(x) ? hn_fmt(a, "%s%.4f", x < 0 ? MINUS : "+", fabs(x)) : DASH; }

const char *hn_say_percent(hn_arena *a, double share) { return isfinite(share) ? hn_fmt(a, "%.1f %%", 100 * share) : DASH; }

const char *hn_say_interval(hn_arena *a, double lo, double hi) {
    return isfinite(lo) && isfinite(hi) ? hn_fmt(a, "%s … %s", hn_say_gain(a, lo), hn_say_gain(a, hi)) : DASH;
}

static const char *p_text(hn_arena *a, double p) {
    return !isfinite(p) ? DASH : p < 0.0001 ? "< 0.0001" : hn_fmt(a, p < 0.01 ? "%.4f" : p < 0.1 ? "%.3f" : "%.2f", p);
}

/* One-sided for better; where the verdict is harm, for worse. */
const char *hn_say_p(hn_arena *a, const hn_report_row *r) {
    return strcmp(r->verdict, "harmful") ? p_text(a, r->p) : hn_fmt(a, "%s (worse)", p_text(a, r->p_harm));
}

const char *hn_say_seconds(hn_arena *a, double s) {
    if (!isfinite(s)) return DASH;
    if (s < 10) return hn_fmt(a, "%.1f s", s);
    if (s < 120) return hn_fmt(a, "%.0f s", s);
    if (s < 7200) return hn_fmt(a, "%.0f min %02.0f s", floor(s / 60), fmod(floor(s), 60));
    return hn_fmt(a, "%.1f h", s / 3600);
}

/* "2026-11-24T02:06:11Z" → "2026-11-24 02:06 UTC"; anything else stays as it is. */
const char *hn_say_time(hn_arena *a, const char *t) {
    return strlen(t) == 20 && t[10] == 'T' && t[19] == 'Z' ? hn_fmt(a, "%.10s %.5s UTC", t, t + 11) : t;
}

const char *hn_say_times(hn_arena *a, int64_t n) { return n == 1 ? "once" : n == 2 ? "twice" : hn_fmt(a, "%lld times", (long long)n); }

static const char *scaled(hn_arena *a, double x, const char *const *units, int n) {
    int k = 0;
    while (k + 1 < n && fabs(x) >= 999.5) x /= 1000, k++;
    return hn_fmt(a, fabs(x) >= 99.95 || k == 0 ? "%.0f %s" : fabs(x) >= 9.995 ? "%.1f %s" : "%.2f %s", x, units[k]);
}

const char *hn_say_flops(hn_arena *a, double f) {
    static const char *const units[] = { "FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP", "ZFLOP" };
    return isfinite(f) ? scaled(a, f, units, (int)HN_LEN(units)) : DASH;
}

const char *hn_say_bytes(hn_arena *a, double b) {
    static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB", "PB", "EB" };
    return isfinite(b) ? scaled(a, b, units, (int)HN_LEN(units)) : DASH;
}

const char *hn_escape(hn_arena *a, const char *s) {
    hn_buf b = { 0 };
    int64_t n = (int64_t)strlen(s);
    for (int64_t i = 0; i < n;) {
        uint32_t c;
        int used = hn_utf8_next((const uint8_t *)s + i, n - i, &c);
        bool bad = (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c < 0xa0) || c == 0xfffd || c == 0xfffe || c == 0xffff;
        const char *as = c == '&'    ? "&amp;"
                         : c == '<'  ? "&lt;"
                         : c == '>'  ? "&gt;"
                         : c == '"'  ? "&quot;"
                         : c == '\'' ? "&#39;"
                         : c == '\r' ? ""
                         : bad       ? "\xef\xbf\xbd"
                                     : NULL;
        if (as) hn_buf_put(a, &b, as, (int64_t)strlen(as));
        else hn_buf_put(a, &b, s + i, used);
        i += used;
    }
    return hn_buf_str(a, &b);
}

/* ---- recipes: resolved YAML as hone writes it, two spaces a level, a scalar or a flow list in a line ---- */

typedef struct line {
    const char *key, *value;
} line;
typedef HN_VEC(line) lines;

static void flatten(hn_arena *a, const char *text, lines *out) {
    const char *path[8] = { "" };
    while (*text) {
        int64_t n = (int64_t)strcspn(text, "\n"), indent = 0;
        while (indent < n && text[indent] == ' ') indent++;
        const char *colon = memchr(text + indent, ':', (size_t)(n - indent));
        int64_t level = indent / 2;
        if (colon && level < HN_LEN(path) - 1 && text[indent] != '#') {
            const char *name = hn_strndup(a, text + indent, colon - text - indent);
            const char *key = level ? hn_fmt(a, "%s.%s", path[level], name) : name;
            int64_t from = colon + 1 - text;
            while (from < n && text[from] == ' ') from++;
            if (from < n) hn_push(a, out, (line){ key, hn_strndup(a, text + from, n - from) });
            else path[level + 1] = key;
        }
        text += n + (text[n] == '\n');
    }
}

const char *hn_say_short(hn_arena *a, double x) { return isfinite(x) ? hn_fmt(a, x == floor(x) && fabs(x) < 1e15 ? "%.0f" : "%.4g", x) : DASH; }

/* 0.0013333333333333333 → 0.001333; what is no number stays as it is. */
static const char *short_value(hn_arena *a, const char *s) {
    double x;
    return strlen(s) > 8 && hn_parse_f64(s, &x) ? hn_say_short(a, x) : s;
}

static const char *value_in(const lines *v, const char *key) {
    for (int64_t i = 0; i < v->n; i++)
        if (!strcmp(v->v[i].key, key)) return v->v[i].value;
    return NULL;
}

enum { NEW_TOLD = 4 /* more settings that the other recipe does not have belong to another architecture or optimizer: their number is told */ };

const char *hn_report_changes(hn_arena *a, const char *from, const char *to) {
    lines x = { 0 }, y = { 0 };
    hn_buf b = { 0 };
    flatten(a, from, &x), flatten(a, to, &y);
    int64_t fresh = 0;
    for (int64_t i = 0; i < y.n; i++) fresh += !value_in(&x, y.v[i].key);
    for (int64_t i = 0; i < y.n; i++) {
        const char *old = value_in(&x, y.v[i].key);
        if (old ? !strcmp(old, y.v[i].value) : fresh > NEW_TOLD) continue;
        hn_buf_fmt(a, &b, "%s%s %s%s%s", b.n ? ", " : "", y.v[i].key, old ? short_value(a, old) : "", old ? " → " : "", short_value(a, y.v[i].value));
    }
    if (fresh > NEW_TOLD) hn_buf_fmt(a, &b, "%s%lld settings of its own", b.n ? ", and " : "", (long long)fresh);
    return hn_buf_str(a, &b);
}
