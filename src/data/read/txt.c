/* txt.c - plain text: one document per file, or several with a line <|endoftext|> between them.
 *
 * A byte order mark is skipped; line ends stay as they are, so that the loss counts every byte of the text.
 * A document keeps the newline before the separator; a document of nothing but white space is left out. */
#include "data/read/read.h"

static const char separator[] = "<|endoftext|>";

/* Is the line at p the separator alone? Its length with the line end, or 0. */
static int64_t separator_line(const char *p, int64_t n) {
    int64_t k = HN_LEN(separator) - 1;
    if (n < k || memcmp(p, separator, (size_t)k) != 0) return 0;
    while (k < n && (p[k] == ' ' || p[k] == '\r')) k++;
    if (k == n) return k;
    return p[k] == '\n' ? k + 1 : 0;
}

/* Documents move left over separators and blank ones, so that nothing stands between them. */
bool hn_txt_take(hn_intake *in, int64_t from) {
    char *v = in->text.v;
    int64_t end = in->text.n, to = from, at = from;
    if (!hn_text_check(in, (const uint8_t *)v + from, end - from)) return false;
    if (end - at >= 3 && memcmp(v + at, "\xEF\xBB\xBF", 3) == 0) at += 3;
    while (at < end) {
        int64_t doc = at, cut = 0;
        while (at < end && !(cut = separator_line(v + at, end - at))) {
            const char *nl = memchr(v + at, '\n', (size_t)(end - at));
            at = nl ? nl - v + 1 : end;
        }
        if (!hn_text_blank(v + doc, at - doc)) {
            memmove(v + to, v + doc, (size_t)(at - doc));
            hn_intake_doc(in, to, at - doc);
            to += at - doc;
        }
        at += cut;
    }
    in->text.n = to;
    return true;
}

static bool read_file(hn_arena *a, hn_intake *in, hn_reader *r) {
    enum { CHUNK = 1 << 16 };
    int64_t from = in->text.n, got = 0;
    do {
        if (!hn_intake_room(in, CHUNK)) return false;
        if (!hn_reader_read(r, in->text.v + in->text.n, CHUNK, &got)) return false;
        in->text.n += got;
    } while (got > 0);
    return hn_txt_take(in, from);
}

const hn_reader_item hn_reader_txt = { HN_ITEM0("txt", "plain UTF-8 text, one document per file or cut at lines <|endoftext|>", NULL),
                                       .suffixes = ".txt", .read = read_file };
