/* The CPU's kernels on sizes that reach every path (tiles, splits, padded copies, few rows): the same bits for 1, 2, 3 and 7 threads,
 * the reference's values on every instruction set, scratch within bounds, vector routines against double, and signals beside products. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdio.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>
#include "tensor/cpu/cpu.h"

#define KERNEL(n) extern const hn_kernel hn_cpu_##n;
#include "tensor/cpu/kernels.def"
#undef KERNEL

enum { GUARD = 4096, RESULTS = 8 };
typedef struct {
    const char *doc;
    const hn_kernel *k;
    const void *attr;
    int dims[HN_MAX_IN];
    int64_t shape[HN_MAX_IN][3];
    int int_max[HN_MAX_IN];
    int64_t wider;
    double tol;
} spec;
typedef struct {
    float *v[RESULTS];
    int64_t n[RESULTS];
} result;

static const hn_linear_attr nk = { 0 }, kn = { .transposed = true }, kn_gelu = { true, HONE_ACT_GELU_TANH },
                            nk_relu = { false, HONE_ACT_RELU }, kn_exact = { true, HONE_ACT_GELU };
static const hn_layernorm_attr eps = { 1e-5f };
static const hn_rmsnorm_attr rms_eps = { 1e-6f };
static const hn_rope_attr rope3 = { 3 }, rope2_pairs = { 2, true };
static const hn_embedding_attr later = { 2 };
static const hn_dropout_attr tenth = { 0.1f };
static const hn_activation_attr tanh_form = { HONE_ACT_GELU_TANH };
static const hn_linear_kl_attr toward = { .temperature = 1 }, most = { .temperature = 1.5f, .beta = 0.9f, .denominator = 99 },
                               reverse = { .temperature = 2, .beta = 1 };
static const hn_linear_log_probs_attr cool = { 0.7f };
static const hn_scale_attr third = { 1 / 3.0f };
static const hn_slice_attr tail = { 1, 20, 50 };
static const hn_concat_attr across = { 1 };
static const hn_transpose_attr turn = { 0, 1 }, swap = { 0, 1 }, ends = { 0, 2 };
static const hn_pad_attr around = { 1, 3, 5, 0.5f };
static const hn_matmul_attr ab = { false, false }, atb = { true, false }, atbt = { true, true };
static const hn_reduce_attr down = { HONE_REDUCE_SUM, 0, false }, along = { HONE_REDUCE_MEAN, -1, false },
                            largest = { HONE_REDUCE_MAX, 1, false };
static const hn_scatter_add_attr of37 = { 37 };
static const hn_pooling_attr mean_pool = { HONE_POOL_MEAN };
static const hn_pointwise_loss_attr mse = { HONE_LOSS_MSE, 0, 100 }, l1 = { HONE_LOSS_SMOOTH_L1, 0, 0 }, bce = { HONE_LOSS_BCE, 0, 0 };
static const hn_softmax_attr plain_softmax = { false }, log_softmax = { true };
static const hn_linear_cross_entropy_attr mean = { .ignore = -1 }, smooth = { .denominator = 50, .smoothing = 0.1f, .ignore = -1 };
static const hn_attention_attr causal = { .o = { .heads = 2, .causal = true, .scale = 0.2f } },
                               cached = { .o = { .heads = 3, .causal = true, .scale = 0.2f }, .pos0 = 497 },
                               every = { .o = { .heads = 1, .scale = -0.1f, .dropout = 0.2f } },
                               few_dropped = { .o = { .heads = 2, .causal = true, .scale = 0.3f, .dropout = 0.3f }, .pos0 = 58 };
static const hn_attention_attr shared_keys = { .o = { .heads = 6, .kv_heads = 2, .causal = true, .scale = 0.2f } },
                               window = { .o = { .heads = 2, .causal = true, .scale = 0.2f, .window = 70, .dropout = 0.1f } },
                               near = { .o = { .heads = 2, .kv_heads = 1, .scale = -0.2f, .window = 90 } },
                               capped = { .o = { .heads = 2, .scale = 0.4f, .softcap = 2, .dropout = 0.2f } },
                               packed = { .o = { .heads = 4, .kv_heads = 2, .causal = true, .scale = 0.2f, .softcap = 4, .window = 150 } },
                               few_all = { .o = { .heads = 4, .kv_heads = 2, .causal = true, .scale = -0.2f, .window = 33 }, .pos0 = 197 };
static const spec specs[] = {
    { "K = 65536 sums", &hn_cpu_linear, &nk, { 2, 2, 1 }, { { 65536, 32 }, { 32, 32 }, { 32 } }, .tol = 1e-4 },
    { "K = 65536 sums, (K,N)", &hn_cpu_linear, &kn, { 2, 2, 1 }, { { 65536, 32 }, { 32, 32 }, { 32 } }, .tol = 1e-4 },
    { "splits, odd", &hn_cpu_linear, &nk, { 2, 2, 1 }, { { 9001, 19 }, { 21, 19 }, { 21 } }, .wider = 3 },
    { "padded copies", &hn_cpu_linear, &kn_gelu, { 2, 2, 1 }, { { 300, 512 }, { 512, 256 }, { 256 } } },
    { "padded copies, (N,K)", &hn_cpu_linear, &nk_relu, { 2, 2, 1 }, { { 257, 256 }, { 129, 256 }, { 129 } } },
    { "padded copies, no bias", &hn_cpu_linear, &nk, { 2, 2, 0 }, { { 260, 128 }, { 640, 128 } } },
    { "columns", &hn_cpu_linear, &kn_exact, { 2, 2, 1 }, { { 270, 130 }, { 130, 70 }, { 70 } }, .wider = 126 },
    { "few rows", &hn_cpu_linear, &nk, { 2, 2, 1 }, { { 2, 73 }, { 600, 73 }, { 600 } } },
    { "one row, (K,N)", &hn_cpu_linear, &kn_gelu, { 2, 2, 1 }, { { 1, 700 }, { 700, 619 }, { 619 } } },
    { "one row", &hn_cpu_linear, &nk_relu, { 2, 2, 1 }, { { 1, 90 }, { 263, 90 }, { 263 } } },
    { "few rows, (K,N)", &hn_cpu_linear, &kn, { 2, 2, 1 }, { { 7, 130 }, { 130, 301 }, { 301 } }, .wider = 5 },
    { "most of the few", &hn_cpu_linear, &nk, { 2, 2, 0 }, { { 15, 257 }, { 131, 257 } }, .wider = 3 },
    { "most of the few, (K,N)", &hn_cpu_linear, &kn_exact, { 2, 2, 1 }, { { 16, 65 }, { 65, 203 }, { 203 } } },
    { "embedding", &hn_cpu_embedding, &later, { 2, 2, 2 }, { { 30, 100 }, { 7, 130 }, { 104, 130 } }, { 7 } },
    { "narrow rows", &hn_cpu_layernorm, &eps, { 2, 1, 1 }, { { 5000, 37 }, { 37 }, { 37 } }, .tol = 5e-5 },
    { "wide rows, columns", &hn_cpu_layernorm, &eps, { 2, 1, 0 }, { { 130, 1025 }, { 1025 } }, .wider = 7 },
    { "rms, narrow rows", &hn_cpu_rmsnorm, &rms_eps, { 2, 1 }, { { 5000, 37 }, { 37 } }, .tol = 5e-5 },
    { "rms, heads, columns", &hn_cpu_rmsnorm, &rms_eps, { 2, 1 }, { { 301, 132 }, { 44 } }, .wider = 7 },
    { "rope", &hn_cpu_rope, &rope3, { 3, 2 }, { { 3, 70, 150 }, { 70, 50 } }, .wider = 5 },
    { "rope, pairs, part", &hn_cpu_rope, &rope2_pairs, { 3, 3 }, { { 2, 90, 70 }, { 2, 90, 18 } } },
    { "causal", &hn_cpu_attention, &causal, { 3, 3, 3 }, { { 2, 200, 64 }, { 2, 200, 64 }, { 2, 200, 64 } } },
    { "causal, columns", &hn_cpu_attention, &causal, { 3, 3, 3 }, { { 1, 135, 34 }, { 1, 135, 34 }, { 1, 135, 34 } }, .wider = 30 },
    { "few queries", &hn_cpu_attention, &cached, { 3, 3, 3 }, { { 2, 3, 15 }, { 2, 500, 15 }, { 2, 500, 15 } } },
    { "few queries, dropout", &hn_cpu_attention, &few_dropped, { 3, 3, 3 }, { { 2, 4, 16 }, { 2, 62, 16 }, { 2, 62, 16 } } },
    { "every key, dropout, wide", &hn_cpu_attention, &every, { 3, 3, 3 }, { { 2, 150, 80 }, { 2, 301, 80 }, { 2, 301, 80 } } },
    { "shared keys", &hn_cpu_attention, &shared_keys, { 3, 3, 3 }, { { 1, 300, 60 }, { 1, 300, 20 }, { 1, 300, 20 } }, .wider = 4 },
    { "window", &hn_cpu_attention, &window, { 3, 3, 3 }, { { 1, 300, 32 }, { 1, 300, 32 }, { 1, 300, 32 } } },
    { "near keys", &hn_cpu_attention, &near, { 3, 3, 3 }, { { 1, 290, 32 }, { 1, 290, 16 }, { 1, 290, 16 } } },
    { "capped", &hn_cpu_attention, &capped, { 3, 3, 3 }, { { 1, 70, 32 }, { 1, 200, 32 }, { 1, 200, 32 } } },
    { "lengths", &hn_cpu_attention, &shared_keys, { 3, 3, 3, 1 }, { { 3, 140, 48 }, { 3, 140, 16 }, { 3, 140, 16 }, { 3 } }, { 0, 0, 0, 141 } },
    { "documents", &hn_cpu_attention, &packed, { 3, 3, 3, 1, 2 }, { { 2, 270, 32 }, { 2, 270, 16 }, { 2, 270, 16 }, { 2 }, { 2, 270 } },
      { 0, 0, 0, 270, 3 } },
    { "few queries, all of it", &hn_cpu_attention, &few_all, { 3, 3, 3, 1, 2 },
      { { 2, 3, 32 }, { 2, 200, 16 }, { 2, 200, 16 }, { 2 }, { 2, 200 } }, { 0, 0, 0, 201, 2 } },
    { "gelu", &hn_cpu_activation, &tanh_form, { 2 }, { { 70, 1001 } } },
    { "gelu, columns", &hn_cpu_activation, &tanh_form, { 2 }, { { 5, 20001 } }, .wider = 2 },
    { "swiglu", &hn_cpu_swiglu, NULL, { 2, 2 }, { { 70, 1001 }, { 70, 1001 } }, .wider = 9 },
    { "softmax", &hn_cpu_softmax, &plain_softmax, { 2 }, { { 300, 517 } } },
    { "log-softmax", &hn_cpu_softmax, &log_softmax, { 2 }, { { 300, 517 } }, .wider = 3 },
    { "dropout", &hn_cpu_dropout, &tenth, { 1 }, { { 100003 } } },
    { "add", &hn_cpu_add, NULL, { 2, 2 }, { { 50, 1003 }, { 50, 1003 } } },
    { "add a row", &hn_cpu_add, NULL, { 2, 1 }, { { 700, 203 }, { 203 } }, .wider = 2, .tol = 3e-5 },
    { "mul a column", &hn_cpu_mul, NULL, { 2, 2 }, { { 700, 203 }, { 700, 1 } }, .wider = 2 },
    { "mul, both stretched", &hn_cpu_mul, NULL, { 3, 2 }, { { 30, 1, 300 }, { 40, 1 } }, .tol = 3e-5 },
    { "mul by a number", &hn_cpu_mul, NULL, { 2, 1 }, { { 20, 7001 }, { 1 } }, .tol = 3e-5 },
    { "scale", &hn_cpu_scale, &third, { 2 }, { { 20, 7001 } } },
    { "slice", &hn_cpu_slice, &tail, { 3 }, { { 3, 70, 203 } }, .wider = 2 },
    { "concat", &hn_cpu_concat, &across, { 2, 2, 2 }, { { 70, 203 }, { 70, 1 }, { 70, 301 } }, .wider = 2 },
    { "transpose", &hn_cpu_transpose, &turn, { 2 }, { { 256, 301 } } },
    { "transpose, columns", &hn_cpu_transpose, &swap, { 3 }, { { 30, 40, 67 } }, .wider = 2 },
    { "transpose, ends", &hn_cpu_transpose, &ends, { 3 }, { { 67, 5, 90 } } },
    { "matmul", &hn_cpu_matmul, &ab, { 3, 3 }, { { 3, 130, 70 }, { 3, 70, 520 } }, .wider = 2, .tol = 3e-5 },
    { "matmul, a turned", &hn_cpu_matmul, &atb, { 3, 2 }, { { 3, 70, 130 }, { 70, 131 } }, .tol = 3e-5 },
    { "matmul, both turned", &hn_cpu_matmul, &atbt, { 2, 3 }, { { 70, 130 }, { 4, 131, 70 } }, .tol = 3e-5 },
    { "sum of rows", &hn_cpu_reduce, &down, { 2 }, { { 3000, 203 } }, .wider = 2, .tol = 3e-5 },
    { "mean of columns", &hn_cpu_reduce, &along, { 3 }, { { 30, 20, 503 } }, .wider = 2 },
    { "largest", &hn_cpu_reduce, &largest, { 3 }, { { 30, 50, 203 } }, .wider = 2 },
    { "gather", &hn_cpu_gather, NULL, { 2, 2 }, { { 37, 203 }, { 30, 20 } }, { 0, 37 }, .wider = 2 },
    { "scatter_add", &hn_cpu_scatter_add, &of37, { 3, 2 }, { { 30, 20, 203 }, { 30, 20 } }, { 0, 37 }, .wider = 2 },
    { "mean of tokens", &hn_cpu_pooling, &mean_pool, { 3, 2 }, { { 30, 100, 203 }, { 30, 100 } }, { 0, 2 }, .wider = 2 },
    { "mse", &hn_cpu_pointwise_loss, &mse, { 2, 2, 2 }, { { 30, 1003 }, { 30, 1003 }, { 30, 1003 } }, .wider = 2 },
    { "smooth l1", &hn_cpu_pointwise_loss, &l1, { 1, 1 }, { { 30011 }, { 30011 } } },
    { "bce", &hn_cpu_pointwise_loss, &bce, { 2, 2 }, { { 30, 1003 }, { 30, 1003 } } },
    { "pad", &hn_cpu_pad, &around, { 3 }, { { 3, 70, 203 } } },
    { "small head", &hn_cpu_linear_cross_entropy, &mean, { 2, 2, 1 }, { { 300, 128 }, { 65, 128 }, { 300 } }, { 0, 0, -65 } },
    { "split classes", &hn_cpu_linear_cross_entropy, &mean, { 2, 2, 1 }, { { 140, 16 }, { 9001, 16 }, { 140 } }, { 0, 0, 9001 } },
    { "smoothed, weighted", &hn_cpu_linear_cross_entropy, &smooth, { 2, 2, 1, 1 },
      { { 140, 16 }, { 4609, 16 }, { 140 }, { 140 } }, { 0, 0, -4609 } },
    { "blocks of rows", &hn_cpu_linear_cross_entropy, &mean, { 2, 2, 1 }, { { 4200, 8 }, { 70, 8 }, { 4200 } }, { 0, 0, -70 }, .wider = 8 },
    { "forward", &hn_cpu_linear_kl, &toward, { 2, 2, 2, 2 }, { { 300, 33 }, { 700, 33 }, { 300, 20 }, { 700, 20 } }, .wider = 3 },
    { "mixture, many classes", &hn_cpu_linear_kl, &most, { 2, 2, 2, 2, 1 }, { { 20, 9 }, { 9001, 9 }, { 20, 8 }, { 9001, 8 }, { 20 } } },
    { "reverse, blocks of rows", &hn_cpu_linear_kl, &reverse, { 2, 2, 2, 2 },
      { { 4200, 4 }, { 35, 4 }, { 4200, 3 }, { 35, 3 } }, .tol = 3e-5 },
    { "many classes", &hn_cpu_linear_log_probs, &cool, { 2, 2, 1 }, { { 30, 16 }, { 9001, 16 }, { 30 } }, { 0, 0, -9001 } },
    { "blocks of rows", &hn_cpu_linear_log_probs, &cool, { 2, 2, 1 }, { { 4200, 8 }, { 70, 8 }, { 4200 } }, { 0, 0, -70 }, .wider = 8 },
};

static hone_tensor tensor(hn_arena *a, const spec *s, int i) {
    hone_tensor x = { .dtype = s->int_max[i] ? HONE_I32 : HONE_F32, .dims = s->dims[i] };
    for (int d = 0; d < x.dims; d++) x.shape[d] = s->shape[i][d];
    x.ld = hn_cols(&x) + (x.dims > 1 && !s->int_max[i] ? s->wider : 0);
    int64_t n = hn_rows(&x) * x.ld;
    float *v = hn_new_n(a, float, n + 1);
    x.data = v;
    hn_rng r = hn_rng_new(11, HN_STREAM_TEST, (uint32_t)i);
    int low = s->int_max[i] < 0;
    if (s->int_max[i])
        for (int64_t k = 0; k < n; k++) ((int32_t *)x.data)[k] = (int32_t)hn_rng_below(&r, abs(s->int_max[i]) + low) - low;
    else hn_rng_fill_normal(21, HN_STREAM_TEST, (uint32_t)i, v, n, 1);
    return x;
}
static void *scratch_new(hn_arena *a, int64_t bytes) {
    char *p = hn_alloc(a, bytes + GUARD, 1, 64);
    memset(p, 0xff, (size_t)bytes); /* NaN: reading before writing shows */
    memset(p + bytes, 0x5a, GUARD);
    return p;
}
static void scratch_check(const char *p, int64_t bytes) {
    for (int i = 0; i < GUARD; i++) assert_int_equal(p[bytes + i], 0x5a);
}

/* One forward and backward; gradients start from 0.25, or from rubbish where `fresh` says they are to be overwritten. */
static result run(hone_job *job, hn_arena *a, const spec *s, bool reference, bool fresh) {
    hone_tensor in[HN_MAX_IN], out = { 0 }, aux[2] = { { 0 } }, grad[HN_MAX_IN], *dx[HN_MAX_IN] = { 0 };
    hn_call c = { .op = s->k->op,
                  .attr = s->attr,
                  .n_in = s->k->op->n_in,
                  .out = &out,
                  .training = true,
                  .seed = 3,
                  .step = 4,
                  .index = 5,
                  .pool = hn_job_pool(job),
                  .a = a };
    for (int i = 0; i < c.n_in; i++)
        if (s->dims[i]) in[i] = tensor(a, s, i), c.in[i] = &in[i];
    for (int i = 0; i < HN_MAX_AUX; i++) c.aux[i] = &aux[i];
    assert_true(c.op->shape(&c, a));
    out.ld = hn_cols(&out);
    out.data = hn_new_n(a, float, hn_count(&out) + 1);
    out.grad = hn_new_n(a, float, hn_count(&out) + 1);
    hn_rng_fill_normal(31, HN_STREAM_TEST, 9, out.grad, hn_count(&out), 1);
    for (int i = 0; i < HN_MAX_AUX; i++)
        if (i < c.n_aux) aux[i].ld = hn_cols(&aux[i]), aux[i].data = hn_new_n(a, float, hn_count(&aux[i]) + 1);
        else c.aux[i] = NULL;
    int64_t (*need)(const hn_call *, bool) = reference ? c.op->scratch_bytes : s->k->scratch_bytes;
    for (int back = 0; back < 2; back++) {
        int64_t bytes = need ? need(&c, back) : 0;
        c.scratch = scratch_new(a, bytes);
        if (!back) (reference ? c.op->forward : s->k->forward)(&c);
        else {
            for (int i = 0; i < c.n_in; i++) {
                if (!c.in[i] || c.in[i]->dtype != HONE_F32 || c.op->constant >> i & 1) continue;
                grad[i] = *c.in[i];
                int64_t n = hn_rows(&grad[i]) * grad[i].ld;
                float *g = hn_new_n(a, float, n + 1);
                grad[i].fresh = fresh && !reference && s->k->overwrites;
                for (int64_t k = 0; k < n; k++) g[k] = grad[i].fresh ? NAN : fresh ? 0 : 0.25f;
                grad[i].data = g;
                dx[i] = &grad[i];
            }
            (reference ? c.op->backward : s->k->backward)(&c, dx);
        }
        scratch_check(c.scratch, bytes);
    }
    result r = { 0 };
    int k = 0;
    r.v[k] = out.data, r.n[k++] = hn_count(&out);
    for (int i = 0; i < c.n_aux; i++) r.v[k] = aux[i].data, r.n[k++] = hn_count(&aux[i]);
    for (int i = 0; i < c.n_in; i++) {
        if (!dx[i]) continue;
        r.v[k] = hn_new_n(a, float, hn_count(dx[i]) + 1), r.n[k] = hn_count(dx[i]);
        for (int64_t e = 0; e < r.n[k]; e++) r.v[k][e] = ((float *)dx[i]->data)[e / hn_cols(dx[i]) * dx[i]->ld + e % hn_cols(dx[i])];
        k++;
    }
    return r;
}

static void close_to(const spec *s, const result *got, const result *want, const char *how) {
    double tol = s->tol > 0 ? s->tol : 1e-5;
    for (int k = 0; k < RESULTS; k++) {
        double top = 1e-3, worst = 0;
        for (int64_t i = 0; i < want->n[k]; i++) {
            top = fmax(top, fabs(want->v[k][i]));
            double d = fabs((double)got->v[k][i] - want->v[k][i]);
            if (!(d <= worst)) worst = d;
        }
        if (!(worst <= tol * top)) fail_msg("%s: %s: result %d is off by %g of %g on %s", s->k->op->item.name, s->doc, k, worst, top, how);
    }
}
static void test_values(void **state) {
    hn_isa best = hn_cpu_isa();
    for (int64_t i = 0; i < HN_LEN(specs); i++) {
        hone_job *job = hone_open(&(hone_options){ .threads = 2 });
        hn_arena *a = hn_job_arena(job);
        for (int fresh = 0; fresh < 2; fresh++) {
            result want = run(job, a, &specs[i], true, fresh);
            for (int isa = 0; isa <= (int)best; isa++) {
                hn_cpu_isa_force((hn_isa)isa);
                result got = run(job, a, &specs[i], false, fresh);
                close_to(&specs[i], &got, &want, hn_isa_name((hn_isa)isa));
            }
        }
        hn_cpu_isa_force(best);
        hone_close(job);
    }
}
static void test_threads(void **state) {
    static const int threads[] = { 1, 2, 3, 7 };
    for (int64_t i = 0; i < HN_LEN(specs); i++) {
        hone_job *job[4];
        result r[4];
        for (int t = 0; t < 4; t++) {
            job[t] = hone_open(&(hone_options){ .threads = threads[t] });
            r[t] = run(job[t], hn_job_arena(job[t]), &specs[i], false, false);
            for (int k = 0; k < RESULTS; k++)
                if (r[0].n[k] && memcmp(r[0].v[k], r[t].v[k], (size_t)r[0].n[k] * sizeof(float)) != 0)
                    fail_msg("%s: %s: result %d differs between 1 and %d threads", specs[i].k->op->item.name, specs[i].doc, k, threads[t]);
        }
        for (int t = 0; t < 4; t++) hone_close(job[t]);
    }
}

/* Scratch of attention: nothing in it grows with T × S. */
static void test_attention_memory(void **state) {
    hone_job *job = hone_open(&(hone_options){ .threads = 2 });
    int64_t need[2][2];
    for (int i = 0; i < 2; i++) {
        int64_t T = i ? 8192 : 1024;
        hone_tensor q = { .dtype = HONE_F32, .dims = 3, .shape = { 2, T, 64 }, .ld = 64 }, aux = { 0 };
        hn_call c = {
            .op = &hn_op_attention, .attr = &causal, .n_in = 3, .in = { &q, &q, &q }, .out = &q, .aux = { &aux }, .pool = hn_job_pool(job)
        };
        for (int back = 0; back < 2; back++) need[i][back] = hn_cpu_attention.scratch_bytes(&c, back);
    }
    for (int back = 0; back < 2; back++) assert_true(need[1][back] <= 8 * need[0][back] && need[1][back] < 16 << 20);
    hone_close(job);
}

/* Scratch of the heads: nothing in it grows with tokens × vocabulary. */
static void test_heads_memory(void **state) {
    static const hn_kernel *const heads[] = { &hn_cpu_linear_cross_entropy, &hn_cpu_linear_kl, &hn_cpu_linear_log_probs };
    static const void *const attr[] = { &mean, &most, &cool };
    hone_job *job = hone_open(&(hone_options){ .threads = 2 });
    for (int i = 0; i < HN_LEN(heads); i++)
        for (int64_t V = 65; V < 1000000; V = V * 10 + 7)
            for (int back = 0; back < 2; back++) {
                int64_t R = 65536;
                hone_tensor h = { .dtype = HONE_F32, .dims = 2, .shape = { R, 64 }, .ld = 64 }, w = h,
                            y = { .dtype = HONE_I32, .dims = 1, .shape = { R } };
                w.shape[0] = V;
                hn_call c = { .op = heads[i]->op, .attr = attr[i], .n_in = 4, .in = { &h, &w, &y }, .pool = hn_job_pool(job) };
                if (i == 1) c.in[2] = &h, c.in[3] = &w;
                int64_t need = heads[i]->scratch_bytes(&c, back), floor = 2 * 16 * 4 * (V + 32), rows = R * 4 * 3 * (1 + V / 4096);
                assert_true(need <= (68 << 20) + floor + rows);
            }
    hone_close(job);
}

/* ---- vector routines against double ---- */
static double phi(double x) { return 0.5 * erfc(-x * M_SQRT1_2); }
static double act(double x, hone_act k) {
    double u = M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x);
    return k == HONE_ACT_GELU        ? x * phi(x)
           : k == HONE_ACT_GELU_TANH ? x / (1 + exp(-2 * u))
           : k == HONE_ACT_RELU      ? fmax(0, x)
           : k == HONE_ACT_RELU2     ? fmax(0, x) * fmax(0, x)
           : k == HONE_ACT_SILU      ? x / (1 + exp(-x))
           : k == HONE_ACT_TANH      ? tanh(x)
           : k == HONE_ACT_SIGMOID   ? 1 / (1 + exp(-x))
                                     : x;
}
static double act_d(double x, hone_act k) {
    double u = M_2_SQRTPI * M_SQRT1_2 * (x + 0.044715 * x * x * x), du = M_2_SQRTPI * M_SQRT1_2 * (1 + 3 * 0.044715 * x * x),
           s = 1 / (1 + exp(-2 * u));
    return k == HONE_ACT_GELU        ? phi(x) + x * exp(-0.5 * x * x) * M_2_SQRTPI * M_SQRT1_2 / 2
           : k == HONE_ACT_GELU_TANH ? s + x * s * (1 - s) * 2 * du
           : k == HONE_ACT_RELU      ? x > 0
           : k == HONE_ACT_RELU2     ? (x > 0 ? 2 * x : 0)
           : k == HONE_ACT_SILU      ? (1 + x / (1 + exp(x))) / (1 + exp(-x))
           : k == HONE_ACT_TANH      ? 1 / (cosh(x) * cosh(x))
           : k == HONE_ACT_SIGMOID   ? 1 / ((1 + exp(-x)) * (1 + exp(x)))
                                     : 1;
}
static void vectors(const hn_vec *v) {
    enum { N = 4001 };
    static float x[N], y[N], pre[N], b[N], d[N];
    for (int i = 0; i < N; i++) x[i] = -100 + 185 * (float)i / N, b[i] = 0.001f * (float)(i % 7);
    /* e^x: 2 ulp, nothing below the smallest normal number; the sum is that of the parts */
    double sum = 0, total = v->exp_shift(y, x, 1, 0, N); /* the largest is e⁸⁵, the sum still a float */
    for (int i = 0; i < N; i++) {
        double want = exp((double)x[i]);
        sum += y[i];
        if (x[i] < -87.3365) assert_true(y[i] <= 1.2e-38);
        else assert_true(fabs(y[i] - want) <= 2 * want * 1.2e-7);
    }
    assert_true(fabs(total - sum) <= 1e-5 * sum);
    assert_true(isnan(v->exp_shift(y, (float[]){ 1, NAN, 2 }, 1, 0, 3)));
    assert_true(v->exp_shift(NULL, (float[]){ -INFINITY, 0 }, 1, 0, 2) == 1);
    for (int i = 0; i < N; i++) x[i] = -12 + 24 * (float)i / N;
    for (int k = HONE_ACT_NONE; k < HONE_ACT_COUNT; k++) {
        v->bias_act(y, pre, x, b, N, (hone_act)k);
        v->act_grad(d, b, pre, N, (hone_act)k, false);
        for (int i = 0; i < N; i++) {
            assert_true(pre[i] == x[i] + b[i]);
            assert_true(fabs(y[i] - act(pre[i], (hone_act)k)) <= 4e-7 * fmax(1, fabs(act(pre[i], (hone_act)k))));
            assert_true(fabs(d[i] - b[i] * act_d(pre[i], (hone_act)k)) <= 1e-6 * b[i] * fmax(1, fabs(act_d(pre[i], (hone_act)k))));
        }
    }
    /* every tail length, and nothing written past the end */
    for (int n = 0; n < 70; n++) {
        double s = 0, top = -INFINITY;
        for (int i = 0; i < n; i++) s += (double)x[i] * b[i], top = fmax(top, x[i]);
        assert_true(fabs(v->dot(x, b, n) - s) < 1e-4);
        assert_true(v->top(x, n) == (float)top);
        y[n] = 77;
        v->add(y, x, b, n);
        for (int i = 0; i < n; i++) assert_true(y[i] == x[i] + b[i]);
        v->scale(y, x, 3, n);
        for (int i = 0; i < n; i++) assert_true(y[i] == 3 * x[i]);
        assert_true(y[n] == 77);
    }
    /* dropout: the words that the reference draws */
    hn_call c = { .seed = 0x123456789abcdefULL, .step = 9, .index = 77 };
    v->drop(y, x, &c, 5, 203, 0.3f, false);
    for (int i = 0; i < 203; i++) {
        uint32_t w[4];
        hn_drop_words(&c, 5 + i / 4, w);
        float want = w[i % 4] < hn_drop_below(0.3f) ? 0 : x[i] * (1 / (1 - 0.3f));
        assert_true(y[i] == want);
    }
}
static void test_vectors(void **state) {
    for (int i = 0; i <= (int)hn_cpu_isa(); i++) vectors(hn_vec_of((hn_isa)i));
}

/* A handler's frame goes where the stack pointer points: it must be the stack of the thread that is interrupted. */
enum { STACK = 16 << 20, ENOUGH = 300 };
static volatile sig_atomic_t caught, astray;
static uintptr_t on_stack;
static void on_alarm(int sig) {
    uintptr_t frame = (uintptr_t)__builtin_frame_address(0);
    if (frame < on_stack - STACK || frame > on_stack + STACK) astray++;
    caught++;
}
static void test_signals(void **state) {
    enum { LD = 800, ROWS = 800 };
    static const int shapes[][3] = { { 64, 128, 768 }, { 128, 64, 256 }, { 16, 300, 64 }, { 300, 300, 300 } };
    float *m = calloc(3 * LD * ROWS, sizeof *m);
    struct sigaction act = { .sa_handler = on_alarm, .sa_flags = SA_RESTART }, was;
    struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { 0 };
    assert_non_null(m);
    on_stack = (uintptr_t)__builtin_frame_address(0);
    caught = astray = 0;
    sigaction(SIGALRM, &act, &was);
    setitimer(ITIMER_REAL, &often, NULL);
    for (double end = hn_now() + 60; caught < ENOUGH && hn_now() < end;)
        for (size_t i = 0; i < 4 * HN_LEN(shapes); i++) {
            const int *s = shapes[i / 4];
            hn_gemm(i & 1, i & 2, s[0], s[1], s[2], m, LD, m + LD * ROWS, LD, 1, m + 2 * LD * ROWS, LD);
        }
    setitimer(ITIMER_REAL, &never, NULL);
    sigaction(SIGALRM, &was, NULL);
    assert_true(caught >= ENOUGH);
    assert_int_equal(astray, 0);
    free(m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_signals),
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_attention_memory), cmocka_unit_test(test_heads_memory),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
