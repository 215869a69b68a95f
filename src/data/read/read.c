/* read.c - the list of readers and the intake they fill.
 *
 * Text is never larger than what the machine can hold: before it doubles past 64 MiB, available memory is asked for, so a
 * compressed file that unpacks without end stops with a sentence and not by the system's killer. */
#include "data/read/read.h"

#define READER(n) extern const hn_reader_item hn_reader_##n;
#include "data/read/readers.def"
#undef READER
static const hn_item *const items[] = {
#define READER(n) &hn_reader_##n.item,
#include "data/read/readers.def"
#undef READER
};
const hn_kind hn_kind_read = { "read", "readers of data files", items, HN_LEN(items) };

bool hn_intake_room(hn_intake *in, int64_t n) {
    enum { FIRST_LOOK = 64 << 20 };
    int64_t size = in->text.n + n;
    if (in->max_bytes > 0 && in->text.n > in->max_bytes)
        return HN_FAIL(in->a, HONE_E_DATA, .what = "more text than data.max_bytes allows", .where = in->path,
                       .wanted = hn_fmt(in->a, "at most %lld bytes", (long long)in->max_bytes),
                       .hint = "raise data.max_bytes or give less text");
    if (size > HN_MAX(in->memory_checked, FIRST_LOOK)) {
        int64_t free_bytes = hn_memory_available();
        in->memory_checked = 2 * size;
        if (free_bytes > 0 && 2 * size > free_bytes)
            return HN_FAIL(in->a, HONE_E_MEMORY, .what = "the text does not fit into memory", .where = in->path,
                           .wanted = hn_fmt(in->a, "%lld MiB to go on reading", (long long)(2 * size >> 20)),
                           .found = hn_fmt(in->a, "%lld MiB available", (long long)(free_bytes >> 20)),
                           .hint = "give less text, or set data.max_bytes");
    }
    hn_vec_grow(in->a, &in->text, n);
    return true;
}

void hn_intake_doc(hn_intake *in, int64_t start, int64_t bytes) {
    hn_push(in->a, &in->docs, (hn_doc){ .start = start, .bytes = bytes, .source = in->source, .first = (int32_t)in->docs.n });
}

void hn_intake_bad(hn_intake *in, int64_t line, const char *why) {
    in->n_bad++;
    if (in->bad.n < HN_BAD_ROWS_KEPT) hn_push(in->a, &in->bad, (hn_bad_row){ in->source, line, why });
}

bool hn_text_blank(const void *text, int64_t n) {
    const char *p = text;
    for (int64_t i = 0; i < n; i++)
        if (p[i] != ' ' && (p[i] < '\t' || p[i] > '\r')) return false;
    return true;
}

bool hn_text_check(hn_intake *in, const uint8_t *p, int64_t n) {
    hn_arena *a = in->a;
    int64_t bad = 0;
    if (n <= 0) return HN_FAIL(a, HONE_E_DATA, .what = "the file is empty", .where = in->path, .wanted = "UTF-8 text");
    while (bad < n && !p[bad]) bad++;
    if (bad == n)
        return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "the file holds only zero bytes (%lld of them)", (long long)n),
                       .where = hn_fmt(a, "%s: offset 0", in->path), .hint = "it was probably cut off while being copied; fetch it again");
    if (!hn_utf8_valid(p, n, &bad)) {
        bool utf16 = n >= 2 && ((p[0] == 0xFF && p[1] == 0xFE) || (p[0] == 0xFE && p[1] == 0xFF));
        return HN_FAIL(a, HONE_E_DATA, .what = "the file is not UTF-8 text",
                       .where = hn_fmt(a, "%s: offset %lld", in->path, (long long)bad), .found = hn_fmt(a, "byte 0x%02X", p[bad]),
                       .hint = utf16 ? "this looks like UTF-16: convert it with iconv -f UTF-16 -t UTF-8"
                                     : "convert it, for example with iconv -f ISO-8859-1 -t UTF-8");
    }
    const uint8_t *nul = n > 0 ? memchr(p, 0, (size_t)n) : NULL;
    if (nul)
        return HN_FAIL(a, HONE_E_DATA, .what = "the file holds a zero byte",
                       .where = hn_fmt(a, "%s: offset %lld", in->path, (long long)(nul - p)),
                       .hint = "text has none: is this a binary file?");
    if (hn_text_blank(p, n))
        return HN_FAIL(a, HONE_E_DATA, .what = "the file holds nothing but white space", .where = in->path, .wanted = "UTF-8 text");
    return true;
}
