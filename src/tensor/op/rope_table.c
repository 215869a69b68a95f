/* rope_table.c - the cosines and sines that rope turns by: row t holds cos(p·f_i) for each pair i, then sin(p·f_i). Su et al. 2021,
 * arXiv:2104.09864. p is positions[b,t], or the tape's position + t.
 *
 * f_i = base^(−2i/R), changed by the scaling, where L is `original`, the context that the model was first trained with:
 *   linear   f/factor (Chen et al. 2023, arXiv:2306.15595).
 *   dynamic  past L, base grows with the length n of the row so far: base·(factor·n/L − factor + 1)^(R/(R−2)) ("NTK-aware").
 *   llama3   wavelengths over L/low by factor, under L/high unchanged, between them blended (Llama 3.1).
 *   yarn     dimensions that turn more than beta_fast times in L unchanged, less than beta_slow times by factor, between them blended;
 *            cosines and sines times `attention` (Peng et al. 2023, arXiv:2309.00071).
 * Nothing in it is trained. */
#include "tensor/op/op.h"

static const hn_rope_table_attr *attr(const hn_call *c) { return c->attr; }
static int64_t p_time(const hn_call *c) { return c->in[0] ? c->in[0]->shape[1] : attr(c)->T; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *p = c->in[0];
    const hone_rope_opts *o = &attr(c)->o;
    if (p && (p->dtype != HONE_I32 || p->dims != 2)) return HN_MISFIT(c, "rope_table: positions must be i32 of two dimensions");
    if (o->size < 2 || o->size % 2) return HN_MISFIT(c, "rope_table: pairs cannot be made of %lld columns", (long long)o->size);
    if (!(o->base > 0) || attr(c)->T < 0) return HN_MISFIT(c, "rope_table: base %g, %lld rows", o->base, (long long)attr(c)->T);
    bool ok = o->scaling == HONE_ROPE_PLAIN || o->factor >= 1;
    if (o->scaling > HONE_ROPE_LINEAR) ok &= o->original > 0;
    if (o->scaling == HONE_ROPE_LLAMA3) ok &= o->low > 0 && o->high > o->low;
    if (o->scaling == HONE_ROPE_YARN) ok &= o->beta_slow > 0 && o->beta_fast >= o->beta_slow && o->base > 1;
    if (o->scaling == HONE_ROPE_DYNAMIC) ok &= o->size > 2;
    if (!ok) return HN_MISFIT(c, "rope_table: the numbers of the scaling do not fit together");
    *c->out = p ? (hone_tensor){ .dims = 3, .shape = { p->shape[0], p->shape[1], o->size } }
                : (hone_tensor){ .dims = 2, .shape = { attr(c)->T, o->size } };
    c->out->dtype = HONE_F32;
    return true;
}

double hn_rope_base(const hn_call *c, int64_t b) {
    const hone_rope_opts *o = &attr(c)->o;
    int64_t T = p_time(c), length = c->in[0] ? 0 : attr(c)->pos0 + T;
    const int32_t *p = c->in[0] ? hn_ids(c->in[0]) + b * T : NULL;
    for (int64_t r = 0; p && r < T; r++) length = HN_MAX(length, (int64_t)p[r] + 1);
    if (o->scaling != HONE_ROPE_DYNAMIC || length <= o->original) return o->base;
    return o->base * pow(o->factor * (double)length / (double)o->original - o->factor + 1, (double)o->size / (double)(o->size - 2));
}
/* The pair (as a real number) that turns `times` times over the original context. */
static double turning(const hone_rope_opts *o, double times) {
    return (double)o->size * log((double)o->original / (times * 2 * M_PI)) / (2 * log(o->base));
}
static double between(double x, double lo, double hi) { return fmin(fmax((x - lo) / (hi > lo ? hi - lo : 0.001), 0), 1); }

double hn_rope_frequency(const hone_rope_opts *o, double base, int64_t i) {
    double f = pow(base, -2.0 * (double)i / (double)o->size), keep = 1; /* keep: the part that is not divided by factor */
    if (o->scaling == HONE_ROPE_LINEAR) keep = 0;
    if (o->scaling == HONE_ROPE_LLAMA3) keep = between((double)o->original * f / (2 * M_PI), o->low, o->high);
    if (o->scaling == HONE_ROPE_YARN)
        keep = 1 - between((double)i, fmax(floor(turning(o, o->beta_fast)), 0), fmin(ceil(turning(o, o->beta_slow)), (double)o->size - 1));
    return keep == 1 ? f : f * keep + f / o->factor * (1 - keep);
}

double hn_rope_amplitude(const hone_rope_opts *o) {
    if (o->scaling != HONE_ROPE_YARN) return 1;
    return o->attention > 0 ? o->attention : 0.1 * log(o->factor) + 1;
}

static void forward(hn_call *c) {
    const hone_rope_opts *o = &attr(c)->o;
    const int32_t *p = c->in[0] ? hn_ids(c->in[0]) : NULL;
    int64_t rows = hn_rows(c->out), half = o->size / 2, T = p_time(c);
    if (p && !hn_ids_in_range(c, "rope_table", p, rows, 0, INT32_MAX)) return;
    double by = hn_rope_amplitude(o);
    for (int64_t k = 0; k < half * (p ? c->in[0]->shape[0] : 1); k++) {
        int64_t b = k / half, i = k % half;
        double f = hn_rope_frequency(o, hn_rope_base(c, b), i);
        for (int64_t r = b * T; r < (b + 1) * T; r++) {
            double angle = f * (double)(p ? p[r] : attr(c)->pos0 + r);
            hn_row_of(c->out, r)[i] = (float)(by * cos(angle));
            hn_row_of(c->out, r)[half + i] = (float)(by * sin(angle));
        }
    }
}
static void backward(hn_call *c, hone_tensor *const dx[]) {} /* positions are no numbers to train */

hone_tensor *hone_rope_table(hone_tape *t, hone_tensor *positions, int64_t T, const hone_rope_opts *o) {
    hn_rope_table_attr a = { .o = *o, .T = positions ? 0 : T, .pos0 = hn_tape_position(t) };
    return hn_apply(t, &hn_op_rope_table, &a, (hone_tensor *[]){ positions });
}

#define TABLE(N, P, ...)                                                                                                                   \
    &(const hn_rope_table_attr) { .o = { .size = 8, .base = 100, __VA_ARGS__ }, .T = N, .pos0 = P }
static const hn_op_case cases[] = {
    { "no rows", { NULL }, { 0 }, TABLE(0, 0, ) },
    { "later rows", { NULL }, { 0 }, TABLE(7, 5, ) },
    { "positions", { HN_DIMS(2, 9) }, { 2 }, TABLE(0, 0, ), { 40 } },
    { "linear", { HN_DIMS(2, 9) }, { 2 }, TABLE(0, 0, .scaling = HONE_ROPE_LINEAR, .factor = 4), { 40 } },
    { "dynamic", { NULL }, { 0 }, TABLE(20, 3, .scaling = HONE_ROPE_DYNAMIC, .factor = 2, .original = 16) },
    { "llama3", { NULL }, { 0 }, TABLE(9, 0, .scaling = HONE_ROPE_LLAMA3, .factor = 8, .original = 64, .low = 1, .high = 4) },
    { "yarn", { NULL }, { 0 }, TABLE(9, 0, .scaling = HONE_ROPE_YARN, .factor = 4, .original = 32, .beta_fast = 32, .beta_slow = 1) },
};
const hn_op hn_op_rope_table = {
    .item = { "rope_table", "cosines and sines of rotary positions", "arXiv:2104.09864", NULL, 0, sizeof(hn_rope_table_attr) },
    .n_in = 1,
    .exact = true,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    HN_CASES(cases),
};
