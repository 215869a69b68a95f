/* step.c - one optimizer step: micro-batches, norm, update, average.
 *
 * The loss of every micro-batch is divided by the targets of the whole step, so accumulation changes nothing but rounding (the usual
 * mistake: huggingface/transformers#34191). Norm and update run over fixed chunks of all weights in one pool run each; sums go in the
 * order of the chunks. Nothing is changed before loss and norm are known to be finite: so a bad step can be replayed. */
#include "train/trainer.h"
#include "train/kernels.h"
#include <math.h>

static void norm_task(void *arg, int64_t task, int worker)
{
    hn_trainer *t = arg;
    const hn_part *c = &t->part[task];
    t->squares[task] = hn_update_kernels_get()->sum_squares(t->w[c->weight].t->grad + c->start, c->n);
}

static double gradient_norm(hn_trainer *t)
{
    double sum = 0;
    hn_pool_run(hn_job_pool(t->a->job), t->n_parts, norm_task, t);
    for (int64_t i = 0; i < t->n_parts; i++) sum += t->squares[i];
    return sqrt(sum);
}

static void clear_gradients(hn_trainer *t)
{
    for (int64_t i = 0; i < t->n_w; i++)
        memset(t->w[i].t->grad, 0, (size_t)hn_count(t->w[i].t) * sizeof(float));
}

/* ---- update ---- */
typedef struct update { hn_trainer *t; hn_optim_state s; double peak, factor; float share; } update;

static hn_optim_state state_of(const update *u, int64_t weight)
{
    const hn_weight_rule *r = &u->t->rule[weight];
    hn_optim_state s = u->s;
    s.share = u->factor * r->lr;
    s.lr = u->peak * s.share;
    s.decay = r->decay;
    return s;
}

static void update_task(void *arg, int64_t task, int worker)
{
    const update *u = arg;
    hn_trainer *t = u->t;
    const hn_part *c = &t->part[task];
    const hn_weight *w = &t->w[c->weight];
    float *data = (float *)w->t->data + c->start, *grad = w->t->grad + c->start, *state[HN_MAX_STATES];
    if (!t->rule[c->weight].whole) {
        hn_optim_state s = state_of(u, c->weight);
        for (int k = 0; k < t->optim->states; k++) {
            float *whole = t->state[c->weight * t->optim->states + k];
            state[k] = whole ? whole + c->start : NULL;
        }
        t->optim->step(&s, data, grad, state, c->n);
    }
    if (t->p->l1 > 0 && w->decay) hn_bound_shrink(data, c->n, (float)(state_of(u, c->weight).lr * t->p->l1));
    if (t->average && !(t->p->max_norm > 0)) hn_update_kernels_get()->ema(t->average[c->weight] + c->start, data, u->share, c->n);
    memset(grad, 0, (size_t)c->n * sizeof(float));
}

/* The bound sees whole rows and columns, so it stands between the update and the average. */
static void bound_task(void *arg, int64_t task, int worker)
{
    const update *u = arg;
    hn_trainer *t = u->t;
    if (hn_bound_takes(&t->w[task])) hn_bound_norms(&t->w[task], (float)t->p->max_norm, t->column_squares[task]);
    if (t->average) hn_update_kernels_get()->ema(t->average[task], t->w[task].t->data, u->share, hn_count(t->w[task].t));
}

static void update_all(hn_trainer *t, double norm)
{
    double step = (double)t->now.step + 1;
    hn_pool *pool = hn_job_pool(t->a->job);
    update u = { .t = t, .s = { .step = t->now.step + 1, .grad_scale = 1, .pool = pool, .params = t->optim_params },
                 .peak = *(const double *)((const char *)t->optim_params + t->optim->lr_offset),
                 .factor = hn_sched_factor(t->s, t->now.step, t->steps) };
    if (t->p->clip > 0) u.s.grad_scale = HN_MIN(1, t->p->clip / (norm + 1e-6));       /* as torch.nn.utils.clip_grad_norm_ */
    u.share = (float)(1 - HN_MIN(t->p->ema, (1 + step) / (10 + step)));
    for (int64_t i = 0; i < t->n_w; i++) {
        if (!t->rule[i].whole) continue;
        hn_optim_state s = state_of(&u, i);
        t->optim->whole(&s, &t->w[i], t->state + i * t->optim->states, t->scratch);
    }
    hn_pool_run(pool, t->n_parts, update_task, &u);
    if (t->p->max_norm > 0) hn_pool_run(pool, t->n_w, bound_task, &u);
}

/* ---- forward and backward ---- */
hone_tape *hn_train_tape(hone_job *job, const hn_train_params *p, const char *backend)
{
    hone_tape *tape = hone_tape_new(job, backend);
    return tape && hone_tape_activations(tape, !strcmp(p->dtype, "bf16") ? HONE_BF16 : HONE_F32) ? tape : NULL;
}

const char *hn_train_dtype_note(const hn_train_params *p)
{
    if (strcmp(p->dtype, "bf16") || hn_isa_bf16(hn_cpu_isa())) return NULL;
    return "train.dtype=bf16: this CPU has no bf16 instructions, so activations are kept in bf16 and multiplied in f32";
}

static double micro_batch(hn_trainer *t, hone_tape *tape, int64_t k, double denominator, bool *ok)
{
    int64_t shape[2] = { t->p->batch, t->T }, n = shape[0] * shape[1];
    hone_tape_begin(tape, HONE_TRAIN, t->seed, (uint32_t)(t->now.step * t->p->accumulate + k));
    hone_tensor *ids = hone_input_i32(tape, t->x + k * n, 2, shape), *targets = hone_input_i32(tape, t->y + k * n, 2, shape);
    hn_sequence in = { .ids = ids };
    if (t->packed) in.documents = hone_input_i32(tape, t->documents + k * n, 2, shape);
    if (t->packed) in.positions = hone_input_i32(tape, t->positions + k * n, 2, shape);
    hone_tensor *loss = hn_model_loss_of(tape, t->m, &in, targets,
                                         &(hone_cross_entropy_opts){ .denominator = denominator, .is_root = true,
                                                                                          .smoothing = (float)t->p->label_smoothing });
    double value = hone_tensor_item(loss, 0);
    *ok = hone_ok(tape) && (!isfinite(value) || hone_backward(tape, loss));
    return value;
}

/* The step again, on a tape that looks at every number. */
static bool explain(hn_trainer *t, double denominator, const char *seen)
{
    hn_arena *a = t->a;
    hone_job *job = a->job;
    const char *found = NULL;
    clear_gradients(t);
    hone_error_clear(job);
    hone_tape *tape = hn_train_tape(job, t->p, "check");
    bool ok = tape != NULL;
    for (int64_t k = 0; ok && k < t->p->accumulate; k++) {
        double value = micro_batch(t, tape, k, denominator, &ok);
        ok = ok && isfinite(value);
    }
    if (tape && *hn_tape_failed_where(tape)) found = hn_strdup(a, hn_tape_failed_where(tape));
    hone_tape_free(tape);
    clear_gradients(t);
    hone_error_clear(job);
    return HN_FAIL(a, HONE_E_NUMERIC, .what = hn_fmt(a, "step %lld: %s is not a finite number", (long long)t->now.step + 1, seen),
                   .where = found ? hn_fmt(a, "first seen in %s", found) : "no single operator: the sum of gradients overflows",
                   .hint = "lower optim.lr, lengthen sched.warmup, or clip harder (train.clip); the weights are those before this step");
}

bool hn_trainer_step(hn_trainer *t, double *loss)
{
    int64_t n = t->p->batch * t->T;
    for (int64_t k = 0; k < t->p->accumulate; k++) {
        int64_t i = t->now.step * t->p->accumulate + k;
        if (t->packed) hn_packed_get(t->packed, i, t->x + k * n, t->y + k * n, t->documents + k * n, t->positions + k * n);
        else hn_batch_get(t->batches, i, t->x + k * n, t->y + k * n);
    }
    return hn_trainer_step_on(t, loss);
}

bool hn_trainer_step_on(hn_trainer *t, double *loss)
{
    int64_t targets = 0;
    double sum = 0, flops = 0;
    for (int64_t i = 0, n = t->p->accumulate * t->p->batch * t->T; i < n; i++) targets += t->y[i] >= 0;
    double denominator = (double)HN_MAX(targets, 1);
    for (int64_t k = 0; k < t->p->accumulate; k++) {
        bool ok;
        sum += micro_batch(t, t->tape, k, denominator, &ok);
        if (!ok) {
            clear_gradients(t);
            return false;
        }
        if (!isfinite(sum)) return explain(t, denominator, "the training loss");
        hn_tape_stats st;
        hn_tape_stats_get(t->tape, &st);
        flops += st.flops_forward + st.flops_backward;
    }
    double norm = gradient_norm(t);
    if (!isfinite(norm)) return explain(t, denominator, "the gradient's norm");
    update_all(t, norm);
    t->now.step++;
    t->now.tokens += targets;
    t->now.flops += flops + hn_optim_flops(t->optim, t->optim_params, t->m);
    *loss = sum;
    return true;
}
