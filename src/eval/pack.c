/* pack.c - task.yaml into a hn_pack: the keys, their metrics and filters. What the harness knows and hone does not need (where a data set
 * lies on the hub, tags, versions) is read over; what would need code is refused by the YAML reader, which takes no tags (!function). */
#include "eval/task.h"

static const hn_param rows[] = {
    HN_PARAM(hn_pack_params, task, .doc = "name in results; the folder's where none is given"),
    HN_PARAM(hn_pack_params, output_type, .kind = &hn_kind_task, .required = true, .doc = "what is asked of the model"),
    HN_PARAM(hn_pack_params, description, .doc = "text before everything"),
    HN_PARAM(hn_pack_params, doc_to_text, .doc = "template of the prompt; a number: the choice that is right, choices being prompts"),
    HN_PARAM(hn_pack_params, doc_to_target, .doc = "template of the answer, or of the number of the right choice"),
    HN_PARAM(hn_pack_params, target_delimiter, .def = " ", .doc = "between prompt and answer"),
    HN_PARAM(hn_pack_params, fewshot_delimiter, .def = "\n\n", .doc = "behind each example"),
    HN_PARAM(hn_pack_params, gen_prefix, .doc = "template of a beginning of the answer"),
    HN_PARAM(hn_pack_params, data, .doc = "file of items, beside task.yaml"),
    HN_PARAM(hn_pack_params, fewshot_data, .doc = "file that examples are drawn from; none: the items but the one asked"),
    HN_PARAM(hn_pack_params, id, .doc = "field that names an item; twice the same is refused"),
    HN_PARAM(hn_pack_params, cluster, .doc = "field whose equal values belong together: the standard error is clustered by it"),
    HN_PARAM(hn_pack_params, columns, .doc = "names of a table's columns that has no head"),
    HN_PARAM(hn_pack_params, num_fewshot, .def = "0", .min = 0, .max = 1000, .doc = "examples before each item"),
    HN_PARAM(hn_pack_params, repeats, .def = "1", .min = 1, .max = 1000, .doc = "answers generated for an item, for majority_vote"),
};
static const hn_param generation[] = {
    HN_PARAM(hn_generation_params, until, .doc = "texts that end an answer"),
    HN_PARAM(hn_generation_params, max_gen_toks, .def = "256", .min = 1, .max = 1e6, .doc = "tokens of an answer at most"),
    HN_PARAM(hn_generation_params, top_k, .def = "0", .min = 0, .max = 1e9, .doc = "see hone help sample"),
    HN_PARAM(hn_generation_params, temperature, .def = "0", .min = 0, .max = 1e6, .doc = "0: the likeliest token"),
    HN_PARAM(hn_generation_params, top_p, .def = "0", .min = 0, .max = 1, .doc = "see hone help sample"),
    HN_PARAM(hn_generation_params, do_sample, .def = "false", .doc = "false: the likeliest token, whatever the temperature"),
};
static const char *const passed_over[] = { "tag", "group", "task_alias", "metadata", "dataset_path", "dataset_name", "dataset_kwargs",
                                           "training_split", "validation_split", "test_split", "fewshot_split", "should_decontaminate",
                                           "doc_to_decontamination_query", "include", "unsafe_code" };
static const char *const nested[] = { "doc_to_choice", "metric_list", "filter_list", "generation_kwargs", "fewshot_config" };

static bool listed(const char *const *list, int64_t n, const char *key) {
    for (int64_t i = 0; i < n; i++)
        if (!strcmp(list[i], key)) return true;
    return false;
}
static const char *place(hn_arena *a, const hn_pack *p, int64_t line) { return hn_fmt(a, "%s:%lld", p->file, (long long)line); }
static bool wants(hn_arena *a, const hn_pack *p, const hn_yaml *n, const char *what) {
    return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "'%s' has the wrong form", *n->key ? n->key : "an item of a list"), .where = place(a, p, n->line),
                   .wanted = what);
}
static const hn_yaml *child(const hn_yaml *map, const char *key) {
    for (const hn_yaml *n = map->type == HN_YAML_MAP ? map->first : NULL; n; n = n->next)
        if (!strcmp(n->key, key)) return n;
    return NULL;
}

/* The member of a kind that map's key names, and its params from the other keys. */
static bool member(hn_arena *a, hn_pack *p, const hn_yaml *map, const char *key, const hn_kind *kind, const char *const *not_params, int64_t n_not,
                   const hn_item **item, const void **params) {
    const hn_yaml *n = child(map, key);
    if (!n || n->type != HN_YAML_SCALAR) return wants(a, p, map, hn_fmt(a, "keys, and '%s' among them", key));
    *item = hn_kind_find(kind, n->text);
    if (!*item) {
        const char *near = hn_kind_nearest(kind, n->text);
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "unknown %s '%.60s'", kind->name, n->text), .where = place(a, p, n->line),
                       .hint = near ? hn_fmt(a, "Did you mean '%s'?", near) : hn_fmt(a, "`hone list %s` shows those there are.", kind->name));
    }
    void *out = (*item)->size ? hn_alloc(a, 1, (*item)->size, 16) : NULL;
    if (out) hn_params_defaults(a, (*item)->params, (*item)->n_params, out);
    for (const hn_yaml *x = map->first; x; x = x->next)
        if (x != n && !listed(not_params, n_not, x->key) &&
            !hn_yaml_set(a, (*item)->params, (*item)->n_params, out, x, hn_fmt(a, "%s.", (*item)->name), p->file))
            return false;
    *params = out;
    return true;
}

static bool fits(const char *list, const char *name) {
    size_t n = strlen(name);
    for (const char *s = list; (s = strstr(s, name)); s += n)
        if ((s == list || s[-1] == ' ') && (!s[n] || s[n] == ' ')) return true;
    return false;
}

static bool metric_list(hn_arena *a, hn_pack *p, const hn_yaml *node) {
    static const char *const other[] = { "aggregation", "higher_is_better", "hf_evaluate" };
    HN_VEC(hn_pack_metric) v = { 0 };
    if (node->type != HN_YAML_LIST) return wants(a, p, node, "a list of '- metric: NAME'");
    for (const hn_yaml *n = node->first; n; n = n->next) {
        const hn_item *item;
        hn_pack_metric m = { 0 };
        if (!member(a, p, n, "metric", &hn_kind_metric, other, HN_LEN(other), &item, &m.params)) return false;
        m.m = (const hn_metric_item *)item;
        if (p->output && !fits(m.m->of, p->output->item.name))
            return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "metric %s cannot be had of output_type %s", item->name, p->output->item.name),
                           .where = place(a, p, n->line), .wanted = hn_fmt(a, "output_type %s", m.m->of));
        m.higher_is_better = m.m->higher_is_better;
        hn_push(a, &v, m);
    }
    p->metric = v.v;
    p->n_metrics = v.n;
    return true;
}

static bool default_metrics(hn_arena *a, hn_pack *p) {
    HN_VEC(hn_pack_metric) v = { 0 };
    for (const char *s = p->output->metrics; *s; s += strspn(s, " ")) {
        size_t k = strcspn(s, " ");
        const hn_metric_item *m = (const hn_metric_item *)hn_kind_find(&hn_kind_metric, hn_strndup(a, s, (int64_t)k));
        HN_ASSERT(m);
        void *out = m->item.size ? hn_alloc(a, 1, m->item.size, 16) : NULL;
        if (out) hn_params_defaults(a, m->item.params, m->item.n_params, out);
        hn_push(a, &v, (hn_pack_metric){ m, out, m->higher_is_better });
        s += k;
    }
    p->metric = v.v;
    p->n_metrics = v.n;
    return true;
}

static bool filter_steps(hn_arena *a, hn_pack *p, const hn_yaml *list, hn_pack_filter *f) {
    int64_t n = 0;
    for (const hn_yaml *x = list->first; x; x = x->next) n++;
    f->step = hn_alloc(a, n + 1, sizeof *f->step, 16);
    for (const hn_yaml *x = list->first; x; x = x->next) {
        const hn_item *item;
        if (!member(a, p, x, "function", &hn_kind_filter, NULL, 0, &item, &f->step[f->n].params)) return false;
        f->step[f->n++].f = (const hn_filter *)item;
    }
    return true;
}

static bool filter_list(hn_arena *a, hn_pack *p, const hn_yaml *node) {
    HN_VEC(hn_pack_filter) v = { 0 };
    if (node && node->type != HN_YAML_LIST) return wants(a, p, node, "a list of '- name: NAME' with 'filter:'");
    for (const hn_yaml *n = node ? node->first : NULL; n; n = n->next) {
        const hn_yaml *name = child(n, "name"), *steps = child(n, "filter");
        hn_pack_filter f = { .name = name && name->type == HN_YAML_SCALAR ? name->text : NULL };
        if (!f.name || !steps || steps->type != HN_YAML_LIST) return wants(a, p, n, "'name' and a list 'filter'");
        if (!filter_steps(a, p, steps, &f)) return false;
        hn_push(a, &v, f);
    }
    if (!v.n) hn_push(a, &v, (hn_pack_filter){ .name = "none" });
    p->filter = v.v;
    p->n_filters = v.n;
    return true;
}

static bool choices(hn_arena *a, hn_pack *p, const hn_yaml *n) {
    static const hn_param row[] = { { .name = "doc_to_choice", .type = HN_STRS } };
    p->choice = (hn_pack_text){ .key = "doc_to_choice", .file = p->file, .line = n->line };
    if (n->type == HN_YAML_SCALAR) return p->choice.text = n->text, true;
    hn_yaml list = *n;
    list.type = HN_YAML_LIST; /* of a mapping the values count */
    return hn_yaml_set(a, row, 1, &p->choices, &list, "", p->file);
}

static bool fewshot_config(hn_arena *a, hn_pack *p, const hn_yaml *node) {
    if (node->type != HN_YAML_MAP) return wants(a, p, node, "keys");
    for (const hn_yaml *n = node->first; n; n = n->next) {
        bool sampler = !strcmp(n->key, "sampler") && n->type == HN_YAML_SCALAR;
        if (!strcmp(n->key, "split")) continue;
        if (!sampler || (strcmp(n->text, "first_n") && strcmp(n->text, "default"))) return wants(a, p, n, "sampler: default or first_n");
        p->first_n = !strcmp(n->text, "first_n");
    }
    return true;
}

static bool generation_kwargs(hn_arena *a, hn_pack *p, const hn_yaml *node) {
    if (node->type != HN_YAML_MAP) return wants(a, p, node, "keys");
    for (const hn_yaml *n = node->first; n; n = n->next)
        if (!hn_yaml_set(a, generation, HN_LEN(generation), &p->g, n, "generation_kwargs.", p->file)) return false;
    return true;
}

static bool is_row(const char *key) {
    for (int64_t i = 0; i < HN_LEN(rows); i++)
        if (!strcmp(rows[i].name, key)) return true;
    return false;
}

static bool unknown_key(hn_arena *a, const hn_pack *p, const hn_yaml *n) {
    HN_VEC(const char *) names = { 0 };
    for (int64_t i = 0; i < HN_LEN(rows); i++) hn_push(a, &names, rows[i].name);
    for (int64_t i = 0; i < HN_LEN(nested); i++) hn_push(a, &names, nested[i]);
    const char *near = hn_nearest(n->key, names.v, names.n);
    bool code = !strcmp(n->key, "process_docs") || !strcmp(n->key, "process_results") || !strcmp(n->key, "custom_dataset") || !strcmp(n->key, "class");
    return HN_FAIL(a, HONE_E_KEY, .what = hn_fmt(a, "unknown key '%.60s'", n->key), .where = place(a, p, n->line),
                   .hint = code ? "A pack holds no code: do this to the items beforehand."
                           : near ? hn_fmt(a, "Did you mean '%s'?", near) : "docs/TASKS.md lists the keys.");
}

static hn_pack_text template_of(const hn_pack *p, const hn_yaml *root, const char *key, const char *text) {
    const hn_yaml *n = child(root, key);
    return (hn_pack_text){ .text = n && !n->null ? text : NULL, .key = key, .file = p->file, .line = n ? n->line : 1 };
}

static bool missing(hn_arena *a, const hn_pack *p, const char *key) {
    return HN_FAIL(a, HONE_E_KEY, .what = hn_fmt(a, "the pack has no '%s'", key), .where = p->file,
                   .wanted = p->output ? hn_fmt(a, "output_type %s needs it", p->output->item.name) : hn_fmt(a, "%s: one of those that `hone list task` shows", key));
}

bool hn_pack_parse(hn_arena *a, const char *file, hn_bytes yaml, hn_pack *p) {
    hn_yaml *root;
    *p = (hn_pack){ .a = a, .file = file };
    hn_params_defaults(a, rows, HN_LEN(rows), &p->p);
    hn_params_defaults(a, generation, HN_LEN(generation), &p->g);
    if (!hn_yaml_parse(a, file, yaml, &root)) return false;
    if (!root || root->type != HN_YAML_MAP) return HN_FAIL(a, HONE_E_SYNTAX, .what = "a task pack is lines of `key: value`", .where = file);
    for (const hn_yaml *n = root->first; n; n = n->next) {
        if (listed(passed_over, HN_LEN(passed_over), n->key) || listed(nested, HN_LEN(nested), n->key)) continue;
        if (!is_row(n->key)) return unknown_key(a, p, n);
        if (!hn_yaml_set(a, rows, HN_LEN(rows), &p->p, n, "", file)) return false;
    }
    p->output = (const hn_output *)hn_kind_find(&hn_kind_task, p->p.output_type);
    if (!p->output) return missing(a, p, "output_type");
    for (const hn_yaml *n = root->first; n; n = n->next) {
        bool ok = n->null                                 ? true
                  : !strcmp(n->key, "doc_to_choice")      ? choices(a, p, n)
                  : !strcmp(n->key, "metric_list")        ? metric_list(a, p, n)
                  : !strcmp(n->key, "generation_kwargs")  ? generation_kwargs(a, p, n)
                  : !strcmp(n->key, "fewshot_config")     ? fewshot_config(a, p, n)
                                                          : true;
        if (!ok) return false;
    }
    const hn_yaml *filters = child(root, "filter_list");
    if (!filter_list(a, p, filters && !filters->null ? filters : NULL)) return false;
    if (!p->n_metrics && !default_metrics(a, p)) return false;
    p->text = template_of(p, root, "doc_to_text", p->p.doc_to_text);
    p->target = template_of(p, root, "doc_to_target", p->p.doc_to_target);
    p->description = template_of(p, root, "description", p->p.description);
    p->gen_prefix = template_of(p, root, "gen_prefix", p->p.gen_prefix);
    if (!p->target.text) return missing(a, p, "doc_to_target");
    if (p->output->needs_choices && !p->choice.text && !p->choices.n) return missing(a, p, "doc_to_choice");
    if (!p->text.text && strcmp(p->output->item.name, "loglikelihood_rolling")) return missing(a, p, "doc_to_text");
    if (!p->g.until.n && !child(root, "generation_kwargs")) {
        const char **one = hn_new_n(a, const char *, 1);
        *one = p->p.fewshot_delimiter;
        p->g.until = (hn_strs){ one, 1 };
    }
    return true;
}
