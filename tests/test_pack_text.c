/* test_pack_text.c - templates of task packs against Jinja2 as lm-evaluation-harness sets it up (tests/golden/pack_templates.json, made by
 * tests/oracle/pack_templates.py); values that stay values; what is missing or does not fit is told with its places. */
#include "box.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include "eval/template.h"

static const json_t *value(box *b, const char *text, const json_t *fields, const json_t *known) {
    const hn_pack_text t = { .text = text, .key = "doc_to_text", .file = "task.yaml", .line = 3 };
    return hn_pack_text_value(b->a, &t, &(hn_filling){ fields, known, "items.jsonl:7" });
}
static const json_t *json(box *b, const char *text) { return hn_json_parse(b->a, "test", text, (int64_t)strlen(text), HONE_E_DATA); }

static void as_jinja(void **state) {
    box *b = *state;
    hn_bytes file;
    int64_t wrong = 0, refused = 0;
    assert_true(hn_file_read(b->a, "tests/golden/pack_templates.json", 1 << 20, &file));
    const json_t *all = hn_json_parse(b->a, "pack_templates.json", file.p, file.n, HONE_E_DATA), *c;
    size_t i;
    assert_non_null(all);
    json_array_foreach(json_object_get(all, "cases"), i, c) {
        const char *text = json_string_value(json_object_get(c, "template")), *want = json_string_value(json_object_get(c, "text"));
        const json_t *v = value(b, text, json_object_get(all, "fields"), NULL);
        if (!v != !want || (v && strcmp(want, hn_value_text(b->a, v)))) {
            wrong++;
            print_message("%s\n--- wanted\n%s\n--- got\n%s\n", text, want ? want : "a refusal",
                          v ? hn_value_text(b->a, v) : hone_error_message(b->job));
        }
        if (!v) refused++;
        assert_true(v || strstr(hone_error_message(b->job), "task.yaml:3"));
        hone_error_clear(b->job);
    }
    print_message("%zu cases, %lld of them refusals; %lld differ\n", i, (long long)refused, (long long)wrong);
    assert_int_equal(wrong, 0);
    assert_true(i >= 90 && refused >= 30);
}

/* A template that is one expression, or a field's name, is a value of its kind. */
static void values_stay_values(void **state) {
    box *b = *state;
    const json_t *fields = json(b, "{\"n\":3,\"l\":[\"a\",{\"k\":[1.5,null,true]}],\"t\":\"a\",\"two words\":5}");
    static const char *const v[][2] = {
        { "n", "3" },
        { "two words", "5" },
        { "{{n}}", "3" },
        { "{{ n + 1 }}", "4" },
        { "{{- n -}}", "3" },
        { "{{n}}\n", "\"3\\n\"" },
        { " {{n}}", "\" 3\"" },
        { "{{l}}", "[\"a\",{\"k\":[1.5,null,true]}]" },
        { "{{l[1].k}}", "[1.5,null,true]" },
        { "{{l[1].items()|list}}", "[[\"k\",[1.5,null,true]]]" },
        { "{{t == 'a'}}", "true" },
        { "{{none}}", "null" },
        { "{{ {'a': n, 2: t} }}", "{\"a\":3,\"2\":\"a\"}" },
        { "{{ 'x' if false }}", "\"\"" },
        { "{{ 1e300 * 1e300 }}", "\"inf\"" },
        { "{{ 1, t }}", "[1,\"a\"]" },
        { "t t", "\"t t\"" },
        { "", "\"\"" },
    };
    for (int64_t i = 0; i < HN_LEN(v); i++) {
        const json_t *got = value(b, v[i][0], fields, NULL);
        json_error_t e;
        if (!got) fail_msg("%s: %s", v[i][0], hone_error_message(b->job));
        const json_t *want = hn_json_own(b->a, json_loads(v[i][1], JSON_DECODE_ANY, &e));
        if (!json_equal(got, want)) fail_msg("%s gave %s", v[i][0], json_dumps(got, JSON_ENCODE_ANY));
    }
    assert_ptr_equal(value(b, "l", fields, NULL), json_object_get(fields, "l"));
}

static void places(void **state) {
    box *b = *state;
    const json_t *fields = json(b, "{\"question\":\"why\",\"o\":{\"label\":1},\"l\":[1]}"),
                 *known = json(b, "{\"question\":0,\"hint\":0,\"o\":0,\"l\":0}");
    static const struct {
        const char *text;
        hone_code code;
        const char *said[3];
    } v[] = {
        { "{{ questoin }}", HONE_E_KEY, { "task.yaml:3", "'questoin'", "Did you mean 'question'?" } },
        { "a {{ o.labl }}", HONE_E_KEY, { "task.yaml:3", "'labl'", "Did you mean 'label'?" } },
        { "{{ o['labl'] }}", HONE_E_KEY, { "task.yaml:3", "'labl'", "label" } },
        { "{{ hint }}", HONE_E_DATA, { "items.jsonl:7", "'hint'", "task.yaml:3" } },
        { "hint", HONE_E_DATA, { "items.jsonl:7", "'hint'", "task.yaml:3" } },
        { "{{ l[1] }}", HONE_E_DATA, { "items.jsonl:7", "item 1 of a list of 1", "task.yaml:3" } },
        { "{{ l.index(2) }}", HONE_E_DATA, { "items.jsonl:7", "index", "task.yaml:3" } },
        { "{{ question + 1 }}", HONE_E_DATA, { "items.jsonl:7", "a text and a number", "task.yaml:3" } },
        { "a\n{{ question + 1 }}", HONE_E_DATA, { "items.jsonl:7", "a text and a number", "task.yaml:3, in its line 2" } },
        { "{{ question ", HONE_E_VALUE, { "task.yaml:3", "doc_to_text", "}}" } },
        { "{{ question | joim }}", HONE_E_VALUE, { "task.yaml:3", "'joim'", "Did you mean 'join'?" } },
        { "a\nb {% if %}", HONE_E_VALUE, { "task.yaml:3", "line 2", "a value" } },
        { "{{ question | tojson }}", HONE_E_VALUE, { "task.yaml:3", "'tojson'", "" } },
        { "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", HONE_E_DATA, { "items.jsonl:7", "MiB", "" } },
        { "{% set x = range(3000) | list %}{% for i in x %}{% if x != x %}{% endif %}{% endfor %}",
          HONE_E_DATA,
          { "items.jsonl:7", "does not end", "" } },
        { "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}", HONE_E_DATA, { "items.jsonl:7", "too deep", "" } },
        { "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
          HONE_E_DATA,
          { "items.jsonl:7", "MiB", "" } },
    };
    for (int64_t i = 0; i < HN_LEN(v); i++) {
        if (value(b, v[i].text, fields, known)) fail_msg("was taken: %s", v[i].text);
        for (int64_t k = 0; k < 3; k++)
            if (!strstr(hone_error_message(b->job), v[i].said[k]))
                fail_msg("%s: '%s' is not in: %s", v[i].text, v[i].said[k], hone_error_message(b->job));
        assert_int_equal(hone_error_code(b->job), v[i].code);
        hone_error_clear(b->job);
    }
}

/* As deep as JSON goes, a value is still written. */
static void deep_values(void **state) {
    box *b = *state;
    hn_buf deep = { 0 };
    for (int i = 0; i < 2000; i++) hn_buf_put(b->a, &deep, "[", 1);
    for (int i = 0; i < 2000; i++) hn_buf_put(b->a, &deep, "]", 1);
    const char *text = hn_buf_str(b->a, &deep);
    const json_t *fields = hn_json_own(b->a, json_pack("{sO}", "x", json(b, text)));
    assert_string_equal(hn_value_text(b->a, json_object_get(fields, "x")), text);
    const json_t *v = value(b, "{{x}}", fields, NULL);
    assert_non_null(v);
    assert_string_equal(hn_value_text(b->a, v), text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(as_jinja, setup, teardown),
        cmocka_unit_test_setup_teardown(values_stay_values, setup, teardown),
        cmocka_unit_test_setup_teardown(places, setup, teardown),
        cmocka_unit_test_setup_teardown(deep_values, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
