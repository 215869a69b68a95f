/* hone/base.h - jobs, errors, events: what every user of the library touches first.
 *
 * A *job* owns memory, one error and the place where events go. The first job (hone_open) also owns the
 * thread pool. Jobs made from it share the pool and the sink, but fail alone. A job is used by one thread
 * at a time; several jobs may run side by side. */
#ifndef HONE_BASE_H
#define HONE_BASE_H
#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define HONE_API __attribute__((visibility("default")))
#define HONE_CHECK __attribute__((warn_unused_result))
#define HONE_VERSION "0.1.0"

/* Every error code, its exit status and its HTTP status: src/base/err.def. */
typedef enum hone_code {
    HONE_OK,
    HONE_E_USAGE,       /* command line: unknown command, flag or argument */
    HONE_E_KEY,         /* recipe: unknown key */
    HONE_E_VALUE,       /* recipe: value of the wrong type or out of bounds */
    HONE_E_SYNTAX,      /* recipe: not YAML */
    HONE_E_DATA,        /* a data file is unusable */
    HONE_E_MODEL,       /* a model, tokenizer or checkpoint file is unusable */
    HONE_E_IO,          /* the system refused to read or write */
    HONE_E_SPACE,       /* disk full */
    HONE_E_MEMORY,      /* memory refused, or the plan needs more than there is */
    HONE_E_SHAPE,       /* operator: shapes do not fit */
    HONE_E_NUMERIC,     /* NaN or infinity where a number was needed */
    HONE_E_BUSY,        /* another process holds the folder or the ledger */
    HONE_E_INTERRUPTED, /* Ctrl-C or SIGTERM; state saved */
    HONE_E_INTERNAL,    /* our own bug */
    HONE_E_COUNT
} hone_code;

typedef enum hone_event_type { HONE_EVENT_LOG, HONE_EVENT_WARNING, HONE_EVENT_METRIC, HONE_EVENT_PROGRESS } hone_event_type;

/* One thing said. Pointers live for the duration of the callback. Unused numbers are NaN, counts -1. */
typedef struct hone_event {
    hone_event_type type;
    const char *what;           /* log and warning: the sentence. metric: its name. progress: the activity ("train") */
    double value;               /* metric */
    int64_t step;               /* metric, progress: done so far */
    int64_t total;              /* progress: out of, or -1 */
    double rate;                /* progress: units per second, or NaN */
    const char *unit;           /* of the rate: "tok" */
    double loss;                /* progress: latest loss, or NaN */
} hone_event;

typedef struct hone_job hone_job;

typedef struct hone_options {
    int threads;                /* 0: one per core */
    uint64_t seed;
    void (*on_event)(void *user, const hone_event *e);  /* may be called from any thread, one at a time; NULL: silence */
    void *user;
} hone_options;

/* Opens a root job. NULL only if memory is refused. options may be NULL. */
HONE_API hone_job *hone_open(const hone_options *options);
/* A job beneath parent: shares pool and sink, has its own memory, error and stop flag. threads: 1 keeps its work on the
 * calling thread (for several trainings side by side), 0 inherits the pool. NULL if memory is refused. */
HONE_API hone_job *hone_job_new(hone_job *parent, int threads);
/* Closes a job, the jobs beneath it, and everything that they own. NULL is allowed. */
HONE_API void hone_close(hone_job *job);

HONE_API hone_code hone_error_code(const hone_job *job);
/* The whole message with place, what was wanted and found, and a hint; "" when all is well. Lives until the job's next error. */
HONE_API const char *hone_error_message(const hone_job *job);
HONE_API void hone_error_clear(hone_job *job);
HONE_API int hone_code_exit_status(hone_code code);
HONE_API int hone_code_http_status(hone_code code);
HONE_API const char *hone_code_name(hone_code code);

/* Asks the job to stop after its present step. Safe in a signal handler and from any thread. */
HONE_API void hone_stop(hone_job *job);
HONE_API const char *hone_version(void);

#ifdef __cplusplus
}
#endif
#endif
