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

bool hn_usage(hn_cmd_call *c, const hn_cmd *cmd, const char *what) {
    return HN_FAIL(c->a, HONE_E_USAGE, .what = what, .where = "command line",
                   .wanted = hn_fmt(c->a, "hone %s %s", cmd->item.name, cmd->usage),
                   .hint = hn_fmt(c->a, "See `hone %s --help`.", cmd->item.name));
}
