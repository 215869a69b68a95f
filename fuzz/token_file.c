/* A token file from anywhere: refused, or every id and span is inside. Checksums are mended first (else no input gets past them),
 * when the first byte of the input is even; that byte is no part of the file. */
#include "target.h"
#include "data/data.h"
#include <stdlib.h>

static void mend(uint8_t *p, int64_t n) {
    int64_t spans;
    uint64_t h;
    memcpy(&spans, p + 32, 8);
    int64_t span_bytes = spans < 0 || spans > (n - 80) / 32 ? 0 : spans * 32;
    h = hn_hash(p + 80 + span_bytes, n - 80 - span_bytes, hn_hash(p + 80, span_bytes, 0));
    memcpy(p + 56, &h, 8);
    h = hn_hash(p, 64, 0);
    memcpy(p + 64, &h, 8);
}

static bool body(void *arg) {
    input *in = arg;
    hn_arena *a = in->a;
    int64_t n = in->file.n;
    hn_tokens t;
    int64_t before = hn_memory_live(a->job);
    bool ok = hn_tokens_parse(a, "fuzz", in->file, &t);
    HN_ASSERT(hn_memory_live(a->job) - before <= 2 * n + (1 << 20));      /* nothing by a number that lies */
    if (!ok) return HN_ASSERT(hone_error_code(a->job) == HONE_E_MODEL), false;
    for (int64_t i = 0; i < t.n_spans; i++)
        for (int64_t k = 0; k < t.spans[i].n; k++) {
            int32_t id = hn_token_at(&t, t.spans[i].start + k);
            HN_ASSERT(id >= 0 && id < t.vocab);
        }
    int32_t x[2 * 5], y[2 * 5];
    hn_batches *b = hn_batches_new(a, &t, 2, 5, n & 1 ? "epochs" : "random", 7);
    for (int64_t i = 0; b && i < 20; i++) hn_batch_get(b, i, x, y);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    int64_t n = (int64_t)size - 1;
    uint8_t *file = aligned_alloc(16, (size_t)(n + 16) & ~(size_t)15);
    if (n) memcpy(file, data + 1, (size_t)n);
    if (!(data[0] & 1) && n >= 80) mend(file, n);
    fuzz_one(file, n, body);
    free(file);
    return 0;
}
