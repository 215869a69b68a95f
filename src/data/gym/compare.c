/* compare.c - which of two numbers is larger, for several pairs at once, so that guessing gets nowhere.
 *
 * Lower levels compare numbers that often share their first digits; higher ones products that are close to each other. A pair turned
 * round asks the same. */
#include "data/gym/gym.h"

static const struct { int64_t pairs, digits; bool products; } levels[] = {
    { 2, 2, false }, { 3, 3, false }, { 4, 4, false }, { 5, 5, false }, { 5, 2, true }, { 6, 2, true }, { 8, 2, true }, { 8, 3, true },
};

static int64_t power(int64_t n) { return n ? 10 * power(n - 1) : 1; }
static int64_t within(int64_t x, int64_t lo, int64_t hi) { return x < lo ? lo : x > hi ? hi : x; }

typedef struct side { int64_t value; hn_gym_text text; } side;

static void numbers(hn_gym_draw *d, int64_t digits, side *x, side *y) {
    int64_t end = power(hn_gym_between(d, 0, digits));       /* the digits that may differ */
    x->value = hn_gym_pick(d, power(digits));
    y->value = x->value - x->value % end + hn_gym_pick(d, end);
    hn_gym_put(&x->text, "%lld", (long long)x->value);
    hn_gym_put(&y->text, "%lld", (long long)y->value);
}

static void products(hn_gym_draw *d, int64_t digits, side *x, side *y) {
    int64_t lo = power(digits - 1), hi = power(digits) - 1;
    int64_t a = hn_gym_between(d, lo, hi), b = hn_gym_between(d, lo, hi), c = within(a + hn_gym_between(d, -9, 9), lo, hi);
    int64_t e = within(a * b / c + hn_gym_between(d, -1, 1), lo, hi);
    x->value = a * b;
    y->value = c * e;
    hn_gym_put(&x->text, "%lld*%lld", (long long)a, (long long)b);
    hn_gym_put(&y->text, "%lld*%lld", (long long)c, (long long)e);
}

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    hn_gym_put(&out->prompt, "compare");
    for (int64_t i = 0; i < levels[level - 1].pairs; i++) {
        side x = { .text.n = 0 }, y = { .text.n = 0 };
        (levels[level - 1].products ? products : numbers)(d, levels[level - 1].digits, &x, &y);
        bool turned = strcmp(x.text.v, y.text.v) > 0;
        hn_gym_put(&out->prompt, " %s:%s", x.text.v, y.text.v);
        hn_gym_put(&out->question, " %s:%s", (turned ? &y : &x)->text.v, (turned ? &x : &y)->text.v);
        hn_gym_put(&out->answer, "%c", x.value < y.value ? '<' : x.value > y.value ? '>' : '=');
    }
    hn_gym_put(&out->prompt, "=");
    return true;
}

const hn_gym_task hn_gym_task_compare = { HN_ITEM0("compare", "say of pairs of numbers which is larger", NULL),
                                          .dial = "pairs (2 … 8) and digits (2 … 5); from level 5 products that are close",
                                          .levels = HN_LEN(levels), .form = HN_GYM_LETTERS, .make = make };
