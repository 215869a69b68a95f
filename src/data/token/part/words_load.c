/* words_load.c - the value of "pre_tokenizer" in a tokenizer.json, as steps of words.c. What is not known is refused by name.
 * Limit: punctuation is that of PCRE2's Unicode version, in `tokenizers` that of an old one: rare
 * signs of young scripts cut here and not there. */
#include "data/token/part/part.h"

typedef struct { hn_arena *a; const json_t *v; const char *where; hn_words *out; } loading;

static const char *text_of(const json_t *v, const char *key) { return json_string_value(json_object_get(v, key)); }
static bool flag(const json_t *v, const char *key, bool otherwise) {
    const json_t *f = json_object_get(v, key);
    return json_is_boolean(f) ? json_is_true(f) : otherwise;
}

static bool add(loading *l, hn_step s, const char *pattern, bool literal) {
    hn_words *w = l->out;
    if (w->n + 2 > HN_STEPS_MAX)
        return HN_FAIL(l->a, HONE_E_MODEL, .what = "the pre-tokenizer has too many steps", .where = l->where,
                       .wanted = hn_fmt(l->a, "fewer than %d", HN_STEPS_MAX));
    if (pattern && !(s.pattern = hn_pattern_new(l->a, l->where, pattern, literal))) return false;
    if (w->bytes && !w->shown) {            /* behind a ByteLevel steps see the stand-ins */
        w->shown = true;
        w->step[w->n++] = (hn_step){ .show = true };
    }
    w->step[w->n++] = s;
    return true;
}

static bool how_of(loading *l, const char *otherwise, hn_split_how *how) {
    static const char *const names[] = { "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous" };
    const char *name = text_of(l->v, "behavior");
    if (!name) name = otherwise;
    for (int i = 0; i < (int)HN_LEN(names); i++)
        if (!strcmp(name, names[i])) return *how = (hn_split_how)i, true;
    return HN_FAIL(l->a, HONE_E_MODEL, .what = hn_fmt(l->a, "pre_tokenizer: unknown behavior \"%.40s\"", name), .where = l->where,
                   .wanted = "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

static bool split(loading *l) {
    const json_t *pattern = json_object_get(l->v, "pattern");
    const char *regex = text_of(pattern, "Regex"), *literal = text_of(pattern, "String");
    hn_step s = { .invert = flag(l->v, "invert", false) };
    if (!regex && !(literal && *literal))
        return HN_FAIL(l->a, HONE_E_MODEL, .what = "pre_tokenizer Split has no pattern", .where = l->where,
                       .wanted = "pattern: {\"Regex\": …} or {\"String\": …}");
    return how_of(l, "Isolated", &s.how) && add(l, s, regex ? regex : literal, !regex);
}

static bool byte_level(loading *l) {
    bool prefix = flag(l->v, "add_prefix_space", true), regex = flag(l->v, "use_regex", true);
    hn_step s = { .how = HN_SPLIT_ISOLATED, .prefix = prefix ? " " : NULL };
    if (l->out->bytes)
        return HN_FAIL(l->a, HONE_E_MODEL, .what = "the pre-tokenizer has two steps of type ByteLevel", .where = l->where, .wanted = "one");
    if ((prefix || regex) && !add(l, s, regex ? hn_pattern_named("gpt2") : NULL, false)) return false;
    l->out->bytes = true;
    return true;
}

static bool metaspace(loading *l) {
    const char *mark = text_of(l->v, "replacement"), *scheme = text_of(l->v, "prepend_scheme");
    if (!mark || !*mark) mark = "\xE2\x96\x81";
    if (!scheme) scheme = flag(l->v, "add_prefix_space", true) ? "always" : "never";
    if (strcmp(scheme, "always") && strcmp(scheme, "first") && strcmp(scheme, "never"))
        return HN_FAIL(l->a, HONE_E_MODEL, .what = hn_fmt(l->a, "pre_tokenizer Metaspace: unknown prepend_scheme \"%.40s\"", scheme),
                       .where = l->where, .wanted = "always, first or never");
    mark = hn_strdup(l->a, mark);
    hn_step s = { .how = HN_SPLIT_WITH_NEXT, .space = mark, .prefix = strcmp(scheme, "never") ? mark : NULL,
                  .prefix_first_only = !strcmp(scheme, "first") };
    return add(l, s, flag(l->v, "split", true) ? mark : NULL, true);
}

static bool digits(loading *l) {
    hn_step s = { .how = flag(l->v, "individual_digits", false) ? HN_SPLIT_ISOLATED : HN_SPLIT_CONTIGUOUS };
    return add(l, s, "\\p{N}", false);
}

static bool punctuation(loading *l) {
    hn_step s = { 0 };
    return how_of(l, "Isolated", &s.how) && add(l, s, HN_PUNCTUATION, false);
}

/* Letters as the language of `tokenizers` sees them, not as its expressions do: with the joiners, without superscripts. */
#define WORD "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{200C}\\x{200D}"
static bool whitespace(loading *l) { return add(l, (hn_step){ .invert = true }, "[" WORD "]+|[^" WORD "\\s]+", false); }
static bool whitespace_split(loading *l) { return add(l, (hn_step){ 0 }, "\\s", false); }
static bool bert(loading *l) { return whitespace_split(l) && add(l, (hn_step){ .how = HN_SPLIT_ISOLATED }, HN_PUNCTUATION, false); }

static bool delimiter(loading *l) {
    const char *c = text_of(l->v, "delimiter");
    if (!c || !*c) return HN_FAIL(l->a, HONE_E_MODEL, .what = "pre_tokenizer CharDelimiterSplit has no delimiter", .where = l->where);
    return add(l, (hn_step){ 0 }, c, true);
}

static const struct { const char *type; bool (*load)(loading *l); } known[] = {
    { "Split", split }, { "ByteLevel", byte_level }, { "Metaspace", metaspace }, { "Digits", digits }, { "Punctuation", punctuation },
    { "Whitespace", whitespace }, { "WhitespaceSplit", whitespace_split }, { "BertPreTokenizer", bert }, { "CharDelimiterSplit", delimiter },
};

static bool load(hn_arena *a, const json_t *v, const char *where, int depth, hn_words *out) {
    const char *type = json_string_value(json_object_get(v, "type"));
    if (!v || json_is_null(v)) return true;
    loading l = { a, v, where, out };
    for (int64_t i = 0; type && i < HN_LEN(known); i++)
        if (!strcmp(type, known[i].type)) return known[i].load(&l);
    if (!type || strcmp(type, "Sequence") || depth > 8)
        return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "pre_tokenizer \"%.40s\" is not known here", type ? type : "without a type"),
                       .where = where, .wanted = "Sequence, Split, ByteLevel, Metaspace, Digits, Punctuation, Whitespace, WhitespaceSplit, "
                                                 "BertPreTokenizer or CharDelimiterSplit");
    const json_t *list = json_object_get(v, "pretokenizers"), *item;
    size_t i;
    json_array_foreach(list, i, item)
        if (!load(a, item, where, depth + 1, out)) return false;
    return true;
}

bool hn_words_load(hn_arena *a, const json_t *v, const char *where, hn_words *out) { return load(a, v, where, 0, out); }
