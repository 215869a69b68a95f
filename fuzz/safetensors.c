/* safetensors.c - fuzz target: any bytes as a safetensors file; every byte that a tensor claims is read. */
#include "model/model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
typedef struct input {
    hn_arena *a;
    hn_bytes file;
} input;

static bool parse(void *arg) {
    input *in = arg;
    hn_st st;
    if (!hn_st_parse(in->a, "model.safetensors", in->file, &st)) return false;
    volatile uint8_t sum = 0;
    for (int64_t i = 0; i < st.n; i++) {
        for (int64_t k = 0; k < st.v[i].bytes; k++) sum = (uint8_t)(sum + st.v[i].p[k]);
        HN_ASSERT(hn_st_find(&st, st.v[i].name));
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    hone_job *job = hone_open(&(hone_options){.threads = 1});
    if (!job) return 0;
    input in = {hn_job_arena(job), {data, (int64_t)size}};
    bool ok = hn_try(job, parse, &in);
    HN_ASSERT(ok || hone_error_code(job) != HONE_OK);
    hone_close(job);
    return 0;
}
