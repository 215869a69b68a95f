/* cmd.c - the commands in the order of cmds.def. A command is one file cmd/NAME.c that calls the library. */
#include "app/app.h"

#define CMD(n) extern const hn_cmd hn_cmd_##n;
#include "app/cmd/cmds.def"
#undef CMD
static const hn_item *const items[] = {
#define CMD(n) &hn_cmd_##n.item,
#include "app/cmd/cmds.def"
#undef CMD
};
const hn_kind hn_kind_cmd = { "cmd", "commands of the program", items, HN_LEN(items) };

const char *hn_cmd_name(hn_arena *a, const hn_cmd *cmd) {
    return cmd->under ? hn_fmt(a, "%s %s", cmd->under, cmd->item.name) : cmd->item.name;
}

int64_t hn_all_cmds(hn_arena *a, const hn_cmd ***out) {
    HN_VEC(const hn_cmd *) all = { 0 };
    for (int64_t i = 0; i < hn_kind_cmd.n; i++) {
        const hn_cmd *cmd = (const hn_cmd *)hn_kind_cmd.items[i];
        hn_push(a, &all, cmd);
        for (int64_t k = 0; cmd->verbs && k < cmd->verbs->n; k++) hn_push(a, &all, (const hn_cmd *)cmd->verbs->items[k]);
    }
    *out = all.v;
    return all.n;
}

bool hn_usage(hn_cmd_call *c, const hn_cmd *cmd, const char *what) {
    return HN_FAIL(c->a, HONE_E_USAGE, .what = what, .where = "command line",
                   .wanted = hn_fmt(c->a, "hone %s %s", hn_cmd_name(c->a, cmd), cmd->usage),
                   .hint = hn_fmt(c->a, "See `hone %s --help`.", hn_cmd_name(c->a, cmd)));
}
