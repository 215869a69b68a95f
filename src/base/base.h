/* base.h - the ground every room stands on. Private umbrella of src/base.
 *
 * One parameter carries memory, error, events and threads: the arena. Every arena belongs to a job (a->job), so
 * a function that can fail or allocate takes `hn_arena *a` first and nothing else of the kind.
 *
 * Memory: hn_alloc never returns NULL. When the system refuses, the job's error becomes HONE_E_MEMORY and control
 * unwinds to the innermost hn_try of that job, whose arenas and deferred closers clean up (the idea of PostgreSQL's
 * elog and memory contexts). Every public entry point and every thread body stands inside an hn_try. Nothing may be
 * allocated while a mutex is held, nor inside a pool task. All other failures are ordinary: `bool`, false, job error set. */
#ifndef HN_BASE_H
#define HN_BASE_H
#include "hone/base.h"
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>

#define HN_CHECK __attribute__((warn_unused_result))
#define HN_PRINTF(f, v) __attribute__((format(printf, f, v)))
#define HN_LEN(x) ((int64_t)(sizeof(x) / sizeof((x)[0])))
#define HN_MIN(a, b) ((a) < (b) ? (a) : (b))
#define HN_MAX(a, b) ((a) > (b) ? (a) : (b))
/* For our own bugs only: prints expression and place to stderr and aborts. */
#define HN_ASSERT(x) ((x) ? (void)0 : hn_assert_failed(#x, __FILE__, __LINE__))
_Noreturn void hn_assert_failed(const char *expr, const char *file, int line);

/* ---- arena.c: lifetimes ---- */
typedef struct hn_arena hn_arena;
struct hn_arena { hone_job *job; /* the rest is arena.c's */ };

hn_arena *hn_job_arena(hone_job *job);                 /* the job's own arena: lives as long as the job */
uint64_t hn_job_seed(const hone_job *job);             /* from hone_options */
hn_arena *hn_arena_new(hn_arena *parent);              /* freed with its parent, or earlier by hn_arena_free */
void hn_arena_free(hn_arena *a);                       /* lets go of closers and children, last made first, then of blocks; NULL ok */
void hn_arena_reset(hn_arena *a);                      /* as free, but the arena itself stays usable */
void *hn_alloc(hn_arena *a, int64_t n, int64_t size, int64_t align);   /* zeroed; never NULL; n*size checked; > 1 MiB mapped singly */
#define hn_new(a, T) ((T *)hn_alloc(a, 1, sizeof(T), _Alignof(T)))
#define hn_new_n(a, T, n) ((T *)hn_alloc(a, n, sizeof(T), _Alignof(T)))
void *hn_alloc_large(hn_arena *a, int64_t bytes);      /* zeroed, 64-byte aligned, mapped singly, huge pages advised; for tensors */
void hn_defer(hn_arena *a, void (*fn)(void *), void *p);
int64_t hn_memory_live(const hone_job *job);           /* bytes held by the job's arenas */
int64_t hn_memory_asked(const hone_job *job);          /* how often they have asked the system for memory */
int64_t hn_rss_now(void), hn_rss_peak(void);           /* bytes, of the process */
int64_t hn_memory_available(void);                     /* bytes that may still be used: MemAvailable, cgroup and rlimit respected */
bool hn_mul(int64_t a, int64_t b, int64_t *out) HN_CHECK;   /* false on overflow or negative */
bool hn_try(hone_job *job, bool (*fn)(void *arg), void *arg) HN_CHECK;  /* fn's result, or false after an unwinding */

/* ---- err.c ---- */
typedef struct hn_why {
    const char *what;           /* the sentence: "unknown key 'modle.layers'" */
    const char *where;          /* "recipe.yaml:12", "model.safetensors: offset 8" */
    const char *wanted, *found; /* optional halves of "wanted …, found …" */
    const char *hint;           /* what to do */
} hn_why;
/* Sets the job's error (the first one stays until cleared) and returns false: `return HN_FAIL(a, HONE_E_DATA, .what = …);` */
bool hn_fail(hone_job *job, hone_code code, const hn_why *why);
#define HN_FAIL(a, code, ...) hn_fail((a)->job, code, &(hn_why){ __VA_ARGS__ })
/* The same of a file that is read: what is not there, a folder, or not ours to read is E_DATA. */
bool hn_fail_input(hone_job *job, const char *doing, const char *path);
bool hn_fail_errno(hone_job *job, const char *doing, const char *path);   /* from errno: ENOSPC/EDQUOT → E_SPACE, ENOMEM → E_MEMORY, else E_IO; names path */
void hn_error_copy(hone_job *to, const hone_job *from);
bool hn_stopped(const hone_job *job);                  /* was hone_stop called on it or on a job above? */
void hn_stop_from_signals(hone_job *job);              /* SIGINT and SIGTERM call hone_stop; a second SIGINT exits 130 at once */

/* ---- event.c ---- */
void hn_emit(hone_job *job, const hone_event *e);
void hn_job_quiet(hone_job *job);                      /* from now on only its warnings are told, not its progress */
bool hn_job_is_quiet(const hone_job *job);             /* one of many: what would be said of each of them is said once, by who began them */
void hn_log(hn_arena *a, const char *fmt, ...) HN_PRINTF(2, 3);
void hn_warn(hn_arena *a, const char *fmt, ...) HN_PRINTF(2, 3);
void hn_progress(hn_arena *a, const char *what, int64_t done, int64_t total, double rate, const char *unit, double loss);
void hn_metric(hn_arena *a, const char *name, int64_t step, double value);

typedef struct hn_bytes { const uint8_t *p; int64_t n; } hn_bytes;

/* ---- str.c: strings, growable buffers, maps ---- */
char *hn_fmt(hn_arena *a, const char *fmt, ...) HN_PRINTF(2, 3);
char *hn_strdup(hn_arena *a, const char *s);
char *hn_strndup(hn_arena *a, const char *s, int64_t n);
const char *hn_nearest(const char *word, const char *const *names, int64_t n);   /* at most 2 edits away, 1 for short words; else NULL */
bool hn_parse_i64(const char *s, int64_t *out) HN_CHECK;    /* whole string; k, M, G suffixes are not accepted */
bool hn_parse_u64(const char *s, uint64_t *out) HN_CHECK;
bool hn_parse_f64(const char *s, double *out) HN_CHECK;     /* locale-free; refuses nan, inf and trailing bytes */
char *hn_num(hn_arena *a, double x);                        /* shortest text that reads back the same; locale-free */
bool hn_utf8_valid(const uint8_t *p, int64_t n, int64_t *bad_at);
int hn_utf8_next(const uint8_t *p, int64_t n, uint32_t *cp);  /* bytes used (1 with cp=0xFFFD on a bad byte) */

/* Growable array of one type, owned by its arena: HN_VEC(int64_t) ids = {0}; hn_push(a, &ids, 7); ids.v[i], ids.n. */
#define HN_VEC(T) struct { T *v; int64_t n, cap; }
#define hn_push(a, vec, ...) (hn_vec_grow(a, vec, 1), (vec)->v[(vec)->n++] = (__VA_ARGS__))
#define hn_vec_grow(a, vec, extra) \
    ((vec)->n + (extra) > (vec)->cap ? (void)((vec)->v = hn_grow(a, (vec)->v, (vec)->n, &(vec)->cap, (extra), sizeof *(vec)->v)) : (void)0)
void *hn_grow(hn_arena *a, void *old, int64_t n, int64_t *cap, int64_t extra, int64_t size);  /* returns the outgrown block to the arena */
typedef HN_VEC(char) hn_buf;                               /* bytes; hn_buf_str gives a terminated string */
void hn_buf_put(hn_arena *a, hn_buf *b, const void *p, int64_t n);
void hn_buf_fmt(hn_arena *a, hn_buf *b, const char *fmt, ...) HN_PRINTF(3, 4);
const char *hn_buf_str(hn_arena *a, hn_buf *b);

typedef struct hn_map hn_map;                              /* bytes → int64_t; insertion order kept */
hn_map *hn_map_new(hn_arena *a);
bool hn_map_get(const hn_map *m, const void *key, int64_t n, int64_t *value);
void hn_map_put(hn_map *m, const void *key, int64_t n, int64_t value);      /* copies the key */
int64_t hn_map_count(const hn_map *m);
bool hn_map_at(const hn_map *m, int64_t i, hn_bytes *key, int64_t *value);  /* the i-th put; false past the last */
uint64_t hn_hash(const void *p, int64_t n, uint64_t seed);                  /* XXH3 64 */

/* ---- rng.c: Philox 4x32-10 (Salmon et al. 2011). The same (seed, stream, step, index) is the same number everywhere. ---- */
typedef enum hn_stream { HN_STREAM_INIT = 1, HN_STREAM_SHUFFLE, HN_STREAM_DROPOUT, HN_STREAM_SAMPLE, HN_STREAM_SPLIT,
                         HN_STREAM_SEARCH, HN_STREAM_BOOT, HN_STREAM_GYM, HN_STREAM_TEST } hn_stream;
void hn_philox(uint64_t seed, uint32_t stream, uint32_t step, uint64_t index, uint32_t out[4]);
typedef struct hn_rng { uint64_t seed; uint32_t stream, step; uint64_t index; uint32_t have[4]; int left; } hn_rng;
hn_rng hn_rng_new(uint64_t seed, hn_stream stream, uint32_t step);
uint32_t hn_rng_u32(hn_rng *r);
uint64_t hn_rng_u64(hn_rng *r);
int64_t hn_rng_below(hn_rng *r, int64_t n);               /* unbiased, 0 ≤ x < n */
double hn_rng_f64(hn_rng *r);                              /* [0,1) */
double hn_rng_normal(hn_rng *r);
void hn_rng_shuffle(hn_rng *r, int64_t *v, int64_t n);
void hn_rng_fill_normal(uint64_t seed, hn_stream stream, uint32_t step, float *out, int64_t n, double sd);   /* element i depends on i alone */

/* ---- pool.c: pthreads; tasks are numbered, taken by an atomic counter; a task must not allocate and must not fail ---- */
typedef struct hn_pool hn_pool;
hn_pool *hn_job_pool(hone_job *job);                       /* NULL: work runs inline */
int hn_pool_threads(const hn_pool *p);                     /* 1 for NULL */
void hn_pool_run(hn_pool *p, int64_t tasks, void (*fn)(void *arg, int64_t task, int worker), void *arg);
/* signals.c: between the two no handler runs on this thread, but for faults of its own. They nest; the pool's threads hold always. */
void hn_signals_hold(void);
void hn_signals_release(void);
/* Threads that each run a whole job (a training): fn(arg, i) for i < n, at most `side_by_side` at once, each under its own hn_try. */
bool hn_jobs_run(hone_job *parent, int64_t n, int side_by_side, bool (*fn)(hone_job *job, void *arg, int64_t i), void *arg) HN_CHECK;

/* ---- file.c: paths, whole files, maps, locks. New files are written beside, synced, renamed. ---- */
char *hn_path_join(hn_arena *a, const char *dir, const char *name);
const char *hn_path_base(const char *path);
bool hn_path_exists(const char *path), hn_path_is_dir(const char *path);
bool hn_no_file(hn_arena *a, hone_code code, const char *path);   /* false; "there is no such file or folder": the one wording for it */
const char *hn_share_path(hn_arena *a, const char *name);  /* NAME among what was installed with this program (PREFIX/share/hone), if it is there; else NULL */
bool hn_mkdirs(hn_arena *a, const char *dir) HN_CHECK;

bool hn_file_read(hn_arena *a, const char *path, int64_t max_bytes, hn_bytes *out) HN_CHECK;   /* a zero byte follows the last */
bool hn_file_map(hn_arena *a, const char *path, hn_bytes *out) HN_CHECK;                       /* read-only map; an empty file gives n = 0 */
typedef struct hn_writer hn_writer;                        /* path.tmp-PID, fsync, rename, fsync of the folder; discarded if not committed */
hn_writer *hn_writer_open(hn_arena *a, const char *path) HN_CHECK;
bool hn_write(hn_writer *w, const void *p, int64_t n) HN_CHECK;
bool hn_writer_commit(hn_writer *w) HN_CHECK;
bool hn_file_write(hn_arena *a, const char *path, const void *p, int64_t n) HN_CHECK;          /* open + write + commit */
bool hn_dir_sync(hn_arena *a, const char *dir) HN_CHECK;
bool hn_remove_tree(hn_arena *a, const char *dir) HN_CHECK;                                     /* never follows links */
bool hn_lock_dir(hn_arena *a, const char *dir) HN_CHECK;   /* dir/.lock by flock until a is freed; E_BUSY with the holder's pid */
/* Several processes in one folder: the first holds the lock alone until it shares it; those that join wait up to a minute for that. */
bool hn_lock_dir_first(hn_arena *a, const char *dir, int *fd) HN_CHECK;
void hn_lock_dir_share(int fd);
bool hn_lock_dir_join(hn_arena *a, const char *dir) HN_CHECK;
bool hn_append_line(hn_arena *a, const char *path, const char *line) HN_CHECK;                 /* O_APPEND, one write */
/* Streams of bytes from plain, .gz or .zst files, told apart by content. */
typedef struct hn_reader hn_reader;
hn_reader *hn_reader_open(hn_arena *a, const char *path) HN_CHECK;
bool hn_reader_read(hn_reader *r, void *p, int64_t n, int64_t *got) HN_CHECK;                  /* got 0: end */
uint64_t hn_file_hash(hn_bytes b);
double hn_now(void);                                       /* seconds, monotonic */
char *hn_time_utc(hn_arena *a);                            /* ISO 8601 */

/* ---- sha256.c: checksums that others wrote ---- */
typedef struct hn_sha256 { uint32_t h[8]; int64_t n; uint8_t part[64]; } hn_sha256;
hn_sha256 hn_sha256_new(void);
void hn_sha256_add(hn_sha256 *s, const void *bytes, int64_t n);
void hn_sha256_hex(hn_sha256 s, char out[65]);             /* s may be added to further */

/* ---- cpu.c ---- */
typedef enum hn_isa { HN_ISA_PLAIN, HN_ISA_AVX2, HN_ISA_AVX512, HN_ISA_AVX512BF16, HN_ISA_COUNT } hn_isa;
#define HN_ISA_NAMES "plain|avx2|avx512|avx512bf16"
hn_isa hn_cpu_isa(void);                                   /* best of this CPU, or what HONE_ISA names (refused → hn_cpu_isa_error set, and no tape that computes is made) */
static inline bool hn_isa_bf16(hn_isa isa) { return isa == HN_ISA_AVX512BF16; }   /* bf16 products are instructions of the CPU; elsewhere bf16 is storage */
/* A table that files of isa/ define once for each instruction set, NAME_plain …: NAME_of(isa) gives its address. */
#ifdef __x86_64__
#define HN_BY_ISA(type, name)                                                                                                              \
    extern const type name##_plain, name##_avx2, name##_avx512, name##_avx512bf16;                                                         \
    static inline const type *name##_of(hn_isa isa) {                                                                                      \
        static const type *const by[HN_ISA_COUNT] = { &name##_plain, &name##_avx2, &name##_avx512, &name##_avx512bf16 };                   \
        return by[isa];                                                                                                                    \
    }
#else
#define HN_BY_ISA(type, name)                                                                                                              \
    extern const type name##_plain;                                                                                                        \
    static inline const type *name##_of(hn_isa isa) { return &name##_plain; }
#endif
void hn_cpu_isa_force(hn_isa isa);                         /* for tests, while no kernel runs; at most the best of this CPU */
const char *hn_isa_name(hn_isa isa);
const char *hn_cpu_isa_error(void);                        /* NULL, or why HONE_ISA cannot be honoured */
const char *hn_cpu_describe(hn_arena *a);                  /* "AMD EPYC …, 2 cores, avx2 fma f16c" */
int hn_cpu_cores(void);                                    /* allowed by affinity and cgroup */

/* ---- fault.c: tests make the n-th allocation, read or write fail ---- */
typedef enum hn_fault { HN_FAULT_ALLOC, HN_FAULT_READ, HN_FAULT_WRITE, HN_FAULT_COUNT } hn_fault;
void hn_fault_set(hn_fault f, int64_t nth);                /* 0: off. Also HONE_FAULT=alloc:N|read:N|write:N from the environment */
bool hn_fault_hit(hn_fault f);                             /* counts one; true when it must fail */

/* ---- json.c: door to jansson. Values live in the arena that read them. ---- */
#include <jansson.h>
json_t *hn_json_parse(hn_arena *a, const char *where, const void *p, int64_t n, hone_code code) HN_CHECK;   /* duplicates refused; error names line and column */
json_t *hn_json_real(double x);                           /* null for NaN and infinity */
json_t *hn_json_own(hn_arena *a, json_t *v);               /* decref when a is freed; NULL → unwinds as memory refused */
char *hn_json_text(hn_arena *a, const json_t *v, bool pretty);   /* real numbers with 17 digits at most; NaN never written */

/* ---- sql.c: door to databases: a file of SQLite (sql_lite.c), or a PostgreSQL server by URL (sql_pg.c). Short transactions ---- */
typedef struct hn_db hn_db;
typedef struct hn_row hn_row;
hn_db *hn_db_open(hn_arena *a, const char *path /* or URL */, bool read_only) HN_CHECK;
bool hn_db_is_url(const char *path);
const char *hn_db_name(const hn_db *db);                   /* for messages and records: the path, or the URL without its password */
const char *hn_db_server_library(hn_arena *a);             /* version of libpq; NULL: built without */
/* In sql, $id, $int, $real, $blob, $rowless, $now (seconds) and $tables become the database's own words (sql.h). */
/* args by type letters: i int64_t, d double (NaN → NULL), s text (NULL → NULL), b (const void*, int64_t) */
bool hn_db_exec(hn_db *db, const char *sql, const char *types, ...) HN_CHECK;
bool hn_db_script(hn_db *db, const char *sql) HN_CHECK;
hn_row *hn_db_query(hn_arena *a, hn_db *db, const char *sql, const char *types, ...) HN_CHECK;   /* NULL on error */
bool hn_row_next(hn_row *r);                               /* false at the end (check hone_error_code) */
void hn_row_close(hn_row *r);                              /* before the end: an open row holds its snapshot, and a write after another process's would fail */
int64_t hn_row_i(hn_row *r, int col);
double hn_row_d(hn_row *r, int col);                       /* NULL → NaN */
const char *hn_row_s(hn_arena *a, hn_row *r, int col);     /* copied; NULL → "" */
hn_bytes hn_row_b(hn_arena *a, hn_row *r, int col);
int64_t hn_db_last_id(hn_db *db);
bool hn_db_begin(hn_db *db) HN_CHECK;                      /* waits until no other writer is in a transaction */
bool hn_db_commit(hn_db *db) HN_CHECK;
void hn_db_rollback(hn_db *db);

#include "base/settings.h"
#endif
