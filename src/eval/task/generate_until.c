/* generate_until.c - lets the model go on from the prompt up to a stop text, and scores what it wrote.
 *
 * Prompts lose tokens on their left so that prompt and answer fit into the context together. An item has `repeats` answers, each with a
 * seed of its own. `until` ends an answer and is not part of it; so does the token that ends texts. Answers are written side by side. An answer is
 * the text of its tokens by themselves, as the harness decodes them: where SentencePiece's first blank is not text, it is none here. */
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

typedef struct work {
    hn_arena *a;
    const hn_task_call *c;
    int64_t done, n;
    double began, told;
} work;
static bool on_done(void *user, int64_t i, const hone_generation *g) {
    work *w = user;
    bool blank = w->c->m->tok->bare_start && g->text_bytes && *g->text == ' ';
    w->c->made[i] = hn_strndup(w->a, g->text + blank, g->text_bytes - blank);
    w->done++;
    if (hn_now() - w->told < 0.5) return true;
    w->told = hn_now();
    hn_progress(w->a, "generate", w->done, w->n, (double)w->done / (w->told - w->began), "answers", NAN);
    return true;
}

static bool run(hn_arena *a, const hn_task_call *c, hn_answer *x) {
    const hn_pack *p = c->pack;
    const hn_generation_params *g = &p->g;
    hn_arena *scratch = hn_arena_new(a);
    work w = { .a = a, .c = c, .n = p->n * p->p.repeats, .began = hn_now(), .told = hn_now() };
    const char **prompts = hn_new_n(scratch, const char *, w.n + 1);
    hone_sampling *s = hn_new_n(scratch, hone_sampling, w.n + 1);
    bool sample = g->do_sample && g->temperature > 0;
    for (int64_t i = 0; i < p->n; i++) {
        const char *prompt, **target, *where = hn_fmt(a, "%s:%lld", p->rows.path, (long long)p->rows.v[i].line);
        int64_t n, room = g->max_gen_toks;
        if (!hn_pack_prompt(scratch, p, i, c->seed, &prompt) || !hn_pack_target(a, p, i, &target, &n)) return false;
        x[i] = (hn_answer){ .target = target, .n_target = n, .fields = p->rows.v[i].fields, .where = where };
        if (!(p->whole_prompt ? whole(scratch, c->m, &x[i], prompt, &room) : cut(scratch, c->m, where, room, &prompt))) return false;
        for (int64_t k = 0; k < p->p.repeats; k++) {
            uint32_t bits[4];
            int64_t at = i * p->p.repeats + k;
            hn_philox(c->seed, HN_STREAM_SAMPLE, (uint32_t)k, (uint64_t)i, bits);
            prompts[at] = prompt;
            s[at] = (hone_sampling){ .max_tokens = room, .temperature = sample ? g->temperature : 0, .top_k = g->top_k, .top_p = g->top_p,
                                     .seed = (uint64_t)bits[0] << 32 | bits[1], .stop = g->until.v, .n_stop = g->until.n };
        }
    }
    hone_job *job = hone_job_new(a->job, 0);
    if (!job) return HN_FAIL(a, HONE_E_MEMORY, .what = "no memory to generate");
    hone_generation *made = hn_new_n(scratch, hone_generation, w.n + 1);
    bool ok = hone_generate_many(job, c->m, w.n, prompts, s, on_done, &w, made);
    if (!ok) hn_error_copy(a->job, job);
    hone_close(job);
    hn_arena_free(scratch);
    return ok;
}
const hn_output hn_task_generate_until = { HN_ITEM0("generate_until", "what the model writes up to a stop text", NULL), .metrics = "exact_match", .run = run };
