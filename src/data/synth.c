/* synth.c - text made from a seed, for a first run without any data of one's own.
 *
 * Three kinds of lines, mixed: additions with their results, letters with their sorted form, and sentences of a small grammar whose
 * verb agrees with its subject. Each line can be got partly right by counting letters, better by following a rule, so that there is
 * something to learn at every size of model. Lines are short: 13 words of the text run over several lines and are rarely seen
 * twice, so that little of it counts as leaked from held-out text. */
#include "data/data.h"

#include <stdlib.h>

enum { LIST_MAX = 6 };
static const char *const one[] = { "the miller", "the fox", "a heron", "the old smith", "my sister", "the ferryman", "a goose", "the baker" };
static const char *const many[] = { "the millers", "two foxes", "the herons", "three smiths", "my sisters", "the ferrymen", "some geese", "the bakers" };
static const char *const verb_one[] = { "carries", "hides", "finds", "sells", "counts", "mends", "watches", "loses" };
static const char *const verb_many[] = { "carry", "hide", "find", "sell", "count", "mend", "watch", "lose" };
static const char *const thing[] = { "red boats", "silver keys", "apples", "torn nets", "long ropes", "empty baskets", "warm loaves", "stone bells" };
static const char *const place[] = { "by the river", "under the bridge", "in the barn", "near the mill", "behind the hill", "at the market" };

static const char *pick(hn_rng *r, const char *const *v, int64_t n) { return v[hn_rng_below(r, n)]; }

static void sum(hn_arena *a, hn_rng *r, hn_buf *out) {
    int64_t limit = hn_rng_below(r, 2) ? 100 : 1000, x = hn_rng_below(r, limit), y = hn_rng_below(r, limit);
    hn_buf_fmt(a, out, "%lld+%lld=%lld\n", (long long)x, (long long)y, (long long)(x + y));
}

static int by_letter(const void *x, const void *y) { return *(const char *)x - *(const char *)y; }

static void sorted(hn_arena *a, hn_rng *r, hn_buf *out) {
    char v[LIST_MAX];
    int64_t n = 3 + hn_rng_below(r, LIST_MAX - 2);
    for (int64_t i = 0; i < n; i++) v[i] = (char)('a' + hn_rng_below(r, 10));
    hn_buf_fmt(a, out, "sort %.*s: ", (int)n, v);
    qsort(v, (size_t)n, 1, by_letter);
    hn_buf_fmt(a, out, "%.*s\n", (int)n, v);
}

static void sentence(hn_arena *a, hn_rng *r, hn_buf *out) {
    bool plural = hn_rng_below(r, 2);
    const char *who = plural ? pick(r, many, HN_LEN(many)) : pick(r, one, HN_LEN(one));
    const char *does = plural ? pick(r, verb_many, HN_LEN(verb_many)) : pick(r, verb_one, HN_LEN(verb_one));
    hn_buf_fmt(a, out, "%s %s %lld %s %s.\n", who, does, (long long)(2 + hn_rng_below(r, 98)), pick(r, thing, HN_LEN(thing)), pick(r, place, HN_LEN(place)));
}

void hn_synth_text(hn_arena *a, uint64_t seed, int64_t bytes, hn_buf *out) {
    hn_rng r = hn_rng_new(seed, HN_STREAM_GYM, 0);
    while (out->n < bytes) {
        int64_t kind = hn_rng_below(&r, 4);
        if (kind == 0) sorted(a, &r, out);
        else if (kind == 1) sum(a, &r, out);
        else sentence(a, &r, out);
    }
}
