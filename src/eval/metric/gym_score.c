/* gym_score.c - how much of the answer to a gym question is right: 1 for all of it, else the part that its family gives credit for.
 * Items are those of `hone data generate`: the fields task and prompt say which family judges, and what was asked. */
#include "data/gym/gym.h"
#include "eval/task.h"

static bool judge(hn_arena *a, const hn_answer *x, hn_gym_verdict *out) {
    const char *name = json_string_value(json_object_get(x->fields, "task")), *prompt = json_string_value(json_object_get(x->fields, "prompt"));
    if (!name || !prompt)
        return HN_FAIL(a, HONE_E_DATA, .what = hn_fmt(a, "the item has no field '%s'", name ? "prompt" : "task"), .where = x->where,
                       .wanted = "an item of `hone data generate`", .hint = "The metric gym_score needs it.");
    const hn_gym_task *t = hn_gym_find(a, name);
    if (!t) return false;
    hn_gym_score(t, prompt, x->n_target ? x->target[0] : "", x->text, (int64_t)strlen(x->text), out);
    return true;
}

static bool value(hn_arena *a, const void *params, const hn_answer *x, double *out) {
    hn_gym_verdict v;
    if (!judge(a, x, &v)) return false;
    *out = v.score;
    return true;
}

static const char *why(hn_arena *a, const void *params, const hn_answer *x) {
    hn_gym_verdict v;
    if (judge(a, x, &v)) return hn_strdup(a, v.why);
    hone_error_clear(a->job);
    return "";
}
const hn_metric_item hn_metric_gym_score = { HN_ITEM0("gym_score", "how much of the answer to a gym question is right", NULL),
                                             .of = "generate_until", .higher_is_better = true, .value = value, .why = why };
