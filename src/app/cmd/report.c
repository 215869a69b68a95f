/* report - the report of a run, from its ledger alone. */
#include "app/app.h"

typedef struct flags {
    const char *format, *to;
    int64_t run;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, format, .def = "html", .choices = "html|md|svg|text",
             .doc = "a self-contained page, a Markdown table, the picture of the levers, or plain text"),
    HN_PARAM(flags, to, .doc = "file to write; empty: RUN/report.html for html, stdout for the others"),
    HN_PARAM(flags, run, .def = "0", .min = 0, .max = 9e15, .doc = "number of the run in this ledger; 0: the newest"),
};

extern const hn_cmd hn_cmd_report;
static bool one(hn_cmd_call *c, const char *path, const char *to) {
    const flags *f = c->flags;
    hn_ledger *l;
    int64_t id = f->run;
    if (!hn_open_run_ledger(c, path, &id, &l)) return false;
    if (!strcmp(f->format, "html")) {
        if (!*to && !hn_path_is_dir(path)) return hn_usage(c, &hn_cmd_report, "where to? --to FILE is needed when a ledger file is named");
        const char *page = *to ? to : hn_path_join(c->a, path, "report.html");
        if (!hn_report_html(c->a, l, id, page)) return false;
        if (c->json) hn_out_json(c->a, hn_json_own(c->a, json_pack("{ss sI}", "report", page, "run", (json_int_t)id)));
        else hn_out("%s\n", page);
        return true;
    }
    const char *text = *f->format == 'm'   ? hn_report_markdown(c->a, l, id)
                       : *f->format == 's' ? hn_report_svg_levers(c->a, l, id)
                                           : hn_report_text(c->a, l, id);
    if (!text) return false;
    if (*to) return hn_file_write(c->a, to, text, (int64_t)strlen(text));
    hn_out("%s", text);
    return true;
}

static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    if (c->n_args < 1) return hn_usage(c, &hn_cmd_report, "of which run?");
    if (c->n_args > 1 && *f->to) return hn_usage(c, &hn_cmd_report, "--to names one file, but several runs are given");
    for (int64_t i = 0; i < c->n_args; i++)
        if (!one(c, c->args[i], f->to)) return false;
    return true;
}

const hn_cmd hn_cmd_report = {
    HN_ITEM("report", "write the report of a run: start and end, levers, intervals, costs", NULL, flags, params),
    .usage = "RUN [RUN2 …] [--format html|md|svg|text]", .inline_work = true, .run = run,
    .examples = "  hone report runs/mine\n  hone report runs/mine --format md\n  hone report runs/mine --format svg --to levers.svg"
};
