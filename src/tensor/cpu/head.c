/* head.c - blocks of logits and their gradients, shared by the heads. */
#include "tensor/cpu/head.h"
#include "tensor/op/op.h"

HN_BY_ISA(hn_head_vec, hn_head_vec)
const hn_head_vec *hn_head_vec_now(void) { return hn_head_vec_of(hn_cpu_isa()); }

/* Whole tiles of rows where they fit, at least sixteen rows where the vocabulary is huge. */
int64_t hn_head_rows(const hn_head *x, int blocks) {
    int64_t fit = HN_HEAD_FLOATS / blocks / x->V, whole = HN_MIN(HN_HEAD_BLOCK, fit / HN_HEAD_ROWS * HN_HEAD_ROWS);
    if (!whole) whole = HN_MAX(16, fit / 16 * 16);
    return HN_MIN(hn_cdiv(x->R, 16) * 16, whole);
}

typedef struct {
    const hn_head *x;
    int64_t r0, rows, tiles_v, dh_tiles, dw_side, dw_tiles_c;
    float *z;
    const float *dz;
    const hone_tensor *dh, *dw;
} job;

static void logits_tile(void *arg, int64_t task, int worker) {
    const job *j = arg;
    const hn_head *x = j->x;
    int64_t v0 = task % j->tiles_v * HN_HEAD_TILE, i0 = task / j->tiles_v * HN_HEAD_ROWS;
    hn_gemm(false, true, HN_MIN(HN_HEAD_ROWS, j->rows - i0), HN_MIN(HN_HEAD_TILE, x->V - v0), x->C, hn_row_of(x->h, j->r0 + i0), x->h->ld,
            hn_row_of(x->w, v0), x->w->ld, 0, j->z + i0 * x->ld + v0, x->ld);
}
void hn_head_logits(const hn_call *c, const hn_head *x, int64_t r0, int64_t rows, float *z) {
    job j = { .x = x, .r0 = r0, .rows = rows, .z = z, .tiles_v = hn_cdiv(x->V, HN_HEAD_TILE) };
    hn_cpu_run(c, 2.0 * (double)rows * (double)x->V * (double)x->C, hn_cdiv(rows, HN_HEAD_ROWS) * j.tiles_v, logits_tile, &j);
}

static void grad_tile(void *arg, int64_t task, int worker) {
    const job *j = arg;
    const hn_head *x = j->x;
    if (task < j->dh_tiles) {
        int64_t per_row = hn_cdiv(x->C, HN_HEAD_TILE), i0 = task / per_row * HN_HEAD_ROWS, k0 = task % per_row * HN_HEAD_TILE;
        hn_gemm(false, false, HN_MIN(HN_HEAD_ROWS, j->rows - i0), HN_MIN(HN_HEAD_TILE, x->C - k0), x->V, j->dz + i0 * x->ld, x->ld,
                (float *)x->w->data + k0, x->w->ld, j->dh->fresh ? 0 : 1, hn_row_of(j->dh, j->r0 + i0) + k0, j->dh->ld);
        return;
    }
    task -= j->dh_tiles;
    int64_t v0 = task / j->dw_tiles_c * j->dw_side, k0 = task % j->dw_tiles_c * j->dw_side;
    hn_gemm(true, false, HN_MIN(j->dw_side, x->V - v0), HN_MIN(j->dw_side, x->C - k0), j->rows, j->dz + v0, x->ld,
            hn_row_of(x->h, j->r0) + k0, x->h->ld, 1, hn_row_of(j->dw, v0) + k0, j->dw->ld);
}
void hn_head_grads(const hn_call *c, const hn_head *x, int64_t r0, int64_t rows, const float *dz, const hone_tensor *dh,
                   const hone_tensor *dw) {
    job j = { .x = x, .r0 = r0, .rows = rows, .dz = dz, .dh = dh, .dw = dw, .dw_side = x->V * x->C <= 65536 ? 64 : 128 };
    j.dw_tiles_c = hn_cdiv(x->C, j.dw_side);
    j.dh_tiles = dh ? hn_cdiv(rows, HN_HEAD_ROWS) * hn_cdiv(x->C, HN_HEAD_TILE) : 0;
    hn_cpu_run(c, 4.0 * (double)rows * (double)x->V * (double)(x->C + 16),
               j.dh_tiles + (dw ? hn_cdiv(x->V, j.dw_side) * j.dw_tiles_c : 0), grad_tile, &j);
}
