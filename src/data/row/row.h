/* row.h - what an object of a data file means (kind `row`): a plain text, or a sample: a text of which some words are to be learned.
 *
 * Which form a file has is seen by the fields of its first row that has one, in the order of rows.def; data.format names it instead. */
#ifndef HN_DATA_ROW_H
#define HN_DATA_ROW_H
#include "data/chat/chat.h"

typedef struct hn_row_item hn_row_item;
typedef struct hn_row_how {
    const hn_row_item *form;     /* NULL: as each file's fields say */
    const hn_chat *chat;         /* how talks are written; NULL: lines "role: content" */
    bool learn_all;              /* samples: every word, not the answers alone */
} hn_row_how;
/* Texts that a row gives. Of `text`, own is not asked for: all of it is learned, and it may be cut anywhere. */
struct hn_row_item {
    hn_item item;
    const char *wanted;                            /* how a row looks, for messages */
    bool plain;                                    /* text, no sample */
    bool (*is)(const json_t *row);                 /* has it the fields of this form? */
    bool (*take)(hn_arena *a, const json_t *row, const hn_row_how *how, hn_talks *out) HN_CHECK;   /* E_DATA: what is wrong with it */
};
extern const hn_kind hn_kind_row;

/* "auto" or "": *out NULL. Unknown: E_VALUE with the nearest name. */
bool hn_row_form(hn_arena *a, const char *name, const hn_row_item **out) HN_CHECK;
const hn_row_item *hn_row_detect(const json_t *row);   /* NULL: none fits */
bool hn_row_take(hn_arena *a, const hn_row_item *form, const json_t *row, const hn_row_how *how, hn_talks *out) HN_CHECK;

/* ---- what forms share ---- */
/* A field's text; missing, no string or blank: false with E_DATA. */
bool hn_row_field(hn_arena *a, const json_t *row, const char *key, const char **out) HN_CHECK;
/* A field that may be missing: "" then. */
bool hn_row_some(hn_arena *a, const json_t *row, const char *key, const char **out) HN_CHECK;
bool hn_row_talk(hn_arena *a, const json_t *messages, const json_t *tools, const hn_row_how *how, hn_talks *out) HN_CHECK;
/* prompt + answer, the ends of the tokenizer around them. */
bool hn_row_pair(hn_arena *a, const char *prompt, const char *answer, const hn_row_how *how, hn_talks *out) HN_CHECK;
json_t *hn_row_say(hn_arena *a, json_t *messages, const char *role, const char *text);   /* appends; returns messages */
#endif
