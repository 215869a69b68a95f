/* head_pairs.c - a head's products where the CPU multiplies pairs of bf16 numbers (pairs.h). h is bf16 already; w is rounded as it is
 * packed, a tile of classes for the logits, DH_DEPTH of them for dh; the gradients of the logits are kept as rows of bf16, for dh, and
 * packed, for dw. Where each row still lacks a factor (x->by), h is multiplied by it for dw, and dh in the end. */
#include "tensor/cpu/head_pairs.h"
#include "tensor/op/op.h"

enum { ROWS = HN_HEAD_ROWS, TILE = HN_HEAD_TILE, DH_DEPTH = 4096, DW_SIDE = 256 };

int64_t hn_head_pairs_cut(hn_head *x, const hn_call *c, hn_head_use use, float *s) {
    float *start = s;
    int64_t n = 0, at, ld = hn_pairs_ld(x->block);
#define TAKE(count) (at = n, n += hn_round(count), start ? start + at : NULL)
    x->h16 = TAKE(x->block * hn_head_row_floats(x->C));
    if (use != HN_HEAD_GRADS) return n;
    x->dz = TAKE(x->tiles_v * x->block * hn_head_tile_floats(x));
    if (x->w->wants_grad) {
        x->packed_dz = (uint32_t *)(void *)TAKE(hn_pairs_packed(x->p, x->V, ld));
        x->packed_h = (uint32_t *)(void *)TAKE(hn_pairs_packed(x->p, x->C, ld));
    }
    x->packed_w = (uint32_t *)(void *)TAKE(hn_pairs_packed(x->p, x->C, hn_pairs_ld(HN_MIN(DH_DEPTH, x->V))));
#undef TAKE
    return n;
}

static hn_bf16 *h_row(const hn_head *x, int64_t i) { return (hn_bf16 *)(void *)(x->h16 + i * hn_head_row_floats(x->C)); }
static void narrow_h(void *arg, int64_t task, int worker) {
    const hn_head *x = arg;
    for (int64_t i = task * ROWS; i < HN_MIN(x->rows, (task + 1) * ROWS); i++) hn_head_narrow(h_row(x, i), hn_row_of(x->h, x->r0 + i), x->C);
}
void hn_head_pairs_block(const hn_call *c, const hn_head *x) {
    hn_cpu_run(c, 10.0 * (double)(x->rows * x->C), hn_cdiv(x->rows, ROWS), narrow_h, (void *)x);
}
void hn_head_pairs_pack_w(const hn_head *x, int64_t v0, int64_t n, uint32_t *to) {
    x->p->pack(to, x->p->width * hn_pairs_ld(x->C), hn_row_of(x->w, v0), HONE_F32, x->w->ld, true, n, x->C);
}
void hn_head_pairs_logits(const hn_head *x, int64_t i0, int64_t m, int64_t n, const uint32_t *w, float *z, int64_t ld) {
    hn_pairs_left h = { h_row(x, i0), hn_head_row_floats(x->C) * 4, 4, 0 };
    x->p->product(z, ld, m, n, hn_pairs_cells(x->C), &h, w, x->p->width * hn_pairs_ld(x->C), false);
}
void hn_head_pairs_pack_dz(const hn_head *x, int64_t i0, int64_t m, int64_t v0, int64_t n) {
    int64_t ld = hn_pairs_ld(x->rows);
    x->p->pack(x->packed_dz + hn_pairs_at(x->p, ld, v0, hn_pairs_cells(i0)), x->p->width * ld, hn_head_dz16(x, v0 / TILE, i0), HONE_BF16,
               2 * hn_head_tile_floats(x), false, n, m);
}

void hn_head_pairs_mend(const hn_head *x, int64_t i, int64_t v, float to) {
    hn_bf16 number = hn_narrow(to);
    int64_t w = x->p->width, at = hn_pairs_at(x->p, hn_pairs_ld(x->rows), v / w * w, i / 2) + v % w;
    hn_head_dz16(x, v / TILE, i)[v % TILE] = number;
    if (x->packed_dz) ((hn_bf16 *)(void *)(x->packed_dz + at))[i % 2] = number;
}

/* ---- gradients ---- */

typedef struct {
    const hn_head *x;
    const hone_tensor *dh, *dw;
    int64_t deep, deep_n; /* classes that dh is at */
} job;

static void scale_h(void *arg, int64_t task, int worker) {
    const hn_head *x = ((const job *)arg)->x;
    const hn_vec *v = hn_vec_now();
    for (int64_t i = task * ROWS; i < HN_MIN(x->rows, (task + 1) * ROWS); i++)
        for (int64_t k = 0; k < x->C; k += TILE) {
            float wide[TILE];
            int64_t n = HN_MIN(TILE, x->C - k);
            hn_bf16 *row = h_row(x, i) + k;
            if (x->by[i] == 0) {
                memset(row, 0, (size_t)n * sizeof *row);
                continue;
            }
            v->widen(wide, row, n);
            v->scale(wide, wide, x->by[i], n);
            v->narrow(row, wide, n);
        }
}
static void pack_h(void *arg, int64_t task, int worker) {
    const hn_head *x = ((const job *)arg)->x;
    int64_t k0 = task * TILE, ld = hn_pairs_ld(x->rows);
    x->p->pack(x->packed_h + hn_pairs_at(x->p, ld, k0, 0), x->p->width * ld, h_row(x, 0) + k0, HONE_BF16,
               2 * hn_head_row_floats(x->C), false, HN_MIN(TILE, x->C - k0), x->rows);
}
static void dw_tile(void *arg, int64_t task, int worker) {
    const job *j = arg;
    const hn_head *x = j->x;
    int64_t side = hn_head_dw_cols(x, DW_SIDE), across = hn_cdiv(x->C, side), v0 = task / across * DW_SIDE, k0 = task % across * side, ld = hn_pairs_ld(x->rows);
    hn_pairs_left dz = hn_pairs_panels(x->p, x->packed_dz, ld, v0, 0);
    x->p->product(hn_row_of(j->dw, v0) + k0, j->dw->ld, HN_MIN(DW_SIDE, x->V - v0), HN_MIN(side, x->C - k0),
                  hn_pairs_cells(x->rows), &dz, x->packed_h + hn_pairs_at(x->p, ld, k0, 0), x->p->width * ld, true);
}
static void pack_w(void *arg, int64_t task, int worker) {
    const job *j = arg;
    const hn_head *x = j->x;
    int64_t v = task * TILE, ld = hn_pairs_ld(j->deep_n);
    x->p->pack(x->packed_w + hn_pairs_at(x->p, ld, 0, hn_pairs_cells(v)), x->p->width * ld, hn_row_of(x->w, j->deep + v), HONE_F32,
               x->w->ld, false, x->C, HN_MIN(TILE, j->deep_n - v));
}
static void dh_tile(void *arg, int64_t task, int worker) {
    const job *j = arg;
    const hn_head *x = j->x;
    int64_t across = hn_cdiv(x->C, TILE), i0 = task / across * ROWS, k0 = task % across * TILE, ld = hn_pairs_ld(j->deep_n);
    for (int64_t v = 0; v < j->deep_n; v += TILE) {
        hn_pairs_left dz = { hn_head_dz16(x, (j->deep + v) / TILE, i0), hn_head_tile_floats(x) * 4, 4, 0 };
        x->p->product(hn_row_of(j->dh, x->r0 + i0) + k0, j->dh->ld, HN_MIN(ROWS, x->rows - i0), HN_MIN(TILE, x->C - k0),
                      hn_pairs_cells(HN_MIN(TILE, j->deep_n - v)), &dz, x->packed_w + hn_pairs_at(x->p, ld, k0, hn_pairs_cells(v)),
                      x->p->width * ld, !j->dh->fresh || j->deep + v > 0);
    }
    if (j->deep + j->deep_n == x->V) hn_head_scale_dh(x, j->dh, i0, k0);
}
void hn_head_pairs_grads(const hn_call *c, const hn_head *x, const hone_tensor *dh, const hone_tensor *dw) {
    job j = { x, dh, dw, 0, 0 };
    double flops = (double)x->rows * (double)x->V * (double)x->C;
    if (dw) {
        if (x->by) hn_cpu_run(c, 20.0 * (double)(x->rows * x->C), hn_cdiv(x->rows, ROWS), scale_h, &j);
        hn_cpu_run(c, 10.0 * (double)(x->rows * x->C), hn_cdiv(x->C, TILE), pack_h, &j);
        hn_cpu_run(c, flops, hn_cdiv(x->V, DW_SIDE) * hn_cdiv(x->C, hn_head_dw_cols(x, DW_SIDE)), dw_tile, &j);
    }
    for (; dh && j.deep < x->V; j.deep += DH_DEPTH) {
        j.deep_n = HN_MIN(DH_DEPTH, x->V - j.deep);
        hn_cpu_run(c, 10.0 * (double)(j.deep_n * x->C), hn_cdiv(j.deep_n, TILE), pack_w, &j);
        hn_cpu_run(c, flops * (double)j.deep_n / (double)x->V, hn_cdiv(x->rows, ROWS) * hn_cdiv(x->C, TILE), dh_tile, &j);
    }
}
