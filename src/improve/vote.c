/* vote.c - the answer given most often of several samples: self-consistency, Wang et al. 2022, arXiv:2203.11171.
 *
 * Of equally frequent answers the one that came first counts, as in the filter majority_vote. A question that stands in two sets (all
 * tasks together, and its own task guarded) is asked once. */
#include "improve/run.h"

static const char *tidy(char *s, int64_t n) {
    while (n > 0 && (s[n - 1] == ' ' || (s[n - 1] >= '\t' && s[n - 1] <= '\r'))) n--;
    s[n] = 0;
    return s;
}

/* What is given, and what is to be answered. */
static void texts(hn_arena *a, const hone_model *m, const hn_tokens *t, const hn_span *s, const char **prompt, const char **answer) {
    hn_buf part[2] = { { 0 }, { 0 } };
    for (int64_t i = s->start; i < s->start + s->n; i++) {
        int32_t id = hn_token_at(t, i);
        hn_decode(m->tok, a, &id, 1, &part[hn_token_learned(t, i)]);
    }
    *prompt = hn_buf_str(a, &part[0]);
    char *text = (char *)(uintptr_t)hn_buf_str(a, &part[1]);
    *answer = tidy(text, (int64_t)strlen(text));
}

static bool ask(hn_arena *a, hone_model *m, const char *prompt, int64_t room, const hn_finish_params *p, uint64_t seed, const char **out) {
    const char *stop = "\n", **said = hn_new_n(a, const char *, p->votes);
    for (int64_t v = 0; v < p->votes; v++) {
        hone_job *job = hone_job_new(a->job, 0);
        if (!job) return HN_FAIL(a, HONE_E_MEMORY, .what = "no memory to generate");
        hone_generation g;
        hone_sampling how = { .max_tokens = room, .temperature = p->vote_temperature, .seed = hn_hash(&v, (int64_t)sizeof v, seed), .stop = &stop, .n_stop = 1 };
        bool ok = hone_generate(job, m, prompt, &how, NULL, NULL, &g);
        if (ok) said[v] = tidy(hn_strndup(a, g.text, g.text_bytes), g.text_bytes);
        else hn_error_copy(a->job, job);
        hone_close(job);
        if (!ok) return false;
    }
    int64_t most = 0;
    for (int64_t v = 0; v < p->votes; v++) {
        int64_t n = 0;
        for (int64_t k = 0; k < p->votes; k++) n += !strcmp(said[k], said[v]);
        if (n > most) most = n, *out = said[v];
    }
    return true;
}

bool hn_vote(hn_arena *a, hone_model *m, const hn_tokens *t, const hn_finish_params *p, uint64_t seed, hn_map *asked, double *wrong) {
    hn_arena *scratch = hn_arena_new(a);
    for (int64_t i = 0; i < t->n_spans; i++, hn_arena_reset(scratch)) {
        const char *prompt, *answer, *said = "";
        int64_t was;
        texts(scratch, m, t, &t->spans[i], &prompt, &answer);
        if (!hn_map_get(asked, prompt, (int64_t)strlen(prompt), &was)) {
            uint64_t own = hn_hash(prompt, (int64_t)strlen(prompt), seed);
            int64_t given = 0;
            while (given < t->spans[i].n && !hn_token_learned(t, t->spans[i].start + given)) given++;
            if (!ask(scratch, m, prompt, HN_MAX(1, m->context - given), p, own, &said)) return false;
            was = strcmp(said, answer) != 0;
            hn_map_put(asked, prompt, (int64_t)strlen(prompt), was);
        }
        wrong[i] = (double)was;
        if (hn_stopped(a->job)) return HN_FAIL(a, HONE_E_INTERRUPTED, .what = "stopped while asking");
    }
    hn_arena_free(scratch);
    return true;
}
