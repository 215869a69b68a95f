/* pack_load.c - a pack with its items: where it lies, where its data lies, ids, clusters, and a first try of every template.
 *
 * A name is looked for as a path, then as a folder of that name beneath $HONE_TASKS, ./tasks and the folder of the installation. */
#include "data/gym/gym.h"
#include "eval/task.h"
#include <dirent.h>
#include <stdlib.h>

static const char *const homes[] = { "tasks", "", "/usr/local/share/hone/tasks", "/usr/share/hone/tasks" }; /* "": of this installation */

static const char *yaml_in(hn_arena *a, const char *path) {
    if (!hn_path_exists(path)) return NULL;
    if (!hn_path_is_dir(path)) return path;
    const char *file = hn_path_join(a, path, "task.yaml");
    return hn_path_exists(file) ? file : NULL;
}

static int by_name(const void *x, const void *y) { return strcmp(*(const char *const *)x, *(const char *const *)y); }
static void close_folder(void *d) { closedir(d); }
typedef HN_VEC(const char *) words;
static void names_in(hn_arena *a, const char *dir, words *out) {
    hn_arena *scratch = hn_arena_new(a);
    DIR *d = opendir(dir);
    if (d) {
        hn_defer(scratch, close_folder, d);
        for (struct dirent *e; (e = readdir(d));)
            if (e->d_name[0] != '.' && hn_path_exists(hn_path_join(scratch, hn_path_join(scratch, dir, e->d_name), "task.yaml")))
                hn_push(a, out, hn_strdup(a, e->d_name));
    }
    hn_arena_free(scratch);
}

const char *hn_pack_find(hn_arena *a, const char *name) {
    const char *file = yaml_in(a, name), *own = getenv("HONE_TASKS");
    if (file) return file;
    words all = { 0 };
    for (int64_t i = -1; i < HN_LEN(homes); i++) {
        const char *home = i < 0 ? own : *homes[i] ? homes[i] : hn_share_path(a, "tasks");
        if (!home || !*home) continue;
        if (!strchr(name, '/') && (file = yaml_in(a, hn_path_join(a, home, name)))) return file;
        names_in(a, home, &all);
    }
    if (all.n) qsort(all.v, (size_t)all.n, sizeof *all.v, by_name);
    hn_buf list = { 0 };
    for (int64_t i = 0; i < all.n && i < 40; i++) hn_buf_fmt(a, &list, "%s%s", i ? ", " : "", all.v[i]);
    const char *near = hn_nearest(name, all.v, all.n);
    (void)!HN_FAIL(a, HONE_E_USAGE, .what = hn_path_is_dir(name) ? "the folder has no task.yaml" : hn_fmt(a, "there is no task '%.80s'", name), .where = "--task",
                   .wanted = all.n ? hn_fmt(a, "a folder with task.yaml, or one of %s", hn_buf_str(a, &list)) : "a folder with task.yaml",
                   .hint = near ? hn_fmt(a, "Did you mean '%s'?", near) : NULL);
    return NULL;
}

static const char *beside(hn_arena *a, const char *file, const char *name) {
    const char *slash = strrchr(file, '/');
    return *name == '/' || !slash ? name : hn_path_join(a, hn_strndup(a, file, slash - file), name);
}

static bool field_of(hn_arena *a, const hn_pack *p, const char *key, const char *name, int64_t i, const char **out) {
    const json_t *v = json_object_get(p->rows.v[i].fields, name);
    if (v) return *out = hn_value_text(a, v), true;
    if (json_object_get(p->rows.known, name))
        return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "the item has no field '%.60s'", name), .where = hn_fmt(a, "%s:%lld", p->rows.path, (long long)p->rows.v[i].line),
                       .hint = hn_fmt(a, "The pack names it as %s.", key));
    return HN_FAIL(a, HONE_E_KEY, .what = hn_fmt(a, "%s names an unknown field '%.60s'", key, name), .where = p->file, .hint = "No item has it.");
}

static bool ids(hn_arena *a, hn_pack *p) {
    hn_map *seen = hn_map_new(a);
    int64_t before;
    for (int64_t i = 0; i < p->rows.n; i++) {
        hn_pack_item *it = &p->rows.v[i];
        it->id = hn_fmt(a, "%lld", (long long)it->line);
        if (!*p->p.id) continue;
        if (!field_of(a, p, "id", p->p.id, i, &it->id)) return false;
        if (hn_map_get(seen, it->id, (int64_t)strlen(it->id), &before))
            return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "two items have the id '%.80s'", it->id), .where = hn_fmt(a, "%s:%lld", p->rows.path, (long long)it->line),
                           .hint = hn_fmt(a, "The first is on line %lld. An item that counts twice would bend the result.", (long long)before));
        hn_map_put(seen, it->id, (int64_t)strlen(it->id), it->line);
    }
    return true;
}

/* Numbers of the clusters, in the order of their first item. */
static bool clusters(hn_arena *a, hn_pack *p) {
    hn_map *seen = hn_map_new(a);
    for (int64_t i = 0; *p->p.cluster && i < p->rows.n; i++) {
        const char *s;
        int64_t k = hn_map_count(seen);
        if (!field_of(a, p, "cluster", p->p.cluster, i, &s)) return false;
        if (!hn_map_get(seen, s, (int64_t)strlen(s), &k)) hn_map_put(seen, s, (int64_t)strlen(s), k);
        p->rows.v[i].cluster = (int32_t)k;
    }
    return true;
}

static bool try_first(hn_arena *keep, const hn_pack *p) {
    hn_arena *a = hn_arena_new(keep);
    hn_question q;
    const char **target, *prompt;
    int64_t n;
    bool ok = p->output->needs_choices ? hn_pack_question(a, p, 0, 0, &q)
                                       : (!p->text.text || hn_pack_prompt(a, p, 0, 0, &prompt)) && hn_pack_target(a, p, 0, &target, &n);
    hn_arena_free(a);
    return ok;
}

hn_pack *hn_pack_load(hn_arena *a, const char *path, const char *data, int64_t limit) {
    if (hn_gym_is_source(path) && !data) return hn_gym_pack(a, path, limit);
    const char *file = hn_pack_find(a, path);
    hn_bytes yaml;
    hn_pack *p = hn_new(a, hn_pack);
    if (!file || !hn_file_read(a, file, HN_YAML_MAX_BYTES, &yaml) || !hn_pack_parse(a, hn_strdup(a, file), yaml, p)) return NULL;
    const char *dir = strrchr(file, '/') ? hn_strndup(a, file, strrchr(file, '/') - file) : NULL;
    p->name = *p->p.task ? p->p.task : dir ? hn_path_base(dir) : file;
    if (!data && !*p->p.data) {
        (void)!HN_FAIL(a, HONE_E_USAGE, .what = hn_fmt(a, "task %s has no items with it", p->name), .where = file,
                       .hint = "Give its file: --data FILE, or `data:` in the pack, relative to it.");
        return NULL;
    }
    if (!hn_sheet_read(a, data ? data : beside(a, file, p->p.data), &p->p.columns, &p->rows) || !ids(a, p) || !clusters(a, p)) return NULL;
    p->shots = p->rows;
    if (*p->p.fewshot_data && p->p.num_fewshot && !hn_sheet_read(a, beside(a, file, p->p.fewshot_data), &p->p.columns, &p->shots)) return NULL;
    p->n = limit > 0 ? HN_MIN(limit, p->rows.n) : p->rows.n;
    return try_first(a, p) ? p : NULL;
}
