/* sets.c - held-out text → screen, confirm and sealed items.
 *
 * A cluster (a block of a single text; a document of several; all documents of the very same text) goes whole into one set, by a
 * seeded shuffle dealt by size, so that no two sets share a source. A span longer than item_tokens makes several items of one cluster;
 * a sample is one item.
 * The sealed set's hash names exactly these tokens. */
#include "improve/run.h"

#include <stdio.h>

static const char *const names[HN_SETS] = { "screen", "confirm", "sealed" };
static const double shares[HN_SETS] = { 0.25, 0.40, 0.35 };
enum { CLUSTERS_LEAST = 12, PARTS_WANTED = 48, PART_LEAST = 64 };

static int64_t span_bytes(const hn_dataset *d, int64_t start, int64_t n) {
    int64_t bytes = 0;
    for (int64_t i = 0; i < n; i++) bytes += d->tok->pieces[hn_token_at(&d->valid, start + i)].n;
    return bytes;
}

typedef HN_VEC(hn_span) spans;
typedef HN_VEC(int32_t) clusters;

/* The pieces of one span: as equal as can be, none longer than item_tokens. */
static void add_items(hn_runner *r, const hn_span *s, int32_t cluster, spans *sp, clusters *cl) {
    int64_t parts = r->data.valid.learn ? 1 : (s->n + r->p->item_tokens - 1) / r->p->item_tokens; /* a sample is read as a whole */
    for (int64_t i = 0; i < parts; i++) {
        int64_t lo = s->n * i / parts, hi = s->n * (i + 1) / parts;
        if (hi - lo < 2) continue;
        hn_push(r->a, sp, (hn_span){ s->start + lo, hi - lo, span_bytes(&r->data, s->start + lo, hi - lo), s->doc });
        hn_push(r->a, cl, cluster);
    }
}

/* Held-out files that come as one long text, or a few, are cut into parts as the split `blocks` cuts a text: nothing is trained on
 * either of two neighbours, so no gap is needed. */
static void cut_long(hn_runner *r, hn_tokens *v) {
    int64_t part = r->p->item_tokens, total = 0;
    spans cut = { 0 };
    for (int64_t i = 0; i < v->n_spans; i++) total += v->spans[i].n;
    while (part > PART_LEAST && total / part < PARTS_WANTED) part /= 2;
    for (int64_t i = 0; i < v->n_spans; i++) {
        const hn_span *s = &v->spans[i];
        int64_t parts = HN_MAX(s->n / part, 1);
        for (int64_t k = 0; k < parts; k++) {
            int64_t lo = s->start + s->n * k / parts, n = s->start + s->n * (k + 1) / parts - lo;
            hn_push(r->a, &cut, (hn_span){ lo, n, span_bytes(&r->data, lo, n), s->doc });
        }
    }
    v->spans = cut.v;
    v->n_spans = cut.n;
}

/* The cluster of each span: spans of the very same tokens are one source, however often it was copied. */
static int64_t find_clusters(hn_runner *r, const hn_tokens *v, int32_t *of) {
    hn_map *seen = hn_map_new(r->a);
    for (int64_t i = 0; i < v->n_spans; i++) {
        int64_t g = hn_map_count(seen), bytes = v->spans[i].n * v->width;
        const uint8_t *text = (const uint8_t *)v->ids + v->spans[i].start * v->width;
        if (!hn_map_get(seen, text, bytes, &g)) hn_map_put(seen, text, bytes, g);
        of[i] = (int32_t)g;
    }
    return hn_map_count(seen);
}

bool hn_sets_make(hn_runner *r) {
    r->n_sets = HN_SETS;
    hn_tokens *v = &r->data.valid;
    if (v->n_spans < CLUSTERS_LEAST && !v->learn) cut_long(r, v);
    int32_t *of = hn_new_n(r->a, int32_t, v->n_spans + 1), *dense = hn_new_n(r->a, int32_t, v->n_spans + 1);
    int64_t n_clusters = find_clusters(r, v, of), total = 0;
    for (int64_t i = 0; i < v->n_spans; i++) total += v->spans[i].n;
    if (n_clusters < CLUSTERS_LEAST)
        return HN_FAIL(r->a, HONE_E_DATA, .what = "too little held-out text to judge by",
                       .wanted = hn_fmt(r->a, "at least %d different held-out pieces", CLUSTERS_LEAST),
                       .found = hn_fmt(r->a, "%lld", (long long)n_clusters), .hint = "give more text, or raise improve.held_out");
    int64_t *size = hn_new_n(r->a, int64_t, n_clusters), *order = hn_new_n(r->a, int64_t, n_clusters);
    for (int64_t i = 0; i < v->n_spans; i++) size[of[i]] += v->spans[i].n;
    for (int64_t i = 0; i < n_clusters; i++) order[i] = i;
    hn_rng rng = hn_rng_new(r->seed, HN_STREAM_SPLIT, 7);
    hn_rng_shuffle(&rng, order, n_clusters);
    int8_t *set_of = hn_new_n(r->a, int8_t, n_clusters);
    double dealt[HN_SETS] = { 0 };
    for (int64_t i = 0; i < n_clusters; i++) { /* each to the set that lacks most of its share */
        int best = 0;
        for (int k = 1; k < HN_SETS; k++)
            if (shares[k] * (double)total - dealt[k] > shares[best] * (double)total - dealt[best]) best = k;
        set_of[order[i]] = (int8_t)best;
        dealt[best] += (double)size[order[i]];
    }
    for (int k = 0; k < HN_SETS; k++) {
        hn_set *s = &r->set[k];
        spans sp = { 0 };
        clusters cl = { 0 };
        int32_t n = 0; /* dense[g]: 1 + the number of cluster g within this set */
        for (int64_t i = 0; i < v->n_spans; i++) {
            if (set_of[of[i]] != k) continue;
            if (!dense[of[i]]) dense[of[i]] = ++n;
            add_items(r, &v->spans[i], dense[of[i]] - 1, &sp, &cl);
        }
        if (sp.n < 2)
            return HN_FAIL(r->a, HONE_E_DATA, .what = hn_fmt(r->a, "the %s set has fewer than two items", names[k]),
                           .hint = "give more text");
        s->name = names[k];
        s->tokens = *v;
        s->tokens.spans = sp.v, s->tokens.n_spans = s->n = sp.n, s->tokens.bytes = 0;
        s->cluster = cl.v, s->clusters = n;
        uint64_t h = 1;
        for (int64_t i = 0; i < sp.n; i++) {
            h = hn_hash((const uint8_t *)v->ids + sp.v[i].start * v->width, sp.v[i].n * v->width, h);
            s->tokens.bytes += sp.v[i].bytes;
        }
        s->tokens.hash = h;
        snprintf(s->hash, sizeof s->hash, "%016llx", (unsigned long long)h);
    }
    return true;
}
