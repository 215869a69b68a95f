/* row.c - the kind `row`, and what its members share. */
#include "data/row/row.h"

#define ROW(n) extern const hn_row_item hn_row_##n;
#include "data/row/rows.def"
#undef ROW
static const hn_item *const items[] = {
#define ROW(n) &hn_row_##n.item,
#include "data/row/rows.def"
#undef ROW
};
static void more(hn_arena *a, const hn_item *item, bool brief, hn_buf *out) {
    if (!brief) hn_buf_fmt(a, out, "A row:  %s\n", ((const hn_row_item *)item)->wanted);
}
const hn_kind hn_kind_row = { "row", "what the objects of a data file may be", items, HN_LEN(items), more };

bool hn_row_form(hn_arena *a, const char *name, const hn_row_item **out) {
    *out = NULL;
    if (!name || !*name || !strcmp(name, "auto")) return true;
    *out = (const hn_row_item *)hn_kind_find(&hn_kind_row, name);
    const char *near = *out ? NULL : hn_kind_nearest(&hn_kind_row, name);
    return *out || HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "data.format: there is no form of rows '%s'", name),
                           .hint = near ? hn_fmt(a, "Did you mean '%s'?", near) : "hone list row shows all.");
}

const hn_row_item *hn_row_detect(const json_t *row) {
    for (int64_t i = 0; json_is_object(row) && i < hn_kind_row.n; i++) {
        const hn_row_item *r = (const hn_row_item *)hn_kind_row.items[i];
        if (r->is(row)) return r;
    }
    return NULL;
}

/* What a template writes may be anything: a text has no NUL and is UTF-8. */
static bool is_text(hn_arena *a, const hn_talk *t) {
    int64_t bad;
    if (memchr(t->text, 0, (size_t)t->n) || !hn_utf8_valid((const uint8_t *)t->text, t->n, &bad))
        return HN_FAIL(a, HONE_E_DATA, .what = "the template writes what is no text");
    for (int64_t i = 0; i < t->n_own; i++) HN_ASSERT(t->own[i].start >= 0 && t->own[i].bytes >= 0 && t->own[i].start + t->own[i].bytes <= t->n);
    return true;
}

bool hn_row_take(hn_arena *a, const hn_row_item *form, const json_t *row, const hn_row_how *how, hn_talks *out) {
    int64_t from = out->n;
    if (!json_is_object(row)) return HN_FAIL(a, HONE_E_DATA, .what = "not a JSON object");
    if (!form->take(a, row, how, out)) return false;
    for (int64_t i = from; i < out->n; i++)
        if (!is_text(a, &out->v[i])) return false;
    return true;
}

static bool blank(const char *s) { return !s[strspn(s, " \t\n\v\f\r")]; }

bool hn_row_field(hn_arena *a, const json_t *row, const char *key, const char **out) {
    const json_t *v = json_object_get(row, key);
    *out = json_string_value(v);
    if (!v) return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "no \"%s\"", key));
    if (!*out) return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "\"%s\" is not a string", key));
    return !blank(*out) || HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "\"%s\" is empty", key));
}

bool hn_row_some(hn_arena *a, const json_t *row, const char *key, const char **out) {
    const json_t *v = json_object_get(row, key);
    *out = !v || json_is_null(v) ? "" : json_string_value(v);
    return *out || HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "\"%s\" is not a string", key));
}

static hn_talk *put(hn_arena *a, hn_talks *out, const char *text, int64_t n, int64_t own_from, uint8_t ends) {
    hn_range *own = hn_new(a, hn_range);
    *own = (hn_range){ own_from, n - own_from };
    hn_push(a, out, (hn_talk){ text, n, own, 1, ends });
    return &out->v[out->n - 1];
}

/* What can be said of messages before any template sees them. */
static bool check(hn_arena *a, const json_t *messages) {
    const json_t *m;
    size_t i;
    if (!json_is_array(messages) || !json_array_size(messages)) return HN_FAIL(a, HONE_E_DATA, .what = "the messages are no list of messages");
    json_array_foreach(messages, i, m) {
        const json_t *content = json_object_get(m, "content");
        const char *role = json_string_value(json_object_get(m, "role")), *said = json_string_value(content);
        const char *who = hn_fmt(a, "message %lld", (long long)i + 1);
        if (!role || !*role) return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "%s has no \"role\"", who));
        bool calls = json_array_size(json_object_get(m, "tool_calls")) > 0;
        if (!said && !json_is_array(content) && !calls) return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "%s has no \"content\"", who));
        if (said && blank(said) && !calls && !strcmp(role, "assistant"))
            return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "%s, the assistant's, is empty", who));
    }
    return true;
}

bool hn_row_talk(hn_arena *a, const json_t *messages, const json_t *tools, const hn_row_how *how, hn_talks *out) {
    const hn_chat *chat = how->chat ? how->chat : hn_chat_open(a, NULL, NULL);
    hn_rendered r;
    if (!chat || !check(a, messages)) return false;
    if (!how->learn_all) return hn_chat_talks(a, chat, messages, tools, out);
    if (!hn_chat_render(a, chat, messages, tools, false, -1, &r)) return false;
    if (r.n) put(a, out, r.text, r.n, 0, 0);
    return r.n || HN_FAIL(a, HONE_E_DATA, .what = "the template writes nothing");
}

bool hn_row_pair(hn_arena *a, const char *prompt, const char *answer, const hn_row_how *how, hn_talks *out) {
    const char *text = hn_fmt(a, "%s%s", prompt, answer);
    put(a, out, text, (int64_t)strlen(text), how->learn_all ? 0 : (int64_t)strlen(prompt), HN_END_BOS | HN_END_EOS);
    return true;
}

json_t *hn_row_say(hn_arena *a, json_t *messages, const char *role, const char *text) {
    json_t *m = json_pack("{ss ss}", "role", role, "content", text);
    if (!m || json_array_append_new(messages, m)) (void)hn_json_own(a, NULL);   /* refused memory unwinds */
    return messages;
}
