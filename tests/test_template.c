/* test_template.c - chat templates against Jinja2 as transformers sets it up; what is refused, where, and that nothing runs on. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "data/chat/chat.h"
#include "box.h"

#define DIR "tests/golden/chat"

static hn_template *read_template(box *b, const char *name) {
    hn_bytes text;
    assert_true(hn_file_read(b->a, hn_fmt(b->a, DIR "/%s", name), 1 << 20, &text));
    hn_template *t = hn_template_parse(b->a, &hn_chat_rules, name, (const char *)text.p, text.n);
    if (!t) fail_msg("%s", hone_error_message(b->job));
    return t;
}

static void as_jinja(void **state) {
    box *b = *state;
    hn_bytes file;
    int64_t n = 0, wrong = 0, refused = 0, marked = 0;
    assert_true(hn_file_read(b->a, DIR "/chat.json", 1 << 24, &file));
    json_t *cases = hn_json_parse(b->a, "chat.json", file.p, file.n, HONE_E_DATA), *c;
    size_t i;
    assert_non_null(cases);
    json_array_foreach(cases, i, c) {
        const char *name = json_string_value(json_object_get(c, "template")), *talk = json_string_value(json_object_get(c, "talk"));
        const char *want = json_string_value(json_object_get(c, "text"));
        const json_t *marks = json_object_get(c, "marked");
        hn_template *t = read_template(b, name);
        hn_rendered got;
        bool ok = hn_template_render(b->a, t, json_object_get(c, "vars"), -1, &got);
        n++;
        if (ok != (want != NULL) || (ok && strcmp(want, got.text))) {
            wrong++;
            print_message("%s, %s:\n--- wanted\n%s\n--- got\n%s\n", name, talk, want ? want : "a refusal",
                          ok ? got.text : hone_error_message(b->job));
        }
        if (!ok) {
            refused++;
            assert_int_equal(hone_error_code(b->job), HONE_E_DATA);
            assert_non_null(strstr(hone_error_message(b->job), name));
        }
        assert_true(hn_template_marks(t) == (marks != NULL) || !want);
        for (size_t k = 0; ok && marks && k < json_array_size(marks); k++, marked++) {
            assert_true((int64_t)k < got.marked.n);
            assert_int_equal(got.marked.v[k].start, json_integer_value(json_array_get(json_array_get(marks, k), 0)));
            assert_int_equal(got.marked.v[k].bytes, json_integer_value(json_array_get(json_array_get(marks, k), 1)));
        }
        hone_error_clear(b->job);
    }
    print_message("%lld cases, %lld of them refusals, %lld marked ranges; %lld differ\n", (long long)n, (long long)refused,
                  (long long)marked, (long long)wrong);
    assert_int_equal(wrong, 0);
    assert_true(n >= 170 && refused >= 30 && marked >= 8);
}

static bool render(box *b, const char *text, const char *vars, double now, hn_rendered *out) {
    hn_template *t = hn_template_parse(b->a, &hn_chat_rules, "t.jinja", text, (int64_t)strlen(text));
    return t && hn_template_render(b->a, t, hn_json_parse(b->a, "vars", vars, (int64_t)strlen(vars), HONE_E_DATA), now, out);
}

/* What is outside of the subset: the line is named, before anything is rendered. */
static void outside(void **state) {
    box *b = *state;
    static const struct {
        const char *text, *where, *what;
    } v[] = {
        { "a\n{% include 'x' %}", "t.jinja:2", "'include'" },
        { "{{ x | frobnicate }}", "t.jinja:1", "'frobnicate'" },
        { "\n\n{{ x is wonderful }}", "t.jinja:3", "'wonderful'" },
        { "{% for x in y recursive %}{% endfor %}", "t.jinja:1", "recursive" },
        { "{% raw %}{{ x }}{% endraw %}", "t.jinja:1", "'raw'" },
        { "{% block a %}{% endblock %}", "t.jinja:1", "'block'" },
        { "{% if x %}", "t.jinja:1", "endif" },
        { "{{ 'abc }}", "t.jinja:1", "without end" },
        { "{{ a b }}", "t.jinja:1", "'b'" },
        { "{# no end", "t.jinja:1", "comment" },
        { "{{ x", "t.jinja:1", "without end" },
        { "{% endfor %}", "t.jinja:1", "'endfor'" },
        { "{{ f(*a) }}", "t.jinja:1", "by *" },
        { "{{ 1 $ 2 }}", "t.jinja:1", "'$'" },
        { "{{ 99999999999999999999 }}", "t.jinja:1", "too large" },
    };
    for (int64_t i = 0; i < HN_LEN(v); i++) {
        if (hn_template_parse(b->a, &hn_chat_rules, "t.jinja", v[i].text, (int64_t)strlen(v[i].text))) fail_msg("accepted: %s", v[i].text);
        assert_int_equal(hone_error_code(b->job), HONE_E_MODEL);
        if (!strstr(hone_error_message(b->job), v[i].where) || !strstr(hone_error_message(b->job), v[i].what))
            fail_msg("'%s' or '%s' is not in: %s", v[i].where, v[i].what, hone_error_message(b->job));
        hone_error_clear(b->job);
    }
}

/* Nothing that a template says makes it go on for ever, or fills the memory. */
static void bounded(void **state) {
    box *b = *state;
    hn_buf deep = { 0 };
    for (int i = 0; i < 5000; i++) hn_buf_put(b->a, &deep, i ? "(" : "{{(", i ? 1 : 3);
    static const char *const v[] = {
        "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}",
        "{% set ns = namespace(x='aaaaaaaaaaaaaaaa') %}{% for i in range(60) %}{% set ns.x = ns.x ~ ns.x %}{% endfor %}",
        "{% set ns = namespace(x=[1]) %}{% for i in range(60) %}{% set ns.x = ns.x + ns.x %}{% endfor %}",
        "{{ range(10000000000) }}",
        "{{ 'a' * 99999999999 }}",
        "{% for i in range(99999) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' * 99 }}{% endfor %}",
        "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}",
        "{{ 1 // 0 }}",
        "{{ 9223372036854775807 + 1 }}",
        "{{ x.y }}",
        "{{ none + 1 }}",
        "{{ raise_exception('so it says') }}",
        "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns.me | tojson }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x == ns.x }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x < ns.x }}",
        "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
        "{{ 2 ** 64 }}",
        "{{ 'a'.format(1) }}",
        "{{ [].append(1) }}",
        "{{ m.__class__ }}{{ m.__class__.__mro__ }}",
        "{{ strftime_now('%Y') }}",
    };
    for (int64_t i = 0; i <= HN_LEN(v); i++) {
        hn_rendered out;
        const char *text = i < HN_LEN(v) ? v[i] : hn_buf_str(b->a, &deep);
        if (render(b, text, "{\"m\":{\"a\":1}}", -1, &out)) fail_msg("rendered: %s", text);
        assert_true(hone_error_code(b->job) == HONE_E_DATA || (i == HN_LEN(v) && hone_error_code(b->job) == HONE_E_MODEL));
        if (strstr(text, "so it says")) assert_non_null(strstr(hone_error_message(b->job), "so it says"));
        hone_error_clear(b->job);
    }
}

static void clock_and_white_space(void **state) {
    box *b = *state;
    hn_rendered out;
    assert_true(render(b, "{{ strftime_now('%d %b %Y') }}", "{}", 1721952000, &out));
    assert_string_equal(out.text, "26 Jul 2024");
    static const char *const v[][2] = {
        /* by Jinja2 3.1 with trim_blocks and lstrip_blocks */
        { "  {% if true %}\n  a\n  {% endif %}\n\n", "  a\n" },
        { "x {% if true %} y {% endif %}\nz", "x  y z" },
        { "  {{ 1 }}\n{{ 2 }}\n", "  1\n2" },
        { "a\r\n{%- if true %}\r\nb{% endif %}", "ab" },
        { "  {%+ if true +%}\nb{% endif %}", "  \nb" },
        { "a {#- c -#}\n b {# c #}\n", "ab " },
        /* numbers and words, by Jinja2 as well */
        { "{{ 7 | round }} {{ 1.115 | round(2) }} {{ 1.21 | round(1, 'ceil') }}", "7 1.11 1.3" },
        { "{{ \"they're here\" | title }} {{ \"they're\".title() }}", "They're Here They'Re" },
        { "{{ 1e15 }} {{ 2 ** 62 }} {{ 9007199254740993 == 9007199254740992 }} {{ [7, 8].1 }}", "1000000000000000.0 4611686018427387904 False 8" },
    };
    for (int64_t i = 0; i < HN_LEN(v); i++) {
        if (!render(b, v[i][0], "{}", -1, &out)) fail_msg("%s", hone_error_message(b->job));
        assert_string_equal(out.text, v[i][1]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = { cmocka_unit_test_setup_teardown(as_jinja, setup, teardown),
                                        cmocka_unit_test_setup_teardown(outside, setup, teardown),
                                        cmocka_unit_test_setup_teardown(bounded, setup, teardown),
                                        cmocka_unit_test_setup_teardown(clock_and_white_space, setup, teardown) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
