/* bpe.c - byte-pair encoding: symbols of a word, joined pair by pair in the order of their ranks.
 *
 * Over bytes (GPT-2, Llama 3, Qwen) every byte string goes in and comes out as it was. Over characters (SentencePiece, Llama 2) a
 * character without a token becomes the tokens of its bytes, where the file says so, or the unknown token. Words that were met before come
 * from a table of the encoder (part/known.c). Where no words are cut and no merge has a visible blank behind another sign, as in Llama 2, nothing ever
 * joins across the place where a blank begins: the text is spelled in pieces there, with the same ids. Where SentencePiece has pieces that are
 * not used, the text is spelled as a whole: such a piece joins as others do, and is then taken apart where it was last seen to be put together,
 * anywhere in the text. Trained on training text only: see part/learn.c. The trained tokenizer begins with one special
 * token, <|endoftext|>. Source: Radford et al. 2019; the files of the package `tokenizers`. */
#include "data/token/part/part.h"

enum { LONGEST = INT32_MAX / 8, MARK_BYTES = 3 };
static const uint8_t mark[MARK_BYTES] = { 0xE2, 0x96, 0x81 };      /* SentencePiece's visible blank */

typedef struct {
    hn_pipeline pipe;
    hn_merges *merges;
    hn_map *whole;           /* ignore_merges: words that are tokens stay whole; NULL: not asked for */
    hn_map *chars;           /* symbols are characters: their ids; NULL: symbols are bytes */
    const hn_trie *own;      /* pieces that the user of SentencePiece defined: found before all others and never joined; NULL: none */
    bool *unused;            /* (n_ids) SentencePiece's pieces that are taken apart again; NULL: none */
    const char *const *key;  /* (n_ids) the pieces' texts, where some are unused */
    int64_t n_ids;
    bool fuse_unk, apart;    /* apart: merges have visible blanks in front alone */
    int32_t byte[256];       /* of a byte; with chars, of "<0x41>"; -1: no token */
} bpe;

/* ---- encoding ---- */
static bool unknown(hn_work *w, const uint8_t *p, int used) {
    hn_arena *a = w->out_arena;
    return HN_FAIL(a, HONE_E_DATA,
                   .what = used == 1 ? hn_fmt(a, "the byte 0x%02X is not in the tokenizer's vocabulary", p[0])
                                     : hn_fmt(a, "the character '%.*s' is not in the tokenizer's vocabulary", used, p),
                   .hint = "the tokenizer was made without it; use one that knows all bytes");
}

/* Characters to ids; returns how many, -1 with the error. */
static int64_t symbols(hn_work *w, const bpe *own, const uint8_t *p, int64_t n, int32_t *ids) {
    int64_t made = 0, id;
    bool was_unk = false;
    for (int64_t i = 0, used; i < n; i += used) {
        uint32_t cp;
        int32_t fixed;
        if (own->own && (used = hn_trie_longest(own->own, p + i, n - i, &fixed))) {
            ids[made++] = fixed;
            was_unk = false;
            continue;
        }
        used = hn_utf8_next(p + i, n - i, &cp);
        bool unk = !hn_map_get(own->chars, p + i, used, &id), bytes = unk;
        for (int64_t k = i; bytes && k < i + used; k++) bytes = own->byte[p[k]] >= 0;
        if (bytes)
            for (int64_t k = i; k < i + used; k++) ids[made++] = own->byte[p[k]];
        else if (!unk) ids[made++] = (int32_t)id;
        else if (w->t->unk < 0) return (void)unknown(w, p + i, (int)used), -1;
        else if (!was_unk || !own->fuse_unk) ids[made++] = w->t->unk;
        was_unk = unk && !bytes;
    }
    return made;
}

/* One unknown token stands for a run of them; from: where the text's ids begin. */
static void put_unknown(hn_work *w, const bpe *own, int64_t from) {
    if (!own->fuse_unk || w->out->n == from || w->out->v[w->out->n - 1] != w->t->unk) hn_work_put(w, w->t->unk);
}

/* A character as the model's tokens for its bytes, else as the unknown token. */
static bool spell_unknown(hn_work *w, const bpe *own, const char *s, int64_t from) {
    int64_t n = (int64_t)strlen(s), known = 0;
    while (known < n && own->byte[(uint8_t)s[known]] >= 0) known++;
    if (n && known == n) {
        for (int64_t k = 0; k < n; k++) hn_work_put(w, own->byte[(uint8_t)s[k]]);
        return true;
    }
    if (w->t->unk < 0) return unknown(w, (const uint8_t *)s, (int)HN_MIN(n, 60));
    put_unknown(w, own, from);
    return true;
}

/* The ids from `from` on, without those that are not used: they become what they were joined of, characters what is not in the vocabulary.
 * A pair that an earlier text left in the table is never looked at before this text has put its own. The parts of a text are shorter than
 * it, so this ends. */
static bool take_apart(hn_work *w, const bpe *own, int64_t from) {
    int64_t n = w->out->n - from;
    int32_t *ids = hn_new_n(w->scratch, int32_t, n);
    memcpy(ids, w->out->v + from, (size_t)n * sizeof *ids);
    const hn_joined *cuts = w->model;
    HN_VEC(int32_t) open = { 0 };
    w->out->n = from;
    for (int64_t i = 0; i < n; i++) {
        hn_push(w->scratch, &open, ids[i]);
        while (open.n) {
            int32_t id = open.v[--open.n];
            if (own->unused[id] && cuts[id].left >= 0) {
                hn_push(w->scratch, &open, cuts[id].right);
                hn_push(w->scratch, &open, cuts[id].left);
            } else if (own->unused[id]) {
                if (!spell_unknown(w, own, own->key[id], from)) return false;
            } else if (id == w->t->unk) put_unknown(w, own, from);
            else hn_work_put(w, id);
        }
    }
    return true;
}

static bool spell(hn_work *w, const uint8_t *p, int64_t n) {
    const bpe *own = w->pipe->model;
    int64_t whole;
    if (own->whole && hn_map_get(own->whole, p, n, &whole)) return hn_work_put(w, (int32_t)whole), true;
    if (n > LONGEST)
        return HN_FAIL(w->out_arena, HONE_E_DATA, .what = "a word is too long for the tokenizer", .found = hn_fmt(w->out_arena, "%lld bytes", (long long)n),
                       .wanted = hn_fmt(w->out_arena, "at most %d", LONGEST), .hint = "cut the text into documents");
    hn_vec_grow(w->out_arena, w->out, n);
    int32_t *ids = w->out->v + w->out->n;
    int64_t made = own->chars ? symbols(w, own, p, n, ids) : n;
    for (int64_t i = 0; !own->chars && i < n; i++) {
        ids[i] = own->byte[p[i]] >= 0 ? own->byte[p[i]] : w->t->unk;
        if (ids[i] < 0) return unknown(w, p + i, 1);
    }
    if (made < 0) return false;
    int64_t from = w->out->n;
    w->out->n += hn_merges_apply(own->merges, w->scratch, ids, made, w->model);
    return !own->unused || take_apart(w, own, from);
}

static bool is_mark(const uint8_t *p, int64_t n) { return n >= MARK_BYTES && !memcmp(p, mark, MARK_BYTES); }

/* Where the blanks that stand at p are over and others begin; n: nowhere. */
static int64_t next_mark(const uint8_t *p, int64_t n) {
    int64_t i = 0;
    while (is_mark(p + i, n - i)) i += MARK_BYTES;
    const uint8_t *q = n > i ? memmem(p + i, (size_t)(n - i), mark, MARK_BYTES) : NULL;
    return q ? q - p : n;
}

static bool word(hn_work *w, const uint8_t *p, int64_t n) {
    const bpe *own = w->pipe->model;
    if (own->unused) return spell(w, p, n);
    if (!own->apart) return hn_work_word(w, p, n, spell);
    for (int64_t k; n; p += k, n -= k)
        if (k = next_mark(p, n), !hn_work_word(w, p, k, spell)) return false;
    return true;
}

static void *begin(hn_arena *a, const hn_tokenizer *t) {
    const bpe *own = t->own;
    hn_work *w = hn_work_new(a, t, &own->pipe);
    if (own->unused) w->model = memset(hn_new_n(a, hn_joined, own->n_ids), -1, (size_t)own->n_ids * sizeof(hn_joined));
    return w;
}

static int64_t cut(const hn_tokenizer *t, const uint8_t *p, int64_t n, int64_t from) { return hn_pipeline_cut(&((const bpe *)t->own)->pipe, p, n, from); }

static bool encode(const hn_tokenizer *t, hn_arena *a, void *work, const uint8_t *p, int64_t n, hn_ids *out) {
    return hn_pipeline_encode(work, a, p, n, out);
}

/* ---- tokenizer.json ---- */
static bool is_mine(const json_t *root) {
    const json_t *model = json_object_get(root, "model");
    const char *type = hn_tokenizer_part(root, "model");
    return !strcmp(type, "BPE") || (!*type && json_is_object(json_object_get(model, "vocab")) && json_is_array(json_object_get(model, "merges")));
}

/* Parts of the model that change ids and that nothing here does. */
static bool plain_model(hn_arena *a, const json_t *model, const char *where) {
    static const char *const texts[] = { "continuing_subword_prefix", "end_of_word_suffix" };
    for (int i = 0; i < 2; i++) {
        const char *s = json_string_value(json_object_get(model, texts[i]));
        if (s && *s)
            return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "a BPE model with a %s is not known here", texts[i]), .where = where,
                           .found = hn_fmt(a, "\"%.40s\"", s));
    }
    const json_t *dropout = json_object_get(model, "dropout");
    if (json_is_number(dropout) && json_number_value(dropout) > 0)
        return HN_FAIL(a, HONE_E_MODEL, .what = "a BPE model with dropout gives other ids at each call", .where = where, .wanted = "none");
    return true;
}

/* A text of the file as the model sees it: bytes behind stand-ins, or characters as they are. */
static bool seen(const bpe *own, const char *s, int64_t n, uint8_t *room, int64_t *m) {
    if (own->pipe.words.bytes) return hn_unshow_bytes(s, n, room, m);
    memcpy(room, s, (size_t)n);
    *m = n;
    return true;
}

static bool part_id(const bpe *own, const hn_map *ids, const char *s, int64_t n, uint8_t *room, int64_t *id) {
    int64_t m;
    return seen(own, s, n, room, &m) && hn_map_get(ids, room, m, id);
}

/* The rank of the next merge: its place in the list. SentencePiece's, which come from scores: that of the piece it makes. */
typedef struct { const json_t *list; int64_t rank, id; } rank_of;
static int32_t next_rank(const bpe *own, rank_of *k, int64_t i, int64_t id) {
    if (!own->pipe.spm || id != k->id) *k = (rank_of){ k->list, i, id };
    return (int32_t)(k->list ? json_integer_value(json_array_get(k->list, (size_t)i)) : k->rank);
}

static bool load_merge(hn_arena *a, hn_arena *scratch, bpe *own, const hn_map *ids, const json_t *v, const char *where, int64_t i, rank_of *k) {
    const json_t *l = json_array_get(v, 0), *r = json_array_get(v, 1);
    const char *left = json_string_value(json_is_string(v) ? v : l), *right = json_string_value(r);
    const char *blank = json_is_string(v) ? strchr(left, ' ') : NULL;
    int64_t n_left = blank ? blank - left : left ? (int64_t)strlen(left) : 0, x, y, id = 0, both = 0, m = 0;
    if (blank) right = blank + 1;
    if (!left || !right || !n_left || !*right || (blank && strchr(right, ' ')))
        return HN_FAIL(a, HONE_E_MODEL, .what = hn_fmt(a, "model.merges[%lld] is no pair", (long long)i), .where = where,
                       .wanted = "\"left right\" or [\"left\", \"right\"]");
    int64_t n_right = (int64_t)strlen(right);
    uint8_t *room = hn_new_n(scratch, uint8_t, n_left + n_right);
    bool has_left = part_id(own, ids, left, n_left, room, &x), has_right = part_id(own, ids, right, n_right, room, &y), has_both = false;
    if (has_left && has_right) {
        (void)seen(own, left, n_left, room, &both);
        (void)seen(own, right, n_right, room + both, &m);
        has_both = hn_map_get(ids, room, both + m, &id);
    }
    if (!has_both)
        return HN_FAIL(a, HONE_E_MODEL, .where = where,
                       .what = hn_fmt(a, "model.merges[%lld] names a token that is not in the vocabulary", (long long)i),
                       .found = hn_fmt(a, "\"%.*s\" with \"%.*s\"", (int)HN_MIN(n_left, 60), left, (int)HN_MIN(n_right, 60), right));
    hn_merges_put(own->merges, (int32_t)x, (int32_t)y, next_rank(own, k, i, id), (int32_t)id);
    own->apart = own->apart && next_mark(room, both + m) == both + m;
    return true;
}

static void load_own(hn_arena *a, hn_arena *scratch, bpe *own) {
    const hn_added_list *list = &own->pipe.list;
    hn_bytes *key = hn_new_n(scratch, hn_bytes, list->n);
    int32_t *id = hn_new_n(scratch, int32_t, list->n);
    int64_t n = 0;
    for (int64_t i = 0; i < list->n; i++) {
        if (list->v[i].special) continue;
        key[n] = list->v[i].text;
        id[n++] = list->v[i].id;
        own->apart = own->apart && next_mark(list->v[i].text.p, list->v[i].text.n) == list->v[i].text.n;
    }
    if (n) own->own = hn_trie_new(a, key, id, n);
}

static void load_unused(hn_arena *a, bpe *own, const hn_vocab *vocab) {
    const json_t *list = json_object_get(own->pipe.spm, "unused"), *v;
    size_t i;
    if (!own->chars || !json_array_size(list)) return;
    own->n_ids = vocab->n;
    own->key = vocab->key;
    own->unused = hn_new_n(a, bool, own->n_ids);
    json_array_foreach(list, i, v)
        if (json_integer_value(v) >= 0 && json_integer_value(v) < own->n_ids && own->key[json_integer_value(v)]) own->unused[json_integer_value(v)] = true;
}

static bool load_model(hn_arena *a, hn_tokenizer *t, bpe *own, const hn_vocab *vocab, const char *where) {
    const json_t *model = json_object_get(own->pipe.root, "model"), *merges = json_object_get(model, "merges"), *v;
    hn_arena *scratch = hn_arena_new(a);
    bool ignore = json_is_true(json_object_get(model, "ignore_merges")), bytes = own->pipe.words.bytes;
    bool fallback = json_is_true(json_object_get(model, "byte_fallback"));
    hn_map *ids = hn_map_new(ignore || !bytes ? a : scratch);
    memset(own->byte, -1, sizeof own->byte);
    for (int64_t id = 0; id < vocab->base; id++) {
        if (!vocab->key[id]) continue;
        int64_t n = (int64_t)strlen(vocab->key[id]), m;
        uint8_t *text = hn_new_n(scratch, uint8_t, n);
        int byte = fallback ? hn_byte_token(vocab->key[id]) : -1;
        if (!seen(own, vocab->key[id], n, text, &m)) continue;      /* not reached by bytes: added tokens in clear */
        if (bytes && m == 1) byte = text[0];
        if (byte >= 0) own->byte[byte] = (int32_t)id;
        hn_map_put(ids, text, m, id);
    }
    own->whole = ignore ? ids : NULL;
    own->chars = bytes ? NULL : ids;
    int64_t blank;
    own->apart = own->chars && !ignore && hn_map_get(ids, mark, MARK_BYTES, &blank);
    own->fuse_unk = json_is_true(json_object_get(model, "fuse_unk"));
    own->merges = hn_merges_new(a, (int64_t)json_array_size(merges));
    if (own->pipe.spm && own->chars) load_own(a, scratch, own);
    load_unused(a, own, vocab);
    rank_of k = { json_object_get(own->pipe.spm, "ranks"), 0, -1 };
    size_t i;
    json_array_foreach(merges, i, v)
        if (!load_merge(a, scratch, own, ids, v, where, (int64_t)i, &k)) return false;
    hn_arena_free(scratch);
    return true;
}

static bool load(hn_arena *a, hn_tokenizer *t, json_t *root, const char *where) {
    if (!is_mine(root)) return false;
    const json_t *model = json_object_get(root, "model");
    bpe *own = hn_new(a, bpe);
    hn_vocab vocab;
    t->own = own;
    if (!plain_model(a, model, where) || !hn_pipeline_load(a, t, root, where, &vocab, &own->pipe)) return false;
    own->pipe.word = word;
    own->pipe.model = own;
    return load_model(a, t, own, &vocab, where);
}

static json_t *save(hn_arena *a, const hn_tokenizer *t) { return ((const bpe *)t->own)->pipe.root; }

static bool train(hn_arena *a, hn_tokenizer *t, const hn_token_params *p, const hn_corpus *c, const hn_split *s) {
    const char *special[] = { "<|endoftext|>" };
    hn_learn how = { .vocab = p->vocab, .min_count = 2, .pattern = p->words, .special = { special, 1 } };
    json_t *root = hn_learn_bpe(a, &how, c, s);
    return root && load(a, t, root, "the trained tokenizer");
}

const hn_token_item hn_token_bpe = { HN_ITEM0("bpe", "byte pairs joined by frequency; any text, a vocabulary of any size",
                                              "Sennrich et al. 2016, arXiv:1508.07909; Radford et al. 2019"),
                                     .train = train, .begin = begin, .encode = encode, .cut = cut, .load = load, .save = save };
