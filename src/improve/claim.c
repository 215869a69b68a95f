/* claim.c - this process's part in a run that others may work on, too: who it is, and the thread that lets its claims beat.
 *
 * The thread has a job and a door to the ledger of its own. A beat that fails is not told: the next one comes, and if none does, others take
 * over what was claimed, which costs them time and nothing else. When the run is closed the claims are given back. */
#include "improve/run.h"

#include <pthread.h>
#include <time.h>

enum { BEAT_SECONDS = 2 };

struct hn_claims {
    hone_job *job; /* a root of its own: it must outlive the run's arena by its last word */
    const char *path, *owner;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stop;
};

static bool beat(void *arg) {
    hn_claims *c = arg;
    hn_arena *a = hn_job_arena(c->job);
    hn_job_quiet(c->job);
    hn_ledger *l = hn_ledger_open(a, c->path, false);
    if (!l) return false;
    pthread_mutex_lock(&c->lock);
    while (!c->stop) {
        struct timespec at;
        clock_gettime(CLOCK_REALTIME, &at);
        at.tv_sec += BEAT_SECONDS;
        pthread_cond_timedwait(&c->wake, &c->lock, &at);
        if (c->stop) break;
        pthread_mutex_unlock(&c->lock);
        if (!hn_ledger_claims_beat(l, c->owner)) hone_error_clear(c->job);
        pthread_mutex_lock(&c->lock);
    }
    pthread_mutex_unlock(&c->lock);
    return hn_ledger_claims_drop(l, c->owner);
}

static void *beat_main(void *arg) {
    hn_claims *c = arg;
    (void)!hn_try(c->job, beat, c);
    return NULL;
}

static void close_claims(void *arg) {
    hn_claims *c = arg;
    pthread_mutex_lock(&c->lock);
    c->stop = true;
    pthread_cond_signal(&c->wake);
    pthread_mutex_unlock(&c->lock);
    pthread_join(c->thread, NULL);
    hone_close(c->job);
    pthread_cond_destroy(&c->wake);
    pthread_mutex_destroy(&c->lock);
}

bool hn_claims_open(hn_runner *r) {
    hn_claims *c = hn_new(r->a, hn_claims);
    *c = (hn_claims){ .path = r->ledger_at, .owner = hn_claim_owner(r->a), .lock = PTHREAD_MUTEX_INITIALIZER,
                      .wake = PTHREAD_COND_INITIALIZER };
    if (!hn_ledger_claims_begin(r->ledger)) return false;
    if (!(c->job = hone_open(&(hone_options){ .threads = 1 }))) return HN_FAIL(r->a, HONE_E_MEMORY, .what = "no memory for another job");
    if (pthread_create(&c->thread, NULL, beat_main, c)) {
        hone_close(c->job);
        return HN_FAIL(r->a, HONE_E_IO, .what = "no thread can be made", .hint = "Raise the limit on processes (ulimit -u).");
    }
    hn_defer(r->a, close_claims, c);
    r->owner = c->owner;
    return true;
}

bool hn_end_claim(hn_runner *r, json_t **result) {
    for (;; hn_nap()) {
        hn_arena *a = hn_arena_new(r->a);
        bool mine, ok = hn_ledger_claim(a, r->ledger, r->run, "end", r->owner, &mine) && hn_ledger_run_done(r->a, r->ledger, r->run, &r->ended, result);
        hn_arena_free(a);
        if (!ok || mine || r->ended) return ok;
        if (hn_stopped(r->a->job)) return HN_FAIL(r->a, HONE_E_INTERRUPTED, .what = "stopped while another process was ending the run");
    }
}

void hn_nap(void) { nanosleep(&(struct timespec){ 0, 200000000 }, NULL); }
