/* jsonl.c - one JSON object a line, its document under "text".
 *
 * A row that cannot be used (not JSON, not an object, no text, empty text) is counted and set aside with its line number
 * and the reason; the file fails only when no row is usable. Blank lines are no rows. Rows longer than 256 MiB are set aside.
 * Lines arrive in slices of any size, so a file needs memory for its longest row only, besides the text itself. */
#include "data/read/read.h"

enum { MAX_ROW = 256 << 20 };

static void set_aside(hn_jsonl *j, const char *why) {
    if (!j->first_why) {
        j->first_why = why;
        j->first_bad = j->lines;
    }
    hn_intake_bad(j->in, j->lines, why);
}

/* The row's text as a new document, or the reason why not; false only when memory or the size limit says no.
 * Room is made beforehand, since an allocation that unwinds would leave the parsed row behind; its text is no longer than the row. */
static bool take_row(hn_jsonl *j, const char *p, int64_t n) {
    hn_intake *in = j->in;
    if (!hn_intake_room(in, n)) return false;
    hn_vec_grow(in->a, &in->docs, 1);
    hn_vec_grow(in->a, &in->bad, 1);
    json_error_t e;
    json_t *row = json_loadb(p, (size_t)n, JSON_REJECT_DUPLICATES, &e);
    if (!row) {
        if (json_error_code(&e) == json_error_out_of_memory)
            return HN_FAIL(in->a, HONE_E_MEMORY, .what = "no memory for a row",
                           .where = hn_fmt(in->a, "%s:%lld", in->path, (long long)j->lines));
        if (in->bad.n < HN_BAD_ROWS_KEPT || !j->first_why) set_aside(j, hn_fmt(in->a, "not JSON: %s", e.text));
        else set_aside(j, "not JSON");
        return true;
    }
    const json_t *text = json_object_get(row, "text");
    const char *s = json_string_value(text);
    int64_t len = (int64_t)json_string_length(text);
    if (!json_is_object(row)) set_aside(j, "not a JSON object");
    else if (!text) set_aside(j, "no \"text\"");
    else if (!s) set_aside(j, "\"text\" is not a string");
    else if (hn_text_blank(s, len)) set_aside(j, "\"text\" is empty");
    else {
        memcpy(in->text.v + in->text.n, s, (size_t)len);
        hn_intake_doc(in, in->text.n, len);
        in->text.n += len;
        j->good++;
    }
    json_decref(row);
    return true;
}

static bool end_line(hn_jsonl *j) {
    const char *p = j->line.v;
    int64_t n = j->line.n;
    j->lines++;
    if (j->lines == 1 && n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0) p += 3, n -= 3;
    bool ok = true;
    if (j->too_long) j->rows++, set_aside(j, "row longer than 256 MiB");
    else if (!hn_text_blank(p, n)) j->rows++, ok = take_row(j, p, n);
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
        if (j->line.n + k > MAX_ROW) j->too_long = true, j->line.n = 0;
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
    if (!j->good && !j->rows)
        return HN_FAIL(in->a, HONE_E_DATA, .what = "the file has no rows", .where = in->path, .wanted = "rows {\"text\": \"…\"}");
    if (!j->good)
        return HN_FAIL(in->a, HONE_E_DATA, .what = hn_fmt(in->a, "none of the %lld rows can be used", (long long)j->rows),
                       .where = hn_fmt(in->a, "%s:%lld", in->path, (long long)j->first_bad), .wanted = "{\"text\": \"…\"} on each line",
                       .found = j->first_why);
    if (j->good < j->rows)
        hn_warn(in->a, "%s: %lld of %lld rows set aside; the first is line %lld: %s", in->path, (long long)(j->rows - j->good),
                (long long)j->rows, (long long)j->first_bad, j->first_why);
    return true;
}

static bool read_file(hn_arena *a, hn_intake *in, hn_reader *r) {
    char chunk[1 << 14];
    hn_jsonl j = { .in = in };
    for (int64_t got;;) {
        if (!hn_reader_read(r, chunk, sizeof chunk, &got)) return false;
        if (!got) return hn_jsonl_end(&j);
        if (!hn_jsonl_feed(&j, chunk, got)) return false;
    }
}

const hn_reader_item hn_reader_jsonl = { HN_ITEM0("jsonl", "a JSON object a line, the document under \"text\"", "jsonlines.org"),
                                         .suffixes = ".jsonl .ndjson", .read = read_file };
