/* read.h - what readers share: the intake, where text, documents and rows set aside gather.
 *
 * A reader appends to in->text and calls hn_intake_doc for each stretch that is a document. Text between documents does
 * not exist: a reader closes gaps itself. All text is checked to be UTF-8 before it becomes a document. */
#ifndef HN_DATA_READ_H
#define HN_DATA_READ_H
#include "data/row/row.h"

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
    hn_row_how how;              /* how.form NULL: each file's own */
    HN_VEC(hn_range) own;
    int64_t n_samples;
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

/* read/part/rows.c: the objects of one file, whatever stands between them. */
typedef struct hn_object_rows {
    hn_intake *in;
    const hn_row_item *form;     /* as the first good row has it */
    int64_t rows, good, first_bad;
    const char *first_why;
    hn_arena *scratch;           /* emptied after each row */
} hn_object_rows;
enum { HN_ROW_MOST = 256 << 20 };
hn_object_rows hn_object_rows_new(hn_arena *a, hn_intake *in);
bool hn_object_rows_take(hn_object_rows *r, int64_t line, const char *p, int64_t n) HN_CHECK;   /* false: memory or the size limit says no */
void hn_object_rows_aside(hn_object_rows *r, int64_t line, const char *why);                    /* a row that cannot be used */
bool hn_object_rows_end(hn_object_rows *r) HN_CHECK;                                            /* E_DATA: there was none of use */

/* read/jsonl.c: lines come in arbitrary slices. */
typedef struct hn_jsonl {
    hn_intake *in;
    hn_object_rows rows;
    hn_buf line;
    int64_t lines;
    bool nonzero, too_long;
} hn_jsonl;
hn_jsonl hn_jsonl_new(hn_arena *a, hn_intake *in);
bool hn_jsonl_feed(hn_jsonl *j, const void *p, int64_t n) HN_CHECK;
bool hn_jsonl_end(hn_jsonl *j) HN_CHECK;

/* read/json.c: objects of an array, or one after another, in arbitrary slices. */
typedef struct hn_json_rows {
    hn_intake *in;
    hn_object_rows rows;
    hn_buf row;
    int64_t line, row_line;      /* from 1; of the row being read */
    int depth;                   /* of brackets within a row */
    bool nonzero, in_row, in_text, escaped, too_long, opened, closed, begun;
} hn_json_rows;
hn_json_rows hn_json_rows_new(hn_arena *a, hn_intake *in);
bool hn_json_rows_feed(hn_json_rows *j, const void *p, int64_t n) HN_CHECK;
bool hn_json_rows_end(hn_json_rows *j) HN_CHECK;
#endif
