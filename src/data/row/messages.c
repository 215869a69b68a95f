/* messages.c - {"messages": [{"role": "user", "content": "…"}, …]}: a talk, written by the model's chat template; "tools" go with it.
 * An answer with "weight": 0 is context only. Also under "conversation" or "conversations", where messages have roles.
 * Source: platform.openai.com/docs/guides/fine-tuning; huggingface.co/docs/trl/dataset_formats (conversational). */
#include "data/row/row.h"

static const char *const keys[] = { "messages", "conversations", "conversation" };

static const json_t *talk_of(const json_t *row) {
    for (int64_t i = 0; i < HN_LEN(keys); i++) {
        const json_t *v = json_object_get(row, keys[i]);
        if (json_is_array(v) && (!i || json_object_get(json_array_get(v, 0), "role"))) return v;
    }
    return NULL;
}
static bool is(const json_t *row) { return talk_of(row) != NULL; }

static bool take(hn_arena *a, const json_t *row, const hn_row_how *how, hn_talks *out) {
    const json_t *m = talk_of(row), *tools = json_object_get(row, "tools");
    if (!m) return HN_FAIL(a, HONE_E_DATA, .what = json_object_get(row, "messages") ? "\"messages\" is no list" : "no \"messages\"");
    return hn_row_talk(a, m, json_is_array(tools) ? tools : NULL, how, out);
}
const hn_row_item hn_row_messages = { HN_ITEM0("messages", "a talk, written by the model's chat template",
                                               "huggingface.co/docs/trl/dataset_formats"),
                                      .wanted = "{\"messages\": [{\"role\": \"user\", \"content\": \"…\"}, …]}", .is = is, .take = take };
