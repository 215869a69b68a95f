/* linear.c - y = act(x·wᵀ + b) and its gradients on tiles of fixed size.
 *
 * Forward: tiles of 128 rows by 512 columns; bias and activation run over a tile while it is warm. Backward: per tile of rows
 * dpre = dy·act′, its column sums and dx += dpre·w; then per tile of w dw += dpreᵀ·x. Many rows and few tiles of w (K ≥ 65536,
 * M = N = 32): rows are cut into chunks of 4096 with a buffer each, added in order. A call of few rows reads w once (decoding). */
#include "tensor/cpu/cpu.h"

enum { ROWS = 128, COLS = 512, WROWS = 128, WCOLS = 128, SPLIT = 4096, SPLIT_TILES = 16, FEW = 2, GEMV_COLS = 256 };

typedef struct {
    hn_call *c;
    const hn_vec *v;
    int64_t M, K, N, ldx, ldw, col_tiles;
    bool tr;
    hone_act act;
    const float *x, *w, *b, *dy;
    float *y, *pre;
    /* backward */
    float *dpre, *dx, *dw, *db, *db_part, *dw_part;      /* dpre: dy itself without an activation */
    float beta;                                          /* of dx: 0 where it holds rubbish */
    int64_t lddx, lddw, row_tiles, wa, wb, splits;
} job;

static job job_new(hn_call *c)
{
    const hn_linear_attr *at = c->attr;
    hone_tensor *x = c->in[0], *w = c->in[1];
    job j = { .c = c, .v = hn_vec_now(), .M = hn_rows(x), .K = hn_cols(x), .N = hn_cols(c->out), .ldx = x->ld, .ldw = w->ld,
              .tr = at->transposed, .act = at->act, .x = x->data, .w = w->data, .b = c->in[2] ? c->in[2]->data : NULL };
    j.col_tiles = hn_cdiv(j.N, COLS);
    j.row_tiles = hn_cdiv(j.M, ROWS);
    return j;
}

static void forward_tile(void *arg, int64_t task, int worker)
{
    job *j = arg;
    int64_t r0 = task / j->col_tiles * ROWS, n0 = task % j->col_tiles * COLS;
    int64_t m = HN_MIN(ROWS, j->M - r0), n = HN_MIN(COLS, j->N - n0);
    float *y = j->y + r0 * j->N + n0;
    hn_gemm(false, !j->tr, m, n, j->K, j->x + r0 * j->ldx, j->ldx, j->tr ? j->w + n0 : j->w + n0 * j->ldw, j->ldw, 0, y, j->N);
    if (j->b || j->act != HONE_ACT_NONE)
        for (int64_t i = 0; i < m; i++)
            j->v->bias_act(y + i * j->N, j->pre ? j->pre + (r0 + i) * j->N + n0 : NULL, y + i * j->N, j->b ? j->b + n0 : NULL, n, j->act);
}
static void forward_few(void *arg, int64_t task, int worker)
{
    job *j = arg;
    int64_t n0 = task * GEMV_COLS, n = HN_MIN(GEMV_COLS, j->N - n0);
    for (int64_t r = 0; r < j->M; r++) {
        float *y = j->y + r * j->N + n0;
        j->v->gemv(y, j->x + r * j->ldx, j->tr ? j->w + n0 : j->w + n0 * j->ldw, j->ldw, j->tr, n, j->K);
        if (j->b || j->act != HONE_ACT_NONE)
            j->v->bias_act(y, j->pre ? j->pre + r * j->N + n0 : NULL, y, j->b ? j->b + n0 : NULL, n, j->act);
    }
}
static void forward(hn_call *c)
{
    job j = job_new(c);
    j.y = c->out->data;
    j.pre = j.act != HONE_ACT_NONE && c->aux[0] ? c->aux[0]->data : NULL;
    double flops = 2.0 * (double)j.M * (double)j.K * (double)j.N;
    if (j.M <= FEW) hn_cpu_run(c, flops * 4, hn_cdiv(j.N, GEMV_COLS), forward_few, &j);
    else hn_cpu_run(c, flops, j.row_tiles * j.col_tiles, forward_tile, &j);
}

static void backward_rows(job *j, int64_t task)
{
    int64_t r0 = task * ROWS, m = HN_MIN(ROWS, j->M - r0);
    float *d = j->dpre + r0 * j->N;
    if (j->act != HONE_ACT_NONE)
        for (int64_t i = 0; i < m; i++) j->v->act_grad(d + i * j->N, j->dy + (r0 + i) * j->N, j->pre + (r0 + i) * j->N, j->N, j->act, false);
    if (j->db) {
        float *p = j->db_part + task * hn_round(j->N);
        memset(p, 0, (size_t)j->N * sizeof *p);
        for (int64_t i = 0; i < m; i++) j->v->add(p, p, d + i * j->N, j->N);
    }
    if (j->dx) hn_gemm(false, j->tr, m, j->K, j->N, d, j->N, j->w, j->ldw, j->beta, j->dx + r0 * j->lddx, j->lddx);
}
static void backward_weight(job *j, int64_t task)
{
    /* w's own rows are A by B: (N,K), or (K,N) when transposed */
    int64_t A = j->tr ? j->K : j->N, B = j->tr ? j->N : j->K, part = task % j->splits, tile = task / j->splits;
    int64_t a0 = tile / j->wb * WROWS, b0 = tile % j->wb * WCOLS, a = HN_MIN(WROWS, A - a0), b = HN_MIN(WCOLS, B - b0);
    const float *l = j->tr ? j->x : j->dpre, *r = j->tr ? j->dpre : j->x;
    int64_t ldl = j->tr ? j->ldx : j->N, ldr = j->tr ? j->N : j->ldx;
    if (j->splits == 1) {
        for (int64_t at = 0; at < j->M; at += SPLIT)
            hn_gemm(true, false, a, b, HN_MIN(SPLIT, j->M - at), l + at * ldl + a0, ldl, r + at * ldr + b0, ldr, 1, j->dw + a0 * j->lddw + b0, j->lddw);
        return;
    }
    float *p = j->dw_part + part * hn_round(A * B);
    hn_gemm(true, false, a, b, HN_MIN(SPLIT, j->M - part * SPLIT), l + part * SPLIT * ldl + a0, ldl, r + part * SPLIT * ldr + b0, ldr, 0, p + a0 * B + b0, B);
}
static void backward_task(void *arg, int64_t task, int worker)
{
    job *j = arg;
    if (task < j->row_tiles) backward_rows(j, task); else backward_weight(j, task - j->row_tiles);
}
static void weight_task(void *arg, int64_t task, int worker) { backward_weight(arg, task); }

static void weight_cut(job *j)
{
    j->wa = hn_cdiv(j->tr ? j->K : j->N, WROWS), j->wb = hn_cdiv(j->tr ? j->N : j->K, WCOLS);
    j->splits = j->M > SPLIT && j->wa * j->wb < SPLIT_TILES ? hn_cdiv(j->M, SPLIT) : 1;
}
static int64_t scratch_bytes(const hn_call *c, bool back)
{
    if (!back) return 0;
    job j = job_new((hn_call *)c);
    weight_cut(&j);
    int64_t n = 0;
    if (j.act != HONE_ACT_NONE) n += hn_round(j.M * j.N);
    if (c->in[2]) n += j.row_tiles * hn_round(j.N);
    if (j.splits > 1) n += j.splits * hn_round(j.N * j.K);
    return n * (int64_t)sizeof(float);
}
static void backward(hn_call *c, hone_tensor *const dx[])
{
    job j = job_new(c);
    weight_cut(&j);
    float *s = c->scratch;
    j.dy = c->out->grad;
    j.dpre = (float *)j.dy;
    if (j.act != HONE_ACT_NONE) j.dpre = hn_take(&s, j.M * j.N), j.pre = c->aux[0]->data;
    if (c->in[2]) { j.db_part = s; s += j.row_tiles * hn_round(j.N); }
    j.dw_part = s;
    if (dx[0]) j.dx = dx[0]->data, j.lddx = dx[0]->ld, j.beta = dx[0]->fresh ? 0 : 1;
    if (dx[1]) j.dw = dx[1]->data, j.lddw = dx[1]->ld;
    if (c->in[2] && dx[2]) j.db = dx[2]->data;
    for (int i = 1; i < 3; i++) if (dx[i] && dx[i]->fresh) hn_zero_rows(dx[i]);

    int64_t weights = j.dw ? j.wa * j.wb * j.splits : 0;
    double flops = 2.0 * (double)j.M * (double)j.K * (double)j.N;
    if (j.act == HONE_ACT_NONE) hn_cpu_run(c, 2 * flops, j.row_tiles + weights, backward_task, &j);   /* no tile waits for another */
    else {
        hn_cpu_run(c, flops, j.row_tiles, backward_task, &j);
        hn_cpu_run(c, flops, weights, weight_task, &j);
    }
    if (j.db) for (int64_t i = 0; i < j.row_tiles; i++) j.v->add(j.db, j.db, j.db_part + i * hn_round(j.N), j.N);
    if (j.dw && j.splits > 1) {
        int64_t A = j.tr ? j.K : j.N, B = j.tr ? j.N : j.K;
        for (int64_t p = 0; p < j.splits; p++)
            for (int64_t i = 0; i < A; i++) j.v->add(j.dw + i * j.lddw, j.dw + i * j.lddw, j.dw_part + p * hn_round(A * B) + i * B, B);
    }
}
extern const hn_kernel hn_cpu_linear;
const hn_kernel hn_cpu_linear = { &hn_op_linear, forward, backward, scratch_bytes, .overwrites = true };
