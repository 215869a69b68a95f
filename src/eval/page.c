/* page.c - the tables of the report page: levers, what was undecided, variances, screen, stack. Each writes nothing when the run has
 * nothing of its kind. Everything that came from outside goes through hn_escape. */
#include "eval/report.h"

#include <math.h>

const char *hn_verdict_tag(hn_arena *a, const char *verdict) {
    bool known = !strcmp(verdict, "kept") || !strcmp(verdict, "harmful") || !strcmp(verdict, "undecided") || !strcmp(verdict, "failed");
    return hn_fmt(a, "<span class=\"tag t-%s\">%s</span>", known ? verdict : "none", hn_escape(a, verdict));
}

static const char *times(hn_arena *a, double x) { return isfinite(x) ? hn_fmt(a, "%.3g ×", x) : "–"; }

void hn_page_levers(hn_arena *a, hn_buf *b, const hn_report *r) {
    if (!r->levers.n) return;
    hn_buf_fmt(a, b,
               "<div class=\"scroll\"><table class=\"cards\"><thead><tr><th>lever</th><th class=\"l\">verdict</th><th>gain</th><th>95 %% "
               "interval</th><th>adjusted p</th>"
               "<th>would see<br>from</th><th>a training<br>takes</th><th>FLOPs<br>× start</th></tr></thead><tbody>\n");
    for (int64_t i = 0; i < r->levers.n; i++) {
        const hn_report_row *x = &r->levers.v[i];
        bool judged = i < r->n_judged;
        hn_buf_fmt(a, b, "<tr class=\"top%s\"><td class=\"name\">%s</td><td class=\"l\">%s</td>", judged ? "" : " dim",
                   hn_escape(a, x->name), hn_verdict_tag(a, judged ? x->verdict : "not judged"));
        hn_buf_fmt(a, b, "<td data-l=\"gain\">%s</td><td data-l=\"95 %%\">%s</td><td data-l=\"p\">%s</td><td data-l=\"seen from\">%s</td>",
                   hn_say_gain(a, x->gain), hn_say_interval(a, x->lo, x->hi), hn_escape(a, hn_say_p(a, x)), hn_say_plain(a, x->detectable));
        hn_buf_fmt(a, b, "<td data-l=\"takes\">%s</td><td data-l=\"FLOPs\">%s</td></tr>\n", hn_say_seconds(a, x->seconds),
                   times(a, x->cost));
        hn_buf_fmt(a, b, "<tr class=\"why\"><td colspan=\"8\">%s", hn_escape(a, x->why));
        if (isfinite(x->flops))
            hn_buf_fmt(a, b, " <span class=\"cost\">· %s a training, %s of memory at most</span>", hn_say_flops(a, x->flops),
                       hn_say_bytes(a, (double)x->peak_rss));
        if (isfinite(x->accuracy))
            hn_buf_fmt(a, b, " <span class=\"cost\">· %s of the %s right%s</span>", hn_say_percent(a, x->accuracy), r->of_answers ? "whole answers" : "next tokens guessed",
                       isfinite(x->incumbent_accuracy) ? hn_fmt(a, ", %s without it", hn_say_percent(a, x->incumbent_accuracy)) : "");
        hn_buf_fmt(a, b, "</td></tr>\n");
    }
    hn_buf_fmt(a, b, "</tbody></table></div>\n");
}

/* What a verdict of "undecided" leaves open, lever by lever. */
void hn_page_undecided(hn_arena *a, hn_buf *b, const hn_report *r) {
    int64_t n = 0;
    for (int64_t i = 0; i < r->n_judged; i++) n += !strcmp(r->levers.v[i].verdict, "undecided");
    if (!n) return;
    hn_buf_fmt(a, b,
               "<h2>What stayed undecided</h2>\n<p class=\"lead\">Undecided is not the same as useless: an effect may have been there, but "
               "too small for this run to see.</p>\n<ul class=\"plain\">\n");
    for (int64_t i = 0; i < r->n_judged; i++) {
        const hn_report_row *x = &r->levers.v[i];
        if (strcmp(x->verdict, "undecided")) continue;
        hn_buf_fmt(a, b, "<li><b>%s</b>: ", hn_escape(a, x->name));
        if (x->hi > 0) hn_buf_fmt(a, b, "a true gain of up to %s could hide in the interval", hn_say_plain(a, x->hi));
        else hn_buf_fmt(a, b, "the interval leaves no room for a gain");
        if (isfinite(x->detectable))
            hn_buf_fmt(a, b, "; one of %s or more would have been kept with 80 %% power", hn_say_plain(a, x->detectable));
        hn_buf_fmt(a, b, ".%s</li>\n",
                   strcmp(x->name, "placebo") ? "" : " It changes nothing but the seeds, so this is what chance alone looks like here.");
    }
    hn_buf_fmt(a, b, "</ul>\n");
}

/* What the budget had no room for. */
void hn_page_left_out(hn_arena *a, hn_buf *b, const hn_report *r) {
    const json_t *left = json_object_get(r->plan, "left_out");
    if (!json_array_size(left)) return;
    hn_buf_fmt(a, b,
               "<h2>What was left out</h2>\n<p class=\"lead\">Levers that were asked for and not tried, since a shorter training would have "
               "proven nothing; never seeds.</p>\n<ul class=\"plain\">\n");
    for (size_t i = 0; i < json_array_size(left); i++)
        hn_buf_fmt(a, b, "<li><b>%s</b>: %s.</li>\n", hn_escape(a, hn_json_str(json_array_get(left, i), "lever")),
                   hn_escape(a, hn_json_str(json_array_get(left, i), "why")));
    hn_buf_fmt(a, b, "</ul>\n");
}

/* V = 2 s²/S + sd²(d)/n: how much of it seeds, how much items are to blame for. */
void hn_page_variance(hn_arena *a, hn_buf *b, const hn_report *r) {
    bool any = false;
    for (int64_t i = 0; i < r->n_judged; i++) any |= isfinite(r->levers.v[i].seed_var);
    if (!any) return;
    hn_buf_fmt(a, b,
               "<div class=\"scroll\"><table class=\"cards\"><thead><tr><th>lever</th><th>sd between<br>seeds</th><th>sd of the "
               "difference<br>between items</th><th>degrees of<br>freedom</th>"
               "<th>uncertainty due<br>to seeds</th></tr></thead><tbody>\n");
    for (int64_t i = 0; i < r->n_judged; i++) {
        const hn_report_row *x = &r->levers.v[i];
        if (!isfinite(x->seed_var)) continue;
        double seeds = 2 * x->seed_var / fmax(1, (double)r->confirm_seeds), items = x->item_var / fmax(1, (double)r->confirm_units),
               share = seeds / (seeds + items);
        hn_buf_fmt(a, b,
                   "<tr class=\"one\"><td class=\"name\">%s</td><td data-l=\"seeds, sd\">%s</td><td data-l=\"items, sd\">%s</td><td "
                   "data-l=\"df\">%s</td><td data-l=\"due to seeds\">%s</td></tr>\n",
                   hn_escape(a, x->name), hn_say_plain(a, sqrt(x->seed_var)), hn_say_plain(a, sqrt(x->item_var)),
                   isfinite(x->df) ? hn_fmt(a, "%.1f", x->df) : "–",
                   isfinite(share) && r->confirm_units ? hn_fmt(a, "%.0f %%", 100 * share) : "–");
    }
    hn_buf_fmt(a, b, "</tbody></table></div>\n");
}

static void arm_row(hn_arena *a, hn_buf *b, const hn_report *r, const hn_report_arm *x) {
    const hn_report_arm *base = x->incumbent; /* changes are told against the incumbent itself, not one that was given more training */
    for (int64_t i = 0; i < r->arms.n; i++)
        if (!strcmp(r->arms.v[i].phase, x->phase) && !strcmp(r->arms.v[i].name, "incumbent")) base = &r->arms.v[i];
    const char *did = base && *base->recipe && *x->recipe ? hn_report_changes(a, base->recipe, x->recipe) : "";
    hn_buf_fmt(a, b,
               "<tr class=\"one%s\"><td class=\"name\">%s</td><td data-l=\"scores\">%s</td><td data-l=\"gain\">%s</td><td "
               "data-l=\"right\">%s</td><td "
               "data-l=\"FLOPs\">%s</td><td data-l=\"takes\">%s</td><td class=\"wrap\">%s</td></tr>\n",
               x->incumbent ? "" : " dim", hn_escape(a, x->name), hn_say_plain(a, x->mean), hn_say_gain(a, x->gain),
               hn_say_percent(a, x->accuracy), times(a, x->cost),
               hn_say_seconds(a, x->seconds),
               x->failed ? hn_fmt(a, "<span class=\"warn\">%lld failed: %s</span>", (long long)x->failed, hn_escape(a, x->error))
                         : hn_escape(a, did));
}

static bool has_phase(const hn_report *r, const char *phase) {
    for (int64_t i = 0; i < r->arms.n; i++)
        if (!strcmp(r->arms.v[i].phase, phase)) return true;
    return false;
}

static void arms_table(hn_arena *a, hn_buf *b, const hn_report *r, const char *phase) {
    hn_buf_fmt(a, b,
               "<div class=\"scroll\"><table class=\"cards\"><thead><tr><th>arm</th><th>%s</th><th>gain</th><th>guessed<br>right</th><th>FLOPs<br>× start</th><th>a "
               "training<br>takes</th><th class=\"l\">what it changes</th></tr></thead><tbody>\n",
               hn_escape(a, strcmp(phase, "screen") ? r->unit : r->screen_unit));
    for (int64_t i = 0; i < r->arms.n; i++)
        if (!strcmp(r->arms.v[i].phase, phase)) arm_row(a, b, r, &r->arms.v[i]);
    hn_buf_fmt(a, b, "</tbody></table></div>\n");
}

void hn_page_screen(hn_arena *a, hn_buf *b, const hn_report *r) {
    if (has_phase(r, "screen")) {
        hn_buf_fmt(a, b,
                   "<h2>Screening</h2>\n<p class=\"lead\">Every lever in each of its settings, few seeds, items of its own. It chooses "
                   "what goes on and claims nothing. Each gain is over an "
                   "incumbent given as much training.</p>\n");
        arms_table(a, b, r, "screen");
    }
    if (!has_phase(r, "tune")) return;
    hn_buf_fmt(a, b,
               "<details><summary>The start’s learning rate, tuned before anything was tried</summary>\n<div "
               "class=\"scroll\"><table><thead><tr><th>setting</th><th>%s</th></tr></thead><tbody>\n",
               hn_escape(a, r->screen_unit));
    for (int64_t i = 0; i < r->arms.n; i++)
        if (!strcmp(r->arms.v[i].phase, "tune"))
            hn_buf_fmt(a, b, "<tr><td class=\"name\">%s</td><td>%s</td></tr>\n", hn_escape(a, r->arms.v[i].name),
                       r->arms.v[i].failed ? hn_fmt(a, "<span class=\"warn\">%s</span>", hn_escape(a, r->arms.v[i].error))
                                           : hn_say_plain(a, r->arms.v[i].mean));
    hn_buf_fmt(a, b, "</tbody></table></div></details>\n");
}

void hn_page_stack(hn_arena *a, hn_buf *b, const hn_report *r) {
    if (!r->stack.n && !has_phase(r, "stack")) return;
    hn_buf_fmt(a, b,
               "<h2>Together</h2>\n<p class=\"lead\">All kept levers at once, once without each, and the first two in the other order. A lever "
               "whose removal looks better is dropped; no claim is made here.</p>\n");
    if (r->stack.n) {
        hn_buf_fmt(a, b,
                   "<div class=\"scroll\"><table class=\"cards\"><thead><tr><th>lever</th><th>worth<br>alone</th><th>worth with<br>the others</th><th>95 %% "
                   "interval</th><th class=\"l\">so it</th></tr></thead><tbody>\n");
        for (int64_t i = 0; i < r->stack.n; i++) {
            const hn_report_row *x = &r->stack.v[i];
            hn_buf_fmt(a, b,
                       "<tr class=\"one\"><td class=\"name\">%s</td><td data-l=\"alone\">%s</td><td data-l=\"with the others\">%s</td><td "
                       "data-l=\"95 %%\">%s</td><td class=\"wrap\">%s</td></tr>\n",
                       hn_escape(a, x->name), hn_say_gain(a, hn_report_alone(r, x->name)), hn_say_gain(a, x->gain), hn_say_interval(a, x->lo, x->hi),
                       strcmp(x->verdict, "kept") ? hn_escape(a, x->why) : "stays");
        }
        hn_buf_fmt(a, b, "</tbody></table></div>\n");
        for (size_t i = 0; i < json_array_size(r->notes); i++)
            if (!strcmp(hn_json_str(json_array_get(r->notes, i), "key"), "conflicts"))
                hn_buf_fmt(a, b, "<p>%s</p>\n", hn_escape(a, hn_json_str(json_array_get(r->notes, i), "text")));
        return;
    }
    arms_table(a, b, r, "stack");
}
