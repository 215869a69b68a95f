/* report - the report of a run, or of two side by side, from their ledgers alone. */
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

/* "runs/a" and "runs/b" are a and b; where that is the same word, their whole paths. */
static const char *last_word(hn_arena *a, const char *path) {
    char *copy = hn_strdup(a, path);
    for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/';) copy[--n] = 0;
    return hn_path_base(copy);
}
/* A URL has a password, perhaps, and no last word. */
static const char *short_name(hn_cmd_call *c, const char *arg, const hn_side *side) {
    return hn_db_is_url(arg) ? hn_fmt(c->a, "run-%lld", (long long)side->run) : last_word(c->a, arg);
}
static void name_sides(hn_cmd_call *c, hn_side side[2]) {
    for (int k = 0; k < 2; k++) side[k].name = short_name(c, c->args[k], &side[k]);
    if (!strcmp(side[0].name, side[1].name))
        for (int k = 0; k < 2; k++) side[k].name = hn_db_is_url(c->args[k]) ? hn_ledger_name(side[k].ledger) : c->args[k];
}

static bool compare(hn_cmd_call *c) {
    const flags *f = c->flags;
    hn_side side[2] = { { .run = f->run }, { .run = f->run } };
    for (int k = 0; k < 2; k++)
        if (!hn_open_run_ledger(c, c->args[k], &side[k].run, &side[k].ledger)) return false;
    name_sides(c, side);
    if (!strcmp(f->format, "md")) {
        const char *text = hn_versus_markdown(c->a, side);
        if (!text) return false;
        if (*f->to) return hn_file_write(c->a, f->to, text, (int64_t)strlen(text));
        hn_out("%s", text);
        return true;
    }
    if (!*f->to && !hn_path_is_dir(c->args[0]))
        return hn_usage(c, &hn_cmd_report, "where to? --to FILE is needed when a ledger file is named");
    const char *page = *f->to ? f->to : hn_path_join(c->a, c->args[0], hn_fmt(c->a, "report-against-%s.html", short_name(c, c->args[1], &side[1])));
    if (!hn_versus_html(c->a, side, page)) return false;
    if (c->json) hn_out_json(c->a, hn_json_own(c->a, json_pack("{ss s[II]}", "report", page, "runs", (json_int_t)side[0].run, (json_int_t)side[1].run)));
    else hn_out("%s\n", page);
    return true;
}

static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    if (c->n_args < 1) return hn_usage(c, &hn_cmd_report, "of which run?");
    if (c->n_args > 2) return hn_usage(c, &hn_cmd_report, "of one run, or of two to compare");
    if (c->n_args == 1) return one(c, c->args[0], f->to);
    if (*f->format == 'h' || *f->format == 'm') return compare(c);
    return hn_usage(c, &hn_cmd_report, "two runs are compared as html or md");
}

const hn_cmd hn_cmd_report = {
    HN_ITEM("report", "write the report of a run: start and end, levers, intervals, costs", NULL, flags, params),
    .usage = "RUN [RUN2] [--format html|md|svg|text]", .inline_work = true, .run = run,
    .about = "With two runs: one page, RUN/report-against-RUN2.html, or one Markdown text (--format md), with both starts and ends, facts and\n"
             "levers side by side, and what differs in their recipes.",
    .examples = "  hone report runs/mine\n  hone report runs/mine --format md\n  hone report runs/mine --format svg --to levers.svg\n"
                 "  hone report runs/mine runs/other"
};
