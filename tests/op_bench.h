/* op_bench.h - for the tests that walk the table of operators: a case of one, run forward and back under a random projection. */
#ifndef HN_OP_BENCH_H
#define HN_OP_BENCH_H
#include "tape_help.h"

enum { MAX_ELEMENTS = 1 << 16 };
typedef struct bench {
    hone_job *job;
    hn_arena *a;
    const hn_op *op;
    const hn_op_case *c;
    hone_tensor *w[HN_MAX_IN]; /* f32 inputs as weights, the wide ones where the case wants views */
    int32_t *ids[HN_MAX_IN];
    float *r; /* projection */
    hone_dtype type;  /* of the tape's activations */
    bool made;        /* f32 inputs are made on the tape: activations, not weights */
} bench;
typedef struct result {
    float *y;
    int64_t n;
    double loss;
    float *grad[HN_MAX_IN];
    int64_t peak, now;
    double forward, backward;
} result;

static const int64_t WIDER = 5, OFFSET = 3;
static bool as_view(const bench *b, int i) { return b->c->views && b->c->dims[i] > 1 && b->w[i]; }

static bench bench_new(hone_job *job, const hn_op *op, const hn_op_case *c) {
    bench b = {.job = job, .a = hn_arena_new(hn_job_arena(job)), .op = op, .c = c};
    for (int i = 0; i < op->n_in; i++) {
        if (!c->shape[i]) continue;
        int64_t shape[HONE_MAX_DIMS], n = 1;
        for (int d = 0; d < c->dims[i]; d++) n *= shape[d] = c->shape[i][d];
        if (c->int_max[i]) {
            hn_rng r = hn_rng_new(7, HN_STREAM_TEST, (uint32_t)i);
            int low = c->int_max[i] < 0, max = abs(c->int_max[i]);
            b.ids[i] = hn_new_n(b.a, int32_t, n + 1);
            for (int64_t k = 0; k < n; k++) b.ids[i][k] = (int32_t)hn_rng_below(&r, max + low) - low;
            continue;
        }
        if (c->views && c->dims[i] > 1) shape[c->dims[i] - 1] += WIDER;
        b.w[i] = weight(b.a, hn_fmt(b.a, "in%d", i), c->dims[i], shape, 100 + (uint64_t)i, 1);
    }
    b.r = hn_new_n(b.a, float, MAX_ELEMENTS);
    hn_rng_fill_normal(9, HN_STREAM_TEST, 1, b.r, MAX_ELEMENTS, 1);
    return b;
}

/* The same numbers as an activation of the tape's type. */
static bool activate_shape(hn_call *c, hn_arena *a) {
    *c->out = (hone_tensor){.dtype = HONE_F32, .dims = c->in[0]->dims};
    memcpy(c->out->shape, c->in[0]->shape, sizeof c->out->shape);
    return true;
}
static void activate_forward(hn_call *c) { /* a tensor of no numbers has no memory */
    if (hn_count(c->out)) memcpy(c->out->data, c->in[0]->data, (size_t)hn_count(c->out) * sizeof(float));
}
static void activate_backward(hn_call *c, hone_tensor *const dx[]) {
    for (int64_t i = 0; i < hn_count(c->out) && dx[0]; i++) ((float *)dx[0]->data)[i] += c->out->grad[i];
}
static const hn_op op_activate = {
    .item = {"activate", ""}, .n_in = 1, .shape = activate_shape, .forward = activate_forward, .backward = activate_backward};
static hone_tensor *activate(hone_tape *t, hone_tensor *x) { return hn_apply(t, &op_activate, NULL, (hone_tensor *[]){x}); }

static hone_tensor *forward(bench *b, hone_tape *t, hone_mode mode, hone_tensor **y, double *exact) {
    hone_tensor *in[HN_MAX_IN] = {0};
    hone_tape_begin(t, mode, 5, 3);
    for (int i = 0; i < b->op->n_in; i++) {
        in[i] = b->ids[i] ? hone_input_i32(t, b->ids[i], b->c->dims[i], b->c->shape[i]) : b->w[i];
        if (b->w[i] && b->made) in[i] = activate(t, in[i]);
        if (as_view(b, i)) in[i] = hone_columns(t, in[i], OFFSET, b->c->shape[i][b->c->dims[i] - 1]);
    }
    *y = hn_apply(t, b->op, b->c->attr, in);
    return project(t, *y, b->r, exact);
}

/* wants: which inputs are trained, as bits. Gradients start from 0.5, so that overwriting shows. */
static result run(bench *b, const char *backend, bool references, unsigned wants) {
    result out = {0};
    hone_tape *t = hone_tape_new(b->job, backend);
    assert_non_null(t);
    if (references) hn_tape_use_references(t);
    assert_true(hone_tape_activations(t, b->type));
    for (int i = 0; i < b->op->n_in; i++)
        if (b->w[i]) {
            b->w[i]->wants_grad = wants >> i & 1;
            for (int64_t k = 0; k < hn_count(b->w[i]); k++) b->w[i]->grad[k] = 0.5f;
        }
    hone_tensor *y, *loss = forward(b, t, HONE_TRAIN, &y, &out.loss);
    if (!hone_ok(t)) fail_msg("%s (%s): %s", b->op->item.name, b->c->doc, hone_error_message(b->job));
    out.n = hn_count(y);
    assert_true(out.n <= MAX_ELEMENTS);
    out.y = hn_new_n(b->a, float, out.n + 1);
    for (int64_t k = 0; k < out.n; k++) out.y[k] = (float)hone_tensor_item(y, k);
    if (loss->wants_grad && !hone_backward(t, loss)) fail_msg("%s (%s): %s", b->op->item.name, b->c->doc, hone_error_message(b->job));
    for (int i = 0; i < b->op->n_in; i++)
        if (b->w[i] && wants >> i & 1) {
            out.grad[i] = hn_new_n(b->a, float, hn_count(b->w[i]) + 1);
            for (int64_t k = 0; k < hn_count(b->w[i]); k++) out.grad[i][k] = b->w[i]->grad[k] - 0.5f;
        }
    hn_tape_stats s;
    hn_tape_stats_get(t, &s);
    out.peak = s.pool_peak;
    out.now = s.pool_now;
    out.forward = s.flops_forward;
    out.backward = s.flops_backward;
    hone_tape_free(t);
    return out;
}

static void compare(const bench *b, const char *what, const float *x, const float *want, int64_t n, double tolerance) {
    double scale = fmax(1, largest(want, n));
    for (int64_t k = 0; k < n; k++)
        if (!(fabs(x[k] - want[k]) <= tolerance * scale))
            fail_msg("%s (%s), %s: [%lld] is %.9g, not %.9g", b->op->item.name, b->c->doc, what, (long long)k, x[k], want[k]);
}

static void each(void (*fn)(bench *b), const hone_options *options) {
    for (int64_t i = 0; i < hn_kind_op.n; i++) {
        const hn_op *op = (const hn_op *)hn_kind_op.items[i];
        assert_true(op->n_cases > 0);
        for (int64_t k = 0; k < op->n_cases; k++) {
            hone_job *job = hone_open(options);
            bench b = bench_new(job, op, &op->cases[k]);
            fn(&b);
            hone_close(job);
        }
    }
}
#endif
