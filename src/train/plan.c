/* plan.c - what a run will need, before it starts: one step and one evaluation on the null backend.
 *
 * Peak = what the process holds now (program, libraries, text, tokens) + what the training adds: weights, gradients, optimizer states,
 * averages, batch, the tape's pool at its fullest, and library_bytes for what oneDNN takes at its first products.
 * Limits: a process that already held more keeps that as its peak. */
#include "train/trainer.h"
#include <math.h>

/* Code that oneDNN generates, its primitives, pages of the libraries touched for the first time. Measured as peak RSS of 2-step runs
 * minus all the rest; with AVX-512 that code is larger. */
static int64_t library_bytes(void) { return (hn_cpu_isa() >= HN_ISA_AVX512 ? 11 : 6) * ((int64_t)1 << 20); }

static int64_t data_bytes(const hn_dataset *d)
{
    if (!d) return 0;
    int64_t masks = d->train.learn ? d->train.n + d->valid.n : 0;
    return d->corpus.text.n + masks + d->train.n * d->train.width + d->valid.n * d->valid.width +
           (d->train.n_spans + d->valid.n_spans) * (int64_t)sizeof(hn_span) + d->corpus.n_docs * (int64_t)sizeof(hn_doc);
}

bool hn_trainer_packs(const hn_settings *s)
{
    return hn_settings_is_set(s, "data.pack") && ((const hn_data_params *)hn_settings_get(s, "data"))->pack;
}

int64_t hn_trainer_row(const hn_settings *s, const hone_model *m)
{
    int64_t most = hn_settings_is_set(s, "data.max_length") ? ((const hn_data_params *)hn_settings_get(s, "data"))->max_length : 0;
    return most > 0 ? HN_MIN(most, m->context) : m->context;
}

/* Runs the model once in each mode without computing. */
static bool dry_run(hn_arena *a, hone_tape *tape, hone_model *m, int64_t B, int64_t T, bool pack, hn_plan *out)
{
    int64_t shape[2] = { B, T };
    int32_t *ids = hn_new_n(a, int32_t, B * T);
    float *nats = hn_new_n(a, float, B * T);
    int32_t *best = hn_new_n(a, int32_t, B * T);
    hn_tape_stats st;
    const hn_weights trained = hn_model_trained(m);
    for (int64_t i = 0; i < trained.n; i++) trained.v[i].t->wants_grad = true;
    hone_tape_begin(tape, HONE_TRAIN, 0, 0);
    hone_tensor *x = hone_input_i32(tape, ids, 2, shape), *y = hone_input_i32(tape, ids, 2, shape);
    hn_sequence in = { .ids = x };
    if (pack) in.documents = hone_input_i32(tape, ids, 2, shape), in.positions = hone_input_i32(tape, ids, 2, shape);
    hone_tensor *loss = hn_model_loss_of(tape, m, &in, y, &(hone_cross_entropy_opts){ .is_root = true });
    if (!hone_ok(tape) || !hone_backward(tape, loss)) return false;
    hn_tape_stats_get(tape, &st);
    out->flops_step = st.flops_forward + st.flops_backward;
    hone_tape_begin(tape, HONE_EVAL, 0, 0);
    x = hone_input_i32(tape, ids, 2, shape);
    y = hone_input_i32(tape, ids, 2, shape);
    hn_model_loss(tape, m, x, y, &(hone_cross_entropy_opts){ .per_token = nats, .best = best });
    if (!hone_ok(tape)) return false;
    hn_tape_stats_get(tape, &st);
    out->bytes_activations = st.pool_peak;
    return true;
}

static hone_model *model_without_memory(hn_arena *a, const hn_settings *s, const hn_dataset *d, int64_t vocab, const hone_model *start)
{
    const hn_model_params *p = hn_settings_get(s, "model");
    const hn_item *arch;
    const void *params = hn_settings_variant(s, "model", &arch);
    const hn_adapter_params *adapter = hn_adapter_wanted(a, s);
    if (!start && p->path && *p->path && !(start = hn_model_load(a, p->path))) return NULL;
    hone_model *m = start ? hn_model_new(a, start->arch, start->params, start->vocab, true)
                          : hn_model_new(a, (const hn_arch *)arch, params, vocab ? vocab : d->tok->vocab, true);
    if (m && adapter && start && !start->adapter) hn_model_share_weights(m, start);
    return m && adapter && !hn_adapter_add(m, adapter, NULL, 0) ? NULL : m;
}

static int64_t state_bytes(const hn_optim *o, const void *params, const hone_model *m)
{
    int64_t n = hn_optim_scratch(o, params, m);
    const hn_weights w = hn_model_trained(m);
    for (int64_t i = 0; i < w.n; i++)
        for (int k = 0; k < o->states; k++) n += hn_optim_count(o, params, &w.v[i], k);
    return n * (int64_t)sizeof(float);
}

bool hn_plan_model(hn_arena *a, const hn_settings *s, const hn_dataset *d, hone_model *m, hn_plan *out)
{
    const hn_train_params *p = hn_settings_get(s, "train");
    const hn_item *optim;
    const void *optim_params = hn_settings_variant(s, "optim", &optim);
    int64_t now = hn_rss_now(), tokens, windows, n;
    *out = (hn_plan){ .parameters = hn_model_count(m) };
    if (!hn_mul(p->batch, hn_trainer_row(s, m), &windows) || !hn_mul(windows, p->accumulate, &tokens) || !hn_mul(tokens, 1 << 20, &n))
        return HN_FAIL(a, HONE_E_VALUE, .what = "train.batch × train.accumulate × the context is beyond any memory",
                       .hint = "lower train.batch, or set data.max_length");
    hone_tape *tape = hn_train_tape(a->job, p, "null");
    m->recompute = p->recompute;
    bool ok = tape && dry_run(a, tape, m, p->batch, hn_trainer_row(s, m), hn_trainer_packs(s), out);
    hone_tape_free(tape);
    if (!ok) return false;
    out->flops_step = out->flops_step * (double)p->accumulate + hn_optim_flops((const hn_optim *)optim, optim_params, m);
    out->tokens_per_step = tokens;
    out->steps = p->steps > 0 ? p->steps : p->flops > 0 ? HN_MAX((int64_t)(p->flops / out->flops_step), 1) : 0;
    out->flops_total = out->flops_step * (double)out->steps;
    const hn_weights trained = hn_model_trained(m);
    for (int64_t i = 0; i < trained.n; i++) out->bytes_grads += hn_count(trained.v[i].t) * (int64_t)sizeof(float);
    out->bytes_weights = m->adapter ? out->bytes_grads : 0;
    for (int64_t i = 0; i < m->n_w; i++) /* those beneath an adapter may be here already */
        out->bytes_weights += m->w[i].t->data ? 0 : hn_count(m->w[i].t) * (int64_t)sizeof(float);
    out->bytes_states = state_bytes((const hn_optim *)optim, optim_params, m) + out->bytes_grads * ((p->ema > 0) + (p->eval_every > 0));
    out->bytes_activations += (hn_trainer_packs(s) ? 4 : 2) * tokens * (int64_t)sizeof(int32_t);
    out->bytes_data = data_bytes(d);
    out->bytes_base = HN_MAX(now - out->bytes_data, 0) + library_bytes();
    out->bytes_peak = out->bytes_base + out->bytes_data + out->bytes_weights + out->bytes_grads + out->bytes_states +
                      out->bytes_activations;
    out->bytes_peak = HN_MAX(out->bytes_peak, hn_rss_peak());
    return true;
}

bool hn_plan_make(hn_arena *keep, const hn_settings *s, const hn_dataset *d, int64_t vocab, const hone_model *start, hn_plan *out)
{
    hn_arena *a = hn_arena_new(keep);
    hone_model *m = model_without_memory(a, s, d, vocab, start);
    bool ok = m && hn_plan_model(a, s, d, m, out);
    hn_arena_free(a);
    return ok;
}
