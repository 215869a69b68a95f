/* gym_dial.c - how far the dial of each gym task moves a small model: trained from nothing at the lowest level and at the highest, what
 * share of unseen questions does it answer without an error? Behind bench/gym-dial.sh; results: docs/results/gym.md.
 *
 *   gym_dial [--flops F] [--seed N] [--enough S] [--row] [TASK | TASK:LEVEL …]      default: every task, lowest and highest level
 *
 * The model is GPT-2 of 4 layers, 4 heads and width 144 over characters: 1.0 million parameters. Every batch is new questions of split train, an
 * item a row; the loss is that of the answer and of the end of its line alone. Each training gets the same FLOPs, so that a level of long items
 * gets fewer steps, not more time. It ends early when 97 % of a check set (split screen) are right. Accuracy is exact match on 500 items of
 * split valid, decoded greedily: that is right throughout exactly when, given the right beginning, the likeliest next character is right at
 * every place, which one forward pass tells. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "data/gym/gym.h"
#include "train/train.h"

enum { VOCAB = 96, LAYERS = 4, WIDTH = 144, BATCH = 64, EVALUATED = 500, CHECKED = 128, WARMUP = 100, CHECK_EVERY = 250, MEASURED = 200 };
static const double peak = 1e-3, least = 0.05, decay = 0.1, clip = 1;

typedef struct options { double flops, enough; int64_t seed; bool row; } options;
typedef struct lab {
    hn_arena *a;
    const hn_gym_task *task;
    int64_t level, T;
    hone_model *m;
    hone_tape *tape;
    hn_gym_item *item;
    int32_t *x, *y, *best;       /* (BATCH,T) */
    float **state;
} lab;

static int32_t token(char c) { return c == '\n' ? 0 : c - 31; }      /* printable ASCII from 1 */

/* Row r: prompt, answer, newline; the targets are the answer and the newline. Length of the item. */
static int64_t put_row(lab *l, int64_t r) {
    const hn_gym_item *it = l->item;
    int64_t n = it->prompt.n + it->answer.n;
    for (int64_t i = 0; i < l->T; i++) {
        char c = i < it->prompt.n ? it->prompt.v[i] : i < n ? it->answer.v[i - it->prompt.n] : '\n';
        char next = i + 1 < n ? (i + 1 < it->prompt.n ? it->prompt.v[i + 1] : it->answer.v[i + 1 - it->prompt.n]) : '\n';
        l->x[r * l->T + i] = token(c);
        l->y[r * l->T + i] = i + 1 >= it->prompt.n && i < n ? token(next) : -1;
    }
    return n;
}

static bool fill(lab *l, hn_gym_split s, uint64_t seed, int64_t first) {
    for (int64_t r = 0; r < BATCH; r++) {
        do {                                       /* an item longer than all of those measured is left out: about one of two hundred */
            if (!hn_gym_at(l->a, l->task, l->level, s, seed, first, l->item)) return false;
            first += l->item->prompt.n + l->item->answer.n > l->T ? (int64_t)1 << 32 : 0;
        } while (l->item->prompt.n + l->item->answer.n > l->T);
        put_row(l, r);
        first++;
    }
    return true;
}

static hone_tensor *loss_of(lab *l, hone_mode mode, int64_t step, int32_t *best) {
    hone_tape_begin(l->tape, mode, 1, (uint32_t)step);
    hone_tensor *ids = hone_input_i32(l->tape, l->x, 2, (int64_t[]){ BATCH, l->T }),
                *targets = hone_input_i32(l->tape, l->y, 2, (int64_t[]){ BATCH, l->T });
    return hn_model_loss(l->tape, l->m, ids, targets, &(hone_cross_entropy_opts){ .best = best });
}

/* Share of n items, rounded up to whole batches, whose answer is right to the end of the line. */
static bool accuracy(lab *l, hn_gym_split s, int64_t n, double *exact) {
    int64_t right = 0, all = 0;
    for (; all < n; all += BATCH) {
        if (!fill(l, s, 1, all)) return false;
        loss_of(l, HONE_EVAL, 0, l->best);
        if (!hone_ok(l->tape)) return false;
        for (int64_t r = 0; r < BATCH; r++) {
            bool ok = true;
            for (int64_t i = r * l->T; i < (r + 1) * l->T; i++) ok = ok && (l->y[i] < 0 || l->best[i] == l->y[i]);
            right += ok;
        }
    }
    *exact = (double)right / (double)all;
    return true;
}

static void update(lab *l, int64_t step, int64_t steps, const double *betas) {
    const hn_optim *o = (const hn_optim *)hn_kind_find(&hn_kind_optim, "adamw");
    double norm = 0, along = (double)step / (double)steps;
    for (int64_t j = 0; j < l->m->n_w; j++)
        for (int64_t i = 0; i < hn_count(l->m->w[j].t); i++) norm += (double)l->m->w[j].t->grad[i] * l->m->w[j].t->grad[i];
    hn_optim_state s = { .step = step + 1, .grad_scale = fmin(1, clip / (sqrt(norm) + 1e-6)), .params = betas };
    s.share = fmin(1, (double)(step + 1) / WARMUP) * (least + (1 - least) * (1 + cos(M_PI * along)) / 2);
    s.lr = peak * s.share;
    for (int64_t j = 0; j < l->m->n_w; j++) {
        hn_weight *w = &l->m->w[j];
        s.decay = w->decay ? decay : 0;
        o->step(&s, w->t->data, w->t->grad, l->state + 2 * j, hn_count(w->t));
        memset(w->t->grad, 0, (size_t)hn_count(w->t) * sizeof(float));
    }
}

static bool build(lab *l, const options *o) {
    hn_arena *a = l->a;
    for (int64_t i = 0; i < MEASURED; i++) {
        if (!hn_gym_at(a, l->task, l->level, HN_GYM_TRAIN, 1, i, l->item)) return false;
        l->T = HN_MAX(l->T, l->item->prompt.n + l->item->answer.n);
    }
    hn_settings *s = hn_settings_new(a, (const hn_section *[]){ &hn_section_model }, 1);
    if (!hn_settings_set(s, a, "model.layers", hn_fmt(a, "%d", LAYERS), "gym_dial") ||
        !hn_settings_set(s, a, "model.width", hn_fmt(a, "%d", WIDTH), "gym_dial") ||
        !hn_settings_set(s, a, "model.context", hn_fmt(a, "%" PRId64, l->T), "gym_dial"))
        return false;
    const hn_item *arch;
    const void *params = hn_settings_variant(s, "model", &arch);
    if (!(l->m = hn_model_new(a, (const hn_arch *)arch, params, VOCAB, false)) || !(l->tape = hone_tape_new(a->job, NULL))) return false;
    hn_model_init(l->m, (uint64_t)o->seed);
    l->state = hn_new_n(a, float *, 2 * l->m->n_w);
    for (int64_t j = 0; j < l->m->n_w; j++) {
        int64_t bytes = hn_count(l->m->w[j].t) * (int64_t)sizeof(float);
        l->m->w[j].t->grad = hn_alloc_large(a, bytes);
        for (int k = 0; k < 2; k++) l->state[2 * j + k] = hn_alloc_large(a, bytes);
    }
    l->x = hn_new_n(a, int32_t, BATCH * l->T);
    l->y = hn_new_n(a, int32_t, BATCH * l->T);
    l->best = hn_new_n(a, int32_t, BATCH * l->T);
    return true;
}

typedef struct run { const hn_gym_task *task; int64_t level; const options *o; } run;

static bool measure(hone_job *job, void *arg, int64_t i) {
    const run *r = arg;
    lab *l = hn_new(hn_job_arena(job), lab);
    *l = (lab){ .a = hn_job_arena(job), .task = r->task, .level = r->level, .item = hn_new(hn_job_arena(job), hn_gym_item) };
    if (!build(l, r->o)) return false;
    /* Six FLOPs a parameter and token: two forward, four backward. */
    double per_step = 6.0 * (double)hn_model_count(l->m) * (double)(BATCH * l->T), begun = hn_now(), checked = 0, exact, loss = NAN;
    int64_t steps = (int64_t)(r->o->flops / per_step), step = 0;
    const double betas[] = { peak, 0.9, 0.99, 1e-8, decay };
    for (; step < steps && checked < r->o->enough; step++) {
        if (!fill(l, HN_GYM_TRAIN, (uint64_t)r->o->seed, step * BATCH)) return false;
        hone_tensor *t = loss_of(l, HONE_TRAIN, step, NULL);
        loss = hone_tensor_item(t, 0);
        if (!hone_ok(l->tape) || !hone_backward(l->tape, t)) return false;
        update(l, step, steps, betas);
        if ((step + 1) % CHECK_EVERY == 0 && !accuracy(l, HN_GYM_SCREEN, CHECKED, &checked)) return false;
    }
    if (!accuracy(l, HN_GYM_VALID, EVALUATED, &exact)) return false;
    printf("| %s | %lld | %lld | %lld%s | %.3f | %.1f %% | %.0f |\n", l->task->item.name, (long long)l->level, (long long)l->T, (long long)step,
           step < steps ? "" : " (all)", loss, 100 * exact, hn_now() - begun);
    fflush(stdout);
    return true;
}

static bool take(hone_job *job, const options *o, const hn_gym_task *t, int64_t level) {
    run r = { t, level, o };
    return hn_jobs_run(job, 1, 1, measure, &r);
}

static bool named(hone_job *job, const options *o, const char *arg) {
    hn_arena *a = hn_job_arena(job);
    const char *colon = strchr(arg, ':');
    const hn_gym_task *t = hn_gym_find(a, colon ? hn_strndup(a, arg, colon - arg) : arg);
    int64_t level = 0;
    if (!t) return false;
    if (colon && !hn_parse_i64(colon + 1, &level)) return HN_FAIL(a, HONE_E_VALUE, .what = "no level", .where = arg);
    return colon ? take(job, o, t, level) : take(job, o, t, 1) && take(job, o, t, t->levels);
}

int main(int argc, char **argv) {
    options o = { .flops = 1.5e13, .enough = 0.97, .seed = 1 };
    hone_job *job = hone_open(NULL);
    bool ok = true;
    int first = 1;
    for (; ok && first < argc && !strncmp(argv[first], "--", 2); first++) {
        if (!strcmp(argv[first], "--row")) o.row = true;
        else if (first + 1 >= argc) ok = false;
        else if (!strcmp(argv[first], "--flops")) ok = hn_parse_f64(argv[++first], &o.flops);
        else if (!strcmp(argv[first], "--enough")) ok = hn_parse_f64(argv[++first], &o.enough);
        else if (!strcmp(argv[first], "--seed")) ok = hn_parse_i64(argv[++first], &o.seed);
        else ok = false;
    }
    if (!ok) return fprintf(stderr, "gym_dial [--flops F] [--seed N] [--enough S] [--row] [TASK | TASK:LEVEL …]\n"), 2;
    if (!o.row) printf("| task | level | characters | steps | last loss | right | seconds |\n|---|--:|--:|--:|--:|--:|--:|\n");
    for (int i = first; ok && i < argc; i++) ok = named(job, &o, argv[i]);
    for (int64_t k = 0; ok && first >= argc && k < hn_kind_gym.n; k++) ok = named(job, &o, hn_kind_gym.items[k]->name);
    if (!ok) fprintf(stderr, "gym_dial: %s\n", hone_error_message(job));
    hone_close(job);
    return ok ? 0 : 1;
}
