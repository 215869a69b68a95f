/* cpu.c - this machine's processor: the operators' references, and the kernels of kernels.def where there are any. */
#include "tensor/tensor.h"

#define KERNEL(n) extern const hn_kernel hn_cpu_##n;
#include "tensor/cpu/kernels.def"
#undef KERNEL
static const hn_kernel *const kernels[] = {
#define KERNEL(n) &hn_cpu_##n,
#include "tensor/cpu/kernels.def"
#undef KERNEL
    NULL                         /* the list may be empty */
};
extern const hn_backend hn_backend_cpu;
const hn_backend hn_backend_cpu = {
    HN_ITEM0("cpu", "this machine's processor", NULL), .computes = true, .kernels = kernels, .n_kernels = HN_LEN(kernels) - 1,
};
