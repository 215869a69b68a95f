/* help - what a command does; what a member of a kind can be told; the pages that are made from the rows. */
#include "app/app.h"

typedef struct flags {
    bool man;
    const char *markdown, *completion;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, man, .internal = true, .doc = "the man page"),
    HN_PARAM(flags, markdown, .internal = true, .choices = "|commands|settings", .doc = "a docs page"),
    HN_PARAM(flags, completion, .internal = true, .choices = "|bash|zsh", .doc = "a completion script"),
};

static bool help_kind(hn_cmd_call *c, const hn_kind *k) {
    for (int64_t i = 0; i < k->n; i++) hn_out("%s%s", i ? "\n" : "", hn_help_item(c->a, k, k->items[i]));
    return true;
}

static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    if (f->man) return hn_out("%s", hn_docs_man(c->a)), true;
    if (*f->markdown) return hn_out("%s", *f->markdown == 'c' ? hn_docs_commands(c->a) : hn_docs_settings(c->a)), true;
    if (*f->completion) return hn_out("%s", hn_docs_completion(c->a, *f->completion == 'z')), true;
    if (!c->n_args) return hn_out("%s", hn_help_overview(c->a)), true;
    const hn_item *cmd = hn_kind_find(&hn_kind_cmd, c->args[0]);
    if (cmd && c->n_args == 1) return hn_out("%s", hn_help_command(c->a, (const hn_cmd *)cmd)), true;
    const hn_kind *k = cmd ? ((const hn_cmd *)cmd)->verbs : NULL;     /* `help data generate` */
    if (cmd && !k && !hn_kind_named(c->args[0])) { /* `help train steps` */
        const char *text = hn_help_rows(c->a, (const hn_cmd *)cmd, c->args[1]), *name = hn_cmd_name(c->a, (const hn_cmd *)cmd);
        if (text) return hn_out("%s", text), true;
        return HN_FAIL(c->a, HONE_E_USAGE, .what = hn_fmt(c->a, "`hone %s` has no flag and no recipe key '%.100s'", name, c->args[1]),
                       .hint = hn_fmt(c->a, "`hone help %s` shows all.", name));
    }
    if (!k) k = hn_kind_named(c->args[0]);
    if (!k) {
        const char *near = hn_kind_nearest(&hn_kind_cmd, c->args[0]);
        if (!near) near = hn_kind_name_nearest(c->args[0]);
        return HN_FAIL(c->a, HONE_E_USAGE, .what = hn_fmt(c->a, "'%.100s' is neither a command nor a kind", c->args[0]),
                       .hint = near ? hn_fmt(c->a, "Did you mean '%s'?", near) : "`hone --help` lists commands, `hone list` kinds.");
    }
    if (c->n_args == 1) return help_kind(c, k);
    const hn_item *item = hn_kind_find(k, c->args[1]);
    if (!item) {
        const char *near = hn_kind_nearest(k, c->args[1]);
        return HN_FAIL(c->a, HONE_E_USAGE, .what = hn_fmt(c->a, "there is no %s '%.100s'", k->name, c->args[1]),
                       .hint = near ? hn_fmt(c->a, "Did you mean '%s'?", near) : hn_fmt(c->a, "`hone list %s` shows them.", k->name));
    }
    if (k == &hn_kind_cmd || k == &hn_kind_verb) return hn_out("%s", hn_help_command(c->a, (const hn_cmd *)item)), true;
    return hn_out("%s", hn_help_item(c->a, k, item)), true;
}

const hn_cmd hn_cmd_help = { HN_ITEM("help", "show what a command does, or what a member of a kind can be told", NULL, flags, params),
                             .usage = "[COMMAND [KEY] | KIND [NAME]]", .inline_work = true, .run = run,
                             .examples = "  hone help train\n  hone help train steps\n  hone help optim adamw" };
