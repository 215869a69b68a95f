/* kernels.h - the loops over all weights that isa/update.c compiles once per instruction set. They use no fused multiply-add
 * (-ffp-contract=off) and no sum whose order depends on the vector length, so every path gives the same bits. */
#ifndef HN_TRAIN_KERNELS_H
#define HN_TRAIN_KERNELS_H
#include <stdbool.h>
#include <stdint.h>

typedef struct hn_adamw_step {
    float shrink;                /* 1 − lr·decay */
    float keep1, add1, keep2, add2;                            /* β1, 1 − β1, β2, 1 − β2 */
    float step, root;            /* lr/(1 − β1^t), 1/√(1 − β2^t) */
    float eps, grad_scale;
} hn_adamw_step;
typedef struct hn_sgd_step { float decay, momentum, lr, grad_scale; bool nesterov; } hn_sgd_step;
typedef struct hn_lion_step { float shrink, keep1, add1, keep2, add2, lr, grad_scale; } hn_lion_step;
typedef struct hn_momentum_step { float keep, add, grad_scale; bool nesterov; } hn_momentum_step;   /* keep + add = 1 */
/* The direction g·grad_scale/√max(row·col, floor); row: this row's share of the mean square, col: the columns' (or a vector's own). */
typedef struct hn_factor_step { float row, floor, grad_scale; } hn_factor_step;

typedef struct hn_update_kernels {
    void (*adamw)(const hn_adamw_step *s, float *w, const float *g, float *m, float *v, int64_t n);
    void (*ema)(float *avg, const float *w, float share, int64_t n);       /* avg += share·(w − avg) */
    double (*sum_squares)(const float *g, int64_t n);
    void (*sgd)(const hn_sgd_step *s, float *w, const float *g, float *m /* NULL: no momentum */, int64_t n);
    void (*lion)(const hn_lion_step *s, float *w, const float *g, float *m, int64_t n);
    void (*momentum)(const hn_momentum_step *s, float *u, const float *g, float *m, int64_t n);   /* m becomes the mean, u the direction */
    void (*apply)(float *w, const float *u, float shrink, float step, int64_t n);           /* w = w·shrink − step·u */
    void (*add_squares)(float *sums, const float *g, float scale, int64_t n);               /* sums += (scale·g)² */
    void (*ema_squares)(float *avg, const float *g, float scale, float share, int64_t n);   /* avg += share·((scale·g)² − avg) */
    double (*factor_squares)(const hn_factor_step *s, const float *g, const float *col, int64_t n);   /* Σ direction² */
    void (*factor_apply)(const hn_factor_step *s, float *w, const float *g, const float *col, float shrink, float step, int64_t n);
} hn_update_kernels;
const hn_update_kernels *hn_update_kernels_get(void);                      /* of this CPU, or of HONE_ISA */
#endif
