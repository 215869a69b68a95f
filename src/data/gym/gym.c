/* gym.c - the list of task families, and what help and list say of each: examples made on the spot from seed 1. */
#include "data/gym/gym.h"

#define GYM(n) extern const hn_gym_task hn_gym_task_##n;
#include "data/gym/gyms.def"
#undef GYM
static const hn_item *const items[] = {
#define GYM(n) &hn_gym_task_##n.item,
#include "data/gym/gyms.def"
#undef GYM
};

static void example(hn_arena *a, const hn_gym_task *t, int64_t level, int64_t index, hn_gym_item *it, const char *form, hn_buf *out) {
    if (hn_gym_at(a, t, level, HN_GYM_TRAIN, 1, index, it)) hn_buf_fmt(a, out, form, it->prompt.v, it->answer.v);
}

static void more(hn_arena *a, const hn_item *item, bool brief, hn_buf *out) {
    enum { EXAMPLES = 2 };
    const hn_gym_task *t = (const hn_gym_task *)item;
    hn_gym_item *it = hn_new(a, hn_gym_item);
    if (brief) example(a, t, 1, 0, it, "%s%s", out);
    else hn_buf_fmt(a, out, "levels 1 … %lld: %s\n", (long long)t->levels, t->dial);
    for (int64_t level = 1; !brief && level <= t->levels; level++) {
        int64_t n = hn_gym_count(a, t, level, HN_GYM_TRAIN);
        const char *many = n < 0 ? "too many to count" : hn_fmt(a, "%lld", (long long)n);
        hn_buf_fmt(a, out, "\nlevel %lld, questions to train on: %s\n", (long long)level, many);
        for (int64_t i = 0; i < EXAMPLES; i++) example(a, t, level, i, it, "  %s%s\n", out);
    }
}
const hn_kind hn_kind_gym = { "gym", "tasks made from a seed, with answers that can be checked", items, HN_LEN(items), more };

const hn_gym_task *hn_gym_find(hn_arena *a, const char *name) {
    const hn_item *item = hn_kind_find(&hn_kind_gym, name);
    if (item) return (const hn_gym_task *)item;
    const char *near = hn_kind_nearest(&hn_kind_gym, name);
    (void)!HN_FAIL(a, HONE_E_VALUE, .what = hn_fmt(a, "there is no gym task '%.100s'", name),
                   .hint = near ? hn_fmt(a, "Did you mean '%s'?", near) : "`hone list gym` shows them.");
    return NULL;
}
