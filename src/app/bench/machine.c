/* machine.c - the limits of this machine as they are now: multiply-adds and bytes read from memory, by one thread and by all.
 *
 * Each is the best of many short trials: a busy neighbour only ever takes away. Every thread has the same work, so the rate of all is that
 * of the slowest. Limits: f32; reading of a block several times larger than the last cache, which the system may or may not give huge pages. */
#include "app/bench/bench.h"
#include "tensor/peak.h"

enum { ROUNDS = 40000, TRIALS = 25, BLOCK = 1 << 18 /* floats */, BLOCKS = 256 };

typedef struct work {
    const hn_peak *p;
    const float *data;
    _Atomic int sink;           /* what is computed must be wanted by someone */
} work;

static void fma_task(void *arg, int64_t task, int worker) {
    work *w = arg;
    atomic_fetch_add(&w->sink, w->p->fma(ROUNDS, 0.5f) > 0);
}
static void read_task(void *arg, int64_t task, int worker) {
    work *w = arg;
    atomic_fetch_add(&w->sink, w->p->read(w->data + task * BLOCK, BLOCK) > 0);
}

static double best_rate(hn_pool *pool, int64_t tasks, void (*fn)(void *, int64_t, int), work *w, double amount, int trials) {
    double best = 0;
    for (int i = 0; i < trials; i++) {
        double began = hn_now();
        hn_pool_run(pool, tasks, fn, w);
        best = HN_MAX(best, amount / (hn_now() - began));
    }
    return best;
}

void bench_measure_machine(bench *b) {
    hn_arena *a = hn_arena_new(b->a);
    hn_pool *pool = hn_job_pool(b->a->job), *one[2] = { NULL, pool };
    int64_t floats = (int64_t)BLOCK * BLOCKS;
    float *data = hn_alloc_large(a, floats * (int64_t)sizeof *data);
    work w = { .p = hn_peak_now(), .data = data };
    for (int64_t i = 0; i < floats; i += 1024) data[i] = 1; /* pages of our own, not the one page of zeros */
    for (int k = 0; k < 2; k++) {
        int64_t n = k ? hn_pool_threads(pool) : 1;
        b->machine.flops[k] = best_rate(one[k], n, fma_task, &w, (double)(n * ROUNDS * w.p->flops), TRIALS);
        b->machine.read[k] = best_rate(one[k], BLOCKS, read_task, &w, (double)floats * sizeof *data, TRIALS / 5);
    }
    hn_arena_free(a);
}
