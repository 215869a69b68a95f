/* A token file from anywhere: refused, or every id and span is inside. Checksums are mended first (else no input gets past them),
 * when the first byte of the input is even; that byte is no part of the file. */
#include "data/data.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct { hone_job *job; uint8_t *p; int64_t n; } input;

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
    hn_arena *a = hn_job_arena(in->job);
    hn_tokens t;
    int64_t before = hn_memory_live(in->job);
    bool ok = hn_tokens_parse(a, "fuzz", (hn_bytes){ in->p, in->n }, &t);
    HN_ASSERT(hn_memory_live(in->job) - before <= 2 * in->n + (1 << 20));      /* nothing by a number that lies */
    if (!ok) return HN_ASSERT(hone_error_code(in->job) == HONE_E_MODEL), false;
    for (int64_t i = 0; i < t.n_spans; i++)
        for (int64_t k = 0; k < t.spans[i].n; k++) {
            int32_t id = hn_token_at(&t, t.spans[i].start + k);
            HN_ASSERT(id >= 0 && id < t.vocab);
        }
    int32_t x[2 * 5], y[2 * 5];
    hn_batches *b = hn_batches_new(a, &t, 2, 5, in->n & 1 ? "epochs" : "random", 7);
    for (int64_t i = 0; b && i < 20; i++) hn_batch_get(b, i, x, y);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!size) return 0;
    input in = { hone_open(&(hone_options){ .threads = 1 }), NULL, (int64_t)size - 1 };
    in.p = aligned_alloc(16, (size_t)(in.n + 16) & ~(size_t)15);
    if (in.n) memcpy(in.p, data + 1, (size_t)in.n);
    if (!(data[0] & 1) && in.n >= 80) mend(in.p, in.n);
    (void)!hn_try(in.job, body, &in);
    hone_close(in.job);
    free(in.p);
    return 0;
}
