/* elementwise.h - vector routines on rows of numbers, and their cutting into tasks; for the operators that move more than they compute.
 * Tasks depend on sizes alone; sums have a fixed order. */
#ifndef HN_CPU_ELEMENTWISE_H
#define HN_CPU_ELEMENTWISE_H
#include "tensor/cpu/cpu.h"

/* Compiled once per instruction set (isa/elementwise.c). n may be 0; rows need no alignment. `more`: add to what is there. */
typedef struct hn_elementwise {
    void (*swiglu)(float *y, const float *a, const float *b, int64_t n);
    /* da, db: either may be NULL */
    void (*swiglu_grad)(float *da, float *db, const float *dy, const float *a, const float *b, int64_t n, bool more_a, bool more_b);
    void (*softmax)(float *y, const float *x, int64_t n, bool log);
    void (*softmax_grad)(float *dx, const float *y, const float *dy, int64_t n, bool log, bool more);
    void (*mul)(float *y, const float *a, const float *b, int64_t n, bool more); /* a·b */
    void (*shift)(float *y, const float *x, float s, int64_t n);                 /* x + s */
    void (*axpy)(float *y, float s, const float *x, int64_t n);                  /* y += s·x */
    float (*sum)(const float *x, int64_t n);
    /* Σ w·f(x, y); w NULL: 1 */
    double (*loss)(const float *x, const float *y, const float *w, int64_t n, hone_pointwise_kind kind, float beta);
    /* dx += scale·w·df/dx, dy alike; each may be NULL */
    void (*loss_grad)(float *dx, float *dy, const float *x, const float *y, const float *w, int64_t n, hone_pointwise_kind kind,
                      float beta, float scale);
} hn_elementwise;
const hn_elementwise *hn_elementwise_now(void);

/* Calls span(arg, r, i, n) for columns [i, i+n) of each row r of (rows, cols), about HN_SPAN numbers a task; long rows are cut at its
 * multiples. `flat`: rows follow each other without gaps in every tensor concerned, so all is one long row. flops: of one number. */
enum { HN_SPAN = 8192, HN_SOME = 1024 }; /* HN_SOME: numbers of each tensor that are f32 at a time where it is bf16 (hn_wide) */
typedef void hn_span_fn(void *arg, int64_t r, int64_t i, int64_t n);
void hn_cpu_spans(const hn_call *c, int64_t rows, int64_t cols, bool flat, double flops, hn_span_fn *span, void *arg);
/* As above, whole rows. */
void hn_cpu_rows(const hn_call *c, int64_t rows, int64_t cols, double flops, hn_span_fn *row, void *arg);
/* For sums across rows: at most HN_STRIP columns a call; `depth` numbers are read for each that is written. */
enum { HN_STRIP = 128 };
void hn_cpu_strips(const hn_call *c, int64_t rows, int64_t cols, int64_t depth, double flops, hn_span_fn *strip, void *arg);

static inline bool hn_gapless(const hone_tensor *x) { return x->ld == hn_cols(x) || hn_rows(x) <= 1; }
static inline float *hn_at(const hone_tensor *x, int64_t r, int64_t i) { return (float *)x->data + r * x->ld + i; }
static inline const float *hn_dy_at(const hn_call *c, int64_t r, int64_t i) { return c->out->grad + r * c->out->ld + i; }
#endif
