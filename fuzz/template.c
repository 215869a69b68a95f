/* template.c - fuzz target: any bytes as a chat template; refused with a reason, or rendered within its limits. */
#include "target.h"
#include "data/chat/chat.h"

static const char talk[] = "{\"messages\":[{\"role\":\"system\",\"content\":\"s\"},{\"role\":\"user\",\"content\":\" h\\u00e9 "
                           "\\n\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":"
                           "[{\"id\":\"abcdef123\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1.5}}}]}],\"tools\":null,\"add_"
                           "generation_prompt\":true,\"bos_token\":\"<s>\",\"eos_token\":\"</s>\"}";

static bool body(void *arg) {
    input *in = arg;
    hn_rendered out;
    const hn_template *t = hn_template_parse(in->a, &hn_chat_rules, "fuzz", (const char *)in->file.p, in->file.n);
    if (!t) {
        HN_ASSERT(hone_error_code(in->a->job) == HONE_E_MODEL);
        return false;
    }
    if (!hn_template_render(in->a, t, hn_json_parse(in->a, "talk", talk, sizeof talk - 1, HONE_E_DATA), 0, &out)) return false;
    for (int64_t i = 0; i < out.marked.n; i++)
        HN_ASSERT(out.marked.v[i].start >= 0 && out.marked.v[i].bytes > 0 && out.marked.v[i].start + out.marked.v[i].bytes <= out.n);
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
