/* spm.c - any bytes as a SentencePiece model, and as llama2.c's vocabulary: refused with a reason, or a tokenizer.json that is refused
 * or is a tokenizer that stands what tokenizer.h asks. */
#include "target.h"
#include "tokenizer.h"

static bool body(void *arg) {
    input *in = arg;
    hn_arena *a = in->a;
    bool first = in->file.n && in->file.p[0] & 1;
    hn_bytes rest = { in->file.p + (in->file.n > 0), in->file.n - (in->file.n > 0) };
    const json_t *root = first ? hn_spm_tokenizer(a, "fuzz", rest) : hn_llama2c_tokenizer(a, "fuzz", rest, 0);
    const char *text = root ? hn_json_text(a, root, false) : NULL;
    const hn_tokenizer *t = text ? hn_tokenizer_parse(a, "from spm", text, (int64_t)strlen(text)) : NULL;
    HN_ASSERT(t || hone_error_code(a->job) == HONE_E_MODEL);
    if (t) fuzz_tokenizer(a, t);
    return t != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
