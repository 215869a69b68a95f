/* test_base.c - the ground: memory, errors, strings, random numbers, threads, jobs, JSON, SQL. Files: test_files.c. */
#include "base/base.h"
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

static hone_job *job;
static hn_arena *a;
static int setup(void **s) { job = hone_open(&(hone_options){ .threads = 3, .seed = 7 }); a = hn_job_arena(job); return job ? 0 : -1; }
static int teardown(void **s) { for (int f = 0; f < HN_FAULT_COUNT; f++) hn_fault_set((hn_fault)f, 0); hone_close(job); return 0; }

/* ---- memory ---- */

static char order[64];
static void closed(void *p) { strcat(order, p); }

static void things_go_last_made_first(void **s) {
    order[0] = 0;
    hn_arena *outer = hn_arena_new(a);
    hn_defer(outer, closed, "1");
    hn_arena *inner = hn_arena_new(outer);
    hn_defer(outer, closed, "4");
    hn_defer(inner, closed, "2");
    hn_defer(inner, closed, "3");
    hn_arena_free(outer);
    assert_string_equal(order, "4321");
    hn_arena_free(NULL);
}

static void memory_is_zeroed_aligned_and_counted(void **s) {
    int64_t before = hn_memory_live(job);
    hn_arena *x = hn_arena_new(a);
    for (int round = 0; round < 3; round++) {
        for (int64_t n = 0; n < 3000000; n = n * 3 + 1) {
            uint8_t *p = hn_alloc(x, n, 1, 64);
            assert_int_equal((uintptr_t)p % 64, 0);
            for (int64_t i = 0; i < n; i++) if (p[i]) fail();
            memset(p, 0xAB, (size_t)n);
        }
        uint8_t *big = hn_alloc_large(x, 5 << 20);
        assert_int_equal((uintptr_t)big % 64, 0);
        big[0] = big[(5 << 20) - 1] = 1;
        assert_true(hn_memory_live(job) > before + (5 << 20));
        hn_arena_reset(x);
        assert_true(hn_memory_live(job) < before + (4 << 20));
    }
    hn_arena_free(x);
    assert_int_equal(hn_memory_live(job), before);
}

static void vectors_grow_and_recycle(void **s) {
    hn_arena *x = hn_arena_new(a);
    HN_VEC(int64_t) v = { 0 };
    for (int64_t i = 0; i < 500000; i++) hn_push(x, &v, i * 3);
    for (int64_t i = 0; i < v.n; i++) assert_int_equal(v.v[i], i * 3);
    typedef struct { char c[7]; } odd;
    HN_VEC(odd) o = { 0 };
    for (int i = 0; i < 400000; i++) hn_push(x, &o, (odd){ { (char)i, 1, 2, 3, 4, 5, (char)(i >> 8) } });
    for (int i = 0; i < 400000; i++) if (o.v[i].c[0] != (char)i || o.v[i].c[6] != (char)(i >> 8)) fail();
    int64_t live = hn_memory_live(job);
    for (int k = 0; k < 100; k++) {                 /* outgrown blocks serve again: memory stays flat */
        hn_buf b = { 0 };
        char *old[20];
        for (int i = 0; i < 12; i++) { hn_buf_fmt(x, &b, "%0*d", 1 << i, 1); old[i] = b.v; }
        (void)old;
        int64_t cap = b.cap;
        b.v = hn_grow(x, b.v, 0, &cap, cap + 1, 1);   /* gives the last block back as well */
    }
    assert_true(hn_memory_live(job) - live < 100 * 20000);
    hn_arena_free(x);
}

static bool wants_too_much(void *arg) { hn_alloc(a, *(int64_t *)arg, 1 << 20, 8); return true; }
static bool inner_try(void *arg) { *(bool *)arg = hn_try(job, wants_too_much, &(int64_t){ 1LL << 40 }); return true; }
static bool grows_too_much(void *arg) { hn_buf b = { 0 }; hn_vec_grow(a, &b, INT64_MAX - 5); return true; }

static void refused_memory_unwinds_to_the_innermost_try(void **s) {
    bool inner = true;
    assert_true(hn_try(job, inner_try, &inner));
    assert_false(inner);
    assert_int_equal(hone_error_code(job), HONE_E_MEMORY);
    assert_non_null(strstr(hone_error_message(job), "memory refused: wanted 1152921504606846976 bytes, found "));
    hone_error_clear(job);
    assert_false(hn_try(job, wants_too_much, &(int64_t){ INT64_MAX }));
    assert_int_equal(hone_error_code(job), HONE_E_MEMORY);
    hone_error_clear(job);
    assert_false(hn_try(job, grows_too_much, NULL));
    hone_error_clear(job);
    int64_t out;
    assert_false(hn_mul(INT64_MAX / 2, 3, &out));
    assert_false(hn_mul(-1, 3, &out));
    assert_true(hn_mul(1 << 30, 1 << 30, &out) && out == 1LL << 60);
}

static bool many_things(void *arg) {
    hn_arena *x = hn_arena_new(a);
    hn_map *m = hn_map_new(x);
    for (int i = 0; i < 40; i++) { hn_defer(x, closed, "."); hn_map_put(m, &i, sizeof i, i); }
    const char *text = "{\"a\": [1, 2.5, \"x\"], \"n\": 123456789012345678901234567890}";
    json_t *v = hn_json_parse(x, "here", text, (int64_t)strlen(text), HONE_E_DATA);
    if (!v) return false;
    hn_json_text(x, v, true);
    hn_arena_free(x);
    return true;
}

static void every_allocation_may_fail(void **s) {
    int64_t nth = 1;
    bool ok;
    do {
        hone_job *j = job;
        hn_arena *kept = a;
        job = hone_job_new(j, 1);
        a = hn_job_arena(job);
        order[0] = 0;
        hn_fault_set(HN_FAULT_ALLOC, nth++);
        ok = hn_try(job, many_things, NULL);
        hn_fault_set(HN_FAULT_ALLOC, 0);
        if (!ok) assert_int_equal(hone_error_code(job), HONE_E_MEMORY);
        hone_close(job);
        assert_true(strlen(order) <= 40);
        job = j;
        a = kept;
    } while (!ok && nth < 1000);
    assert_true(ok && nth > 80);
}

/* ---- errors and events ---- */

static void messages_read_well(void **s) {
    assert_false(HN_FAIL(a, HONE_E_KEY, .what = "unknown key 'modle'", .where = "r.yaml:3", .wanted = "model", .found = "modle", .hint = "Did you mean model?"));
    assert_string_equal(hone_error_message(job), "unknown key 'modle' (r.yaml:3): wanted model, found modle. Did you mean model?");
    assert_false(HN_FAIL(a, HONE_E_DATA, .what = "second"));
    assert_int_equal(hone_error_code(job), HONE_E_KEY);
    hone_error_clear(job);
    assert_string_equal(hone_error_message(job), "");
    assert_false(HN_FAIL(a, HONE_E_DATA, .what = "bad\x1b[31m\nrow", .found = "x"));
    assert_string_equal(hone_error_message(job), "bad [31m row: found x");
    hone_error_clear(job);
    assert_false(HN_FAIL(a, HONE_E_DATA, .what = "C1 \xc2\x9b" "31m, bare \x9b" "31m, é\x7f", .found = "\xc2\xa0\xe2\x82\xac"));
    assert_string_equal(hone_error_message(job), "C1  31m, bare  31m, é : found \xc2\xa0\xe2\x82\xac");
    hone_error_clear(job);
    char *huge = hn_alloc(a, 9001, 1, 1);
    for (int i = 0; i < 9000; i += 2) memcpy(huge + i, "é", 2);
    assert_false(HN_FAIL(a, HONE_E_DATA, .what = "x", .where = huge));
    const char *m = hone_error_message(job);
    assert_true(strlen(m) < 4096 && hn_utf8_valid((const uint8_t *)m, (int64_t)strlen(m), NULL));
    hone_error_clear(job);
    assert_int_equal(hone_code_exit_status(HONE_E_KEY), 2);
    assert_int_equal(hone_code_exit_status(HONE_E_INTERRUPTED), 130);
    assert_int_equal(hone_code_http_status(HONE_E_BUSY), 409);
    assert_string_equal(hone_code_name(HONE_E_SPACE), "E_SPACE");
}

static hone_event last;
static char said[100];
static void sink(void *user, const hone_event *e) { (*(int *)user)++; last = *e; snprintf(said, sizeof said, "%s", e->what); }

static void events_reach_the_sink_of_the_root(void **s) {
    int count = 0;
    hone_job *root = hone_open(&(hone_options){ .threads = 1, .on_event = sink, .user = &count });
    hone_job *child = hone_job_new(root, 0);
    hn_warn(hn_job_arena(child), "%d rows set aside", 3);
    assert_int_equal(count, 1);
    assert_int_equal(last.type, HONE_EVENT_WARNING);
    assert_string_equal(said, "3 rows set aside");
    hn_progress(hn_job_arena(child), "train", 5, 10, NAN, "tok", 2.5);
    assert_true(last.type == HONE_EVENT_PROGRESS && last.step == 5 && last.total == 10 && last.loss == 2.5 && isnan(last.rate));
    hn_metric(hn_job_arena(root), "loss", 4, 1.5);
    assert_true(last.type == HONE_EVENT_METRIC && last.step == 4 && last.value == 1.5 && last.total == -1);
    hone_close(root);                               /* closes the child */
}

/* ---- strings ---- */

static void numbers_read_back(void **s) {
    static const double xs[] = { 0, 0.1, 1e-4, 1.0 / 3, 1e22, 5e-324, 1.7976931348623157e308, -2.5, 123456789.125 };
    for (size_t i = 0; i < sizeof xs / sizeof *xs; i++) {
        double y;
        assert_true(hn_parse_f64(hn_num(a, xs[i]), &y) && y == xs[i]);
    }
    assert_string_equal(hn_num(a, 0.1), "0.1");
    assert_string_equal(hn_num(a, 1e-4), "0.0001");
    setlocale(LC_NUMERIC, "de_DE.UTF-8");           /* where it is installed */
    double d;
    assert_string_equal(hn_num(a, 2.5), "2.5");
    assert_true(hn_parse_f64("2.5", &d) && d == 2.5);
    setlocale(LC_NUMERIC, "C");
    static const char *const bad[] = { "", " 1", "1 ", "nan", "inf", "0x10", "1e999", "1.5x", "--1", "." };
    int64_t i64;
    uint64_t u;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_false(hn_parse_f64(bad[i], &d));
        assert_false(hn_parse_i64(bad[i], &i64));
    }
    assert_true(hn_parse_i64("-9223372036854775808", &i64) && i64 == INT64_MIN);
    assert_false(hn_parse_i64("9223372036854775808", &i64));
    assert_true(hn_parse_u64("18446744073709551615", &u) && u == UINT64_MAX);
    assert_false(hn_parse_u64("18446744073709551616", &u) || hn_parse_u64("-1", &u) || hn_parse_i64("5k", &i64));
}

static void the_nearest_word(void **s) {
    static const char *const names[] = { "model", "layers", "heads", "learning_rate", "lr" };
    assert_string_equal(hn_nearest("modle", names, 5), "model");
    assert_string_equal(hn_nearest("layer", names, 5), "layers");
    assert_string_equal(hn_nearest("learning-rate", names, 5), "learning_rate");
    assert_null(hn_nearest("zzzzzz", names, 5));
    assert_null(hn_nearest("", names, 5));
}

static void utf8_by_the_book(void **s) {
    static const struct { const char *s; int64_t n, bad; } cases[] = {      /* bad: -1 valid */
        { "plain ascii text, longer than eight", 35, -1 }, { "\xC3\xA9", 2, -1 }, { "\xE2\x82\xAC", 3, -1 }, { "\xF0\x9F\x98\x80", 4, -1 },
        { "12345678\x80", 9, 8 }, { "\xC0\x80", 2, 0 }, { "\xE0\x9F\xBF", 3, 0 }, { "\xED\xA0\x80", 3, 0 }, { "\xF4\x90\x80\x80", 4, 0 },
        { "a\xE2\x82", 3, 1 }, { "\xF5", 1, 0 }, { "", 0, -1 }, { "\xC3", 1, 0 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t at = -1;
        assert_int_equal(hn_utf8_valid((const uint8_t *)cases[i].s, cases[i].n, &at), cases[i].bad < 0);
        assert_int_equal(at, cases[i].bad);
    }
    uint32_t cp;
    assert_true(hn_utf8_next((const uint8_t *)"\xF0\x9F\x98\x80", 4, &cp) == 4 && cp == 0x1F600);
    assert_true(hn_utf8_next((const uint8_t *)"\xE2\x82", 2, &cp) == 1 && cp == 0xFFFD);
}

static void maps_keep_order(void **s) {
    hn_map *m = hn_map_new(a);
    int64_t v;
    assert_false(hn_map_get(m, "x", 1, &v));
    for (int64_t i = 0; i < 10000; i++) { char *k = hn_fmt(a, "key %lld", (long long)i); hn_map_put(m, k, (int64_t)strlen(k), i); }
    hn_map_put(m, "key 5", 5, -5);
    hn_map_put(m, "", 0, 99);
    assert_int_equal(hn_map_count(m), 10001);
    assert_true(hn_map_get(m, "key 5", 5, &v) && v == -5);
    assert_true(hn_map_get(m, "key 9999", 8, &v) && v == 9999);
    assert_true(hn_map_get(m, "", 0, &v) && v == 99);
    assert_false(hn_map_get(m, "key 10000", 9, &v));
    hn_bytes key;
    assert_true(hn_map_at(m, 17, &key, &v) && v == 17 && key.n == 6 && !memcmp(key.p, "key 17", 6));
    assert_false(hn_map_at(m, 10001, &key, &v));
    assert_true(hn_hash("", 0, 0) == 0x2D06800538D394C2u);      /* XXH3_64bits of nothing, as published */
}

/* ---- random ---- */

static void philox_gives_the_published_numbers(void **s) {      /* Random123, kat_vectors, philox4x32 10 */
    static const struct { uint64_t seed; uint32_t stream, step; uint64_t index; uint32_t want[4]; } kat[] = {
        { 0, 0, 0, 0, { 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8 } },
        { UINT64_MAX, UINT32_MAX, UINT32_MAX, UINT64_MAX, { 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd } },
        { 0x299f31d0a4093822, 0x13198a2e, 0x03707344, 0x85a308d3243f6a88, { 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1 } },
    };
    for (int i = 0; i < 3; i++) {
        uint32_t got[4];
        hn_philox(kat[i].seed, kat[i].stream, kat[i].step, kat[i].index, got);
        assert_memory_equal(got, kat[i].want, sizeof got);
    }
}

static void random_numbers_are_even(void **s) {
    hn_rng r = hn_rng_new(3, HN_STREAM_TEST, 0);
    int64_t seen[7] = { 0 };
    double sum = 0, sq = 0, fourth = 0, chi = 0;
    for (int i = 0; i < 70000; i++) seen[hn_rng_below(&r, 7)]++;
    for (int i = 0; i < 7; i++) chi += ((double)seen[i] - 1e4) * ((double)seen[i] - 1e4) / 1e4;
    assert_true(chi < 22.46);                       /* 0.999 of chi², 6 degrees of freedom */
    static float x[100000], y[1000];
    hn_rng_fill_normal(1, HN_STREAM_TEST, 2, x, 100000, 0.5);
    for (int i = 0; i < 100000; i++) { double z = x[i] / 0.5; sum += z; sq += z * z; fourth += z * z * z * z; }
    assert_true(fabs(sum / 1e5) < 0.013 && fabs(sq / 1e5 - 1) < 0.018 && fabs(fourth / 1e5 - 3) < 0.13);  /* 4 standard errors */
    hn_rng_fill_normal(1, HN_STREAM_TEST, 2, y, 999, 0.5);
    assert_memory_equal(x, y, 999 * sizeof *y);     /* an element does not depend on how many there are */
    int64_t v[100], count[100] = { 0 };
    for (int i = 0; i < 100; i++) v[i] = i;
    hn_rng_shuffle(&r, v, 100);
    for (int i = 0; i < 100; i++) count[v[i]]++;
    for (int i = 0; i < 100; i++) assert_int_equal(count[i], 1);
    sum = 0;
    for (int i = 0; i < 10000; i++) { double u = hn_rng_f64(&r); assert_true(u >= 0 && u < 1); sum += u + hn_rng_normal(&r); }
    assert_true(fabs(sum / 1e4 - 0.5) < 0.045);
}

/* ---- threads and jobs ---- */

typedef struct { _Atomic int64_t hits[1000]; hn_pool *pool; atomic_int nested; } counts;
static void nested(void *arg, int64_t task, int worker) { atomic_fetch_add(&((counts *)arg)->nested, 1); }
static void hit(void *arg, int64_t task, int worker) {
    counts *c = arg;
    if (worker < 0 || worker >= hn_pool_threads(c->pool)) abort();
    atomic_fetch_add(&c->hits[task], 1);
    if (task == 3) hn_pool_run(c->pool, 10, nested, c);
}

static void every_task_runs_once(void **s) {
    for (int threads = 1; threads <= 7; threads += 2) {
        hone_job *j = hone_open(&(hone_options){ .threads = threads });
        assert_int_equal(hn_pool_threads(hn_job_pool(j)), threads);
        counts *c = hn_new(hn_job_arena(j), counts);
        c->pool = hn_job_pool(j);
        for (int round = 1; round <= 300; round++) {
            hn_pool_run(c->pool, 1 + round % 7 * 100, hit, c);
            if (round % 100 == 0) usleep(2000);     /* let them fall asleep */
        }
        int64_t total = 0, want = 0;
        for (int i = 0; i < 1000; i++) total += c->hits[i];
        for (int round = 1; round <= 300; round++) want += 1 + round % 7 * 100;
        assert_int_equal(total, want);
        assert_int_equal(c->hits[0], 300);
        assert_int_equal(c->nested, 10 * c->hits[3]);
        hone_close(j);
    }
}

static bool shares_the_pool(hone_job *j, void *arg, int64_t i) {
    counts *c = hn_new(hn_job_arena(j), counts);
    c->pool = arg;
    for (int k = 0; k < 200; k++) hn_pool_run(arg, 50, hit, c);
    for (int k = 0; k < 50; k++) if (c->hits[k] != 200) return HN_FAIL(hn_job_arena(j), HONE_E_INTERNAL, .what = "a task was lost");
    return hn_job_pool(j) == NULL;
}

static bool some_fail(hone_job *j, void *arg, int64_t i) {
    atomic_fetch_add((atomic_int *)arg, 1);
    if (i == 6) hn_alloc(hn_job_arena(j), 1LL << 40, 1 << 20, 8);
    if (i == 2) { usleep(3000); return HN_FAIL(hn_job_arena(j), HONE_E_DATA, .what = "number two failed"); }
    return true;
}

static bool stops(hone_job *j, void *arg, int64_t i) {
    atomic_fetch_add((atomic_int *)arg, 1);
    hone_stop(job);
    return hn_stopped(j);
}

static void jobs_side_by_side(void **s) {
    assert_true(hn_jobs_run(job, 4, 3, shares_the_pool, hn_job_pool(job)));
    for (int side = 1; side <= 4; side++) {
        atomic_int ran = 0;
        assert_false(hn_jobs_run(job, 9, side, some_fail, &ran));
        assert_int_equal(ran, 9);
        assert_string_equal(hone_error_message(job), "number two failed");
        hone_error_clear(job);
    }
    assert_true(hn_jobs_run(job, 0, 2, some_fail, NULL));
    atomic_int ran = 0;
    assert_false(hn_jobs_run(job, 100, 2, stops, &ran));
    assert_true(ran <= 2);
    assert_int_equal(hone_error_code(job), HONE_E_INTERRUPTED);
}

static void a_stop_reaches_those_beneath(void **s) {
    hone_job *child = hone_job_new(job, 1), *other = hone_job_new(job, 0), *grandchild = hone_job_new(child, 0);
    hone_stop(child);
    assert_true(hn_stopped(child) && hn_stopped(grandchild));
    assert_false(hn_stopped(job) || hn_stopped(other));
    assert_null(hn_job_pool(grandchild));
    assert_ptr_equal(hn_job_pool(other), hn_job_pool(job));
    assert_int_equal(hn_job_seed(grandchild), 7);
    hn_stop_from_signals(job);
    raise(SIGTERM);
    assert_true(hn_stopped(other));
    hone_close(child);
}

static int status_after(int first, int second) {
    pid_t pid = fork();
    if (!pid) {
        hone_job *j = hone_open(&(hone_options){ .threads = 1 });
        hn_stop_from_signals(j);
        raise(first);
        if (second) raise(second);
        _exit(hn_stopped(j) ? 7 : 8);
    }
    int status = -1;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_second_interrupt_ends_at_once(void **s) {
    assert_int_equal(status_after(SIGINT, 0), 7);
    assert_int_equal(status_after(SIGTERM, SIGTERM), 7);
#ifndef __SANITIZE_THREAD__                             /* which hands over only one of two like signals */
    assert_int_equal(status_after(SIGINT, SIGINT), 130);
#endif
}

static volatile sig_atomic_t told;
static void tell(int sig) { told++; }
static void signals_wait_while_held(void **s) {
    struct sigaction act = { .sa_handler = tell }, was;
    sigaction(SIGUSR1, &act, &was);
    told = 0;
    hn_signals_hold();
    hn_signals_hold();
    raise(SIGUSR1);
    hn_signals_release();
    assert_int_equal(told, 0);
    hn_signals_release();
    assert_int_equal(told, 1);
    raise(SIGUSR1);
    assert_int_equal(told, 2);
    sigaction(SIGUSR1, &was, NULL);
}

static void nothing_to_unwind_to(void **s) {            /* refused outside of any hn_try: says so and aborts */
    int ends[2], status;
    char text[1000] = "";
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (!pid) {
        dup2(ends[1], 2);
        signal(SIGABRT, SIG_DFL);
        hone_job *j = hone_open(&(hone_options){ .threads = 1 });
        hn_alloc(hn_job_arena(j), 1LL << 40, 1 << 20, 8);
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t n = 0, k; (k = read(ends[0], text + n, sizeof text - 1 - (size_t)n)) > 0;) n += k;
    close(ends[0]);
    assert_true(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
    assert_non_null(strstr(text, "memory refused: wanted 1152921504606846976 bytes"));
    assert_non_null(strstr(text, "no hn_try of this job"));
}

/* ---- the machine ---- */

static void the_machine_has_something(void **s) {
    assert_true(hn_cpu_cores() >= 1);
    assert_true(hn_rss_now() > 100000 && hn_rss_peak() >= hn_rss_now() / 2);
    assert_true(hn_memory_available() > 1 << 20);
    assert_true(strlen(hn_cpu_describe(a)) > 5);
    const char *wish = getenv("HONE_ISA");
    if (wish && !hn_cpu_isa_error()) assert_string_equal(hn_isa_name(hn_cpu_isa()), wish);
    char *t = hn_time_utc(a);
    assert_true(strlen(t) == 20 && t[10] == 'T' && t[19] == 'Z');
    double before = hn_now();
    usleep(1000);
    assert_true(hn_now() - before >= 0.001);
}

/* ---- JSON ---- */

static json_t *parse(const char *s) { return hn_json_parse(a, "f.json", s, (int64_t)strlen(s), HONE_E_MODEL); }

static void json_reads_and_writes(void **s) {
    const char *text = "{\"z\": 0.1, \"a\": [1, -2.0, true, null, \"q\\\"\\u0000\\n\\u00e9\"], \"o\": {}}";
    json_t *v = parse(text);
    assert_non_null(v);
    assert_string_equal(hn_json_text(a, v, false), "{\"z\": 0.1, \"a\": [1, -2.0, true, null, \"q\\\"\\u0000\\n\xC3\xA9\"], \"o\": {}}");
    assert_string_equal(hn_json_text(a, parse("{\"a\":[1,{}],\"b\":[]}"), true), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
    v = parse("{\"n\": 1000000000000000019884624838656, \"s\": \"12345678901234567890123\", \"m\": -9223372036854775809, \"e\": 1e5}");
    assert_non_null(v);
    assert_true(json_number_value(json_object_get(v, "n")) == 1000000000000000019884624838656.0);
    assert_string_equal(json_string_value(json_object_get(v, "s")), "12345678901234567890123");
    assert_true(json_is_integer(parse("9223372036854775807")));
}

static void json_errors_name_the_place(void **s) {
    assert_null(parse("{\n  \"a\": 1,\n  \"b\": }"));
    assert_int_equal(hone_error_code(job), HONE_E_MODEL);
    assert_non_null(strstr(hone_error_message(job), "not valid JSON (f.json:3:8): found "));
    static const char *const bad[] = { "", "{\"a\":1,\"a\":2}", "[1", "\xff", "[1] x", "1e999", "[\"\xed\xa0\x80\"]" };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        hone_error_clear(job);
        assert_null(parse(bad[i]));
        assert_int_equal(hone_error_code(job), HONE_E_MODEL);
    }
    hone_error_clear(job);
    char *deep = hn_alloc(a, 100001, 1, 1);
    memset(deep, '[', 100000);
    assert_null(parse(deep));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        T(things_go_last_made_first), T(memory_is_zeroed_aligned_and_counted), T(vectors_grow_and_recycle),
        T(refused_memory_unwinds_to_the_innermost_try), T(every_allocation_may_fail), T(messages_read_well), T(events_reach_the_sink_of_the_root),
        T(numbers_read_back), T(the_nearest_word), T(utf8_by_the_book), T(maps_keep_order), T(philox_gives_the_published_numbers),
        T(random_numbers_are_even), T(every_task_runs_once), T(jobs_side_by_side), T(a_stop_reaches_those_beneath), T(the_second_interrupt_ends_at_once),
        T(signals_wait_while_held), T(nothing_to_unwind_to), T(the_machine_has_something),
        T(json_reads_and_writes), T(json_errors_name_the_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
