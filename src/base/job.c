/* job.c - opening, nesting, stopping and closing of jobs.
 *
 * hone_open makes a root with the pool and the sink; hone_job_new makes jobs beneath it, from any thread. A job that is
 * closed closes those beneath it first. Only hone_stop and hn_stopped touch a job from foreign threads. */
#include "base/job.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

void omp_set_num_threads(int n);        /* libgomp: oneDNN's own threading; its header comes with the compiler, not with the system */
void hn_fault_from_environment(void);

void hn_thread_setup(void) { omp_set_num_threads(1); }

static hone_job *job_make(hone_job *parent) {
    hone_job *job = calloc(1, sizeof *job);
    if (!job) return NULL;
    job->parent = parent;
    job->root = parent ? parent->root : job;
    job->arena = hn_arena_root(job);
    if (!job->arena) { free(job); return NULL; }
    return job;
}

hone_job *hone_open(const hone_options *options) {
    static const hone_options none;
    if (!options) options = &none;
    hn_fault_from_environment();
    json_object_seed(0);                /* jansson seeds its hash lazily, and not safely from two threads */
    hone_job *job = job_make(NULL);
    if (!job) return NULL;
    job->seed = options->seed;
    job->on_event = options->on_event;
    job->user = options->user;
    pthread_mutex_init(&job->tree_lock, NULL);
    pthread_mutexattr_t attr;           /* recursive: a sink may itself say something */
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&job->sink_lock, &attr);
    pthread_mutexattr_destroy(&attr);
    hn_thread_setup();
    job->pool = hn_pool_open(options->threads > 0 ? options->threads : hn_cpu_cores());
    return job;
}

hone_job *hone_job_new(hone_job *parent, int threads) {
    if (hn_fault_hit(HN_FAULT_ALLOC)) return NULL;
    hone_job *job = job_make(parent);
    if (!job) return NULL;
    job->seed = parent->seed;
    job->pool = threads == 1 ? NULL : parent->pool;
    pthread_mutex_lock(&job->root->tree_lock);
    job->next = parent->first;
    if (parent->first) parent->first->prev = job;
    parent->first = job;
    pthread_mutex_unlock(&job->root->tree_lock);
    return job;
}

/* ---- stopping ---- */

static _Atomic(hone_job *) signal_job;  /* the one that Ctrl-C stops */
static volatile sig_atomic_t interrupts;

void hone_stop(hone_job *job) {
    if (job) atomic_store(&job->stop, 1);
}

bool hn_stopped(const hone_job *job) {
    for (; job; job = job->parent)
        if (atomic_load_explicit(&job->stop, memory_order_relaxed)) return true;
    return false;
}

static void on_signal(int sig) {
    int kept = errno;
    if (sig == SIGINT && interrupts++) _exit(130);
    hone_stop(atomic_load(&signal_job));
    errno = kept;
}

/* No SA_RESTART: a prompt that waits for a line must wake up. Our own reads and writes go on after EINTR. */
void hn_stop_from_signals(hone_job *job) {
    interrupts = 0;
    atomic_store(&signal_job, job);
    struct sigaction act = { .sa_handler = on_signal };
    sigemptyset(&act.sa_mask);
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    struct sigaction was;               /* the terminal closed; nohup's wish that this be no matter stands */
    if (!sigaction(SIGHUP, NULL, &was) && was.sa_handler != SIG_IGN) sigaction(SIGHUP, &act, NULL);
}

/* ---- closing ---- */

void hone_close(hone_job *job) {
    if (!job) return;
    hone_job *self = job;
    if (atomic_compare_exchange_strong(&signal_job, &self, NULL)) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        struct sigaction was;
        if (!sigaction(SIGHUP, NULL, &was) && was.sa_handler == on_signal) signal(SIGHUP, SIG_DFL);
    }
    while (job->first) hone_close(job->first);          /* takes itself off the list */
    hn_arena_free(job->arena);
    if (job->parent) {
        pthread_mutex_lock(&job->root->tree_lock);
        if (job->prev) job->prev->next = job->next; else job->parent->first = job->next;
        if (job->next) job->next->prev = job->prev;
        pthread_mutex_unlock(&job->root->tree_lock);
    } else {
        hn_pool_close(job->pool);
        pthread_mutex_destroy(&job->tree_lock);
        pthread_mutex_destroy(&job->sink_lock);
    }
    free(job);
}

hn_arena *hn_job_arena(hone_job *job) { return job->arena; }
hn_pool *hn_job_pool(hone_job *job) { return job->pool; }
uint64_t hn_job_seed(const hone_job *job) { return job->seed; }
const char *hone_version(void) { return HONE_VERSION; }
