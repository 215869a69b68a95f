/* corpus.c - files and folders become one stretch of text and a table of its documents. */
#include "data/gym/gym.h"
#include "data/read/read.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>

typedef HN_VEC(const char *) names;

static bool ends_with(const char *s, int64_t n, const char *suffix, int64_t k) {
    return n > k && strncasecmp(s + n - k, suffix, (size_t)k) == 0;
}

/* Which reader takes a file of this name; .gz and .zst say nothing about the content. NULL: none. */
static const hn_reader_item *reader_for(const char *path) {
    const char *base = hn_path_base(path);
    int64_t n = (int64_t)strlen(base);
    if (ends_with(base, n, ".gz", 3)) n -= 3;
    else if (ends_with(base, n, ".zst", 4)) n -= 4;
    for (int64_t i = 0; i < hn_kind_read.n; i++) {
        const hn_reader_item *r = (const hn_reader_item *)hn_kind_read.items[i];
        for (const char *s = r->suffixes; *s;) {
            int64_t k = (int64_t)strcspn(s, " ");
            if (ends_with(base, n, s, k)) return r;
            s += k + (s[k] == ' ');
        }
    }
    return NULL;
}

static const char *known_suffixes(hn_arena *a) {
    hn_buf b = { 0 };
    for (int64_t i = 0; i < hn_kind_read.n; i++)
        hn_buf_fmt(a, &b, "%s%s", i ? " " : "", ((const hn_reader_item *)hn_kind_read.items[i])->suffixes);
    return hn_buf_str(a, &b);
}

static void close_folder(void *d) { closedir(d); }
static int by_name(const void *x, const void *y) { return strcmp(*(const char *const *)x, *(const char *const *)y); }

static bool list_folder(hn_arena *a, const char *path, names *out) {
    hn_arena *scratch = hn_arena_new(a);
    DIR *d = opendir(path);
    if (!d) return hn_fail_errno(a->job, "opening the folder", path);
    hn_defer(scratch, close_folder, d);
    int64_t first = out->n;
    errno = 0;
    for (struct dirent *e; (e = readdir(d));) {
        const char *file = e->d_name[0] == '.' || !reader_for(e->d_name) ? NULL : hn_path_join(a, path, e->d_name);
        if (file && !hn_path_is_dir(file)) hn_push(a, out, file);
        errno = 0;
    }
    if (errno) return hn_fail_errno(a->job, "reading the folder", path);
    hn_arena_free(scratch);
    if (out->n == first)
        return HN_FAIL(a, HONE_E_DATA, .what = "no data file in this folder", .where = path,
                       .wanted = hn_fmt(a, "files that end in %s", known_suffixes(a)));
    qsort(out->v + first, (size_t)(out->n - first), sizeof *out->v, by_name);
    return true;
}

static bool list_paths(hn_arena *a, const hn_strs *paths, names *out) {
    for (int64_t i = 0; paths && i < paths->n; i++) {
        const char *p = paths->v[i];
        struct stat st;
        if (hn_gym_is_source(p)) {
            hn_push(a, out, p);
            continue;
        }
        if (stat(p, &st) != 0)
            return hn_fail_input(a->job, "read the data file", p);
        if (S_ISDIR(st.st_mode)) {
            if (!list_folder(a, p, out)) return false;
        } else if (!reader_for(p)) {
            return HN_FAIL(a, HONE_E_DATA, .what = "this kind of file cannot be read", .where = p,
                           .wanted = hn_fmt(a, "a name that ends in %s (also .gz, .zst)", known_suffixes(a)));
        } else hn_push(a, out, p);
    }
    return true;
}

static void finish(hn_intake *in, const names *files, int64_t valid_from, hn_corpus *out) {
    uint64_t h = hn_hash(in->text.v ? in->text.v : "", in->text.n, 0);
    for (int64_t i = 0; i < in->docs.n; i++) h = hn_hash(&in->docs.v[i].bytes, sizeof in->docs.v[i].bytes, h);
    if (in->own.n) h = hn_hash(in->own.v, in->own.n * (int64_t)sizeof *in->own.v, h);
    *out = (hn_corpus){ .text = { (const uint8_t *)in->text.v, in->text.n },
                        .docs = in->docs.v,
                        .n_docs = in->docs.n,
                        .files = files->v,
                        .n_files = files->n,
                        .valid_from = valid_from,
                        .bad_rows = in->n_bad,
                        .bad = in->bad.v,
                        .n_bad = in->bad.n,
                        .own = in->own.v,
                        .n_own = in->own.n,
                        .n_samples = in->n_samples,
                        .hash = h };
}

bool hn_corpus_read_as(hn_arena *a, const hn_strs *train, const hn_strs *valid, int64_t max_bytes, const hn_row_how *how, hn_corpus *out) {
    names files = { 0 };
    if (!train || !train->n)
        return HN_FAIL(a, HONE_E_DATA, .what = "no training text is given", .hint = "set data.train to a file or a folder");
    if (!list_paths(a, train, &files)) return false;
    int64_t valid_from = files.n;
    if (!list_paths(a, valid, &files)) return false;
    hn_intake in = { .a = a, .max_bytes = max_bytes, .how = how ? *how : (hn_row_how){ 0 } };
    for (int64_t i = 0; i < files.n; i++) {
        hn_arena *scratch = hn_arena_new(a);      /* the reader's; what readers leave (text, documents, reasons) goes to a */
        in.path = files.v[i];
        in.source = (int32_t)i;
        if (hn_gym_is_source(in.path)) {
            if (!hn_gym_read(scratch, &in)) return false;
        } else {
            hn_reader *r = hn_reader_open(scratch, in.path);
            if (!r || !reader_for(in.path)->read(scratch, &in, r)) return false;
        }
        hn_arena_free(scratch);
        if (!hn_intake_room(&in, 0)) return false;
        if (hn_stopped(a->job)) return HN_FAIL(a, HONE_E_INTERRUPTED, .what = "stopped while reading data", .where = in.path);
    }
    finish(&in, &files, valid_from, out);
    return true;
}

bool hn_corpus_read_both(hn_arena *a, const hn_strs *train, const hn_strs *valid, int64_t max_bytes, hn_corpus *out) {
    return hn_corpus_read_as(a, train, valid, max_bytes, NULL, out);
}

bool hn_corpus_read(hn_arena *a, const hn_strs *paths, int64_t max_bytes, hn_corpus *out) {
    return hn_corpus_read_both(a, paths, NULL, max_bytes, out);
}

bool hn_corpus_from_text(hn_arena *a, const char *name, const void *p, int64_t n, hn_corpus *out) {
    hn_intake in = { .a = a, .path = name };
    names files = { 0 };
    hn_push(a, &files, hn_strdup(a, name));
    if (!hn_intake_room(&in, n)) return false;
    if (n) memcpy(in.text.v, p, (size_t)n);
    in.text.n = n;
    if (!hn_txt_take(&in, 0)) return false;
    finish(&in, &files, 1, out);
    return true;
}
