/* normal_load.c - the value of "normalizer" in a tokenizer.json. What is not known is refused by name. */
#include "data/token/part/part.h"

static bool flag(const json_t *v, const char *key, bool otherwise) {
    const json_t *f = json_object_get(v, key);
    return json_is_boolean(f) ? json_is_true(f) : otherwise;
}

static bool details(hn_arena *a, const json_t *v, const char *where, hn_change *c) {
    const json_t *pattern = json_object_get(v, "pattern");
    const char *regex = json_string_value(json_object_get(pattern, "Regex")), *literal = json_string_value(json_object_get(pattern, "String"));
    const char *text = json_string_value(json_object_get(v, c->kind == HN_PREPEND ? "prepend" : "content"));
    c->left = flag(v, "strip_left", true);
    c->right = flag(v, "strip_right", true);
    c->clean = flag(v, "clean_text", true);
    c->ideographs = flag(v, "handle_chinese_chars", true);
    c->lower = flag(v, "lowercase", true);
    c->accents = flag(v, "strip_accents", c->lower);
    c->text = text ? hn_strdup(a, text) : "";
    if (c->kind == HN_PRECOMPILED) {         /* "longest" is ours: other programs pass it over */
        const char *table = json_string_value(json_object_get(v, "precompiled_charsmap"));
        c->longest = flag(v, "longest", false);
        c->map = hn_charsmap_new(a, where, table ? table : "");
        return c->map != NULL;
    }
    if (c->kind != HN_REPLACE) return true;
    if (!regex && !(literal && *literal))
        return HN_FAIL(a, HONE_E_MODEL, .what = "normalizer Replace has no pattern", .where = where,
                       .wanted = "pattern: {\"Regex\": …} or {\"String\": …}");
    c->pattern = hn_pattern_new(a, where, regex ? regex : literal, !regex);
    return c->pattern != NULL;
}

/* A Sequence for other programs, of which we take the table alone: see spm.c. */
static bool sentencepiece(hn_arena *a, const json_t *v, const json_t *first, const char *where, hn_changes *out) {
    const char *table = json_string_value(json_object_get(first, "precompiled_charsmap"));
    hn_charsmap *map = table ? hn_charsmap_new(a, where, table) : NULL;
    if (table && !map) return false;
    out->change[out->n++] = (hn_change){ .kind = HN_SENTENCEPIECE, .text = "", .spm = hn_spm_normal_new(a, v, map) };
    return true;
}

static bool load(hn_arena *a, const json_t *v, const char *where, int depth, hn_changes *out) {
    static const struct { const char *type; hn_change_kind kind; } known[] = {
        { "NFC", HN_NFC }, { "NFD", HN_NFD }, { "NFKC", HN_NFKC }, { "NFKD", HN_NFKD }, { "Lowercase", HN_LOWERCASE },
        { "StripAccents", HN_STRIP_ACCENTS }, { "BertNormalizer", HN_BERT }, { "Prepend", HN_PREPEND }, { "Strip", HN_STRIP },
        { "Replace", HN_REPLACE }, { "Precompiled", HN_PRECOMPILED } };
    const char *type = json_string_value(json_object_get(v, "type"));
    if (!v || json_is_null(v)) return true;
    for (int64_t i = 0; type && i < HN_LEN(known); i++) {
        if (strcmp(type, known[i].type) != 0) continue;
        if (out->n == HN_CHANGES_MAX)
            return HN_FAIL(a, HONE_E_MODEL, .what = "the normalizer has too many steps", .where = where, .wanted = hn_fmt(a, "at most %d", HN_CHANGES_MAX));
        out->change[out->n].kind = known[i].kind;
        return details(a, v, where, &out->change[out->n++]);
    }
    if (!type || strcmp(type, "Sequence") || depth > 8)
        return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "normalizer \"%.40s\" is not known here", type ? type : "without a type"), .where = where,
                       .wanted = "Sequence, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, BertNormalizer, Prepend, Strip, Replace or Precompiled");
    const json_t *list = json_object_get(v, "normalizers"), *spm = json_object_get(v, "sentencepiece");
    if (depth == 0 && json_is_object(spm)) return sentencepiece(a, spm, json_array_get(list, 0), where, out);
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!load(a, json_array_get(list, i), where, depth + 1, out)) return false;
    return true;
}

bool hn_changes_load(hn_arena *a, const json_t *v, const char *where, hn_changes *out) { return load(a, v, where, 0, out); }
