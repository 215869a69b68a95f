/* decode.c - the value of "decoder" in a tokenizer.json: what each entry of the vocabulary stands for in text.
 *
 * A piece is what its token adds inside of a text, so that text can flow out token by token; at the beginning of a text the blank
 * that a mark in front stands for is left out (hn_tokenizer.bare_start). */
#include "data/token/part/part.h"

static const char mark[] = "\xE2\x96\x81";

static bool load(hn_arena *a, const json_t *v, const char *where, int depth, hn_decoder *out) {
    const char *type = json_string_value(json_object_get(v, "type"));
    if (!v || json_is_null(v)) return true;
    if (!type) type = "without a type";
    if (!strcmp(type, "ByteLevel") || !strcmp(type, "Fuse")) return true;
    if (!strcmp(type, "ByteFallback")) return out->bytes = true;
    if (!strcmp(type, "Metaspace")) {
        const char *other = json_string_value(json_object_get(v, "replacement")), *scheme = json_string_value(json_object_get(v, "prepend_scheme"));
        bool prefix = scheme ? strcmp(scheme, "never") != 0 : !json_is_false(json_object_get(v, "add_prefix_space"));
        out->blank = other && *other ? hn_strdup(a, other) : mark;
        out->bare_start = prefix;
        return true;
    }
    if (!strcmp(type, "WordPiece")) {
        const char *prefix = json_string_value(json_object_get(v, "prefix"));
        out->prefix = hn_strdup(a, prefix ? prefix : "##");
        out->cleanup = !json_is_false(json_object_get(v, "cleanup"));
        return out->bare_start = true;
    }
    if (!strcmp(type, "Replace")) {
        const char *from = json_string_value(json_object_get(json_object_get(v, "pattern"), "String")), *to = json_string_value(json_object_get(v, "content"));
        if (from && *from && to && !strcmp(to, " ")) return out->blank = hn_strdup(a, from), true;
    }
    if (!strcmp(type, "Strip")) {
        const char *c = json_string_value(json_object_get(v, "content"));
        if (c && !strcmp(c, " ") && json_integer_value(json_object_get(v, "start")) == 1 && json_integer_value(json_object_get(v, "stop")) == 0)
            return out->bare_start = true;
    }
    if (strcmp(type, "Sequence") || depth > 8)
        return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "decoder \"%.40s\" is not known here", type), .where = where,
                       .wanted = "Sequence, ByteLevel, ByteFallback, Fuse, Metaspace, WordPiece, Replace of a text by a blank or Strip of one blank "
                                 "at the start");
    const json_t *list = json_object_get(v, "decoders");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (!load(a, json_array_get(list, i), where, depth + 1, out)) return false;
    return true;
}

bool hn_decoder_load(hn_arena *a, const json_t *v, const char *where, hn_decoder *out) { return load(a, v, where, 0, out); }

int hn_byte_token(const char *s) {
    static const char digits[] = "0123456789ABCDEF";
    const char *h, *l;
    if (strlen(s) != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>' || !(h = strchr(digits, s[3])) || !(l = strchr(digits, s[4]))) return -1;
    return (int)((h - digits) * 16 + (l - digits));
}

/* Marks of punctuation before which `tokenizers` leaves no blank. */
static bool hugs(const char *s) {
    static const char *const marks[] = { ".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re" };
    for (int64_t i = 0; i < HN_LEN(marks); i++)
        if (!strncmp(s, marks[i], strlen(marks[i]))) return true;
    return false;
}

hn_bytes hn_decoder_piece(hn_arena *a, const hn_decoder *d, const char *key) {
    hn_buf b = { 0 };
    int byte = d->bytes ? hn_byte_token(key) : -1;
    if (byte >= 0) hn_buf_put(a, &b, &(uint8_t){ (uint8_t)byte }, 1);
    else if (d->prefix) {
        size_t n = strlen(d->prefix);
        bool goes_on = n && !strncmp(key, d->prefix, n);
        if (!goes_on && !(d->cleanup && hugs(key))) hn_buf_put(a, &b, " ", 1);
        hn_buf_fmt(a, &b, "%s", goes_on ? key + n : key);
    } else {
        for (const char *at; d->blank && (at = strstr(key, d->blank)); key = at + strlen(d->blank)) {
            hn_buf_put(a, &b, key, at - key);
            hn_buf_put(a, &b, " ", 1);
        }
        hn_buf_fmt(a, &b, "%s", key);
    }
    return (hn_bytes){ (const uint8_t *)(b.v ? b.v : ""), b.n };
}
