/* words.c - pre-tokenizers: text into the words that a model then turns into ids.
 *
 * All of them come down to steps: put something in front, let something stand for a blank, cut where an expression matches.
 * What an expression matches (or, inverted, what lies between) is a separator, and `how` says where it goes. Pieces flow through
 * the steps one by one, so nothing grows with the text but what a step rewrites. */
#include "data/token/part/part.h"

typedef struct { const hn_words *words; hn_work *w; hn_word_fn fn; } flow;
typedef struct { flow *f; int64_t step; const uint8_t *p; bool first; bool held, held_match; int64_t start, end; } cutter;

static bool pass(flow *f, int64_t step, const uint8_t *p, int64_t n, bool first);

static bool emit(cutter *c, int64_t start, int64_t end) {
    return start == end || pass(c->f, c->step + 1, c->p + start, end - start, c->first && start == 0);
}

static bool hold(cutter *c, int64_t start, int64_t end, bool match) {
    bool ok = !c->held || emit(c, c->start, c->end);
    c->held = true;
    c->held_match = match;
    c->start = start;
    c->end = end;
    return ok;
}

/* Separators and what lies between come in turn, empty ones too. */
static bool segment(cutter *c, hn_split_how how, int64_t start, int64_t end, bool match) {
    switch (how) {
    case HN_SPLIT_REMOVED: return match || emit(c, start, end);
    case HN_SPLIT_ISOLATED: return emit(c, start, end);
    case HN_SPLIT_CONTIGUOUS:
        if (!c->held || c->held_match != match) return hold(c, start, end, match);
        c->end = end;
        return true;
    case HN_SPLIT_WITH_PREVIOUS:
        if (!c->held || !match || c->held_match) return hold(c, start, end, match);
        c->end = end;
        c->held_match = true;
        return true;
    case HN_SPLIT_WITH_NEXT:
        if (!c->held || match || !c->held_match) return hold(c, start, end, match);
        c->end = end;
        c->held_match = false;
        return true;
    }
    return true;
}

static bool cut(flow *f, int64_t step, const uint8_t *p, int64_t n, bool first) {
    const hn_step *s = &f->words->step[step];
    cutter c = { f, step, p, first, false, false, 0, 0 };
    int64_t done = 0, from = 0, start, end;
    int found = 0;
    while (from <= n && (found = hn_match(f->w->matcher, s->pattern, p, n, from, &start, &end)) > 0) {
        if (start == end) {                 /* an empty match cuts, but not right behind the last one */
            uint32_t cp;
            from = end < n ? end + hn_utf8_next(p + end, n - end, &cp) : n + 1;
            if (start == done && done) continue;
        } else from = end;
        if (start > done && !segment(&c, s->how, done, start, s->invert)) return false;
        if (!segment(&c, s->how, start, end, !s->invert)) return false;
        done = end;
    }
    if (found < 0)
        return HN_FAIL(f->w->a, HONE_E_DATA, .what = "this text is too hard for the tokenizer's regular expression",
                       .found = hn_fmt(f->w->scratch, "text of %lld bytes that begins \"%.*s\"", (long long)n, (int)HN_MIN(n, 40), p),
                       .hint = "the expression tries too many ways to match; cut the text into shorter documents");
    return (done >= n || segment(&c, s->how, done, n, s->invert)) && (!c.held || emit(&c, c.start, c.end));
}

/* The piece as the step wants it: blanks replaced, then the prefix, then shown as stand-ins. */
static hn_bytes rewrite(hn_arena *a, const hn_step *s, hn_bytes in, bool first) {
    int64_t prefix = s->prefix ? (int64_t)strlen(s->prefix) : 0, space = s->space ? (int64_t)strlen(s->space) : 0;
    hn_buf b = { 0 };
    if (space) {
        const uint8_t *end = in.p + in.n, *q;
        for (const uint8_t *p = in.p; p < end; p = q + 1) {
            q = memchr(p, ' ', (size_t)(end - p));
            hn_buf_put(a, &b, p, (q ? q : end) - p);
            if (!q) break;
            hn_buf_put(a, &b, s->space, space);
        }
        in = (hn_bytes){ (const uint8_t *)b.v, b.n };
    }
    if (prefix && (first || !s->prefix_first_only) && (in.n < prefix || memcmp(in.p, s->prefix, (size_t)prefix) != 0)) {
        hn_buf longer = { 0 };
        hn_buf_put(a, &longer, s->prefix, prefix);
        hn_buf_put(a, &longer, in.p, in.n);
        in = (hn_bytes){ (const uint8_t *)longer.v, longer.n };
    }
    if (s->show) {
        hn_buf shown = { 0 };
        hn_show_bytes(a, in.p, in.n, &shown);
        in = (hn_bytes){ (const uint8_t *)shown.v, shown.n };
    }
    return in;
}

static bool word(flow *f, const uint8_t *p, int64_t n) {
    if (!f->words->shown) return f->fn(f->w, p, n);
    uint8_t *bytes = hn_new_n(f->w->scratch, uint8_t, n);
    int64_t m;
    return f->fn(f->w, bytes, hn_unshow_bytes((const char *)p, n, bytes, &m) ? m : 0);
}

static bool pass(flow *f, int64_t step, const uint8_t *p, int64_t n, bool first) {
    if (!n) return true;
    if (step == f->words->n) return word(f, p, n);
    const hn_step *s = &f->words->step[step];
    hn_bytes in = { p, n };
    if (s->prefix || s->space || s->show) in = rewrite(f->w->scratch, s, in, first);
    return s->pattern ? cut(f, step, in.p, in.n, first) : pass(f, step + 1, in.p, in.n, first);
}

bool hn_words_cut(const hn_words *words, hn_work *w, const uint8_t *p, int64_t n, bool first, hn_word_fn fn) {
    flow f = { words, w, fn };
    return pass(&f, 0, p, n, first);
}
