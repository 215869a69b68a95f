/* arena.c - memory and resources by lifetime.
 *
 * An arena hands out zeroed memory from blocks and gives everything back at once. It also owns things: child arenas
 * and deferred closers, kept in one list and let go last-made-first, so a thing may use whatever was made before it.
 * Pieces above 1 MiB are mapped singly: they return to the system as soon as they are let go.
 * From 2 MiB on huge pages are asked for: on Zen, two cores, a training step of 6 layers, width 384, context 256, batch 4 takes 1.06 times
 * as long without them (A B A B; from 4 MiB on); a training of 4 layers, width 128 holds 62.3 MiB at its peak, 60.8 without. The table of an
 * encoder is just 2 MiB: 0.36 MB of text on two threads took 10.1 ms when its pages came one by one, while both wait for the same lock;
 * 5.1 to 8.7 ms with it in one, by round (8.1 and 6.5 on one thread; the least of each).
 * hn_grow recycles outgrown blocks through free lists by power of two; a warm loop over a reset arena asks the system
 * for nothing but large pieces. hn_try makes no arena of its own: arenas made inside belong to the tree as always and go
 * with their parent (scratch arenas of an unwound call live until then).
 * Limits: one thread per arena. Under AddressSanitizer released memory is poisoned, with a gap behind each piece. */
#include "base/job.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HN_ASAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define HN_ASAN 1
#endif
#ifdef HN_ASAN
#include <sanitizer/asan_interface.h>
#define POISON(p, n) __asan_poison_memory_region(p, (size_t)(n))
#define UNPOISON(p, n) __asan_unpoison_memory_region(p, (size_t)(n))
enum { GAP = 16 };
#else
#define POISON(p, n) ((void)(p), (void)(n))
#define UNPOISON(p, n) ((void)(p), (void)(n))
enum { GAP = 0 };
#endif

enum {
    BLOCK_FIRST = 4096, BLOCK_MAX = 1 << 18,
    LARGE = 1 << 20,                    /* above this, a piece is mapped singly */
    HUGE_PAGE = 1 << 21,
    GROW_MIN_LOG2 = 6, GROW_CLASSES = 24
};

typedef struct block {
    struct block *next;
    int64_t size, used;                 /* of data */
    _Alignas(64) uint8_t data[];
} block;

/* Stands 64 bytes before the data of a mapped piece. */
typedef struct large {
    struct large *next, *prev;
    void *map;
    int64_t map_size;
} large;

typedef struct arena arena;
/* A thing let go with the arena: a deferred closer, or a child arena (fn NULL, p the child). */
typedef struct owned {
    struct owned *next, *prev;          /* next: made earlier */
    void (*fn)(void *);
    void *p;
} owned;

struct arena {
    hn_arena pub;
    arena *parent;
    owned as_child;                     /* our entry in the parent's list */
    owned *things;                      /* the youngest first */
    block *blocks, *current;
    large *larges;
    void *free_lists[GROW_CLASSES];     /* outgrown blocks of 2^(class + GROW_MIN_LOG2) bytes */
};
_Static_assert(sizeof(large) <= 64, "the header of a mapped piece fits before its data");

static arena *inside(hn_arena *a) { return (arena *)a; }

static void count(hone_job *job, int64_t bytes) {
    atomic_fetch_add_explicit(&job->live, bytes, memory_order_relaxed);
    if (bytes > 0) atomic_fetch_add_explicit(&job->asked, 1, memory_order_relaxed);
}

int64_t hn_memory_asked(const hone_job *job) { return atomic_load_explicit(&job->asked, memory_order_relaxed); }
int64_t hn_memory_live(const hone_job *job) { return atomic_load_explicit(&job->live, memory_order_relaxed); }

bool hn_mul(int64_t a, int64_t b, int64_t *out) {
    return a >= 0 && b >= 0 && !__builtin_mul_overflow(a, b, out);
}

/* ---- refusal and unwinding ---- */

_Noreturn void hn_memory_refused(hone_job *job, int64_t wanted) {
    char want[48], found[48];
    snprintf(want, sizeof want, "%lld bytes", (long long)wanted);
    snprintf(found, sizeof found, "%lld available", (long long)hn_memory_available());
    hn_fail(job, HONE_E_MEMORY, &(hn_why){ "memory refused", NULL, want, found, "Use a smaller batch, context or model, or stop other programs." });
    hn_try_frame *t = job->tries;
    if (!t || !pthread_equal(t->thread, pthread_self())) {
        fprintf(stderr, "hone: %s\nhone: no hn_try of this job stands on this thread; giving up\n", job->message);
        abort();
    }
    _longjmp(t->at, 1);
}

bool hn_try(hone_job *job, bool (*fn)(void *arg), void *arg) {
    hn_try_frame frame;
    frame.thread = pthread_self();
    frame.outer = job->tries;
    job->tries = &frame;
    bool ok = _setjmp(frame.at) == 0 && fn(arg);
    job->tries = frame.outer;
    return ok;
}

/* ---- mapped pieces ---- */

static void *large_new(arena *a, int64_t bytes, int64_t align) {
    int64_t head = HN_MAX(align, 64);
    bool huge = bytes >= HUGE_PAGE;
    int64_t size;
    if (head > 4096 || __builtin_add_overflow(bytes, head + 4095 + (huge ? HUGE_PAGE : 0), &size)) return NULL;
    size &= ~(int64_t)4095;
    uint8_t *map = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) return NULL;
    if (huge) {                         /* begin on a huge page: trim what was mapped too much */
        int64_t cut = (int64_t)(-(uintptr_t)map & (HUGE_PAGE - 1));
        if (cut) munmap(map, (size_t)cut);
        map += cut;
        if (cut < HUGE_PAGE) munmap(map + size - HUGE_PAGE, (size_t)(HUGE_PAGE - cut));
        size -= HUGE_PAGE;
        madvise(map, (size_t)size, MADV_HUGEPAGE);
    }
    uint8_t *data = map + head;
    large *l = (large *)(data - 64);
    *l = (large){ .next = a->larges, .map = map, .map_size = size };
    if (a->larges) a->larges->prev = l;
    a->larges = l;
    count(a->pub.job, size);
    return data;
}

static void large_free(arena *a, void *data) {
    large *l = (large *)((uint8_t *)data - 64);
    if (l->prev) l->prev->next = l->next; else a->larges = l->next;
    if (l->next) l->next->prev = l->prev;
    count(a->pub.job, -l->map_size);
    munmap(l->map, (size_t)l->map_size);
}

/* ---- blocks ---- */

static void *block_take(block *b, int64_t bytes, int64_t align) {
    uint8_t *p = (uint8_t *)(((uintptr_t)b->data + (uintptr_t)b->used + (uintptr_t)align - 1) & ~((uintptr_t)align - 1));
    if (p + bytes + GAP > b->data + b->size) return NULL;
    b->used = p + bytes + GAP - b->data;
    UNPOISON(p, bytes);
    return p;
}

static block *block_new(arena *a, int64_t at_least) {
    int64_t size = a->current ? HN_MIN(a->current->size * 2, BLOCK_MAX) : BLOCK_FIRST;
    size = HN_MAX(size, at_least);
    block *b = malloc(sizeof(block) + (size_t)size);
    if (!b) return NULL;
    *b = (block){ .size = size };
    POISON(b->data, size);
    count(a->pub.job, (int64_t)sizeof(block) + size);
    if (a->current) { b->next = a->current->next; a->current->next = b; } else a->blocks = b;
    return b;
}

/* Without fault injection; NULL if the system refuses. */
static void *take(arena *a, int64_t bytes, int64_t align) {
    if (bytes > LARGE || align > 4096) return large_new(a, bytes, align);
    for (block *b = a->current; b; b = b->next) {       /* blocks behind the current one are empty, kept by a reset */
        void *p = block_take(b, bytes, align);
        if (p) { a->current = b; return memset(p, 0, (size_t)bytes); }
    }
    block *b = block_new(a, bytes + align + GAP);
    if (!b) return NULL;
    a->current = b;
    return memset(block_take(b, bytes, align), 0, (size_t)bytes);
}

void *hn_alloc(hn_arena *pub, int64_t n, int64_t size, int64_t align) {
    arena *a = inside(pub);
    int64_t bytes;
    if (!hn_mul(n, size, &bytes)) hn_memory_refused(pub->job, INT64_MAX);
    HN_ASSERT(align > 0 && (align & (align - 1)) == 0);
    void *p = hn_fault_hit(HN_FAULT_ALLOC) ? NULL : take(a, bytes, align);
    if (!p) hn_memory_refused(pub->job, bytes);
    return p;
}

void *hn_alloc_large(hn_arena *pub, int64_t bytes) {
    void *p = bytes < 0 || hn_fault_hit(HN_FAULT_ALLOC) ? NULL : large_new(inside(pub), bytes, 64);
    if (!p) hn_memory_refused(pub->job, bytes);
    return p;
}

/* ---- growing ---- */

static int grow_class(int64_t bytes) {
    int log2 = bytes <= 1 ? 0 : 64 - __builtin_clzll((uint64_t)bytes - 1);
    return HN_MAX(log2, GROW_MIN_LOG2) - GROW_MIN_LOG2;
}

static int64_t grow_size(int64_t bytes) {               /* what hn_grow really takes for so many bytes */
    return bytes > LARGE ? bytes : (int64_t)1 << (grow_class(bytes) + GROW_MIN_LOG2);
}

void *hn_grow(hn_arena *pub, void *old, int64_t n, int64_t *cap, int64_t extra, int64_t size) {
    arena *a = inside(pub);
    int64_t want, bytes, bigger;
    if (extra < 0 || __builtin_add_overflow(n, extra, &want) || !hn_mul(want, size, &bytes)) hn_memory_refused(pub->job, INT64_MAX);
    if (want <= *cap) return old;
    if (hn_mul(*cap, 2 * size, &bigger) && bigger <= LARGE) bytes = HN_MAX(bytes, bigger);
    else if (!__builtin_add_overflow(*cap * size, *cap * size / 2, &bigger)) bytes = HN_MAX(bytes, bigger);   /* large: by half */
    bytes = bytes > LARGE ? HN_MAX(bytes, 2 * LARGE) : grow_size(bytes);   /* so cap * size alone tells large from small */
    int c = grow_class(bytes);
    uint8_t *p;
    if (bytes <= LARGE && a->free_lists[c]) {
        p = a->free_lists[c];
        UNPOISON(p, bytes);
        memcpy(&a->free_lists[c], p, sizeof(void *));
    } else p = hn_alloc(pub, bytes, 1, bytes > LARGE ? 64 : 16);
    if (n) memcpy(p, old, (size_t)(n * size));
    memset(p + n * size, 0, (size_t)(bytes > LARGE ? 0 : bytes - n * size));
    if (old && *cap * size > LARGE) large_free(a, old);
    else if (old) {
        int64_t old_bytes = grow_size(*cap * size);
        int k = grow_class(old_bytes);
        memcpy(old, &a->free_lists[k], sizeof(void *));
        a->free_lists[k] = old;
        POISON(old, old_bytes);
    }
    *cap = bytes / size;
    return p;
}

/* ---- ownership ---- */

static void own(arena *a, owned *o) {
    o->next = a->things;
    o->prev = NULL;
    if (a->things) a->things->prev = o;
    a->things = o;
}

static void disown(arena *a, owned *o) {
    if (o->prev) o->prev->next = o->next; else a->things = o->next;
    if (o->next) o->next->prev = o->prev;
}

/* A closer that cannot be registered is run at once, so the resource is not lost, and then memory is refused. */
void hn_defer(hn_arena *pub, void (*fn)(void *), void *p) {
    owned *o = hn_fault_hit(HN_FAULT_ALLOC) ? NULL : take(inside(pub), sizeof *o, _Alignof(owned));
    if (!o) {
        fn(p);
        hn_memory_refused(pub->job, sizeof *o);
    }
    o->fn = fn;
    o->p = p;
    own(inside(pub), o);
}

static arena *arena_make(hone_job *job, arena *parent) {
    arena *a = calloc(1, sizeof *a);
    if (!a) return NULL;
    a->pub.job = job;
    a->parent = parent;
    a->as_child.p = a;
    count(job, sizeof *a);
    if (parent) own(parent, &a->as_child);
    return a;
}

hn_arena *hn_arena_root(hone_job *job) {
    arena *a = arena_make(job, NULL);
    return a ? &a->pub : NULL;
}

hn_arena *hn_arena_new(hn_arena *parent) {
    arena *a = hn_fault_hit(HN_FAULT_ALLOC) ? NULL : arena_make(parent->job, inside(parent));
    if (!a) hn_memory_refused(parent->job, sizeof *a);
    return &a->pub;
}

static void let_go(arena *a) {
    while (a->things) {
        owned *o = a->things;
        if (!o->fn) { hn_arena_free(&((arena *)o->p)->pub); continue; }   /* takes itself off the list */
        disown(a, o);
        o->fn(o->p);
    }
    while (a->larges) large_free(a, (uint8_t *)a->larges + 64);
    memset(a->free_lists, 0, sizeof a->free_lists);
}

void hn_arena_reset(hn_arena *pub) {
    arena *a = inside(pub);
    let_go(a);
    for (block *b = a->blocks; b; b = b->next) {
        b->used = 0;
        POISON(b->data, b->size);
    }
    a->current = a->blocks;
}

void hn_arena_free(hn_arena *pub) {
    if (!pub) return;
    arena *a = inside(pub);
    let_go(a);
    for (block *b = a->blocks, *next; b; b = next) {
        next = b->next;
        count(pub->job, -((int64_t)sizeof(block) + b->size));
        UNPOISON(b->data, b->size);
        free(b);
    }
    if (a->parent) disown(a->parent, &a->as_child);
    count(pub->job, -(int64_t)sizeof *a);
    free(a);
}
