/* batch.c - windows of T+1 tokens, each drawn from its number alone, so that going on after a stop is a number.
 *
 * "random" (nanoGPT): each window starts anywhere with equal chance, with replacement; a span of n tokens has n−T starts.
 * "epochs": every window of an epoch once, in shuffled order. Windows of a span lie end to end (stride T) from a phase that is
 * drawn anew in each epoch; a span of eight windows or more gives one up so that the phase can be anything below T.
 * The order is a pseudo-random permutation (shuffle.c), so it needs no table of windows.
 * Sources may be mixed by other weights than their sizes and easy windows may come first: mix.c, lesson.c.
 * A span too short for T+1 tokens is one window: the rest of x is 0 and of y is −1. Where a token is not to be learned y is −1 too; tokens
 * of a sample that does not fit into a window are windows of their own. Nothing is allocated per batch. */
#include "data/batch.h"

typedef hn_run run;

hn_batches *hn_batches_new(hn_arena *a, const hn_tokens *t, int64_t B, int64_t T, const char *order, uint64_t seed) {
    HN_ASSERT(B > 0 && T > 0);
    bool epochs = !strcmp(order, "epochs");
    if (!epochs && strcmp(order, "random") != 0) {
        (void)!HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "there is no order '%s'", order), .wanted = "epochs or random");
        return NULL;
    }
    hn_batches *b = hn_new(a, hn_batches);
    *b = (hn_batches){
        .t = t, .B = B, .T = T, .epochs = epochs, .seed = seed, .runs = hn_new_n(a, run, t->n_spans), .walks = hn_new(a, hn_walk), .n_walks = 1
    };
    for (int64_t i = 0; i < t->n_spans; i++) {
        hn_span s = t->spans[i];
        if (s.n < 2) continue;
        int64_t fit = (s.n - 1) / T, w = HN_MAX(epochs ? fit - (fit >= 8) : s.n - T, 1);
        b->runs[b->n_runs++] = (run){ s.start, s.n, b->total, w, (int32_t)i };
        b->total += w;
    }
    if (!b->total) {
        (void)!HN_FAIL(a, HONE_E_DATA, .what = "the text is too short for a single window", .wanted = "a piece of at least 2 tokens",
                       .found = hn_fmt(a, "%lld tokens in %lld pieces", (long long)t->n, (long long)t->n_spans));
        return NULL;
    }
    *b->walks = (hn_walk){ .total = b->total, .order = hn_shuffle_new(b->total, seed) };
    return b;
}

int64_t hn_batches_windows(const hn_batches *b) { return b->total; }

uint64_t hn_batches_draw(const hn_batches *b, int64_t epoch, uint64_t index) {
    uint32_t r[4];
    hn_philox(b->seed, HN_STREAM_SHUFFLE, (uint32_t)epoch, index, r);
    return (uint64_t)r[0] << 32 | r[1];
}

/* Uniform below n by the high half of a product; its bias of n/2^64 cannot be seen. */
int64_t hn_batches_below(uint64_t r, int64_t n) { return (int64_t)((unsigned __int128)r * (uint64_t)n >> 64); }

static int64_t find_run(const hn_batches *b, int64_t w) {
    int64_t lo = 0, hi = b->n_runs;
    while (hi - lo > 1) {
        int64_t mid = lo + (hi - lo) / 2;
        if (b->runs[mid].first <= w) lo = mid;
        else hi = mid;
    }
    return lo;
}

/* Where window g begins and how many of its tokens exist, at most T+1. */
static int64_t locate(hn_batches *b, int64_t g, int64_t *len) {
    int64_t own = g - b->learning;
    if (own < 0) return hn_lesson_at(b, g, len);
    hn_walk *x = b->n_walks > 1 ? hn_walk_of(b, &own) : b->walks;
    int64_t epoch = b->epochs ? own / x->total : 0;
    int64_t w = x->first + (b->epochs ? hn_shuffle_at(&x->order, epoch, own % x->total) : hn_batches_below(hn_batches_draw(b, 0, (uint64_t)g), x->total));
    int64_t i = find_run(b, w), k = w - b->runs[i].first, at = k;
    const run *r = &b->runs[i];
    if (b->epochs) {
        int64_t slack = r->n - 1 - r->windows * b->T;
        at = k * b->T + (slack > 0 ? hn_batches_below(hn_batches_draw(b, epoch, UINT64_C(1) << 63 | (uint64_t)i), HN_MIN(slack + 1, b->T)) : 0);
    }
    *len = HN_MIN(b->T + 1, r->n - at);
    return r->start + at;
}

void hn_batch_get(hn_batches *b, int64_t i, int32_t *x, int32_t *y) {
    const uint16_t *narrow = b->t->width == 2 ? b->t->ids : NULL;
    const int32_t *wide = b->t->ids;
    for (int64_t row = 0; row < b->B; row++, x += b->T, y += b->T) {
        int64_t len, at = locate(b, i * b->B + row, &len), full = len - 1;
        for (int64_t k = 0; k < full; k++) {
            x[k] = narrow ? narrow[at + k] : wide[at + k];
            y[k] = narrow ? narrow[at + k + 1] : wide[at + k + 1];
        }
        for (int64_t k = full; k < b->T; k++) {
            x[k] = k < len ? hn_token_at(b->t, at + k) : 0;
            y[k] = -1;
        }
        for (int64_t k = 0; b->t->learn && k < full; k++)
            if (!b->t->learn[at + k + 1]) y[k] = -1;
    }
}
