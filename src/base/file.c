/* file.c - paths, whole files, maps, folders, locks. Messages name the path and say what to do. */
#include "base/file.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- system calls with faults; both go on after a signal ---- */

int64_t hn_sys_read(int fd, void *p, int64_t n) {
    if (hn_fault_hit(HN_FAULT_READ)) { errno = EIO; return -1; }
    for (;;) {
        ssize_t k = read(fd, p, (size_t)HN_MIN(n, 1 << 30));
        if (k >= 0 || errno != EINTR) return k;
    }
}

bool hn_sys_write(int fd, const void *p, int64_t n) {
    if (hn_fault_hit(HN_FAULT_WRITE)) { errno = ENOSPC; return false; }
    for (const uint8_t *q = p; n > 0;) {
        ssize_t k = write(fd, q, (size_t)HN_MIN(n, 1 << 30));
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return false;
        q += k;
        n -= k;
    }
    return true;
}

static void close_fd(void *p) { close((int)(intptr_t)p); }
void hn_defer_fd(hn_arena *a, int fd) { hn_defer(a, close_fd, (void *)(intptr_t)fd); }

/* ---- paths ---- */

char *hn_path_join(hn_arena *a, const char *dir, const char *name) {
    size_t n = strlen(dir);
    if (!n || *name == '/') return hn_strdup(a, name);
    return hn_fmt(a, dir[n - 1] == '/' ? "%s%s" : "%s/%s", dir, name);
}

const char *hn_path_base(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

char *hn_path_dir(hn_arena *a, const char *path) {
    const char *slash = strrchr(path, '/');
    return !slash ? hn_strdup(a, ".") : hn_strndup(a, path, HN_MAX(slash - path, 1));
}

bool hn_path_exists(const char *path) {
    struct stat st;
    return !stat(path, &st);
}

bool hn_path_is_dir(const char *path) {
    struct stat st;
    return !stat(path, &st) && S_ISDIR(st.st_mode);
}

bool hn_mkdirs(hn_arena *a, const char *dir) {
    char *path = hn_strdup(a, dir);
    for (char *p = path + (*path == '/');; p++) {
        if (*p && *p != '/') continue;
        char kept = *p;
        *p = 0;
        int why = *path && mkdir(path, 0777) ? errno : 0;
        if (why && !hn_path_is_dir(path)) {
            errno = hn_path_exists(path) ? ENOTDIR : why;
            return hn_fail_errno(a->job, "make the folder", path);
        }
        if (!kept) return true;
        *p = kept;
    }
}

const char *hn_share_path(hn_arena *a, const char *name) {
    char self[4096];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    const char *homes[] = { NULL, "/usr/local/share/hone", "/usr/share/hone" };
    if (n > 0) {
        self[n] = 0;
        for (int up = 0; up < 2 && strrchr(self, '/'); up++) *strrchr(self, '/') = 0; /* PREFIX/bin/hone */
        homes[0] = hn_fmt(a, "%s/share/hone", self);
    }
    for (int64_t i = 0; i < HN_LEN(homes); i++) {
        const char *path = homes[i] ? hn_path_join(a, homes[i], name) : NULL;
        if (path && hn_path_exists(path)) return path;
    }
    return NULL;
}

/* ---- whole files ---- */

static bool too_large(hn_arena *a, const char *path, int64_t size, int64_t max) {
    return HN_FAIL(a, HONE_E_DATA, .what = "file too large", .where = path, .wanted = hn_fmt(a, "at most %lld bytes", (long long)max),
                   .found = size < 0 ? "more" : hn_fmt(a, "%lld", (long long)size));
}

static bool open_file(hn_arena *a, const char *path, int flags, int *fd, struct stat *st) {
    *fd = hn_fault_hit(HN_FAULT_READ) ? (errno = EIO, -1) : open(path, O_RDONLY | O_CLOEXEC | flags);
    if (*fd < 0 || fstat(*fd, st)) {
        hn_fail_input(a->job, "open", path);
        if (*fd >= 0) close(*fd);
        return false;
    }
    if (!S_ISDIR(st->st_mode)) return true;
    close(*fd);
    errno = EISDIR;
    return hn_fail_input(a->job, "read", path);
}

/* The size that the system tells is only a hint: pipes and /proc tell 0, and files grow. max_bytes ≤ 0: no limit. */
bool hn_file_read(hn_arena *a, const char *path, int64_t max_bytes, hn_bytes *out) {
    int fd;
    struct stat st;
    hn_buf b = { 0 };
    int64_t limit = max_bytes > 0 ? max_bytes : INT64_MAX - 1;
    if (!open_file(a, path, 0, &fd, &st)) return false;
    hn_arena *scratch = hn_arena_new(a);            /* closes the file also if memory is refused */
    hn_defer_fd(scratch, fd);
    bool ok = !S_ISREG(st.st_mode) || st.st_size <= limit || too_large(a, path, st.st_size, limit);
    if (ok && S_ISREG(st.st_mode)) hn_vec_grow(a, &b, st.st_size + 1);
    while (ok) {
        if (b.cap - b.n < 2) hn_vec_grow(a, &b, 65536);
        int64_t k = hn_sys_read(fd, b.v + b.n, b.cap - b.n - 1);
        if (k < 0) ok = hn_fail_errno(a->job, "read", path);
        if (k <= 0) break;
        b.n += k;
        if (b.n > limit) ok = too_large(a, path, -1, limit);
    }
    if (ok) *out = (hn_bytes){ (const uint8_t *)hn_buf_str(a, &b), b.n };
    hn_arena_free(scratch);
    return ok;
}

typedef struct map { void *p; size_t n; } map;
static void unmap(void *p) { munmap(((map *)p)->p, ((map *)p)->n); }

bool hn_file_map(hn_arena *a, const char *path, hn_bytes *out) {
    int fd;
    struct stat st;
    map *m = hn_new(a, map);
    if (!open_file(a, path, O_NONBLOCK, &fd, &st)) return false; /* a pipe cannot be mapped: do not wait for its writer */
    *out = (hn_bytes){ (const uint8_t *)"", 0 };
    if (!S_ISREG(st.st_mode) || st.st_size == 0) {
        close(fd);
        return S_ISREG(st.st_mode) || HN_FAIL(a, HONE_E_DATA, .what = "not a regular file", .where = path);
    }
    m->n = (size_t)st.st_size;
    m->p = mmap(NULL, m->n, PROT_READ, MAP_SHARED, fd, 0);
    int e = errno;
    close(fd);
    errno = e;
    if (m->p == MAP_FAILED) return hn_fail_errno(a->job, "map", path);
    hn_defer(a, unmap, m);
    *out = (hn_bytes){ m->p, st.st_size };
    return true;
}

uint64_t hn_file_hash(hn_bytes b) { return hn_hash(b.p, b.n, 0); }

bool hn_append_line(hn_arena *a, const char *path, const char *line) {
    hn_arena *scratch = hn_arena_new(a);
    hn_buf b = { 0 };
    int64_t n = (int64_t)strlen(line);
    hn_buf_put(scratch, &b, line, n);
    if (!n || line[n - 1] != '\n') hn_buf_put(scratch, &b, "\n", 1);
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
    bool ok = fd >= 0 && hn_sys_write(fd, b.v, b.n);
    if (!ok) hn_fail_errno(a->job, "append to", path);
    if (fd >= 0) close(fd);
    hn_arena_free(scratch);
    return ok;
}

/* ---- folders ---- */

bool hn_dir_sync(hn_arena *a, const char *dir) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && (!fsync(fd) || errno == EINVAL || errno == EROFS);     /* some file systems cannot sync a folder */
    if (!ok) hn_fail_errno(a->job, "sync the folder", dir);
    if (fd >= 0) close(fd);
    return ok;
}

/* Empties the folder at fd, and closes it. By descriptors and without following links: what lies behind a link stays. */
static bool empty_dir(int fd, int depth) {
    DIR *d = depth < 256 ? fdopendir(fd) : NULL;
    if (!d) {
        if (depth >= 256) errno = ELOOP;
        int e = errno;
        close(fd);
        errno = e;
        return false;
    }
    bool ok = true;
    for (struct dirent *e; ok && (errno = 0, e = readdir(d));) {
        if (!strcmp(e->d_name, ".") || !strcmp(e->d_name, "..")) continue;
        if (!unlinkat(dirfd(d), e->d_name, 0)) continue;
        int why = errno, sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (sub < 0) { errno = errno == ENOTDIR ? why : errno; ok = false; break; }
        ok = empty_dir(sub, depth + 1) && !unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR);
    }
    int e = errno;
    closedir(d);
    errno = e;
    return ok && !e;
}

bool hn_remove_tree(hn_arena *a, const char *dir) {
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT || ((errno == ENOTDIR || errno == ELOOP) && !unlink(dir))) return true;
        return hn_fail_errno(a->job, "remove", dir);
    }
    return (empty_dir(fd, 0) && !rmdir(dir)) || hn_fail_errno(a->job, "remove", dir);
}

enum { JOIN_SECONDS = 60 };

/* The lock is the kernel's, so it goes with the process, however that ends; the number inside is for people. */
static bool lock_dir(hn_arena *a, const char *dir, bool shared, double patience, int *out) {
    char *path = hn_path_join(a, dir, ".lock"), text[32] = "";
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0) return hn_fail_errno(a->job, "lock the folder", dir);
    hn_defer_fd(a, fd);
    double end = hn_now() + patience;
    int rc;
    while ((rc = flock(fd, (shared ? LOCK_SH : LOCK_EX) | LOCK_NB)) && errno == EWOULDBLOCK && hn_now() < end && !hn_stopped(a->job))
        nanosleep(&(struct timespec){ 0, 50000000 }, NULL);
    *out = fd;
    if (rc) {
        if (errno != EWOULDBLOCK) return hn_fail_errno(a->job, "lock the folder", dir);
        if (read(fd, text, sizeof text - 1) < 0) text[0] = 0;
        text[strcspn(text, "\n")] = 0;
        return HN_FAIL(a, HONE_E_BUSY, .what = *text ? hn_fmt(a, "the folder is in use by process %s", text) : "the folder is in use by another process",
                       .where = dir, .hint = "Wait until it ends, or choose another folder.");
    }
    if (shared) return true;
    int n = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) || pwrite(fd, text, (size_t)n, 0) != n) return hn_fail_errno(a->job, "write", path);
    return true;
}

bool hn_lock_dir(hn_arena *a, const char *dir) {
    int fd;
    return lock_dir(a, dir, false, 0, &fd);
}

bool hn_lock_dir_first(hn_arena *a, const char *dir, int *fd) { return lock_dir(a, dir, false, 0, fd); }
void hn_lock_dir_share(int fd) { (void)!flock(fd, LOCK_SH); }
bool hn_lock_dir_join(hn_arena *a, const char *dir) {
    int fd;
    return lock_dir(a, dir, true, JOIN_SECONDS, &fd);
}
