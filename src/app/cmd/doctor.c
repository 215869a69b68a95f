/* doctor - what this machine has, what this build lacks, what is worth mending. */
#include "app/app.h"
#include <sys/statvfs.h>

static double free_disk(const char *dir) {
    struct statvfs v;
    return statvfs(dir, &v) ? -1 : (double)v.f_bavail * (double)v.f_frsize;
}

static bool run(hn_cmd_call *c) {
    hn_arena *a = c->a;
    const hn_lib *libs;
    int64_t n = hn_libs(a, &libs), memory = hn_memory_available();
    double disk = free_disk(".");
    const char *isa_error = hn_cpu_isa_error();
    HN_VEC(const char *) advice = { 0 };
    if (isa_error) hn_push(a, &advice, isa_error);
    if (hn_cpu_isa() == HN_ISA_PLAIN)
        hn_push(a, &advice, "Only plain C kernels run: this CPU has no AVX2, or HONE_ISA=plain is set. Expect a fifth of the speed.");
    if (memory < (int64_t)512 << 20)
        hn_push(a, &advice, "Less than 512 MiB of memory is free; `hone train RECIPE --plan` tells what a run needs.");
    if (disk >= 0 && disk < 1e9) hn_push(a, &advice, "Less than 1 GB is free on this disk; checkpoints may not fit.");
    if (c->json) {
        json_t *l = json_object(), *tips = json_array();
        for (int64_t i = 0; i < n; i++) json_object_set_new(l, libs[i].name, libs[i].version ? json_string(libs[i].version) : json_null());
        for (int64_t i = 0; i < advice.n; i++) json_array_append_new(tips, json_string(advice.v[i]));
        hn_out_json(a, hn_json_own(a, json_pack("{ss ss ss si sI sI so so}", "version", hone_version(), "cpu", hn_cpu_describe(a), "isa",
                                                hn_isa_name(hn_cpu_isa()), "cores", hn_cpu_cores(), "memory_available_bytes",
                                                (json_int_t)memory, "disk_free_bytes", (json_int_t)disk, "libraries", l, "advice", tips)));
        return true;
    }
    hn_out("hone       %s\n", hone_version());
    hn_out("cpu        %s\n", hn_cpu_describe(a));
    hn_out("kernels    %s (HONE_ISA=" HN_ISA_NAMES " forces one)\n", hn_isa_name(hn_cpu_isa()));
    hn_out("threads    %d\n", hn_cpu_cores());
    hn_out("memory     %s may still be used\n", hn_human_bytes(a, (double)memory));
    hn_out("disk       %s free here\n", disk < 0 ? "unknown" : hn_human_bytes(a, disk));
    hn_out("\nLibraries:\n");
    for (int64_t i = 0; i < n; i++)
        if (libs[i].version) hn_out("  %-16s %-10s %s\n", libs[i].name, libs[i].version, libs[i].does);
    hn_out("\nNot built in:\n");
    for (int64_t i = 0; i < n; i++)
        if (!libs[i].version) hn_out("  %-16s %s\n", libs[i].name, libs[i].does);
    hn_out("\n");
    for (int64_t i = 0; i < advice.n; i++) hn_out("! %s\n", advice.v[i]);
    if (!advice.n) hn_out("All is well.\n");
    return true;
}

const hn_cmd hn_cmd_doctor = { HN_ITEM0("doctor", "show what this machine has and what this build lacks", NULL), .usage = "",
                               .inline_work = true, .run = run };
