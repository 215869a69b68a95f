/* source.c - gym tasks among data files: a name says which items, and reading it makes them.
 *
 * A recipe names tasks, levels and weights; hn_gym_sources settles split, number and seed and writes them into the name. So whatever
 * reads data files reads these too, a ledger that lists files tells what was made, and the same name gives the same text. */
#include "data/gym/gym.h"
#include "data/read/read.h"
#include <math.h>

enum { HELD_OUT = 300 };
static const char prefix[] = "gym:";

bool hn_gym_is_source(const char *path) { return !strncmp(path, prefix, sizeof prefix - 1); }

hn_strs hn_gym_only(hn_arena *a, const hn_strs *paths) {
    hn_strs v = { hn_new_n(a, const char *, paths->n + 1), 0 };
    for (int64_t i = 0; i < paths->n; i++)
        if (hn_gym_is_source(paths->v[i])) v.v[v.n++] = paths->v[i];
    return v;
}

static bool bad(hn_arena *a, const char *path, const char *what) {
    return HN_FAIL(a, HONE_E_VALUE, .what = what, .where = path, .wanted = "gym:NAME[:LEVEL[-LEVEL]][*WEIGHT]",
                   .hint = "`hone list gym` shows the tasks, `hone help gym NAME` their levels.");
}

/* "gym:NAME:LO-HI" of [path, end): *task NULL means all. Levels 0: not given. */
static bool parse_head(hn_arena *a, const char *path, int64_t n, const hn_gym_task **task, int64_t *lo, int64_t *hi) {
    const char *name = path + sizeof prefix - 1, *colon = memchr(name, ':', (size_t)(path + n - name));
    const char *only = hn_strndup(a, name, (colon ? colon : path + n) - name);
    bool all = !strcmp(only, "all");
    *task = all ? NULL : hn_gym_find(a, only);
    *lo = *hi = 0;
    if (!all && !*task) return false;
    if (!colon) return true;
    const char *levels = hn_strndup(a, colon + 1, path + n - colon - 1), *dash = strchr(levels, '-');
    bool ok = hn_parse_i64(dash ? hn_strndup(a, levels, dash - levels) : levels, lo);
    *hi = *lo;
    if (ok && dash) ok = hn_parse_i64(dash + 1, hi);
    if (!ok || *lo < 1 || *hi < *lo) return bad(a, path, hn_fmt(a, "'%.40s' is no level", levels));
    if (*task && *hi > (*task)->levels)
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "gym task '%s' has no level %lld", only, (long long)*hi), .where = path,
                       .wanted = hn_fmt(a, "1 to %lld", (long long)(*task)->levels));
    return true;
}

bool hn_gym_source_parse(hn_arena *a, const char *path, hn_gym_source *out) {
    const char *at = strrchr(path, '@'), *n = at ? strchr(at, ',') : NULL, *seed = n ? strchr(n + 1, ',') : NULL;
    if (!seed) return bad(a, path, "this is no name of made items");
    out->split = hn_gym_split_named(hn_strndup(a, at + 1, n - at - 1));
    if (out->split == HN_GYM_SPLITS || !hn_parse_i64(hn_strndup(a, n + 1, seed - n - 1), &out->n) || out->n < 1 ||
        !hn_parse_u64(seed + 1, &out->seed))
        return bad(a, path, "split, number or seed is wrong");
    if (!parse_head(a, path, at - path, &out->task, &out->lo, &out->hi)) return false;
    return (out->task && out->lo) || bad(a, path, "task and level are missing");
}

/* ---- from what a recipe says ---- */
typedef struct wish { const hn_gym_task *task; int64_t lo, hi, at; double weight; } wish;
typedef HN_VEC(wish) wishes;

static bool add(hn_arena *a, const char *path, int64_t at, wishes *out) {
    const char *star = strchr(path, '*');
    wish w = { .at = at, .weight = 1 };
    if (star && (!hn_parse_f64(star + 1, &w.weight) || !(w.weight > 0) || !isfinite(w.weight))) return bad(a, path, "the weight is no number above 0");
    if (!parse_head(a, path, star ? star - path : (int64_t)strlen(path), &w.task, &w.lo, &w.hi)) return false;
    int64_t n = w.task ? 1 : hn_kind_gym.n;
    w.weight /= (double)n;
    for (int64_t i = 0; i < n; i++) {
        wish one = w;
        if (!w.task) one.task = (const hn_gym_task *)hn_kind_gym.items[i];
        if (!one.lo) one.lo = 1, one.hi = one.task->levels;
        one.hi = HN_MIN(one.hi, one.task->levels);      /* of `all`: as far as each goes */
        one.lo = HN_MIN(one.lo, one.hi);
        hn_push(a, out, one);
    }
    return true;
}

/* As many as a level of these has fewest of, if that is less than its part of n. */
static int64_t there_are(hn_arena *a, const wish *w, hn_gym_split split, int64_t n) {
    int64_t levels = w->hi - w->lo + 1;
    for (int64_t l = w->lo; l <= w->hi; l++) {
        int64_t have = hn_gym_count(a, w->task, l, split);
        if (have >= 0) n = HN_MIN(n, have * levels);
    }
    return n;
}

bool hn_gym_sources(hn_arena *a, const hn_strs *paths, hn_gym_split split, int64_t n, uint64_t seed, hn_strs *out) {
    wishes v = { 0 };
    HN_VEC(const char *) all = { 0 };
    double weights = 0, seen = 0;
    int64_t next = 0, given = 0;
    for (int64_t i = 0; i < paths->n; i++)
        if (hn_gym_is_source(paths->v[i]) && !strchr(paths->v[i], '@') && !add(a, paths->v[i], i, &v)) return false;
    for (int64_t i = 0; i < v.n; i++) weights += v.v[i].weight;
    for (int64_t i = 0; i < paths->n; i++) {
        if (next == v.n || v.v[next].at != i) hn_push(a, &all, paths->v[i]);
        for (; next < v.n && v.v[next].at == i; next++) {
            const wish *w = &v.v[next];
            seen += w->weight;
            int64_t until = next + 1 == v.n ? n : (int64_t)floor((double)n * seen / weights + 0.5), k = n;
            if (split == HN_GYM_TRAIN) k = until - given, given = until;
            else if (!n) k = there_are(a, w, split, HELD_OUT);
            if (k < 1)
                return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "there is no item for gym task '%s'", w->task->item.name), .where = paths->v[i],
                               .wanted = "at least one of each task", .hint = "Raise data.items, or the task's weight.");
            hn_push(a, &all, hn_fmt(a, "gym:%s:%lld-%lld@%s,%lld,%llu", w->task->item.name, (long long)w->lo, (long long)w->hi,
                                    hn_gym_split_name(split), (long long)k, (unsigned long long)seed));
        }
    }
    *out = (hn_strs){ all.v, all.n };
    return true;
}

/* ---- reading ---- */
typedef struct turn { hn_gym_item *v; int64_t n; } turn;
static void keep(void *user, const hn_gym_item *it) {
    turn *t = user;
    t->v[t->n++] = *it;
}

bool hn_gym_source_items(hn_arena *a, const hn_gym_source *s, void (*take)(void *user, const hn_gym_item *it), void *user) {
    int64_t levels = s->hi - s->lo + 1;
    hn_arena *scratch = hn_arena_new(a);
    if (s->split == HN_GYM_TRAIN) {
        hn_gym_item *it = hn_new(scratch, hn_gym_item);
        for (int64_t i = 0; i < s->n; i++) {
            if (!hn_gym_at(a, s->task, s->lo + i % levels, s->split, s->seed, i / levels, it)) return false;
            take(user, it);
        }
        hn_arena_free(scratch);
        return true;
    }
    turn *t = hn_new_n(scratch, turn, levels);
    for (int64_t l = 0; l < levels; l++) {
        int64_t n = s->n / levels + (l < s->n % levels);
        t[l].v = hn_new_n(scratch, hn_gym_item, n + 1);
        if (n && !hn_gym_distinct(a, s->task, s->lo + l, s->split, s->seed, n, keep, &t[l])) return false;
    }
    for (int64_t i = 0; i < s->n; i++) take(user, &t[i % levels].v[i / levels]);
    hn_arena_free(scratch);
    return true;
}

static void put(void *user, const hn_gym_item *it) {
    hn_intake *in = user;
    int64_t n = it->prompt.n + it->answer.n + 1, at = in->text.n;
    hn_vec_grow(in->a, &in->text, n);
    memcpy(in->text.v + at, it->prompt.v, (size_t)it->prompt.n);
    memcpy(in->text.v + at + it->prompt.n, it->answer.v, (size_t)it->answer.n);
    in->text.v[at + n - 1] = '\n';
    in->text.n += n;
    int64_t given = in->how.learn_all ? 0 : it->prompt.n;
    hn_doc d = { .start = at, .bytes = n, .source = in->source, .sample = true, .first = (int32_t)in->docs.n, .own = in->own.n, .n_own = 1 };
    hn_push(in->a, &in->docs, d);
    hn_push(in->a, &in->own, (hn_range){ given, n - given });
    in->n_samples++;
}

bool hn_gym_read(hn_arena *a, hn_intake *in) {
    hn_gym_source s;
    if (!strchr(in->path, '@')) return bad(a, in->path, "a gym task is no file");
    return hn_gym_source_parse(a, in->path, &s) && hn_gym_source_items(a, &s, put, in);
}
