/* family.c - who is whose parent is told; relations have to be concluded. Nobody has more than two children, and the question is one that
 * has a single answer. The order of the facts does not make another question. After the idea of CLUTRR.
 * Source: Sinha et al. 2019, arXiv:1908.06177. */
#include "data/gym/gym.h"
#include <stdlib.h>

enum { PEOPLE = 22, NAMES = 26, FACT = 16 };
static const char names[NAMES][4] = { "ann", "bob", "cat", "dan", "eve", "fay", "gus", "hal", "ida", "jim", "kay", "leo", "mia",
                                      "ned", "ola", "pam", "qin", "ray", "sue", "tom", "una", "vic", "wes", "xia", "yan", "zoe" };
static const char *const relations[] = { "parent", "sibling", "grandparent", "aunt or uncle", "great-grandparent", "cousin" };
static const struct { int64_t people, from, to; /* of relations */ int64_t names; /* 0: all */ } levels[] = {
    { 3, 0, 1, 9 }, { 4, 0, 2 }, { 6, 0, 3 }, { 8, 1, 4 }, { 10, 1, 5 }, { 12, 2, 6 }, { 16, 3, 6 }, { PEOPLE, 3, 6 },
};

typedef struct tree { int64_t n, parent[PEOPLE], children[PEOPLE]; } tree;      /* −1: not told */

static int64_t up(const tree *t, int64_t x) { return x < 0 ? -1 : t->parent[x]; }

/* The only child of p besides x; −1: none. */
static int64_t other_child(const tree *t, int64_t p, int64_t x) {
    for (int64_t i = 0; p >= 0 && i < t->n; i++)
        if (t->parent[i] == p && i != x) return i;
    return -1;
}

/* The one who stands so to x; −1: nobody, or two. */
static int64_t relative(const tree *t, int64_t relation, int64_t x) {
    int64_t p = up(t, x), aunt = other_child(t, up(t, p), p);
    switch (relation) {
    case 0: return p;
    case 1: return other_child(t, p, x);
    case 2: return up(t, p);
    case 3: return aunt;
    case 4: return up(t, up(t, p));
    default: return aunt >= 0 && t->children[aunt] == 1 ? other_child(t, aunt, -1) : -1;
    }
}

static int by_text(const void *x, const void *y) { return strcmp(x, y); }

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    tree t = { .n = levels[level - 1].people };
    int64_t who[PEOPLE], order[PEOPLE], open[PEOPLE], n = 0;
    char fact[PEOPLE][FACT];
    t.parent[0] = -1;
    for (int64_t i = 1; i < t.n; i++) {
        int64_t k = 0;
        for (int64_t p = 0; p < i; p++)
            if (t.children[p] < 2) open[k++] = p;
        t.parent[i] = open[hn_gym_pick(d, k)];
        t.children[t.parent[i]]++;
    }
    int64_t relation = levels[level - 1].from + hn_gym_pick(d, levels[level - 1].to - levels[level - 1].from);
    for (int64_t x = 0; x < t.n; x++)
        if (relative(&t, relation, x) >= 0) open[n++] = x;
    if (!n) return false;
    int64_t x = open[hn_gym_pick(d, n)];
    hn_gym_pick_some(d, who, t.n, levels[level - 1].names ? levels[level - 1].names : NAMES);
    hn_gym_pick_some(d, order, t.n - 1, t.n - 1);
    for (int64_t i = 0; i < t.n - 1; i++) {
        int64_t child = order[i] + 1;
        hn_gym_text f = { .n = 0 };
        hn_gym_put(&f, "%s has %s", names[who[t.parent[child]]], names[who[child]]);
        memcpy(fact[i], f.v, (size_t)f.n + 1);
        hn_gym_put(&out->prompt, "%s%s", i ? ", " : "", fact[i]);
    }
    qsort(fact, (size_t)t.n - 1, sizeof *fact, by_text);
    for (int64_t i = 0; i < t.n - 1; i++) hn_gym_put(&out->question, "%s%s", i ? ", " : "", fact[i]);
    hn_gym_put(&out->question, ". %s of %s", relations[relation], names[who[x]]);
    hn_gym_put(&out->prompt, ". %s of %s=", relations[relation], names[who[x]]);
    hn_gym_put(&out->answer, "%s", names[who[relative(&t, relation, x)]]);
    return true;
}

const hn_gym_task hn_gym_task_family = { HN_ITEM0("family", "conclude relations from who is whose parent", "arXiv:1908.06177"),
                                         .dial = "people (3 … 22); parent, sibling, grandparent, aunt or uncle, great-grandparent, cousin",
                                         .levels = HN_LEN(levels), .form = HN_GYM_WHOLE, .make = make };
