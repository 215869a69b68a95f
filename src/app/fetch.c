/* fetch.c - one file over HTTP by libcurl: resumed, tried again, checked.
 *
 * Bytes go to FILE.part, which is locked while we write, synced, and renamed when its length and checksum are right; so FILE is
 * whole or untouched. What a cut connection, a stop or a kill leaves in FILE.part is the start of the next try: asked for by
 * Range, and by If-Range with the entity tag kept in FILE.part.tag, so that another version of the file is never glued on
 * (with a known SHA-256 the checksum sees to that). Redirects are followed here, not in libcurl: the token goes to the origin it
 * is for, and is dropped at the first hop elsewhere; no hop leads from https to http or to another scheme. Messages name the
 * URL that was asked for without its user, password and query, never where it led (signed URLs are secrets too).
 * libcurl's callbacks must return, so nothing is allocated in them. Sources: RFC 9110 (13.1.5, 14, 15.4), libcurl's manual. */
#include "app/fetch.h"
#ifdef HN_CURL
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HOPS = 10, TAG = 512, ERROR_BODY = 1 << 20 };
static const double stall_seconds = 30;

typedef struct get {
    hn_arena *a;
    const hn_fetch *f;
    CURL *curl;
    const char *shown; /* the URL for messages */
    int fd;            /* of FILE.part; −1: into memory */
    uint8_t *memory;
    int64_t max, have; /* bytes taken so far */
    int64_t size;      /* as told by caller or server; −1: unknown */
    hn_sha256 sum;
    char want[65];                        /* the checksum, "" unknown */
    char tag[TAG], fresh_tag[TAG];        /* of FILE.part; of this answer */
    int64_t range_from, range_total, odd; /* of Content-Range, −1: none; bytes of bodies that are no file */
    bool begun, too_long, misplaced, io;  /* of this answer */
    int io_errno;
    double began;
    int64_t began_at;
} get;

static bool is_hex64(const char *s) { return strlen(s) == 64 && strspn(s, "0123456789abcdefABCDEF") == 64; }

/* ---- what libcurl calls ---- */

static void header_value(const char *p, size_t n, char *out, size_t room) {
    while (n && isspace((unsigned char)*p)) p++, n--;
    while (n && isspace((unsigned char)p[n - 1])) n--;
    n = n < room ? n : 0; /* longer than any we use: as if absent */
    memcpy(out, p, n);
    out[n] = 0;
}

static size_t on_header(char *p, size_t one, size_t n, void *user) {
    get *g = user;
    char v[TAG];
    const char *colon = memchr(p, ':', n);
    if (n > 5 && !memcmp(p, "HTTP/", 5)) g->range_from = g->range_total = -1, g->fresh_tag[0] = 0;
    if (!colon) return n;
    size_t name = (size_t)(colon - p);
    header_value(colon + 1, n - name - 1, v, sizeof v);
    bool etag = name == 4 && !strncasecmp(p, "etag", 4), linked = name == 13 && !strncasecmp(p, "x-linked-etag", 13);
    if (name == 13 && !strncasecmp(p, "content-range", 13)) {
        long long from, to, total;
        if (sscanf(v, "bytes %lld-%lld/%lld", &from, &to, &total) == 3 && from >= 0 && to >= from && total > to)
            g->range_from = from, g->range_total = total;
    }
    if (etag && v[0] == '"') snprintf(g->fresh_tag, TAG, "%s", v); /* weak ones are of no use for a range */
    if (g->f->hub && name == 13 && !strncasecmp(p, "x-linked-size", 13) && g->size < 0) {
        int64_t size;
        if (hn_parse_i64(v, &size) && size >= 0) g->size = size;
    }
    if (g->f->hub && (etag || linked) && !g->want[0]) {
        size_t len = strlen(v);
        if (len == 66 && v[0] == '"') memmove(v, v + 1, 64), v[64] = 0;
        if (is_hex64(v)) snprintf(g->want, sizeof g->want, "%s", v);
    }
    return n;
}

/* The first byte of the file itself: where does it belong? */
static bool begin(get *g, long code) {
    g->begun = true;
    if (code == 206 && g->range_from != g->have) return g->misplaced = true, false;
    if (code == 200) {
        if (g->fd >= 0 && (ftruncate(g->fd, 0) || lseek(g->fd, 0, SEEK_SET) < 0)) return g->io = true, g->io_errno = errno, false;
        g->have = 0;
        g->sum = hn_sha256_new();
    }
    curl_off_t length = -1;
    curl_easy_getinfo(g->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    int64_t total = code == 206 ? g->range_total : (int64_t)length;
    if (g->size < 0) g->size = total;
    else if (total >= 0 && total != g->size) return g->too_long = true, g->have = total, false;
    return true;
}

static size_t on_body(char *p, size_t one, size_t n, void *user) {
    get *g = user;
    long code = 0;
    curl_easy_getinfo(g->curl, CURLINFO_RESPONSE_CODE, &code);
    if (code != 200 && code != 206) return (g->odd += (int64_t)n) > ERROR_BODY ? 0 : n;
    if (!g->begun && !begin(g, code)) return 0;
    if ((g->size >= 0 && (int64_t)n > g->size - g->have) || (g->memory && (int64_t)n > g->max - g->have)) return g->too_long = true, 0;
    if (g->memory) memcpy(g->memory + g->have, p, n);
    for (size_t at = 0; g->fd >= 0 && at < n;) {
        ssize_t k = write(g->fd, p + at, n - at);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return g->io = true, g->io_errno = errno, 0;
        at += (size_t)k;
    }
    hn_sha256_add(&g->sum, p, (int64_t)n);
    g->have += (int64_t)n;
    double s = hn_now() - g->began;
    if (g->fd >= 0)
        hn_progress(g->a, hn_path_base(g->f->to), g->have, g->size, s > 0 ? (double)(g->have - g->began_at) / s : NAN, "bytes", NAN);
    return n;
}

static int on_tick(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d) { return hn_stopped(((get *)user)->a->job); }

/* ---- URLs ---- */

static void free_url(void *p) { curl_url_cleanup(p); }
static CURLU *parse(hn_arena *a, const char *url) {
    CURLU *u = curl_url();
    if (!u) return NULL;
    hn_defer(a, free_url, u);
    return curl_url_set(u, CURLUPART_URL, url, 0) ? NULL : u;
}

static const char *part(hn_arena *a, CURLU *u, CURLUPart what) {
    char *p = NULL;
    if (curl_url_get(u, what, &p, CURLU_DEFAULT_PORT) || !p) return "";
    const char *copy = hn_strdup(a, p);
    curl_free(p);
    return copy;
}

static bool same_origin(hn_arena *a, const char *x, const char *y) {
    CURLU *u = parse(a, x), *v = parse(a, y);
    return u && v && !strcasecmp(part(a, u, CURLUPART_SCHEME), part(a, v, CURLUPART_SCHEME)) &&
           !strcasecmp(part(a, u, CURLUPART_HOST), part(a, v, CURLUPART_HOST)) &&
           !strcmp(part(a, u, CURLUPART_PORT), part(a, v, CURLUPART_PORT));
}

static const char *without_secrets(hn_arena *a, const char *url) {
    CURLU *u = parse(a, url);
    return u ? hn_fmt(a, "%s://%s:%s%s", part(a, u, CURLUPART_SCHEME), part(a, u, CURLUPART_HOST), part(a, u, CURLUPART_PORT),
                      part(a, u, CURLUPART_PATH))
             : "the URL";
}

/* ---- one request, with its redirects ---- */

/* A handle for each request: in libcurl 7.88 one that is used again reads freed memory when the next answer begins with the
 * continuation of a header. */
static void free_curl(void *p) {
    get *g = p;
    if (g->curl) curl_easy_cleanup(g->curl);
    g->curl = NULL;
}
static bool fresh_curl(get *g) {
    free_curl(g);
    if (!(g->curl = curl_easy_init())) return false;
#if LIBCURL_VERSION_NUM >= 0x075500
    curl_easy_setopt(g->curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    curl_easy_setopt(g->curl, CURLOPT_PROTOCOLS, CURLPROTO_HTTP | CURLPROTO_HTTPS);
#endif
    curl_easy_setopt(g->curl, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(g->curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(g->curl, CURLOPT_CONNECTTIMEOUT, (long)stall_seconds);
    curl_easy_setopt(g->curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(g->curl, CURLOPT_LOW_SPEED_TIME, (long)stall_seconds);
    curl_easy_setopt(g->curl, CURLOPT_USERAGENT, hn_fmt(g->a, "hone/%s", hone_version()));
    curl_easy_setopt(g->curl, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(g->curl, CURLOPT_HEADERDATA, g);
    curl_easy_setopt(g->curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(g->curl, CURLOPT_WRITEDATA, g);
    curl_easy_setopt(g->curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(g->curl, CURLOPT_XFERINFOFUNCTION, on_tick);
    curl_easy_setopt(g->curl, CURLOPT_XFERINFODATA, g);
    return true;
}

static void free_list(void *p) { curl_slist_free_all(p); }
static CURLcode request(get *g, long *code, const char **why) {
    const char *url = g->f->url;
    bool token = g->f->token && same_origin(g->a, url, g->f->home);
    *why = NULL;
    for (int hop = 0; hop <= HOPS; hop++) {
        *code = 0;
        if (!fresh_curl(g)) return CURLE_FAILED_INIT;
        hn_arena *a = hn_arena_new(g->a);
        struct curl_slist *list = NULL;
        if (token) list = curl_slist_append(list, hn_fmt(a, "Authorization: Bearer %s", g->f->token));
        if (g->have && g->tag[0]) list = curl_slist_append(list, hn_fmt(a, "If-Range: %s", g->tag));
        if (list) hn_defer(a, free_list, list);
        curl_easy_setopt(g->curl, CURLOPT_URL, url);
        curl_easy_setopt(g->curl, CURLOPT_HTTPHEADER, list);
        curl_easy_setopt(g->curl, CURLOPT_RANGE, g->have ? hn_fmt(a, "%lld-", (long long)g->have) : NULL);
        g->begun = g->too_long = g->misplaced = g->io = false;
        g->odd = 0;
        g->began = hn_now();
        g->began_at = g->have;
        CURLcode e = curl_easy_perform(g->curl);
        char *next = NULL;
        curl_easy_getinfo(g->curl, CURLINFO_RESPONSE_CODE, code);
        curl_easy_getinfo(g->curl, CURLINFO_REDIRECT_URL, &next);
        const char *to = next ? hn_strdup(g->a, next) : NULL;
        curl_easy_setopt(g->curl, CURLOPT_HTTPHEADER, NULL);
        hn_arena_free(a);
        if (*code < 300 || *code > 399 || !to) return e;
        if (strncasecmp(to, "https://", 8) && (strncasecmp(to, "http://", 7) || !strncasecmp(url, "https://", 8)))
            return *why = "the server leads from http to another scheme, or out of https", CURLE_OK;
        token = token && same_origin(g->a, to, g->f->home);
        url = to;
    }
    return *why = "the server leads on and on, from one address to the next", CURLE_OK;
}

static bool wait_for(get *g, double seconds) {
    for (double end = hn_now() + seconds; hn_now() < end && !hn_stopped(g->a->job);) usleep(20000);
    return !hn_stopped(g->a->job);
}

static bool stopped(get *g) {
    return HN_FAIL(g->a, HONE_E_INTERRUPTED, .what = hn_fmt(g->a, "stopped after %lld bytes", (long long)g->have), .where = g->shown,
                   .hint = "run the same command again: it goes on from there");
}

static bool refused(get *g, long code) {
    hn_arena *a = g->a;
    bool who = code == 401 || code == 403;
    return HN_FAIL(a, HONE_E_IO,
                   .what = hn_fmt(a, "the server answers %ld%s", code,
                                  code == 404 ? " (not found)"
                                  : who       ? " (not allowed)"
                                              : ""),
                   .where = g->shown,
                   .hint = who ? (g->f->token ? "the token does not open it: accept the terms on the model's page, or use a token that "
                                                "may read it"
                                              : "is the name right? For what is not public set HF_TOKEN to an access token")
                           : code == 404 ? "check the name, the file and the revision"
                           : code == 429 ? "the server asks for patience: try again later, or with HF_TOKEN set"
                                         : "try again later");
}

static bool keep_tag(get *g) {
    if (g->fd < 0 || !g->begun || !strcmp(g->tag, g->fresh_tag)) return true;
    snprintf(g->tag, TAG, "%s", g->fresh_tag);
    const char *path = hn_fmt(g->a, "%s.part.tag", g->f->to);
    if (g->tag[0]) return hn_file_write(g->a, path, g->tag, (int64_t)strlen(g->tag));
    unlink(path);
    return true;
}

static bool restart(get *g) {
    g->have = 0;
    g->tag[0] = 0;
    g->sum = hn_sha256_new();
    return g->fd < 0 || (!ftruncate(g->fd, 0) && lseek(g->fd, 0, SEEK_SET) == 0) || hn_fail_errno(g->a->job, "write", g->f->to);
}

/* Until all bytes are here. Tries are counted from the last one that brought some. */
static bool transfer(get *g) {
    hn_arena *a = g->a;
    int64_t best = g->have;
    for (int64_t tries = 1;; tries++) {
        int64_t before = g->have;
        long code;
        const char *why;
        if (g->size >= 0 && g->have > g->size && !restart(g)) return false;
        if (g->size > 0 && g->have == g->size) return true;
        CURLcode e = request(g, &code, &why);
        bool whole = code == 200 || code == 206;
        if (!e && whole && !g->begun && !begin(g, code)) e = CURLE_WRITE_ERROR;
        if (g->io) return errno = g->io_errno, hn_fail_errno(a->job, "write", g->f->to);
        if (hn_stopped(a->job)) return keep_tag(g) && stopped(g);
        if (why) return HN_FAIL(a, HONE_E_IO, .what = why, .where = g->shown, .hint = "this server is not to be trusted with a download");
        if (g->too_long) {
            if (g->memory && g->size < 0)
                return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "the answer is longer than %lld bytes", (long long)g->max),
                               .where = g->shown);
            return HN_FAIL(a, HONE_E_DATA, .what = "the file has the wrong length", .where = g->shown,
                           .wanted = hn_fmt(a, "%lld bytes", (long long)g->size),
                           .found = g->have > g->size || !g->begun ? hn_fmt(a, "%lld", (long long)g->have)
                                                                   : hn_fmt(a, "another length (%lld or more)", (long long)g->have),
                           .hint = "the server sends another file than it promised; try again later");
        }
        if (!keep_tag(g)) return false;
        if (!e && whole && (g->size < 0 || g->have == g->size)) return true;
        if (code == 416 || g->misplaced) { /* our part is no part of it */
            if (!before) return refused(g, code);
            if (!restart(g)) return false;
            if (tries >= g->f->tries) return refused(g, code);
            continue;
        }
        bool later = code == 408 || code == 429 || code == 500 || code == 502 || code == 503 || code == 504;
        if (!e && !later && !whole) return refused(g, code);
        if (e == CURLE_URL_MALFORMAT || e == CURLE_UNSUPPORTED_PROTOCOL || e == CURLE_PEER_FAILED_VERIFICATION) tries = g->f->tries;
        if (g->have > best) tries = 0, best = g->have;
        curl_off_t ask = 0;
        curl_easy_getinfo(g->curl, CURLINFO_RETRY_AFTER, &ask);
        if (tries >= g->f->tries || (double)ask > g->f->max_wait) {
            if (later) return refused(g, code);
            return HN_FAIL(a, HONE_E_IO,
                           .what = hn_fmt(a, "the download failed: %s", e ? curl_easy_strerror(e) : "the answer ended too early"),
                           .where = g->shown, .found = g->have ? hn_fmt(a, "%lld bytes", (long long)g->have) : NULL,
                           .hint = "check the network and the proxy settings; the same command goes on from where it stopped");
        }
        double seconds = ask > 0 ? (double)ask : HN_MIN(0.25 * (double)((int64_t)1 << HN_MIN(tries, 8)), HN_MIN(30, g->f->max_wait));
        hn_log(a, "%s: %s; trying again in %.1f s", g->shown,
               later ? hn_fmt(a, "the server answers %ld", code)
               : e   ? curl_easy_strerror(e)
                     : "cut short",
               seconds);
        if (!wait_for(g, seconds)) return stopped(g);
    }
}

static bool begin_fetch(hn_arena *a, get *g) {
    g->shown = without_secrets(a, g->f->url);
    g->size = g->f->size;
    g->sum = hn_sha256_new();
    snprintf(g->want, sizeof g->want, "%s", g->f->sha256 ? g->f->sha256 : "");
    if (curl_global_init(CURL_GLOBAL_DEFAULT)) return HN_FAIL(a, HONE_E_IO, .what = "libcurl does not start");
    hn_defer(a, free_curl, g);
    return true;
}

bool hn_fetch_bytes(hn_arena *a, const hn_fetch *f, int64_t max, hn_bytes *out) {
    get *g = hn_new(a, get);
    *g = (get){ .a = a, .f = f, .fd = -1, .max = max, .memory = hn_new_n(a, uint8_t, max + 1) };
    if (!begin_fetch(a, g) || !transfer(g)) return false;
    *out = (hn_bytes){ g->memory, g->have };
    return true;
}

static bool sum_of(hn_arena *a, int fd, const char *path, hn_sha256 *sum, int64_t *n) {
    uint8_t *buf = hn_new_n(a, uint8_t, 1 << 16);
    *sum = hn_sha256_new();
    for (*n = 0;;) {
        ssize_t k = read(fd, buf, 1 << 16);
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return hn_fail_errno(a->job, "read", path);
        if (!k) return true;
        if (hn_stopped(a->job))
            return HN_FAIL(a, HONE_E_INTERRUPTED, .what = "stopped", .where = path, .hint = "run the same command again");
        hn_sha256_add(sum, buf, k);
        *n += k;
    }
}

static void close_fd(void *p) { close((int)(intptr_t)p); }
static int opened(hn_arena *a, const char *path, int flags) {
    int fd = open(path, flags | O_CLOEXEC, 0666);
    if (fd >= 0) hn_defer(a, close_fd, (void *)(intptr_t)fd);
    return fd;
}

/* The same file lies there already: nothing to fetch. */
static bool is_here(hn_arena *a, const hn_fetch *f, hn_fetched *out) {
    struct stat st;
    int fd;
    hn_sha256 sum;
    if (!f->sha256 || stat(f->to, &st) || !S_ISREG(st.st_mode) || (f->size >= 0 && st.st_size != f->size)) return false;
    if ((fd = opened(a, f->to, O_RDONLY)) < 0 || !sum_of(a, fd, f->to, &sum, &out->bytes)) return false;
    hn_sha256_hex(sum, out->sha256);
    return out->here = out->verified = !strcasecmp(out->sha256, f->sha256);
}

bool hn_fetch_file(hn_arena *parent, const hn_fetch *f, hn_fetched *out) {
    hn_arena *a = hn_arena_new(parent);
    const char *part_path = hn_fmt(a, "%s.part", f->to), *tag_path = hn_fmt(a, "%s.part.tag", f->to);
    *out = (hn_fetched){ 0 };
    if (is_here(a, f, out)) return hn_arena_free(a), true;
    if (hone_error_code(a->job)) return false;
    get *g = hn_new(a, get);
    *g = (get){ .a = a, .f = f };
    if (!begin_fetch(a, g)) return false;
    if ((g->fd = opened(a, part_path, O_RDWR | O_CREAT | O_NOFOLLOW)) < 0) return hn_fail_errno(a->job, "write", part_path);
    if (flock(g->fd, LOCK_EX | LOCK_NB))
        return HN_FAIL(a, HONE_E_BUSY, .what = "another process is fetching this file", .where = part_path);
    struct stat ours, named;
    if (fstat(g->fd, &ours) || stat(part_path, &named) || ours.st_ino != named.st_ino ||
        ours.st_nlink != 1) /* renamed under us, or linked */
        return HN_FAIL(a, HONE_E_BUSY, .what = "another process has just fetched this file", .where = part_path);
    hn_bytes tag = { 0 };
    if (hn_path_exists(tag_path) && !hn_file_read(a, tag_path, TAG - 1, &tag)) hone_error_clear(a->job);
    bool fit = tag.n > 1 && tag.p[0] == '"' && !memchr(tag.p, '\n', (size_t)tag.n) && !memchr(tag.p, '\r', (size_t)tag.n);
    if (fit) snprintf(g->tag, TAG, "%.*s", (int)tag.n, (const char *)tag.p);
    if (fit || f->sha256) { /* else nothing tells whether what is left is of the same file */
        if (!sum_of(a, g->fd, part_path, &g->sum, &g->have)) return false;
    } else if (!restart(g)) return false;
    int64_t left = g->have;
    for (;; left = 0) {
        if (!transfer(g)) return false;
        hn_sha256_hex(g->sum, out->sha256);
        if (!g->want[0] || !strcasecmp(out->sha256, g->want)) break;
        if (!restart(g)) return false;
        unlink(tag_path);
        if (!left) {
            unlink(part_path);
            return HN_FAIL(a, HONE_E_DATA, .what = "the file does not have its checksum", .where = g->shown,
                           .wanted = hn_fmt(a, "sha256 %s", g->want), .found = out->sha256,
                           .hint = "it was damaged on the way or on the server; run the same command again");
        }
    }
    *out = (hn_fetched){ .bytes = g->have, .resumed = HN_MIN(left, g->have), .verified = g->want[0] };
    hn_sha256_hex(g->sum, out->sha256);
    if (fsync(g->fd)) return hn_fail_errno(a->job, "flush to disk", part_path);
    if (rename(part_path, f->to)) return hn_fail_errno(a->job, "rename to", f->to);
    unlink(tag_path);
    const char *slash = strrchr(f->to, '/');
    bool ok = hn_dir_sync(a, slash ? hn_strndup(a, f->to, HN_MAX(slash - f->to, 1)) : ".");
    hn_arena_free(a);
    return ok;
}

const char *hn_fetch_version(hn_arena *a) {
    const char *v = curl_version_info(CURLVERSION_NOW)->version;
    return hn_strdup(a, v);
}
#else
static bool without(hn_arena *a) {
    return HN_FAIL(a, HONE_E_IO, .what = "this hone was built without libcurl",
                   .hint = "apt-get install libcurl4-openssl-dev, then make again");
}
bool hn_fetch_file(hn_arena *a, const hn_fetch *f, hn_fetched *out) { return without(a); }
bool hn_fetch_bytes(hn_arena *a, const hn_fetch *f, int64_t max, hn_bytes *out) { return without(a); }
const char *hn_fetch_version(hn_arena *a) { return NULL; }
#endif
