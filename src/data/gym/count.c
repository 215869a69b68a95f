/* count.c - how often letters stand in a word; several letters at the higher levels. */
#include "data/gym/gym.h"

static const struct { int64_t length, alphabet, asked; } levels[] = {
    { 8, 3, 1 }, { 12, 4, 1 }, { 20, 4, 2 }, { 30, 4, 2 }, { 40, 5, 3 }, { 56, 5, 4 }, { 72, 6, 5 }, { 96, 8, 8 },
};
enum { MOST = 8 };

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    int64_t n = levels[level - 1].asked, letter[MOST], times[MOST] = { 0 };
    hn_gym_pick_some(d, letter, n, levels[level - 1].alphabet);
    hn_gym_put(&out->prompt, "count");
    for (int64_t i = 0; i < n; i++) hn_gym_put(&out->prompt, " %c", (char)('a' + letter[i]));
    hn_gym_put(&out->prompt, " in ");
    for (int64_t i = 0; i < levels[level - 1].length; i++) {
        int64_t c = hn_gym_pick(d, levels[level - 1].alphabet);
        times[c]++;
        hn_gym_put(&out->prompt, "%c", (char)('a' + c));
    }
    hn_gym_put(&out->prompt, "=");
    for (int64_t i = 0; i < n; i++) hn_gym_put(&out->answer, "%s%lld", i ? " " : "", (long long)times[letter[i]]);
    return true;
}

const hn_gym_task hn_gym_task_count = { HN_ITEM0("count", "count letters in a word", NULL),
                                        .dial = "length of the word (8 … 96), different letters in it (3 … 8), letters asked for (1 … 8)",
                                        .levels = HN_LEN(levels), .form = HN_GYM_WORDS, .make = make };
