/* trainer.c - many steps: evaluation, the best weights, early stop, checkpoints, interruption.
 *
 * What is shipped: the average of weights where train.ema is on, else the weights; of the best evaluation where train.eval_every is
 * on, else of the last step. With out_dir, out_dir/checkpoint lets a run go on bit for bit and out_dir/best is the shipped model. */
#include "train/trainer.h"
#include <math.h>

float **hn_trainer_copies(hn_arena *a, const hone_model *m, bool copy)
{
    const hn_weights w = hn_model_trained(m);
    float **v = hn_new_n(a, float *, w.n + 1);
    for (int64_t i = 0; i < w.n; i++) v[i] = hn_alloc_large(a, hn_count(w.v[i].t) * (int64_t)sizeof(float));
    if (copy) hn_trainer_keep(v, m);
    return v;
}

void hn_trainer_take(hone_model *m, float *const *from)
{
    const hn_weights w = hn_model_trained(m);
    for (int64_t i = 0; i < w.n; i++) memcpy(w.v[i].t->data, from[i], (size_t)hn_count(w.v[i].t) * sizeof(float));
}

void hn_trainer_keep(float *const *to, const hone_model *m)
{
    const hn_weights w = hn_model_trained(m);
    for (int64_t i = 0; i < w.n; i++) memcpy(to[i], w.v[i].t->data, (size_t)hn_count(w.v[i].t) * sizeof(float));
}

static void swap_average(hn_trainer *t)
{
    for (int64_t i = 0; i < t->n_w; i++) {
        float *w = t->w[i].t->data, *v = t->average[i];
        for (int64_t j = 0, n = hn_count(t->w[i].t); j < n; j++) {
            float x = w[j];
            w[j] = v[j];
            v[j] = x;
        }
    }
}

void hn_trainer_use_ema(hn_trainer *t)
{
    if (t->average) hn_trainer_take(t->m, t->average);
}

hone_model *hn_trainer_model(hn_trainer *t) { return t->m; }
hone_tape *hn_trainer_tape(hn_trainer *t) { return t->tape; }

/* ---- making one ---- */

/* Dropout belongs to the training, not to the weights that it starts from: what the recipe gives holds. */
static bool take_dropout(hn_arena *a, const hn_settings *s, hone_model *m)
{
    const hn_item *item = &m->arch->item;
    for (int64_t i = 0; i < item->n_params; i++) {
        const char *key = hn_fmt(a, "model.%s", item->params[i].name);
        if (strncmp(item->params[i].name, "dropout", 7) || !hn_settings_is_set(s, key)) continue;
        if (!hn_params_set(a, &item->params[i], m->params, hn_settings_value(a, s, key), key, "recipe")) return false;
    }
    return true;
}

static bool tokens_fit(hn_arena *a, const hn_dataset *d, int64_t vocab)
{
    if (d->train.vocab <= vocab) return true;
    return HN_FAIL(a, HONE_E_VALUE, .what = "the tokenizer knows more tokens than the model",
                   .wanted = hn_fmt(a, "at most %lld", (long long)vocab),
                   .found = hn_fmt(a, "%lld", (long long)d->train.vocab),
                   .hint = "use the tokenizer that belongs to the model: data.tokenizer: MODEL/tokenizer.json");
}

static bool warm_start(hn_arena *a, const hn_settings *s, hone_model *m)
{
    const hn_model_params *p = hn_settings_get(s, "model");
    if (!*p->from) return true;
    hn_arena *scratch = hn_arena_new(a);
    const hone_model *from = hn_model_load(scratch, p->from);
    bool ok = from && (hn_model_warm(scratch, m, from, p->from_share) > 0 ||
                       HN_FAIL(a, HONE_E_VALUE, .what = "no weight of model.from fits this model", .where = p->from,
                               .wanted = hn_fmt(a, "%s weights of the same names and shapes", m->arch->item.name),
                               .found = hn_fmt(a, "%s", from->arch->item.name), .hint = "give it the same width, or another folder"));
    hn_arena_free(scratch);
    return ok;
}

/* The model to train: without memory first, to learn what the training will need. */
static hone_model *make_model(hn_arena *a, const hn_settings *s, const hn_dataset *d, const hone_model *start, uint64_t seed, bool null)
{
    const hn_item *arch;
    const void *params = hn_settings_variant(s, "model", &arch);
    const hn_adapter_params *adapter = hn_adapter_wanted(a, s);
    bool share = adapter && start && !start->adapter;
    if (start && !hn_model_is_one(a, start, "trained")) return NULL;
    if (adapter && !start) {
        (void)HN_FAIL(a, HONE_E_VALUE, .what = "an adapter needs a model to stand on", .wanted = "model: DIR",
                      .hint = "give the model to start from, or leave adapter away");
        return NULL;
    }
    hone_model *m = start ? hn_model_new(a, start->arch, start->params, start->vocab, null || share)
                          : hn_model_new(a, (const hn_arch *)arch, params, d->tok->vocab, null);
    if (!m || (start && !take_dropout(a, s, m))) return NULL;
    m->tok = d->tok;
    if (start) m->config = start->config;
    if (share) hn_model_share_weights(m, start); /* beneath an adapter nothing changes */
    else if (!null && start) hn_model_copy_weights(m, start);
    m->null_storage = null;
    if (adapter && !hn_adapter_add(m, adapter, start->path, seed)) return NULL;
    if (!null && !start) hn_model_init(m, seed);
    return null || start || warm_start(a, s, m) ? m : NULL;
}

static bool enough_memory(hn_arena *a, const hn_plan *plan)
{
    int64_t more = plan->bytes_peak - hn_rss_now(), there = hn_memory_available();
    if (more <= there) return true;
    return HN_FAIL(a, HONE_E_MEMORY, .what = "the training needs more memory than there is",
                   .wanted = hn_fmt(a, "%.0f MiB", (double)more / 0x1p20), .found = hn_fmt(a, "%.0f MiB free", (double)there / 0x1p20),
                   .hint = "lower train.batch and raise train.accumulate, set data.max_length, or take a smaller model; see --plan");
}

static void cut_parts(hn_trainer *t)
{
    for (int64_t i = 0; i < t->n_w; i++) t->n_parts += (hn_count(t->w[i].t) + HN_UPDATE_PART - 1) / HN_UPDATE_PART;
    t->part = hn_new_n(t->a, hn_part, t->n_parts + 1);
    t->squares = hn_new_n(t->a, double, t->n_parts + 1);
    int64_t k = 0;
    for (int64_t i = 0; i < t->n_w; i++)
        for (int64_t at = 0, n = hn_count(t->w[i].t); at < n; at += HN_UPDATE_PART)
            t->part[k++] = (hn_part){ (int32_t)i, at, HN_MIN(HN_UPDATE_PART, n - at) };
}

/* Small arrays share pages. */
static float *zeros(hn_arena *a, int64_t n)
{
    int64_t bytes = n * (int64_t)sizeof(float);
    return bytes < 1 << 20 ? hn_alloc(a, bytes, 1, 64) : hn_alloc_large(a, bytes);
}

static bool make_states(hn_trainer *t)
{
    int states = t->optim->states;
    HN_ASSERT(states <= HN_MAX_STATES);
    t->rule = hn_new_n(t->a, hn_weight_rule, t->n_w + 1);
    if (!hn_trainer_rules(t->a, t->s, t->m, t->rule)) return false;
    t->state = hn_new_n(t->a, float *, t->n_w * states + 1);
    for (int64_t i = 0; i < t->n_w; i++) {
        hn_weight_grad(t->a, t->w[i].t);
        for (int k = 0; k < states; k++) {
            int64_t n = hn_optim_count(t->optim, t->optim_params, &t->w[i], k);
            if (n) t->state[i * states + k] = zeros(t->a, n);
        }
    }
    int64_t scratch = hn_optim_scratch(t->optim, t->optim_params, t->m);
    if (scratch) t->scratch = zeros(t->a, scratch);
    if (t->p->max_norm > 0) {
        t->column_squares = hn_new_n(t->a, double *, t->n_w + 1);
        for (int64_t i = 0; i < t->n_w; i++)
            if (hn_bound_takes(&t->w[i])) t->column_squares[i] = hn_new_n(t->a, double, hn_cols(t->w[i].t));
    }
    if (t->p->ema > 0) t->average = hn_trainer_copies(t->a, t->m, true);
    if (t->p->eval_every > 0) t->best = hn_trainer_copies(t->a, t->m, true);
    return true;
}

static bool mix_sources(hn_trainer *t)
{
    const hn_corpus *c = &t->d->corpus;
    const hn_tokens *v = &t->d->train;
    int32_t *source = hn_new_n(t->a, int32_t, v->n_spans + 1);
    for (int64_t i = 0; i < v->n_spans; i++) source[i] = v->spans[i].doc >= 0 && v->spans[i].doc < c->n_docs ? c->docs[v->spans[i].doc].source : 0;
    return hn_batches_mix(t->a, t->batches, source, HN_MAX(c->n_files, 1), t->p->mix);
}

bool hn_trainer_batches(hn_trainer *t)
{
    if (hn_trainer_packs(t->s) && (t->p->mix != 1 || t->p->curriculum > 0))
        return HN_FAIL(t->a, HONE_E_VALUE, .what = "packed rows are neither mixed by source nor ordered by a curriculum",
                       .hint = "set data.pack=false, or leave train.mix and train.curriculum alone");
    if (hn_trainer_packs(t->s)) return (t->packed = hn_packed_new(t->a, &t->d->train, t->p->batch, t->T, t->seed));
    if (!(t->batches = hn_batches_new(t->a, &t->d->train, t->p->batch, t->T, t->p->order, t->seed))) return false;
    if (t->p->curriculum > 0)
        hn_batches_grow(t->a, t->batches, (int64_t)ceil(t->p->curriculum * (double)t->steps) * t->p->accumulate);
    return t->p->mix == 1 || mix_sources(t);
}

hn_trainer *hn_trainer_new(hn_arena *a, const hn_settings *s, const hn_dataset *d, const hone_model *start, uint64_t seed)
{
    hn_plan plan;
    const hn_item *optim;
    const hn_model_params *from = hn_settings_get(s, "model");
    hn_trainer *t = hn_new(a, hn_trainer);
    *t = (hn_trainer){ .a = a, .s = s, .p = hn_settings_get(s, "train"), .d = d, .seed = seed,
                       .now = { .best_loss = NAN, .last_loss = NAN } };
    t->optim_params = hn_settings_variant(s, "optim", &optim);
    t->optim = (const hn_optim *)optim;
    if (!start && from->path && *from->path && !(start = hn_model_load(a, from->path))) return NULL;
    if (start && !tokens_fit(a, d, start->vocab)) return NULL;
    hn_arena *dry = hn_arena_new(a);
    hone_model *shape = make_model(dry, s, d, start, seed, true);
    bool ok = shape && hn_plan_model(dry, s, d, shape, &plan) && enough_memory(a, &plan);
    hn_arena_free(dry);
    if (!ok) return NULL;
    t->steps = plan.steps;
    t->given = start != NULL;
    if (!(t->m = make_model(a, s, d, start, seed, false))) return NULL;
    if (t->m->arch->loss && !d->labelled)
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "%s classifies whole texts, and this data has no labels", t->m->arch->item.name),
                       .hint = "train a language model on text (model.arch: gpt2 or llama)"), NULL;
    t->m->recompute = t->p->recompute;
    t->T = hn_trainer_row(s, t->m);
    t->w = hn_model_trained(t->m).v;
    t->n_w = hn_model_trained(t->m).n;
    for (int64_t i = 0; t->m->adapter && i < t->m->n_w; i++)
        t->base_hash = hn_hash(t->m->w[i].t->data, hn_count(t->m->w[i].t) * (int64_t)sizeof(float), t->base_hash);
    if (!(t->tape = hn_train_tape(a->job, t->p, NULL))) return NULL;
    if (!hn_trainer_batches(t)) return NULL;
    bool pack = t->packed;
    int64_t n = t->p->accumulate * t->p->batch * t->T;
    if (pack) t->documents = hn_new_n(a, int32_t, n), t->positions = hn_new_n(a, int32_t, n);
    t->x = hn_new_n(a, int32_t, n);
    t->y = hn_new_n(a, int32_t, n);
    if (!make_states(t)) return NULL;
    cut_parts(t);
    const hn_sched_params *sched = hn_settings_get(s, "sched");
    if (t->steps && sched->warmup >= t->steps && !hn_job_is_quiet(a->job))
        hn_warn(a, "sched.warmup is %lld of %lld steps: the learning rate never reaches its peak", (long long)sched->warmup,
                (long long)t->steps);
    return t;
}

/* ---- running ---- */

/* Held-out loss of what would be shipped at this step. */
static bool evaluate(hn_trainer *t, int64_t max_tokens, hn_lm_result *out)
{
    if (t->average) swap_average(t);
    bool ok = hn_eval_lm_on(t->a, t->tape, t->m, &t->d->valid, t->T, t->p->batch, max_tokens, out, NULL);
    if (t->average) swap_average(t);
    return ok;
}

static void keep_best(hn_trainer *t, double loss)
{
    t->now.best_loss = loss;
    t->now.best_step = t->now.step;
    t->now.evals_without_better = 0;
    for (int64_t i = 0; i < t->n_w; i++)
        memcpy(t->best[i], t->average ? (const void *)t->average[i] : t->w[i].t->data, (size_t)hn_count(t->w[i].t) * sizeof(float));
}

/* A point of the curve, where one is due: an evaluation, the last step, each hundredth of the run. */
static bool point(hn_trainer *t)
{
    const hn_train_params *p = t->p;
    int64_t every = HN_MAX(t->steps / 100, 1), step = t->now.step;
    bool eval = p->eval_every > 0 && (step % p->eval_every == 0 || step == t->steps), last = step == t->steps;
    if (!eval && !last && step % every) return true;
    hn_curve_point c = { .step = step, .train = t->now.sum_steps ? t->now.sum_loss / (double)t->now.sum_steps : t->now.last_loss,
                         .valid = NAN, .seconds = t->now.seconds };
    t->now.last_loss = c.train;
    t->now.sum_loss = 0;
    t->now.sum_steps = 0;
    hn_metric(t->a, "train_loss", step, c.train);
    if (eval) {
        hn_lm_result r;
        if (!evaluate(t, p->eval_tokens, &r)) return false;
        c.valid = r.loss;
        hn_metric(t->a, "valid_loss", step, r.loss);
        t->now.evals_without_better++;
        if (!(r.loss >= t->now.best_loss)) keep_best(t, r.loss);
        t->now.stopped_early = p->patience > 0 && t->now.evals_without_better >= p->patience && !last;
    }
    hn_push(t->a, &t->curve, c);
    return true;
}

static bool interrupted(hn_trainer *t, const char *out_dir)
{
    const char *what = hn_fmt(t->a, "stopped after step %lld of %lld", (long long)t->now.step, (long long)t->steps);
    if (!out_dir) return HN_FAIL(t->a, HONE_E_INTERRUPTED, .what = what);
    if (!hn_trainer_save(t, out_dir)) return false;
    return HN_FAIL(t->a, HONE_E_INTERRUPTED, .what = what, .where = hn_path_join(t->a, out_dir, "checkpoint"),
                   .hint = hn_fmt(t->a, "go on with `hone train --resume %s`", out_dir));
}

bool hn_trainer_go(hn_trainer *t, const char *out_dir)
{
    double began = hn_now() - t->now.seconds, told = 0;
    int64_t saved = t->now.step, first_tokens = t->now.tokens;
    double start = hn_now();
    if (out_dir && !t->loaded && !hn_trainer_save(t, out_dir)) return false;   /* a folder that cannot be written is known now */
    int64_t until = t->until ? t->until : t->steps;
    while (t->now.step < until && !t->now.stopped_early) {
        double loss;
        if (!hn_trainer_step(t, &loss)) return false;
        t->now.sum_loss += loss;
        t->now.sum_steps++;
        t->now.seconds = hn_now() - began;
        if (!point(t)) return false;
        double now = hn_now();
        if (now - told > 0.1 || t->now.step == t->steps) {
            hn_progress(t->a, "train", t->now.step, t->steps, (double)(t->now.tokens - first_tokens) / (now - start), "tok", loss);
            told = now;
        }
        t->now.seconds = hn_now() - began;
        bool due = t->p->save_every > 0 && t->now.step % t->p->save_every == 0 && t->now.step < t->steps;
        if (hn_stopped(t->a->job) && t->now.step < t->steps) return interrupted(t, out_dir);
        if (out_dir && due) {
            if (!hn_trainer_save(t, out_dir)) return false;
            saved = t->now.step;
        }
    }
    return !out_dir || saved == t->now.step || hn_trainer_save(t, out_dir);
}

void hn_trainer_settle(hn_trainer *t)
{
    if (t->best && isfinite(t->now.best_loss)) hn_trainer_take(t->m, t->best);
    else hn_trainer_use_ema(t);
}

void hn_trainer_tell(const hn_trainer *t, hn_train_result *out)
{
    *out = (hn_train_result){
        .step = t->now.step, .tokens = t->now.tokens, .train_loss = t->now.last_loss, .valid_loss = NAN, .bits_per_byte = NAN, .accuracy = NAN,
        .tokens_per_second = NAN, .seconds = t->now.seconds, .flops = t->now.flops, .peak_rss = hn_rss_peak(), .curve = t->curve.v,
        .n_curve = t->curve.n, .stopped_early = t->now.stopped_early, .best_step = t->best ? t->now.best_step : t->now.step };
}

bool hn_trainer_run(hn_trainer *t, const char *out_dir, hn_train_result *out)
{
    hn_lm_result r = { .loss = NAN, .bits_per_byte = NAN, .accuracy = NAN };
    if (out_dir && !hn_mkdirs(t->a, out_dir)) return false;
    double seconds_before = t->now.seconds;
    int64_t tokens_before = t->now.tokens;
    if (!hn_trainer_go(t, out_dir)) return false;
    double seconds = t->now.seconds - seconds_before;
    hn_trainer_settle(t);
    if (out_dir && !hn_model_save(t->a, t->m, hn_path_join(t->a, out_dir, "best"))) return false;
    if (t->d->valid.n && !hn_eval_lm_on(t->a, t->tape, t->m, &t->d->valid, t->T, t->p->batch, 0, &r, NULL)) return false;
    hn_trainer_tell(t, out);
    out->valid_loss = r.loss, out->bits_per_byte = r.bits_per_byte, out->accuracy = r.accuracy;
    if (seconds > 0) out->tokens_per_second = (double)(t->now.tokens - tokens_before) / seconds;
    return true;
}
