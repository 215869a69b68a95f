/* rope.c - each head's pairs of columns are turned by the angle of their row's position. Su et al. 2021, arXiv:2104.09864.
 *
 * The first R columns of a head, R as wide as the table: pair i is (i, i + R/2), or (2i, 2i+1) where interleaved, and becomes
 * (a·cos − b·sin, b·cos + a·sin). Columns past R are copied. dx += the same turn by the opposite angle; keeps the table alone. */
#include "tensor/op/op.h"

typedef struct {
    int64_t rows, T, heads, D, R, first, step; /* pair i: first·i, and step further */
    bool shared;                               /* one row of the table for all batch rows */
} plan;
static plan plan_of(const hn_call *c) {
    const hone_tensor *x = c->in[0], *table = c->in[1];
    const hn_rope_attr *a = c->attr;
    plan p = { hn_rows(x), x->shape[1], a->heads, x->shape[2] / a->heads, hn_cols(table), a->interleaved ? 2 : 1, 1, table->dims == 2 };
    if (!a->interleaved) p.step = p.R / 2;
    return p;
}

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0], *t = c->in[1];
    int64_t H = ((const hn_rope_attr *)c->attr)->heads;
    if (!hn_is_f32(x, 3)) return HN_MISFIT(c, "rope: x must be f32 of three dimensions");
    if (H < 1 || x->shape[2] % H) return HN_MISFIT(c, "rope: x is (%s) but there are %lld heads", HN_SHAPE(c, x), (long long)H);
    bool fits = t && t->dtype == HONE_F32 && (t->dims == 2 || (t->dims == 3 && t->shape[0] == x->shape[0])) &&
                t->shape[t->dims - 2] == x->shape[1] && hn_cols(t) % 2 == 0 && hn_cols(t) <= x->shape[2] / H;
    if (!fits)
        return HN_MISFIT(c, "rope: x is (%s) of %lld heads but the table is (%s)", HN_SHAPE(c, x), (long long)H, t ? HN_SHAPE(c, t) : "");
    hn_same_shape(c->out, x);
    return true;
}

/* y (+)= the head x turned by the row's angles, or by their opposites. */
static void turn(const plan *p, float *y, const float *x, const float *angles, double sign, bool add) {
    for (int64_t i = 0; i < p->R / 2; i++) {
        const float *a = x + p->first * i, *b = a + p->step;
        double cosine = angles[i], sine = sign * angles[p->R / 2 + i], ya = *a * cosine - *b * sine, yb = *b * cosine + *a * sine;
        float *to = y + p->first * i;
        to[0] = (float)(ya + (add ? to[0] : 0));
        to[p->step] = (float)(yb + (add ? to[p->step] : 0));
    }
    for (int64_t i = p->R; i < p->D; i++) y[i] = x[i] + (add ? y[i] : 0);
}

static void forward(hn_call *c) {
    plan p = plan_of(c);
    for (int64_t r = 0; r < p.rows; r++)
        for (int64_t h = 0; h < p.heads; h++)
            turn(&p, hn_row_of(c->out, r) + h * p.D, hn_row_of(c->in[0], r) + h * p.D, hn_row_of(c->in[1], p.shared ? r % p.T : r), 1,
                 false);
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    plan p = plan_of(c);
    for (int64_t r = 0; r < p.rows && dx[0]; r++)
        for (int64_t h = 0; h < p.heads; h++)
            turn(&p, hn_row_of(dx[0], r) + h * p.D, c->out->grad + r * c->out->ld + h * p.D, hn_row_of(c->in[1], p.shared ? r % p.T : r),
                 -1, true);
}

static hn_cost cost(const hn_call *c) { return (hn_cost){ 0, hn_bytes_moved(c) }; }

hone_tensor *hone_rope(hone_tape *t, hone_tensor *x, hone_tensor *table, int64_t heads, bool interleaved) {
    return hn_apply(t, &hn_op_rope, &(hn_rope_attr){ heads, interleaved }, (hone_tensor *[]){ x, table });
}

static const hn_rope_attr one = { 1, false }, two = { 2, false }, three = { 3, false }, pairs = { 3, true };
#define X_TABLE(B, T, C, R)                                                                                                                \
    { HN_DIMS(B, T, C), HN_DIMS(T, R) }, { 3, 2 }
static const hn_op_case cases[] = {
    { "no rows", X_TABLE(0, 5, 4, 4), &one },
    { "one pair", X_TABLE(1, 3, 2, 2), &one },
    { "odd, columns", X_TABLE(2, 5, 42, 14), &three, .views = true },
    { "part of a head", X_TABLE(2, 7, 30, 10), &two },
    { "interleaved, columns", X_TABLE(3, 5, 42, 14), &pairs, .views = true },
    { "wide", X_TABLE(2, 11, 96, 48), &two },
    { "a table for each row", { HN_DIMS(2, 5, 42), HN_DIMS(2, 5, 14) }, { 3, 3 }, &three },
};
const hn_op hn_op_rope = {
    .item = { "rope", "rotary positions", "arXiv:2104.09864", NULL, 0, sizeof(hn_rope_attr) },
    .saves = HN_SAVE_IN1,
    .n_in = 2,
    .constant = HN_SAVE_IN1,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    HN_CASES(cases),
};
