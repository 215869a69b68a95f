/* fault.c - makes the n-th allocation, read or write fail, so that tests can walk through every such place.
 * The counters are the process's: a fault is a thing of the test, not of a job. Off, a check costs one relaxed load. */
#include "base/base.h"
#include <stdlib.h>

static _Atomic int64_t left[HN_FAULT_COUNT];    /* 0: off; else how many until the failure */

void hn_fault_set(hn_fault f, int64_t nth) { atomic_store(&left[f], nth); }

bool hn_fault_hit(hn_fault f) {
    if (__builtin_expect(atomic_load_explicit(&left[f], memory_order_relaxed) <= 0, 1)) return false;
    return atomic_fetch_sub(&left[f], 1) == 1;
}

/* HONE_FAULT=alloc:N|read:N|write:N; read once for each root job, so that the program can be tested from outside. */
void hn_fault_from_environment(void) {
    static const char *const names[HN_FAULT_COUNT] = { "alloc:", "read:", "write:" };
    const char *s = getenv("HONE_FAULT");
    int64_t n;
    for (int f = 0; s && f < HN_FAULT_COUNT; f++)
        if (!strncmp(s, names[f], strlen(names[f])) && hn_parse_i64(s + strlen(names[f]), &n)) hn_fault_set((hn_fault)f, n);
}
