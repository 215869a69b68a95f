/* exact_match.c - is the text one of the accepted ones, letter by letter, after what shall not count is taken out of both?
 * Of choices: would greedy decoding give the right one? Order of the changes as in the harness: patterns, case, punctuation, digits. */
#include "eval/metric/choice.h"
#include <ctype.h>
#include <utf8proc.h>

typedef struct {
    bool ignore_case, ignore_punctuation, ignore_numbers;
    hn_strs regexes_to_ignore;
} exact_match;
static const hn_param params[] = {
    HN_PARAM(exact_match, ignore_case, .doc = "capital letters are as small ones"),
    HN_PARAM(exact_match, ignore_punctuation, .doc = "without the 32 marks of ASCII"),
    HN_PARAM(exact_match, ignore_numbers, .doc = "without the digits 0-9"),
    HN_PARAM(exact_match, regexes_to_ignore, .doc = "without what these regular expressions match, one after the other"),
};

static bool plain(hn_arena *a, const exact_match *p, const char *s, const char **out) {
    for (int64_t i = 0; i < p->regexes_to_ignore.n; i++) {
        const hn_regex *r = hn_regex_new(a, p->regexes_to_ignore.v[i], "exact_match.regexes_to_ignore");
        if (!r) return false;
        s = hn_regex_remove(a, r, s);
    }
    hn_buf b = { 0 };
    for (int64_t left = (int64_t)strlen(s); left > 0;) {
        uint32_t cp;
        utf8proc_uint8_t put[4];
        int n = hn_utf8_next((const uint8_t *)s, left, &cp);
        bool drop = (p->ignore_punctuation && cp < 128 && ispunct((int)cp)) || (p->ignore_numbers && cp < 128 && isdigit((int)cp));
        if (p->ignore_case) cp = (uint32_t)utf8proc_tolower((int32_t)cp);
        if (!drop) hn_buf_put(a, &b, put, utf8proc_encode_char((int32_t)cp, put));
        s += n;
        left -= n;
    }
    *out = hn_buf_str(a, &b);
    return true;
}

static bool value(hn_arena *a, const void *params_, const hn_answer *x, double *out) {
    *out = 0;
    if (!x->text) {
        for (int64_t i = 0; i < x->n_gold; i++) *out = *out || (x->gold[i] >= 0 && x->gold[i] < x->n && x->greedy[x->gold[i]]);
        return true;
    }
    const char *text, *target;
    if (!plain(a, params_, x->text, &text)) return false;
    for (int64_t i = 0; i < x->n_target; i++) {
        if (!plain(a, params_, x->target[i], &target)) return false;
        *out = *out || !strcmp(text, target);
    }
    return true;
}
const hn_metric_item hn_metric_exact_match = { HN_ITEM("exact_match", "share of answers equal to a target", NULL, exact_match, params),
                                               .of = "generate_until multiple_choice", .higher_is_better = true, .value = value };
