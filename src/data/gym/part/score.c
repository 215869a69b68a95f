/* score.c - an answer against the one that is right: how much of it is, and what is wrong with it, in words. */
#include "data/gym/gym.h"
#include <stdio.h>

enum { SHOWN = 48 };             /* bytes of a text that a sentence quotes */

static bool blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/* The answer without blanks around it, and one between words. False: longer than any right answer may be. */
static bool tidy(const char *p, int64_t n, hn_gym_text *out) {
    out->n = 0;
    bool gap = false;
    for (int64_t i = 0; i < n; i++) {
        if (blank(p[i])) gap = out->n > 0;
        else {
            if (out->n + 3 > HN_GYM_ROOM) return false;
            if (gap) out->v[out->n++] = ' ';
            gap = false;
            out->v[out->n++] = p[i];
        }
    }
    out->v[out->n] = 0;
    return true;
}

/* A text as a sentence quotes it: short, and without bytes that a terminal would act on. */
static const char *shown(const hn_gym_text *t, char out[SHOWN + 8]) {
    int64_t k = 0;
    for (; k < t->n && k < SHOWN; k++) out[k] = t->v[k] >= ' ' && t->v[k] < 127 ? t->v[k] : '?';
    strcpy(out + k, k < t->n ? "…" : "");
    return out;
}

static int64_t words(const hn_gym_text *t) {
    int64_t n = t->n > 0;
    for (int64_t i = 0; i < t->n; i++) n += t->v[i] == ' ';
    return n;
}

/* The k-th word, k from 0, of those that words() counted. */
static const char *word(const hn_gym_text *t, int64_t k, int *n) {
    int64_t at = 0, end;
    for (; k > 0; at++) k -= t->v[at] == ' ';
    for (end = at; end < t->n && t->v[end] != ' ';) end++;
    *n = (int)(end - at);
    return t->v + at;
}

static double by_words(const hn_gym_text *w, const hn_gym_text *f, hn_gym_text *why) {
    int64_t nw = words(w), nf = words(f), same = 0, first = -1;
    for (int64_t k = 0; k < nw && k < nf; k++) {
        int a, b;
        const char *p = word(w, k, &a), *q = word(f, k, &b);
        if (a == b && !memcmp(p, q, (size_t)a)) same++;
        else if (first < 0) first = k;
    }
    if (nw != nf) hn_gym_put(why, "; %lld words instead of %lld", (long long)nf, (long long)nw);
    if (first >= 0) {
        int a, b;
        const char *p = word(w, first, &a), *q = word(f, first, &b);
        hn_gym_text found = { .n = HN_MIN(b, SHOWN) };
        char quoted[SHOWN + 8];
        memcpy(found.v, q, (size_t)found.n);
        hn_gym_put(why, "; word %lld is '%s' instead of '%.*s'", (long long)first + 1, shown(&found, quoted), HN_MIN(a, SHOWN), p);
    }
    hn_gym_put(why, "; %lld of %lld words right", (long long)same, (long long)nw);
    return (double)same / (double)HN_MAX(nw, nf);
}

static double by_letters(const hn_gym_text *w, const hn_gym_text *f, hn_gym_text *why) {
    int64_t same = 0, first = -1, n = HN_MIN(w->n, f->n);
    for (int64_t i = 0; i < n; i++) {
        if (w->v[i] == f->v[i]) same++;
        else if (first < 0) first = i;
    }
    if (w->n != f->n) hn_gym_put(why, "; %lld letters instead of %lld", (long long)f->n, (long long)w->n);
    if (first >= 0) hn_gym_put(why, "; the first difference is at letter %lld", (long long)first + 1);
    hn_gym_put(why, "; %lld of %lld letters right", (long long)same, (long long)w->n);
    return (double)same / (double)HN_MAX(w->n, f->n);
}

static bool number(const hn_gym_text *t) {
    int64_t i = t->n > 1 && t->v[0] == '-';
    for (int64_t k = i; k < t->n; k++)
        if (t->v[k] < '0' || t->v[k] > '9') return false;
    return t->n - i == 1 || t->v[i] != '0';
}

static double by_digits(const hn_gym_text *w, const hn_gym_text *f, hn_gym_text *why) {
    if (!number(f)) return hn_gym_put(why, "; not a number written plainly"), 0;
    bool minus = w->v[0] == '-', found_minus = f->v[0] == '-';
    if (minus != found_minus) return hn_gym_put(why, "; the sign is wrong"), 0;
    int64_t nw = w->n - minus, nf = f->n - minus, same = 0;
    for (int64_t k = 1; k <= nw && k <= nf; k++) same += w->v[w->n - k] == f->v[f->n - k];
    if (nw != nf) hn_gym_put(why, "; %lld digits instead of %lld", (long long)nf, (long long)nw);
    hn_gym_put(why, "; %lld of %lld digits right", (long long)same, (long long)nw);
    return (double)same / (double)HN_MAX(nw, nf);
}

void hn_gym_score(const hn_gym_task *t, const char *prompt, const char *wanted, const char *found, int64_t n, hn_gym_verdict *out) {
    hn_gym_text w, f, why = { .n = 0 };
    char a[SHOWN + 8], b[SHOWN + 8];
    *out = (hn_gym_verdict){ 0 };
    HN_ASSERT(tidy(wanted, (int64_t)strlen(wanted), &w) && w.n);
    if (!tidy(found, n, &f)) {
        snprintf(out->why, sizeof out->why, "wanted '%s', found a text that is much too long", shown(&w, a));
        return;
    }
    if (w.n == f.n && !memcmp(w.v, f.v, (size_t)w.n)) {
        *out = (hn_gym_verdict){ .right = true, .score = 1 };
        return;
    }
    if (!f.n) {
        snprintf(out->why, sizeof out->why, "wanted '%s', found nothing", shown(&w, a));
        return;
    }
    hn_gym_put(&why, "wanted '%s', found '%s'", shown(&w, a), shown(&f, b));
    out->score = t->form == HN_GYM_WORDS     ? by_words(&w, &f, &why)
                 : t->form == HN_GYM_LETTERS ? by_letters(&w, &f, &why)
                 : t->form == HN_GYM_NUMBER  ? by_digits(&w, &f, &why)
                                             : 0;
    if (t->explain && !memchr(f.v, 0, (size_t)f.n)) t->explain(prompt, w.v, f.v, &why);
    memcpy(out->why, why.v, (size_t)HN_MIN(why.n, HN_GYM_WHY - 1));
}
