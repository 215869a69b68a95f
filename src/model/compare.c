/* compare.c - do two models say the same? Log-probabilities on a few prompts, beside each other.
 *
 * The prompts are made up, of ids that both know, from a fixed seed: every row of the embedding is as likely as any other, and no text
 * has to be at hand. Looked at are the log-probabilities of the token that follows and of the token that the first model holds
 * likeliest, at every place. Rounding alone should part a model from what its export gives. Of a model that classifies, the labels'. */
#include "model/model.h"
#include <math.h>

enum { PROMPTS = 4, LONGEST = 32 };

static double log_prob(const float *z, int64_t V, int64_t id) {
    double top = -INFINITY, sum = 0;
    for (int64_t v = 0; v < V; v++)
        if (z[v] > top) top = z[v]; /* gcc 12.2 for arm64 breaks down at fmax() here */
    for (int64_t v = 0; v < V; v++) sum += exp(z[v] - top);
    return z[id] - top - log(sum);
}

static int64_t likeliest(const float *z, int64_t V) {
    int64_t best = 0;
    for (int64_t v = 1; v < V; v++)
        if (z[v] > z[best]) best = v;
    return best;
}

/* NaN stays: a model that answers with one is not the same. */
static double farther(double far, double x, double y) {
    double d = fabs(x - y);
    return d > far || isnan(d) ? d : far;
}

static bool answers(hone_tape *t, hone_model *m, const int32_t *ids, int64_t T, int64_t *rows, int64_t *V, float *out) {
    *rows = m->arch->logits ? 1 : T;
    if (!m->arch->logits) return *V = m->vocab, hn_model_logits(t, m, ids, 1, T, true, out);
    hone_tape_begin(t, HONE_EVAL, 0, 0);
    hone_tensor *y = hn_model_classify(t, m, hone_input_i32(t, ids, 2, (int64_t[]){ 1, T }));
    const float *z = hone_tensor_f32(y);
    if (!hone_ok(t) || !z) return false;
    *V = hn_cols(y);
    memcpy(out, z, (size_t)*V * sizeof *out);
    return true;
}

bool hn_model_compare(hn_arena *outer, hone_model *x, hone_model *y, double *largest) {
    hn_arena *a = hn_arena_new(outer);
    int64_t T = HN_MIN(HN_MIN(x->context, y->context), LONGEST), room = HN_MAX(T * HN_MAX(x->vocab, y->vocab), 1 << 20);
    int32_t ids[LONGEST];
    float *zx = hn_new_n(a, float, room), *zy = hn_new_n(a, float, room);
    hone_tape *t = hone_tape_new(a->job, NULL);
    bool ok = t != NULL;
    *largest = 0;
    for (int64_t k = 0; ok && k < PROMPTS; k++) {
        int64_t rows = 0, V = 0, other = 0;
        hn_rng r = hn_rng_new(1, HN_STREAM_SAMPLE, (uint32_t)k);
        for (int64_t i = 0; i < T; i++) ids[i] = (int32_t)hn_rng_below(&r, HN_MIN(x->vocab, y->vocab));
        ok = answers(t, x, ids, T, &rows, &V, zx) && answers(t, y, ids, T, &rows, &other, zy);
        if (ok && V != other) {
            *largest = INFINITY;
            break;
        }
        for (int64_t i = 0; ok && i < rows; i++) {
            const float *p = zx + i * V, *q = zy + i * V;
            int64_t best = likeliest(p, V), next = rows > 1 && i + 1 < T ? ids[i + 1] : best;
            *largest = farther(*largest, log_prob(p, V, best), log_prob(q, V, best));
            *largest = farther(*largest, log_prob(p, V, next), log_prob(q, V, next));
        }
    }
    hone_tape_free(t);
    hn_arena_free(a);
    return ok;
}

bool hn_export_check(hn_arena *outer, hone_model *m, const char *dir, bool exact, double *largest) {
    hn_arena *a = hn_arena_new(outer);
    hone_model *back = hn_model_load(a, dir);
    bool ok = back && hn_model_compare(a, m, back, largest);
    hn_arena_free(a);
    if (ok && (!isfinite(*largest) || (exact && *largest > 0)))
        return HN_FAIL(outer, HONE_E_NUMERIC, .what = "what was written does not say what the model says", .where = dir,
                       .found = hn_fmt(outer, "log-probabilities that differ by %g", *largest),
                       .hint = "do not use the folder; the disk may be full or failing");
    return ok;
}
