/* attention.c - o = dropout(softmax(cap(scale·q·kᵀ)))·v by tiles of 64 queries × 128 keys, memory linear in T.
 *
 * A task is (batch, head, block of queries); running maximum and sum per row (online softmax); tiles of keys that no query of the
 * block sees are never touched. Few queries (decoding): dot products over the keys, no tiles. Backward: attention_back.c.
 * Source: Dao 2023, arXiv:2307.08691. */
#include "tensor/cpu/attention.h"

/* Of a worker: a tile of scores, each row's maximum and sum; in pairs the scores in bf16 and o. */
static int64_t room_floats(const job *j) { return QB * LD + 2 * QB + (j->p ? QB * ROW16 + hn_round(QB * j->D) : 0); }
static int64_t scratch_bytes(const hn_call *c, bool back) {
    job j = job_new((hn_call *)c);
    if (back) return hn_cpu_attention_back_bytes(c);
    return (hn_pool_threads(c->pool) * (j.T <= FEW ? hn_round(j.S) : room_floats(&j)) + (j.p ? attention_packed_floats(&j, false) : 0)) *
           (int64_t)sizeof(float);
}

/* Scores of one row made ready for exp(sc·p − …): capped and hidden. Returns sc. */
static float ready(const job *j, float *p, int64_t b, int64_t t, int64_t s0, int64_t from, int64_t to, bool mixed) {
    float sc = j->o->scale;
    if (j->o->softcap > 0) j->v->softcap(p + from, NULL, p + from, sc, j->o->softcap, to - from), sc = 1;
    else if (sc < 0) j->v->scale(p + from, p + from, sc, to - from), sc = 1;
    if (mixed) hide(j, p, b, t, s0, from, to, -INFINITY);
    return sc;
}

typedef struct {
    float *s, *max, *sum, *s16; /* s16: (QB,ROW16) of bf16 */
    float *o;                   /* (QB,D), rows of ldo */
    int64_t ldo;
} room;

/* One tile into the block's running maximum, sum and o; `more`: o holds something already. */
static void forward_tile(const job *j, const room *w, int64_t b, int64_t h, int64_t t0, int64_t m, int64_t s0, int64_t n, bool mixed,
                         bool more) {
    const hone_tensor *q = j->c->in[0], *k = j->c->in[1], *v = j->c->in[2];
    int64_t row0 = (b * j->H + h) * j->T + t0, ldo = w->ldo, kh = h / j->group, from, to;
    float *s = w->s, *max = w->max, *sum = w->sum, *o = w->o;
    if (j->p) by_keys(j, s, m, n, rows_of16(q16_row(j, q, b, t0, h), q->ld), j->k_along, key_tile(j, b, kh, s0));
    else hn_gemm(false, true, m, n, j->D, q_row(j, q, b, t0, h), q->ld, kv_row(j, k, b, s0, kh), k->ld, 0, s, LD);
    for (int64_t i = 0; i < m; i++) {
        float *p = s + i * LD;
        seen(j, b, t0 + i, s0, n, &from, &to);
        if (from) memset(p, 0, (size_t)from * sizeof *p);
        if (to < n) memset(p + to, 0, (size_t)(n - to) * sizeof *p);
        if (from == to) continue;
        float sc = ready(j, p, b, t0 + i, s0, from, to, mixed), best = sc * j->v->top(p + from, to - from);
        if (mixed && best == -INFINITY) {
            memset(p, 0, (size_t)to * sizeof *p);
            continue;
        }
        float top = fmaxf(max[i], best), shrink = max[i] == -INFINITY ? 0 : expf(max[i] - top);
        sum[i] = sum[i] * shrink + j->v->exp_shift(p + from, p + from, sc, top, to - from);
        max[i] = top;
        if (more && shrink != 1) j->v->scale(o + i * ldo, o + i * ldo, shrink, j->D);
        if (j->o->dropout > 0) drop(j, p, p, row0 + i, s0, to);
    }
    if (!j->p) {
        hn_gemm(false, false, m, j->D, n, s, LD, kv_row(j, v, b, s0, kh), v->ld, more ? 1 : 0, o, ldo);
        return;
    }
    for (int64_t i = 0; i < m; i++) narrow_row(j, row16(w->s16, i), s + i * LD, n);
    over_keys(j, o, ldo, m, n, w->s16, j->v_across, key_tile(j, b, kh, s0), more);
}
static void finish_row(const job *j, float *o, float max, float sum, int64_t row) {
    bool blind = max == -INFINITY && sum == 0;
    j->v->scale(o, o, blind ? 0 : 1 / sum, j->D);
    if (j->lse) j->lse[row] = blind ? 0 : max + logf(sum);
}
static void forward_block(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t t0 = task % j->q_blocks * QB, h = task / j->q_blocks % j->H, b = task / j->q_blocks / j->H;
    int64_t m = HN_MIN(QB, j->T - t0), end = end_key(j, b, t0 + m - 1);
    float *s = j->rooms + worker * j->worker_floats;
    room w = { .s = s, .max = s + QB * LD, .sum = s + QB * LD + QB };
    bool more = false;
    if (j->p) w.s16 = w.sum + QB, w.o = w.s16 + QB * ROW16, w.ldo = j->D;
    else w.o = q_row(j, j->c->out, b, t0, h), w.ldo = j->c->out->ld;
    for (int64_t i = 0; i < m; i++) w.max[i] = -INFINITY, w.sum[i] = 0;
    for (int64_t s0 = first_key(j, t0) / KB * KB; s0 < end; s0 += KB) {
        int64_t n = HN_MIN(KB, end - s0);
        tile_kind kind = tile_of(j, b, t0, m, s0, n);
        if (kind == TILE_FOREIGN) continue;
        forward_tile(j, &w, b, h, t0, m, s0, n, kind == TILE_MIXED, more);
        more = true;
    }
    for (int64_t i = 0; i < m; i++) {
        float *o = w.o + i * w.ldo;
        if (!more) memset(o, 0, (size_t)j->D * sizeof *o);
        finish_row(j, o, w.max[i], w.sum[i], (b * j->H + h) * j->T + t0 + i);
        if (j->p) j->v->narrow(q16_row(j, j->c->out, b, t0 + i, h), o, j->D);
    }
}
static void forward_few(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t h = task % j->H, b = task / j->H, kh = h / j->group;
    float *p = (float *)j->c->scratch + worker * hn_round(j->S);
    const hone_tensor *k = j->c->in[1], *v = j->c->in[2];
    for (int64_t t = 0; t < j->T; t++) {
        int64_t end = end_key(j, b, t), s0 = HN_MIN(first_key(j, t), end) / 4 * 4, from, to, row = (b * j->H + h) * j->T + t;
        seen(j, b, t, s0, end - s0, &from, &to);
        float *o = q_row(j, j->c->out, b, t, h), max = -INFINITY, sum = 0;
        j->v->gemv(p, q_row(j, j->c->in[0], b, t, h), kv_row(j, k, b, s0, kh), k->ld, false, to, j->D);
        memset(p, 0, (size_t)from * sizeof *p);
        if (from < to) {
            float sc = ready(j, p, b, t, s0, from, to, j->documents);
            max = sc * j->v->top(p + from, to - from);
            sum = j->v->exp_shift(p + from, p + from, sc, max, to - from);
            if (j->o->dropout > 0) drop(j, p, p, row, s0, to);
        }
        j->v->gemv(o, p, kv_row(j, v, b, s0, kh), v->ld, true, j->D, to);
        finish_row(j, o, max, sum, row);
    }
}
static void forward(hn_call *c) {
    job j = job_new(c);
    double flops = 6.0 * (double)(j.B * j.H * j.T) * (double)(j.S * (j.D + 16));
    if (!j.T || !hn_attention_lengths(c)) return;
    if (j.T <= FEW) {
        hn_cpu_run(c, 4 * flops, j.B * j.H, forward_few, &j);
        return;
    }
    j.rooms = c->scratch, j.worker_floats = room_floats(&j);
    if (j.p) attention_pack(&j, &j.rooms, false);
    hn_cpu_run(c, flops, j.B * j.H * j.q_blocks, forward_block, &j);
}
static bool is_bf16(const hone_tensor *x) { return x->dtype == HONE_BF16; }
static unsigned bf16(const hn_call *c) {
    const hone_tensor *q = c->in[0];
    bool all = is_bf16(q) && is_bf16(c->in[1]) && is_bf16(c->in[2]) && is_bf16(c->out);
    int64_t D = q->shape[2] / ((const hn_attention_attr *)c->attr)->o.heads;
    return all && hn_pairs_now() && q->shape[1] > FEW && D % 2 == 0 ? HN_SAVE_IN0 | HN_SAVE_IN1 | HN_SAVE_IN2 | HN_SAVE_OUT : 0;
}
extern const hn_kernel hn_cpu_attention;
const hn_kernel hn_cpu_attention = { &hn_op_attention, forward, hn_cpu_attention_back, scratch_bytes, .overwrites = true, .bf16 = bf16 };
