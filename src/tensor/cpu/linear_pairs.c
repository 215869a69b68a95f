/* linear_pairs.c - the linear map of bf16 activations where the CPU multiplies pairs of bf16 numbers (pairs.h): all three products.
 *
 * w is rounded to bf16 as it is packed, once a call, and so is d = dy·act′; sums are f32. Forward: w is packed a strip of columns at a
 * time, STRIP numbers at most; tiles of 128 rows by 512 columns, rounded when bias and activation have run. Backward: per tile of rows d,
 * its column sums, dx += d·w, and d and x packed; then per tile of w dw += dᵀ·x. Many rows and few tiles of w: rows are cut into chunks
 * of 4096 with a buffer each, added in order. */
#include "tensor/cpu/linear_pairs.h"
#include "tensor/cpu/pairs.h"

enum {
    ROWS = 128,
    COLS = 512,
    WROWS = 128,
    WCOLS = 256,
    SPLIT = 4096,
    SPLIT_TILES = 16,
    STRIP = 1 << 22,
    PACK_COLS = 64,
    PACK_DEPTH = 512
};

typedef struct {
    hn_call *c;
    const hn_vec *v;
    const hn_pairs *p;
    int64_t M, K, N, ldx, ldw, row_tiles, wrows, wcols; /* w is stored (wrows,wcols) */
    bool tr;
    hone_act act;
    const hn_bf16 *x;
    const float *w, *b;
    float *y, *pre;
    hn_bf16 *y16, *pre16; /* instead of y, pre where those are bf16 */
    float *rooms;         /* of each worker */
    int64_t room;
    /* packed w: columns n0 … n0 + n of the product, `depth` deep */
    uint32_t *packed;
    int64_t n0, n, depth;
    bool along;
    /* backward */
    const float *dy;
    uint32_t *packed_d, *packed_x; /* M deep; N, K columns */
    float *dx, *dw, *db, *db_part, *dw_part;
    bool adds; /* to dx; false: it holds rubbish */
    int64_t lddx, lddw, wa, wb, splits;
} job;

static bool is_bf16(const hone_tensor *x) { return x && x->dtype == HONE_BF16; }
bool hn_linear_in_pairs(const hn_call *c) { return is_bf16(c->in[0]) && c->in[1]->dtype == HONE_F32 && hn_pairs_now(); }

static job job_new(hn_call *c) {
    const hn_linear_attr *at = c->attr;
    hone_tensor *x = c->in[0], *w = c->in[1];
    return (job){ .c = c,
                  .v = hn_vec_now(),
                  .p = hn_pairs_now(),
                  .M = hn_rows(x),
                  .K = hn_cols(x),
                  .N = hn_cols(c->out),
                  .ldx = x->ld,
                  .ldw = w->ld,
                  .row_tiles = hn_cdiv(hn_rows(x), ROWS),
                  .wrows = w->shape[0],
                  .wcols = w->shape[1],
                  .tr = at->transposed,
                  .act = at->act,
                  .x = x->data,
                  .w = w->data,
                  .b = c->in[2] ? c->in[2]->data : NULL };
}
/* Rows of bf16 in a worker's room, with a zero behind an odd number. */
static int64_t row_floats(int64_t n) { return hn_pad_ld(hn_pairs_cells(n)); }
static hn_pairs_left rows_in(const float *room, int64_t n) { return (hn_pairs_left){ room, row_floats(n) * 4, 4, 0 }; }

static void pack_w_piece(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t deep = hn_cdiv(j->depth, PACK_DEPTH), n0 = task / deep * PACK_COLS, k0 = task % deep * PACK_DEPTH, at = j->n0 + n0;
    int64_t n = HN_MIN(PACK_COLS, j->n - n0), k = HN_MIN(PACK_DEPTH, j->depth - k0), ld = hn_pairs_ld(j->depth);
    j->p->pack(j->packed + hn_pairs_at(j->p, ld, n0, hn_pairs_cells(k0)), j->p->width * ld,
               j->w + (j->along ? at * j->ldw + k0 : k0 * j->ldw + at), HONE_F32, j->ldw, j->along, n, k);
}
/* Columns n0 … n0 + n of a product over `depth` numbers of w, which lie one after another, or down a column of it. */
static void pack_w(job *j, int64_t n0, int64_t n, int64_t depth, bool along) {
    j->n0 = n0, j->n = n, j->depth = depth, j->along = along;
    hn_cpu_run(j->c, 20.0 * (double)(n * depth), hn_cdiv(n, PACK_COLS) * hn_cdiv(depth, PACK_DEPTH), pack_w_piece, j);
}
static int64_t strip(const job *j) { return HN_MIN(hn_cdiv(j->N, COLS), HN_MAX(1, STRIP / HN_MAX(1, j->K) / COLS)) * COLS; }

/* Floats of a worker in forward: rows of x if they are odd, a tile of y, a row of z. */
static int64_t x_room(const job *j) { return j->K % 2 ? ROWS * row_floats(j->K) : 0; }
static int64_t forward_room(const job *j) { return x_room(j) + (is_bf16(j->c->out) ? ROWS * COLS + COLS : 0); }
static hn_pairs_left x_rows(const job *j, float *room, int64_t r0, int64_t m) {
    const hn_bf16 *x = j->x + r0 * j->ldx;
    if (j->K % 2 == 0) return (hn_pairs_left){ x, j->ldx * (int64_t)sizeof *x, 4, 0 };
    for (int64_t i = 0; i < m; i++) {
        hn_bf16 *to = (hn_bf16 *)(void *)(room + i * row_floats(j->K));
        memcpy(to, x + i * j->ldx, (size_t)j->K * sizeof *x);
        to[j->K] = 0;
    }
    return rows_in(room, j->K);
}
static void finish_row(const job *j, float *y, float *z, int64_t r, int64_t n0, int64_t n) {
    int64_t at = r * j->N + n0;
    bool acts = j->b || j->act != HONE_ACT_NONE;
    if (acts) j->v->bias_act(y, j->pre16 ? z : j->pre ? j->pre + at : NULL, y, j->b ? j->b + n0 : NULL, n, j->act);
    if (j->pre16) j->v->narrow(j->pre16 + at, z, n);
    if (j->y16) j->v->narrow(j->y16 + at, y, n);
}
static void forward_tile(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t across = hn_cdiv(j->n, COLS), r0 = task / across * ROWS, at = task % across * COLS, n0 = j->n0 + at;
    int64_t m = HN_MIN(ROWS, j->M - r0), n = HN_MIN(COLS, j->n - at), ld = hn_pairs_ld(j->K), ldy = j->y16 ? COLS : j->N;
    float *room = j->rooms + worker * j->room, *tile = room + x_room(j), *y = j->y16 ? tile : j->y + r0 * j->N + n0;
    hn_pairs_left x = x_rows(j, room, r0, m);
    j->p->product(y, ldy, m, n, hn_pairs_cells(j->K), &x, j->packed + hn_pairs_at(j->p, ld, at, 0), j->p->width * ld, false);
    for (int64_t i = 0; i < m; i++) finish_row(j, y + i * ldy, tile + ROWS * COLS, r0 + i, n0, n);
}
void hn_linear_pairs_forward(hn_call *c) {
    job j = job_new(c);
    void *z = j.act != HONE_ACT_NONE && c->aux[0] ? c->aux[0]->data : NULL;
    if (is_bf16(c->out)) j.y16 = c->out->data, j.pre16 = z;
    else j.y = c->out->data, j.pre = z;
    j.packed = c->scratch;
    j.rooms = (float *)c->scratch + hn_pairs_packed(j.p, strip(&j), hn_pairs_ld(j.K)), j.room = forward_room(&j);
    for (int64_t n0 = 0, step = strip(&j); n0 < j.N && j.M; n0 += step) {
        pack_w(&j, n0, HN_MIN(step, j.N - n0), j.K, !j.tr);
        hn_cpu_run(c, (double)j.M * (double)j.K * (double)j.n, j.row_tiles * hn_cdiv(j.n, COLS), forward_tile, &j);
    }
}

/* ---- backward ---- */

/* Floats of a worker: rows of d in bf16, a row of d and one of z in f32. */
static int64_t backward_room(const job *j) {
    return ROWS * row_floats(j->N) + (j->act != HONE_ACT_NONE ? hn_round(j->N) : 0) + (is_bf16(j->c->aux[0]) ? hn_round(j->N) : 0);
}
/* Row r of d in bf16; added to sum, unless that is NULL. A row at a time, so that it is in the first cache for all of this. */
static void d_row(const job *j, float *room, int64_t r, float *sum, hn_bf16 *to) {
    const float *d = j->dy + r * j->N;
    if (j->act != HONE_ACT_NONE) {
        const float *z = j->pre ? j->pre + r * j->N : room + hn_round(j->N);
        if (j->pre16) j->v->widen(room + hn_round(j->N), j->pre16 + r * j->N, j->N);
        j->v->act_grad(room, d, z, j->N, j->act, false);
        d = room;
    }
    if (sum) j->v->add(sum, sum, d, j->N);
    j->v->narrow(to, d, j->N);
    if (j->N % 2) to[j->N] = 0;
}
static void backward_rows(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t r0 = task * ROWS, m = HN_MIN(ROWS, j->M - r0), ld = hn_pairs_ld(j->M), ldw = hn_pairs_ld(j->N);
    float *narrow = j->rooms + worker * j->room, *sum = j->db ? j->db_part + task * hn_round(j->N) : NULL;
    if (sum) memset(sum, 0, (size_t)j->N * sizeof *sum);
    for (int64_t i = 0; i < m; i++)
        d_row(j, narrow + ROWS * row_floats(j->N), r0 + i, sum, (hn_bf16 *)(void *)(narrow + i * row_floats(j->N)));
    hn_pairs_left left = rows_in(narrow, j->N);
    if (j->dx) j->p->product(j->dx + r0 * j->lddx, j->lddx, m, j->K, hn_pairs_cells(j->N), &left, j->packed, j->p->width * ldw, j->adds);
    if (!j->dw) return;
    int64_t at = hn_pairs_at(j->p, ld, 0, hn_pairs_cells(r0)), stride = j->p->width * ld;
    j->p->pack(j->packed_d + at, stride, narrow, HONE_BF16, 2 * row_floats(j->N), false, j->N, m);
    j->p->pack(j->packed_x + at, stride, j->x + r0 * j->ldx, HONE_BF16, j->ldx, false, j->K, m);
}
/* dw (wrows,wcols) is dᵀ·x, or xᵀ·d when transposed */
static void backward_weight(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t part = task % j->splits, tile = task / j->splits, cells = hn_pairs_cells(j->M), deep = hn_pairs_ld(j->M);
    int64_t a0 = tile / j->wb * WROWS, b0 = tile % j->wb * WCOLS, a = HN_MIN(WROWS, j->wrows - a0), b = HN_MIN(WCOLS, j->wcols - b0);
    int64_t q0 = hn_pairs_cells(part * SPLIT), q = j->splits == 1 ? cells : HN_MIN(hn_pairs_cells(SPLIT), cells - q0);
    hn_pairs_left left = hn_pairs_panels(j->p, j->tr ? j->packed_x : j->packed_d, deep, a0, q0);
    const uint32_t *right = (j->tr ? j->packed_d : j->packed_x) + hn_pairs_at(j->p, deep, b0, q0);
    float *to = j->dw + a0 * j->lddw + b0;
    int64_t ld = j->lddw;
    if (j->splits > 1) to = j->dw_part + part * hn_round(j->wrows * j->wcols) + a0 * j->wcols + b0, ld = j->wcols;
    j->p->product(to, ld, a, b, q, &left, right, j->p->width * deep, j->splits == 1);
}

/* What backward takes from scratch; with s NULL the addresses are only counted. */
static int64_t backward_cut(job *j, float *s) {
    float *start = s;
    int64_t n = 0, at;
    j->wa = hn_cdiv(j->wrows, WROWS), j->wb = hn_cdiv(j->wcols, WCOLS);
    j->splits = j->M > SPLIT && j->wa * j->wb < SPLIT_TILES ? hn_cdiv(j->M, SPLIT) : 1;
    j->room = backward_room(j);
#define TAKE(count) (at = n, n += hn_round(count), start ? start + at : NULL)
    j->rooms = TAKE(hn_pool_threads(j->c->pool) * j->room);
    j->packed = (uint32_t *)(void *)TAKE(hn_pairs_packed(j->p, j->K, hn_pairs_ld(j->N)));
    if (j->c->in[1]->wants_grad) {
        j->packed_d = (uint32_t *)(void *)TAKE(hn_pairs_packed(j->p, j->N, hn_pairs_ld(j->M)));
        j->packed_x = (uint32_t *)(void *)TAKE(hn_pairs_packed(j->p, j->K, hn_pairs_ld(j->M)));
    }
    if (j->c->in[2]) j->db_part = TAKE(j->row_tiles * hn_round(j->N));
    if (j->splits > 1) j->dw_part = TAKE(j->splits * hn_round(j->wrows * j->wcols));
#undef TAKE
    return n * (int64_t)sizeof(float);
}
int64_t hn_linear_pairs_bytes(const hn_call *c, bool back) {
    job j = job_new((hn_call *)c);
    if (back) return backward_cut(&j, NULL);
    return (hn_pairs_packed(j.p, strip(&j), hn_pairs_ld(j.K)) + hn_pool_threads(c->pool) * forward_room(&j)) * (int64_t)sizeof(float);
}
void hn_linear_pairs_backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    j.dy = c->out->grad;
    backward_cut(&j, c->scratch);
    if (j.act != HONE_ACT_NONE && is_bf16(c->aux[0])) j.pre16 = c->aux[0]->data;
    else if (j.act != HONE_ACT_NONE) j.pre = c->aux[0]->data;
    if (dx[0]) j.dx = dx[0]->data, j.lddx = dx[0]->ld, j.adds = !dx[0]->fresh;
    if (dx[1]) j.dw = dx[1]->data, j.lddw = dx[1]->ld;
    if (c->in[2] && dx[2]) j.db = dx[2]->data;
    for (int i = 1; i < 3; i++)
        if (dx[i] && dx[i]->fresh) hn_zero_rows(dx[i]);
    if (j.dx) pack_w(&j, 0, j.K, j.N, j.tr);
    double flops = (double)j.M * (double)j.K * (double)j.N;
    hn_cpu_run(c, flops, j.row_tiles, backward_rows, &j);
    if (j.dw) hn_cpu_run(c, flops, j.wa * j.wb * j.splits, backward_weight, &j);
    if (j.db)
        for (int64_t i = 0; i < j.row_tiles; i++) j.v->add(j.db, j.db, j.db_part + i * hn_round(j.N), j.N);
    if (j.dw && j.splits > 1)
        for (int64_t p = 0; p < j.splits; p++)
            for (int64_t i = 0; i < j.wrows; i++)
                j.v->add(j.dw + i * j.lddw, j.dw + i * j.lddw, j.dw_part + p * hn_round(j.wrows * j.wcols) + i * j.wcols, j.wcols);
}
