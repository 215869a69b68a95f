/* sets.c - held-out text → screen, confirm and sealed items.
 *
 * A cluster (a block of a single text; a document of several) goes whole into one set, by a seeded shuffle dealt by size, so that
 * no two sets share a source. A span longer than item_tokens makes several items of one cluster. The sealed set's hash names
 * exactly these tokens. */
#include "improve/run.h"

#include <stdio.h>

static const char *const names[HN_SETS] = { "screen", "confirm", "sealed" };
static const double shares[HN_SETS] = { 0.25, 0.40, 0.35 };

static int64_t span_bytes(const hn_dataset *d, int64_t start, int64_t n) {
    int64_t bytes = 0;
    for (int64_t i = 0; i < n; i++) bytes += d->tok->pieces[hn_token_at(&d->valid, start + i)].n;
    return bytes;
}

typedef HN_VEC(hn_span) spans;
typedef HN_VEC(int32_t) clusters;

/* The pieces of one span: as equal as can be, none longer than item_tokens. */
static void add_items(hn_runner *r, const hn_span *s, int32_t cluster, spans *sp, clusters *cl) {
    int64_t parts = (s->n + r->p->item_tokens - 1) / r->p->item_tokens;
    for (int64_t i = 0; i < parts; i++) {
        int64_t lo = s->n * i / parts, hi = s->n * (i + 1) / parts;
        if (hi - lo < 2) continue;
        hn_push(r->a, sp, (hn_span){ s->start + lo, hi - lo, span_bytes(&r->data, s->start + lo, hi - lo), s->doc });
        hn_push(r->a, cl, cluster);
    }
}

bool hn_sets_make(hn_runner *r) {
    const hn_tokens *v = &r->data.valid;
    bool by_doc = r->data.corpus.n_docs > 1 && v->n_spans > 0 && r->data.split.how && !strcmp(r->data.split.how, "hash");
    /* cluster of each span, and the size of each cluster */
    int32_t *of = hn_new_n(r->a, int32_t, v->n_spans + 1);
    int64_t n_clusters = 0, total = 0;
    for (int64_t i = 0; i < v->n_spans; i++) {
        if (i > 0 && by_doc && v->spans[i].doc == v->spans[i - 1].doc) of[i] = of[i - 1];
        else of[i] = (int32_t)n_clusters++;
        total += v->spans[i].n;
    }
    if (n_clusters < 12)
        return HN_FAIL(r->a, HONE_E_DATA, .what = "too little held-out text to judge by", .wanted = "at least 12 held-out pieces",
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
        int32_t last = -1, dense = -1;
        for (int64_t i = 0; i < v->n_spans; i++) {
            if (set_of[of[i]] != k) continue;
            if (of[i] != last) {
                last = of[i];
                dense++;
            }
            add_items(r, &v->spans[i], dense, &sp, &cl);
        }
        if (sp.n < 2)
            return HN_FAIL(r->a, HONE_E_DATA, .what = hn_fmt(r->a, "the %s set has fewer than two items", names[k]),
                           .hint = "give more text");
        s->name = names[k];
        s->tokens = *v;
        s->tokens.spans = sp.v, s->tokens.n_spans = s->n = sp.n, s->tokens.bytes = 0;
        s->cluster = cl.v, s->clusters = dense + 1;
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
