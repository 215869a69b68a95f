/* Rows of JSON lines, cut into slices of a size that the first byte says: refused, or every document is valid UTF-8 and inside. */
#include "target.h"
#include "data/read/read.h"

static bool body(void *arg) {
    input *f = arg;
    const uint8_t *p = f->file.p;
    int64_t n = f->file.n;
    hn_intake in = { .a = f->a, .path = "fuzz" };
    hn_jsonl j = hn_jsonl_new(f->a, &in);
    int64_t slice = n ? p[0] + 1 : 1, at = n > 0;
    for (; at < n; at += slice)
        if (!hn_jsonl_feed(&j, p + at, HN_MIN(slice, n - at))) return false;
    if (!hn_jsonl_end(&j)) return HN_ASSERT(hone_error_code(f->a->job) == HONE_E_DATA), false;
    HN_ASSERT(in.docs.n >= j.rows.good && j.rows.good > 0 && in.n_bad == j.rows.rows - j.rows.good);
    int64_t end = 0, bad;
    for (int64_t i = 0; i < in.docs.n; i++) {
        HN_ASSERT(in.docs.v[i].start == end && in.docs.v[i].bytes > 0);
        HN_ASSERT(hn_utf8_valid((const uint8_t *)in.text.v + end, in.docs.v[i].bytes, &bad));
        end += in.docs.v[i].bytes;
    }
    HN_ASSERT(end == in.text.n && !memchr(in.text.v, 0, (size_t)end));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
