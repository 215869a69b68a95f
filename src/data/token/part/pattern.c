/* pattern.c - the regular expressions that cut text into words, by PCRE2 with its just-in-time compiler.
 *
 * Those in use have a form of their own (quick.c), and plain texts are searched as such; PCRE2 takes the rest.
 * tokenizer.json speaks the dialect of Oniguruma (Ruby): four of its signs mean something else in PCRE2 and are rewritten.
 *     \s \S   White_Space of Unicode; PCRE2 counts U+180E in        \w   Alphabetic, marks, digits, Pc and ² ³ ¹ ¼ ½ ¾
 *     \h      a hexadecimal digit                                    \uHHHH   a code point
 * An intersection of classes (&&) has no counterpart and is refused. ^ and $ stand at each line, as in Ruby.
 * Limit: the classes are those of PCRE2's Unicode version (14 in 10.42); characters that are younger than it count as unassigned. */
#include "data/token/part/part.h"
#define PCRE2_CODE_UNIT_WIDTH 8
#include <ctype.h>
#include <pcre2.h>

enum { MATCH_LIMIT = 10000000, STACK_MIN = 32 << 10, STACK_MAX = 4 << 20 };

struct hn_pattern { pcre2_code *code; bool jit; hn_quick_fn quick; const char *literal; int64_t n_literal; };   /* code NULL: quick or literal */
struct hn_matcher { pcre2_match_data *data; pcre2_match_context *context; pcre2_jit_stack *stack; };

#define LETTERS "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"
#define SHORT_FORMS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define REST " ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
static const struct { const char *name, *text; } named[] = {
    { "gpt2", "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+" },
    { "cl100k", SHORT_FORMS "|" LETTERS "|\\p{N}{1,3}|" REST },
    { "gpt4", SHORT_FORMS "|" LETTERS "|\\p{N}{1,3}|" REST },
    { "llama3", SHORT_FORMS "|" LETTERS "|\\p{N}{1,3}|" REST },
    { "qwen2", SHORT_FORMS "|" LETTERS "|\\p{N}|" REST },
};

const char *hn_pattern_named(const char *name) {
    for (int64_t i = 0; i < HN_LEN(named); i++)
        if (!strcmp(named[i].name, name)) return named[i].text;
    return NULL;
}

static bool all_hex(const char *s, int n) {
    for (int i = 0; i < n; i++)
        if (!isxdigit((unsigned char)s[i])) return false;
    return true;
}

/* What an escape of two signs becomes; NULL: it stays. */
static const char *rewritten(char c, bool in_class) {
    switch (c) {
    case 's': return "\\p{White_Space}";
    case 'S': return "\\P{White_Space}";
    case 'w': return in_class ? WORD : "[" WORD "]";
    case 'W': return in_class ? NULL : "[^" WORD "]";
    case 'h': return in_class ? "0-9a-fA-F" : "[0-9a-fA-F]";
    default: return NULL;
    }
}

/* The expression in PCRE2's dialect, or NULL with `why`. */
static const char *translate(hn_arena *a, const char *s, const char **why) {
    hn_buf b = { 0 };
    int depth = 0;
    for (; *s; s++) {
        if (*s == '\\' && s[1]) {
            const char *other = rewritten(s[1], depth > 0);
            if (other) hn_buf_fmt(a, &b, "%s", other), s++;
            else if (s[1] == 'u' && all_hex(s + 2, 4)) hn_buf_fmt(a, &b, "\\x{%.4s}", s + 2), s += 5;
            else hn_buf_put(a, &b, s++, 2);
            continue;
        }
        if (depth && s[0] == '&' && s[1] == '&') return *why = "an intersection of classes (&&)", NULL;
        if (depth && s[0] == '[' && s[1] != ':') return *why = "a class inside of a class", NULL;
        if (depth && s[0] == '[') {                             /* [:alpha:] */
            const char *end = strstr(s, ":]");
            if (!end) return *why = "a class that does not end", NULL;
            hn_buf_put(a, &b, s, end + 2 - s);
            s = end + 1;
            continue;
        }
        if (*s == '[') depth = 1;
        else if (*s == ']') depth = 0;
        hn_buf_put(a, &b, s, 1);
        if (*s == '[' && s[1] == '^') hn_buf_put(a, &b, ++s, 1);
        if (depth && (s[0] == '[' || s[0] == '^') && s[1] == ']') hn_buf_put(a, &b, ++s, 1);
    }
    return hn_buf_str(a, &b);
}

static void free_code(void *p) { pcre2_code_free(p); }

static bool refused(hn_arena *a, const char *where, const char *text, const char *why) {
    return HN_FAIL(a, HONE_E_MODEL, .what = "this regular expression cannot be used", .where = where, .found = hn_fmt(a, "%.200s", text),
                   .wanted = why);
}

hn_pattern *hn_pattern_slow(hn_arena *a, const char *where, const char *text) {
    const char *why = "one that PCRE2 understands", *own = translate(a, text, &why);
    if (!own) return (void)refused(a, where, text, hn_fmt(a, "one without %s", why)), NULL;
    int error;
    PCRE2_SIZE at;
    uint32_t options = PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C;
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)own, strlen(own), options, &error, &at, NULL);
    if (!code) {
        char message[128] = "";
        pcre2_get_error_message(error, (PCRE2_UCHAR *)message, sizeof message);
        return (void)refused(a, where, text, hn_fmt(a, "one that compiles: %s (near \"%.20s\")", message, own + HN_MIN(at, strlen(own)))), NULL;
    }
    hn_defer(a, free_code, code);
    hn_pattern *r = hn_new(a, hn_pattern);
    *r = (hn_pattern){ .code = code, .jit = pcre2_jit_compile(code, PCRE2_JIT_COMPLETE) == 0 };
    return r;
}

hn_pattern *hn_pattern_new(hn_arena *a, const char *where, const char *text, bool literal) {
    hn_quick_fn quick = literal ? NULL : hn_quick(text);
    if (!literal && !quick) return hn_pattern_slow(a, where, text);
    hn_pattern *r = hn_new(a, hn_pattern);
    *r = (hn_pattern){ .quick = quick, .literal = literal ? hn_strdup(a, text) : NULL, .n_literal = literal ? (int64_t)strlen(text) : 0 };
    return r;
}

bool hn_pattern_ends_lines(const hn_pattern *r) { return r->quick && hn_quick_ends_lines(r->quick); }
bool hn_pattern_is_space(const hn_pattern *r) { return r->literal ? !strcmp(r->literal, "\n") : r->quick && hn_quick_is_space(r->quick); }

static void free_matcher(void *p) {
    hn_matcher *m = p;
    pcre2_jit_stack_free(m->stack);
    pcre2_match_context_free(m->context);
    pcre2_match_data_free(m->data);
}

hn_matcher *hn_matcher_new(hn_arena *a) {
    hn_matcher *m = hn_new(a, hn_matcher);
    hn_defer(a, free_matcher, m);
    m->data = pcre2_match_data_create(1, NULL);
    m->context = pcre2_match_context_create(NULL);
    m->stack = pcre2_jit_stack_create(STACK_MIN, STACK_MAX, NULL);
    if (!m->data || !m->context) hn_json_own(a, NULL);          /* memory refused: unwinds */
    pcre2_set_match_limit(m->context, MATCH_LIMIT);
    if (m->stack) pcre2_jit_stack_assign(m->context, NULL, m->stack);
    return m;
}

int hn_match(hn_matcher *m, const hn_pattern *r, const uint8_t *p, int64_t n, int64_t from, int64_t *start, int64_t *end) {
    if (r->quick) return (*end = r->quick(p, n, from, start)) >= 0;
    if (r->literal) {
        const uint8_t *at = from >= n ? NULL : r->n_literal == 1 ? memchr(p + from, *r->literal, (size_t)(n - from))
                                                                 : memmem(p + from, (size_t)(n - from), r->literal, (size_t)r->n_literal);
        if (at) *start = at - p, *end = *start + r->n_literal;
        return at != NULL;
    }
    int rc = r->jit ? pcre2_jit_match(r->code, p, (PCRE2_SIZE)n, (PCRE2_SIZE)from, 0, m->data, m->context) : PCRE2_ERROR_JIT_STACKLIMIT;
    if (rc == PCRE2_ERROR_JIT_STACKLIMIT)
        rc = pcre2_match(r->code, p, (PCRE2_SIZE)n, (PCRE2_SIZE)from, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT, m->data, m->context);
    if (rc < 0) return rc == PCRE2_ERROR_NOMATCH ? 0 : -1;
    const PCRE2_SIZE *v = pcre2_get_ovector_pointer(m->data);
    *start = (int64_t)v[0];
    *end = (int64_t)v[1];
    return 1;
}
