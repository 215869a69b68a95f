/* sql.c - door to databases: a file is SQLite's, a URL of the scheme postgresql (or postgres) is a server's.
 *
 * The statements are the same for both. Where the two differ they say a word that begins with $ (sql.h), `?` stands for an argument, and
 * an upsert is written ON CONFLICT, which both know. What a transaction reads is what it writes upon: hn_db_begin waits until
 * no other writer is in one. One thread per door. */
#include "base/sql.h"

bool hn_db_is_url(const char *path) { return !strncmp(path, "postgresql://", 13) || !strncmp(path, "postgres://", 11); }

const char *hn_db_name(const hn_db *db) { return db->name; }

hn_db *hn_db_open(hn_arena *a, const char *path, bool read_only) {
    hn_db *db = hn_new(a, hn_db);
    *db = (hn_db){ .a = a, .sql = hn_db_is_url(path) ? &hn_sql_pg : &hn_sql_lite };
    return db->sql->open(db, path, read_only) ? db : NULL;
}

static const char *in_its_words(hn_arena *a, const hn_db *db, const char *sql) {
    if (!strchr(sql, '$')) return sql;
    hn_buf b = { 0 };
    while (*sql) {
        const hn_sql_word *w = db->sql->words;
        while (*sql == '$' && w->word && strncmp(sql, w->word, strlen(w->word))) w++;
        if (*sql == '$' && w->word) {
            hn_buf_put(a, &b, w->means, (int64_t)strlen(w->means));
            sql += strlen(w->word);
        } else {
            hn_buf_put(a, &b, sql++, 1);
        }
    }
    return hn_buf_str(a, &b);
}

static void close_row(void *p) {
    hn_row *r = p;
    if (r->st) r->db->sql->close(r);
    r->st = NULL;
}

static hn_row *row_new(hn_arena *a, hn_db *db) {
    hn_row *r = hn_new(a, hn_row);
    *r = (hn_row){ .db = db, .a = a };
    hn_defer(a, close_row, r);
    return r;
}

hn_row *hn_db_query(hn_arena *a, hn_db *db, const char *sql, const char *types, ...) {
    hn_row *r = row_new(a, db);
    va_list args;
    va_start(args, types);
    bool ok = db->sql->query(r, in_its_words(a, db, sql), types, args);
    va_end(args);
    if (!ok) close_row(r);
    return ok ? r : NULL;
}

bool hn_db_exec(hn_db *db, const char *sql, const char *types, ...) {
    hn_arena *scratch = hn_arena_new(db->a);
    va_list args;
    va_start(args, types);
    bool ok = db->sql->exec(row_new(scratch, db), in_its_words(scratch, db, sql), types, args);
    va_end(args);
    hn_arena_free(scratch);
    return ok;
}

bool hn_db_script(hn_db *db, const char *sql) {
    hn_arena *scratch = hn_arena_new(db->a);
    bool ok = db->sql->script(db, in_its_words(scratch, db, sql));
    hn_arena_free(scratch);
    return ok;
}

bool hn_row_next(hn_row *r) {
    if (!r || !r->st) return false;
    if (r->db->sql->next(r)) return true;
    close_row(r);
    return false;
}

void hn_row_close(hn_row *r) {
    if (r) close_row(r);
}

int64_t hn_row_i(hn_row *r, int col) { return r->db->sql->integer(r, col); }
double hn_row_d(hn_row *r, int col) { return r->db->sql->real(r, col); }

const char *hn_row_s(hn_arena *a, hn_row *r, int col) {
    hn_bytes b;
    return r->db->sql->text(r, col, &b) ? hn_strndup(a, (const char *)b.p, b.n) : "";
}

hn_bytes hn_row_b(hn_arena *a, hn_row *r, int col) { return r->db->sql->blob(a, r, col); }
int64_t hn_db_last_id(hn_db *db) { return db->sql->last_id(db); }
bool hn_db_begin(hn_db *db) { return db->sql->begin(db); }

bool hn_db_commit(hn_db *db) {
    if (db->sql->commit(db)) return true;
    db->sql->rollback(db);
    return false;
}

void hn_db_rollback(hn_db *db) { db->sql->rollback(db); }
