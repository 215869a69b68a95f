/* ledger_export.c - everything of a run as one JSON value: what the report is made from, and what others can read. */
#include "eval/eval.h"

#include <math.h>

/* JSON holds only UTF-8, while a sample of a byte-level model may end inside a character: bad bytes become U+FFFD. */
static json_t *text_value(hn_arena *a, const char *s) {
    int64_t n = (int64_t)strlen(s);
    if (hn_utf8_valid((const uint8_t *)s, n, NULL)) return json_string(s);
    hn_buf b = { 0 };
    for (int64_t i = 0, used; i < n; i += used) {
        uint32_t c;
        used = hn_utf8_next((const uint8_t *)s + i, n - i, &c);
        if (c == 0xFFFD) hn_buf_put(a, &b, "\xef\xbf\xbd", 3);
        else hn_buf_put(a, &b, s + i, used);
    }
    return json_string(hn_buf_str(a, &b));
}

/* One row as an object: column types by letters as in hn_db_exec, names by `names` in the same order; j is JSON text. */
static json_t *object(hn_arena *a, hn_row *r, const char *const *names, const char *types) {
    json_t *o = json_object();
    for (int c = 0; types[c]; c++) {
        const char *s;
        double d;
        json_t *v = NULL;
        switch (types[c]) {
        case 'i': v = json_integer(hn_row_i(r, c)); break;
        case 'd': d = hn_row_d(r, c); v = hn_json_real(d); break;
        case 'j': s = hn_row_s(a, r, c); v = *s ? json_loads(s, JSON_DECODE_ANY, NULL) : NULL; break;
        case 's': s = hn_row_s(a, r, c); v = text_value(a, s); break;
        default: break;
        }
        json_object_set_new(o, names[c], v ? v : json_null());
    }
    return o;
}

static json_t *numbers(hn_arena *a, hn_row *r, int col) {
    hn_bytes b = hn_row_b(a, r, col);
    json_t *v = json_array();
    for (int64_t i = 0; i + (int64_t)sizeof(double) <= b.n; i += (int64_t)sizeof(double)) {
        double x;
        memcpy(&x, b.p + i, sizeof x);
        json_array_append_new(v, hn_json_real(x));
    }
    return v;
}

typedef struct query { const char *key, *sql, *types; const char *const *names; int items, curve; } query;

static const char *const run_names[] = { "id", "started", "finished", "state", "recipe", "plan", "plan_hash", "machine", "version", "seed", "metric", "sealed_hash", "result" };
static const char *const measure_names[] = { "phase", "arm",    "seed", "set",      "state",      "seconds", "flops", "peak_rss",
                                             "steps", "tokens", "loss", "accuracy", "train_loss", "recipe",  "error", "extra" };
static const char *const decision_names[] = { "phase", "lever", "verdict", "difference", "lo", "hi", "p", "p_adjusted", "detectable", "why", "seconds", "flops", "peak_rss", "data" };
static const char *const file_names[] = { "path", "bytes", "hash", "role" };
static const char *const note_names[] = { "key", "text" };
static const query queries[] = {
    { "measurements", "SELECT phase, arm, seed, set_name, state, seconds, flops, peak_rss, steps, tokens, loss, accuracy, train_loss, recipe, error, extra, items, curve FROM measurements WHERE run=? ORDER BY id",
      "ssissddiiidddssj", measure_names, 16, 17 },
    { "decisions", "SELECT phase, lever, verdict, difference, lo, hi, p, p_adjusted, detectable, why, seconds, flops, peak_rss, data FROM decisions WHERE run=? ORDER BY id", "sssddddddsddij",
      decision_names, -1, -1 },
    { "files", "SELECT path, bytes, hash, role FROM files WHERE run=? ORDER BY role, path", "siss", file_names, -1, -1 },
    { "notes", "SELECT key, text FROM notes WHERE run=? ORDER BY key", "ss", note_names, -1, -1 },
};

json_t *hn_ledger_export(hn_arena *a, hn_ledger *l, int64_t run) {
    if (run == 0) run = hn_ledger_latest(l);
    hn_row *r = hn_db_query(a, hn_ledger_db(l), "SELECT id, started, finished, state, recipe, plan, plan_hash, machine, version, seed, metric, sealed_hash, result FROM runs WHERE id=?", "i", run);
    if (!r) return NULL;
    if (!hn_row_next(r)) {
        if (!hone_error_code(a->job)) (void)HN_FAIL(a, HONE_E_USAGE, .what = hn_fmt(a, "the ledger has no run %lld", (long long)run), .hint = "`hone ledger list` shows all.");
        return NULL;
    }
    json_t *all = hn_json_own(a, object(a, r, run_names, "issssjsjsissj"));
    hn_row_close(r);
    for (int64_t q = 0; q < HN_LEN(queries); q++) {
        json_t *list = json_array();
        json_object_set_new(all, queries[q].key, list);
        if (!(r = hn_db_query(a, hn_ledger_db(l), queries[q].sql, "i", run))) return NULL;
        while (hn_row_next(r)) {
            json_t *o = object(a, r, queries[q].names, queries[q].types);
            if (queries[q].items >= 0) json_object_set_new(o, "items", numbers(a, r, queries[q].items));
            if (queries[q].curve >= 0) json_object_set_new(o, "curve", numbers(a, r, queries[q].curve));
            json_array_append_new(list, o);
        }
        if (hone_error_code(a->job)) return NULL;
    }
    return all;
}
