/* mempool.c - size classes above large blocks.
 *
 * Eight classes an octave: a chunk is at most 12.5 % larger than the request (64 bytes of granularity below 512). A freed chunk waits
 * in the list of its class, last in first out, warm in the cache. Chunks are never joined; instead a rewind empties the lists and
 * carves the blocks from the front again, so steps of other shapes do not pile up classes that nobody uses any more, and equal
 * steps get equal addresses. The pretended pool runs the same code without blocks behind it: its peak is the real one's, exactly. */
#include "tensor/mempool.h"

/* Under AddressSanitizer a chunk that nobody holds is poisoned; blocks are opened again before they go back to the arena. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HN_POOL_ASAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define HN_POOL_ASAN 1
#endif
#ifdef HN_POOL_ASAN
#include <sanitizer/asan_interface.h>
static void poison(const void *p, int64_t n) {
    if (p) __asan_poison_memory_region(p, (size_t)n);
}
static void unpoison(const void *p, int64_t n) {
    if (p) __asan_unpoison_memory_region(p, (size_t)n);
}
static void open_blocks(void *p) {
    hn_mempool *pool = p;
    for (int64_t i = 0; i < pool->blocks.n; i++) unpoison(pool->blocks.v[i].p, pool->blocks.v[i].cap);
}
#else
static void poison(const void *p, int64_t n) {}
static void unpoison(const void *p, int64_t n) {}
static void open_blocks(void *p) {}
#endif

enum { GRAIN = 64, BUMP_BLOCK = 64 * 1024 };
static const int64_t MIN_BLOCK = 4 << 20, MAX_BLOCK = 256 << 20;

void *hn_bump_alloc(hn_bump *b, int64_t bytes) {
    bytes = (bytes + 15) & ~(int64_t)15;
    while (b->cur < b->blocks.n && b->blocks.v[b->cur].used + bytes > b->blocks.v[b->cur].cap)
        if (++b->cur < b->blocks.n) b->blocks.v[b->cur].used = 0;
    if (b->cur >= b->blocks.n) {
        int64_t cap = HN_MAX(bytes, BUMP_BLOCK);
        char *p = hn_alloc(b->a, cap, 1, 64);
        hn_push(b->a, &b->blocks, (hn_block){p, cap, 0});
        b->cur = b->blocks.n - 1;
    }
    hn_block *k = &b->blocks.v[b->cur];
    void *p = k->p + k->used;
    k->used += bytes;
    return memset(p, 0, (size_t)bytes);
}

void hn_bump_rewind(hn_bump *b) {
    b->cur = 0;
    if (b->blocks.n) b->blocks.v[0].used = 0;
}

/* Class of a size, and the bytes that the class has. */
static int class_of(int64_t bytes, int64_t *rounded) {
    int64_t n = HN_MAX((bytes + GRAIN - 1) / GRAIN, 1);
    if (n <= 8) return *rounded = n * GRAIN, (int)n - 1;
    int e = 63 - __builtin_clzll((uint64_t)n);
    int64_t step = (int64_t)1 << (e - 3), m = (n + step - 1) / step;
    if (m == 16) e++, m = 8, step *= 2;
    *rounded = m * step * GRAIN;
    return 8 + (e - 3) * 8 + (int)(m - 8);
}

int64_t hn_mempool_class_bytes(int64_t bytes) {
    int64_t rounded;
    class_of(bytes, &rounded);
    return rounded;
}

void hn_mempool_init(hn_mempool *p, hn_arena *a, bool pretend) {
    *p = (hn_mempool){.a = a, .pretend = pretend, .descriptors.a = a};
    hn_defer(a, open_blocks, p);
}

/* First block with room; else a new one, half as large as all so far. */
static char *carve(hn_mempool *p, int64_t bytes) {
    hn_block *k = NULL;
    for (int64_t i = 0; i < p->blocks.n && !k; i++)
        if (p->blocks.v[i].cap - p->blocks.v[i].used >= bytes) k = &p->blocks.v[i];
    if (!k) {
        int64_t cap = HN_MAX(bytes, HN_MIN(HN_MAX(p->held / 2, MIN_BLOCK), MAX_BLOCK));
        char *mem = p->pretend ? NULL : hn_alloc_large(p->a, cap);
        hn_push(p->a, &p->blocks, (hn_block){mem, cap, 0});
        poison(mem, cap);
        p->held += cap;
        k = &p->blocks.v[p->blocks.n - 1];
    }
    char *at = k->p ? k->p + k->used : NULL;
    k->used += bytes;
    p->carved += bytes;
    p->peak = HN_MAX(p->peak, p->carved);
    return at;
}

hn_chunk *hn_mempool_get(hn_mempool *p, int64_t bytes) {
    int64_t rounded;
    int cls = class_of(bytes, &rounded);
    HN_ASSERT(cls < HN_POOL_CLASSES);
    hn_chunk *c = p->free[cls];
    if (c) {
        p->free[cls] = c->next;
        c->next = NULL;
    } else {
        char *at = carve(p, rounded);
        c = hn_bump_alloc(&p->descriptors, sizeof *c);
        *c = (hn_chunk){at, rounded, cls, NULL};
    }
    p->now += c->bytes;
    unpoison(c->p, bytes);
    return c;
}

void hn_mempool_put(hn_mempool *p, hn_chunk *c) {
    if (!c) return;
    c->next = p->free[c->cls];
    p->free[c->cls] = c;
    p->now -= c->bytes;
    poison(c->p, c->bytes);
}

void hn_mempool_rewind(hn_mempool *p) {
    for (int64_t i = 0; i < p->blocks.n; i++) {
        poison(p->blocks.v[i].p, p->blocks.v[i].used);
        p->blocks.v[i].used = 0;
    }
    hn_bump_rewind(&p->descriptors);
    memset(p->free, 0, sizeof p->free);
    p->now = p->carved = 0;
}
