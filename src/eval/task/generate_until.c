/* generate_until.c - lets the model go on from the prompt up to a stop text, and scores what it wrote.
 *
 * Prompts lose tokens on their left so that prompt and answer fit into the context together. An item has `repeats` answers, each with a
 * seed of its own. `until` ends an answer and is not part of it; so does the token that ends texts. */
#include "eval/task.h"
#include <math.h>

/* The whole prompt; *room becomes what it leaves, which the answer must fit into. */
static bool whole(hn_arena *a, const hone_model *m, const hn_answer *x, const char *prompt, int64_t *room) {
    hn_ids ids = { 0 }, answer = { 0 };
    if (!hn_encode(m->tok, a, prompt, (int64_t)strlen(prompt), &ids)) return false;
    if (x->n_target && !hn_encode(m->tok, a, x->target[0], (int64_t)strlen(x->target[0]), &answer)) return false;
    int64_t left = m->context - ids.n - (m->tok->bos >= 0);
    *room = HN_MIN(*room, left);
    return left >= HN_MAX(answer.n, 1) ||
           HN_FAIL(a, HONE_E_VALUE, .what = "question and answer are longer than the model's context", .where = x->where,
                   .wanted = hn_fmt(a, "at most %lld tokens", (long long)m->context), .found = hn_fmt(a, "%lld", (long long)(ids.n + answer.n)),
                   .hint = "Take a lower level, or a model of longer context.");
}

/* The prompt with so many of its last tokens as leave room for the answer. */
static bool cut(hn_arena *a, const hone_model *m, const char *where, int64_t room, const char **prompt) {
    hn_ids ids = { 0 };
    if (!hn_encode(m->tok, a, *prompt, (int64_t)strlen(*prompt), &ids)) return false;
    int64_t most = m->context - room - (m->tok->bos >= 0);
    if (most < 1)
        return HN_FAIL(a, HONE_E_DATA, .what = "an answer would fill the model's whole context", .where = where,
                       .wanted = hn_fmt(a, "generation_kwargs.max_gen_toks below the context of %lld tokens", (long long)m->context),
                       .found = hn_fmt(a, "%lld", (long long)room), .hint = "Lower max_gen_toks in the pack, or take a model of longer context.");
    if (ids.n <= most) return true;
    hn_buf b = { 0 };
    hn_decode(m->tok, a, ids.v + ids.n - most, most, &b);
    *prompt = hn_buf_str(a, &b);
    return true;
}

static bool generate(hn_arena *a, const hn_task_call *c, const char *prompt, int64_t room, uint64_t seed, const char **out) {
    const hn_generation_params *g = &c->pack->g;
    hone_job *job = hone_job_new(a->job, 0);
    if (!job) return HN_FAIL(a, HONE_E_MEMORY, .what = "no memory to generate");
    hone_generation made;
    bool sample = g->do_sample && g->temperature > 0;
    const hone_sampling s = { .max_tokens = room, .temperature = sample ? g->temperature : 0, .top_k = g->top_k, .top_p = g->top_p,
                              .seed = seed, .stop = g->until.v, .n_stop = g->until.n };
    bool ok = hone_generate(job, c->m, prompt, &s, NULL, NULL, &made);
    if (ok) *out = hn_strndup(a, made.text, made.text_bytes);
    else hn_error_copy(a->job, job);
    hone_close(job);
    return ok;
}

static bool run(hn_arena *a, const hn_task_call *c, hn_answer *x) {
    const hn_pack *p = c->pack;
    hn_arena *scratch = hn_arena_new(a);
    double began = hn_now(), told = began;
    for (int64_t i = 0; i < p->n; i++, hn_arena_reset(scratch)) {
        const char *prompt, **target, *where = hn_fmt(scratch, "%s:%lld", p->rows.path, (long long)p->rows.v[i].line);
        int64_t n, room = p->g.max_gen_toks;
        if (!hn_pack_prompt(scratch, p, i, c->seed, &prompt) || !hn_pack_target(a, p, i, &target, &n)) return false;
        x[i] = (hn_answer){ .target = target, .n_target = n, .fields = p->rows.v[i].fields, .where = hn_strdup(a, where) };
        if (!(p->whole_prompt ? whole(scratch, c->m, &x[i], prompt, &room) : cut(scratch, c->m, where, room, &prompt))) return false;
        for (int64_t k = 0; k < p->p.repeats; k++) {
            uint32_t bits[4];
            hn_philox(c->seed, HN_STREAM_SAMPLE, (uint32_t)k, (uint64_t)i, bits);
            if (!generate(a, c, prompt, room, (uint64_t)bits[0] << 32 | bits[1], &c->made[i * p->p.repeats + k])) return false;
        }
        if (hn_stopped(a->job)) return HN_FAIL(a, HONE_E_INTERRUPTED, .what = "stopped while evaluating");
        if (hn_now() - told < 0.5) continue;
        told = hn_now();
        hn_progress(a, "generate", i + 1, p->n, (double)(i + 1) / (told - began), "answers", NAN);
    }
    hn_arena_free(scratch);
    return true;
}
const hn_output hn_task_generate_until = { HN_ITEM0("generate_until", "what the model writes up to a stop text", NULL), .metrics = "exact_match", .run = run };
