/* ops.c - every operator, forward and backward, alone on a warm tape: named shapes of transformer layers (shapes.c), and those of the
 * operator's own cases that are large enough to time, or its largest case where none is.
 *
 * Time is the operator's alone, by the tape's watch: inputs, zeroing by others and the made-up gradient that backward begins with are
 * outside. What is not a weight is made on the tape, as in a model, so a kernel may overwrite its gradient. Bytes are each input and the
 * result once (backward: twice that, as FLOPs), so a share of the read bandwidth above 100 % means that the caches held it. */
#include "app/bench/bench.h"
#include "app/bench/shapes.h"
#include "tensor/tensor.h"

enum { MIN_REPEATS = 3 };
#define LARGE_FLOPS 1e6
#define LARGE_BYTES 1e6

typedef struct probe {
    bench *b;
    hn_arena *a;
    const hn_op *op;
    const hn_op_case *c;
    hone_tape *t;
    hone_tensor *w[HN_MAX_IN];  /* inputs that are weights */
    void *v[HN_MAX_IN];         /* contents of the others */
    hn_cost cost;
    bench_sample at[2];         /* forward, backward */
    bool warm, views;
} probe;

/* ---- loss (1) = 0, whose gradient is 1/1024 everywhere ---- */
static bool end_shape(hn_call *c, hn_arena *a) {
    c->out->dtype = HONE_F32;
    c->out->dims = 1;
    c->out->shape[0] = 1;
    return true;
}
static void end_forward(hn_call *c) { *(float *)c->out->data = 0; }
static void end_backward(hn_call *c, hone_tensor *const dx[]) {
    for (int64_t r = 0; dx[0] && r < hn_rows(dx[0]); r++)
        for (int64_t i = 0; i < hn_cols(dx[0]); i++) ((float *)dx[0]->data)[r * dx[0]->ld + i] = 1.0f / 1024;
}
static const hn_op end = { HN_ITEM0("end", "", NULL), .n_in = 1, .shape = end_shape, .forward = end_forward, .backward = end_backward };

/* ---- inputs ---- */

static int64_t count(const hn_op_case *c, int i) {
    int64_t n = 1;
    for (int d = 0; d < c->dims[i]; d++) n *= c->shape[i][d];
    return n;
}

/* Inputs after the first that have at most two dimensions are weights; the rest comes from other operators. */
static bool is_weight(const hn_op_case *c, int i) { return i > 0 && !c->int_max[i] && c->dims[i] <= 2 && c->dims[0] > c->dims[i] - 1; }

static void make_inputs(probe *p) {
    const hn_op_case *c = p->c;
    for (int i = 0; i < p->op->n_in; i++) {
        if (!c->shape[i]) continue;
        int64_t n = count(c, i);
        if (is_weight(c, i)) {
            p->w[i] = hn_weight_new(p->a, "w", c->dims[i], c->shape[i], false);
            hn_rng_fill_normal(3, HN_STREAM_TEST, (uint32_t)i, p->w[i]->data, n, 0.02);
            hn_weight_grad(p->a, p->w[i]);
        } else if (c->int_max[i]) {
            hn_rng r = hn_rng_new(7, HN_STREAM_TEST, (uint32_t)i);
            int32_t *v = p->v[i] = hn_new_n(p->a, int32_t, n + 1);
            int low = c->int_max[i] < 0, max = low ? -c->int_max[i] : c->int_max[i];
            for (int64_t k = 0; k < n; k++) v[k] = (int32_t)hn_rng_below(&r, max + low) - low;
        } else {
            p->v[i] = hn_alloc_large(p->a, (n + 1) * (int64_t)sizeof(float));
            hn_rng_fill_normal(3, HN_STREAM_TEST, (uint32_t)i, p->v[i], n, 1);
        }
    }
}

static hone_tensor *put(probe *p, int i) {
    const hn_op_case *c = p->c;
    if (!c->shape[i]) return NULL;
    if (p->w[i]) return p->w[i];
    if (c->int_max[i]) return hone_input_i32(p->t, p->v[i], c->dims[i], c->shape[i]);
    hone_tensor *x = hone_input_f32(p->t, p->v[i], c->dims[i], c->shape[i]);
    x->wants_grad = true;
    return x;
}

/* ---- a repeat ---- */

static void seen(void *user, const hn_call *c, bool backward, double seconds) {
    probe *p = user;
    if (c->op != p->op) return;
    if (p->warm) bench_add(&p->at[backward], seconds);
    if (c->op->cost) p->cost = c->op->cost(c);
}

static bool repeat(probe *p) {
    hone_tensor *in[HN_MAX_IN] = { 0 };
    hone_tape_begin(p->t, HONE_TRAIN, 1, 1);
    for (int i = 0; i < p->op->n_in; i++) in[i] = put(p, i);
    hone_tensor *y = hn_apply(p->t, p->op, p->c->attr, in), *loss = y;
    if (hone_ok(p->t) && hn_count(y) != 1) loss = hn_apply(p->t, &end, NULL, (hone_tensor *[]){ y });
    return hone_ok(p->t) && (!loss->wants_grad || !loss->node || hone_backward(p->t, loss));
}

static const char *shape_text(hn_arena *a, const hn_op *op, const hn_op_case *c) {
    hn_buf s = { 0 };
    for (int i = 0; i < op->n_in; i++) {
        if (!c->shape[i]) continue;
        if (s.n) hn_buf_fmt(a, &s, " ");
        for (int d = 0; d < c->dims[i]; d++) hn_buf_fmt(a, &s, d ? "x%lld" : "%lld", (long long)c->shape[i][d]);
    }
    return hn_buf_str(a, &s);
}

static bool one_case(bench *b, const hn_op *op, const hn_op_case *c, const char *what) {
    const char *name = hn_fmt(b->a, "op/%s %s", op->item.name, what);
    static const char *const ways[] = { "forward", "backward" };
    if (!bench_wants(b, name)) return true;
    hn_arena *a = hn_arena_new(b->a);
    probe *p = hn_new(a, probe);
    *p = (probe){ .b = b, .a = a, .op = op, .c = c, .t = hone_tape_new(a->job, NULL) };
    bool ok = p->t != NULL;
    if (ok) {
        make_inputs(p);
        hn_tape_watch(p->t, seen, p);
        double began = hn_now();
        ok = repeat(p);
        p->warm = true;
        for (int i = 0; ok && (i < MIN_REPEATS || hn_now() - began < b->seconds) && i < BENCH_MAX_SAMPLE && !hn_stopped(a->job); i++)
            ok = repeat(p);
    }
    for (int k = 0; ok && k < 2; k++) {
        if (!p->at[k].n) continue;
        bench_tell(b, &(bench_line){ .name = hn_fmt(a, "%s %s", name, ways[k]), .config = shape_text(a, op, c),
                                     .seconds = bench_stat_of(&p->at[k]), .flops = (k + 1) * p->cost.flops,
                                     .bytes = (k + 1) * p->cost.bytes });
    }
    hone_tape_free(p->t);
    hn_arena_free(a);
    return ok;
}

/* ---- which cases ---- */

/* FLOPs and bytes of a case, from a dry run. */
static hn_cost cost_of(hn_arena *keep, const hn_op *op, const hn_op_case *c) {
    hn_arena *a = hn_arena_new(keep);
    probe p = { .a = a, .op = op, .c = c, .t = hone_tape_new(a->job, "null") };
    hone_tensor *in[HN_MAX_IN] = { 0 };
    if (p.t) {
        hn_tape_watch(p.t, seen, &p);
        hone_tape_begin(p.t, HONE_EVAL, 1, 1);
        for (int i = 0; i < op->n_in; i++)
            if (c->shape[i])
                in[i] = c->int_max[i] ? hone_input_i32(p.t, NULL, c->dims[i], c->shape[i]) : hone_input_f32(p.t, NULL, c->dims[i], c->shape[i]);
        hn_apply(p.t, op, c->attr, in);
    }
    hone_tape_free(p.t);
    hn_arena_free(a);
    return p.cost;
}

static bool cases_of(bench *b, const hn_op *op) {
    int64_t named = 0, best = -1;
    double most = 0;
    for (int64_t i = 0; i < bench_n_shapes; i++) {
        if (strcmp(bench_shapes[i].op, op->item.name) != 0) continue;
        named++;
        if (!one_case(b, op, &bench_shapes[i].c, bench_shapes[i].c.doc)) return false;
    }
    for (int64_t i = 0; i < op->n_cases; i++) {
        hn_cost c = cost_of(b->a, op, &op->cases[i]);
        if (c.flops >= LARGE_FLOPS || c.bytes >= LARGE_BYTES) {
            named++;
            if (!one_case(b, op, &op->cases[i], op->cases[i].doc)) return false;
        } else if (c.flops + c.bytes > most) most = c.flops + c.bytes, best = i;
    }
    return named || best < 0 || op->view || one_case(b, op, &op->cases[best], op->cases[best].doc);
}

bool bench_ops(bench *b) {
    for (int64_t i = 0; i < hn_kind_op.n && !hn_stopped(b->a->job); i++)
        if (!cases_of(b, (const hn_op *)hn_kind_op.items[i])) return false;
    return true;
}
