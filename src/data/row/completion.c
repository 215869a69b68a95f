/* completion.c - {"prompt": "…", "completion": "…"}: the answer follows the prompt as it stands, with no space of ours between; the
 * tokenizer's first and last token go around them, as generation begins and ends. Both may be lists of messages instead: a talk.
 * Source: huggingface.co/docs/trl/dataset_formats (prompt-completion). */
#include "data/row/row.h"

static bool is(const json_t *row) { return json_object_get(row, "prompt") && json_object_get(row, "completion"); }

static bool take(hn_arena *a, const json_t *row, const hn_row_how *how, hn_talks *out) {
    const json_t *prompt = json_object_get(row, "prompt"), *answer = json_object_get(row, "completion");
    const char *p, *c;
    if (json_is_array(prompt) && json_is_array(answer)) {
        json_t *all = hn_json_own(a, json_copy((json_t *)(uintptr_t)prompt));
        if (json_array_extend(all, (json_t *)(uintptr_t)answer)) return HN_FAIL(a, HONE_E_MEMORY, .what = "no memory for a row");
        return hn_row_talk(a, all, json_object_get(row, "tools"), how, out);
    }
    if (!prompt) return HN_FAIL(a, HONE_E_DATA, .what = "no \"prompt\"");
    return hn_row_some(a, row, "prompt", &p) && hn_row_field(a, row, "completion", &c) && hn_row_pair(a, p, c, how, out);
}
const hn_row_item hn_row_completion = { HN_ITEM0("completion", "a prompt and its answer", "huggingface.co/docs/trl/dataset_formats"),
                                        .wanted = "{\"prompt\": \"…\", \"completion\": \"…\"}", .is = is, .take = take };
