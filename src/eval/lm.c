/* lm.c - loss of a language model on held-out text, as every other room means it.
 *
 * A span is cut into windows of `context` tokens that do not overlap: window k reads tokens [kT, kT + T) and predicts the same
 * shifted by one. So every token of the span but its first is predicted exactly once, at whatever position its window gives it, and
 * two models of different context still predict the same tokens. Short windows are filled up with ignored targets: the shapes stay
 * the same, and a causal model does not see what follows.
 * Items are made of predicted tokens, not of windows, so they too are the same for every context. Of samples (tokens with a mask) only what
 * is to be learned is asked for, and a sample is one item.
 * Where all spans are shorter than the context, so are the windows.
 * With a stride below the context windows slide: the first is as above, each later one ends `stride` tokens further on, is full, and
 * predicts those tokens alone, each from at least context − stride before it. A span's last window may predict fewer. As
 * lm-evaluation-harness' get_rolling_token_windows with context_len = context − stride + 1.
 * A token counts as guessed right when it has the largest logit; of equal ones the first does, as torch.argmax has it. */
#include "eval/eval.h"
#include <math.h>

typedef struct place { int64_t span, at; } place;            /* a span, and a token within it */
typedef struct tally { double nats; int64_t tokens, right, bytes; } tally;
typedef struct work {
    const hn_tokens *t;
    const hn_tokenizer *tok;
    int64_t T, stride, item_tokens;
    int64_t *first_item;                                      /* (n_spans) number of a span's first item */
    int64_t *span_items;
    tally *item; int64_t n_items;
} work;

static int64_t windows_of(int64_t n, int64_t T, int64_t stride) { return n < 2 ? 0 : 1 + (HN_MAX(n - 1 - T, 0) + stride - 1) / stride; }

/* Next window with something to predict; false at the end. p: the first token whose successor was not yet predicted. The window reads n
 * tokens from `start` on, and what follows the first `seen` of them was predicted before. */
static bool next_window(const work *w, place *p, int64_t *start, int64_t *n, int64_t *seen)
{
    for (; p->span < w->t->n_spans; p->span++, p->at = 0) {
        const hn_span *s = &w->t->spans[p->span];
        int64_t left = s->n - 1 - p->at;
        if (left <= 0) continue;
        int64_t end = p->at + HN_MIN(left, p->at ? w->stride : w->T), from = w->stride < w->T ? HN_MAX(end - w->T, 0) : p->at;
        *start = s->start + from;
        *n = end - from;
        *seen = p->at - from;
        return true;
    }
    return false;
}

static int64_t item_of(const work *w, int64_t span, int64_t predicted)
{
    int64_t i = w->item_tokens ? predicted / w->item_tokens : 0;
    return w->first_item[span] + HN_MIN(i, w->span_items[span] - 1);
}

static void lay_out_items(hn_arena *a, work *w)
{
    w->first_item = hn_new_n(a, int64_t, w->t->n_spans + 1);
    w->span_items = hn_new_n(a, int64_t, w->t->n_spans + 1);
    for (int64_t s = 0; s < w->t->n_spans; s++) {
        int64_t n = w->t->spans[s].n - 1, whole = w->item_tokens ? n / w->item_tokens : 1;
        if (w->item_tokens && (n % w->item_tokens) * 2 >= w->item_tokens) whole++;
        w->first_item[s] = w->n_items;
        w->span_items[s] = n > 0 ? HN_MAX(whole, 1) : 0;
        w->n_items += w->span_items[s];
    }
    w->item = hn_new_n(a, tally, w->n_items + 1);
}

/* No window is longer than the longest span asks for. */
static int64_t window(const hn_tokens *t, int64_t context)
{
    int64_t longest = 1;
    for (int64_t s = 0; s < t->n_spans; s++) longest = HN_MAX(longest, t->spans[s].n - 1);
    return HN_MIN(longest, context);
}

static int32_t cluster_of(const hn_tokens *t, int64_t span, int64_t item, bool several_docs, bool several_spans)
{
    return several_docs ? t->spans[span].doc : (int32_t)(several_spans ? span : item);
}

/* Cluster-robust standard error of a ratio of sums: residuals r = nats − loss·tokens, added up within a cluster. Clusters are
 * consecutive: spans come in the order of their documents. */
static double ratio_stderr(const work *w, const int32_t *cluster, double loss, int64_t tokens)
{
    double sum = 0, squares = 0;
    int64_t clusters = 0;
    for (int64_t i = 0; i < w->n_items; i++) {
        sum += w->item[i].nats - loss * (double)w->item[i].tokens;
        if (i + 1 < w->n_items && cluster[i + 1] == cluster[i]) continue;
        squares += sum * sum;
        sum = 0;
        clusters++;
    }
    return clusters > 1 ? sqrt(squares * (double)clusters / (double)(clusters - 1)) / (double)tokens : NAN;
}

static void finish(hn_arena *a, const work *w, hn_arena *keep, hn_lm_result *out, hn_items *items)
{
    tally all = { 0 };
    for (int64_t i = 0; i < w->n_items; i++)
        all.nats += w->item[i].nats, all.tokens += w->item[i].tokens, all.right += w->item[i].right, all.bytes += w->item[i].bytes;
    bool several_docs = false, several_spans = w->t->n_spans > 1;
    for (int64_t s = 1; s < w->t->n_spans; s++) several_docs |= w->t->spans[s].doc != w->t->spans[0].doc;
    int32_t *cluster = hn_new_n(items ? keep : a, int32_t, w->n_items + 1);
    for (int64_t s = 0; s < w->t->n_spans; s++)
        for (int64_t i = w->first_item[s]; i < w->first_item[s] + w->span_items[s]; i++)
            cluster[i] = cluster_of(w->t, s, i, several_docs, several_spans);
    double loss = all.nats / (double)all.tokens;
    *out = (hn_lm_result){ .loss = loss, .perplexity = exp(loss), .accuracy = (double)all.right / (double)all.tokens,
                           .tokens = all.tokens, .bytes = all.bytes,
                           .bits_per_byte = all.bytes ? all.nats / M_LN2 / (double)all.bytes : NAN,
                           .stderr_ = ratio_stderr(w, cluster, loss, all.tokens) };
    if (!items) return;
    items->n = w->n_items;
    items->cluster = cluster;
    items->doc = hn_new_n(keep, int32_t, w->n_items + 1);
    for (int64_t s = 0; s < w->t->n_spans; s++)
        for (int64_t i = w->first_item[s]; i < w->first_item[s] + w->span_items[s]; i++) items->doc[i] = w->t->spans[s].doc;
    items->loss = hn_new_n(keep, double, w->n_items + 1);
    items->bits_per_byte = hn_new_n(keep, double, w->n_items + 1);
    items->accuracy = hn_new_n(keep, double, w->n_items + 1);
    items->tokens = hn_new_n(keep, int64_t, w->n_items + 1);
    items->bytes = hn_new_n(keep, int64_t, w->n_items + 1);
    for (int64_t i = 0; i < w->n_items; i++) {
        const tally *x = &w->item[i];
        items->tokens[i] = x->tokens;
        items->bytes[i] = x->bytes;
        items->loss[i] = x->tokens ? x->nats / (double)x->tokens : NAN;
        items->accuracy[i] = x->tokens ? (double)x->right / (double)x->tokens : NAN;
        items->bits_per_byte[i] = x->bytes ? x->nats / M_LN2 / (double)x->bytes : NAN;
    }
}

/* One batch of windows: ids and targets (B,T), and where each row came from. */
typedef struct batch { int32_t *x, *y, *best; float *nats; place *from; int64_t rows; } batch;

static bool run_batch(hn_arena *a, hone_tape *tape, hone_model *m, work *w, batch *b, int64_t B)
{
    for (int64_t i = b->rows * w->T; i < B * w->T; i++) b->x[i] = 0, b->y[i] = -1;
    int64_t shape[2] = { B, w->T };
    hone_tape_begin(tape, HONE_EVAL, 0, 0);
    hone_tensor *ids = hone_input_i32(tape, b->x, 2, shape), *targets = hone_input_i32(tape, b->y, 2, shape);
    hn_model_loss(tape, m, ids, targets, &(hone_cross_entropy_opts){ .denominator = 1, .per_token = b->nats, .best = b->best });
    if (!hone_ok(tape)) return false;
    for (int64_t r = 0; r < b->rows; r++) {
        const hn_span *s = &w->t->spans[b->from[r].span];
        for (int64_t j = 0; j < w->T; j++) {
            int32_t id = b->y[r * w->T + j];
            double nats = (double)b->nats[r * w->T + j];
            if (id < 0) continue;
            if (!isfinite(nats))
                return HN_FAIL(a, HONE_E_NUMERIC, .what = hn_fmt(a, "the loss of token %lld of the held-out text is not a finite number",
                                                                 (long long)(s->start + b->from[r].at + j + 1)),
                               .hint = "the model's weights hold NaN or infinity, or overflow: train with a lower optim.lr");
            tally *x = &w->item[item_of(w, b->from[r].span, b->from[r].at + j)];
            x->nats += nats;
            x->tokens++;
            x->right += b->best[r * w->T + j] == id;
            if (w->tok && id < w->tok->vocab) x->bytes += w->tok->pieces[id].n;
        }
    }
    b->rows = 0;
    return true;
}

static void add_row(const work *w, batch *b, place p, int64_t start, int64_t n, int64_t seen)
{
    int32_t *x = b->x + b->rows * w->T, *y = b->y + b->rows * w->T;
    for (int64_t j = 0; j < w->T; j++) {
        x[j] = j < n ? hn_token_at(w->t, start + j) : 0;
        y[j] = j >= seen && j < n && hn_token_learned(w->t, start + j + 1) ? hn_token_at(w->t, start + j + 1) : -1;
    }
    b->from[b->rows++] = (place){ p.span, p.at - seen };
}

/* Without a tokenizer the bytes of a span are shared out by its tokens. */
static void share_bytes(work *w)
{
    for (int64_t s = 0; s < w->t->n_spans; s++)
        for (int64_t i = w->first_item[s]; i < w->first_item[s] + w->span_items[s]; i++)
            w->item[i].bytes = llround((double)w->t->spans[s].bytes * (double)w->item[i].tokens / (double)w->t->spans[s].n);
}

static bool all_batches(hn_arena *a, hone_tape *tape, hone_model *m, work *w, int64_t B, int64_t max_tokens)
{
    int64_t n = B * w->T;
    batch b = { hn_new_n(a, int32_t, n), hn_new_n(a, int32_t, n), hn_new_n(a, int32_t, n), hn_new_n(a, float, n), hn_new_n(a, place, B), 0 };
    int64_t total = 0, passed = 0, taken = 0, start, seen;
    for (int64_t s = 0; s < w->t->n_spans; s++) total += windows_of(w->t->spans[s].n, w->T, w->stride);
    int64_t want = max_tokens > 0 ? HN_MIN(total, HN_MAX(max_tokens / w->T, 1)) : total;
    double told = hn_now(), began = told;
    for (place p = { 0 }; next_window(w, &p, &start, &n, &seen); p.at += n - seen, passed++) {
        if ((double)taken * (double)total > (double)passed * (double)want) continue;     /* evenly spread */
        add_row(w, &b, p, start, n, seen);
        taken++;
        if (b.rows < B) continue;
        if (!run_batch(a, tape, m, w, &b, B)) return false;
        if (hn_now() - told < 0.5) continue;
        told = hn_now();
        hn_progress(a, "evaluate", taken, want, (double)(taken * w->T) / (told - began), "tok", NAN);
    }
    return !b.rows || run_batch(a, tape, m, w, &b, B);
}

bool hn_eval_lm_on(hn_arena *keep, hone_tape *tape, hone_model *m, const hn_tokens *t, int64_t context, int64_t B, int64_t max_tokens,
                   hn_lm_result *out, hn_items *items)
{
    HN_ASSERT(B > 0 && context > 0 && (!items || !max_tokens));
    hn_arena *a = hn_arena_new(keep);
    work w = { .t = t, .tok = m->tok, .T = window(t, context), .item_tokens = items && !t->learn ? items->item_tokens : 0 };
    w.stride = items && items->stride ? HN_MIN(items->stride, w.T) : w.T;
    lay_out_items(a, &w);
    if (!w.n_items)
        return HN_FAIL(keep, HONE_E_DATA, .what = "the held-out text has nothing to predict", .wanted = "a piece of at least 2 tokens",
                       .found = hn_fmt(keep, "%lld tokens in %lld pieces", (long long)t->n, (long long)t->n_spans),
                       .hint = "give more text, or a larger data.valid_fraction");
    bool ok = all_batches(a, tape, m, &w, B, max_tokens);
    if (ok && !w.tok) share_bytes(&w);
    if (ok) finish(a, &w, keep, out, items);
    hn_arena_free(a);
    return ok;
}

bool hn_eval_lm(hn_arena *a, hone_model *m, const hn_tokens *t, int64_t context, int64_t B, hn_lm_result *out, hn_items *items)
{
    hone_tape *tape = hone_tape_new(a->job, NULL);
    if (!tape) return false;
    bool ok = hn_eval_lm_on(a, tape, m, t, HN_MIN(context, m->context), B, 0, out, items);
    hone_tape_free(tape);
    return ok;
}
