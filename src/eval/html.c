/* html.c - the report page: one file, no script, no network, readable on a phone, in the dark and on paper.
 *
 * The order is that of a reader's questions: what came of it, by what, how sure, at what cost, how was it measured. Pictures are drawn
 * twice, for wide and for narrow screens, so that their letters keep their size; the style sheet shows one. */
#include "eval/report.h"

#include <math.h>

enum { WIDE = 812, NARROW = 340 };

static void figure(hn_arena *a, hn_buf *b, const char *wide, const char *narrow) {
    if (*wide) hn_buf_fmt(a, b, "<figure><div class=\"wide\">%s</div><div class=\"narrow\">%s</div></figure>\n", wide, narrow);
}

static void section(hn_arena *a, hn_buf *b, const char *title, const char *lead) {
    hn_buf_fmt(a, b, "<h2>%s</h2>\n<p class=\"lead\">%s</p>\n", title, lead);
}

static void hero(hn_arena *a, hn_buf *b, const hn_report *r) {
    double from = hn_json_num(json_object_get(r->result, "file"), "start"), to = hn_json_num(json_object_get(r->result, "file"), "end");
    hn_buf_fmt(a, b, "<p class=\"kicker\">hone improve · run %lld · %s%s</p>\n<h1>%s</h1>\n<div class=\"hero%s\">\n", (long long)r->id,
               *r->finished ? "finished " : "begun ", hn_escape(a, hn_say_time(a, *r->finished ? r->finished : r->started)),
               *r->data ? hn_escape(a, r->data) : "A run of hone", r->done ? "" : " unfinished");
    if (r->done) {
        hn_buf_fmt(
            a, b,
            "<div class=\"nums\"><div><span>start</span><b>%s</b><span>%s</span></div><div class=\"arrow\" aria-hidden=\"true\">→</div>",
            hn_say_plain(a, r->start), hn_escape(a, r->unit));
        hn_buf_fmt(a, b, "<div><span>end</span><b>%s</b><span>lower is better</span></div>", hn_say_plain(a, r->end));
        hn_buf_fmt(a, b, "<div class=\"gain %s\"><span>gain on sealed items</span><b>%s</b><span>%s</span></div></div>\n",
                   r->lo > 0   ? "good"
                   : r->hi < 0 ? "bad"
                               : "",
                   r->gain == 0 ? "0" : hn_say_gain(a, r->gain),
                   r->gain == 0 && r->lo == 0 && r->hi == 0 ? "the model is unchanged"
                                                            : hn_fmt(a, "95 %% interval %s", hn_say_interval(a, r->lo, r->hi)));
    }
    hn_buf_fmt(a, b, "<p class=\"verdict\"><b>%s</b>", hn_escape(a, hn_report_headline(a, r)));
    const char *what = hn_json_str(r->result, "what");
    if (r->done && r->gain != 0 && *what) hn_buf_fmt(a, b, " What changed: %s.", hn_escape(a, what));
    if (r->done && isfinite(from) && isfinite(to) && from != to)
        hn_buf_fmt(a, b, " <span class=\"soft\">The shipped model alone: %s, its start %s on the same items.</span>", hn_say_plain(a, to),
                   hn_say_plain(a, from));
    if (r->done && isfinite(r->right[0]) && isfinite(r->right[1]))
        hn_buf_fmt(a, b, " <span class=\"soft\">%s right: %s → %s.</span>", r->of_answers ? "Whole answers" : "Next tokens guessed", hn_say_percent(a, r->right[0]),
                   hn_say_percent(a, r->right[1]));
    hn_buf_fmt(a, b, "</p>\n");
    if (r->opened_before > 0)
        hn_buf_fmt(
            a, b,
            "<p class=\"warn\">The sealed items had been opened %s before this run: the more often, the less this figure proves.</p>\n",
            hn_say_times(a, r->opened_before));
    hn_buf_fmt(a, b, "</div>\n");
}

static void legend(hn_arena *a, hn_buf *b, const hn_report *r, const char *phase) {
    hn_buf_fmt(a, b, "<ul class=\"legend\">");
    for (int64_t i = 0; i < r->arms.n; i++) {
        const hn_report_arm *x = &r->arms.v[i];
        if (!strcmp(x->phase, phase) && x->done && x->curve.n)
            hn_buf_fmt(a, b, "<li><svg viewBox=\"0 0 18 12\" aria-hidden=\"true\"><path class=\"ln %s\" d=\"M1 6H17\"/></svg>%s</li>",
                       hn_series_class(r, x), hn_escape(a, x->name));
    }
    hn_buf_fmt(a, b, "</ul>\n");
}

/* The other phases' curves, for who wants to see every arm. */
static void more_curves(hn_arena *a, hn_buf *b, const hn_report *r) {
    static const char *const phases[][2] = { { "screen", "The curves of the screen" }, { "stack", "The curves of the levers together" }, { "seal", "The curves of start and end" } };
    for (int64_t i = 0; i < HN_LEN(phases); i++) {
        const char *wide = hn_svg_curves(a, r, phases[i][0], WIDE);
        if (!*wide) continue;
        hn_buf_fmt(a, b, "<details><summary>%s</summary>\n", phases[i][1]);
        legend(a, b, r, phases[i][0]);
        figure(a, b, wide, hn_svg_curves(a, r, phases[i][0], NARROW));
        hn_buf_fmt(a, b, "</details>\n");
    }
}

static void pictures(hn_arena *a, hn_buf *b, const hn_report *r) {
    const char *curves = hn_svg_curves(a, r, "confirm", WIDE), *cost = hn_svg_cost(a, r, WIDE), *seeds = hn_svg_seeds(a, r, WIDE);
    if (*curves) {
        section(a, b, "Training loss",
                "Every training of the confirm phase: a thin line per seed, a thick one for the mean of the arm, averaged in equal steps "
                "of the logarithm. Long trainings are shown from a fiftieth of their steps on: before, all arms fall alike.");
        legend(a, b, r, "confirm");
        figure(a, b, curves, hn_svg_curves(a, r, "confirm", NARROW));
        more_curves(a, b, r);
    }
    if (*cost) {
        section(a, b, "Cost against gain", "What a training takes on this machine, and what it gains; bars are 95 % intervals.");
        figure(a, b, cost, hn_svg_cost(a, r, NARROW));
    }
    if (*seeds) {
        section(
            a, b, "Seeds and items",
            "A dot is one seed, the bar the mean of its arm. How far the dots of an arm lie apart is what luck alone does to a training.");
        figure(a, b, seeds, hn_svg_seeds(a, r, NARROW));
    }
}

static void samples(hn_arena *a, hn_buf *b, const hn_report *r) {
    const char *text[2] = { "", "" };
    for (size_t i = 0; i < json_array_size(r->notes); i++) {
        const json_t *note = json_array_get(r->notes, i);
        const char *key = hn_json_str(note, "key");
        if (!strcmp(key, "sample start")) text[0] = hn_json_str(note, "text");
        if (!strcmp(key, "sample end")) text[1] = hn_json_str(note, "text");
    }
    if (!*text[0] && !*text[1]) return;
    section(
        a, b, "What they write",
        "The same first words of held-out text, the same random numbers, continued by both. A sample is an impression, not a measurement.");
    hn_buf_fmt(a, b, "<div class=\"pair\"><div><h3>start</h3><pre>%s</pre></div><div><h3>end</h3><pre>%s</pre></div></div>\n",
               hn_escape(a, text[0]), hn_escape(a, text[1]));
}

/* ---- how it was measured ---- */

static const char *scalar(hn_arena *a, const char *key, const json_t *v) {
    if (json_is_string(v)) return hn_escape(a, json_string_value(v));
    if (json_is_number(v) && strstr(key, "flops")) return hn_say_flops(a, json_number_value(v));
    if (json_is_number(v) && strstr(key, "memory")) return hn_say_bytes(a, json_number_value(v));
    if (json_is_number(v)) return hn_say_short(a, json_number_value(v));
    return hn_escape(a, hn_json_text(a, v, false));
}

static void facts(hn_arena *a, hn_buf *b, const json_t *o) {
    const char *key;
    json_t *v;
    hn_buf_fmt(a, b, "<dl>\n");
    json_object_foreach((json_t *)(uintptr_t)o, key, v) {
        if (!strcmp(key, "sets") || !strcmp(key, "left_out")) continue; /* told by themselves */
        hn_buf name = { 0 };
        for (const char *s = hn_escape(a, key); *s; s++) hn_buf_put(a, &name, *s == '_' ? " " : s, 1);
        hn_buf_fmt(a, b, "<dt>%s</dt><dd>", hn_buf_str(a, &name));
        for (size_t i = 0; i < json_array_size(v); i++) hn_buf_fmt(a, b, "%s%s", i ? ", " : "", scalar(a, key, json_array_get(v, i)));
        hn_buf_fmt(a, b, "%s</dd>\n", json_is_array(v) ? "" : scalar(a, key, v));
    }
    hn_buf_fmt(a, b, "</dl>\n");
}

static void item_sets(hn_arena *a, hn_buf *b, const hn_report *r) {
    const json_t *sets = json_object_get(r->plan, "sets");
    const char *key;
    json_t *v;
    if (!json_object_size(sets)) return;
    hn_buf_fmt(a, b,
               "<div class=\"scroll\"><table><thead><tr><th>held-out set</th><th>items</th><th>pieces of text</th><th>size</th><th "
               "class=\"l\">hash of its tokens</th></tr></thead><tbody>\n");
    json_object_foreach((json_t *)(uintptr_t)sets, key, v)
        hn_buf_fmt(a, b, "<tr><td class=\"name\">%s</td><td>%.0f</td><td>%.0f</td><td>%s</td><td class=\"l\"><code>%s</code></td></tr>\n",
                   hn_escape(a, key), hn_json_num(v, "items"), hn_json_num(v, "clusters"), hn_say_bytes(a, hn_json_num(v, "bytes")),
                   hn_escape(a, hn_json_str(v, "hash")));
    hn_buf_fmt(a, b, "</tbody></table></div>\n");
}

static void method(hn_arena *a, hn_buf *b, const hn_report *r) {
    section(a, b, "How it was measured",
            "Fixed before the first training and kept in the ledger, from which every number of this page comes.");
    item_sets(a, b, r);
    if (*r->sealed_hash) {
        hn_buf_fmt(a, b, "<p>Sealed set <code>%s</code>: ", hn_escape(a, r->sealed_hash));
        if (r->opened_before >= 0) hn_buf_fmt(a, b, "opened %s, this run included.</p>\n", hn_say_times(a, r->opened_before + 1));
        else hn_buf_fmt(a, b, "no result has been drawn from it in this run.</p>\n");
    }
    hn_buf_fmt(a, b, "<p>%lld trainings, %s, %s of computing in all%s%s.</p>\n", (long long)r->trainings, hn_say_flops(a, r->flops),
               hn_say_seconds(a, r->seconds), *r->plan_hash ? "; plan " : "",
               *r->plan_hash ? hn_fmt(a, "<code>%s</code>", hn_escape(a, r->plan_hash)) : "");
    if (json_array_size(r->files)) {
        hn_buf_fmt(a, b,
                   "<h3>Data</h3>\n<div class=\"scroll\"><table><thead><tr><th>file</th><th>size</th><th class=\"l\">checksum</th><th "
                   "class=\"l\">role</th></tr></thead><tbody>\n");
        for (size_t i = 0; i < json_array_size(r->files); i++) {
            const json_t *f = json_array_get(r->files, i);
            hn_buf_fmt(a, b, "<tr><td class=\"wrap\">%s</td><td>%s</td><td class=\"l\"><code>%s</code></td><td class=\"l\">%s</td></tr>\n",
                       hn_escape(a, hn_json_str(f, "path")), hn_say_bytes(a, hn_json_num(f, "bytes")), hn_escape(a, hn_json_str(f, "hash")),
                       hn_escape(a, hn_json_str(f, "role")));
        }
        hn_buf_fmt(a, b, "</tbody></table></div>\n");
    }
    hn_buf_fmt(a, b, "<h3>Machine</h3>\n");
    facts(a, b, r->machine);
    hn_buf_fmt(a, b, "<details><summary>The plan</summary>\n");
    facts(a, b, r->plan);
    hn_buf_fmt(a, b, "</details>\n<details><summary>The recipe, resolved</summary><pre>%s</pre></details>\n", hn_escape(a, r->recipe));
}

static const char *title(hn_arena *a, const hn_report *r) {
    if (!r->done) return hn_fmt(a, "run %lld, not finished · hone", (long long)r->id);
    return hn_fmt(a, "%s → %s %s · hone", hn_say_plain(a, r->start), hn_say_plain(a, r->end), hn_escape(a, r->unit));
}

void hn_page_open(hn_arena *a, hn_buf *b, const char *escaped_title) {
    hn_buf_fmt(a, b,
               "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
               "content=\"width=device-width, initial-scale=1\">\n<title>%s</title>\n<style>%s</style>\n</head>\n<body>\n<main>\n",
               escaped_title, hn_report_style);
}

bool hn_report_html(hn_arena *outer, hn_ledger *l, int64_t run, const char *path) {
    hn_arena *a = hn_arena_new(outer);
    hn_report rep, *r = &rep;
    hn_buf page = { 0 }, *b = &page;
    if (!hn_report_read(a, l, run, r)) {
        hn_arena_free(a);
        return false;
    }
    hn_page_open(a, b, title(a, r));
    hero(a, b, r);
    if (r->levers.n) {
        section(a, b, "What each lever is worth",
                hn_fmt(a,
                       "Gain over an incumbent with the same training cost, in %s on the confirm items, fresh seeds. Kept means p below %g "
                       "after Holm’s adjustment for all judged arms.",
                       hn_escape(a, r->unit), r->alpha));
        if (r->n_judged) figure(a, b, hn_svg_forest(a, r, WIDE, false), hn_svg_forest(a, r, NARROW, false));
        hn_page_levers(a, b, r);
    }
    hn_page_undecided(a, b, r);
    hn_page_left_out(a, b, r);
    hn_page_stack(a, b, r);
    pictures(a, b, r);
    hn_page_variance(a, b, r);
    hn_page_screen(a, b, r);
    samples(a, b, r);
    method(a, b, r);
    hn_buf_fmt(a, b, "<footer>Made by hone %s from its ledger, run %lld, state %s.</footer>\n</main>\n</body>\n</html>\n",
               hn_escape(a, r->version), (long long)r->id, hn_escape(a, r->state));
    bool ok = hn_file_write(a, path, page.v, page.n);
    hn_arena_free(a);
    return ok;
}
