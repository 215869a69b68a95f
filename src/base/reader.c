/* reader.c - streams of bytes from plain, gzip or zstd files, told apart by their first bytes.
 *
 * Members and frames may follow each other, as `cat a.gz b.gz` makes them. A stream that ends early is an error that names
 * the byte offset in the compressed file. Memory is bounded: no size from the file is believed, and zstd windows above
 * 128 MiB are refused. */
#include "base/file.h"
#include "base/job.h"
#include <errno.h>
#include <fcntl.h>
#include <zlib.h>
#include <zstd.h>

enum { INPUT = 65536, ZSTD_WINDOW_LOG_MAX = 27 };
typedef enum format { PLAIN, GZIP, ZSTD } format;

struct hn_reader {
    hn_arena *a;
    const char *path;
    int fd;
    format format;
    bool end, in_member, failed;
    int64_t offset;             /* bytes of the file read so far */
    int64_t at, n;              /* input not used yet: input[at..n) */
    z_stream gz;
    ZSTD_DCtx *zst;
    uint8_t input[INPUT];
};

static void free_gz(void *p) { inflateEnd(p); }
static void free_zst(void *p) { ZSTD_freeDCtx(p); }

static bool fill(hn_reader *r) {        /* after this, at == n means the end */
    if (r->at < r->n || r->end) return true;
    int64_t k = hn_sys_read(r->fd, r->input, INPUT);
    if (k < 0) return hn_fail_errno(r->a->job, "read", r->path);
    r->end = k == 0;
    r->at = 0;
    r->n = k;
    r->offset += k;
    return true;
}

static bool bad(hn_reader *r, const char *what, const char *found) {
    return HN_FAIL(r->a, HONE_E_DATA, .what = what, .where = hn_fmt(r->a, "%s: offset %lld", r->path, (long long)(r->offset - r->n + r->at)),
                   .found = found, .hint = "The file is damaged or was not copied whole; fetch it again.");
}

static bool is_gzip(const uint8_t *p, int64_t n) { return n >= 2 && p[0] == 0x1f && p[1] == 0x8b; }

static bool is_zstd(const uint8_t *p, int64_t n) {
    static const uint8_t frame[4] = { 0x28, 0xb5, 0x2f, 0xfd }, skippable[3] = { 0x2a, 0x4d, 0x18 };
    return n >= 4 && (!memcmp(p, frame, 4) || ((p[0] & 0xf0) == 0x50 && !memcmp(p + 1, skippable, 3)));
}

hn_reader *hn_reader_open(hn_arena *a, const char *path) {
    hn_reader *r = hn_new(a, hn_reader);
    r->a = a;
    r->path = hn_strdup(a, path);
    errno = EIO;
    r->fd = hn_fault_hit(HN_FAULT_READ) ? -1 : open(path, O_RDONLY | O_CLOEXEC);
    if (r->fd < 0) { hn_fail_input(a->job, "open", path); return NULL; }
    hn_defer_fd(a, r->fd);
    while (r->n < 4) {                  /* a pipe may give the magic number in pieces */
        int64_t k = hn_sys_read(r->fd, r->input + r->n, INPUT - r->n);
        if (k < 0) { hn_fail_errno(a->job, "read", path); return NULL; }
        if (!k) { r->end = true; break; }
        r->n += k;
    }
    r->offset = r->n;
    if (is_gzip(r->input, r->n)) {
        r->format = GZIP;
        if (inflateInit2(&r->gz, 15 + 16) != Z_OK) hn_memory_refused(a->job, 65536);
        hn_defer(a, free_gz, &r->gz);
    } else if (is_zstd(r->input, r->n)) {
        r->format = ZSTD;
        r->zst = ZSTD_createDCtx();
        if (!r->zst) hn_memory_refused(a->job, 65536);
        hn_defer(a, free_zst, r->zst);
        ZSTD_DCtx_setParameter(r->zst, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX);
    }
    return r;
}

static bool read_plain(hn_reader *r, uint8_t *p, int64_t n, int64_t *got) {
    int64_t k = HN_MIN(n, r->n - r->at);
    memcpy(p, r->input + r->at, (size_t)k);
    r->at += k;
    *got = k;
    return true;
}

static bool read_gz(hn_reader *r, uint8_t *p, int64_t n, int64_t *got) {
    if (!r->in_member) {
        if (r->offset > r->n || r->at > 0) {        /* behind a member: another one, or padding with zeros */
            if (!r->input[r->at]) { r->at++; *got = 0; return true; }
            if (r->input[r->at] != 0x1f) return bad(r, "gzip: rubbish after the compressed data", NULL);
            inflateReset(&r->gz);
        }
        r->in_member = true;
    }
    int64_t room = HN_MIN(n, 1 << 30);
    r->gz.next_in = r->input + r->at;
    r->gz.avail_in = (uInt)(r->n - r->at);
    r->gz.next_out = p;
    r->gz.avail_out = (uInt)room;
    int rc = inflate(&r->gz, Z_NO_FLUSH);
    r->at = r->n - r->gz.avail_in;
    *got = room - r->gz.avail_out;
    if (rc == Z_STREAM_END) r->in_member = false;
    else if (rc == Z_MEM_ERROR) hn_memory_refused(r->a->job, 65536);
    else if (rc != Z_OK && rc != Z_BUF_ERROR) return bad(r, "gzip: not valid", r->gz.msg);
    return true;
}

static bool read_zst(hn_reader *r, uint8_t *p, int64_t n, int64_t *got) {
    ZSTD_inBuffer in = { r->input, (size_t)r->n, (size_t)r->at };
    ZSTD_outBuffer out = { p, (size_t)n, 0 };
    size_t rc = ZSTD_decompressStream(r->zst, &out, &in);
    r->at = (int64_t)in.pos;
    *got = (int64_t)out.pos;
    if (ZSTD_isError(rc)) return bad(r, "zstd: not valid", ZSTD_getErrorName(rc));
    r->in_member = rc != 0;
    return true;
}

/* One piece; 0 only at the end. At the end of the input a decoder may still hold bytes, so it is asked once more. */
static bool piece(hn_reader *r, uint8_t *p, int64_t n, int64_t *got) {
    for (*got = 0; !*got;) {
        if (!fill(r)) return false;
        bool dry = r->at == r->n;
        if (dry && !r->in_member) return true;
        int64_t at = r->at;
        bool ok = r->format == GZIP ? read_gz(r, p, n, got) : r->format == ZSTD ? read_zst(r, p, n, got) : read_plain(r, p, n, got);
        if (!ok) return false;
        if (dry && !*got && r->in_member && r->at == at) return bad(r, r->format == GZIP ? "gzip: the file ends early" : "zstd: the file ends early", NULL);
    }
    return true;
}

/* Fills p, unless the end comes first. */
bool hn_reader_read(hn_reader *r, void *p, int64_t n, int64_t *got) {
    *got = 0;
    while (!r->failed && *got < n) {
        int64_t k;
        if (!piece(r, (uint8_t *)p + *got, n - *got, &k)) { r->failed = true; break; }
        if (!k) break;
        *got += k;
    }
    return !r->failed;
}
