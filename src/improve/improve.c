/* improve.c - the procedure, phase by phase.
 *
 *   plan → tune → screen → confirm → stack → seal
 *
 * Everything that decides is fixed in the ledger before the first arm is trained. The screen claims nothing: it chooses which
 * levers and which of their settings go on. Only confirm, with fresh seeds and items that nothing was chosen on, gives verdicts
 * (hn_decide). The sealed items are looked at once, at the end. A killed run finds its measurements in the ledger and goes on. */
#include "improve/phase.h"

static bool phases(hn_runner *r, json_t **result) {
    hn_choice *c = hn_new_n(r->a, hn_choice, r->n_levers);
    hn_verdicts v = { 0 };
    hn_kept_levers kept = { 0 };
    if (!hn_tune(r) || !hn_screen(r, c) || !hn_confirm(r, c, &v)) return false;
    for (int64_t i = 0; i < v.n; i++)
        if (v.d[i].verdict == HN_KEPT && v.from[i] && !hn_is_placebo(r, v.from[i]->lever)) hn_push(r->a, &kept, v.from[i]);
    return hn_stack(r, &kept) && hn_seal(r, &kept, &v, result);
}

static bool go(hn_arena *a, const hn_settings *s, const char *out, bool join, void (*on_line)(void *user, const json_t *line), void *user) {
    hn_runner *r = hn_new(a, hn_runner);
    *r = (hn_runner){ .a = a, .out = out, .join = join, .on_line = on_line, .user = user };
    json_t *result = NULL;
    if (!hn_runner_open(r, s)) return false;
    if (r->finished) { /* nothing is left to do */
        if (on_line) on_line(user, r->finished);
        return true;
    }
    if (r->ended) { /* there was nothing left to join */
        bool done;
        if (!hn_ledger_run_done(a, r->ledger, r->run, &done, &result)) return false;
        if (on_line && result) on_line(user, result);
        return true;
    }
    bool ok = phases(r, &result);
    hn_log(a, "%lld trainings done by this process", (long long)r->done_here);
    const char *state = ok ? "done" : hone_error_code(a->job) == HONE_E_INTERRUPTED ? "interrupted" : "failed";
    if (r->ended) {
        if (on_line && result) on_line(user, result);
        return ok;
    }
    if (!hn_ledger_run_end(r->ledger, r->run, state, result)) return false;
    if (!ok) return false;
    if (!hn_remove_tree(a, hn_path_join(a, out, "work"))) return false;
    if (!hn_report_html(a, r->ledger, r->run, hn_path_join(a, out, "report.html"))) return false;
    if (on_line) on_line(user, result);
    return true;
}

bool hn_improve_run(hn_arena *a, const hn_settings *s, const char *out, void (*on_line)(void *user, const json_t *line), void *user) {
    return go(a, s, out, false, on_line, user);
}

bool hn_improve_join(hn_arena *a, const hn_settings *s, const char *out, void (*on_line)(void *user, const json_t *line), void *user) {
    return go(a, s, out, true, on_line, user);
}
