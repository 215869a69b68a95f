/* matmul.c - batches of products on tiles of 128 rows by 512 columns of each result. A gradient's tile belongs to one task, which adds
 * up the batches that share its matrix in their order. */
#include "tensor/cpu/cpu.h"
#include "tensor/op/matmul.h"

enum { ROWS = 128, COLS = 512 };
typedef struct {
    hn_products p;
    bool ta, tb;
    const float *a, *b, *dy;
    int64_t lda, ldb, rows, cols; /* of a result: y, or a gradient as its matrix is stored */
    float *y;
    hone_tensor *dx;
    bool of_b;
} job;
typedef struct {
    int64_t batch, r0, c0, m, n;
} tile;

static tile tile_of(const job *j, int64_t task) {
    int64_t across = hn_cdiv(j->cols, COLS), down = hn_cdiv(j->rows, ROWS);
    tile t = { task / (across * down), task / across % down * ROWS, task % across * COLS, 0, 0 };
    t.m = HN_MIN(ROWS, j->rows - t.r0), t.n = HN_MIN(COLS, j->cols - t.c0);
    return t;
}
static int64_t tiles(const job *j, int64_t batches) { return batches * hn_cdiv(j->cols, COLS) * hn_cdiv(j->rows, ROWS); }

static void forward_tile(void *arg, int64_t task, int worker) {
    job *j = arg;
    const hn_products *p = &j->p;
    tile t = tile_of(j, task);
    const float *a = j->a + t.batch / p->n[1] * p->a[0] + t.batch % p->n[1] * p->a[1];
    const float *b = j->b + t.batch / p->n[1] * p->b[0] + t.batch % p->n[1] * p->b[1];
    hn_gemm(j->ta, j->tb, t.m, t.n, p->K, a + (j->ta ? t.r0 : t.r0 * j->lda), j->lda, b + (j->tb ? t.c0 * j->ldb : t.c0), j->ldb, 0,
            j->y + t.batch * p->M * p->N + t.r0 * p->N + t.c0, p->N);
}
static job job_new(const hn_call *c) {
    const hn_matmul_attr *at = c->attr;
    return (job){ .p = hn_products_of(c),
                  .ta = at->a_turned,
                  .tb = at->b_turned,
                  .a = c->in[0]->data,
                  .b = c->in[1]->data,
                  .lda = c->in[0]->ld,
                  .ldb = c->in[1]->ld };
}
static double flops(const hn_call *c, const job *j) { return 2.0 * (double)hn_count(c->out) * (double)j->p.K; }
static void forward(hn_call *c) {
    job j = job_new(c);
    j.y = c->out->data, j.rows = j.p.M, j.cols = j.p.N;
    hn_cpu_run(c, flops(c, &j), tiles(&j, j.p.n[0] * j.p.n[1]), forward_tile, &j);
}

/* One tile of da or db, from one batch. Written for op: da = dy·op(b)ᵀ, turned dbᵀ where stored so; db = op(a)ᵀ·dy. */
static void add_product(const job *j, const tile *t, const float *a, const float *b, const float *dy, float beta, float *to) {
    int64_t N = j->p.N, ld = j->dx->ld, r = t->r0, c = t->c0;
    if (!j->of_b && !j->ta) /* (M,K): dy·op(b)ᵀ */
        hn_gemm(false, !j->tb, t->m, t->n, N, dy + r * N, N, b + (j->tb ? c : c * j->ldb), j->ldb, beta, to, ld);
    else if (!j->of_b) /* (K,M): op(b)·dyᵀ */
        hn_gemm(j->tb, true, t->m, t->n, N, b + (j->tb ? r : r * j->ldb), j->ldb, dy + c * N, N, beta, to, ld);
    else if (!j->tb) /* (K,N): op(a)ᵀ·dy */
        hn_gemm(!j->ta, false, t->m, t->n, j->p.M, a + (j->ta ? r * j->lda : r), j->lda, dy + c, N, beta, to, ld);
    else /* (N,K): dyᵀ·op(a) */
        hn_gemm(true, j->ta, t->m, t->n, j->p.M, dy + r, N, a + (j->ta ? c * j->lda : c), j->lda, beta, to, ld);
}
static void backward_tile(void *arg, int64_t task, int worker) {
    job *j = arg;
    const hn_products *p = &j->p;
    const int64_t *own = p->own[j->of_b], *step = j->of_b ? p->b : p->a;
    tile t = tile_of(j, task);
    int64_t o0 = t.batch / own[1], o1 = t.batch % own[1];
    float *to = (float *)j->dx->data + o0 * step[0] + o1 * step[1] + t.r0 * j->dx->ld + t.c0;
    bool first = j->dx->fresh;
    for (int64_t i = own[0] == 1 ? 0 : o0, i_end = own[0] == 1 ? p->n[0] : o0 + 1; i < i_end; i++)
        for (int64_t k = own[1] == 1 ? 0 : o1, k_end = own[1] == 1 ? p->n[1] : o1 + 1; k < k_end; k++) {
            add_product(j, &t, j->a + i * p->a[0] + k * p->a[1], j->b + i * p->b[0] + k * p->b[1],
                        j->dy + (i * p->n[1] + k) * p->M * p->N, first ? 0 : 1, to);
            first = false;
        }
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    j.dy = c->out->grad;
    for (int k = 0; k < 2; k++) {
        j.dx = dx[k], j.of_b = k;
        if (!j.dx) continue;
        j.rows = j.dx->shape[j.dx->dims - 2], j.cols = j.dx->shape[j.dx->dims - 1];
        if (j.dx->fresh && j.p.n[0] * j.p.n[1] == 0) hn_zero_rows(j.dx);
        hn_cpu_run(c, flops(c, &j), tiles(&j, j.p.own[k][0] * j.p.own[k][1]), backward_tile, &j);
    }
}
extern const hn_kernel hn_cpu_matmul;
const hn_kernel hn_cpu_matmul = { &hn_op_matmul, forward, backward, NULL, .overwrites = true };
