/* docs.c - the man page, docs/COMMANDS.md and docs/SETTINGS.md, all from the rows. `make docs` writes them. */
#include "app/app.h"

/* ---- man(7) ---- */

static void man_text(hn_arena *a, hn_buf *b, const char *s) {
    bool line_start = true;
    for (; *s; s++) {
        if (*s == '\\') hn_buf_put(a, b, "\\e", 2);
        else if (*s == '-') hn_buf_put(a, b, "\\-", 2);
        else if (line_start && (*s == '.' || *s == '\'')) hn_buf_fmt(a, b, "\\&%c", *s);
        else hn_buf_put(a, b, s, 1);
        line_start = *s == '\n';
    }
}

static void man_rows(hn_arena *a, hn_buf *b, const char *section, const hn_param *rows, int64_t n, bool flags) {
    for (int64_t i = 0; i < n; i++) {
        if (rows[i].internal) continue;
        const char *name = flags ? hn_flag_name(a, &rows[i]) : *section ? hn_fmt(a, "%s.%s", section, rows[i].name) : rows[i].name;
        hn_buf_fmt(a, b, ".TP\n.B ");
        man_text(a, b, name);
        const char *range = rows[i].type == HN_BOOL && flags ? "" : hn_param_range(a, &rows[i]);
        hn_buf_fmt(a, b, "\n");
        man_text(a, b, rows[i].doc ? rows[i].doc : "");
        if (*range)
            man_text(a, b, hn_fmt(a, " (%s%s%s)", range, rows[i].def && *rows[i].def ? "; default " : "", rows[i].def ? rows[i].def : ""));
        hn_buf_fmt(a, b, "\n");
    }
}

const char *hn_docs_man(hn_arena *a) {
    hn_buf b = { 0 };
    hn_buf_fmt(
        a, &b,
        ".\\\" Made from the settings rows by `hone help --man`.\n.TH HONE 1 \"\" \"hone %s\" \"User Commands\"\n"
        ".SH NAME\nhone \\- make a language model measurably smarter\n.SH SYNOPSIS\n.B hone\n"
        ".I COMMAND\n[\\fIRECIPE.yaml\\fR] [\\fIARGUMENT\\fR ...] [\\fIkey.path=value\\fR ...] [\\fB\\-\\-flag\\fR \\fIvalue\\fR ...]\n"
        ".SH DESCRIPTION\n"
        "hone tries the known levers on your model and your data, keeps what a held\\-out evaluation proves, and tells what each was "
        "worth.\n"
        "Results go to standard output (with \\fB\\-\\-json\\fR one JSON object a line), progress, warnings and errors to standard error.\n"
        "A recipe is YAML; every key of it can also be given as key.path=value.\n.SH FLAGS OF EVERY COMMAND\n",
        hone_version());
    man_rows(a, &b, "", hn_global_rows, HN_GLOBAL_FLAGS, true);
    hn_buf_fmt(a, &b, ".SH COMMANDS\n");
    const hn_cmd **cmds;
    int64_t n_cmds = hn_all_cmds(a, &cmds);
    for (int64_t i = 0; i < n_cmds; i++) {
        const hn_cmd *cmd = cmds[i];
        hn_buf_fmt(a, &b, ".SS hone %s ", hn_cmd_name(a, cmd));
        man_text(a, &b, cmd->usage);
        hn_buf_fmt(a, &b, "\n");
        man_text(a, &b, hn_fmt(a, "%s.", cmd->item.doc));
        hn_buf_fmt(a, &b, "\n");
        if (cmd->about) {
            hn_buf_fmt(a, &b, ".PP\n");
            man_text(a, &b, cmd->about);
            hn_buf_fmt(a, &b, "\n");
        }
        man_rows(a, &b, "", cmd->item.params, cmd->item.n_params, true);
        if (cmd->examples) {
            hn_buf_fmt(a, &b, ".PP\n.nf\n");
            man_text(a, &b, cmd->examples);
            hn_buf_fmt(a, &b, "\n.fi\n");
        }
    }
    hn_buf_fmt(a, &b, ".SH RECIPE KEYS\n");
    const hn_section **sections;
    int64_t n = hn_all_sections(a, &sections);
    for (int64_t i = 0; i < n; i++) {
        const hn_section *s = sections[i];
        hn_buf_fmt(a, &b, ".SS ");
        man_text(a, &b, hn_fmt(a, "%s: %s", *s->key ? s->key : "top level", s->doc ? s->doc : ""));
        hn_buf_fmt(a, &b, "\n");
        man_rows(a, &b, s->key, s->rows, s->n_rows, false);
        for (int64_t r = 0; s->variant && r < s->n_rows; r++) {
            if (strcmp(s->rows[r].name, s->variant)) continue;
            for (int64_t m = 0; m < s->rows[r].kind->n; m++) {
                const hn_item *item = s->rows[r].kind->items[m];
                if (!item->n_params) continue;
                hn_buf_fmt(a, &b, ".PP\nWith ");
                man_text(a, &b, hn_fmt(a, "%s=%s: %s", hn_full_key(a, s, &s->rows[r]), item->name, item->doc));
                hn_buf_fmt(a, &b, "\n");
                man_rows(a, &b, s->key, item->params, item->n_params, false);
            }
        }
    }
    hn_buf_fmt(a, &b,
               ".SH EXIT STATUS\n.TP\n.B 0\ndone\n.TP\n.B 1\nfailed while running\n.TP\n.B 2\nthe command line or the recipe is wrong\n"
               ".TP\n.B 3\na data or model file is unusable\n.TP\n.B 130\ninterrupted; the state was saved\n"
               ".SH ENVIRONMENT\n.TP\n.B HONE_ISA\nplain, avx2, avx512 or avx512bf16 forces an instruction set; one that the CPU lacks is refused\n"
               ".TP\n.B NO_COLOR\nno colours on the terminal\n");
    return hn_buf_str(a, &b);
}

/* ---- Markdown ---- */

static const char *md_cell(hn_arena *a, const char *s) {
    hn_buf b = { 0 };
    for (; *s; s++) {
        if (*s == '|') hn_buf_put(a, &b, "\\", 1);
        hn_buf_put(a, &b, *s == '\n' ? " " : s, 1);
    }
    return hn_buf_str(a, &b);
}

static void md_rows(hn_arena *a, hn_buf *b, const char *section, const hn_param *rows, int64_t n, bool flags) {
    hn_buf_fmt(a, b, "\n| %s | default | values | meaning |\n|---|---|---|---|\n", flags ? "flag" : "key");
    for (int64_t i = 0; i < n; i++) {
        if (rows[i].internal) continue;
        const char *name = flags ? hn_flag_name(a, &rows[i]) : *section ? hn_fmt(a, "%s.%s", section, rows[i].name) : rows[i].name;
        const char *def = rows[i].def && *rows[i].def ? hn_fmt(a, "`%s`", md_cell(a, rows[i].def)) : rows[i].required ? "required" : "";
        hn_buf_fmt(a, b, "| `%s` | %s | %s%s%s | %s |\n", name, def, md_cell(a, hn_param_range(a, &rows[i])), rows[i].unit ? " " : "",
                   rows[i].unit ? rows[i].unit : "", md_cell(a, rows[i].doc ? rows[i].doc : ""));
    }
}

const char *hn_docs_commands(hn_arena *a) {
    hn_buf b = { 0 };
    hn_buf_fmt(
        a, &b,
        "# Commands\n\nMade from the command rows by `make docs`. Recipe keys: [SETTINGS.md](SETTINGS.md).\n\n## Flags of every command\n");
    md_rows(a, &b, "", hn_global_rows, HN_GLOBAL_FLAGS, true);
    const hn_cmd **cmds;
    int64_t n_cmds = hn_all_cmds(a, &cmds);
    for (int64_t i = 0; i < n_cmds; i++) {
        const hn_cmd *cmd = cmds[i];
        const char *name = hn_cmd_name(a, cmd);
        hn_buf_fmt(a, &b, "\n## %s\n\n    hone %s %s\n\n%s.\n", name, name, cmd->usage, cmd->item.doc);
        if (cmd->about) hn_buf_fmt(a, &b, "\n%s\n", cmd->about);
        if (cmd->item.n_params) md_rows(a, &b, "", cmd->item.params, cmd->item.n_params, true);
        if (cmd->n_sections) hn_buf_fmt(a, &b, "\nRecipe sections:");
        for (int64_t s = 0; s < cmd->n_sections; s++)
            hn_buf_fmt(a, &b, "%s `%s`", s ? "," : "", *cmd->sections[s]->key ? cmd->sections[s]->key : "top level");
        if (cmd->n_sections) hn_buf_fmt(a, &b, ".\n");
        if (cmd->examples) hn_buf_fmt(a, &b, "\nExamples:\n\n```sh\n%s\n```\n", cmd->examples);
    }
    return hn_buf_str(a, &b);
}

const char *hn_docs_settings(hn_arena *a) {
    hn_buf b = { 0 };
    hn_buf_fmt(a, &b,
               "# Settings\n\nMade from the settings rows by `make docs`. Each key stands in a recipe (YAML) or on the command line as "
               "`key.path=value`.\n");
    const hn_section **sections;
    int64_t n = hn_all_sections(a, &sections);
    for (int64_t i = 0; i < n; i++) {
        const hn_section *s = sections[i];
        hn_buf_fmt(a, &b, "\n## %s\n\n%s.\n", *s->key ? s->key : "top level", s->doc ? s->doc : "");
        if (s->scalar) hn_buf_fmt(a, &b, "`%s: VALUE` stands for `%s.%s`.\n", s->key, s->key, s->scalar);
        md_rows(a, &b, s->key, s->rows, s->n_rows, false);
        for (int64_t r = 0; s->variant && r < s->n_rows; r++) {
            if (strcmp(s->rows[r].name, s->variant)) continue;
            for (int64_t m = 0; m < s->rows[r].kind->n; m++) {
                const hn_item *item = s->rows[r].kind->items[m];
                if (!item->n_params) continue;
                hn_buf_fmt(a, &b, "\nWith `%s=%s` (%s):\n", hn_full_key(a, s, &s->rows[r]), item->name, item->doc);
                md_rows(a, &b, s->key, item->params, item->n_params, false);
            }
        }
    }
    hn_buf_fmt(a, &b, "\n## Kinds\n\n`hone list KIND` and `hone help KIND NAME` show these too.\n");
    for (int64_t k = 0; k < hn_n_kinds; k++) {
        hn_buf_fmt(a, &b, "\n### %s: %s\n\n| name | what it is | source |\n|---|---|---|\n", hn_kinds[k]->name, hn_kinds[k]->doc);
        for (int64_t i = 0; i < hn_kinds[k]->n; i++) {
            const hn_item *item = hn_kinds[k]->items[i];
            hn_buf_fmt(a, &b, "| `%s` | %s | %s |\n", item->name, md_cell(a, item->doc ? item->doc : ""),
                       md_cell(a, item->source ? item->source : ""));
        }
    }
    return hn_buf_str(a, &b);
}
