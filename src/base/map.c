/* map.c - bytes → int64_t. Open addressing over a list of entries in order of insertion, so a walk (hn_map_at) and with
 * it everything written from one is the same on every machine. Never more than two thirds full; no deletion. */
#include "base/base.h"
#include <xxhash.h>

typedef struct entry {
    uint64_t hash;
    const uint8_t *key;
    int64_t n, value;
} entry;

struct hn_map {
    hn_arena *a;
    HN_VEC(entry) entries;
    HN_VEC(int64_t) slots;      /* index of the entry + 1; 0: empty. n == a power of two */
};

uint64_t hn_hash(const void *p, int64_t n, uint64_t seed) { return XXH3_64bits_withSeed(p, (size_t)n, seed); }

hn_map *hn_map_new(hn_arena *a) {
    hn_map *m = hn_new(a, hn_map);
    m->a = a;
    return m;
}

int64_t hn_map_count(const hn_map *m) { return m->entries.n; }

/* The slot of the key, or the empty one where it belongs. */
static int64_t find(const hn_map *m, uint64_t hash, const void *key, int64_t n) {
    int64_t mask = m->slots.n - 1;
    for (int64_t i = (int64_t)(hash & (uint64_t)mask);; i = (i + 1) & mask) {
        if (!m->slots.v[i]) return i;
        const entry *e = &m->entries.v[m->slots.v[i] - 1];
        if (e->hash == hash && e->n == n && (!n || !memcmp(e->key, key, (size_t)n))) return i;
    }
}

bool hn_map_get(const hn_map *m, const void *key, int64_t n, int64_t *value) {
    if (!m->slots.n) return false;
    int64_t at = m->slots.v[find(m, hn_hash(key, n, 0), key, n)];
    if (!at) return false;
    if (value) *value = m->entries.v[at - 1].value;
    return true;
}

bool hn_map_at(const hn_map *m, int64_t i, hn_bytes *key, int64_t *value) {
    if (i < 0 || i >= m->entries.n) return false;
    if (key) *key = (hn_bytes){ m->entries.v[i].key, m->entries.v[i].n };
    if (value) *value = m->entries.v[i].value;
    return true;
}

static void widen(hn_map *m) {
    int64_t n = m->slots.n ? m->slots.n * 2 : 16;
    hn_vec_grow(m->a, &m->slots, n - m->slots.n);
    memset(m->slots.v, 0, (size_t)n * sizeof *m->slots.v);
    m->slots.n = n;
    for (int64_t e = 0; e < m->entries.n; e++) {
        int64_t i = (int64_t)(m->entries.v[e].hash & (uint64_t)(n - 1));
        while (m->slots.v[i]) i = (i + 1) & (n - 1);
        m->slots.v[i] = e + 1;
    }
}

void hn_map_put(hn_map *m, const void *key, int64_t n, int64_t value) {
    if (m->entries.n * 3 >= m->slots.n * 2) widen(m);
    uint64_t hash = hn_hash(key, n, 0);
    int64_t i = find(m, hash, key, n);
    if (m->slots.v[i]) {
        m->entries.v[m->slots.v[i] - 1].value = value;
        return;
    }
    uint8_t *copy = hn_alloc(m->a, n, 1, 1);
    if (n) memcpy(copy, key, (size_t)n);
    hn_push(m->a, &m->entries, (entry){ hash, copy, n, value });
    m->slots.v[i] = m->entries.n;
}
