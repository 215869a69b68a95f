/* limits.c - what the system lets this process use: memory and cores, by machine, cgroup (v2 and v1) and rlimit.
 * Everything is read anew at each call: limits of containers change while a run goes on. */
#include "base/job.h"
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int64_t hn_sys_text(const char *path, char *buf, int64_t cap) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return -1;
    int64_t n = 0, k;
    while (n < cap - 1 && (k = read(fd, buf + n, (size_t)(cap - 1 - n))) > 0) n += k;
    close(fd);
    buf[n] = 0;
    return n;
}

/* "Key:   123 kB" → bytes; -1: not there. */
static int64_t line_kb(const char *path, const char *key) {
    char text[8192];
    if (hn_sys_text(path, text, sizeof text) < 0) return -1;
    size_t n = strlen(key);
    for (const char *p = text; p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL)
        if (!strncmp(p, key, n) && p[n] == ':') return strtoll(p + n + 1, NULL, 10) * 1024;
    return -1;
}

int64_t hn_rss_now(void) { return line_kb("/proc/self/status", "VmRSS"); }
int64_t hn_rss_peak(void) { return line_kb("/proc/self/status", "VmHWM"); }

/* ---- cgroups: our own group and all above it bind ---- */

/* Path of our group: controller NULL for v2 ("0::PATH"), else of the v1 line that lists it. */
static bool group_path(const char *controller, char *out, size_t cap) {
    char text[4096];
    char *rest;
    if (hn_sys_text("/proc/self/cgroup", text, sizeof text) < 0) return false;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        char *list = strchr(line, ':'), *path = list ? strchr(list + 1, ':') : NULL;
        if (!path) continue;
        *path++ = 0;
        bool ours = controller ? strstr(list + 1, controller) != NULL : !strncmp(line, "0:", 2);
        if (ours) { snprintf(out, cap, "%s", path); return true; }
    }
    return false;
}

/* Calls fn with each folder from our group up to the root of the hierarchy, and takes the least answer ≥ 0. */
static int64_t least(const char *root, const char *controller, int64_t (*fn)(const char *folder)) {
    char path[1024], folder[1200];
    int64_t best = -1;
    if (!group_path(controller, path, sizeof path)) return -1;
    for (;;) {
        snprintf(folder, sizeof folder, "%s%s", root, strcmp(path, "/") ? path : "");
        int64_t x = fn(folder);
        if (x >= 0 && (best < 0 || x < best)) best = x;
        char *slash = strrchr(path, '/');
        if (!slash || !*path) return best;
        *slash = 0;
    }
}

static int64_t number_in(const char *folder, const char *file) {    /* "max" and absent files: -1 */
    char path[1400], text[64];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return hn_sys_text(path, text, sizeof text) > 0 && text[0] >= '0' && text[0] <= '9' ? strtoll(text, NULL, 10) : -1;
}

/* Pages of files not in recent use are given back on demand, so they count as free. */
static int64_t inactive_file(const char *folder, const char *key) {
    char path[1400], text[8192];
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    if (hn_sys_text(path, text, sizeof text) < 0) return 0;
    const char *p = strstr(text, key);
    return p ? strtoll(p + strlen(key), NULL, 10) : 0;
}

static int64_t room(int64_t limit, int64_t used, int64_t reclaimable) {
    return limit < 0 || used < 0 ? -1 : HN_MAX(limit - used + HN_MIN(reclaimable, used), 0);
}

static int64_t room_v2(const char *g) {
    return room(number_in(g, "memory.max"), number_in(g, "memory.current"), inactive_file(g, "\ninactive_file "));
}

static int64_t room_v1(const char *g) {
    return room(number_in(g, "memory.limit_in_bytes"), number_in(g, "memory.usage_in_bytes"), inactive_file(g, "\ntotal_inactive_file "));
}

static void lower(int64_t *best, int64_t x) {
    if (x >= 0 && (*best < 0 || x < *best)) *best = x;
}

static int64_t room_rlimit(int what, const char *key) {
    struct rlimit r;
    int64_t used = line_kb("/proc/self/status", key);
    if (getrlimit((__rlimit_resource_t)what, &r) || r.rlim_cur == RLIM_INFINITY || used < 0) return -1;
    return r.rlim_cur > (rlim_t)used ? (int64_t)(r.rlim_cur - (rlim_t)used) : 0;
}

int64_t hn_memory_available(void) {
    int64_t best = line_kb("/proc/meminfo", "MemAvailable");
    lower(&best, least("/sys/fs/cgroup", NULL, room_v2));
    lower(&best, least("/sys/fs/cgroup/memory", "memory", room_v1));
    lower(&best, room_rlimit(RLIMIT_AS, "VmSize"));
    lower(&best, room_rlimit(RLIMIT_DATA, "VmData"));
    return best < 0 ? INT64_MAX : best;
}

/* ---- cores ---- */

static int64_t quota_v2(const char *g) {
    char path[1400], text[64];
    snprintf(path, sizeof path, "%s/cpu.max", g);
    long long quota, period;
    if (hn_sys_text(path, text, sizeof text) <= 0 || sscanf(text, "%lld %lld", &quota, &period) != 2 || quota <= 0 || period <= 0) return -1;
    return (quota + period - 1) / period;
}

static int64_t quota_v1(const char *g) {
    int64_t quota = number_in(g, "cpu.cfs_quota_us"), period = number_in(g, "cpu.cfs_period_us");
    return quota <= 0 || period <= 0 ? -1 : (quota + period - 1) / period;
}

int hn_cpu_cores(void) {
    int64_t n = -1;
    cpu_set_t *set = CPU_ALLOC(4096);   /* more than the 1024 of cpu_set_t: such machines exist */
    if (set && !sched_getaffinity(0, CPU_ALLOC_SIZE(4096), set)) n = CPU_COUNT_S(CPU_ALLOC_SIZE(4096), set);
    else n = sysconf(_SC_NPROCESSORS_ONLN);
    CPU_FREE(set);
    lower(&n, least("/sys/fs/cgroup", NULL, quota_v2));
    lower(&n, least("/sys/fs/cgroup/cpu", "cpu", quota_v1));
    return (int)HN_MAX(n, 1);
}

/* ---- time ---- */

double hn_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

char *hn_time_utc(hn_arena *a) {
    time_t now = time(NULL);
    struct tm tm;
    char text[32];
    gmtime_r(&now, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return hn_strdup(a, text);
}
