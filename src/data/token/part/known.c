/* known.c - words that an encoder met before: what makes natural text fast, since half of it is a few hundred words.
 *
 * A table of one cache line for each slot: the word itself, up to 23 bytes, and up to 9 ids. A new word takes the place of the old one. Words are
 * hashed and compared as three 64-bit numbers, which costs less than finding their pieces costs by far. */
#include "data/token/part/part.h"

static inline uint64_t load8(const uint8_t *p) {
    uint64_t x;
    memcpy(&x, p, 8);
    return x;
}

static inline uint32_t load4(const uint8_t *p) {
    uint32_t x;
    memcpy(&x, p, 4);
    return x;
}

/* p[0, n), zeros behind it, n as the last byte; nothing outside of the text is read. Little endian, as tokens.c wants it too. */
static inline void key_of(const uint8_t *p, int64_t n, uint64_t key[3]) {
    key[1] = key[2] = 0;
    if (n >= 8) {
        key[0] = load8(p);
        if (n >= 16) {
            key[1] = load8(p + 8);
            if (n > 16) key[2] = load8(p + n - 8) >> (8 * (24 - n));
        } else if (n > 8) key[1] = load8(p + n - 8) >> (8 * (16 - n));
    } else if (n >= 4) key[0] = load4(p) | (uint64_t)load4(p + n - 4) << (8 * (n - 4));
    else key[0] = p[0] | (uint64_t)p[n / 2] << (8 * (n / 2)) | (uint64_t)p[n - 1] << (8 * (n - 1));
    key[2] |= (uint64_t)n << 56;
}

hn_known *hn_known_new(hn_arena *a) { return hn_alloc(a, 1 << HN_KNOWN_BITS, sizeof(hn_known), 64); }

hn_known *hn_known_find(hn_known *table, const uint8_t *p, int64_t n, uint64_t key[3], bool *hit) {
    key_of(p, n, key);
    uint64_t h = key[0] * UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ h >> 32 ^ key[1]) * UINT64_C(0xBF58476D1CE4E5B9);
    h = (h ^ h >> 32 ^ key[2]) * UINT64_C(0x94D049BB133111EB);
    hn_known *k = &table[h >> (64 - HN_KNOWN_BITS)];
    *hit = k->key[0] == key[0] && k->key[1] == key[1] && k->key[2] == key[2];
    return k;
}

bool hn_work_word(hn_work *w, const uint8_t *p, int64_t n, hn_word_fn fn) {
    if (n > HN_KNOWN_TEXT || n < 1) return fn(w, p, n);
    uint64_t key[3];
    bool hit;
    if (!w->known) w->known = hn_known_new(w->a);
    hn_known *k = hn_known_find(w->known, p, n, key, &hit);
    if (hit) {
        hn_vec_grow(w->out_arena, w->out, HN_KNOWN_IDS);
        memcpy(w->out->v + w->out->n, k->id, sizeof k->id);
        w->out->n += k->n;
        return true;
    }
    int64_t before = w->out->n;
    if (!fn(w, p, n)) return false;
    hn_known_put(k, key, w->out->v + before, w->out->n - before);
    return true;
}
