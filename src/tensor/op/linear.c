/* linear.c - y = act(z), z = x·wᵀ + b. w is (N,K), or (K,N) when transposed.
 *
 * w may be of 16 bits where nothing is recorded.
 * dz = dy·act'(z) · dx += dz·w · dw += dzᵀ·x · db += Σ dz. Keeps x, w and, when there is an activation, z. */
#include "tensor/op/op.h"

static const hn_linear_attr *attr(const hn_call *c) { return c->attr; }

static bool shape(hn_call *c, hn_arena *a) {
    const hone_tensor *x = c->in[0], *w = c->in[1], *b = c->in[2];
    if (!x || x->dtype != HONE_F32 || x->dims < 1 || !hn_is_real(w, 2))
        return HN_MISFIT(c, "linear: x must be f32 of (…,K) and w f32, bf16 or f16 of two dimensions");
    if (w->dtype != HONE_F32 && c->training) return HN_MISFIT(c, "linear: w is %s, which is for reading only", hone_dtype_name(w->dtype));
    int64_t N = w->shape[attr(c)->transposed ? 1 : 0], K = w->shape[attr(c)->transposed ? 0 : 1];
    if (hn_cols(x) != K)
        return HN_MISFIT(c, "linear: x is (%s) but w is (%s)%s", HN_SHAPE(c, x), HN_SHAPE(c, w), attr(c)->transposed ? " transposed" : "");
    if (b && (!hn_is_f32(b, 1) || b->shape[0] != N)) return HN_MISFIT(c, "linear: w is (%s) but b is (%s)", HN_SHAPE(c, w), HN_SHAPE(c, b));
    hn_same_shape(c->out, x);
    c->out->shape[x->dims - 1] = N;
    if (attr(c)->act != HONE_ACT_NONE) {
        hn_same_shape(c->aux[0], c->out);
        c->n_aux = 1;
    }
    return true;
}

static int64_t scratch_bytes(const hn_call *c, bool backward) {
    int64_t R = hn_rows(c->out), K = hn_cols(c->in[0]), N = hn_cols(c->out);
    int64_t sums = HN_MAX(K, N) * (int64_t)sizeof(double);
    return backward ? sums + R * N * (int64_t)sizeof(float) : sums;
}

static void forward(hn_call *c) {
    const hone_tensor *x = c->in[0], *w = c->in[1], *b = c->in[2];
    int64_t R = hn_rows(c->out), K = hn_cols(x), N = hn_cols(c->out);
    double *z = c->scratch;
    for (int64_t r = 0; r < R; r++) {
        const float *xr = hn_row_of(x, r);
        for (int64_t n = 0; n < N; n++) z[n] = b ? ((const float *)b->data)[n] : 0;
        if (attr(c)->transposed)
            for (int64_t k = 0; k < K; k++)
                for (int64_t n = 0; n < N; n++) z[n] += (double)xr[k] * hn_real(w, k * w->ld + n);
        else
            for (int64_t n = 0; n < N; n++) {
                double s = 0;
                for (int64_t k = 0; k < K; k++) s += (double)xr[k] * hn_real(w, n * w->ld + k);
                z[n] += s;
            }
        for (int64_t n = 0; n < N; n++) hn_row_of(c->out, r)[n] = (float)hn_act_f(z[n], attr(c)->act);
        if (c->aux[0])
            for (int64_t n = 0; n < N; n++) hn_row_of(c->aux[0], r)[n] = (float)z[n];
    }
}

/* to (M) += Σ_r a[r]·m[r,:], with sums in double. */
static void add_weighted(float *to, double *sum, int64_t M, int64_t R, const float *a, int64_t a_step, const float *m, int64_t m_step) {
    memset(sum, 0, (size_t)M * sizeof *sum);
    for (int64_t r = 0; r < R; r++)
        for (int64_t i = 0; i < M; i++) sum[i] += (double)a[r * a_step] * m[r * m_step + i];
    for (int64_t i = 0; i < M; i++) to[i] += (float)sum[i];
}

static void backward(hn_call *c, hone_tensor *const dx[]) {
    const hone_tensor *x = c->in[0], *w = c->in[1];
    int64_t R = hn_rows(c->out), K = hn_cols(x), N = hn_cols(c->out);
    double *sum = c->scratch;
    float *dz = (float *)(sum + HN_MAX(K, N)); /* (R,N) */
    for (int64_t r = 0; r < R; r++)
        for (int64_t n = 0; n < N; n++)
            dz[r * N + n] =
                (float)(c->out->grad[r * c->out->ld + n] * (c->aux[0] ? hn_act_df(hn_row_of(c->aux[0], r)[n], attr(c)->act) : 1));
    if (dx[0])
        for (int64_t r = 0; r < R; r++) {
            float *to = hn_row_of(dx[0], r);
            if (!attr(c)->transposed) add_weighted(to, sum, K, N, dz + r * N, 1, w->data, w->ld);
            else
                for (int64_t k = 0; k < K; k++) {
                    double s = 0;
                    for (int64_t n = 0; n < N; n++) s += (double)dz[r * N + n] * hn_row_of(w, k)[n];
                    to[k] += (float)s;
                }
        }
    if (dx[1] && attr(c)->transposed)
        for (int64_t k = 0; k < K; k++) add_weighted(hn_row_of(dx[1], k), sum, N, R, (const float *)x->data + k, x->ld, dz, N);
    else if (dx[1])
        for (int64_t n = 0; n < N; n++) add_weighted(hn_row_of(dx[1], n), sum, K, R, dz + n, N, x->data, x->ld);
    if (dx[2])
        for (int64_t n = 0; n < N; n++) {
            double s = 0;
            for (int64_t r = 0; r < R; r++) s += dz[r * N + n];
            ((float *)dx[2]->data)[n] += (float)s;
        }
}

static hn_cost cost(const hn_call *c) { return (hn_cost){2.0 * (double)hn_count(c->out) * (double)hn_cols(c->in[0]), hn_bytes_moved(c)}; }

/* x is there for dw alone: a frozen w lets go of it. */
static unsigned keeps(const hn_call *c) { return c->op->saves & ~(c->in[1]->wants_grad ? 0u : (unsigned)HN_SAVE_IN0); }

hone_tensor *hone_linear(hone_tape *t, hone_tensor *x, hone_tensor *w, hone_tensor *b, bool transposed, hone_act act) {
    return hn_apply(t, &hn_op_linear, &(hn_linear_attr){transposed, act}, (hone_tensor *[]){x, w, b});
}

static const hn_linear_attr plain = {0}, conv1d = {.transposed = true}, tanh_gelu = {.act = HONE_ACT_GELU_TANH},
                            exact_gelu = {true, HONE_ACT_GELU}, relu = {.act = HONE_ACT_RELU};
static const hn_op_case cases[] = {
    {"no rows", {HN_DIMS(0, 5), HN_DIMS(3, 5)}, {2, 2}, &plain},
    {"one number", {HN_DIMS(1), HN_DIMS(1, 1), HN_DIMS(1)}, {1, 2, 1}, &plain},
    {"odd", {HN_DIMS(3, 5, 7), HN_DIMS(11, 7), HN_DIMS(11)}, {3, 2, 1}, &plain},
    {"odd, transposed", {HN_DIMS(3, 5, 7), HN_DIMS(7, 11), HN_DIMS(11)}, {3, 2, 1}, &conv1d},
    {"columns, no bias", {HN_DIMS(9, 17), HN_DIMS(19, 17)}, {2, 2}, &plain, .views = true},
    {"columns, transposed", {HN_DIMS(2, 9, 17), HN_DIMS(17, 6), HN_DIMS(6)}, {3, 2, 1}, &conv1d, .views = true},
    {"tanh gelu", {HN_DIMS(4, 33), HN_DIMS(35, 33), HN_DIMS(35)}, {2, 2, 1}, &tanh_gelu},
    {"gelu, transposed, no bias", {HN_DIMS(5, 8), HN_DIMS(8, 18)}, {2, 2}, &exact_gelu},
    {"relu", {HN_DIMS(5, 8), HN_DIMS(21, 8), HN_DIMS(21)}, {2, 2, 1}, &relu},
    {"larger than a tile", {HN_DIMS(131, 40), HN_DIMS(67, 40), HN_DIMS(67)}, {2, 2, 1}, &plain},
    {"one row", {HN_DIMS(1, 72), HN_DIMS(48, 72), HN_DIMS(48)}, {2, 2, 1}, &plain},
};
const hn_op hn_op_linear = {
    .item = {"linear", "x·wᵀ + b, then an activation", NULL, NULL, 0, sizeof(hn_linear_attr)},
    .saves = HN_SAVE_IN0 | HN_SAVE_IN1 | HN_SAVE_AUX,
    .keeps = keeps,
    .aux_active = true,
    .remade_from = HN_SAVE_AUX,
    .n_in = 3,
    .shape = shape,
    .forward = forward,
    .backward = backward,
    .cost = cost,
    .scratch_bytes = scratch_bytes,
    HN_CASES(cases),
};
