/* peak.c - chooses the compiled form of isa/peak.c. */
#include "tensor/peak.h"

extern const hn_peak hn_peak_plain;
#ifdef __x86_64__
extern const hn_peak hn_peak_avx2, hn_peak_avx512;
#endif

const hn_peak *hn_peak_now(void) {
#ifdef __x86_64__
    switch (hn_cpu_isa()) {
    case HN_ISA_AVX512:
        return &hn_peak_avx512;
    case HN_ISA_AVX2:
        return &hn_peak_avx2;
    default:
        break;
    }
#endif
    return &hn_peak_plain;
}
