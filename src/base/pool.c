/* pool.c - N-1 threads beside the caller, who works too. Tasks are numbered; each thread has a share of them that follow one another, takes
 * these in order by an atomic counter, and then what the others have left. So where the tasks of one operator after another are the same
 * rows, a thread finds in its own caches what it has made.
 *
 * What is done depends on the tasks alone, never on who does them: callers cut work by problem size, so results are the
 * same for any number of threads. One word of state says whether a run is open, its generation and how many workers are
 * inside; a worker that wakes late finds the run closed and goes back to sleep, so the caller never waits for a thread
 * that the system has not scheduled yet. Threads spin for a few microseconds before they sleep: the operators of a
 * training step follow each other closely. Limits: a run from inside a task, or while another job's run holds the pool, is inline. */
#include "base/job.h"
#include <errno.h>
#include <stdlib.h>

#define SPIN_SECONDS 20e-6
#define INSIDE_MASK 0xFFFFu             /* low 16 bits: workers inside */
#define OPEN 0x10000u
#define GENERATION 0x20000u             /* one generation */

struct hn_pool {
    int n;                              /* threads, the caller included */
    bool spin;                          /* not where threads outnumber cores */
    pthread_mutex_t run_lock;
    _Atomic uint64_t state;
    void (*fn)(void *arg, int64_t task, int worker);
    void *arg;
    atomic_int sleepers;                /* workers asleep, or about to be */
    atomic_bool caller_sleeps, quit;
    pthread_mutex_t lock;
    pthread_cond_t work, done;
    struct worker {
        hn_pool *pool;
        pthread_t thread;
        int id;
        int64_t end;                    /* its share: the tasks before this from next on */
        _Alignas(64) _Atomic int64_t next;
    } workers[];                        /* the caller's is the first */
};

static _Thread_local const hn_pool *inside_of;  /* the pool whose task this thread runs */
static _Thread_local int inside_id;

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

static void work_off(hn_pool *p, int id) {
    const hn_pool *outer = inside_of;
    int outer_id = inside_id;
    inside_of = p;
    inside_id = id;
    for (int i = id, left = p->n; left > 0; left--, i = i + 1 == p->n ? 0 : i + 1) {
        struct worker *w = &p->workers[i];
        if (i != id && atomic_load_explicit(&w->next, memory_order_relaxed) >= w->end) continue;
        for (int64_t t; (t = atomic_fetch_add_explicit(&w->next, 1, memory_order_relaxed)) < w->end;) p->fn(p->arg, t, id);
    }
    inside_of = outer;
    inside_id = outer_id;
}

static bool fresh(hn_pool *p, uint64_t seen, uint64_t *state) {
    *state = atomic_load(&p->state);
    return ((*state & OPEN) && (*state & ~(uint64_t)(INSIDE_MASK | OPEN)) != seen) || atomic_load(&p->quit);
}

/* Waits for a run that this worker has not seen. */
static uint64_t await(hn_pool *p, uint64_t seen) {
    uint64_t s;
    if (p->spin)
        for (double end = hn_now() + SPIN_SECONDS; hn_now() < end;)
            for (int i = 0; i < 16; i++, relax())
                if (fresh(p, seen, &s)) return s;
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    while (!fresh(p, seen, &s)) pthread_cond_wait(&p->work, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
    return s;
}

static void *worker_main(void *arg) {
    struct worker *w = arg;
    hn_pool *p = w->pool;
    hn_thread_setup();
    hn_signals_hold();                  /* for good: the pool's users take them */
    for (uint64_t seen = 0;;) {
        uint64_t s = await(p, seen);
        if (atomic_load(&p->quit)) return NULL;
        if (!atomic_compare_exchange_strong(&p->state, &s, s + 1)) continue;
        seen = s & ~(uint64_t)(INSIDE_MASK | OPEN);
        work_off(p, w->id);
        s = atomic_fetch_sub(&p->state, 1) - 1;
        if (!(s & (OPEN | INSIDE_MASK)) && atomic_load(&p->caller_sleeps)) {
            pthread_mutex_lock(&p->lock);
            pthread_cond_signal(&p->done);
            pthread_mutex_unlock(&p->lock);
        }
    }
}

static void run_inline(int64_t tasks, void (*fn)(void *arg, int64_t task, int worker), void *arg, int worker) {
    for (int64_t t = 0; t < tasks; t++) fn(arg, t, worker);
}

void hn_pool_run(hn_pool *p, int64_t tasks, void (*fn)(void *arg, int64_t task, int worker), void *arg) {
    if (tasks <= 0) return;
    int me = p && inside_of == p ? inside_id : 0;
    if (!p || tasks == 1 || inside_of || pthread_mutex_trylock(&p->run_lock)) {
        run_inline(tasks, fn, arg, me);
        return;
    }
    p->fn = fn;
    p->arg = arg;
    for (int i = 0; i < p->n; i++) {
        struct worker *w = &p->workers[i];
        w->end = tasks / p->n * (i + 1) + HN_MIN(tasks % p->n, i + 1);
        atomic_store_explicit(&w->next, tasks / p->n * i + HN_MIN(tasks % p->n, i), memory_order_relaxed);
    }
    atomic_store(&p->state, ((atomic_load(&p->state) & ~(uint64_t)(INSIDE_MASK | OPEN)) + GENERATION) | OPEN);
    if (atomic_load(&p->sleepers)) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->work);
        pthread_mutex_unlock(&p->lock);
    }
    work_off(p, 0);
    uint64_t s = atomic_fetch_and(&p->state, ~(uint64_t)OPEN) & ~(uint64_t)OPEN;
    if ((s & INSIDE_MASK) && p->spin)
        for (double end = hn_now() + SPIN_SECONDS; (s & INSIDE_MASK) && hn_now() < end;)
            for (int i = 0; i < 16 && (s & INSIDE_MASK); i++, relax()) s = atomic_load(&p->state);
    if (s & INSIDE_MASK) {
        pthread_mutex_lock(&p->lock);
        atomic_store(&p->caller_sleeps, true);
        while (atomic_load(&p->state) & INSIDE_MASK) pthread_cond_wait(&p->done, &p->lock);
        atomic_store(&p->caller_sleeps, false);
        pthread_mutex_unlock(&p->lock);
    }
    pthread_mutex_unlock(&p->run_lock);
}

int hn_pool_threads(const hn_pool *p) { return p ? p->n : 1; }

hn_pool *hn_pool_open(int threads) {
    if (threads > 1024) threads = 1024;
    size_t bytes = sizeof(hn_pool) + (size_t)HN_MAX(threads, 1) * sizeof(struct worker);
    hn_pool *p = threads > 1 ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;
    if (!p) return NULL;
    memset(p, 0, bytes);
    p->n = 1;
    p->spin = threads <= hn_cpu_cores();
    pthread_mutex_init(&p->run_lock, NULL);
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->work, NULL);
    pthread_cond_init(&p->done, NULL);
    for (; p->n < threads; p->n++) {
        struct worker *w = &p->workers[p->n];
        w->pool = p;
        w->id = p->n;
        if (pthread_create(&w->thread, NULL, worker_main, w)) break;
    }
    return p;
}

void hn_pool_close(hn_pool *p) {
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->quit, true);
    pthread_cond_broadcast(&p->work);
    pthread_mutex_unlock(&p->lock);
    for (int i = 1; i < p->n; i++) pthread_join(p->workers[i].thread, NULL);
    pthread_mutex_destroy(&p->run_lock);
    pthread_mutex_destroy(&p->lock);
    pthread_cond_destroy(&p->work);
    pthread_cond_destroy(&p->done);
    free(p);
}
