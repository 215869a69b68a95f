/* data - what is done to data before training. A verb is one file of app/data and one row of verbs.def: a command with flags of its own,
 * which the command line finds behind `hone data`. */
#include "app/app.h"

#define VERB(n) extern const hn_cmd hn_verb_##n;
#include "app/data/verbs.def"
#undef VERB
static const hn_item *const items[] = {
#define VERB(n) &hn_verb_##n.item,
#include "app/data/verbs.def"
#undef VERB
};
const hn_kind hn_kind_verb = { "verb", "verbs of `hone data`", items, HN_LEN(items) };

extern const hn_cmd hn_cmd_data;
static bool run(hn_cmd_call *c) {
    if (!c->n_args) return hn_usage(c, &hn_cmd_data, "data needs a verb");
    const char *near = hn_kind_nearest(&hn_kind_verb, c->args[0]);
    return hn_usage(c, &hn_cmd_data,
                    hn_fmt(c->a, "unknown verb '%.100s'%s", c->args[0], near ? hn_fmt(c->a, ", did you mean '%s'?", near) : ""));
}

const hn_cmd hn_cmd_data = { HN_ITEM0("data", "make data", NULL), .usage = "VERB …", .verbs = &hn_kind_verb, .inline_work = true, .run = run,
                             .examples = "  hone data generate --help\n  hone data generate --task sort --n 1000" };
