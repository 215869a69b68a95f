/* kernels.h - the loops over all weights that isa/update.c compiles once per instruction set. They use no fused multiply-add
 * (-ffp-contract=off) and no sum whose order depends on the vector length, so every path gives the same bits. */
#ifndef HN_TRAIN_KERNELS_H
#define HN_TRAIN_KERNELS_H
#include <stdint.h>

typedef struct hn_adamw_step {
    float shrink;                /* 1 − lr·decay */
    float keep1, add1, keep2, add2;                            /* β1, 1 − β1, β2, 1 − β2 */
    float step, root;            /* lr/(1 − β1^t), 1/√(1 − β2^t) */
    float eps, grad_scale;
} hn_adamw_step;
typedef struct hn_update_kernels {
    void (*adamw)(const hn_adamw_step *s, float *w, const float *g, float *m, float *v, int64_t n);
    void (*ema)(float *avg, const float *w, float share, int64_t n);       /* avg += share·(w − avg) */
    double (*sum_squares)(const float *g, int64_t n);
} hn_update_kernels;
const hn_update_kernels *hn_update_kernels_get(void);                      /* of this CPU, or of HONE_ISA */
#endif
