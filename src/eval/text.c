/* text.c - a run as a table for a terminal: `hone ledger show`. Columns are as wide as what stands in them; ASCII signs, so that
 * what is printed can be searched and copied. */
#include "eval/report.h"

#include <math.h>

enum { COLUMNS = 9 };
typedef struct table {
    HN_VEC(const char *) cell;
    int width[COLUMNS];
} table;

static int columns_of(const char *s) {
    int n = 0;
    for (; *s; s++) n += ((unsigned char)*s & 0xC0) != 0x80;
    return n;
}

/* The signs of the other layouts are typographic; a control byte in a name must not reach a terminal. */
static const char *ascii_signs(hn_arena *a, const char *s) {
    hn_buf b = { 0 };
    for (; *s; s++) {
        if (!strncmp(s, "\xe2\x88\x92", 3) || !strncmp(s, "\xe2\x80\x93", 3)) hn_buf_put(a, &b, "-", 1), s += 2;
        else if (!strncmp(s, "…", 3)) hn_buf_put(a, &b, "..", 2), s += 2;
        else if ((unsigned char)*s < 0x20 || *s == 0x7f) hn_buf_put(a, &b, " ", 1);
        else if (*s == '\xc2' && ((unsigned char)s[1] & 0xE0) == 0x80) hn_buf_put(a, &b, " ", 1), s++; /* U+0080 … U+009F */
        else hn_buf_put(a, &b, s, 1);
    }
    return hn_buf_str(a, &b);
}

static void put(hn_arena *a, table *t, const char *s) {
    s = ascii_signs(a, s);
    int *w = &t->width[t->cell.n % COLUMNS];
    *w = HN_MAX(*w, columns_of(s));
    hn_push(a, &t->cell, s);
}

static void row(hn_arena *a, table *t, const char *const *cells) {
    for (int i = 0; i < COLUMNS; i++) put(a, t, cells[i]);
}

static void lay_out(hn_arena *a, const table *t, hn_buf *b) {
    for (int64_t i = 0; i < t->cell.n; i++) {
        int c = (int)(i % COLUMNS), pad = t->width[c] - columns_of(t->cell.v[i]);
        bool left = c < 2, last = c == COLUMNS - 1;
        if (left) hn_buf_fmt(a, b, "%s%*s", t->cell.v[i], pad, "");
        else hn_buf_fmt(a, b, "%*s%s", pad, "", t->cell.v[i]);
        hn_buf_put(a, b, last ? "\n" : "  ", last ? 1 : 2);
    }
}

static void levers(hn_arena *a, const hn_report *r, hn_buf *b) {
    table t = { 0 };
    row(a, &t, (const char *[]){ "LEVER", "VERDICT", "GAIN", "95 % INTERVAL", "P", "SEEN FROM", "RIGHT", "A TRAINING", "FLOPS" });
    for (int64_t i = 0; i < r->levers.n; i++) {
        const hn_report_row *x = &r->levers.v[i];
        row(a, &t,
            (const char *[]){ x->name, i < r->n_judged ? x->verdict : "not judged", hn_say_gain(a, x->gain),
                              hn_say_interval(a, x->lo, x->hi), hn_say_p(a, x), hn_say_plain(a, x->detectable),
                              hn_say_percent(a, x->accuracy), hn_say_seconds(a, x->seconds), hn_say_flops(a, x->flops) });
    }
    lay_out(a, &t, b);
}

const char *hn_report_text(hn_arena *a, hn_ledger *l, int64_t run) {
    hn_report r;
    hn_buf b = { 0 };
    if (!hn_report_read(a, l, run, &r)) return NULL;
    hn_buf_fmt(a, &b, "run %lld  %s  %s  seed %.0f  %s%s%s\n", (long long)r.id, ascii_signs(a, r.state), r.started,
               hn_json_num(r.plan, "seed"), ascii_signs(a, r.data), *r.data ? "  " : "",
               hn_fmt(a, "%lld trainings in %s of computing", (long long)r.trainings, hn_say_seconds(a, r.seconds)));
    if (r.done)
        hn_buf_fmt(a, &b, "start %s, end %s %s on the sealed items: gain %s, 95 %% %s\n", ascii_signs(a, hn_say_plain(a, r.start)),
                   ascii_signs(a, hn_say_plain(a, r.end)), ascii_signs(a, r.unit), ascii_signs(a, hn_say_gain(a, r.gain)),
                   ascii_signs(a, hn_say_interval(a, r.lo, r.hi)));
    if (r.done && isfinite(r.right[0]) && isfinite(r.right[1]))
        hn_buf_fmt(a, &b, "%s right: %s, then %s\n", r.of_answers ? "whole answers" : "next tokens guessed", hn_say_percent(a, r.right[0]), hn_say_percent(a, r.right[1]));
    hn_buf_fmt(a, &b, "%s\n", ascii_signs(a, hn_report_headline(a, &r)));
    if (r.levers.n) {
        hn_buf_fmt(a, &b, "\n");
        levers(a, &r, &b);
        hn_buf_fmt(a, &b,
                   "\nGains in %s, positive is better. P: one-sided, Holm over the confirmed arms. Seen from: the smallest true gain that "
                   "this run would have kept "
                   "with 80 %% power. Right: of the %s.\n",
                   ascii_signs(a, r.unit), r.of_answers ? "whole answers" : "next tokens");
    }
    for (int64_t i = 0; i < r.levers.n; i++)
        hn_buf_fmt(a, &b, "  %s: %s\n", ascii_signs(a, r.levers.v[i].name), ascii_signs(a, r.levers.v[i].why));
    const json_t *left = json_object_get(r.plan, "left_out");
    for (size_t i = 0; i < json_array_size(left); i++)
        hn_buf_fmt(a, &b, "  %s: not tried: %s\n", ascii_signs(a, hn_json_str(json_array_get(left, i), "lever")),
                   ascii_signs(a, hn_json_str(json_array_get(left, i), "why")));
    if (r.stack.n) hn_buf_fmt(a, &b, "\nWorth with the others:\n");
    for (int64_t i = 0; i < r.stack.n; i++)
        hn_buf_fmt(a, &b, "  %s  %s  %s\n", ascii_signs(a, r.stack.v[i].name), ascii_signs(a, hn_say_gain(a, r.stack.v[i].gain)),
                   ascii_signs(a, hn_say_interval(a, r.stack.v[i].lo, r.stack.v[i].hi)));
    return hn_buf_str(a, &b);
}
