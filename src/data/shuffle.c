/* shuffle.c - an order of n things that needs no table: a Feistel network over [0, 4^half_bits), walked until it lands inside, with round
 * keys drawn from (seed, epoch). Source: Black & Rogaway 2002, "Ciphers with arbitrary finite domains" (cycle walking). */
#include "data/data.h"

hn_shuffle hn_shuffle_new(int64_t n, uint64_t seed) {
    hn_shuffle s = { .n = n, .epoch = -1, .seed = seed, .half_bits = 1 };
    while ((INT64_C(1) << 2 * s.half_bits) < n) s.half_bits++;
    return s;
}

static uint32_t mix(uint32_t x) {     /* finalizer of MurmurHash3 */
    x = (x ^ x >> 16) * 0x85EBCA6Bu;
    x = (x ^ x >> 13) * 0xC2B2AE35u;
    return x ^ x >> 16;
}

int64_t hn_shuffle_at(hn_shuffle *s, int64_t epoch, int64_t j) {
    if (s->epoch != epoch) {
        hn_philox(s->seed, HN_STREAM_SHUFFLE, (uint32_t)epoch, UINT64_MAX, s->keys);
        hn_philox(s->seed, HN_STREAM_SHUFFLE, (uint32_t)epoch, UINT64_MAX - 1, s->keys + 4);
        s->epoch = epoch;
    }
    uint32_t mask = (uint32_t)((UINT64_C(1) << s->half_bits) - 1);
    do {
        uint32_t l = (uint32_t)(j >> s->half_bits), r = (uint32_t)j & mask;
        for (int k = 0; k < 8; k++) {
            uint32_t next = l ^ (mix(r ^ s->keys[k]) & mask);
            l = r;
            r = next;
        }
        j = (int64_t)l << s->half_bits | r;
    } while (j >= s->n);
    return j;
}
