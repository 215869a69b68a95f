/* sql.h - what stands behind the door of sql.c: a table of functions for each database, and the words in which they differ. For src/base only. */
#ifndef HN_SQL_H
#define HN_SQL_H
#include "base/job.h"

enum { HN_SQL_PATIENCE_MS = 60000 };   /* how long a statement waits for another process's transaction */

typedef struct hn_sql hn_sql;
struct hn_db {
    hn_arena *a;
    const hn_sql *sql;
    const char *name;   /* for messages: the file, or the URL without its password */
    void *handle;
};
struct hn_row {
    hn_db *db;
    hn_arena *a;
    void *st;           /* NULL: closed */
    int64_t at;
};

/* SQL of the ledger says $int, $now …; each database has its own word for it. */
typedef struct hn_sql_word { const char *word, *means; } hn_sql_word;

struct hn_sql {
    const hn_sql_word *words;   /* ends with a word that is NULL; longer words before those they begin with */
    bool (*open)(hn_db *db, const char *path, bool read_only);
    bool (*script)(hn_db *db, const char *sql);
    bool (*exec)(hn_row *r, const char *sql, const char *types, va_list args);    /* r holds what must be closed, after a failure, too */
    bool (*query)(hn_row *r, const char *sql, const char *types, va_list args);
    bool (*next)(hn_row *r);
    void (*close)(hn_row *r);
    int64_t (*integer)(hn_row *r, int col);
    double (*real)(hn_row *r, int col);
    bool (*text)(hn_row *r, int col, hn_bytes *out);             /* false: NULL. Valid until the next row */
    hn_bytes (*blob)(hn_arena *a, hn_row *r, int col);
    int64_t (*last_id)(hn_db *db);
    bool (*begin)(hn_db *db), (*commit)(hn_db *db);
    void (*rollback)(hn_db *db);
};
extern const hn_sql hn_sql_lite, hn_sql_pg;
#endif
