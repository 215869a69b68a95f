/* The ledger: what is put comes back bit for bit, foreign files are refused and left alone, many processes write at once, a killed run goes
 * on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "eval/eval.h"

typedef struct fix {
    hone_job *job;
    hn_arena *a;
    const char *dir, *path;
} fix;

static int setup(void **state) {
    hone_job *job = hone_open(NULL);
    fix *f = hn_new(hn_job_arena(job), fix);
    char dir[] = "/tmp/hone-ledger-XXXXXX";
    f->job = job;
    f->a = hn_job_arena(job);
    if (!mkdtemp(dir)) return -1;
    f->dir = hn_strdup(f->a, dir);
    f->path = hn_path_join(f->a, f->dir, "ledger.sqlite");
    *state = f;
    return 0;
}

static int teardown(void **state) {
    fix *f = *state;
    bool ok = hn_remove_tree(f->a, f->dir);
    hone_close(f->job);
    return ok ? 0 : -1;
}

static int64_t begin(fix *f, hn_ledger *l, const char *recipe) {
    int64_t run = 0;
    json_t *plan = hn_json_own(
        f->a, json_pack("{s:s, s:{s:{s:s}}, s:i}", "metric", "bits_per_byte", "sets", "sealed", "hash", "00ff", "alpha_percent", 5));
    json_t *machine = hn_json_own(f->a, json_pack("{s:s}", "cpu", "two cores"));
    assert_true(hn_ledger_run_begin(l, recipe, plan, machine, 7, &run));
    assert_true(run > 0);
    return run;
}

static const double items[] = { 1.5, -0.0, 1e-300, 2.0000000000000004, 0.1 }, curve[] = { 10, 2.5, NAN, 20, 2.25, 2.4 };

static hn_measure measure(const char *arm, int64_t seed) {
    return (hn_measure){ .phase = "confirm",
                         .arm = arm,
                         .set_name = "confirm",
                         .seed = seed,
                         .state = "done",
                         .recipe = "train:\n  lr: 0.001\n",
                         .seconds = 1.25,
                         .flops = 3e12,
                         .peak_rss = 1LL << 33,
                         .steps = 20,
                         .tokens = 4096,
                         .loss = 2.25,
                         .accuracy = NAN,
                         .train_loss = 2.125,
                         .items = items,
                         .n_items = HN_LEN(items),
                         .curve = curve,
                         .n_curve = 2 };
}

static void what_is_put_comes_back(void **state) {
    fix *f = *state;
    hn_ledger *l = hn_ledger_open(f->a, f->path, false);
    assert_non_null(l);
    int64_t run = begin(f, l, "recipe: 1\n");
    hn_measure m = measure("lr", 3), out;
    bool found = true;
    assert_true(hn_ledger_get(f->a, l, run, "confirm", "lr", 3, "confirm", &out, &found));
    assert_false(found);
    assert_true(hn_ledger_put(l, run, &m));
    assert_true(hn_ledger_get(f->a, l, run, "confirm", "lr", 3, "confirm", &out, &found));
    assert_true(found);
    assert_int_equal(out.n_items, HN_LEN(items));
    assert_memory_equal(out.items, items, sizeof items);
    assert_int_equal(out.n_curve, 2);
    assert_memory_equal(out.curve, curve, sizeof curve);
    assert_true(out.seconds == 1.25 && out.flops == 3e12 && out.peak_rss == 1LL << 33 && out.loss == 2.25 && isnan(out.accuracy));
    assert_string_equal(out.state, "done");
    assert_string_equal(out.recipe, m.recipe);

    assert_false(hn_ledger_put(l, run, &m)); /* the same key again: refused, the first stays */
    assert_int_equal(hone_error_code(f->job), HONE_E_IO);
    assert_non_null(strstr(hone_error_message(f->job), "ledger.sqlite"));
    hone_error_clear(f->job);
    hn_measure bad = { .phase = "confirm",
                       .arm = "wider",
                       .set_name = "confirm",
                       .seed = 3,
                       .state = "failed",
                       .error = "the loss is not a number",
                       .loss = NAN };
    assert_true(hn_ledger_put(l, run, &bad));
    assert_true(hn_ledger_get(f->a, l, run, "confirm", "wider", 3, "confirm", &out, &found) && found);
    assert_string_equal(out.error, "the loss is not a number");
    assert_true(out.n_items == 0 && isnan(out.loss));
}

static void everything_is_exported(void **state) {
    fix *f = *state;
    hn_ledger *l = hn_ledger_open(f->a, f->path, false);
    assert_null(hn_ledger_export(f->a, l, 0)); /* no run yet */
    assert_true(hone_error_code(f->job) != HONE_OK);
    hone_error_clear(f->job);
    int64_t run = begin(f, l, "a: \"<b>\"\n"), before = -1, count;
    hn_measure m = measure("lr", 3);
    assert_true(hn_ledger_put(l, run, &m));
    hn_decision d = { .difference = 0.02,
                      .lo = -INFINITY,
                      .hi = INFINITY,
                      .p = 0.4,
                      .p_adjusted = 1,
                      .detectable = INFINITY,
                      .se = NAN,
                      .verdict = HN_UNDECIDED };
    assert_true(hn_ledger_decide(l, run, "confirm", "lr", &d, "too noisy", 5, 6e12, 100));
    assert_true(hn_ledger_file(l, run, "data.txt", 1234, 0xdeadbeefULL, "text"));
    assert_true(hn_ledger_note(l, run, "sample start", "Thou \xE2\x80\xA6"));
    assert_true(hn_ledger_note(l, run, "sample start", "Thee"));
    assert_true(hn_ledger_seal_open(l, run, "00ff", &before));
    assert_int_equal(before, 0);
    assert_true(hn_ledger_seal_open(l, run, "00ff", &before)); /* going on with the same run is no second look */
    assert_int_equal(before, 0);
    assert_true(hn_ledger_run_end(l, run, "done", json_object_get(hn_json_own(f->a, json_pack("{s:{s:f}}", "r", "start", 2.5)), "r")));
    json_t *e = hn_ledger_export(f->a, l, 0);
    assert_non_null(e);
    assert_int_equal(json_integer_value(json_object_get(e, "id")), run);
    assert_string_equal(json_string_value(json_object_get(e, "state")), "done");
    assert_string_equal(json_string_value(json_object_get(e, "metric")), "bits_per_byte");
    assert_string_equal(json_string_value(json_object_get(e, "sealed_hash")), "00ff");
    assert_true(json_number_value(json_object_get(json_object_get(e, "result"), "start")) == 2.5);
    json_t *one = json_array_get(json_object_get(e, "measurements"), 0), *decision = json_array_get(json_object_get(e, "decisions"), 0);
    assert_int_equal(json_array_size(json_object_get(one, "items")), HN_LEN(items));
    assert_true(json_real_value(json_array_get(json_object_get(one, "items"), 3)) == items[3]);
    assert_int_equal(json_array_size(json_object_get(one, "curve")), HN_LEN(curve));
    assert_true(json_is_null(json_object_get(decision, "lo")) &&
                json_is_null(json_object_get(decision, "detectable"))); /* never NaN or Infinity in JSON */
    assert_string_equal(json_string_value(json_object_get(decision, "why")), "too noisy");
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(e, "files"), 0), "hash")), "00000000deadbeef");
    assert_string_equal(json_string_value(json_object_get(json_array_get(json_object_get(e, "notes"), 0), "text")), "Thee");
    const char *text = hn_json_text(f->a, e, true);
    assert_non_null(hn_json_parse(f->a, "export", text, (int64_t)strlen(text), HONE_E_INTERNAL));
    int64_t other = begin(f, l, "b: 2\n");
    assert_true(hn_ledger_seal_open(l, other, "00ff", &count)); /* another run looks at the same sealed set */
    assert_int_equal(count, 1);
    assert_int_equal(hn_ledger_latest(l), other);
}

static void a_killed_run_is_found_again(void **state) {
    fix *f = *state;
    pid_t child = fork();
    if (child == 0) {
        hone_job *job = hone_open(&(hone_options){ .threads = 1 });
        fix mine = { job, hn_job_arena(job), f->dir, f->path };
        hn_ledger *l = hn_ledger_open(mine.a, f->path, false);
        int64_t run = begin(&mine, l, "mine\n");
        hn_measure m = measure("incumbent", 1);
        if (!hn_ledger_put(l, run, &m)) _exit(1);
        kill(getpid(), SIGKILL);
    }
    int status;
    waitpid(child, &status, 0);
    assert_true(WIFSIGNALED(status));
    hn_ledger *l = hn_ledger_open(f->a, f->path, false);
    int64_t run = 0;
    json_t *plan = NULL;
    assert_true(hn_ledger_run_unfinished(f->a, l, "another recipe\n", &run, &plan));
    assert_int_equal(run, 0);
    assert_true(hn_ledger_run_unfinished(f->a, l, "mine\n", &run, &plan));
    assert_int_equal(run, 1);
    assert_int_equal(json_integer_value(json_object_get(plan, "alpha_percent")), 5);
    hn_measure out;
    bool found = false;
    assert_true(hn_ledger_get(f->a, l, run, "confirm", "incumbent", 1, "confirm", &out, &found) && found);
    assert_memory_equal(out.items, items, sizeof items);
    assert_true(hn_ledger_run_end(l, run, "done", NULL));
    assert_true(hn_ledger_run_unfinished(f->a, l, "mine\n", &run, &plan));
    assert_int_equal(run, 0);
}

static void spoil(fix *f, const char *sql) {
    hn_arena *a = hn_arena_new(f->a);
    hn_db *db = hn_db_open(a, f->path, false);
    assert_non_null(db);
    assert_true(hn_db_script(db, sql));
    hn_arena_free(a);
}

static void refused(fix *f, bool read_only, const char *says) {
    hn_arena *a = hn_arena_new(f->a);
    assert_null(hn_ledger_open(a, f->path, read_only));
    assert_int_equal(hone_error_code(f->job), HONE_E_MODEL);
    assert_non_null(strstr(hone_error_message(f->job), says));
    assert_non_null(strstr(hone_error_message(f->job), "ledger.sqlite"));
    hone_error_clear(f->job);
    hn_arena_free(a);
}

static void newer_foreign_and_damaged_files(void **state) {
    fix *f = *state;
    assert_null(hn_ledger_open(f->a, f->path, true)); /* not there: reading makes nothing */
    assert_false(hn_path_exists(f->path));
    hone_error_clear(f->job);
    hn_arena *a = hn_arena_new(f->a);
    assert_non_null(hn_ledger_open(a, f->path, false));
    hn_arena_free(a);
    spoil(f, "UPDATE meta SET value='2' WHERE key='version'");
    refused(f, false, "newer");
    refused(f, true, "version 2");
    spoil(f, "UPDATE meta SET value='other' WHERE key='application'");
    refused(f, false, "not a ledger");

    assert_int_equal(unlink(f->path), 0); /* a foreign database in rollback mode keeps every byte */
    spoil(f, "CREATE TABLE photos(name TEXT); INSERT INTO photos VALUES('cat'); PRAGMA journal_mode=DELETE;");
    hn_bytes before, after;
    assert_true(hn_file_read(f->a, f->path, 1 << 20, &before));
    refused(f, false, "not a ledger");
    assert_true(hn_file_read(f->a, f->path, 1 << 20, &after));
    assert_int_equal(before.n, after.n);
    assert_memory_equal(before.p, after.p, (size_t)before.n);

    assert_true(hn_file_write(
        f->a, f->path, "this is a letter, not a database, and it is longer than a header of one hundred bytes, is it not? yes.\n", 104));
    refused(f, false, "ledger.sqlite");
    refused(f, true, "ledger.sqlite");
    assert_true(hn_file_read(f->a, f->path, 1 << 20, &after));
    assert_int_equal(after.n, 104);
}

static void a_lying_count_is_refused(void **state) {
    fix *f = *state;
    hn_ledger *l = hn_ledger_open(f->a, f->path, false);
    int64_t run = begin(f, l, "r\n");
    hn_measure m = measure("lr", 1), out;
    assert_true(hn_ledger_put(l, run, &m));
    const char *const lies[] = { "UPDATE measurements SET n_items=4611686018427387904", "UPDATE measurements SET n_items=-1",
                                 "UPDATE measurements SET n_items=5, n_curve=9223372036854775807", "UPDATE measurements SET n_curve=3" };
    for (int64_t i = 0; i < HN_LEN(lies); i++) {
        bool found = false;
        assert_true(hn_db_exec(hn_ledger_db(l), lies[i], ""));
        assert_false(hn_ledger_get(f->a, l, run, "confirm", "lr", 1, "confirm", &out, &found));
        assert_int_equal(hone_error_code(f->job), HONE_E_MODEL);
        hone_error_clear(f->job);
    }
}

/* One process: opens (perhaps makes) the ledger and puts `n` measurements and notes. The exit status says what went wrong. */
static int writer(const char *path, int id, int n) {
    hone_job *job = hone_open(&(hone_options){ .threads = 1 });   /* a sanitizer cannot follow threads that a forked child begins */
    hn_arena *a = hn_job_arena(job);
    hn_ledger *l = hn_ledger_open(a, path, false);
    bool ok = l != NULL;
    fix f = { job, a, NULL, path };
    int64_t run = ok ? begin(&f, l, hn_fmt(a, "writer %d\n", id)) : 0;
    for (int i = 0; i < n && ok; i++) {
        hn_measure m = measure(hn_fmt(a, "arm %d", id), i);
        ok = hn_ledger_put(l, run, &m) && hn_ledger_note(l, run, hn_fmt(a, "%d", i), "x") &&
             hn_ledger_get(a, l, run, m.phase, m.arm, i, m.set_name, &m, &(bool){ 0 });
    }
    ok = ok && hn_ledger_run_end(l, run, "done", NULL);
    if (!ok) fprintf(stderr, "writer %d: %s\n", id, hone_error_message(job));
    hone_close(job);
    return ok ? 0 : 1;
}

static void many_processes_write_at_once(void **state) {
    fix *f = *state;
    enum { WRITERS = 32, EACH = 4 };
    pid_t child[WRITERS];
    for (int i = 0; i < WRITERS; i++) {
        child[i] = fork();
        assert_true(child[i] >= 0);
        if (child[i] == 0) _exit(writer(f->path, i, EACH));
    }
    for (int i = 0; i < WRITERS; i++) {
        int status = -1;
        waitpid(child[i], &status, 0);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    hn_ledger *l = hn_ledger_open(f->a, f->path, true);
    assert_non_null(l);
    hn_row *r = hn_db_query(
        f->a, hn_ledger_db(l),
        "SELECT (SELECT count(*) FROM runs WHERE state='done'), (SELECT count(*) FROM measurements), (SELECT count(*) FROM notes)", "");
    assert_true(hn_row_next(r));
    assert_int_equal(hn_row_i(r, 0), WRITERS);
    assert_int_equal(hn_row_i(r, 1), WRITERS * EACH);
    assert_int_equal(hn_row_i(r, 2), WRITERS * EACH);
}

/* The process keeps its lock on the file when it opens the ledger a second time and closes that: SQLite's shared lock lies on 510 bytes
 * from 2^30 + 2 on, and only another process can see it. */
static void a_second_door_leaves_the_lock(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    char path[] = "/tmp/hone-lock-XXXXXX";
    assert_non_null(mkdtemp(path));
    const char *file = hn_path_join(a, path, "ledger.sqlite");
    assert_non_null(hn_ledger_open(a, file, false));
    for (int read_only = 0; read_only < 2; read_only++) {
        hn_arena *second = hn_arena_new(a);
        assert_non_null(hn_ledger_open(second, file, read_only));
        hn_arena_free(second);
        pid_t pid = fork();
        if (!pid) {
            struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0x40000002, .l_len = 510 };
            int fd = open(file, O_RDWR);
            _exit(fd < 0 || fcntl(fd, F_GETLK, &lock) ? 2 : lock.l_type == F_UNLCK);
        }
        int status;
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    assert_true(hn_remove_tree(a, path));
    hone_close(job);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_put_comes_back, setup, teardown),
        cmocka_unit_test_setup_teardown(everything_is_exported, setup, teardown),
        cmocka_unit_test_setup_teardown(a_killed_run_is_found_again, setup, teardown),
        cmocka_unit_test_setup_teardown(newer_foreign_and_damaged_files, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lying_count_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(many_processes_write_at_once, setup, teardown),
        cmocka_unit_test(a_second_door_leaves_the_lock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
