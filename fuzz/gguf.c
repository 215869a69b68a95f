/* The metadata of a GGUF file from anywhere: refused with a reason, or a tokenizer.json that is
 * refused with a reason or is a tokenizer that stands what tokenizer.h asks. */
#include "target.h"
#include "tokenizer.h"

static bool body(void *arg) {
    input *in = arg;
    hn_arena *a = in->a;
    const json_t *root = hn_gguf_tokenizer(a, "fuzz", in->file);
    const char *text = root ? hn_json_text(a, root, false) : NULL;
    const hn_tokenizer *t = text ? hn_tokenizer_parse(a, "from gguf", text, (int64_t)strlen(text)) : NULL;
    HN_ASSERT(t || hone_error_code(a->job) == HONE_E_MODEL);
    if (t) fuzz_tokenizer(a, t);
    return t != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
