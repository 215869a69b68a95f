/* test_tasks.c - task packs: every item's log-likelihoods and every metric as EleutherAI's harness has them (tests/golden/lm_eval.json, made by
 * tests/oracle/harness.py); packs and items that are wrong are refused with their place. */
#include "box.h"
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "near.h"
#include "eval/task.h"

#define GOLDEN "tests/golden/tasks/"

static json_t *golden(hn_arena *a) {
    json_error_t e;
    json_t *g = hn_json_own(a, json_load_file("tests/golden/lm_eval.json", 0, &e));
    assert_non_null(g);
    return json_object_get(g, "models");
}

static void expect_items(const hn_task_result *r, const json_t *items) {
    size_t at;
    json_t *g;
    json_array_foreach(items, at, g) {
        int64_t i = json_integer_value(json_object_get(g, "doc_id"));
        const char *filter = json_string_value(json_object_get(g, "filter"));
        int64_t set = 0; /* of the filter: generated texts are scored once for each */
        while (json_object_get(g, "generated") && strcmp(r->score[set].filter, filter)) set += r->pack->n_metrics;
        const hn_answer *x = &r->score[set].x[i];
        const json_t *ll = json_object_get(g, "loglikelihoods"), *greedy = json_object_get(g, "is_greedy");
        assert_int_equal(json_array_size(ll), ll ? x->n : 0);
        for (int64_t k = 0; ll && k < x->n; k++) assert_near(x->loglik[k], json_number_value(json_array_get(ll, (size_t)k)), 1e-4);
        for (int64_t k = 0; greedy && k < x->n; k++) assert_int_equal(x->greedy[k], json_is_true(json_array_get(greedy, (size_t)k)));
        if (!json_object_get(g, "generated")) continue;
        assert_string_equal(r->made[i], json_string_value(json_object_get(g, "generated")));
        assert_string_equal(x->text, json_string_value(json_object_get(g, "filtered")));
        assert_near(r->score[set].v[i], json_number_value(json_object_get(g, "exact_match")), 0);
    }
}

static void expect_metrics(hn_arena *a, const hn_task_result *r, const json_t *metrics) {
    for (int64_t k = 0; k < r->n_scores; k++) {
        const hn_task_score *s = &r->score[k];
        const char *key = hn_fmt(a, "%s,%s", s->name, s->filter ? s->filter : "none");
        const json_t *want = json_object_get(metrics, key);
        if (!want) fail_msg("the harness has no %s of %s", key, r->pack->name);
        bool likelihood = strstr(key, "perplexity") || strstr(key, "bits") || strstr(key, "brier");
        assert_near(s->value, json_number_value(want), likelihood ? 1e-4 : 1e-12);
    }
}

static void as_the_harness(void **state) {
    hn_arena *a = ((box *)*state)->a;
    json_t *models = golden(a), *tasks, *want;
    const char *model, *task;
    int64_t seen = 0;
    json_object_foreach(models, model, tasks) {
        hone_model *m = hn_model_load(a, hn_fmt(a, GOLDEN "model_%s", model));
        assert_non_null(m);
        json_object_foreach(tasks, task, want) {
            hn_pack *p = hn_pack_load(a, hn_fmt(a, GOLDEN "%s", task), NULL, 0);
            if (!p) fail_msg("%s", hone_error_message(a->job));
            hn_task_result r;
            if (!hn_task_run(a, p, m, 3, 1, &r)) fail_msg("%s: %s", task, hone_error_message(a->job));
            expect_items(&r, json_object_get(want, "items"));
            expect_metrics(a, &r, json_object_get(want, "metrics"));
            seen++;
        }
    }
    assert_int_equal(seen, 18);
}

/* ---- what is wrong ---- */

static const char good[] = "output_type: multiple_choice\ndata: items.jsonl\ndoc_to_text: \"{{q}}\"\ndoc_to_target: gold\n"
                           "doc_to_choice: [\"yes\", \"no\"]\nid: name\n";
static const char items[] = "{\"name\": \"a\", \"q\": \"Is it?\", \"gold\": 0}\n{\"name\": \"b\", \"q\": \"Was it?\", \"gold\": 1}\n";

static char folder[64];
static hn_pack *load(hn_arena *a, const char *yaml, const char *rows) {
    assert_true(hn_file_write(a, hn_path_join(a, folder, "task.yaml"), yaml, (int64_t)strlen(yaml)));
    assert_true(hn_file_write(a, hn_path_join(a, folder, "items.jsonl"), rows, (int64_t)strlen(rows)));
    return hn_pack_load(a, folder, NULL, 0);
}

static void refused(hn_arena *a, const char *yaml, const char *rows, int status, const char *first, const char *second) {
    if (load(a, yaml, rows)) fail_msg("was taken: %s", yaml);
    const char *said = hone_error_message(a->job);
    if (!strstr(said, first) || !strstr(said, second)) fail_msg("'%s' and '%s' are not in: %s", first, second, said);
    assert_int_equal(hone_code_exit_status(hone_error_code(a->job)), status);
    hone_error_clear(a->job);
}

static const char *edited(hn_arena *a, const char *text, const char *from, const char *to) {
    const char *at = strstr(text, from);
    assert_non_null(at);
    return hn_fmt(a, "%.*s%s%s", (int)(at - text), text, to, at + strlen(from));
}

static void wrong_packs(void **state) {
    hn_arena *a = ((box *)*state)->a;
    strcpy(folder, "/tmp/hone-pack-XXXXXX");
    assert_non_null(mkdtemp(folder));
    if (!load(a, good, items)) fail_msg("%s", hone_error_message(a->job));
    refused(a, edited(a, good, "output_type: multiple_choice\n", ""), items, 2, "output_type", "task.yaml");
    refused(a, edited(a, good, "multiple_choice", "multiple_choices"), items, 2, "multiple_choices", "multiple_choice");
    refused(a, edited(a, good, "doc_to_target: gold\n", ""), items, 2, "doc_to_target", "task.yaml");
    refused(a, edited(a, good, "doc_to_choice: [\"yes\", \"no\"]\n", ""), items, 2, "doc_to_choice", "task.yaml");
    refused(a, edited(a, good, "doc_to_text", "doc_to_txt"), items, 2, "doc_to_txt", "doc_to_text");
    refused(a, edited(a, good, "{{q}}", "{{qq}}"), items, 2, "qq", "task.yaml:3");
    refused(a, edited(a, good, "{{q}}", "{{q"), items, 2, "task.yaml:3", "doc_to_text");
    refused(a, hn_fmt(a, "%smetric_list:\n  - metric: accc\n", good), items, 2, "accc", "acc");
    refused(a, hn_fmt(a, "%smetric_list:\n  - metric: word_perplexity\n", good), items, 2, "word_perplexity", "multiple_choice");
    refused(a, good, edited(a, items, "\"b\"", "\"a\""), 3, "items.jsonl:2", "twice");
    refused(a, good, "", 3, "items.jsonl", "");
    refused(a, good, "{\"name\": \n", 3, "items.jsonl:1", "JSON");
    refused(a, edited(a, good, "items.jsonl", "gone.jsonl"), items, 3, "gone.jsonl", "");
    assert_true(hn_remove_tree(a, folder));
}

/* An answer longer than the model's context is told with its item; nothing is run on. */
static void an_answer_beyond_the_context(void **state) {
    hn_arena *a = ((box *)*state)->a;
    strcpy(folder, "/tmp/hone-pack-XXXXXX");
    assert_non_null(mkdtemp(folder));
    hn_buf rows = { 0 };
    hn_buf_fmt(a, &rows, "{\"name\": \"a\", \"q\": \"Is it?\", \"gold\": 0}\n{\"name\": \"b\", \"q\": \"");
    for (int i = 0; i < 400; i++) hn_buf_fmt(a, &rows, "%d", i);
    hn_buf_fmt(a, &rows, "\", \"gold\": 1}\n");
    hone_model *m = hn_model_load(a, GOLDEN "model_gpt2");
    hn_pack *p = load(a, "output_type: loglikelihood\ndata: items.jsonl\ndoc_to_text: \"x\"\ndoc_to_target: \"{{q}}\"\n", hn_buf_str(a, &rows));
    assert_non_null(m);
    assert_non_null(p);
    hn_task_result r;
    assert_false(hn_task_run(a, p, m, 3, 1, &r));
    assert_non_null(strstr(hone_error_message(a->job), "items.jsonl:2"));
    assert_int_equal(hone_code_exit_status(hone_error_code(a->job)), 3);
    hone_error_clear(a->job);
    assert_true(hn_remove_tree(a, folder));
}

/* McNemar, paired t: two models on the same items; against itself nothing differs. */
static void one_model_against_another(void **state) {
    hn_arena *a = ((box *)*state)->a;
    hone_model *m = hn_model_load(a, GOLDEN "model_gpt2"), *o = hn_model_load(a, GOLDEN "model_llama");
    hn_pack *p = hn_pack_load(a, GOLDEN "piqa", NULL, 0);
    assert_true(m && o && p);
    hn_task_result x, y;
    assert_true(hn_task_run(a, p, m, 16, 1, &x) && hn_task_run(a, p, o, 16, 1, &y));
    hn_task_versus v;
    hn_task_compare(a, &x, &x, 0, 1, &v);
    assert_near(v.difference, 0, 0);
    assert_true(v.p > 0.99);
    hn_task_compare(a, &x, &y, 1, 1, &v);
    assert_near(v.difference, x.score[1].value - y.score[1].value, 1e-12);
    assert_non_null(strstr(v.test, "McNemar"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_the_harness, setup, teardown),
        cmocka_unit_test_setup_teardown(wrong_packs, setup, teardown),
        cmocka_unit_test_setup_teardown(an_answer_beyond_the_context, setup, teardown),
        cmocka_unit_test_setup_teardown(one_model_against_another, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
