/* items.c - the items of a task, one JSON object each: lines of .jsonl, rows of .csv and .tsv, or the documents of .txt as {text}.
 * An evaluation that loses items in silence would lie, so a row that cannot be used is refused with its line, not set aside. */
#include "eval/task.h"
#include <strings.h>

static const int64_t max_file = (int64_t)1 << 30;

static bool ends(const char *path, const char *suffix) {
    size_t n = strlen(path), k = strlen(suffix);
    if (n > 3 && !strcasecmp(path + n - 3, ".gz")) n -= 3;
    else if (n > 4 && !strcasecmp(path + n - 4, ".zst")) n -= 4;
    return n > k && !strncasecmp(path + n - k, suffix, k);
}

static const char *place(hn_arena *a, const hn_sheet *r, int64_t line) { return hn_fmt(a, "%s:%lld", r->path, (long long)line); }

typedef HN_VEC(hn_pack_item) items;
static void put(hn_arena *a, hn_sheet *r, items *v, json_t *fields, int64_t line) {
    const char *key;
    json_t *value;
    json_object_foreach(fields, key, value) if (!json_object_get(r->known, key)) json_object_set(r->known, key, value);
    hn_push(a, v, (hn_pack_item){ .fields = fields, .line = line });
}

static bool json_lines(hn_arena *a, hn_sheet *r, hn_bytes text, items *v) {
    const char *p = (const char *)text.p, *end = p + text.n;
    for (int64_t line = 1; p < end; line++) {
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        int64_t n = (nl ? nl : end) - p, from = 0, to = n;
        hn_strip(p, &from, &to, 3);
        if (to > from) {
            json_error_t e;
            hn_vec_grow(a, v, 1);
            json_t *row = json_loadb(p, (size_t)n, JSON_REJECT_DUPLICATES, &e);
            if (!row && json_error_code(&e) != json_error_out_of_memory)
                return HN_FAIL(a, HONE_E_DATA, .what = "the item is not JSON", .where = place(a, r, line), .wanted = "an object a line",
                               .found = e.text);
            row = hn_json_own(a, row);
            if (!json_is_object(row)) return HN_FAIL(a, HONE_E_DATA, .what = "the item is not a JSON object", .where = place(a, r, line));
            put(a, r, v, row, line);
        }
        p += n + 1;
    }
    return true;
}

static bool table(hn_arena *a, hn_sheet *r, hn_bytes text, char separator, const hn_strs *columns, items *v) {
    hn_csv_row *row, head = { columns ? columns->v : NULL, columns ? columns->n : 0, 0 };
    int64_t n, first = 0;
    if (!hn_csv_parse(a, r->path, text, separator, &row, &n)) return false;
    if (!head.n && n) head = row[first++];
    hn_map *seen = hn_map_new(a);
    for (int64_t i = 0; i < head.n; i++) {
        if (hn_map_get(seen, head.cell[i], (int64_t)strlen(head.cell[i]), NULL))
            return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "two columns have the name '%.60s'", head.cell[i]), .where = place(a, r, HN_MAX(head.line, 1)),
                           .hint = "Name the columns in task.yaml (columns:) if this row is no head.");
        hn_map_put(seen, head.cell[i], (int64_t)strlen(head.cell[i]), i);
    }
    for (int64_t k = first; k < n; k++) {
        if (row[k].n != head.n)
            return HN_FAIL(a, HONE_E_DATA, .what = "the row has another number of cells than the head", .where = place(a, r, row[k].line),
                           .wanted = hn_fmt(a, "%lld", (long long)head.n), .found = hn_fmt(a, "%lld", (long long)row[k].n));
        json_t *o = hn_json_own(a, json_object());
        for (int64_t i = 0; i < head.n; i++) json_object_set(o, head.cell[i], (json_t *)(intptr_t)hn_value_str(a, row[k].cell[i], (int64_t)strlen(row[k].cell[i])));
        put(a, r, v, o, row[k].line);
    }
    return true;
}

static bool documents(hn_arena *a, hn_sheet *r, hn_bytes text, items *v) {
    hn_corpus c;
    if (!hn_corpus_from_text(a, r->path, text.p, text.n, &c)) return false;
    int64_t line = 1, at = 0;
    for (int64_t i = 0; i < c.n_docs; i++) {
        for (; at < c.docs[i].start; at++) line += c.text.p[at] == '\n';
        json_t *o = hn_json_own(a, json_object());
        json_object_set(o, "text", (json_t *)(intptr_t)hn_value_str(a, (const char *)c.text.p + c.docs[i].start, c.docs[i].bytes));
        put(a, r, v, o, line);
    }
    return true;
}

bool hn_sheet_parse(hn_arena *a, const char *path, hn_bytes text, const hn_strs *columns, hn_sheet *out) {
    items v = { 0 };
    int64_t bad;
    *out = (hn_sheet){ .path = path, .known = hn_json_own(a, json_object()) };
    if (text.n >= 3 && !memcmp(text.p, "\xEF\xBB\xBF", 3)) text.p += 3, text.n -= 3;
    if (!hn_utf8_valid(text.p, text.n, &bad))
        return HN_FAIL(a, HONE_E_DATA, .what = "the file is not UTF-8 text", .where = hn_fmt(a, "%s: offset %lld", path, (long long)bad));
    const uint8_t *nul = text.n ? memchr(text.p, 0, (size_t)text.n) : NULL;
    if (nul) return HN_FAIL(a, HONE_E_DATA, .what = "the file holds a zero byte", .where = hn_fmt(a, "%s: offset %lld", path, (long long)(nul - text.p)));
    bool ok = ends(path, ".jsonl") || ends(path, ".json") ? json_lines(a, out, text, &v)
              : ends(path, ".csv")                        ? table(a, out, text, ',', columns, &v)
              : ends(path, ".tsv")                        ? table(a, out, text, '\t', columns, &v)
              : ends(path, ".txt")                        ? documents(a, out, text, &v)
                                   : HN_FAIL(a, HONE_E_DATA, .what = "this kind of file holds no items", .where = path,
                                             .wanted = "a name that ends in .jsonl, .csv, .tsv or .txt (also .gz, .zst)");
    if (!ok) return false;
    out->v = v.v;
    out->n = v.n;
    return v.n || HN_FAIL(a, HONE_E_DATA, .what = "the file has no items", .where = path);
}

bool hn_sheet_read(hn_arena *a, const char *path, const hn_strs *columns, hn_sheet *out) {
    hn_arena *scratch = hn_arena_new(a);
    hn_reader *r = hn_reader_open(scratch, path);
    hn_buf b = { 0 };
    int64_t got = 0;
    if (!r) return false;
    do {
        hn_vec_grow(scratch, &b, 1 << 16);
        if (!hn_reader_read(r, b.v + b.n, 1 << 16, &got)) return false;
        b.n += got;
        if (b.n > max_file) return HN_FAIL(a, HONE_E_DATA, .what = "the file of items is larger than 1 GiB", .where = path);
    } while (got);
    bool ok = hn_sheet_parse(a, hn_strdup(a, path), (hn_bytes){ (const uint8_t *)b.v, b.n }, columns, out);
    hn_arena_free(scratch);
    return ok;
}
