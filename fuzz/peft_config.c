/* peft_config.c - fuzz target: any bytes as adapter_config.json; what is accepted is put on a model, where its names and patterns are used.
 */
#include "target.h"
#include "model/peft.h"

static bool parse(void *arg) {
    input *in = arg;
    hn_peft f;
    if (!hn_peft_config(in->a, "adapter_config.json", in->file.p, in->file.n, &f)) return false;
    HN_ASSERT(f.p.rank >= 1 && f.p.alpha > 0 && f.p.dropout < 1);
    const hn_arch *arch = (const hn_arch *)hn_kind_arch.items[0];
    void *params = hn_alloc(in->a, 1, arch->item.size, 16);
    hn_params_defaults(in->a, arch->item.params, arch->item.n_params, params);
    hone_model *m = hn_model_new(in->a, arch, params, 8, true);
    if (!m) return false;
    f.p.rank = HN_MIN(f.p.rank, 64);
    if (f.p.targets.n > 64) f.p.targets.n = 64;
    return hn_adapter_add(m, &f.p, f.base, 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, parse); }
