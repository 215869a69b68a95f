/* linear.c - y = act(x·wᵀ + b) and its gradients on tiles of fixed size.
 *
 * Forward: tiles of 128 rows by 512 columns; bias and activation run over a tile while it is warm. Backward: per tile of rows
 * dpre = dy·act′ and its column sums; then tiles of dw += dpreᵀ·x and of dx += dpre·w, none of which waits for another. Many rows and few
 * tiles of w (K ≥ 65536, M = N = 32): rows are cut into chunks of 4096 with a buffer each, added in order. Operands whose row length suits
 * the caches badly are copied to padded rows first (tensor/kernels.h). A call of few rows, as in decoding, reads w once (few.h), each task
 * a stretch of memory: rows of w (N,K), or of w (K,N) 128 rows in a block of columns (for one row of x whole ones), whose sums are added in
 * order afterwards. w of 16 bits (for reading only) is widened there in registers, and for more rows a tile at a time. bf16 activations go
 * to linear_pairs.c where the CPU multiplies them; elsewhere a tile's rows of x are widened for its product, its result is rounded when
 * bias and activation have run, and backward widens a row of z at a time, and x once for dw. */
#include "tensor/cpu/cpu.h"
#include "tensor/cpu/few.h"
#include "tensor/cpu/linear_pairs.h"

enum {
    ROWS = 128,
    COLS = 512,
    LARGE = 256,
    LARGE_COLS = 384,
    SMALL = 128,
    XCOLS = 768,
    TASKS = 16,
    SPLIT = 4096,
    SPLIT_TILES = 16,
    PACK_ROWS = 256,
    FEW_COLS = 64,
    MANY_COLS = 256,
    FEW_K = 128,
    FEW_COLS_T = 1024,
    ONE_COLS_T = 4096,
    WIDE_COLS = 128
};

typedef struct {
    hn_call *c;
    const hn_vec *v;
    int64_t M, K, N, ldx, ldw, col_tiles, row_tiles, wrows, wcols; /* w is stored (wrows,wcols) */
    bool tr;
    hone_act act;
    hone_dtype type; /* of w; where it is not f32, `w` is only handed on */
    const float *x, *w, *b;
    float *y, *pre, *packed_w;
    const hn_bf16 *x16; /* instead of x, y, pre where those are bf16 */
    hn_bf16 *y16, *pre16;
    float *part; /* (chunks of K, M,N) of few rows, or a widened tile of w for each worker */
    int64_t chunks, few_cols, few_blocks;
    float *rooms; /* of each worker */
    int64_t room;
    /* backward */
    const float *dy, *d, *dw_x; /* d: gradient before the activation, dy itself or in scratch; dw_x: x or its padded copy */
    int64_t ldd, ld_dw_x;
    float *new_d, *new_x; /* those in scratch, or NULL */
    float *dx, *dw, *db, *db_part, *dw_part;
    float beta;                                                  /* of dx: 0 where it holds rubbish */
    int64_t lddx, lddw, rows, cols, wa, wb, xb, splits, weights; /* rows, cols: of a tile; tiles of dw, of a row of dx; tasks of dw */
} job;

static job job_new(hn_call *c) {
    const hn_linear_attr *at = c->attr;
    hone_tensor *x = c->in[0], *w = c->in[1];
    job j = { .c = c,
              .v = hn_vec_now(),
              .M = hn_rows(x),
              .K = hn_cols(x),
              .N = hn_cols(c->out),
              .ldx = x->ld,
              .ldw = w->ld,
              .wrows = w->shape[0],
              .wcols = w->shape[1],
              .tr = at->transposed,
              .act = at->act,
              .type = w->dtype,
              .w = w->data,
              .b = c->in[2] ? c->in[2]->data : NULL };
    if (x->dtype == HONE_BF16) j.x16 = x->data;
    else j.x = x->data;
    j.col_tiles = hn_cdiv(j.N, COLS);
    j.row_tiles = hn_cdiv(j.M, ROWS);
    j.chunks = j.tr ? HN_MAX(1, hn_cdiv(j.K, FEW_K)) : 1;
    j.few_cols = !j.tr ? j.N < 32 * MANY_COLS ? FEW_COLS : MANY_COLS : j.M == 1 ? ONE_COLS_T : FEW_COLS_T;
    j.few_blocks = hn_cdiv(j.N, j.few_cols);
    return j;
}

/* Does a product deserve a padded copy of w? One that walks down w's columns (forward of (K,N), dx of (N,K)) soon does; the other copies
 * a few rows at a time, which share a cache set where they lie a multiple of half a page apart. */
static bool packs_w(const job *j, bool back) { return j->M >= PACK_ROWS && j->ldw % (j->tr != back ? 256 : 512) == 0; }
static void pack_w_rows(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t r = task * ROWS, ld = hn_pad_ld(j->wcols);
    hn_pack(j->packed_w + r * ld, ld, j->w + r * j->ldw, j->ldw, HN_MIN(ROWS, j->wrows - r), j->wcols);
}
static void pack_w(job *j, float **scratch) {
    j->packed_w = hn_take(scratch, j->wrows * hn_pad_ld(j->wcols));
    hn_cpu_run(j->c, 10.0 * (double)(j->wrows * j->wcols), hn_cdiv(j->wrows, ROWS), pack_w_rows, j);
    j->w = j->packed_w;
    j->ldw = hn_pad_ld(j->wcols);
}

static bool is_bf16(const hone_tensor *x) { return x && x->dtype == HONE_BF16; }
static void widen_rows(const job *j, float *to, int64_t ld, int64_t r0, int64_t m) {
    for (int64_t i = 0; i < m; i++) j->v->widen(to + i * ld, j->x16 + (r0 + i) * j->ldx, j->K);
}
/* Floats of a worker in forward: rows of x widened, a tile of y, a row of z. */
static int64_t forward_room(const hn_call *c, const job *j) {
    return (is_bf16(c->in[0]) ? ROWS * hn_pad_ld(j->K) : 0) + (is_bf16(c->out) ? ROWS * COLS + COLS : 0);
}
static void bias_act_row(const job *j, int64_t r, int64_t n0, int64_t n) {
    float *y = j->y + r * j->N + n0;
    if (j->b || j->act != HONE_ACT_NONE) j->v->bias_act(y, j->pre ? j->pre + r * j->N + n0 : NULL, y, j->b ? j->b + n0 : NULL, n, j->act);
}
/* A row of a tile whose result is bf16: y, and z, are f32 in the worker's room. */
static void finish_row16(const job *j, float *y, float *z, int64_t r, int64_t n0, int64_t n) {
    int64_t at = r * j->N + n0;
    if (j->b || j->act != HONE_ACT_NONE) j->v->bias_act(y, j->pre16 ? z : NULL, y, j->b ? j->b + n0 : NULL, n, j->act);
    if (j->pre16) j->v->narrow(j->pre16 + at, z, n);
    j->v->narrow(j->y16 + at, y, n);
}
/* m rows from r0 by n columns from n0; w: their part of it, ldw its row length. */
static void product_tile(const job *j, int worker, int64_t r0, int64_t m, int64_t n0, int64_t n, const float *w, int64_t ldw) {
    float *room = j->rooms + worker * j->room, *y16 = room + (j->x16 ? ROWS * hn_pad_ld(j->K) : 0);
    float *y = j->y16 ? y16 : j->y + r0 * j->N + n0;
    const float *x = j->x16 ? room : j->x + r0 * j->ldx;
    int64_t ldx = j->x16 ? hn_pad_ld(j->K) : j->ldx, ldy = j->y16 ? COLS : j->N;
    if (j->x16) widen_rows(j, room, ldx, r0, m);
    hn_gemm(false, !j->tr, m, n, j->K, x, ldx, w, ldw, 0, y, ldy);
    for (int64_t i = 0; i < m; i++)
        if (j->y16) finish_row16(j, y + i * ldy, y16 + ROWS * COLS, r0 + i, n0, n);
        else bias_act_row(j, r0 + i, n0, n);
}
static void forward_tile(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t r0 = task / j->col_tiles * ROWS, n0 = task % j->col_tiles * COLS;
    int64_t m = HN_MIN(ROWS, j->M - r0), n = HN_MIN(COLS, j->N - n0);
    product_tile(j, worker, r0, m, n0, n, j->tr ? j->w + n0 : j->w + n0 * j->ldw, j->ldw);
}
/* ---- few rows ---- */
static void forward_few(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t chunk = task / j->few_blocks, n0 = task % j->few_blocks * j->few_cols;
    int64_t k0 = chunk * FEW_K, n = HN_MIN(j->few_cols, j->N - n0);
    float *y = j->chunks > 1 ? j->part + chunk * j->M * j->N : j->y;
    hn_few f = { y, j->x, j->w, j->type, j->N, j->ldx, j->ldw, j->M, j->K, j->tr };
    if (j->chunks > 1) {
        f.x += k0;
        f.w = hn_few_at(j->w, j->type, k0 * j->ldw);
        f.k = HN_MIN(FEW_K, j->K - k0);
    }
    hn_few_now()->product(&f, n0, n);
    for (int64_t r = 0; j->chunks == 1 && r < j->M; r++) bias_act_row(j, r, n0, n);
}
static void add_chunks(void *arg, int64_t r, int worker) {
    job *j = arg;
    float *y = j->y + r * j->N;
    j->v->add(y, j->part + r * j->N, j->part + (j->M + r) * j->N, j->N);
    for (int64_t i = 2; i < j->chunks; i++) j->v->add(y, y, j->part + (i * j->M + r) * j->N, j->N);
    bias_act_row(j, r, 0, j->N);
}

/* ---- w of 16 bits, many rows ---- */
static int64_t wide_ld(const job *j) { return hn_pad_ld(j->tr ? WIDE_COLS : j->K); }
static int64_t wide_floats(const job *j) { return hn_round((j->tr ? j->K : WIDE_COLS) * wide_ld(j)); }
static void forward_wide(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t n0 = task * WIDE_COLS, n = HN_MIN(WIDE_COLS, j->N - n0), ld = wide_ld(j);
    float *w = j->part + worker * wide_floats(j);
    for (int64_t i = 0; i < (j->tr ? j->K : n); i++)
        hn_few_now()->widen(w + i * ld, hn_few_at(j->w, j->type, j->tr ? i * j->ldw + n0 : (n0 + i) * j->ldw), j->type, j->tr ? n : j->K);
    for (int64_t r0 = 0; r0 < j->M; r0 += ROWS) product_tile(j, worker, r0, HN_MIN(ROWS, j->M - r0), n0, n, w, ld);
}

static bool few(const job *j) { return j->M <= HN_FEW_ROWS && !is_bf16(j->c->in[0]) && !is_bf16(j->c->out); }
/* Beside the workers' rooms. */
static int64_t forward_floats(const job *j, int threads) {
    if (few(j)) return j->chunks > 1 ? j->chunks * j->M * j->N : 0;
    if (j->type != HONE_F32) return threads * wide_floats(j);
    return packs_w(j, false) ? hn_round(j->wrows * hn_pad_ld(j->wcols)) : 0;
}

static void forward(hn_call *c) {
    if (hn_linear_in_pairs(c)) {
        hn_linear_pairs_forward(c);
        return;
    }
    job j = job_new(c);
    void *z = j.act != HONE_ACT_NONE && c->aux[0] ? c->aux[0]->data : NULL;
    if (is_bf16(c->out)) j.y16 = c->out->data, j.pre16 = z;
    else j.y = c->out->data, j.pre = z;
    j.part = c->scratch;
    j.rooms = j.part + forward_floats(&j, hn_pool_threads(c->pool)), j.room = forward_room(c, &j);
    double flops = 2.0 * (double)j.M * (double)j.K * (double)j.N;
    if (few(&j)) {
        hn_cpu_run(c, flops * 4, j.chunks * j.few_blocks, forward_few, &j);
        if (j.chunks > 1) hn_cpu_run(c, 8.0 * (double)(j.chunks * j.M * j.N), j.M, add_chunks, &j);
    } else if (j.type != HONE_F32) hn_cpu_run(c, flops, hn_cdiv(j.N, WIDE_COLS), forward_wide, &j);
    else {
        float *s = c->scratch;
        if (packs_w(&j, false)) pack_w(&j, &s);
        hn_cpu_run(c, flops, j.row_tiles * j.col_tiles, forward_tile, &j);
    }
}
/* act(z) again: of tiles as in forward, so that the same lanes of a vector do the same numbers. */
static void remake_tile(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t r0 = task / j->col_tiles * ROWS, n0 = task % j->col_tiles * COLS;
    int64_t m = HN_MIN(ROWS, j->M - r0), n = HN_MIN(COLS, j->N - n0);
    float *room = j->rooms + worker * j->room;
    for (int64_t i = 0, at = r0 * j->N + n0; i < m; i++, at += j->N) {
        if (j->pre16) j->v->widen(room, j->pre16 + at, n);
        j->v->bias_act(j->y16 ? room : j->y + at, NULL, j->pre16 ? room : j->pre + at, NULL, n, j->act);
        if (j->y16) j->v->narrow(j->y16 + at, room, n);
    }
}
static void remake(hn_call *c) {
    job j = job_new(c);
    if (is_bf16(c->out)) j.y16 = c->out->data, j.pre16 = c->aux[0]->data;
    else j.y = c->out->data, j.pre = c->aux[0]->data;
    j.rooms = c->scratch, j.room = COLS;
    hn_cpu_run(c, 20.0 * (double)j.M * (double)j.N, j.row_tiles * j.col_tiles, remake_tile, &j);
}

static void prepare_rows(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t r0 = task * ROWS, m = HN_MIN(ROWS, j->M - r0);
    float *wide = j->pre16 ? j->rooms + worker * j->room : NULL, *sum = j->db ? j->db_part + task * hn_round(j->N) : NULL;
    if (sum) memset(sum, 0, (size_t)j->N * sizeof *sum);
    for (int64_t r = r0; r < r0 + m && (j->new_d || sum); r++) {
        if (j->pre16) j->v->widen(wide, j->pre16 + r * j->N, j->N);
        if (j->new_d)
            j->v->act_grad(j->new_d + r * j->ldd, j->dy + r * j->N,
                           j->pre16 ? wide
                           : j->pre ? j->pre + r * j->N
                                    : NULL,
                           j->N, j->act, false);
        if (sum) j->v->add(sum, sum, j->d + r * j->ldd, j->N);
    }
    if (j->new_x && j->x16) widen_rows(j, j->new_x + r0 * j->ld_dw_x, j->ld_dw_x, r0, m);
    else if (j->new_x) hn_pack(j->new_x + r0 * j->ld_dw_x, j->ld_dw_x, j->x + r0 * j->ldx, j->ldx, m, j->K);
}
static void backward_rows(const job *j, int64_t task) {
    int64_t r0 = task / j->xb * j->rows, k0 = task % j->xb * XCOLS, m = HN_MIN(j->rows, j->M - r0), k = HN_MIN(XCOLS, j->K - k0);
    hn_gemm(false, j->tr, m, k, j->N, j->d + r0 * j->ldd, j->ldd, j->w + (j->tr ? k0 * j->ldw : k0), j->ldw, j->beta,
            j->dx + r0 * j->lddx + k0, j->lddx);
}
static void backward_weight(job *j, int64_t task) {
    /* dw (wrows,wcols) is dᵀ·x, or xᵀ·d when transposed */
    int64_t part = task % j->splits, tile = task / j->splits;
    int64_t a0 = tile / j->wb * j->rows, b0 = tile % j->wb * j->cols, a = HN_MIN(j->rows, j->wrows - a0),
            b = HN_MIN(j->cols, j->wcols - b0);
    const float *l = j->tr ? j->dw_x : j->d, *r = j->tr ? j->d : j->dw_x;
    int64_t ldl = j->tr ? j->ld_dw_x : j->ldd, ldr = j->tr ? j->ldd : j->ld_dw_x;
    if (j->splits == 1) {
        for (int64_t at = 0; at < j->M; at += SPLIT)
            hn_gemm(true, false, a, b, HN_MIN(SPLIT, j->M - at), l + at * ldl + a0, ldl, r + at * ldr + b0, ldr, 1,
                    j->dw + a0 * j->lddw + b0, j->lddw);
        return;
    }
    float *p = j->dw_part + part * hn_round(j->wrows * j->wcols);
    hn_gemm(true, false, a, b, HN_MIN(SPLIT, j->M - part * SPLIT), l + part * SPLIT * ldl + a0, ldl, r + part * SPLIT * ldr + b0, ldr, 0,
            p + a0 * j->wcols + b0, j->wcols);
}
static void backward_task(void *arg, int64_t task, int worker) {
    job *j = arg;
    if (task < j->weights) backward_weight(j, task);
    else backward_rows(j, task - j->weights);
}

/* oneDNN copies both operands of a tile: the larger a tile, the fewer copies; but workers want tasks enough. */
static int64_t choose_tiles(job *j, int64_t rows, int64_t cols) {
    j->rows = rows, j->cols = cols;
    j->wa = hn_cdiv(j->wrows, rows), j->wb = hn_cdiv(j->wcols, cols), j->xb = hn_cdiv(j->K, XCOLS);
    return (j->c->in[1]->wants_grad ? j->wa * j->wb : 0) + (j->c->in[0]->wants_grad ? hn_cdiv(j->M, rows) * j->xb : 0);
}

/* What backward takes from scratch; with s NULL the addresses are only counted. */
static int64_t backward_cut(job *j, float *s) {
    float *start = s;
    if (choose_tiles(j, LARGE, LARGE_COLS) < TASKS) (void)choose_tiles(j, SMALL, SMALL);
    j->splits = j->M > SPLIT && hn_cdiv(j->wrows, SMALL) * hn_cdiv(j->wcols, SMALL) < SPLIT_TILES ? hn_cdiv(j->M, SPLIT) : 1;
    bool many = j->M >= PACK_ROWS, pads = many && hn_gemm_wants_padding();
    int64_t n = 0, at;
#define TAKE(count) (at = n, n += hn_round(count), start ? start + at : NULL)
    j->d = j->dy, j->ldd = j->N, j->dw_x = j->x, j->ld_dw_x = j->ldx;
    if (j->act != HONE_ACT_NONE || (pads && j->N % 128 == 0)) {
        j->ldd = many ? hn_pad_ld(j->N) : j->N;
        j->d = j->new_d = TAKE(j->M * j->ldd);
    }
    if (((pads && j->ldx % 128 == 0) || is_bf16(j->c->in[0])) && j->c->in[1]->wants_grad) {
        j->ld_dw_x = hn_pad_ld(j->K);
        j->dw_x = j->new_x = TAKE(j->M * j->ld_dw_x);
    }
    if (is_bf16(j->c->aux[0])) {
        j->room = hn_round(j->N);
        j->rooms = TAKE(hn_pool_threads(j->c->pool) * j->room);
    }
    if (j->c->in[2]) j->db_part = TAKE(j->row_tiles * hn_round(j->N));
    if (j->splits > 1) j->dw_part = TAKE(j->splits * hn_round(j->wrows * j->wcols));
    if (packs_w(j, true)) j->packed_w = TAKE(j->wrows * hn_pad_ld(j->wcols));
#undef TAKE
    return n * (int64_t)sizeof(float);
}
static int64_t scratch_bytes(const hn_call *c, bool back) {
    if (hn_linear_in_pairs(c)) return hn_linear_pairs_bytes(c, back);
    job j = job_new((hn_call *)c);
    if (back) return backward_cut(&j, NULL);
    int64_t threads = hn_pool_threads(c->pool);
    return (forward_floats(&j, threads) + threads * forward_room(c, &j)) * (int64_t)sizeof(float);
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    if (hn_linear_in_pairs(c)) {
        hn_linear_pairs_backward(c, dx);
        return;
    }
    job j = job_new(c);
    j.dy = c->out->grad;
    backward_cut(&j, c->scratch);
    if (j.act != HONE_ACT_NONE && is_bf16(c->aux[0])) j.pre16 = c->aux[0]->data;
    else if (j.act != HONE_ACT_NONE) j.pre = c->aux[0]->data;
    if (dx[0]) j.dx = dx[0]->data, j.lddx = dx[0]->ld, j.beta = dx[0]->fresh ? 0 : 1;
    if (dx[1]) j.dw = dx[1]->data, j.lddw = dx[1]->ld;
    if (c->in[2] && dx[2]) j.db = dx[2]->data;
    for (int i = 1; i < 3; i++)
        if (dx[i] && dx[i]->fresh) hn_zero_rows(dx[i]);
    if (j.dx && j.packed_w) pack_w(&j, &(float *){ j.packed_w });

    j.weights = j.dw ? j.wa * j.wb * j.splits : 0;
    double flops = 2.0 * (double)j.M * (double)j.K * (double)j.N;
    if (j.new_d || j.new_x || j.db) hn_cpu_run(c, 20.0 * (double)(j.M * (j.N + j.K)), j.row_tiles, prepare_rows, &j);
    hn_cpu_run(c, ((j.dw ? 1 : 0) + (j.dx ? 1 : 0)) * flops, j.weights + (j.dx ? hn_cdiv(j.M, j.rows) * j.xb : 0), backward_task, &j);
    if (j.db)
        for (int64_t i = 0; i < j.row_tiles; i++) j.v->add(j.db, j.db, j.db_part + i * hn_round(j.N), j.N);
    if (j.dw && j.splits > 1)
        for (int64_t p = 0; p < j.splits; p++)
            for (int64_t i = 0; i < j.wrows; i++)
                j.v->add(j.dw + i * j.lddw, j.dw + i * j.lddw, j.dw_part + p * hn_round(j.wrows * j.wcols) + i * j.wcols, j.wcols);
}
static unsigned bf16(const hn_call *c) { return HN_SAVE_IN0 | HN_SAVE_OUT | HN_SAVE_AUX; }
extern const hn_kernel hn_cpu_linear;
const hn_kernel hn_cpu_linear = { &hn_op_linear, forward, backward, scratch_bytes, .remake = remake, .overwrites = true, .bf16 = bf16 };
