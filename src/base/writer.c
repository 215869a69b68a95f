/* writer.c - new files are whole or absent.
 *
 * Bytes go to PATH.tmp-PID; commit flushes them to the disk, renames, and flushes the folder. Whatever happens before the
 * rename (a failure, a kill, an arena freed without commit), the old file stands. What is no regular file (a pipe,
 * /dev/stdout) is written straight through: there is nothing to keep. */
#include "base/file.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BUFFER = 65536 };

struct hn_writer {
    hn_arena *a;                /* our own, child of the caller's */
    const char *path, *temp;    /* temp: NULL if written straight through */
    int fd;
    bool failed;
    int64_t used;
    uint8_t buffer[BUFFER];
};

static void discard(void *p) {
    hn_writer *w = p;
    if (w->fd >= 0) close(w->fd);
    w->fd = -1;
    if (w->temp) unlink(w->temp);
    w->temp = NULL;
}

/* errno tells why. The temporary file goes at once, to give the space back. */
static bool broken(hn_writer *w, const char *doing) {
    int e = errno;
    discard(w);
    errno = e;
    w->failed = true;
    return hn_fail_errno(w->a->job, doing, w->path);
}

hn_writer *hn_writer_open(hn_arena *parent, const char *path) {
    hn_arena *a = hn_arena_new(parent);
    hn_writer *w = hn_new(a, hn_writer);
    *w = (hn_writer){ .a = a, .path = hn_strdup(a, path), .fd = -1 };
    struct stat st;
    bool there = !stat(path, &st), dir = there && S_ISDIR(st.st_mode), straight = there && !dir && !S_ISREG(st.st_mode);
    const char *temp = hn_fmt(a, "%s.tmp-%ld", path, (long)getpid());
    hn_defer(a, discard, w);
    errno = dir ? EISDIR : ENOSPC;
    if (!dir && !hn_fault_hit(HN_FAULT_WRITE))
        w->fd = straight ? open(path, O_WRONLY | O_CLOEXEC) : open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (w->fd < 0) {
        hn_fail_errno(a->job, "write", path);
        hn_arena_free(a);
        return NULL;
    }
    if (!straight) w->temp = temp;
    if (there && !straight && fchmod(w->fd, st.st_mode & 07777)) errno = 0;    /* best effort: as the old file was */
    return w;
}

static bool flush(hn_writer *w) {
    if (w->used && !hn_sys_write(w->fd, w->buffer, w->used)) return broken(w, "write");
    w->used = 0;
    return true;
}

bool hn_write(hn_writer *w, const void *p, int64_t n) {
    if (w->failed) return false;
    if (n > BUFFER - w->used && !flush(w)) return false;
    if (n > BUFFER) return hn_sys_write(w->fd, p, n) || broken(w, "write");
    if (n > 0) memcpy(w->buffer + w->used, p, (size_t)n);
    w->used += n;
    return true;
}

bool hn_writer_commit(hn_writer *w) {
    if (w->failed || !flush(w)) return false;
    if (!w->temp) {
        int fd = w->fd;
        w->fd = -1;
        return !close(fd) || broken(w, "write");
    }
    errno = ENOSPC;    /* a fault is a full disk wherever it strikes: side by side, which write is the n-th is chance */
    if (hn_fault_hit(HN_FAULT_WRITE) || fsync(w->fd)) return broken(w, "flush to disk");
    int fd = w->fd;
    w->fd = -1;
    if (close(fd)) return broken(w, "write");
    if (rename(w->temp, w->path)) return broken(w, "rename to");
    w->temp = NULL;
    hn_arena *a = w->a;
    bool ok = hn_dir_sync(a, hn_path_dir(a, w->path));
    hn_arena_free(a);
    return ok;
}

bool hn_file_write(hn_arena *a, const char *path, const void *p, int64_t n) {
    hn_writer *w = hn_writer_open(a, path);
    return w && hn_write(w, p, n) && hn_writer_commit(w);
}
