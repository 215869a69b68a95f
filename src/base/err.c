/* err.c - one error per job: a code and a sentence that tells what, where, what was wanted and found, and what to do.
 *
 * The first error stays until cleared: what follows it is usually its echo. The text lives in the job itself, so an error
 * can be told when memory is refused. Control characters, which may come from hostile files, do not reach a terminal: neither those below U+0020
 * nor those of U+0080 … U+009F, of which U+009B begins a command as ESC [ does, and a terminal of 8 bits takes the bare byte for it. */
#include "base/job.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static const struct { const char *name, *text; int exit_status, http_status; } codes[] = {
#define ERR(c, text, exit_status, http_status) { #c, text, exit_status, http_status },
#include "base/err.def"
#undef ERR
};
_Static_assert(sizeof codes / sizeof codes[0] == HONE_E_COUNT, "err.def lists every code of hone_code");

static int known(hone_code code) { return (unsigned)code < HONE_E_COUNT ? (int)code : HONE_E_INTERNAL; }

int hone_code_exit_status(hone_code code) { return codes[known(code)].exit_status; }
int hone_code_http_status(hone_code code) { return codes[known(code)].http_status; }
const char *hone_code_name(hone_code code) { return codes[known(code)].name; }
hone_code hone_error_code(const hone_job *job) { return job->code; }
const char *hone_error_message(const hone_job *job) { return job->message; }

void hone_error_clear(hone_job *job) {
    job->code = HONE_OK;
    job->message[0] = 0;
}

void hn_error_copy(hone_job *to, const hone_job *from) {
    if (to == from || to->code || !from->code) return;
    to->code = from->code;
    memcpy(to->message, from->message, sizeof to->message);
}

/* Appends, and cuts off what has no room. */
static void put(char *out, size_t *n, const char *s) {
    for (uint32_t c; *s && *n < HN_MESSAGE_MAX - 1;) {
        int used = hn_utf8_next((const uint8_t *)s, (int64_t)strnlen(s, 4), &c);
        bool alone = used == 1 && ((unsigned char)*s & 0xE0) == 0x80;
        if (c < 0x20 || (c >= 0x7f && c < 0xa0) || alone) {
            out[(*n)++] = ' ';
            s += used;
        } else {
            for (; used > 0 && *n < HN_MESSAGE_MAX - 1; used--) out[(*n)++] = *s++;
        }
    }
    out[*n] = 0;
}

/* A cut in the midst of a UTF-8 sequence would be an ugly end. */
static void trim_utf8(char *s, size_t n) {
    if (n < HN_MESSAGE_MAX - 1) return;
    size_t k = n;
    while (k && ((unsigned char)s[k - 1] & 0xC0) == 0x80) k--;
    if (k && (unsigned char)s[k - 1] >= 0xC0) s[k - 1] = 0;
}

bool hn_fail(hone_job *job, hone_code code, const hn_why *why) {
    if (job->code) return false;
    char *m = job->message;
    size_t n = 0;
    put(m, &n, why->what && *why->what ? why->what : codes[known(code)].text);
    if (why->where && *why->where) { put(m, &n, " ("); put(m, &n, why->where); put(m, &n, ")"); }
    if (why->wanted && *why->wanted) { put(m, &n, ": wanted "); put(m, &n, why->wanted); }
    if (why->found && *why->found) { put(m, &n, why->wanted && *why->wanted ? ", found " : ": found "); put(m, &n, why->found); }
    if (why->hint && *why->hint) {
        put(m, &n, n && strchr(".!?", m[n - 1]) ? " " : ". ");
        put(m, &n, why->hint);
    }
    trim_utf8(m, n);
    job->code = code == HONE_OK ? HONE_E_INTERNAL : code;
    return false;
}

static const char no_file[] = "there is no such file or folder", no_file_hint[] = "Check the path.";
bool hn_no_file(hn_arena *a, hone_code code, const char *path) { return HN_FAIL(a, code, .what = no_file, .where = path, .hint = no_file_hint); }

bool hn_fail_errno(hone_job *job, const char *doing, const char *path) {
    int e = errno;
    char what[64], buf[128];
    const char *found = strerror_r(e, buf, sizeof buf), *hint = NULL;
    hone_code code = HONE_E_IO;
    snprintf(what, sizeof what, "cannot %s", doing);
    switch (e) {
    case ENOSPC: case EDQUOT:
        code = HONE_E_SPACE;
        hint = "Free some space there, or choose another folder.";
        break;
    case ENOMEM: code = HONE_E_MEMORY; break;
    case EACCES: case EPERM: hint = "Check the permissions of the file and of its folder."; break;
    case EROFS: hint = "The file system is read-only; choose another folder."; break;
    case ENOENT: return hn_fail(job, code, &(hn_why){ .what = no_file, .where = path, .hint = no_file_hint });
    case EISDIR: hint = "It is a folder; name a file."; break;
    case ENOTDIR: hint = "A part of the path is a file, not a folder."; break;
    case EMFILE: case ENFILE: hint = "Too many files are open; raise `ulimit -n`."; break;
    default: break;
    }
    return hn_fail(job, code, &(hn_why){ .what = what, .where = path, .found = found, .hint = hint });
}

bool hn_fail_input(hone_job *job, const char *doing, const char *path) {
    int e = errno;
    bool first = !job->code;
    bool unusable = e == ENOENT || e == EACCES || e == EPERM || e == EISDIR || e == ENOTDIR || e == ELOOP || e == ENAMETOOLONG || e == ENXIO;
    hn_fail_errno(job, doing, path);
    if (first && unusable && job->code == HONE_E_IO) job->code = HONE_E_DATA;
    return false;
}

_Noreturn void hn_assert_failed(const char *expr, const char *file, int line) {
    fprintf(stderr, "hone: our own bug at %s:%d: %s does not hold\n", file, line, expr);
    abort();
}
