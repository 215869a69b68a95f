/* bench.h - what the measurements of `hone bench` share: a sample of times, the machine's limits, a line of results.
 *
 * A *case* has a name of the form group/what ("op/linear 1024x768x3072", "train/baby") by which --filter and --compare know it. It gives
 * one line: a JSON object, or a row of a table. Shares are of what was measured on the spot, in the same run. */
#ifndef HN_BENCH_H
#define HN_BENCH_H
#include "app/app.h"

/* ---- sample.c: a few times of the same thing ---- */
enum { BENCH_MAX_SAMPLE = 512 };
typedef struct bench_sample {
    int n;
    double v[BENCH_MAX_SAMPLE]; /* seconds; beyond the last place nothing is kept */
} bench_sample;
typedef struct bench_stat {
    int n;
    double median, min, max, q1, q3; /* q: quartiles */
} bench_stat;
void bench_add(bench_sample *s, double seconds);
bench_stat bench_stat_of(const bench_sample *s);      /* NaN where n is 0 */
json_t *bench_stat_json(const bench_stat *s);         /* null where n is 0 */

/* ---- machine.c ---- */
typedef struct bench_machine {
    double flops[2], read[2];   /* the best rates seen, per second: of one thread, of all */
} bench_machine;

typedef struct bench {
    hn_arena *a;
    hn_cmd_call *c;
    double seconds;             /* to spend on a case */
    hn_strs filter;
    bool no_floor;
    const char *tokenizer, *text; /* files of bench_encode; NULL: none */
    bench_machine machine;
    const char *group;          /* whose heading has been written */
    int64_t lines;
} bench;
bool bench_wants(const bench *b, const char *name);   /* does the filter let it through? */
void bench_measure_machine(bench *b);

/* ---- show.c: a line of results ---- */
typedef struct bench_line {
    const char *name, *config;
    bench_stat seconds;
    double flops, bytes, tokens;         /* of one repeat; 0: not counted */
    int64_t rss;                         /* bytes more than before the model was made; 0: not measured */
    json_t *more;                        /* further fields, owned by the arena; may be NULL */
    const char *note;                    /* a line under the row in the table */
} bench_line;
void bench_tell(bench *b, const bench_line *l);
void bench_tell_machine(bench *b, const char *commit);
void bench_skip(bench *b, const char *name, const char *why);

/* ---- the cases ---- */
bool bench_ops(bench *b) HN_CHECK;
bool bench_train(bench *b) HN_CHECK;
bool bench_decode(bench *b) HN_CHECK;
bool bench_encode(bench *b) HN_CHECK;
bool bench_compare(hn_cmd_call *c, const char *old_path, const char *new_path) HN_CHECK;
#endif
