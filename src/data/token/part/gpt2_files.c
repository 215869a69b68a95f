/* gpt2_files.c - vocab.json and merges.txt, the form from before tokenizer.json, made into a tokenizer.json. */
#include "data/token/part/part.h"

enum { MAX_FILE = 256 << 20 };

static json_t *merges_of(hn_arena *a, hn_bytes text) {
    json_t *list = hn_json_own(a, json_array());
    for (int64_t at = 0; at < text.n;) {
        const uint8_t *line = text.p + at, *end = memchr(line, '\n', (size_t)(text.n - at));
        int64_t n = end ? end - line : text.n - at;
        at += n + 1;
        while (n && line[n - 1] == '\r') n--;
        if (n && !(line == text.p && n > 8 && !memcmp(line, "#version", 8)))
            json_array_append_new(list, json_stringn_nocheck((const char *)line, (size_t)n));
    }
    return list;
}

json_t *hn_gpt2_files(hn_arena *a, const char *dir, const char **where) {
    static const char end[] = "<|endoftext|>";
    const char *vocab_path = hn_path_join(a, dir, "vocab.json"), *merges_path = hn_path_join(a, dir, "merges.txt");
    hn_bytes file, merges;
    *where = hn_fmt(a, "%s, merges.txt", vocab_path);
    if (!hn_file_read(a, vocab_path, MAX_FILE, &file) || !hn_file_read(a, merges_path, MAX_FILE, &merges)) return NULL;
    json_t *vocab = hn_json_parse(a, vocab_path, file.p, file.n, HONE_E_MODEL);
    int64_t bad;
    if (!vocab) return NULL;
    if (!json_is_object(vocab) || !json_object_size(vocab))
        return (void)HN_FAIL(a, HONE_E_MODEL, .what = "the tokenizer has no vocabulary", .where = vocab_path, .wanted = "an object of texts and ids"), NULL;
    if (!hn_utf8_valid(merges.p, merges.n, &bad))
        return (void)HN_FAIL(a, HONE_E_MODEL, .what = "this is no UTF-8 text", .where = hn_fmt(a, "%s: offset %lld", merges_path, (long long)bad)), NULL;
    const json_t *id = json_object_get(vocab, end);
    json_t *added = hn_json_own(a, json_array());
    if (json_is_integer(id))
        json_array_append_new(added, hn_added_json(json_integer_value(id), end, true));
    return hn_json_own(a, json_pack("{s:s, s:n, s:n, s:O, s:n, s:{s:s, s:b, s:b, s:b}, s:n, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:n, s:n, s:O, s:O}}",
                                    "version", "1.0", "truncation", "padding", "added_tokens", added, "normalizer", "pre_tokenizer", "type",
                                    "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex", 1, "post_processor", "decoder", "type",
                                    "ByteLevel", "add_prefix_space", 1, "trim_offsets", 1, "use_regex", 1, "model", "type", "BPE", "dropout",
                                    "unk_token", "vocab", vocab, "merges", merges_of(a, merges)));
}
