/* draw.c - where choices come from, and items made of them: at random by counting, or one after another.
 *
 * The choices of a level form a tree: each pick is a node with so many branches, each leaf a question. At random, one walk down it is
 * one draw. The odometer goes through all leaves from left to right: it remembers the picks of the last walk, turns the last one that
 * can be turned, and forgets those below. Before a walk through everything, a few random walks estimate the number of leaves as the
 * product of the branches met (Knuth 1975, "Estimating the efficiency of backtrack programs"), so that a count gives up at once where
 * there is no end in sight. */
#include "data/gym/gym.h"
#include <stdio.h>
#include <stdlib.h>

enum {
    PICKS_MAX = 1024,            /* of one question */
    TRIES = 4096,                /* draws for one item; a split of 5 % is missed so often once in 10^91 times */
    BLOCKS_LOG2 = 20,            /* generator blocks set aside for an item */
    REPEATS = 300,               /* known questions in a row before a level counts as nearly used up */
    REPEATS_MAX = 20000,         /* the same where there are too many leaves to walk through */
    PROBES = 4,
};
static const int64_t leaves_to_count = 1 << 20, leaves_to_walk = 1 << 22;
static const uint64_t question_salt = 1;       /* another one makes other splits */

void hn_gym_put(hn_gym_text *t, const char *fmt, ...) {
    va_list v;
    va_start(v, fmt);
    int n = vsnprintf(t->v + t->n, (size_t)(HN_GYM_ROOM - t->n), fmt, v);
    va_end(v);
    HN_ASSERT(n >= 0 && n < HN_GYM_ROOM - t->n);
    t->n += n;
}

/* ---- choices ---- */

struct hn_gym_walk { int64_t n, at, branches[PICKS_MAX], branch[PICKS_MAX]; };

int64_t hn_gym_pick(hn_gym_draw *d, int64_t n) {
    HN_ASSERT(n > 0);
    if (n == 1) return 0;
    d->ways *= (double)n;
    hn_gym_walk *w = d->walk;
    if (!w) return hn_rng_below(&d->rng, n);
    if (w->at == w->n) {
        HN_ASSERT(w->n < PICKS_MAX);
        w->branches[w->n] = n;
        w->branch[w->n++] = 0;
    }
    HN_ASSERT(w->branches[w->at] == n);
    return w->branch[w->at++];
}

int64_t hn_gym_between(hn_gym_draw *d, int64_t lo, int64_t hi) { return lo + hn_gym_pick(d, hi - lo + 1); }

/* The first k steps of a shuffle. */
void hn_gym_pick_some(hn_gym_draw *d, int64_t *v, int64_t k, int64_t n) {
    int64_t all[PICKS_MAX];
    HN_ASSERT(k <= n && n <= PICKS_MAX);
    for (int64_t i = 0; i < n; i++) all[i] = i;
    for (int64_t i = 0; i < k; i++) {
        int64_t j = i + hn_gym_pick(d, n - i);
        v[i] = all[j];
        all[j] = all[i];
    }
}

/* To the next leaf; false after the last. */
static bool walk_on(hn_gym_walk *w) {
    while (w->n && w->branch[w->n - 1] + 1 == w->branches[w->n - 1]) w->n--;
    w->at = 0;
    if (!w->n) return false;
    w->branch[w->n - 1]++;
    return true;
}

static bool make(hn_gym_draw *d, const hn_gym_task *t, int64_t level, hn_gym_item *it) {
    it->task = t;
    it->level = level;
    it->prompt.n = it->answer.n = it->question.n = 0;
    d->ways = 1;
    if (!t->make(d, level, it)) return false;
    const hn_gym_text *q = it->question.n ? &it->question : &it->prompt;
    it->id = hn_hash(q->v, q->n, hn_hash(t->item.name, (int64_t)strlen(t->item.name), question_salt));
    return true;
}

/* ---- splits ---- */

static const struct { const char *name; uint64_t end; /* of 100 */ } splits[HN_GYM_SPLITS] = {
    { "train", 80 }, { "valid", 85 }, { "screen", 90 }, { "confirm", 95 }, { "sealed", 100 },
};

const char *hn_gym_split_name(hn_gym_split s) { return splits[s].name; }

hn_gym_split hn_gym_split_named(const char *name) {
    int s = 0;
    while (s < HN_GYM_SPLITS && strcmp(splits[s].name, name)) s++;
    return (hn_gym_split)s;
}

hn_gym_split hn_gym_split_of(uint64_t id) {
    uint64_t place = (id >> 32) * 100 >> 32;
    int s = 0;
    while (place >= splits[s].end) s++;
    return (hn_gym_split)s;
}

const char *hn_gym_id(hn_arena *a, const hn_gym_item *it) {
    return hn_fmt(a, "%s-%lld-%016llx", it->task->item.name, (long long)it->level, (unsigned long long)it->id);
}

/* ---- items ---- */

static bool check_level(hn_arena *a, const hn_gym_task *t, int64_t level) {
    if (level >= 1 && level <= t->levels) return true;
    return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "gym task '%s' has no level %lld", t->item.name, (long long)level),
                   .wanted = hn_fmt(a, "1 … %lld", (long long)t->levels), .hint = hn_fmt(a, "See `hone help gym %s`.", t->item.name));
}

bool hn_gym_at(hn_arena *a, const hn_gym_task *t, int64_t level, hn_gym_split s, uint64_t seed, int64_t index, hn_gym_item *out) {
    if (!check_level(a, t, level)) return false;
    uint64_t row = hn_hash(t->item.name, (int64_t)strlen(t->item.name), (uint64_t)level);
    hn_gym_draw d = { .rng = hn_rng_new(seed, HN_STREAM_GYM, (uint32_t)row) };
    d.rng.index = (uint64_t)index << BLOCKS_LOG2;
    for (int64_t i = 0; i < TRIES; i++)
        if (make(&d, t, level, out) && hn_gym_split_of(out->id) == s) return true;
    return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "level %lld of gym task '%s' has no question in split %s", (long long)level,
                                                    t->item.name, hn_gym_split_name(s)),
                   .hint = "Choose a higher level.");
}

/* Every question of the split, each once, to take; false: there are more than `leaves` ways to choose. */
typedef struct all { hn_map *seen; int64_t n; void (*take)(void *user, const hn_gym_item *it); void *user; } all;

static bool walk_all(hn_arena *a, const hn_gym_task *t, int64_t level, hn_gym_split s, int64_t leaves, all *out) {
    hn_gym_item *it = hn_new(a, hn_gym_item);
    double ways = 0;
    for (uint64_t probe = 0; probe < PROBES; probe++) {
        hn_gym_draw d = { .rng = hn_rng_new(probe, HN_STREAM_GYM, 0) };
        (void)!make(&d, t, level, it);
        ways = probe ? HN_MIN(ways, d.ways) : d.ways;
    }
    if (ways > 4 * (double)leaves) return false;
    hn_gym_draw d = { .walk = hn_new(a, hn_gym_walk) };
    do {
        if (!leaves--) return false;
        int64_t known;
        if (!make(&d, t, level, it) || hn_gym_split_of(it->id) != s || hn_map_get(out->seen, &it->id, sizeof it->id, &known)) continue;
        hn_map_put(out->seen, &it->id, sizeof it->id, 0);
        out->n++;
        if (out->take) out->take(out->user, it);
    } while (walk_on(d.walk));
    return true;
}

int64_t hn_gym_count(hn_arena *a, const hn_gym_task *t, int64_t level, hn_gym_split s) {
    hn_arena *scratch = hn_arena_new(a);
    all every = { .seen = hn_map_new(scratch) };
    int64_t n = walk_all(scratch, t, level, s, leaves_to_count, &every) ? every.n : -1;
    hn_arena_free(scratch);
    return n;
}

/* ---- different items ---- */

typedef struct kept { uint64_t order; const char *prompt, *answer, *question; uint64_t id; } kept;
typedef struct rest { hn_arena *a; uint64_t seed; HN_VEC(kept) v; } rest;

static void keep(void *user, const hn_gym_item *it) {
    rest *r = user;
    hn_push(r->a, &r->v, (kept){ hn_hash(&it->id, sizeof it->id, r->seed), hn_strdup(r->a, it->prompt.v), hn_strdup(r->a, it->answer.v),
                                 hn_strndup(r->a, it->question.v, it->question.n), it->id });
}

static int by_order(const void *x, const void *y) {
    const kept *p = x, *q = y;
    return p->order != q->order ? (p->order > q->order) - (p->order < q->order) : (p->id > q->id) - (p->id < q->id);
}

static bool too_few(hn_arena *a, const hn_gym_task *t, int64_t level, hn_gym_split s, int64_t have, int64_t n, bool exact) {
    return HN_FAIL(a, HONE_E_VALUE,
                   .what = hn_fmt(a, "level %lld of gym task '%s' has %lld questions in split %s%s", (long long)level, t->item.name,
                                  (long long)have, hn_gym_split_name(s), exact ? "" : " that random draws still find"),
                   .wanted = hn_fmt(a, "%lld", (long long)n), .hint = "Ask for fewer, or for a higher level.");
}

bool hn_gym_distinct(hn_arena *a, const hn_gym_task *t, int64_t level, hn_gym_split s, uint64_t seed, int64_t n,
                     void (*take)(void *user, const hn_gym_item *it), void *user) {
    if (!check_level(a, t, level)) return false;
    hn_arena *scratch = hn_arena_new(a);
    hn_gym_item *it = hn_new(scratch, hn_gym_item);
    hn_map *seen = hn_map_new(scratch);
    int64_t have = 0, known, repeats = 0, limit = REPEATS;
    bool exact = false, drawn = true;
    for (int64_t i = 0; have < n && !exact && repeats < REPEATS_MAX && !hn_stopped(a->job); i++) {
        drawn = hn_gym_at(a, t, level, s, seed, i, it);
        if (!drawn) break;
        if (!hn_map_get(seen, &it->id, sizeof it->id, &known)) {
            hn_map_put(seen, &it->id, sizeof it->id, 0);
            take(user, it);
            have++;
            repeats = 0;
        } else if (++repeats == limit) { /* nearly all are known: go through the rest */
            limit = -1;
            rest r = { .a = scratch, .seed = seed };
            all every = { .seen = seen, .take = keep, .user = &r };
            hn_arena *probe = hn_arena_new(scratch);
            hn_map *before = hn_map_new(probe);
            hn_bytes key;
            int64_t value;
            for (int64_t k = 0; hn_map_at(seen, k, &key, &value); k++) hn_map_put(before, key.p, key.n, 0);
            exact = walk_all(probe, t, level, s, leaves_to_walk, &every);
            if (!exact) seen = before;
            if (r.v.n) qsort(r.v.v, (size_t)r.v.n, sizeof *r.v.v, by_order);
            for (int64_t k = 0; exact && have < n && k < r.v.n; k++, have++) {
                it->prompt.n = it->answer.n = it->question.n = 0;
                hn_gym_put(&it->prompt, "%s", r.v.v[k].prompt);
                hn_gym_put(&it->answer, "%s", r.v.v[k].answer);
                hn_gym_put(&it->question, "%s", r.v.v[k].question);
                it->id = r.v.v[k].id;
                take(user, it);
            }
        }
    }
    bool stopped = have < n && hn_stopped(a->job);
    hn_arena_free(scratch);
    if (stopped) return HN_FAIL(a, HONE_E_INTERRUPTED, .what = "stopped while items were made");
    if (!drawn) return false;
    return have == n || too_few(a, t, level, s, have, n, exact);
}
