/* peak.h - loops that do nothing but multiply-add, or nothing but read: the limits that measurements are compared with. */
#ifndef HN_TENSOR_PEAK_H
#define HN_TENSOR_PEAK_H
#include "base/base.h"

typedef struct hn_peak {
    int64_t flops;                                /* of one round of fma */
    float (*fma)(int64_t rounds, float x);        /* independent chains in registers; |x| < 1 */
    float (*read)(const float *p, int64_t n);     /* a sum, so that every byte is looked at; n a multiple of 256 */
} hn_peak;
const hn_peak *hn_peak_now(void);                 /* of this CPU, or of HONE_ISA */
#endif
