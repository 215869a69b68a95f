/* ensemble.c - an ensemble as a folder: ensemble.json names its members, each a model folder of its own that others load, too.
 *
 *     {"hone_ensemble": 1, "combine": "mean of probabilities", "members": ["member-0", "member-1", …]}
 *
 * There is no config.json: nobody shall take one member for the whole. The folder is staged beside as DIR.hone-tmp and then takes DIR's
 * place at once. A folder that holds other things than a model is not replaced. */
#include "model/model.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { MANIFEST_MAX = 1 << 20, MEMBERS_MOST = 64 };
static const char MANIFEST[] = "ensemble.json";

static bool bad(hn_arena *a, const char *where, const char *what, const char *found) {
    return HN_FAIL(a, HONE_E_MODEL, .what = what, .where = where, .found = found, .hint = "Fetch or write the ensemble again.");
}

bool hn_ensemble_parse(hn_arena *a, const char *where, hn_bytes text, hn_strs *members) {
    json_t *o = hn_json_parse(a, where, text.p, text.n, HONE_E_MODEL);
    if (!o) return false;
    const json_t *version = json_object_get(o, "hone_ensemble"), *v = json_object_get(o, "members");
    const char *combine = json_string_value(json_object_get(o, "combine"));
    if (!json_is_integer(version) || json_integer_value(version) != 1)
        return bad(a, where, "this is no ensemble that this hone reads: \"hone_ensemble\" must be 1", NULL);
    if (!combine || strcmp(combine, "mean of probabilities")) return bad(a, where, "\"combine\" must be \"mean of probabilities\"", combine);
    size_t n = json_array_size(v);
    if (n < 1 || n > MEMBERS_MOST) return bad(a, where, hn_fmt(a, "\"members\" must name 1 … %d folders", MEMBERS_MOST), hn_fmt(a, "%zu", n));
    members->v = hn_new_n(a, const char *, (int64_t)n);
    members->n = 0;
    for (size_t i = 0; i < n; i++) {
        const json_t *name = json_array_get(v, i);
        const char *s = json_string_value(name);
        if (!s || !*s || *s == '.' || strchr(s, '/') || strlen(s) != json_string_length(name))
            return bad(a, where, hn_fmt(a, "member %zu is no name of a folder beside this file", i), s);
        members->v[members->n++] = s;
    }
    return true;
}

static bool detect(const char *path) {
    char file[4096];
    return hn_path_is_dir(path) && snprintf(file, sizeof file, "%s/%s", path, MANIFEST) < (int)sizeof file && hn_path_exists(file);
}

static hone_model *open_all(hn_arena *a, const char *path, hone_model *(*open)(hn_arena *a, const char *path)) {
    const char *where = hn_path_join(a, path, MANIFEST);
    hn_bytes text;
    hn_strs names;
    if (!hn_file_read(a, where, MANIFEST_MAX, &text) || !hn_ensemble_parse(a, where, text, &names)) return NULL;
    hone_model **v = hn_new_n(a, hone_model *, names.n);
    for (int64_t i = 0; i < names.n; i++) {
        const char *member = hn_path_join(a, path, names.v[i]);
        if (detect(member)) {
            (void)bad(a, member, "an ensemble within an ensemble is not read", NULL);
            return NULL;
        }
        if (!(v[i] = open(a, member))) return NULL;
    }
    return hn_ensemble_new(a, v, names.n);
}
static hone_model *load(hn_arena *a, const char *path) { return open_all(a, path, hn_model_load); }
static hone_model *read_only(hn_arena *a, const char *path) { return open_all(a, path, hn_model_read); }

static bool write_all(hn_arena *a, const hone_model *m, const char *stage) {
    json_t *o = hn_json_own(a, json_object()), *names = json_array();
    hn_json_put(a, o, "hone_ensemble", json_integer(1));
    hn_json_put(a, o, "combine", json_string("mean of probabilities"));
    hn_json_put(a, o, "members", names);
    if (!hn_mkdirs(a, stage)) return false;
    for (int64_t i = 0; i < m->n_members; i++) {
        const char *name = hn_fmt(a, "member-%lld", (long long)i);
        json_array_append_new(names, json_string(name));
        if (!hn_model_save(a, m->members[i], hn_path_join(a, stage, name))) return false;
    }
    const char *text = hn_fmt(a, "%s\n", hn_json_text(a, o, true));
    return hn_file_write(a, hn_path_join(a, stage, MANIFEST), text, (int64_t)strlen(text)); /* last: without it there is no ensemble */
}

/* Nothing but a model's files, or an ensemble's. */
static bool holds_only_a_model(const char *dir) {
    static const char *const known[] = { ".", "..", MANIFEST, "config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json" };
    DIR *d = opendir(dir);
    bool only = d;
    for (struct dirent *e; only && (e = readdir(d));) {
        bool ours = !strncmp(e->d_name, "member-", 7);
        for (int64_t i = 0; i < HN_LEN(known); i++) ours |= !strcmp(e->d_name, known[i]);
        only = ours;
    }
    if (d) closedir(d);
    return only;
}

static bool save(hn_arena *parent, const hone_model *m, const char *path, const hn_save *how) {
    hn_arena *a = hn_arena_new(parent);
    char *dir = hn_strdup(a, path);
    for (size_t n = strlen(dir); n > 1 && dir[n - 1] == '/';) dir[--n] = 0;
    const char *stage = hn_fmt(a, "%s.hone-tmp", dir);
    bool there = hn_path_exists(dir);
    bool ok = !there || holds_only_a_model(dir) ||
              HN_FAIL(a, HONE_E_IO, .what = "an ensemble is saved as a folder of its own, but something else is in the way", .where = dir,
                      .hint = "Choose another name, or move it away.");
    ok = ok && (!hn_path_exists(stage) || hn_remove_tree(a, stage)) && write_all(a, m, stage);
    if (ok && there && renameat2(AT_FDCWD, stage, AT_FDCWD, dir, RENAME_EXCHANGE)) { /* a file system without exchange */
        ok = hn_remove_tree(a, dir);
        there = false;
    }
    if (ok && !there) ok = !rename(stage, dir) || hn_fail_errno(a->job, "create", dir);
    ok = ok && hn_dir_sync(a, hn_fmt(a, "%s/..", dir)) && (!hn_path_exists(stage) || hn_remove_tree(a, stage));
    hn_arena_free(a);
    return ok;
}

const hn_format hn_format_ensemble = { HN_ITEM0("ensemble", "several models that answer as one", "arXiv:1612.01474"),
                                       .detect = detect, .load = load, .read = read_only, .save = save };
