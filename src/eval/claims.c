/* claims.c - who does which part of a run, when several processes work on one ledger.
 *
 * A claim names a piece of work and its owner, who lets it beat. It falls to whoever asks next when its owner is known to be dead (a process
 * of this machine that is gone) or when it has not beaten for EXPIRES seconds. Claims only spare work: what counts is the measurement, which
 * the ledger takes once. The table is made when it is first needed; an older hone does not see it.
 * An owner is "HOST/PID NAMESPACE/PID/NUMBER". */
#include "eval/eval.h"
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { EXPIRES = 30 /* seconds; owners beat every two */ };

bool hn_ledger_claims_begin(hn_ledger *l) {
    return hn_db_begin(hn_ledger_db(l)) &&
           hn_db_script(hn_ledger_db(l), "CREATE TABLE IF NOT EXISTS claims(run $int NOT NULL, work TEXT NOT NULL, owner TEXT NOT NULL,"
                                         " beat $int NOT NULL, UNIQUE(run, work));") &&
           hn_db_commit(hn_ledger_db(l));
}

const char *hn_claim_owner(hn_arena *a) {
    char host[256] = "", ns[64] = "";
    if (gethostname(host, sizeof host - 1) || readlink("/proc/self/ns/pid", ns, sizeof ns - 1) < 0) ns[0] = 0;
    for (char *p = host; *p; p++)
        if (*p == '/') *p = '-';
    uint64_t number = (uint64_t)(uintptr_t)a ^ (uint64_t)(hn_now() * 1e9);
    return hn_fmt(a, "%s/%s/%ld/%016llx", host, ns, (long)getpid(), (unsigned long long)hn_hash(&number, sizeof number, 0));
}

/* Of this machine, and its process is gone. */
static bool is_dead(const char *owner, const char *me) {
    const char *theirs = owner, *mine = me;
    for (int slash = 0; slash < 2; theirs++, mine++) {
        if (!*theirs || *theirs != *mine) return false;
        slash += *theirs == '/';
    }
    long pid = strtol(theirs, NULL, 10);
    return pid > 0 && kill((pid_t)pid, 0) && errno == ESRCH;
}

bool hn_ledger_claim_held(hn_arena *a, hn_ledger *l, int64_t run, const char *work, const char *me, bool *held) {
    hn_row *r = hn_db_query(a, hn_ledger_db(l), "SELECT owner, $now - beat FROM claims WHERE run=? AND work=?", "is", run, work);
    *held = false;
    if (!r) return false;
    if (hn_row_next(r)) {
        const char *owner = hn_row_s(a, r, 0);
        int64_t age = hn_row_i(r, 1);
        *held = strcmp(owner, me) && age < EXPIRES && !is_dead(owner, me);
        hn_row_close(r);
    }
    return hone_error_code(a->job) == HONE_OK;
}

bool hn_ledger_claim(hn_arena *a, hn_ledger *l, int64_t run, const char *work, const char *me, bool *mine) {
    bool held;
    *mine = false;
    if (!hn_ledger_claim_held(a, l, run, work, me, &held)) return false; /* most often so: nothing need be written */
    if (held) return true;
    if (!hn_db_begin(hn_ledger_db(l))) return false;
    bool ok = hn_ledger_claim_held(a, l, run, work, me, &held) &&
              (held || hn_db_exec(hn_ledger_db(l), "INSERT INTO claims(run, work, owner, beat) VALUES(?,?,?,$now)"
                                                      " ON CONFLICT(run, work) DO UPDATE SET owner=excluded.owner, beat=excluded.beat", "iss", run, work, me));
    if (!ok || held) {
        hn_db_rollback(hn_ledger_db(l));
        return ok;
    }
    *mine = true;
    return hn_db_commit(hn_ledger_db(l));
}

bool hn_ledger_claims_beat(hn_ledger *l, const char *me) {
    return hn_db_exec(hn_ledger_db(l), "UPDATE claims SET beat=$now WHERE owner=?", "s", me);
}

bool hn_ledger_claims_drop(hn_ledger *l, const char *me) { return hn_db_exec(hn_ledger_db(l), "DELETE FROM claims WHERE owner=?", "s", me); }
