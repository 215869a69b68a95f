/* parity.c - for each group of bits 1 where the number of ones is odd, else 0. Several groups, so that guessing gets nowhere. No single
 * bit tells anything about a group's parity, which makes long groups hard to learn by gradients.
 * Source: Shalev-Shwartz, Shamir and Shammah 2017, arXiv:1703.07950. */
#include "data/gym/gym.h"

static const struct { int64_t groups, bits; bool one; /* at most one bit of a group is 1 */ } levels[] = {
    { 5, 3, true }, { 5, 3 }, { 5, 4 }, { 5, 5 }, { 6, 6 }, { 6, 8 }, { 8, 10 }, { 8, 16 },
};

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    hn_gym_put(&out->prompt, "parity");
    for (int64_t g = 0; g < levels[level - 1].groups; g++) {
        bool one = levels[level - 1].one;
        int64_t odd = 0, place = one ? hn_gym_pick(d, levels[level - 1].bits + 1) : 0;      /* one past the last: no bit is 1 */
        hn_gym_put(&out->prompt, " ");
        for (int64_t i = 0; i < levels[level - 1].bits; i++) {
            int64_t bit = one ? i == place : hn_gym_pick(d, 2);
            odd ^= bit;
            hn_gym_put(&out->prompt, "%c", (char)('0' + bit));
        }
        hn_gym_put(&out->answer, "%c", (char)('0' + odd));
    }
    hn_gym_put(&out->prompt, "=");
    return true;
}

const hn_gym_task hn_gym_task_parity = { HN_ITEM0("parity", "tell for groups of bits whether their ones are odd in number",
                                                  "arXiv:1703.07950"),
                                         .dial = "groups (4 … 8) and bits of a group (3 … 16), of which one is 1 or any", .levels = HN_LEN(levels),
                                         .form = HN_GYM_LETTERS, .make = make };
