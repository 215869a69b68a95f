/* tokenizer.json from anywhere: refused with a reason, or a tokenizer whose every id decodes and which survives save and load. */
#include "target.h"
#include "data/data.h"

static void use(hn_arena *a, const hn_tokenizer *t) {
    hn_ids ids = { 0 };
    hn_buf text = { 0 };
    for (int32_t id = -1; id <= t->vocab && id < 1000; id++) hn_decode(t, a, &id, 1, &text);
    if (hn_encode(t, a, text.v, text.n, &ids))
        for (int64_t i = 0; i < ids.n; i++) HN_ASSERT(ids.v[i] >= 0 && ids.v[i] < t->vocab);
    hone_error_clear(a->job);
    const char *saved = hn_json_text(a, t->kind->save(a, t), false);
    const hn_tokenizer *again = hn_tokenizer_parse(a, "again", saved, (int64_t)strlen(saved));
    HN_ASSERT(again && again->vocab == t->vocab && hn_tokenizer_hash(a, again) == hn_tokenizer_hash(a, t));
}

static bool body(void *arg) {
    input *in = arg;
    hn_arena *a = in->a;
    hn_tokenizer *t = hn_tokenizer_parse(a, "fuzz", in->file.p, in->file.n);
    if (t) use(a, t);
    else HN_ASSERT(hone_error_code(a->job) == HONE_E_MODEL);
    return t != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
