/* ensemble.c - several models that answer as one: the mean of their probabilities.
 *
 *     p(y|x) = 1/n Σ p_k(y|x)
 *
 * An ensemble has no weights of its own and is not trained: its members are, each by itself. On a tape with a key-value cache each member
 * has layers of its own in it. Rows of logits are made in small groups, so that the logits of a whole batch never stand together.
 * A target's loss is put together from log-probabilities, so it is exact where the probabilities themselves would underflow.
 * Limits: members share the tokenizer, the context and the width of keys and values. An answer costs n times one model's.
 * Source: Lakshminarayanan et al. 2017, arXiv:1612.01474. */
#include "model/model.h"
#include <float.h>
#include <math.h>

enum { ROWS = 64, MEMBERS_MOST = 64 };

bool hn_model_is_one(hn_arena *a, const hone_model *m, const char *doing) {
    return !m->members || HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "an ensemble cannot be %s: it is %lld models", doing, (long long)m->n_members),
                                  .where = m->path, .hint = "Take one of its members: each is a folder of its own in the ensemble's.");
}

static bool agree(hn_arena *a, const hone_model *x, const hone_model *y, int64_t k) {
    const struct { const char *what; int64_t x, y; } v[] = { { "vocabulary", x->vocab, y->vocab }, { "context", x->context, y->context },
                                                             { "channels of keys", x->kv_width, y->kv_width } };
    for (int64_t i = 0; i < HN_LEN(v); i++)
        if (v[i].x != v[i].y)
            return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "member %lld of the ensemble has another %s than member 0", (long long)k, v[i].what),
                           .wanted = hn_fmt(a, "%lld", (long long)v[i].x), .found = hn_fmt(a, "%lld", (long long)v[i].y));
    if (!x->tok != !y->tok || (x->tok && hn_tokenizer_hash(a, x->tok) != hn_tokenizer_hash(a, y->tok)))
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "member %lld of the ensemble has another tokenizer than member 0", (long long)k));
    return true;
}

hone_model *hn_ensemble_new(hn_arena *a, hone_model *const *members, int64_t n) {
    if (n < 1 || n > MEMBERS_MOST) {
        (void)HN_FAIL(a, HONE_E_VALUE, .what = "an ensemble of so many members is not made", .wanted = hn_fmt(a, "1 … %d", MEMBERS_MOST),
                      .found = hn_fmt(a, "%lld", (long long)n));
        return NULL;
    }
    if (members[0]->arch->logits) {
        (void)HN_FAIL(a, HONE_E_VALUE, .what = "models that classify whole texts make no ensemble here", .wanted = "language models");
        return NULL;
    }
    hone_model **v = hn_new_n(a, hone_model *, n), *m = hn_new(a, hone_model);
    *m = *members[0];
    m->a = a, m->w = NULL, m->n_w = 0, m->head = NULL, m->own = NULL, m->adapter = NULL, m->config = NULL, m->path = NULL, m->layers = 0;
    for (int64_t i = 0; i < n; i++) {
        v[i] = members[i];
        if (!hn_model_is_one(a, v[i], "a member") || !agree(a, v[0], v[i], i)) return NULL;
        v[i]->first_layer = m->layers;
        m->layers += v[i]->layers;
    }
    m->members = v, m->n_members = n;
    return m;
}

/* Group of rows [r, r + n) through every member: hidden[k] (rows,C). fn sees one member's logits and probabilities (n,V) at a time. */
typedef void (*member_fn)(void *user, const float *logits, const float *p, int64_t r, int64_t n);

static bool each_group(hone_tape *t, hone_model *m, hone_tensor *const *hidden, int64_t rows, member_fn fn, void *user,
                       void (*after)(void *user, int64_t r, int64_t n)) {
    for (int64_t r = 0; r < rows; r += ROWS) {
        int64_t n = HN_MIN(ROWS, rows - r);
        for (int64_t k = 0; k < m->n_members; k++) {
            const hone_model *x = m->members[k];
            float *h = hone_tensor_f32(hidden[k]);
            if (!h) return false;
            hn_block_begin(t);
            hone_tensor *part = hone_input_f32(t, h + r * x->width, 2, (int64_t[]){ n, x->width });
            hone_tensor *y = hone_linear(t, part, x->head, NULL, false, HONE_ACT_NONE), *p = hone_softmax(t, y);
            const float *logits = hone_tensor_f32(y), *probabilities = hone_tensor_f32(p);
            if (!hone_ok(t) || !logits || !probabilities) return false;
            fn(user, logits, probabilities, r, n);
            hn_block_end(t, hidden[k]);
        }
        after(user, r, n);
    }
    return true;
}

static bool forward(hone_tape *t, hone_model *m, const hn_sequence *in, hone_tensor **hidden) {
    for (int64_t k = 0; k < m->n_members; k++) hidden[k] = m->members[k]->arch->forward(t, m->members[k], in);
    return hone_ok(t);
}

/* ---- loss ---- */
typedef struct loss_work {
    int64_t V, members;
    const int32_t *y;
    float *p;                    /* (ROWS,V) sum of probabilities */
    double *log_p;               /* (ROWS) log Σ p_k(target) */
    double sum, counted;
    float *per_token;
    int32_t *best;
} loss_work;

static double log_add(double x, double y) { return x > y ? x + log1p(exp(y - x)) : isinf(y) ? y : y + log1p(exp(x - y)); }

static void loss_member(void *user, const float *logits, const float *p, int64_t r, int64_t n) {
    loss_work *w = user;
    for (int64_t i = 0; i < n; i++) {
        const float *z = logits + i * w->V, *q = p + i * w->V;
        float *sum = w->p + i * w->V;
        int64_t top = 0;
        for (int64_t v = 0; v < w->V; v++) {
            sum[v] += q[v];
            if (z[v] > z[top]) top = v;
        }
        int32_t y = w->y[r + i];
        if (y >= 0 && y < w->V) w->log_p[i] = log_add(w->log_p[i], (double)z[y] - (double)z[top] + log((double)q[top]));
    }
}

static void loss_clear(loss_work *w) {
    memset(w->p, 0, (size_t)(ROWS * w->V) * sizeof(float));
    for (int i = 0; i < ROWS; i++) w->log_p[i] = -INFINITY;
}

static void loss_after(void *user, int64_t r, int64_t n) {
    loss_work *w = user;
    for (int64_t i = 0; i < n; i++) {
        bool counts = w->y[r + i] >= 0;
        double nll = counts ? log((double)w->members) - w->log_p[i] : 0;
        const float *p = w->p + i * w->V;
        int64_t top = 0;
        for (int64_t v = 1; v < w->V; v++)
            if (p[v] > p[top]) top = v;
        w->sum += nll, w->counted += counts;
        if (w->per_token) w->per_token[r + i] = (float)nll;
        if (w->best) w->best[r + i] = counts && isfinite(nll) ? (int32_t)top : -1;
    }
    loss_clear(w);
}

hone_tensor *hn_ensemble_loss(hone_tape *t, hone_model *m, const hn_sequence *in, hone_tensor *targets, const hone_cross_entropy_opts *o) {
    hn_arena *a = hn_arena_new(m->a);
    hone_tensor **hidden = hn_new_n(a, hone_tensor *, m->n_members);
    loss_work w = { .V = m->vocab, .members = m->n_members, .y = targets->data, .per_token = o ? o->per_token : NULL, .best = o ? o->best : NULL,
                    .p = hn_new_n(a, float, ROWS * m->vocab), .log_p = hn_new_n(a, double, ROWS) };
    float loss = NAN;
    if (hn_tape_mode(t) == HONE_TRAIN)
        hn_tape_fail(t, HONE_E_VALUE, &(hn_why){ .what = "an ensemble is not trained", .hint = "Train one of its members." });
    else if (o && (o->smoothing > 0 || o->weights || o->ignore))
        hn_tape_fail(t, HONE_E_INTERNAL, &(hn_why){ .what = "the loss of an ensemble is plain cross-entropy" });
    loss_clear(&w);
    if (hone_ok(t) && forward(t, m, in, hidden) && each_group(t, m, hidden, hn_count(targets), loss_member, &w, loss_after))
        loss = (float)(w.sum / (o && o->denominator > 0 ? o->denominator : fmax(w.counted, 1)));
    hn_arena_free(a);
    return hone_input_f32(t, &loss, 1, (int64_t[]){ 1 });
}

/* ---- logits: the logarithm of the mean probability; so small that it is none is as small as a float can be ---- */
typedef struct logit_work { int64_t V, members; float *out; } logit_work;

static void logit_member(void *user, const float *logits, const float *p, int64_t r, int64_t n) {
    logit_work *w = user;
    for (int64_t i = 0; i < n * w->V; i++) w->out[r * w->V + i] += p[i];
}

static void logit_after(void *user, int64_t r, int64_t n) {
    logit_work *w = user;
    float *v = w->out + r * w->V;
    for (int64_t i = 0; i < n * w->V; i++) v[i] = isnan(v[i]) ? NAN : logf(fmaxf(v[i] / (float)w->members, FLT_MIN));
}

bool hn_ensemble_logits(hone_tape *t, hone_model *m, const int32_t *ids, int64_t B, int64_t T, bool all_positions, float *out) {
    hn_arena *a = hn_arena_new(m->a);
    hone_tensor **hidden = hn_new_n(a, hone_tensor *, m->n_members);
    int64_t rows = all_positions ? B * T : B;
    logit_work w = { m->vocab, m->n_members, out };
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    bool ok = forward(t, m, &(hn_sequence){ .ids = hone_input_i32(t, ids, 2, (int64_t[]){ B, T }), .positions = hn_tape_positions(t, B, T) }, hidden);
    for (int64_t k = 0; ok && !all_positions && T > 1 && k < m->n_members; k++) {
        float *h = hone_tensor_f32(hidden[k]);
        int64_t C = m->members[k]->width;
        for (int64_t b = 0; h && b < B; b++) memmove(h + b * C, h + (b * T + T - 1) * C, (size_t)C * sizeof(float));
    }
    memset(out, 0, (size_t)(rows * m->vocab) * sizeof(float));
    ok = ok && each_group(t, m, hidden, rows, logit_member, &w, logit_after) && hone_ok(t);
    hn_arena_free(a);
    return ok;
}
