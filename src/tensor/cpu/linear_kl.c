/* linear_kl.c - by blocks of rows: both models' logits, then a row at a time log-sum-exps and divergence; backward makes the logits
 * again and turns the student's into their gradient in place. */
#include "tensor/cpu/head.h"
#include "tensor/op/op.h"

enum { ROWS = 8 }; /* rows of a task */
typedef struct {
    hn_call *c;
    hn_head student, teacher;
    const hn_head_vec *v;
    const hn_linear_kl_attr *at;
    float *s, *t; /* logits of a block */
    double *sums; /* (rows of a block) */
    double g;
    int64_t r0, rows;
} job;

static job job_new(hn_call *c) {
    job j = { .c = c,
              .student = hn_head_of(c->in[0], c->in[1]),
              .teacher = hn_head_of(c->in[2], c->in[3]),
              .v = hn_head_vec_now(),
              .at = c->attr,
              .s = c->scratch };
    j.t = c->scratch ? j.s + hn_head_rows(&j.student, 2) * j.student.ld : NULL;
    j.sums = c->scratch ? (double *)(void *)(j.t + hn_head_rows(&j.student, 2) * j.student.ld) : NULL;
    return j;
}
static int64_t scratch_bytes(const hn_call *c, bool back) {
    hn_head x = hn_head_of(c->in[0], c->in[1]);
    int64_t rows = hn_head_rows(&x, 2);
    return rows * (2 * x.ld * (int64_t)sizeof(float) + (int64_t)sizeof(double));
}
static void look(void *arg, int64_t task, int worker) {
    const job *j = arg;
    const float scale = 1 / j->at->temperature;
    int64_t V = j->student.V;
    for (int64_t i = task * ROWS; i < HN_MIN(j->rows, (task + 1) * ROWS); i++) {
        int64_t r = j->r0 + i;
        const float *s = j->s + i * j->student.ld, *t = j->t + i * j->student.ld;
        double weight = hn_row_weight(j->c->in[4], r), D = 0, k = 0;
        float lse[2] = { 0, 0 };
        if (weight != 0) {
            lse[0] = (float)j->v->log_sum_exp(s, V, scale), lse[1] = (float)j->v->log_sum_exp(t, V, scale);
            D = j->v->divergence(s, t, V, scale, lse, j->at->beta, &k);
        }
        j->sums[i] = weight * D;
        if (j->at->per_token) j->at->per_token[r] = (float)(D * (j->at->unscaled ? 1 : (double)j->at->temperature * j->at->temperature));
        if (!j->c->aux[0]) continue;
        float *aux = (float *)j->c->aux[0]->data + 3 * r;
        aux[0] = lse[0], aux[1] = lse[1], aux[2] = (float)k;
    }
}
static void turn(void *arg, int64_t task, int worker) {
    const job *j = arg;
    int64_t V = j->student.V;
    for (int64_t i = task * ROWS; i < HN_MIN(j->rows, (task + 1) * ROWS); i++) {
        int64_t r = j->r0 + i;
        float *s = j->s + i * j->student.ld;
        const float *t = j->t + i * j->student.ld, *aux = (const float *)j->c->aux[0]->data + 3 * r;
        float g = (float)(j->g * hn_row_weight(j->c->in[4], r));
        if (g == 0) memset(s, 0, (size_t)V * sizeof *s);
        else j->v->divergence_grad(s, s, t, V, 1 / j->at->temperature, aux, j->at->beta, aux[2], g);
    }
}
static double blocks(job *j, void (*fn)(void *arg, int64_t task, int worker), hone_tensor *dh, hone_tensor *dw) {
    int64_t step = hn_head_rows(&j->student, 2);
    double total = 0;
    for (; j->r0 < j->student.R; j->r0 += step) {
        j->rows = HN_MIN(step, j->student.R - j->r0);
        hn_head_logits(j->c, &j->student, j->r0, j->rows, j->s);
        hn_head_logits(j->c, &j->teacher, j->r0, j->rows, j->t);
        hn_cpu_run(j->c, 200.0 * (double)j->rows * (double)j->student.V, hn_cdiv(j->rows, ROWS), fn, j);
        if (dh || dw) hn_head_grads(j->c, &j->student, j->r0, j->rows, j->s, dh, dw);
        else
            for (int64_t i = 0; i < j->rows; i++) total += j->sums[i];
    }
    return total;
}
static void forward(hn_call *c) {
    job j = job_new(c);
    *(float *)c->out->data = (float)(blocks(&j, look, NULL, NULL) * hn_linear_kl_scale(c));
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    j.g = *c->out->grad * hn_linear_kl_scale(c) / j.at->temperature;
    if (dx[1] && dx[1]->fresh) hn_zero_rows(dx[1]);
    if (dx[0] || dx[1]) (void)blocks(&j, turn, dx[0], dx[1]);
}
extern const hn_kernel hn_cpu_linear_kl;
const hn_kernel hn_cpu_linear_kl = { &hn_op_linear_kl, forward, backward, scratch_bytes, .overwrites = true };
