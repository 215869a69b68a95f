/* loglik.c - log-likelihoods of continuations given contexts, encoded as lm-evaluation-harness encodes them, so that numbers can be
 * compared with published ones.
 *
 * - White space at the end of a context moves to the beginning of the continuation.
 * - Context and context + continuation are encoded, each with the token that begins texts where the tokenizer adds one; the continuation's
 *   tokens are those of the whole behind as many as the context has.
 * - An empty context is the token that begins texts, else the one that ends them.
 * - Too long: the context loses tokens on its left; a continuation longer than the model's context is refused.
 * - Rolling: the whole text in windows that do not overlap, the first behind that token, each later one behind the token before it.
 * Requests run longest first, rows filled up on their right with targets that do not count: a causal model does not see them.
 * Source: EleutherAI, lm_eval/api/model.py and models/huggingface.py. */
#include "eval/task.h"
#include <math.h>
#include <stdlib.h>

typedef struct job {                  /* ids[0 … n]: read ids[0 … n−1], score the last `scored` of the n predictions */
    const int32_t *ids;
    int64_t n, scored, request, order;
} job;
typedef HN_VEC(job) jobs;

static int32_t first_token(const hn_tokenizer *t) { return t->bos >= 0 ? t->bos : t->eos; }

static bool refuse(hn_arena *a, const hn_request *r, const char *what, const char *wanted, const char *found, const char *hint) {
    return HN_FAIL(a, HONE_E_DATA, .what = what, .where = r->where, .wanted = wanted, .found = found, .hint = hint);
}

static bool has_first(hn_arena *a, const hone_model *m) {
    return first_token(m->tok) >= 0 || HN_FAIL(a, HONE_E_MODEL, .what = "the tokenizer has no token that begins or ends a text, which stands for an empty context",
                                               .hint = "Give every item a prompt, or the tokenizer such a token.");
}

static bool put(hn_arena *a, const hone_model *m, const hn_encoder *e, const char *s, int64_t n, bool first, hn_ids *out) {
    if (first && m->tok->bos >= 0) hn_push(a, out, m->tok->bos);
    return hn_encoder_put(e, a, s, n, out);
}

static bool encode(hn_arena *a, hone_model *m, const hn_encoder *e, hn_request *r, int64_t index, jobs *out) {
    int64_t from = 0, to = (int64_t)strlen(r->context);
    hn_strip(r->context, &from, &to, 2);
    const char *tail = hn_fmt(a, "%s%s", r->context + to, r->continuation), *whole = hn_fmt(a, "%s%s", r->context, r->continuation);
    hn_ids ids = { 0 }, head = { 0 };
    int64_t before;
    if (!to) { /* nothing but white space, or nothing */
        if (!has_first(a, m)) return false;
        hn_ids rest = { 0 };
        if (!put(a, m, e, tail, (int64_t)strlen(tail), false, &rest)) return false;
        if (!rest.n || rest.v[0] != first_token(m->tok)) hn_push(a, &ids, first_token(m->tok));
        for (int64_t i = 0; i < rest.n; i++) hn_push(a, &ids, rest.v[i]);
        before = 1;
    } else {
        if (!put(a, m, e, whole, (int64_t)strlen(whole), true, &ids) || !put(a, m, e, r->context, to, true, &head)) return false;
        before = head.n;
    }
    int64_t scored = ids.n - before;
    if (scored < 1 || before < 1)
        return refuse(a, r, "the answer has no token of its own", "a text behind the prompt", hn_fmt(a, "'%.60s'", r->continuation),
                      "An empty choice cannot be scored; the prompt's last token may have swallowed it.");
    if (scored > m->context)
        return refuse(a, r, "the answer is longer than the model's context", hn_fmt(a, "at most %lld tokens", (long long)m->context),
                      hn_fmt(a, "%lld tokens", (long long)scored), "Take a model of longer context, or leave this item out.");
    int64_t n = HN_MIN(ids.n - 1, m->context);
    r->tokens = scored;
    hn_push(a, out, (job){ ids.v + (ids.n - 1 - n), n, scored, index, out->n });
    return true;
}

static bool encode_rolling(hn_arena *a, hone_model *m, const hn_encoder *e, hn_request *r, int64_t index, jobs *out) {
    hn_ids ids = { 0 };
    if (!has_first(a, m)) return false;
    hn_push(a, &ids, first_token(m->tok));
    if (!put(a, m, e, r->continuation, (int64_t)strlen(r->continuation), true, &ids)) return false;
    r->tokens = ids.n - 1;
    for (int64_t at = 0; at < ids.n - 1; at += m->context) {
        int64_t k = HN_MIN(m->context, ids.n - 1 - at);
        /* A later window that is short reads what stands before it, too: as many as the context has room for. */
        int64_t start = at ? HN_MAX(at + k - m->context, 0) : 0;
        hn_push(a, out, (job){ ids.v + start, at + k - start, k, index, out->n });
    }
    return true;
}

static int longest_first(const void *x, const void *y) {
    const job *a = x, *b = y;
    return a->n != b->n ? (a->n < b->n) - (a->n > b->n) : (a->order > b->order) - (a->order < b->order);
}

typedef struct space { int32_t *x, *y, *best; float *nats; } space;

static bool run(hn_arena *a, hone_tape *tape, hone_model *m, const job *j, int64_t B, space *s, hn_request *r) {
    int64_t T = j->n;
    for (int64_t b = 0; b < B; b++)
        for (int64_t t = 0; t < T; t++) {
            bool in = t < j[b].n;
            s->x[b * T + t] = in ? j[b].ids[t] : 0;
            s->y[b * T + t] = in && t >= j[b].n - j[b].scored ? j[b].ids[t + 1] : -1;
        }
    const int64_t shape[] = { B, T };
    hone_tape_begin(tape, HONE_EVAL, 0, 0);
    hone_tensor *ids = hone_input_i32(tape, s->x, 2, shape), *targets = hone_input_i32(tape, s->y, 2, shape);
    hn_model_loss(tape, m, ids, targets, &(hone_cross_entropy_opts){ .denominator = 1, .per_token = s->nats, .best = s->best });
    if (!hone_ok(tape)) return false;
    for (int64_t b = 0; b < B; b++)
        for (int64_t t = j[b].n - j[b].scored; t < j[b].n; t++) {
            double nats = (double)s->nats[b * T + t];
            hn_request *q = &r[j[b].request];
            if (!isfinite(nats))
                return HN_FAIL(a, HONE_E_NUMERIC, .what = "a log-likelihood is not a finite number", .where = q->where,
                               .hint = "The model's weights hold NaN or infinity, or overflow.");
            q->loglik -= nats;
            q->greedy &= s->best[b * T + t] == s->y[b * T + t];
        }
    return true;
}

typedef bool encoder(hn_arena *a, hone_model *m, const hn_encoder *e, hn_request *r, int64_t index, jobs *out);

static bool score(hn_arena *keep, hone_model *m, hn_request *r, int64_t n, int64_t batch, encoder *fn) {
    hn_arena *a = hn_arena_new(keep);
    jobs v = { 0 };
    hn_encoder e = hn_encoder_new(a, m->tok);
    for (int64_t i = 0; i < n; i++) {
        r[i].loglik = 0;
        r[i].greedy = true;
        if (!fn(a, m, &e, &r[i], i, &v)) return false;
        if (hn_stopped(keep->job)) return HN_FAIL(keep, HONE_E_INTERRUPTED, .what = "stopped while evaluating");
    }
    qsort(v.v, (size_t)v.n, sizeof *v.v, longest_first);
    int64_t most = v.n ? v.v[0].n : 1, rows = HN_MIN(HN_MAX(batch, 1), HN_MAX(v.n, 1));
    space s = { hn_new_n(a, int32_t, rows * most), hn_new_n(a, int32_t, rows * most), hn_new_n(a, int32_t, rows * most), hn_new_n(a, float, rows * most) };
    hone_tape *tape = hone_tape_new(keep->job, NULL);
    bool ok = tape != NULL;
    double began = hn_now(), told = began;
    for (int64_t at = 0; ok && at < v.n; at += rows) {
        ok = run(keep, tape, m, v.v + at, HN_MIN(rows, v.n - at), &s, r);
        if (ok && hn_stopped(keep->job)) ok = HN_FAIL(keep, HONE_E_INTERRUPTED, .what = "stopped while evaluating");
        if (hn_now() - told < 0.5) continue;
        told = hn_now();
        hn_progress(keep, "evaluate", at, v.n, (double)at / (told - began), "answers", NAN);
    }
    hone_tape_free(tape);
    hn_arena_free(a);
    return ok;
}

bool hn_loglik(hn_arena *a, hone_model *m, hn_request *r, int64_t n, int64_t batch) { return score(a, m, r, n, batch, encode); }
bool hn_loglik_rolling(hn_arena *a, hone_model *m, hn_request *r, int64_t n, int64_t batch) { return score(a, m, r, n, batch, encode_rolling); }
