/* chart.c - the page's other pictures: loss curves of the arms of a phase, what each seed scored, cost against gain.
 *
 * Colours are classes that the page's style sheet fills. The incumbent is ink; levers take s0 … s7 in the order of the ledger; an incumbent
 * that was given more training is dashed, and so is a lever's second setting. Curves are means over log-spaced bins of steps, so that a long training needs no more ink than a short. */
#include "eval/report.h"

#include <math.h>
#include <stdlib.h>

enum { BINS = 72, SERIES = 8, SHOWN = 50 /* the curves begin at a 50th of the longest training: before, all arms fall alike */ };

/* Ink: what the others are compared with. In the stack that is all levers together. */
static bool is_ink(const hn_report_arm *arm) { return strcmp(arm->phase, "stack") ? !arm->incumbent : !strcmp(arm->name, "all"); }

/* "wider.0" and "wider.1" are settings of one lever. */
static int64_t lever_length(const char *name) {
    const char *dot = strrchr(name, '.');
    return dot && dot[1] && !dot[1 + strspn(dot + 1, "0123456789")] ? dot - name : (int64_t)strlen(name);
}

const char *hn_series_class(const hn_report *r, const hn_report_arm *arm) {
    static const char *const names[2][SERIES] = { { "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7" },
                                                  { "s0 dash", "s1 dash", "s2 dash", "s3 dash", "s4 dash", "s5 dash", "s6 dash", "s7 dash" } };
    if (is_ink(arm)) return strchr(arm->name, ' ') ? "c dash" : "c";
    int64_t k = 0, n = lever_length(arm->name);
    for (const hn_report_arm *x = r->arms.v; x != arm; x++) {
        if (strcmp(x->phase, arm->phase) || is_ink(x)) continue;
        int64_t len = lever_length(x->name);
        if (len == n && !strncmp(x->name, arm->name, (size_t)n)) break; /* its lever has a colour already */
        bool seen = false;
        for (const hn_report_arm *y = r->arms.v; y != x; y++)
            seen |= !strcmp(y->phase, x->phase) && !is_ink(y) && lever_length(y->name) == len && !strncmp(y->name, x->name, (size_t)len);
        k += !seen;
    }
    return names[arm->name[n] == '.' && arm->name[n + 1] != '0'][k % SERIES];
}

typedef struct axes {
    double x0, x1, y0, y1;
    int left, right, top, bottom;
    bool log_x;
} axes;

static double px(const axes *f, double x) {
    double t = f->log_x ? (log(x) - log(f->x0)) / (log(f->x1) - log(f->x0)) : (x - f->x0) / (f->x1 - f->x0);
    return f->left + t * (f->right - f->left);
}
static double py(const axes *f, double y) { return f->bottom - (y - f->y0) / (f->y1 - f->y0) * (f->bottom - f->top); }

static void open_svg(hn_arena *a, hn_buf *b, int width, double height, const char *title) {
    hn_buf_fmt(
        a, b,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 %d %.0f\" width=\"%d\" height=\"%.0f\"><title>%s</title>",
        width, height, width, height, title);
}

static void y_axis(hn_arena *a, hn_buf *b, const axes *f, bool sign, const char *title) {
    double tick[HN_TICKS_MAX];
    int n, digits;
    hn_ticks(f->y0, f->y1, 5, tick, &n, &digits);
    for (int i = 0; i < n; i++) {
        double y = py(f, tick[i]);
        hn_buf_fmt(a, b, "<path class=\"%s\" d=\"M%d %.1fH%d\"/>", sign && tick[i] == 0 ? "zero" : "grid", f->left, y, f->right);
        hn_buf_fmt(a, b, "<text class=\"ax\" x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s%.*f</text>", f->left - 7, y + 4,
                   tick[i] < 0           ? "\xe2\x88\x92"
                   : sign && tick[i] > 0 ? "+"
                                         : "",
                   digits, fabs(tick[i]));
    }
    hn_buf_fmt(a, b, "<text class=\"ax\" x=\"0\" y=\"12\">%s</text>", title);
}

static void x_axis(hn_arena *a, hn_buf *b, const axes *f, const char *title) {
    double tick[HN_TICKS_MAX];
    int n = 0, digits = 0;
    if (f->log_x) {
        for (double d = 1; d <= f->x1 * 1.0001 && n < HN_TICKS_MAX; d *= 10)
            for (int k = 1; k <= 5 && n < HN_TICKS_MAX; k += k == 1 ? 1 : 3) /* 1, 2, 5 */
                if (d * k >= f->x0 * 0.9999 && d * k <= f->x1 * 1.0001) tick[n++] = d * k;
    } else {
        hn_ticks(f->x0, f->x1, f->right - f->left < 400 ? 4 : 7, tick, &n, &digits);
    }
    double last = -1000;
    for (int i = 0; i < n; i++) {
        double x = px(f, tick[i]);
        hn_buf_fmt(a, b, "<path class=\"grid\" d=\"M%.1f %dV%d\"/>", x, f->top, f->bottom);
        if (x - last < 38) continue;
        last = x;
        hn_buf_fmt(a, b, "<text class=\"ax\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.*f</text>", x, f->bottom + 17, digits, tick[i]);
    }
    hn_buf_fmt(a, b, "<text class=\"ax\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", f->right, f->bottom + 36, title);
}

/* ---- loss curves ---- */

typedef struct binned {
    double y[BINS], n[BINS];
} binned;

static bool point(const json_t *curve, size_t i, double *x, double *y) {
    const json_t *s = json_array_get(curve, 3 * i), *v = json_array_get(curve, 3 * i + 1);
    if (!json_is_number(s) || !json_is_number(v)) return false;
    *x = fmax(1, json_number_value(s)), *y = json_number_value(v);
    return true;
}

static void bin_curve(const axes *f, const json_t *curve, binned *out) {
    *out = (binned){ { 0 }, { 0 } };
    for (size_t i = 0; i < json_array_size(curve) / 3; i++) {
        double x, y;
        if (!point(curve, i, &x, &y)) continue;
        int k = (int)((log(x) - log(f->x0)) / (log(f->x1) - log(f->x0)) * BINS);
        if (x < f->x0) continue;
        k = HN_MAX(0, HN_MIN(BINS - 1, k));
        out->y[k] += y, out->n[k]++;
    }
    for (int k = 0; k < BINS; k++) out->y[k] /= out->n[k];
}

static void line(hn_arena *a, hn_buf *b, const axes *f, const binned *v, const char *class) {
    bool first = true;
    for (int k = 0; k < BINS; k++) {
        if (!(v->n[k] > 0)) continue;
        double x = f->left + (k + 0.5) / BINS * (f->right - f->left);
        hn_buf_fmt(a, b, first ? "<path class=\"%s\" d=\"M%.1f %.1f" : "%sL%.1f %.1f", first ? class : "", x,
                   py(f, fmax(fmin(v->y[k], f->y1), f->y0)));
        first = false;
    }
    if (!first) hn_buf_fmt(a, b, "\"/>");
}

/* The mean of an arm's seeds, bin by bin. */
static void bin_arm(const axes *f, const hn_report_arm *arm, binned *out) {
    *out = (binned){ { 0 }, { 0 } };
    for (int64_t s = 0; s < arm->curve.n; s++) {
        binned v;
        bin_curve(f, arm->curve.v[s], &v);
        for (int k = 0; k < BINS; k++)
            if (v.n[k] > 0) out->y[k] += v.y[k], out->n[k]++;
    }
    for (int k = 0; k < BINS; k++) out->y[k] /= out->n[k];
}

/* As high as the means reach: one seed that jumps is cut off rather than pressing all others flat. */
static bool curve_axes(const hn_report *r, const char *phase, axes *f) {
    f->x0 = INFINITY, f->x1 = 0, f->y0 = INFINITY, f->y1 = -INFINITY;
    for (int64_t i = 0; i < r->arms.n; i++) {
        const hn_report_arm *arm = &r->arms.v[i];
        for (int64_t s = 0; !strcmp(arm->phase, phase) && s < arm->curve.n; s++) {
            double x, y;
            for (size_t k = 0; k < json_array_size(arm->curve.v[s]) / 3; k++)
                if (point(arm->curve.v[s], k, &x, &y)) f->x0 = fmin(f->x0, x), f->x1 = fmax(f->x1, x);
        }
    }
    f->x0 = fmax(f->x0, f->x1 / SHOWN);
    if (!(f->x1 > f->x0)) return false;
    for (int64_t i = 0; i < r->arms.n; i++) {
        binned v;
        if (strcmp(r->arms.v[i].phase, phase)) continue;
        bin_arm(f, &r->arms.v[i], &v);
        for (int k = 0; k < BINS; k++)
            if (v.n[k] > 0) f->y0 = fmin(f->y0, v.y[k]), f->y1 = fmax(f->y1, v.y[k]);
    }
    return f->y1 > f->y0;
}

const char *hn_svg_curves(hn_arena *a, const hn_report *r, const char *phase, int width) {
    hn_buf b = { 0 };
    int height = width < 520 ? 280 : 380;
    axes f = { .left = 40, .right = width - 8, .top = 26, .bottom = height - 44, .log_x = true };
    if (!curve_axes(r, phase, &f)) return "";
    double pad = 0.04 * (f.y1 - f.y0);
    f.y0 -= pad, f.y1 += pad;
    open_svg(a, &b, width, height, "Training loss by step, a thin line per seed, a thick one for the mean of an arm");
    y_axis(a, &b, &f, false, "training loss, nats per token");
    x_axis(a, &b, &f, "step (log scale)");
    for (int means = 0; means < 2; means++)
        for (int64_t i = 0; i < r->arms.n; i++) {
            const hn_report_arm *arm = &r->arms.v[i];
            if (strcmp(arm->phase, phase)) continue;
            binned v;
            for (int64_t k = 0; !means && k < arm->curve.n; k++) {
                bin_curve(&f, arm->curve.v[k], &v);
                line(a, &b, &f, &v, hn_fmt(a, "ln thin %s", hn_series_class(r, arm)));
            }
            bin_arm(&f, arm, &v);
            if (means) line(a, &b, &f, &v, hn_fmt(a, "ln %s", hn_series_class(r, arm)));
        }
    hn_buf_fmt(a, &b, "</svg>");
    return hn_buf_str(a, &b);
}

/* ---- seeds: a row per arm, a dot per seed ---- */

static int by_mean(const void *p, const void *q) {
    double x = (*(const hn_report_arm *const *)p)->mean, y = (*(const hn_report_arm *const *)q)->mean;
    return x < y ? -1 : x > y;
}

const char *hn_svg_seeds(hn_arena *a, const hn_report *r, int width) {
    hn_buf b = { 0 };
    const hn_report_arm **arm = hn_new_n(a, const hn_report_arm *, r->arms.n + 1);
    int n = 0, row = 26;
    axes f = { .x0 = INFINITY, .x1 = -INFINITY, .left = width < 520 ? 96 : 150, .right = width - 12, .top = 4 };
    for (int64_t i = 0; i < r->arms.n; i++) {
        const hn_report_arm *x = &r->arms.v[i];
        if (strcmp(x->phase, "confirm") || !x->seed_mean.n || !isfinite(x->mean)) continue;
        arm[n++] = x;
        for (int64_t s = 0; s < x->seed_mean.n; s++) f.x0 = fmin(f.x0, x->seed_mean.v[s]), f.x1 = fmax(f.x1, x->seed_mean.v[s]);
    }
    if (!n || !(f.x1 > f.x0)) return "";
    qsort(arm, (size_t)n, sizeof *arm, by_mean);
    double pad = 0.05 * (f.x1 - f.x0);
    f.x0 -= pad, f.x1 += pad, f.bottom = f.top + n * row + 4;
    open_svg(a, &b, width, f.bottom + 42, "Mean of the confirm items by seed and arm");
    x_axis(a, &b, &f, hn_fmt(a, "%s on the confirm items, \xe2\x86\x90 better", hn_escape(a, r->unit)));
    for (int i = 0; i < n; i++) {
        double y = f.top + (i + 0.5) * row;
        const char *class = hn_series_class(r, arm[i]);
        hn_buf_fmt(a, &b, "<text class=\"lab\" x=\"0\" y=\"%.1f\">%s</text><path class=\"mean %s\" d=\"M%.1f %.1fv16\"/>", y + 4.5,
                   hn_escape(a, arm[i]->name), class, px(&f, arm[i]->mean), y - 8);
        for (int64_t s = 0; s < arm[i]->seed_mean.n; s++)
            hn_buf_fmt(a, &b, "<circle class=\"pt %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>", class, px(&f, arm[i]->seed_mean.v[s]), y);
    }
    hn_buf_fmt(a, &b, "</svg>");
    return hn_buf_str(a, &b);
}

/* ---- cost against gain ---- */

typedef struct tip {
    double x, y, label_y;
    const hn_report_row *row;
} tip;

static int by_height(const void *p, const void *q) {
    double x = ((const tip *)p)->y, y = ((const tip *)q)->y;
    return x < y ? -1 : x > y;
}

const char *hn_svg_cost(hn_arena *a, const hn_report *r, int width) {
    hn_buf b = { 0 };
    int height = width < 520 ? 290 : 340, n = 0;
    double base = NAN;
    axes f = { .x0 = INFINITY, .x1 = 0, .left = width < 520 ? 48 : 56, .right = width - 12, .top = 26, .bottom = height - 44 };
    tip *tips = hn_new_n(a, tip, r->n_judged + 1);
    for (int64_t i = 0; i < r->arms.n; i++)
        if (!strcmp(r->arms.v[i].phase, "confirm") && !strcmp(r->arms.v[i].name, "incumbent")) base = r->arms.v[i].seconds;
    if (isfinite(base)) f.x0 = f.x1 = base;
    for (int64_t i = 0; i < r->n_judged; i++) {
        const hn_report_row *x = &r->levers.v[i];
        if (!isfinite(x->gain) || !isfinite(x->seconds)) continue;
        tips[n++].row = x;
        f.x0 = fmin(f.x0, x->seconds), f.x1 = fmax(f.x1, x->seconds);
        f.y0 = fmin(f.y0, isfinite(x->lo) ? x->lo : x->gain), f.y1 = fmax(f.y1, isfinite(x->hi) ? x->hi : x->gain);
    }
    if (!n) return "";
    double wide = fmax(f.x1 - f.x0, 0.1 * f.x1 + 1e-6), tall = fmax(f.y1 - f.y0, 1e-6);
    f.x0 = fmax(0, f.x0 - 0.15 * wide), f.x1 += 0.2 * wide, f.y0 -= 0.06 * tall, f.y1 += 0.06 * tall;
    open_svg(a, &b, width, height, "Gain of each judged lever against the seconds that one training takes");
    y_axis(a, &b, &f, true, hn_fmt(a, "gain in %s", hn_escape(a, r->unit)));
    x_axis(a, &b, &f, "seconds for one training");
    if (isfinite(base))
        hn_buf_fmt(a, &b,
                   "<path class=\"zero dash\" d=\"M%.1f %dV%d\"/><text class=\"ax halo\" x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">the "
                   "start</text>",
                   px(&f, base), f.top, f.bottom, px(&f, base), f.bottom - 6);
    for (int i = 0; i < n; i++) tips[i].x = px(&f, tips[i].row->seconds), tips[i].y = py(&f, tips[i].row->gain);
    qsort(tips, (size_t)n, sizeof *tips, by_height);
    for (int i = 0; i < n; i++) { /* a label moves down until it clears those above it */
        tips[i].label_y = tips[i].y + 4.5;
        for (int k = 0; k < i; k++)
            if (fabs(tips[k].x - tips[i].x) < 110 && tips[i].label_y < tips[k].label_y + 15) tips[i].label_y = tips[k].label_y + 15;
    }
    for (int i = 0; i < n; i++) {
        const hn_report_row *x = tips[i].row;
        const char *v = !strcmp(x->verdict, "kept") || !strcmp(x->verdict, "harmful") ? x->verdict : "undecided";
        if (isfinite(x->lo) && isfinite(x->hi))
            hn_buf_fmt(a, &b, "<path class=\"mark v-%s\" style=\"stroke-width:1.4;opacity:.6\" d=\"M%.1f %.1fV%.1f\"/>", v, tips[i].x,
                       py(&f, x->lo), py(&f, x->hi));
        hn_buf_fmt(a, &b, "<circle class=\"v-%s%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"5\"/>", v, strcmp(v, "undecided") ? "" : " open", tips[i].x,
                   tips[i].y);
    }
    for (int i = 0; i < n; i++) {
        bool left = tips[i].x > f.left + 0.72 * (f.right - f.left);
        hn_buf_fmt(a, &b, "<text class=\"lab halo\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>", tips[i].x + (left ? -10 : 10),
                   tips[i].label_y, left ? "end" : "start", hn_escape(a, tips[i].row->name));
    }
    hn_buf_fmt(a, &b, "</svg>");
    return hn_buf_str(a, &b);
}
