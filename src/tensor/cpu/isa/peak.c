/* peak.c - multiply-add and read at the rate of the instruction set; compiled once for each.
 *
 * Twelve chains hide a latency of four cycles at two multiply-adds a cycle, or six at two; with the two factors they fit sixteen registers. */
#include "tensor/peak.h"
#include "tensor/cpu/vec.h"

enum { CHAINS = 12, SUMS = 8, UNROLL = 4 };

static float fma_rounds(int64_t rounds, float x) {
    vf s[CHAINS], f = v_set(x), g = v_set(1 - x);
    for (int i = 0; i < CHAINS; i++) s[i] = v_set((float)i);
    for (int64_t r = 0; r < rounds; r++) {
        for (int u = 0; u < UNROLL; u++)
            for (int i = 0; i < CHAINS; i++) s[i] = v_fma(s[i], f, g);
    }
    for (int i = 1; i < CHAINS; i++) s[0] = s[0] + s[i];
    return v_sum(s[0]);
}

static float read_all(const float *p, int64_t n) {
    vf s[SUMS];
    for (int i = 0; i < SUMS; i++) s[i] = v_set(0);
    for (int64_t at = 0; at + SUMS * VW <= n; at += SUMS * VW)
        for (int i = 0; i < SUMS; i++) s[i] = s[i] + v_loadu(p + at + i * VW);
    for (int i = 1; i < SUMS; i++) s[0] = s[0] + s[i];
    return v_sum(s[0]);
}

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define TABLE PASTE(hn_peak_, HN_ISA)
extern const hn_peak TABLE;
const hn_peak TABLE = { 2 * VW * CHAINS * UNROLL, fma_rounds, read_all };
