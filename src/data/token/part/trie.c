/* trie.c - which entries of a list a text begins with, found in one walk over the text: a trie as a double array.
 *
 * A node is a place in one array. Its child by byte c stands at base ^ c, and that place names the node that it is the child of; so a step
 * is one look-up, and a place that belongs to another node is seen at once. Children lie within one block of 256 places, so no step
 * leaves the array. Building: nodes are placed first fit among the free places, a few hundred of which are tried before a new block is
 * taken. Source: Aoe 1989, "An efficient digital search algorithm by using a double-array structure"; base ^ c is darts-clone's. */
#include "data/token/part/part.h"
#include <stdlib.h>

enum { BLOCK = 256, TRIES = 128, NONE = -1 };

typedef struct { hn_bytes key; int32_t value; } entry;
typedef struct { int32_t node; int64_t lo, hi, depth; } waiting;               /* entries [lo, hi) share depth bytes and stand below node */
typedef struct { int32_t next, previous; } link;
typedef struct {
    hn_arena *a, *scratch;
    HN_VEC(hn_trie_node) node;
    HN_VEC(link) link;               /* of free places */
    int32_t free;
    entry *entry;
    HN_VEC(waiting) todo;
} building;

static int by_key(const void *x, const void *y) {
    const entry *p = x, *q = y;
    int c = memcmp(p->key.p, q->key.p, (size_t)HN_MIN(p->key.n, q->key.n));
    if (c) return c;
    if (p->key.n != q->key.n) return p->key.n < q->key.n ? -1 : 1;
    return (p->value > q->value) - (p->value < q->value);
}

static int32_t grow(building *b) {
    int32_t first = (int32_t)b->node.n;
    for (int32_t i = first; i < first + BLOCK; i++) {
        hn_push(b->a, &b->node, (hn_trie_node){ .value = NONE });
        hn_push(b->scratch, &b->link, (link){ b->free, NONE });
        if (b->free != NONE) b->link.v[b->free].previous = i;
        b->free = i;
    }
    return first;
}

static void take(building *b, int32_t at, int32_t parent) {
    link l = b->link.v[at];
    if (l.previous != NONE) b->link.v[l.previous].next = l.next;
    else b->free = l.next;
    if (l.next != NONE) b->link.v[l.next].previous = l.previous;
    b->node.v[at].parent = parent + 1;
}

static int32_t place(building *b, const uint8_t *c, int n) {
    int tries = 0;
    for (int32_t at = b->free; at != NONE && tries < TRIES; at = b->link.v[at].next, tries++) {
        int32_t base = at ^ c[0];
        int i = 1;
        while (i < n && !b->node.v[base ^ c[i]].parent) i++;
        if (i == n) return base;
    }
    return grow(b);
}

static void place_children(building *b, waiting w) {
    uint8_t c[BLOCK];
    int n = 0;
    int64_t lo = w.lo;
    for (; lo < w.hi && b->entry[lo].key.n == w.depth; lo++)
        if (b->node.v[w.node].value == NONE) b->node.v[w.node].value = b->entry[lo].value;      /* the lowest of equal keys */
    for (int64_t i = lo; i < w.hi; i++)
        if (!n || c[n - 1] != b->entry[i].key.p[w.depth]) c[n++] = b->entry[i].key.p[w.depth];
    if (!n) return;
    int32_t base = place(b, c, n);
    b->node.v[w.node].base = base;
    for (int i = 0; i < n; i++) {
        int64_t hi = lo;
        while (hi < w.hi && b->entry[hi].key.p[w.depth] == c[i]) hi++;
        take(b, base ^ c[i], w.node);
        hn_push(b->scratch, &b->todo, (waiting){ base ^ c[i], lo, hi, w.depth + 1 });
        lo = hi;
    }
}

hn_trie *hn_trie_new(hn_arena *a, const hn_bytes *key, const int32_t *value, int64_t n) {
    building b = { .a = a, .scratch = hn_arena_new(a), .free = NONE };
    int64_t m = 0;
    b.entry = hn_new_n(b.scratch, entry, n);
    for (int64_t i = 0; i < n; i++)
        if (key[i].n) b.entry[m++] = (entry){ key[i], value[i] };
    if (m) qsort(b.entry, (size_t)m, sizeof *b.entry, by_key);
    (void)grow(&b);
    take(&b, 0, -2);                                                            /* the root: nobody's child, and not free */
    hn_push(b.scratch, &b.todo, (waiting){ 0, 0, m, 0 });
    while (b.todo.n) place_children(&b, b.todo.v[--b.todo.n]);
    hn_trie *t = hn_new(a, hn_trie);
    *t = (hn_trie){ b.node.v, b.node.n };
    hn_arena_free(b.scratch);
    return t;
}
