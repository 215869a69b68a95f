/* elementwise.c - picks the vector routines of the instruction set, and cuts rows into tasks. */
#include "tensor/cpu/elementwise.h"

extern const hn_elementwise hn_elementwise_plain;
#ifdef __x86_64__
extern const hn_elementwise hn_elementwise_avx2, hn_elementwise_avx512;
#endif

const hn_elementwise *hn_elementwise_now(void) {
#ifdef __x86_64__
    if (hn_cpu_isa() == HN_ISA_AVX512) return &hn_elementwise_avx512;
    if (hn_cpu_isa() == HN_ISA_AVX2) return &hn_elementwise_avx2;
#endif
    return &hn_elementwise_plain;
}

enum { STEP = 8192 };
typedef struct {
    hn_span_fn *span;
    void *arg;
    int64_t rows, cols, rows_each, pieces; /* a task: some rows, or one of a row's pieces */
} work;
static void task_of(void *arg, int64_t task, int worker) {
    work *w = arg;
    if (w->pieces > 1) {
        int64_t i = task % w->pieces * STEP;
        w->span(w->arg, task / w->pieces, i, HN_MIN(STEP, w->cols - i));
    } else
        for (int64_t r = task * w->rows_each, end = HN_MIN(r + w->rows_each, w->rows); r < end; r++) w->span(w->arg, r, 0, w->cols);
}
static void cut(const hn_call *c, work w, double flops) {
    if (w.rows <= 0 || w.cols <= 0) return;
    hn_cpu_run(c, flops * (double)w.rows * (double)w.cols, w.pieces > 1 ? w.rows * w.pieces : hn_cdiv(w.rows, w.rows_each), task_of, &w);
}
void hn_cpu_spans(const hn_call *c, int64_t rows, int64_t cols, bool flat, double flops, hn_span_fn *span, void *arg) {
    if (flat) cols *= rows, rows = cols > 0;
    cut(c, (work){ span, arg, rows, cols, hn_cdiv(STEP, HN_MAX(cols, 1)), hn_cdiv(cols, STEP) }, flops);
}
void hn_cpu_rows(const hn_call *c, int64_t rows, int64_t cols, double flops, hn_span_fn *row, void *arg) {
    cut(c, (work){ row, arg, rows, cols, hn_cdiv(STEP, HN_MAX(cols, 1)), 1 }, flops);
}
