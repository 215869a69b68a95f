/* ledger - what was tried, what it was worth, what it cost. */
#include "app/app.h"

typedef struct flags {
    int64_t run;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, run, .def = "0", .min = 0, .max = 9e15, .doc = "number of the run in this ledger; 0: the newest"),
};

bool hn_open_run_ledger(hn_cmd_call *c, const char *path, int64_t *run, hn_ledger **out) {
    const char *file = path;
    int64_t its = 0;
    if (hn_path_is_dir(path) && !hn_ledger_of(c->a, path, &file, &its)) return false;
    if (!*run) *run = its;
    if (!hn_db_is_url(path) && !hn_path_exists(path)) return hn_no_file(c->a, HONE_E_MODEL, path);
    if (!hn_db_is_url(file) && !hn_path_exists(file))
        return HN_FAIL(c->a, HONE_E_MODEL, .what = "there is no ledger", .where = file,
                       .hint = "Name the run folder of `hone improve`, its ledger.sqlite, or the URL of a ledger on a server.");
    if (!(*out = hn_ledger_open(c->a, file, true))) return false;
    file = hn_ledger_name(*out); /* without a password */
    int64_t latest = hn_ledger_latest(*out);
    if (hone_error_code(c->a->job)) return false;
    if (!latest) return HN_FAIL(c->a, HONE_E_MODEL, .what = "the ledger holds no run", .where = file);
    if (!*run) *run = latest;
    hn_row *r = hn_db_query(c->a, hn_ledger_db(*out), "SELECT 1 FROM runs WHERE id=?", "i", *run);
    if (!r) return false;
    if (hn_row_next(r)) return true;
    return HN_FAIL(c->a, HONE_E_VALUE, .what = hn_fmt(c->a, "run %lld is not in this ledger", (long long)*run), .where = file,
                   .hint = "`hone ledger list` shows the runs.");
}

/* Their names with a blank between; NULL: an error. */
static const char *kept_in(hn_arena *a, hn_ledger *l, int64_t run) {
    hn_buf b = { 0 };
    hn_row *r = hn_db_query(a, hn_ledger_db(l), "SELECT lever FROM decisions WHERE run=? AND phase='confirm' AND verdict='kept' AND lever<>'placebo' ORDER BY id",
                            "i", run);
    if (!r) return NULL;
    while (hn_row_next(r)) hn_buf_fmt(a, &b, "%s%s", b.n ? " " : "", hn_row_s(a, r, 0));
    return hone_error_code(a->job) ? NULL : hn_buf_str(a, &b);
}

static bool list(hn_cmd_call *c, hn_ledger *l) {
    hn_row *r = hn_db_query(c->a, hn_ledger_db(l),
                            "SELECT id, started, finished, state, seed, version, (SELECT count(*) FROM measurements m WHERE m.run=runs.id)"
                            " FROM runs ORDER BY id",
                            "");
    if (!r) return false;
    if (!c->json) hn_out("%4s  %-20s  %-20s  %-11s  %12s  %s\n", "run", "started", "finished", "state", "measurements", "kept");
    while (hn_row_next(r)) {
        const char *started = hn_row_s(c->a, r, 1), *finished = hn_row_s(c->a, r, 2), *state = hn_row_s(c->a, r, 3),
                   *kept = kept_in(c->a, l, hn_row_i(r, 0));
        if (!kept) return false;
        if (c->json)
            hn_out_json(c->a, hn_json_own(c->a, json_pack("{sI ss so ss sI ss sI ss}", "run", (json_int_t)hn_row_i(r, 0), "started",
                                                          started, "finished", *finished ? json_string(finished) : json_null(), "state",
                                                          state, "seed", (json_int_t)hn_row_i(r, 4), "version", hn_row_s(c->a, r, 5),
                                                          "measurements", (json_int_t)hn_row_i(r, 6), "kept", kept)));
        else
            hn_out("%4lld  %-20s  %-20s  %-11s  %12lld  %s\n", (long long)hn_row_i(r, 0), started, *finished ? finished : "-", state,
                   (long long)hn_row_i(r, 6), *kept ? kept : "-");
    }
    return !hone_error_code(c->a->job);
}

static bool show(hn_cmd_call *c, hn_ledger *l, int64_t run) {
    if (c->json) {
        json_t *all = hn_ledger_export(c->a, l, run);
        if (all) hn_out_json(c->a, all);
        return all;
    }
    const char *text = hn_report_text(c->a, l, run);
    if (text) hn_out("%s", text);
    return text;
}

extern const hn_cmd hn_cmd_ledger;
static bool run(hn_cmd_call *c) {
    static const char *const verbs[] = { "show", "list", "export" };
    const flags *f = c->flags;
    if (c->n_args != 2) return hn_usage(c, &hn_cmd_ledger, c->n_args ? "ledger takes a verb and one run folder, or the URL of a ledger" : "show, list or export?");
    const char *verb = c->args[0];
    if (strcmp(verb, "show") && strcmp(verb, "list") && strcmp(verb, "export")) {
        const char *near = hn_nearest(verb, verbs, HN_LEN(verbs));
        return hn_usage(c, &hn_cmd_ledger,
                        hn_fmt(c->a, "unknown verb '%.100s'%s", verb, near ? hn_fmt(c->a, ", did you mean '%s'?", near) : ""));
    }
    hn_ledger *l;
    int64_t id = f->run;
    if (!hn_open_run_ledger(c, c->args[1], &id, &l)) return false;
    if (*verb == 'l') return list(c, l);
    if (*verb == 's') return show(c, l, id);
    json_t *all = hn_ledger_export(c->a, l, id);
    if (all) hn_out("%s\n", hn_json_text(c->a, all, !c->json));
    return all;
}

const hn_cmd hn_cmd_ledger = {
    HN_ITEM("ledger", "show what was tried, what it was worth, what it cost", NULL, flags, params),
    .usage = "show|list|export RUN|URL",
    .inline_work = true,
    .run = run,
    .about =
        "show: the levers of a run with verdicts, intervals and costs. list: the runs in this ledger. export: everything of a run as JSON.\n"
        "RUN is a run folder or a ledger.sqlite; a ledger on a PostgreSQL server is named by its URL.",
    .examples = "  hone ledger show runs/mine\n  hone ledger list postgresql://me@host/hone\n  hone ledger list runs/mine --json\n  hone ledger export runs/mine > run.json"
};
