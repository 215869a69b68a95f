/* rope.c - each head of each row is turned by the vector routine; rows are independent, both ways. */
#include "tensor/cpu/cpu.h"
#include "tensor/op/op.h"

typedef struct {
    hn_call *c;
    const hn_vec *v;
    const hn_rope_attr *at;
    const hone_tensor *table, *dx;
    int64_t rows, T, D, R, step;
    bool back;
} job;

static void turn_rows(void *arg, int64_t task, int worker) {
    job *j = arg;
    const hone_tensor *from = j->c->in[0], *out = j->c->out, *to = j->back ? j->dx : out;
    float wide[HN_PIECE], turned[HN_PIECE];
    int64_t n = j->D * j->at->heads;
    for (int64_t r = task * j->step, end = HN_MIN(r + j->step, j->rows); r < end; r++) {
        const float *angles = hn_row_of(j->table, j->table->dims == 2 ? r % j->T : r),
                    *x = j->back ? out->grad + r * out->ld : hn_wide(j->v, from, r, 0, n, wide);
        float *y = hn_wide_out(to, r, 0, turned);
        bool add = j->back && !to->fresh;
        for (int64_t h = 0; h < j->at->heads; h++, x += j->D, y += j->D) {
            j->v->turn(y, x, angles, j->R / 2, j->at->interleaved, j->back, add);
            if (j->R == j->D) continue;
            if (add) j->v->add(y + j->R, y + j->R, x + j->R, j->D - j->R);
            else memcpy(y + j->R, x + j->R, (size_t)(j->D - j->R) * sizeof *y);
        }
        hn_wide_done(j->v, to, r, 0, n, turned);
    }
}
static void run(hn_call *c, const hone_tensor *dx) {
    const hone_tensor *x = c->in[0];
    job j = { .c = c, .v = hn_vec_now(), .at = c->attr, .table = c->in[1], .dx = dx, .rows = hn_rows(x), .T = x->shape[1], .back = dx };
    j.D = x->shape[2] / j.at->heads;
    j.R = hn_cols(j.table);
    j.step = hn_cdiv(8192, HN_MAX(x->shape[2], 1));
    hn_cpu_run(c, 20.0 * (double)hn_count(x), hn_cdiv(j.rows, j.step), turn_rows, &j);
}
static void forward(hn_call *c) { run(c, NULL); }
static void backward(hn_call *c, hone_tensor *const dx[]) {
    if (dx[0]) run(c, dx[0]);
}
extern const hn_kernel hn_cpu_rope;
const hn_kernel hn_cpu_rope = { &hn_op_rope, forward, backward, NULL, .overwrites = true, .bf16 = hn_rows_bf16 };
