/* tokenizer.json from anywhere: refused with a reason, or a tokenizer that stands what tokenizer.h asks. */
#include "target.h"
#include "tokenizer.h"
#include "data/data.h"

static bool body(void *arg) {
    input *in = arg;
    hn_arena *a = in->a;
    hn_tokenizer *t = hn_tokenizer_parse(a, "fuzz", in->file.p, in->file.n);
    if (t) fuzz_tokenizer(a, t);
    else HN_ASSERT(hone_error_code(a->job) == HONE_E_MODEL);
    return t != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
