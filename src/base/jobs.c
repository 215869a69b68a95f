/* jobs.c - whole jobs side by side: each on a thread of its own, each failing alone.
 *
 * Jobs are taken in order of their number. The error that the parent gets is that of the failed job with the lowest
 * number, so it does not depend on timing. A stop of the parent lets running jobs end by themselves and starts no more. */
#include "base/job.h"

typedef struct side {
    hone_job *parent;
    int64_t n;
    bool (*fn)(hone_job *job, void *arg, int64_t i);
    void *arg;
    _Atomic int64_t next;
    pthread_mutex_t lock;               /* guards what follows */
    int64_t failed, done;               /* lowest failed number, or n; how many came to an end */
    hone_job *error;                    /* a job without memory or threads, only to keep the error in */
} side;

typedef struct body { side *s; hone_job *job; int64_t i; } body;

static bool run_body(void *arg) {
    body *b = arg;
    return b->s->fn(b->job, b->s->arg, b->i);
}

static void note(side *s, int64_t i, bool ok, const hone_job *job) {
    pthread_mutex_lock(&s->lock);
    s->done++;
    if (!ok && i < s->failed) {
        s->failed = i;
        hone_error_clear(s->error);
        if (job && job->code) hn_error_copy(s->error, job);
        else hn_fail(s->error, job ? HONE_E_INTERNAL : HONE_E_MEMORY,
                     &(hn_why){ .what = job ? "a job failed without saying why" : "no memory for another job" });
    }
    pthread_mutex_unlock(&s->lock);
}

static void *side_main(void *arg) {
    side *s = arg;
    for (int64_t i; !hn_stopped(s->parent) && (i = atomic_fetch_add(&s->next, 1)) < s->n;) {
        hone_job *job = hone_job_new(s->parent, 1);
        body b = { s, job, i };
        bool ok = job && hn_try(job, run_body, &b);
        note(s, i, ok, job);
        hone_close(job);
    }
    return NULL;
}

static void *thread_main(void *arg) {
    hn_thread_setup();
    return side_main(arg);
}

bool hn_jobs_run(hone_job *parent, int64_t n, int side_by_side, bool (*fn)(hone_job *job, void *arg, int64_t i), void *arg) {
    if (n <= 0) return true;
    hn_arena *scratch = hn_arena_new(hn_job_arena(parent));
    int64_t threads = HN_MIN(HN_MAX(side_by_side, 1), n), started = 0;
    pthread_t *ids = hn_new_n(scratch, pthread_t, threads);
    side s = { .parent = parent, .n = n, .fn = fn, .arg = arg, .failed = n, .error = hn_new(scratch, hone_job) };
    pthread_mutex_init(&s.lock, NULL);
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 8 << 20);      /* as on the main thread, whatever `ulimit -s` says */
    while (threads > 1 && started < threads && !pthread_create(&ids[started], &attr, thread_main, &s)) started++;
    if (!started) side_main(&s);                    /* one at a time, or no thread to be had: here */
    for (int64_t i = 0; i < started; i++) pthread_join(ids[i], NULL);
    pthread_attr_destroy(&attr);
    pthread_mutex_destroy(&s.lock);
    hn_error_copy(parent, s.error);
    bool ok = s.failed == n && s.done == n;
    if (s.failed == n && s.done < n) hn_fail(parent, HONE_E_INTERRUPTED, &(hn_why){ .what = "stopped before all was done" });
    hn_arena_free(scratch);
    return ok;
}
