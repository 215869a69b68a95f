/* Rows of JSON lines, cut into slices of a size that the first byte says: refused, or every document is valid UTF-8 and inside. */
#include "data/read/read.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct { hone_job *job; const uint8_t *p; int64_t n; } input;

static bool body(void *arg) {
    input *f = arg;
    hn_intake in = { .a = hn_job_arena(f->job), .path = "fuzz" };
    hn_jsonl j = { .in = &in };
    int64_t slice = f->n ? f->p[0] + 1 : 1, at = f->n > 0;
    for (; at < f->n; at += slice)
        if (!hn_jsonl_feed(&j, f->p + at, HN_MIN(slice, f->n - at))) return false;
    if (!hn_jsonl_end(&j)) return HN_ASSERT(hone_error_code(f->job) == HONE_E_DATA), false;
    HN_ASSERT(in.docs.n == j.good && j.good > 0 && in.n_bad == j.rows - j.good);
    int64_t end = 0, bad;
    for (int64_t i = 0; i < in.docs.n; i++) {
        HN_ASSERT(in.docs.v[i].start == end && in.docs.v[i].bytes > 0);
        HN_ASSERT(hn_utf8_valid((const uint8_t *)in.text.v + end, in.docs.v[i].bytes, &bad));
        end += in.docs.v[i].bytes;
    }
    HN_ASSERT(end == in.text.n && !memchr(in.text.v, 0, (size_t)end));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    input in = { hone_open(&(hone_options){ .threads = 1 }), data, (int64_t)size };
    (void)!hn_try(in.job, body, &in);
    hone_close(in.job);
    return 0;
}
