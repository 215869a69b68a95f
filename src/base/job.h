/* job.h - the inside of a job; for src/base only.
 *
 * The tree of jobs is guarded by one mutex in the root: jobs are made and closed from many threads (hn_jobs_run),
 * while each single job is used by one thread at a time. Stop flags are lock-free atomics: a signal handler sets them. */
#ifndef HN_JOB_H
#define HN_JOB_H
#include "base/base.h"
#include <pthread.h>
#include <setjmp.h>

enum { HN_MESSAGE_MAX = 4096 };

/* One hn_try on the stack. The thread is kept: unwinding into another thread's stack would be a bug beyond repair. */
typedef struct hn_try_frame {
    jmp_buf at;
    pthread_t thread;
    struct hn_try_frame *outer;
} hn_try_frame;

struct hone_job {
    hone_job *root, *parent;
    hone_job *first, *next, *prev;      /* first child (the youngest); siblings; under root->tree_lock */
    hn_arena *arena;
    hn_pool *pool;                      /* NULL: inline. Owned by the root, shared by those beneath */
    hn_try_frame *tries;                /* innermost first */
    _Atomic int64_t live;               /* bytes held by the arenas */
    _Atomic int64_t asked;              /* how often they asked the system for some */
    atomic_int stop;
    bool quiet;                         /* only its warnings are told */
    hone_code code;
    char message[HN_MESSAGE_MAX];
    /* root only */
    uint64_t seed;
    void (*on_event)(void *user, const hone_event *e);
    void *user;
    pthread_mutex_t tree_lock, sink_lock;
};

/* Sets E_MEMORY and unwinds to the innermost hn_try of the job; without one, says so and aborts. */
_Noreturn void hn_memory_refused(hone_job *job, int64_t wanted);
hn_arena *hn_arena_root(hone_job *job);                  /* NULL if memory is refused */

hn_pool *hn_pool_open(int threads);                      /* NULL if no thread can be had: then work runs inline */
void hn_pool_close(hn_pool *p);
void hn_thread_setup(void);                              /* each thread that computes: OpenMP (inside oneDNN) must not fork further */

int64_t hn_sys_text(const char *path, char *buf, int64_t cap);   /* a small file of /proc or /sys, terminated; -1: unreadable */
#endif
