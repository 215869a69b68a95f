/* token.h - what tokenizers share. */
#ifndef HN_DATA_TOKEN_H
#define HN_DATA_TOKEN_H
#include "data/data.h"

/* The string under root[key]["type"], or "" (also for null and missing). */
const char *hn_tokenizer_part(const json_t *root, const char *key);
/* True when normalizer, post_processor and added_tokens are absent or empty: text goes in and comes out as it is. */
bool hn_tokenizer_plain(const json_t *root);
/* root.model.vocab as pieces by id: ids from 0 without a hole, each once; E_MODEL otherwise. keys[id] points into root. */
bool hn_tokenizer_vocab(hn_arena *a, const json_t *root, const char *where, const char ***keys, int64_t *n) HN_CHECK;
int hn_utf8_put(uint32_t cp, uint8_t out[4]);   /* bytes written */
#endif
