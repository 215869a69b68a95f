/* markdown.c - a run as a compact table for a README: the outcome in a sentence, then a row per lever. */
#include "eval/report.h"

#include <math.h>

/* What could end a cell, a row, or begin markup. */
const char *hn_markdown_cell(hn_arena *a, const char *s) {
    hn_buf b = { 0 };
    for (s = hn_escape(a, s); *s; s++) {
        if (strchr("|*_`[]\\", *s)) hn_buf_put(a, &b, "\\", 1);
        hn_buf_put(a, &b, *s == '\n' || *s == '\t' ? " " : s, 1);
    }
    return hn_buf_str(a, &b);
}

static const char *verdict(const hn_report *r, int64_t i) {
    const char *v = r->levers.v[i].verdict;
    return i >= r->n_judged ? "not judged" : !strcmp(v, "kept") ? "**kept**" : v;
}

static const char *times(hn_arena *a, double x) { return isfinite(x) ? hn_fmt(a, "%.3g", x) : "–"; }

static const char *guessed(hn_arena *a, const hn_report *r) {
    if (!isfinite(r->right[0]) || !isfinite(r->right[1])) return "";
    return hn_fmt(a, "; %s right %s → %s", r->of_answers ? "whole answers" : "next tokens guessed", hn_say_percent(a, r->right[0]), hn_say_percent(a, r->right[1]));
}

/* What is no row of the table: worth of the kept ones beside each other, and what the budget had no room for. */
static void rest(hn_arena *a, hn_buf *b, const hn_report *r) {
    const json_t *left = json_object_get(r->plan, "left_out");
    for (int64_t i = 0; i < r->stack.n; i++)
        hn_buf_fmt(a, b, "%s%s %s (95 %% %s)", i ? ", " : "\nWorth beside the others: ", hn_markdown_cell(a, r->stack.v[i].name),
                   hn_say_gain(a, r->stack.v[i].gain), hn_say_interval(a, r->stack.v[i].lo, r->stack.v[i].hi));
    if (r->stack.n) hn_buf_fmt(a, b, ".\n");
    for (size_t i = 0; i < json_array_size(left); i++)
        hn_buf_fmt(a, b, "%s%s: %s.\n", i ? "" : "\nNot tried: ", hn_markdown_cell(a, hn_json_str(json_array_get(left, i), "lever")),
                   hn_markdown_cell(a, hn_json_str(json_array_get(left, i), "why")));
}

const char *hn_report_markdown(hn_arena *a, hn_ledger *l, int64_t run) {
    hn_report r;
    hn_buf b = { 0 };
    if (!hn_report_read(a, l, run, &r)) return NULL;
    if (r.done)
        hn_buf_fmt(a, &b, "**%s → %s %s** on sealed items%s%s: gain %s, 95 %% interval %s%s. %lld trainings of %s, seed %.0f.\n\n",
                   hn_say_plain(a, r.start), hn_say_plain(a, r.end), hn_markdown_cell(a, r.unit), *r.data ? " of " : "",
                   hn_markdown_cell(a, r.data), hn_say_gain(a, r.gain), hn_say_interval(a, r.lo, r.hi), guessed(a, &r),
                   (long long)r.trainings, hn_say_flops(a, hn_json_num(r.plan, "flops_per_training")), hn_json_num(r.plan, "seed"));
    else hn_buf_fmt(a, &b, "%s\n\n", hn_markdown_cell(a, hn_report_headline(a, &r)));
    if (r.done && *hn_report_suspect(a, &r)) hn_buf_fmt(a, &b, "**%s**\n\n", hn_report_suspect(a, &r));
    hn_buf_fmt(
        a, &b,
        "| lever | verdict | gain in %s | 95 %% interval | adjusted p | would have seen | guessed right | training FLOPs × start | a "
        "training |\n",
        hn_markdown_cell(a, r.unit));
    hn_buf_fmt(a, &b, "|---|---|--:|:-:|--:|--:|--:|--:|--:|\n");
    for (int64_t i = 0; i < r.levers.n; i++) {
        const hn_report_row *x = &r.levers.v[i];
        hn_buf_fmt(a, &b, "| %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", hn_markdown_cell(a, x->name), verdict(&r, i),
                   hn_say_gain(a, x->gain), hn_say_interval(a, x->lo, x->hi), hn_markdown_cell(a, hn_say_p(a, x)),
                   hn_say_plain(a, x->detectable), hn_say_percent(a, x->accuracy), times(a, x->cost), hn_say_seconds(a, x->seconds));
    }
    rest(a, &b, &r);
    return hn_buf_str(a, &b);
}
