/* head.c - blocks of logits and their gradients, shared by the heads. */
#include "tensor/cpu/head_pairs.h"
#include "tensor/op/op.h"

enum { ROWS = HN_HEAD_ROWS, TILE = HN_HEAD_TILE, FEW_TILES = 8, FEW_ROWS = 512 };

HN_BY_ISA(hn_head_vec, hn_head_vec)
const hn_head_vec *hn_head_vec_now(void) { return hn_head_vec_of(hn_cpu_isa()); }

/* Whole tiles of rows where they fit, at least sixteen rows where the vocabulary is huge. */
int64_t hn_head_rows(const hn_head *x, int blocks) {
    int64_t fit = (x->p ? 2 : 1) * HN_HEAD_FLOATS / blocks / x->V, whole = HN_MIN(HN_HEAD_BLOCK, fit / ROWS * ROWS);
    if (!whole) whole = HN_MAX(16, fit / 16 * 16);
    return HN_MIN(hn_cdiv(x->R, 16) * 16, whole);
}

/* Of a tile of logits in a room. */
static int64_t tile_ld(const hn_head *x) { return HN_MIN(TILE, hn_round(x->V)); }
static int64_t packed_floats(const hn_head *x) { return x->p ? hn_head_pairs_room(x) : 0; }
int64_t hn_head_cut(hn_head *x, const hn_call *c, hn_head_use use, int64_t block, float *s) {
    bool tile = use == HN_HEAD_SEEN || (use == HN_HEAD_GRADS && x->p);
    x->block = block;
    x->room = packed_floats(x) + (tile ? ROWS * tile_ld(x) : 0);
    x->rooms = s;
    int64_t n = hn_pool_threads(c->pool) * x->room;
    float *rest = s ? s + n : NULL;
    if (use == HN_HEAD_GRADS) x->room_by = rest, n += hn_round(block), rest = s ? s + n : NULL;
    if (x->p) return n + hn_head_pairs_cut(x, c, use, rest);
    if (use != HN_HEAD_GRADS) return n;
    x->ld_h = hn_pad_ld(x->C);
    x->dz = rest, n += block * x->ld;
    x->h_by = s ? s + n : NULL, n += block * x->ld_h;
    return n;
}

/* ---- tiles of logits ---- */

typedef struct {
    const hn_head *x, *teacher;
    hn_head_see *see;
    void *arg;
    float *z;        /* (rows,ld) where logits stay in f32; NULL: in rooms */
    bool keep, pack; /* in bf16; for dw */
    bool kept;       /* `see` narrows */
    int64_t chunk;   /* rows of a task */
} walk;

static uint32_t *room_w(const hn_head *x, int worker) { return (uint32_t *)(void *)(x->rooms + worker * x->room); }
static float *room_z(const hn_head *x, int worker) { return x->rooms + worker * x->room + packed_floats(x); }
static void tile_logits(const hn_head *x, int64_t i0, int64_t m, int64_t v0, int64_t n, float *z, int64_t ld, int worker) {
    if (x->p) hn_head_pairs_logits(x, i0, m, n, room_w(x, worker), z, ld);
    else hn_gemm(false, true, m, n, x->C, hn_row_of(x->h, x->r0 + i0), x->h->ld, hn_row_of(x->w, v0), x->w->ld, 0, z, ld);
}
static void walk_task(void *arg, int64_t task, int worker) {
    const walk *k = arg;
    const hn_head *x = k->x, *teacher = k->teacher;
    int64_t chunks = hn_cdiv(x->rows, k->chunk), tile = task / chunks, v0 = tile * TILE, n = HN_MIN(TILE, x->V - v0);
    int64_t first = task % chunks * k->chunk, end = HN_MIN(x->rows, first + k->chunk);
    if (x->p) hn_head_pairs_pack_w(x, v0, n, room_w(x, worker));
    if (teacher && teacher->p) hn_head_pairs_pack_w(teacher, v0, n, room_w(teacher, worker));
    for (int64_t i0 = first; i0 < end; i0 += ROWS) {
        hn_head_tile t = { .r0 = x->r0 + i0, .m = HN_MIN(ROWS, end - i0), .v0 = v0, .n = n };
        t.z = k->z ? k->z + i0 * x->ld + v0 : room_z(x, worker), t.ld = k->z ? x->ld : tile_ld(x);
        tile_logits(x, i0, t.m, v0, n, t.z, t.ld, worker);
        if (teacher) {
            float *z = room_z(teacher, worker);
            t.t = z, t.ld_t = tile_ld(teacher);
            tile_logits(teacher, i0, t.m, v0, n, z, t.ld_t, worker);
        }
        if (k->kept) t.kept = hn_head_dz16(x, tile, i0), t.ld_kept = 2 * hn_head_tile_floats(x);
        if (k->see) k->see(k->arg, &t);
        for (int64_t i = 0; i < t.m && k->keep; i++) hn_head_narrow(hn_head_dz16(x, tile, i0 + i), t.z + i * t.ld, n);
        if (k->pack) hn_head_pairs_pack_dz(x, i0, t.m, v0, n);
    }
}
/* A tile of w meets all rows while it is in the caches. In pairs a task packs it and goes through all rows with it; few tasks are cut
 * further. */
static void walk_all(const hn_call *c, walk *k, double flops, void (*fn)(void *arg, int64_t task, int worker)) {
    const hn_head *x = k->x;
    bool packs = x->p || (k->teacher && k->teacher->p);
    k->chunk = !packs ? ROWS : x->tiles_v < FEW_TILES ? FEW_ROWS : HN_MAX(1, x->rows);
    hn_cpu_run(c, flops * (double)x->rows * (double)x->V, hn_cdiv(x->rows, k->chunk) * x->tiles_v, fn, k);
}
static void begin(const hn_call *c, hn_head *x, int64_t r0) {
    x->r0 = r0, x->rows = HN_MIN(x->block, x->R - r0), x->by = NULL;
    if (x->p) hn_head_pairs_block(c, x);
}
void hn_head_logits(const hn_call *c, hn_head *x, int64_t r0, float *z) {
    begin(c, x, r0);
    walk_all(c, &(walk){ .x = x, .z = z }, 2.0 * (double)x->C, walk_task);
}
void hn_head_tiles(const hn_call *c, hn_head *x, hn_head *teacher, int64_t r0, bool final, hn_head_see *see, void *arg) {
    begin(c, x, r0);
    if (teacher) begin(c, teacher, r0);
    walk k = { .x = x, .teacher = teacher, .see = see, .arg = arg, .z = x->p ? NULL : x->dz, .keep = x->p && x->dz };
    k.pack = k.keep && final && x->packed_dz;
    walk_all(c, &k, 2.0 * (double)(x->C + (teacher ? teacher->C : 0) + 16), walk_task);
}

void hn_head_tiles_kept(const hn_call *c, hn_head *x, int64_t r0, hn_head_see *see, void *arg) {
    begin(c, x, r0);
    walk k = { .x = x, .see = see, .arg = arg, .z = x->p ? NULL : x->dz, .kept = x->p, .pack = x->p && x->packed_dz };
    walk_all(c, &k, 2.0 * (double)(x->C + 16), walk_task);
}
float *hn_head_by(hn_head *x) { return x->by = x->room_by; }
float hn_head_kept(const hn_head *x, int64_t i, int64_t v) {
    return x->p ? hn_widen(hn_head_dz16(x, v / TILE, i)[v % TILE]) : x->dz[i * x->ld + v];
}
void hn_head_mend(const hn_head *x, int64_t i, int64_t v, float to) {
    if (x->p) hn_head_pairs_mend(x, i, v, to);
    else x->dz[i * x->ld + v] = to;
}

static void again_task(void *arg, int64_t task, int worker) {
    const walk *k = arg;
    const hn_head *x = k->x;
    int64_t tile = task % x->tiles_v, first = task / x->tiles_v * k->chunk, m = HN_MIN(k->chunk, x->rows - first);
    hn_head_tile t = { .ld = x->ld, .r0 = x->r0 + first, .m = m, .v0 = tile * TILE, .n = HN_MIN(TILE, x->V - tile * TILE) };
    if (!x->p) {
        t.z = x->dz + first * x->ld + t.v0;
        k->see(k->arg, &t);
        return;
    }
    t.z = room_z(x, worker), t.m = 1;
    for (int64_t i = 0; i < m; i++, t.r0++) {
        hn_bf16 *row = hn_head_dz16(x, tile, first + i);
        hn_vec_now()->widen(t.z, row, t.n);
        k->see(k->arg, &t);
        hn_head_narrow(row, t.z, t.n);
    }
    if (x->packed_dz) hn_head_pairs_pack_dz(x, first, m, t.v0, t.n);
}
void hn_head_tiles_again(const hn_call *c, hn_head *x, hn_head_see *see, void *arg) {
    walk_all(c, &(walk){ .x = x, .see = see, .arg = arg }, 8, again_task);
}

/* ---- gradients ---- */

typedef struct {
    const hn_head *x;
    int64_t dh_tiles, dw_side, dw_cols, dw_tiles_c;
    const hone_tensor *dh, *dw;
} job;

static void grad_tile(void *arg, int64_t task, int worker) {
    const job *j = arg;
    const hn_head *x = j->x;
    if (task < j->dh_tiles) {
        int64_t per_row = hn_cdiv(x->C, TILE), i0 = task / per_row * ROWS, k0 = task % per_row * TILE;
        hn_gemm(false, false, HN_MIN(ROWS, x->rows - i0), HN_MIN(TILE, x->C - k0), x->V, x->dz + i0 * x->ld, x->ld,
                (float *)x->w->data + k0, x->w->ld, j->dh->fresh ? 0 : 1, hn_row_of(j->dh, x->r0 + i0) + k0, j->dh->ld);
        hn_head_scale_dh(x, j->dh, i0, k0);
        return;
    }
    task -= j->dh_tiles;
    int64_t v0 = task / j->dw_tiles_c * j->dw_side, k0 = task % j->dw_tiles_c * j->dw_cols;
    hn_gemm(true, false, HN_MIN(j->dw_side, x->V - v0), HN_MIN(j->dw_cols, x->C - k0), x->rows, x->dz + v0, x->ld,
            (x->by ? x->h_by : hn_row_of(x->h, x->r0)) + k0, x->by ? x->ld_h : x->h->ld, 1, hn_row_of(j->dw, v0) + k0, j->dw->ld);
}
static void scale_h(void *arg, int64_t task, int worker) {
    const hn_head *x = arg;
    for (int64_t i = task * ROWS; i < HN_MIN(x->rows, (task + 1) * ROWS); i++)
        if (x->by[i] == 0) memset(x->h_by + i * x->ld_h, 0, (size_t)x->C * sizeof(float));
        else hn_vec_now()->scale(x->h_by + i * x->ld_h, hn_row_of(x->h, x->r0 + i), x->by[i], x->C);
}
void hn_head_grads(const hn_call *c, const hn_head *x, const hone_tensor *dh, const hone_tensor *dw) {
    job j = { .x = x, .dh = dh, .dw = dw, .dw_side = x->V * x->C <= 65536 ? 64 : 128 };
    if (x->p) {
        hn_head_pairs_grads(c, x, dh, dw);
        return;
    }
    if (x->by && dw) hn_cpu_run(c, 10.0 * (double)(x->rows * x->C), hn_cdiv(x->rows, ROWS), scale_h, (void *)x);
    j.dw_cols = j.dw_side == 64 ? 64 : hn_head_dw_cols(x, 2 * j.dw_side);
    j.dw_tiles_c = hn_cdiv(x->C, j.dw_cols);
    j.dh_tiles = dh ? hn_cdiv(x->rows, ROWS) * hn_cdiv(x->C, TILE) : 0;
    hn_cpu_run(c, 4.0 * (double)x->rows * (double)x->V * (double)(x->C + 16),
               j.dh_tiles + (dw ? hn_cdiv(x->V, j.dw_side) * j.dw_tiles_c : 0), grad_tile, &j);
}
void hn_head_backward(const hn_call *c, hn_head *x, hn_head *teacher, hn_head_see *see, void *arg, hone_tensor *dh, hone_tensor *dw) {
    if (dw && dw->fresh) hn_zero_rows(dw);
    for (int64_t r0 = 0; r0 < x->R && (dh || dw); r0 += x->block) {
        hn_head_tiles(c, x, teacher, r0, true, see, arg);
        hn_head_grads(c, x, dh, dw);
    }
}
