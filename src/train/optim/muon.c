/* muon.c - momentum made orthogonal by Newton-Schulz, for the matrices between hidden layers; AdamW for embeddings, head and vectors.
 *
 *     m = m + (1 − μ)(g − m);   u = g + μ(m − g) (nesterov) or m;   X = u/‖u‖
 *     X = aX + (bA + cA²)X with A = XXᵀ, `iterations` times;   w = w(1 − lr·decay) − lr·scale·X
 *
 * Like torch.optim.Muon, but in f32 where that rounds to bf16. A matrix with more rows than columns works with A = XᵀX from the
 * right: the same numbers without turning it over. scale, with out × in as the linear map has them (however it is stored):
 *     rows   √max(1, out/in), as the original; wants lr around 0.02
 *     rms    0.2·√max(out, in): steps as large as adamw's, so its lr and decay serve (Liu et al.)
 * A weight that holds several maps (GPT-2's query, key and value in one) is taken apart unless `split` is off. Both products of a
 * symmetric result compute one half of their tiles. Tiles have a fixed size: the same bits for any number of threads.
 * Source: Jordan 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv:2502.16982. */
#include "train/train.h"
#include "train/kernels.h"
#include "tensor/kernels.h"
#include <math.h>

typedef struct {
    double lr, momentum, weight_decay, adamw_lr, beta1, beta2, eps;
    bool nesterov, split;
    int64_t iterations;
    const char *scale;
} muon;
static const hn_param params[] = {
    HN_PARAM(muon, lr, .def = "0.02", .min = 0, .max = 10, .search_lo = 1e-3, .search_hi = 0.1, .scale = HN_LOG,
             .doc = "peak learning rate of the hidden matrices"),
    HN_PARAM(muon, adamw_lr, .def = "3e-4", .min = 0, .max = 10, .search_lo = 1e-4, .search_hi = 1e-2, .scale = HN_LOG,
             .doc = "peak learning rate of embeddings, head and vectors, which adamw updates"),
    HN_PARAM(muon, momentum, .def = "0.95", .min = 0, .max = 0.99999, .search_lo = 0.85, .search_hi = 0.98, .doc = "memory of the mean"),
    HN_PARAM(muon, nesterov, .def = "true", .doc = "look ahead: mix the gradient into the mean once more"),
    HN_PARAM(muon, iterations, .def = "5", .min = 1, .max = 99, .doc = "Newton-Schulz steps"),
    HN_PARAM(muon, scale, .def = "rows", .choices = "rows|rms",
             .doc = "length of a step: sqrt(max(1, out/in)) as the original, or 0.2·sqrt(max(out, in)) to be as long as adamw's"),
    HN_PARAM(muon, split, .def = "true", .doc = "query, key and value that share a matrix are made orthogonal one by one"),
    HN_PARAM(muon, weight_decay, .def = "0.01", .min = 0, .max = 100, .search_lo = 1e-3, .search_hi = 1, .scale = HN_LOG,
             .doc = "share of the learning rate by which matrices shrink each step"),
    HN_PARAM(muon, beta1, .def = "0.9", .min = 0, .max = 0.99999, .doc = "adamw: memory of the mean"),
    HN_PARAM(muon, beta2, .def = "0.95", .min = 0, .max = 0.9999999, .doc = "adamw: memory of the mean square"),
    HN_PARAM(muon, eps, .def = "1e-10", .min = 0, .max = 1, .doc = "adamw: added to the root"),
};

enum { TILE = 128, WIDE = 512, MAX_CHUNKS = 64, CHUNK = 16384 };
static const float A = 3.4445f, B = -4.7750f, C = 2.0315f;   /* the steepest slope at 0 that keeps [0, 1] near 1 */

/* One map: rows × cols inside w, g and m (row length ld). `small` is the side of the Gram matrix. */
typedef struct {
    const hn_optim_state *s;
    const hn_momentum_step *momentum;
    int64_t rows, cols, ld, small, ldx, ldg, chunk;
    bool wide;                   /* rows ≤ cols: the Gram matrix is XXᵀ */
    float *w, *m, *x, *y, *gram, *poly;
    const float *g;
    double *squares;             /* (chunks) */
    float factor, shrink;
    const hn_update_kernels *k;
} map;

static int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

static void shape(map *j, const muon *p, const hn_weight *w)
{
    int64_t parts = p->split ? HN_MAX(w->parts, 1) : 1;
    j->ld = hn_cols(w->t);
    j->rows = hn_rows(w->t) / (w->transposed ? 1 : parts);
    j->cols = j->ld / (w->transposed ? parts : 1);
    j->wide = j->rows <= j->cols;
    j->small = HN_MIN(j->rows, j->cols);
    j->ldx = hn_pad_ld(j->cols);
    j->ldg = hn_pad_ld(j->small);
    j->chunk = HN_MAX(div_up(j->rows, MAX_CHUNKS), div_up(CHUNK, j->cols));
}

static int64_t scratch(const void *p, const hn_weight *w)
{
    map j;
    shape(&j, p, w);
    return 2 * j.rows * j.ldx + 2 * j.small * j.ldg + 2 * MAX_CHUNKS;
}

/* A step of the iteration: one half of the Gram matrix and of its square, and their product with X. */
static double flops(const void *p, const hn_weight *w)
{
    map j;
    shape(&j, p, w);
    double small = (double)j.small, large = (double)HN_MAX(j.rows, j.cols), maps = (double)hn_count(w->t) / ((double)j.rows * (double)j.cols);
    return maps * (double)((const muon *)p)->iterations * small * small * (3 * large + small);
}

/* ---- passes over rows ---- */
static void direction_rows(void *arg, int64_t task, int worker)
{
    map *j = arg;
    double sum = 0;
    for (int64_t r = task * j->chunk; r < HN_MIN(j->rows, (task + 1) * j->chunk); r++) {
        j->k->momentum(j->momentum, j->x + r * j->ldx, j->g + r * j->ld, j->m + r * j->ld, j->cols);
        sum += j->k->sum_squares(j->x + r * j->ldx, j->cols);
    }
    j->squares[task] = sum;
}

static void scale_rows(void *arg, int64_t task, int worker)
{
    map *j = arg;
    for (int64_t r = task * j->chunk; r < HN_MIN(j->rows, (task + 1) * j->chunk); r++)
        for (int64_t c = 0; c < j->cols; c++) j->x[r * j->ldx + c] *= j->factor;
}

static void apply_rows(void *arg, int64_t task, int worker)
{
    map *j = arg;
    for (int64_t r = task * j->chunk; r < HN_MIN(j->rows, (task + 1) * j->chunk); r++)
        j->k->apply(j->w + r * j->ld, j->x + r * j->ldx, j->shrink, j->factor, j->cols);
}

/* ---- products on tiles ---- */

/* The task-th tile on or below the diagonal. */
static void lower_tile(int64_t task, int64_t *row, int64_t *col)
{
    int64_t r = 0;
    while (task > r) task -= ++r;
    *row = r * TILE;
    *col = task * TILE;
}

static void mirror(float *v, int64_t ld, int64_t r0, int64_t c0, int64_t m, int64_t n)
{
    for (int64_t c = 0; c < n; c++)
        for (int64_t r = 0; r < m; r++) v[(c0 + c) * ld + r0 + r] = v[(r0 + r) * ld + c0 + c];
}

static void gram_tile(void *arg, int64_t task, int worker)
{
    map *j = arg;
    int64_t r, c;
    lower_tile(task, &r, &c);
    int64_t m = HN_MIN(TILE, j->small - r), n = HN_MIN(TILE, j->small - c);
    float *out = j->gram + r * j->ldg + c;
    if (j->wide) hn_gemm(false, true, m, n, j->cols, j->x + r * j->ldx, j->ldx, j->x + c * j->ldx, j->ldx, 0, out, j->ldg);
    else hn_gemm(true, false, m, n, j->rows, j->x + r, j->ldx, j->x + c, j->ldx, 0, out, j->ldg);
    if (r != c) mirror(j->gram, j->ldg, r, c, m, n);
}

/* aI + bA + cA²: A is symmetric, so A² = AAᵀ. */
static void poly_tile(void *arg, int64_t task, int worker)
{
    map *j = arg;
    int64_t r, c;
    lower_tile(task, &r, &c);
    int64_t m = HN_MIN(TILE, j->small - r), n = HN_MIN(TILE, j->small - c);
    float *out = j->poly + r * j->ldg + c;
    hn_gemm(false, true, m, n, j->small, j->gram + r * j->ldg, j->ldg, j->gram + c * j->ldg, j->ldg, 0, out, j->ldg);
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < n; k++) out[i * j->ldg + k] = C * out[i * j->ldg + k] + B * j->gram[(r + i) * j->ldg + c + k];
    if (r != c) mirror(j->poly, j->ldg, r, c, m, n);
    else
        for (int64_t i = 0; i < m; i++) out[i * j->ldg + i] += A;
}

static void next_tile(void *arg, int64_t task, int worker)
{
    map *j = arg;
    int64_t wide = div_up(j->cols, WIDE), r = task / wide * TILE, c = task % wide * WIDE;
    int64_t m = HN_MIN(TILE, j->rows - r), n = HN_MIN(WIDE, j->cols - c);
    float *out = j->y + r * j->ldx + c;
    if (j->wide) hn_gemm(false, false, m, n, j->small, j->poly + r * j->ldg, j->ldg, j->x + c, j->ldx, 0, out, j->ldx);
    else hn_gemm(false, false, m, n, j->small, j->x + r * j->ldx, j->ldx, j->poly + c, j->ldg, 0, out, j->ldx);
}

static void orthogonalize(map *j, int64_t iterations)
{
    int64_t side = div_up(j->small, TILE), lower = side * (side + 1) / 2;
    for (int64_t i = 0; i < iterations; i++) {
        hn_products_run(j->s->pool, lower, gram_tile, j);
        hn_products_run(j->s->pool, lower, poly_tile, j);
        hn_products_run(j->s->pool, div_up(j->rows, TILE) * div_up(j->cols, WIDE), next_tile, j);
        float *x = j->x;
        j->x = j->y;
        j->y = x;
    }
}

/* ---- steps ---- */
static void one_map(map *j, const muon *p, bool transposed)
{
    int64_t chunks = div_up(j->rows, j->chunk), out = transposed ? j->cols : j->rows, in = transposed ? j->rows : j->cols;
    double sum = 0, scale = !strcmp(p->scale, "rms") ? 0.2 * sqrt((double)HN_MAX(out, in)) : sqrt(HN_MAX(1, (double)out / (double)in));
    hn_pool_run(j->s->pool, chunks, direction_rows, j);
    for (int64_t i = 0; i < chunks; i++) sum += j->squares[i];
    j->factor = (float)(1 / HN_MAX(sqrt(sum), 1e-7));
    hn_pool_run(j->s->pool, chunks, scale_rows, j);
    orthogonalize(j, p->iterations);
    j->factor = (float)(j->s->lr * scale);
    j->shrink = (float)(1 - j->s->lr * j->s->decay);
    hn_pool_run(j->s->pool, chunks, apply_rows, j);
}

static void whole(const hn_optim_state *s, const hn_weight *w, float *const *state, float *mem)
{
    const muon *p = s->params;
    hn_momentum_step momentum = { .keep = (float)p->momentum, .add = (float)(1 - p->momentum), .grad_scale = (float)s->grad_scale,
                                  .nesterov = p->nesterov };
    map j = { .s = s, .momentum = &momentum, .k = hn_update_kernels_get() };
    shape(&j, p, w);
    j.squares = (double *)(void *)mem;
    j.gram = mem + 2 * MAX_CHUNKS;
    j.poly = j.gram + j.small * j.ldg;
    float *x = j.poly + j.small * j.ldg;
    for (int64_t r = 0; r < hn_rows(w->t); r += j.rows)
        for (int64_t c = 0; c < j.ld; c += j.cols) {
            int64_t at = r * j.ld + c;
            j.w = (float *)w->t->data + at, j.g = w->t->grad + at, j.m = state[0] + at;
            j.x = x, j.y = x + j.rows * j.ldx;
            one_map(&j, p, w->transposed);
        }
}

static void step(const hn_optim_state *s, float *w, const float *g, float *const *state, int64_t n)
{
    const muon *p = s->params;
    double t = (double)s->step, lr = p->adamw_lr * s->share;
    hn_adamw_step k = {
        .shrink = (float)(1 - lr * s->decay), .keep1 = (float)p->beta1, .add1 = (float)(1 - p->beta1), .keep2 = (float)p->beta2,
        .add2 = (float)(1 - p->beta2), .step = (float)(lr / (1 - pow(p->beta1, t))), .root = (float)(1 / sqrt(1 - pow(p->beta2, t))),
        .eps = (float)p->eps, .grad_scale = (float)s->grad_scale,
    };
    hn_update_kernels_get()->adamw(&k, w, g, state[0], state[1], n);
}

static bool takes_whole(const void *p, const hn_weight *w) { return w->t->dims == 2 && !w->outer; }
static int64_t state_count(const void *p, const hn_weight *w, int k) { return k && takes_whole(p, w) ? 0 : hn_count(w->t); }

const hn_optim hn_optim_muon = {
    HN_ITEM("muon", "momentum made orthogonal for hidden matrices, adamw for the rest", "Jordan 2024; arXiv:2502.16982", muon, params),
    .states = 2, .lr_offset = offsetof(muon, lr), .decay_offset = offsetof(muon, weight_decay), .step = step, .takes_whole = takes_whole,
    .state_count = state_count, .scratch = scratch, .whole = whole, .flops = flops,
};
