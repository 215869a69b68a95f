/* learn_seed.c - the pieces that a Unigram model begins with: every character, and what occurs at least twice and cannot go on in one way
 * only, as often as it occurs times its length, the best first.
 *
 * A suffix array over the distinct words, compared up to the longest piece, puts equal beginnings beside each other; intervals of equal
 * beginnings come off a stack in one pass (Abouelhoda et al. 2004), each with the counts of its words. Whole words are candidates too.
 * Ties go by text, so the result depends on the text alone. */
#include "data/token/part/part.h"
#include <stdlib.h>

typedef struct { int64_t common, weight; } interval;
typedef struct {
    hn_arena *a;
    const hn_counted *words;
    int32_t *flat, *word, *sorted;   /* code points, a zero behind each word; whose they are; places in order */
    int64_t n, m, longest;
    hn_map *seen;
    hn_seeds *out;
} seeding;

static int compare(const void *x, const void *y, void *arg) {
    const seeding *s = arg;
    int32_t p = *(const int32_t *)x, q = *(const int32_t *)y;
    for (int64_t k = 0; k < s->longest; k++) {
        int32_t c = s->flat[p + k], d = s->flat[q + k];
        if (c != d) return c < d ? -1 : 1;
        if (!c) break;
    }
    return p < q ? -1 : 1;
}

static int64_t common(const seeding *s, int32_t p, int32_t q) {
    int64_t k = 0;
    while (k < s->longest && s->flat[p + k] && s->flat[p + k] == s->flat[q + k]) k++;
    return k;
}

static void offer(seeding *s, int32_t at, int64_t length, int64_t weight) {
    hn_buf b = { 0 };
    int64_t had;
    if (length < 2 || weight < 2) return;
    for (int64_t k = 0; k < length; k++) {
        uint8_t room[4];
        hn_buf_put(s->a, &b, room, hn_utf8_put((uint32_t)s->flat[at + k], room));
    }
    if (hn_map_get(s->seen, b.v, b.n, &had)) return;
    hn_map_put(s->seen, b.v, b.n, 1);
    hn_push(s->a, s->out, (hn_seed){ { (const uint8_t *)b.v, b.n }, (double)weight * (double)length });
}

static void flatten(seeding *s) {
    int64_t total = 0;
    for (int64_t i = 0; i < s->words->n; i++) total += s->words->v[i].n + 1;
    s->flat = hn_new_n(s->a, int32_t, total + 1);
    s->word = hn_new_n(s->a, int32_t, total + 1);
    s->sorted = hn_new_n(s->a, int32_t, total);
    for (int64_t i = 0; i < s->words->n; i++) {
        const hn_counted_word *w = &s->words->v[i];
        for (int64_t at = 0; at < w->n;) {
            uint32_t cp;
            at += hn_utf8_next(w->p + at, w->n - at, &cp);
            s->word[s->n] = (int32_t)i;
            s->sorted[s->m++] = (int32_t)s->n;
            s->flat[s->n++] = cp ? (int32_t)cp : 0xFFFD;
        }
        s->flat[s->n++] = 0;
    }
}

static void repeated(seeding *s) {
    HN_VEC(interval) open = { 0 };
    hn_push(s->a, &open, (interval){ 0, 0 });
    for (int64_t i = 1; i <= s->m; i++) {
        int64_t k = i < s->m ? common(s, s->sorted[i - 1], s->sorted[i]) : 0, carry = s->words->v[s->word[s->sorted[i - 1]]].count;
        while (open.v[open.n - 1].common > k) {
            interval *top = &open.v[open.n - 1];
            carry = top->weight += carry;
            offer(s, s->sorted[i - 1], top->common, carry);
            open.n--;
        }
        if (open.v[open.n - 1].common == k) open.v[open.n - 1].weight += carry;
        else hn_push(s->a, &open, (interval){ k, carry });
    }
}

static void whole_words(seeding *s) {
    for (int64_t at = 0, end; at < s->n; at = end + 1) {
        for (end = at; s->flat[end]; end++) {}
        if (end > at && end - at <= s->longest) offer(s, (int32_t)at, end - at, s->words->v[s->word[at]].count);
    }
}

static int best_first(const void *x, const void *y) {
    const hn_seed *p = x, *q = y;
    if (p->score != q->score) return p->score > q->score ? -1 : 1;
    int c = memcmp(p->text.p, q->text.p, (size_t)HN_MIN(p->text.n, q->text.n));
    return c ? c : (p->text.n > q->text.n) - (p->text.n < q->text.n);
}

bool hn_seed_pieces(hn_arena *a, const hn_counted *words, int64_t longest, int64_t most, hn_seeds *out) {
    seeding s = { .a = a, .words = words, .longest = longest, .seen = hn_map_new(a), .out = out };
    int64_t bytes = 0;
    for (int64_t i = 0; i < words->n; i++) bytes += words->v[i].n + 1;
    if (bytes >= INT32_MAX)
        return HN_FAIL(a, HONE_E_DATA, .what = "too many different words to train a tokenizer on", .found = hn_fmt(a, "%lld bytes", (long long)bytes),
                       .hint = "train it on a part of the text");
    flatten(&s);
    if (s.m) qsort_r(s.sorted, (size_t)s.m, sizeof *s.sorted, compare, &s);
    repeated(&s);
    whole_words(&s);
    if (out->n) qsort(out->v, (size_t)out->n, sizeof *out->v, best_first);
    out->n = HN_MIN(out->n, most);
    return true;
}
