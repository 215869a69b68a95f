/* help.c - help is made from rows: flags of a command, recipe keys of its sections, settings of a member of a kind. */
#include "app/app.h"
#include <stdio.h>

enum { NAME_WIDTH = 26 };

/* "  --max-tokens=256           0 … 1000000  how many tokens" */
static void row_line(hn_arena *a, hn_buf *b, const char *indent, const char *name, const hn_param *r) {
    const char *def = r->def && *r->def ? r->def : NULL;
    char *left = r->type == HN_BOOL && *name == '-' ? hn_strdup(a, name)
                                                    : hn_fmt(a, "%s=%s", name,
                                                             def           ? def
                                                             : r->required ? "(required)"
                                                                           : "");
    const char *range = r->type == HN_BOOL ? "" : hn_param_range(a, r);
    hn_buf_fmt(a, b, "%s%-*s  %s%s%s", indent, NAME_WIDTH, left, r->doc ? r->doc : "", *range ? "  [" : "", range);
    hn_buf_fmt(a, b, "%s%s\n", r->unit ? hn_fmt(a, " %s", r->unit) : "", *range ? "]" : "");
}

static void rows_lines(hn_arena *a, hn_buf *b, const char *indent, const char *prefix, const hn_param *rows, int64_t n) {
    for (int64_t i = 0; i < n; i++)
        if (!rows[i].internal) row_line(a, b, indent, *prefix ? hn_fmt(a, "%s.%s", prefix, rows[i].name) : rows[i].name, &rows[i]);
}

static void section_lines(hn_arena *a, hn_buf *b, const hn_section *sec) {
    hn_buf_fmt(a, b, "\n%s%s%s\n", *sec->key ? sec->key : "top level", sec->doc ? " - " : "", sec->doc ? sec->doc : "");
    if (sec->scalar) hn_buf_fmt(a, b, "  (`%s: VALUE` stands for %s.%s)\n", sec->key, sec->key, sec->scalar);
    rows_lines(a, b, "  ", sec->key, sec->rows, sec->n_rows);
    for (int64_t i = 0; sec->variant && i < sec->n_rows; i++) {
        if (strcmp(sec->rows[i].name, sec->variant) || !sec->rows[i].kind) continue;
        const hn_kind *k = sec->rows[i].kind;
        for (int64_t m = 0; m < k->n; m++) {
            if (!k->items[m]->n_params) continue;
            hn_buf_fmt(a, b, "  with %s=%s: %s\n", hn_full_key(a, sec, &sec->rows[i]), k->items[m]->name, k->items[m]->doc);
            rows_lines(a, b, "    ", sec->key, k->items[m]->params, k->items[m]->n_params);
        }
    }
}

/* cmd: NULL for none; a flag of its own hides the shared one of that name. */
static void global_lines(hn_arena *a, hn_buf *b, const hn_cmd *cmd) {
    for (int i = 0; i < hn_n_globals(cmd); i++) {
        bool own = false;
        for (int64_t k = 0; cmd && k < cmd->item.n_params; k++) own = own || !strcmp(cmd->item.params[k].name, hn_global_rows[i].name);
        if (!own) row_line(a, b, "  ", hn_flag_name(a, &hn_global_rows[i]), &hn_global_rows[i]);
    }
}

const char *hn_help_overview(hn_arena *a) {
    hn_buf b = { 0 };
    hn_buf_fmt(a, &b,
               "hone makes a language model measurably smarter, on the machine you have: it tries the known levers on your model\n"
               "and your data, keeps what a held-out evaluation proves, and tells what each was worth.\n\n"
               "Usage: hone COMMAND [RECIPE.yaml] [ARGUMENT …] [key.path=value …] [--flag value …]\n\nCommands:\n");
    for (int64_t i = 0; i < hn_kind_cmd.n; i++) hn_buf_fmt(a, &b, "  %-10s %s\n", hn_kind_cmd.items[i]->name, hn_kind_cmd.items[i]->doc);
    hn_buf_fmt(a, &b, "\nFlags of every command:\n");
    global_lines(a, &b, NULL);
    hn_buf_fmt(a, &b,
               "\nBegin with:\n  hone improve my.txt                 try the levers on your text, keep what is proven\n"
               "  hone COMMAND --help                 flags, recipe keys and examples of a command\n"
               "  hone doctor                         what this machine has\n");
    return hn_buf_str(a, &b);
}

const char *hn_help_command(hn_arena *a, const hn_cmd *cmd) {
    hn_buf b = { 0 };
    const char *name = hn_cmd_name(a, cmd);
    hn_buf_fmt(a, &b, "hone %s - %s\n\nUsage: hone %s%s%s\n", name, cmd->item.doc, name, *cmd->usage ? " " : "",
               cmd->usage);
    if (cmd->about) hn_buf_fmt(a, &b, "\n%s\n", cmd->about);
    if (cmd->verbs) hn_buf_fmt(a, &b, "\nVerbs:\n");
    for (int64_t i = 0; cmd->verbs && i < cmd->verbs->n; i++) hn_buf_fmt(a, &b, "  %-14s %s\n", cmd->verbs->items[i]->name, cmd->verbs->items[i]->doc);
    hn_buf_fmt(a, &b, "\nFlags:\n");
    for (int64_t i = 0; i < cmd->item.n_params; i++)
        if (!cmd->item.params[i].internal) row_line(a, &b, "  ", hn_flag_name(a, &cmd->item.params[i]), &cmd->item.params[i]);
    global_lines(a, &b, cmd);
    if (cmd->n_sections) hn_buf_fmt(a, &b, "\nRecipe keys (in YAML, or as key.path=value):\n");
    for (int64_t i = 0; i < cmd->n_sections; i++) section_lines(a, &b, cmd->sections[i]);
    if (cmd->examples) hn_buf_fmt(a, &b, "\nExamples:\n%s\n", cmd->examples);
    return hn_buf_str(a, &b);
}

/* Flags and recipe keys of a command that have this name, whole or without their section, with - or _ and dashes before it; NULL: none. */
const char *hn_help_rows(hn_arena *a, const hn_cmd *cmd, const char *name) {
    hn_buf b = { 0 };
    char *want = hn_strdup(a, name + strspn(name, "-"));
    for (char *p = want; *p; p++)
        if (*p == '-') *p = '_';
    for (int64_t i = 0; i < cmd->item.n_params; i++)
        if (!strcmp(cmd->item.params[i].name, want)) row_line(a, &b, "", hn_flag_name(a, &cmd->item.params[i]), &cmd->item.params[i]);
    for (int64_t i = 0; i < cmd->n_sections; i++) {
        const hn_section *sec = cmd->sections[i];
        if (!strcmp(sec->key, want) && *want) section_lines(a, &b, sec);
        for (int64_t k = 0; k < sec->n_rows; k++) {
            const hn_param *row = &sec->rows[k];
            const char *full = hn_full_key(a, sec, row);
            if (!strcmp(row->name, want) || !strcmp(full, want)) row_line(a, &b, "", full, row);
            for (int64_t m = 0; row->kind && sec->variant && !strcmp(row->name, sec->variant) && m < row->kind->n; m++)
                for (int64_t v = 0; v < row->kind->items[m]->n_params; v++) {
                    const hn_param *of = &row->kind->items[m]->params[v];
                    if (strcmp(of->name, want) && strcmp(hn_fmt(a, "%s.%s", sec->key, of->name), want)) continue;
                    row_line(a, &b, "", hn_fmt(a, "%s.%s", sec->key, of->name), of);
                    hn_buf_fmt(a, &b, "%*s  (with %s=%s)\n", NAME_WIDTH, "", full, row->kind->items[m]->name);
                }
        }
    }
    for (int i = 0; i < HN_GLOBAL_FLAGS && !b.n; i++)
        if (!strcmp(hn_global_rows[i].name, want)) row_line(a, &b, "", hn_flag_name(a, &hn_global_rows[i]), &hn_global_rows[i]);
    return b.n ? hn_buf_str(a, &b) : NULL;
}

const char *hn_help_item(hn_arena *a, const hn_kind *k, const hn_item *item) {
    hn_buf b = { 0 };
    hn_buf_fmt(a, &b, "%s %s - %s\n", k->name, item->name, item->doc);
    if (item->source) hn_buf_fmt(a, &b, "source: %s\n", item->source);
    if (item->note) hn_buf_fmt(a, &b, "%s\n", item->note);
    if (item->n_params) {
        hn_buf_fmt(a, &b, "\nSettings:\n");
        rows_lines(a, &b, "  ", "", item->params, item->n_params);
    }
    if (k->more) k->more(a, item, false, &b);
    return hn_buf_str(a, &b);
}

int64_t hn_all_sections(hn_arena *a, const hn_section ***out) {
    HN_VEC(const hn_section *) all = { 0 };
    const hn_cmd **cmds;
    int64_t n = hn_all_cmds(a, &cmds);
    for (int64_t i = 0; i < n; i++) {
        const hn_cmd *cmd = cmds[i];
        for (int64_t s = 0; s < cmd->n_sections; s++) {
            bool have = false;
            for (int64_t k = 0; k < all.n; k++) have = have || all.v[k] == cmd->sections[s];
            if (!have) hn_push(a, &all, cmd->sections[s]);
        }
    }
    *out = all.v;
    return all.n;
}
