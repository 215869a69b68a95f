/* rope_table.c - made once in a forward, so the reference is the kernel: its row in the list says that nothing is missing. */
#include "tensor/cpu/cpu.h"

extern const hn_kernel hn_cpu_rope_table;
const hn_kernel hn_cpu_rope_table = { &hn_op_rope_table, NULL, NULL, NULL };
