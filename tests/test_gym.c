/* test_gym.c - gym: every answer worked out a second time, splits that never meet, levels that grow, and what scoring says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "box.h"
#include "near.h"
#include "data/gym/gym.h"
#include "gym_check.h"

#define EACH_TASK(t) \
    for (int64_t k_ = 0; k_ < hn_kind_gym.n; k_++) \
        for (const hn_gym_task *t = (const hn_gym_task *)hn_kind_gym.items[k_]; t; t = NULL)

static void told(hn_arena *a, const char *text) {
    if (!strstr(hone_error_message(a->job), text)) fail_msg("'%s' is not in: %s", text, hone_error_message(a->job));
    assert_int_equal(hone_error_code(a->job), HONE_E_VALUE);
    hone_error_clear(a->job);
}

static void answers_are_right(void **state) {
    hn_arena *a = ((box *)*state)->a;
    hn_gym_item *it = hn_new(a, hn_gym_item);
    EACH_TASK(t) {
        const solver *s = NULL;
        for (int64_t i = 0; i < HN_LEN(solvers); i++)
            if (!strcmp(solvers[i].name, t->item.name)) s = &solvers[i];
        if (!s) fail_msg("nobody checks the answers of '%s'", t->item.name);
        for (int64_t level = 1; level <= t->levels; level++)
            for (int64_t i = 0; i < 300; i++) {
                char answer[ANSWER] = "";
                hn_gym_verdict v;
                assert_true(hn_gym_at(a, t, level, (hn_gym_split)(i % HN_GYM_SPLITS), 7, i, it));
                s->solve(it->prompt.v, answer);
                if (strcmp(answer, it->answer.v)) fail_msg("%s level %d: %s%s, wanted %s", t->item.name, (int)level, it->prompt.v, it->answer.v, answer);
                hn_gym_score(t, it->prompt.v, it->answer.v, answer, (int64_t)strlen(answer), &v);
                assert_true(v.right && v.score == 1 && !*v.why);
            }
    }
}

static void texts_are_well_formed(void **state) {
    hn_arena *a = ((box *)*state)->a;
    hn_gym_item *it = hn_new(a, hn_gym_item);
    EACH_TASK(t) {
        assert_true(t->levels >= 5 && *t->dial && *t->item.doc);
        for (int64_t level = 1; level <= t->levels; level++)
            for (int64_t i = 0; i < 100; i++) {
                assert_true(hn_gym_at(a, t, level, HN_GYM_TRAIN, 11, i, it));
                assert_int_equal(it->prompt.n, strlen(it->prompt.v));
                assert_int_equal(it->answer.n, strlen(it->answer.v));
                assert_int_equal(it->prompt.v[it->prompt.n - 1], '=');
                assert_true(it->answer.n > 0 && it->answer.v[0] != ' ' && it->answer.v[it->answer.n - 1] != ' ');
                assert_null(strchr(it->prompt.v, '\n'));
                assert_null(strchr(it->answer.v, '\n'));
            }
    }
}

static void the_same_numbers_give_the_same_item(void **state) {
    hn_arena *a = ((box *)*state)->a;
    hn_gym_item *it = hn_new(a, hn_gym_item), *again = hn_new(a, hn_gym_item);
    EACH_TASK(t) {
        int64_t differ = 0;
        for (int64_t i = 0; i < 50; i++) {
            assert_true(hn_gym_at(a, t, 2, HN_GYM_TRAIN, 5, i, it));
            assert_true(hn_gym_at(a, t, 2, HN_GYM_TRAIN, 6, i, again));
            differ += strcmp(it->prompt.v, again->prompt.v) != 0;
            assert_true(hn_gym_at(a, t, 2, HN_GYM_TRAIN, 5, i, again));
            assert_string_equal(it->prompt.v, again->prompt.v);
            assert_int_equal(it->id, again->id);
        }
        assert_true(differ > 40);
    }
    /* Items that ledgers and published sets of others rest on: a change here makes other splits. */
    const hn_gym_task *t = hn_gym_find(a, "arithmetic");
    assert_true(t && hn_gym_at(a, t, 1, HN_GYM_TRAIN, 1, 0, it));
    assert_string_equal(it->prompt.v, "83+33=");
    assert_string_equal(it->answer.v, "116");
}

/* Draws of every split and many seeds: a question is only ever seen in one of them, though levels and spellings overlap. */
static void splits_never_meet(void **state) {
    hn_arena *a = ((box *)*state)->a;
    hn_gym_item *it = hn_new(a, hn_gym_item);
    EACH_TASK(t) {
        hn_arena *scratch = hn_arena_new(a);
        hn_map *home = hn_map_new(scratch), *prompts = hn_map_new(scratch);
        for (int64_t level = 1; level <= HN_MIN(t->levels, 3); level++)
            for (int s = 0; s < HN_GYM_SPLITS; s++)
                for (uint64_t seed = 0; seed < 20; seed++)
                    for (int64_t i = 0; i < 20; i++) {
                        int64_t was;
                        assert_true(hn_gym_at(scratch, t, level, (hn_gym_split)s, seed, i, it));
                        const hn_gym_text *q = it->question.n ? &it->question : &it->prompt;
                        if (hn_map_get(home, q->v, q->n, &was)) assert_int_equal(was, s);
                        else hn_map_put(home, q->v, q->n, s);
                        if (hn_map_get(prompts, it->prompt.v, it->prompt.n, &was)) assert_int_equal(was, s);
                        else hn_map_put(prompts, it->prompt.v, it->prompt.n, s);
                        assert_int_equal(hn_gym_split_of(it->id), s);
                    }
        hn_arena_free(scratch);
    }
    /* Turned round, a sum stays where it is. */
    const hn_gym_task *t = hn_gym_find(a, "arithmetic");
    hn_map *home = hn_map_new(a);
    int64_t was, met = 0;
    assert_non_null(t);
    for (int s = 0; s < HN_GYM_SPLITS; s++)
        for (int64_t i = 0; i < 2000; i++) {
            int x, y;
            assert_true(hn_gym_at(a, t, 1, (hn_gym_split)s, 3, i, it));
            assert_int_equal(sscanf(it->prompt.v, "%d+%d=", &x, &y), 2);
            int key = x * 100 + y, turned = y * 100 + x;
            hn_map_put(home, &key, sizeof key, s);
            if (!hn_map_get(home, &turned, sizeof turned, &was)) continue;
            assert_int_equal(was, s);
            met += x != y;
        }
    assert_true(met > 1000);
}

static void splits_have_their_shares(void **state) {
    int64_t n[HN_GYM_SPLITS] = { 0 }, N = 20000;
    (void)state;
    for (int64_t i = 0; i < N; i++) n[hn_gym_split_of(hn_hash(&i, sizeof i, 9))]++;
    for (int s = 0; s < HN_GYM_SPLITS; s++) {
        double p = s == HN_GYM_TRAIN ? 0.8 : 0.05, sd = sqrt((double)N * p * (1 - p));
        assert_true(fabs((double)n[s] - p * (double)N) < 5 * sd);
        assert_int_equal(hn_gym_split_named(hn_gym_split_name((hn_gym_split)s)), s);
    }
    assert_int_equal(hn_gym_split_named("test"), HN_GYM_SPLITS);
}

static void levels_grow(void **state) {
    hn_arena *a = ((box *)*state)->a;
    hn_gym_item *it = hn_new(a, hn_gym_item);
    EACH_TASK(t) {
        double before = 0, first = 0;
        for (int64_t level = 1; level <= t->levels; level++) {
            int64_t n = 0;
            for (int64_t i = 0; i < 400; i++) {
                assert_true(hn_gym_at(a, t, level, HN_GYM_TRAIN, 2, i, it));
                n += it->prompt.n + it->answer.n;
            }
            /* Not shorter than the level below, but for chance; the highest is clearly longer than the first. */
            if ((double)n < 0.9 * before) fail_msg("%s: level %d is shorter than the one below", t->item.name, (int)level);
            before = (double)n;
            if (level == 1) first = before;
        }
        if (before < 1.3 * first) fail_msg("%s: the dial moves little", t->item.name);
    }
}

typedef struct { int64_t n; hn_map *seen; hn_arena *a; const char *first[50]; } taken;
static void take(void *user, const hn_gym_item *it) {
    taken *t = user;
    int64_t known;
    assert_false(hn_map_get(t->seen, &it->id, sizeof it->id, &known));
    hn_map_put(t->seen, &it->id, sizeof it->id, 0);
    if (t->n < 50) t->first[t->n] = hn_strdup(t->a, it->prompt.v);
    t->n++;
}

/* 100·101/2 sums of two numbers below 100, shared out among the splits; each can be had, and not one more. */
static void different_items_run_out(void **state) {
    hn_arena *a = ((box *)*state)->a;
    const hn_gym_task *t = hn_gym_find(a, "arithmetic");
    int64_t sum = 0;
    assert_non_null(t);
    for (int s = 0; s < HN_GYM_SPLITS; s++) {
        int64_t n = hn_gym_count(a, t, 1, (hn_gym_split)s);
        sum += n;
        taken got = { .seen = hn_map_new(a), .a = a }, more = { .seen = hn_map_new(a), .a = a }, few = { .seen = hn_map_new(a), .a = a };
        assert_true(hn_gym_distinct(a, t, 1, (hn_gym_split)s, 4, n, take, &got));
        assert_int_equal(got.n, n);
        assert_false(hn_gym_distinct(a, t, 1, (hn_gym_split)s, 4, n + 1, take, &more));
        told(a, hn_fmt(a, "has %d questions in split %s", (int)n, hn_gym_split_name((hn_gym_split)s)));
        assert_int_equal(more.n, n);
        assert_true(hn_gym_distinct(a, t, 1, (hn_gym_split)s, 4, 50, take, &few));
        for (int i = 0; i < 50; i++) assert_string_equal(few.first[i], got.first[i]);
    }
    assert_int_equal(sum, 5050);
    assert_int_equal(hn_gym_count(a, t, 8, HN_GYM_TRAIN), -1);
    assert_false(hn_gym_distinct(a, t, 9, HN_GYM_TRAIN, 1, 1, take, NULL));
    told(a, "no level 9");
    assert_null(hn_gym_find(a, "arithmetik"));
    told(a, "Did you mean 'arithmetic'?");
}

static void every_level_has_thousands(void **state) {
    hn_arena *a = ((box *)*state)->a;
    EACH_TASK(t) for (int64_t level = 1; level <= t->levels; level++) {
        hn_gym_item *it = hn_new(a, hn_gym_item);
        hn_arena *scratch = hn_arena_new(a);
        hn_map *seen = hn_map_new(scratch);
        for (int64_t i = 0; i < 2000; i++) {
            assert_true(hn_gym_at(a, t, level, HN_GYM_TRAIN, 1, i, it));
            hn_map_put(seen, &it->id, sizeof it->id, 0);
        }
        if (hn_map_count(seen) < (level == 1 ? 700 : 1500)) fail_msg("%s level %d: %d of 2000 differ", t->item.name, (int)level, (int)hn_map_count(seen));
        hn_arena_free(scratch);
    }
}

static void scored(const char *task, const char *prompt, const char *wanted, const char *found, double score, const char *why) {
    hn_gym_verdict v;
    const hn_gym_task *t = (const hn_gym_task *)hn_kind_find(&hn_kind_gym, task);
    hn_gym_score(t, prompt, wanted, found, (int64_t)strlen(found), &v);
    assert_near(v.score, score, 1e-12);
    assert_int_equal(v.right, score == 1);
    if (!strstr(v.why, why)) fail_msg("'%s' is not in: %s", why, v.why);
}

static void scores_say_why(void **state) {
    (void)state;
    scored("arithmetic", "70+76=", "146", "146", 1, "");
    scored("arithmetic", "70+76=", "146", "  146\n", 1, "");
    scored("arithmetic", "70+76=", "146", "136", 2. / 3, "2 of 3 digits right");
    scored("arithmetic", "70+76=", "146", "46", 2. / 3, "2 digits instead of 3");
    scored("arithmetic", "70+76=", "146", "1146", 3. / 4, "4 digits instead of 3");
    scored("arithmetic", "70+76=", "146", "-146", 0, "sign");
    scored("arithmetic", "70+76=", "146", "0146", 0, "not a number");
    scored("arithmetic", "70+76=", "146", "1 46", 0, "not a number");
    scored("arithmetic", "70+76=", "146", "146.", 0, "not a number");
    scored("arithmetic", "70+76=", "146", "146\n1+1=2", 0, "not a number");
    scored("arithmetic", "70+76=", "146", " \n ", 0, "found nothing");
    scored("arithmetic", "70+76=", "146", "\x1b[2J", 0, "found '?[2J'");
    scored("sort", "sort 5 7 0 1=", "0 1 5 7", "0  1 5\t7", 1, "");
    scored("sort", "sort 5 7 0 1=", "0 1 5 7", "0 1 7 5", 0.5, "not in rising order at word 4");
    scored("sort", "sort 5 7 0 1=", "0 1 5 7", "0 1 5 8", 0.75, "not the numbers that were given");
    scored("sort", "sort 5 7 0 1=", "0 1 5 7", "0 1 5", 0.75, "3 words instead of 4");
    scored("sort", "sort 5 7 0 1=", "0 1 5 7", "0 1 five 7", 0.75, "word 3 is 'five' instead of '5'");
    scored("strings", "reverse: abcd=", "dcba", "dcab", 0.5, "first difference is at letter 3");
    scored("strings", "reverse: abcd=", "dcba", "dcbaa", 0.8, "5 letters instead of 4");
    hn_gym_verdict v;
    char *flood = malloc(100000);
    const hn_gym_task *t = (const hn_gym_task *)hn_kind_find(&hn_kind_gym, "sort");
    memset(flood, '7', 100000);
    hn_gym_score(t, "sort 5 7 0 1=", "0 1 5 7", flood, 100000, &v);
    assert_true(!v.right && v.score == 0 && strstr(v.why, "much too long"));
    for (int i = 0; i < 100000; i += 2) flood[i] = ' ';
    hn_gym_score(t, "sort 5 7 0 1=", "0 1 5 7", flood, 1000, &v);
    assert_true(!v.right && v.score < 0.01);
    hn_gym_score(t, "sort 5 7 0 1=", "0 1 5 7", "0 1\0 5 7", 8, &v);
    assert_true(!v.right && v.score < 1);
    free(flood);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(answers_are_right), TEST(texts_are_well_formed), TEST(the_same_numbers_give_the_same_item), TEST(splits_never_meet),
        TEST(splits_have_their_shares), TEST(levels_grow), TEST(different_items_run_out), TEST(every_level_has_thousands), TEST(scores_say_why),
    };
    return cmocka_run_group_tests_name("gym", tests, NULL, NULL);
}
