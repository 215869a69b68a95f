/* versus.c - two runs side by side, from their ledgers alone: outcome, facts, levers, what differs in their recipes.
 *
 * The rows are made once; the page and the Markdown table lay them out. A difference is the second less the first. Ends are only
 * compared where both were judged on the same sealed items; gains are over each run's own start and always stand beside each other.
 * No test is made here, since the ledger does not keep which items belong together: whether one model beats the other is for `hone eval
 * --against`, which sees both on every item. */
#include "eval/report.h"

#include <math.h>

enum { WIDE = 812, NARROW = 340 };

typedef struct row {
    const char *name, *cell[2], *difference; /* "": there is none to tell */
} row;
typedef struct pair {
    const char *name;
    const hn_report_row *x[2]; /* NULL: this run did not try the lever */
} pair;
typedef struct versus {
    hn_report r[2];
    const char *name[2];
    bool same_items, same_unit;
    HN_VEC(row) rows;
    HN_VEC(pair) levers;
} versus;

/* ---- what is told ---- */

static void words(hn_arena *a, versus *v, const char *name, const char *x, const char *y) {
    if (*x || *y) hn_push(a, &v->rows, (row){ name, { *x ? x : "–", *y ? y : "–" }, "" });
}

typedef const char *sayer(hn_arena *a, double x);
static void numbers(hn_arena *a, versus *v, const char *name, sayer *say, sayer *say_difference, double x, double y) {
    if (isnan(x) && isnan(y)) return;
    hn_push(a, &v->rows, (row){ name, { say(a, x), say(a, y) }, say_difference && isfinite(y - x) ? say_difference(a, y - x) : "" });
}
static const char *whole(hn_arena *a, double x) { return isfinite(x) ? hn_fmt(a, "%.0f", x) : "–"; }
static const char *points(hn_arena *a, double x) { return hn_fmt(a, "%+.1f points", 100 * x); }
static const char *times(hn_arena *a, double x) { return isfinite(x) ? hn_fmt(a, "%.3g ×", x) : "–"; }

static const char *kept(hn_arena *a, const hn_report *r) {
    const json_t *names = json_object_get(r->result, "levers");
    hn_buf b = { 0 };
    for (size_t i = 0; i < json_array_size(names); i++)
        hn_buf_fmt(a, &b, "%s%s", i ? ", " : "", json_string_value(json_array_get(names, i)));
    return !r->done ? "" : b.n ? hn_buf_str(a, &b) : "none";
}

static void tell(hn_arena *a, versus *v) {
    const hn_report *x = &v->r[0], *y = &v->r[1];
    words(a, v, "state", x->state, y->state);
    words(a, v, "begun", hn_say_time(a, x->started), hn_say_time(a, y->started));
    words(a, v, "data", x->data, y->data);
    words(a, v, "judged in", x->unit, y->unit);
    words(a, v, "sealed items", x->sealed_hash, y->sealed_hash);
    numbers(a, v, "start", hn_say_plain, v->same_items ? hn_say_gain : NULL, x->start, y->start);
    numbers(a, v, "end", hn_say_plain, v->same_items ? hn_say_gain : NULL, x->end, y->end);
    numbers(a, v, "gain over its start", hn_say_gain, v->same_unit ? hn_say_gain : NULL, x->gain, y->gain);
    words(a, v, "95 % interval of the gain", x->done ? hn_say_interval(a, x->lo, x->hi) : "",
          y->done ? hn_say_interval(a, y->lo, y->hi) : "");
    numbers(a, v, x->of_answers && y->of_answers ? "whole answers right at the end" : "next tokens right at the end", hn_say_percent, v->same_items ? points : NULL, x->right[1], y->right[1]);
    words(a, v, "levers in the result", kept(a, x), kept(a, y));
    numbers(a, v, "trainings", whole, NULL, (double)x->trainings, (double)y->trainings);
    numbers(a, v, "FLOPs of a training", hn_say_flops, NULL, hn_json_num(x->plan, "flops_per_training"),
            hn_json_num(y->plan, "flops_per_training"));
    numbers(a, v, "steps of a training", whole, NULL, hn_json_num(x->plan, "steps"), hn_json_num(y->plan, "steps"));
    numbers(a, v, "FLOPs in all", hn_say_flops, NULL, x->flops, y->flops);
    numbers(a, v, "computing in all", hn_say_seconds, NULL, x->seconds, y->seconds);
    numbers(a, v, "cost of the end", times, NULL, hn_json_num(x->result, "cost"), hn_json_num(y->result, "cost"));
    numbers(a, v, "seed", whole, NULL, hn_json_num(x->plan, "seed"), hn_json_num(y->plan, "seed"));
    words(a, v, "machine", hn_json_str(x->machine, "cpu"), hn_json_str(y->machine, "cpu"));
    words(a, v, "hone", x->version, y->version);
}

/* The first run's order, then what only the second tried. */
static void match_levers(hn_arena *a, versus *v) {
    for (int k = 0; k < 2; k++)
        for (int64_t i = 0; i < v->r[k].levers.n; i++) {
            const hn_report_row *x = &v->r[k].levers.v[i];
            pair *known = NULL;
            for (int64_t j = 0; j < v->levers.n; j++)
                if (!strcmp(v->levers.v[j].name, x->name)) known = &v->levers.v[j];
            if (!known) {
                hn_push(a, &v->levers, (pair){ .name = x->name });
                known = &v->levers.v[v->levers.n - 1];
            }
            known->x[k] = x;
        }
}

static bool read_both(hn_arena *a, const hn_side side[2], versus *v) {
    *v = (versus){ .name = { side[0].name, side[1].name } };
    for (int k = 0; k < 2; k++)
        if (!hn_report_read(a, side[k].ledger, side[k].run, &v->r[k])) return false;
    v->same_unit = !strcmp(v->r[0].unit, v->r[1].unit);
    v->same_items = v->same_unit && *v->r[0].sealed_hash && !strcmp(v->r[0].sealed_hash, v->r[1].sealed_hash);
    tell(a, v);
    match_levers(a, v);
    return true;
}

/* The outcome in a sentence or two. */
static const char *verdict(hn_arena *a, const versus *v) {
    const hn_report *x = &v->r[0], *y = &v->r[1];
    const char *ask = hn_fmt(a, "hone eval MODEL %s --against MODEL2 tells whether one beats the other by more than chance.",
                             x->of_answers && y->of_answers ? "--task gym:NAME" : "--data FILE");
    if (!x->done || !y->done)
        return hn_fmt(a, "%s is not finished: there are no two ends to compare yet.", !x->done ? v->name[0] : v->name[1]);
    if (!v->same_unit)
        return hn_fmt(a, "They were judged in different units (%s, %s): only their verdicts stand side by side.", x->unit, y->unit);
    const char *gains =
        hn_fmt(a, "%s gained %s over its start, %s %s", v->name[0], hn_say_gain(a, x->gain), v->name[1], hn_say_gain(a, y->gain));
    if (!v->same_items)
        return hn_fmt(a, "%s. They were judged on different sealed items, so their starts and ends cannot be compared with each other.",
                      gains);
    double d = y->end - x->end;
    if (d == 0) return hn_fmt(a, "%s. Both end at the same figure on the same sealed items.", gains);
    return hn_fmt(a, "%s. On the same sealed items %s ends lower, which is better, by %s %s. %s", gains, v->name[d < 0],
                  hn_say_plain(a, fabs(d)), x->unit, ask);
}

static const char *verdict_of(const versus *v, const pair *p, int k) {
    const hn_report_row *x = p->x[k];
    return !x ? "not tried" : x - v->r[k].levers.v < v->r[k].n_judged ? x->verdict : "not judged";
}
static const char *gain_difference(hn_arena *a, const versus *v, const pair *p) {
    if (!v->same_unit || !p->x[0] || !p->x[1]) return "–";
    return hn_say_gain(a, p->x[1]->gain - p->x[0]->gain);
}

/* ---- as a page ---- */

static void side_by_side(hn_arena *a, hn_buf *b, const versus *v) {
    hn_buf_fmt(a, b, "<h2>Side by side</h2>\n<p class=\"lead\">A difference is the second less the first%s.</p>\n",
               v->same_items ? "" : "; none is told where they measured different things");
    hn_buf_fmt(
        a, b,
        "<div class=\"scroll\"><table class=\"cards\"><thead><tr><th></th><th>%s</th><th>%s</th><th>difference</th></tr></thead><tbody>\n",
        hn_escape(a, v->name[0]), hn_escape(a, v->name[1]));
    for (int64_t i = 0; i < v->rows.n; i++) {
        const row *x = &v->rows.v[i];
        hn_buf_fmt(a, b, "<tr class=\"one\"><td class=\"name\">%s</td><td class=\"long\" data-l=\"%s\">%s</td><td class=\"long\" data-l=\"%s\">%s</td><td>%s</td></tr>\n",
                   x->name, hn_escape(a, v->name[0]), hn_escape(a, x->cell[0]), hn_escape(a, v->name[1]), hn_escape(a, x->cell[1]),
                   x->difference);
    }
    hn_buf_fmt(a, b, "</tbody></table></div>\n");
}

static void levers(hn_arena *a, hn_buf *b, const versus *v) {
    if (!v->levers.n) return;
    hn_buf_fmt(a, b,
               "<h2>Levers</h2>\n<p class=\"lead\">The same lever in both. Each gain is over that run's own incumbent, on its own confirm "
               "items.</p>\n"
               "<div class=\"scroll\"><table class=\"cards\"><thead><tr><th>lever</th>");
    for (int k = 0; k < 2; k++) hn_buf_fmt(a, b, "<th class=\"l\">%s</th><th>gain</th><th>95 %% interval</th>", hn_escape(a, v->name[k]));
    hn_buf_fmt(a, b, "<th>difference</th></tr></thead><tbody>\n");
    for (int64_t i = 0; i < v->levers.n; i++) {
        const pair *p = &v->levers.v[i];
        hn_buf_fmt(a, b, "<tr class=\"one\"><td class=\"name\">%s</td>", hn_escape(a, p->name));
        for (int k = 0; k < 2; k++) {
            const hn_report_row *x = p->x[k];
            hn_buf_fmt(a, b, "<td class=\"l\" data-l=\"%s\">%s</td><td data-l=\"gain\">%s</td><td data-l=\"95 %%\">%s</td>",
                       hn_escape(a, v->name[k]), hn_verdict_tag(a, verdict_of(v, p, k)), hn_say_gain(a, x ? x->gain : NAN),
                       hn_say_interval(a, x ? x->lo : NAN, x ? x->hi : NAN));
        }
        hn_buf_fmt(a, b, "<td data-l=\"difference\">%s</td></tr>\n", gain_difference(a, v, p));
    }
    hn_buf_fmt(a, b, "</tbody></table></div>\n");
    for (int k = 0; k < 2; k++)
        if (v->r[k].n_judged)
            hn_buf_fmt(a, b, "<h3>%s</h3>\n<figure><div class=\"wide\">%s</div><div class=\"narrow\">%s</div></figure>\n",
                       hn_escape(a, v->name[k]), hn_svg_forest(a, &v->r[k], WIDE, false), hn_svg_forest(a, &v->r[k], NARROW, false));
}

static void recipes(hn_arena *a, hn_buf *b, const versus *v) {
    const char *changes = hn_report_changes(a, v->r[0].recipe, v->r[1].recipe);
    hn_buf_fmt(a, b, "<h2>What differs in their recipes</h2>\n<p>%s</p>\n",
               *changes ? hn_escape(a, changes) : "Nothing: the same recipe, run twice.");
}

bool hn_versus_html(hn_arena *outer, const hn_side side[2], const char *path) {
    hn_arena *a = hn_arena_new(outer);
    versus v;
    hn_buf page = { 0 }, *b = &page;
    bool ok = read_both(a, side, &v);
    if (ok) {
        hn_page_open(a, b, hn_fmt(a, "%s against %s · hone", hn_escape(a, v.name[0]), hn_escape(a, v.name[1])));
        hn_buf_fmt(a, b, "<p class=\"kicker\">hone improve · two runs</p>\n<h1>%s against %s</h1>\n<div class=\"hero\">\n",
                   hn_escape(a, v.name[0]), hn_escape(a, v.name[1]));
        for (int k = 0; k < 2; k++) {
            const hn_report *r = &v.r[k];
            hn_buf_fmt(a, b,
                       "<div class=\"nums\"><div><span>%s: start</span><b>%s</b></div><div class=\"arrow\" "
                       "aria-hidden=\"true\">→</div><div><span>end</span><b>%s</b></div>"
                       "<div class=\"gain %s\"><span>gain on sealed items</span><b>%s</b><span>%s</span></div></div>\n",
                       hn_escape(a, v.name[k]), hn_say_plain(a, r->start), hn_say_plain(a, r->end),
                       r->lo > 0   ? "good"
                       : r->hi < 0 ? "bad"
                                   : "",
                       hn_say_gain(a, r->gain), r->done ? hn_fmt(a, "95 %% %s", hn_say_interval(a, r->lo, r->hi)) : "not finished");
        }
        hn_buf_fmt(a, b, "<p class=\"verdict\"><b>%s</b></p>\n</div>\n", hn_escape(a, verdict(a, &v)));
        side_by_side(a, b, &v);
        levers(a, b, &v);
        recipes(a, b, &v);
        hn_buf_fmt(a, b, "<footer>Made by hone from two ledgers: run %lld of %s, run %lld of %s.</footer>\n</main>\n</body>\n</html>\n",
                   (long long)v.r[0].id, hn_escape(a, v.name[0]), (long long)v.r[1].id, hn_escape(a, v.name[1]));
        ok = hn_file_write(a, path, page.v, page.n);
    }
    hn_arena_free(a);
    return ok;
}

/* ---- as tables for a README ---- */

const char *hn_versus_markdown(hn_arena *a, const hn_side side[2]) {
    versus v;
    hn_buf b = { 0 };
    if (!read_both(a, side, &v)) return NULL;
    const char *x = hn_markdown_cell(a, v.name[0]), *y = hn_markdown_cell(a, v.name[1]);
    hn_buf_fmt(a, &b, "%s\n\n|  | %s | %s | difference |\n|---|--:|--:|--:|\n", hn_markdown_cell(a, verdict(a, &v)), x, y);
    for (int64_t i = 0; i < v.rows.n; i++) {
        const row *r = &v.rows.v[i];
        hn_buf_fmt(a, &b, "| %s | %s | %s | %s |\n", r->name, hn_markdown_cell(a, r->cell[0]), hn_markdown_cell(a, r->cell[1]),
                   r->difference);
    }
    hn_buf_fmt(a, &b,
               "\n| lever | %s | gain | 95 %% interval | %s | gain | 95 %% interval | difference |\n|---|---|--:|:-:|---|--:|:-:|--:|\n", x,
               y);
    for (int64_t i = 0; i < v.levers.n; i++) {
        const pair *p = &v.levers.v[i];
        hn_buf_fmt(a, &b, "| %s ", hn_markdown_cell(a, p->name));
        for (int k = 0; k < 2; k++)
            hn_buf_fmt(a, &b, "| %s | %s | %s ", hn_markdown_cell(a, verdict_of(&v, p, k)), hn_say_gain(a, p->x[k] ? p->x[k]->gain : NAN),
                       hn_say_interval(a, p->x[k] ? p->x[k]->lo : NAN, p->x[k] ? p->x[k]->hi : NAN));
        hn_buf_fmt(a, &b, "| %s |\n", gain_difference(a, &v, p));
    }
    const char *changes = hn_report_changes(a, v.r[0].recipe, v.r[1].recipe);
    hn_buf_fmt(a, &b, "\nRecipes: %s\n", *changes ? hn_markdown_cell(a, changes) : "the same.");
    return hn_buf_str(a, &b);
}
