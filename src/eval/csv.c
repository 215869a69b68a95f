/* csv.c - tables of text: commas with the quotes of RFC 4180, or tabs without any (a tab file's quotes are text).
 *
 * A quoted cell may hold separators, line ends and doubled quotes. Line ends are \n or \r\n. Empty lines are no rows.
 * Refused with line: a quote that does not end, text behind a closing quote. */
#include "eval/task.h"

enum { MAX_CELLS = 4096 };

typedef struct parser {
    hn_arena *a;
    const char *path;
    const char *p, *end;
    char separator;
    int64_t line;
    hn_buf cell;
} parser;

static bool refuse(parser *s, int64_t line, const char *what, const char *hint) {
    return HN_FAIL(s->a, HONE_E_DATA, .what = what, .where = hn_fmt(s->a, "%s:%lld", s->path, (long long)line), .hint = hint);
}

static bool at_end_of_line(const parser *s) { return s->p >= s->end || *s->p == '\n' || (*s->p == '\r' && s->p + 1 < s->end && s->p[1] == '\n'); }

static bool quoted(parser *s) {
    int64_t first = s->line;
    for (s->p++; s->p < s->end; s->p++) {
        if (*s->p == '"') {
            if (s->p + 1 < s->end && s->p[1] == '"') s->p++;
            else {
                s->p++;
                return at_end_of_line(s) || *s->p == s->separator ||
                       refuse(s, s->line, "text stands behind a closing quote", "Inside a quoted cell, a quote is written twice.");
            }
        }
        s->line += *s->p == '\n';
        hn_buf_put(s->a, &s->cell, s->p, 1);
    }
    return refuse(s, first, "a quoted cell does not end", "Inside a quoted cell, a quote is written twice.");
}

static bool read_row(parser *s, hn_csv_row *row) {
    HN_VEC(const char *) cells = { 0 };
    row->line = s->line;
    for (;;) {
        s->cell.n = 0;
        if (s->separator == ',' && s->p < s->end && *s->p == '"') {
            if (!quoted(s)) return false;
        } else {
            const char *from = s->p;
            while (!at_end_of_line(s) && *s->p != s->separator) s->p++;
            hn_buf_put(s->a, &s->cell, from, s->p - from);
        }
        if (cells.n == MAX_CELLS) return refuse(s, s->line, "a row has more than 4096 cells", NULL);
        hn_push(s->a, &cells, hn_strndup(s->a, s->cell.v ? s->cell.v : "", s->cell.n));
        if (at_end_of_line(s)) break;
        s->p++;
    }
    if (s->p < s->end) s->p += *s->p == '\r' ? 2 : 1;
    s->line++;
    row->cell = cells.v;
    row->n = cells.n;
    return true;
}

bool hn_csv_parse(hn_arena *a, const char *path, hn_bytes text, char separator, hn_csv_row **rows, int64_t *n) {
    HN_VEC(hn_csv_row) v = { 0 };
    parser s = { .a = a, .path = path, .p = (const char *)text.p, .end = (const char *)text.p + text.n, .separator = separator, .line = 1 };
    while (s.p < s.end) {
        hn_csv_row row;
        if (!read_row(&s, &row)) return false;
        if (row.n == 1 && !*row.cell[0]) continue;
        hn_push(a, &v, row);
    }
    *rows = v.v;
    *n = v.n;
    return true;
}
