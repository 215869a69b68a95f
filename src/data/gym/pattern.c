/* pattern.c - the next numbers of a row made by a rule that the row shows: equal steps; two steps in turn; doubling; growing steps; two
 * rows interleaved; each the sum of the two before; and x(n) = p x(n−1) + q x(n−2) to a modulus that is told. So many numbers are given that
 * another of these rules does not fit by chance. */
#include "data/gym/gym.h"

enum { MOST = 16 };
typedef enum rule { STEPS, TURNS, DOUBLES, GROWS, WOVEN, SUMS, MIXES } rule;
static const struct { rule rule; int64_t shown, asked, modulus; } levels[] = {
    { STEPS, 4, 1, 0 }, { TURNS, 6, 1, 0 }, { DOUBLES, 6, 1, 0 }, { GROWS, 6, 2, 0 },
    { WOVEN, 8, 2, 0 }, { SUMS, 6, 3, 0 }, { MIXES, 8, 3, 100 }, { MIXES, 10, 4, 1000 },
};

/* Fills v[0 … n). */
static void row(hn_gym_draw *d, rule r, int64_t modulus, int64_t *v, int64_t n) {
    int64_t p, q;
    switch (r) {
    case STEPS:
        v[0] = hn_gym_between(d, 0, 200), p = hn_gym_between(d, 1, 20);
        for (int64_t i = 1; i < n; i++) v[i] = v[i - 1] + p;
        return;
    case TURNS:
        v[0] = hn_gym_between(d, 20, 99), p = hn_gym_between(d, 1, 20), q = hn_gym_between(d, -9, 9);
        for (int64_t i = 1; i < n; i++) v[i] = v[i - 1] + (i % 2 ? p : q);
        return;
    case DOUBLES:
        v[0] = hn_gym_between(d, 1, 99), p = hn_gym_between(d, 0, 99);
        for (int64_t i = 1; i < n; i++) v[i] = 2 * v[i - 1] + p;
        return;
    case GROWS:
        v[0] = hn_gym_between(d, 0, 99), p = hn_gym_between(d, 1, 20), q = hn_gym_between(d, 1, 9);
        for (int64_t i = 1; i < n; i++) v[i] = v[i - 1] + p + q * (i - 1);
        return;
    case WOVEN:
        v[0] = hn_gym_between(d, 0, 99), v[1] = hn_gym_between(d, 0, 99), p = hn_gym_between(d, 1, 20), q = hn_gym_between(d, 1, 20);
        for (int64_t i = 2; i < n; i++) v[i] = v[i - 2] + (i % 2 ? q : p);
        return;
    case SUMS:
        v[0] = hn_gym_between(d, 1, 99), v[1] = hn_gym_between(d, 1, 99);
        for (int64_t i = 2; i < n; i++) v[i] = v[i - 1] + v[i - 2];
        return;
    case MIXES:
        v[0] = hn_gym_pick(d, modulus), v[1] = hn_gym_pick(d, modulus), p = hn_gym_between(d, 1, 9), q = hn_gym_between(d, 1, 9);
        for (int64_t i = 2; i < n; i++) v[i] = (p * v[i - 1] + q * v[i - 2]) % modulus;
        return;
    }
}

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    int64_t v[MOST], shown = levels[level - 1].shown, n = shown + levels[level - 1].asked;
    row(d, levels[level - 1].rule, levels[level - 1].modulus, v, n);
    hn_gym_put(&out->prompt, "next %lld", (long long)levels[level - 1].asked);
    if (levels[level - 1].modulus) hn_gym_put(&out->prompt, " mod %lld", (long long)levels[level - 1].modulus);
    hn_gym_put(&out->prompt, ":");
    for (int64_t i = 0; i < shown; i++) hn_gym_put(&out->prompt, " %lld", (long long)v[i]);
    hn_gym_put(&out->prompt, "=");
    for (int64_t i = shown; i < n; i++) hn_gym_put(&out->answer, "%s%lld", i > shown ? " " : "", (long long)v[i]);
    return true;
}

const hn_gym_task hn_gym_task_pattern = { HN_ITEM0("pattern", "continue a row of numbers by its rule", NULL),
                                          .dial = "rule: equal steps, two in turn, doubling, growing steps, two rows woven, sums of two, mixed "
                                                  "to a modulus of 100, of 1000",
                                          .levels = HN_LEN(levels), .form = HN_GYM_WORDS, .make = make };
