/* files.c - what several commands take from their arguments: a text, a model folder, data files, whole stdin. */
#include "app/app.h"
#include "data/gym/gym.h"
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK = 1 << 16 };
static const int64_t max_stdin = (int64_t)1 << 32;

bool hn_read_stdin(hn_arena *a, hn_bytes *out) {
    hn_buf b = { 0 };
    char *chunk = hn_alloc(a, CHUNK, 1, 16);
    for (;;) {
        ssize_t n = read(STDIN_FILENO, chunk, CHUNK);
        if (n < 0 && errno == EINTR) {
            if (hn_stopped(a->job)) return HN_FAIL(a, HONE_E_INTERRUPTED, .what = "stopped while reading stdin");
            continue;
        }
        if (n < 0) return hn_fail_errno(a->job, "read", "stdin");
        if (!n) break;
        if (b.n + n > max_stdin) return HN_FAIL(a, HONE_E_DATA, .what = "stdin holds more than 4 GiB");
        hn_buf_put(a, &b, chunk, n);
    }
    *out = (hn_bytes){ (const uint8_t *)hn_buf_str(a, &b), b.n };
    return true;
}

bool hn_take_data_args(hn_cmd_call *c) {
    hn_strs files = { 0 };
    files.v = hn_new_n(c->a, const char *, c->n_args + 1);
    for (int64_t i = 0; i < c->n_args; i++) {
        const char *arg = c->args[i];
        if (!hn_gym_is_source(arg) && !hn_path_exists(arg)) return hn_no_file(c->a, HONE_E_DATA, arg);
        bool model = hn_path_is_dir(arg) && (hn_path_exists(hn_path_join(c->a, arg, "config.json")) ||
                                             hn_path_exists(hn_path_join(c->a, arg, "adapter_config.json")));
        if (model && !hn_settings_set(c->settings, c->a, "model.path", arg, "command line")) return false;
        if (!model) files.v[files.n++] = arg;
    }
    if (!files.n) return true;
    /* a list by way of its own text: commas in names are escaped */
    static const hn_param row = HN_PARAM(hn_data_params, train);
    const hn_data_params as_data = { .train = files };
    return hn_settings_set(c->settings, c->a, "data.train", hn_params_text(c->a, &row, &as_data), "command line");
}

const char *hn_run_folder(hn_cmd_call *c) {
    const hn_run_params *run = hn_settings_get(c->settings, "");
    if (*run->out) return run->out;
    const char *from = c->recipe ? c->recipe : c->n_args ? c->args[0] : NULL;
    if (!from) return NULL;
    char *name = hn_strdup(c->a, hn_path_base(from));
    for (char *p = name; hn_gym_is_source(from) && *p; p++) *p = *p == ':' || *p == '*' ? '-' : *p;
    char *dot = strchr(name, '.');
    if (dot && dot > name) *dot = 0;
    return *name ? hn_path_join(c->a, "runs", name) : NULL;
}

/* ---- going on: the recipe in the folder, with what this command line says on top ---- */

typedef struct overlay {
    hn_cmd_call *c;
    hn_settings *to;
    bool selectors, ok;
} overlay;
static void copy_given(void *user, const hn_section *sec, const hn_item *variant, const hn_param *row) {
    overlay *o = user;
    (void)variant;
    const char *key = hn_full_key(o->c->a, sec, row);
    if (!o->ok || !hn_settings_is_set(o->c->settings, key) || hn_settings_selects(o->c->settings, key) != o->selectors) return;
    o->ok = hn_settings_set(o->to, o->c->a, key, hn_settings_value(o->c->a, o->c->settings, key), "command line");
}

static bool same_folder(const char *x, const char *y) {
    struct stat s, t;
    return !stat(x, &s) && !stat(y, &t) && s.st_dev == t.st_dev && s.st_ino == t.st_ino;
}

bool hn_resume_settings(hn_cmd_call *c, const hn_section *const *sections, int64_t n, const char *dir) {
    const char *recipe = hn_path_join(c->a, dir, "recipe.yaml");
    if (!hn_path_exists(recipe))
        return HN_FAIL(c->a, HONE_E_MODEL, .what = "there is no run to go on with", .where = dir, .wanted = "a folder with a recipe.yaml");
    hn_settings *s = hn_settings_new(c->a, sections, n);
    if (!hn_settings_yaml_file(s, c->a, recipe)) return false;
    overlay o = { .c = c, .to = s, .ok = true };
    for (int pass = 0; pass < 2; pass++) {
        o.selectors = pass == 0;
        hn_settings_walk(c->settings, copy_given, &o);
    }
    c->settings = s;
    const hn_run_params *run = hn_settings_get(s, "");
    return o.ok && (same_folder(run->out, dir) || hn_settings_set(s, c->a, "out", dir, "--resume"));
}
