/* decontam.c - training text that shares 13 words in a row with held-out text is cut out, with 200 bytes around it.
 * Source: Brown et al. 2020, arXiv:2005.14165, appendix C.
 *
 * Of samples, what is to be learned is compared alone, and the whole sample goes: prompts share templates and instructions by design.
 * A word is a run of letters, marks and digits, lower-cased; a Han, Hiragana, Katakana or Hangul character is a word by itself.
 * Limits: held-out pieces under 13 words are not looked for; scripts that write no spaces and are not named here (Thai, Khmer)
 * have words as long as their phrases. 13-grams are compared by 64-bit hashes: a false match among 10^6 × 10^6 has chance 10^-7. */
#include "data/gym/gym.h"
#include <utf8proc.h>

enum { GRAM = 13, AROUND = 200 };
static const uint64_t ODD = 0x9E3779B97F4A7C15u;

typedef struct word { int64_t start, end; uint64_t hash; } word;
typedef HN_VEC(word) words;
typedef struct gram_set { uint64_t *slot; int64_t mask; } gram_set;      /* open addressing; 0 is empty */

static bool stands_alone(uint32_t c) {
    return (c >= 0x3040 && c <= 0x30FF) || (c >= 0x31F0 && c <= 0x31FF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x4E00 && c <= 0x9FFF) ||
           (c >= 0xAC00 && c <= 0xD7A3) || (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x20000 && c <= 0x323AF);
}

static bool in_word(uint32_t c) {
    if (c < 0x80) return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    utf8proc_category_t k = utf8proc_category((utf8proc_int32_t)c);
    return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_NO;       /* letters, marks, numbers */
}

static uint64_t add_char(uint64_t h, uint32_t c) {
    uint32_t lower = c < 0x80 ? (c >= 'A' && c <= 'Z' ? c + 32 : c) : (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
    h = (h ^ lower) * ODD;
    return h ^ h >> 29;
}

static void words_between(hn_arena *a, const hn_corpus *c, int64_t start, int64_t end, words *out) {
    bool open = false;
    for (int64_t i = start, used; i < end; i += used) {
        uint32_t cp;
        used = hn_utf8_next(c->text.p + i, end - i, &cp);
        if (stands_alone(cp)) {
            hn_push(a, out, (word){ i, i + used, add_char(1, cp) });
            open = false;
        } else if (in_word(cp)) {
            if (!open) hn_push(a, out, (word){ i, i, 1 });
            word *w = &out->v[out->n - 1];
            w->hash = add_char(w->hash, cp);
            w->end = i + used;
            open = true;
        } else open = false;
    }
}

static void find_words(hn_arena *a, const hn_corpus *c, const hn_piece *piece, words *out) {
    const hn_doc *d = &c->docs[piece->doc];
    out->n = 0;
    if (!d->sample) words_between(a, c, piece->start, piece->start + piece->bytes, out);
    for (int64_t i = 0; d->sample && i < d->n_own; i++) {
        const hn_range *r = &c->own[d->own + i];
        words_between(a, c, d->start + r->start, d->start + r->start + r->bytes, out);
    }
}

/* Hash of words [i, i+GRAM). Thirteen steps for each word: about 10 ns, once per run, simpler than rolling. */
static uint64_t gram(const words *w, int64_t i) {
    uint64_t h = 0;
    for (int64_t k = i; k < i + GRAM; k++) h = (h ^ w->v[k].hash) * ODD, h ^= h >> 32;
    return h ? h : 1;
}

static void put(gram_set *s, uint64_t h) {
    int64_t i = (int64_t)h & s->mask;
    while (s->slot[i] && s->slot[i] != h) i = (i + 1) & s->mask;
    s->slot[i] = h;
}

static bool has(const gram_set *s, uint64_t h) {
    int64_t i = (int64_t)h & s->mask;
    while (s->slot[i] && s->slot[i] != h) i = (i + 1) & s->mask;
    return s->slot[i] == h;
}

/* Items of the gym are split by their question when they are made; what their answers share is the form of the task. */
static bool is_made(const hn_corpus *c, const hn_piece *p) { return hn_gym_is_source(c->files[c->docs[p->doc].source]); }

static gram_set held_out_grams(hn_arena *a, const hn_corpus *c, const hn_split *s) {
    HN_VEC(uint64_t) all = { 0 };
    words w = { 0 };
    for (int64_t i = 0; i < s->n; i++) {
        if (!s->v[i].held_out || is_made(c, &s->v[i])) continue;
        find_words(a, c, &s->v[i], &w);
        for (int64_t k = 0; k + GRAM <= w.n; k++) hn_push(a, &all, gram(&w, k));
    }
    gram_set set = { .mask = 15 };
    while (set.mask < 2 * all.n) set.mask = 2 * set.mask + 1;
    set.slot = hn_new_n(a, uint64_t, set.mask + 1);
    for (int64_t i = 0; i < all.n; i++) put(&set, all.v[i]);
    return set;
}

typedef HN_VEC(hn_piece) pieces;

static bool is_tail_byte(uint8_t b) { return (b & 0xC0) == 0x80; }

static void keep(hn_arena *a, const hn_corpus *c, pieces *out, const hn_piece *p, int64_t from, int64_t to) {
    int64_t chars = 0;
    for (int64_t i = from; i < to && chars < 2; i++) chars += !is_tail_byte(c->text.p[i]);
    if (chars >= 2) hn_push(a, out, (hn_piece){ from, to - from, p->doc, false });
}

/* Words lie in scratch, what is kept in a. */
static void cut_piece(hn_arena *a, hn_arena *scratch, const hn_corpus *c, const gram_set *set, const hn_piece *p, words *w, pieces *out) {
    int64_t at = p->start, end = p->start + p->bytes;      /* text from `at` on is not yet decided */
    const uint8_t *text = c->text.p;
    w->n = 0;
    if (!is_made(c, p)) find_words(scratch, c, p, w);
    for (int64_t k = 0; k + GRAM <= w->n; k++) {
        if (!has(set, gram(w, k))) continue;
        if (c->docs[p->doc].sample) return;
        int64_t from = HN_MAX(w->v[k].start - AROUND, at), to = HN_MIN(w->v[k + GRAM - 1].end + AROUND, end);
        while (from > at && is_tail_byte(text[from])) from--;
        while (to < end && is_tail_byte(text[to])) to++;
        if (from > at) keep(a, c, out, p, at, from);
        at = to;
    }
    keep(a, c, out, p, at, end);
}

bool hn_decontaminate(hn_arena *a, const hn_corpus *c, hn_split *s, int64_t *bytes_removed) {
    hn_arena *scratch = hn_arena_new(a);
    gram_set set = held_out_grams(scratch, c, s);
    pieces out = { 0 };
    words w = { 0 };
    int64_t left = 0;
    for (int64_t i = 0; i < s->n; i++) {
        if (s->v[i].held_out) hn_push(a, &out, s->v[i]);
        else cut_piece(a, scratch, c, &set, &s->v[i], &w, &out);
    }
    hn_arena_free(scratch);
    for (int64_t i = 0; i < out.n; i++) left += out.v[i].held_out ? 0 : out.v[i].bytes;
    *bytes_removed = s->train_bytes - left;
    s->v = out.v;
    s->n = out.n;
    s->train_bytes = left;
    if (left) return true;
    return HN_FAIL(a, HONE_E_DATA, .what = "all training text also stands in the held-out text", .where = c->files[0],
                   .hint = "give other held-out files, or set data.decontaminate to false");
}
