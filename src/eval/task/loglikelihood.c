/* loglikelihood.c - the log-likelihood of one target behind the prompt, and whether greedy decoding would give it.
 * The target follows without a delimiter: a pack says " {{word}}" itself, as in the harness. */
#include "eval/task.h"

static bool run(hn_arena *a, const hn_task_call *c, hn_answer *x) {
    const hn_pack *p = c->pack;
    hn_request *r = hn_new_n(a, hn_request, p->n + 1);
    for (int64_t i = 0; i < p->n; i++) {
        const char **target;
        int64_t n;
        if (!hn_pack_prompt(a, p, i, c->seed, &r[i].context) || !hn_pack_target(a, p, i, &target, &n)) return false;
        r[i].continuation = target[0];
        r[i].where = hn_fmt(a, "%s:%lld", p->rows.path, (long long)p->rows.v[i].line);
    }
    if (!hn_loglik(a, c->m, r, p->n, c->batch)) return false;
    for (int64_t i = 0; i < p->n; i++) x[i] = (hn_answer){ .n = 1, .loglik = &r[i].loglik, .greedy = &r[i].greedy };
    return true;
}
const hn_output hn_task_loglikelihood = { HN_ITEM0("loglikelihood", "how likely the target is behind the prompt", NULL), .metrics = "perplexity acc",
                                          .run = run };
