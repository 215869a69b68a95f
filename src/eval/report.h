/* report.h - what the pages, tables and pictures of a run are made of; private to the report.
 *
 * report.c turns the ledger's export into rows and arms, once; html.c, page.c, markdown.c, text.c, forest.c and chart.c only lay them
 * out, versus.c those of two runs. A gain is incumbent − arm in the run's metric: positive is better. Numbers that a run does not have are NaN. */
#ifndef HN_EVAL_REPORT_H
#define HN_EVAL_REPORT_H
#include "eval/eval.h"

/* A decision, with what its trainings cost. */
typedef struct hn_report_row {
    const char *phase, *name, *verdict, *why;
    double gain, lo, hi, p, p_harm, detectable, df, seed_var, item_var; /* p and p_harm are adjusted */
    double accuracy, incumbent_accuracy;
    double seconds, flops, cost;                                        /* of one training; cost: its FLOPs as a multiple of the start's */
    int64_t peak_rss;
} hn_report_row;
typedef HN_VEC(hn_report_row) hn_report_rows;

/* All trainings of one arm in one phase, on the item set that this phase judges by. */
typedef struct hn_report_arm {
    const char *phase, *name, *error, *recipe;
    int64_t done, failed, peak_rss, steps;
    double mean, accuracy, seconds, flops, cost, gain; /* means over the seeds that are done; gain over its own incumbent */
    const struct hn_report_arm *incumbent;             /* NULL: it is one */
    HN_VEC(double) seed_mean;
    HN_VEC(const json_t *) curve; /* (step, train, valid) triples as a flat array */
} hn_report_arm;
typedef HN_VEC(hn_report_arm) hn_report_arms;

typedef struct hn_report {
    int64_t id;
    const char *state, *metric, *unit, *screen_unit /* of phases tune and screen */, *data, *started, *finished, *version, *recipe, *plan_hash, *sealed_hash;
    const json_t *plan, *machine, *result, *files, *notes;
    bool done;
    double start, end, gain, lo, hi, alpha;
    double right[2];                                     /* accuracy on the sealed items: start, end */
    bool of_answers;                                     /* that is the share of whole answers; else of next tokens */
    int64_t confirm_seeds, confirm_units, opened_before; /* units: clusters that were judged; opened_before: −1 when not known */
    hn_report_rows levers;                               /* confirmed, best first; then failed; then not judged */
    int64_t n_judged;                                    /* the first of levers that confirm decided or that failed */
    hn_report_rows stack;
    hn_report_arms arms;
    int64_t trainings;
    double seconds, flops; /* of the whole run */
} hn_report;

double hn_report_alone(const hn_report *r, const char *lever);                /* its gain by itself, in confirm; NaN: not judged */
bool hn_report_read(hn_arena *a, hn_ledger *l, int64_t run, hn_report *out) HN_CHECK;
const char *hn_report_changes(hn_arena *a, const char *from, const char *to); /* "optim.lr 0.001 → 0.002", from two resolved recipes */
const char *hn_report_headline(hn_arena *a, const hn_report *r);              /* the verdict on the whole, in words; and whether placebo casts doubt on it */
const char *hn_report_suspect(hn_arena *a, const hn_report *r);               /* "": placebo was called neither kept nor harmful */

/* ---- numbers and text for people ---- */
double hn_json_num(const json_t *o, const char *key);      /* NaN: absent */
const char *hn_json_str(const json_t *o, const char *key); /* "": absent */
const char *hn_say_short(hn_arena *a, double x);           /* 203, 0.01510 as 0.0151: four digits that count */
const char *hn_say_plain(hn_arena *a, double x);           /* 2.4131; "–" for NaN */
const char *hn_say_gain(hn_arena *a, double x);            /* +0.0312, −0.0012 */
const char *hn_say_interval(hn_arena *a, double lo, double hi);
const char *hn_say_p(hn_arena *a, const hn_report_row *r);
const char *hn_say_percent(hn_arena *a, double share); /* 48.8 %; "–" for NaN */
const char *hn_say_seconds(hn_arena *a, double s);
const char *hn_say_time(hn_arena *a, const char *utc);
const char *hn_say_times(hn_arena *a, int64_t n); /* once, twice, 3 times */
const char *hn_say_flops(hn_arena *a, double f);
const char *hn_say_bytes(hn_arena *a, double b);
const char *hn_escape(hn_arena *a, const char *s); /* for HTML and XML text and attributes; what XML cannot hold becomes U+FFFD */

/* ---- pictures: SVG elements sized for `width`; alone: with its own colours, as a file of its own ---- */
const char *hn_svg_forest(hn_arena *a, const hn_report *r, int width, bool alone);
const char *hn_svg_curves(hn_arena *a, const hn_report *r, const char *phase, int width);
const char *hn_svg_seeds(hn_arena *a, const hn_report *r, int width);
const char *hn_svg_cost(hn_arena *a, const hn_report *r, int width);
/* Round places on an axis from lo to hi, at most `most`, at least 2; out[0] is the first, *n how many, *digits what to print. */
void hn_ticks(double lo, double hi, int most, double *out, int *n, int *digits);
enum { HN_TICKS_MAX = 16 };
const char *hn_series_class(const hn_report *r, const hn_report_arm *arm); /* colour classes of an arm in the pictures */
extern const char hn_report_style[];

const char *hn_verdict_tag(hn_arena *a, const char *verdict);  /* a coloured word; escaped */
const char *hn_markdown_cell(hn_arena *a, const char *s);      /* without what could end a cell or begin markup */
void hn_page_open(hn_arena *a, hn_buf *b, const char *escaped_title); /* up to <main> */

/* ---- page.c: the tables of the page ---- */
void hn_page_levers(hn_arena *a, hn_buf *b, const hn_report *r), hn_page_undecided(hn_arena *a, hn_buf *b, const hn_report *r);
void hn_page_variance(hn_arena *a, hn_buf *b, const hn_report *r), hn_page_screen(hn_arena *a, hn_buf *b, const hn_report *r);
void hn_page_stack(hn_arena *a, hn_buf *b, const hn_report *r), hn_page_left_out(hn_arena *a, hn_buf *b, const hn_report *r);
#endif
