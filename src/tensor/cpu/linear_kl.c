/* linear_kl.c - forward by blocks of rows: both models' logits, then a row at a time log-sum-exps and divergence; backward makes the
 * logits again by tiles and turns the student's into their gradient in place. Whether a model's product runs in pairs of bf16 (head.h)
 * goes by its own h. */
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
} job;

static job job_new(hn_call *c) {
    return (job){ .c = c,
                  .student = hn_head_of(c->in[0], c->in[1]),
                  .teacher = hn_head_of(c->in[2], c->in[3]),
                  .v = hn_head_vec_now(),
                  .at = c->attr };
}
/* What a pass takes from scratch, in floats; with s NULL it is only counted. */
static int64_t forward_cut(job *j, float *s) {
    int64_t rows = hn_head_rows(&j->student, 2), z = rows * j->student.ld, n = 2 * z + hn_round(2 * rows);
    if (s) j->s = s, j->t = s + z, j->sums = (double *)(void *)(s + 2 * z);
    n += hn_head_cut(&j->student, j->c, HN_HEAD_LOGITS, rows, s ? s + n : NULL);
    return n + hn_head_cut(&j->teacher, j->c, HN_HEAD_LOGITS, rows, s ? s + n : NULL);
}
static int64_t backward_cut(job *j, float *s) {
    int64_t rows = hn_head_rows(&j->student, 1), n = hn_head_cut(&j->student, j->c, HN_HEAD_GRADS, rows, s);
    return n + hn_head_cut(&j->teacher, j->c, HN_HEAD_SEEN, rows, s ? s + n : NULL);
}
static int64_t scratch_bytes(const hn_call *c, bool back) {
    job j = job_new((hn_call *)c);
    return (back ? backward_cut(&j, NULL) : forward_cut(&j, NULL)) * (int64_t)sizeof(float);
}
static void look(void *arg, int64_t task, int worker) {
    const job *j = arg;
    const float scale = 1 / j->at->temperature;
    int64_t V = j->student.V;
    for (int64_t i = task * ROWS; i < HN_MIN(j->student.rows, (task + 1) * ROWS); i++) {
        int64_t r = j->student.r0 + i;
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
static void forward(hn_call *c) {
    job j = job_new(c);
    double total = 0;
    (void)forward_cut(&j, c->scratch);
    for (int64_t r0 = 0; r0 < j.student.R; r0 += j.student.block) {
        hn_head_logits(c, &j.student, r0, j.s);
        hn_head_logits(c, &j.teacher, r0, j.t);
        int64_t rows = j.student.rows;
        hn_cpu_run(c, 200.0 * (double)rows * (double)j.student.V, hn_cdiv(rows, ROWS), look, &j);
        for (int64_t i = 0; i < rows; i++) total += j.sums[i];
    }
    *(float *)c->out->data = (float)(total * hn_linear_kl_scale(c));
}

static void turn(void *arg, const hn_head_tile *x) {
    const job *j = arg;
    for (int64_t i = 0; i < x->m; i++) {
        float *s = x->z + i * x->ld, g = (float)(j->g * hn_row_weight(j->c->in[4], x->r0 + i));
        const float *aux = (const float *)j->c->aux[0]->data + 3 * (x->r0 + i);
        if (g == 0) memset(s, 0, (size_t)x->n * sizeof *s);
        else j->v->divergence_grad(s, s, x->t + i * x->ld_t, x->n, 1 / j->at->temperature, aux, j->at->beta, aux[2], g);
    }
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    j.g = *c->out->grad * hn_linear_kl_scale(c) / j.at->temperature;
    (void)backward_cut(&j, c->scratch);
    hn_head_backward(c, &j.student, &j.teacher, turn, &j, dx[0], dx[1]);
}
extern const hn_kernel hn_cpu_linear_kl;
const hn_kernel hn_cpu_linear_kl = { &hn_op_linear_kl, forward, backward, scratch_bytes, .overwrites = true };
