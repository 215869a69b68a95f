/* chain.c - several numbers in one sum: products bind first, then from left to right. A factor behind × is a single digit. */
#include "data/gym/gym.h"

static const struct { int64_t terms, below, signs; } levels[] = {
    { 3, 10, 2 }, { 4, 10, 2 }, { 4, 100, 2 }, { 4, 100, 3 }, { 5, 100, 3 }, { 6, 100, 3 }, { 8, 100, 3 }, { 10, 1000, 3 },
};

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    int64_t sum = 0, term = hn_gym_pick(d, levels[level - 1].below);      /* what stands before the current product, and that product */
    hn_gym_put(&out->prompt, "%lld", (long long)term);
    for (int64_t i = 1; i < levels[level - 1].terms; i++) {
        char sign = "+-*"[hn_gym_pick(d, levels[level - 1].signs)];
        int64_t x = sign == '*' ? hn_gym_between(d, 2, 9) : hn_gym_pick(d, levels[level - 1].below);
        hn_gym_put(&out->prompt, "%c%lld", sign, (long long)x);
        if (sign == '*') term *= x;
        else {
            sum += term;
            term = sign == '-' ? -x : x;
        }
    }
    hn_gym_put(&out->prompt, "=");
    hn_gym_put(&out->answer, "%lld", (long long)(sum + term));
    return true;
}

const hn_gym_task hn_gym_task_chain = { HN_ITEM0("chain", "work out a sum of several numbers", NULL),
                                        .dial = "how many numbers (3 … 10) and their digits (1 … 3); products from level 4",
                                        .levels = HN_LEN(levels), .form = HN_GYM_NUMBER, .make = make };
