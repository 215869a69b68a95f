/* sort.c - a list of numbers in rising order, equal ones as often as they stand there. The level lengthens list and numbers. */
#include "data/gym/gym.h"
#include <stdlib.h>

enum { MOST = 24 };
static const int64_t length[] = { 4, 5, 6, 8, 10, 14, 18, MOST }, below[] = { 10, 20, 50, 100, 100, 1000, 1000, 10000 };

static int rising(const void *x, const void *y) {
    int64_t p = *(const int64_t *)x, q = *(const int64_t *)y;
    return (p > q) - (p < q);
}

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    int64_t v[MOST], n = length[level - 1];
    hn_gym_put(&out->prompt, "sort");
    for (int64_t i = 0; i < n; i++) {
        v[i] = hn_gym_pick(d, below[level - 1]);
        hn_gym_put(&out->prompt, " %lld", (long long)v[i]);
    }
    hn_gym_put(&out->prompt, "=");
    qsort(v, (size_t)n, sizeof *v, rising);
    for (int64_t i = 0; i < n; i++) hn_gym_put(&out->answer, "%s%lld", i ? " " : "", (long long)v[i]);
    return true;
}

/* Reads numbers; −1 where something else stands or there are too many. */
static int64_t numbers(const char *s, int64_t *v) {
    int64_t n = 0;
    while (*s && *s != '=') {
        char *end;
        long long x = strtoll(s, &end, 10);
        if (end == s || n == MOST) return -1;
        v[n++] = x;
        s = end + strspn(end, " ");
    }
    return n;
}

static void explain(const char *prompt, const char *wanted, const char *found, hn_gym_text *why) {
    int64_t given[MOST], have[MOST], n = numbers(prompt + strlen("sort"), given), k = numbers(found, have);
    if (n < 0 || k < 0) return hn_gym_put(why, "; not a list of numbers alone");
    for (int64_t i = 1; i < k; i++)
        if (have[i] < have[i - 1]) return hn_gym_put(why, "; not in rising order at word %lld", (long long)i + 1);
    hn_gym_put(why, "; in order, but not the numbers that were given");
}

const hn_gym_task hn_gym_task_sort = { HN_ITEM0("sort", "put numbers in rising order", NULL),
                                       .dial = "how many numbers (4, 5, 6, 8, 10, 14, 18, 24), and how large (1 to 4 digits)",
                                       .levels = HN_LEN(length), .form = HN_GYM_WORDS, .make = make, .explain = explain };
