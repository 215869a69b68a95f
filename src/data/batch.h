/* batch.h - how windows are numbered: shared by batch.c, mix.c and lesson.c. */
#ifndef HN_BATCH_H
#define HN_BATCH_H
#include "data/data.h"

typedef struct hn_run { int64_t start, n, first, windows; int32_t span; } hn_run;     /* first: number of its first window (or start) */
/* A source's windows are numbered first … first + total; of each HN_MIX windows `quota` are its own, at the places from `before` on. */
typedef struct hn_walk { int64_t first, total, quota, before; hn_shuffle order; } hn_walk;
enum { HN_MIX = 1024 };
typedef struct hn_lesson { double hard; int64_t start, n; } hn_lesson;                /* a window of a curriculum */

struct hn_batches {
    const hn_tokens *t;
    int64_t B, T, total;         /* total: windows of an epoch, or starts */
    bool epochs;
    uint64_t seed;
    hn_run *runs; int64_t n_runs;
    hn_walk *walks; int64_t n_walks;   /* one, or one for each source */
    int32_t *owner, *rank;       /* (HN_MIX) of several walks: whose a window is, and which of its own */
    hn_lesson *lessons; int64_t n_lessons;   /* easiest first */
    int64_t learning;            /* windows that the curriculum lasts for */
};

uint64_t hn_batches_draw(const hn_batches *b, int64_t epoch, uint64_t index);
int64_t hn_batches_below(uint64_t r, int64_t n);         /* uniform 0 … n−1 from a draw */
hn_walk *hn_walk_of(hn_batches *b, int64_t *window);     /* whose window it is; *window becomes the number among its own */
int64_t hn_lesson_at(const hn_batches *b, int64_t window, int64_t *len);
#endif
