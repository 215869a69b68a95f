/* json.c - door to jansson. Values belong to the arena that read them: no json_decref outside of this file.
 *
 * Duplicate keys are refused, nesting is bounded (jansson: 2048). Integers beyond 64 bits, which some published
 * configurations hold as "no limit", are read as real numbers. Strings may hold \u0000: use json_string_length.
 * Writing is ours: reals as the shortest text that reads back the same, insertion order, NaN and infinity as null. */
#include "base/job.h"
#include <math.h>
#include <stdio.h>

static void forget(void *v) { json_decref(v); }

json_t *hn_json_real(double x) { return isfinite(x) ? json_real(x) : json_null(); }

json_t *hn_json_own(hn_arena *a, json_t *v) {
    if (!v) hn_memory_refused(a->job, (int64_t)sizeof(json_t) * 4);
    hn_defer(a, forget, v);
    return v;
}

static bool digit(char c) { return c >= '0' && c <= '9'; }

/* Copies the text, with ".0" behind every integer of more than 18 digits. */
static void widen_integers(hn_arena *a, hn_buf *b, const char *s, int64_t n) {
    bool quoted = false;
    for (int64_t i = 0; i < n;) {
        int64_t j = i + 1;
        if (!quoted && digit(s[i])) {
            while (j < n && digit(s[j])) j++;
            hn_buf_put(a, b, s + i, j - i);
            bool integer = (j == n || !strchr(".eE", s[j])) && (i == 0 || !strchr(".eE+", s[i - 1])) &&
                           !(i > 1 && s[i - 1] == '-' && strchr("eE", s[i - 2]));
            if (integer && j - i > 18) hn_buf_put(a, b, ".0", 2);
        } else {
            if (quoted && s[i] == '\\' && j < n) j++;
            else if (s[i] == '"') quoted = !quoted;
            hn_buf_put(a, b, s + i, j - i);
        }
        i = j;
    }
}

json_t *hn_json_parse(hn_arena *a, const char *where, const void *p, int64_t n, hone_code code) {
    const size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | JSON_ALLOW_NUL;
    json_error_t e;
    if (n < 0) n = 0;
    json_t *v = json_loadb(n ? p : "", (size_t)n, flags, &e);
    if (!v && json_error_code(&e) == json_error_numeric_overflow) {
        hn_arena *scratch = hn_arena_new(a);
        hn_buf b = { 0 };
        widen_integers(scratch, &b, p, n);
        v = json_loadb(hn_buf_str(scratch, &b), (size_t)b.n, flags, &e);
        hn_arena_free(scratch);
    }
    if (v) return hn_json_own(a, v);
    if (json_error_code(&e) == json_error_out_of_memory) hn_memory_refused(a->job, n);
    HN_FAIL(a, code, .what = "not valid JSON", .where = hn_fmt(a, "%s:%d:%d", where, e.line, e.column), .found = e.text);
    return NULL;
}

/* ---- writing ---- */

static void put_string(hn_arena *a, hn_buf *b, const char *s, size_t n) {
    static const char hex[] = "0123456789abcdef";
    hn_buf_put(a, b, "\"", 1);
    size_t from = 0;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        bool high = c == 0xc2 && i + 1 < n && ((unsigned char)s[i + 1] & 0xe0) == 0x80; /* U+0080 … U+009F: a terminal obeys them */
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && !high) continue;
        if (high) {
            hn_buf_put(a, b, s + from, (int64_t)(i - from));
            c = (unsigned char)s[++i];
            from = i;
        }
        char esc[6] = { '\\', 'u', '0', '0', hex[c >> 4], hex[c & 15] };
        const char *from_set = "\"\\\b\f\n\r\t", *to = "\"\\bfnrt", *at = c ? strchr(from_set, c) : NULL;
        if (at) esc[1] = to[at - from_set];
        hn_buf_put(a, b, s + from, (int64_t)(i - from));
        hn_buf_put(a, b, esc, at ? 2 : 6);
        from = i + 1;
    }
    hn_buf_put(a, b, s + from, (int64_t)(n - from));
    hn_buf_put(a, b, "\"", 1);
}

static void put_real(hn_arena *a, hn_buf *b, double x) {
    if (!isfinite(x)) { hn_buf_put(a, b, "null", 4); return; }
    const char *s = hn_num(a, x);
    hn_buf_put(a, b, s, (int64_t)strlen(s));
    if (!strpbrk(s, ".e")) hn_buf_put(a, b, ".0", 2);       /* a real stays a real when read back */
}

static void line(hn_arena *a, hn_buf *b, int depth, bool pretty) {
    if (pretty) hn_buf_fmt(a, b, "\n%*s", 2 * depth, "");
}

static void put(hn_arena *a, hn_buf *b, const json_t *v, int depth, bool pretty) {
    switch (json_typeof(v)) {
    case JSON_OBJECT: {
        bool some = false;
        hn_buf_put(a, b, "{", 1);
        for (void *it = json_object_iter((json_t *)(intptr_t)v); it; it = json_object_iter_next((json_t *)(intptr_t)v, it), some = true) {
            const char *key = json_object_iter_key(it);
            if (some) hn_buf_put(a, b, pretty ? "," : ", ", pretty ? 1 : 2);
            line(a, b, depth + 1, pretty);
            put_string(a, b, key, strlen(key));
            hn_buf_put(a, b, ": ", 2);
            put(a, b, json_object_iter_value(it), depth + 1, pretty);
        }
        if (some) line(a, b, depth, pretty);
        hn_buf_put(a, b, "}", 1);
        break;
    }
    case JSON_ARRAY: {
        size_t n = json_array_size(v);
        hn_buf_put(a, b, "[", 1);
        for (size_t i = 0; i < n; i++) {
            if (i) hn_buf_put(a, b, pretty ? "," : ", ", pretty ? 1 : 2);
            line(a, b, depth + 1, pretty);
            put(a, b, json_array_get(v, i), depth + 1, pretty);
        }
        if (n) line(a, b, depth, pretty);
        hn_buf_put(a, b, "]", 1);
        break;
    }
    case JSON_STRING: put_string(a, b, json_string_value(v), json_string_length(v)); break;
    case JSON_INTEGER: hn_buf_fmt(a, b, "%lld", (long long)json_integer_value(v)); break;
    case JSON_REAL: put_real(a, b, json_real_value(v)); break;
    case JSON_TRUE: hn_buf_put(a, b, "true", 4); break;
    case JSON_FALSE: hn_buf_put(a, b, "false", 5); break;
    case JSON_NULL: hn_buf_put(a, b, "null", 4); break;
    }
}

char *hn_json_text(hn_arena *a, const json_t *v, bool pretty) {
    hn_arena *scratch = hn_arena_new(a);
    hn_buf b = { 0 };
    put(scratch, &b, v, 0, pretty);
    char *text = hn_strndup(a, hn_buf_str(scratch, &b), b.n);
    hn_arena_free(scratch);
    return text;
}
