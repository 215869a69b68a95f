/* char.c - one token per character: the sorted code points of the text, as in nanoGPT's shakespeare_char.
 *
 * The alphabet is counted over all text, the held-out part too: a character without an id could not be scored, and knowing
 * that a character exists tells nothing about where it stands. There is no unknown token unless a loaded file has one.
 * In tokenizer.json: model WordLevel, text split by the expression "any character", decoder Fuse. */
#include "data/token/token.h"

enum { CODE_POINTS = 0x110000, PAGE = 256 };
static const char any_character[] = "[\\s\\S]";

typedef struct { int32_t *page[CODE_POINTS / PAGE]; } alphabet;    /* page[cp / 256][cp % 256]: id + 1, 0: none */

static int32_t *slot(hn_arena *a, alphabet *own, uint32_t cp) {
    int32_t **page = &own->page[cp / PAGE];
    if (!*page) *page = hn_new_n(a, int32_t, PAGE);
    return *page + cp % PAGE;
}

static int32_t id_of(const alphabet *own, uint32_t cp) {
    const int32_t *page = own->page[cp / PAGE];
    return page ? page[cp % PAGE] - 1 : -1;
}

static bool train(hn_arena *a, hn_tokenizer *t, const hn_token_params *p, const hn_corpus *c, const hn_split *s) {
    alphabet *own = hn_new(a, alphabet);
    HN_VEC(hn_bytes) pieces = { 0 };
    uint32_t cp;
    for (int64_t i = 0; i < c->text.n;) {
        i += hn_utf8_next(c->text.p + i, c->text.n - i, &cp);
        *slot(a, own, cp) = 1;
    }
    for (cp = 0; cp < CODE_POINTS; cp++) {
        if (!own->page[cp / PAGE]) cp += PAGE - 1;
        else if (*slot(a, own, cp)) {
            uint8_t *text = hn_new_n(a, uint8_t, 4);
            hn_bytes piece = { text, hn_utf8_put(cp, text) };
            hn_push(a, &pieces, piece);
            *slot(a, own, cp) = (int32_t)pieces.n;
        }
    }
    t->pieces = pieces.v;
    t->vocab = pieces.n;
    t->own = own;
    return true;
}

static bool encode(const hn_tokenizer *t, hn_arena *a, void *work, const uint8_t *p, int64_t n, hn_ids *out) {
    const alphabet *own = t->own;
    uint32_t cp;
    hn_vec_grow(a, out, n);
    for (int64_t i = 0; i < n;) {
        int used = hn_utf8_next(p + i, n - i, &cp);
        int32_t id = id_of(own, cp);
        if (id < 0) id = t->unk;
        if (id < 0)
            return HN_FAIL(a, HONE_E_DATA,
                           .what = hn_fmt(a, "the character '%.*s' (U+%04X) is not in the tokenizer's alphabet", used, p + i, (unsigned)cp),
                           .where = hn_fmt(a, "offset %lld", (long long)i), .hint = "train with text that has it, or use tokenizer byte");
        out->v[out->n++] = id;
        i += used;
    }
    return true;
}

static bool is_mine(const json_t *root) {
    const json_t *pre = json_object_get(root, "pre_tokenizer");
    const char *regex = json_string_value(json_object_get(json_object_get(pre, "pattern"), "Regex"));
    return !strcmp(hn_tokenizer_part(root, "model"), "WordLevel") && !strcmp(hn_tokenizer_part(root, "pre_tokenizer"), "Split") && regex &&
           (!strcmp(regex, any_character) || !strcmp(regex, "(?s:.)") || !strcmp(regex, "(?s).")) && hn_tokenizer_plain(root);
}

static bool load(hn_arena *a, hn_tokenizer *t, json_t *root, const char *where) {
    if (!is_mine(root)) return false;
    const char **keys, *unk = json_string_value(json_object_get(json_object_get(root, "model"), "unk_token"));
    if (!hn_tokenizer_vocab(a, root, where, &keys, &t->vocab)) return false;
    alphabet *own = hn_new(a, alphabet);
    t->pieces = hn_new_n(a, hn_bytes, t->vocab);
    for (int64_t id = 0; id < t->vocab; id++) {
        uint32_t cp = 0;
        int64_t n = (int64_t)strlen(keys[id]);
        const uint8_t *p = (const uint8_t *)hn_strndup(a, keys[id], n);
        t->pieces[id] = (hn_bytes){ p, n };
        if (n && hn_utf8_next(p, n, &cp) == n) *slot(a, own, cp) = (int32_t)id + 1;
        else if (unk && !strcmp(unk, keys[id])) t->unk = (int32_t)id;
        else
            return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "entry %lld of a character vocabulary is not one character", (long long)id),
                           .where = where, .found = hn_fmt(a, "\"%.40s\"", keys[id]));
    }
    t->own = own;
    return true;
}

static json_t *save(hn_arena *a, const hn_tokenizer *t) {
    json_t *vocab = hn_json_own(a, json_object());
    for (int64_t id = 0; id < t->vocab; id++) {
        const char *key = hn_strndup(a, (const char *)t->pieces[id].p, t->pieces[id].n);
        json_object_set_new(vocab, key, json_integer(id));
    }
    const char *unk = t->unk >= 0 ? hn_strndup(a, (const char *)t->pieces[t->unk].p, t->pieces[t->unk].n) : "<unk>";
    return hn_json_own(a, json_pack("{s:s, s:n, s:n, s:[], s:n, s:{s:s, s:{s:s}, s:s, s:b}, s:n, s:{s:s}, s:{s:s, s:O, s:s}}", "version",
                                    "1.0", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer", "type", "Split",
                                    "pattern", "Regex", any_character, "behavior", "Isolated", "invert", 0, "post_processor", "decoder",
                                    "type", "Fuse", "model", "type", "WordLevel", "vocab", vocab, "unk_token", unk));
}

const hn_token_item hn_token_char = { HN_ITEM0("char", "one token per character of the text", "karpathy/nanoGPT data/shakespeare_char"),
                                      .train = train, .encode = encode, .load = load, .save = save };
