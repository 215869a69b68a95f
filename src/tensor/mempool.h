/* mempool.h - memory of one tape: chunks of size classes carved from large blocks, and a bump allocator for nodes.
 * Rewinding forgets all chunks and carves the same blocks anew, so the same sequence of requests gets the same addresses. */
#ifndef HN_TENSOR_MEMPOOL_H
#define HN_TENSOR_MEMPOOL_H
#include "base/base.h"

enum { HN_POOL_CLASSES = 512 };

typedef struct hn_chunk {
    char *p;
    int64_t bytes;
    int cls;
    struct hn_chunk *next;
} hn_chunk;
typedef struct hn_block {
    char *p;
    int64_t cap, used;
} hn_block;

/* Zeroed memory that lasts until the next rewind; its own blocks are kept. */
typedef struct hn_bump {
    hn_arena *a;
    HN_VEC(hn_block) blocks;
    int64_t cur;
} hn_bump;
void *hn_bump_alloc(hn_bump *b, int64_t bytes);
void hn_bump_rewind(hn_bump *b);

typedef struct hn_mempool {
    hn_arena *a;
    bool pretend; /* all the bookkeeping, no memory: chunks have p NULL */
    HN_VEC(hn_block) blocks;
    int64_t held; /* capacity of all blocks */
    hn_bump descriptors;
    hn_chunk *free[HN_POOL_CLASSES];
    int64_t now;          /* bytes in use, rounded to classes */
    int64_t carved, peak; /* bytes cut from blocks since the rewind; the most there ever were */
} hn_mempool;
void hn_mempool_init(hn_mempool *p, hn_arena *a, bool pretend);
hn_chunk *hn_mempool_get(hn_mempool *p, int64_t bytes); /* 64-byte aligned, not zeroed */
void hn_mempool_put(hn_mempool *p, hn_chunk *c);        /* NULL is allowed */
void hn_mempool_rewind(hn_mempool *p);
int64_t hn_mempool_class_bytes(int64_t bytes); /* what a request of so many bytes takes */
#endif
