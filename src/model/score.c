/* score.c - the natural log-probability of every token of a text.
 *
 * A model with a token that begins texts reads it first, and then scores every token; without one the first has no score (NaN).
 * A text longer than the context is read in windows that overlap by half: the first window scores all its tokens, each later one
 * those that no window before it has reached, so each has at least half a context before it. The last window ends with the text.
 * Bits per byte counts the scored tokens and their bytes. */
#include "model/model.h"
#include <math.h>

enum { BATCH = 8 }; /* windows at once */

typedef struct {
    hone_job *job;
    hone_model *m;
    const char *text;
    int64_t bytes;
    hone_score *out;
    hone_tape *tape;
} call;

/* x (n+1) tokens → lp[i] of x[i+1], i < n */
static bool score(hn_arena *a, hone_tape *t, hone_model *m, const int32_t *x, int64_t n, double *lp) {
    int64_t T = HN_MIN(n, m->context), hop = HN_MAX(T / 2, 1), done = 0, last = n - T;
    int32_t *ids = hn_new_n(a, int32_t, BATCH * T), *targets = hn_new_n(a, int32_t, BATCH * T);
    float *nll = hn_new_n(a, float, BATCH *T);
    for (int64_t start = 0; done < n;) {
        int64_t B = 0, at[BATCH], from[BATCH];
        for (; B < BATCH && done < n; B++, start = HN_MIN(start + hop, last)) {
            at[B] = start;
            from[B] = done;
            done = start + T;
            memcpy(ids + B * T, x + start, (size_t)T * sizeof *ids);
            for (int64_t i = 0; i < T; i++) targets[B * T + i] = start + i < from[B] ? -1 : x[start + i + 1];
        }
        const int64_t shape[] = {B, T};
        hone_tape_begin(t, HONE_EVAL, 0, 0);
        hn_model_loss(t, m, hone_input_i32(t, ids, 2, shape), hone_input_i32(t, targets, 2, shape),
                      &(hone_cross_entropy_opts){.per_token = nll});
        if (!hone_ok(t)) return false;
        for (int64_t b = 0; b < B; b++)
            for (int64_t i = from[b]; i < at[b] + T; i++) lp[i] = -(double)nll[b * T + i - at[b]];
        if (hn_stopped(a->job)) return HN_FAIL(a, HONE_E_INTERRUPTED, .what = "stopped while scoring");
    }
    return true;
}

static bool run(void *arg) {
    call *c = arg;
    hone_model *m = c->m;
    hn_arena *result = hn_job_arena(c->job), *a = hn_arena_new(result);
    if (!m->tok) {
        hn_arena_free(a);
        return HN_FAIL(result, HONE_E_MODEL, .what = "the model has no tokenizer",
                       .hint = "put the tokenizer.json that it was trained with into its folder");
    }
    hn_ids x = {0};
    int64_t skip = m->tok->bos >= 0; /* the beginning token is read, not scored */
    if (skip) hn_push(a, &x, m->tok->bos);
    bool ok = hn_encode(m->tok, a, c->text, c->bytes, &x) && (c->tape = hone_tape_new(c->job, NULL));
    int64_t n = x.n - skip;
    if (ok) {
        *c->out = (hone_score){
            .ids = hn_new_n(result, int32_t, n + 1), .logprobs = hn_new_n(result, double, n + 1), .n = n, .bits_per_byte = NAN};
        double *lp = hn_new_n(a, double, x.n + 1);
        ok = x.n < 2 || score(a, c->tape, m, x.v, x.n - 1, lp);
        int64_t bytes = 0;
        for (int64_t i = 0; ok && i < n; i++) {
            bool scored = i + skip > 0;
            c->out->ids[i] = x.v[i + skip];
            c->out->logprobs[i] = scored ? lp[i + skip - 1] : NAN;
            c->out->sum += scored ? c->out->logprobs[i] : 0;
            bytes += scored ? m->tok->pieces[x.v[i + skip]].n : 0;
        }
        if (ok && !isfinite(c->out->sum)) ok = hn_model_finite(result, m);
        if (bytes) c->out->bits_per_byte = -c->out->sum / M_LN2 / (double)bytes;
    }
    hone_tape_free(c->tape);
    hn_arena_free(a);
    return ok;
}

bool hone_score_text(hone_job *job, hone_model *m, const char *text, int64_t bytes, hone_score *out) {
    call c = {job, m, text, bytes, out, NULL};
    *out = (hone_score){0};
    return hn_try(job, run, &c);
}
