/* data_help.h - what the data tests share: a job with a folder of its own, texts, and expected errors. */
#ifndef DATA_HELP_H
#define DATA_HELP_H
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include "data/read/read.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct { hone_job *job; hn_arena *a; char dir[64]; char warning[512]; } world;

static inline void on_event(void *user, const hone_event *e) {
    world *w = user;
    if (e->type == HONE_EVENT_WARNING) snprintf(w->warning, sizeof w->warning, "%s", e->what);
}

static inline int setup(void **state) {
    world *w = calloc(1, sizeof *w);
    w->job = hone_open(&(hone_options){ .threads = 1, .on_event = on_event, .user = w });
    w->a = hn_job_arena(w->job);
    strcpy(w->dir, "/tmp/hone-data-XXXXXX");
    *state = w;
    return mkdtemp(w->dir) ? 0 : 1;
}

static inline int teardown(void **state) {
    world *w = *state;
    hone_error_clear(w->job);
    bool ok = hn_remove_tree(w->a, w->dir);
    hone_close(w->job);
    free(w);
    return ok ? 0 : 1;
}

static inline const char *put(world *w, const char *name, const void *p, int64_t n) {
    const char *path = hn_path_join(w->a, w->dir, name);
    assert_true(hn_file_write(w->a, path, p, n));
    return path;
}
static inline const char *put_text(world *w, const char *name, const char *text) { return put(w, name, text, (int64_t)strlen(text)); }

static inline bool read_one(world *w, const char *path, hn_corpus *c) {
    hn_strs paths = { &path, 1 };
    return hn_corpus_read(w->a, &paths, 0, c);
}

/* The job's error has this code and its message holds each of the words; then it is cleared. */
static inline void expect_error(world *w, hone_code code, const char *word1, const char *word2) {
    const char *m = hone_error_message(w->job);
    assert_int_equal(hone_error_code(w->job), code);
    if (!strstr(m, word1) || !strstr(m, word2)) fail_msg("\"%s\" lacks \"%s\" or \"%s\"", m, word1, word2);
    hone_error_clear(w->job);
}

static inline void expect_doc(const hn_corpus *c, int64_t i, const char *text) {
    assert_true(i < c->n_docs);
    assert_int_equal(c->docs[i].bytes, strlen(text));
    assert_memory_equal(c->text.p + c->docs[i].start, text, strlen(text));
}

static inline hn_data_params defaults(hn_arena *a) {
    hn_data_params p;
    hn_params_defaults(a, hn_section_data.rows, hn_section_data.n_rows, &p);
    return p;
}

/* A folder of the test data, or NULL. */
static inline const char *test_data(hn_arena *a, const char *name) {
    const char *root = getenv("HONE_DATA");
    const char *path = hn_path_join(a, root ? root : "../shared/data", name);
    if (hn_path_exists(path)) return path;
    print_message("skipped: %s is not here (set HONE_DATA)\n", path);
    return NULL;
}

/* Words from a small vocabulary in lines of a dozen, made by a seed; no 13-gram twice in practice. */
static inline char *make_text(hn_arena *a, int64_t bytes, uint64_t seed) {
    static const char *const syllable[] = { "ka", "lo", "mi", "re", "su", "ta", "no", "vi" };
    hn_rng r = hn_rng_new(seed, HN_STREAM_TEST, 0);
    hn_buf b = { 0 };
    for (int64_t words = 1; b.n < bytes; words++) {
        for (int64_t k = 2 + hn_rng_below(&r, 3); k > 0; k--) hn_buf_fmt(a, &b, "%s", syllable[hn_rng_below(&r, 8)]);
        hn_buf_fmt(a, &b, words % 12 ? " " : "\n");
    }
    b.n = bytes;
    return hn_strdup(a, hn_buf_str(a, &b));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#endif
