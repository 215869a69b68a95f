/* train_world.h - a small world for tests of training: a text, its data set, settings, and what is often asked of a trainer. */
#ifndef TRAIN_WORLD_H
#define TRAIN_WORLD_H
#include "train/trainer.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include <math.h>
#include <cmocka.h>
#include "near.h"
#define GOLDEN "tests/golden"

/* ---- a small world: text, data set, settings ---- */
typedef struct world { hone_job *job; hn_arena *a; hn_settings *s; hn_dataset d; char dir[64]; } world;

static inline hn_settings *settings(hn_arena *a)
{
    static const hn_section *const sections[] = { &hn_section_model, &hn_section_adapter, &hn_section_data, &hn_section_train, &hn_section_optim,
                                                  &hn_section_sched };
    static const char *const rows[][2] = {
        { "model.arch", "gpt2" }, { "model.layers", "2" }, { "model.heads", "2" }, { "model.width", "16" }, { "model.context", "16" },
        { "train.steps", "10" }, { "train.batch", "4" }, { "sched.warmup", "2" }, { "data.tokenizer", "char" }, { "data.split", "tail" },
    };
    hn_settings *s = hn_settings_new(a, sections, HN_LEN(sections));
    for (int64_t i = 0; i < HN_LEN(rows); i++) assert_true(hn_settings_set(s, a, rows[i][0], rows[i][1], "test"));
    return s;
}

static inline void set(world *w, const char *key, const char *value)
{
    if (!hn_settings_set(w->s, w->a, key, value, "test")) fail_msg("%s", hone_error_message(w->job));
}

/* Words of a made-up language: enough order to learn from. */
static inline const char *make_text(hn_arena *a, int64_t n)
{
    static const char *const words[] = { "the ", "cat ", "sat ", "on ", "a ", "mat.\n", "dog ", "ran ", "up ", "hill.\n" };
    hn_rng r = hn_rng_new(7, HN_STREAM_TEST, 0);
    hn_buf b = { 0 };
    while (b.n < n) {
        const char *s = words[hn_rng_below(&r, HN_LEN(words))];
        hn_buf_put(a, &b, s, (int64_t)strlen(s));
    }
    return hn_buf_str(a, &b);
}

static inline void open_world(world *w, int threads)
{
    *w = (world){ .job = hone_open(&(hone_options){ .threads = threads }) };
    assert_non_null(w->job);
    w->a = hn_job_arena(w->job);
    strcpy(w->dir, "/tmp/hone-train-XXXXXX");
    assert_non_null(mkdtemp(w->dir));
    const char *path = hn_path_join(w->a, w->dir, "text.txt"), *text = make_text(w->a, 4000);
    assert_true(hn_file_write(w->a, path, text, (int64_t)strlen(text)));
    w->s = settings(w->a);
    set(w, "data.train", path);
    if (!hn_dataset_load(w->a, hn_settings_get(w->s, "data"), 16, 1, NULL, &w->d)) fail_msg("%s", hone_error_message(w->job));
}

static inline void close_world(world *w)
{
    hone_error_clear(w->job);
    assert_true(hn_remove_tree(w->a, w->dir));
    hone_close(w->job);
}

static inline hn_trainer *trainer(world *w)
{
    hn_trainer *t = hn_trainer_new(w->a, w->s, &w->d, NULL, 5);
    if (!t) fail_msg("%s", hone_error_message(w->job));
    return t;
}

static inline void steps(world *w, hn_trainer *t, int n, double *losses)
{
    for (int i = 0; i < n; i++) {
        double loss;
        if (!hn_trainer_step(t, &loss)) fail_msg("%s", hone_error_message(w->job));
        if (losses) losses[i] = loss;
    }
}

static inline void same_weights(const hone_model *x, const hone_model *y)
{
    assert_int_equal(x->n_w, y->n_w);
    for (int64_t i = 0; i < x->n_w; i++)
        assert_memory_equal(x->w[i].t->data, y->w[i].t->data, (size_t)hn_count(x->w[i].t) * sizeof(float));
}

static inline void says(world *w, hone_code code, const char *part)
{
    assert_int_equal(hone_error_code(w->job), code);
    if (!strstr(hone_error_message(w->job), part)) fail_msg("'%s' is not in: %s", part, hone_error_message(w->job));
}
#endif
