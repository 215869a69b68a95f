/* gym_pack.c - gym tasks as a task pack that is made on the spot, and answers by majority.
 *
 * The items are the same whoever asks: of the split `valid`, drawn with a seed that is fixed. */
#include "data/gym/gym.h"
#include "eval/task.h"

static const char yaml[] = "output_type: generate_until\n"
                           "doc_to_text: \"{{prompt}}\"\n"
                           "doc_to_target: \"{{completion}}\"\n"
                           "target_delimiter: \"\"\n"
                           "id: id\n"
                           "generation_kwargs: {until: [\"\\n\"], max_gen_toks: 256}\n"
                           "filter_list: [{name: first, filter: [{function: remove_whitespace}, {function: take_first}]}]\n"
                           "metric_list: [{metric: gym_score}, {metric: exact_match}]\n";

typedef struct gathered { hn_arena *a; hn_pack *p; HN_VEC(hn_pack_item) v; hn_map *seen; } gathered;

static void take(void *user, const hn_gym_item *it) {
    gathered *g = user;
    const char *id = hn_gym_id(g->a, it);
    int64_t before;
    if (hn_map_get(g->seen, id, (int64_t)strlen(id), &before)) return; /* the task was named twice */
    hn_map_put(g->seen, id, (int64_t)strlen(id), 0);
    json_t *fields = hn_json_own(g->a, json_pack("{ss% ss% ss sI ss}", "prompt", it->prompt.v, (size_t)it->prompt.n, "completion", it->answer.v,
                                                 (size_t)it->answer.n, "task", it->task->item.name, "level", (json_int_t)it->level, "id", id));
    hn_push(g->a, &g->v, (hn_pack_item){ .fields = fields, .line = g->v.n + 1, .id = id });
}

hn_pack *hn_gym_pack(hn_arena *a, const char *name, int64_t limit) {
    hn_pack *p = hn_new(a, hn_pack);
    hn_strs named, one = { &name, 1 };
    int64_t n = limit;
    if (strchr(name, '@') || strchr(name, '*')) {
        (void)!HN_FAIL(a, HONE_E_VALUE, .what = "a gym task to be asked has no weight and no split", .where = name, .wanted = "gym:NAME[:LEVEL[-LEVEL]]");
        return NULL;
    }
    if (!hn_pack_parse(a, name, (hn_bytes){ (const uint8_t *)yaml, sizeof yaml - 1 }, p)) return NULL;
    if (!hn_gym_sources(a, &one, HN_GYM_VALID, 0, 0, &named)) return NULL;
    if (limit > 0) { /* shared out, the first tasks taking what is over */
        int64_t tasks = named.n;
        hn_strs all = { hn_new_n(a, const char *, tasks + 1), 0 };
        for (int64_t i = 0; i < tasks && n > 0; i++) {
            hn_gym_source s;
            int64_t k = limit / tasks + (i < limit % tasks);
            if (!hn_gym_source_parse(a, named.v[i], &s)) return NULL;
            if (k) all.v[all.n++] = hn_fmt(a, "gym:%s:%lld-%lld@valid,%lld,0", s.task->item.name, (long long)s.lo, (long long)s.hi, (long long)k);
            n -= k;
        }
        named = all;
    }
    gathered g = { .a = a, .p = p, .seen = hn_map_new(a) };
    for (int64_t i = 0; i < named.n; i++) {
        hn_gym_source s;
        if (!hn_gym_source_parse(a, named.v[i], &s) || !hn_gym_source_items(a, &s, take, &g)) return NULL;
    }
    p->rows = (hn_sheet){ .path = hn_strdup(a, name), .v = g.v.v, .n = g.v.n, .known = g.v.n ? g.v.v[0].fields : NULL };
    p->shots = p->rows;
    p->name = p->rows.path;
    p->n = p->rows.n;
    p->whole_prompt = true;
    return p;
}

bool hn_pack_vote(hn_pack *p, int64_t repeats, double temperature) {
    static const char *const steps[] = { "remove_whitespace", "majority_vote" };
    if (strcmp(p->output->item.name, "generate_until"))
        return HN_FAIL(p->a, HONE_E_USAGE, .what = hn_fmt(p->a, "task %s generates no answers to vote on", p->name), .where = "--repeats",
                       .wanted = "a task of output_type generate_until", .found = p->output->item.name);
    hn_pack_filter *v = hn_new_n(p->a, hn_pack_filter, p->n_filters + 1), *vote = &v[p->n_filters];
    memcpy(v, p->filter, (size_t)p->n_filters * sizeof *v);
    *vote = (hn_pack_filter){ .name = "majority", .step = hn_alloc(p->a, HN_LEN(steps), sizeof *vote->step, 16), .n = HN_LEN(steps) };
    for (int64_t i = 0; i < HN_LEN(steps); i++) {
        const hn_item *f = hn_kind_find(&hn_kind_filter, steps[i]);
        void *params = f->size ? hn_alloc(p->a, 1, f->size, 16) : NULL;
        if (params) hn_params_defaults(p->a, f->params, f->n_params, params);
        vote->step[i].f = (const hn_filter *)f, vote->step[i].params = params;
    }
    p->filter = v;
    p->n_filters++;
    p->p.repeats = repeats;
    p->g.do_sample = true;
    p->g.temperature = temperature;
    return true;
}
