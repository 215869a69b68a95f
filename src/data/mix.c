/* mix.c - sources by weights other than their sizes: shares ∝ size^exponent (Conneau et al. 2019, arXiv:1911.02116, section 3.1).
 *
 * Of each 1024 windows a source has a fixed share, spread evenly, and it walks through epochs of its own: so a window still depends on
 * (seed, number) alone. At most 512 sources; each has at least one window of the 1024. */
#include "data/batch.h"
#include <math.h>

enum { STEP = 389 /* odd, so its multiples visit every place of a block */ };

/* Whole places for each share: those left over go to whom most is lacking, those too many come from who has most to spare. */
static void deal(hn_walk *w, int64_t n, double exponent) {
    double sum = 0;
    int64_t dealt = 0;
    for (int64_t i = 0; i < n; i++) sum += pow((double)w[i].total, exponent);
    for (int64_t i = 0; i < n; i++) dealt += w[i].quota = HN_MAX((int64_t)(HN_MIX * pow((double)w[i].total, exponent) / sum), 1);
    while (dealt != HN_MIX) {
        int64_t at = 0, one = dealt < HN_MIX ? 1 : -1;
        double most = -INFINITY;
        for (int64_t i = 0; i < n; i++) {
            double lacks = HN_MIX * pow((double)w[i].total, exponent) / sum - (double)w[i].quota;
            if (w[i].quota + one >= 1 && (double)one * lacks > most) most = (double)one * lacks, at = i;
        }
        w[at].quota += one;
        dealt += one;
    }
    for (int64_t i = 1; i < n; i++) w[i].before = w[i - 1].before + w[i - 1].quota;
}

/* Whose each window of a block is, and the how-manieth of its own: a stride that visits every place spreads each source evenly. */
static void spread(hn_arena *a, hn_batches *b) {
    int64_t *seen = hn_new_n(a, int64_t, b->n_walks);
    b->owner = hn_new_n(a, int32_t, HN_MIX), b->rank = hn_new_n(a, int32_t, HN_MIX);
    for (int64_t j = 0; j < HN_MIX; j++) {
        int64_t place = j * STEP % HN_MIX, i = 0;
        while (place >= b->walks[i].before + b->walks[i].quota) i++;
        b->owner[j] = (int32_t)i;
        b->rank[j] = (int32_t)seen[i]++;
    }
}

bool hn_batches_mix(hn_arena *a, hn_batches *b, const int32_t *source, int64_t n_sources, double exponent) {
    hn_run *sorted = hn_new_n(a, hn_run, b->n_runs + 1);
    hn_walk *w = hn_new_n(a, hn_walk, n_sources + 1);
    int64_t n = 0, k = 0, total = 0;
    for (int64_t s = 0; s < n_sources; s++) {
        int64_t first = total;
        for (int64_t i = 0; i < b->n_runs; i++) {
            if (source[b->runs[i].span] != s) continue;
            sorted[k] = b->runs[i];
            sorted[k++].first = total;
            total += b->runs[i].windows;
        }
        if (total == first) continue;
        w[n] = (hn_walk){ .first = first, .total = total - first, .order = hn_shuffle_new(total - first, b->seed + (uint64_t)n) };
        n++;
    }
    HN_ASSERT(total == b->total);
    if (n < 2 || n > HN_MIX / 2)
        return HN_FAIL(a, HONE_E_VALUE, .what = "the sources of the training text cannot be mixed", .wanted = hn_fmt(a, "2 … %d files with text to learn from", HN_MIX / 2),
                       .found = hn_fmt(a, "%lld", (long long)n), .hint = "Leave train.mix at 1, or give several files.");
    deal(w, n, exponent);
    b->runs = sorted, b->walks = w, b->n_walks = n;
    spread(a, b);
    return true;
}

hn_walk *hn_walk_of(hn_batches *b, int64_t *window) {
    hn_walk *w = &b->walks[b->owner[*window % HN_MIX]];
    *window = *window / HN_MIX * w->quota + b->rank[*window % HN_MIX];
    return w;
}
