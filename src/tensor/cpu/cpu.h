/* cpu.h - what the CPU kernels share: the table of vector routines, matrix products on one thread, work on the pool.
 *
 * Work is cut into tasks by problem size alone and every sum has a fixed order, so a result has the same bits for any
 * number of threads at the same instruction set. Kernels allocate nothing: scratch comes with the call. */
#ifndef HN_CPU_H
#define HN_CPU_H
#include "tensor/kernels.h"
#include "tensor/tensor.h"

/* Vector routines, compiled once per instruction set (isa/vec.c). n may be 0; rows need no alignment. */
typedef struct hn_vec {
    int width;
    void (*add)(float *y, const float *a, const float *b, int64_t n); /* y = a + b; y may be a or b */
    /* v = x + b (b NULL: x); pre = v (NULL: not wanted); y = act(v) */
    void (*bias_act)(float *y, float *pre, const float *x, const float *b, int64_t n, hone_act act);
    void (*act_grad)(float *d, const float *dy, const float *pre, int64_t n, hone_act act, bool add); /* d (+)= dy·act′(pre) */
    void (*layernorm)(float *y, const float *x, const float *w, const float *b, int64_t n, float eps, float *mean, float *rstd);
    /* dx, dw, db are added to; each may be NULL */
    void (*layernorm_grad)(float *dx, float *dw, float *db, const float *dy, const float *x, const float *w, int64_t n, float mean,
                           float rstd);
    float (*top)(const float *x, int64_t n); /* largest; -inf for n = 0 */
    float (*exp_shift)(float *p, const float *s, float scale, float shift,
                       int64_t n);                               /* p = exp(scale·s − shift), returns the sum; p NULL: sum only */
    void (*scale)(float *y, const float *x, float s, int64_t n); /* y = s·x */
    float (*dot)(const float *a, const float *b, int64_t n);
    void (*softmax_grad)(float *ds, const float *p, const float *dp, float delta, float scale, int64_t n); /* ds = p·(dp − delta)·scale */
    void (*drop)(float *y, const float *x, const hn_call *c, int64_t first, int64_t n, float p,
                 bool add); /* y (+)= dropped x; quads from `first` on */
    /* y (n) = x (k) · w: w (n,k) rows of ldw, or transposed (k,n). y is overwritten. */
    void (*gemv)(float *y, const float *x, const float *w, int64_t ldw, bool transposed, int64_t n, int64_t k);
    /* y = x/√(mean(x²) + eps)·w, *rms = the factor; rms may be NULL */
    void (*rmsnorm)(float *y, const float *x, const float *w, int64_t n, float eps, float *rms);
    /* dx is added to, or written where `add` is false; dw is added to; each may be NULL */
    void (*rmsnorm_grad)(float *dx, float *dw, const float *dy, const float *x, const float *w, int64_t n, float rms, bool add);
    /* pairs of columns (i, i+half) or (2i, 2i+1) turned by the angles' cosines (half) and sines (half), or back */
    void (*turn)(float *y, const float *x, const float *angles, int64_t half, bool interleaved, bool back, bool add);
    /* y = cap·tanh(scale·x/cap); slope (NULL: not wanted) = its derivative by x */
    void (*softcap)(float *y, float *slope, const float *x, float scale, float cap, int64_t n);
    void (*widen)(float *y, const hn_bf16 *x, int64_t n);
    void (*narrow)(hn_bf16 *y, const float *x, int64_t n); /* rounded */
    float (*exp_narrow)(hn_bf16 *p, const float *s, float shift, int64_t n); /* exp_shift with scale 1; p rounded, the sum of what was not */
} hn_vec;
HN_BY_ISA(hn_vec, hn_vec)
static inline const hn_vec *hn_vec_now(void) { return hn_vec_of(hn_cpu_isa()); }

/* Runs tasks on the pool, or on the calling thread where the whole is less than ~20 µs of work (flops counts about 50 per ns). */
void hn_cpu_run(const hn_call *c, double flops, int64_t tasks, void (*fn)(void *arg, int64_t task, int worker), void *arg);

/* For kernels that take bf16 as it is, a piece at a time: numbers [i, i+n) of row r as f32 in `room` (n <= HN_PIECE) while they are in the
 * first cache; of an f32 tensor, where they lie. */
enum { HN_PIECE = 4096 };
static inline const float *hn_wide(const hn_vec *v, const hone_tensor *x, int64_t r, int64_t i, int64_t n, float *room) {
    if (x->dtype != HONE_BF16) return (const float *)x->data + r * x->ld + i;
    v->widen(room, (const hn_bf16 *)x->data + r * x->ld + i, n);
    return room;
}
/* Where to write them, and then, of bf16, their rounding. */
static inline float *hn_wide_out(const hone_tensor *x, int64_t r, int64_t i, float *room) {
    return x->dtype == HONE_BF16 ? room : (float *)x->data + r * x->ld + i;
}
static inline void hn_wide_done(const hn_vec *v, const hone_tensor *x, int64_t r, int64_t i, int64_t n, const float *room) {
    if (x->dtype == HONE_BF16) v->narrow((hn_bf16 *)x->data + r * x->ld + i, room, n);
}
/* hn_kernel.bf16 of operators whose kernel holds a row of in[0] and of out in such rooms. */
static inline unsigned hn_rows_bf16(const hn_call *c) { return hn_cols(c->out) <= HN_PIECE ? HN_SAVE_IN0 | HN_SAVE_OUT : 0; }

static inline int64_t hn_cdiv(int64_t a, int64_t b) { return (a + b - 1) / b; }
static inline float *hn_take(float **p, int64_t n) {
    float *r = *p;
    *p += hn_round(n);
    return r;
}
static inline void hn_zero_rows(const hone_tensor *x) /* what a fresh gradient of odd use needs */
{
    for (int64_t r = 0; r < hn_rows(x); r++) memset((float *)x->data + r * x->ld, 0, (size_t)hn_cols(x) * sizeof(float));
}
static inline void hn_pack(float *to, int64_t ld_to, const float *from, int64_t ld_from, int64_t rows, int64_t cols) {
    for (int64_t r = 0; r < rows; r++) memcpy(to + r * ld_to, from + r * ld_from, (size_t)cols * sizeof *to);
}
/* Sums over rows (bias and norm gradients): at most 64 chunks, each of at least 64 rows. */
static inline int64_t hn_chunk_rows(int64_t rows) { return HN_MAX(64, hn_cdiv(rows, 64)); }
#endif
