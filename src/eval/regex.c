/* regex.c - regular expressions of filters and metrics, as Python's re means them, by PCRE2 (Unicode classes, UTF-8).
 * A pattern that runs too long (backtracking) counts as no match. */
#include "eval/task.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct hn_regex {
    pcre2_code *code;
    pcre2_match_context *limits;
};
static void let_go(void *p) {
    hn_regex *r = p;
    pcre2_code_free(r->code);
    pcre2_match_context_free(r->limits);
}

hn_regex *hn_regex_new(hn_arena *a, const char *pattern, const char *where) {
    int code;
    PCRE2_SIZE at;
    hn_regex *r = hn_new(a, hn_regex);
    hn_defer(a, let_go, r);
    r->limits = pcre2_match_context_create(NULL);
    r->code = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &code, &at, NULL);
    if (r->code && r->limits) {
        pcre2_set_match_limit(r->limits, 1000000);
        return r;
    }
    char text[256] = "";
    if (!r->code) pcre2_get_error_message(code, (PCRE2_UCHAR *)text, sizeof text);
    (void)!HN_FAIL(a, r->code ? HONE_E_MEMORY : HONE_E_VALUE, .what = "the regular expression cannot be used", .where = where,
                   .found = hn_fmt(a, "%s at '%.40s'", text, r->code ? "" : pattern + HN_MIN(at, strlen(pattern))));
    return NULL;
}

typedef struct matches {
    pcre2_match_data *data;
    size_t n, at;
    bool empty;            /* the last match was: it may not be so again here */
} matches;
static void free_data(void *p) { pcre2_match_data_free(p); }

static bool next(const hn_regex *r, const char *s, matches *m, PCRE2_SIZE **span, int *groups) {
    while (m->at <= m->n) {
        uint32_t options = PCRE2_NO_UTF_CHECK | (m->empty ? PCRE2_NOTEMPTY_ATSTART : 0);
        *groups = pcre2_match(r->code, (PCRE2_SPTR)s, m->n, m->at, options, m->data, r->limits);
        if (*groups == PCRE2_ERROR_NOMATCH || *groups <= 0) return false;
        *span = pcre2_get_ovector_pointer(m->data);
        if ((*span)[1] < (*span)[0]) return false;                  /* \K in a look-around */
        m->empty = (*span)[1] == (*span)[0];
        m->at = (*span)[1];
        return true;
    }
    return false;
}

static matches begin(hn_arena *a, const hn_regex *r, const char *s) {
    matches m = { .data = pcre2_match_data_create_from_pattern(r->code, NULL), .n = strlen(s) };
    if (m.data) hn_defer(a, free_data, m.data);
    else m.at = m.n + 1;
    return m;
}

const char *hn_regex_find(hn_arena *a, const hn_regex *r, const char *s, int64_t i) {
    hn_arena *scratch = hn_arena_new(a);
    matches m = begin(scratch, r, s);
    HN_VEC(const char *) found = { 0 };
    PCRE2_SIZE *span;
    for (int groups; next(r, s, &m, &span, &groups) && (i < 0 || found.n <= i);) {
        uint32_t captures = 0;
        pcre2_pattern_info(r->code, PCRE2_INFO_CAPTURECOUNT, &captures);
        PCRE2_SIZE from = span[0], to = span[1];
        if (captures) from = to = 0;
        for (int g = 1; g < groups && to == from; g++)
            if (span[2 * g] != PCRE2_UNSET) from = span[2 * g], to = span[2 * g + 1];
        hn_push(scratch, &found, hn_strndup(a, s + from, (int64_t)(to - from)));
    }
    if (i < 0) i += found.n;
    const char *out = i >= 0 && i < found.n ? found.v[i] : NULL;
    hn_arena_free(scratch);
    return out;
}

const char *hn_regex_remove(hn_arena *a, const hn_regex *r, const char *s) {
    hn_arena *scratch = hn_arena_new(a);
    matches m = begin(scratch, r, s);
    hn_buf b = { 0 };
    size_t at = 0;
    PCRE2_SIZE *span;
    for (int groups; next(r, s, &m, &span, &groups);) {
        hn_buf_put(scratch, &b, s + at, (int64_t)(span[0] - at));
        at = span[1];
    }
    hn_buf_put(scratch, &b, s + at, (int64_t)(m.n - at));
    const char *out = hn_strndup(a, hn_buf_str(scratch, &b), b.n);
    hn_arena_free(scratch);
    return out;
}
