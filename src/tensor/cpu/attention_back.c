/* attention_back.c - dq, dk and dv by tiles; each tile's p is made again from the log-sum-exp. Dao 2023, arXiv:2307.08691.
 *
 * A task is (batch, head of keys, chunk of keys): it owns its dk and dv and goes through all heads that share them in order. Where
 * batch × heads alone gives few tasks, the keys are cut into chunks (by size, never by the number of threads); the first chunk adds
 * into dq itself, the others into buffers of their own that are added afterwards, chunk by chunk. So sums have one order. */
#include "tensor/cpu/attention.h"

enum { TASKS = 16 }; /* more would ask for more buffers of dq */

static void cut(job *j) {
    int64_t want = hn_cdiv(TASKS, HN_MAX(j->B * j->KV, 1));
    j->chunk = HN_MAX(hn_cdiv(hn_cdiv(j->S, want), KB) * KB, KB);
    j->chunks = hn_cdiv(j->S, j->chunk);
}
static int64_t tiles(const job *j) { return 2 + (j->o->dropout > 0) + (j->o->softcap > 0); }
static int64_t part_floats(const job *j) { return HN_MAX(j->chunks - 1, 0) * j->B * j->H * j->T * j->D; }
static float *part_row(const job *j, int64_t chunk, int64_t b, int64_t h, int64_t t) {
    return j->part + ((((chunk - 1) * j->B + b) * j->H + h) * j->T + t) * j->D;
}
/* The first query, whole blocks, that sees a key of the chunk; and one past the last. */
static int64_t first_query(const job *j, int64_t chunk) {
    int64_t s = chunk * j->chunk - j->pos0;
    return j->o->causal ? HN_MIN(HN_MAX(s, 0), j->T) / QB * QB : j->o->window ? HN_MIN(HN_MAX(s - j->o->window + 1, 0), j->T) / QB * QB : 0;
}
static int64_t end_query(const job *j, int64_t chunk) {
    return j->o->window ? HN_MAX(HN_MIN(j->T, (chunk + 1) * j->chunk + j->o->window - j->pos0), 0) : j->T;
}

/* Of a worker, see `room`. In pairs: ds and dy in rows of bf16; p, ds, q and dy packed, a block of queries deep; a row of o. */
static int64_t panels(const job *j, int64_t cols) { return hn_pairs_packed(j->p, cols, QB / 2); }
static int64_t room_floats(const job *j) {
    int64_t dy = QB * hn_pad_ld(hn_pairs_cells(j->D));
    return tiles(j) * QB * LD + QB + (j->p ? QB * ROW16 + dy + 2 * panels(j, KB) + 2 * panels(j, j->D) + hn_round(j->D) : 0);
}

int64_t hn_cpu_attention_back_bytes(const hn_call *c) {
    job j = job_new((hn_call *)c);
    cut(&j);
    return (hn_pool_threads(c->pool) * room_floats(&j) + part_floats(&j) + (j.p ? attention_packed_floats(&j, true) : 0)) * (int64_t)sizeof(float);
}

typedef struct {
    float *p, *dp, *pm, *slope, *delta; /* pm: dropped p, or p; slope: of the cap, or NULL */
    float *dq;
    int64_t ld_dq;
    /* in pairs */
    float *ds16, *wide;
    hn_bf16 *dy;
    int64_t ld_dy;
    uint32_t *packed_p, *packed_ds, *packed_q, *packed_dy;
} room;

/* p and ds of one row, in place of the raw scores and dp; zero where nothing is seen. */
static void backward_row(const job *j, const room *r, int64_t i, int64_t b, int64_t h, int64_t t, int64_t s0, int64_t n, bool mixed) {
    int64_t from, to, row = (b * j->H + h) * j->T + t;
    float *p = r->p + i * LD, *dp = r->dp + i * LD, *pm = r->pm + i * LD, *slope = r->slope ? r->slope + i * LD : NULL, sc = j->o->scale;
    seen(j, b, t, s0, n, &from, &to);
    int64_t k = to - from;
    if (slope) j->v->softcap(p + from, slope + from, p + from, sc, j->o->softcap, k);
    j->v->exp_shift(p + from, p + from, slope ? 1 : sc, j->lse[row], k);
    if (mixed) hide(j, p, b, t, s0, from, to, 0);
    memset(p, 0, (size_t)from * sizeof *p);
    if (pm != p) {
        drop(j, pm, p, row, s0, to);
        drop(j, dp, dp, row, s0, to);
    }
    j->v->softmax_grad(dp + from, p + from, dp + from, r->delta[i], slope ? 1 : sc, k);
    for (int64_t s = from; slope && s < to; s++) dp[s] *= slope[s];
    memset(dp, 0, (size_t)from * sizeof *dp);
    if (to == n) return;
    memset(p + to, 0, (size_t)(n - to) * sizeof *p);
    memset(dp + to, 0, (size_t)(n - to) * sizeof *dp);
    if (pm != p) memset(pm + to, 0, (size_t)(n - to) * sizeof *pm);
}
/* c (n,D) += aᵀ·b, both packed. */
static void over_queries(const job *j, hone_tensor *dx, int64_t b, int64_t kh, int64_t m, int64_t s0, int64_t n, const uint32_t *a, const uint32_t *right) {
    int64_t cells = hn_pairs_cells(m);
    hn_pairs_left left = hn_pairs_panels(j->p, a, QB / 2, 0, 0);
    j->p->product(hn_row_of(dx, b * j->S + s0) + kh * j->D, dx->ld, n, j->D, cells, &left, right, j->p->width * (QB / 2), true);
}
static void pairs_tile(const job *j, const room *r, int64_t b, int64_t h, int64_t t0, int64_t m, int64_t s0, int64_t n, bool mixed) {
    const hone_tensor *q = j->c->in[0];
    int64_t tile = key_tile(j, b, h / j->group, s0), stride = j->p->width * (QB / 2);
    by_keys(j, r->p, m, n, rows_of16(q16_row(j, q, b, t0, h), q->ld), j->k_along, tile);
    by_keys(j, r->dp, m, n, rows_of16(r->dy, r->ld_dy), j->v_along, tile);
    for (int64_t i = 0; i < m; i++) backward_row(j, r, i, b, h, t0 + i, s0, n, mixed);
    if (j->dx[0] || j->dx[1])
        for (int64_t i = 0; i < m; i++) narrow_row(j, row16(r->ds16, i), r->dp + i * LD, n);
    if (r->dq) over_keys(j, r->dq + t0 * r->ld_dq, r->ld_dq, m, n, r->ds16, j->k_across, tile, true);
    if (j->dx[1]) {
        j->p->pack(r->packed_ds, stride, r->ds16, HONE_BF16, 2 * ROW16, false, n, m);
        over_queries(j, j->dx[1], b, h / j->group, m, s0, n, r->packed_ds, r->packed_q);
    }
    if (j->dx[2]) {
        j->p->pack(r->packed_p, stride, r->pm, HONE_F32, LD, false, n, m);
        over_queries(j, j->dx[2], b, h / j->group, m, s0, n, r->packed_p, r->packed_dy);
    }
}
static void backward_tile(const job *j, const room *r, int64_t b, int64_t h, int64_t t0, int64_t m, int64_t s0, int64_t n, bool mixed) {
    const hone_tensor *q = j->c->in[0], *k = j->c->in[1], *v = j->c->in[2], *out = j->c->out, *dk = j->dx[1], *dv = j->dx[2];
    int64_t kh = h / j->group;
    if (j->p) {
        pairs_tile(j, r, b, h, t0, m, s0, n, mixed);
        return;
    }
    const float *dout = out->grad + (b * j->T + t0) * out->ld + h * j->D, *qs = q_row(j, q, b, t0, h), *ks = kv_row(j, k, b, s0, kh);
    hn_gemm(false, true, m, n, j->D, qs, q->ld, ks, k->ld, 0, r->p, LD);
    hn_gemm(false, true, m, n, j->D, dout, out->ld, kv_row(j, v, b, s0, kh), v->ld, 0, r->dp, LD);
    for (int64_t i = 0; i < m; i++) backward_row(j, r, i, b, h, t0 + i, s0, n, mixed);
    if (r->dq) hn_gemm(false, false, m, j->D, n, r->dp, LD, ks, k->ld, 1, r->dq + t0 * r->ld_dq, r->ld_dq);
    if (dk) hn_gemm(true, false, n, j->D, m, r->dp, LD, qs, q->ld, 1, hn_row_of(dk, b * j->S + s0) + kh * j->D, dk->ld);
    if (dv) hn_gemm(true, false, n, j->D, m, r->pm, LD, dout, out->ld, 1, hn_row_of(dv, b * j->S + s0) + kh * j->D, dv->ld);
}

static void zero(float *p, int64_t rows, int64_t cols, int64_t ld) {
    for (int64_t r = 0; r < rows; r++) memset(p + r * ld, 0, (size_t)cols * sizeof *p);
}
/* dy of a block of queries in bf16; it and q packed. */
static void pack_queries(const job *j, room *r, int64_t b, int64_t h, int64_t t0, int64_t m) {
    const hone_tensor *q = j->c->in[0], *out = j->c->out;
    int64_t stride = j->p->width * (QB / 2);
    for (int64_t i = 0; i < m; i++)
        j->v->narrow(r->dy + i * r->ld_dy, out->grad + (b * j->T + t0 + i) * out->ld + h * j->D, j->D);
    if (j->dx[1]) j->p->pack(r->packed_q, stride, q16_row(j, q, b, t0, h), HONE_BF16, q->ld, false, j->D, m);
    if (j->dx[2]) j->p->pack(r->packed_dy, stride, r->dy, HONE_BF16, r->ld_dy, false, j->D, m);
}
/* All tiles of one head in one chunk of keys. */
static void backward_head(const job *j, room *r, int64_t b, int64_t h, int64_t chunk) {
    const hone_tensor *out = j->c->out, *dq = j->dx[0];
    int64_t end_chunk = HN_MIN(j->S, (chunk + 1) * j->chunk), from = first_query(j, chunk), to = end_query(j, chunk);
    r->dq = !dq ? NULL : chunk ? part_row(j, chunk, b, h, 0) : q_row(j, dq, b, 0, h);
    r->ld_dq = !dq || chunk ? j->D : dq->ld;
    if (dq && chunk && from < to) zero(r->dq + from * j->D, to - from, j->D, j->D);
    if (dq && !chunk && dq->fresh) zero(r->dq, j->T, j->D, dq->ld);
    for (int64_t t0 = from; t0 < to; t0 += QB) {
        int64_t m = HN_MIN(QB, j->T - t0), end = HN_MIN(end_chunk, end_key(j, b, t0 + m - 1));
        int64_t start = HN_MAX(chunk * j->chunk, first_key(j, t0) / KB * KB);
        if (start >= end) continue;
        for (int64_t i = 0; i < m; i++) { /* Σ p·dp of a row is do·o */
            if (j->p) j->v->widen(r->wide, q16_row(j, out, b, t0 + i, h), j->D);
            r->delta[i] = j->v->dot(out->grad + (b * j->T + t0 + i) * out->ld + h * j->D, j->p ? r->wide : q_row(j, out, b, t0 + i, h), j->D);
        }
        if (j->p) pack_queries(j, r, b, h, t0, m);
        for (int64_t s0 = start; s0 < end; s0 += KB) {
            int64_t n = HN_MIN(KB, end - s0);
            tile_kind kind = tile_of(j, b, t0, m, s0, n);
            if (kind != TILE_FOREIGN) backward_tile(j, r, b, h, t0, m, s0, n, kind == TILE_MIXED);
        }
    }
}
static void backward_task(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t kh = task % j->KV, b = task / j->KV % j->B, chunk = task / j->KV / j->B, s0 = chunk * j->chunk;
    float *p = j->rooms + worker * j->worker_floats, *at = p + tiles(j) * QB * LD + QB;
    room r = { .p = p, .dp = p + QB * LD, .pm = p, .delta = p + tiles(j) * QB * LD };
    if (j->o->dropout > 0) r.pm = p + 2 * QB * LD;
    if (j->o->softcap > 0) r.slope = p + (tiles(j) - 1) * QB * LD;
    if (j->p) {
        r.ld_dy = 2 * hn_pad_ld(hn_pairs_cells(j->D));
        r.ds16 = hn_take(&at, QB * ROW16);
        r.dy = (hn_bf16 *)(void *)hn_take(&at, QB * r.ld_dy / 2);
        r.packed_p = (uint32_t *)(void *)hn_take(&at, panels(j, KB)), r.packed_ds = (uint32_t *)(void *)hn_take(&at, panels(j, KB));
        r.packed_q = (uint32_t *)(void *)hn_take(&at, panels(j, j->D)), r.packed_dy = (uint32_t *)(void *)hn_take(&at, panels(j, j->D));
        r.wide = at;
    }
    for (int i = 1; i < 3; i++)
        if (j->dx[i] && j->dx[i]->fresh)
            zero(hn_row_of(j->dx[i], b * j->S + s0) + kh * j->D, HN_MIN(j->chunk, j->S - s0), j->D, j->dx[i]->ld);
    for (int64_t g = 0; g < j->group; g++) backward_head(j, &r, b, kh * j->group + g, chunk);
}
/* dq of one head: the chunks' parts in their order. */
static void add_parts(void *arg, int64_t task, int worker) {
    job *j = arg;
    int64_t t0 = task % j->q_blocks * QB, h = task / j->q_blocks % j->H, b = task / j->q_blocks / j->H;
    for (int64_t chunk = 1; chunk < j->chunks; chunk++)
        for (int64_t t = HN_MAX(t0, first_query(j, chunk)); t < HN_MIN(t0 + QB, end_query(j, chunk)); t++) {
            float *dq = q_row(j, j->dx[0], b, t, h);
            j->v->add(dq, dq, part_row(j, chunk, b, h, t), j->D);
        }
}

void hn_cpu_attention_back(hn_call *c, hone_tensor *const dx[]) {
    job j = job_new(c);
    double work = (double)(j.B * j.H * j.T) * (double)j.D;
    cut(&j);
    j.dx = dx;
    j.worker_floats = room_floats(&j);
    j.rooms = c->scratch;
    if (j.p) attention_pack(&j, &j.rooms, true);
    j.part = j.rooms + hn_pool_threads(c->pool) * j.worker_floats;
    hn_cpu_run(c, 10.0 * work * (double)j.S + 160.0 * (double)(j.B * j.H * j.T) * (double)j.S, j.B * j.KV * j.chunks, backward_task, &j);
    if (dx[0] && j.chunks > 1) hn_cpu_run(c, 4.0 * work * (double)j.chunks, j.B * j.H * j.q_blocks, add_parts, &j);
}
