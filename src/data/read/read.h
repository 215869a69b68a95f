/* read.h - what readers share: the intake, where text, documents and rows set aside gather.
 *
 * A reader appends to in->text and calls hn_intake_doc for each stretch that is a document. Text between documents does
 * not exist: a reader closes gaps itself. All text is checked to be UTF-8 before it becomes a document. */
#ifndef HN_DATA_READ_H
#define HN_DATA_READ_H
#include "data/data.h"

enum { HN_BAD_ROWS_KEPT = 1000 };

struct hn_intake {
    hn_arena *a;
    const char *path;            /* of the file being read */
    int32_t source;
    int64_t max_bytes;           /* 0: no limit */
    int64_t memory_checked;      /* size of text at which available memory is asked for next */
    hn_buf text;
    HN_VEC(hn_doc) docs;
    HN_VEC(hn_bad_row) bad;
    int64_t n_bad;
};

/* Makes room for n more bytes at the end of the text; E_DATA past max_bytes, E_MEMORY before the machine swaps. */
bool hn_intake_room(hn_intake *in, int64_t n) HN_CHECK;
void hn_intake_doc(hn_intake *in, int64_t start, int64_t bytes);
void hn_intake_bad(hn_intake *in, int64_t line, const char *why);
/* Empty, all zero, not UTF-8, NUL: E_DATA naming the file and the offset in its (uncompressed) bytes. */
bool hn_text_check(hn_intake *in, const uint8_t *p, int64_t n) HN_CHECK;
bool hn_text_blank(const void *p, int64_t n);             /* nothing but white space */

/* read/txt.c: makes documents of text.v[from …): skips a BOM, cuts at lines <|endoftext|>. */
bool hn_txt_take(hn_intake *in, int64_t from) HN_CHECK;

/* read/jsonl.c: lines come in arbitrary slices. */
typedef struct hn_jsonl {
    hn_intake *in;
    hn_buf line;
    int64_t lines, rows, good, first_bad;
    const char *first_why;
    bool nonzero, too_long;
} hn_jsonl;
bool hn_jsonl_feed(hn_jsonl *j, const void *p, int64_t n) HN_CHECK;
bool hn_jsonl_end(hn_jsonl *j) HN_CHECK;
#endif
