/* ensemble_json.c - fuzz target: any bytes as an ensemble's manifest; what is accepted names folders beside it and nothing else. */
#include "target.h"
#include "model/model.h"

static bool parse(void *arg) {
    input *in = arg;
    hn_strs names;
    if (!hn_ensemble_parse(in->a, "ensemble.json", in->file, &names)) return false;
    HN_ASSERT(names.n >= 1);
    for (int64_t i = 0; i < names.n; i++) HN_ASSERT(*names.v[i] && *names.v[i] != '.' && !strchr(names.v[i], '/'));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, parse); }
