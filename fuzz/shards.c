/* shards.c - fuzz target: any bytes as the index of a model's shards, of which the folder has one, whole: refused with a reason, or the model. */
#include "target.h"
#include "folder.h"
#include "model/model.h"

static bool body(void *arg) {
    static bool made;
    static const char *const names[][2] = { { "config.json", "config.json" }, { "model.safetensors", "a.safetensors" } };
    input *in = arg;
    hn_arena *a = in->a;
    for (int i = 0; i < 2 && !made; i++) {
        hn_bytes file;
        HN_ASSERT(hn_file_read(a, hn_path_join(a, "tests/golden/llama_tiny", names[i][0]), 1 << 20, &file));
        fuzz_put(a, names[i][1], file);
    }
    made = true;
    fuzz_put(a, "model.safetensors.index.json", in->file);
    return hn_model_load(a, fuzz_folder) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
