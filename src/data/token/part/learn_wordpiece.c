/* learn_wordpiece.c - WordPiece from text, as the package `tokenizers` trains it: pairs joined by frequency (learn.c) over the characters of
 * a word, of which all but the first bear "##"; the vocabulary is what was joined, and encoding forgets the order.
 *
 * (BERT's own trainer was never published; joining by likelihood instead of frequency is what papers tell of it.) Words are BERT's:
 * blanks are dropped, punctuation and Chinese characters stand alone; `uncased` lowers letters and drops accents.
 * Ids: special tokens, characters by code point, characters inside of words by code point, then what was joined. Of equally frequent pairs that of
 * the lowest ids goes first. The package numbers characters inside of words as it meets them in a hash table, so among equally
 * frequent pairs its choice changes from run to run; ours does not. */
#include "data/token/part/part.h"

static const char *const special[] = { "[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]" };

static json_t *ends(hn_arena *a) {
    return hn_json_own(a, json_pack("{s:s, s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}, {s:{s:s, s:i}}], s:[{s:{s:s, s:i}}, {s:{s:s, s:i}}, {s:{s:s, s:i}}, {s:{s:s, s:i}}, "
                                    "{s:{s:s, s:i}}], s:{s:{s:s, s:[i], s:[s]}, s:{s:s, s:[i], s:[s]}}}",
                                    "type", "TemplateProcessing", "single", "SpecialToken", "id", "[CLS]", "type_id", 0, "Sequence", "id", "A", "type_id", 0,
                                    "SpecialToken", "id", "[SEP]", "type_id", 0, "pair", "SpecialToken", "id", "[CLS]", "type_id", 0, "Sequence", "id", "A",
                                    "type_id", 0, "SpecialToken", "id", "[SEP]", "type_id", 0, "Sequence", "id", "B", "type_id", 1, "SpecialToken", "id",
                                    "[SEP]", "type_id", 1, "special_tokens", "[CLS]", "id", "[CLS]", "ids", 2, "tokens", "[CLS]", "[SEP]", "id", "[SEP]",
                                    "ids", 3, "tokens", "[SEP]"));
}

json_t *hn_learn_wordpiece(hn_arena *a, int64_t vocab, bool uncased, const hn_corpus *c, const hn_split *s) {
    hn_learn how = { .vocab = vocab, .min_count = 2, .special = { (const char **)special, HN_LEN(special) }, .prefix = "##" };
    hn_counted words;
    hn_learned learned;
    hn_arena *own = hn_arena_new(a);
    json_t *normalizer = json_pack("{s:s, s:b, s:b, s:b, s:b}", "type", "BertNormalizer", "clean_text", 1, "handle_chinese_chars", 1, "strip_accents", uncased,
                                   "lowercase", uncased);
    json_t *root = hn_json_own(a, json_pack("{s:s, s:n, s:n, s:O, s:o, s:{s:s}, s:O, s:{s:s, s:s, s:b}}", "version", "1.0", "truncation", "padding",
                                            "added_tokens", hn_special_tokens(a, special, HN_LEN(special)), "normalizer", normalizer, "pre_tokenizer",
                                            "type", "BertPreTokenizer", "post_processor", ends(a), "decoder", "type", "WordPiece", "prefix", "##",
                                            "cleanup", 0));
    if (!hn_count_pipeline(own, root, c, s, &words) || !hn_learn_tokens(own, &how, &words, &learned)) return NULL;
    json_t *list = hn_json_own(a, json_object());
    for (int64_t i = 0; i < learned.n; i++)
        json_object_set_new(list, hn_strndup(own, (const char *)learned.token[i].p, learned.token[i].n), json_integer(i));
    json_object_set_new(root, "model", json_pack("{s:s, s:s, s:s, s:i, s:O}", "type", "WordPiece", "unk_token", "[UNK]", "continuing_subword_prefix", "##",
                                                 "max_input_chars_per_word", 100, "vocab", list));
    hn_arena_free(own);
    return root;
}
