/* loglikelihood_rolling.c - the log-likelihood of a whole text, in windows that do not overlap. */
#include "eval/task.h"

/* Parts of re.split(r"\s+", text): one more than there are stretches of white space. */
static int64_t words(const char *s) {
    int64_t n = 1;
    bool blank = false;
    for (int64_t left = (int64_t)strlen(s); left > 0;) {
        uint32_t cp;
        int k = hn_utf8_next((const uint8_t *)s, left, &cp);
        bool now = hn_space(cp);
        n += now && !blank;
        blank = now;
        s += k;
        left -= k;
    }
    return n;
}

static bool run(hn_arena *a, const hn_task_call *c, hn_answer *x) {
    const hn_pack *p = c->pack;
    hn_request *r = hn_new_n(a, hn_request, p->n + 1);
    for (int64_t i = 0; i < p->n; i++) {
        const char **target;
        int64_t n;
        if (!hn_pack_target(a, p, i, &target, &n)) return false;
        r[i] = (hn_request){ .context = "", .continuation = target[0], .where = hn_fmt(a, "%s:%lld", p->rows.path, (long long)p->rows.v[i].line) };
    }
    if (!hn_loglik_rolling(a, c->m, r, p->n, c->batch)) return false;
    for (int64_t i = 0; i < p->n; i++)
        x[i] = (hn_answer){ .n = 1, .loglik = &r[i].loglik, .greedy = &r[i].greedy, .words = words(r[i].continuation), .bytes = (int64_t)strlen(r[i].continuation) };
    return true;
}
const hn_output hn_task_loglikelihood_rolling = { HN_ITEM0("loglikelihood_rolling", "how likely a whole text is", NULL),
                                                  .metrics = "word_perplexity byte_perplexity bits_per_byte", .run = run };
