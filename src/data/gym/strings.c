/* strings.c - a word reversed or edited: one edit at the lower levels, several one after another at the higher ones.
 *
 * Edits: reverse; rotate k (the first k letters go to the end); drop x (all of that letter); double x (each of that letter twice);
 * swap x y (the two letters change places wherever they stand). The letters that an edit names are drawn from the word as it was given. */
#include "data/gym/gym.h"

enum { MOST = 32, ALPHABET = 26 };
static const struct { int64_t letters, edits, kinds; } levels[] = {
    { 4, 1, 1 }, { 6, 1, 2 }, { 8, 1, 5 }, { 8, 2, 5 }, { 12, 2, 5 }, { 16, 3, 5 }, { 20, 4, 5 }, { 24, 5, 5 },
};

typedef struct word { char v[8 * MOST]; int64_t n; } word;

static void reverse(word *w) {
    for (int64_t i = 0, j = w->n - 1; i < j; i++, j--) {
        char c = w->v[i];
        w->v[i] = w->v[j];
        w->v[j] = c;
    }
}

static void rotate(word *w, int64_t k) {
    word old = *w;
    for (int64_t i = 0; i < w->n; i++) w->v[i] = old.v[(i + k) % w->n];
}

/* Each letter x becomes `times` of it; none is ever left over from a word that had only x. */
static void repeat(word *w, char x, int times) {
    word old = *w;
    w->n = 0;
    for (int64_t i = 0; i < old.n; i++)
        for (int k = 0; k < (old.v[i] == x ? times : 1) && w->n < (int64_t)sizeof w->v; k++) w->v[w->n++] = old.v[i];
}

static void swap(word *w, char x, char y) {
    for (int64_t i = 0; i < w->n; i++) w->v[i] = w->v[i] == x ? y : w->v[i] == y ? x : w->v[i];
}

static void edit(hn_gym_draw *d, int64_t kinds, const word *given, word *w, hn_gym_text *prompt) {
    static const char *const name[] = { "reverse", "rotate", "drop", "double", "swap" };
    int64_t kind = hn_gym_pick(d, kinds);
    hn_gym_put(prompt, "%s", name[kind]);
    if (kind == 0) return reverse(w);
    if (kind == 1) {
        int64_t k = hn_gym_between(d, 1, 3);
        hn_gym_put(prompt, " %lld", (long long)k);
        if (w->n) rotate(w, k);
        return;
    }
    char x = given->v[hn_gym_pick(d, given->n)];
    hn_gym_put(prompt, " %c", x);
    if (kind == 4) {
        char y = given->v[hn_gym_pick(d, given->n)];
        hn_gym_put(prompt, " %c", y);
        swap(w, x, y);
    } else repeat(w, x, kind == 2 ? 0 : 2);
}

static bool make(hn_gym_draw *d, int64_t level, hn_gym_item *out) {
    word given = { .n = levels[level - 1].letters }, w;
    for (int64_t i = 0; i < given.n; i++) given.v[i] = (char)('a' + hn_gym_pick(d, ALPHABET));
    w = given;
    for (int64_t i = 0; i < levels[level - 1].edits; i++) {
        if (i) hn_gym_put(&out->prompt, ", ");
        edit(d, levels[level - 1].kinds, &given, &w, &out->prompt);
    }
    hn_gym_put(&out->prompt, ": %.*s=", (int)given.n, given.v);
    hn_gym_put(&out->answer, "%.*s", (int)w.n, w.v);
    return w.n > 0 && w.n <= 2 * MOST;
}

const hn_gym_task hn_gym_task_strings = { HN_ITEM0("strings", "reverse a word, or edit it step by step", NULL),
                                          .dial = "letters (4 … 24) and edits (1 … 5); level 1 reverses, 2 also rotates, 3 has all edits",
                                          .levels = HN_LEN(levels), .form = HN_GYM_LETTERS, .make = make };
