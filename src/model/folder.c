/* folder.c - a folder of known files is replaced as a whole.
 *
 * The new one is staged beside it as DIR.hone-tmp. A folder that is not there yet comes by a rename; one that holds only files of
 * ours is exchanged with the staged one in a single system call; where that is impossible, or a stranger's files lie there, files
 * are renamed one by one in the order of the list, so the file that makes the rest count goes last. Whatever fails before that
 * leaves the old folder whole. */
#include "model/folder.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* NAME, or the half-written NAME.tmp-PID of a process that was killed. */
static bool is_ours(const char *file, const hn_strs *names) {
    for (int64_t i = 0; i < names->n; i++) {
        size_t n = strlen(names->v[i]);
        if (!strncmp(file, names->v[i], n) && (!file[n] || !strncmp(file + n, ".tmp-", 5))) return true;
    }
    return false;
}

/* Only what we stage ourselves is ever removed: a folder of that name with other content makes rmdir fail. */
static bool clear(hn_arena *a, const char *dir, const hn_strs *names) {
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (is_ours(e->d_name, names)) (void)unlink(hn_path_join(a, dir, e->d_name));
    if (d) closedir(d);
    return !rmdir(dir) || errno == ENOENT || hn_fail_errno(a->job, "remove", dir);
}

static bool holds_only(const char *dir, const hn_strs *names) {
    DIR *d = opendir(dir);
    bool only = d;
    for (struct dirent *e; only && (e = readdir(d));) {
        bool known = !strcmp(e->d_name, ".") || !strcmp(e->d_name, "..");
        for (int64_t i = 0; i < names->n; i++) known |= !strcmp(e->d_name, names->v[i]);
        only = known;
    }
    if (d) closedir(d);
    return only;
}

/* Moves the staged files over those of dir; without tokenizer in the new model an old one must not stay. */
static bool move_files(hn_arena *a, const char *stage, const char *dir, const hn_strs *names) {
    for (int64_t i = 0; i < names->n; i++) {
        const char *from = hn_path_join(a, stage, names->v[i]), *to = hn_path_join(a, dir, names->v[i]);
        if (hn_path_exists(from) ? rename(from, to) : unlink(to) && errno != ENOENT) return hn_fail_errno(a->job, "replace", to);
    }
    return hn_dir_sync(a, dir) && clear(a, stage, names);
}

static bool put_in_place(hn_arena *a, const char *stage, const char *dir, const hn_strs *names) {
    const char *up = hn_fmt(a, "%s/..", stage);
    if (!hn_path_exists(dir))
        return (!rename(stage, dir) || hn_fail_errno(a->job, "create", dir)) && hn_dir_sync(a, hn_fmt(a, "%s/..", dir));
    if (holds_only(dir, names) && !renameat2(AT_FDCWD, stage, AT_FDCWD, dir, RENAME_EXCHANGE))
        return hn_dir_sync(a, up) && clear(a, stage, names);
    return move_files(a, stage, dir, names);
}

bool hn_folder_replace(hn_arena *parent, const char *path, const hn_strs *names,
                       bool (*fill)(hn_arena *a, const char *stage, const void *arg), const void *arg) {

    hn_arena *a = hn_arena_new(parent);
    char *dir = hn_strdup(a, path);
    for (size_t n = strlen(dir); n > 1 && dir[n - 1] == '/';) dir[--n] = 0;
    char resolved[4096];
    if (hn_path_exists(dir) && realpath(dir, resolved)) /* through links: the stage must stand beside the real folder */
        dir = resolved;
    const char *stage = hn_fmt(a, "%s.hone-tmp", dir);
    bool ok = !hn_path_exists(dir) || hn_path_is_dir(dir) ||
              HN_FAIL(a, HONE_E_IO, .what = "a model is saved as a folder, but a file of this name is in the way", .where = dir,
                      .hint = "choose another name or move the file away");
    if (ok && clear(a, stage, names) && hn_mkdirs(a, stage)) {
        ok = fill(a, stage, arg) && put_in_place(a, stage, dir, names);
        if (!ok)
            for (int64_t i = 0; i <= names->n; i++) /* best effort: the first error is the one to tell */
                (void)(i < names->n ? unlink(hn_path_join(a, stage, names->v[i])) : rmdir(stage));
    } else {
        ok = false;
    }
    hn_arena_free(a);
    return ok;
}
