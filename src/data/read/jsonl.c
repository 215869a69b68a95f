/* jsonl.c - one JSON object a line.
 *
 * Blank lines are no rows. Rows longer than 256 MiB are set aside. Lines arrive in slices of any size, so a file needs memory for its
 * longest row only, besides the text itself. */
#include "data/read/read.h"

hn_jsonl hn_jsonl_new(hn_arena *a, hn_intake *in) { return (hn_jsonl){ .in = in, .rows = hn_object_rows_new(a, in) }; }

static bool end_line(hn_jsonl *j) {
    const char *p = j->line.v;
    int64_t n = j->line.n;
    j->lines++;
    if (j->lines == 1 && n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) p += 3, n -= 3;
    bool ok = true;
    if (j->too_long) j->rows.rows++, hn_object_rows_aside(&j->rows, j->lines, "row longer than 256 MiB");
    else if (!hn_text_blank(p, n)) ok = hn_object_rows_take(&j->rows, j->lines, p, n);
    j->line.n = 0;
    j->too_long = false;
    return ok;
}

bool hn_jsonl_feed(hn_jsonl *j, const void *bytes, int64_t n) {
    const char *p = bytes, *end = p + n;
    if (!j->nonzero)
        for (int64_t i = 0; i < n && !j->nonzero; i++) j->nonzero = p[i] != 0;
    while (p < end) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        int64_t k = (nl ? nl : end) - p;
        if (j->line.n + k > HN_ROW_MOST) j->too_long = true, j->line.n = 0;
        if (!j->too_long) hn_buf_put(j->in->a, &j->line, p, k);
        p += k;
        if (!nl) break;
        if (!end_line(j)) return false;
        p++;
    }
    return true;
}

bool hn_jsonl_end(hn_jsonl *j) {
    hn_intake *in = j->in;
    if ((j->line.n || j->too_long) && !end_line(j)) return false;
    if (!j->lines) return HN_FAIL(in->a, HONE_E_DATA, .what = "the file is empty", .where = in->path, .wanted = "rows {\"text\": \"…\"}");
    if (!j->nonzero)
        return HN_FAIL(in->a, HONE_E_DATA, .what = "the file holds only zero bytes", .where = hn_fmt(in->a, "%s: offset 0", in->path),
                       .hint = "it was probably cut off while being copied; fetch it again");
    return hn_object_rows_end(&j->rows);
}

static bool read_file(hn_arena *a, hn_intake *in, hn_reader *r) {
    char chunk[1 << 14];
    hn_jsonl j = hn_jsonl_new(a, in);
    for (int64_t got;;) {
        if (!hn_reader_read(r, chunk, sizeof chunk, &got)) return false;
        if (!got) return hn_jsonl_end(&j);
        if (!hn_jsonl_feed(&j, chunk, got)) return false;
    }
}

const hn_reader_item hn_reader_jsonl = { HN_ITEM0("jsonl", "a JSON object a line; hone list row tells what it may be", "jsonlines.org"),
                                         .suffixes = ".jsonl .ndjson", .read = read_file };
