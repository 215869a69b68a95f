/* chat.h - talks as a model reads them: the template that belongs to its tokenizer, and which of the words are the model's own. */
#ifndef HN_DATA_CHAT_CHAT_H
#define HN_DATA_CHAT_CHAT_H
#include "data/template/template.h"
#include "data/data.h"

extern const hn_template_rules hn_chat_rules; /* as transformers'; what cannot be read is E_MODEL, what fails while it runs E_DATA */
typedef struct hn_chat {
    const char *where;           /* of the template, for messages */
    hn_template *t;
    const char *bos, *eos;       /* as tokenizer_config.json writes them, or NULL */
    bool plain;                  /* no template was found: lines "role: content" */
} hn_chat;
extern const char *const hn_chat_plain_stop[3];          /* what ends an answer of a plain talk */

/* file: a template of the caller's, or NULL or "": the tokenizer's own (chat_template.jinja, or "chat_template" of its
 * tokenizer_config.json, of several the one named default), else lines "role: content". tok may be NULL. */
hn_chat *hn_chat_open(hn_arena *a, const hn_tokenizer *tok, const char *file) HN_CHECK;
/* messages: an array of objects; tools: an array, or NULL. answer: ends with what comes before an answer. now: as hn_template_render. */
bool hn_chat_render(hn_arena *a, const hn_chat *c, const json_t *messages, const json_t *tools, bool answer, double now,
                    hn_rendered *out) HN_CHECK;

/* One text to learn from, and the ranges of it that are the model's own words (with the mark that ends them), in order. */
typedef struct hn_talk {
    const char *text;
    int64_t n;
    const hn_range *own;
    int64_t n_own;
    uint8_t ends;                /* HN_END_BOS | HN_END_EOS: the template writes none */
} hn_talk;
typedef HN_VEC(hn_talk) hn_talks;
/* A talk as texts to learn from: one, or one for each answer where the template writes earlier turns otherwise once later ones
 * follow (as those do that drop earlier reasoning). Answers with "weight": 0 are not the model's own. E_DATA: what is wrong. */
bool hn_chat_talks(hn_arena *a, const hn_chat *c, const json_t *messages, const json_t *tools, hn_talks *out) HN_CHECK;
#endif
