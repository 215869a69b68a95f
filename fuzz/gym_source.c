/* gym_source.c - fuzz target: any text as the name of gym items, as recipes write it and as files are named; refused with a reason, or
 * settled into names that can be read. */
#include "target.h"
#include "data/gym/gym.h"

static bool body(void *arg) {
    input *in = arg;
    const char *text = hn_strndup(in->a, (const char *)in->file.p, in->file.n), *name = hn_fmt(in->a, "gym:%s", text);
    hn_strs one = { &name, 1 }, out;
    hn_gym_source s;
    if (!hn_gym_sources(in->a, &one, HN_GYM_TRAIN, 100, 1, &out)) {
        HN_ASSERT(hone_error_code(in->a->job) == HONE_E_VALUE);
        return false;
    }
    for (int64_t i = 0; i < out.n; i++) {
        if (!hn_gym_source_parse(in->a, out.v[i], &s)) return false;
        HN_ASSERT(s.task && s.lo >= 1 && s.hi <= s.task->levels && s.lo <= s.hi && s.n >= 1);
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
