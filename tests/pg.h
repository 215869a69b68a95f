/* pg.h - a PostgreSQL server of a test's own, in a folder under /tmp, on a Unix socket there, reached by password alone. It ends with the
 * test, even with one that is killed. The server refuses to run as root, who becomes nobody for it. */
#ifndef PG_H
#define PG_H
#include "base/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG_PASSWORD "sea@horse 9"
#define PG_PASSWORD_IN_URL "sea%40horse%209"
typedef struct pg_server { char bin[256], dir[64]; pid_t pid; } pg_server;

/* Where initdb is: on the path, or where Debian keeps it, the newest. */
static inline bool pg_find(pg_server *s) {
    char path[4096], file[4400];
    snprintf(path, sizeof path, "%s", getenv("PATH") ? getenv("PATH") : "");
    for (char *at = path, *dir; (dir = strsep(&at, ":"));) {
        snprintf(file, sizeof file, "%s/initdb", dir);
        if (*dir && !access(file, X_OK) && snprintf(s->bin, sizeof s->bin, "%s", dir) < (int)sizeof s->bin) return true;
    }
    DIR *d = opendir("/usr/lib/postgresql");
    int newest = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        int v = atoi(e->d_name);
        snprintf(file, sizeof file, "/usr/lib/postgresql/%d/bin/initdb", v);
        if (v > newest && !access(file, X_OK)) newest = v;
    }
    if (d) closedir(d);
    if (newest) snprintf(s->bin, sizeof s->bin, "/usr/lib/postgresql/%d/bin", newest);
    return newest > 0;
}

/* A program of the server, as a user who is not root; its output goes to DIR/log. */
static inline pid_t pg_spawn(const pg_server *s, const char *const *argv) {
    pid_t test = getpid(), pid = fork();
    if (pid) return pid;
    char file[512], log[128];
    snprintf(file, sizeof file, "%s/%s", s->bin, argv[0]);
    snprintf(log, sizeof log, "%s/log", s->dir);
    int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0666), null = open("/dev/null", O_RDONLY);
    if (fd < 0 || null < 0) _exit(127);
    if (!getuid() && (fchmod(fd, 0666) || setgroups(0, NULL) || setgid(65534) || setuid(65534))) _exit(127);
    dup2(null, 0), dup2(fd, 1), dup2(fd, 2);
    prctl(PR_SET_PDEATHSIG, SIGQUIT); /* after the change of user, which clears it */
    if (getppid() != test) _exit(127); /* gone before we asked */
    setenv("LC_ALL", "C", 1);
    if (chdir(s->dir)) _exit(127);
    execv(file, (char *const *)argv);
    _exit(127);
}

static inline bool pg_begin(pg_server *s) {
    char port[128];
    snprintf(port, sizeof port, "--unix_socket_directories=%s", s->dir);
    s->pid = pg_spawn(s, (const char *const[]){ "postgres", "-D", "data", port, "--listen_addresses=", "--fsync=off",
                                                "--full_page_writes=off", "--shared_buffers=16MB", "--autovacuum=off", "--max_connections=80", NULL });
    return s->pid > 0;
}

static inline const char *pg_url(hn_arena *a, const pg_server *s, const char *db) {
    return hn_fmt(a, "postgresql://hone:%s@/%s?host=%s", PG_PASSWORD_IN_URL, db, s->dir);
}

/* Waits until it answers. */
static inline bool pg_answers(const pg_server *s) {
    for (int tries = 0; tries < 600; tries++) {
        hone_job *job = hone_open(&(hone_options){ .threads = 1 });
        hn_arena *a = hn_job_arena(job);
        bool ok = hn_db_open(a, pg_url(a, s, "postgres"), true);
        if (!ok && tries == 599) fprintf(stderr, "the test's server: %s\n", hone_error_message(job));
        hone_close(job);
        if (ok) return true;
        if (waitpid(s->pid, NULL, WNOHANG)) return false;
        usleep(50000);
    }
    return false;
}

/* False: no server is to be had here, and why is told. */
static inline bool pg_start(pg_server *s) {
    *s = (pg_server){ .dir = "/tmp/hone-pg-XXXXXX" };
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    int status = 1;
    const char *why = !hn_db_server_library(a) ? "built without libpq"
                      : !pg_find(s)            ? "no PostgreSQL server is installed"
                      : !mkdtemp(s->dir)       ? "no folder"
                                               : NULL;
    const char *secret = hn_path_join(a, s->dir, "password");
    if (!why && (!hn_file_write(a, secret, PG_PASSWORD "\n", sizeof PG_PASSWORD) || chmod(secret, 0644) || (!getuid() && chown(s->dir, 65534, 65534))))
        why = "no folder";
    hone_close(job);
    if (why) {
        printf("skip a ledger on a server: %s\n", why);
        return false;
    }
    pid_t pid = pg_spawn(s, (const char *const[]){ "initdb", "-D", "data", "-U", "hone", "-A", "scram-sha-256", "--pwfile=password", "-E", "UTF8",
                                                   "--locale=C", "--no-sync", NULL });
    if (waitpid(pid, &status, 0) != pid || status || !pg_begin(s) || !pg_answers(s)) {
        fprintf(stderr, "the server of the test did not start: see %s/log\n", s->dir);
        abort();
    }
    return true;
}

/* As if its machine had lost power. */
static inline void pg_kill(pg_server *s) {
    kill(s->pid, SIGQUIT);
    waitpid(s->pid, NULL, 0);
    s->pid = 0;
}

static inline void pg_stop(pg_server *s) {
    if (s->pid) pg_kill(s);
    hone_job *job = hone_open(NULL);
    (void)!hn_remove_tree(hn_job_arena(job), s->dir);
    hone_close(job);
}

static inline void pg_make(const pg_server *s, const char *db) {
    hone_job *job = hone_open(&(hone_options){ .threads = 1 });
    hn_arena *a = hn_job_arena(job);
    hn_db *d = hn_db_open(a, pg_url(a, s, "postgres"), false);
    if (!d || !hn_db_exec(d, hn_fmt(a, "CREATE DATABASE %s", db), "")) {
        fprintf(stderr, "no database for the test: %s\n", hone_error_message(job));
        abort();
    }
    hone_close(job);
}
#endif
