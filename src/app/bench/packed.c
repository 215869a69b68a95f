/* packed.c - a product by oneDNN's matmul primitive: B is packed, tile by tile, into the layout that the primitive asks for, then each
 * tile of C is one execution by one thread. Primitives and packed memory are made once; packing is done at every run.
 *
 * The packed layout must be the same for tiles of every height, so B is packed once; where oneDNN asks otherwise, or fails, there is no
 * such way. Scratch is ours, a piece for each worker: oneDNN's own belongs to the thread that made the primitive. Limit: oneDNN 2.
 * Also a small product of bf16 as its operands lie, one execution by whichever thread calls: those of attention's heads. */
#include "app/bench/floor.h"
#include "tensor/cpu/cpu.h"
#include <dnnl.h>

#if DNNL_VERSION_MAJOR == 2
extern void omp_set_num_threads(int n);
extern int omp_get_max_threads(void);

typedef struct worker {
    dnnl_stream_t stream;
    dnnl_memory_t a[2], c[2][2], scratch[2][2], plain[2];   /* by [tail in m][tail in n] */
} worker;
struct bench_packed {
    hn_arena *a;
    dnnl_engine_t engine;
    int64_t tm, tn, down, across;
    dnnl_primitive_t product[2][2], pack[2];
    dnnl_memory_desc_t packed[2];
    dnnl_memory_t *tile;        /* (across) packed columns of B */
    worker *w;
    const bench_gemm *g;
};

static void free_engine(void *p) { dnnl_engine_destroy(p); }
static void free_stream(void *p) { dnnl_stream_destroy(p); }
static void free_memory(void *p) { dnnl_memory_destroy(p); }
static void free_primitive(void *p) { dnnl_primitive_destroy(p); }
static void free_desc(void *p) { dnnl_primitive_desc_destroy(p); }
static void free_attr(void *p) { dnnl_primitive_attr_destroy(p); }

static bool desc(dnnl_memory_desc_t *d, int64_t rows, int64_t cols, int64_t ld, bool turned, bool bf16) {
    return dnnl_memory_desc_init_by_strides(d, 2, (dnnl_dims_t){ rows, cols }, bf16 ? dnnl_bf16 : dnnl_f32,
                                            turned ? (dnnl_dims_t){ 1, ld } : (dnnl_dims_t){ ld, 1 }) == dnnl_success;
}
static dnnl_memory_t memory(bench_packed *p, const dnnl_memory_desc_t *d, bool own) {
    dnnl_memory_t m = NULL;
    int64_t bytes = (int64_t)dnnl_memory_desc_get_size(d);
    void *at = own && bytes ? hn_alloc_large(p->a, bytes) : DNNL_MEMORY_NONE;
    if (dnnl_memory_create(&m, d, p->engine, at) != dnnl_success) return NULL;
    hn_defer(p->a, free_memory, m);
    return m;
}
static int64_t part(int64_t whole, int64_t tile, int tail) { return tail ? whole % tile : HN_MIN(whole, tile); }

/* The product of an (m × n) tile; the first of a width says how B is packed. */
static bool make_product(bench_packed *p, const bench_gemm *g, int tail_m, int tail_n, int workers) {
    int64_t m = part(g->m, p->tm, tail_m), n = part(g->n, p->tn, tail_n);
    dnnl_memory_desc_t a, b, c;
    dnnl_matmul_desc_t d;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_attr_t attr;
    bool first = tail_m == 0;
    if (!m || !n) return true;
    if (!desc(&a, m, g->k, g->lda, g->ta, g->bf16) || !desc(&c, m, n, g->ldc, false, false)) return false;
    if (first && dnnl_memory_desc_init_by_tag(&b, 2, (dnnl_dims_t){ g->k, n }, g->bf16 ? dnnl_bf16 : dnnl_f32, dnnl_format_tag_any) != dnnl_success) return false;
    if (!first) b = p->packed[tail_n];
    if (dnnl_primitive_attr_create(&attr) != dnnl_success) return false;
    hn_defer(p->a, free_attr, attr);
    if (dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user) != dnnl_success ||
        dnnl_matmul_desc_init(&d, &a, &b, NULL, &c) != dnnl_success ||
        dnnl_primitive_desc_create(&pd, &d, attr, p->engine, NULL) != dnnl_success) return false;
    hn_defer(p->a, free_desc, pd);
    if (first) p->packed[tail_n] = *dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 0);
    if (dnnl_primitive_create(&p->product[tail_m][tail_n], pd) != dnnl_success) return false;
    hn_defer(p->a, free_primitive, p->product[tail_m][tail_n]);
    for (int i = 0; i < workers; i++) {
        worker *w = &p->w[i];
        w->a[tail_m] = memory(p, &a, false);
        w->c[tail_m][tail_n] = memory(p, &c, false);
        w->scratch[tail_m][tail_n] = memory(p, dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0), true);
        if (!w->a[tail_m] || !w->c[tail_m][tail_n] || !w->scratch[tail_m][tail_n]) return false;
    }
    return true;
}

static bool make_pack(bench_packed *p, const bench_gemm *g, int tail_n, int workers) {
    int64_t n = part(g->n, p->tn, tail_n);
    dnnl_memory_desc_t plain;
    dnnl_primitive_desc_t pd;
    if (!n) return true;
    if (!desc(&plain, g->k, n, g->ldb, g->tb, g->bf16 && !g->b_wide) ||
        dnnl_reorder_primitive_desc_create(&pd, &plain, p->engine, &p->packed[tail_n], p->engine, NULL) != dnnl_success) return false;
    hn_defer(p->a, free_desc, pd);
    if (dnnl_primitive_create(&p->pack[tail_n], pd) != dnnl_success) return false;
    hn_defer(p->a, free_primitive, p->pack[tail_n]);
    for (int i = 0; i < workers; i++)
        if (!(p->w[i].plain[tail_n] = memory(p, &plain, false))) return false;
    return true;
}

static bool make(bench_packed *p, const bench_gemm *g, int workers) {
    if (dnnl_engine_create(&p->engine, dnnl_cpu, 0) != dnnl_success) return false;
    hn_defer(p->a, free_engine, p->engine);
    for (int i = 0; i < workers; i++) {
        if (dnnl_stream_create(&p->w[i].stream, p->engine, dnnl_stream_default_flags) != dnnl_success) return false;
        hn_defer(p->a, free_stream, p->w[i].stream);
    }
    for (int n = 0; n < 2; n++) {
        if (!make_product(p, g, 0, n, workers) || !make_product(p, g, 1, n, workers) || !make_pack(p, g, n, workers)) return false;
    }
    for (int64_t j = 0; j < p->across; j++)
        if (!(p->tile[j] = memory(p, &p->packed[(j + 1) * p->tn > g->n], true))) return false;
    return true;
}

bench_packed *bench_packed_new(hn_arena *a, const bench_gemm *g, int64_t tile_m, int64_t tile_n) {
    int workers = hn_pool_threads(hn_job_pool(a->job)), had = omp_get_max_threads();
    bench_packed *p = hn_new(a, bench_packed);
    *p = (bench_packed){ .a = a, .tm = tile_m, .tn = tile_n, .down = hn_cdiv(g->m, tile_m), .across = hn_cdiv(g->n, tile_n) };
    p->tile = hn_new_n(a, dnnl_memory_t, p->across);
    p->w = hn_new_n(a, worker, workers);
    omp_set_num_threads(1); /* blocking depends on how many threads oneDNN thinks it has */
    bool ok = make(p, g, workers);
    omp_set_num_threads(had);
    return ok ? p : NULL;
}

static const void *number(const float *x, bool bf16, int64_t i) { return (const uint8_t *)x + i * (bf16 ? 2 : 4); }
static void pack_task(void *arg, int64_t task, int me) {
    bench_packed *p = arg;
    int tail = (task + 1) * p->tn > p->g->n;
    worker *w = &p->w[me];
    const void *b = number(p->g->b, p->g->bf16 && !p->g->b_wide, p->g->tb ? task * p->tn * p->g->ldb : task * p->tn);
    dnnl_memory_set_data_handle(w->plain[tail], (void *)b);
    dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, w->plain[tail] }, { DNNL_ARG_TO, p->tile[task] } };
    dnnl_primitive_execute(p->pack[tail], w->stream, HN_LEN(args), args);
}
static void product_task(void *arg, int64_t task, int me) {
    bench_packed *p = arg;
    const bench_gemm *g = p->g;
    int64_t i = task / p->across * p->tm, col = task % p->across, j = col * p->tn;
    int tail_m = i + p->tm > g->m, tail_n = j + p->tn > g->n;
    worker *w = &p->w[me];
    dnnl_memory_set_data_handle(w->a[tail_m], (void *)number(g->a, g->bf16, g->ta ? i : i * g->lda));
    dnnl_memory_set_data_handle(w->c[tail_m][tail_n], g->c + i * g->ldc + j);
    dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, w->a[tail_m] }, { DNNL_ARG_WEIGHTS, p->tile[col] }, { DNNL_ARG_DST, w->c[tail_m][tail_n] },
                               { DNNL_ARG_SCRATCHPAD, w->scratch[tail_m][tail_n] } };
    dnnl_primitive_execute(p->product[tail_m][tail_n], w->stream, HN_LEN(args), args);
}
void bench_packed_run(bench_packed *p, const bench_gemm *g) {
    hn_pool *pool = hn_job_pool(p->a->job);
    int had = omp_get_max_threads();
    p->g = g;
    if (had != 1) omp_set_num_threads(1);
    hn_products_run(pool, p->across, pack_task, p);
    hn_products_run(pool, p->down * p->across, product_task, p);
    if (had != 1) omp_set_num_threads(had);
}

/* ---- as they lie ---- */

static bool make_strided(bench_packed *p, const bench_gemm *g, int workers) {
    dnnl_memory_desc_t a, b, c;
    dnnl_matmul_desc_t d;
    dnnl_primitive_desc_t pd;
    dnnl_primitive_attr_t attr;
    if (dnnl_engine_create(&p->engine, dnnl_cpu, 0) != dnnl_success) return false;
    hn_defer(p->a, free_engine, p->engine);
    if (!desc(&a, g->m, g->k, g->lda, g->ta, true) || !desc(&b, g->k, g->n, g->ldb, g->tb, true) || !desc(&c, g->m, g->n, g->ldc, false, false) ||
        dnnl_primitive_attr_create(&attr) != dnnl_success) return false;
    hn_defer(p->a, free_attr, attr);
    if (dnnl_primitive_attr_set_scratchpad_mode(attr, dnnl_scratchpad_mode_user) != dnnl_success ||
        dnnl_matmul_desc_init(&d, &a, &b, NULL, &c) != dnnl_success ||
        dnnl_primitive_desc_create(&pd, &d, attr, p->engine, NULL) != dnnl_success) return false;
    hn_defer(p->a, free_desc, pd);
    if (dnnl_primitive_create(&p->product[0][0], pd) != dnnl_success) return false;
    hn_defer(p->a, free_primitive, p->product[0][0]);
    for (int i = 0; i < workers; i++) {
        worker *w = &p->w[i];
        if (dnnl_stream_create(&w->stream, p->engine, dnnl_stream_default_flags) != dnnl_success) return false;
        hn_defer(p->a, free_stream, w->stream);
        w->a[0] = memory(p, &a, false), w->plain[0] = memory(p, &b, false), w->c[0][0] = memory(p, &c, false);
        w->scratch[0][0] = memory(p, dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0), true);
        if (!w->a[0] || !w->plain[0] || !w->c[0][0] || !w->scratch[0][0]) return false;
    }
    return true;
}
bench_packed *bench_strided_new(hn_arena *a, const bench_gemm *g) {
    int workers = hn_pool_threads(hn_job_pool(a->job)), had = omp_get_max_threads();
    bench_packed *p = hn_new(a, bench_packed);
    *p = (bench_packed){ .a = a };
    p->w = hn_new_n(a, worker, workers);
    omp_set_num_threads(1);
    bool ok = make_strided(p, g, workers);
    omp_set_num_threads(had);
    return ok ? p : NULL;
}
void bench_strided_run(bench_packed *p, int me, const hn_bf16 *a, const hn_bf16 *b, float *c) {
    worker *w = &p->w[me];
    int had = omp_get_max_threads();
    dnnl_memory_set_data_handle(w->a[0], (void *)a);
    dnnl_memory_set_data_handle(w->plain[0], (void *)b);
    dnnl_memory_set_data_handle(w->c[0][0], c);
    dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, w->a[0] }, { DNNL_ARG_WEIGHTS, w->plain[0] }, { DNNL_ARG_DST, w->c[0][0] },
                               { DNNL_ARG_SCRATCHPAD, w->scratch[0][0] } };
    if (had != 1) omp_set_num_threads(1);
    dnnl_primitive_execute(p->product[0][0], w->stream, HN_LEN(args), args);
    if (had != 1) omp_set_num_threads(had);
}
#else
bench_packed *bench_packed_new(hn_arena *a, const bench_gemm *g, int64_t tile_m, int64_t tile_n) { return NULL; }
void bench_packed_run(bench_packed *p, const bench_gemm *g) {}
bench_packed *bench_strided_new(hn_arena *a, const bench_gemm *g) { return NULL; }
void bench_strided_run(bench_packed *p, int me, const hn_bf16 *a, const hn_bf16 *b, float *c) {}
#endif
