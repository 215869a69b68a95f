/* A data file of JSON objects in slices of a size that the first byte says, talks among them: refused, or every document is valid UTF-8
 * and its ranges lie inside, in order. */
#include "target.h"
#include "data/read/read.h"

static bool body(void *arg) {
    input *f = arg;
    const uint8_t *p = f->file.p;
    int64_t n = f->file.n;
    hn_intake in = { .a = f->a, .path = "fuzz", .how.learn_all = n > 1 && p[1] == ' ' };
    hn_json_rows j = hn_json_rows_new(f->a, &in);
    int64_t slice = n ? p[0] + 1 : 1, at = n > 0;
    for (; at < n; at += slice)
        if (!hn_json_rows_feed(&j, p + at, HN_MIN(slice, n - at))) return false;
    if (!hn_json_rows_end(&j)) return HN_ASSERT(hone_error_code(f->a->job) == HONE_E_DATA), false;
    HN_ASSERT(in.docs.n >= j.rows.good && j.rows.good > 0 && in.n_bad == j.rows.rows - j.rows.good);
    int64_t end = 0, own = 0, bad;
    for (int64_t i = 0; i < in.docs.n; i++) {
        const hn_doc *d = &in.docs.v[i];
        HN_ASSERT(d->start == end && d->bytes > 0 && d->line > 0 && d->first <= i);
        HN_ASSERT(hn_utf8_valid((const uint8_t *)in.text.v + end, d->bytes, &bad));
        if (d->sample) HN_ASSERT(d->own == own && d->n_own > 0);
        int64_t from = 0;
        for (int64_t k = 0; d->sample && k < d->n_own; k++) {
            const hn_range *r = &in.own.v[own++];
            HN_ASSERT(r->start >= from && r->bytes > 0 && r->start + r->bytes <= d->bytes);
            from = r->start + r->bytes;
        }
        end += d->bytes;
    }
    HN_ASSERT(end == in.text.n && own == in.own.n && !memchr(in.text.v, 0, (size_t)end));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
