/* sched.c - the list of learning-rate schedules, and the warm-up that they share: (step + 1)/(warmup + 1), as in nanoGPT.
 * A new one is a file in sched/ and a row in scheds.def. */
#include "train/train.h"

#define SCHED(n) extern const hn_sched hn_sched_##n;
#include "train/sched/scheds.def"
#undef SCHED
static const hn_item *const items[] = {
#define SCHED(n) &hn_sched_##n.item,
#include "train/sched/scheds.def"
#undef SCHED
};
const hn_kind hn_kind_sched = { "sched", "learning-rate schedules: the share of the peak at a step", items, HN_LEN(items) };

double hn_sched_factor(const hn_settings *s, int64_t step, int64_t steps)
{
    const hn_sched_params *p = hn_settings_get(s, "sched");
    const hn_item *item;
    const void *own = hn_settings_variant(s, "sched", &item);
    if (step < p->warmup) return (double)(step + 1) / (double)(p->warmup + 1);
    if (p->steps > 0) steps = p->steps;
    return ((const hn_sched *)item)->factor(HN_MIN(step, steps), steps, p, own);
}
