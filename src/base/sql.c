/* sql.c - door to SQLite. Write-ahead log, a busy timeout of a minute, foreign keys; short transactions are the caller's part.
 *
 * BEGIN IMMEDIATE takes the write lock at once, so no transaction that has begun can fail for a lock. Errors name the
 * file: full disk E_SPACE, no database or damaged E_MODEL, locked E_BUSY, else E_IO. One thread per door. */
#include "base/job.h"
#include <errno.h>
#include <math.h>
#include <sqlite3.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { BUSY_MS = 60000 };

struct hn_db { hn_arena *a; sqlite3 *db; const char *path; };
struct hn_row { hn_db *db; sqlite3_stmt *st; };

static void close_db(void *p) { sqlite3_close_v2(p); }

static void finalize(void *p) {
    hn_row *r = p;
    sqlite3_finalize(r->st);
    r->st = NULL;
}

static bool fail(hn_db *db, int rc, const char *doing) {
    hone_code code = HONE_E_IO;
    /* The connection's text belongs to its last failure; one that it does not know of has the code's own. */
    const char *hint = NULL, *found = sqlite3_errcode(db->db) == SQLITE_OK ? sqlite3_errstr(rc) : sqlite3_errmsg(db->db);
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
    case SQLITE_IOERR: if (sqlite3_system_errno(db->db) == ENOSPC) { code = HONE_E_SPACE; hint = "Free some space there."; } break;
    case SQLITE_ERROR: case SQLITE_MISUSE: case SQLITE_RANGE: code = HONE_E_INTERNAL; break;
    default: break;
    }
    return hn_fail(db->a->job, code, &(hn_why){ .what = doing, .where = db->path, .found = found, .hint = hint });
}

/* SQLite's own timeout does not serve every case (switching to the log, recovery): those are tried again here, ever slower. */
static int patient(hn_db *db, const char *sql) {
    double end = hn_now() + BUSY_MS / 1000.0;
    for (long ms = 1;; ms = HN_MIN(ms * 2, 100)) {
        int rc = hn_fault_hit(HN_FAULT_WRITE) ? SQLITE_FULL : sqlite3_exec(db->db, sql, NULL, NULL, NULL);
        if ((rc & 0xff) != SQLITE_BUSY || hn_now() > end) return rc;
        nanosleep(&(struct timespec){ 0, ms * 1000000 }, NULL);
    }
}

static int open_as(hn_db *db, const char *name, int flags) {
    int rc = sqlite3_open_v2(name, &db->db, flags | SQLITE_OPEN_FULLMUTEX, NULL);
    if (rc == SQLITE_OK) {
        sqlite3_busy_timeout(db->db, BUSY_MS);
        sqlite3_extended_result_codes(db->db, 1);
        rc = sqlite3_exec(db->db, "PRAGMA schema_version", NULL, NULL, NULL);   /* reads the head of the file */
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

hn_db *hn_db_open(hn_arena *a, const char *path, bool read_only) {
    hn_db *db = hn_new(a, hn_db);
    db->a = a;
    db->path = hn_strdup(a, path);
    if (read_only && access(path, R_OK)) { hn_fail_errno(a->job, "open", path); return NULL; }
    int rc = open_as(db, path, read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
    if (read_only && ((rc & 0xff) == SQLITE_CANTOPEN || (rc & 0xff) == SQLITE_READONLY)) {
        sqlite3_close_v2(db->db);
        rc = open_as(db, immutable(a, path), SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    }
    if (!db->db) hn_memory_refused(a->job, 65536);
    hn_defer(a, close_db, db->db);
    if (rc == SQLITE_OK && !read_only) rc = patient(db, "PRAGMA journal_mode=WAL");
    if (rc == SQLITE_OK && !read_only) rc = patient(db, "PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON");
    if (rc == SQLITE_OK) return db;
    fail(db, rc, "cannot open the database");
    return NULL;
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

static hn_row *prepare(hn_arena *a, hn_db *db, const char *sql, const char *types, va_list args) {
    hn_row *r = hn_new(a, hn_row);
    r->db = db;
    hn_defer(a, finalize, r);
    int rc = sqlite3_prepare_v2(db->db, sql, -1, &r->st, NULL);
    if (rc == SQLITE_OK) rc = bind(r->st, types, args);
    if (rc == SQLITE_OK) return r;
    fail(db, rc, "the database refused a statement");
    finalize(r);
    return NULL;
}

hn_row *hn_db_query(hn_arena *a, hn_db *db, const char *sql, const char *types, ...) {
    va_list args;
    va_start(args, types);
    hn_row *r = prepare(a, db, sql, types, args);
    va_end(args);
    return r;
}

bool hn_row_next(hn_row *r) {
    if (!r || !r->st) return false;
    int rc = hn_fault_hit(HN_FAULT_READ) ? SQLITE_IOERR : sqlite3_step(r->st);
    if (rc == SQLITE_ROW) return true;
    if (rc != SQLITE_DONE) fail(r->db, rc, "cannot read from the database");
    finalize(r);
    return false;
}

void hn_row_close(hn_row *r) {
    if (r) finalize(r);
}

bool hn_db_exec(hn_db *db, const char *sql, const char *types, ...) {
    hn_arena *scratch = hn_arena_new(db->a);
    va_list args;
    va_start(args, types);
    hn_row *r = prepare(scratch, db, sql, types, args);
    va_end(args);
    int rc = SQLITE_DONE;
    if (r && hn_fault_hit(HN_FAULT_WRITE)) rc = SQLITE_FULL;
    else if (r)
        while ((rc = sqlite3_step(r->st)) == SQLITE_ROW) {}
    bool ok = r && (rc == SQLITE_DONE || fail(db, rc, "cannot write to the database"));
    hn_arena_free(scratch);
    return ok;
}

bool hn_db_script(hn_db *db, const char *sql) {
    int rc = hn_fault_hit(HN_FAULT_WRITE) ? SQLITE_FULL : sqlite3_exec(db->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK || fail(db, rc, "cannot write to the database");
}

int64_t hn_row_i(hn_row *r, int col) { return sqlite3_column_int64(r->st, col); }

double hn_row_d(hn_row *r, int col) {
    return sqlite3_column_type(r->st, col) == SQLITE_NULL ? NAN : sqlite3_column_double(r->st, col);
}

const char *hn_row_s(hn_arena *a, hn_row *r, int col) {
    const char *s = (const char *)sqlite3_column_text(r->st, col);
    return s ? hn_strndup(a, s, sqlite3_column_bytes(r->st, col)) : "";
}

hn_bytes hn_row_b(hn_arena *a, hn_row *r, int col) {
    const void *p = sqlite3_column_blob(r->st, col);
    int64_t n = sqlite3_column_bytes(r->st, col);
    return (hn_bytes){ (const uint8_t *)hn_strndup(a, p, p ? n : 0), p ? n : 0 };
}

int64_t hn_db_last_id(hn_db *db) { return sqlite3_last_insert_rowid(db->db); }

bool hn_db_begin(hn_db *db) {
    int rc = patient(db, "BEGIN IMMEDIATE");
    return rc == SQLITE_OK || fail(db, rc, "cannot begin a transaction");
}

bool hn_db_commit(hn_db *db) {
    int rc = patient(db, "COMMIT");
    if (rc == SQLITE_OK) return true;
    fail(db, rc, "cannot commit to the database");
    hn_db_rollback(db);
    return false;
}

void hn_db_rollback(hn_db *db) {
    if (!sqlite3_get_autocommit(db->db)) sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
}
