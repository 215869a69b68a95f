/* kernels.c - chooses the compiled form of isa/update.c. */
#include "train/kernels.h"
#include "base/base.h"

extern const hn_update_kernels hn_update_plain;
#ifdef __x86_64__
extern const hn_update_kernels hn_update_avx2, hn_update_avx512;
#endif

const hn_update_kernels *hn_update_kernels_get(void)
{
#ifdef __x86_64__
    switch (hn_cpu_isa()) {
    case HN_ISA_AVX512: return &hn_update_avx512;
    case HN_ISA_AVX2: return &hn_update_avx2;
    default: break;
    }
#endif
    return &hn_update_plain;
}
