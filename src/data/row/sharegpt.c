/* sharegpt.c - {"conversations": [{"from": "human", "value": "…"}, {"from": "gpt", "value": "…"}]}: a talk under other names; "system"
 * of the row is its first message. Source: the files of ShareGPT, as FastChat and LLaMA-Factory read them. */
#include "data/row/row.h"

static const struct {
    const char *from, *role;
} names[] = { { "human", "user" },    { "user", "user" },     { "gpt", "assistant" },  { "assistant", "assistant" }, { "chatgpt", "assistant" },
              { "bing", "assistant" }, { "bard", "assistant" }, { "model", "assistant" }, { "system", "system" },       { "tool", "tool" } };

static const json_t *talk_of(const json_t *row) {
    const json_t *v = json_object_get(row, "conversations");
    if (!v) v = json_object_get(row, "conversation");
    return json_is_array(v) ? v : NULL;
}
static bool is(const json_t *row) { return json_object_get(json_array_get(talk_of(row), 0), "from") != NULL; }

static const char *role_of(const char *from) {
    for (int64_t i = 0; from && i < HN_LEN(names); i++)
        if (!strcmp(from, names[i].from)) return names[i].role;
    return NULL;
}

static bool take(hn_arena *a, const json_t *row, const hn_row_how *how, hn_talks *out) {
    const json_t *v = talk_of(row), *one;
    const char *system;
    size_t i;
    json_t *messages = hn_json_own(a, json_array());
    if (!v) return HN_FAIL(a, HONE_E_DATA, .what = "no list \"conversations\"");
    if (!hn_row_some(a, row, "system", &system)) return false;
    if (*system) hn_row_say(a, messages, "system", system);
    json_array_foreach(v, i, one) {
        const char *from = json_string_value(json_object_get(one, "from")), *value = json_string_value(json_object_get(one, "value"));
        if (!role_of(from) || !value)
            return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "message %lld is by nobody known, or has no \"value\"", (long long)i + 1),
                           .wanted = "\"from\": human, gpt, system or tool", .found = from);
        hn_row_say(a, messages, role_of(from), value);
    }
    return hn_row_talk(a, messages, NULL, how, out);
}
const hn_row_item hn_row_sharegpt = { HN_ITEM0("sharegpt", "a talk as ShareGPT's files have it", "github.com/lm-sys/FastChat"),
                                      .wanted = "{\"conversations\": [{\"from\": \"human\", \"value\": \"…\"}, …]}", .is = is, .take = take };
