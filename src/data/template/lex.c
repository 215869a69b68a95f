/* lex.c - a template's text as tokens. White space around blocks is settled here: a minus takes all white space on its side. Of talks, as
 * transformers sets Jinja up, a block's tag also takes the blanks before it on its line and one newline after it, but for a plus, and one
 * newline at the very end goes. Comments vanish. */
#include "data/template/jinja.h"
#include <utf8proc.h>

typedef struct {
    hn_arena *a;
    const hn_template *t;
    const char *p, *end;
    int line;
    jtokens *out;
    int64_t data; /* the last token, while it is data that a later tag may strip; -1: none */
} lexer;

static bool bad(const lexer *l, int line, const char *what, const char *hint) { return hn_jinja_refuse(l->a, l->t, line, what, hint); }

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static bool starts(const lexer *l, const char *s) {
    size_t n = strlen(s);
    return (size_t)(l->end - l->p) >= n && !memcmp(l->p, s, n);
}
static void put(lexer *l, jtoken_kind kind, int line, const char *p, int64_t n) { hn_push(l->a, l->out, (jtoken){ kind, line, p, n }); }
static void step(lexer *l, int64_t n) {
    for (; n-- > 0 && l->p < l->end; l->p++) l->line += *l->p == '\n';
}

/* The data before a tag: cut at its end as the tag says. */
static void put_data(lexer *l, const char *from, const char *to, int line, char sign, bool block) {
    if (sign == '-') {
        int64_t start = 0, end = to - from;
        hn_strip(from, &start, &end, 2);
        to = from + end;
    } else if (block && l->t->rules->talk && sign != '+') {
        const char *q = to;
        while (q > from && (q[-1] == ' ' || q[-1] == '\t')) q--;
        bool line_start = q > from ? q[-1] == '\n' : l->data >= 0; /* data: 0 after a newline that a tag took, and at the very start */
        if (line_start) to = q;
    }
    if (to > from) put(l, T_DATA, line, from, to - from);
}

/* After a tag's end: the white space that it takes. Sets data to 0 where what follows begins a line. */
static void after_tag(lexer *l, char sign, bool block) {
    l->data = -1;
    if (sign == '-') {
        int64_t start = 0, end = l->end - l->p;
        hn_strip(l->p, &start, &end, 1);
        if (memchr(l->p, '\n', (size_t)start)) l->data = 0;
        step(l, start);
    } else if (block && l->t->rules->talk && sign != '+' && l->p < l->end && *l->p == '\n') {
        step(l, 1);
        l->data = 0;
    }
}

static bool string(lexer *l) {
    char quote = *l->p;
    int line = l->line;
    hn_buf b = { 0 };
    step(l, 1);
    for (;;) {
        if (l->p >= l->end) return bad(l, line, "a string without end in the template", NULL);
        char c = *l->p;
        step(l, 1);
        if (c == quote) break;
        if (c == '\\' && l->p < l->end) {
            static const char from[] = "ntrbf0avv", to[] = "\n\t\r\b\f\0\a\v\v";
            const char *k = memchr(from, *l->p, sizeof from - 1);
            char e = *l->p;
            step(l, 1);
            if (e == 'u' || e == 'x') {
                int64_t n = e == 'u' ? 4 : 2;
                uint32_t cp = 0;
                for (int64_t i = 0; i < n; i++) {
                    char h = l->p < l->end ? *l->p : 0;
                    int d = h >= '0' && h <= '9' ? h - '0' : h >= 'a' && h <= 'f' ? h - 'a' + 10 : h >= 'A' && h <= 'F' ? h - 'A' + 10 : -1;
                    if (d < 0) return bad(l, l->line, "a broken escape in a string of the template", NULL);
                    cp = cp << 4 | (uint32_t)d;
                    step(l, 1);
                }
                if (cp >= 0xd800 && cp < 0xe000) cp = 0xfffd;
                char u[3] = { (char)(0xe0 | cp >> 12), (char)(0x80 | (cp >> 6 & 63)), (char)(0x80 | (cp & 63)) };
                char v[2] = { (char)(0xc0 | cp >> 6), (char)(0x80 | (cp & 63)) };
                if (cp < 0x80) hn_buf_put(l->a, &b, &(char){ (char)cp }, 1);
                else hn_buf_put(l->a, &b, cp < 0x800 ? v : u, cp < 0x800 ? 2 : 3);
                continue;
            }
            if (!k && e != '\\' && e != '\'' && e != '"' && e != '\n')
                hn_buf_put(l->a, &b, "\\", 1); /* Python keeps the backslash of an unknown escape */
            if (e == '\n') continue;
            c = k ? to[k - from] : e;
        }
        hn_buf_put(l->a, &b, &c, 1);
    }
    const char *s = hn_buf_str(l->a, &b);
    put(l, T_STRING, line, s, b.n);
    return true;
}

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
/* Bytes of the character at l->p, if it may be in a name (first: begin one), as in Python; else 0. */
static int name_part(const lexer *l, bool first) {
    uint32_t c;
    int n = l->p < l->end ? hn_utf8_next((const uint8_t *)l->p, l->end - l->p, &c) : 0;
    if (!n || c < 0x80) return n && (c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (!first && is_digit((char)c)));
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    bool begins = (k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO) || k == UTF8PROC_CATEGORY_NL;
    bool goes_on = k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_MC || k == UTF8PROC_CATEGORY_ND || k == UTF8PROC_CATEGORY_PC;
    return begins || (goes_on && !first) ? n : 0;
}

static int width(const lexer *l) {
    uint32_t c;
    return hn_utf8_next((const uint8_t *)l->p, l->end - l->p, &c);
}
static bool inside(lexer *l, const char *close, jtoken_kind end, bool block) {
    static const char *const signs[] = { "**", "//", "==", "!=", "<=", ">=", "+", "-", "*", "/", "%", "~", "<",
                                         ">",  "=",  ".",  ",",  ":",  "|",  "(", ")", "[", "]", "{", "}" };
    int begun = l->line, depth = 0;
    for (;;) {
        while (l->p < l->end && is_space(*l->p)) step(l, 1);
        if (l->p >= l->end) return bad(l, begun, "a tag without end in the template", hn_fmt(l->a, "it must end in %s", close));
        char sign = *l->p == '-' || *l->p == '+' ? *l->p : 0;
        int64_t skip = sign != 0;
        if (!depth && l->end - l->p >= skip + 2 && !memcmp(l->p + skip, close, 2)) {
            put(l, end, l->line, l->p, 2);
            step(l, skip + 2);
            after_tag(l, sign, block);
            return true;
        }
        const char *from = l->p;
        int line = l->line;
        if (*l->p == '"' || *l->p == '\'') {
            if (!string(l)) return false;
            continue;
        }
        if (name_part(l, true)) {
            for (int part; (part = name_part(l, l->p == from));) l->p += part;
            put(l, T_NAME, line, from, l->p - from);
            continue;
        }
        if (is_digit(*l->p)) {
            bool real = false;
            while (l->p < l->end && (is_digit(*l->p) || *l->p == '_')) l->p++;
            if (l->end - l->p >= 2 && *l->p == '.' && is_digit(l->p[1])) {
                real = true;
                for (l->p++; l->p < l->end && is_digit(*l->p);) l->p++;
            }
            if (l->end - l->p >= 2 && (*l->p == 'e' || *l->p == 'E') && (is_digit(l->p[1]) || (l->end - l->p >= 3 && is_digit(l->p[2])))) {
                real = true;
                for (l->p += 2; l->p < l->end && is_digit(*l->p);) l->p++;
            }
            put(l, real ? T_FLOAT : T_INT, line, from, l->p - from);
            continue;
        }
        int64_t k = 0;
        while (k < HN_LEN(signs) && !starts(l, signs[k])) k++;
        if (k == HN_LEN(signs)) return bad(l, line, hn_fmt(l->a, "the template has an unknown sign '%.*s'", width(l), from), NULL);
        depth += strchr("([{", signs[k][0]) ? 1 : strchr(")]}", signs[k][0]) ? -1 : 0;
        put(l, T_SIGN, line, signs[k], (int64_t)strlen(signs[k]));
        l->p += strlen(signs[k]);
    }
}

/* At "{%", possibly "{%- raw %}": its content up to endraw becomes data. *yes: it was one. */
static bool raw_block(lexer *l, bool *yes) {
    const char *q = l->p + 2;
    while (q < l->end && (*q == '-' || *q == '+' || is_space(*q))) q++;
    *yes = l->end - q > 3 && !memcmp(q, "raw", 3) && (is_space(q[3]) || q[3] == '%' || q[3] == '-');
    return !*yes || bad(l, l->line, "the template uses 'raw', which is outside of what hone renders", NULL);
}

bool hn_jinja_lex(hn_arena *a, const hn_template *t, const char *text, int64_t n, jtokens *out) {
    lexer lex = { .a = a, .t = t, .line = 1, .out = out, .data = 0 }, *l = &lex;
    char *v = hn_alloc(a, n + 1, 1, 1);
    int64_t k = 0;
    for (int64_t i = 0; i < n; i++) { /* line ends as \n */
        if (text[i] == '\r') {
            v[k++] = '\n';
            i += i + 1 < n && text[i + 1] == '\n';
        } else v[k++] = text[i];
    }
    if (t->rules->talk && k && v[k - 1] == '\n') k--;
    l->p = v, l->end = v + k;
    while (l->p < l->end) {
        const char *from = l->p;
        int line = l->line;
        while (l->p < l->end && !(starts(l, "{{") || starts(l, "{%") || starts(l, "{#"))) step(l, 1);
        bool print = starts(l, "{{"), comment = starts(l, "{#"), tag = l->p < l->end;
        char sign = tag && l->end - l->p > 2 && (l->p[2] == '-' || l->p[2] == '+') ? l->p[2] : 0;
        if (tag) put_data(l, from, l->p, line, sign, !print);
        else if (l->p > from) put(l, T_DATA, line, from, l->p - from);
        if (!tag) break;
        if (comment) {
            int begun = l->line;
            while (l->p < l->end && !starts(l, "#}")) step(l, 1);
            if (l->p >= l->end) return bad(l, begun, "a comment without end in the template", NULL);
            char close = l->p[-1] == '-' || l->p[-1] == '+' ? l->p[-1] : 0;
            step(l, 2);
            after_tag(l, close, true);
            continue;
        }
        bool raw = false;
        if (!print && (!raw_block(l, &raw) || raw)) return false;
        put(l, print ? T_PRINT_BEGIN : T_BLOCK_BEGIN, l->line, l->p, 2);
        step(l, 2 + (sign != 0));
        if (!inside(l, print ? "}}" : "%}", print ? T_PRINT_END : T_BLOCK_END, !print)) return false;
    }
    put(l, T_END, l->line, l->end, 0);
    return true;
}
