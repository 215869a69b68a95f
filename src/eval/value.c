/* value.c - JSON values as Python shows, counts and compares them: templates of published tasks were written for it. */
#include "eval/template.h"

/* str.isspace of Python 3: White_Space of Unicode and the four separators U+001C … U+001F. */
bool hn_space(uint32_t cp) {
    return cp == ' ' || (cp >= 9 && cp <= 13) || (cp >= 0x1C && cp <= 0x1F) || cp == 0x85 || cp == 0xA0 || cp == 0x1680 ||
           (cp >= 0x2000 && cp <= 0x200A) || cp == 0x2028 || cp == 0x2029 || cp == 0x202F || cp == 0x205F || cp == 0x3000;
}

void hn_strip(const char *s, int64_t *from, int64_t *to, int sides) {
    uint32_t cp;
    while ((sides & 1) && *from < *to) {
        int n = hn_utf8_next((const uint8_t *)s + *from, *to - *from, &cp);
        if (!hn_space(cp)) break;
        *from += n;
    }
    while ((sides & 2) && *from < *to) {
        int64_t at = *to - 1;
        while (at > *from && ((uint8_t)s[at] & 0xC0) == 0x80) at--;
        hn_utf8_next((const uint8_t *)s + at, *to - at, &cp);
        if (!hn_space(cp)) break;
        *to = at;
    }
}

int64_t hn_chars(const char *s) {
    int64_t n = 0;
    for (; *s; s++) n += ((uint8_t)*s & 0xC0) != 0x80;
    return n;
}

int64_t hn_value_length(const json_t *v) {
    return json_is_string(v)   ? hn_chars(json_string_value(v))
           : json_is_array(v)  ? (int64_t)json_array_size(v)
           : json_is_object(v) ? (int64_t)json_object_size(v)
                               : -1;
}

bool hn_value_true(const json_t *v) {
    if (!v || json_is_null(v) || json_is_false(v)) return false;
    if (json_is_number(v)) return json_number_value(v) != 0;
    return json_is_true(v) || hn_value_length(v) > 0;
}

/* True is 1 and False is 0, as in Python. */
static bool number(const json_t *v, double *x) {
    if (json_is_number(v)) return *x = json_number_value(v), true;
    if (json_is_boolean(v)) return *x = json_is_true(v), true;
    return false;
}

bool hn_value_equal(const json_t *x, const json_t *y) {
    double a, b;
    return number(x, &a) && number(y, &b) ? a == b : json_equal(x, y);
}

const json_t *hn_value_str(hn_arena *a, const char *s, int64_t n) { return hn_json_own(a, json_stringn_nocheck(s, (size_t)n)); }

static void put(hn_arena *a, hn_buf *b, const json_t *v, bool quoted);

/* repr() of a str. */
static void put_quoted(hn_arena *a, hn_buf *b, const char *s) {
    char q = strchr(s, '\'') && !strchr(s, '"') ? '"' : '\'';
    hn_buf_put(a, b, &q, 1);
    for (; *s; s++) {
        if (*s == '\n' || *s == '\r' || *s == '\t') hn_buf_fmt(a, b, "\\%c", *s == '\n' ? 'n' : *s == '\r' ? 'r' : 't');
        else if (*s == q || *s == '\\') hn_buf_fmt(a, b, "\\%c", *s);
        else if ((uint8_t)*s < 0x20 || *s == 0x7F) hn_buf_fmt(a, b, "\\x%02x", (unsigned)(uint8_t)*s);
        else hn_buf_put(a, b, s, 1);
    }
    hn_buf_put(a, b, &q, 1);
}

static void put(hn_arena *a, hn_buf *b, const json_t *v, bool quoted) {
    const char *key, *num;
    json_t *x;
    size_t i;
    bool some = false;
    switch (json_typeof(v)) {
    case JSON_STRING:
        if (quoted) put_quoted(a, b, json_string_value(v));
        else hn_buf_fmt(a, b, "%s", json_string_value(v));
        break;
    case JSON_INTEGER: hn_buf_fmt(a, b, "%lld", (long long)json_integer_value(v)); break;
    case JSON_REAL:
        num = hn_num(a, json_real_value(v));
        hn_buf_fmt(a, b, "%s%s", num, strpbrk(num, ".en") ? "" : ".0");
        break;
    case JSON_TRUE: hn_buf_fmt(a, b, "True"); break;
    case JSON_FALSE: hn_buf_fmt(a, b, "False"); break;
    case JSON_NULL: hn_buf_fmt(a, b, "None"); break;
    case JSON_ARRAY:
        hn_buf_fmt(a, b, "[");
        json_array_foreach(v, i, x) {
            if (i) hn_buf_fmt(a, b, ", ");
            put(a, b, x, true);
        }
        hn_buf_fmt(a, b, "]");
        break;
    case JSON_OBJECT:
        hn_buf_fmt(a, b, "{");
        json_object_foreach((json_t *)(intptr_t)v, key, x) {
            if (some) hn_buf_fmt(a, b, ", ");
            some = true;
            put_quoted(a, b, key);
            hn_buf_fmt(a, b, ": ");
            put(a, b, x, true);
        }
        hn_buf_fmt(a, b, "}");
        break;
    }
}

const char *hn_value_text(hn_arena *a, const json_t *v) {
    if (json_is_string(v)) return json_string_value(v);
    hn_buf b = { 0 };
    put(a, &b, v, false);
    return hn_buf_str(a, &b);
}
