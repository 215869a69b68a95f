/* gemm.c - one matrix product on the pool, by single-threaded calls of oneDNN on tiles, in whichever of several ways is fastest.
 *
 * Ways differ in the size of tiles, in whether operands that a tile walks down, and a B whose rows lie half a page apart, are first copied
 * to rows of an odd number of cache lines (see hn_pad_ld), and in whether B is packed by oneDNN's own matmul. Copies and packing are inside
 * the time. The way of a shape is chosen by trial, least time of a few. Products of bf16 are oneDNN's matmul alone. */
#include "app/bench/floor.h"
#include "tensor/cpu/cpu.h"

typedef struct way {
    int64_t tm, tn;             /* a tile of C */
    bool pad, packed;
} way;
static const way ways[] = {
    { 128, 512, false, false }, { 128, 128, false, false }, { 128, 512, true, false },  { 128, 128, true, false },
    { 256, 256, true, false },  { 64, 384, false, false },  { 128, 512, false, true },  { 128, 256, false, true },
    { 64, 128, true, false },   { 64, 64, true, false },    { 64, 64, false, true },    { 256, 256, false, true },
    { 256, 384, false, false }, { 256, 384, true, false },  { 256, 768, false, false }, { 256, 768, true, false },
};
enum { COPY_ROWS = 64, MAX_SHAPES = 64, SMALL = 1 << 18 /* elements of C up to which small tiles are worth a trial */ };
#define TRIAL 0.04              /* seconds for the trials of a way, which are three at most where one takes as long */

typedef struct shape {
    bench_gemm g;
    int best;
    bench_packed *packed[HN_LEN(ways)];
} shape;
struct bench_gemms {
    hn_arena *a;
    hn_pool *pool;
    int n;
    shape s[MAX_SHAPES];
    float *copy_a, *copy_b;     /* padded copies, of the largest so far */
    int64_t size_a, size_b;
};

bench_gemms *bench_gemms_new(hn_arena *a) {
    bench_gemms *all = hn_new(a, bench_gemms);
    all->a = a;
    all->pool = hn_job_pool(a->job);
    return all;
}

typedef struct run {
    const bench_gemm *g;
    int64_t tm, tn, across;
    const float *a, *b;
    int64_t lda, ldb;
    const float *from;          /* of a copy */
    float *to;
    int64_t ld_from, ld_to, rows, cols;
} run;

static void copy_task(void *arg, int64_t task, int worker) {
    run *r = arg;
    int64_t at = task * COPY_ROWS;
    hn_pack(r->to + at * r->ld_to, r->ld_to, r->from + at * r->ld_from, r->ld_from, HN_MIN(COPY_ROWS, r->rows - at), r->cols);
}
static void copy(bench_gemms *all, run *r, const float *from, int64_t ld, int64_t rows, int64_t cols, float *to) {
    r->from = from, r->ld_from = ld, r->rows = rows, r->cols = cols, r->to = to, r->ld_to = hn_pad_ld(cols);
    hn_pool_run(all->pool, hn_cdiv(rows, COPY_ROWS), copy_task, r);
}
static void tile_task(void *arg, int64_t task, int worker) {
    run *r = arg;
    const bench_gemm *g = r->g;
    int64_t i = task / r->across * r->tm, j = task % r->across * r->tn, m = HN_MIN(r->tm, g->m - i), n = HN_MIN(r->tn, g->n - j);
    hn_gemm(g->ta, g->tb, m, n, g->k, r->a + (g->ta ? i : i * r->lda), r->lda, r->b + (g->tb ? j * r->ldb : j), r->ldb, 0,
            g->c + i * g->ldc + j, g->ldc);
}

/* Rows and columns of B as it is stored, and whether a copy of it may help. */
static int64_t b_rows(const bench_gemm *g) { return g->tb ? g->n : g->k; }
static int64_t b_cols(const bench_gemm *g) { return g->tb ? g->k : g->n; }
static bool pads_b(const bench_gemm *g) { return !g->tb || g->ldb % 512 == 0; }
static void run_way(bench_gemms *all, const bench_gemm *g, int chosen, bench_packed *packed) {
    const way *w = &ways[chosen];
    if (packed) {
        bench_packed_run(packed, g);
        return;
    }
    run r = { .g = g, .tm = w->tm, .tn = w->tn, .across = hn_cdiv(g->n, w->tn), .a = g->a, .b = g->b, .lda = g->lda, .ldb = g->ldb };
    if (w->pad && g->ta) copy(all, &r, g->a, g->lda, g->k, g->m, all->copy_a), r.a = all->copy_a, r.lda = hn_pad_ld(g->m);
    if (w->pad && pads_b(g)) copy(all, &r, g->b, g->ldb, b_rows(g), b_cols(g), all->copy_b), r.b = all->copy_b, r.ldb = hn_pad_ld(b_cols(g));
    hn_products_run(all->pool, hn_cdiv(g->m, w->tm) * r.across, tile_task, &r);
}

static void make_room(bench_gemms *all, const bench_gemm *g) {
    int64_t a = g->ta ? g->k * hn_pad_ld(g->m) : 0, b = pads_b(g) ? b_rows(g) * hn_pad_ld(b_cols(g)) : 0;
    if (a > all->size_a) all->copy_a = hn_alloc_large(all->a, a * (int64_t)sizeof(float)), all->size_a = a;
    if (b > all->size_b) all->copy_b = hn_alloc_large(all->a, b * (int64_t)sizeof(float)), all->size_b = b;
}

static double try_way(bench_gemms *all, const bench_gemm *g, int k, bench_packed *packed, double best) {
    double least = 1e30, spent = 0;
    run_way(all, g, k, packed);
    for (int i = 0; i < 100 && (i < 3 || spent < TRIAL); i++) {
        double began = hn_now();
        run_way(all, g, k, packed);
        double s = hn_now() - began;
        least = HN_MIN(least, s);
        spent += s;
        if (s > TRIAL && least > 1.3 * best) break;
    }
    return least;
}

int bench_gemm_choose(bench_gemms *all, const bench_gemm *g) {
    for (int i = 0; i < all->n; i++) {
        const bench_gemm *h = &all->s[i].g;
        if (h->m == g->m && h->n == g->n && h->k == g->k && h->ta == g->ta && h->tb == g->tb && h->lda == g->lda && h->ldb == g->ldb &&
            h->ldc == g->ldc && h->bf16 == g->bf16 && h->b_wide == g->b_wide) return i;
    }
    HN_ASSERT(all->n < MAX_SHAPES);
    shape *s = &all->s[all->n];
    double best = 1e30;
    s->g = *g;
    make_room(all, g);
    for (int k = 0; k < (int)HN_LEN(ways); k++) {
        const way *w = &ways[k];
        if ((w->pad && !g->ta && !pads_b(g)) || (g->bf16 && !w->packed)) continue; /* nothing to copy; no such product */
        if (w->tn < 256 && w->tm < 128 && g->m * g->n > SMALL) continue;
        if (w->packed && !(s->packed[k] = bench_packed_new(all->a, g, w->tm, w->tn))) continue;
        double t = try_way(all, g, k, s->packed[k], best);
        if (t < best) best = t, s->best = k;
    }
    return all->n++;
}

void bench_gemm_run(bench_gemms *all, const bench_gemm *g, int chosen) {
    const shape *s = &all->s[chosen];
    run_way(all, g, s->best, s->packed[s->best]);
}
