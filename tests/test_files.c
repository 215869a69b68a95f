/* test_files.c - files that are whole or absent, streams, locks, databases; and what is said when the system refuses. */
#include "base/base.h"
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>
#include <cmocka.h>

static hone_job *job;
static hn_arena *a;
static char dir[64];

static int setup(void **s) {
    job = hone_open(&(hone_options){ .threads = 1 });
    a = hn_job_arena(job);
    strcpy(dir, "/tmp/hone-test-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}
static int teardown(void **s) {
    for (int f = 0; f < HN_FAULT_COUNT; f++) hn_fault_set((hn_fault)f, 0);
    hone_error_clear(job);
    bool ok = hn_remove_tree(a, dir);
    hone_close(job);
    return ok ? 0 : -1;
}

static char *in(const char *name) { return hn_path_join(a, dir, name); }
static void put(const char *path, const char *text) { assert_true(hn_file_write(a, path, text, (int64_t)strlen(text))); }
static const char *get(const char *path) {
    hn_bytes b;
    if (!hn_file_read(a, path, 0, &b)) fail_msg("%s", hone_error_message(job));
    return (const char *)b.p;
}
static void assert_said(hone_code code, const char *part) {
    if (hone_error_code(job) != code || !strstr(hone_error_message(job), part))
        fail_msg("%s: %s", hone_code_name(hone_error_code(job)), hone_error_message(job));
    hone_error_clear(job);
}
static int files_in(const char *path) {
    int n = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

static void paths(void **s) {
    assert_string_equal(hn_path_join(a, "a", "b"), "a/b");
    assert_string_equal(hn_path_join(a, "a/", "b"), "a/b");
    assert_string_equal(hn_path_join(a, "", "b"), "b");
    assert_string_equal(hn_path_join(a, "a", "/b"), "/b");
    assert_string_equal(hn_path_base("x/y.txt"), "y.txt");
    assert_true(hn_mkdirs(a, in("p/q//r/")));
    assert_true(hn_mkdirs(a, in("p/q/r")) && hn_path_is_dir(in("p/q/r")));
    put(in("p/file"), "x");
    assert_false(hn_mkdirs(a, in("p/file/z")));
    assert_said(HONE_E_IO, "p/file): found Not a directory");
}

static void a_write_is_whole_or_absent(void **s) {
    char *path = in("f");
    put(path, "old");
    assert_int_equal(chmod(path, 0640), 0);
    static char big[300000];
    memset(big, 'b', sizeof big - 1);
    for (int64_t nth = 1;; nth++) {                 /* every place where the disk may be full */
        hn_fault_set(HN_FAULT_WRITE, nth);
        hn_arena *x = hn_arena_new(a);
        hn_writer *w = hn_writer_open(x, path);
        bool ok = w && hn_write(w, "start ", 6) && hn_write(w, big, sizeof big - 1) && hn_write(w, " end", 4) && hn_writer_commit(w);
        hn_fault_set(HN_FAULT_WRITE, 0);
        assert_int_equal(files_in(dir), 1);         /* the temporary file is gone before the arena is */
        hn_arena_free(x);
        if (ok) break;
        assert_string_equal(get(path), "old");
        assert_said(HONE_E_SPACE, "Free some space there");
        assert_true(nth < 20);
    }
    assert_int_equal(strlen(get(path)), 300009);
    struct stat st;
    assert_true(!stat(path, &st) && (st.st_mode & 0777) == 0640);
    hn_arena *x = hn_arena_new(a);                  /* not committed: discarded */
    hn_writer *w = hn_writer_open(x, path);
    assert_true(w && hn_write(w, "lost", 4));
    hn_arena_free(x);
    assert_int_equal(files_in(dir), 1);
    assert_null(hn_writer_open(a, dir));
    assert_said(HONE_E_IO, "Is a directory");
    assert_null(hn_writer_open(a, in("no/such/file")));
    assert_said(HONE_E_IO, "no/such/file");
    assert_true(hn_file_write(a, "/dev/null", "x", 1));
    assert_true(!stat("/dev/null", &st) && S_ISCHR(st.st_mode));
    if (!access("/dev/full", W_OK)) {
        assert_false(hn_file_write(a, "/dev/full", "x", 1));
        assert_said(HONE_E_SPACE, "cannot write (/dev/full): found No space left on device. Free some space");
    }
}

static void whole_files(void **s) {
    hn_bytes b;
    put(in("f"), "0123456789");
    assert_true(hn_file_read(a, in("f"), 10, &b) && b.n == 10 && b.p[10] == 0);
    assert_false(hn_file_read(a, in("f"), 9, &b));
    assert_said(HONE_E_DATA, "wanted at most 9 bytes, found 10");
    assert_true(hn_file_map(a, in("f"), &b) && b.n == 10 && !memcmp(b.p, "0123456789", 10));
    put(in("e"), "");
    assert_true(hn_file_map(a, in("e"), &b) && b.n == 0);
    assert_true(hn_file_read(a, in("e"), 0, &b) && b.n == 0 && b.p[0] == 0);
    assert_false(hn_file_read(a, in("none"), 0, &b));
    assert_said(HONE_E_DATA, "there is no such file or folder (");
    assert_false(hn_file_map(a, dir, &b));
    assert_said(HONE_E_DATA, "It is a folder; name a file.");
    assert_int_equal(mkfifo(in("pipe"), 0600), 0);
    assert_false(hn_file_map(a, in("pipe"), &b));       /* at once: nobody will ever write */
    assert_said(HONE_E_DATA, "not a regular file");
    assert_true(hn_file_read(a, "/proc/self/status", 0, &b) && b.n > 100);
    assert_false(hn_file_read(a, "/dev/zero", 100000, &b));
    assert_said(HONE_E_DATA, "found more");
    for (int64_t nth = 1; nth <= 2; nth++) {
        hn_fault_set(HN_FAULT_READ, nth);
        assert_false(hn_file_read(a, in("f"), 0, &b));
        assert_said(HONE_E_IO, "Input/output error");
    }
    assert_true(hn_append_line(a, in("log"), "one") && hn_append_line(a, in("log"), "two\n"));
    assert_string_equal(get(in("log")), "one\ntwo\n");
    assert_true(hn_file_hash((hn_bytes){ (const uint8_t *)"", 0 }) == 0x2D06800538D394C2u);
}

static void removing_stays_inside(void **s) {
    assert_true(hn_mkdirs(a, in("keep")) && hn_mkdirs(a, in("tree/x/y")));
    put(in("keep/file"), "x");
    put(in("tree/x/y/file"), "x");
    assert_int_equal(symlink(in("keep"), in("tree/x/link")), 0);
    assert_int_equal(symlink(in("keep"), in("toplink")), 0);
    assert_true(hn_remove_tree(a, in("tree")) && !hn_path_exists(in("tree")));
    assert_true(hn_remove_tree(a, in("toplink")) && hn_path_exists(in("keep/file")));
    assert_true(hn_remove_tree(a, in("absent")));
}

static void one_run_per_folder(void **s) {
    hn_arena *x = hn_arena_new(a);
    assert_true(hn_lock_dir(x, dir));
    assert_false(hn_lock_dir(a, dir));
    assert_said(HONE_E_BUSY, hn_fmt(a, "the folder is in use by process %ld (%s)", (long)getpid(), dir));
    hn_arena_free(x);
    assert_true(hn_lock_dir(a, dir));
}

/* ---- streams ---- */

enum { TEXT = 200000 };
static char text[TEXT];

static int64_t gz(uint8_t *out, int64_t cap, const void *p, int64_t n) {
    z_stream z = { 0 };
    deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    z.next_in = (Bytef *)(uintptr_t)p; z.avail_in = (uInt)n; z.next_out = out; z.avail_out = (uInt)cap;
    deflate(&z, Z_FINISH);
    deflateEnd(&z);
    return (int64_t)z.total_out;
}

static bool stream(const char *path, int64_t piece, char *out, int64_t *total) {
    hn_arena *x = hn_arena_new(a);
    hn_reader *r = hn_reader_open(x, path);
    int64_t got = 1;
    bool ok = r != NULL;
    for (*total = 0; ok && got; *total += got) ok = hn_reader_read(r, out + *total, HN_MIN(piece, 2 * TEXT - *total), &got);
    hn_arena_free(x);
    return ok;
}

static void streams_are_told_by_content(void **s) {
    hn_rng r = hn_rng_new(1, HN_STREAM_TEST, 0);
    for (int i = 0; i < TEXT; i++) text[i] = (char)('a' + hn_rng_below(&r, 9));
    char *out = hn_alloc(a, 2 * TEXT, 1, 1);
    uint8_t *packed = hn_alloc(a, 2 * TEXT, 1, 1);
    int64_t total, half = TEXT / 2;
    for (int kind = 0; kind < 3; kind++) {
        int64_t n = 0, cut;
        const char *path = in(kind == 0 ? "plain" : kind == 1 ? "x.gz" : "x.zst");
        if (kind == 0) memcpy(packed, text, (size_t)(n = TEXT));
        if (kind == 1) { n = gz(packed, TEXT, text, half); n += gz(packed + n, TEXT, text + half, half); memset(packed + n, 0, 100); n += 100; }
        if (kind == 2) { n = (int64_t)ZSTD_compress(packed, TEXT, text, (size_t)half, 3); n += (int64_t)ZSTD_compress(packed + n, TEXT, text + half, (size_t)half, 3); }
        assert_true(hn_file_write(a, path, packed, n));
        for (int64_t piece = 1000; piece <= TEXT * 2; piece *= 20) {
            assert_true(stream(path, piece, out, &total));
            assert_int_equal(total, TEXT);
            assert_memory_equal(out, text, TEXT);
        }
        for (int64_t nth = 1; nth <= 3; nth++) {
            hn_fault_set(HN_FAULT_READ, nth);
            assert_false(stream(path, TEXT * 2, out, &total));
            hn_fault_set(HN_FAULT_READ, 0);
            assert_said(HONE_E_IO, "Input/output error");
        }
        if (!kind) continue;
        static const int64_t cuts[] = { 5, 11, 1000, 40000, 70000 };
        for (int i = 0; i < 5; i++) {
            cut = HN_MIN(cuts[i], n - 200);
            assert_true(hn_file_write(a, path, packed, cut));
            assert_false(stream(path, 5000, out, &total));
            assert_memory_equal(out, text, (size_t)total);
            assert_said(HONE_E_DATA, hn_fmt(a, "the file ends early (%s: offset %lld)", path, (long long)cut));
        }
        for (int i = 0; i < 30; i++) {              /* damage: an answer or a message, never a crash */
            int64_t at = hn_rng_below(&r, n);
            packed[at] ^= 0x55;
            assert_true(hn_file_write(a, path, packed, n));
            if (!stream(path, 70000, out, &total)) assert_int_equal(hone_error_code(job), HONE_E_DATA);
            hone_error_clear(job);
            packed[at] ^= 0x55;
        }
        memcpy(packed + n, "rubbish", 7);
        assert_true(hn_file_write(a, path, packed, n + 7));
        assert_false(stream(path, 70000, out, &total));
        assert_said(HONE_E_DATA, kind == 1 ? "gzip: rubbish" : "zstd: ");
    }
    put(in("short"), "\x28");
    assert_true(stream(in("short"), 10, out, &total) && total == 1);
    put(in("empty"), "");
    assert_true(stream(in("empty"), 10, out, &total) && total == 0);
    /* a frame header that asks for a window of 2 GiB: refused, not allocated */
    assert_true(hn_file_write(a, in("bomb.zst"), "\x28\xb5\x2f\xfd\x00\xa8\x01\x00\x00", 9));
    assert_false(stream(in("bomb.zst"), 10, out, &total));
    assert_said(HONE_E_DATA, "zstd: not valid");
    assert_true(hn_memory_live(job) < 64 << 20);
}

/* ---- databases ---- */

static void database_round_trip(void **s) {
    hn_arena *x = hn_arena_new(a);
    hn_db *db = hn_db_open(x, in("l.sqlite"), false);
    assert_non_null(db);
    assert_true(hn_db_script(db, "CREATE TABLE t(id INTEGER PRIMARY KEY, i INT, d REAL, s TEXT, b BLOB); CREATE TABLE u(t REFERENCES t(id))"));
    assert_true(hn_db_begin(db));
    assert_true(hn_db_exec(db, "INSERT INTO t(i, d, s, b) VALUES(?,?,?,?)", "idsb", INT64_MIN, 0.1, "h\xC3\xA9", "\0\1", (int64_t)2));
    assert_true(hn_db_exec(db, "INSERT INTO t(i, d, s, b) VALUES(?,?,?,?)", "idsb", (int64_t)2, NAN, NULL, NULL, (int64_t)0));
    assert_int_equal(hn_db_last_id(db), 2);
    assert_true(hn_db_commit(db));
    hn_row *r = hn_db_query(x, db, "SELECT i, d, s, b FROM t WHERE id >= ? ORDER BY id", "i", (int64_t)1);
    assert_true(hn_row_next(r));
    assert_true(hn_row_i(r, 0) == INT64_MIN && hn_row_d(r, 1) == 0.1);
    assert_string_equal(hn_row_s(x, r, 2), "h\xC3\xA9");
    assert_true(hn_row_b(x, r, 3).n == 2 && hn_row_b(x, r, 3).p[1] == 1);
    assert_true(hn_row_next(r) && isnan(hn_row_d(r, 1)) && !*hn_row_s(x, r, 2) && hn_row_b(x, r, 3).n == 0);
    assert_false(hn_row_next(r));
    assert_false(hn_row_next(r));
    assert_int_equal(hone_error_code(job), HONE_OK);
    assert_false(hn_db_exec(db, "INSERT INTO u VALUES(77)", ""));       /* foreign keys are on */
    assert_said(HONE_E_IO, "FOREIGN KEY");
    assert_null(hn_db_query(x, db, "SELECT nonsense", ""));
    assert_said(HONE_E_INTERNAL, "nonsense");
    assert_true(hn_db_begin(db) && hn_db_exec(db, "DELETE FROM t", NULL));
    hn_db_rollback(db);
    hn_db *two = hn_db_open(x, in("l.sqlite"), true);
    assert_non_null(two);
    r = hn_db_query(x, two, "SELECT count(*) FROM t", NULL);
    assert_true(hn_row_next(r) && hn_row_i(r, 0) == 2);
    assert_false(hn_db_exec(two, "DELETE FROM t", NULL));
    assert_said(HONE_E_IO, "readonly");
    hn_arena_free(x);
}

static void database_refusals(void **s) {
    assert_null(hn_db_open(a, in("none.sqlite"), true));
    assert_said(HONE_E_IO, "none.sqlite");
    assert_null(hn_db_open(a, in("no/such/l.sqlite"), false));
    assert_said(HONE_E_IO, "no/such/l.sqlite");
    char *junk = hn_alloc(a, 5000, 1, 1);
    memset(junk, 'j', 4999);
    put(in("junk"), junk);
    assert_null(hn_db_open(a, in("junk"), false));
    assert_said(HONE_E_MODEL, "junk): found file is not a database");
    assert_int_equal(strlen(get(in("junk"))), 4999);
    hn_db *db = hn_db_open(a, in("l.sqlite"), false);
    assert_true(db && hn_db_script(db, "CREATE TABLE t(x)"));
    hn_fault_set(HN_FAULT_WRITE, 1);
    assert_false(hn_db_exec(db, "INSERT INTO t VALUES(1)", NULL));
    assert_said(HONE_E_SPACE, "Free some space");
    assert_true(hn_db_script(db, "PRAGMA max_page_count=3"));           /* a really full database */
    assert_false(hn_db_exec(db, "INSERT INTO t VALUES(zeroblob(100000))", NULL));
    assert_said(HONE_E_SPACE, "l.sqlite");
}

static void two_processes_write_one_database(void **s) {
    hn_db *db = hn_db_open(a, in("l.sqlite"), false);
    assert_true(db && hn_db_script(db, "CREATE TABLE t(x)"));
    const char *path = in("l.sqlite");
    pid_t pid[2];
    for (int k = 0; k < 2; k++) {
        if ((pid[k] = fork())) continue;
        hone_job *j = hone_open(&(hone_options){ .threads = 1 });       /* a door of its own: none survives a fork */
        hn_db *mine = hn_db_open(hn_job_arena(j), path, false);
        bool ok = mine != NULL;
        for (int i = 0; ok && i < 30; i++)
            ok = hn_db_begin(mine) && hn_db_exec(mine, "INSERT INTO t SELECT count(*) FROM t", NULL) && hn_db_commit(mine);
        _exit(ok ? 0 : 1);
    }
    for (int k = 0; k < 2; k++) {
        int status;
        assert_true(waitpid(pid[k], &status, 0) == pid[k] && status == 0);
    }
    hn_row *r = hn_db_query(a, db, "SELECT count(*), count(DISTINCT x) FROM t", NULL);
    assert_true(hn_row_next(r) && hn_row_i(r, 0) == 60 && hn_row_i(r, 1) == 60);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(paths), T(a_write_is_whole_or_absent), T(whole_files), T(removing_stays_inside), T(one_run_per_folder),
        T(streams_are_told_by_content), T(database_round_trip), T(database_refusals), T(two_processes_write_one_database),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
