/* learn_words.c - which words a text has and how often, for training a tokenizer.
 *
 * Text is cut into portions at line ends where no word of the named expressions goes on: a newline that something else than white
 * space follows. Threads mark where words begin in portions (one bit a byte); one thread then counts them in the order of the text.
 * So the result does not depend on the number of threads, and memory grows with the distinct words alone. */
#include "data/token/part/part.h"
#include <stdatomic.h>

enum { PORTION = 64 << 10, BATCH_BYTES = 16 << 20, BATCH = 4096 };

typedef struct { const uint8_t *p; int64_t n; uint64_t *starts; } portion;
typedef struct {
    hn_arena *a;
    const hn_pattern *pattern;
    hn_matcher **matcher;            /* one for each worker */
    portion *portions;
    int64_t n, bytes;                /* waiting */
    atomic_bool too_hard;
    hn_counted *out;
    int32_t *slots;                  /* index + 1, 0: none */
    int64_t mask;
} counting;

/* ---- counting ---- */
static void widen(counting *c) {
    int64_t n = c->mask ? (c->mask + 1) * 2 : 1 << 16;
    hn_arena_reset(c->a);
    c->slots = hn_new_n(c->a, int32_t, n);
    c->mask = n - 1;
    for (int64_t i = 0; i < c->out->n; i++) {
        int64_t at = (int64_t)(c->out->v[i].hash & (uint64_t)c->mask);
        while (c->slots[at]) at = (at + 1) & c->mask;
        c->slots[at] = (int32_t)i + 1;
    }
}

static void count(counting *c, hn_arena *keep, const uint8_t *p, int64_t n) {
    if (2 * c->out->n >= c->mask) widen(c);
    uint64_t hash = hn_hash(p, n, 0);
    int64_t at = (int64_t)(hash & (uint64_t)c->mask);
    for (; c->slots[at]; at = (at + 1) & c->mask) {
        hn_counted_word *w = &c->out->v[c->slots[at] - 1];
        if (w->hash == hash && w->n == n && !memcmp(w->p, p, (size_t)n)) {
            w->count++;
            return;
        }
    }
    hn_push(keep, c->out, (hn_counted_word){ hash, p, n, 1 });
    c->slots[at] = (int32_t)c->out->n;
}

/* ---- cutting ---- */
static void mark_words(void *arg, int64_t task, int worker) {
    counting *c = arg;
    portion *q = &c->portions[task];
    int64_t from = 0, start, end;
    int found = 0;
    while (from < q->n && (found = hn_match(c->matcher[worker], c->pattern, q->p, q->n, from, &start, &end)) > 0) {
        uint32_t cp;
        if (start < q->n) q->starts[start / 64] |= UINT64_C(1) << (start % 64);
        if (end < q->n) q->starts[end / 64] |= UINT64_C(1) << (end % 64);
        from = end > start ? end : end < q->n ? end + hn_utf8_next(q->p + end, q->n - end, &cp) : q->n;
    }
    if (found < 0) atomic_store(&c->too_hard, true);
}

static bool flush(counting *c, hn_arena *keep) {
    hn_arena *scratch = hn_arena_new(keep);
    for (int64_t i = 0; i < c->n; i++) c->portions[i].starts = hn_new_n(scratch, uint64_t, c->portions[i].n / 64 + 1);
    hn_pool_run(hn_job_pool(keep->job), c->n, mark_words, c);
    if (atomic_load(&c->too_hard))
        return HN_FAIL(keep, HONE_E_DATA, .what = "this text is too hard for the tokenizer's regular expression",
                       .hint = "the expression tries too many ways to match");
    for (int64_t i = 0; i < c->n; i++) {
        const portion *q = &c->portions[i];
        int64_t begun = 0;
        for (int64_t k = 0; k <= q->n / 64; k++)
            for (uint64_t bits = q->starts[k]; bits; bits &= bits - 1) {
                int64_t at = 64 * k + __builtin_ctzll(bits);
                if (at > begun) count(c, keep, q->p + begun, at - begun);
                begun = at;
            }
        count(c, keep, q->p + begun, q->n - begun);
    }
    c->n = c->bytes = 0;
    hn_arena_free(scratch);
    return true;
}

static int64_t portion_end(const uint8_t *p, int64_t n) {
    for (int64_t i = PORTION; i < n; i++)
        if (p[i - 1] == '\n' && p[i] > ' ' && p[i] < 0x7F) return i;
    return n;
}

static bool add_text(counting *c, hn_arena *keep, const uint8_t *p, int64_t n) {
    for (int64_t at = 0, length; at < n; at += length) {
        length = portion_end(p + at, n - at);
        if (length > 0 && (c->n == BATCH || c->bytes >= BATCH_BYTES) && !flush(c, keep)) return false;
        c->portions[c->n++] = (portion){ p + at, length, NULL };
        c->bytes += length;
    }
    return true;
}

static bool add_piece(counting *c, hn_arena *keep, const hn_added *special, const uint8_t *p, int64_t n) {
    int64_t at = 0, start, end;
    int32_t id;
    while (special && hn_added_find(special, p, n, at, &start, &end, &id)) {
        if (!add_text(c, keep, p + at, start - at)) return false;
        at = end;
    }
    return add_text(c, keep, p + at, n - at);
}

static bool add_corpus(counting *c, hn_arena *keep, const hn_added *special, const hn_corpus *text, const hn_split *s) {
    for (int64_t i = 0; s && i < s->n; i++)
        if (!s->v[i].held_out && !add_piece(c, keep, special, text->text.p + s->v[i].start, s->v[i].bytes)) return false;
    for (int64_t i = 0; !s && i < text->n_docs; i++)
        if (!add_piece(c, keep, special, text->text.p + text->docs[i].start, text->docs[i].bytes)) return false;
    return true;
}

bool hn_count_words(hn_arena *a, const hn_pattern *pattern, const hn_added *special, const hn_corpus *text, const hn_split *s,
                    hn_counted *out) {
    hn_arena *own = hn_arena_new(a);
    int threads = hn_pool_threads(hn_job_pool(a->job));
    counting *c = hn_new(own, counting);
    *c = (counting){ .a = hn_arena_new(own), .pattern = pattern, .matcher = hn_new_n(own, hn_matcher *, threads),
                     .portions = hn_new_n(own, portion, BATCH), .out = out };
    for (int i = 0; i < threads; i++) c->matcher[i] = hn_matcher_new(own);
    *out = (hn_counted){ 0 };
    bool ok = add_corpus(c, a, special, text, s) && (!c->n || flush(c, a));
    hn_arena_free(own);
    return ok;
}
