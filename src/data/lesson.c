/* lesson.c - a curriculum: the first windows of a training come from the easiest text alone. Bengio et al. 2009, "Curriculum learning" (ICML).
 *
 * A window is as hard as the mean of −ln of its tokens' frequencies; window g of N is drawn with equal chance from the easiest share
 * √(g(1 − c²)/N + c²), c = 0.01 (Platanios et al. 2019, arXiv:1903.09848, equations 1, 4 and 7); from N on all is as without it.
 * Weights of sources (mix.c) hold from N on only. */
#include "data/batch.h"
#include <math.h>
#include <stdlib.h>

static const double FIRST = 0.01;

static int by_hardness(const void *x, const void *y) {
    const hn_lesson *a = x, *b = y;
    return a->hard != b->hard ? (a->hard < b->hard ? -1 : 1) : (a->start > b->start) - (a->start < b->start);
}

void hn_batches_grow(hn_arena *a, hn_batches *b, int64_t batches) {
    hn_arena *scratch = hn_arena_new(a);
    int64_t *count = hn_new_n(scratch, int64_t, b->t->vocab + 1), n = 0;
    for (int64_t i = 0; i < b->t->n; i++) count[hn_token_at(b->t, i)]++;
    for (int64_t i = 0; i < b->n_runs; i++) n += HN_MAX((b->runs[i].n - 1) / b->T, 1);
    b->lessons = hn_new_n(a, hn_lesson, n);
    for (int64_t i = 0; i < b->n_runs; i++) {
        const hn_run *r = &b->runs[i];
        for (int64_t k = 0; k < HN_MAX((r->n - 1) / b->T, 1); k++) {
            hn_lesson *l = &b->lessons[b->n_lessons++];
            *l = (hn_lesson){ .start = r->start + k * b->T, .n = HN_MIN(b->T + 1, r->n - k * b->T) };
            for (int64_t j = 0; j < l->n; j++) l->hard -= log((double)count[hn_token_at(b->t, l->start + j)] / (double)b->t->n) / (double)l->n;
        }
    }
    qsort(b->lessons, (size_t)b->n_lessons, sizeof *b->lessons, by_hardness);
    b->learning = batches * b->B;
    hn_arena_free(scratch);
}

int64_t hn_lesson_at(const hn_batches *b, int64_t g, int64_t *len) {
    double share = sqrt((double)g * (1 - FIRST * FIRST) / (double)b->learning + FIRST * FIRST);
    int64_t admitted = HN_MIN(HN_MAX((int64_t)(share * (double)b->n_lessons), b->B), b->n_lessons);
    const hn_lesson *l = &b->lessons[hn_batches_below(hn_batches_draw(b, 0, UINT64_C(1) << 62 | (uint64_t)g), admitted)];
    *len = l->n;
    return l->start;
}
