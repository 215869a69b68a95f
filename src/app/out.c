/* out.c - stdout is for results. A reader that went away (`hone … | head`) ends the work quietly. */
#include "app/app.h"
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

void hn_out(const char *fmt, ...) {
    va_list v;
    va_start(v, fmt);
    vfprintf(stdout, fmt, v);
    va_end(v);
}

void hn_out_bytes(const void *p, int64_t n) {
    if (n > 0) fwrite(p, 1, (size_t)n, stdout);
}

void hn_out_json(hn_arena *a, const json_t *line) {
    fputs(hn_json_text(a, line, false), stdout);
    fputc('\n', stdout);
    fflush(stdout);
}

bool hn_out_broken(void) { return ferror(stdout) != 0; }

bool hn_out_reader_gone(void) {
    struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };
    return poll(&p, 1, 0) > 0 && (p.revents & POLLERR);
}


const char *hn_human(hn_arena *a, double x) {
    static const char *const units[] = { "", "k", "M", "G", "T", "P", "E" };
    int u = 0;
    while (x >= 999.5 && u < (int)HN_LEN(units) - 1) x /= 1000, u++;
    return hn_fmt(a, u && x < 99.95 ? "%.1f%s" : "%.0f%s", x, units[u]);
}

const char *hn_human_bytes(hn_arena *a, double x) {
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    int u = 0;
    while (x >= 1023.5 && u < (int)HN_LEN(units) - 1) x /= 1024, u++;
    return hn_fmt(a, u && x < 99.95 ? "%.1f %s" : "%.0f %s", x, units[u]);
}

const char *hn_human_seconds(hn_arena *a, double s) {
    if (s < 0) s = 0;
    long long t = (long long)(s + 0.5);
    if (s < 10) return hn_fmt(a, "%.1f s", s);
    return t >= 3600 ? hn_fmt(a, "%lld:%02lld:%02lld", t / 3600, t / 60 % 60, t % 60) : hn_fmt(a, "%lld:%02lld", t / 60, t % 60);
}
