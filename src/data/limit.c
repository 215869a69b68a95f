/* limit.c - samples longer than they may be are cut at the end; what no longer teaches anything is left out.
 *
 * The first token of a sample is read, never predicted. Plain texts are not touched: windows are cut from them. */
#include "data/read/read.h"

static int64_t learned(const hn_tokens *t, const hn_span *s) {
    int64_t n = 0;
    for (int64_t i = s->start + 1; i < s->start + s->n; i++) n += hn_token_learned(t, i);
    return n;
}

/* The rows that are of no use after all, behind those that the reader found. */
static void aside(hn_arena *a, hn_corpus *c, const hn_span *v, int64_t n, int64_t most) {
    int64_t keep = HN_MAX(HN_MIN(n, HN_BAD_ROWS_KEPT - c->n_bad), 0);
    hn_bad_row *bad = hn_new_n(a, hn_bad_row, c->n_bad + keep + 1);
    if (c->n_bad) memcpy(bad, c->bad, (size_t)c->n_bad * sizeof *bad);
    const char *why = hn_fmt(a, "nothing of the answer is left within %lld tokens: raise data.max_length, or shorten the prompt", (long long)most);
    for (int64_t i = 0; i < keep; i++) bad[c->n_bad++] = (hn_bad_row){ c->docs[v[i].doc].source, c->docs[v[i].doc].line, why };
    c->bad = bad;
    c->bad_rows += n;
}

void hn_tokens_limit(hn_arena *a, hn_corpus *c, int64_t most, hn_tokens *t, hn_cut *out) {
    if (!c->n_samples) return;
    hn_arena *scratch = hn_arena_new(a);
    hn_span *kept = hn_new_n(a, hn_span, t->n_spans + 1), *lost = hn_new_n(scratch, hn_span, t->n_spans + 1);
    int64_t n = 0, n_lost = 0;
    for (int64_t i = 0; i < t->n_spans; i++) {
        hn_span s = t->spans[i];
        if (!c->docs[s.doc].sample) {
            kept[n++] = s;
            continue;
        }
        out->samples++;
        if (s.n > most) {
            out->cut++;
            out->tokens_lost += s.n - most;
            s.bytes = s.bytes * most / s.n;
            s.n = most;
        }
        if (learned(t, &s)) kept[n++] = s;
        else lost[n_lost++] = s;
    }
    if (out->cut || n_lost) t->hash = hn_hash(kept, n * (int64_t)sizeof *kept, t->hash);
    out->left_out += n_lost;
    if (n_lost) aside(a, c, lost, n_lost, most);
    t->spans = kept;
    t->n_spans = n;
    hn_arena_free(scratch);
}
