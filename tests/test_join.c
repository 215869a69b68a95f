/* test_join.c - several processes on one run: claims are given once, fall from the dead, and no ledger is ever "locked"; two processes that
 * join share the trainings, two that are killed lose nothing. With a file, and with a server that the test starts; that one may go
 * away, too, and its password is found nowhere afterwards. */
#include "improve_world.h"
#include "pg.h"

#include <signal.h>
#include <sys/wait.h>

static pg_server server; /* .pid 0: ledgers are files */

/* On the server, each folder's ledger is a database of its own, which has its name. */
static const char *ledger_path(hn_arena *a, const char *out) {
    return server.pid ? pg_url(a, &server, out) : hn_fmt(a, "%s/%s/ledger.sqlite", folder, out);
}

static hn_ledger *fresh(hn_arena *a, const char *out, int64_t *run) {
    assert_true(hn_mkdirs(a, hn_fmt(a, "%s/%s", folder, out)));
    if (server.pid) pg_make(&server, out);
    hn_ledger *l = hn_ledger_open(a, ledger_path(a, out), false);
    assert_non_null(l);
    json_t *plan = hn_json_own(a, json_object());
    assert_true(hn_ledger_run_begin(l, "recipe", plan, plan, 1, run) && hn_ledger_claims_begin(l));
    return l;
}

static void claims_fall_from_the_dead_and_the_silent(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    int64_t run;
    hn_ledger *l = fresh(a, "claims", &run);
    const char *me = hn_claim_owner(a), *other = hn_claim_owner(hn_arena_new(a));
    bool mine, held;
    assert_string_not_equal(me, other);
    assert_true(hn_ledger_claim(a, l, run, "x", other, &mine) && mine);
    assert_true(hn_ledger_claim(a, l, run, "x", me, &mine) && !mine);       /* it lives */
    assert_true(hn_ledger_claim(a, l, run, "x", other, &mine) && mine);     /* its own */
    assert_true(hn_ledger_claims_drop(l, other));
    assert_true(hn_ledger_claim_held(a, l, run, "x", me, &held) && !held);
    /* a process of this machine that is gone */
    pid_t pid = fork();
    if (!pid) _exit(0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    const char *first = strchr(me, '/') + 1, *second = strchr(first, '/') + 1;
    const char *dead = hn_fmt(a, "%.*s%ld/1", (int)(second - me), me, (long)pid), *far = hn_fmt(a, "elsewhere/ns/%ld/1", (long)pid);
    assert_true(hn_ledger_claim(a, l, run, "x", dead, &mine) && mine);
    assert_true(hn_ledger_claim(a, l, run, "x", me, &mine) && mine);
    /* one of another machine, until it has been silent for too long */
    assert_true(hn_ledger_claim(a, l, run, "y", far, &mine) && mine);
    assert_true(hn_ledger_claim(a, l, run, "y", me, &mine) && !mine);
    assert_true(hn_db_exec(hn_ledger_db(l), "UPDATE claims SET beat=beat-29 WHERE work='y'", "") && hn_ledger_claims_beat(l, far));
    assert_true(hn_ledger_claim(a, l, run, "y", me, &mine) && !mine);
    assert_true(hn_db_exec(hn_ledger_db(l), "UPDATE claims SET beat=beat-31 WHERE work='y'", ""));
    assert_true(hn_ledger_claim(a, l, run, "y", me, &mine) && mine);
    hone_close(job);
}

enum { CROWD = 32, WORKS = 48 };

static int refused(hone_job *job) {
    print_message("%s\n", hone_error_message(job));
    return 255;
}

/* One of the crowd: claims what it can and records what it claimed. Its exit status is how many it got; 255: it was refused. */
static int worker(const char *path, int64_t run, int number) {
    hone_job *job = hone_open(&(hone_options){ .threads = 1 });
    hn_arena *a = hn_job_arena(job);
    hn_ledger *l = hn_ledger_open(a, path, false);
    const char *me = hn_claim_owner(a);
    int got = 0;
    for (int i = 0; l && i < WORKS; i++) {
        bool mine;
        int work = (i + number) % WORKS;
        if (!hn_ledger_claim(a, l, run, hn_fmt(a, "work %d", work), me, &mine)) return refused(job);
        if (!mine) continue;
        hn_measure old; /* its last owner may have ended with it done */
        bool found;
        if (!hn_ledger_get(a, l, run, "screen", "x", work, "s", &old, &found)) return refused(job);
        if (found) continue;
        hn_measure m = { .phase = "screen", .arm = "x", .set_name = "s", .seed = work, .state = "done", .items = (double[]){ number }, .n_items = 1 };
        if (!hn_ledger_put(l, run, &m) || !hn_ledger_claims_beat(l, me)) return refused(job);
        got++;
    }
    return l ? got : refused(job); /* it ends without giving anything back */
}

static void a_crowd_gets_each_work_once_and_no_lock_refuses(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job), *aside = hn_arena_new(a);
    int64_t run;
    (void)fresh(aside, "crowd", &run);
    const char *path = ledger_path(a, "crowd");
    hn_arena_free(aside);
    pid_t pid[CROWD];
    /* claims of the dead are taken over at once, so all of them stay until all is done */
    int gate[2], total = 0;
    assert_int_equal(pipe(gate), 0);
    for (int i = 0; i < CROWD; i++)
        if (!(pid[i] = fork())) {
            char c;
            close(gate[1]);
            int got = worker(path, run, i);
            if (got == 255) _exit(255);
            (void)!read(gate[0], &c, 1);
            _exit(got);
        }
    close(gate[0]);
    hn_ledger *l = hn_ledger_open(a, path, false);
    assert_non_null(l);
    int64_t there = 0;
    for (int tries = 0; there < WORKS && tries < 600; tries++) {
        hn_row *r = hn_db_query(a, hn_ledger_db(l), "SELECT count(*) FROM measurements", "");
        assert_true(r && hn_row_next(r));
        there = hn_row_i(r, 0);
        hn_row_close(r);
        if (there < WORKS) usleep(100000);
    }
    close(gate[1]);
    for (int i = 0; i < CROWD; i++) {
        int status;
        assert_int_equal(waitpid(pid[i], &status, 0), pid[i]);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 255) fail_msg("process %d was refused", i);
        total += WEXITSTATUS(status);
    }
    assert_int_equal(total, WORKS);
    hone_close(job);
}

/* ---- whole runs ---- */

static void count_done(void *user, const hone_event *e) {
    run_case *r = user;
    if (e->type == HONE_EVENT_LOG && e->what && strstr(e->what, "trainings done by this process")) r->trainings = strtoll(e->what, NULL, 10);
}

static bool join_body(void *arg) {
    run_case *r = arg;
    hn_arena *a = hn_job_arena(r->job);
    hn_settings *s = hn_settings_new(a, sections, HN_LEN(sections));
    return hn_settings_yaml_file(s, a, hn_path_join(a, r->out, "recipe.yaml")) && hn_improve_join(a, s, r->out, line, r);
}

static void join(run_case *r) {
    r->f = open_memstream(&r->lines, &r->size);
    r->job = hone_open(&(hone_options){ .threads = 1, .on_event = count_done, .user = r });
    r->ok = hn_try(r->job, join_body, r);
    r->code = hone_error_code(r->job);
    fclose(r->f);
    if (!r->ok) print_message("a process that joined said: %s\n", hone_error_message(r->job));
    hone_close(r->job);
}

/* A process that joins; its status is the number of its trainings. */
static pid_t joiner(const char *out) {
    pid_t pid = fork();
    if (pid) return pid;
    run_case r = { .text = text_path, .out = out };
    join(&r);
    _exit(r.ok ? (int)r.trainings : 255);
}

/* How many trainings the folder's ledger holds; waits until they are `least`, or for six seconds. */
static int64_t trainings_of(const char *out, int64_t least) {
    hone_job *job = hone_open(&(hone_options){ .threads = 1 });
    hn_arena *a = hn_job_arena(job);
    const char *path;
    int64_t run, n = 0;
    assert_true(hn_ledger_of(a, out, &path, &run));
    hn_ledger *l = hn_ledger_open(a, path, true);
    assert_non_null(l);
    for (int tries = 0; tries < 300; tries++) {
        hn_row *r = hn_db_query(a, hn_ledger_db(l), "SELECT count(*) FROM (SELECT DISTINCT phase, arm, seed FROM measurements) AS trainings", "");
        assert_true(r && hn_row_next(r));
        n = hn_row_i(r, 0);
        hn_row_close(r);
        if (n >= least) break;
        usleep(20000);
    }
    hone_close(job);
    return n;
}
static int64_t trainings_in(const char *out) { return trainings_of(out, 0); }

static double end_of(const char *lines) {
    const char *at = strstr(lines, "\"best\""), *end = at ? strstr(at, "\"end\":") : NULL;
    assert_non_null(end);
    return strtod(end + 6, NULL);
}

/* The run that one process did alone, with its ledger in a file. */
static struct { double end; int64_t trainings; } alone;

static void one_alone(void **state) {
    char out[96];
    snprintf(out, sizeof out, "%s/alone", folder);
    run_case r = { .text = text_path, .out = out };
    run(&r);
    assert_true(r.ok);
    alone.end = end_of(r.lines), alone.trainings = trainings_in(out);
    free(r.lines);
}

/* A run that was stopped after two trainings. */
static run_case begun(const char *name, char out[96], char url[160]) {
    snprintf(out, 96, "%s/%s", folder, name);
    run_case r = { .text = text_path, .out = out, .stop_after = 2 };
    if (server.pid) {
        pg_make(&server, name);
        snprintf(url, 160, "postgresql://hone:%s@/%s?host=%s", PG_PASSWORD_IN_URL, name, server.dir);
        r.extra[0] = "improve.ledger", r.extra[1] = url;
    }
    run(&r);
    assert_int_equal(r.code, HONE_E_INTERRUPTED);
    free(r.lines);
    r.stop_after = r.trainings = 0, r.lines = NULL;
    return r;
}

static void two_share_a_run_and_killed_ones_lose_nothing(void **state) {
    char out[96], url[160];
    (void)begun(server.pid ? "shared_there" : "shared", out, url);
    int64_t before = trainings_in(out), status[2];
    /* two, both killed soon after they have added something */
    pid_t pid[2] = { joiner(out), joiner(out) };
    (void)trainings_of(out, before + 2);
    for (int i = 0; i < 2; i++) kill(pid[i], SIGKILL);
    for (int i = 0; i < 2; i++) waitpid(pid[i], NULL, 0);
    before = trainings_in(out);
    /* two more, left alone */
    pid[0] = joiner(out), pid[1] = joiner(out);
    for (int i = 0; i < 2; i++) {
        int s;
        assert_int_equal(waitpid(pid[i], &s, 0), pid[i]);
        assert_true(WIFEXITED(s) && WEXITSTATUS(s) != 255);
        status[i] = WEXITSTATUS(s);
    }
    int64_t all = trainings_in(out);
    assert_int_equal(all, alone.trainings);
    /* each training was done once: but for models to ship that a kill may have taken between its two records */
    assert_int_equal(status[0] + status[1], all - before);
    run_case after = { .text = text_path, .out = out }; /* nothing is left: the result is told */
    join(&after);
    assert_true(after.ok);
    assert_true(end_of(after.lines) == alone.end);
    assert_non_null(strstr(after.lines, "\"sealed_hash\""));
    char best[128];
    snprintf(best, sizeof best, "%s/best/config.json", out);
    assert_true(hn_path_exists(best));
    free(after.lines);
}

static void there_must_be_a_run_to_join(void **state) {
    char out[96];
    snprintf(out, sizeof out, "%s/alone", folder);
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_settings *s = hn_settings_new(a, sections, HN_LEN(sections));
    assert_true(hn_settings_yaml_file(s, a, hn_path_join(a, out, "recipe.yaml")) && hn_settings_set(s, a, "optim.lr", "0.002", "test"));
    run_case r = { .text = text_path };
    r.f = open_memstream(&r.lines, &r.size);
    assert_false(hn_improve_join(a, s, out, line, &r));
    assert_int_equal(hone_error_code(job), HONE_E_VALUE);
    assert_non_null(strstr(hone_error_message(job), "no run to join"));
    fclose(r.f);
    free(r.lines);
    hone_close(job);
}

/* ---- a server ---- */

static void what_is_put_on_a_server_comes_back(void **state) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    int64_t run, before;
    hn_ledger *l = fresh(a, "values", &run);
    const double items[] = { 1.5, -0.0, 1e-300, 2.0000000000000004, 0.1, NAN }, curve[] = { 10, 2.5, NAN };
    hn_measure m = { .phase = "confirm", .arm = "lr", .set_name = "s", .seed = -3, .state = "done", .recipe = "a: 'b?'\n",
                     .seconds = 1.25, .flops = 3e300, .peak_rss = 1LL << 33,
                     .loss = 0.1, .accuracy = NAN, .train_loss = INFINITY, .items = items, .n_items = HN_LEN(items),
                     .curve = curve, .n_curve = 1 }, out;
    bool found = true;
    assert_true(hn_ledger_get(a, l, run, "confirm", "lr", -3, "s", &out, &found) && !found);
    assert_true(hn_ledger_put(l, run, &m));
    assert_true(hn_ledger_get(a, l, run, "confirm", "lr", -3, "s", &out, &found) && found);
    assert_int_equal(out.n_items, HN_LEN(items));
    assert_memory_equal(out.items, items, sizeof items);
    assert_memory_equal(out.curve, curve, sizeof curve);
    assert_true(out.seconds == 1.25 && out.flops == 3e300 && out.peak_rss == 1LL << 33 && out.loss == 0.1);
    assert_true(isnan(out.accuracy) && isinf(out.train_loss));
    assert_string_equal(out.recipe, m.recipe);
    assert_false(hn_ledger_put(l, run, &m)); /* the same key again: the first stays */
    assert_int_equal(hone_error_code(job), HONE_E_IO);
    hone_error_clear(job);
    const hn_decision d = { .difference = 0.02, .lo = -INFINITY, .hi = 1, .detectable = INFINITY, .se = NAN, .verdict = HN_UNDECIDED };
    for (int i = 0; i < 2; i++) assert_true(hn_ledger_decide(l, run, "confirm", "lr", &d, i ? "too noisy" : "?", 5, 6e12, 100));
    /* a sample of a byte-level model may end inside a character */
    assert_true(hn_ledger_note(l, run, "sample", "Thou") && hn_ledger_note(l, run, "sample", "caf\xc3\xa9 \xe2\x80"));
    assert_true(hn_ledger_file(l, run, "x.txt", 7, 1, "text") && hn_ledger_seal_open(l, run, "00ff", &before) && before == 0);
    assert_true(hn_ledger_seal_open(l, run, "00ff", &before) && before == 0);
    assert_true(hn_ledger_run_end(l, run, "done", NULL));
    const char *text = hn_json_text(a, hn_ledger_export(a, l, 0), false);
    assert_non_null(strstr(text, "too noisy"));
    assert_non_null(strstr(text, "caf\xc3\xa9 \xef\xbf\xbd"));
    if (!strstr(text, "8589934592")) fail_msg("%s", text);
    int64_t other = 0;
    json_t *result = NULL;
    bool same = false;
    assert_true(hn_ledger_run_finished(a, l, "another", &other, &same, &result) && other == 0); /* a stranger's run says nothing */
    assert_true(hn_ledger_run_finished(a, l, "recipe", &other, &same, &result) && other == run && same);
    hone_close(job);
}

static void refuses(const char *url, hone_code code, const char *says) {
    hone_job *job = hone_open(&(hone_options){ .threads = 1 });
    hn_arena *a = hn_job_arena(job);
    assert_null(hn_ledger_open(a, url, false));
    if (hone_error_code(job) != code || !strstr(hone_error_message(job), says)) fail_msg("%s", hone_error_message(job));
    assert_null(strstr(hone_error_message(job), "horse"));
    hone_close(job);
}

static void other_databases_are_refused(void **state) {
    hone_job *job = hone_open(&(hone_options){ .threads = 1 });
    hn_arena *a = hn_job_arena(job);
    int64_t run;
    assert_non_null(fresh(a, "newer", &run));
    hn_db *db = hn_db_open(a, pg_url(a, &server, "newer"), false);
    assert_true(db && hn_db_exec(db, "UPDATE meta SET value='2' WHERE key='version'", ""));
    refuses(pg_url(a, &server, "newer"), HONE_E_MODEL, "newer hone");
    assert_true(hn_db_script(db, "CREATE SCHEMA other; CREATE TABLE other.photos(name TEXT)"));
    refuses(hn_fmt(a, "%s&options=-csearch_path%%3Dother", pg_url(a, &server, "newer")), HONE_E_MODEL, "no ledger of hone");
    refuses(hn_fmt(a, "%s&options=-csearch_path%%3Dnowhere", pg_url(a, &server, "newer")), HONE_E_MODEL, "CREATE SCHEMA");
    refuses(pg_url(a, &server, "nowhere"), HONE_E_IO, "does not exist");
    /* passwords that would be read as something else, a wrong one, and a host that is not there */
    const char *const unclear[] = { "postgresql://hone:sea@horse@/x", "postgresql://hone:sea/horse@h/x", "postgresql://hone:sea?horse@h/x",
                                    "postgresql://hone:sea%horse@h/x" };
    for (int64_t i = 0; i < HN_LEN(unclear); i++) refuses(unclear[i], HONE_E_VALUE, "cannot be read");
    refuses(hn_fmt(a, "postgresql://hone:seahorse@/newer?host=%s", server.dir), HONE_E_IO, "PGPASSWORD");
    refuses("postgresql://hone:seahorse@/x?host=/tmp/hone-nowhere", HONE_E_IO, "Check the URL");
    hone_close(job);
}

/* Anything that was written while passwords were at hand. */
static void no_password_in(const char *what, const char *command) {
    char line[4096];
    FILE *f = popen(command, "r");
    assert_non_null(f);
    for (int64_t n = 0; fgets(line, sizeof line, f); n++)
        if (strstr(line, "horse")) fail_msg("%s holds the password: %s", what, line);
    pclose(f);
}

static void a_server_that_goes_away_is_told_and_waited_for(void **state) {
    char out[96], url[160];
    run_case again = begun("gone", out, url);
    int64_t before = trainings_in(out);
    hone_job *job = hone_open(&(hone_options){ .threads = 1 });
    hn_arena *a = hn_job_arena(job);
    const char *said = hn_path_join(a, out, "said");
    pid_t pid = fork();
    if (!pid) {
        run_case r = { .text = text_path, .out = out };
        r.job = hone_open(&(hone_options){ .threads = 1 });
        r.f = fopen(said, "w");
        r.ok = hn_try(r.job, join_body, &r);
        fprintf(r.f, "%s", hone_error_message(r.job));
        fclose(r.f);
        _exit(hone_code_exit_status(hone_error_code(r.job)));
    }
    hn_db *open = hn_db_open(a, url, false);
    assert_non_null(open);
    (void)trainings_of(out, before + 1);
    pg_kill(&server);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    hn_bytes text;
    assert_true(hn_file_read(a, said, 10000, &text));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 1) fail_msg("status %x: %s", (unsigned)status, (const char *)text.p);
    if (!strstr((const char *)text.p, ", the same command goes on")) fail_msg("%s", (const char *)text.p);
    assert_false(hn_db_exec(open, "UPDATE claims SET beat=beat", "")); /* gone */
    assert_int_equal(hone_error_code(job), HONE_E_IO);
    hone_error_clear(job);
    assert_true(pg_begin(&server) && pg_answers(&server));
    if (!hn_db_exec(open, "UPDATE claims SET beat=beat", "")) fail_msg("%s", hone_error_message(job)); /* a door that was open works again */
    pg_kill(&server);
    assert_true(pg_begin(&server));
    assert_true(hn_db_begin(open) && hn_db_commit(open));             /* waited for */
    assert_true(pg_answers(&server) && trainings_in(out) >= before + 1);
    run(&again);
    assert_true(again.ok);
    assert_true(end_of(again.lines) == alone.end);
    assert_int_equal(trainings_in(out), alone.trainings);
    free(again.lines);
    no_password_in("the folder", hn_fmt(a, "grep -ra horse %s", folder));
    hn_ledger *l = hn_ledger_open(a, url, true);
    assert_non_null(l);
    assert_null(strstr(hn_json_text(a, hn_ledger_export(a, l, 0), false), "horse"));
    assert_true(hn_path_exists(hn_path_join(a, out, "report.html")));
    hone_close(job);
}

/* The commands find the ledger by its URL and by the run folder. */
static void commands_know_urls(void **state) {
    const char *hone = getenv("HONE");
    if (!hone || access(hone, X_OK)) skip(); /* `make units` builds no program */
    hone_job *job = hone_open(&(hone_options){ .threads = 1 });
    hn_arena *a = hn_job_arena(job);
    const char *url = pg_url(a, &server, "gone"), *dir = hn_path_join(a, folder, "gone"), *page = hn_path_join(a, folder, "page.html");
    const char *const commands[] = { "ledger show '%s'", "ledger list '%s'", "ledger export '%s'",
                                     "report '%s' --format md", "report '%s' --format text" };
    for (int64_t i = 0; i < HN_LEN(commands); i++)
        for (int k = 0; k < 2; k++) {
            const char *command = hn_fmt(a, hn_fmt(a, "'%s' %s > %s/said 2>&1", hone, commands[i], folder), k ? dir : url);
            if (system(command)) fail_msg("%s", command);
        }
    assert_int_equal(system(hn_fmt(a, "'%s' report '%s' --to %s > /dev/null && grep -q sealed %s", hone, url, page, page)), 0);
    assert_int_equal(system(hn_fmt(a, "'%s' report '%s' %s --to %s > /dev/null", hone, url, dir, page)), 0);
    no_password_in("a page of two runs", hn_fmt(a, "cat %s", page));
    hone_close(job);
}

static int server_teardown(void **state) {
    pg_stop(&server);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_fall_from_the_dead_and_the_silent),
        cmocka_unit_test(a_crowd_gets_each_work_once_and_no_lock_refuses),
        cmocka_unit_test(one_alone),
        cmocka_unit_test(two_share_a_run_and_killed_ones_lose_nothing),
        cmocka_unit_test(there_must_be_a_run_to_join),
    };
    const struct CMUnitTest on_a_server[] = {
        cmocka_unit_test(what_is_put_on_a_server_comes_back),
        cmocka_unit_test(claims_fall_from_the_dead_and_the_silent),
        cmocka_unit_test(a_crowd_gets_each_work_once_and_no_lock_refuses),
        cmocka_unit_test(two_share_a_run_and_killed_ones_lose_nothing),
        cmocka_unit_test(other_databases_are_refused),
        cmocka_unit_test(a_server_that_goes_away_is_told_and_waited_for),
        cmocka_unit_test(commands_know_urls),
    };
    if (setup(NULL)) return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    if (pg_start(&server)) {
        setenv("PGPASSWORD", PG_PASSWORD, 1); /* for those who find the URL in the folder, without it */
        failed += cmocka_run_group_tests(on_a_server, NULL, server_teardown);
    }
    return teardown(NULL) ? 1 : failed;
}
