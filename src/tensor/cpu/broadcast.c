/* broadcast.c - add and mul, row by row of the result; sizes of 1 are stretched by a step of 0.
 *
 * The gradient of a stretched input is a sum over the result's rows: a task owns some columns of it, adds 64 rows at a time in float,
 * then those to the total, always in the order of the rows; the sum along a row is one task's too. */
#include "tensor/cpu/elementwise.h"
#include "tensor/op/broadcast.h"

enum { PART = 64 };
typedef struct {
    const hn_call *c;
    const hn_vec *v;
    const hn_elementwise *e;
    bool mul, flat;
    hn_stretch s;
    /* gradient of in[k] */
    int k;
    hone_tensor *dx;
    int64_t own[HONE_MAX_DIMS], over[HONE_MAX_DIMS], dz[HONE_MAX_DIMS];
} job;

static bool whole(const hn_call *c, int k) { return hn_count(c->in[k]) == hn_count(c->out); }
static job job_new(const hn_call *c) {
    job j = { .c = c, .v = hn_vec_now(), .e = hn_elementwise_now(), .mul = c->op == &hn_op_mul, .s = hn_stretch_of(c) };
    j.flat = whole(c, 0) && whole(c, 1) && hn_gapless(c->in[0]) && hn_gapless(c->in[1]);
    return j;
}
/* Elements up to row r, where rows are counted along the dimensions n and lie `step` apart. */
static int64_t row_at(int64_t r, const int64_t n[HONE_MAX_DIMS], const int64_t step[HONE_MAX_DIMS]) {
    return r % n[2] * step[2] + r / n[2] % n[1] * step[1] + r / n[2] / n[1] * step[0];
}
static const float *in_at(const job *j, int k, int64_t r, int64_t i) {
    const float *x = j->c->in[k]->data;
    return j->flat ? x + i : x + row_at(r, j->s.n, j->s.step[k]) + i * j->s.step[k][3];
}

/* A sum of whole tensors takes bf16 as it is. */
static unsigned bf16(const hn_call *c) { return job_new(c).flat ? HN_SAVE_IN0 | HN_SAVE_IN1 | HN_SAVE_OUT : 0; }
static void add_span(void *arg, int64_t r, int64_t from, int64_t count) {
    const job *j = arg;
    float wide[2][HN_SOME], to[HN_SOME];
    for (int64_t i = from, n; i < from + count; i += n) {
        n = HN_MIN(HN_SOME, from + count - i);
        const float *x = hn_wide(j->v, j->c->in[0], 0, i, n, wide[0]), *y = hn_wide(j->v, j->c->in[1], 0, i, n, wide[1]);
        j->v->add(hn_wide_out(j->c->out, 0, i, to), x, y, n);
        hn_wide_done(j->v, j->c->out, 0, i, n, to);
    }
}
static void forward_span(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    const float *x = in_at(j, 0, r, i), *y = in_at(j, 1, r, i);
    float *z = hn_at(j->c->out, r, i);
    int64_t sx = j->s.step[0][3], sy = j->s.step[1][3];
    if (!sx && sy) {
        const float *swap = x;
        x = y, y = swap, sy = 0;
    }
    if (j->flat || n == 1 || (sx && sy)) {
        if (j->mul) j->e->mul(z, x, y, n, false);
        else j->v->add(z, x, y, n);
    } else if (j->mul) j->v->scale(z, x, *y, n);
    else j->e->shift(z, x, *y, n);
}
static void forward(hn_call *c) {
    job j = job_new(c);
    hn_cpu_spans(c, hn_rows(c->out), hn_cols(c->out), j.flat, 10, j.flat && !j.mul ? add_span : forward_span, &j);
}

/* to (+)= dz, or dz·other */
static void gather(const job *j, float *to, const float *dz, const float *other, int64_t n, bool more) {
    if (!j->mul && more) j->v->add(to, to, dz, n);
    else if (!j->mul) memcpy(to, dz, (size_t)n * sizeof *to);
    else if (j->s.step[1 - j->k][3] || n == 1 || j->flat) j->e->mul(to, dz, other, n, more);
    else if (more) j->e->axpy(to, *other, dz, n);
    else j->v->scale(to, dz, *other, n);
}
static void whole_span(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    float *to = j->flat ? (float *)j->dx->data + i : hn_at(j->dx, r, i);
    gather(j, to, hn_dy_at(j->c, r, i), in_at(j, 1 - j->k, r, i), n, !j->dx->fresh);
}

/* Row r of the gradient, columns [i, i+n): the sum over all rows (and, where it has one column, along them). */
static void sum_strip(void *arg, int64_t r, int64_t i, int64_t n) {
    job *j = arg;
    const int64_t *step = j->s.step[1 - j->k];
    const float *dz = j->c->out->grad + row_at(r, j->own, j->dz) + i;
    const float *other = (const float *)j->c->in[1 - j->k]->data + row_at(r, j->own, step) + i * step[3];
    float *to = (float *)j->dx->data + row_at(r, j->own, j->s.step[j->k]) + i, total[HN_STRIP] = { 0 }, part[HN_STRIP];
    int64_t rows = j->over[0] * j->over[1] * j->over[2];
    double along = 0;
    for (int64_t at = 0; at < rows; at += PART) {
        for (int64_t q = at; q < HN_MIN(rows, at + PART); q++) {
            const float *d = dz + row_at(q, j->over, j->dz), *o = other + row_at(q, j->over, step);
            if (j->over[3] > 1) along += j->mul ? j->v->dot(d, o, j->over[3]) : j->e->sum(d, j->over[3]);
            else gather(j, part, d, o, n, q > at);
        }
        if (j->over[3] == 1) j->v->add(total, total, part, n);
    }
    if (j->over[3] > 1) *total = (float)along;
    if (j->dx->fresh) memcpy(to, total, (size_t)n * sizeof *to);
    else j->v->add(to, to, total, n);
}
static void backward(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    hn_steps(c->out, j.dz);
    for (j.k = 0; j.k < 2; j.k++) {
        j.dx = dx[j.k];
        if (!j.dx) continue;
        if (whole(c, j.k)) {
            hn_cpu_spans(c, hn_rows(c->out), hn_cols(c->out), j.flat, 10, whole_span, &j);
            continue;
        }
        hn_stretched(c, j.k, j.own, j.over);
        int64_t rows = j.own[0] * j.own[1] * j.own[2];
        hn_cpu_strips(c, rows, j.own[3], j.over[0] * j.over[1] * j.over[2] * j.over[3], 10, sum_strip, &j);
    }
}
extern const hn_kernel hn_cpu_add, hn_cpu_mul;
const hn_kernel hn_cpu_add = { &hn_op_add, forward, backward, NULL, .overwrites = true, .bf16 = bf16 };
const hn_kernel hn_cpu_mul = { &hn_op_mul, forward, backward, NULL, .overwrites = true };
