/* list - the kinds, or the members of one. */
#include "app/app.h"

static bool list_kinds(hn_cmd_call *c) {
    for (int64_t i = 0; i < hn_n_kinds; i++) {
        const hn_kind *k = hn_kinds[i];
        if (c->json)
            hn_out_json(c->a, hn_json_own(c->a, json_pack("{ss ss sI}", "kind", k->name, "doc", k->doc, "members", (json_int_t)k->n)));
        else hn_out("%-10s %3lld  %s\n", k->name, (long long)k->n, k->doc);
    }
    return true;
}

static bool run(hn_cmd_call *c) {
    if (!c->n_args) return list_kinds(c);
    const hn_kind *k = hn_kind_named(c->args[0]);
    if (!k) {
        const char *near = hn_kind_name_nearest(c->args[0]);
        return HN_FAIL(c->a, HONE_E_USAGE, .what = hn_fmt(c->a, "there is no kind '%.100s'", c->args[0]),
                       .hint = near ? hn_fmt(c->a, "Did you mean '%s'?", near) : "`hone list` shows the kinds.");
    }
    for (int64_t i = 0; i < k->n; i++) {
        const hn_item *m = k->items[i];
        hn_buf example = { 0 };
        if (k->more) k->more(c->a, m, true, &example);
        if (c->json) {
            json_t *line = hn_json_own(c->a, json_pack("{ss ss* ss*}", "name", m->name, "doc", m->doc, "source", m->source));
            if (example.n) json_object_set_new(line, "example", json_stringn(example.v, (size_t)example.n));
            hn_out_json(c->a, line);
        } else
            hn_out("%-22s %s%s%s%s%s%s\n", m->name, m->doc ? m->doc : "", m->source ? "  (" : "", m->source ? m->source : "",
                   m->source ? ")" : "", example.n ? ": " : "", hn_buf_str(c->a, &example));
    }
    return true;
}

const hn_cmd hn_cmd_list = { HN_ITEM0("list", "list the kinds, or the members of a kind: optimizers, levers, operators, …", NULL),
                             .usage = "[KIND]", .inline_work = true, .run = run,
                             .examples = "  hone list\n  hone list lever\n  hone list optim --json" };
