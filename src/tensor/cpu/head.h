/* head.h - what the heads share: products with a vocabulary by blocks of rows, and row routines per instruction set.
 *
 * No head holds tokens × vocabulary. Where a head needs whole rows of logits, they live in scratch for a block of rows at a time (64 MiB at
 * most, twice that in bf16, unless sixteen rows take more); otherwise each tile of them is looked at as it comes. Backward makes the logits again, tile by
 * tile, turns each into its own gradient, and holds that for a block of rows, in as much scratch. Blocks and tasks go by size, in order,
 * and each tile of a gradient has one owner: the same bits for any number of threads.
 *
 * bf16 activations, where the CPU multiplies bf16 (pairs.h): all products do that (head_pairs.c). w is rounded a tile at a time as it is
 * packed, and gradients of logits are kept in bf16; logits, sums and losses stay f32. Logits made again have the bits they had. */
#ifndef HN_CPU_HEAD_H
#define HN_CPU_HEAD_H
#include "tensor/cpu/cpu.h"
#include "tensor/cpu/pairs.h"

enum { HN_HEAD_ROWS = 128, HN_HEAD_TILE = 512, HN_HEAD_FLOATS = 1 << 24, HN_HEAD_BLOCK = 4096 };

typedef struct hn_head {
    const hone_tensor *h, *w; /* (…,C), (V,C) */
    int64_t R, V, C, ld;      /* ld: of a block of logits in f32 */
    int64_t tiles_v;
    const hn_pairs *p; /* products in pairs of bf16; NULL: in f32 */
    /* scratch (hn_head_cut), and the block of rows that it holds */
    int64_t block, r0, rows;
    float *rooms; /* of each worker: in pairs a packed tile of w; a tile of logits where those have no other place */
    int64_t room;
    float *dz;                                 /* (rows,ld); in pairs rows of bf16, tile by tile of classes */
    float *h16;                                /* in pairs: the block's rows in bf16 */
    float *by;                                 /* what each row of dz still has to be multiplied by; NULL: nothing */
    float *room_by, *h_by;                     /* room for that; in f32 the block's rows times it, ld_h apart */
    int64_t ld_h;
    uint32_t *packed_dz, *packed_h, *packed_w; /* in pairs: the block's depth, V and C columns; a stretch of classes deep, C columns */
} hn_head;
static inline hn_head hn_head_of(const hone_tensor *h, const hone_tensor *w) {
    return (hn_head){ .h = h,
                      .w = w,
                      .R = hn_rows(h),
                      .V = w->shape[0],
                      .C = w->shape[1],
                      .ld = hn_pad_ld(w->shape[0]),
                      .tiles_v = hn_cdiv(w->shape[0], HN_HEAD_TILE),
                      .p = h->rounded && w->dtype == HONE_F32 ? hn_pairs_now() : NULL };
}
/* Columns of a tile of dw: all where they are few. */
static inline int64_t hn_head_dw_cols(const hn_head *x, int64_t side) { return x->C <= 384 ? x->C : side; }
/* Rows of a block when `blocks` of them (R,V) are held at once. */
int64_t hn_head_rows(const hn_head *x, int blocks);

/* Takes from scratch s what blocks of so many rows need, and returns its floats; with s NULL these are only counted. */
typedef enum hn_head_use {
    HN_HEAD_LOGITS, /* hn_head_logits */
    HN_HEAD_SEEN,   /* hn_head_tiles, or being a teacher; the tiles are not kept */
    HN_HEAD_GRADS   /* hn_head_tiles, and gradients from what it keeps */
} hn_head_use;
int64_t hn_head_cut(hn_head *x, const hn_call *c, hn_head_use use, int64_t block, float *s);

/* z (block,V) = h·wᵀ for the block of rows from r0 on. */
void hn_head_logits(const hn_call *c, hn_head *x, int64_t r0, float *z);

/* A tile of logits: m rows of the call from r0 on, n classes from v0 on. t: the teacher's, or NULL. */
typedef struct hn_head_tile {
    float *z;
    const float *t;
    int64_t ld, ld_t, r0, m, v0, n;
    hn_bf16 *kept; /* hn_head_tiles_kept's in pairs, rows ld_kept apart */
    int64_t ld_kept;
} hn_head_tile;
typedef void hn_head_see(void *arg, const hn_head_tile *tile);
/* Shows `see` the tiles of the block from r0 on, classes by HN_HEAD_TILE. What it leaves in z is kept where HN_HEAD_GRADS was cut:
 * `final` as the gradients of the logits, otherwise to be shown again, which may be by fewer rows. */
void hn_head_tiles(const hn_call *c, hn_head *x, hn_head *teacher, int64_t r0, bool final, hn_head_see *see, void *arg);
void hn_head_tiles_again(const hn_call *c, hn_head *x, hn_head_see *see, void *arg); /* final */
/* Cut for gradients: `see` leaves them in z, or in pairs rounded in t->kept, up to a factor of each row that may be known after the last
 * tile only: the caller writes it to hn_head_by (of the block's rows), and mends single numbers, class v of the block's row i. */
void hn_head_tiles_kept(const hn_call *c, hn_head *x, int64_t r0, hn_head_see *see, void *arg);
float *hn_head_by(hn_head *x);
float hn_head_kept(const hn_head *x, int64_t i, int64_t v);
void hn_head_mend(const hn_head *x, int64_t i, int64_t v, float to);
/* dh += dz·w and dw += dzᵀ·h for the block; each may be NULL. With x->by, dh must be fresh. A fresh dh is overwritten; dw must be zeroed by the caller. */
void hn_head_grads(const hn_call *c, const hn_head *x, const hone_tensor *dh, const hone_tensor *dw);
/* All blocks: `see` makes a tile of logits their gradient. A fresh dw is zeroed. */
void hn_head_backward(const hn_call *c, hn_head *x, hn_head *teacher, hn_head_see *see, void *arg, hone_tensor *dh, hone_tensor *dw);

/* Rows of logits z; scale is 1/temperature. Sums in float per vector lane over 1024 elements, then in double. */
typedef struct hn_head_vec {
    double (*log_sum_exp)(const float *z, int64_t n, float scale);
    double (*entropy)(const float *z, int64_t n, float scale, float lse); /* −Σ p·ln p, ln p = scale·z − lse */
    /* dz = gain·p + along·p·ln p; dz may be z */
    void (*entropy_grad)(float *dz, const float *z, int64_t n, float scale, float lse, float gain, float along);
    /* The divergence of student s from teacher t by beta (op/linear_kl.c), and in *k what its gradient needs. */
    double (*divergence)(const float *s, const float *t, int64_t n, float scale, const float lse[2], float beta, double *k);
    void (*divergence_grad)(float *ds, const float *s, const float *t, int64_t n, float scale, const float lse[2], float beta, float k,
                            float g); /* times g; ds may be s */
} hn_head_vec;
const hn_head_vec *hn_head_vec_now(void);
/* A finished tile of dh, from the block's row i0 and column k0 on, times `by`, if there is one. */
static inline void hn_head_scale_dh(const hn_head *x, const hone_tensor *dh, int64_t i0, int64_t k0) {
    for (int64_t i = i0; x->by && i < HN_MIN(x->rows, i0 + HN_HEAD_ROWS); i++) {
        float *row = (float *)dh->data + (x->r0 + i) * dh->ld + k0;
        hn_vec_now()->scale(row, row, x->by[i], HN_MIN(HN_HEAD_TILE, x->C - k0));
    }
}
#endif
