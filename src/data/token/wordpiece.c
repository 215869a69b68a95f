/* wordpiece.c - the longest known piece from the left, again and again, as BERT does it (Devlin et al. 2019, arXiv:1810.04805).
 *
 * Pieces that go on a word bear a prefix ("##ing"). A word with no such cut, or too long, is the unknown token as a whole; so, and
 * because its normalizer lowers letters and drops accents, what comes out is not always what went in. Trained by part/learn_wordpiece.c. */
#include "data/token/part/part.h"

typedef struct {
    hn_pipeline pipe;
    hn_trie *begins, *goes_on;       /* pieces; those that go on without their prefix */
    int64_t max_chars;
} wordpiece;

/* The bytes of the longest piece at p; 0: none. */
static int64_t longest(const hn_trie *t, const uint8_t *p, int64_t n, int32_t *id) {
    int64_t found = 0;
    int32_t at = 0;
    for (int64_t i = 0; i < n && (at = hn_trie_step(t->node, at, p[i])) > 0; i++)
        if (t->node[at].value >= 0) *id = t->node[at].value, found = i + 1;
    return found;
}

static bool spell(hn_work *w, const uint8_t *p, int64_t n) {
    const wordpiece *own = w->pipe->model;
    int64_t before = w->out->n, chars = 0;
    int32_t id = 0;
    for (int64_t i = 0; i < n; i++) chars += (p[i] & 0xC0) != 0x80;
    bool whole = chars <= own->max_chars;
    for (int64_t at = 0, k; whole && at < n; at += k) {
        k = longest(at ? own->goes_on : own->begins, p + at, n - at, &id);
        if (!k) whole = false;
        else hn_work_put(w, id);
    }
    if (whole) return true;
    w->out->n = before;
    hn_work_put(w, w->t->unk);
    return true;
}

static bool word(hn_work *w, const uint8_t *p, int64_t n) { return hn_work_word(w, p, n, spell); }

static void *begin(hn_arena *a, const hn_tokenizer *t) { return hn_work_new(a, t, &((const wordpiece *)t->own)->pipe); }

static int64_t cut(const hn_tokenizer *t, const uint8_t *p, int64_t n, int64_t from) { return hn_pipeline_cut(&((const wordpiece *)t->own)->pipe, p, n, from); }

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
    if (!prefix) prefix = "##";
    int64_t n_prefix = (int64_t)strlen(prefix), n = 0, more = 0;
    hn_arena *scratch = hn_arena_new(a);
    hn_bytes *key = hn_new_n(scratch, hn_bytes, vocab.base), *rest = hn_new_n(scratch, hn_bytes, vocab.base);
    int32_t *id = hn_new_n(scratch, int32_t, vocab.base), *rest_id = hn_new_n(scratch, int32_t, vocab.base);
    for (int32_t i = 0; i < vocab.base; i++) {
        if (!vocab.key[i]) continue;
        key[n] = (hn_bytes){ (const uint8_t *)vocab.key[i], (int64_t)strlen(vocab.key[i]) };
        id[n] = i;
        if (key[n].n >= n_prefix && !memcmp(key[n].p, prefix, (size_t)n_prefix)) {
            rest[more] = (hn_bytes){ key[n].p + n_prefix, key[n].n - n_prefix };
            rest_id[more++] = i;
        }
        n++;
    }
    own->begins = hn_trie_new(a, key, id, n);
    own->goes_on = hn_trie_new(a, rest, rest_id, more);
    hn_arena_free(scratch);
    return true;
}

static json_t *save(hn_arena *a, const hn_tokenizer *t) { return ((const wordpiece *)t->own)->pipe.root; }

static bool train(hn_arena *a, hn_tokenizer *t, const hn_token_params *p, const hn_corpus *c, const hn_split *s) {
    json_t *root = hn_learn_wordpiece(a, p->vocab, !strcmp(p->words, "uncased"), c, s);
    return root && load(a, t, root, "the trained tokenizer");
}

const hn_token_item hn_token_wordpiece = { HN_ITEM0("wordpiece", "the longest known pieces of a word, as BERT has them; blanks and line ends are lost",
                                                    "Devlin et al. 2019, arXiv:1810.04805"),
                                           .train = train, .begin = begin, .encode = encode, .cut = cut, .load = load, .save = save };
