/* bf16.h - the upper half of a float: eight bits of exponent, seven of mantissa. To it: to the nearest, of two equally near the even one;
 * a NaN stays one. Half a unit in the last place is 2^-9 of the number at most. */
#ifndef HN_BF16_H
#define HN_BF16_H
#include <stdint.h>
#include <string.h>

typedef uint16_t hn_bf16;
static inline float hn_widen(hn_bf16 h) {
    uint32_t u = (uint32_t)h << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}
static inline hn_bf16 hn_narrow(float x) {
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    if ((u & 0x7fffffffu) > 0x7f800000u) return (hn_bf16)(u >> 16 | 0x40);
    return (hn_bf16)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}
#endif
