/* rows.c - objects of a data file become documents: plain texts, or samples with what is to be learned of them.
 *
 * A row that cannot be used (no object, no field of the file's form, an empty text, a talk that the template refuses) is counted and
 * set aside with its line and the reason; the file fails only when no row is usable. Which form a file has, its first row says that
 * has one, and it is told. */
#include "data/read/read.h"

hn_object_rows hn_object_rows_new(hn_arena *a, hn_intake *in) { return (hn_object_rows){ .in = in, .form = in->how.form, .scratch = hn_arena_new(a) }; }

void hn_object_rows_aside(hn_object_rows *r, int64_t line, const char *why) {
    bool kept = r->in->bad.n < HN_BAD_ROWS_KEPT || !r->first_why;
    if (kept) why = hn_strdup(r->in->a, why);
    if (!r->first_why) r->first_why = why, r->first_bad = line;
    hn_intake_bad(r->in, line, why);
}

static bool put(hn_object_rows *r, const hn_talk *t, int64_t line, int32_t first) {
    hn_intake *in = r->in;
    if (!hn_intake_room(in, t->n)) return false;
    memcpy(in->text.v + in->text.n, t->text, (size_t)t->n);
    hn_doc d = { .start = in->text.n, .bytes = t->n, .source = in->source, .first = first, .line = (int32_t)HN_MIN(line, INT32_MAX) };
    if (!r->form->plain) d.sample = true, d.ends = t->ends, d.own = in->own.n, d.n_own = t->n_own;
    for (int64_t i = 0; d.sample && i < t->n_own; i++) hn_push(in->a, &in->own, t->own[i]);
    in->n_samples += d.sample;
    in->text.n += t->n;
    hn_push(in->a, &in->docs, d);
    return true;
}

static bool take(hn_object_rows *r, int64_t line, const char *p, int64_t n) {
    hn_arena *a = r->scratch;
    json_error_t e;
    json_t *row = json_loadb(p, (size_t)n, JSON_REJECT_DUPLICATES, &e);
    if (!row && json_error_code(&e) == json_error_out_of_memory)
        return HN_FAIL(a, HONE_E_MEMORY, .what = "no memory for a row", .where = hn_fmt(a, "%s:%lld", r->in->path, (long long)line));
    if (!row) return hn_object_rows_aside(r, line, hn_fmt(a, "not JSON: %s", e.text)), true;
    row = hn_json_own(a, row);
    if (!json_is_object(row)) return hn_object_rows_aside(r, line, "not a JSON object"), true;
    if (!r->form) {
        if (!(r->form = hn_row_detect(row)))
            return hn_object_rows_aside(r, line, "no \"text\" (nor messages, conversations, prompt and completion, instruction and output)"), true;
        if (!r->form->plain) hn_log(r->in->a, "%s: rows of the form %s", r->in->path, r->form->item.name);
    }
    hn_talks talks = { 0 };
    if (!hn_row_take(a, r->form, row, &r->in->how, &talks)) {
        if (hone_error_code(a->job) != HONE_E_DATA) return false;
        const char *why = hn_strdup(a, hone_error_message(a->job));
        hone_error_clear(a->job);
        return hn_object_rows_aside(r, line, why), true;
    }
    int32_t first = (int32_t)r->in->docs.n;
    for (int64_t i = 0; i < talks.n; i++)
        if (!put(r, &talks.v[i], line, first)) return false;
    r->good++;
    return true;
}

bool hn_object_rows_take(hn_object_rows *r, int64_t line, const char *p, int64_t n) {
    r->rows++;
    bool ok = take(r, line, p, n);
    hn_arena_reset(r->scratch);
    return ok;
}

bool hn_object_rows_end(hn_object_rows *r) {
    hn_arena *a = r->in->a;
    const char *path = r->in->path, *wanted = r->form ? r->form->wanted : "{\"text\": \"…\"}";
    if (!r->rows) return HN_FAIL(a, HONE_E_DATA, .what = "the file has no rows", .where = path, .wanted = hn_fmt(a, "rows %s", wanted));
    if (!r->good)
        return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "none of the %lld rows can be used", (long long)r->rows),
                       .where = hn_fmt(a, "%s:%lld", path, (long long)r->first_bad), .wanted = hn_fmt(a, "rows %s", wanted),
                       .found = r->first_why, .hint = r->form ? NULL : "hone list row shows the forms; data.format names one.");
    if (r->good < r->rows)
        hn_warn(a, "%s: %lld of %lld rows set aside; the first is line %lld: %s", path, (long long)(r->rows - r->good), (long long)r->rows,
                (long long)r->first_bad, r->first_why);
    return true;
}
