/* attention.c - o = dropout(softmax(scale·q·kᵀ))·v by tiles of 64 queries × 128 keys, memory linear in T.
 *
 * Forward: a task is (batch, head, block of queries); running maximum and sum per row (online softmax), tiles of keys beyond the
 * last visible one are never touched. Backward: a task is (batch, head); each tile's p is made again from the log-sum-exp; dq, dk
 * and dv of a head belong to one task, so sums have one order. Few queries (decoding): dot products over the keys, no tiles.
 * Source: Dao 2023, arXiv:2307.08691. Limit: backward has no more tasks than batch × heads. */
#include "tensor/cpu/cpu.h"
#include "tensor/op/op.h"

enum { QB = 64, KB = 128, LD = KB + 16 /* a tile's row: see hn_pad_ld */, FEW = 4 };

typedef struct {
    hn_call *c;
    const hn_vec *v;
    const hn_attention_attr *at;
    int64_t B, T, S, H, D, kv, quads, q_blocks, worker_floats;
    float *lse; /* (B,H,T) or NULL */
    hone_tensor *const *dx;
} job;

static job job_new(hn_call *c) {
    const hone_tensor *q = c->in[0], *k = c->in[1];
    job j = { .c = c,
              .v = hn_vec_now(),
              .at = c->attr,
              .B = q->shape[0],
              .T = q->shape[1],
              .S = k->shape[1],
              .lse = c->aux[0] ? c->aux[0]->data : NULL };
    j.H = j.at->o.heads;
    j.D = q->shape[2] / j.H;
    j.kv = j.at->kv_stride ? j.at->kv_stride : j.S * k->ld;
    j.quads = hn_cdiv(j.S, 4);
    j.q_blocks = hn_cdiv(j.T, QB);
    return j;
}
static int64_t worker_floats(const job *j, bool back) {
    if (back) return 3 * QB * LD + QB;
    return j->T <= FEW ? hn_round(j->S) : QB * LD + 2 * QB;
}
static int64_t scratch_bytes(const hn_call *c, bool back) {
    job j = job_new((hn_call *)c);
    return hn_pool_threads(c->pool) * worker_floats(&j, back) * (int64_t)sizeof(float);
}

static int64_t visible(const job *j, int64_t t) { return j->at->o.causal ? HN_MIN(j->S, j->at->pos0 + t + 1) : j->S; }
/* Of the keys from s0 on, n of them, how many query t sees. */
static int64_t seen(const job *j, int64_t t, int64_t s0, int64_t n) { return HN_MAX(0, HN_MIN(n, visible(j, t) - s0)); }
static float *q_row(const job *j, const hone_tensor *x, int64_t b, int64_t t, int64_t h) { return hn_row_of(x, b * j->T + t) + h * j->D; }
static float *kv_row(const job *j, const hone_tensor *x, int64_t b, int64_t s, int64_t h) {
    return (float *)x->data + b * j->kv + s * x->ld + h * j->D;
}
static void drop(const job *j, float *y, const float *x, int64_t row, int64_t s0, int64_t n) {
    j->v->drop(y, x, j->c, row * j->quads + s0 / 4, n, j->at->o.dropout, false);
}

static void forward_block(void *arg, int64_t task, int worker) {
    job *j = arg;
    const hone_tensor *q = j->c->in[0], *k = j->c->in[1], *v = j->c->in[2];
    int64_t t0 = task % j->q_blocks * QB, h = task / j->q_blocks % j->H, b = task / j->q_blocks / j->H;
    int64_t m = HN_MIN(QB, j->T - t0), end = visible(j, t0 + m - 1), row0 = (b * j->H + h) * j->T + t0;
    float *s = (float *)j->c->scratch + worker * j->worker_floats, *max = s + QB * LD, *sum = max + QB, scale = j->at->o.scale;
    float *o = q_row(j, j->c->out, b, t0, h);
    for (int64_t i = 0; i < m; i++) max[i] = -INFINITY, sum[i] = 0;
    for (int64_t s0 = 0; s0 < end; s0 += KB) {
        int64_t n = HN_MIN(KB, end - s0);
        hn_gemm(false, true, m, n, j->D, q_row(j, q, b, t0, h), q->ld, kv_row(j, k, b, s0, h), k->ld, 0, s, LD);
        for (int64_t i = 0; i < m; i++) {
            float *p = s + i * LD, sc = scale;
            int64_t see = seen(j, t0 + i, s0, n);
            if (see < n) memset(p + see, 0, (size_t)(n - see) * sizeof *p);
            if (!see) continue;
            if (sc < 0) j->v->scale(p, p, sc, see), sc = 1;
            float to = fmaxf(max[i], sc * j->v->top(p, see)), shrink = s0 ? expf(max[i] - to) : 0;
            sum[i] = sum[i] * shrink + j->v->exp_shift(p, p, sc, to, see);
            max[i] = to;
            if (s0 && shrink != 1) j->v->scale(o + i * j->c->out->ld, o + i * j->c->out->ld, shrink, j->D);
            if (j->at->o.dropout > 0) drop(j, p, p, row0 + i, s0, see);
        }
        hn_gemm(false, false, m, j->D, n, s, LD, kv_row(j, v, b, s0, h), v->ld, s0 ? 1 : 0, o, j->c->out->ld);
    }
    for (int64_t i = 0; i < m; i++) {
        j->v->scale(o + i * j->c->out->ld, o + i * j->c->out->ld, 1 / sum[i], j->D);
        if (j->lse) j->lse[row0 + i] = max[i] + logf(sum[i]);
    }
}
static void forward_few(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t h = task % j->H, b = task / j->H;
    float *p = (float *)j->c->scratch + worker * j->worker_floats, scale = j->at->o.scale;
    const hone_tensor *k = j->c->in[1], *v = j->c->in[2];
    for (int64_t t = 0; t < j->T; t++) {
        int64_t n = visible(j, t), row = (b * j->H + h) * j->T + t;
        float *o = q_row(j, j->c->out, b, t, h), sc = scale;
        j->v->gemv(p, q_row(j, j->c->in[0], b, t, h), kv_row(j, k, b, 0, h), k->ld, false, n, j->D);
        if (sc < 0) j->v->scale(p, p, sc, n), sc = 1;
        float max = sc * j->v->top(p, n), sum = j->v->exp_shift(p, p, sc, max, n);
        if (j->at->o.dropout > 0) drop(j, p, p, row, 0, n);
        j->v->gemv(o, p, kv_row(j, v, b, 0, h), v->ld, true, j->D, n);
        j->v->scale(o, o, 1 / sum, j->D);
        if (j->lse) j->lse[row] = max + logf(sum);
    }
}
static void forward(hn_call *c) {
    job j = job_new(c);
    j.worker_floats = worker_floats(&j, false);
    double flops = 6.0 * (double)(j.B * j.H * j.T) * (double)(j.S * (j.D + 16));
    if (!j.T) return;
    if (j.T <= FEW) hn_cpu_run(c, 4 * flops, j.B * j.H, forward_few, &j);
    else hn_cpu_run(c, flops, j.B * j.H * j.q_blocks, forward_block, &j);
}

static void zero_head(const job *j, const hone_tensor *dx, int64_t n, int64_t b, int64_t h) {
    if (dx && dx->fresh)
        for (int64_t t = 0; t < n; t++) memset(hn_row_of(dx, b * n + t) + h * j->D, 0, (size_t)j->D * sizeof(float));
}
static void backward_tile(const job *j, float *p, int64_t b, int64_t h, int64_t t0, int64_t m, int64_t s0, int64_t n) {
    const hone_tensor *q = j->c->in[0], *k = j->c->in[1], *v = j->c->in[2], *out = j->c->out;
    float *dp = p + QB * LD, *pm = dp + QB * LD, *delta = pm + QB * LD;
    const float *dout = out->grad + (b * j->T + t0) * out->ld + h * j->D, *qs = q_row(j, q, b, t0, h), *ks = kv_row(j, k, b, s0, h);
    int64_t row0 = (b * j->H + h) * j->T + t0;
    bool drops = j->at->o.dropout > 0;
    hn_gemm(false, true, m, n, j->D, qs, q->ld, ks, k->ld, 0, p, LD);
    hn_gemm(false, true, m, n, j->D, dout, out->ld, kv_row(j, v, b, s0, h), v->ld, 0, dp, LD);
    for (int64_t i = 0; i < m; i++) {
        int64_t see = seen(j, t0 + i, s0, n);
        float *pi = p + i * LD, *di = dp + i * LD;
        j->v->exp_shift(pi, pi, j->at->o.scale, j->lse[row0 + i], see);
        if (drops) {
            drop(j, pm + i * LD, pi, row0 + i, s0, see);
            drop(j, di, di, row0 + i, s0, see);
        }
        j->v->softmax_grad(di, pi, di, delta[i], j->at->o.scale, see);
        if (see == n) continue;
        memset(pi + see, 0, (size_t)(n - see) * sizeof *pi);
        memset(di + see, 0, (size_t)(n - see) * sizeof *di);
        if (drops) memset(pm + i * LD + see, 0, (size_t)(n - see) * sizeof *pm);
    }
    if (j->dx[0]) hn_gemm(false, false, m, j->D, n, dp, LD, ks, k->ld, 1, q_row(j, j->dx[0], b, t0, h), j->dx[0]->ld);
    if (j->dx[1]) hn_gemm(true, false, n, j->D, m, dp, LD, qs, q->ld, 1, hn_row_of(j->dx[1], b * j->S + s0) + h * j->D, j->dx[1]->ld);
    if (j->dx[2])
        hn_gemm(true, false, n, j->D, m, drops ? pm : p, LD, dout, out->ld, 1, hn_row_of(j->dx[2], b * j->S + s0) + h * j->D, j->dx[2]->ld);
}
static void backward_head(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t h = task % j->H, b = task / j->H;
    float *p = (float *)j->c->scratch + worker * j->worker_floats, *delta = p + 3 * QB * LD;
    for (int i = 0; i < 3; i++) zero_head(j, j->dx[i], i ? j->S : j->T, b, h);
    for (int64_t t0 = 0; t0 < j->T; t0 += QB) {
        int64_t m = HN_MIN(QB, j->T - t0), end = visible(j, t0 + m - 1);
        for (int64_t i = 0; i < m; i++) /* Σ p·dp of a row is do·o */
            delta[i] = j->v->dot(j->c->out->grad + (b * j->T + t0 + i) * j->c->out->ld + h * j->D, q_row(j, j->c->out, b, t0 + i, h), j->D);
        for (int64_t s0 = 0; s0 < end; s0 += KB) backward_tile(j, p, b, h, t0, m, s0, HN_MIN(KB, end - s0));
    }
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    j.dx = dx;
    j.worker_floats = worker_floats(&j, true);
    hn_cpu_run(c, 10.0 * (double)(j.B * j.H * j.T) * (double)(j.S * (j.D + 16)), j.B * j.H, backward_head, &j);
}
extern const hn_kernel hn_cpu_attention;
const hn_kernel hn_cpu_attention = { &hn_op_attention, forward, backward, scratch_bytes, .overwrites = true };
