/* box.c - the operators that only move numbers (op/box.h), on the pool.
 *
 * A box is made simpler first: sizes of 1 fall away, dimensions that follow each other without gaps on both sides become one. Where
 * both sides are then contiguous along the last dimension, rows are copied or added; else tiles of 32 × 32 keep both sides' lines in
 * the cache, the second loop being the one that walks the input's neighbours. */
#include "tensor/cpu/elementwise.h"
#include "tensor/op/box.h"

enum { TILE = 32, STEP = 8192 };
typedef struct {
    const hn_vec *v;
    hn_box b; /* in: from, out: to */
    float *to;
    const float *from;
    bool add;
    int64_t outer, each; /* indices of all but the last two dimensions; how many a task has */
} job;

static void swap_dims(hn_box *b, int i, int j) {
    int64_t *const rows[] = { b->n, b->in, b->out };
    for (int k = 0; k < 3; k++) {
        int64_t x = rows[k][i];
        rows[k][i] = rows[k][j], rows[k][j] = x;
    }
}
static void simplify(hn_box *b) {
    hn_box s = { 0 };
    int to = HN_BOX_DIMS;
    for (int d = HN_BOX_DIMS - 1; d >= 0; d--) {
        if (b->n[d] == 1) continue;
        if (to < HN_BOX_DIMS && b->in[d] == s.in[to] * s.n[to] && b->out[d] == s.out[to] * s.n[to]) {
            s.n[to] *= b->n[d];
            continue;
        }
        to--;
        s.n[to] = b->n[d], s.in[to] = b->in[d], s.out[to] = b->out[d];
    }
    for (int d = 0; d < to; d++) s.n[d] = 1, s.in[d] = s.out[d] = d == HN_BOX_DIMS - 1; /* a single number is a row of one */
    for (int d = 0; d < HN_BOX_DIMS - 2; d++)
        if (s.in[HN_BOX_DIMS - 1] != 1 && s.in[d] == 1 && s.n[d] > 1) swap_dims(&s, d, HN_BOX_DIMS - 2);
    *b = s;
}

static void tiles(const job *j, float *to, const float *from) {
    const int64_t *n = j->b.n + HN_BOX_DIMS - 2, *f = j->b.in + HN_BOX_DIMS - 2, *t = j->b.out + HN_BOX_DIMS - 2;
    for (int64_t r0 = 0; r0 < n[0]; r0 += TILE)
        for (int64_t i0 = 0; i0 < n[1]; i0 += TILE)
            for (int64_t r = r0, r1 = HN_MIN(n[0], r0 + TILE); r < r1; r++)
                for (int64_t i = i0, i1 = HN_MIN(n[1], i0 + TILE); i < i1; i++) {
                    float x = from[r * f[0] + i * f[1]], *y = to + r * t[0] + i * t[1];
                    *y = j->add ? *y + x : x;
                }
}
static void rows(const job *j, float *to, const float *from) {
    const int64_t *n = j->b.n + HN_BOX_DIMS - 2, *f = j->b.in + HN_BOX_DIMS - 2, *t = j->b.out + HN_BOX_DIMS - 2;
    for (int64_t r = 0; r < n[0]; r++)
        if (j->add) j->v->add(to + r * t[0], to + r * t[0], from + r * f[0], n[1]);
        else memcpy(to + r * t[0], from + r * f[0], (size_t)n[1] * sizeof *to);
}
static void task_of(void *arg, int64_t task, int worker) {
    job *j = arg;
    const hn_box *b = &j->b;
    bool in_rows = b->in[HN_BOX_DIMS - 1] == 1 && b->out[HN_BOX_DIMS - 1] == 1;
    for (int64_t at = task * j->each, end = HN_MIN(at + j->each, j->outer); at < end; at++) {
        int64_t left = at, t = 0, f = 0;
        for (int d = HN_BOX_DIMS - 3; d >= 0; d--) {
            t += left % b->n[d] * b->out[d], f += left % b->n[d] * b->in[d];
            left /= b->n[d];
        }
        (in_rows ? rows : tiles)(j, j->to + t, j->from + f);
    }
}
static void move(const hn_call *c, hn_box b, float *to, const float *from, bool add) {
    job j = { hn_vec_now(), b, to, from, add, 1, 1 };
    int64_t count = 1;
    for (int d = 0; d < HN_BOX_DIMS; d++) count *= b.n[d];
    if (!count) return;
    simplify(&j.b);
    for (int d = 0; d < HN_BOX_DIMS - 2; d++) j.outer *= j.b.n[d];
    if (j.outer == 1) { /* cut the second-last dimension instead, where that is enough */
        int64_t *n = j.b.n, last = HN_BOX_DIMS - 2, piece = HN_MAX(TILE, STEP / HN_MAX(1, n[last + 1]) / TILE * TILE);
        if (n[last] % piece == 0) {
            j.outer = n[last - 1] = n[last] / piece;
            j.b.in[last - 1] = j.b.in[last] * piece, j.b.out[last - 1] = j.b.out[last] * piece;
            n[last] = piece;
        }
    }
    j.each = HN_MAX(1, STEP * j.outer / count);
    hn_cpu_run(c, 10.0 * (double)count, hn_cdiv(j.outer, j.each), task_of, &j);
}

static void forward(hn_call *c, hn_box_of *of) {
    for (int k = 0; k < c->n_in; k++) {
        if (!c->in[k]) continue;
        hn_box b = of(c, k);
        move(c, b, (float *)c->out->data + b.out_at, (const float *)c->in[k]->data + b.in_at, false);
    }
}
static void backward(hn_call *c, hone_tensor *const dx[], hn_box_of *of) {
    for (int k = 0; k < c->n_in; k++) {
        if (!dx[k]) continue;
        hn_box b = of(c, k), back = b;
        memcpy(back.in, b.out, sizeof b.out);
        memcpy(back.out, b.in, sizeof b.in);
        move(c, back, (float *)dx[k]->data + b.in_at, c->out->grad + b.out_at, true);
    }
}
#define MOVES(name)                                                                                                                        \
    static void name##_forward(hn_call *c) { forward(c, hn_##name##_box); }                                                                \
    static void name##_backward(hn_call *c, hone_tensor *const dx[]) { backward(c, dx, hn_##name##_box); }                                 \
    extern const hn_kernel hn_cpu_##name;                                                                                                  \
    const hn_kernel hn_cpu_##name = { &hn_op_##name, name##_forward, name##_backward, NULL };
MOVES(slice)
MOVES(concat)
MOVES(transpose)
MOVES(patches)

static void pad_forward(hn_call *c) {
    float *y = c->out->data, value = ((const hn_pad_attr *)c->attr)->value;
    for (int64_t i = 0, n = hn_count(c->out); i < n; i++) y[i] = value;
    forward(c, hn_pad_box);
}
static void pad_backward(hn_call *c, hone_tensor *const dx[]) { backward(c, dx, hn_pad_box); }
extern const hn_kernel hn_cpu_pad;
const hn_kernel hn_cpu_pad = { &hn_op_pad, pad_forward, pad_backward, NULL };
