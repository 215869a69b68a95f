/* version - which hone this is, on which CPU, with which libraries. */
#include "app/app.h"

static bool run(hn_cmd_call *c) {
    if (!c->json) return hn_out("%s", hn_version_text(c->a)), true;
    json_t *libs = json_object();
    const hn_lib *v;
    int64_t n = hn_libs(c->a, &v);
    for (int64_t i = 0; i < n; i++) json_object_set_new(libs, v[i].name, v[i].version ? json_string(v[i].version) : json_null());
    hn_out_json(c->a, hn_json_own(c->a, json_pack("{ss ss ss so}", "version", hone_version(), "cpu", hn_cpu_describe(c->a), "isa",
                                                  hn_isa_name(hn_cpu_isa()), "libraries", libs)));
    return true;
}

const hn_cmd hn_cmd_version = { HN_ITEM0("version", "show version, CPU features and libraries", NULL), .usage = "", .inline_work = true,
                                .run = run };
