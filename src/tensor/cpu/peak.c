/* peak.c - chooses the compiled form of isa/peak.c. */
#include "tensor/peak.h"
#include "base/base.h"

HN_BY_ISA(hn_peak, hn_peak)
const hn_peak *hn_peak_now(void) { return hn_peak_of(hn_cpu_isa()); }
