/* wordpiece.c - the longest known piece from the left, again and again, as BERT does it (Devlin et al. 2019, arXiv:1810.04805).
 *
 * Pieces that go on a word bear a prefix ("##ing"). A word with no such cut, or too long, is the unknown token as a whole; so, and
 * because its normalizer lowers letters and drops accents, what comes out is not always what went in. Loaded only. */
#include "data/token/part/part.h"

typedef struct {
    hn_pipeline pipe;
    hn_map *begins, *goes_on;        /* ids by text, those of pieces that go on without their prefix */
    int64_t longest;                 /* bytes of the longest piece */
    int64_t max_chars;
} wordpiece;

static bool word(hn_work *w, const uint8_t *p, int64_t n) {
    const wordpiece *own = w->pipe->model;
    int64_t before = w->out->n, chars = 0, id;
    for (int64_t i = 0; i < n; i++) chars += (p[i] & 0xC0) != 0x80;
    bool whole = chars <= own->max_chars;
    for (int64_t at = 0, k; whole && at < n; at += k) {
        const hn_map *ids = at ? own->goes_on : own->begins;
        for (k = HN_MIN(n - at, own->longest); k > 0 && !hn_map_get(ids, p + at, k, &id); k--) {}
        if (!k) whole = false;
        else hn_work_put(w, (int32_t)id);
    }
    if (whole) return true;
    w->out->n = before;
    hn_work_put(w, w->t->unk);
    return true;
}

static void *begin(hn_arena *a, const hn_tokenizer *t) { return hn_work_new(a, t, &((const wordpiece *)t->own)->pipe); }

static bool encode(const hn_tokenizer *t, hn_arena *a, void *work, const uint8_t *p, int64_t n, hn_ids *out) {
    return hn_pipeline_encode(work, a, p, n, out);
}

static bool load(hn_arena *a, hn_tokenizer *t, json_t *root, const char *where) {
    if (strcmp(hn_tokenizer_part(root, "model"), "WordPiece") != 0) return false;
    const json_t *model = json_object_get(root, "model"), *most = json_object_get(model, "max_input_chars_per_word");
    const char *prefix = json_string_value(json_object_get(model, "continuing_subword_prefix"));
    wordpiece *own = hn_new(a, wordpiece);
    hn_vocab vocab;
    t->own = own;
    if (!hn_pipeline_load(a, t, root, where, &vocab, &own->pipe)) return false;
    if (t->unk < 0)
        return HN_FAIL(a, HONE_E_MODEL, .what = "the unknown token of a WordPiece model is not in the vocabulary", .where = where,
                       .found = json_string_value(json_object_get(model, "unk_token")));
    own->pipe.word = word;
    own->pipe.model = own;
    own->max_chars = json_is_integer(most) ? (int64_t)json_integer_value(most) : 100;
    own->begins = hn_map_new(a);
    own->goes_on = hn_map_new(a);
    if (!prefix) prefix = "##";
    size_t n_prefix = strlen(prefix);
    for (int64_t id = 0; id < vocab.base; id++) {
        const char *key = vocab.key[id];
        if (!key) continue;
        int64_t n = (int64_t)strlen(key);
        own->longest = HN_MAX(own->longest, n);
        hn_map_put(own->begins, key, n, id);
        if (!strncmp(key, prefix, n_prefix)) hn_map_put(own->goes_on, key + n_prefix, n - (int64_t)n_prefix, id);
    }
    return true;
}

static json_t *save(hn_arena *a, const hn_tokenizer *t) { return ((const wordpiece *)t->own)->pipe.root; }

const hn_token_item hn_token_wordpiece = { HN_ITEM0("wordpiece", "the longest known pieces of a word, as BERT has them; loaded only",
                                                    "Devlin et al. 2019, arXiv:1810.04805"),
                                           .begin = begin, .encode = encode, .load = load, .save = save };
