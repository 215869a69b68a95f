/* event.c - the library never prints: it hands events to the sink of the root job, one at a time.
 *
 * The sink is called under a mutex, so it must not unwind. Texts are put together on the stack: saying something
 * allocates nothing, and so may be done anywhere but inside a pool task. Longer texts are cut at 4 KiB. */
#include "base/job.h"
#include <math.h>
#include <stdio.h>

void hn_job_quiet(hone_job *job) { job->quiet = true; }
bool hn_job_is_quiet(const hone_job *job) { return job->quiet; }

void hn_emit(hone_job *job, const hone_event *e) {
    hone_job *root = job->root;
    if (!root->on_event || (job->quiet && e->type != HONE_EVENT_WARNING)) return;
    pthread_mutex_lock(&root->sink_lock);
    root->on_event(root->user, e);
    pthread_mutex_unlock(&root->sink_lock);
}

static void say(hn_arena *a, hone_event_type type, const char *fmt, va_list args) {
    if (!a->job->root->on_event) return;
    char text[4096];
    vsnprintf(text, sizeof text, fmt, args);
    hn_emit(a->job, &(hone_event){ .type = type, .what = text, .value = NAN, .step = -1, .total = -1, .rate = NAN, .loss = NAN });
}

void hn_log(hn_arena *a, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    say(a, HONE_EVENT_LOG, fmt, args);
    va_end(args);
}

void hn_warn(hn_arena *a, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    say(a, HONE_EVENT_WARNING, fmt, args);
    va_end(args);
}

void hn_progress(hn_arena *a, const char *what, int64_t done, int64_t total, double rate, const char *unit, double loss) {
    hn_emit(a->job, &(hone_event){ .type = HONE_EVENT_PROGRESS, .what = what, .value = NAN, .step = done, .total = total, .rate = rate, .unit = unit, .loss = loss });
}

void hn_metric(hn_arena *a, const char *name, int64_t step, double value) {
    hn_emit(a->job, &(hone_event){ .type = HONE_EVENT_METRIC, .what = name, .value = value, .step = step, .total = -1, .rate = NAN, .loss = NAN });
}
