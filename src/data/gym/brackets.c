/* brackets.c - a text of brackets of four kinds that is well formed so far: write those that close it. At each place two times of three
 * one opens; otherwise the last that is open is closed. */
#include "data/gym/gym.h"

enum { MOST = 64, KINDS = 4 };
static const int64_t length[] = { 6, 10, 14, 20, 28, 36, 48, MOST };

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    int64_t open[MOST], n = 0;
    hn_gym_put(&out->prompt, "close ");
    for (int64_t i = 0; i < length[level - 1]; i++) {
        bool opens = !n || hn_gym_pick(d, 3);
        if (opens) open[n++] = hn_gym_pick(d, KINDS);
        hn_gym_put(&out->prompt, "%c", opens ? "([{<"[open[n - 1]] : ")]}>"[open[n - 1]]);
        if (!opens) n--;
    }
    hn_gym_put(&out->prompt, "=");
    for (int64_t i = n; i-- > 0;) hn_gym_put(&out->answer, "%c", ")]}>"[open[i]]);
    return n > 0;
}

const hn_gym_task hn_gym_task_brackets = { HN_ITEM0("brackets", "close the brackets that are open", NULL),
                                           .dial = "length of the text: 6, 10, 14, 20, 28, 36, 48, 64", .levels = HN_LEN(length),
                                           .form = HN_GYM_LETTERS, .make = make };
