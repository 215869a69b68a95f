/* attention_cached.c - a task is one row's head of keys with all heads of q that share it: their products with the keys, and with the
 * values, read the cache once, in its own type (few.h). A row gets the same bits alone and among others. */
#include "tensor/cpu/cpu.h"
#include "tensor/cpu/few.h"
#include "tensor/op/op.h"

typedef struct {
    hn_call *c;
    const hn_vec *v;
    const hn_few_table *few;
    const hone_attention_opts *o;
    int64_t T, S, D, KV, group;
    const int32_t *slots, *at;
} job;
static job job_new(const hn_call *c) {
    const hone_tensor *q = c->in[0];
    const hone_attention_opts *o = &((const hn_attention_attr *)c->attr)->o;
    job j = { .c = (hn_call *)c, .v = hn_vec_now(), .few = hn_few_now(), .o = o, .T = q->shape[1], .S = c->in[1]->shape[1],
              .slots = hn_ids(c->in[3]), .at = hn_ids(c->in[4]) };
    j.D = q->shape[2] / o->heads;
    j.KV = o->kv_heads ? o->kv_heads : o->heads;
    j.group = o->heads / j.KV;
    return j;
}
/* Of a worker: scores of the heads done at once. */
static int64_t room(const job *j) { return HN_MIN(j->group, HN_FEW_ROWS) * hn_round(j->S); }
static int64_t scratch_bytes(const hn_call *c, bool back) {
    job j = job_new(c);
    return hn_pool_threads(c->pool) * room(&j) * (int64_t)sizeof(float);
}

/* Rows of x with the keys (n of them), or with the values behind `transposed`. One row of f32 alone is quicker by gemv, which keeps
 * the result in registers; which it is depends on the model alone. */
static void product(const job *j, hn_few *f, int64_t n) {
    if (f->rows == 1 && f->type == HONE_F32) j->v->gemv(f->y, f->x, f->w, f->ldw, f->transposed, n, f->k);
    else j->few->product(f, 0, n);
}
/* n keys from `key0` on for the heads from h0, rows of them, at query row r. */
static void heads(const job *j, float *p, int64_t r, int64_t h0, int64_t rows, int64_t key0, int64_t n) {
    const hone_tensor *k = j->c->in[1], *v = j->c->in[2];
    int64_t head = h0 / j->group * j->D, ldp = hn_round(j->S);
    const float *x = hn_row_of(j->c->in[0], r) + h0 * j->D;
    float *y = hn_row_of(j->c->out, r) + h0 * j->D, sum[HN_FEW_ROWS];
    product(j, &(hn_few){ .y = p, .x = x, .w = hn_few_at(k->data, k->dtype, key0 * k->ld + head), .type = k->dtype, .ldy = ldp,
                               .ldx = j->D, .ldw = k->ld, .rows = rows, .k = j->D }, n);
    for (int64_t i = 0; i < rows; i++) {
        float *z = p + i * ldp, sc = j->o->scale;
        if (j->o->softcap > 0) j->v->softcap(z, NULL, z, sc, j->o->softcap, n), sc = 1;
        else if (sc < 0) j->v->scale(z, z, sc, n), sc = 1;
        sum[i] = j->v->exp_shift(z, z, sc, sc * j->v->top(z, n), n);
    }
    product(j, &(hn_few){ .y = y, .x = p, .w = hn_few_at(v->data, v->dtype, key0 * v->ld + head), .type = v->dtype, .ldy = j->D,
                               .ldx = ldp, .ldw = v->ld, .rows = rows, .k = n, .transposed = true }, j->D);
    for (int64_t i = 0; i < rows; i++) j->v->scale(y + i * j->D, y + i * j->D, 1 / sum[i], j->D);
}
static void one_head(void *arg, int64_t task, int worker) {
    const job *j = arg;
    int64_t b = task / j->KV, h0 = task % j->KV * j->group, window = j->o->window;
    float *p = (float *)j->c->scratch + worker * room(j);
    for (int64_t t = 0; t < j->T; t++) {
        int64_t end = j->at[b] + t + 1, first = window ? HN_MAX(0, end - window) : 0;
        for (int64_t g = 0; g < j->group; g += HN_FEW_ROWS)
            heads(j, p, b * j->T + t, h0 + g, HN_MIN(HN_FEW_ROWS, j->group - g), j->slots[b] * j->S + first, end - first);
    }
}
static void forward(hn_call *c) {
    job j = job_new(c);
    if (!hn_attention_places(c)) return;
    double keys = 0;
    for (int64_t b = 0; b < c->in[0]->shape[0]; b++) keys += (double)(j.at[b] + j.T);
    hn_cpu_run(c, 24 * keys * (double)(j.T * c->in[0]->shape[2]), c->in[0]->shape[0] * j.KV, one_head, &j);
}
extern const hn_kernel hn_cpu_attention_cached;
const hn_kernel hn_cpu_attention_cached = { &hn_op_attention_cached, forward, NULL, scratch_bytes };
