/* part.h - the parts that a tokenizer.json puts together, in the order in which text passes them:
 *
 *     text → added tokens cut out → normalizer → pre-tokenizer (words) → model (ids)
 *
 * A model (BPE, …) gives a function from one word to ids; the pipeline does the rest, as the Python package `tokenizers` does it.
 * All tables are made once and only read afterwards; what changes while encoding lives in an hn_work, one for each thread. */
#ifndef HN_DATA_TOKEN_PART_H
#define HN_DATA_TOKEN_PART_H
#include "data/token/token.h"

/* ---- bytemap.c: GPT-2's printable stand-ins for the 256 bytes ---- */
uint32_t hn_stand_in(int byte);
int hn_stand_in_byte(uint32_t cp);                                              /* −1: stands for none */
void hn_show_bytes(hn_arena *a, const void *p, int64_t n, hn_buf *out);         /* appends the stand-ins */
bool hn_unshow_bytes(const char *s, int64_t n, uint8_t *out, int64_t *m);       /* out: room for n; false: a character is no stand-in */

/* ---- pattern.c: regular expressions ---- */
typedef struct hn_pattern hn_pattern;
typedef struct hn_matcher hn_matcher;
hn_pattern *hn_pattern_new(hn_arena *a, const char *where, const char *text, bool literal) HN_CHECK;   /* E_MODEL: it does not compile */
hn_pattern *hn_pattern_slow(hn_arena *a, const char *where, const char *text) HN_CHECK;                /* by PCRE2 in any case: for tests */
hn_matcher *hn_matcher_new(hn_arena *a);                                        /* working memory for any pattern; one thread */
/* The first match in valid UTF-8 p[from, n): 1 and its borders, 0: none, −1: too hard (a bound on backtracking). */
int hn_match(hn_matcher *m, const hn_pattern *r, const uint8_t *p, int64_t n, int64_t from, int64_t *start, int64_t *end);
bool hn_pattern_ends_lines(const hn_pattern *r), hn_pattern_is_space(const hn_pattern *r);   /* no match reaches over a line end between visible signs; line ends are matches by themselves */
/* Expressions by name: gpt2, cl100k (also gpt4), llama3, qwen2; NULL for others. */
const char *hn_pattern_named(const char *name);

/* ---- quick.c: the end of the first match in valid UTF-8 p[from, n), −1: none; needs nothing and has no bound ---- */
typedef int64_t (*hn_quick_fn)(const uint8_t *p, int64_t n, int64_t from, int64_t *start);
hn_quick_fn hn_quick(const char *text);                                         /* NULL: there is none for this expression */
bool hn_quick_ends_lines(hn_quick_fn fn), hn_quick_is_space(hn_quick_fn fn);
#define HN_PUNCTUATION "[!-/:-@\\[-`{-~]|\\p{P}"

/* ---- words.c: pre-tokenizers ---- */
typedef enum hn_split_how { HN_SPLIT_REMOVED, HN_SPLIT_ISOLATED, HN_SPLIT_WITH_PREVIOUS, HN_SPLIT_WITH_NEXT, HN_SPLIT_CONTIGUOUS } hn_split_how;
typedef struct hn_step {
    const hn_pattern *pattern;       /* NULL: no cut */
    hn_split_how how;
    bool invert;                     /* what matches is what stays between */
    const char *prefix;              /* put before a piece that does not begin with it; NULL: nothing */
    bool prefix_first_only;          /* only before the beginning of the text */
    const char *space;               /* what stands for ' ' from here on; NULL: itself */
    bool show;                       /* from here on the text is stand-ins of bytes */
} hn_step;
enum { HN_STEPS_MAX = 32 };
typedef struct hn_words {
    hn_step step[HN_STEPS_MAX];
    int64_t n;
    bool bytes, shown;               /* a ByteLevel is among the steps: words are bytes; with steps behind it that see stand-ins */
} hn_words;
bool hn_words_load(hn_arena *a, const json_t *v, const char *where, hn_words *out) HN_CHECK;      /* the value of "pre_tokenizer" */
typedef struct hn_work hn_work;
typedef bool (*hn_word_fn)(hn_work *w, const uint8_t *p, int64_t n);
/* Calls fn for each word of valid UTF-8 text; `first`: the text stands at the very beginning. */
bool hn_words_cut(const hn_words *words, hn_work *w, const uint8_t *p, int64_t n, bool first, hn_word_fn fn) HN_CHECK;

/* ---- charsmap.c: SentencePiece's compiled normalizer ---- */
typedef struct hn_charsmap hn_charsmap;
hn_charsmap *hn_charsmap_new(hn_arena *a, const char *where, const char *base64) HN_CHECK;
hn_bytes hn_charsmap_apply(const hn_charsmap *m, hn_arena *a, bool longest, hn_bytes in);   /* longest: as SentencePiece does, else as `tokenizers` */
int64_t hn_charsmap_entry(const hn_charsmap *m, const uint8_t *p, int64_t n, hn_bytes *out);   /* bytes of the longest entry at p, what stands for it; 0: none */
bool hn_charsmap_begins(const hn_charsmap *m, const uint8_t *p, int64_t n);     /* an entry begins with those bytes */
const char *hn_base64(hn_arena *a, hn_bytes in);

/* ---- spm_normal.c: SentencePiece's normalizer, its table and its blanks in one ---- */
#define HN_BLANK "\xE2\x96\x81"                                                 /* the visible blank, U+2581 */
typedef struct hn_spm_normal hn_spm_normal;
hn_spm_normal *hn_spm_normal_new(hn_arena *a, const json_t *v, const hn_charsmap *map);   /* the value of "sentencepiece" in a normalizer (spm.c); map may be NULL */
hn_bytes hn_spm_normal_apply(const hn_spm_normal *m, hn_arena *a, hn_bytes in);  /* any bytes in, valid UTF-8 out */

/* ---- normal.c: normalizers, one after another ---- */
typedef enum hn_change_kind { HN_NFC, HN_NFD, HN_NFKC, HN_NFKD, HN_LOWERCASE, HN_STRIP_ACCENTS, HN_BERT, HN_PREPEND, HN_STRIP, HN_REPLACE,
                               HN_PRECOMPILED, HN_SENTENCEPIECE } hn_change_kind;
typedef struct hn_change {
    hn_change_kind kind;
    bool left, right;                        /* strip */
    bool clean, ideographs, accents, lower;  /* bert */
    const char *text;                        /* prepend, replace */
    const hn_pattern *pattern;               /* replace */
    const hn_charsmap *map;                  /* precompiled */
    bool longest;
    const hn_spm_normal *spm;                /* sentencepiece */
} hn_change;
enum { HN_CHANGES_MAX = 16 };
typedef struct hn_changes { hn_change change[HN_CHANGES_MAX]; int64_t n; } hn_changes;
bool hn_changes_load(hn_arena *a, const json_t *v, const char *where, hn_changes *out) HN_CHECK;   /* the value of "normalizer" */
hn_bytes hn_changes_apply(const hn_changes *list, hn_work *w, hn_bytes in);     /* valid UTF-8 in, valid UTF-8 out, in w's scratch */

/* ---- decode.c ---- */
typedef struct hn_decoder {
    const char *blank;               /* what stands for a blank, or NULL */
    const char *prefix;              /* WordPiece: marks a piece that goes on; others begin with a blank */
    bool bytes;                      /* <0x41> stands for a byte */
    bool cleanup, bare_start;
} hn_decoder;
bool hn_decoder_load(hn_arena *a, const json_t *v, const char *where, hn_decoder *out) HN_CHECK;   /* the value of "decoder" */
hn_bytes hn_decoder_piece(hn_arena *a, const hn_decoder *d, const char *key);
int hn_byte_token(const char *s);                                               /* of "<0x41>"; −1: is none */

/* ---- added.c: tokens that are cut out of the text before all else ---- */
typedef struct hn_added_token { hn_bytes text; int32_t id; bool special, normalized, lstrip, rstrip, single_word; } hn_added_token;
typedef struct hn_added hn_added;
typedef struct hn_added_list { hn_added_token *v; int64_t n; } hn_added_list;
json_t *hn_added_json(int64_t id, const char *text, bool special);   /* one of them, with every field that `tokenizers` wants; the caller owns it */
bool hn_added_load(hn_arena *a, const json_t *v, const char *where, hn_added_list *out) HN_CHECK;     /* the value of "added_tokens" */
hn_added *hn_added_new(hn_arena *a, const hn_added_list *list, bool normalized);  /* a finder of those; NULL: there are none */
/* The first added token at or after `from`: borders and id; false: none. */
bool hn_added_find(const hn_added *f, const uint8_t *p, int64_t n, int64_t from, int64_t *start, int64_t *end, int32_t *id);

/* ---- vocab.c: ids and what they stand for ---- */
typedef struct hn_vocab { const char **key; int64_t n, base, entries; } hn_vocab;    /* key (n): NULL where an id stands for nothing; base: n without added tokens */
bool hn_vocab_load(hn_arena *a, const json_t *root, const char *where, const hn_added_list *added, hn_vocab *out) HN_CHECK;

/* ---- trie.c: entries that a text begins with ---- */
typedef struct hn_trie_node { int32_t base, parent, value; } hn_trie_node;      /* parent: plus one, 0: a free place; value −1: no entry ends here */
typedef struct hn_trie { const hn_trie_node *node; int64_t n; } hn_trie;        /* the root is 0 */
hn_trie *hn_trie_new(hn_arena *a, const hn_bytes *key, const int32_t *value, int64_t n);   /* values from 0; of equal keys the lowest; empty keys are left out */
static inline int32_t hn_trie_step(const hn_trie_node *node, int32_t at, uint8_t byte) {   /* −1: no entry goes on so */
    int32_t next = node[at].base ^ byte;
    return node[next].parent == at + 1 ? next : -1;
}
static inline int64_t hn_trie_longest(const hn_trie *t, const uint8_t *p, int64_t n, int32_t *value) {   /* bytes of the longest entry that p begins with; 0: none */
    int64_t found = 0;
    for (int64_t i = 0, at = 0; i < n && (at = hn_trie_step(t->node, (int32_t)at, p[i])) > 0; i++)
        if (t->node[at].value >= 0) {
            found = i + 1;
            if (value) *value = t->node[at].value;
        }
    return found;
}

/* ---- known.c: words that were met before, and their ids; one slot for each hash, the last one stays ---- */
enum { HN_KNOWN_TEXT = 23, HN_KNOWN_IDS = 9, HN_KNOWN_BITS = 15 };
typedef struct hn_known { uint64_t key[3]; int32_t n; int32_t id[HN_KNOWN_IDS]; } hn_known;      /* key: the text, its length in the last byte; 0: none */
_Static_assert(sizeof(hn_known) == 64, "one cache line");
hn_known *hn_known_new(hn_arena *a);
/* The slot of a text of 1 to HN_KNOWN_TEXT bytes; *hit: its ids are there. A slot that was no hit is free to be filled by hn_known_put. */
hn_known *hn_known_find(hn_known *table, const uint8_t *p, int64_t n, uint64_t key[3], bool *hit);
static inline void hn_known_put(hn_known *k, const uint64_t key[3], const int32_t *id, int64_t n) {
    if (n > HN_KNOWN_IDS) return;
    memcpy(k->key, key, sizeof k->key);
    for (int64_t i = 0; i < n; i++) k->id[i] = id[i];
    k->n = (int32_t)n;
}

/* ---- pipeline.c ---- */
typedef struct hn_pipeline {
    json_t *root;                    /* the file, for saving */
    hn_changes changes;
    hn_words words;
    hn_decoder decoder;
    hn_added_list list, controls;
    hn_added *raw, *normal;          /* finders before and after the normalizer */
    const json_t *spm;               /* the text is read as SentencePiece reads it: "sentencepiece" of the normalizer (spm.c); NULL: as `tokenizers` does */
    bool cuts, border[256];          /* texts may be cut; not beside these signs */
    hn_word_fn word;
    void *model;
} hn_pipeline;
struct hn_work {
    hn_arena *a;                     /* lives as long as the encoder */
    hn_arena *scratch;               /* emptied after each call */
    const hn_tokenizer *t;
    const hn_pipeline *pipe;
    hn_matcher *matcher;
    hn_ids *out;
    hn_arena *out_arena;
    void *model;                     /* the model's working memory */
    hn_known *known;                 /* made by the first hn_work_word; NULL before */
};
/* Everything but the model. */
bool hn_pipeline_load(hn_arena *a, hn_tokenizer *t, json_t *root, const char *where, hn_vocab *vocab, hn_pipeline *out) HN_CHECK;
void hn_pipeline_borders(hn_pipeline *pipe);                                    /* sets cuts and border from the rest */
int64_t hn_pipeline_cut(const hn_pipeline *pipe, const uint8_t *p, int64_t n, int64_t from);      /* as hn_token_item.cut */
hn_work *hn_work_new(hn_arena *a, const hn_tokenizer *t, const hn_pipeline *pipe);
bool hn_pipeline_encode(hn_work *w, hn_arena *a, const uint8_t *p, int64_t n, hn_ids *out) HN_CHECK;
static inline void hn_work_put(hn_work *w, int32_t id) { hn_push(w->out_arena, w->out, id); }
/* fn's ids of the word, which depend on nothing else: from the words met before, or by fn. */
bool hn_work_word(hn_work *w, const uint8_t *p, int64_t n, hn_word_fn fn) HN_CHECK;

/* ---- merges.c: which pairs of ids join, and in what order ---- */
typedef struct hn_merges hn_merges;
hn_merges *hn_merges_new(hn_arena *a, int64_t n);                               /* room for n */
void hn_merges_put(hn_merges *m, int32_t left, int32_t right, int32_t rank, int32_t id);   /* the last one of a pair counts */
typedef struct hn_joined { int32_t left, right; } hn_joined;
/* Joins ids[0..n) in place, lowest rank first, leftmost first; returns how many are left. O(n log n).
 * cuts (ids): of each id that a pair could have joined to, the last such pair, whether it did or not; NULL: not asked for. */
int64_t hn_merges_apply(const hn_merges *m, hn_arena *scratch, int32_t *ids, int64_t n, hn_joined *cuts);

/* ---- learn_words.c: the words of the text that is trained on, in the order of their first occurrence; p points into the corpus ---- */
typedef struct hn_counted_word { uint64_t hash; const uint8_t *p; int64_t n, count; } hn_counted_word;
typedef HN_VEC(hn_counted_word) hn_counted;
bool hn_count_words(hn_arena *a, const hn_pattern *pattern, const hn_added *special, const hn_corpus *c, const hn_split *s,
                    hn_counted *out) HN_CHECK;

/* ---- learn_pipeline.c: the words that the normalizer, pre-tokenizer and added tokens of a tokenizer.json make of the text ---- */
bool hn_count_pipeline(hn_arena *a, const json_t *root, const hn_corpus *c, const hn_split *s, hn_counted *out) HN_CHECK;
json_t *hn_special_tokens(hn_arena *a, const char *const *text, int64_t n);      /* "added_tokens", ids from 0 */

/* ---- learn.c: byte-level BPE from text; pairs of characters for WordPiece ---- */
typedef struct hn_learn {
    int64_t vocab, min_count;
    const char *pattern;
    hn_strs special;
    bool greater;
    const char *prefix;              /* symbols are characters, and those inside of a word bear it; NULL: symbols are bytes */
} hn_learn;
typedef struct hn_learned { const hn_bytes *token; int64_t n; } hn_learned;
bool hn_learn_tokens(hn_arena *a, const hn_learn *how, const hn_counted *words, hn_learned *out) HN_CHECK;   /* keeps what it needs in a */
json_t *hn_learn_wordpiece(hn_arena *a, int64_t vocab, bool uncased, const hn_corpus *c, const hn_split *s) HN_CHECK;
/* learn_seed.c: candidates of 2 to `longest` characters, the best first; score: how often, times how long */
typedef struct hn_seed { hn_bytes text; double score; } hn_seed;
typedef HN_VEC(hn_seed) hn_seeds;
bool hn_seed_pieces(hn_arena *a, const hn_counted *words, int64_t longest, int64_t most, hn_seeds *out) HN_CHECK;
json_t *hn_learn_unigram(hn_arena *a, int64_t vocab, const hn_corpus *c, const hn_split *s) HN_CHECK;
json_t *hn_learn_bpe(hn_arena *a, const hn_learn *how, const hn_corpus *c, const hn_split *s) HN_CHECK;   /* a tokenizer.json */

/* ---- gpt2_files.c: a folder's vocab.json and merges.txt as a tokenizer.json; *where names them in errors ---- */
json_t *hn_gpt2_files(hn_arena *a, const char *dir, const char **where) HN_CHECK;

/* ---- spm.c: SentencePiece vocabularies ---- */
enum { HN_SPM_NORMAL = 1, HN_SPM_UNKNOWN, HN_SPM_CONTROL, HN_SPM_USER, HN_SPM_UNUSED, HN_SPM_BYTE };   /* as in sentencepiece_model.proto */
typedef struct hn_spm {
    const hn_bytes *piece;           /* (n), blanks as U+2581 */
    const int32_t *type;             /* (n) */
    const float *score;              /* (n) */
    int64_t n;
    bool unigram;                    /* else BPE */
    bool no_prefix, squeezes;        /* no blank before the text; blanks at its ends and doubled ones go */
    bool behind, bare;               /* the blank goes behind the text; blanks stay as they are */
    bool exact;                      /* from a .model: ids as SentencePiece has them */
    bool bytes;                      /* byte pieces stand for what is not in the vocabulary */
    hn_bytes charsmap;               /* n 0: none */
    bool adds_bos, adds_unknown;     /* texts begin with bos; the unknown piece is found in text */
    int32_t bos, unk;                /* −1: none */
} hn_spm;
json_t *hn_spm_json(hn_arena *a, const char *where, const hn_spm *m) HN_CHECK;
json_t *hn_spm_tokenizer(hn_arena *a, const char *where, hn_bytes file) HN_CHECK;                         /* tokenizer.model */
json_t *hn_llama2c_tokenizer(hn_arena *a, const char *where, hn_bytes file, int64_t vocab) HN_CHECK;      /* tokenizer.bin; vocab 0: any */

/* ---- gguf.c ---- */
json_t *hn_gguf_tokenizer(hn_arena *a, const char *where, hn_bytes file) HN_CHECK;
#endif
