/* html.c - the report page: one file, no script, no network, readable on a phone, in the dark and on paper. */
#include "eval/report.h"

#include <math.h>

bool hn_report_html(hn_arena *a, hn_ledger *l, int64_t run, const char *path) {
    hn_report r;
    hn_buf b = { 0 };
    if (!hn_report_read(a, l, run, &r)) return false;
    hn_buf_fmt(a, &b, "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>hone run %lld</title></head><body><h1>%s</h1><p>%s</p>", (long long)r.id,
               hn_escape(a, r.data), hn_escape(a, hn_report_headline(a, &r)));
    hn_buf_fmt(a, &b, "%s</body></html>\n", hn_svg_forest(a, &r, 720, true));
    const char *text = hn_buf_str(a, &b);
    return hn_file_write(a, path, text, (int64_t)strlen(text));
}
