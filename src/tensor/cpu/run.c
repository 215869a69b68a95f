/* run.c - oneDNN on one thread, and work on the pool.
 *
 * oneDNN's own threading splits sums by the number of threads; a product here is one thread's, on a tile that the caller cut
 * by size. dnnl_sgemm needs no primitives and reached 80-95 % of the f32 peak on tiles of 128 rows (Zen 3, 2.6.3: 128x384x128
 * 93 GF/s, 128x1536x384 89, 64x64x32 81 of about 100). HONE_ISA limits oneDNN as it limits our own code. */
#include "tensor/cpu/cpu.h"
#include "tensor/cpu/few.h"
#include <dnnl.h>
#include <pthread.h>

/* The pool's threads have set this for themselves; a caller's thread may not have. */
extern void omp_set_num_threads(int n);
extern int omp_get_max_threads(void);

static pthread_once_t once = PTHREAD_ONCE_INIT;
static void limit_onednn(void) {
    static const dnnl_cpu_isa_t as[HN_ISA_COUNT] = { dnnl_cpu_isa_sse41, dnnl_cpu_isa_avx2, dnnl_cpu_isa_avx512_core, dnnl_cpu_isa_all };
    (void)!dnnl_set_max_cpu_isa(as[hn_cpu_isa()]); /* refused once oneDNN has run; then it was the program's choice */
}

static void product(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb, float beta,
                    float *c, int64_t ldc) {
    dnnl_status_t st = dnnl_sgemm(ta ? 'T' : 'N', tb ? 'T' : 'N', m, n, k, 1.0f, a, lda, b, ldb, beta, c, ldc);
    HN_ASSERT(st == dnnl_success);
}
#if defined(__x86_64__)
#define PRODUCT product
#else
/* Where oneDNN has no kernel of its own it adds a whole depth one by one, and the error grows with it (k = 65536: 16 times that of
 * x86-64). Depths of 256 are added up here, a tile at a time. */
enum { DEPTH = 256, SIDE = 64 };
static void by_depth(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb,
                     float beta, float *c, int64_t ldc) {
    float t[SIDE * SIDE];
    for (int64_t i = 0; i < m; i += SIDE)
        for (int64_t j = 0; j < n; j += SIDE)
            for (int64_t at = 0; at < k; at += DEPTH) {
                int64_t rows = HN_MIN(SIDE, m - i), cols = HN_MIN(SIDE, n - j);
                product(ta, tb, rows, cols, HN_MIN(DEPTH, k - at), a + (ta ? at * lda + i : i * lda + at), lda,
                        b + (tb ? j * ldb + at : at * ldb + j), ldb, 0, t, SIDE);
                for (int64_t r = 0; r < rows; r++) {
                    float *to = c + (i + r) * ldc + j;
                    for (int64_t s = 0; s < cols; s++) to[s] = (at ? to[s] : beta == 0 ? 0 : beta * to[s]) + t[r * SIDE + s];
                }
            }
}
#define PRODUCT by_depth
#endif

bool hn_gemm_wants_padding(void) { return hn_cpu_isa() < HN_ISA_AVX512; }
void hn_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, const float *a, int64_t lda, const float *b, int64_t ldb, float beta,
             float *c, int64_t ldc) {
    if (m <= 0 || n <= 0) return;
    if (k <= 0) {
        if (beta == 0)
            for (int64_t i = 0; i < m; i++) memset(c + i * ldc, 0, (size_t)n * sizeof *c);
        return;
    }
    pthread_once(&once, limit_onednn);
    int had = omp_get_max_threads();
    if (had != 1) omp_set_num_threads(1);
    hn_signals_hold();
    PRODUCT(ta, tb, m, n, k, a, lda, b, ldb, beta, c, ldc);
    hn_signals_release();
    if (had != 1) omp_set_num_threads(had);
}

void hn_products_run(hn_pool *pool, int64_t tasks, void (*fn)(void *arg, int64_t task, int worker), void *arg) {
    hn_signals_hold();
    hn_pool_run(pool, tasks, fn, arg);
    hn_signals_release();
}

void hn_cpu_run(const hn_call *c, double flops, int64_t tasks, void (*fn)(void *arg, int64_t task, int worker), void *arg) {
    if (flops < 1e6) hn_pool_run(NULL, tasks, fn, arg);
    else hn_products_run(c->pool, tasks, fn, arg);
}
