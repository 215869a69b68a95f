/* multiple_choice.c - the log-likelihood of every choice behind the prompt, or of one target behind prompts that differ. */
#include "eval/task.h"

static bool run(hn_arena *a, const hn_task_call *c, hn_answer *x) {
    HN_VEC(hn_request) r = { 0 };
    const hn_pack *p = c->pack;
    for (int64_t i = 0; i < p->n; i++) {
        hn_question q;
        if (!hn_pack_question(a, p, i, c->seed, &q)) return false;
        x[i] = (hn_answer){ .n = q.n, .choice = q.choice, .gold = q.gold, .n_gold = q.n_gold };
        const char *where = hn_fmt(a, "%s:%lld", p->rows.path, (long long)p->rows.v[i].line);
        for (int64_t k = 0; k < q.n; k++) hn_push(a, &r, (hn_request){ .context = q.context[k], .continuation = q.continuation[k], .where = where });
    }
    if (!hn_loglik(a, c->m, r.v, r.n, c->batch)) return false;
    for (int64_t i = 0, at = 0; i < p->n; at += x[i++].n) {
        double *loglik = hn_new_n(a, double, x[i].n);
        bool *greedy = hn_new_n(a, bool, x[i].n);
        for (int64_t k = 0; k < x[i].n; k++) loglik[k] = r.v[at + k].loglik, greedy[k] = r.v[at + k].greedy;
        x[i].loglik = loglik;
        x[i].greedy = greedy;
    }
    return true;
}
const hn_output hn_task_multiple_choice = { HN_ITEM0("multiple_choice", "which of several continuations is likeliest", NULL),
                                            .metrics = "acc acc_norm", .needs_choices = true, .run = run };
