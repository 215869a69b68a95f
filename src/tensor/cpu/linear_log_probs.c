/* linear_log_probs.c - forward by blocks of rows: their logits, then a row at a time its log-sum-exp, entropy and the target's logit;
 * backward makes the logits again by tiles and turns them into their gradient in place. */
#include "tensor/cpu/head.h"
#include "tensor/op/op.h"

enum { ROWS = 8 }; /* rows of a task */
typedef struct {
    hn_call *c;
    hn_head x;
    const hn_head_vec *v;
    float *z, scale; /* z: logits of a block */
} job;

static job job_new(hn_call *c) {
    return (job){ .c = c,
                  .x = hn_head_of(c->in[0], c->in[1]),
                  .v = hn_head_vec_now(),
                  .scale = 1 / ((const hn_linear_log_probs_attr *)c->attr)->temperature };
}
/* What a pass takes from scratch, in floats; with s NULL it is only counted. */
static int64_t cut(job *j, bool back, float *s) {
    int64_t rows = hn_head_rows(&j->x, 1), n = rows * j->x.ld;
    if (back) return hn_head_cut(&j->x, j->c, HN_HEAD_GRADS, rows, s);
    j->z = s;
    return n + hn_head_cut(&j->x, j->c, HN_HEAD_LOGITS, rows, s ? s + n : NULL);
}
static int64_t scratch_bytes(const hn_call *c, bool back) {
    job j = job_new((hn_call *)c);
    return cut(&j, back, NULL) * (int64_t)sizeof(float);
}
static void look(void *arg, int64_t task, int worker) {
    const job *j = arg;
    for (int64_t i = task * ROWS; i < HN_MIN(j->x.rows, (task + 1) * ROWS); i++) {
        int64_t r = j->x.r0 + i;
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
static void forward(hn_call *c) {
    job j = job_new(c);
    if (!hn_ids_in_range(c, "linear_log_probs: target", hn_ids(c->in[2]), j.x.R, -1, j.x.V)) return;
    (void)cut(&j, false, c->scratch);
    for (int64_t r0 = 0; r0 < j.x.R; r0 += j.x.block) {
        hn_head_logits(c, &j.x, r0, j.z);
        hn_cpu_run(c, 64.0 * (double)j.x.rows * (double)j.x.V, hn_cdiv(j.x.rows, ROWS), look, &j);
    }
}

static void turn(void *arg, const hn_head_tile *x) {
    const job *j = arg;
    for (int64_t i = 0; i < x->m; i++) {
        int64_t r = x->r0 + i, y = hn_ids(j->c->in[2])[r];
        float *z = x->z + i * x->ld;
        const float *g = j->c->out->grad + 2 * r, *aux = (const float *)j->c->aux[0]->data + 2 * r;
        if (y < 0) {
            memset(z, 0, (size_t)x->n * sizeof *z);
            continue;
        }
        j->v->entropy_grad(z, z, x->n, j->scale, aux[0], -j->scale * (g[0] + g[1] * aux[1]), -j->scale * g[1]);
        if (y >= x->v0 && y < x->v0 + x->n) z[y - x->v0] += j->scale * g[0];
    }
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    (void)cut(&j, true, c->scratch);
    hn_head_backward(c, &j.x, NULL, turn, &j, dx[0], dx[1]);
}
extern const hn_kernel hn_cpu_linear_log_probs;
const hn_kernel hn_cpu_linear_log_probs = { &hn_op_linear_log_probs, forward, backward, scratch_bytes, .overwrites = true };
