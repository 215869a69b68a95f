/* recipe.c - fuzz target: any bytes as a recipe. What is accepted must write itself down and read back to the same text. */
#include "target.h"
#include "improve/improve.h"

static const hn_section *const sections[] = { &hn_section_model, &hn_section_data,    &hn_section_train, &hn_section_optim,
                                              &hn_section_sched, &hn_section_improve, &hn_section_budget };
static bool parse(void *arg) {
    input *in = arg;
    hn_settings *s = hn_settings_new(in->a, sections, HN_LEN(sections)), *again = hn_settings_new(in->a, sections, HN_LEN(sections));
    if (!hn_settings_yaml(s, in->a, "recipe", in->file)) return false;
    const char *once = hn_settings_write_yaml(in->a, s);
    bool ok = hn_settings_yaml(again, in->a, "written", (hn_bytes){ (const uint8_t *)once, (int64_t)strlen(once) });
    HN_ASSERT(ok && !strcmp(once, hn_settings_write_yaml(in->a, again)));
    HN_ASSERT(hn_settings_json(in->a, s));
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, parse); }
