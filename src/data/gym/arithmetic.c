/* arithmetic.c - additions and, from level 2, subtractions that do not go below zero. The level is the length of the numbers; carries
 * run over more and more digits. a+b and b+a are one question. */
#include "data/gym/gym.h"

static const int64_t digits[] = { 2, 3, 4, 5, 6, 8, 10, 12 };

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    int64_t end = 1;
    for (int64_t i = 0; i < digits[level - 1]; i++) end *= 10;
    bool minus = level > 1 && hn_gym_pick(d, 2);
    int64_t x = hn_gym_pick(d, end), y = hn_gym_pick(d, end), lo = HN_MIN(x, y), hi = HN_MAX(x, y);
    if (minus) x = hi, y = lo;
    hn_gym_put(&out->prompt, "%lld%c%lld=", (long long)x, minus ? '-' : '+', (long long)y);
    hn_gym_put(&out->question, "%lld%c%lld", (long long)hi, minus ? '-' : '+', (long long)lo);
    hn_gym_put(&out->answer, "%lld", (long long)(minus ? x - y : x + y));
    return true;
}

const hn_gym_task hn_gym_task_arithmetic = { HN_ITEM0("arithmetic", "add and subtract two numbers, with carries", NULL),
                                             .dial = "digits of the numbers: 2, 3, 4, 5, 6, 8, 10, 12; with subtraction from level 2",
                                             .levels = HN_LEN(digits), .form = HN_GYM_NUMBER, .make = make };
