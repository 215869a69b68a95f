/* modular.c - sums, products and powers to a modulus. Where the order of two numbers does not matter, it makes no other question. */
#include "data/gym/gym.h"

enum { PLUS, TIMES, BOTH /* a*b+c */, POWERS /* a^b+c^d */ };
static const struct { int form; int64_t below, lo, hi; } levels[] = {
    { PLUS, 100, 100, 100 }, { PLUS, 1000, 10, 10 }, { TIMES, 1000, 10, 10 }, { PLUS, 1000, 2, 12 },
    { TIMES, 1000, 2, 12 }, { BOTH, 1000, 11, 99 }, { BOTH, 10000, 101, 999 }, { POWERS, 1000, 101, 999 },
};

static int64_t power(int64_t x, int64_t n, int64_t m) {
    int64_t r = 1;
    for (x %= m; n; n >>= 1, x = x * x % m)
        if (n & 1) r = r * x % m;
    return r % m;
}

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    int form = levels[level - 1].form;
    int64_t below = levels[level - 1].below, m = hn_gym_between(d, levels[level - 1].lo, levels[level - 1].hi);
    int64_t lo = form == POWERS, v[4] = { 0 };               /* 0^0 is not asked for */
    for (int i = 0; i < (form == POWERS ? 4 : form == BOTH ? 3 : 2); i++) v[i] = hn_gym_between(d, lo, below - 1);
    long long a = v[0], b = v[1], c = v[2], e = v[3], low = HN_MIN(a, b), high = HN_MAX(a, b), answer;
    if (form == PLUS || form == TIMES) {
        char sign = form == PLUS ? '+' : '*';
        hn_gym_put(&out->prompt, "%lld%c%lld", a, sign, b);
        hn_gym_put(&out->question, "%lld%c%lld mod %lld", low, sign, high, (long long)m);
        answer = (form == PLUS ? a + b : a * b) % m;
    } else if (form == BOTH) {
        hn_gym_put(&out->prompt, "%lld*%lld+%lld", a, b, c);
        hn_gym_put(&out->question, "%lld*%lld+%lld mod %lld", low, high, c, (long long)m);
        answer = (a * b + c) % m;
    } else {
        bool turned = c < a || (c == a && e < b);
        hn_gym_put(&out->prompt, "%lld^%lld+%lld^%lld", a, b, c, e);
        hn_gym_put(&out->question, "%lld^%lld+%lld^%lld mod %lld", turned ? c : a, turned ? e : b, turned ? a : c, turned ? b : e,
                   (long long)m);
        answer = (power(a, b, m) + power(c, e, m)) % m;
    }
    hn_gym_put(&out->prompt, " mod %lld=", (long long)m);
    hn_gym_put(&out->answer, "%lld", answer);
    return true;
}

const hn_gym_task hn_gym_task_modular = { HN_ITEM0("modular", "calculate with remainders", NULL),
                                          .dial = "sum, product, both, powers; digits of the numbers (2 … 4); modulus (10 … 999)",
                                          .levels = HN_LEN(levels), .form = HN_GYM_NUMBER, .make = make };
