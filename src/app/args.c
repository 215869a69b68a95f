/* args.c - the command line: `hone COMMAND [RECIPE.yaml] [ARGUMENT …] [key.path=value …] [--flag value | --flag=value]`.
 *
 * Flags may stand anywhere; `--` ends them. A flag is a row: of the command, or one of the few that all commands share.
 * `-` and dashes inside flag names are as good as underscores. A row of many texts may be given several times. */
#include "app/app.h"
#include <ctype.h>

const hn_param hn_global_rows[HN_GLOBAL_FLAGS] = {
    HN_PARAM(hn_globals, json, .doc = "results as JSON, one object per line"),
    HN_PARAM(hn_globals, quiet, .doc = "no progress, no log; warnings and errors stay"),
    HN_PARAM(hn_globals, help, .doc = "show what a command does, its flags and its recipe keys"),
    HN_PARAM(hn_globals, version, .doc = "show version, CPU features and libraries"),
    HN_PARAM(hn_globals, seed, .def = "1", .doc = "seed of every random choice"),
    HN_PARAM(hn_globals, threads, .def = "0", .min = 0, .max = 1024, .doc = "threads; 0: one per core"),
    HN_PARAM(hn_globals, device, .def = "cpu", .choices = "cpu|cuda", .doc = "where to compute"),
    HN_PARAM(hn_globals, out, .doc = "run folder, for commands that write one"),
};
enum { FIRST_RUN_FLAG = 4 }; /* from here on the rows are those of hn_section_run too */

char *hn_flag_name(hn_arena *a, const hn_param *row) {
    char *s = hn_fmt(a, "--%s", row->name);
    for (char *p = s; *p; p++)
        if (*p == '_') *p = '-';
    return s;
}

static bool takes_run(const hn_cmd *cmd) {
    for (int64_t i = 0; cmd && i < cmd->n_sections; i++)
        if (!*cmd->sections[i]->key) return true;
    return false;
}

int64_t hn_n_globals(const hn_cmd *cmd) { return HN_GLOBAL_FLAGS - (cmd && !takes_run(cmd)); }

static const hn_param *row_of(const hn_param *rows, int64_t n, const char *name) {
    for (int64_t i = 0; i < n; i++)
        if (!strcmp(rows[i].name, name)) return &rows[i];
    return NULL;
}

static bool is_assign(const char *s) {
    if (!islower((unsigned char)*s)) return false;
    while (islower((unsigned char)*s) || isdigit((unsigned char)*s) || *s == '_' || *s == '.' || *s == '-') s++;
    return *s == '=';
}

static bool is_recipe(const char *s) {
    const char *dot = strrchr(s, '.');
    return dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

static bool unknown_command(hn_arena *a, const char *name) {
    const char *near = hn_kind_nearest(&hn_kind_cmd, name);
    return HN_FAIL(a, HONE_E_USAGE, .what = hn_fmt(a, "unknown command '%.100s'", name),
                   .hint = near ? hn_fmt(a, "Did you mean '%s'?", near) : "`hone --help` lists the commands.");
}

/* A flag that is really a recipe key: --steps stands for train.steps=…. */
static const char *as_key(hn_arena *a, const hn_cmd *cmd, const char *name) {
    for (int64_t i = 0; i < cmd->n_sections; i++) {
        const hn_section *sec = cmd->sections[i];
        size_t n = strlen(sec->key);
        const char *rest = n && !strncmp(sec->key, name, n) && name[n] == '.' ? name + n + 1 : name;
        const hn_param *row = row_of(sec->rows, sec->n_rows, rest);
        const hn_param *sel = sec->variant ? row_of(sec->rows, sec->n_rows, sec->variant) : NULL;
        for (int64_t m = 0; !row && sel && m < sel->kind->n; m++)
            row = row_of(sel->kind->items[m]->params, sel->kind->items[m]->n_params, rest);
        if (row) return hn_full_key(a, sec, row);
    }
    return NULL;
}

static bool unknown_flag(hn_arena *a, const hn_cmd *cmd, const char *arg, const char *name) {
    HN_VEC(const char *) names = { 0 };
    for (int64_t i = 0; cmd && i < cmd->item.n_params; i++) hn_push(a, &names, cmd->item.params[i].name);
    for (int64_t i = 0; i < hn_n_globals(cmd); i++) hn_push(a, &names, hn_global_rows[i].name);
    const char *key = cmd ? as_key(a, cmd, name) : NULL, *near = hn_nearest(name, names.v, names.n);
    const char *hint = key    ? hn_fmt(a, "Recipe keys are given as %s=VALUE, without dashes.", key)
                       : near ? hn_fmt(a, "Did you mean '%s'?", hn_flag_name(a, &(hn_param){ .name = near }))
                       : cmd  ? hn_fmt(a, "See `hone %s --help`.", hn_cmd_name(a, cmd))
                              : "See `hone --help`.";
    return HN_FAIL(a, HONE_E_USAGE, .what = hn_fmt(a, "unknown flag '%.100s'", arg),
                   .where = cmd ? hn_fmt(a, "hone %s", hn_cmd_name(a, cmd)) : NULL, .hint = hint);
}

typedef struct parse {
    hn_arena *a;
    hn_cmdline *l;
    int argc, i;
    char *const *argv;
    const char **lists;
    bool only_args;
} parse;

static bool set_flag(parse *p, const char *arg) {
    hn_arena *a = p->a;
    const hn_cmd *cmd = p->l->cmd;
    const char *body = arg + (arg[1] == '-' ? 2 : 1), *eq = strchr(body, '=');
    char *name = eq ? hn_strndup(a, body, eq - body) : hn_strdup(a, body);
    for (char *c = name; *c; c++)
        if (*c == '-') *c = '_';
    if (arg[1] != '-') { /* -h is the one short flag */
        if (strcmp(arg, "-h")) return unknown_flag(a, cmd, arg, name);
        name = hn_strdup(a, "help");
    }
    const hn_param *row = cmd ? row_of(cmd->item.params, cmd->item.n_params, name) : NULL, *global = NULL;
    if (!row) row = global = row_of(hn_global_rows, hn_n_globals(cmd), name);
    if (!row) return unknown_flag(a, cmd, eq ? hn_strndup(a, arg, eq - arg) : arg, name);
    const char *flag = hn_flag_name(a, row), *value = eq ? eq + 1 : NULL;
    if (!value && row->type == HN_BOOL) value = "true";
    if (!value) {
        const char *next = p->i + 1 < p->argc ? p->argv[p->i + 1] : NULL;
        if (!next || (next[0] == '-' && next[1] == '-' && next[2]))
            return HN_FAIL(a, HONE_E_USAGE, .what = hn_fmt(a, "%s needs a value", flag), .wanted = hn_param_range(a, row),
                           .found = next ? hn_fmt(a, "'%s'", next) : "nothing",
                           .hint = next ? hn_fmt(a, "For a text that begins with dashes write %s=TEXT.", flag) : NULL);
        value = next;
        p->i++;
    }
    if (global) p->l->given[global - hn_global_rows] = true;
    void *out = global ? (void *)&p->l->g : p->l->flags;
    if (row->type == HN_STRS && !global) { /* given again: the list grows */
        const char **have = &p->lists[row - cmd->item.params];
        value = *have = *have ? hn_fmt(a, "%s,%s", *have, value) : value;
    }
    return hn_params_set(a, row, out, value, flag, "command line");
}

static bool take_arg(parse *p, const char *arg) {
    hn_cmdline *l = p->l;
    if (!p->only_args && l->cmd->n_sections && is_assign(arg)) {
        const char *eq = strchr(arg, '=');
        hn_push(p->a, &l->assigns, (hn_assign){ hn_strndup(p->a, arg, eq - arg), eq + 1 });
    } else if (l->cmd->takes_recipe && !l->recipe && !l->args.n && is_recipe(arg)) {
        l->recipe = arg;
    } else {
        hn_push(p->a, &l->args, arg);
    }
    return true;
}

static bool is_flag(const char *s) { return s[0] == '-' && s[1] && !isdigit((unsigned char)s[1]) && s[1] != '.'; }

/* The command is the first argument that is no flag, its verb the next; flags before them are shared ones. */
static bool find_command(parse *p) {
    for (int i = 1; i < p->argc; i++) {
        const char *s = p->argv[i];
        if (!strcmp(s, "--")) return true;
        if (is_flag(s)) {
            const hn_param *row = s[1] == '-' && !strchr(s, '=') ? row_of(hn_global_rows, HN_GLOBAL_FLAGS, s + 2) : NULL;
            if (row && row->type != HN_BOOL) i++;
            continue;
        }
        const hn_cmd *has = p->l->cmd;
        const hn_item *item = hn_kind_find(has ? has->verbs : &hn_kind_cmd, s);
        if (!item) return has || unknown_command(p->a, s);
        p->l->cmd = (const hn_cmd *)item; /* item is its first member */
        if (!p->l->cmd->verbs) return true;
    }
    return true;
}

bool hn_args_parse(hn_arena *a, int argc, char *const *argv, hn_cmdline *out) {
    *out = (hn_cmdline){ 0 };
    hn_params_defaults(a, hn_global_rows, HN_GLOBAL_FLAGS, &out->g);
    parse p = { .a = a, .l = out, .argc = argc, .argv = argv };
    if (!find_command(&p)) return false;
    if (out->cmd && out->cmd->item.size) {
        out->flags = hn_alloc(a, 1, out->cmd->item.size, 16);
        hn_params_defaults(a, out->cmd->item.params, out->cmd->item.n_params, out->flags);
        p.lists = hn_new_n(a, const char *, out->cmd->item.n_params);
    }
    const char *words[2] = { 0 }; /* still to come: the command, or the command and its verb */
    if (out->cmd) words[0] = out->cmd->under ? out->cmd->under : out->cmd->item.name, words[1] = out->cmd->under ? out->cmd->item.name : NULL;
    for (p.i = 1; p.i < argc; p.i++) {
        const char *s = argv[p.i];
        if (!p.only_args && !strcmp(s, "--")) p.only_args = true;
        else if (!p.only_args && is_flag(s)) {
            if (!set_flag(&p, s)) return false;
        } else if (words[0] && !strcmp(s, words[0])) words[0] = words[1], words[1] = NULL;
        else if (!out->cmd) return unknown_command(a, s);
        else if (!take_arg(&p, s)) return false;
    }
    return true;
}

/* recipes/NAME.yaml is found beside the program that is installed, too. */
static const char *recipe_file(hn_arena *a, const char *path) {
    const char *installed = hn_path_exists(path) || strncmp(path, "recipes/", 8) ? NULL : hn_share_path(a, path);
    return installed ? installed : path;
}

bool hn_args_settings(hn_arena *a, const hn_cmdline *l, hn_settings **out) {
    *out = NULL;
    if (!l->cmd->n_sections) return true;
    /* One recipe may serve several commands: sections that only others take are checked, then forgotten. */
    HN_VEC(const hn_section *) all = { 0 };
    const hn_section **known;
    int64_t n_known = hn_all_sections(a, &known);
    for (int64_t i = 0; i < l->cmd->n_sections; i++) hn_push(a, &all, l->cmd->sections[i]);
    for (int64_t i = 0; i < n_known; i++) {
        bool have = false;
        for (int64_t k = 0; k < all.n; k++) have = have || all.v[k] == known[i];
        if (!have) hn_push(a, &all, known[i]);
    }
    hn_settings *s = hn_settings_new(a, all.v, all.n);
    const char *preset = l->cmd->preset;
    if (preset && !l->recipe) {
        if (!hn_settings_yaml(s, a, "preset", (hn_bytes){ (const uint8_t *)preset, (int64_t)strlen(preset) })) return false;
        hn_settings_as_defaults(s);              /* so that --resume does not take the preset for the user's words */
    }
    if (l->recipe && !hn_settings_yaml_file(s, a, recipe_file(a, l->recipe))) return false;
    hn_settings_keep(s, l->cmd->n_sections);
    for (int pass = 0; pass < 2; pass++) /* keys that choose a variant first: the others may belong to it */
        for (int64_t i = 0; i < l->assigns.n; i++) {
            const hn_assign *k = &l->assigns.v[i];
            if (hn_settings_selects(s, k->key) == (pass == 0) && !hn_settings_set(s, a, k->key, k->value, "command line")) return false;
        }
    for (int i = FIRST_RUN_FLAG; takes_run(l->cmd) && i < HN_GLOBAL_FLAGS; i++)
        if (l->given[i] && !hn_settings_set(s, a, hn_global_rows[i].name, hn_params_text(a, &hn_global_rows[i], &l->g), "command line"))
            return false;
    *out = s;
    return true;
}
