/* improve_world.h - a small world for tests of the main job: its recipe on a tiny model, a text made from nothing, runs that are heard. */
#ifndef IMPROVE_WORLD_H
#define IMPROVE_WORLD_H
#include "improve/run.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "near.h"

static const hn_section *const sections[] = { &hn_section_model, &hn_section_adapter, &hn_section_data, &hn_section_train, &hn_section_optim,
                                              &hn_section_sched, &hn_section_improve, &hn_section_budget, &hn_section_finish };

static inline hn_settings *recipe(hn_arena *a) {
    hn_settings *s = hn_settings_new(a, sections, HN_LEN(sections));
    assert_true(hn_settings_yaml(s, a, "recipes/text.yaml", (hn_bytes){ (const uint8_t *)hn_recipe_text, (int64_t)strlen(hn_recipe_text) }));
    return s;
}

static inline double number(hn_arena *a, const hn_settings *s, const char *key) {
    double x = NAN;
    const char *text = hn_settings_value(a, s, key);
    assert_non_null(text);
    assert_true(hn_parse_f64(text, &x));
    return x;
}

static inline const hn_lever *pull(hn_arena *a, hn_settings *s, const char *name, int64_t variant, hn_lever_call *c) {
    const hn_lever *l = (const hn_lever *)hn_kind_find(&hn_kind_lever, name);
    assert_non_null(l);
    void *p = l->item.size ? hn_alloc(a, 1, l->item.size, 16) : NULL;
    if (p) hn_params_defaults(a, l->item.params, l->item.n_params, p);
    *c = (hn_lever_call){ .a = a, .candidate = s, .params = p, .variant = variant, .name = name, .cost = 1 };
    assert_true(l->apply(c));
    assert_non_null(c->did);
    return l;
}

/* ---- whole runs, tiny ---- */

typedef struct run_case {
    const char *text, *out;
    const char *extra[12];      /* key, value, … */
    int64_t stop_after;         /* trainings, 0: never */
    hone_job *job;
    char *lines;                /* all answer lines */
    size_t size;
    FILE *f;
    bool ok;
    hone_code code;
    int64_t trainings;
} run_case;

static inline void heard(void *user, const hone_event *e) {
    run_case *r = user;
    if (e->type != HONE_EVENT_PROGRESS) return;
    r->trainings++;
    if (r->stop_after && r->trainings >= r->stop_after) hone_stop(r->job);
}

static inline void line(void *user, const json_t *v) {
    run_case *r = user;
    char *s = json_dumps(v, JSON_COMPACT);
    fprintf(r->f, "%s\n", s);
    free(s);
}

static inline bool body(void *arg) {
    run_case *r = arg;
    hn_arena *a = hn_job_arena(r->job);
    hn_settings *s = recipe(a);
    static const char *const tiny[] = { "model.layers", "1", "model.heads", "2", "model.width", "16", "model.context", "16", "train.batch", "4",
                                        "budget.steps", "6", "sched.warmup", "1", "improve.tune", "false", "improve.item_tokens", "128",
                                        "improve.held_out_bytes", "12000", "improve.levers", "lr,more-steps,deeper", "improve.confirm_seeds", "2",
                                        "improve.screen_seeds", "1", "optim.lr", "0.003" };
    for (int64_t i = 0; i < HN_LEN(tiny); i += 2)
        if (!hn_settings_set(s, a, tiny[i], tiny[i + 1], "test")) return false;
    for (int64_t i = 0; i + 1 < HN_LEN(r->extra) && r->extra[i]; i += 2)
        if (!hn_settings_set(s, a, r->extra[i], r->extra[i + 1], "test")) return false;
    return hn_settings_set(s, a, "data.train", r->text, "test") && hn_improve_run(a, s, r->out, line, r);
}

static inline void run(run_case *r) {
    r->f = open_memstream(&r->lines, &r->size);
    r->job = hone_open(&(hone_options){ .threads = 2, .on_event = heard, .user = r });
    r->ok = hn_try(r->job, body, r);
    r->code = hone_error_code(r->job);
    fclose(r->f);
    if (!r->ok && r->code != HONE_E_INTERRUPTED) print_message("improve said: %s\n", hone_error_message(r->job));
    hone_close(r->job);
}

static char folder[] = "/tmp/hone-improve-XXXXXX";
static char text_path[64];

static inline int setup(void **state) {
    if (!mkdtemp(folder)) return -1;
    snprintf(text_path, sizeof text_path, "%s/text.txt", folder);
    hone_job *job = hone_open(NULL);
    hn_buf text = { 0 };
    hn_synth_text(hn_job_arena(job), 1, 60000, &text);
    bool ok = hn_file_write(hn_job_arena(job), text_path, text.v, text.n);
    hone_close(job);
    return ok ? 0 : -1;
}

static inline int teardown(void **state) {
    hone_job *job = hone_open(NULL);
    bool ok = hn_remove_tree(hn_job_arena(job), folder);
    hone_close(job);
    return ok ? 0 : -1;
}
#endif
