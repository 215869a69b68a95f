/* talks.c - which bytes of a rendered talk are the model's own words.
 *
 * Where the template marks them ({% generation %}), by its marks. Else by rendering beginnings of the talk: an answer stands between
 * the talk up to it, with the prompt for an answer, and the talk with it; the white space after the mark that ends a turn is the
 * template's. Both must be beginnings of the whole, byte for byte. Where they are not, since the template writes earlier turns
 * otherwise once others follow, each answer becomes a text of its own, just as the model reads it when it gives that answer. */
#include "data/chat/chat.h"

enum { MOST_MESSAGES = 1000 };       /* each answer is found by rendering what comes before it */
typedef struct talk {
    hn_arena *a;
    const hn_chat *c;
    const json_t *messages, *tools;
    hn_rendered whole;
    hn_talks *out;
} talk;
typedef HN_VEC(hn_range) ranges;

static const char *role_of(const json_t *messages, size_t i) {
    const char *s = json_string_value(json_object_get(json_array_get(messages, i), "role"));
    return s ? s : "";
}
static bool is_answer(const json_t *messages, size_t i) { return !strcmp(role_of(messages, i), "assistant"); }
static bool is_learned(const json_t *messages, size_t i) {
    const json_t *weight = json_object_get(json_array_get(messages, i), "weight");
    return is_answer(messages, i) && !(json_is_number(weight) && json_number_value(weight) == 0);
}

static bool fail(talk *k, const char *what, const char *hint) { return HN_FAIL(k->a, HONE_E_DATA, .what = what, .hint = hint); }

/* The first n messages as the model reads them. */
static bool beginning(talk *k, size_t n, bool answer, hn_rendered *out) {
    json_t *some = hn_json_own(k->a, json_array());
    for (size_t i = 0; i < n; i++)
        if (json_array_append(some, json_array_get(k->messages, i))) return fail(k, "no memory for the talk", NULL);
    return hn_chat_render(k->a, k->c, some, k->tools, answer, -1, out);
}
static bool begins(const hn_rendered *whole, const hn_rendered *with) {
    return with->n <= whole->n && !memcmp(whole->text, with->text, (size_t)with->n);
}

static bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
static int64_t trimmed(const char *p, int64_t n) {
    while (n && is_blank(p[n - 1])) n--;
    return n;
}
/* Where the answer that ends at `end` ends for the model: before white space that follows the mark of a turn's end. Without a mark the
 * white space itself is how the model says that it is done. */
static int64_t own_end(const hn_rendered *r, int64_t start, int64_t end, const json_t *message) {
    int64_t n = trimmed(r->text + start, end - start);
    const json_t *content = json_object_get(message, "content");
    const char *said = json_string_value(content);
    int64_t m = said ? trimmed(said, (int64_t)json_string_length(content)) : 0;
    bool bare = m && m <= n && !memcmp(r->text + start + n - m, said, (size_t)m);
    return bare ? end : start + n;
}

/* The range of answer i in the talk that ends with message n − 1, rendered as *in; false without an error: it cannot be told. */
static bool range_of(talk *k, size_t i, const hn_rendered *in, hn_range *out, bool *told) {
    hn_rendered before, with;
    if (!beginning(k, i, true, &before) || !beginning(k, i + 1, false, &with)) return false;
    *told = begins(in, &before) && begins(in, &with) && with.n > before.n;
    int64_t end = *told ? own_end(in, before.n, with.n, json_array_get(k->messages, i)) : 0;
    *told = *told && end > before.n;
    *out = (hn_range){ before.n, end - before.n };
    return true;
}

static void put(talk *k, const hn_rendered *r, const ranges *own) {
    hn_push(k->a, k->out, (hn_talk){ r->text, r->n, own->v, own->n, 0 });
}

/* All that is marked; of some answers only, where there is one mark for each: else nobody knows whose a mark is. */
static bool by_marks(talk *k, size_t n) {
    const hn_range *mark = k->whole.marked.v;
    int64_t marks = k->whole.marked.n, answers = 0, learned = 0;
    ranges own = { 0 };
    for (size_t i = 0; i < n; i++) answers += is_answer(k->messages, i), learned += is_learned(k->messages, i);
    if (!marks || (learned < answers && marks != answers))
        return fail(k, hn_fmt(k->a, "the template marks %lld ranges for %lld answers", (long long)marks, (long long)answers),
                    "mend its {% generation %} blocks, or give another template by data.chat_template");
    for (size_t i = 0, at = 0; learned < answers && i < n; i++) {
        if (is_learned(k->messages, i)) hn_push(k->a, &own, mark[at]);
        at += is_answer(k->messages, i);
    }
    for (int64_t i = 0; learned == answers && i < marks; i++) hn_push(k->a, &own, mark[i]);
    put(k, &k->whole, &own);
    return true;
}

/* Each answer in a text that ends with it. */
static bool one_by_one(talk *k, size_t n) {
    for (size_t i = 0; i < n; i++) {
        hn_rendered with;
        hn_range r;
        bool told;
        if (!is_learned(k->messages, i)) continue;
        if (!beginning(k, i + 1, false, &with) || !range_of(k, i, &with, &r, &told)) return false;
        if (!told)
            return fail(k, hn_fmt(k->a, "the template does not write message %lld after the prompt for it", (long long)i + 1),
                        "mark the model's words in the template by {% generation %} … {% endgeneration %}, or learn from all of the text: "
                        "data.learn=all");
        ranges own = { 0 };
        hn_push(k->a, &own, r);
        put(k, &with, &own);
    }
    return true;
}

static bool by_beginnings(talk *k, size_t n) {
    ranges own = { 0 };
    for (size_t i = 0; i < n; i++) {
        hn_range r;
        bool told;
        if (!is_learned(k->messages, i)) continue;
        if (!range_of(k, i, &k->whole, &r, &told)) return false;
        if (!told) return one_by_one(k, n);
        hn_push(k->a, &own, r);
    }
    put(k, &k->whole, &own);
    return true;
}

/* A system message comes first; whoever answers was asked. What else a talk must be, the template says. */
static bool in_order(talk *k, size_t n) {
    bool asked = false;
    for (size_t i = 0; i < n; i++) {
        const char *role = role_of(k->messages, i);
        bool system = !strcmp(role, "system") || !strcmp(role, "developer");
        if (!*role) return fail(k, hn_fmt(k->a, "message %lld has no \"role\"", (long long)i + 1), NULL);
        if (system && i)
            return fail(k, hn_fmt(k->a, "roles out of order: message %lld is the system's", (long long)i + 1), "it belongs first");
        if (is_answer(k->messages, i) && !asked)
            return fail(k, hn_fmt(k->a, "roles out of order: message %lld is the assistant's, but nobody asked", (long long)i + 1),
                        "an answer follows a user's or a tool's message");
        asked = !is_answer(k->messages, i) && !system;
    }
    return true;
}

bool hn_chat_talks(hn_arena *a, const hn_chat *c, const json_t *messages, const json_t *tools, hn_talks *out) {
    talk k = { .a = a, .c = c, .messages = messages, .tools = tools, .out = out };
    size_t n = json_array_size(messages), learned = 0;
    if (n > MOST_MESSAGES)
        return fail(&k, hn_fmt(a, "%lld messages in one talk", (long long)n), hn_fmt(a, "cut it into talks of at most %d", MOST_MESSAGES));
    while (n && !is_answer(messages, n - 1)) n--; /* a last question teaches nothing */
    for (size_t i = 0; i < n; i++) learned += is_learned(messages, i);
    if (!learned) return fail(&k, "no message of the assistant to learn from", NULL);
    if (!in_order(&k, n) || !beginning(&k, n, false, &k.whole)) return false;
    return hn_template_marks(c->t) ? by_marks(&k, n) : by_beginnings(&k, n);
}
