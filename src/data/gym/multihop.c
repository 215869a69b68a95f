/* multihop.c - arrows from letter to letter are given, all in one ring; follow them so many steps from one letter. The order of the
 * facts does not make another question. */
#include "data/gym/gym.h"

enum { MOST = 20, LETTERS = 26 };
/* in_order: the letters are the alphabet's first and so are the arrows' beginnings, one after another: a letter tells the place. */
static const struct { int64_t facts, from, to; /* steps */ bool in_order; } levels[] = {
    { 7, 1, 1, true }, { 7, 1, 1 }, { 8, 1, 2 }, { 8, 2, 3 }, { 10, 2, 4 }, { 12, 3, 5 }, { 16, 4, 6 }, { MOST, 5, 9 },
};

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    int64_t n = levels[level - 1].facts, ring[MOST], order[MOST], next[LETTERS] = { 0 };
    bool in_order = levels[level - 1].in_order;
    hn_gym_pick_some(d, ring, n, in_order ? n : LETTERS);
    for (int64_t i = 0; i < n; i++) next[ring[i]] = 1 + ring[(i + 1) % n];
    int64_t start = ring[hn_gym_pick(d, n)], steps = hn_gym_between(d, levels[level - 1].from, levels[level - 1].to), at = start;
    if (in_order)
        for (int64_t i = 0; i < n; i++) order[ring[i]] = i;
    else hn_gym_pick_some(d, order, n, n);
    hn_gym_put(&out->prompt, "arrows");
    for (int64_t i = 0; i < n; i++) {
        int64_t x = ring[order[i]];
        hn_gym_put(&out->prompt, " %c>%c", (char)('a' + x), (char)('a' + next[x] - 1));
    }
    for (int64_t x = 0; x < LETTERS; x++)
        if (next[x]) hn_gym_put(&out->question, "%c>%c ", (char)('a' + x), (char)('a' + next[x] - 1));
    for (int64_t i = 0; i < steps; i++) at = next[at] - 1;
    hn_gym_put(&out->prompt, ", %lld from %c=", (long long)steps, (char)('a' + start));
    hn_gym_put(&out->question, "%lld from %c", (long long)steps, (char)('a' + start));
    hn_gym_put(&out->answer, "%c", (char)('a' + at));
    return true;
}

const hn_gym_task hn_gym_task_multihop = { HN_ITEM0("multihop", "follow given arrows several steps", NULL),
                                           .dial = "arrows in order or not (7 … 20) and steps (1 … 9)", .levels = HN_LEN(levels), .form = HN_GYM_WHOLE,
                                           .make = make };
