/* llama2c.c - any bytes as a llama2.c checkpoint: refused with a reason, or a model of finite weights. */
#include "target.h"
#include <math.h>
#include "model/model.h"

static bool body(void *arg) {
    input *in = arg;
    const hone_model *m = hn_llama2c_read(in->a, "fuzz/model.bin", in->file);
    for (int64_t j = 0; m && j < m->n_w; j++)
        for (int64_t i = 0; i < hn_count(m->w[j].t); i++) HN_ASSERT(isfinite(((const float *)m->w[j].t->data)[i]));
    return m != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
