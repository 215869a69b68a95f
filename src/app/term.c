/* term.c - events become lines on stderr: one redrawn progress line on a terminal, a line every few seconds elsewhere.
 *
 * Called from any thread, one call at a time, so it allocates nothing. NO_COLOR and TERM=dumb are honoured. */
#include "app/app.h"
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LINE = 1024, LOG_LINE = 4096 };
static const double redraw_seconds = 0.1, line_seconds = 5, log_seconds = 1;

struct hn_term {
    bool quiet, tty, color, open; /* open: a progress line stands unfinished */
    char what[64];                /* the activity that the line is about */
    double began, drawn, logged;  /* times; began: of this activity */
    int64_t first, last;          /* its step when we first heard of it, and lately */
    int log_fd;                   /* −1: none */
};

hn_term *hn_term_new(hn_arena *a) {
    hn_term *t = hn_new(a, hn_term);
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    t->tty = isatty(STDERR_FILENO) && term && strcmp(term, "dumb");
    t->color = t->tty && !(no_color && *no_color);
    t->log_fd = -1;
    t->logged = -log_seconds;
    return t;
}

void hn_term_quiet(hn_term *t) { t->quiet = true; }

void hn_term_clear(hn_term *t) {
    if (t->open) fputs("\r\033[K", stderr);
    t->open = false;
    fflush(stderr);
}

static int number(char *out, size_t n, double x) {
    if (x < 1000) return snprintf(out, n, "%.0f", x);
    if (x < 1e6) return snprintf(out, n, "%.1fk", x / 1e3);
    return snprintf(out, n, "%.1fM", x / 1e6);
}

static int clock_text(char *out, size_t n, double s) {
    long long t = (long long)(s + 0.5);
    return t >= 3600 ? snprintf(out, n, "%lld:%02lld:%02lld", t / 3600, t / 60 % 60, t % 60)
                     : snprintf(out, n, "%lld:%02lld", t / 60, t % 60);
}

static void progress_text(const hn_term *t, const hone_event *e, double now, char *out) {
    size_t at = (size_t)snprintf(out, LINE, "%.60s %lld", e->what, (long long)e->step), room = LINE / 2;
    if (e->total >= 0) at += (size_t)snprintf(out + at, room - at, "/%lld", (long long)e->total);
    if (e->total > 0) at += (size_t)snprintf(out + at, room - at, "  %.0f%%", 100.0 * (double)e->step / (double)e->total);
    if (!isnan(e->loss)) at += (size_t)snprintf(out + at, room - at, "  loss %.4f", e->loss);
    if (!isnan(e->rate)) {
        bool slow = e->rate < 1; /* trainings, say */
        at += (size_t)snprintf(out + at, room - at, "  ");
        at += (size_t)number(out + at, room - at, slow ? 60 * e->rate : e->rate);
        at += (size_t)snprintf(out + at, room - at, " %.20s/%s", e->unit ? e->unit : "", slow ? "min" : "s");
    }
    int64_t moved = e->step - t->first;
    if (e->total > e->step && moved > 0) {
        at += (size_t)snprintf(out + at, room - at, "  left ");
        clock_text(out + at, room - at, (now - t->began) / (double)moved * (double)(e->total - e->step));
    }
}

static void progress(hn_term *t, const hone_event *e) {
    double now = hn_now();
    if (strncmp(t->what, e->what, sizeof t->what - 1) || e->step < t->last) {
        snprintf(t->what, sizeof t->what, "%s", e->what);
        t->began = now;
        t->drawn = t->tty ? 0 : now; /* elsewhere the first line comes after a few seconds */
        t->first = e->step;
    }
    t->last = e->step;
    bool end = e->total >= 0 && e->step >= e->total;
    if (t->quiet || now - t->drawn < (t->tty ? redraw_seconds : line_seconds)) {
        if (t->quiet || !(end && t->tty)) return;
    }
    t->drawn = now;
    char line[LINE];
    progress_text(t, e, now, line);
    if (t->tty) fprintf(stderr, "\r\033[K%s%s", line, end ? "\n" : "");
    else fprintf(stderr, "%s\n", line);
    t->open = t->tty && !end;
    fflush(stderr);
}

/* ---- the log file ---- */

static size_t json_text(char *out, size_t room, const char *s) {
    size_t at = 0;
    for (; *s && at + 8 < room; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '"' || c == '\\') at += (size_t)snprintf(out + at, room - at, "\\%c", c);
        else if (c < 0x20) at += (size_t)snprintf(out + at, room - at, "\\u%04x", c);
        else out[at++] = (char)c;
    }
    out[at] = 0;
    return at;
}

static size_t json_number(char *out, size_t room, const char *key, double x) {
    return isfinite(x) ? (size_t)snprintf(out, room, ",\"%s\":%.9g", key, x) : 0;
}

static void write_log(hn_term *t, const hone_event *e) {
    static const char *const types[] = { "log", "warning", "metric", "progress" };
    double now = hn_now();
    if (e->type == HONE_EVENT_PROGRESS) { /* some steps take a millisecond */
        if (now - t->logged < log_seconds && !(e->total >= 0 && e->step >= e->total)) return;
        t->logged = now;
    }
    char line[LOG_LINE];
    size_t n = (size_t)snprintf(line, sizeof line, "{\"type\":\"%s\",\"what\":\"", types[e->type]);
    n += json_text(line + n, sizeof line / 2, e->what);
    n += (size_t)snprintf(line + n, sizeof line - n, "\"");
    if (e->type == HONE_EVENT_METRIC || e->type == HONE_EVENT_PROGRESS) {
        n += (size_t)snprintf(line + n, sizeof line - n, ",\"step\":%lld", (long long)e->step);
        n += json_number(line + n, sizeof line - n, "value", e->value);
        n += json_number(line + n, sizeof line - n, "rate", e->rate);
        n += json_number(line + n, sizeof line - n, "loss", e->loss);
        if (e->total >= 0) n += (size_t)snprintf(line + n, sizeof line - n, ",\"total\":%lld", (long long)e->total);
    }
    n += (size_t)snprintf(line + n, sizeof line - n, "}\n");
    ssize_t put = write(t->log_fd, line, n); /* a full disk must not end the training for the sake of its log */
    (void)put;
}

static void log_close(void *p) {
    hn_term *t = p;
    if (t->log_fd >= 0) close(t->log_fd);
    t->log_fd = -1;
}

bool hn_term_log_to(hn_arena *a, hn_term *t, const char *path) {
    log_close(t);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (fd < 0) return hn_fail_errno(a->job, "open", path);
    t->log_fd = fd;
    hn_defer(a, log_close, t);
    return true;
}

void hn_term_event(void *user, const hone_event *e) {
    hn_term *t = user;
    if (t->log_fd >= 0) write_log(t, e);
    if (e->type == HONE_EVENT_PROGRESS) {
        progress(t, e);
        return;
    }
    if (e->type == HONE_EVENT_METRIC || (e->type == HONE_EVENT_LOG && t->quiet)) return;
    hn_term_clear(t);
    bool warning = e->type == HONE_EVENT_WARNING;
    fprintf(stderr, "%s%s%s%s\n", warning ? "hone: " : "", warning ? (t->color ? "\033[33mwarning:\033[0m " : "warning: ") : "", e->what,
            "");
    fflush(stderr);
}
