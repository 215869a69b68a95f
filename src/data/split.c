/* split.c - which text is learned from and which is held out. Three ways:
 *
 *   tail    the last valid_fraction of the characters (nanoGPT's split, to the character);
 *   blocks  each document is cut into contiguous blocks; one block is drawn at random from each of as many equal runs of blocks
 *           as are to be held out, so that held-out text comes from everywhere; a gap of one context on both sides of it goes
 *           into neither part, or training windows would reach up to the words that are asked for;
 *   hash    whole documents, by the hash of their text: duplicates fall on one side, and a document keeps its side when others come.
 *
 * `auto` takes hash when about ten documents or more would be held out, else blocks. Files given as held-out are never cut. Nor are
 * samples: of few of them, auto holds out those of the lowest hashes; tail and blocks are for text alone.
 * One token is taken for one character, so a context in bytes is context × the text's mean bytes per character. */
#include "data/data.h"
#include <stdlib.h>

enum { BLOCKS_WANTED = 1500, BLOCK_LEAST = 256, BLOCK_MOST = 64 << 10, CONTEXTS_LEAST = 4, DOCS_HELD_OUT_FOR_HASH = 10 };

typedef struct cutter {
    hn_arena *a;
    const hn_corpus *c;
    const hn_data_params *p;
    uint64_t seed;
    int64_t chars, context_bytes, gap, block;
    HN_VEC(hn_piece) pieces;
    hn_split *out;
} cutter;

static bool is_border(const hn_corpus *c, int64_t at) { return at <= 0 || at >= c->text.n || (c->text.p[at] & 0xC0) != 0x80; }
static int64_t border_down(const hn_corpus *c, int64_t at) {
    while (!is_border(c, at)) at--;
    return at;
}
static int64_t border_up(const hn_corpus *c, int64_t at) {
    while (!is_border(c, at)) at++;
    return at;
}
static int64_t count_chars(const hn_corpus *c, int64_t start, int64_t bytes) {
    int64_t n = 0;
    for (int64_t i = start; i < start + bytes; i++) n += (c->text.p[i] & 0xC0) != 0x80;
    return n;
}

static void add_gap(cutter *k, int64_t bytes) { k->out->gap_bytes += bytes; }

static void add_piece(cutter *k, int64_t start, int64_t end, int64_t doc, bool held_out) {
    if (end <= start) return;
    if (end - start < 8 && count_chars(k->c, start, end - start) < 2) {
        add_gap(k, end - start);
        return;
    }
    hn_push(k->a, &k->pieces, (hn_piece){ start, end - start, (int32_t)doc, held_out });
    *(held_out ? &k->out->valid_bytes : &k->out->train_bytes) += end - start;
}

static void cut_tail(cutter *k) {
    int64_t keep = (int64_t)((double)k->chars * (1 - k->p->valid_fraction)), at = 0;
    int64_t gap = k->p->gap > 0 ? k->p->gap : 0;
    for (int64_t seen = 0; at < k->c->text.n; at++)
        if ((k->c->text.p[at] & 0xC0) != 0x80 && seen++ == keep) break;
    for (int64_t d = 0; d < k->c->n_docs; d++) {
        int64_t start = k->c->docs[d].start, end = start + k->c->docs[d].bytes, cut = HN_MIN(HN_MAX(at, start), end);
        int64_t train_end = HN_MIN(cut, HN_MAX(start, border_down(k->c, at - gap)));
        add_piece(k, start, train_end, d, false);
        add_gap(k, cut - train_end);
        add_piece(k, cut, end, d, true);
    }
    k->out->how = hn_fmt(k->a, "tail: the last %g%% of the characters", 100 * k->p->valid_fraction);
}

/* The number that decides on a document: samples of one row have one. */
static uint64_t side_of(const cutter *k, int64_t d) {
    const hn_doc *doc = &k->c->docs[d];
    if (doc->sample) doc = &k->c->docs[doc->first];
    return hn_hash(k->c->text.p + doc->start, doc->bytes, k->seed);
}

static int by_number(const void *x, const void *y) {
    uint64_t a = *(const uint64_t *)x, b = *(const uint64_t *)y;
    return a < b ? -1 : a > b;
}

/* The share of the documents with the lowest numbers, at least one. */
static void cut_lowest(cutter *k) {
    int64_t n = k->c->n_docs, want = HN_MAX(1, (int64_t)((double)n * k->p->valid_fraction + 0.5)), held = 0;
    uint64_t *v = hn_new_n(k->a, uint64_t, n);
    for (int64_t d = 0; d < n; d++) v[d] = side_of(k, d);
    qsort(v, (size_t)n, sizeof *v, by_number);
    uint64_t most = v[want - 1];
    for (int64_t d = 0; d < n; d++) {
        bool held_out = side_of(k, d) <= most;
        add_piece(k, k->c->docs[d].start, k->c->docs[d].start + k->c->docs[d].bytes, d, held_out);
        held += held_out;
    }
    k->out->how = hn_fmt(k->a, "hash: the lowest %lld of %lld held out", (long long)held, (long long)n);
}

static void cut_hash(cutter *k) {
    int64_t held = 0;
    for (int64_t d = 0; d < k->c->n_docs; d++) {
        const hn_doc *doc = &k->c->docs[d];
        bool held_out = (double)(side_of(k, d) >> 11) * 0x1p-53 < k->p->valid_fraction;
        add_piece(k, doc->start, doc->start + doc->bytes, d, held_out);
        held += held_out;
    }
    k->out->how = hn_fmt(k->a, "hash: %lld of %lld documents held out", (long long)held, (long long)k->c->n_docs);
}

/* The next block border after `from` in a document that ends at `end`: a newline within one block more, else a character. */
static int64_t block_end(const cutter *k, int64_t from, int64_t end) {
    int64_t at = from + k->block;
    if (end - at < k->block / 2) return end;
    const uint8_t *text = k->c->text.p, *nl = memchr(text + at - 1, '\n', (size_t)HN_MIN(k->block, end - at + 1));
    at = nl ? nl - text + 1 : border_up(k->c, at);
    return end - at < k->block / 2 ? end : at;
}

typedef struct block { int64_t start, end, doc; bool held_out; } block;

static void choose_block_size(cutter *k) {
    int64_t least = HN_MAX(BLOCK_LEAST, CONTEXTS_LEAST * k->context_bytes), most = HN_MAX(least, BLOCK_MOST);
    k->block = k->p->block_bytes > 0 ? k->p->block_bytes : HN_MIN(HN_MAX(k->c->text.n / BLOCKS_WANTED, least), most);
    k->gap = k->p->gap >= 0 ? k->p->gap : k->context_bytes;
}

static void cut_blocks(cutter *k) {
    HN_VEC(block) b = { 0 };
    choose_block_size(k);
    for (int64_t d = 0; d < k->c->n_docs; d++) {
        int64_t at = k->c->docs[d].start, end = at + k->c->docs[d].bytes;
        for (int64_t next; at < end; at = next) {
            next = block_end(k, at, end);
            hn_push(k->a, &b, (block){ at, next, d, false });
        }
    }
    int64_t held = HN_MAX(1, (int64_t)((double)b.n * k->p->valid_fraction + 0.5));
    hn_rng r = hn_rng_new(k->seed, HN_STREAM_SPLIT, 0);
    for (int64_t i = 0; i < held; i++) {
        int64_t lo = b.n * i / held, hi = b.n * (i + 1) / held;
        b.v[lo + hn_rng_below(&r, hi - lo)].held_out = true;
    }
    /* Training blocks that touch become one piece, less the gap next to held-out text of the same document. */
    for (int64_t i = 0, j; i < b.n; i = j) {
        j = i + 1;
        if (b.v[i].held_out) {
            add_piece(k, b.v[i].start, b.v[i].end, b.v[i].doc, true);
            continue;
        }
        while (j < b.n && !b.v[j].held_out && b.v[j].doc == b.v[i].doc) j++;
        int64_t from = b.v[i].start, to = b.v[j - 1].end, start = from, end = to;
        if (i > 0 && b.v[i - 1].held_out && b.v[i - 1].doc == b.v[i].doc) start = HN_MIN(border_up(k->c, from + k->gap), to);
        if (j < b.n && b.v[j].held_out && b.v[j].doc == b.v[i].doc) end = HN_MAX(border_down(k->c, to - k->gap), start);
        add_gap(k, (start - from) + (to - end));
        add_piece(k, start, end, b.v[i].doc, false);
    }
    k->out->how = hn_fmt(k->a, "blocks: %lld of %lld blocks of about %lld bytes held out, gap %lld bytes", (long long)held, (long long)b.n,
                         (long long)k->block, (long long)k->gap);
}

static void take_given(cutter *k) {
    for (int64_t d = 0; d < k->c->n_docs; d++) {
        const hn_doc *doc = &k->c->docs[d];
        add_piece(k, doc->start, doc->start + doc->bytes, d, doc->source >= k->c->valid_from);
    }
    k->out->how = "given: held-out files";
}

static bool check_sides(cutter *k) {
    const hn_split *s = k->out;
    if (s->train_bytes && s->valid_bytes) return true;
    bool blocks = k->block > 0;
    return HN_FAIL(
        k->a, HONE_E_DATA, .what = s->valid_bytes ? "the split leaves nothing to train on" : "the split holds nothing out",
        .where = k->c->n_files ? k->c->files[0] : NULL,
        .wanted = blocks ? hn_fmt(k->a, "at least %lld bytes of text: two blocks of %lld", 2 * (long long)k->block, (long long)k->block)
                         : "at least two characters on each side",
        .found = hn_fmt(k->a, "%lld bytes in %lld documents (%s)", (long long)k->c->text.n, (long long)k->c->n_docs, s->how),
        .hint = !strncmp(s->how, "hash", 4) ? "give more documents, or set data.split to blocks" : "give more text, or set data.valid");
}

bool hn_split_make(hn_arena *a, const hn_corpus *c, const hn_data_params *p, int64_t context, uint64_t seed, hn_split *out) {
    cutter k = { .a = a, .c = c, .p = p, .seed = seed, .out = out, .chars = count_chars(c, 0, c->text.n) };
    const char *how = p->split && *p->split ? p->split : "auto";
    *out = (hn_split){ 0 };
    k.context_bytes = (int64_t)((double)context * (double)c->text.n / (double)HN_MAX(k.chars, 1) + 0.999);
    bool samples = c->n_samples > 0, many = (double)c->n_docs * p->valid_fraction >= DOCS_HELD_OUT_FOR_HASH;
    if (!strcmp(how, "auto")) how = many ? "hash" : samples ? "lowest" : "blocks";
    if (c->valid_from < c->n_files) take_given(&k);
    else if (samples && (!strcmp(how, "tail") || !strcmp(how, "blocks")))
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "data.split=%s would cut samples in two", how), .wanted = "auto or hash",
                       .hint = "or give held-out files by data.valid");
    else if (!strcmp(how, "lowest")) cut_lowest(&k);
    else if (!strcmp(how, "tail")) cut_tail(&k);
    else if (!strcmp(how, "hash")) cut_hash(&k);
    else if (!strcmp(how, "blocks")) cut_blocks(&k);
    else return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "there is no split '%s'", how), .wanted = "auto, tail, blocks or hash");
    out->v = k.pieces.v;
    out->n = k.pieces.n;
    return check_sides(&k);
}
