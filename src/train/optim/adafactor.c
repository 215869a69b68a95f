/* adafactor.c - the mean square of a matrix kept as one number per row and one per column; a vector's in full. As torch.optim.Adafactor:
 *
 *     share = t^decay_rate;   R += share·(mean of g² along rows − R);   C likewise along columns;   V = R·Cᵀ/mean(R)
 *     u = g/√max(V, ε1²);   w = w(1 − lr·decay) − α/max(1, rms(u)/clip)·u   with α = max(ε2, rms(w))·min(lr, 1/√t)
 *
 * So lr is relative to the size of each weight, at most 1/√t, and each weight's update has at most `clip` as its root mean square. No
 * momentum. transformers' Adafactor is another function: it adds ε1 to g² and takes lr as it is unless told to scale.
 * Rows are cut into at most 64 chunks by size alone and summed in order: the same bits for any number of threads.
 * Source: Shazeer & Stern 2018, arXiv:1804.04235. */
#include "train/train.h"
#include "train/kernels.h"
#include <float.h>
#include <math.h>

typedef struct { double lr, decay_rate, eps1, eps2, clip, weight_decay; } adafactor;
static const hn_param params[] = {
    HN_PARAM(adafactor, lr, .def = "1e-2", .min = 0, .max = 10, .search_lo = 1e-3, .search_hi = 0.1, .scale = HN_LOG,
             .doc = "peak learning rate, as a share of each weight's size; at most 1/sqrt(step) acts"),
    HN_PARAM(adafactor, decay_rate, .def = "-0.8", .min = -10, .max = 0, .search_lo = -1, .search_hi = -0.5,
             .doc = "the newest mean square counts step^decay_rate"),
    HN_PARAM(adafactor, eps1, .def = "0", .min = 0, .max = 1, .doc = "smallest root of a mean square; 0: the precision of f32"),
    HN_PARAM(adafactor, eps2, .def = "1e-3", .min = 0, .max = 1, .doc = "smallest size of a weight that lr is multiplied by"),
    HN_PARAM(adafactor, clip, .def = "1", .min = 1e-6, .max = 1e6, .doc = "largest root mean square of an update before lr"),
    HN_PARAM(adafactor, weight_decay, .def = "0", .min = 0, .max = 100, .search_lo = 1e-3, .search_hi = 1, .scale = HN_LOG,
             .doc = "share of lr by which matrices shrink each step"),
};

enum { MAX_CHUNKS = 64, CHUNK = 16384 };

typedef struct {
    int64_t rows, cols, chunk, chunks;
    float *w, *row, *col, *col_sums;  /* col_sums: (chunks,cols) */
    const float *g;
    double *squares, *weights;        /* (chunks) */
    float grad_scale, mean_row, floor, shrink, step;
    const hn_update_kernels *k;
} job;

static int64_t div_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

static void shape(job *j, const hn_weight *w)
{
    j->rows = w->t->dims > 1 ? hn_rows(w->t) : 1;
    j->cols = hn_count(w->t) / HN_MAX(j->rows, 1);
    j->chunk = HN_MAX(div_up(j->rows, MAX_CHUNKS), div_up(CHUNK, HN_MAX(j->cols, 1)));
    j->chunks = div_up(j->rows, j->chunk);
}

static bool is_matrix(const hn_weight *w) { return w->t->dims > 1; }
static int64_t state_count(const void *p, const hn_weight *w, int k)
{
    job j;
    shape(&j, w);
    return k ? j.cols : is_matrix(w) ? j.rows : 0;
}
static int64_t scratch(const void *p, const hn_weight *w)
{
    job j;
    shape(&j, w);
    return 4 * MAX_CHUNKS + (is_matrix(w) ? j.chunks * j.cols : 0);
}

/* Squares of the weight, and of the gradient by rows and columns. */
static void sums_task(void *arg, int64_t task, int worker)
{
    job *j = arg;
    float *sums = j->col_sums ? j->col_sums + task * j->cols : NULL;
    double weights = 0;
    if (sums) memset(sums, 0, (size_t)j->cols * sizeof *sums);
    for (int64_t r = task * j->chunk; r < HN_MIN(j->rows, (task + 1) * j->chunk); r++) {
        const float *g = j->g + r * j->cols;
        weights += j->k->sum_squares(j->w + r * j->cols, j->cols);
        if (!sums) continue;
        double mean = j->k->sum_squares(g, j->cols) * (double)j->grad_scale * (double)j->grad_scale / (double)j->cols;
        j->row[r] += j->step * ((float)mean - j->row[r]);
        j->k->add_squares(sums, g, j->grad_scale, j->cols);
    }
    j->weights[task] = weights;
}

static hn_factor_step of_row(const job *j, int64_t r)
{
    return (hn_factor_step){ .row = j->col_sums ? j->row[r] / j->mean_row : 1, .floor = j->floor, .grad_scale = j->grad_scale };
}

static void squares_task(void *arg, int64_t task, int worker)
{
    job *j = arg;
    double sum = 0;
    for (int64_t r = task * j->chunk; r < HN_MIN(j->rows, (task + 1) * j->chunk); r++) {
        hn_factor_step s = of_row(j, r);
        sum += j->k->factor_squares(&s, j->g + r * j->cols, j->col, j->cols);
    }
    j->squares[task] = sum;
}

static void apply_task(void *arg, int64_t task, int worker)
{
    job *j = arg;
    for (int64_t r = task * j->chunk; r < HN_MIN(j->rows, (task + 1) * j->chunk); r++) {
        hn_factor_step s = of_row(j, r);
        j->k->factor_apply(&s, j->w + r * j->cols, j->g + r * j->cols, j->col, j->shrink, j->step, j->cols);
    }
}

static double total(const double *v, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += v[i];
    return sum;
}

/* The columns' averages, and the mean of the rows'. */
static void join(job *j, float share, float eps1)
{
    double rows = 0;
    for (int64_t c = 0; c < j->cols; c++) {
        double sum = 0;
        for (int64_t i = 0; i < j->chunks; i++) sum += (double)j->col_sums[i * j->cols + c];
        j->col[c] += share * ((float)(sum / (double)j->rows) - j->col[c]);
    }
    for (int64_t r = 0; r < j->rows; r++) rows += (double)j->row[r];
    j->mean_row = HN_MAX((float)(rows / (double)j->rows), eps1);
}

static void whole(const hn_optim_state *s, const hn_weight *w, float *const *state, float *mem)
{
    const adafactor *p = s->params;
    job j = { .w = w->t->data, .g = w->t->grad, .row = state[0], .col = state[1], .squares = (double *)(void *)mem,
              .weights = (double *)(void *)mem + MAX_CHUNKS, .col_sums = is_matrix(w) ? mem + 4 * MAX_CHUNKS : NULL,
              .grad_scale = (float)s->grad_scale, .k = hn_update_kernels_get() };
    float eps1 = p->eps1 > 0 ? (float)p->eps1 : FLT_EPSILON, share = (float)pow((double)s->step, p->decay_rate);
    shape(&j, w);
    double n = (double)(j.rows * j.cols);
    if (n <= 0) return;
    j.step = share;
    j.floor = eps1 * eps1;
    hn_pool_run(s->pool, j.chunks, sums_task, &j);
    if (j.col_sums) join(&j, share, eps1);
    else j.k->ema_squares(j.col, j.g, j.grad_scale, share, j.cols);
    hn_pool_run(s->pool, j.chunks, squares_task, &j);
    double rho = HN_MIN(s->lr, 1 / sqrt((double)s->step)), alpha = HN_MAX(p->eps2, sqrt(total(j.weights, j.chunks) / n)) * rho;
    j.step = (float)(alpha / HN_MAX(1, sqrt(total(j.squares, j.chunks) / n) / p->clip));
    j.shrink = (float)(1 - s->lr * s->decay);
    hn_pool_run(s->pool, j.chunks, apply_task, &j);
}

static bool takes_whole(const void *p, const hn_weight *w) { return true; }

const hn_optim hn_optim_adafactor = {
    HN_ITEM("adafactor", "mean squares by row and column: little memory", "arXiv:1804.04235", adafactor, params),
    .states = 2, .lr_offset = offsetof(adafactor, lr), .decay_offset = offsetof(adafactor, weight_decay), .takes_whole = takes_whole,
    .state_count = state_count, .scratch = scratch, .whole = whole,
};
