/* info - what a model is: architecture, shape, size. */
#include "app/app.h"
#include "model/peft.h"
#include <dirent.h>
#include <sys/stat.h>

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

static const char *stored_dtype(hn_arena *a, const char *path) {
    const char *file = hn_path_is_dir(path) ? hn_path_join(a, path, "model.safetensors") : path;
    hn_st st;
    if (!hn_path_exists(file)) return "f32";
    if (hn_st_open(a, file, &st)) return st.n ? hone_dtype_name(st.v[0].dtype) : "f32";
    hone_error_clear(a->job);
    return "f32";
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

extern const hn_cmd hn_cmd_info;
static bool run(hn_cmd_call *c) {
    if (c->n_args != 1) return hn_usage(c, &hn_cmd_info, c->n_args ? "info takes one model" : "which model?");
    if (hn_is_peft(c->args[0])) return tell_adapter(c, c->args[0]);
    hone_model *m = hn_model_load(c->a, c->args[0]);
    if (!m) return false;
    json_t *o =
        hn_json_own(c->a, json_pack("{ss sI ss sI sI sI sI}", "arch", m->arch->item.name, "parameters", (json_int_t)hn_model_count(m),
                                    "dtype", stored_dtype(c->a, c->args[0]), "vocab", (json_int_t)m->vocab, "context",
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
    if (c->json) return hn_out_json(c->a, o), true;
    const char *key;
    json_t *v;
    json_object_foreach(o, key, v) {
        if (json_is_string(v)) hn_out("%-12s %s\n", key, json_string_value(v));
        else if (json_is_null(v)) hn_out("%-12s none\n", key);
        else if (!strcmp(key, "bytes")) hn_out("%-12s %s\n", key, hn_human_bytes(c->a, (double)json_integer_value(v)));
        else if (!strcmp(key, "parameters"))
            hn_out("%-12s %lld (%s)\n", key, (long long)json_integer_value(v), hn_human(c->a, (double)json_integer_value(v)));
        else hn_out("%-12s %s\n", key, hn_json_text(c->a, v, false));
    }
    return true;
}

const hn_cmd hn_cmd_info = { HN_ITEM0("info", "show what a model is: architecture, shape, size", NULL), .usage = "MODEL",
                             .inline_work = true, .run = run, .examples = "  hone info runs/a/best\n  hone info gpt2/ --json" };
