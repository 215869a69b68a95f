/* gather.c - rows by index, copied, and rows added up by index: each operator is the other's gradient. Where rows may repeat, a task
 * owns some columns and walks all indices in their order. */
#include "tensor/cpu/elementwise.h"
#include "tensor/op/op.h"

enum { OWN = 64 };
typedef struct {
    const hn_vec *v;
    const int32_t *ids;
    float *to;
    const float *from;
    int64_t ld_to, ld_from, n, cols;
    bool add;
} job;
static void pick_row(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    float *to = j->to + r * j->ld_to + i;
    const float *from = j->from + j->ids[r] * j->ld_from + i;
    if (j->add) j->v->add(to, to, from, n);
    else memcpy(to, from, (size_t)n * sizeof *to);
}
static void drop_columns(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t i = task * OWN, n = HN_MIN(OWN, j->cols - i);
    for (int64_t r = 0; r < j->n; r++) {
        float *to = j->to + j->ids[r] * j->ld_to + i;
        j->v->add(to, to, j->from + r * j->ld_from + i, n);
    }
}
/* to[r] (+)= from[ids[r]] */
static void pick(const hn_call *c, float *to, int64_t ld_to, const float *from, int64_t ld_from, bool add) {
    job j = { hn_vec_now(), hn_ids(c->in[1]), to, from, ld_to, ld_from, hn_count(c->in[1]), 0, add };
    hn_cpu_spans(c, j.n, hn_cols(c->out), false, 10, pick_row, &j);
}
/* to[ids[r]] += from[r] */
static void drop(const hn_call *c, float *to, int64_t ld_to, const float *from, int64_t ld_from) {
    job j = { hn_vec_now(), hn_ids(c->in[1]), to, from, ld_to, ld_from, hn_count(c->in[1]), hn_cols(c->out), true };
    hn_cpu_run(c, 10.0 * (double)j.n * (double)j.cols, hn_cdiv(j.cols, OWN), drop_columns, &j);
}

static void gather(hn_call *c) {
    if (hn_indices_in_range(c, "gather", hn_ids(c->in[1]), hn_count(c->in[1]), hn_rows(c->in[0])))
        pick(c, c->out->data, c->out->ld, c->in[0]->data, c->in[0]->ld, false);
}
static void gather_back(hn_call *c, hone_tensor *const dx[]) {
    if (dx[0]) drop(c, dx[0]->data, dx[0]->ld, c->out->grad, c->out->ld);
}
static void scatter(hn_call *c) {
    if (!hn_indices_in_range(c, "scatter_add", hn_ids(c->in[1]), hn_count(c->in[1]), hn_rows(c->out))) return;
    memset(c->out->data, 0, (size_t)hn_count(c->out) * sizeof(float));
    drop(c, c->out->data, c->out->ld, c->in[0]->data, c->in[0]->ld);
}
static void scatter_back(hn_call *c, hone_tensor *const dx[]) {
    if (dx[0]) pick(c, dx[0]->data, dx[0]->ld, c->out->grad, c->out->ld, true);
}
extern const hn_kernel hn_cpu_gather, hn_cpu_scatter_add;
const hn_kernel hn_cpu_gather = { &hn_op_gather, gather, gather_back, NULL };
const hn_kernel hn_cpu_scatter_add = { &hn_op_scatter_add, scatter, scatter_back, NULL };
