/* ledger_of.c - where the run of a folder keeps its ledger.
 *
 * In ledger.sqlite, unless the folder holds ledger.url: the URL of a server's database without any password, and on a second line the
 * number of the run, since others keep theirs there, too. */
#include "eval/eval.h"
#include <stdio.h>

enum { LONGEST = 16384 };

bool hn_ledger_of(hn_arena *a, const char *dir, const char **path, int64_t *run) {
    const char *url = hn_path_join(a, dir, "ledger.url");
    hn_bytes b;
    *path = hn_path_join(a, dir, "ledger.sqlite"), *run = 0;
    if (!hn_path_exists(url)) return true;
    if (!hn_file_read(a, url, LONGEST, &b)) return false;
    char *s = hn_strndup(a, (const char *)b.p, b.n), *end = strchr(s, '\n'), *rest = end ? end + 1 : "";
    if (end) *end = 0;
    if (*rest) rest[strcspn(rest, "\n")] = 0;
    if (!hn_db_is_url(s) || strncmp(rest, "run ", 4) || !hn_parse_i64(rest + 4, run) || *run < 1)
        return HN_FAIL(a, HONE_E_MODEL, .what = "the file does not say where the ledger is", .where = url,
                       .wanted = "a line with a URL and a line 'run NUMBER'", .hint = "Give the URL by improve.ledger=postgresql://…");
    *path = s;
    return true;
}

bool hn_ledger_of_put(hn_arena *a, const char *dir, const hn_ledger *l, int64_t run) {
    const char *path = hn_path_join(a, dir, "ledger.url");
    if (!hn_db_is_url(hn_ledger_name(l))) return true;
    const char *text = hn_fmt(a, "%s\nrun %lld\n", hn_ledger_name(l), (long long)run);
    return hn_file_write(a, path, text, (int64_t)strlen(text));
}
