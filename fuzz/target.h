/* target.h - what the fuzz targets share: a job of its own for each input, the target's body inside hn_try, and the one thing that
 * all of them promise: whatever is refused has said why. */
#ifndef FUZZ_TARGET_H
#define FUZZ_TARGET_H
#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct input {
    hn_arena *a;
    hn_bytes file;
} input;

static inline int fuzz_one(const uint8_t *data, int64_t size, bool (*body)(void *)) {
    hone_job *job = hone_open(&(hone_options){ .threads = 1 });
    if (!job) return 0;
    input in = { hn_job_arena(job), { data, size } };
    bool ok = hn_try(job, body, &in);
    HN_ASSERT(ok || hone_error_code(job) != HONE_OK);
    hone_close(job);
    return 0;
}
#endif
