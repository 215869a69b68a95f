/* gym_sets.c - items of gym tasks: screen, confirm and sealed questions are of splits of their own, by the hash of the question, so no
 * seed can have trained on them; every question is an item and a cluster by itself. */
#include "data/gym/gym.h"
#include "improve/run.h"

#include <stdio.h>

static const hn_gym_split splits[HN_SETS] = { HN_GYM_SCREEN, HN_GYM_CONFIRM, HN_GYM_SEALED };
static const char *const names[HN_SETS] = { "screen", "confirm", "sealed" };
enum { ITEMS_LEAST = 12 };

bool hn_gym_held_out(hn_runner *r, hn_data_params *d) {
    hn_arena *a = r->a;
    hn_strs tasks = hn_gym_only(a, &d->train);
    r->gym = tasks.n > 0;
    bool exact = !strcmp(r->p->metric, "error_rate");
    r->unit = exact ? "of all answers" : "bits per byte";
    if (!r->gym)
        return (!exact && !*r->p->primary) ||
               HN_FAIL(a, HONE_E_VALUE, .what = exact ? "improve.metric error_rate is of answers, and this text has none" : "improve.primary names a gym task, and there are none",
                       .wanted = "data.train: gym:NAME");
    if (d->valid.n)
        return HN_FAIL(a, HONE_E_VALUE, .what = "data.valid with gym tasks", .where = d->valid.v[0],
                       .wanted = "none: each gym task has held-out questions of its own", .hint = "Leave data.valid away.");
    HN_VEC(const char *) all = { 0 };
    for (int k = 0; k < HN_SETS; k++) {
        hn_strs v;
        if (!hn_gym_sources(a, &tasks, splits[k], r->p->items, r->seed, &v)) return false;
        for (int64_t i = 0; i < v.n; i++) hn_push(a, &all, v.v[i]);
    }
    d->valid = (hn_strs){ all.v, all.n };
    return true;
}

/* The spans for which pick holds, as a set. */
static bool take(hn_runner *r, hn_set *s, const char *name, const bool *pick) {
    const hn_tokens *v = &r->data.valid;
    HN_VEC(hn_span) sp = { 0 };
    HN_VEC(int32_t) cl = { 0 };
    int64_t bytes = 0;
    uint64_t h = 1;
    for (int64_t i = 0; i < v->n_spans; i++) {
        if (!pick[i]) continue;
        hn_push(r->a, &sp, v->spans[i]);
        int32_t own = (int32_t)cl.n;
        hn_push(r->a, &cl, own);
        bytes += v->spans[i].bytes;
        h = hn_hash((const uint8_t *)v->ids + v->spans[i].start * v->width, v->spans[i].n * v->width, h);
    }
    if (sp.n < ITEMS_LEAST)
        return HN_FAIL(r->a, HONE_E_VALUE, .what = hn_fmt(r->a, "too few questions to judge by: %s", name), .wanted = hn_fmt(r->a, "at least %d", ITEMS_LEAST),
                       .found = hn_fmt(r->a, "%lld", (long long)sp.n), .hint = "Take a higher level, which has more questions, or raise improve.items.");
    *s = (hn_set){ .name = name, .tokens = *v, .cluster = cl.v, .n = sp.n, .clusters = sp.n };
    s->tokens.spans = sp.v, s->tokens.n_spans = sp.n, s->tokens.bytes = bytes, s->tokens.hash = h;
    snprintf(s->hash, sizeof s->hash, "%016llx", (unsigned long long)h);
    return true;
}

bool hn_gym_sets(hn_runner *r) {
    hn_arena *a = r->a;
    const hn_corpus *c = &r->data.corpus;
    const hn_tokens *v = &r->data.valid;
    hn_gym_source *from = hn_new_n(a, hn_gym_source, c->n_files + 1);
    HN_VEC(const hn_gym_task *) tasks = { 0 };
    const hn_gym_task *primary = *r->p->primary ? hn_gym_find(a, r->p->primary) : NULL;
    if (*r->p->primary && !primary) return false;
    bool known = !primary, exact = !strcmp(r->p->metric, "error_rate");
    for (int64_t i = c->valid_from; i < c->n_files; i++) {
        if (!hn_gym_source_parse(a, c->files[i], &from[i])) return false;
        bool seen = false;
        for (int64_t k = 0; k < tasks.n; k++) seen |= tasks.v[k] == from[i].task;
        if (!seen) hn_push(a, &tasks, from[i].task);
        known |= from[i].task == primary;
    }
    if (!known)
        return HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "improve.primary '%s' is not among the tasks of data.train", r->p->primary));
    bool *pick = hn_new_n(a, bool, v->n_spans + 1);
    for (int k = 0; k < HN_SETS; k++) {
        for (int64_t i = 0; i < v->n_spans; i++) {
            const hn_gym_source *s = &from[c->docs[v->spans[i].doc].source];
            pick[i] = s->split == splits[k] && (!primary || s->task == primary);
        }
        if (!take(r, &r->set[k], names[k], pick)) return false;
        r->set[k].exact = exact && k != HN_SET_SCREEN;
    }
    r->n_sets = HN_SETS;
    for (int64_t t = 0; t < tasks.n && tasks.n > 1; t++) {
        if (tasks.v[t] == primary) continue;
        HN_ASSERT(r->n_sets < HN_SETS_MOST);
        for (int64_t i = 0; i < v->n_spans; i++) {
            const hn_gym_source *s = &from[c->docs[v->spans[i].doc].source];
            pick[i] = s->split == HN_GYM_CONFIRM && s->task == tasks.v[t];
        }
        hn_set *s = &r->set[r->n_sets++];
        if (!take(r, s, tasks.v[t]->item.name, pick)) return false;
        s->exact = exact;
    }
    return true;
}
