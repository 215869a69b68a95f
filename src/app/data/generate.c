/* generate - items of gym tasks as JSONL: {prompt, completion, task, level, id}, a line each.
 *
 * Tasks and levels take turns, so that any beginning of the output holds all of them. All items are made before the first is written:
 * when a level has fewer questions than were asked for, nothing is. */
#include "app/app.h"
#include "data/gym/gym.h"

typedef struct flags {
    hn_strs task;
    int64_t n, level;
    const char *split, *out;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, task, .doc = "a gym task (`hone list gym`), several with commas, or all"),
    HN_PARAM(flags, n, .def = "1000", .min = 1, .max = 1e7, .doc = "how many different items, over all tasks and levels"),
    HN_PARAM(flags, level, .def = "0", .min = 0, .max = 1000, .doc = "level of difficulty, from 1; 0: all levels of a task take turns"),
    HN_PARAM(flags, split, .def = "train", .choices = HN_GYM_SPLIT_NAMES,
             .doc = "which questions: no item of one split is ever in another, whatever the seed"),
    HN_PARAM(flags, out, .doc = "file to write; none: stdout"),
};

typedef struct cell { const hn_gym_task *task; int64_t level; } cell;
typedef HN_VEC(cell) cells;
typedef struct made { hn_arena *a; HN_VEC(const char *) lines; } made;

static void take(void *user, const hn_gym_item *it) {
    made *m = user;
    hn_arena *scratch = hn_arena_new(m->a);
    json_t *line = json_pack("{ss% ss% ss sI ss}", "prompt", it->prompt.v, (size_t)it->prompt.n, "completion", it->answer.v,
                             (size_t)it->answer.n, "task", it->task->item.name, "level", (json_int_t)it->level, "id",
                             hn_gym_id(scratch, it));
    const char *text = hn_strdup(m->a, hn_json_text(scratch, hn_json_own(scratch, line), false));
    hn_push(m->a, &m->lines, text);
    hn_arena_free(scratch);
}

static bool add(hn_arena *a, const hn_gym_task *t, int64_t level, cells *out) {
    if (level > t->levels)
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "gym task '%s' has no level %lld", t->item.name, (long long)level),
                       .wanted = hn_fmt(a, "1 … %lld", (long long)t->levels), .hint = hn_fmt(a, "See `hone help gym %s`.", t->item.name));
    for (int64_t l = level ? level : 1; l <= (level ? level : t->levels); l++) {
        for (int64_t i = 0; i < out->n; i++)
            if (out->v[i].task == t && out->v[i].level == l)
                return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "gym task '%s' is named twice", t->item.name), .where = "--task");
        hn_push(a, out, (cell){ t, l });
    }
    return true;
}

static bool put(hn_writer *w, const char *line) {
    if (w) return hn_write(w, line, (int64_t)strlen(line)) && hn_write(w, "\n", 1);
    hn_out("%s\n", line);
    return true;
}

extern const hn_cmd hn_verb_generate;
static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    if (c->n_args) return hn_usage(c, &hn_verb_generate, hn_fmt(c->a, "what is '%.100s'?", c->args[0]));
    if (!f->task.n) return hn_usage(c, &hn_verb_generate, "which task? --task NAME");
    cells all = { 0 };
    for (int64_t i = 0; i < f->task.n; i++) {
        bool every = !strcmp(f->task.v[i], "all");
        const hn_gym_task *t = every ? NULL : hn_gym_find(c->a, f->task.v[i]);
        if (!every && !t) return false;
        for (int64_t k = 0; k < (every ? hn_kind_gym.n : 1); k++)
            if (!add(c->a, every ? (const hn_gym_task *)hn_kind_gym.items[k] : t, f->level, &all)) return false;
    }
    made *m = hn_new_n(c->a, made, all.n);
    for (int64_t i = 0; i < all.n; i++) {
        m[i].a = c->a;
        int64_t n = f->n / all.n + (i < f->n % all.n);
        if (!hn_gym_distinct(c->a, all.v[i].task, all.v[i].level, hn_gym_split_named(f->split), c->seed, n, take, &m[i])) return false;
    }
    int64_t tasks = 0;
    for (int64_t i = 0; i < all.n; i++) tasks += !i || all.v[i].task != all.v[i - 1].task;
    hn_writer *w = NULL;
    if (*f->out && !(w = hn_writer_open(c->a, f->out))) return false;
    for (int64_t i = 0; i < f->n && !hn_out_broken(); i++)
        if (!put(w, m[i % all.n].lines.v[i / all.n])) return false;
    if (w && !hn_writer_commit(w)) return false;
    if (w) hn_log(c->a, "%lld items of %lld task%s written to %s", (long long)f->n, (long long)tasks, tasks == 1 ? "" : "s", f->out);
    return true;
}

const hn_cmd hn_verb_generate = {
    HN_ITEM("generate", "make tasks with answers that can be checked", NULL, flags, params), .under = "data",
    .usage = "--task NAME[,NAME …]|all --n N [--level L] [--split NAME] [--out FILE]", .run = run,
    .about = "Writes JSONL: prompt, completion, task, level, id. All items of one output differ; asking for more than there are is an error "
             "that says how many there are. The same --seed gives the same items.",
    .examples = "  hone data generate --task arithmetic --level 2 --n 5000 --out train.jsonl\n"
                "  hone data generate --task arithmetic --level 2 --n 500 --split valid --out valid.jsonl\n"
                "  hone data generate --task all --n 10000 --seed 7 > mix.jsonl"
};
