/* sql_lite.c - SQLite behind the door of sql.c. Write-ahead log, a busy timeout of a minute, foreign keys; short transactions are the caller's part.
 *
 * BEGIN IMMEDIATE takes the write lock at once, so no transaction that has begun can fail for a lock. Errors name the
 * file: full disk E_SPACE, no database or damaged E_MODEL, locked E_BUSY, else E_IO. One thread per door. */
#include "base/sql.h"
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static const hn_sql_word words[] = { { "$id", "INTEGER PRIMARY KEY" }, { "$int", "INTEGER" }, { "$real", "REAL" }, { "$blob", "BLOB" },
                                     { "$rowless", " WITHOUT ROWID" }, { "$now", "strftime('%s','now')" }, { "$tables", "sqlite_master" }, { 0 } };

static void close_db(void *p) { sqlite3_close_v2(p); }

static bool fail(hn_db *db, int rc, const char *doing) {
    hone_code code = HONE_E_IO;
    /* The connection's text belongs to its last failure; one that it does not know of has the code's own. */
    const char *hint = NULL, *found = sqlite3_errcode(db->handle) == SQLITE_OK ? sqlite3_errstr(rc) : sqlite3_errmsg(db->handle);
    switch (rc & 0xff) {
    case SQLITE_NOMEM: hn_memory_refused(db->a->job, 65536);
    case SQLITE_FULL: code = HONE_E_SPACE; hint = "Free some space there, or choose another folder."; break;
    case SQLITE_NOTADB: case SQLITE_CORRUPT:
        code = HONE_E_MODEL;
        hint = "The file is damaged or something else; restore it, or name another one.";
        break;
    case SQLITE_BUSY: case SQLITE_LOCKED: code = HONE_E_BUSY; hint = "Another process holds it; wait until it ends."; break;
    case SQLITE_READONLY: case SQLITE_PERM: case SQLITE_AUTH: hint = "Check the permissions of the file and of its folder."; break;
    case SQLITE_CANTOPEN: hint = "Check the path and the permissions."; break;
    case SQLITE_IOERR: if (sqlite3_system_errno(db->handle) == ENOSPC) { code = HONE_E_SPACE; hint = "Free some space there."; } break;
    case SQLITE_ERROR: case SQLITE_MISUSE: case SQLITE_RANGE: code = HONE_E_INTERNAL; break;
    default: break;
    }
    return hn_fail(db->a->job, code, &(hn_why){ .what = doing, .where = db->name, .found = found, .hint = hint });
}

/* SQLite's own timeout does not serve every case (switching to the log, recovery): those are tried again here, ever slower. */
static int patient(hn_db *db, const char *sql) {
    double end = hn_now() + HN_SQL_PATIENCE_MS / 1000.0;
    for (long ms = 1;; ms = HN_MIN(ms * 2, 100)) {
        int rc = hn_fault_hit(HN_FAULT_WRITE) ? SQLITE_FULL : sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
        if ((rc & 0xff) != SQLITE_BUSY || hn_now() > end) return rc;
        nanosleep(&(struct timespec){ 0, ms * 1000000 }, NULL);
    }
}

static int open_as(hn_db *db, const char *name, int flags) {
    sqlite3 *lite = NULL;
    int rc = sqlite3_open_v2(name, &lite, flags | SQLITE_OPEN_FULLMUTEX, NULL);
    db->handle = lite;
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(lite, HN_SQL_PATIENCE_MS);
        sqlite3_extended_result_codes(lite, 1);
        rc = sqlite3_exec(lite, "PRAGMA schema_version", NULL, NULL, NULL);   /* reads the head of the file */
    }
    return rc;
}

/* A file: URI; immutable, because a log in a folder that we cannot write to cannot be shared. */
static const char *immutable(hn_arena *a, const char *path) {
    hn_buf b = { 0 };
    hn_buf_fmt(a, &b, "file:");
    for (const char *p = path; *p; p++) hn_buf_fmt(a, &b, strchr("%?# ", *p) ? "%%%02X" : "%c", (unsigned char)*p);
    hn_buf_fmt(a, &b, "?immutable=1");
    return hn_buf_str(a, &b);
}

static bool open_file(hn_db *db, const char *path, bool read_only) {
    hn_arena *a = db->a;
    db->name = hn_strdup(a, path);
    if (read_only && access(path, R_OK)) return hn_fail_errno(a->job, "open", path);
    int rc = open_as(db, path, read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (read_only && ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY)) {
        sqlite3_close_v2(db->handle);
        rc = open_as(db, immutable(a, path), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    }
    if (!db->handle) hn_memory_refused(a->job, 65536);
    hn_defer(a, close_db, db->handle);
    if (rc == SQLITE_OK && !read_only) rc = patient(db, "PRAGMA journal_mode=WAL");
    if (rc == SQLITE_OK && !read_only) rc = patient(db, "PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON");
    return rc == SQLITE_OK || fail(db, rc, "cannot open the database");
}

static int bind(sqlite3_stmt *st, const char *types, va_list args) {
    int rc = SQLITE_OK;
    for (int i = 1; types && types[i - 1] && rc == SQLITE_OK; i++) {
        switch (types[i - 1]) {
        case 'i': rc = sqlite3_bind_int64(st, i, va_arg(args, int64_t)); break;
        case 'd': { double x = va_arg(args, double); rc = isnan(x) ? sqlite3_bind_null(st, i) : sqlite3_bind_double(st, i, x); break; }
        case 's': { const char *s = va_arg(args, const char *); rc = sqlite3_bind_text(st, i, s, -1, SQLITE_TRANSIENT); break; }
        case 'b': { const void *p = va_arg(args, const void *); int64_t n = va_arg(args, int64_t);
                    rc = p ? sqlite3_bind_blob64(st, i, p, (sqlite3_uint64)n, SQLITE_TRANSIENT) : sqlite3_bind_null(st, i); break; }
        default: HN_ASSERT(!"type letters are i, d, s, b");
        }
    }
    return rc;
}

static bool query(hn_row *r, const char *sql, const char *types, va_list args) {
    sqlite3_stmt *st = NULL;
    int rc = sqlite3_prepare_v2(r->db->handle, sql, -1, &st, NULL);
    r->st = st;
    if (rc == SQLITE_OK) rc = bind(st, types, args);
    return rc == SQLITE_OK || fail(r->db, rc, "the database refused a statement");
}

static bool next(hn_row *r) {
    int rc = hn_fault_hit(HN_FAULT_READ) ? SQLITE_IOERR : sqlite3_step(r->st);
    if (rc == SQLITE_ROW) return true;
    if (rc != SQLITE_DONE) fail(r->db, rc, "cannot read from the database");
    return false;
}

static void close_row(hn_row *r) { sqlite3_finalize(r->st); }

static bool exec(hn_row *r, const char *sql, const char *types, va_list args) {
    if (!query(r, sql, types, args)) return false;
    int rc = SQLITE_FULL;
    if (!hn_fault_hit(HN_FAULT_WRITE))
        while ((rc = sqlite3_step(r->st)) == SQLITE_ROW) {}
    return rc == SQLITE_DONE || fail(r->db, rc, "cannot write to the database");
}

static bool script(hn_db *db, const char *sql) {
    int rc = hn_fault_hit(HN_FAULT_WRITE) ? SQLITE_FULL : sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || fail(db, rc, "cannot write to the database");
}

static int64_t integer(hn_row *r, int col) { return sqlite3_column_int64(r->st, col); }

static double real(hn_row *r, int col) {
    return sqlite3_column_type(r->st, col) == SQLITE_NULL ? NAN : sqlite3_column_double(r->st, col);
}

static bool text(hn_row *r, int col, hn_bytes *out) {
    out->p = sqlite3_column_text(r->st, col);
    out->n = sqlite3_column_bytes(r->st, col);
    return out->p;
}

static hn_bytes blob(hn_arena *a, hn_row *r, int col) {
    const void *p = sqlite3_column_blob(r->st, col);
    int64_t n = sqlite3_column_bytes(r->st, col);
    return (hn_bytes){ (const uint8_t *)hn_strndup(a, p, p ? n : 0), p ? n : 0 };
}

static int64_t last_id(hn_db *db) { return sqlite3_last_insert_rowid(db->handle); }

static bool begin(hn_db *db) {
    int rc = patient(db, "BEGIN IMMEDIATE");
    return rc == SQLITE_OK || fail(db, rc, "cannot begin a transaction");
}

static bool commit(hn_db *db) {
    int rc = patient(db, "COMMIT");
    return rc == SQLITE_OK || fail(db, rc, "cannot commit to the database");
}

static void rollback(hn_db *db) {
    if (!sqlite3_get_autocommit(db->handle)) sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

const hn_sql hn_sql_lite = { words, open_file, script, exec, query, next, close_row, integer, real, text, blob, last_id, begin, commit, rollback };
