/* sample.c - one token from logits.
 *
 * At temperature 0 the largest logit wins, the smaller id at a tie. Otherwise candidates are sorted, pass the chain of
 * samplers.def (temperature, top_k, top_p, min_p: the order of transformers), and one is drawn by its probability among those
 * left. The draw depends on (seed, position) alone: the same seed gives the same text, however often one stops between. */
#include "model/model.h"
#include <math.h>

/* Largest first, ties by id: a radix sort of the floats' order-preserving bits, four passes whatever V is. */
static void sort(const hn_sample_room *room, const float *logits, int64_t V, hn_cands *out) {
    uint32_t *key = room->key;
    int32_t *id = room->id;
    for (int64_t i = 0; i < V; i++) {
        memcpy(&key[i], &logits[i], 4);
        key[i] = key[i] & 0x80000000 ? key[i] : ~(key[i] | 0x80000000); /* ascending keys are descending floats */
        id[i] = (int32_t)i;
    }
    for (int pass = 0; pass < 4; pass++) {
        int64_t start[257] = {0};
        uint32_t *from = key + (pass & 1) * V, *to = key + (~pass & 1) * V;
        int32_t *ids = id + (pass & 1) * V, *sorted = id + (~pass & 1) * V;
        for (int64_t i = 0; i < V; i++) start[(from[i] >> 8 * pass & 255) + 1]++;
        for (int b = 0; b < 256; b++) start[b + 1] += start[b];
        for (int64_t i = 0; i < V; i++) {
            int64_t at = start[from[i] >> 8 * pass & 255]++;
            to[at] = from[i];
            sorted[at] = ids[i];
        }
    }
    *out = (hn_cands){.id = id, .logit = room->logit, .n = V};
    for (int64_t i = 0; i < V; i++) out->logit[i] = logits[id[i]];
}

hn_sample_room hn_sample_room_new(hn_arena *a, int64_t V) {
    return (hn_sample_room){hn_new_n(a, uint32_t, 2 * V), hn_new_n(a, int32_t, 2 * V), hn_new_n(a, float, V)};
}

int32_t hn_sample(const hn_sample_room *room, const float *logits, int64_t V, const hone_sampling *s, int64_t position) {
    if (!(s->temperature > 0)) {
        int64_t best = 0;
        for (int64_t i = 1; i < V; i++) best = logits[i] > logits[best] ? i : best;
        return (int32_t)best;
    }
    hn_cands c;
    sort(room, logits, V, &c);
    for (int64_t i = 0; i < hn_kind_sample.n; i++) ((const hn_sampler *)hn_kind_sample.items[i])->apply(&c, s);
    uint32_t r[4];
    hn_philox(s->seed, HN_STREAM_SAMPLE, 0, (uint64_t)position, r);
    double u = (double)(((uint64_t)r[1] << 32 | r[0]) >> 11) * 0x1p-53, sum = 0;
    for (int64_t i = 0; i < c.n; i++) sum += exp((double)c.logit[i] - c.logit[0]);
    int64_t i = 0;
    for (double left = u * sum; i < c.n - 1; i++)
        if ((left -= exp((double)c.logit[i] - c.logit[0])) < 0) break;
    return c.id[i];
}
