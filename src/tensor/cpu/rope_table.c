/* rope_table.c - positions in a row by turning on: (cos, sin) of the next position is the last one's times that of one step, in double,
 * begun anew every 64 rows, so the error stays below 1e-14. Given positions: the reference. */
#include "tensor/cpu/cpu.h"
#include "tensor/op/op.h"

enum { ANEW = 64 };
static void forward(hn_call *c) {
    const hn_rope_table_attr *at = c->attr;
    int64_t rows = hn_rows(c->out), half = at->o.size / 2, ld = c->out->ld;
    if (c->in[0]) {
        c->op->forward(c);
        return;
    }
    double base = hn_rope_base(c, 0), by = hn_rope_amplitude(&at->o);
    for (int64_t i = 0; i < half; i++) {
        double f = hn_rope_frequency(&at->o, base, i), step_cos = cos(f), step_sin = sin(f), x = 0, y = 0;
        float *to = (float *)c->out->data + i;
        for (int64_t r = 0; r < rows; r++, to += ld) {
            double angle = f * (double)(at->pos0 + r), before = x;
            if (r % ANEW == 0) x = by * cos(angle), y = by * sin(angle);
            else x = x * step_cos - y * step_sin, y = y * step_cos + before * step_sin;
            to[0] = (float)x;
            to[half] = (float)y;
        }
    }
}
extern const hn_kernel hn_cpu_rope_table;
const hn_kernel hn_cpu_rope_table = { &hn_op_rope_table, forward, NULL, NULL };
