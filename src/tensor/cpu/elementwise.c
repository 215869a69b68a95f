/* elementwise.c - picks the vector routines of the instruction set, and cuts rows into tasks. */
#include "tensor/cpu/elementwise.h"

HN_BY_ISA(hn_elementwise, hn_elementwise)
const hn_elementwise *hn_elementwise_now(void) { return hn_elementwise_of(hn_cpu_isa()); }

typedef struct {
    hn_span_fn *span;
    void *arg;
    int64_t rows, cols, rows_each, pieces, piece; /* a task: one piece of some rows */
} work;
static void task_of(void *arg, int64_t task, int worker) {
    work *w = arg;
    int64_t i = task % w->pieces * w->piece, r = task / w->pieces * w->rows_each;
    for (int64_t end = HN_MIN(r + w->rows_each, w->rows); r < end; r++) w->span(w->arg, r, i, HN_MIN(w->piece, w->cols - i));
}
static void cut(const hn_call *c, hn_span_fn *span, void *arg, int64_t rows, int64_t cols, int64_t piece, int64_t each, double flops) {
    if (rows <= 0 || cols <= 0) return;
    work w = { span, arg, rows, cols, HN_MAX(1, each), hn_cdiv(cols, piece), piece };
    hn_cpu_run(c, flops * (double)rows * (double)cols, hn_cdiv(rows, w.rows_each) * w.pieces, task_of, &w);
}
void hn_cpu_spans(const hn_call *c, int64_t rows, int64_t cols, bool flat, double flops, hn_span_fn *span, void *arg) {
    if (flat) cols *= rows, rows = cols > 0;
    cut(c, span, arg, rows, cols, HN_SPAN, HN_SPAN / HN_MAX(cols, 1), flops);
}
void hn_cpu_rows(const hn_call *c, int64_t rows, int64_t cols, double flops, hn_span_fn *row, void *arg) {
    cut(c, row, arg, rows, cols, HN_MAX(cols, 1), HN_SPAN / HN_MAX(cols, 1), flops);
}
void hn_cpu_strips(const hn_call *c, int64_t rows, int64_t cols, int64_t depth, double flops, hn_span_fn *strip, void *arg) {
    depth = HN_MAX(depth, 1);
    cut(c, strip, arg, rows, cols, HN_STRIP, HN_SPAN / (HN_MAX(HN_MIN(cols, HN_STRIP), 1) * depth), flops * (double)depth);
}
