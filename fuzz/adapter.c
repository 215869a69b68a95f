/* adapter.c - fuzz target: an adapter folder from anywhere on a model that it may not be made for: refused with a reason, or attached. The first
 * line of the input is adapter_config.json, the rest adapter_model.safetensors. */
#include "target.h"
#include "folder.h"
#include "model/model.h"
#include "model/peft.h"

static bool body(void *arg) {
    input *in = arg;
    hn_arena *a = in->a;
    const uint8_t *end = in->file.n ? memchr(in->file.p, '\n', (size_t)in->file.n) : NULL;
    int64_t n = end ? end - in->file.p : in->file.n, rest = end ? in->file.n - n - 1 : 0;
    fuzz_put(a, "adapter_config.json", (hn_bytes){ in->file.p, n });
    fuzz_put(a, "adapter_model.safetensors", (hn_bytes){ in->file.p + in->file.n - rest, rest });
    hone_model *m = hn_model_load(a, "tests/golden/gpt2_tiny");
    return m && hn_peft_attach(m, fuzz_folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
