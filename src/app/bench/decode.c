/* decode.c - tokens one after the other with a key-value cache, as in generation: the logits of each, without sampling.
 *
 * One row through the model reads every weight once, so the measure is the bytes of weights and cache read a second beside the rate at
 * which the memory was read in the same run. At a batch of 16 the same bytes serve 16 rows; ragged: each as long as its own prompt has made
 * it. bf16: matrices and cache alike. */
#include "app/bench/bench.h"
#include "model/model.h"
#include <math.h>

enum { PROMPT = 32, CONTEXT = 256, MIN_TOKENS = 8 };

typedef struct decode {
    bench *b;
    const char *name;
    hn_arena *a;
    hone_model *m;
    int64_t rows;
    bool ragged;
    hone_dtype type;            /* of matrices and cache */
    int32_t slot[16], at[16];   /* of ragged rows */
    double bytes;               /* read for one token of every row */
    bench_sample token;
} decode;

static void seen(void *user, const hn_call *c, bool backward, double seconds) {
    decode *d = user;
    const char *op = c->op->item.name;
    if (!strcmp(op, "attention_cached")) d->bytes += c->op->cost(c).bytes;
    for (int i = 1; i < c->n_in && !strcmp(op, "linear"); i++)
        if (c->in[i]) d->bytes += (double)(hn_count(c->in[i]) * hone_dtype_bytes(c->in[i]->dtype));
}

static bool one_token(decode *d, hone_tape *t, int64_t n, float *logits) {
    int32_t *ids = hn_new_n(d->a, int32_t, d->rows * n);
    for (int64_t i = 0; i < d->rows * n; i++) ids[i] = (int32_t)((i * 7919 + d->token.n * 31) % d->m->vocab);
    if (d->ragged) {
        hn_tape_cache_place(t, d->rows, d->slot, d->at);
        for (int64_t r = 0; r < d->rows; r++) d->at[r]++;
    }
    return hn_model_logits(t, d->m, ids, d->rows, n, false, logits);
}

/* Every row's prompt is read, of one length or of several; prompts of a later round begin as short again. */
static bool begin(decode *d, hone_tape *t, float *logits) {
    if (!d->ragged) return one_token(d, t, PROMPT, logits);
    for (int32_t r = 0; r < d->rows; r++) {
        int32_t ids[2 * PROMPT], n = PROMPT / 2 + 2 * r;
        for (int i = 0; i < n; i++) ids[i] = (int32_t)((i * 7919 + r) % d->m->vocab);
        d->slot[r] = r, d->at[r] = n;
        hn_tape_cache_place(t, 1, &d->slot[r], &(int32_t){ 0 });
        if (!hn_model_logits(t, d->m, ids, 1, n, false, logits)) return false;
    }
    return true;
}
static bool full(const decode *d, const hone_tape *t) {
    return (d->ragged ? d->at[d->rows - 1] : hone_tape_cache_length(t)) + 1 >= d->m->context;
}

static bool body(void *arg) {
    decode *d = arg;
    float *logits = hn_alloc_large(d->a, d->rows * d->m->vocab * (int64_t)sizeof *logits);
    hone_tape *t = hone_tape_new(d->a->job, NULL);
    if (!t || !hone_tape_cache_as(t, d->type, d->m->layers, d->rows, d->m->context, d->m->kv_width)) return false;
    if (!begin(d, t, logits) || !one_token(d, t, 1, logits)) return false;
    double began = hn_now();
    while (d->token.n < MIN_TOKENS || hn_now() - began < d->b->seconds) {
        if (full(d, t)) {
            hone_tape_cache_reset(t, 0);
            if (!begin(d, t, logits)) return false;
        }
        double from = hn_now();
        if (!one_token(d, t, 1, logits)) return false;
        bench_add(&d->token, hn_now() - from);
        if (d->token.n == BENCH_MAX_SAMPLE || hn_stopped(d->a->job)) break;
    }
    hn_tape_watch(t, seen, d);
    if (full(d, t)) {
        hone_tape_cache_reset(t, 0);
        if (!begin(d, t, logits)) return false;
        d->bytes = 0;
    }
    if (!one_token(d, t, 1, logits)) return false;
    bench_tell(d->b, &(bench_line){ .name = d->name,
                                    .config = hn_fmt(d->a, "gpt2 12 layers 12 heads 768 wide, vocabulary 50257, %s, %lld rows%s, %d to %d kept",
                                                     hone_dtype_name(d->type), (long long)d->rows, d->ragged ? " of many lengths" : "", PROMPT, CONTEXT),
                                    .seconds = bench_stat_of(&d->token), .bytes = d->bytes, .tokens = (double)d->rows });
    return true;
}

static hone_model *gpt2_124m(hn_arena *a) {
    static const hn_section *const sections[] = { &hn_section_model };
    static const char *const keys[][2] = { { "model.arch", "gpt2" }, { "model.layers", "12" }, { "model.heads", "12" },
                                           { "model.width", "768" }, { "model.context", "256" }, { "model.bias", "true" } };
    hn_settings *s = hn_settings_new(a, sections, 1);
    const hn_item *arch;
    for (int64_t i = 0; i < HN_LEN(keys); i++)
        if (!hn_settings_set(s, a, keys[i][0], keys[i][1], "bench")) return NULL;
    const void *params = hn_settings_variant(s, "model", &arch);
    hone_model *m = hn_model_new(a, (const hn_arch *)arch, params, 50257, false);
    if (m) hn_model_init(m, 1);
    return m;
}

/* Matrices in bf16, as of a file that holds them so. */
static hone_model *narrowed(hn_arena *a) {
    hone_model *m = gpt2_124m(a);
    for (int64_t j = 0; m && j < m->n_w; j++) {
        hone_tensor *w = m->w[j].t;
        if (w->dims < 2) continue;
        hn_bf16 *to = hn_alloc_large(a, hn_count(w) * (int64_t)sizeof *to);
        for (int64_t i = 0; i < hn_count(w); i++) to[i] = hn_narrow(((const float *)w->data)[i]);
        w->data = to;
        w->dtype = HONE_BF16;
    }
    return m;
}

bool bench_decode(bench *b) {
    static const struct { int64_t rows; bool ragged; hone_dtype type; const char *name; } cases[] = {
        { 1, false, HONE_F32, "batch 1" }, { 16, false, HONE_F32, "batch 16" }, { 16, true, HONE_F32, "batch 16 ragged" },
        { 1, false, HONE_BF16, "batch 1 bf16" }, { 16, false, HONE_BF16, "batch 16 bf16" },
    };
    hn_arena *a = hn_arena_new(b->a);
    hone_model *m = NULL;
    hone_dtype type = HONE_F32;
    bool ok = true;
    for (int64_t i = 0; ok && i < HN_LEN(cases) && !hn_stopped(b->a->job); i++) {
        const char *name = hn_fmt(b->a, "decode/gpt2-124m %s", cases[i].name);
        if (!bench_wants(b, name)) continue;
        if (!m || type != cases[i].type) {
            hn_arena_reset(a);
            m = cases[i].type == HONE_F32 ? gpt2_124m(a) : narrowed(a);
            if (!m) return false;
            type = cases[i].type;
        }
        hone_job *job = hone_job_new(b->a->job, 0);
        if (!job) return HN_FAIL(b->a, HONE_E_MEMORY, .what = "no memory for another job");
        decode *d = hn_new(a, decode);
        *d = (decode){ .b = b, .name = name, .a = hn_job_arena(job), .m = m, .rows = cases[i].rows, .ragged = cases[i].ragged, .type = type };
        ok = hn_try(job, body, d);
        if (!ok) hn_error_copy(b->a->job, job);
        hone_close(job);
    }
    hn_arena_free(a);
    return ok;
}
