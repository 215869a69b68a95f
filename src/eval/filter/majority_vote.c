/* majority_vote.c - the answer that comes most often; of equals the one that came first. Source: Wang et al. 2022, arXiv:2203.11171. */
#include "eval/task.h"

static bool apply(hn_arena *a, const void *params, hn_texts *x) {
    int64_t best = 0, most = 0;
    for (int64_t i = 0; i < x->n; i++) {
        int64_t n = 0;
        for (int64_t j = 0; j < x->n; j++) n += !strcmp(x->v[i], x->v[j]);
        if (n > most) best = i, most = n;
    }
    if (x->n) x->v[0] = x->v[best], x->n = 1;
    return true;
}
const hn_filter hn_filter_majority_vote = { HN_ITEM0("majority_vote", "the answer given most often", "arXiv:2203.11171"), .apply = apply };
