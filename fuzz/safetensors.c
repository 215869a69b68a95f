/* safetensors.c - fuzz target: any bytes as a safetensors file; every byte that a tensor claims is read. */
#include "target.h"
#include "model/model.h"

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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, parse); }
