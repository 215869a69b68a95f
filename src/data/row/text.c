/* text.c - {"text": "…"}: a document as it stands. */
#include "data/row/row.h"

static bool is(const json_t *row) { return json_object_get(row, "text") != NULL; }

static bool take(hn_arena *a, const json_t *row, const hn_row_how *how, hn_talks *out) {
    const char *text;
    if (!hn_row_field(a, row, "text", &text)) return false;
    hn_push(a, out, (hn_talk){ .text = text, .n = (int64_t)strlen(text) });
    return true;
}
const hn_row_item hn_row_text = { HN_ITEM0("text", "a document, all of it to be learned", NULL), .wanted = "{\"text\": \"…\"}",
                                       .plain = true, .is = is, .take = take };
