/* floor.c - all products of a training step and nothing else, as the tape ran them: of linear maps and the head y = x·wᵀ, dx = dy·w and
 * dw = dyᵀ·x; of attention q·kᵀ, p·v and the four of its backward, without the causal skip and without making p again.
 *
 * Each weight and each dw has memory of its own, as in a model; activations share. An operator with FLOPs that is not known here counts
 * at the mean rate of the rest. In bf16 what a linear map reads is bf16 already, weights are rounded as they are packed, and results are
 * f32; attention's products are of bf16 where oneDNN is faster so. */
#include "app/bench/floor.h"
#include "tensor/cpu/cpu.h"

extern const hn_op hn_op_linear, hn_op_linear_cross_entropy, hn_op_attention;
enum { MAX_STEPS = 2048 };

typedef struct weight {
    const hone_tensor *of;
    int64_t rows, cols;
    float *w, *dw;
} weight;
typedef struct step {
    bool attention, backward, kn, wants_x, wants_w;     /* kn: w is stored (K,N) */
    int weight, ways[2];
    int64_t M, K, N;                                    /* of a linear map */
    int64_t B, T, S, H, G, D, block;                    /* of attention: G heads of keys; block: queries at a time */
    bench_packed *scores, *over_keys, *over_queries;    /* of attention in bf16, for `block` queries; NULL: f32 */
} step;
struct bench_floor {
    hn_arena *a;
    hn_pool *pool;
    bench_gemms *gemms;
    int n, n_weights;
    step s[MAX_STEPS];
    weight w[MAX_STEPS];
    bool bf16;
    double flops, other_flops;
    float *x, *y, *z, *tile, *p16;                      /* what is read, as long as any; what is written; a worker's tile of p and dp */
    int64_t x_size, y_size, tile_size;
};

bench_floor *bench_floor_new(hn_arena *a, bool bf16) {
    bench_floor *f = hn_new(a, bench_floor);
    f->a = a;
    f->bf16 = bf16;
    f->pool = hn_job_pool(a->job);
    f->gemms = bench_gemms_new(a);
    return f;
}

static int weight_of(bench_floor *f, const hone_tensor *w) {
    for (int i = 0; i < f->n_weights; i++)
        if (f->w[i].of == w) return i;
    f->w[f->n_weights] = (weight){ w, w->shape[0], w->shape[1], NULL, NULL };
    return f->n_weights++;
}

void bench_floor_see(bench_floor *f, const hn_call *c, bool backward) {
    double flops = c->op->cost ? (backward ? 2 : 1) * c->op->cost(c).flops : 0;
    const hone_tensor *x = c->in[0], *w = c->in[1];
    bool head = c->op == &hn_op_linear_cross_entropy;
    if (flops <= 0) return;
    HN_ASSERT(f->n < MAX_STEPS);
    step *s = &f->s[f->n];
    *s = (step){ .backward = backward };
    if (head || c->op == &hn_op_linear) {
        s->kn = !head && ((const hn_linear_attr *)c->attr)->transposed;
        s->M = hn_rows(x), s->K = hn_cols(x), s->N = w->shape[s->kn ? 1 : 0];
        s->weight = weight_of(f, w);
        s->wants_x = x->wants_grad, s->wants_w = w->wants_grad;
        if (backward) flops *= 0.5 * (s->wants_x + s->wants_w);
    } else if (c->op == &hn_op_attention) {
        s->attention = true;
        s->B = x->shape[0], s->T = x->shape[1], s->S = w->shape[1];
        s->H = ((const hn_attention_attr *)c->attr)->o.heads, s->D = x->shape[2] / s->H, s->G = w->shape[2] / s->D;
    } else {
        f->other_flops += flops;
        return;
    }
    f->flops += flops;
    f->n++;
}

double bench_floor_flops(const bench_floor *f) { return f->flops + f->other_flops; }

/* ---- linear maps ---- */

static int products(const bench_floor *f, const step *s, bench_gemm g[2]) {
    const weight *w = &f->w[s->weight];
    int64_t M = s->M, K = s->K, N = s->N, ldw = s->kn ? N : K;
    int n = 0;
    if (!s->backward) g[n++] = (bench_gemm){ .m = M, .n = N, .k = K, .tb = !s->kn, .a = f->x, .b = w->w, .c = f->z, .lda = K, .ldb = ldw, .ldc = N };
    else {
        if (s->wants_x) g[n++] = (bench_gemm){ .m = M, .n = K, .k = N, .tb = s->kn, .a = f->y, .b = w->w, .c = f->z, .lda = N, .ldb = ldw, .ldc = K };
        if (s->wants_w)
            g[n++] = s->kn ? (bench_gemm){ .m = K, .n = N, .k = M, .ta = true, .a = f->x, .b = f->y, .c = w->dw, .lda = K, .ldb = N, .ldc = N }
                           : (bench_gemm){ .m = N, .n = K, .k = M, .ta = true, .a = f->y, .b = f->x, .c = w->dw, .lda = N, .ldb = K, .ldc = K };
    }
    for (int i = 0; i < n; i++) g[i].bf16 = f->bf16, g[i].b_wide = g[i].b == w->w;
    return n;
}

/* ---- attention: a task is a head of a row ---- */

typedef struct heads {
    const bench_floor *f;
    const step *s;
} heads;
static void head_task(void *arg, int64_t task, int worker) {
    const heads *h = arg;
    const step *s = h->s;
    int64_t C = s->H * s->D, E = s->G * s->D, T = s->T, S = s->S, D = s->D, ld = hn_pad_ld(S), b = task / s->H, i = task % s->H;
    const float *q = h->f->x + b * T * C + i * D, *dy = h->f->y + b * T * C + i * D;
    const float *k = h->f->x + s->B * T * C + b * S * E + i / (s->H / s->G) * D, *v = k + s->B * S * E;
    float *o = h->f->z + b * T * C + i * D;                                            /* or dq */
    float *dk = h->f->z + s->B * T * C + b * S * C + i * D, *dv = dk + s->B * S * C;   /* a head's own, as if summed after */
    float *p = h->f->tile + worker * h->f->tile_size;
    for (int64_t t = 0; t < T; t += s->block) {
        int64_t m = HN_MIN(s->block, T - t);
        float beta = t ? 1 : 0;
        if (!s->backward) {
            hn_gemm(false, true, m, S, D, q + t * C, C, k, E, 0, p, ld);
            hn_gemm(false, false, m, D, S, p, ld, v, E, 0, o + t * C, C);
            continue;
        }
        hn_gemm(false, true, m, S, D, dy + t * C, C, v, E, 0, p, ld);                  /* dp = dy·vᵀ */
        hn_gemm(true, false, S, D, m, p, ld, dy + t * C, C, beta, dv, C);              /* dv = pᵀ·dy */
        hn_gemm(true, false, S, D, m, p, ld, q + t * C, C, beta, dk, C);               /* dk = dsᵀ·q */
        hn_gemm(false, false, m, D, S, p, ld, k, E, 0, o + t * C, C);                  /* dq = ds·k */
    }
}
/* The same of bf16; queries by whole blocks. */
static void head16_task(void *arg, int64_t task, int worker) {
    const heads *h = arg;
    const step *s = h->s;
    int64_t C = s->H * s->D, E = s->G * s->D, T = s->T, S = s->S, D = s->D, b = task / s->H, i = task % s->H;
    const hn_bf16 *x = (const hn_bf16 *)(const void *)h->f->x, *y = (const hn_bf16 *)(const void *)h->f->y, *p = (const hn_bf16 *)(const void *)h->f->p16;
    const hn_bf16 *q = x + b * T * C + i * D, *dy = y + b * T * C + i * D, *k = x + s->B * T * C + b * S * E + i / (s->H / s->G) * D, *v = k + s->B * S * E;
    float *o = h->f->z + b * T * C + i * D, *dk = h->f->z + s->B * T * C + b * S * C + i * D, *dv = dk + s->B * S * C;
    float *to = h->f->tile + worker * h->f->tile_size;
    p += worker * 2 * h->f->tile_size;
    for (int64_t t = 0; t + s->block <= T; t += s->block) {
        bench_strided_run(s->scores, worker, s->backward ? dy + t * C : q + t * C, s->backward ? v : k, to);
        bench_strided_run(s->over_keys, worker, p, s->backward ? k : v, o + t * C);
        if (!s->backward) continue;
        bench_strided_run(s->over_queries, worker, p, dy + t * C, dv);
        bench_strided_run(s->over_queries, worker, p, q + t * C, dk);
    }
}
static void run_heads(const bench_floor *f, const step *s) {
    heads h = { f, s };
    hn_products_run(f->pool, s->B * s->H, s->scores ? head16_task : head_task, &h);
}
/* All of T at once, or 256 of it. */
static void make_heads16(bench_floor *f, step *s) {
    int64_t C = s->H * s->D, E = s->G * s->D, ld = hn_pad_ld(s->S), m = HN_MIN(s->T, 256);
    if (s->T % m) return;
    bench_packed *scores = bench_strided_new(f->a, &(bench_gemm){ .m = m, .n = s->S, .k = s->D, .tb = true, .lda = C, .ldb = E, .ldc = ld });
    s->over_keys = bench_strided_new(f->a, &(bench_gemm){ .m = m, .n = s->D, .k = s->S, .lda = ld, .ldb = E, .ldc = C });
    s->over_queries = bench_strided_new(f->a, &(bench_gemm){ .m = s->S, .n = s->D, .k = m, .ta = true, .lda = ld, .ldb = C, .ldc = C });
    if (!scores || !s->over_keys || !s->over_queries) return;
    double best[2] = { 1e30, 1e30 };
    int64_t block = s->block;
    for (int i = 0; i < 6; i++) {
        s->scores = i % 2 ? scores : NULL, s->block = i % 2 ? m : block;
        double began = hn_now();
        run_heads(f, s);
        best[i % 2] = HN_MIN(best[i % 2], hn_now() - began);
    }
    if (best[1] >= best[0]) s->scores = NULL, s->block = block;
}

/* ---- the whole ---- */

static void run_step(bench_floor *f, const step *s) {
    bench_gemm g[2];
    if (s->attention) {
        run_heads(f, s);
        return;
    }
    for (int i = 0, n = products(f, s, g); i < n; i++) bench_gemm_run(f->gemms, &g[i], s->ways[i]);
}

static void choose_block(bench_floor *f, step *s) {
    double best = 1e30;
    int64_t least = 0;
    for (int i = 0; i < f->n; i++) { /* the same shape before? */
        const step *o = &f->s[i];
        if (o == s) break;
        if (o->attention && o->backward == s->backward && o->B == s->B && o->T == s->T && o->S == s->S && o->H == s->H && o->D == s->D) {
            s->block = o->block, s->scores = o->scores, s->over_keys = o->over_keys, s->over_queries = o->over_queries;
            return;
        }
    }
    for (int64_t block = 64; block <= 256; block *= 2)
        for (int i = 0; i < 3; i++) {
            s->block = block;
            double began = hn_now();
            run_heads(f, s);
            double t = hn_now() - began;
            if (t < best) best = t, least = block;
        }
    s->block = least;
    if (f->bf16) make_heads16(f, s);
}

/* Small numbers of both signs, of f32 and, two in each, of bf16: sums stay finite, and no denormals slow the arithmetic. */
static void fill(float *v, int64_t n) {
    uint32_t x = 1;
    for (int64_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        hn_bf16 half = hn_narrow((float)(int32_t)x * 0x1p-34f);
        memcpy(&v[i], (hn_bf16[]){ half, half }, sizeof v[i]);
    }
}
static float *take(bench_floor *f, int64_t n) {
    float *v = hn_alloc_large(f->a, n * (int64_t)sizeof *v);
    fill(v, n);
    return v;
}

void bench_floor_ready(bench_floor *f) {
    for (int i = 0; i < f->n; i++) {
        const step *s = &f->s[i];
        int64_t kv = 2 * s->B * s->S * s->H * s->D;
        f->x_size = HN_MAX(f->x_size, s->attention ? s->B * s->T * s->H * s->D + kv : s->M * s->K);
        f->y_size = HN_MAX(f->y_size, s->attention ? s->B * s->T * s->H * s->D + kv : s->M * s->N);
        if (s->attention) f->tile_size = HN_MAX(f->tile_size, hn_round(256 * hn_pad_ld(s->S)));
    }
    f->x = take(f, f->x_size + 1);
    f->y = take(f, f->y_size + 1);
    f->z = take(f, HN_MAX(f->x_size, f->y_size) + 1);
    if (f->tile_size) f->tile = take(f, f->tile_size * hn_pool_threads(f->pool)), f->p16 = take(f, f->tile_size * hn_pool_threads(f->pool));
    for (int i = 0; i < f->n_weights; i++) {
        weight *w = &f->w[i];
        w->w = take(f, w->rows * w->cols);
        w->dw = take(f, w->rows * w->cols);
    }
    for (int i = 0; i < f->n; i++) {
        bench_gemm g[2];
        if (f->s[i].attention) choose_block(f, &f->s[i]);
        else
            for (int k = 0, n = products(f, &f->s[i], g); k < n; k++) f->s[i].ways[k] = bench_gemm_choose(f->gemms, &g[k]);
    }
}

double bench_floor_run(bench_floor *f) {
    double began = hn_now();
    for (int i = 0; i < f->n; i++) run_step(f, &f->s[i]);
    double s = hn_now() - began;
    return f->flops > 0 ? s * (1 + f->other_flops / f->flops) : s;
}
