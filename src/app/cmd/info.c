/* info - what a model is: architecture, shape, size. */
#include "app/app.h"
#include "model/peft.h"
#include <dirent.h>
#include <sys/stat.h>

typedef struct flags { bool checksum; } flags;
static const hn_param params[] = { HN_PARAM(flags, checksum, .doc = "also a checksum of the weights, which reads all of them") };

static int64_t weight_bytes(hn_arena *a, const char *path) {
    struct stat st;
    if (!hn_path_is_dir(path)) return stat(path, &st) ? 0 : (int64_t)st.st_size;
    int64_t sum = 0;
    DIR *d = opendir(path);
    for (struct dirent *e; d && (e = readdir(d));) {
        const char *dot = strrchr(e->d_name, '.');
        if (dot && !strcmp(dot, ".safetensors") && !stat(hn_path_join(a, path, e->d_name), &st)) sum += st.st_size;
    }
    if (d) closedir(d);
    return sum;
}

/* How many tensors and numbers there are of each type, as stored. */
static json_t *types_of(hn_arena *a, const hn_tensors *t) {
    json_t *o = hn_json_own(a, json_object());
    for (int64_t i = 0; i < t->n; i++) {
        const char *name = t->v[i].dtype == HONE_DTYPE_COUNT ? "other" : hone_dtype_name(t->v[i].dtype);
        json_t *old = json_object_get(o, name);
        int64_t n = 1, tensors = old ? json_integer_value(json_array_get(old, 0)) : 0, numbers = old ? json_integer_value(json_array_get(old, 1)) : 0;
        for (int d = 0; d < t->v[i].dims; d++) n *= t->v[i].shape[d];
        json_object_set_new(o, name, json_pack("[II]", (json_int_t)tensors + 1, (json_int_t)(numbers + n)));
    }
    return o;
}

/* XXH3 over names, shapes and bytes of the tensors in the order of the files: the same weights under another metadata agree. */
static const char *checksum(hn_arena *a, const hn_tensors *t) {
    uint64_t h = 0;
    for (int64_t i = 0; i < t->n; i++) {
        h = hn_hash(t->v[i].name, (int64_t)strlen(t->v[i].name), h);
        h = hn_hash(t->v[i].shape, t->v[i].dims * (int64_t)sizeof *t->v[i].shape, h);
        h = hn_hash(t->v[i].p, t->v[i].bytes, h);
    }
    return hn_fmt(a, "%016llx", (unsigned long long)h);
}

/* Bytes to run it with a full cache, and to train it on one text of the whole context with AdamW, by the plan; in f32, as hone computes. */
static bool memory(hn_arena *a, hone_model *m, int64_t *to_run, int64_t *to_train) {
    static const hn_section *const sections[] = { &hn_section_model, &hn_section_train, &hn_section_optim, &hn_section_sched };
    hn_settings *s = hn_settings_new(a, sections, HN_LEN(sections));
    hn_plan plan;
    *to_run = 4 * (hn_model_count(m) + 2 * m->layers * m->context * m->kv_width);
    if (!hn_settings_set(s, a, "train.batch", "1", "info") || !hn_plan_make(a, s, NULL, m->vocab, m, &plan)) return false;
    *to_train = plan.bytes_weights + plan.bytes_grads + plan.bytes_states + plan.bytes_activations;
    return true;
}

/* An adapter by itself: its base model need not be here. */
static bool tell_adapter(hn_cmd_call *c, const char *dir) {
    hn_peft f;
    int64_t n = 0;
    if (!hn_peft_open(c->a, dir, &f)) return false;
    json_t *tensors = hn_json_own(c->a, json_array()), *targets = hn_json_own(c->a, json_array());
    for (int64_t i = 0; i < f.p.targets.n; i++) json_array_append_new(targets, json_string(f.p.targets.v[i]));
    for (int64_t i = 0; i < f.tensors.n; i++) {
        const hn_st_tensor *t = &f.tensors.v[i];
        json_t *shape = json_array();
        int64_t count = 1;
        for (int d = 0; d < t->dims; d++) count *= t->shape[d], json_array_append_new(shape, json_integer(t->shape[d]));
        n += count;
        json_array_append_new(tensors, json_pack("{ss so}", "name", t->name, "shape", shape));
    }
    json_t *o = hn_json_own(c->a, json_pack("{ss ss sI sI so sb sO sI ss sO}", "adapter", f.p.method, "base", f.base, "parameters", (json_int_t)n, "rank",
                                            (json_int_t)f.p.rank, "alpha", hn_json_real(f.p.alpha), "rslora", f.p.rslora, "targets", targets,
                                            "bytes", (json_int_t)weight_bytes(c->a, dir), "dtype",
                                            f.tensors.n ? hone_dtype_name(f.tensors.v[0].dtype) : "f32", "tensors", tensors));
    if (c->json) return hn_out_json(c->a, o), true;
    hn_out("adapter      %s, rank %lld, alpha %g%s\nbase         %s\nparameters   %lld (%s)\ntargets     ", f.p.method, (long long)f.p.rank, f.p.alpha,
           f.p.rslora ? ", rank-stabilised" : "", f.base, (long long)n, hn_human(c->a, (double)n));
    for (int64_t i = 0; i < f.p.targets.n; i++) hn_out(" %s", f.p.targets.v[i]);
    hn_out("\ntensors      %lld\n", (long long)f.tensors.n);
    for (int64_t i = 0; i < f.tensors.n; i++)
        hn_out("  %s %s\n", f.tensors.v[i].name, hn_json_text(c->a, json_object_get(json_array_get(tensors, (size_t)i), "shape"), false));
    return true;
}

/* What this model does without. JSON has it all the same. */
static bool says_nothing(const json_t *v) {
    return json_is_false(v) || (json_is_number(v) && json_number_value(v) == 0) || (json_is_string(v) && !*json_string_value(v));
}

extern const hn_cmd hn_cmd_info;
static bool run(hn_cmd_call *c) {
    if (c->n_args != 1) return hn_usage(c, &hn_cmd_info, c->n_args ? "info takes one model" : "which model?");
    if (hn_is_peft(c->args[0])) return tell_adapter(c, c->args[0]);
    const flags *f = c->flags;
    hone_model *m = hn_model_look(c->a, c->args[0]);
    hn_tensors files = { 0 };
    int64_t to_run, to_train;
    if (!m || !memory(c->a, m, &to_run, &to_train) || (hn_path_is_dir(c->args[0]) && !hn_tensors_open(c->a, c->args[0], &files))) return false;
    json_t *o =
        hn_json_own(c->a, json_pack("{ss sI ss sI sI sI sI}", "arch", m->arch->item.name, "parameters", (json_int_t)hn_model_count(m),
                                    "dtype", files.n ? hone_dtype_name(files.v[0].dtype) : "f32", "vocab", (json_int_t)m->vocab, "context",
                                    (json_int_t)m->context, "layers", (json_int_t)m->layers, "width", (json_int_t)m->width));
    for (int64_t i = 0; i < m->arch->item.n_params; i++) {
        const hn_param *r = &m->arch->item.params[i];
        if (json_object_get(o, r->name)) continue;
        const void *p = (const char *)m->params + r->offset;
        json_t *v = r->type == HN_INT    ? json_integer(*(const int64_t *)p)
                    : r->type == HN_BOOL ? json_boolean(*(const bool *)p)
                    : r->type == HN_REAL ? hn_json_real(*(const double *)p)
                                         : json_string(hn_params_text(c->a, r, m->params));
        json_object_set_new(o, r->name, v);
    }
    json_object_set_new(o, "tokenizer", m->tok ? json_string(m->tok->kind->item.name) : json_null());
    int64_t bytes = weight_bytes(c->a, c->args[0]);
    for (int64_t i = 0; i < m->n_members; i++) bytes += weight_bytes(c->a, m->members[i]->path);
    if (m->members) json_object_set_new(o, "members", json_integer(m->n_members));
    json_object_set_new(o, "bytes", json_integer(bytes));
    json_object_set_new(o, "bytes_to_run", json_integer(to_run));
    json_object_set_new(o, "bytes_to_train", json_integer(to_train));
    if (f->checksum && files.n) json_object_set_new(o, "checksum", json_string(checksum(c->a, &files)));
    if (c->json && files.n) json_object_set(o, "types", types_of(c->a, &files));
    if (c->json) return hn_out_json(c->a, o), true;
    const char *key;
    json_t *v, *types = types_of(c->a, &files);
    json_object_foreach(o, key, v) {
        if (says_nothing(v)) continue;
        if (json_is_string(v)) hn_out("%-12s %s\n", key, json_string_value(v));
        else if (json_is_null(v)) hn_out("%-12s none\n", key);
        else if (!strncmp(key, "bytes", 5)) hn_out("%-12s %s\n", key, hn_human_bytes(c->a, (double)json_integer_value(v)));
        else if (!strcmp(key, "parameters"))
            hn_out("%-12s %lld (%s)\n", key, (long long)json_integer_value(v), hn_human(c->a, (double)json_integer_value(v)));
        else hn_out("%-12s %s\n", key, hn_json_text(c->a, v, false));
    }
    json_object_foreach(types, key, v)
        hn_out("%-12s %lld tensors, %s numbers\n", key, (long long)json_integer_value(json_array_get(v, 0)),
               hn_human(c->a, (double)json_integer_value(json_array_get(v, 1))));
    return true;
}

const hn_cmd hn_cmd_info = {
    HN_ITEM("info", "show what a model is: architecture, shape, size", NULL, flags, params),
    .usage = "MODEL [--checksum]",
    .inline_work = true,
    .run = run,
    .about = "Reads config, tokenizer and the headers of the weights, not the weights: a folder of any size is told at once. bytes_to_run is the\n"
             "memory of weights and a full cache, bytes_to_train that of AdamW on one text of the whole context. hone inspect lists the tensors.",
    .examples = "  hone info runs/a/best\n  hone info gpt2/ --checksum --json",
};
