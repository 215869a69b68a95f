/* test_join.c - several processes on one run: claims are given once, fall from the dead, and no ledger is ever "locked"; two processes that
 * join share the trainings, two that are killed lose nothing. */
#include "improve_world.h"

#include <signal.h>
#include <sys/wait.h>

static const char *ledger_path(hn_arena *a, const char *out) { return hn_fmt(a, "%s/%s/ledger.sqlite", folder, out); }

static hn_ledger *fresh(hn_arena *a, const char *out, int64_t *run) {
    assert_true(hn_mkdirs(a, hn_fmt(a, "%s/%s", folder, out)));
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

static int64_t trainings_in(const char *out) {
    hone_job *job = hone_open(NULL);
    hn_arena *a = hn_job_arena(job);
    hn_ledger *l = hn_ledger_open(a, hn_path_join(a, out, "ledger.sqlite"), true);
    assert_non_null(l);
    hn_row *r = hn_db_query(a, hn_ledger_db(l), "SELECT count(*) FROM (SELECT DISTINCT phase, arm, seed FROM measurements)", "");
    assert_true(r && hn_row_next(r));
    int64_t n = hn_row_i(r, 0);
    hone_close(job);
    return n;
}

static double end_of(const char *lines) {
    const char *at = strstr(lines, "\"best\""), *end = at ? strstr(at, "\"end\":") : NULL;
    assert_non_null(end);
    return strtod(end + 6, NULL);
}

static void two_share_a_run_and_killed_ones_lose_nothing(void **state) {
    char whole[96], out[96];
    snprintf(whole, sizeof whole, "%s/alone", folder);
    snprintf(out, sizeof out, "%s/shared", folder);
    run_case alone = { .text = text_path, .out = whole };
    run(&alone);
    assert_true(alone.ok);
    run_case begun = { .text = text_path, .out = out, .stop_after = 2 };
    run(&begun);
    assert_int_equal(begun.code, HONE_E_INTERRUPTED);
    free(begun.lines);
    int64_t before = trainings_in(out), status[2];
    /* two, both killed soon after they have added something */
    pid_t pid[2] = { joiner(out), joiner(out) };
    for (int tries = 0; tries < 300 && trainings_in(out) < before + 2; tries++) usleep(20000);
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
    assert_int_equal(all, trainings_in(whole));
    /* each training was done once: but for models to ship that a kill may have taken between its two records */
    assert_int_equal(status[0] + status[1], all - before);
    run_case after = { .text = text_path, .out = out }; /* nothing is left: the result is told */
    join(&after);
    assert_true(after.ok);
    assert_true(end_of(after.lines) == end_of(alone.lines));
    assert_non_null(strstr(after.lines, "\"sealed_hash\""));
    char best[128];
    snprintf(best, sizeof best, "%s/best/config.json", out);
    assert_true(hn_path_exists(best));
    free(after.lines);
    free(alone.lines);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(claims_fall_from_the_dead_and_the_silent),
        cmocka_unit_test(a_crowd_gets_each_work_once_and_no_lock_refuses),
        cmocka_unit_test(two_share_a_run_and_killed_ones_lose_nothing),
        cmocka_unit_test(there_must_be_a_run_to_join),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
