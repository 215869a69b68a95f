/* linear_log_probs.c - by blocks of rows: their logits, then a row at a time its log-sum-exp, entropy and the target's logit; backward
 * makes the logits again and turns them into their gradient in place. */
#include "tensor/cpu/head.h"
#include "tensor/op/op.h"

enum { ROWS = 8 }; /* rows of a task */
typedef struct {
    hn_call *c;
    hn_head x;
    const hn_head_vec *v;
    float *z, scale;
    int64_t r0, rows;
} job;

static job job_new(hn_call *c) {
    return (job){ .c = c,
                  .x = hn_head_of(c->in[0], c->in[1]),
                  .v = hn_head_vec_now(),
                  .z = c->scratch,
                  .scale = 1 / ((const hn_linear_log_probs_attr *)c->attr)->temperature };
}
static int64_t scratch_bytes(const hn_call *c, bool back) {
    job j = job_new((hn_call *)c);
    return hn_head_rows(&j.x, 1) * j.x.ld * (int64_t)sizeof(float);
}
static void look(void *arg, int64_t task, int worker) {
    const job *j = arg;
    for (int64_t i = task * ROWS; i < HN_MIN(j->rows, (task + 1) * ROWS); i++) {
        int64_t r = j->r0 + i;
        const float *z = j->z + i * j->x.ld;
        int32_t y = hn_ids(j->c->in[2])[r];
        double lse = 0, entropy = 0;
        if (y >= 0) {
            lse = j->v->log_sum_exp(z, j->x.V, j->scale);
            entropy = j->v->entropy(z, j->x.V, j->scale, (float)lse);
        }
        float *out = (float *)j->c->out->data + 2 * r;
        out[0] = y < 0 ? 0 : (float)((double)j->scale * z[y] - lse), out[1] = (float)entropy;
        if (!j->c->aux[0]) continue;
        float *aux = (float *)j->c->aux[0]->data + 2 * r;
        aux[0] = (float)lse, aux[1] = (float)entropy;
    }
}
static void turn(void *arg, int64_t task, int worker) {
    const job *j = arg;
    for (int64_t i = task * ROWS; i < HN_MIN(j->rows, (task + 1) * ROWS); i++) {
        int64_t r = j->r0 + i;
        float *z = j->z + i * j->x.ld;
        const float *g = j->c->out->grad + 2 * r, *aux = (const float *)j->c->aux[0]->data + 2 * r;
        int32_t y = hn_ids(j->c->in[2])[r];
        if (y < 0) memset(z, 0, (size_t)j->x.V * sizeof *z);
        else {
            j->v->entropy_grad(z, z, j->x.V, j->scale, aux[0], -j->scale * (g[0] + g[1] * aux[1]), -j->scale * g[1]);
            z[y] += j->scale * g[0];
        }
    }
}
static void blocks(job *j, void (*fn)(void *arg, int64_t task, int worker), hone_tensor *dh, hone_tensor *dw) {
    int64_t step = hn_head_rows(&j->x, 1);
    for (; j->r0 < j->x.R; j->r0 += step) {
        j->rows = HN_MIN(step, j->x.R - j->r0);
        hn_head_logits(j->c, &j->x, j->r0, j->rows, j->z);
        hn_cpu_run(j->c, 64.0 * (double)j->rows * (double)j->x.V, hn_cdiv(j->rows, ROWS), fn, j);
        if (dh || dw) hn_head_grads(j->c, &j->x, j->r0, j->rows, j->z, dh, dw);
    }
}
static void forward(hn_call *c) {
    job j = job_new(c);
    if (hn_ids_in_range(c, "linear_log_probs: target", hn_ids(c->in[2]), j.x.R, -1, j.x.V)) blocks(&j, look, NULL, NULL);
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    if (dx[1] && dx[1]->fresh) hn_zero_rows(dx[1]);
    blocks(&j, turn, dx[0], dx[1]);
}
extern const hn_kernel hn_cpu_linear_log_probs;
const hn_kernel hn_cpu_linear_log_probs = { &hn_op_linear_log_probs, forward, backward, scratch_bytes, .overwrites = true };
