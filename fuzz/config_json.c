/* config_json.c - fuzz target: any bytes as config.json; what an architecture accepts must be laid out and written again. */
#include "target.h"
#include "model/model.h"

/* What one architecture refuses may be another's. */
static bool fits(hn_arena *a, const hn_arch *arch, const json_t *config) {
    hone_model m = {.a = a, .arch = arch, .null_storage = true, .params = hn_alloc(a, 1, arch->item.size, 16)};
    hn_params_defaults(a, arch->item.params, arch->item.n_params, m.params);
    if (!arch->config_read(&m, config, "config.json") || !arch->build(&m)) return false;
    hone_model again = {.a = a, .arch = arch, .null_storage = true, .params = hn_alloc(a, 1, arch->item.size, 16)};
    hn_params_defaults(a, arch->item.params, arch->item.n_params, again.params);
    HN_ASSERT(arch->config_read(&again, arch->config_write(a, &m), "again") && again.vocab == m.vocab);
    return true;
}

static bool parse(void *arg) {
    input *in = arg;
    json_t *config = hn_json_parse(in->a, "config.json", in->file.p, in->file.n, HONE_E_MODEL);
    bool any = false;
    for (int64_t i = 0; config && i < hn_kind_arch.n; i++) any |= fits(in->a, (const hn_arch *)hn_kind_arch.items[i], config);
    return any;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, parse); }
