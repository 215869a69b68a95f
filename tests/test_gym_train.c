/* Gym tasks as data: names of made items, prompts that are read and not predicted, and losses of answers alone. */
#include "data_help.h"
#include "data/gym/gym.h"
#include "eval/task.h"
#include "near.h"

static hn_strs strs(hn_arena *a, const char *x, const char *y) {
    const char **v = hn_new_n(a, const char *, 2);
    v[0] = x, v[1] = y;
    return (hn_strs){ v, y ? 2 : 1 };
}

static void names_are_settled(void **state) {
    world *w = *state;
    hn_strs in = strs(w->a, "gym:sort:1-2*3", "gym:arithmetic:1"), out;
    assert_true(hn_gym_sources(w->a, &in, HN_GYM_TRAIN, 1000, 7, &out));
    assert_int_equal(out.n, 2);
    assert_string_equal(out.v[0], "gym:sort:1-2@train,750,7");
    assert_string_equal(out.v[1], "gym:arithmetic:1-1@train,250,7");
    assert_true(hn_gym_sources(w->a, &out, HN_GYM_TRAIN, 10, 1, &in));          /* settled names stay */
    assert_string_equal(in.v[0], out.v[0]);
    in = strs(w->a, "gym:arithmetic:1", "text.txt");
    assert_true(hn_gym_sources(w->a, &in, HN_GYM_SCREEN, 0, 7, &out));           /* as many as there are: 248 */
    assert_string_equal(out.v[0], "gym:arithmetic:1-1@screen,248,7");
    assert_string_equal(out.v[1], "text.txt");
    in = strs(w->a, "gym:all", NULL);
    assert_true(hn_gym_sources(w->a, &in, HN_GYM_TRAIN, 1400, 7, &out));
    assert_int_equal(out.n, hn_kind_gym.n);
    static const char *const wrong[][2] = { { "gym:sorf:1", "Did you mean 'sort'" }, { "gym:sort:9", "no level 9" }, { "gym:sort:0", "no level" },
                                            { "gym:sort:2-1", "no level" }, { "gym:sort:1*0", "weight" }, { "gym:sort:x", "no level" }, { "gym:", "no gym task" } };
    for (int64_t i = 0; i < HN_LEN(wrong); i++) {
        in = strs(w->a, wrong[i][0], NULL);
        assert_false(hn_gym_sources(w->a, &in, HN_GYM_TRAIN, 10, 1, &out));
        expect_error(w, HONE_E_VALUE, wrong[i][1], "");
    }
    static const char *const foreign[] = { "gym:sort:1-1@train,5", "gym:sort:1-1@trian,5,1", "gym:sort:1-1@train,0,1", "gym:sort@train,5,1", "gym:all:1-1@train,5,1" };
    for (int64_t i = 0; i < HN_LEN(foreign); i++) {
        hn_gym_source s;
        assert_false(hn_gym_source_parse(w->a, foreign[i], &s));
        expect_error(w, HONE_E_VALUE, "gym:", "");
    }
}

typedef struct seen { hn_map *ids; int64_t twice; bool look; } seen;
static void note(void *user, const hn_gym_item *it) {
    seen *s = user;
    int64_t v;
    if (s->look) s->twice += hn_map_get(s->ids, &it->id, sizeof it->id, &v);
    else hn_map_put(s->ids, &it->id, sizeof it->id, 0);
}

/* Whatever the seed of a training, none of its items is a question of another split. */
static void training_never_sees_held_out_questions(void **state) {
    world *w = *state;
    seen s = { .ids = hn_map_new(w->a) };
    const hn_gym_task *t = hn_gym_find(w->a, "arithmetic");
    for (int k = HN_GYM_VALID; k < HN_GYM_SPLITS; k++)
        assert_true(hn_gym_source_items(w->a, &(hn_gym_source){ t, 1, 1, (hn_gym_split)k, 200, 3 }, note, &s));
    assert_int_equal(hn_map_count(s.ids), 800);
    s.look = true;
    for (uint64_t seed = 0; seed < 5; seed++)
        assert_true(hn_gym_source_items(w->a, &(hn_gym_source){ t, 1, 1, HN_GYM_TRAIN, 3000, seed }, note, &s));
    assert_int_equal(s.twice, 0);
    assert_false(hn_gym_source_items(w->a, &(hn_gym_source){ t, 1, 1, HN_GYM_VALID, 261, 3 }, note, &s));
    expect_error(w, HONE_E_VALUE, "260 questions", "wanted 261");
}

static bool load(world *w, const char *train, int64_t context, hn_dataset *d) {
    hn_data_params p = defaults(w->a);
    p.train = strs(w->a, train, NULL);
    p.items = 50;
    p.valid_items = 20;
    p.decontaminate = true;
    return hn_dataset_load(w->a, &p, context, 1, NULL, d);
}

static void prompts_are_not_predicted(void **state) {
    world *w = *state;
    hn_dataset d;
    assert_true(load(w, "gym:sort:1", 24, &d));
    assert_int_equal(d.corpus.n_docs, 70);
    assert_int_equal(d.train.n_spans, 50);
    assert_int_equal(d.valid.n_spans, 20);
    hn_batches *b = hn_batches_new(w->a, &d.train, 10, 24, "epochs", 1);
    int32_t x[240], y[240];
    for (int64_t i = 0; i < 5; i++) {
        hn_batch_get(b, i, x, y);
        for (int64_t r = 0; r < 10; r++) {
            hn_buf read = { 0 }, asked = { 0 };
            for (int64_t k = 0; k < 24; k++) {
                if (x[r * 24 + k]) hn_decode(d.tok, w->a, &x[r * 24 + k], 1, &read);
                if (y[r * 24 + k] >= 0) hn_decode(d.tok, w->a, &y[r * 24 + k], 1, &asked);
            }
            assert_int_equal(asked.n, 8);                                     /* "0 1 2 3\n" */
            assert_int_equal(asked.v[7], '\n');
            assert_memory_equal(hn_buf_str(w->a, &read), "sort ", 5);
        }
    }
    const char *file = hn_path_join(w->a, w->dir, "x.tok");                   /* a token file keeps what is prompt */
    hn_tokens back;
    assert_true(hn_tokens_save(w->a, &d.train, 5, file) && hn_tokens_map(w->a, file, &back));
    for (int64_t i = 0; i < 50; i++) {
        for (int64_t k = 0; k < back.spans[i].n; k++) assert_int_equal(hn_token_learned(&back, back.spans[i].start + k), k >= 13);
        assert_int_equal(back.spans[i].doc, d.train.spans[i].doc);
    }
    assert_false(load(w, "gym:sort:1", 19, &d));
    expect_error(w, HONE_E_VALUE, "longer than the model's context", "at most 19");
}

static hone_model *tiny(world *w, const hn_tokenizer *tok, int64_t context) {
    const hn_arch *arch = (const hn_arch *)hn_kind_find(&hn_kind_arch, "gpt2");
    void *p = hn_alloc(w->a, 1, arch->item.size, 16);
    hn_params_defaults(w->a, arch->item.params, arch->item.n_params, p);
    static const char *const keys[] = { "layers", "1", "heads", "2", "width", "16" };
    const hn_param *row = arch->item.params;
    for (int64_t k = 0; k < arch->item.n_params; k++) {
        for (int64_t i = 0; i < HN_LEN(keys); i += 2)
            if (!strcmp(row[k].name, keys[i])) assert_true(hn_params_set(w->a, &row[k], p, keys[i + 1], keys[i], "test"));
        if (!strcmp(row[k].name, "context")) assert_true(hn_params_set(w->a, &row[k], p, hn_fmt(w->a, "%lld", (long long)context), "context", "test"));
    }
    hone_model *m = hn_model_new(w->a, arch, p, tok->vocab, false);
    assert_non_null(m);
    m->tok = (hn_tokenizer *)tok;
    hn_model_init(m, 3);
    return m;
}

/* The loss of an item is that of its answer given its prompt, as hn_loglik has it, which the standard harness agrees with. */
static void losses_are_of_answers(void **state) {
    world *w = *state;
    hn_dataset d;
    assert_true(load(w, "gym:sort:1", 24, &d));
    hone_model *m = tiny(w, d.tok, 24);
    hn_lm_result r;
    hn_items items = { 0 };
    assert_true(hn_eval_lm(w->a, m, &d.valid, 24, 7, &r, &items));
    assert_int_equal(items.n, 20);
    hn_request q[20];
    for (int64_t i = 0; i < 20; i++) {
        const hn_doc *doc = &d.corpus.docs[d.valid.spans[i].doc];
        const char *text = (const char *)d.corpus.text.p + doc->start;
        int64_t given = d.corpus.own[doc->own].start;
        q[i] = (hn_request){ .context = hn_strndup(w->a, text, given), .continuation = hn_strndup(w->a, text + given, doc->bytes - given), .where = "test" };
    }
    assert_true(hn_loglik(w->a, m, q, 20, 4));
    for (int64_t i = 0; i < 20; i++) {
        assert_int_equal(items.tokens[i], 8);
        assert_int_equal(items.bytes[i], 8);
        assert_near(items.loss[i] * 8, -q[i].loglik, 1e-5);
        assert_int_equal(items.accuracy[i] == 1, q[i].greedy);
    }
}

static void a_pack_is_made_on_the_spot(void **state) {
    world *w = *state;
    hn_dataset d;
    assert_true(load(w, "gym:sort:1", 24, &d));
    hone_model *m = tiny(w, d.tok, 24);
    hn_pack *p = hn_pack_load(w->a, "gym:sort:1", NULL, 12), *again = hn_pack_load(w->a, "gym:sort:1", NULL, 12);
    assert_true(p && again && p->n == 12);
    for (int64_t i = 0; i < 12; i++) assert_string_equal(p->rows.v[i].id, again->rows.v[i].id);
    assert_true(hn_pack_vote(p, 3, 1.0));
    hn_task_result r;
    assert_true(hn_task_run(w->a, p, m, 4, 1, &r));
    assert_int_equal(r.n_scores, 4);                                          /* first and majority × two metrics */
    assert_string_equal(r.score[2].filter, "majority");
    int64_t told = 0;
    for (int64_t i = 0; i < 12; i++) {
        const char *why = r.score[0].metric->m->why(w->a, NULL, &r.score[0].x[i]);
        assert_int_equal(!*why, r.score[0].v[i] == 1);
        told += *why != 0;
    }
    assert_true(told > 0);
    static const char *const wrong[][2] = { { "gym:sort:9", "no level 9" }, { "gym:sort:1*2", "no weight" }, { "gym:sort:1-1@train,5,1", "no weight" } };
    for (int64_t i = 0; i < HN_LEN(wrong); i++) {
        assert_null(hn_pack_load(w->a, wrong[i][0], NULL, 5));
        expect_error(w, HONE_E_VALUE, wrong[i][1], "gym:sort");
    }
    assert_null(hn_pack_load(w->a, "gym:arithmetic:1", NULL, 300));
    expect_error(w, HONE_E_VALUE, "260 questions", "wanted 300");
    p = hn_pack_load(w->a, "gym:sort:4", NULL, 3);
    assert_non_null(p);
    assert_false(hn_task_run(w->a, p, m, 4, 1, &r));
    expect_error(w, HONE_E_VALUE, "longer than the model's context", "gym:sort:4:");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_are_settled, setup, teardown),
        cmocka_unit_test_setup_teardown(training_never_sees_held_out_questions, setup, teardown),
        cmocka_unit_test_setup_teardown(prompts_are_not_predicted, setup, teardown),
        cmocka_unit_test_setup_teardown(losses_are_of_answers, setup, teardown),
        cmocka_unit_test_setup_teardown(a_pack_is_made_on_the_spot, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
