/* json.c - the objects of a JSON array, or objects one after another, as many files named .json are.
 *
 * The file is never parsed as a whole: objects are cut out by their brackets and strings, in slices of any size, and each is a row of
 * its own. A row that is broken inside is set aside; what stands between rows must be commas and white space. */
#include "data/read/read.h"

hn_json_rows hn_json_rows_new(hn_arena *a, hn_intake *in) { return (hn_json_rows){ .in = in, .rows = hn_object_rows_new(a, in), .line = 1 }; }

static bool stray(hn_json_rows *j, unsigned char c) {
    hn_arena *a = j->in->a;
    return HN_FAIL(a, HONE_E_DATA, .what = "this is no list of objects", .where = hn_fmt(a, "%s:%lld", j->in->path, (long long)j->line),
                   .wanted = "[{…}, {…}]", .found = c >= ' ' && c < 127 ? hn_fmt(a, "'%c'", c) : hn_fmt(a, "byte 0x%02X", c),
                   .hint = "rows are objects in one array, or one after another");
}

/* Between rows. */
static bool outside(hn_json_rows *j, unsigned char c) {
    if (c == ' ' || (c >= '\t' && c <= '\r')) return true;
    if (c == '{' && !j->closed) {
        j->in_row = j->begun = true;
        j->depth = 1;
        j->row_line = j->line;
        j->row.n = 0;
        hn_buf_put(j->in->a, &j->row, "{", 1);
        return true;
    }
    bool fine = (c == '[' && !j->begun && !j->opened) || (c == ']' && j->opened && !j->closed) || (c == ',' && j->begun && !j->closed);
    j->opened |= c == '[';
    j->closed |= c == ']';
    return fine || stray(j, c);
}

static bool end_row(hn_json_rows *j) {
    j->in_row = false;
    bool long_row = j->too_long;
    j->too_long = false;
    if (!long_row) return hn_object_rows_take(&j->rows, j->row_line, j->row.v, j->row.n);
    j->rows.rows++;
    hn_object_rows_aside(&j->rows, j->row_line, "row longer than 256 MiB");
    return true;
}

/* Within a row: is it the bracket that ends it? */
static bool ends(hn_json_rows *j, char c) {
    if (j->in_text) {
        if (j->escaped) j->escaped = false;
        else if (c == '\\') j->escaped = true;
        else if (c == '"') j->in_text = false;
        return false;
    }
    if (c == '"') j->in_text = true;
    else if (c == '{' || c == '[') j->depth++;
    else if (c == '}' || c == ']') return --j->depth == 0;
    return false;
}

bool hn_json_rows_feed(hn_json_rows *j, const void *bytes, int64_t n) {
    const char *p = bytes;
    int64_t from = 0;                          /* of the row's bytes that are not yet kept */
    for (int64_t i = 0; i < n; i++) {
        char c = p[i];
        j->nonzero |= c != 0;
        if (j->line == 1 && !j->begun && !j->opened && strchr("\xEF\xBB\xBF", c) && c) continue;     /* a byte order mark */
        if (c == '\n') j->line++;
        if (!j->in_row) {
            if (!outside(j, (unsigned char)c)) return false;
            from = i + 1;
            continue;
        }
        bool end = ends(j, c);
        if (!end && i + 1 < n) continue;
        int64_t k = i + 1 - from;
        if (j->row.n + k > HN_ROW_MOST) j->too_long = true, j->row.n = 0;
        if (!j->too_long) hn_buf_put(j->in->a, &j->row, p + from, k);
        from = i + 1;
        if (end && !end_row(j)) return false;
    }
    return true;
}

bool hn_json_rows_end(hn_json_rows *j) {
    hn_intake *in = j->in;
    if (!j->begun && !j->opened)
        return HN_FAIL(in->a, HONE_E_DATA, .what = j->nonzero || j->line > 1 ? "the file has no rows" : "the file is empty", .where = in->path,
                       .wanted = "[{…}, {…}]");
    if (j->in_row) {
        j->rows.rows++;
        hn_object_rows_aside(&j->rows, j->row_line, "the file ends within this row");
    }
    return hn_object_rows_end(&j->rows);
}

static bool read_file(hn_arena *a, hn_intake *in, hn_reader *r) {
    char chunk[1 << 14];
    hn_json_rows j = hn_json_rows_new(a, in);
    for (int64_t got;;) {
        if (!hn_reader_read(r, chunk, sizeof chunk, &got)) return false;
        if (!got) return hn_json_rows_end(&j);
        if (!hn_json_rows_feed(&j, chunk, got)) return false;
    }
}

const hn_reader_item hn_reader_json = { HN_ITEM0("json", "an array of JSON objects, or objects one after another", "rfc-editor.org/rfc/rfc8259"),
                                        .suffixes = ".json", .read = read_file };
