/* tokenizer.h - what every tokenizer that was read from anywhere must stand: each id decodes, text that its pieces make is encoded into ids of
 * the vocabulary or refused, also by an encoder that has met it before, and it survives being saved and read again. */
#ifndef FUZZ_TOKENIZER_H
#define FUZZ_TOKENIZER_H
#include "data/token/part/part.h"

static inline void fuzz_encode(hn_arena *a, const hn_tokenizer *t, const char *p, int64_t n) {
    hn_ids ids = { 0 };
    if (hn_encode(t, a, p, n, &ids))
        for (int64_t i = 0; i < ids.n; i++) HN_ASSERT(ids.v[i] >= 0 && ids.v[i] < t->vocab);
    hone_error_clear(a->job);
}

static inline void fuzz_tokenizer(hn_arena *a, const hn_tokenizer *t) {
    hn_buf text = { 0 };
    for (int32_t id = -1; id <= t->vocab && id < 1000; id++) hn_decode(t, a, &id, 1, &text);
    int64_t n = text.n;
    for (int32_t id = (int32_t)HN_MIN(t->vocab, 1000) - 1; id >= 0; id -= 2) hn_decode(t, a, &id, 1, &text);    /* other neighbours */
    fuzz_encode(a, t, text.v, n);
    fuzz_encode(a, t, text.v, text.n);
    const char *saved = hn_json_text(a, t->kind->save(a, t), false);
    const hn_tokenizer *again = hn_tokenizer_parse(a, "again", saved, (int64_t)strlen(saved));
    HN_ASSERT(again && again->vocab == t->vocab && hn_tokenizer_hash(a, again) == hn_tokenizer_hash(a, t));
}
#endif
