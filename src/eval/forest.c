/* forest.c - the forest plot: a row per judged lever, its gain with the 95 % interval beside a line at zero, and the sealed whole
 * as a diamond below. Verdicts differ by colour and by shape: filled circle kept, square harmful, open circle undecided, cross failed.
 *
 * Alone (a file for a README) it brings mid-tone colours that read on white and on black; inside the page, the page's own. */
#include "eval/report.h"

#include <math.h>

void hn_ticks(double lo, double hi, int most, double *out, int *n, int *digits) {
    if (!(hi > lo)) lo -= 0.5, hi = lo + 1;
    most = HN_MAX(2, HN_MIN(most, HN_TICKS_MAX - 2));
    double raw = (hi - lo) / most, ten = pow(10, floor(log10(raw))), step = ten;
    if (raw > 5 * ten) step = 10 * ten;
    else if (raw > 2 * ten) step = 5 * ten;
    else if (raw > ten) step = 2 * ten;
    *digits = HN_MAX(0, (int)-floor(log10(step) + 1e-9));
    *n = 0;
    for (double k = ceil(lo / step - 1e-9); k * step <= hi + step * 1e-9 && *n < HN_TICKS_MAX; k++) out[(*n)++] = k == 0 ? 0 : k * step;
}

static const char alone_style[] =
    "<style>text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica "
    "Neue',Arial,sans-serif;font-size:13px;fill:#737d89;font-variant-numeric:tabular-nums}"
    ".lab{font-weight:600}.ax{font-size:11.5px}.grid{stroke:#80808038}.zero{stroke:#737d89;stroke-width:1.2}.rule{stroke:#80808066}"
    ".mark{stroke-width:2.2;fill:none;stroke-linecap:round}.v-kept{stroke:#159a6c;fill:#159a6c}.v-harmful{stroke:#dd5b2b;fill:#dd5b2b}"
    ".v-undecided{stroke:#8a8f98;fill:#8a8f98}.v-failed{stroke:#a872c9;fill:#a872c9}.whole{stroke:#3b82d6;fill:#3b82d6}.open{stroke-width:"
    "2;fill:#80808040}</style>";

typedef struct frame {
    double lo, hi;
    int left, right;
} frame;

static double at(const frame *f, double v) { return f->left + (v - f->lo) / (f->hi - f->lo) * (f->right - f->left); }

static frame span_of(const hn_report *r, int left, int right) {
    double lo = 0, hi = 0;
    for (int64_t i = 0; i <= r->n_judged; i++) {
        bool whole = i == r->n_judged;
        const double v[3] = { whole ? r->gain : r->levers.v[i].gain, whole ? r->lo : r->levers.v[i].lo, whole ? r->hi : r->levers.v[i].hi };
        for (int k = 0; k < 3; k++)
            if (isfinite(v[k])) lo = fmin(lo, v[k]), hi = fmax(hi, v[k]);
    }
    if (!(hi > lo)) hi = 0.01, lo = -0.01;
    double pad = 0.06 * (hi - lo);
    return (frame){ lo - pad, hi + pad, left, right };
}

static void mark(hn_arena *a, hn_buf *b, const char *verdict, double x, double y) {
    if (!strcmp(verdict, "kept")) hn_buf_fmt(a, b, "<circle class=\"v-kept\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", x, y);
    else if (!strcmp(verdict, "harmful"))
        hn_buf_fmt(a, b, "<rect class=\"v-harmful\" x=\"%.1f\" y=\"%.1f\" width=\"9\" height=\"9\"/>", x - 4.5, y - 4.5);
    else hn_buf_fmt(a, b, "<circle class=\"v-undecided open\" cx=\"%.1f\" cy=\"%.1f\" r=\"4.6\"/>", x, y);
}

static void interval(hn_arena *a, hn_buf *b, const frame *f, const hn_report_row *x, double y) {
    const char *v = !strcmp(x->verdict, "kept") || !strcmp(x->verdict, "harmful") ? x->verdict : "undecided";
    if (!isfinite(x->gain)) {
        double z = at(f, 0);
        hn_buf_fmt(a, b, "<path class=\"mark v-failed\" d=\"M%.1f %.1fl9 9m0 -9l-9 9\"/>", z - 4.5, y - 4.5);
        return;
    }
    if (isfinite(x->lo) && isfinite(x->hi)) {
        double l = at(f, x->lo), h = at(f, x->hi);
        hn_buf_fmt(a, b, "<path class=\"mark v-%s\" d=\"M%.1f %.1fH%.1fM%.1f %.1fv8M%.1f %.1fv8\"/>", v, l, y, h, l, y - 4, h, y - 4);
    }
    mark(a, b, v, at(f, x->gain), y);
}

/* Wide: label | plot | numbers in one line. Narrow (a phone): label and numbers above the plot's line. */
typedef struct layout {
    bool narrow;
    int width, left, right, top, row, drop;
} layout;

static void label(hn_arena *a, hn_buf *b, const layout *y, const char *name, const char *numbers, double top) {
    double base = y->narrow ? top + 14 : top + y->row / 2.0 + 4.5;
    const char *halo = y->narrow ? "halo" : ""; /* lines of the axis pass behind the words */
    hn_buf_fmt(
        a, b, "<text class=\"lab %s\" x=\"0\" y=\"%.1f\">%s</text><text class=\"num %s\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>",
        halo, base, hn_escape(a, name), halo, y->width, base, numbers);
}

static const char *short_name(hn_arena *a, const char *name, int most) {
    int64_t n = (int64_t)strlen(name), i = 0;
    for (int k = 0; i < n && k < most; k++) {
        uint32_t c;
        i += hn_utf8_next((const uint8_t *)name + i, n - i, &c);
    }
    return i < n ? hn_fmt(a, "%s…", hn_strndup(a, name, i)) : name;
}

static void axis(hn_arena *a, hn_buf *b, const frame *f, const layout *y, double bottom, const char *unit) {
    double tick[HN_TICKS_MAX];
    int n, digits;
    hn_ticks(f->lo, f->hi, y->narrow ? 5 : 6, tick, &n, &digits);
    for (int i = 0; i < n; i++) {
        double x = at(f, tick[i]);
        hn_buf_fmt(a, b, "<path class=\"%s\" d=\"M%.1f %dV%.1f\"/>", tick[i] == 0 ? "zero" : "grid", x, y->top - 4, bottom);
        hn_buf_fmt(a, b, "<text class=\"ax\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s%.*f</text>", x, bottom + 16,
                   tick[i] > 0   ? "+"
                   : tick[i] < 0 ? "\xe2\x88\x92"
                                 : "",
                   digits, fabs(tick[i]));
    }
    hn_buf_fmt(a, b, "<text class=\"ax\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">gain in %s → better</text>",
               (f->left + f->right) / 2.0, bottom + 34, hn_escape(a, unit));
}

const char *hn_svg_forest(hn_arena *a, const hn_report *r, int width, bool alone) {
    bool narrow = width < 520, whole = r->done && isfinite(r->gain) && r->gain != 0;
    int64_t rows = r->n_judged;
    layout y = { .narrow = narrow,
                 .width = width,
                 .left = narrow ? 6 : 150,
                 .right = narrow ? width - 6 : width - 216,
                 .top = 10,
                 .row = narrow ? 42 : 30,
                 .drop = narrow ? 28 : 15 };
    frame f = span_of(r, y.left, y.right);
    double bottom = y.top + (double)rows * y.row + (whole ? y.row + 10 : 0) + 4, height = bottom + 42;
    hn_buf b = { 0 };
    hn_buf_fmt(
        a, &b,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" class=\"forest\" viewBox=\"0 0 %d %.0f\" width=\"%d\" height=\"%.0f\">",
        width, height, width, height);
    hn_buf_fmt(a, &b, "<title>What each lever is worth: gain in %s with 95 %% intervals</title>", hn_escape(a, r->unit));
    if (alone) hn_buf_put(a, &b, alone_style, (int64_t)sizeof alone_style - 1);
    axis(a, &b, &f, &y, bottom, r->unit);
    for (int64_t i = 0; i < rows; i++) {
        const hn_report_row *x = &r->levers.v[i];
        double top = y.top + (double)i * y.row;
        const char *numbers =
            isfinite(x->gain) ? hn_fmt(a, "%s  [%s]", hn_say_gain(a, x->gain), hn_say_interval(a, x->lo, x->hi)) : hn_escape(a, x->verdict);
        label(a, &b, &y, short_name(a, x->name, 18), numbers, top);
        interval(a, &b, &f, x, top + y.drop);
    }
    if (whole) {
        double top = y.top + (double)rows * y.row + 10, c = top + y.drop;
        hn_buf_fmt(a, &b, "<path class=\"rule\" d=\"M0 %.1fH%d\"/>", top - 5, width);
        label(a, &b, &y, narrow ? "sealed" : "the whole, sealed",
              hn_fmt(a, "%s  [%s]", hn_say_gain(a, r->gain), hn_say_interval(a, r->lo, r->hi)), top);
        if (isfinite(r->lo) && isfinite(r->hi))
            hn_buf_fmt(a, &b, "<path class=\"whole\" d=\"M%.1f %.1fL%.1f %.1fL%.1f %.1fL%.1f %.1fZ\"/>", at(&f, r->lo), c, at(&f, r->gain),
                       c - 7, at(&f, r->hi), c, at(&f, r->gain), c + 7);
    }
    hn_buf_fmt(a, &b, "</svg>");
    return hn_buf_str(a, &b);
}

const char *hn_report_svg_levers(hn_arena *a, hn_ledger *l, int64_t run) {
    hn_report r;
    return hn_report_read(a, l, run, &r) ? hn_fmt(a, "%s\n", hn_svg_forest(a, &r, 720, true)) : NULL;
}
