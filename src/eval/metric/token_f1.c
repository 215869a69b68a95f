/* token_f1.c - overlap of words between answer and target, the best target counts. Both are lower case, without punctuation and the
 * articles a, an, the. Source: Rajpurkar et al. 2016, arXiv:1606.05250. */
#include "eval/task.h"
#include <ctype.h>
#include <utf8proc.h>

typedef HN_VEC(const char *) words;
static void cut(hn_arena *a, const char *s, words *out) {
    hn_buf b = { 0 };
    for (int64_t left = (int64_t)strlen(s), n; left >= 0; s += n, left -= n) {
        uint32_t cp = ' ';
        utf8proc_uint8_t put[4];
        n = left ? hn_utf8_next((const uint8_t *)s, left, &cp) : 1;
        if (!hn_space(cp)) {
            cp = (uint32_t)utf8proc_tolower((int32_t)cp);
            if (cp >= 128 || !ispunct((int)cp)) hn_buf_put(a, &b, put, utf8proc_encode_char((int32_t)cp, put));
            continue;
        }
        const char *w = hn_strdup(a, hn_buf_str(a, &b));
        if (*w && strcmp(w, "a") && strcmp(w, "an") && strcmp(w, "the")) hn_push(a, out, w);
        b.n = 0;
    }
}
static double overlap(hn_arena *a, const char *answer, const char *target) {
    words x = { 0 }, y = { 0 };
    int64_t same = 0;
    cut(a, answer, &x);
    cut(a, target, &y);
    if (!x.n || !y.n) return x.n == y.n;
    double all = (double)(x.n + y.n);
    for (int64_t i = 0; i < x.n; i++)
        for (int64_t j = 0; j < y.n; j++)
            if (y.v[j] && !strcmp(x.v[i], y.v[j])) {
                y.v[j] = NULL;
                same++;
                break;
            }
    return 2 * (double)same / all;
}
static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) {
    *out = 0;
    for (int64_t i = 0; i < x->n_target; i++) *out = HN_MAX(*out, overlap(a, x->text, x->target[i]));
    return true;
}
const hn_metric_item hn_metric_token_f1 = { HN_ITEM0("token_f1", "overlap of words between answer and target", "arXiv:1606.05250"), .of = "generate_until",
                                            .higher_is_better = true, .value = value };
