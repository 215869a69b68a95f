/* first_number.c - the first number in each text, commas between digits left out; where there is none, "[invalid]". */
#include "eval/task.h"

static bool digit(char c) { return c >= '0' && c <= '9'; }
static bool apply(hn_arena *a, const void *params, hn_texts *x) {
    for (int64_t i = 0; i < x->n; i++) {
        const char *s = x->v[i];
        hn_buf b = { 0 };
        while (*s && !digit(*s)) s++;
        if (!*s) {
            x->v[i] = "[invalid]";
            continue;
        }
        if (s > x->v[i] && s[-1] == '-') hn_buf_put(a, &b, "-", 1);
        for (; digit(*s) || ((*s == '.' || *s == ',') && digit(s[1])); s++)
            if (*s != ',') hn_buf_put(a, &b, s, 1);
        x->v[i] = hn_buf_str(a, &b);
    }
    return true;
}
const hn_filter hn_filter_first_number = { HN_ITEM0("first_number", "the first number of a text", NULL), .apply = apply };
