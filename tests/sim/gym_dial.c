/* gym_dial.c - how far the dial of each gym task moves a small model: trained from nothing at the lowest level and at the highest, what
 * share of unseen questions does it answer without an error?
 *
 *   gym_dial [--flops F] [--seed N] [--enough S] [--row] [TASK | TASK:LEVEL …]      default: every task, lowest and highest level
 *
 * The model is a llama of 5 layers, 4 heads and width 128 over bytes, a million parameters, trained by muon. Every batch is new
 * questions of split train, an item a row; the loss is that of the answer and of the end of its line alone. Each training gets the same
 * FLOPs, so that a level of long items gets fewer steps, not more time. It ends early when 97 % of a check set (split screen) are right.
 * Accuracy is exact match on 500 items of split valid, decoded greedily: that is right throughout exactly when, given the right
 * beginning, the likeliest next character is right at every place, which one forward pass tells. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "data/gym/gym.h"
#include "train/trainer.h"

enum { BATCH = 64, EVALUATED = 500, CHECKED = 128, CHECK_EVERY = 250, MEASURED = 200 };

typedef struct options { double flops, enough; int64_t seed; bool row; } options;
typedef struct lab {
    hn_arena *a;
    const hn_gym_task *task;
    int64_t level, T;
    hn_dataset d;
    hn_trainer *t;               /* its x and y (BATCH,T) are the batch at hand */
    hone_tape *tape;             /* for looking */
    hn_gym_item *item;
    int32_t *best;               /* (BATCH,T) */
    int64_t steps;
} lab;

static int32_t token(char c) { return (uint8_t)c; }      /* the byte tokenizer's ids */

/* Row r: prompt, answer, newline; the targets are the answer and the newline. Length of the item. */
static int64_t put_row(lab *l, int64_t r) {
    const hn_gym_item *it = l->item;
    int64_t n = it->prompt.n + it->answer.n;
    for (int64_t i = 0; i < l->T; i++) {
        char c = i < it->prompt.n ? it->prompt.v[i] : i < n ? it->answer.v[i - it->prompt.n] : '\n';
        char next = i + 1 < n ? (i + 1 < it->prompt.n ? it->prompt.v[i + 1] : it->answer.v[i + 1 - it->prompt.n]) : '\n';
        l->t->x[r * l->T + i] = token(c);
        l->t->y[r * l->T + i] = i + 1 >= it->prompt.n && i < n ? token(next) : -1;
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

/* The likeliest next character at every place. */
static bool guess(lab *l) {
    const int64_t shape[] = { BATCH, l->T };
    hone_tape_begin(l->tape, HONE_EVAL, 1, 0);
    hone_tensor *ids = hone_input_i32(l->tape, l->t->x, 2, shape), *targets = hone_input_i32(l->tape, l->t->y, 2, shape);
    hn_model_loss(l->tape, l->t->m, ids, targets, &(hone_cross_entropy_opts){ .best = l->best });
    return hone_ok(l->tape);
}

/* Share of n items, rounded up to whole batches, whose answer is right to the end of the line. */
static bool accuracy(lab *l, hn_gym_split s, int64_t n, double *exact) {
    int64_t right = 0, all = 0;
    for (; all < n; all += BATCH) {
        if (!fill(l, s, 1, all) || !guess(l)) return false;
        for (int64_t r = 0; r < BATCH; r++) {
            bool ok = true;
            for (int64_t i = r * l->T; i < (r + 1) * l->T; i++) ok = ok && (l->t->y[i] < 0 || l->best[i] == l->t->y[i]);
            right += ok;
        }
    }
    *exact = (double)right / (double)all;
    return true;
}

/* A trainer of the recipe, on a text that only says what a token is: its batches are written over by fill. */
static bool build(lab *l, const options *o) {
    hn_arena *a = l->a;
    hn_buf text = { 0 };
    for (int64_t i = 0; i < MEASURED; i++) {
        if (!hn_gym_at(a, l->task, l->level, HN_GYM_TRAIN, 1, i, l->item)) return false;
        l->T = HN_MAX(l->T, l->item->prompt.n + l->item->answer.n);
        hn_buf_fmt(a, &text, "%.*s%.*s\n", (int)l->item->prompt.n, (const char *)l->item->prompt.v, (int)l->item->answer.n,
                   (const char *)l->item->answer.v);
    }
    const hn_section *const sections[] = { &hn_section_model, &hn_section_data, &hn_section_train, &hn_section_optim, &hn_section_sched };
    hn_settings *s = hn_settings_new(a, sections, HN_LEN(sections));
    const char *const rows[][2] = {
        { "model.arch", "llama" }, { "model.layers", "5" }, { "model.heads", "4" }, { "model.width", "128" }, { "model.context", hn_fmt(a, "%" PRId64, l->T) },
        { "data.tokenizer", "byte" }, { "data.split", "tail" }, { "train.batch", hn_fmt(a, "%d", BATCH) },
        { "train.steps", "1000000" }, { "optim.name", "muon" }, { "optim.lr", "0.02" }, { "optim.adamw_lr", "6e-3" },
        { "sched.name", "linear" }, { "sched.warmup", "20" }, { "sched.min_ratio", "0" },
    };
    for (int64_t i = 0; i < HN_LEN(rows); i++)
        if (!hn_settings_set(s, a, rows[i][0], rows[i][1], "gym_dial")) return false;
    hn_plan plan;
    if (!hn_corpus_from_text(a, "gym.txt", text.v, text.n, &l->d.corpus) ||
        !hn_dataset_from_corpus(a, hn_settings_get(s, "data"), l->T, 1, NULL, &l->d) || !hn_plan_make(a, s, &l->d, 0, NULL, &plan))
        return false;
    l->steps = (int64_t)(o->flops / plan.flops_step);
    if (!hn_settings_set(s, a, "train.steps", hn_fmt(a, "%" PRId64, l->steps), "gym_dial") ||
        !(l->t = hn_trainer_new(a, s, &l->d, NULL, (uint64_t)o->seed)) || !(l->tape = hone_tape_new(a->job, NULL)))
        return false;
    l->best = hn_new_n(a, int32_t, BATCH * l->T);
    return true;
}

typedef struct run { const hn_gym_task *task; int64_t level; const options *o; } run;

static bool measure(hone_job *job, void *arg, int64_t i) {
    const run *r = arg;
    lab *l = hn_new(hn_job_arena(job), lab);
    *l = (lab){ .a = hn_job_arena(job), .task = r->task, .level = r->level, .item = hn_new(hn_job_arena(job), hn_gym_item) };
    if (!build(l, r->o)) return false;
    double begun = hn_now(), checked = 0, exact, loss = NAN;
    int64_t step = 0;
    for (; step < l->steps && checked < r->o->enough; step++) {
        if (!fill(l, HN_GYM_TRAIN, (uint64_t)r->o->seed, step * BATCH) || !hn_trainer_step_on(l->t, &loss)) return false;
        if ((step + 1) % CHECK_EVERY == 0 && !accuracy(l, HN_GYM_SCREEN, CHECKED, &checked)) return false;
    }
    if (!accuracy(l, HN_GYM_VALID, EVALUATED, &exact)) return false;
    printf("| %s | %lld | %lld | %lld%s | %.3f | %.1f %% | %.0f |\n", l->task->item.name, (long long)l->level, (long long)l->T, (long long)step,
           step < l->steps ? "" : " (all)", loss, 100 * exact, hn_now() - begun);
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
