/* train.c - training steps of named configurations, from end to end: batch, forward, backward, norm, update.
 *
 * A configuration runs in a job of its own, through the trainer, on tokens drawn at random, with activations of f32 and (NAME-bf16) of
 * bf16; an adapter's (NAME-lora) on a model drawn at random. After the warm-up come blocks of steps and
 * blocks of the floor (floor.c) by turns, so that a busy neighbour meets both; then a few steps with a watch, for the time by operator.
 * Model FLOPs are three times the forward matrix products, attention counted as if not causal. Memory is the peak resident less what was
 * resident before the model was made, read before the floor takes its own; where the system does not let us reset the peak, what an
 * earlier case took is in it, and nothing is told. */
#include "app/bench/bench.h"
#include "app/bench/floor.h"
#include "train/trainer.h"
#include <math.h>
#include <stdio.h>

enum { MIN_STEPS = 3, PROFILED = 2, WARM = 2, MAX_KEYS = 12 };
#define BLOCK_SECONDS 0.2

typedef struct config {
    const char *name, *text;
    int64_t vocab;
    const char *keys[MAX_KEYS][2];
    int64_t classes;            /* labels to choose from; 0: a language model */
} config;
static const config configs[] = {
    { "nanogpt", "gpt2 4 layers 4 heads 128 wide, 12 x 64 tokens, vocabulary 65", 65,
      { { "model.arch", "gpt2" }, { "model.layers", "4" }, { "model.heads", "4" }, { "model.width", "128" }, { "model.context", "64" },
        { "train.batch", "12" } } },
    { "baby", "gpt2 6 layers 6 heads 384 wide, 16 x 256 tokens, vocabulary 65", 65,
      { { "model.arch", "gpt2" }, { "model.layers", "6" }, { "model.heads", "6" }, { "model.width", "384" }, { "model.context", "256" },
        { "train.batch", "16" } } },
    { "gpt2-124m", "gpt2 12 layers 12 heads 768 wide, 4 x 256 tokens, vocabulary 50257", 50257,
      { { "model.arch", "gpt2" }, { "model.layers", "12" }, { "model.heads", "12" }, { "model.width", "768" }, { "model.context", "256" },
        { "model.bias", "true" }, { "train.batch", "4" } } },
    { "llama15m", "llama 6 layers 6 heads 288 wide, hidden 768, 8 x 256 tokens, vocabulary 32000", 32000,
      { { "model.arch", "llama" }, { "model.layers", "6" }, { "model.heads", "6" }, { "model.width", "288" }, { "model.hidden", "768" },
        { "model.context", "256" }, { "train.batch", "8" } } },
    { "llama15m-lora", "a LoRA adapter of rank 8 on all linear maps of llama15m", 32000,
      { { "model.arch", "llama" }, { "model.layers", "6" }, { "model.heads", "6" }, { "model.width", "288" }, { "model.hidden", "768" },
        { "model.context", "256" }, { "train.batch", "8" }, { "adapter.method", "lora" } } },
    { "bertmini", "bert 4 layers 4 heads 256 wide, 32 x 128 tokens, vocabulary 30522, a classifier's head", 30522,
      { { "model.arch", "bert" }, { "model.layers", "4" }, { "model.heads", "4" }, { "model.width", "256" }, { "model.context", "128" },
        { "train.batch", "32" } }, .classes = 2 },
};

/* ---- what is measured ---- */
typedef struct op_time {
    double seconds[2];          /* forward, backward; of all profiled steps */
    int64_t calls;
} op_time;
typedef struct measure {
    bench *b;
    const config *c;
    const char *name, *dtype;   /* of the case; of its activations */
    hn_arena *a;
    bench_floor *floor;         /* collects while set */
    op_time *ops;               /* by place in hn_kind_op; filled while set */
    bench_sample step, floored, ratio; /* ratio: of the medians of a block of each */
    double flops, tokens, loss, profiled;
    int64_t rss, planned;       /* what was taken; what weights, gradients, states and activations come to by the plan */
} measure;

static void seen(void *user, const hn_call *c, bool backward, double seconds) {
    measure *m = user;
    if (m->floor) bench_floor_see(m->floor, c, backward);
    for (int64_t i = 0; m->ops && i < hn_kind_op.n; i++) {
        if (hn_kind_op.items[i] != &c->op->item) continue;
        m->ops[i].seconds[backward] += seconds;
        m->ops[i].calls += !backward;
    }
}

/* ---- the training ---- */

static hn_settings *settings(hn_arena *a, const config *c, const char *dtype) {
    static const hn_section *const sections[] = { &hn_section_run, &hn_section_model, &hn_section_train, &hn_section_optim,
                                                  &hn_section_sched, &hn_section_adapter };
    hn_settings *s = hn_settings_new(a, sections, HN_LEN(sections));
    if (!hn_settings_set(s, a, "train.steps", "1000000", "bench") || !hn_settings_set(s, a, "train.dtype", dtype, "bench")) return NULL;
    for (int i = 0; i < MAX_KEYS && c->keys[i][0]; i++)
        if (!hn_settings_set(s, a, c->keys[i][0], c->keys[i][1], "bench")) return NULL;
    return s;
}

/* Tokens without a text: random ids, in one piece. */
static hn_dataset *data(hn_arena *a, int64_t vocab, int64_t n) {
    hn_dataset *d = hn_new(a, hn_dataset);
    int32_t *ids = hn_new_n(a, int32_t, n);
    hn_rng r = hn_rng_new(1, HN_STREAM_TEST, 0);
    for (int64_t i = 0; i < n; i++) ids[i] = (int32_t)hn_rng_below(&r, vocab);
    hn_span *whole = hn_new(a, hn_span);
    *whole = (hn_span){ .start = 0, .n = n, .bytes = n };
    d->train = d->valid = (hn_tokens){ .ids = ids, .width = 4, .n = n, .vocab = vocab, .spans = whole, .n_spans = 1, .bytes = n };
    d->tok = hn_new(a, hn_tokenizer);
    *d->tok = (hn_tokenizer){ .vocab = vocab, .bos = -1, .eos = -1, .unk = -1 };
    return d;
}

/* What an adapter stands on; *out NULL: the settings ask for none. */
static bool beneath(hn_arena *a, const hn_settings *s, int64_t vocab, hone_model **out) {
    const hn_item *arch;
    const void *params = hn_settings_variant(s, "model", &arch);
    *out = NULL;
    if (!hn_adapter_wanted(a, s)) return true;
    if (!(*out = hn_model_new(a, (const hn_arch *)arch, params, vocab, false))) return false;
    hn_model_init(*out, 1);
    return true;
}

/* The peak of what is resident counts from now on. */
static bool reset_peak(void) {
    FILE *f = fopen("/proc/self/clear_refs", "w");
    if (!f) return false;
    bool ok = fputs("5", f) >= 0;
    return !fclose(f) && ok;
}

/* A step as of a language model, but for the targets: each text has a label, here by its last token. */
static bool step_on_labels(measure *m, hn_trainer *t) {
    int64_t B = t->p->batch, T = t->m->context;
    hn_batch_get(t->batches, t->now.step, t->x, t->y);
    for (int64_t b = 0; b < B; b++) {
        int32_t label = (int32_t)(t->y[b * T + T - 1] % m->c->classes);
        for (int64_t i = 0; i < T; i++) t->y[b * T + i] = i ? -1 : label;
    }
    return hn_trainer_step_on(t, &m->loss);
}

static bool steps(measure *m, hn_trainer *t, double seconds, bench_sample *out) {
    for (double began = hn_now(), at = began, now; at - began < seconds || at == began; at = now) {
        if (!(m->c->classes ? step_on_labels(m, t) : hn_trainer_step(t, &m->loss))) return false;
        now = hn_now();
        if (out) bench_add(out, now - at);
    }
    return true;
}

/* A block of steps, a block of the floor; their ratio holds when the machine's speed drifts. */
static bool by_turns(measure *m, hn_trainer *t) {
    double began = hn_now();
    bench_sample *step = hn_new(m->a, bench_sample), *floored = hn_new(m->a, bench_sample);
    while (m->step.n < MIN_STEPS || hn_now() - began < m->b->seconds) {
        step->n = floored->n = 0;
        if (!steps(m, t, BLOCK_SECONDS, step)) return false;
        for (double from = hn_now(); !m->b->no_floor && hn_now() - from < BLOCK_SECONDS;) bench_add(floored, bench_floor_run(m->floor));
        for (int i = 0; i < step->n; i++) bench_add(&m->step, step->v[i]);
        for (int i = 0; i < floored->n; i++) bench_add(&m->floored, floored->v[i]);
        if (floored->n) bench_add(&m->ratio, bench_stat_of(step).median / bench_stat_of(floored).median);
        if (hn_stopped(m->a->job)) return HN_FAIL(m->a, HONE_E_INTERRUPTED, .what = "stopped while measuring");
    }
    return true;
}

static bool profile(measure *m, hn_trainer *t) {
    m->ops = hn_new_n(m->a, op_time, hn_kind_op.n);
    hn_tape_watch(hn_trainer_tape(t), seen, m);
    double began = hn_now();
    for (int i = 0; i < PROFILED; i++)
        if (!steps(m, t, 0, NULL)) return false;
    m->profiled = hn_now() - began;
    hn_tape_watch(hn_trainer_tape(t), NULL, NULL);
    return true;
}

static bool measure_all(measure *m) {
    hn_settings *s = settings(m->a, m->c, m->dtype);
    if (!s || !hn_settings_check(s, m->a)) return false;
    const hn_train_params *p = hn_settings_get(s, "train");
    int64_t T = 0, before = hn_rss_now();
    const char *context = hn_settings_value(m->a, s, "model.context");
    if (!context || !hn_parse_i64(context, &T)) return HN_FAIL(m->a, HONE_E_INTERNAL, .what = "no context");
    bool known = reset_peak();
    hn_dataset *d = data(m->a, m->c->vocab, 16 * p->batch * T + 1);
    d->labelled = m->c->classes > 0;
    hone_model *start;
    hn_trainer *t = beneath(m->a, s, m->c->vocab, &start) ? hn_trainer_new(m->a, s, d, start, 1) : NULL;
    if (!t) return false;
    bench_floor *floor = m->floor = bench_floor_new(m->a, !strcmp(m->dtype, "bf16") && hn_isa_bf16(hn_cpu_isa()));
    hn_tape_watch(hn_trainer_tape(t), seen, m);
    if (!steps(m, t, 0, NULL)) return false;
    hn_tape_watch(hn_trainer_tape(t), NULL, NULL);
    for (int i = 1; i < WARM; i++)
        if (!steps(m, t, 0, NULL)) return false;
    m->floor = floor;
    m->rss = known ? hn_rss_peak() - before : 0;
    hn_plan plan;
    if (!hn_plan_make(m->a, s, d, m->c->vocab, start, &plan)) return false;
    m->planned = plan.bytes_weights + plan.bytes_grads + plan.bytes_states + plan.bytes_activations;
    m->flops = bench_floor_flops(floor);
    m->tokens = (double)(p->batch * T);
    if (!m->b->no_floor) {
        bench_floor_ready(floor);
        bench_floor_run(floor);
    }
    bool ok = by_turns(m, t);
    m->floor = NULL;
    return ok && profile(m, t);
}

/* ---- telling ---- */

/* Time by operator, largest first, and what is left: batch, norm, update. */
static json_t *profile_json(const measure *m) {
    json_t *list = json_array();
    double rest = m->profiled;
    bool told[64] = { false };
    for (int64_t n = 0; n < HN_MIN(hn_kind_op.n, 64); n++) {
        int64_t most = -1;
        for (int64_t i = 0; i < HN_MIN(hn_kind_op.n, 64); i++) {
            double s = m->ops[i].seconds[0] + m->ops[i].seconds[1];
            if (!told[i] && s > 0 && (most < 0 || s > m->ops[most].seconds[0] + m->ops[most].seconds[1])) most = i;
        }
        if (most < 0) break;
        const op_time *o = &m->ops[most];
        told[most] = true;
        rest -= o->seconds[0] + o->seconds[1];
        json_array_append_new(list, json_pack("{ss sf sf si}", "operator", hn_kind_op.items[most]->name, "forward_seconds",
                                              o->seconds[0] / PROFILED, "backward_seconds", o->seconds[1] / PROFILED, "calls",
                                              (int)(o->calls / PROFILED)));
    }
    json_array_append_new(list, json_pack("{ss sf}", "operator", "(batch, norm, update)", "seconds", rest / PROFILED));
    return list;
}

static void tell_profile(const measure *m, const json_t *list) {
    double whole = m->profiled / PROFILED;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i), *rest = json_object_get(o, "seconds");
        double f = json_number_value(json_object_get(o, "forward_seconds")), g = json_number_value(json_object_get(o, "backward_seconds"));
        double s = rest ? json_number_value(rest) : f + g;
        if (s < 0.002 * whole) continue;
        hn_out("    %5.1f %%  %9.3g ms  %s", 100 * s / whole, 1e3 * s, json_string_value(json_object_get(o, "operator")));
        if (!rest) hn_out(" (forward %.3g, backward %.3g)", 1e3 * f, 1e3 * g);
        hn_out("\n");
    }
}

static void tell(const measure *m, const char *name) {
    bench_stat floor = bench_stat_of(&m->floored), step = bench_stat_of(&m->step), ratio = bench_stat_of(&m->ratio);
    json_t *list = hn_json_own(m->a, profile_json(m));
    json_t *more = hn_json_own(m->a, json_pack("{so so sf sI sO}", "floor_seconds", bench_stat_json(&floor), "step_over_floor",
                                               bench_stat_json(&ratio), "loss", m->loss, "planned_bytes", (json_int_t)m->planned, "profile", list));
    const char *note = hn_fmt(m->a, "%.2f [%.2f-%.2f] x the floor of %.4g ms [%.4g-%.4g]", ratio.median, ratio.min, ratio.max,
                              1e3 * floor.median, 1e3 * floor.min, 1e3 * floor.max);
    bench_tell(m->b, &(bench_line){ .name = name, .config = m->c->text, .seconds = step, .flops = m->flops, .tokens = m->tokens,
                                    .rss = m->rss, .more = more,
                                    .note = m->b->no_floor ? NULL : note });
    if (!m->b->c->json) tell_profile(m, list);
}

static bool body(void *arg) {
    measure *m = arg;
    if (!measure_all(m)) return false;
    tell(m, m->name);
    return true;
}

static bool one(bench *b, const config *c, const char *dtype) {
    const char *name = hn_fmt(b->a, "train/%s%s%s", c->name, strcmp(dtype, "f32") ? "-" : "", strcmp(dtype, "f32") ? dtype : "");
    if (!bench_wants(b, name)) return true;
    if (!hn_kind_find(&hn_kind_arch, c->keys[0][1])) {
        bench_skip(b, name, hn_fmt(b->a, "this build has no architecture %s", c->keys[0][1]));
        return true;
    }
    hone_job *job = hone_job_new(b->a->job, 0);
    if (!job) return HN_FAIL(b->a, HONE_E_MEMORY, .what = "no memory for another job");
    measure *m = hn_new(b->a, measure);
    *m = (measure){ .b = b, .c = c, .name = name, .dtype = dtype, .a = hn_job_arena(job) };
    bool ok = hn_try(job, body, m);
    if (!ok) hn_error_copy(b->a->job, job);
    hone_close(job);
    return ok;
}

bool bench_train(bench *b) {
    static const char *const dtypes[] = { "f32", "bf16" };
    for (int64_t i = 0; i < HN_LEN(configs); i++)
        for (int64_t k = 0; k < HN_LEN(dtypes); k++)
            if (hn_stopped(b->a->job)) return true;
            else if (!one(b, &configs[i], dtypes[k])) return false;
    return true;
}
