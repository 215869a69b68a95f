/* data.h - from raw files to batches of tokens.
 *
 *     files → corpus (documents) → split (pieces of documents) → tokens (one long row, cut points kept) → batches */
#ifndef HN_DATA_H
#define HN_DATA_H
#include "base/base.h"

/* ---- the `data` section of a recipe ---- */
typedef struct hn_data_params {
    hn_strs train;               /* files, folders, or gym tasks: gym:NAME[:LEVELS][*WEIGHT] */
    hn_strs extra;               /* more text to learn from: none of it is held out */
    hn_strs valid;               /* held-out files; none: cut from train by `split` */
    const char *split;           /* auto|tail|blocks|hash. auto: hash for many documents (10 / valid_fraction or more), else blocks */
    double valid_fraction;       /* 0.1 */
    int64_t block_bytes;         /* 0: chosen from the size */
    int64_t gap;                 /* bytes dropped on each side of held-out text; -1: one context for blocks, none for tail and hash */
    const char *tokenizer;       /* kind `token`, or a path to tokenizer.json */
    int64_t vocab;               /* of a trained tokenizer that has a choice: 4096 */
    const char *words;           /* how it cuts text into words: gpt2|cl100k|llama3|qwen2 or a regular expression; of wordpiece: uncased */
    int64_t max_bytes;           /* refuse more text than this; 0: no limit */
    const char *cache;           /* folder for token files; "": keep tokens in memory */
    bool decontaminate;          /* remove training text that overlaps a held-out piece (13-grams) */
    const char *format;          /* auto, or a name of the kind `row`: what the objects of .jsonl and .json files are */
    const char *learn;           /* answers|all: of samples */
    const char *chat_template;   /* file; "": the tokenizer's own */
    const char *ends;            /* none|bos|eos|both: tokens around each document of plain text */
    int64_t max_length;          /* tokens of a row: the longest sample, the rest is cut off; the window of plain text. 0, or more than it: the context */
    bool pack;                   /* several samples, or ends of texts, beside each other in a row */
    int64_t items, valid_items;  /* made from the gym tasks among train and valid */
} hn_data_params;
extern const hn_section hn_section_data;

/* ---- corpus ---- */
typedef struct hn_range { int64_t start, bytes; } hn_range;
enum { HN_END_BOS = 1, HN_END_EOS = 2 };
/* A stretch of corpus.text. A sample is a text of which some ranges are to be learned, and which is never cut in two. */
typedef struct hn_doc {
    int64_t start, bytes;
    int32_t source;              /* which file */
    bool sample;
    uint8_t ends;                /* tokens put around it: HN_END_BOS | HN_END_EOS, where the tokenizer has them */
    int32_t first;               /* of a row that gave several: the first of them; else itself */
    int32_t line;                /* of the file, from 1; 0: not known */
    int64_t own, n_own;          /* of a sample: corpus.own[own …], ranges counted from start */
} hn_doc;
typedef struct hn_bad_row { int32_t source; int64_t line; const char *why; } hn_bad_row;   /* line from 1 */
typedef struct hn_corpus {
    hn_bytes text;               /* all documents, one after another, nothing between them; valid UTF-8 without NUL */
    hn_doc *docs; int64_t n_docs;
    const char **files; int64_t n_files;
    int64_t valid_from;          /* files[valid_from …] were given as held-out files; n_files: none were */
    int64_t bad_rows;            /* rows set aside (counted, warned) */
    hn_bad_row *bad; int64_t n_bad;   /* the first 1000 of them, with the reason */
    hn_range *own; int64_t n_own;     /* what samples are to teach, sample by sample */
    int64_t n_samples;           /* documents that are samples */
    uint64_t hash;               /* of text, document borders and ranges */
} hn_corpus;
/* A reader turns one file's bytes into documents. Kind `read`: chosen by file name (.txt, .jsonl; .gz and .zst peeled off). */
struct hn_row_how;                                                            /* row/row.h: what objects of a file mean */
typedef struct hn_intake hn_intake;                                           /* read/read.h: where readers put what they find */
typedef struct hn_reader_item {
    hn_item item;
    const char *suffixes;                                                     /* ".txt", several with a space between */
    bool (*read)(hn_arena *a, hn_intake *in, hn_reader *r);
} hn_reader_item;
extern const hn_kind hn_kind_read;
/* Files, or folders: every file of a known kind in it, sorted by name. Missing, empty, all-zero, invalid UTF-8, a NUL byte or
 * nothing but white space: E_DATA with file and byte offset. */
bool hn_corpus_read(hn_arena *a, const hn_strs *paths, int64_t max_bytes, hn_corpus *out) HN_CHECK;
bool hn_corpus_read_both(hn_arena *a, const hn_strs *train, const hn_strs *valid, int64_t max_bytes, hn_corpus *out) HN_CHECK;
/* The same, objects understood as `how` says; NULL: as their fields say, talks as lines "role: content". */
bool hn_corpus_read_as(hn_arena *a, const hn_strs *train, const hn_strs *valid, int64_t max_bytes, const struct hn_row_how *how,
                       hn_corpus *out) HN_CHECK;
/* Writes the rows that were set aside into dir/set-aside.jsonl, one object a line: source, line, why; the first 1000, then {"more": N}. */
#define HN_SET_ASIDE "set-aside.jsonl"
bool hn_corpus_set_aside(hn_arena *a, const hn_corpus *c, const char *dir) HN_CHECK;
bool hn_corpus_from_text(hn_arena *a, const char *name, const void *p, int64_t n, hn_corpus *out) HN_CHECK;   /* copies; as one .txt file */

/* Text made from nothing (synth.c): sums with carries, sorted lists, and sentences of a small grammar, one per line; the same for the same seed. */
void hn_synth_text(hn_arena *a, uint64_t seed, int64_t bytes, hn_buf *out);

/* ---- split ---- */
typedef struct hn_piece { int64_t start, bytes; int32_t doc; bool held_out; int64_t prompt; } hn_piece;    /* of corpus.text, UTF-8 borders respected; prompt: as of a document */
typedef struct hn_split { hn_piece *v; int64_t n; int64_t train_bytes, valid_bytes, gap_bytes; const char *how; } hn_split;
/* Pieces in the order of the text. Pieces under two characters teach and test nothing: they count as gap. Nothing left on a side: E_DATA. */
bool hn_split_make(hn_arena *a, const hn_corpus *c, const hn_data_params *p, int64_t context, uint64_t seed, hn_split *out) HN_CHECK;
/* Cuts training pieces where a 13-gram of words (a CJK character is a word) also stands in a held-out piece; 200 bytes around go too
 * (Brown et al. 2020, appendix C). Returns bytes removed. */
bool hn_decontaminate(hn_arena *a, const hn_corpus *c, hn_split *s, int64_t *bytes_removed) HN_CHECK;

/* ---- tokenizers (kind `token`) ---- */
typedef struct hn_tokenizer hn_tokenizer;
typedef HN_VEC(int32_t) hn_ids;
typedef struct hn_token_params { int64_t vocab; const char *words; } hn_token_params;      /* as in hn_data_params */
typedef struct hn_token_item {
    hn_item item;
    /* Held-out text is not looked at, except: char counts its alphabet on all text (documented). NULL: only loaded. */
    bool (*train)(hn_arena *a, hn_tokenizer *t, const hn_token_params *p, const hn_corpus *c, const hn_split *s) HN_CHECK;
    void *(*begin)(hn_arena *a, const hn_tokenizer *t);      /* working memory of an encoder; NULL: none is needed */
    bool (*encode)(const hn_tokenizer *t, hn_arena *a, void *work, const uint8_t *p, int64_t n, hn_ids *out) HN_CHECK;   /* appends */
    /* The first place at `from` or behind it where text may be cut in two whose ids, one behind the other, are those of the whole; n: none.
     * NULL: never. */
    int64_t (*cut)(const hn_tokenizer *t, const uint8_t *p, int64_t n, int64_t from);
    bool (*load)(hn_arena *a, hn_tokenizer *t, json_t *root, const char *where) HN_CHECK;   /* recognises its own tokenizer.json; false without error: not mine. root lives as long as t */
    json_t *(*save)(hn_arena *a, const hn_tokenizer *t);                                          /* a tokenizer.json that the tokenizers package loads */
} hn_token_item;
extern const hn_kind hn_kind_token;
struct hn_tokenizer {
    const hn_token_item *kind;
    int64_t vocab;
    hn_bytes *pieces;            /* (vocab) bytes that each id stands for */
    int32_t bos, eos, unk;       /* -1: none */
    bool bare_start;             /* a blank before the first piece is not text */
    json_t *config;              /* tokenizer_config.json beside it, kept when it is saved; NULL: there was none */
    const char *chat;            /* chat_template.jinja beside it; NULL: none, or within config */
    bool marked;                 /* text has the special tokens in it that a chat template writes; asked where SentencePiece would not find them */
    void *own;                   /* the kind's tables */
};
hn_tokenizer *hn_tokenizer_train(hn_arena *a, const char *name, const hn_corpus *c, const hn_split *s) HN_CHECK;   /* with the defaults */
hn_tokenizer *hn_tokenizer_train_with(hn_arena *a, const char *name, const hn_token_params *p, const hn_corpus *c, const hn_split *s) HN_CHECK;
/* tokenizer.json, .gguf, SentencePiece's .model, llama2.c's .bin, or a folder that has one (or vocab.json and merges.txt). */
hn_tokenizer *hn_tokenizer_load(hn_arena *a, const char *path) HN_CHECK;
bool hn_tokenizer_is_in(hn_arena *a, const char *dir);                           /* the folder has one that hn_tokenizer_load finds */
hn_tokenizer *hn_tokenizer_parse(hn_arena *a, const char *where, const void *p, int64_t n) HN_CHECK;   /* the text of a tokenizer.json; the fuzz target */
bool hn_tokenizer_save(hn_arena *a, const hn_tokenizer *t, const char *dir) HN_CHECK;   /* tokenizer.json + tokenizer_config.json */
bool hn_encode(const hn_tokenizer *t, hn_arena *a, const void *p, int64_t n, hn_ids *out) HN_CHECK;   /* a character outside the vocabulary without unk: E_DATA naming it and the offset */
/* An encoder keeps what it learned between texts (words met before), so many texts go faster; for one thread at a time. */
typedef struct hn_encoder { const hn_tokenizer *t; void *work; } hn_encoder;
hn_encoder hn_encoder_new(hn_arena *a, const hn_tokenizer *t);
bool hn_encoder_put(const hn_encoder *e, hn_arena *a, const void *p, int64_t n, hn_ids *out) HN_CHECK;   /* as hn_encode */
/* encode.c: many texts on all threads; ids behind each other in *out, those of text i end at ends[i]. The same for any number of threads. */
bool hn_encode_many(hn_arena *a, const hn_tokenizer *t, const hn_bytes *text, int64_t n, hn_ids *out, int64_t *ends) HN_CHECK;
void hn_decode(const hn_tokenizer *t, hn_arena *a, const int32_t *ids, int64_t n, hn_buf *out);      /* ids out of range give U+FFFD */
uint64_t hn_tokenizer_hash(hn_arena *a, const hn_tokenizer *t);

/* ---- tokens: a memory-mapped file, or memory. Header: magic "HONETOK1", version, id width 2|4, vocab, count, pieces, tokenizer hash, XXH3 of the payload. ---- */
typedef struct hn_span { int64_t start, n; int64_t bytes; int32_t doc; } hn_span;     /* tokens [start, start+n) are one piece of text */
typedef struct hn_tokens {
    const void *ids;
    int width;
    int64_t n, vocab;
    const uint8_t *learn;        /* (n) 0: read, but neither learned nor asked for; NULL: all are. Then each span is read as a whole */
    hn_span *spans;
    int64_t n_spans, bytes;
    uint64_t hash, tokenizer_hash;
} hn_tokens;
static inline bool hn_token_learned(const hn_tokens *t, int64_t i) { return !t->learn || t->learn[i]; }
static inline int32_t hn_token_at(const hn_tokens *t, int64_t i) { return t->width == 2 ? ((const uint16_t *)t->ids)[i] : ((const int32_t *)t->ids)[i]; }
bool hn_tokens_make(hn_arena *a, const hn_tokenizer *t, const hn_corpus *c, const hn_split *s, bool held_out, hn_tokens *out) HN_CHECK;
bool hn_tokens_save(hn_arena *a, const hn_tokens *t, uint64_t tokenizer_hash, const char *path) HN_CHECK;
bool hn_tokens_parse(hn_arena *a, const char *where, hn_bytes file, hn_tokens *out) HN_CHECK;   /* file.p aligned to 8; ids point into it; the fuzz target */
bool hn_tokens_map(hn_arena *a, const char *path, hn_tokens *out) HN_CHECK;      /* every size checked; truncated or foreign: E_MODEL */

/* Cuts samples to `most` tokens; those that then have nothing left to learn are left out, and stand in the corpus as bad rows. */
typedef struct hn_cut { int64_t samples, cut, tokens_lost, left_out; } hn_cut;
void hn_tokens_limit(hn_arena *a, hn_corpus *c, int64_t most, hn_tokens *t, hn_cut *out);

/* All of the above in one: what a trainer wants. tokenizer: NULL trains or loads what params say. */
typedef struct hn_dataset {
    hn_corpus corpus;
    hn_split split;
    hn_tokenizer *tok;
    hn_tokens train, valid;
    int64_t decontaminated_bytes;
    hn_cut cut;
    bool labelled;               /* whoever fills the batches puts a label where a text begins and −1 elsewhere */
} hn_dataset;
bool hn_dataset_load(hn_arena *a, const hn_data_params *p, int64_t context, uint64_t seed, hn_tokenizer *tokenizer, hn_dataset *out) HN_CHECK;
bool hn_dataset_extra(hn_arena *a, const hn_data_params *p, const hn_tokenizer *tokenizer, hn_dataset *d) HN_CHECK;   /* data.extra joins what was split */
/* Its first step: files to text. */
bool hn_dataset_read(hn_arena *a, const hn_data_params *p, const hn_tokenizer *tokenizer, hn_corpus *out) HN_CHECK;
/* The same from a corpus already in out->corpus (text made by a program). */
bool hn_dataset_from_corpus(hn_arena *a, const hn_data_params *p, int64_t context, uint64_t seed, hn_tokenizer *tokenizer, hn_dataset *out) HN_CHECK;

/* ---- batches: windows of T+1 tokens; a window never crosses a span, and a sample is a window by itself. Batch i depends on (seed, i)
 * alone, so resume is a number. ----
 * order "epochs": all windows of an epoch in a shuffled order, with a random phase per epoch; "random": uniform starts with replacement (nanoGPT). */
typedef struct hn_batches hn_batches;
hn_batches *hn_batches_new(hn_arena *a, const hn_tokens *t, int64_t B, int64_t T, const char *order, uint64_t seed) HN_CHECK;   /* too short: E_DATA saying how much is needed */
/* Sources by weight ∝ size^exponent; source (spans of t), each below n_sources. Fewer than two sources with text: E_VALUE (mix.c). */
bool hn_batches_mix(hn_arena *a, hn_batches *b, const int32_t *source, int64_t n_sources, double exponent) HN_CHECK;
void hn_batches_grow(hn_arena *a, hn_batches *b, int64_t batches);   /* so many batches come from the easiest windows, ever more of them (lesson.c) */
int64_t hn_batches_windows(const hn_batches *b);         /* windows of one epoch */
void hn_batch_get(hn_batches *b, int64_t i, int32_t *x /* (B,T) */, int32_t *y /* (B,T), −1 past a short span's end, and what is not learned */);
/* Packed rows (pack.c): samples, whole texts and their ends lie beside each other, as many as fit. Which go together is fixed by seed;
 * an epoch takes every row once, in shuffled order. */
typedef struct hn_packed hn_packed;
hn_packed *hn_packed_new(hn_arena *a, const hn_tokens *t, int64_t B, int64_t T, uint64_t seed) HN_CHECK;
int64_t hn_packed_rows(const hn_packed *p);
void hn_packed_get(hn_packed *p, int64_t i, int32_t *x, int32_t *y, int32_t *documents, int32_t *positions /* (B,T) each */);
/* A pseudo-random permutation of 0 … n−1 for each (seed, epoch), without a table. */
typedef struct hn_shuffle { int64_t n, epoch; uint64_t seed; uint32_t keys[8]; int half_bits; } hn_shuffle;
hn_shuffle hn_shuffle_new(int64_t n, uint64_t seed);
int64_t hn_shuffle_at(hn_shuffle *s, int64_t epoch, int64_t j);
#endif
