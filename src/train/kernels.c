/* kernels.c - chooses the compiled form of isa/update.c. */
#include "train/kernels.h"
#include "base/base.h"

HN_BY_ISA(hn_update_kernels, hn_update)
const hn_update_kernels *hn_update_kernels_get(void) { return hn_update_of(hn_cpu_isa()); }
