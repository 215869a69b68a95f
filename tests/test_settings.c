/* test_settings.c - rows, sections, variants, recipes: values, what is refused and in which words, writing and reading back. */
#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

typedef struct top {
    const char *out;
    uint64_t seed;
} top;
typedef struct net {
    const char *path, *arch;
    int64_t layers;
} net;
typedef struct work {
    int64_t steps, any;
    double clip;
    float rate;
    bool on;
    const char *order;
    hn_strs files, levers;
    const char *note;
} work;
typedef struct opt {
    const char *name;
} opt;
typedef struct sgd {
    double lr, momentum;
} sgd;
typedef struct adam {
    double lr;
    float beta;
} adam;

static const hn_param sgd_rows[] = { HN_PARAM(sgd, lr, .def = "0.1", .min = 0, .max = 10),
                                     HN_PARAM(sgd, momentum, .def = "0", .min = 0, .max = 1) };
static const hn_param adam_rows[] = { HN_PARAM(adam, lr, .def = "1e-3", .min = 0, .max = 1),
                                      HN_PARAM(adam, beta, .def = "0.9", .min = 0, .max = 1) };
static const hn_item sgd_item = { "sgd", "plain", NULL, sgd_rows, 2, sizeof(sgd) },
                     adam_item = { "adam", "moments", NULL, adam_rows, 2, sizeof(adam) };
static const hn_item none_item = { "none", "no rows", NULL, NULL, 0, 0 };
static const hn_item *const items[] = { &sgd_item, &adam_item, &none_item };
static const hn_kind kind = { "opt", "optimizers", items, 3 };

static const hn_param top_rows[] = { HN_PARAM(top, out), HN_PARAM(top, seed, .def = "1") };
static const hn_param net_rows[] = { HN_PARAM(net, path), HN_PARAM(net, arch, .def = "gpt"),
                                     HN_PARAM(net, layers, .def = "4", .min = 1, .max = 64, .doc = "blocks") };
static const hn_param work_rows[] = {
    HN_PARAM(work, steps, .def = "100", .min = 1, .max = 1e9),
    HN_PARAM(work, any),
    HN_PARAM(work, clip, .def = "1", .min = 0),
    HN_PARAM(work, rate, .def = "0.001", .min = 0, .max = 1),
    HN_PARAM(work, on, .def = "true"),
    HN_PARAM(work, order, .def = "random", .choices = "random|epochs"),
    HN_PARAM(work, files),
    HN_PARAM(work, levers, .def = "sgd,adam", .kind = &kind),
    HN_PARAM(work, note, .required = true, .doc = "a word"),
};
static const hn_param opt_rows[] = { HN_PARAM(opt, name, .def = "adam", .kind = &kind) };
static const hn_section top_sec = HN_SECTION("", "top", top, top_rows);
static const hn_section net_sec = HN_SECTION("model", "net", net, net_rows, .scalar = "path");
static const hn_section work_sec = HN_SECTION("train", "work", work, work_rows);
static const hn_section opt_sec = HN_SECTION("optim", "opt", opt, opt_rows, .variant = "name");
static const hn_section *const sections[] = { &top_sec, &net_sec, &work_sec, &opt_sec };

static hone_job *job;
static hn_arena *a;
static hn_settings *s;

static int setup(void **state) {
    (void)state;
    job = hone_open(NULL);
    a = hn_job_arena(job);
    s = hn_settings_new(a, sections, HN_LEN(sections));
    return 0;
}
static int teardown(void **state) {
    (void)state;
    hone_close(job);
    return 0;
}
static bool yaml(const char *text) { return hn_settings_yaml(s, a, "r.yaml", (hn_bytes){ (const uint8_t *)text, (int64_t)strlen(text) }); }
static const char *value(const char *key) { return hn_settings_value(a, s, key); }

static void refused(bool ok, hone_code code, const char *const *words) {
    assert_false(ok);
    assert_string_equal(hone_code_name(hone_error_code(job)), hone_code_name(code));
    for (; *words; words++)
        if (!strstr(hone_error_message(job), *words)) fail_msg("'%s' is not in: %s", *words, hone_error_message(job));
    hone_error_clear(job);
}
#define REFUSED(call, code, ...) refused(call, code, (const char *const[]){ __VA_ARGS__, NULL })

static void test_defaults(void **state) {
    const work *w = hn_settings_get(s, "train");
    const hn_item *item;
    const adam *v = hn_settings_variant(s, "optim", &item);
    assert_int_equal(w->steps, 100);
    assert_true(w->on);
    assert_string_equal(w->order, "random");
    assert_int_equal(w->files.n, 0);
    assert_int_equal(w->levers.n, 2);
    assert_string_equal(item->name, "adam");
    assert_true(v->lr == 1e-3 && v->beta == 0.9f);
    assert_false(hn_settings_is_set(s, "train.steps"));
    assert_null(value("train.nothing"));
}

static void test_recipe(void **state) {
    assert_true(yaml(
        "# a recipe\nseed: 18446744073709551615\nmodel: some/dir\ntrain:\n  steps: 1_000\n  clip: 2.5e-1\n  on: no\n  files: [a, 'b,c']\n"
        "  note: \"x: y\"\noptim: {momentum: 0.5, name: sgd}\ntrain.any: -3\n"));
    const work *w = hn_settings_get(s, "train");
    const hn_item *item;
    const sgd *v = hn_settings_variant(s, "optim", &item);
    assert_int_equal(w->steps, 1000);
    assert_int_equal(w->any, -3);
    assert_true(w->clip == 0.25 && !w->on);
    assert_int_equal(w->files.n, 2);
    assert_string_equal(w->files.v[1], "b,c");
    assert_string_equal(w->note, "x: y");
    assert_string_equal(item->name, "sgd");
    assert_true(v->momentum == 0.5 && v->lr == 0.1);
    assert_string_equal(value("model.path"), "some/dir");
    assert_true(((const top *)hn_settings_get(s, ""))->seed == UINT64_MAX);
    assert_true(hn_settings_is_set(s, "optim.momentum") && !hn_settings_is_set(s, "optim.lr"));
}

static void test_nothing_said(void **state) {
    assert_true(yaml(""));
    assert_true(yaml("# only a comment\n"));
    assert_true(yaml("train:\noptim: {}\n"));
    assert_true(yaml("train: {steps: 7}\n") && !strcmp(value("train.steps"), "7"));
    assert_true(yaml("train: {steps: ~}\n"));
    assert_string_equal(value("train.steps"), "100");
    assert_false(hn_settings_is_set(s, "train.steps"));
    assert_true(yaml("\xEF\xBB\xBFseed: 3\n") && !strcmp(value("seed"), "3"));
}

static void test_unknown_keys(void **state) {
    REFUSED(yaml("seed: 1\nmodle:\n  layers: 3\n"), HONE_E_KEY, "r.yaml:3", "'modle.layers'", "Did you mean 'model.layers'?");
    REFUSED(yaml("train:\n  stesp: 3\n"), HONE_E_KEY, "r.yaml:2", "'train.stesp'", "'train.steps'");
    REFUSED(yaml("train:\n  quite_something_else: 3\n"), HONE_E_KEY, "Keys of 'train'", "steps", "clip");
    REFUSED(yaml("nonsense: 3\n"), HONE_E_KEY, "Sections:", "model train optim");
    REFUSED(yaml("optim: {momentum: 1}\n"), HONE_E_KEY, "'optim.momentum'", "optim.name=sgd", "adam is chosen");
    REFUSED(yaml("train: {steps: {a: 1}}\n"), HONE_E_VALUE, "'train.steps'", "r.yaml:1");
    REFUSED(hn_settings_set(s, a, "trian.steps", "1", "command line"), HONE_E_KEY, "command line", "'train.steps'");
    REFUSED(hn_settings_set(s, a, "train", "1", "command line"), HONE_E_VALUE, "'train' is a section");
    REFUSED(yaml("train: 3\n"), HONE_E_VALUE, "'train' is a section");
}

static void test_values_refused(void **state) {
    REFUSED(yaml("train:\n  steps: many\n"), HONE_E_VALUE, "r.yaml:2", "'train.steps'", "an integer, 1 … 1", "'many'");
    REFUSED(yaml("train: {steps: 0}\n"), HONE_E_VALUE, "out of bounds", "found '0'");
    REFUSED(yaml("train: {steps: 1e3}\n"), HONE_E_VALUE, "not an integer");
    REFUSED(yaml("train: {steps: 1__0}\n"), HONE_E_VALUE, "not an integer");
    REFUSED(yaml("train: {steps: 99999999999999999999}\n"), HONE_E_VALUE, "not an integer");
    REFUSED(yaml("train: {steps: [1, 2]}\n"), HONE_E_VALUE, "a list");
    REFUSED(yaml("train: {clip: nan}\n"), HONE_E_VALUE, "not a number");
    REFUSED(yaml("train: {rate: 1.5}\n"), HONE_E_VALUE, "0 … 1");
    REFUSED(yaml("train: {on: maybe}\n"), HONE_E_VALUE, "true|false");
    REFUSED(yaml("train: {order: epoch}\n"), HONE_E_VALUE, "random|epochs", "Did you mean 'epochs'?");
    REFUSED(yaml("optim: {name: adma}\n"), HONE_E_VALUE, "sgd|adam|none", "Did you mean 'adam'?");
    REFUSED(yaml("train: {levers: [adam, sdg]}\n"), HONE_E_VALUE, "'sdg'", "Did you mean 'sgd'?");
    REFUSED(yaml("train: {files: [a, '']}\n"), HONE_E_VALUE, "item 2 is empty");
    REFUSED(yaml("train: {files: [a, [b]]}\n"), HONE_E_VALUE, "holds more than texts");
    REFUSED(yaml("seed: -1\n"), HONE_E_VALUE, "'seed'", "0 … 18446744073709551615");
    REFUSED(hn_settings_set(s, a, "train.note", "\xff", "command line"), HONE_E_VALUE, "UTF-8");
    assert_string_equal(value("train.steps"), "100");
    REFUSED(hn_settings_check(s, a), HONE_E_VALUE, "'train.note' is missing", "a word", "train.note=");
    assert_true(hn_settings_set(s, a, "train.note", "x", "command line") && hn_settings_check(s, a));
}

static void test_broken_yaml(void **state) {
    REFUSED(yaml("train:\n  steps: [1, 2\n"), HONE_E_SYNTAX, "r.yaml:3:1", "broken YAML");
    REFUSED(yaml("train:\n\tsteps: 1\n"), HONE_E_SYNTAX, "r.yaml:2:1");
    REFUSED(yaml("a: &x 1\nb: *x\n"), HONE_E_SYNTAX, "r.yaml:1:4", "anchors");
    REFUSED(yaml("seed: !!int 1\n"), HONE_E_SYNTAX, "r.yaml:1:7", "tags");
    REFUSED(yaml("seed: 1\nseed: 2\n"), HONE_E_SYNTAX, "r.yaml:2:1", "'seed' stands twice", "line 1");
    REFUSED(yaml("train: {steps: 1}\ntrain.steps: 2\n"), HONE_E_KEY, "r.yaml:2", "'train.steps' stands twice");
    REFUSED(yaml("? [a]\n: 1\n"), HONE_E_SYNTAX, "a key must be a word");
    REFUSED(yaml("seed: 1\n---\nseed: 2\n"), HONE_E_SYNTAX, "second document");
    REFUSED(yaml("- 1\n- 2\n"), HONE_E_SYNTAX, "key: value", "a list");
    REFUSED(yaml("just words\n"), HONE_E_SYNTAX, "one text");
    REFUSED(yaml("model: \"a\\0b\"\n"), HONE_E_SYNTAX, "zero byte");
    REFUSED(yaml("model: \xC3(\n"), HONE_E_SYNTAX, "r.yaml");
    REFUSED(yaml("a: [[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]\n"), HONE_E_SYNTAX, "too deeply");
    char *big = hn_alloc(a, (1 << 20) + 8, 1, 1);
    memset(big, '#', (1 << 20) + 7);
    REFUSED(yaml(big), HONE_E_SYNTAX, "1 MiB");
    REFUSED(hn_settings_yaml_file(s, a, "no/such/recipe.yaml"), HONE_E_USAGE, "no/such/recipe.yaml");
}

static void test_variant_changes(void **state) {
    assert_true(hn_settings_set(s, a, "optim.lr", "0.5", "command line"));
    assert_true(hn_settings_set(s, a, "optim.name", "sgd", "command line"));
    const hn_item *item;
    const sgd *v = hn_settings_variant(s, "optim", &item);
    assert_true(v->lr == 0.5 && v->momentum == 0); /* given: kept */
    assert_true(hn_settings_set(s, a, "optim.lr", "5", "command line"));
    REFUSED(hn_settings_set(s, a, "optim.name", "adam", "command line"), HONE_E_VALUE, "'optim.lr'", "0 … 1");
    assert_true(hn_settings_set(s, a, "optim.name", "none", "command line"));
    assert_null(hn_settings_variant(s, "optim", &item));
    assert_string_equal(item->name, "none");
    assert_true(hn_settings_set(s, a, "optim.name", "adam", "command line"));
    assert_string_equal(value("optim.lr"), "0.001"); /* the default of its own again */
    assert_true(hn_settings_selects(s, "optim.name") && !hn_settings_selects(s, "optim.lr"));
}

static void test_writes_itself(void **state) {
    static const char *const hard[] = { "",
                                        "null",
                                        "~",
                                        "true",
                                        "12",
                                        "a: b",
                                        "- x",
                                        "# no",
                                        " lead",
                                        "trail ",
                                        "tab\there",
                                        "line\nbreak",
                                        "q\"uote",
                                        "back\\slash",
                                        "\xE2\x80\xA8",
                                        "\xC2\x85",
                                        "\x7F",
                                        "caf\xC3\xA9",
                                        "...",
                                        "---",
                                        "[a]",
                                        "{a}",
                                        "*x",
                                        "&x",
                                        "%",
                                        "@",
                                        "`",
                                        "0x1F",
                                        "\xF0\x9F\x98\x80",
                                        "\xEF\xBB\xBF" };
    assert_true(hn_settings_set(s, a, "train.rate", "0.1", "t") && hn_settings_set(s, a, "train.clip", "0.30000000000000004", "t"));
    assert_true(hn_settings_set(s, a, "train.files", "a,b\\,c,d\\\\e, f ,~", "t") && hn_settings_set(s, a, "optim.name", "sgd", "t"));
    for (int64_t i = 0; i < HN_LEN(hard); i++) {
        assert_true(hn_settings_set(s, a, "train.note", hard[i], "t") && hn_settings_set(s, a, "out", hard[i], "t"));
        const char *text = hn_settings_write_yaml(a, s);
        hn_settings *r = hn_settings_new(a, sections, HN_LEN(sections));
        if (!hn_settings_yaml(r, a, "written", (hn_bytes){ (const uint8_t *)text, (int64_t)strlen(text) }))
            fail_msg("%s\n%s", hone_error_message(job), text);
        assert_string_equal(hn_settings_value(a, r, "train.note"), hard[i]);
        assert_string_equal(hn_settings_write_yaml(a, r), text);
        const work *w = hn_settings_get(r, "train");
        assert_true(w->rate == 0.1f && w->clip == 0.1 + 0.2);
        assert_int_equal(w->files.n, 5);
        assert_string_equal(w->files.v[1], "b,c");
        assert_string_equal(w->files.v[2], "d\\e");
    }
    json_t *j = hn_settings_json(a, s);
    assert_true(json_real_value(json_object_get(json_object_get(j, "train"), "rate")) == 0.1);
    assert_string_equal(json_string_value(json_object_get(json_object_get(j, "optim"), "name")), "sgd");
    assert_int_equal(json_array_size(json_object_get(json_object_get(j, "train"), "files")), 5);
}

/* What a recipe says counts as given, also at its default; a preset counts as defaults. */
static void test_given_or_not(void **state) {
    assert_true(yaml("train: {steps: 100, rate: 0.5, files: []}\noptim: {name: sgd, lr: 0.1, momentum: 0.5}\n"));
    assert_true(hn_settings_is_set(s, "train.steps") && hn_settings_is_set(s, "optim.lr"));
    hn_settings_as_defaults(s);
    assert_false(hn_settings_is_set(s, "train.rate") || hn_settings_is_set(s, "optim.name") || hn_settings_is_set(s, "optim.momentum"));
    assert_string_equal(value("optim.momentum"), "0.5");
    hn_settings_keep(s, 2);
    assert_null(value("train.steps"));
    assert_string_equal(value("model.layers"), "4");
}

static void test_clone_is_deep(void **state) {
    assert_true(hn_settings_set(s, a, "train.files", "a,b", "t") && hn_settings_set(s, a, "optim.lr", "0.25", "t"));
    hn_arena *other = hn_arena_new(a);
    hn_settings *c = hn_settings_clone(other, s);
    assert_true(hn_settings_set(c, a, "train.files", "z", "t") && hn_settings_set(c, a, "optim.name", "sgd", "t"));
    assert_string_equal(value("train.files"), "a,b");
    assert_string_equal(value("optim.name"), "adam");
    assert_string_equal(hn_settings_value(a, c, "optim.lr"), "0.25");
    assert_true(hn_settings_is_set(c, "optim.lr"));
    const char *before = hn_settings_write_yaml(a, s);
    hn_arena_free(other);
    assert_string_equal(hn_settings_write_yaml(a, s), before);
}

static void test_ranges(void **state) {
    assert_string_equal(hn_param_range(a, &work_rows[1]), "any integer");
    assert_string_equal(hn_param_range(a, &net_rows[2]), "1 … 64");
    assert_string_equal(hn_param_range(a, &work_rows[5]), "random|epochs");
    assert_string_equal(hn_param_range(a, &work_rows[7]), "list of sgd|adam|none");
    const hn_param least = { .name = "x", .type = HN_INT, .min = 2 };
    assert_string_equal(hn_param_range(a, &least), "≥ 2");
    int64_t x = 0;
    assert_true(hn_params_set(a, &least, &x, "99", "x", "t"));
    REFUSED(hn_params_set(a, &least, &x, "1", "--x", "command line"), HONE_E_VALUE, "--x", "≥ 2");
    assert_int_equal(x, 99);
}

/* Every allocation of reading a recipe fails once: no leak (the sanitizer looks), memory named as the cause. */
static bool read_all(void *arg) {
    (void)arg;
    hn_settings *t = hn_settings_new(a, sections, HN_LEN(sections));
    const char *text = "train: {steps: 3, files: [a, b]}\noptim: {name: sgd, lr: 0.2}\nmodle: 1\n";
    return hn_settings_yaml(t, a, "r", (hn_bytes){ (const uint8_t *)text, (int64_t)strlen(text) });
}
static void test_memory_refused(void **state) {
    for (int64_t n = 1; n < 200; n++) {
        hn_fault_set(HN_FAULT_ALLOC, n);
        bool ok = hn_try(job, read_all, NULL);
        hn_fault_set(HN_FAULT_ALLOC, 0);
        assert_false(ok);
        hone_code code = hone_error_code(job);
        assert_true(code == HONE_E_MEMORY || code == HONE_E_KEY);
        hone_error_clear(job);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void) {
    const struct CMUnitTest tests[] = { T(test_defaults),       T(test_recipe),      T(test_nothing_said),    T(test_unknown_keys),
                                        T(test_values_refused), T(test_broken_yaml), T(test_variant_changes), T(test_writes_itself),
                                        T(test_given_or_not), T(test_clone_is_deep),  T(test_ranges),      T(test_memory_refused) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
