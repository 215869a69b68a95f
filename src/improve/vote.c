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

/* The answer given most often of p->votes. */
static const char *most_given(const hone_generation *g, int64_t votes) {
    const char *said = "";
    int64_t most = 0;
    for (int64_t v = 0; v < votes; v++) {
        int64_t n = 0;
        for (int64_t k = 0; k < votes; k++) n += !strcmp(g[k].text, g[v].text);
        if (n > most) most = n, said = g[v].text;
    }
    return said;
}

/* A question that is asked, and its right answer. */
typedef struct {
    const char *prompt, *answer;
    int64_t room;
} question;
static bool ask(hn_arena *a, hone_model *m, const question *q, int64_t n, const hn_finish_params *p, uint64_t seed, hn_map *asked) {
    static const char *const stop = "\n";
    hone_job *job = hone_job_new(a->job, 0);
    if (!job) return HN_FAIL(a, HONE_E_MEMORY, .what = "no memory to generate");
    const char **prompts = hn_new_n(a, const char *, n * p->votes + 1);
    hone_sampling *how = hn_new_n(a, hone_sampling, n * p->votes + 1);
    hone_generation *g = hn_new_n(a, hone_generation, n * p->votes + 1);
    for (int64_t i = 0; i < n; i++)
        for (int64_t v = 0; v < p->votes; v++) {
            uint64_t own = hn_hash(q[i].prompt, (int64_t)strlen(q[i].prompt), seed);
            prompts[i * p->votes + v] = q[i].prompt;
            how[i * p->votes + v] = (hone_sampling){ .max_tokens = q[i].room, .temperature = p->vote_temperature,
                                                     .seed = hn_hash(&v, (int64_t)sizeof v, own), .stop = &stop, .n_stop = 1 };
        }
    bool ok = hone_generate_many(job, m, n * p->votes, prompts, how, NULL, NULL, g);
    if (!ok) hn_error_copy(a->job, job);
    for (int64_t i = 0; ok && i < n; i++) {
        for (int64_t v = 0; v < p->votes; v++) tidy(g[i * p->votes + v].text, g[i * p->votes + v].text_bytes);
        hn_map_put(asked, q[i].prompt, (int64_t)strlen(q[i].prompt), strcmp(most_given(g + i * p->votes, p->votes), q[i].answer) != 0);
    }
    hone_close(job);
    return ok;
}

bool hn_vote(hn_arena *keep, hone_model *m, const hn_tokens *t, const hn_finish_params *p, uint64_t seed, hn_map *asked, double *wrong) {
    hn_arena *a = hn_arena_new(keep);
    const char **prompt = hn_new_n(a, const char *, t->n_spans + 1);
    hn_map *now = hn_map_new(a);
    HN_VEC(question) q = { 0 };
    for (int64_t i = 0; i < t->n_spans; i++) {
        const hn_span *s = &t->spans[i];
        const char *answer;
        texts(a, m, t, s, &prompt[i], &answer);
        int64_t n = (int64_t)strlen(prompt[i]), given = 0;
        if (hn_map_get(asked, prompt[i], n, NULL) || hn_map_get(now, prompt[i], n, NULL)) continue;
        hn_map_put(now, prompt[i], n, 0);
        while (given < s->n && !hn_token_learned(t, s->start + given)) given++;
        hn_push(a, &q, (question){ prompt[i], answer, HN_MAX(1, m->context - given) });
    }
    bool ok = ask(a, m, q.v, q.n, p, seed, asked);
    for (int64_t i = 0; ok && i < t->n_spans; i++) {
        int64_t was = 0;
        ok = hn_map_get(asked, prompt[i], (int64_t)strlen(prompt[i]), &was);
        HN_ASSERT(ok);
        wrong[i] = (double)was;
    }
    hn_arena_free(a);
    return ok;
}
