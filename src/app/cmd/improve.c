/* improve - the main job: measure the model, try each lever, keep what is proven.
 *
 * Without a recipe the text recipe inside the program is used; without data too, text made from the seed. The same command again
 * goes on with a killed run: the ledger in the run folder knows what was done. */
#include "app/app.h"
#include <math.h>
#include <stdio.h>

typedef struct flags {
    const char *resume, *join;
} flags;
static const hn_param params[] = {
    HN_PARAM(flags, resume, .doc = "run folder to go on with; the same command again does that too, and shows the result of a finished run"),
    HN_PARAM(flags, join, .doc = "run folder to work on beside the processes that work on it, or to go on with; nothing is trained twice"),
};
static const hn_section *const sections[] = { &hn_section_run,   &hn_section_model, &hn_section_adapter, &hn_section_data,  &hn_section_train,
                                              &hn_section_optim, &hn_section_sched, &hn_section_improve, &hn_section_budget,
                                              &hn_section_finish };
enum { SYNTH_BYTES = 1000000 };

/* ---- what a person sees ---- */

typedef struct lines {
    hn_cmd_call *c;
    bool head;
} lines;

static double num(const json_t *o, const char *key) {
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}
static const char *text(const json_t *o, const char *key) {
    const char *s = json_string_value(json_object_get(o, key));
    return s ? s : "";
}
/* People read gains: positive is better, as in the report. JSON lines hold differences in the metric's own direction. */
static const char *gain_interval(hn_arena *a, const json_t *o) {
    const json_t *ci = json_object_get(o, "ci95");
    if (!json_is_array(ci)) return "-";
    return hn_fmt(a, "%+.4f .. %+.4f", 0.0 - json_number_value(json_array_get(ci, 1)), 0.0 - json_number_value(json_array_get(ci, 0)));
}
static const char *or_dash(hn_arena *a, bool gain, double x) {
    return isnan(x) ? "-" : gain ? hn_fmt(a, "%+.4f", x) : hn_fmt(a, "%.2g", x);
}

/* What was screened alone was not judged, as the report says it; in JSON it is undecided. */
static const char *verdict(const json_t *l) {
    const char *v = text(l, "verdict");
    return isnan(num(l, "p_value")) && !strcmp(v, "undecided") ? "not judged" : v;
}

/* What the lever did, without the numbers that stand in the table; of a failure all of it. */
static const char *short_why(hn_arena *a, const json_t *l) {
    const char *why = text(l, "why"), *colon = strstr(why, ": ");
    return colon && strcmp(text(l, "verdict"), "failed") ? hn_strndup(a, why, colon - why) : why;
}

static void show_end(hn_arena *a, const json_t *l) {
    const char *out = text(l, "out");
    hn_out("\n%s\n", text(l, "what"));
    const char *start = isnan(num(l, "start")) ? "-" : hn_fmt(a, "%.4f", num(l, "start")),
               *end = isnan(num(l, "end")) ? "-" : hn_fmt(a, "%.4f", num(l, "end"));
    hn_out("sealed items  %s -> %s %s, gain %s (95 %% %s)\n", start, end,
           !strcmp(text(l, "metric"), "error_rate") ? "of all answers wrong" : "bits per byte", or_dash(a, true, 0.0 - num(l, "difference")),
           gain_interval(a, l));
    double from = num(json_object_get(l, "accuracy"), "start"), to = num(json_object_get(l, "accuracy"), "end");
    if (!isnan(from) && !isnan(to)) hn_out("%s right %.1f %% -> %.1f %% of the %s\n", strcmp(text(l, "accuracy_of"), "answers") ? "guessed" : "wholly", 100 * from, 100 * to,
                                              text(l, "accuracy_of"));
    hn_out("model         %s\nreport        %s\nledger        %s\n", text(l, "best"), hn_path_join(a, out, "report.html"),
           *text(l, "ledger") ? text(l, "ledger") : hn_path_join(a, out, "ledger.sqlite"));
}

static void on_line(void *user, const json_t *l) {
    lines *s = user;
    hn_arena *a = hn_arena_new(s->c->a);
    hn_term_clear(s->c->term);
    if (s->c->json) hn_out_json(a, l);
    else if (json_object_get(l, "best")) show_end(a, l);
    else {
        if (!s->head) hn_out("%-16s %-10s %8s  %-20s %8s  %s\n", "LEVER", "VERDICT", "GAIN", "95 % INTERVAL", "P", "WHAT IT DID");
        s->head = true;
        hn_out("%-16s %-10s %8s  %-20s %8s  %s\n", text(l, "lever"), verdict(l), or_dash(a, true, num(l, "gain")),
               gain_interval(a, l), or_dash(a, false, num(l, "p_value")), short_why(a, l));
    }
    fflush(stdout);
    hn_arena_free(a);
}

/* ---- the run ---- */

/* Text of our own making, the same for the same seed, so that a killed run finds its data again. */
static bool make_text(hn_cmd_call *c, const char *out) {
    const char *path = hn_path_join(c->a, out, "made.txt");
    const hn_run_params *run = hn_settings_get(c->settings, "");
    hn_buf b = { 0 };
    if (!hn_path_exists(path)) {
        hn_log(c->a, "no data was named: making a text of %d kB with seed %llu", SYNTH_BYTES / 1000, (unsigned long long)run->seed);
        hn_synth_text(c->a, run->seed, SYNTH_BYTES, &b);
        if (!hn_mkdirs(c->a, out) || !hn_file_write(c->a, path, b.v, b.n)) return false;
    }
    return hn_settings_set(c->settings, c->a, "data.train", path, "improve");
}

static bool free_of_training(hn_cmd_call *c, const char *out) {
    if (hn_path_exists(hn_path_join(c->a, out, "ledger.sqlite")) || hn_path_exists(hn_path_join(c->a, out, "ledger.url")) ||
        !hn_path_exists(hn_path_join(c->a, out, "checkpoint/state.safetensors")))
        return true;
    return HN_FAIL(c->a, HONE_E_USAGE, .what = "this folder already holds a training", .where = out,
                   .hint = "Choose another folder with out=DIR.");
}

extern const hn_cmd hn_cmd_improve;
static bool run(hn_cmd_call *c) {
    const flags *f = c->flags;
    if (*f->join && (*f->resume || c->recipe || c->n_args))
        return hn_usage(c, &hn_cmd_improve, "--join takes the run's own recipe: give nothing else");
    if (*f->join && !hn_resume_settings(c, sections, HN_LEN(sections), f->join)) return false;
    if (*f->resume && !c->recipe && !c->n_args && !hn_resume_settings(c, sections, HN_LEN(sections), f->resume)) return false;
    if (*f->resume && (c->recipe || c->n_args) && !hn_settings_set(c->settings, c->a, "out", f->resume, "--resume")) return false;
    if (!hn_take_data_args(c) || !hn_settings_check(c->settings, c->a)) return false;
    const char *out = hn_run_folder(c);
    if (!out) out = hn_path_join(c->a, "runs", "improve");
    if (!hn_settings_set(c->settings, c->a, "out", out, "improve") || !free_of_training(c, out)) return false;
    const hn_data_params *data = hn_settings_get(c->settings, "data");
    const hn_model_params *model = hn_settings_get(c->settings, "model");
    if (!data->train.n && *model->path)
        return HN_FAIL(c->a, HONE_E_VALUE, .what = "'data.train' is missing",
                       .wanted = "text to judge and to continue training the model with", .hint = "Add data.train=FILE.");
    if (!data->train.n && c->recipe)
        return HN_FAIL(c->a, HONE_E_VALUE, .what = "'data.train' is missing", .wanted = "a text file or folder", .where = c->recipe,
                       .hint = "Add data.train=FILE to the command line, or to the recipe.");
    if (!data->train.n && !make_text(c, out)) return false;
    if (!hn_mkdirs(c->a, out) || !hn_term_log_to(c->a, c->term, hn_path_join(c->a, out, "log.jsonl"))) return false;
    lines l = { .c = c };
    if ((*f->join ? hn_improve_join : hn_improve_run)(c->a, c->settings, out, on_line, &l)) return true;
    if (hone_error_code(c->a->job) == HONE_E_INTERRUPTED) {
        hn_term_clear(c->term);
        hn_warn(c->a, "what was measured is kept in the ledger; the same command again, or `hone improve --resume %s`, goes on", out);
    }
    return false;
}

const hn_cmd hn_cmd_improve = {
    HN_ITEM("improve", "make a model measurably smarter: try each lever, keep what is proven", NULL, flags, params),
    .usage = "[RECIPE.yaml | TEXT … | MODEL TEXT …] [key.path=value …]",
    .sections = sections,
    .n_sections = HN_LEN(sections),
    .takes_recipe = true,
    .preset = hn_recipe_text,
    .run = run,
    .about = "Measures speed and fixes the plan within budget.seconds; tunes the start; screens every lever; confirms the best with fresh "
             "seeds on fresh\n"
             "items; stacks what is proven; opens the sealed items once. `difference` is the lever's bits per byte minus the start's: "
             "below 0 is better.\n"
             "Several machines may work on one run (--join) in a folder that they share, when improve.ledger names a database on a PostgreSQL server.\n"
             "Writes ledger.sqlite, best/ (the model), start/, report.html, and set-aside.jsonl if rows could not be read. Without arguments it works on a text that it makes itself.\n"
             "Without a recipe the values of recipes/text.yaml stand in for the defaults told here.",
    .examples = "  hone improve my.txt\n  hone improve recipes/text.yaml data.train=my.txt budget.seconds=1800 out=runs/mine\n"
                "  hone improve runs/mine/best more.txt"
};
