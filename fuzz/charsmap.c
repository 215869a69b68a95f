/* charsmap.c - any bytes as SentencePiece's compiled normalizer, over a text that they hold too: refused with a reason, or valid UTF-8 in
 * both readings. The first byte is the text's length. */
#include "target.h"
#include "data/token/part/part.h"

static bool body(void *arg) {
    input *in = arg;
    hn_arena *a = in->a;
    if (!in->file.n) return HN_FAIL(a, HONE_E_MODEL, .what = "nothing");
    int64_t n = HN_MIN(in->file.p[0], in->file.n - 1);
    hn_bytes text = { in->file.p + 1, n }, table = { in->file.p + 1 + n, in->file.n - 1 - n };
    hn_charsmap *m = hn_charsmap_new(a, "fuzz", hn_base64(a, table));
    HN_ASSERT(m || hone_error_code(a->job) == HONE_E_MODEL);
    if (!m || !hn_utf8_valid(text.p, text.n, NULL)) return m != NULL;
    for (int longest = 0; longest < 2; longest++) {
        hn_bytes out = hn_charsmap_apply(m, a, longest, text);
        HN_ASSERT(hn_utf8_valid(out.p, out.n, NULL));
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) { return fuzz_one(data, (int64_t)size, body); }
