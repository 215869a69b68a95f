/* aside.c - the rows that could not be read, as a file in the run folder: one JSON object a line, {"source", "line", "why"}.
 *
 * A million bad rows must not make a second data set: the first HN_BAD_ROWS_KEPT are named, then a last line says how many more
 * there were. A run without bad rows has no such file; one left by an earlier run in the folder goes away. */
#include "data/read/read.h"
#include <errno.h>
#include <unistd.h>

/* File names may hold any byte; JSON may not. */
static json_t *text(const char *s) {
    json_t *v = json_string(s);
    return v ? v : json_string("(not UTF-8)");
}

bool hn_corpus_set_aside(hn_arena *outer, const hn_corpus *c, const char *dir) {
    hn_arena *a = hn_arena_new(outer);
    const char *path = hn_path_join(a, dir, HN_SET_ASIDE);
    bool ok = true;
    if (!c->bad_rows) {
        if (unlink(path) != 0 && errno != ENOENT) ok = hn_fail_errno(a->job, "removing", path);
        hn_arena_free(a);
        return ok;
    }
    hn_buf b = { 0 };
    for (int64_t i = 0; i < c->n_bad; i++) {
        const hn_bad_row *r = &c->bad[i];
        json_t *o =
            hn_json_own(a, json_pack("{so sI so}", "source", text(c->files[r->source]), "line", (json_int_t)r->line, "why", text(r->why)));
        hn_buf_fmt(a, &b, "%s\n", hn_json_text(a, o, false));
    }
    if (c->bad_rows > c->n_bad) hn_buf_fmt(a, &b, "{\"more\": %lld}\n", (long long)(c->bad_rows - c->n_bad));
    ok = hn_file_write(a, path, b.v, b.n);
    if (ok) hn_log(a, "%lld rows set aside: %s tells which and why", (long long)c->bad_rows, path);
    hn_arena_free(a);
    return ok;
}
