/* learn_unigram.c - a Unigram model from text (Kudo 2018, arXiv:1804.10959; as sentencepiece trains it).
 *
 * Far too many pieces at first (learn_seed.c); then, by turns, two rounds of expectation and maximization over all cuts of all words, and the
 * quarter of the pieces goes that the likelihood misses least, until the wanted number is left. Probabilities come from
 * expected counts through digamma, which makes rare pieces rarer; the last rounds take the counts as they are. Unlike sentencepiece the
 * last cut is by loss too, and followed by two rounds more: the likelihood of the text is higher for it.
 * Characters are kept whatever their count, the most frequent ones that make up 99.95 % of the text and leave room; the rest is spelled in
 * tokens of its bytes, so no text is unknown. Blanks are visible signs, line ends are words of their own, and nothing is put before a text:
 * what is decoded is what was encoded.
 * Work is cut into parts by the text alone and summed in their order: the same model for any number of threads.
 * Ids: <unk>, <|endoftext|>, the 256 bytes, pieces by their probability. The first ones have a score that no cut takes.
 * Measured beside the package `tokenizers` on the words of the same text, as many pieces each: log-likelihood of the best cuts 6 % higher
 * (390 kB of stories, 1742 pieces), 12 % (3742 pieces), 10 % (600 kB of Chinese verse, 5742 pieces). */
#include "data/token/part/part.h"
#include <math.h>
#include <stdlib.h>

enum { LONGEST_PIECE = 16, LONGEST_WORD = 1024, SEEDS = 1000000, PARTS = 8, ROUNDS = 2, FIRST = 2, FIXED = FIRST + 256 };
#define COVERAGE 0.9995
#define LEAST_COUNT 0.5
#define NEVER -1000.0        /* score of tokens that stand for no text of their own */

typedef struct { hn_bytes text; double score; bool kept; } piece;
typedef struct { int32_t from, to, id; } edge;
typedef struct {
    const struct learning *l;
    int64_t first, n;                /* words */
    double *count, *before, *behind, objective;
    int32_t *back, *last;            /* of Viterbi: where from, by which piece */
    edge *edges;
    bool best_only;
} part;
typedef struct learning {
    hn_arena *a, *scratch;           /* scratch: what a set of pieces needs */
    hn_counted words;                /* at most LONGEST_WORD bytes each */
    HN_VEC(piece) piece;
    const hn_trie *trie;
    double unknown;
    part part[PARTS];
    double *count;
} learning;

/* ψ(x), x > 0: by recurrence to where the asymptotic series holds. */
static double digamma(double x) {
    double r = 0;
    for (; x < 7; x++) r -= 1 / x;
    x -= 0.5;
    double x2 = 1 / (x * x);
    return r + log(x) + x2 / 24 - 7 * x2 * x2 / 960 + 31 * x2 * x2 * x2 / 8064;
}

static inline double log_add(double x, double y) {
    double hi = HN_MAX(x, y), lo = HN_MIN(x, y);
    return lo == -INFINITY || hi - lo > 50 ? hi : hi + log1p(exp(lo - hi));
}

/* ---- all cuts of a word ---- */
static int64_t edges_of(const learning *l, const uint8_t *p, int64_t n, edge *out) {
    int64_t m = 0;
    for (int64_t at = 0, used; at < n; at += used) {
        uint32_t cp;
        int32_t place = 0;
        bool single = false;
        used = hn_utf8_next(p + at, n - at, &cp);
        for (int64_t to = at + 1; to <= n && (place = hn_trie_step(l->trie->node, place, p[to - 1])) > 0; to++) {
            if (l->trie->node[place].value < 0) continue;
            out[m++] = (edge){ (int32_t)at, (int32_t)to, l->trie->node[place].value };
            single |= to == at + used;
        }
        if (!single) out[m++] = (edge){ (int32_t)at, (int32_t)(at + used), -1 };
    }
    return m;
}

static inline double score_of(const learning *l, int32_t id) { return id < 0 ? l->unknown : l->piece.v[id].score; }

static void expect(part *q, const hn_counted_word *w) {
    const learning *l = q->l;
    int64_t m = edges_of(l, w->p, w->n, q->edges);
    for (int64_t i = 0; i <= w->n; i++) q->before[i] = q->behind[i] = -INFINITY;
    q->before[0] = q->behind[w->n] = 0;
    for (int64_t i = 0; i < m; i++) {
        const edge *e = &q->edges[i];
        q->before[e->to] = log_add(q->before[e->to], q->before[e->from] + score_of(l, e->id));
    }
    for (int64_t i = m - 1; i >= 0; i--) {
        const edge *e = &q->edges[i];
        q->behind[e->from] = log_add(q->behind[e->from], q->behind[e->to] + score_of(l, e->id));
    }
    double all = q->before[w->n];
    for (int64_t i = 0; i < m; i++) {
        const edge *e = &q->edges[i];
        if (e->id >= 0) q->count[e->id] += (double)w->count * exp(q->before[e->from] + score_of(l, e->id) + q->behind[e->to] - all);
    }
    q->objective += (double)w->count * all;
}

/* The best cut: q->before its sums, q->back and q->last the way. without: a piece that is not used. */
static double best_way(part *q, const uint8_t *p, int64_t n, int32_t without) {
    const learning *l = q->l;
    int64_t m = edges_of(l, p, n, q->edges);
    for (int64_t i = 1; i <= n; i++) q->before[i] = -INFINITY;
    q->before[0] = 0;
    for (int64_t i = 0; i < m; i++) {
        const edge *e = &q->edges[i];
        double score = e->id == without && without >= 0 ? -INFINITY : q->before[e->from] + score_of(l, e->id);
        if (score > q->before[e->to]) q->before[e->to] = score, q->back[e->to] = e->from, q->last[e->to] = e->id;
    }
    return q->before[n];
}

static void work(void *arg, int64_t task, int worker) {
    part *q = &((learning *)arg)->part[task];
    for (int64_t i = q->first; i < q->first + q->n; i++) {
        const hn_counted_word *w = &q->l->words.v[i];
        if (!q->best_only) {
            expect(q, w);
            continue;
        }
        (void)best_way(q, w->p, w->n, -1);
        for (int64_t at = w->n; at > 0; at = q->back[at])
            if (q->last[at] >= 0) q->count[q->last[at]] += (double)w->count;
    }
}

/* Counts of the pieces over all words, expected or of the best cuts. */
static void count(learning *l, bool best_only) {
    for (int k = 0; k < PARTS; k++) {
        memset(l->part[k].count, 0, (size_t)l->piece.n * sizeof(double));
        l->part[k].objective = 0;
        l->part[k].best_only = best_only;
    }
    hn_pool_run(hn_job_pool(l->a->job), PARTS, work, l);
    for (int64_t i = 0; i < l->piece.n; i++) {
        l->count[i] = 0;
        for (int k = 0; k < PARTS; k++) l->count[i] += l->part[k].count[i];
    }
}

/* ---- a set of pieces: the trie and room to count in ---- */
static void prepare(learning *l) {
    hn_arena_reset(l->scratch);
    hn_bytes *key = hn_new_n(l->scratch, hn_bytes, l->piece.n);
    int32_t *id = hn_new_n(l->scratch, int32_t, l->piece.n);
    for (int64_t i = 0; i < l->piece.n; i++) key[i] = l->piece.v[i].text, id[i] = (int32_t)i;
    l->trie = hn_trie_new(l->scratch, key, id, l->piece.n);
    l->count = hn_new_n(l->scratch, double, l->piece.n);
    for (int k = 0; k < PARTS; k++) l->part[k].count = hn_new_n(l->scratch, double, l->piece.n);
}

static void set_scores(learning *l, bool plain) {
    double sum = 0, least = 0;
    for (int64_t i = 0; i < l->piece.n; i++) sum += HN_MAX(l->count[i], l->piece.v[i].kept || plain ? LEAST_COUNT : 0);
    double all = plain ? log(sum) : digamma(sum);
    for (int64_t i = 0; i < l->piece.n; i++) {
        double c = HN_MAX(l->count[i], LEAST_COUNT);
        l->piece.v[i].score = (plain ? log(c) : digamma(c)) - all;
        least = HN_MIN(least, l->piece.v[i].score);
    }
    l->unknown = least - 10;
}

static void maximize(learning *l, bool plain) {
    int64_t n = 0;
    for (int64_t i = 0; !plain && i < l->piece.n; i++)
        if (l->piece.v[i].kept || l->count[i] >= LEAST_COUNT) {
            l->count[n] = l->count[i];
            l->piece.v[n++] = l->piece.v[i];
        }
    bool fewer = !plain && n < l->piece.n;
    if (!plain) l->piece.n = n;
    set_scores(l, plain);
    if (fewer) prepare(l);
}

/* ---- dropping: what the likelihood loses when a piece is spelled by its second best cut ---- */
typedef struct { double loss; int32_t id; } candidate;

static int dearest_first(const void *x, const void *y) {
    const candidate *p = x, *q = y;
    if (p->loss != q->loss) return p->loss > q->loss ? -1 : 1;
    return (p->id > q->id) - (p->id < q->id);
}

static double loss_of(learning *l, part *q, int32_t id, double sum) {
    const piece *p = &l->piece.v[id];
    double other = best_way(q, p->text.p, p->text.n, id), n = l->count[id], loss = log(n) - log(sum);
    if (other == -INFINITY) return INFINITY;
    int64_t k = 0;
    for (int64_t at = p->text.n; at > 0; at = q->back[at]) k++;
    double all = log(sum + n * (double)(k - 1));
    for (int64_t at = p->text.n; at > 0; at = q->back[at]) loss -= log((q->last[at] < 0 ? 0 : l->count[q->last[at]]) + n) - all;
    return n * loss;
}

static void drop(learning *l, int64_t wanted) {
    HN_VEC(candidate) v = { 0 };
    int64_t kept = 0, most = HN_MAX(wanted, l->piece.n * 3 / 4);
    double sum = 0;
    count(l, true);
    for (int64_t i = 0; i < l->piece.n; i++) {
        sum += l->count[i];
        kept += l->piece.v[i].kept;
    }
    for (int64_t i = 0; i < l->piece.n; i++)
        if (!l->piece.v[i].kept && l->count[i] > 0) hn_push(l->scratch, &v, (candidate){ loss_of(l, &l->part[0], (int32_t)i, sum), (int32_t)i });
    if (v.n) qsort(v.v, (size_t)v.n, sizeof *v.v, dearest_first);
    bool *stays = hn_new_n(l->scratch, bool, l->piece.n);
    for (int64_t i = 0; i < HN_MIN(v.n, most - kept); i++) stays[v.v[i].id] = true;
    int64_t n = 0;
    for (int64_t i = 0; i < l->piece.n; i++)
        if (stays[i] || l->piece.v[i].kept) l->piece.v[n++] = l->piece.v[i];
    l->piece.n = n;
    prepare(l);
}

/* ---- before and after ---- */
typedef struct { hn_bytes text; int64_t count; } letter;
/* Letters of "<unk>" and "<0x41>": where one were unknown, such words in a text would be cheaper as the tokens that look so. */
static const char always[] = "<>0123456789ABCDEFxunk";

static int commonest_first(const void *x, const void *y) {
    const letter *p = x, *q = y;
    if (p->count != q->count) return p->count > q->count ? -1 : 1;
    int c = memcmp(p->text.p, q->text.p, (size_t)HN_MIN(p->text.n, q->text.n));
    return c ? c : (p->text.n > q->text.n) - (p->text.n < q->text.n);
}

static void add_letters(learning *l, int64_t most) {
    hn_map *index = hn_map_new(l->a);
    HN_VEC(letter) v = { 0 };
    int64_t total = 0, covered = 0;
    for (int64_t i = 0; i < l->words.n; i++)
        for (int64_t at = 0, used, k; at < l->words.v[i].n; at += used) {
            const hn_counted_word *w = &l->words.v[i];
            uint32_t cp;
            used = hn_utf8_next(w->p + at, w->n - at, &cp);
            if (!hn_map_get(index, w->p + at, used, &k)) {
                hn_map_put(index, w->p + at, used, k = v.n);
                hn_push(l->a, &v, (letter){ { w->p + at, used }, 0 });
            }
            v.v[k].count += w->count;
            total += w->count;
        }
    for (const char *p = always; *p; p++) {
        int64_t k;
        bool there = hn_map_get(index, p, 1, &k);
        hn_push(l->a, &l->piece, (piece){ { (const uint8_t *)p, 1 }, there ? (double)v.v[k].count : 0, true });
        if (there) covered += v.v[k].count, v.v[k].count = 0;
    }
    if (v.n) qsort(v.v, (size_t)v.n, sizeof *v.v, commonest_first);
    for (int64_t i = 0; i < v.n && v.v[i].count && l->piece.n < most && (double)covered < COVERAGE * (double)total; covered += v.v[i++].count)
        hn_push(l->a, &l->piece, (piece){ v.v[i].text, (double)v.v[i].count, true });
}

/* Words of any length as words that fit. */
static void add_words(learning *l, const hn_counted *words) {
    for (int64_t i = 0; i < words->n; i++)
        for (int64_t at = 0, n; at < words->v[i].n; at += n) {
            const hn_counted_word *w = &words->v[i];
            for (n = HN_MIN(w->n - at, LONGEST_WORD); at + n < w->n && (w->p[at + n] & 0xC0) == 0x80; n--) {}
            hn_push(l->a, &l->words, (hn_counted_word){ .p = w->p + at, .n = n, .count = w->count });
        }
}

static void cut_parts(learning *l) {
    int64_t bytes = 0, so_far = 0, at = 0;
    for (int64_t i = 0; i < l->words.n; i++) bytes += l->words.v[i].n;
    for (int k = 0; k < PARTS; k++) {
        part *q = &l->part[k];
        *q = (part){ .l = l, .first = at, .before = hn_new_n(l->a, double, LONGEST_WORD + 1), .behind = hn_new_n(l->a, double, LONGEST_WORD + 1),
                     .back = hn_new_n(l->a, int32_t, LONGEST_WORD + 1), .last = hn_new_n(l->a, int32_t, LONGEST_WORD + 1),
                     .edges = hn_new_n(l->a, edge, (int64_t)LONGEST_WORD * (LONGEST_PIECE + 1)) };
        for (; at < l->words.n && (k + 1 == PARTS || so_far * PARTS < bytes * (k + 1)); at++) so_far += l->words.v[at].n;
        q->n = at - q->first;
    }
}

static bool train(learning *l, int64_t wanted) {
    hn_seeds seeds = { 0 };
    if (!hn_seed_pieces(l->a, &l->words, LONGEST_PIECE, SEEDS, &seeds)) return false;
    add_letters(l, wanted / 2);
    for (int64_t i = 0; i < seeds.n; i++) hn_push(l->a, &l->piece, (piece){ seeds.v[i].text, seeds.v[i].score, false });
    cut_parts(l);
    prepare(l);
    for (int64_t i = 0; i < l->piece.n; i++) l->count[i] = l->piece.v[i].score;
    set_scores(l, true);
    for (;;) {
        for (int k = 0; k < ROUNDS; k++) {
            if (hn_stopped(l->a->job)) return HN_FAIL(l->a, HONE_E_INTERRUPTED, .what = "stopped while training the tokenizer");
            count(l, false);
            maximize(l, false);
        }
        if (l->piece.n <= wanted) break;
        drop(l, wanted);
        if (l->piece.n <= wanted) break;
    }
    for (int k = 0; k < ROUNDS; k++) {
        count(l, false);
        maximize(l, true);
    }
    return true;
}

static int likeliest_first(const void *x, const void *y) {
    const piece *p = x, *q = y;
    if (p->score != q->score) return p->score > q->score ? -1 : 1;
    int c = memcmp(p->text.p, q->text.p, (size_t)HN_MIN(p->text.n, q->text.n));
    return c ? c : (p->text.n > q->text.n) - (p->text.n < q->text.n);
}

static json_t *vocabulary(learning *l, const char *const *special) {
    json_t *out = hn_json_own(l->a, json_array());
    for (int i = 0; i < FIRST; i++) json_array_append_new(out, json_pack("[s, f]", special[i], NEVER));
    for (int b = 0; b < 256; b++) json_array_append_new(out, json_pack("[s, f]", hn_fmt(l->a, "<0x%02X>", b), NEVER));
    if (l->piece.n) qsort(l->piece.v, (size_t)l->piece.n, sizeof *l->piece.v, likeliest_first);
    for (int64_t i = 0; i < l->piece.n; i++)
        json_array_append_new(out, json_pack("[s#, f]", l->piece.v[i].text.p, (int)l->piece.v[i].text.n, l->piece.v[i].score));
    return out;
}

json_t *hn_learn_unigram(hn_arena *a, int64_t vocab, const hn_corpus *c, const hn_split *s) {
    static const char *const special[FIRST] = { "<unk>", "<|endoftext|>" };
    static const char mark[] = "\xE2\x96\x81";
    if (vocab < FIXED + 64)
        return (void)HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "a vocabulary of %lld is too small", (long long)vocab),
                             .wanted = hn_fmt(a, "at least %d: the 256 bytes, special tokens and some pieces", FIXED + 64)), NULL;
    json_t *added = hn_special_tokens(a, special, FIRST);
    json_array_remove(added, 0);                                                /* "<unk>" in a text is text */
    json_t *root = hn_json_own(a, json_pack("{s:s, s:n, s:n, s:O, s:n, s:{s:s, s:[{s:s, s:{s:s}, s:s, s:b}, {s:s, s:s, s:s, s:b}]}, s:n, s:{s:s, s:[{s:s, s:{s:s}, s:s}, "
                                            "{s:s}, {s:s}]}}",
                                            "version", "1.0", "truncation", "padding", "added_tokens", added, "normalizer", "pre_tokenizer", "type", "Sequence",
                                            "pretokenizers", "type", "Split", "pattern", "String", "\n", "behavior", "Isolated", "invert", 0, "type", "Metaspace",
                                            "replacement", mark, "prepend_scheme", "never", "split", 1, "post_processor", "decoder", "type", "Sequence",
                                            "decoders", "type", "Replace", "pattern", "String", mark, "content", " ", "type", "ByteFallback", "type", "Fuse"));
    hn_arena *own = hn_arena_new(a);
    learning *l = hn_new(own, learning);
    hn_counted words;
    *l = (learning){ .a = own, .scratch = hn_arena_new(own) };
    if (!hn_count_pipeline(own, root, c, s, &words)) return NULL;
    add_words(l, &words);
    if (!train(l, vocab - FIXED)) return NULL;
    json_object_set_new(root, "model", json_pack("{s:s, s:i, s:b, s:O}", "type", "Unigram", "unk_id", 0, "byte_fallback", 1, "vocab", vocabulary(l, special)));
    hn_arena_free(own);
    return root;
}
