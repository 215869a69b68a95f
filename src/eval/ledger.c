/* ledger.c - what was tried, measured and decided, in one SQLite file, or in one database of a PostgreSQL server.
 *
 * Several runs may share a ledger, and several processes may write it: every write is one short transaction. `difference` in decisions
 * is a gain: incumbent − arm, positive is better. Items' losses are blobs of little-endian doubles; curves are blobs of
 * (step, train, valid) triples. The ledger says what it is by meta.version, and a file by its application_id, too. */
#include "eval/eval.h"

#include <math.h>
#include <unistd.h>

enum { APPLICATION_ID = 0x686f6e65 /* "hone" */ };

struct hn_ledger { hn_arena *a; hn_db *db; const char *path; };

static const char schema[] =
    "CREATE TABLE IF NOT EXISTS meta(key TEXT PRIMARY KEY, value TEXT NOT NULL)$rowless;"
    "INSERT INTO meta VALUES('application','hone'),('version','1') ON CONFLICT DO NOTHING;"
    "CREATE TABLE IF NOT EXISTS runs(id $id, started TEXT NOT NULL, finished TEXT, state TEXT NOT NULL DEFAULT 'running', recipe TEXT NOT NULL,"
    " plan TEXT NOT NULL, plan_hash TEXT NOT NULL, machine TEXT NOT NULL, version TEXT NOT NULL, seed $int NOT NULL, metric TEXT, sealed_hash TEXT, result TEXT);"
    "CREATE TABLE IF NOT EXISTS measurements(id $id, run $int NOT NULL REFERENCES runs(id), phase TEXT NOT NULL, arm TEXT NOT NULL, seed $int NOT NULL,"
    " set_name TEXT NOT NULL, state TEXT NOT NULL, seconds $real, flops $real, peak_rss $int, steps $int, tokens $int, loss $real, accuracy $real, train_loss $real,"
    " recipe TEXT, error TEXT, n_items $int NOT NULL DEFAULT 0, items $blob, n_curve $int NOT NULL DEFAULT 0, curve $blob, extra TEXT, at TEXT NOT NULL,"
    " UNIQUE(run, phase, arm, seed, set_name));"
    "CREATE TABLE IF NOT EXISTS decisions(id $id, run $int NOT NULL REFERENCES runs(id), phase TEXT NOT NULL, lever TEXT NOT NULL, verdict TEXT NOT NULL,"
    " difference $real, lo $real, hi $real, p $real, p_adjusted $real, detectable $real, why TEXT, seconds $real, flops $real, peak_rss $int, data TEXT, UNIQUE(run, phase, lever));"
    "CREATE TABLE IF NOT EXISTS files(run $int NOT NULL REFERENCES runs(id), path TEXT NOT NULL, bytes $int NOT NULL, hash TEXT NOT NULL, role TEXT NOT NULL);"
    "CREATE TABLE IF NOT EXISTS sealed(hash TEXT NOT NULL, run $int NOT NULL, opened TEXT NOT NULL, UNIQUE(hash, run));"
    "CREATE TABLE IF NOT EXISTS notes(run $int NOT NULL REFERENCES runs(id), key TEXT NOT NULL, text TEXT NOT NULL, UNIQUE(run, key));";

/* Foreign and newer files are refused before anything is written. */
static bool check(hn_ledger *l, bool *empty) {
    hn_row *r = hn_db_query(l->a, l->db, "SELECT count(*) FROM $tables", "");
    if (!r) return false;
    *empty = hn_row_next(r) && hn_row_i(r, 0) == 0;
    hn_row_close(r);
    if (hone_error_code(l->a->job)) return false;
    if (*empty) return true;
    r = hn_db_query(l->a, l->db, "SELECT count(*) FROM $tables WHERE name='meta'", "");
    if (!r || !hn_row_next(r)) return false;
    const char *application = "", *version = "";
    bool ours = hn_row_i(r, 0) == 1;
    hn_row_close(r);
    if (ours) {
        r = hn_db_query(l->a, l->db, "SELECT (SELECT value FROM meta WHERE key='application'), (SELECT value FROM meta WHERE key='version')", "");
        if (!r || !hn_row_next(r)) return false;
        application = hn_row_s(l->a, r, 0), version = hn_row_s(l->a, r, 1);
        hn_row_close(r);
    }
    int64_t v = 0;
    if (strcmp(application, "hone") || !hn_parse_i64(version, &v))
        return hn_db_is_url(l->path)
                   ? HN_FAIL(l->a, HONE_E_MODEL, .what = "the database holds something, but no ledger of hone", .where = l->path,
                             .hint = "Name an empty one, or a schema of its own in it: …?options=-csearch_path%3DNAME")
                   : HN_FAIL(l->a, HONE_E_MODEL, .what = "the file is a database, but not a ledger of hone", .where = l->path, .hint = "Choose another file or out folder.");
    if (v > HN_LEDGER_VERSION)
        return HN_FAIL(l->a, HONE_E_MODEL, .what = "the ledger was written by a newer hone", .where = l->path, .wanted = hn_fmt(l->a, "version %d or older", HN_LEDGER_VERSION),
                       .found = hn_fmt(l->a, "version %s", version), .hint = "Use a newer hone, or choose another out folder.");
    return true;
}

/* Opening for writing turns a database into write-ahead mode, which would change a foreign one: so what is there is looked at through a
 * read-only door first. Through SQLite's, never by open and close: closing any descriptor of the file drops the locks that this process
 * holds through others, and then another program's exit takes the log away under our feet. */
static bool may_be_touched(hn_arena *a, const char *path) {
    if (!hn_path_exists(path)) return true;
    hn_arena *scratch = hn_arena_new(a);
    hn_ledger l = { .a = scratch, .path = path, .db = hn_db_open(scratch, path, true) };
    bool empty = false, ok = l.db && check(&l, &empty);
    hn_arena_free(scratch);
    return ok;
}

hn_ledger *hn_ledger_open(hn_arena *a, const char *path, bool read_only) {
    hn_ledger *l = hn_new(a, hn_ledger);
    bool empty = false;
    bool is_file = !hn_db_is_url(path);
    if (!read_only && is_file && !may_be_touched(a, path)) return NULL;
    hn_db *db = hn_db_open(a, path, read_only);
    if (!db) return NULL;
    *l = (hn_ledger){ .a = a, .path = hn_db_name(db), .db = db };
    if (!check(l, &empty)) return NULL;
    if (empty && read_only)
        return HN_FAIL(a, HONE_E_MODEL, .what = "the ledger is empty", .where = l->path), NULL;
    if (empty) {
        if (!hn_db_begin(l->db)) return NULL;
        if (!hn_db_script(l->db, schema) || (is_file && !hn_db_exec(l->db, hn_fmt(a, "PRAGMA application_id=%d", APPLICATION_ID), "")) ||
            !hn_db_commit(l->db)) {
            hn_db_rollback(l->db);
            return NULL;
        }
    }
    return l;
}

hn_db *hn_ledger_db(hn_ledger *l) { return l->db; }
const char *hn_ledger_name(const hn_ledger *l) { return l->path; }
static bool is_shared(const hn_ledger *l) { return hn_db_is_url(l->path); }

static const char *hex(hn_arena *a, uint64_t h) { return hn_fmt(a, "%016llx", (unsigned long long)h); }
static const char *text_hash(hn_arena *a, const char *s) { return hex(a, hn_hash(s, (int64_t)strlen(s), 0)); }

bool hn_ledger_run_begin(hn_ledger *l, const char *recipe, const json_t *plan, const json_t *machine, uint64_t seed, int64_t *run) {
    hn_arena *a = l->a;
    const char *p = hn_json_text(a, plan, false), *sealed = json_string_value(json_object_get(json_object_get(json_object_get(plan, "sets"), "sealed"), "hash"));
    if (!hn_db_exec(l->db, "INSERT INTO runs(started, recipe, plan, plan_hash, machine, version, seed, metric, sealed_hash) VALUES(?,?,?,?,?,?,?,?,?)", "ssssssiss",
                    hn_time_utc(a), recipe, p, text_hash(a, p), hn_json_text(a, machine, false), HONE_VERSION, (int64_t)seed,
                    json_string_value(json_object_get(plan, "metric")), sealed))
        return false;
    *run = hn_db_last_id(l->db);
    return true;
}

bool hn_ledger_run_end(hn_ledger *l, int64_t run, const char *state, const json_t *result) {
    return hn_db_exec(l->db, "UPDATE runs SET state=?, finished=?, result=? WHERE id=? AND state<>'done'", "sssi", state, hn_time_utc(l->a), result ? hn_json_text(l->a, result, false) : NULL, run);
}

bool hn_ledger_run_unfinished(hn_arena *a, hn_ledger *l, const char *recipe, int64_t *run, json_t **plan) {
    *run = 0;
    hn_row *r = hn_db_query(a, l->db, "SELECT id, plan FROM runs WHERE state<>'done' AND recipe=? ORDER BY id DESC LIMIT 1", "s", recipe);
    if (!r) return false;
    if (!hn_row_next(r)) return hone_error_code(a->job) == HONE_OK;
    int64_t id = hn_row_i(r, 0);
    const char *text = hn_row_s(a, r, 1);
    hn_row_close(r);
    *plan = hn_json_parse(a, l->path, text, (int64_t)strlen(text), HONE_E_MODEL);
    if (!*plan) return false;
    *run = id;
    return hn_db_exec(l->db, "UPDATE runs SET state='running', finished=NULL WHERE id=?", "i", id);
}

bool hn_ledger_run_finished(hn_arena *a, hn_ledger *l, const char *recipe, int64_t *run, bool *same, json_t **result) {
    *run = 0;
    hn_row *r = hn_db_query(a, l->db, "SELECT id, recipe=?, result FROM runs WHERE state='done' AND (?=0 OR recipe=?) ORDER BY id DESC LIMIT 1", "sis", recipe,
                            (int64_t)is_shared(l), recipe);
    if (!r) return false;
    if (!hn_row_next(r)) return hone_error_code(a->job) == HONE_OK;
    int64_t id = hn_row_i(r, 0);
    *same = hn_row_i(r, 1) != 0;
    const char *text = hn_row_s(a, r, 2);
    hn_row_close(r);
    *result = *text ? hn_json_parse(a, l->path, text, (int64_t)strlen(text), HONE_E_MODEL) : hn_json_own(a, json_object());
    *run = *result ? id : 0;
    return *result != NULL;
}

bool hn_ledger_run_done(hn_arena *a, hn_ledger *l, int64_t run, bool *done, json_t **result) {
    hn_row *r = hn_db_query(a, l->db, "SELECT state, result FROM runs WHERE id=?", "i", run);
    *done = false, *result = NULL;
    if (!r || !hn_row_next(r)) return false;
    *done = !strcmp(hn_row_s(a, r, 0), "done");
    const char *text = hn_row_s(a, r, 1);
    hn_row_close(r);
    return !*done || !*text || (*result = hn_json_parse(a, l->path, text, (int64_t)strlen(text), HONE_E_MODEL));
}

bool hn_ledger_run_newest(hn_arena *a, hn_ledger *l, const char *recipe, int64_t *run) {
    hn_row *r = hn_db_query(a, l->db, "SELECT max(id) FROM runs WHERE recipe=?", "s", recipe);
    if (!r || !hn_row_next(r)) return false;
    *run = hn_row_i(r, 0);
    hn_row_close(r);
    return true;
}

bool hn_ledger_put(hn_ledger *l, int64_t run, const hn_measure *m) {
    hn_arena *scratch = hn_arena_new(l->a);   /* a ledger stays open for hours: nothing may gather in its arena */
    bool ok = hn_db_exec(l->db,
                      "INSERT INTO measurements(run, phase, arm, seed, set_name, state, seconds, flops, peak_rss, steps, tokens, loss, accuracy, train_loss, recipe, error,"
                      " n_items, items, n_curve, curve, extra, at) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                      "ississddiiidddssibibss", run, m->phase, m->arm, m->seed, m->set_name, m->state, m->seconds, m->flops, m->peak_rss, m->steps,
                      m->tokens, m->loss, m->accuracy, m->train_loss, m->recipe, m->error, m->n_items, (const void *)m->items, m->n_items * (int64_t)sizeof(double), m->n_curve,
                      (const void *)m->curve, m->n_curve * 3 * (int64_t)sizeof(double), m->extra ? hn_json_text(scratch, m->extra, false) : NULL, hn_time_utc(scratch));
    hn_arena_free(scratch);
    return ok;
}

static bool blob(hn_arena *a, hn_ledger *l, hn_row *r, int col, int64_t n, const double **out) {
    hn_bytes b = hn_row_b(a, r, col);
    if (n < 0 || n > b.n / (int64_t)sizeof(double) || b.n != n * (int64_t)sizeof(double))
        return HN_FAIL(a, HONE_E_MODEL, .what = "a measurement in the ledger is damaged", .where = l->path, .wanted = hn_fmt(a, "%lld numbers", (long long)n),
                       .found = hn_fmt(a, "%lld bytes", (long long)b.n));
    double *v = hn_new_n(a, double, n + 1);
    if (n) memcpy(v, b.p, (size_t)b.n);
    *out = v;
    return true;
}

bool hn_ledger_get(hn_arena *a, hn_ledger *l, int64_t run, const char *phase, const char *arm, int64_t seed, const char *set_name, hn_measure *out, bool *found) {
    *found = false;
    hn_row *r = hn_db_query(a, l->db,
                            "SELECT state, seconds, flops, peak_rss, steps, tokens, loss, accuracy, train_loss, recipe, error, n_items, items, n_curve, curve FROM measurements"
                            " WHERE run=? AND phase=? AND arm=? AND seed=? AND set_name=?", "issis", run, phase, arm, seed, set_name);
    if (!r) return false;
    if (!hn_row_next(r)) return hone_error_code(a->job) == HONE_OK;
    *out = (hn_measure){ .phase = phase, .arm = arm, .seed = seed, .set_name = set_name, .state = hn_row_s(a, r, 0), .seconds = hn_row_d(r, 1), .flops = hn_row_d(r, 2),
                         .peak_rss = hn_row_i(r, 3), .steps = hn_row_i(r, 4), .tokens = hn_row_i(r, 5), .loss = hn_row_d(r, 6), .accuracy = hn_row_d(r, 7),
                         .train_loss = hn_row_d(r, 8), .recipe = hn_row_s(a, r, 9), .error = hn_row_s(a, r, 10), .n_items = hn_row_i(r, 11), .n_curve = hn_row_i(r, 13) };
    if (out->n_curve < 0 || out->n_curve > INT64_MAX / 3 || !blob(a, l, r, 12, out->n_items, &out->items) || !blob(a, l, r, 14, 3 * out->n_curve, &out->curve))
        return hone_error_code(a->job) ? false : HN_FAIL(a, HONE_E_MODEL, .what = "a curve in the ledger is damaged", .where = l->path);
    hn_row_close(r);
    *found = true;
    return true;
}

bool hn_ledger_decide(hn_ledger *l, int64_t run, const char *phase, const char *lever, const hn_decision *d, const char *why, double seconds, double flops, int64_t peak_rss) {
    hn_arena *a = l->a;
    json_t *data = hn_json_own(a, json_object());
    const struct { const char *name; double x; } more[] = { { "se", d->se }, { "df", d->df }, { "t", d->t }, { "p_harm", d->p_harm }, { "p_harm_adjusted", d->p_harm_adjusted },
                                                            { "seed_var", d->seed_var }, { "item_var", d->item_var } };
    for (int64_t i = 0; i < HN_LEN(more); i++) json_object_set_new(data, more[i].name, hn_json_real(more[i].x));
    return hn_db_exec(l->db,
                      "INSERT INTO decisions(run, phase, lever, verdict, difference, lo, hi, p, p_adjusted, detectable, why, seconds, flops, peak_rss, data)"
                      " VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(run, phase, lever) DO UPDATE SET verdict=excluded.verdict, difference=excluded.difference,"
                      " lo=excluded.lo, hi=excluded.hi, p=excluded.p, p_adjusted=excluded.p_adjusted, detectable=excluded.detectable, why=excluded.why,"
                      " seconds=excluded.seconds, flops=excluded.flops, peak_rss=excluded.peak_rss, data=excluded.data", "isssddddddsddis", run, phase, lever, hn_verdict_name(d->verdict), d->difference, d->lo, d->hi, d->p, d->p_adjusted,
                      d->detectable, why, seconds, flops, peak_rss, hn_json_text(a, data, false));
}

bool hn_ledger_file(hn_ledger *l, int64_t run, const char *path, int64_t bytes, uint64_t hash, const char *role) {
    return hn_db_exec(l->db, "INSERT INTO files(run, path, bytes, hash, role) VALUES(?,?,?,?,?)", "isiss", run, path, bytes, hex(l->a, hash), role);
}

bool hn_ledger_file_changed(hn_ledger *l, int64_t run, const char *path, uint64_t hash, bool *changed) {
    hn_row *r = hn_db_query(l->a, l->db, "SELECT count(*) FROM files f JOIN runs r ON r.id=f.run WHERE r.state<>'done' AND (?=0 OR r.id=?) AND f.path=? AND f.hash<>?",
                            "iiss", (int64_t)is_shared(l), run, path, hex(l->a, hash));
    if (!r || !hn_row_next(r)) return false;
    *changed = hn_row_i(r, 0) > 0;
    hn_row_close(r);
    return true;
}

/* Going on with the same run is the same opening. */
bool hn_ledger_seal_open(hn_ledger *l, int64_t run, const char *hash, int64_t *times_before) {
    hn_row *r = hn_db_query(l->a, l->db, "SELECT count(*) FROM sealed WHERE hash=? AND run<>?", "si", hash, run);
    if (!r || !hn_row_next(r)) return false;
    *times_before = hn_row_i(r, 0);
    hn_row_close(r);
    return hn_db_exec(l->db, "INSERT INTO sealed(hash, run, opened) VALUES(?,?,?) ON CONFLICT DO NOTHING", "sis", hash, run, hn_time_utc(l->a));
}

bool hn_ledger_note(hn_ledger *l, int64_t run, const char *key, const char *text) {
    return hn_db_exec(l->db, "INSERT INTO notes(run, key, text) VALUES(?,?,?) ON CONFLICT(run, key) DO UPDATE SET text=excluded.text", "iss", run, key, text);
}

int64_t hn_ledger_latest(hn_ledger *l) {
    hn_row *r = hn_db_query(l->a, l->db, "SELECT max(id) FROM runs", "");
    int64_t id = r && hn_row_next(r) ? hn_row_i(r, 0) : 0;
    hn_row_close(r);
    return id;
}
