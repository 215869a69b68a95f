/* alpaca.c - {"instruction": "…", "input": "…", "output": "…"}: a question to a model with a chat template (instruction, an empty line,
 * input; "system" before it), else the prompt that Alpaca was trained with, word for word. Source: Taori et al. 2023,
 * github.com/tatsu-lab/stanford_alpaca (train.py, PROMPT_DICT). */
#include "data/row/row.h"

static const char with_input[] = "Below is an instruction that describes a task, paired with an input that provides further context. "
                                 "Write a response that appropriately completes the request.\n\n### Instruction:\n%s\n\n### Input:\n%s\n\n"
                                 "### Response:";
static const char without[] = "Below is an instruction that describes a task. "
                              "Write a response that appropriately completes the request.\n\n### Instruction:\n%s\n\n### Response:";

static bool is(const json_t *row) { return json_object_get(row, "instruction") && json_object_get(row, "output"); }

static bool take(hn_arena *a, const json_t *row, const hn_row_how *how, hn_talks *out) {
    const char *task, *input, *answer, *system;
    if (!hn_row_field(a, row, "instruction", &task) || !hn_row_some(a, row, "input", &input) || !hn_row_field(a, row, "output", &answer) ||
        !hn_row_some(a, row, "system", &system))
        return false;
    if (!how->chat || how->chat->plain)
        return hn_row_pair(a, *input ? hn_fmt(a, with_input, task, input) : hn_fmt(a, without, task), answer, how, out);
    json_t *messages = hn_json_own(a, json_array());
    if (*system) hn_row_say(a, messages, "system", system);
    hn_row_say(a, messages, "user", *input ? hn_fmt(a, "%s\n\n%s", task, input) : task);
    return hn_row_talk(a, hn_row_say(a, messages, "assistant", answer), NULL, how, out);
}
const hn_row_item hn_row_alpaca = { HN_ITEM0("alpaca", "an instruction, perhaps with an input, and its answer",
                                             "github.com/tatsu-lab/stanford_alpaca"),
                                    .wanted = "{\"instruction\": \"…\", \"input\": \"…\", \"output\": \"…\"}", .is = is, .take = take };
