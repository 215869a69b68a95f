/* byte.c - one token per byte: 256 ids, equal to the bytes. Any text, no training, no unknown.
 *
 * In tokenizer.json: a BPE model without merges over GPT-2's printable stand-ins for the bytes (Radford et al. 2019,
 * bytes_to_unicode), ByteLevel before and after. A file with another order of the 256 is read too. */
#include "data/token/part/part.h"

typedef struct { int32_t id[256]; } byte_table;

static void set_piece(hn_arena *a, hn_tokenizer *t, int64_t id, int byte) {
    uint8_t *p = hn_new(a, uint8_t);
    *p = (uint8_t)byte;
    t->pieces[id] = (hn_bytes){ p, 1 };
    ((byte_table *)t->own)->id[byte] = (int32_t)id;
}

static void start(hn_arena *a, hn_tokenizer *t) {
    t->own = hn_new(a, byte_table);
    t->vocab = 256;
    t->pieces = hn_new_n(a, hn_bytes, 256);
}

static bool train(hn_arena *a, hn_tokenizer *t, const hn_token_params *p, const hn_corpus *c, const hn_split *s) {
    start(a, t);
    for (int b = 0; b < 256; b++) set_piece(a, t, b, b);
    return true;
}

static bool encode(const hn_tokenizer *t, hn_arena *a, void *work, const uint8_t *p, int64_t n, hn_ids *out) {
    const byte_table *own = t->own;
    hn_vec_grow(a, out, n);
    for (int64_t i = 0; i < n; i++) out->v[out->n++] = own->id[p[i]];
    return true;
}

static bool is_mine(const json_t *root) {
    const json_t *pre = json_object_get(root, "pre_tokenizer"), *merges = json_object_get(json_object_get(root, "model"), "merges");
    return !strcmp(hn_tokenizer_part(root, "model"), "BPE") && !strcmp(hn_tokenizer_part(root, "pre_tokenizer"), "ByteLevel") &&
           json_is_array(merges) && json_array_size(merges) == 0 && !json_is_true(json_object_get(pre, "add_prefix_space")) &&
           hn_tokenizer_plain(root);
}

static bool load(hn_arena *a, hn_tokenizer *t, json_t *root, const char *where) {
    if (!is_mine(root)) return false;
    const char **keys;
    int64_t n;
    if (!hn_tokenizer_vocab(a, root, where, &keys, &n)) return false;
    if (n != 256)
        return HN_FAIL(a, HONE_E_MODEL, .what = "a byte vocabulary must have 256 entries", .where = where,
                       .found = hn_fmt(a, "%lld", (long long)n));
    start(a, t);
    for (int64_t id = 0; id < n; id++) {
        uint32_t cp = 0;
        int64_t len = (int64_t)strlen(keys[id]);
        int byte = len && hn_utf8_next((const uint8_t *)keys[id], len, &cp) == len ? hn_stand_in_byte(cp) : -1;
        if (byte < 0)
            return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "entry %lld of a byte vocabulary stands for no byte", (long long)id),
                           .where = where, .found = hn_fmt(a, "\"%.40s\"", keys[id]));
        set_piece(a, t, id, byte);
    }
    return true;
}

static json_t *save(hn_arena *a, const hn_tokenizer *t) {
    json_t *vocab = hn_json_own(a, json_object());
    for (int64_t id = 0; id < t->vocab; id++) {
        uint8_t key[5] = { 0 };
        hn_utf8_put(hn_stand_in(t->pieces[id].p[0]), key);
        json_object_set_new(vocab, (const char *)key, json_integer(id));
    }
    return hn_json_own(a, json_pack("{s:s, s:n, s:n, s:[], s:n, s:{s:s, s:b, s:b, s:b}, s:n, s:{s:s, s:b, s:b, s:b}, s:{s:s, s:n, s:n, "
                                    "s:n, s:n, s:b, s:b, s:b, s:O, s:[]}}",
                                    "version", "1.0", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "type",
                                    "ByteLevel", "add_prefix_space", 0, "trim_offsets", 1, "use_regex", 0, "post_processor", "decoder",
                                    "type", "ByteLevel", "add_prefix_space", 1, "trim_offsets", 1, "use_regex", 1, "model", "type", "BPE",
                                    "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", 0,
                                    "byte_fallback", 0, "ignore_merges", 0, "vocab", vocab, "merges"));
}

const hn_token_item hn_token_byte = { HN_ITEM0("byte", "one token per byte, 256 in all", NULL), .train = train, .encode = encode,
                                      .load = load, .save = save };
